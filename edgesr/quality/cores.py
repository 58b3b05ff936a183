"""How many cores there are to use."""

import contextlib
import os


def usable_cores() -> int:
    """Cores this process may use, which in a container are fewer than the machine has."""
    with contextlib.suppress(AttributeError):  # not on every system
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
