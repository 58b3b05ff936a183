"""Phones on this machine's USB as Linux sees them: who offers debugging, and who may be opened."""

import getpass
import grp
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_ADB = ("ff", "42", "01")
"""Class, subclass and protocol of adb's interface."""
_RULES = "etc/udev/rules.d/51-android.rules"
_GROUP = "plugdev"
_MAKERS = {
    "04e8": "Samsung",
    "05c6": "Qualcomm",
    "0bb4": "HTC",
    "0e8d": "MediaTek",
    "0fce": "Sony",
    "1004": "LG",
    "12d1": "Huawei",
    "18d1": "Google",
    "22b8": "Motorola",
    "22d9": "Oppo",
    "2717": "Xiaomi",
    "2a70": "OnePlus",
    "2d95": "vivo",
    "2e04": "HMD (Nokia)",
}
"""USB vendor ids of those who make phones; some make other things too."""
_PICTURES = ("06", "01", "01")
"""The interface over which phones (and cameras) hand out their files."""


@dataclass(frozen=True)
class UsbDevice:
    """One device on USB."""

    vendor: str
    """Four hexadecimal digits."""
    product: str
    """What it calls itself; may be empty."""
    debugging: bool
    """Whether it offers adb."""
    writable: bool
    """Whether this user may open it; False too where that can't be told."""
    files: bool = False
    """Whether it hands out files as a phone does."""

    @property
    def mute(self) -> bool:
        """A phone maker's device that hands out files and offers no debugging."""
        return self.vendor in _MAKERS and self.files and not self.debugging

    def __str__(self) -> str:
        """A name with the vendor id."""
        maker = _MAKERS.get(self.vendor, "")
        return f"{self.product or maker or 'a device'} (USB {self.vendor})"


def usb_devices(root: Path = Path("/")) -> list[UsbDevice]:
    """What is plugged in; empty where there is no such folder (no Linux, a container).

    Args:
        root: Where /sys and /dev are.
    """
    folder = root / "sys/bus/usb/devices"
    found = []
    for path in sorted(folder.glob("[0-9]*-*")):
        vendor = _word(path / "idVendor").lower()
        if not vendor:
            continue  # an interface, not a device
        kinds = {_interface(one) for one in folder.glob(f"{path.name}:*")}
        node = f"dev/bus/usb/{_word(path / 'busnum'):0>3}/{_word(path / 'devnum'):0>3}"
        found.append(
            UsbDevice(
                vendor=vendor,
                product=_word(path / "product"),
                debugging=_ADB in kinds,
                writable=os.access(root / node, os.R_OK | os.W_OK),
                files=_PICTURES in kinds,
            )
        )
    return found


def access_fix(devices: Sequence[UsbDevice], root: Path = Path("/")) -> str:
    """What to type so that this user may open these devices.

    Args:
        devices: The ones that may not be opened; without any the rule is for all makers.
        root: Where /etc is.
    """
    vendors = sorted({device.vendor for device in devices}) or sorted(_MAKERS)
    rules = [
        f'SUBSYSTEM=="usb", ATTR{{idVendor}}=="{vendor}", MODE="0660", GROUP="{_GROUP}", '
        'TAG+="uaccess"'
        for vendor in vendors
    ]
    there = root / _RULES
    steps = [f"put into /{_RULES}{' (there is one)' if there.is_file() else ''}:", *rules]
    steps.append("then: sudo udevadm control --reload-rules && sudo udevadm trigger, and replug")
    if not _in_group():
        steps.append(f"and: sudo usermod -aG {_GROUP} {getpass.getuser()}, then log in again")
    return "\n".join(steps)


def _in_group() -> bool:
    """Whether this process has the rights of the group; where there is no such group, no."""
    try:
        number = grp.getgrnam(_GROUP).gr_gid
    except KeyError:
        return False
    return number in os.getgroups()


def _interface(path: Path) -> tuple[str, str, str]:
    names = ("bInterfaceClass", "bInterfaceSubClass", "bInterfaceProtocol")
    first, second, third = (_word(path / name) for name in names)
    return first, second, third


def _word(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
