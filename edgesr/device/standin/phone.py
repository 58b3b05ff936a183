"""A phone as a folder on this machine: its paths, its shell's surroundings, its clock."""

import errno
import os
import re
import secrets
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

from edgesr.device.standin.faults import Faults
from edgesr.device.standin.processes import MARK, end_processes
from edgesr.device.standin.profile import PhoneProfile
from edgesr.device.standin.rootfs import Layout, cpu_stat, replace_text

SCRATCH = "/data/local/tmp"
"""The one folder of a phone where adb's user may write and run programs."""
_IN_TEXT = re.compile(r"(?<![\w./-])/data/local/tmp(?![\w.-])")
_BOOT_SECONDS = 20.0


class Phone:
    """Files and processes of one stand-in.

    Args:
        profile: What it answers.
        layout: Its folder, already written.
        faults: What goes wrong at the moment.
    """

    def __init__(self, profile: PhoneProfile, layout: Layout, faults: Faults) -> None:
        self.profile, self.faults = profile, faults
        self.root = layout.root
        self._layout = layout
        self.mark = secrets.token_hex(8)
        """In the environment of every process of this phone, to find them again."""
        self.busy_pct = 3.0
        """What /proc/stat shows as used, per cent of all cores."""
        self._booted = time.monotonic() - 3600 * 5.0
        self._idle_s = self._busy_s = 0.0
        self._accounted = self._booted
        self.tick()

    @property
    def features(self) -> Sequence[str]:
        """Of adbd."""
        return self.profile.features

    def resolve(self, path: str, *, write: bool = False) -> Path:
        """The file on this machine behind a device path.

        Raises:
            OSError: When adb's user may not write there.
        """
        clean = os.path.normpath(path)
        if clean == str(self.root) or clean.startswith(f"{self.root}/"):  # as `pwd` there says it
            clean = clean.removeprefix(str(self.root)) or "/"
        if write and not clean.startswith(f"{SCRATCH}/"):
            raise OSError(errno.EROFS, "Read-only file system")
        return self.root / clean.lstrip("/")

    def rewrite(self, text: str) -> str:
        """Shell text with the phone's scratch folder replaced by the one on this machine."""
        return _IN_TEXT.sub(f"{self.root}{SCRATCH}", text)

    def shell_argv(self, command: str) -> list[str]:
        """What runs a command line; without one an interactive shell."""
        shell = str(self.root / "bin" / "sh")
        text = self.rewrite(command)
        if self.faults.bytes_free is not None:
            blocks = self.faults.bytes_free // 512
            text = f"trap '' XFSZ; ulimit -f {blocks}\n{text or f'exec {shell}'}"
        return [shell, "-c", text] if text else [shell]

    def environment(self) -> dict[str, str]:
        """Of a shell; nothing of this machine's own gets in but the path without toybox."""
        return {
            "PATH": self._layout.search_path,
            "HOME": "/",
            "LC_ALL": "C.UTF-8",
            "USER": "shell",
            "LOGNAME": "shell",
            "SHELL": "/bin/sh",
            "HOSTNAME": self.profile.props.get("ro.product.device", "localhost"),
            "TMPDIR": f"{self.root}{SCRATCH}",
            "ANDROID_DATA": "/data",
            "ANDROID_ROOT": "/system",
            "EXTERNAL_STORAGE": "/sdcard",
            "EDGESR_ROOT": str(self.root),
            MARK: self.mark,
        }

    def tick(self) -> None:
        """Brings /proc/uptime and /proc/stat up to now."""
        now = time.monotonic()
        cores = sum(len(cluster.cpus) for cluster in self.profile.clusters)
        spent = (now - self._accounted) * cores
        self._accounted = now
        self._busy_s += spent * self.busy_pct / 100
        self._idle_s += spent * (1 - self.busy_pct / 100)
        uptime = f"{now - self._booted:.2f} {self._idle_s:.2f}\n"
        replace_text(self.root / "proc/uptime", uptime)
        replace_text(self.root / "proc/stat", cpu_stat(cores, self._busy_s, self._idle_s))

    def take_space(self, size: int) -> None:
        """Notes bytes that are about to be written, here and in what df shows.

        Raises:
            OSError: When there is no space for them.
        """
        try:
            self.faults.take_space(size)
        finally:
            self.show_space()

    def show_space(self) -> None:
        """Brings what df shows up to date."""
        total, free = self.profile.storage_kb
        if self.faults.bytes_free is not None:
            free = self.faults.bytes_free >> 10
        replace_text(self.root / "state/storage_kb", f"{total} {free}\n")

    def shut_down(self) -> None:
        """Every process of the phone dies, also those that left their session."""
        end_processes(self.mark)

    def boot(self) -> None:
        """A new boot: another boot id, the uptime begins again; the scratch folder stays."""
        self._booted = self._accounted = time.monotonic() - _BOOT_SECONDS
        self._idle_s = self._busy_s = 0.0
        replace_text(self.root / "proc/sys/kernel/random/boot_id", f"{uuid.uuid4()}\n")
        self._layout.forget_modes()
        self.tick()
