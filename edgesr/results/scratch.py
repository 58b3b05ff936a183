"""Hidden folders that are gone afterwards, also where the process was killed: the next one clears.

As long as a process lives it holds a lock on its folder, which the system drops with it.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from edgesr.files import store_errors


@contextlib.contextmanager
def scratch_folder(parent: Path, kind: str) -> Iterator[Path]:
    """A hidden folder for the block; those of its kind that killed processes left go first.

    Args:
        parent: Where it is made; must be there.
        kind: The beginning of its name.

    Raises:
        StoreError: When it can't be made.
    """
    for left in parent.glob(f".{kind}.*.part"):
        with contextlib.suppress(OSError), _locked(left):
            shutil.rmtree(left, ignore_errors=True)
    with store_errors(parent):
        folder = Path(tempfile.mkdtemp(prefix=f".{kind}.", suffix=".part", dir=parent))
    with contextlib.ExitStack() as held:
        held.callback(shutil.rmtree, folder, ignore_errors=True)
        with contextlib.suppress(OSError):  # a file system without locks: then nobody clears
            held.enter_context(_locked(folder))
        yield folder


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Holds a folder.

    Raises:
        OSError: When another process holds it, or it can't be held.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)
