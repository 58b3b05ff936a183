"""What adb says about an attached phone, and what to do about it."""

READY = "device"
"""The state in which a phone can be used."""

_ADVICE = {
    "unauthorized": 'unlock the phone and tap "Allow" at "Allow USB debugging?"; if it does not '
    'ask, tap "Revoke USB debugging authorizations" in its Developer options and replug it',
    "authorizing": 'unlock the phone and tap "Allow" at "Allow USB debugging?"',
    "offline": "replug the cable, or for Wi-Fi: adb disconnect HOST:PORT, then adb connect "
    "HOST:PORT; if that does not help, switch USB debugging off and on again",
    "connecting": "wait a few seconds; if it stays so, replug the cable",
    "detached": "another program of this machine has taken it: adb -s SERIAL attach",
    "no permissions": "this user may not open the USB device: edgesr doctor prints the udev rule",
    "bootloader": "it is in the bootloader: choose Start, or run: fastboot reboot",
    "recovery": "it is in recovery: choose Reboot system, or run: adb -s SERIAL reboot",
    "rescue": "it is in rescue mode: choose Reboot system, or run: adb -s SERIAL reboot",
    "sideload": "it waits for an update: cancel, then choose Reboot system",
    "host": "it is a computer, no phone",
    "unknown": "replug the cable, or restart the server: adb kill-server",
}


def known_state(state: str) -> str:
    """A raw state without its explanations: ``no permissions (user ...); see [...]`` is cut."""
    return next((known for known in (READY, *_ADVICE) if state.startswith(known)), "unknown")


def advice(state: str, serial: str = "SERIAL") -> str:
    """What to do about a phone in this state; empty where nothing has to be done.

    Args:
        state: As adb says it, for example ``unauthorized`` or ``no permissions (...)``.
        serial: The phone's, put into commands.
    """
    return _ADVICE.get(known_state(state), "").replace("SERIAL", serial)
