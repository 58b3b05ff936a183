"""Every error that a user may meet, with its exit code and its next step.

The tree is the documentation of the exit codes:

    EdgesrError                    1   our bug, or not classified
    ├── UsageError                 2   a flag or argument that makes no sense
    ├── InputError                 3   a bad input file
    │   ├── ConfigError            3   a bad TOML file or ``--set`` key
    │   ├── CheckpointError        3   a checkpoint that can't or must not be loaded
    │   ├── ImageError             3   an image that can't be read or has the wrong size
    │   └── PairsError             3   a pairs.csv with missing or wrong rows
    ├── NoDeviceError              4   nothing to measure on
    ├── TransportError             5   the way to the device broke
    │   ├── LinkTimeoutError       5   the way to the device is silent for too long
    │   ├── DeviceFileError        5   the device answered and refused a file
    │   ├── DeviceBusyError        5   another edgesr measures on it
    │   └── DeviceLostError        5   a phone that did not come back in time
    ├── ConversionError            6   no candidate came out
    │   └── ParityError            6   a candidate came out, and its pixels are wrong
    ├── AllJobsFailedError         7   a run without one good round
    ├── StoreError                 8   workspace, disk, run folder, record schema
    ├── MissingExtraError          9   an optional package is not installed
    ├── SomeJobsFailedError       10   a run with good and failed jobs
    ├── NoWinnerError             11   no candidate meets the criteria
    ├── RegressionError           12   a run is worse than another by more than was allowed
    └── Interrupted              130   Ctrl-C
"""

from typing import Any, ClassVar


class EdgesrError(Exception):
    """Base of all errors edgesr raises on purpose.

    Args:
        message: What went wrong and why, one line, naming the file.
        hint: The next step for the user, one line. Falls back to the class's own.
    """

    exit_code: ClassVar[int] = 1
    default_hint: ClassVar[str] = ""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint or self.default_hint

    def __reduce__(self) -> tuple[Any, ...]:
        """Copies cross processes whole, whatever a subclass asks for when it is raised."""
        return _again, (type(self), str(self), self.hint)


def _again(kind: type[EdgesrError], message: str, hint: str) -> EdgesrError:
    error = kind.__new__(kind)
    EdgesrError.__init__(error, message, hint=hint)
    return error


class UsageError(EdgesrError):
    """A flag or argument that makes no sense here."""

    exit_code = 2


class InputError(EdgesrError):
    """An input file that is missing, damaged or of the wrong kind."""

    exit_code = 3


class ConfigError(InputError):
    """A config file or ``--set`` key that does not validate."""


class CheckpointError(InputError):
    """A checkpoint that can't be read, is of no known network, or must not be loaded."""


class ImageError(InputError):
    """An image that can't be read or has the wrong size."""


class PairsError(InputError):
    """A pairs.csv whose rows do not hold."""

    default_hint = "run: edgesr data check PAIRS.csv"


class NoDeviceError(EdgesrError):
    """No usable device for the jobs that were asked for."""

    exit_code = 4
    default_hint = "measure on this machine with: edgesr bench --device host"


class TransportError(EdgesrError):
    """The way to the device broke: adb missing, unplugged, total time-out."""

    exit_code = 5


class LinkTimeoutError(TransportError):
    """Nothing came within a total time-out: the command is slow, or the link is frozen."""


class DeviceFileError(TransportError):
    """The device answered, and refused a file or has no such file: the way to it is sound."""


class DeviceBusyError(TransportError):
    """Another edgesr holds the device's lock."""


class DeviceLostError(TransportError):
    """A phone went away during the run and did not come back in time."""


class ConversionError(EdgesrError):
    """The checkpoint could not be turned into a candidate."""

    exit_code = 6


class ParityError(ConversionError):
    """The candidate's pixels differ from the checkpoint's by more than its variant may."""


class AllJobsFailedError(EdgesrError):
    """Every job of a run failed or was refused."""

    exit_code = 7


class StoreError(EdgesrError):
    """The workspace or a run folder can't be read or written."""

    exit_code = 8


class MissingExtraError(EdgesrError):
    """An optional package is needed and not installed.

    Args:
        what: What needs it, for example ``--backend litert``.
        extra: Name of the extra in edgesr's metadata.
    """

    exit_code = 9

    def __init__(self, what: str, *, extra: str) -> None:
        super().__init__(
            f"{what} needs packages that are not installed",
            hint=f'install them with: python3 -m pip install "edgesr[{extra}]"',
        )


class SomeJobsFailedError(EdgesrError):
    """A run finished, and some of its jobs have no good round."""

    exit_code = 10


class NoWinnerError(EdgesrError):
    """No candidate meets the criteria."""

    exit_code = 11


class RegressionError(EdgesrError):
    """A run is worse than the one it is compared with, by more than was allowed."""

    exit_code = 12


class Interrupted(EdgesrError):  # noqa: N818 - named as users say it
    """The user pressed Ctrl-C; what was finished is kept."""

    exit_code = 130
