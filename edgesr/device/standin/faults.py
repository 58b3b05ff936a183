"""What goes wrong on a stand-in phone at the moment; the rest of it asks here."""

import asyncio
import errno
from collections.abc import Callable


class Faults:
    """The switches. The phone is sound until one of them is set.

    Args:
        cut: Ends all connections of the phone.
    """

    def __init__(self, cut: Callable[[], None]) -> None:
        self._cut = cut
        self.running = asyncio.Event()
        """Cleared while the link is frozen: nothing is read or sent."""
        self.running.set()
        self.unauthorized = False
        self.push_error = ""
        """Text with which the next pushes fail; empty for none."""
        self.keep_half = False
        """A file whose push broke off stays under its final name, as when the phone dies."""
        self.bytes_free: int | None = None
        """What pushes can still write before the disk is full; None is unlimited."""
        self._bytes_left: int | None = None
        self._then: Callable[[], None] | None = None

    def cut_after(self, size: int, then: Callable[[], None] | None = None) -> None:
        """Cuts the link once the host has sent ``size`` more bytes, and then calls ``then``."""
        self._bytes_left, self._then = size, then

    def reconnected(self) -> None:
        """The host is back after a cut: from now on pushes that break off leave nothing again."""
        if self._bytes_left is None:
            self.keep_half = False

    def arrived(self, size: int) -> int:
        """Notes bytes from the host; returns how many of them came before a cut that is set."""
        if self._bytes_left is None:
            return size
        come = min(size, self._bytes_left)
        self._bytes_left -= come
        return come

    def cut_if_due(self) -> None:
        """Cuts the link where `arrived` used up what `cut_after` allows.

        Raises:
            OSError: When it was cut.
        """
        if self._bytes_left != 0:
            return
        self._bytes_left, then, self._then = None, self._then, None
        if then is not None:
            then()
        self._cut()
        raise OSError(errno.ECONNRESET, "cut")

    def take_space(self, size: int) -> None:
        """Notes bytes that a push is about to write.

        Raises:
            OSError: When there is no space for them.
        """
        if self.bytes_free is None:
            return
        if size > self.bytes_free:
            self.bytes_free = 0
            raise OSError(errno.ENOSPC, "No space left on device")
        self.bytes_free -= size
