"""The suite that ``edgesr bench`` measures: the named one with what options change in it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgesr.errors import UsageError

if TYPE_CHECKING:
    from edgesr.bench.suite import Suite

DEFAULT_SUITE = "quick"


@dataclass(frozen=True)
class SuiteOptions:
    """The options that change a suite, as they were typed."""

    threads: str | None = None
    rounds: int | None = None
    fps: str | None = None
    minutes: float | None = None
    until: str | None = None


def chosen_suite(name: str | None, options: SuiteOptions) -> "Suite":
    """The suite with its changes.

    Args:
        name: A shipped suite or a TOML file; None takes the default.
        options: The changes.

    Raises:
        UsageError: When an option can't be read, or does not go with the suite.
        ConfigError: When there is no such suite, or it does not hold.
    """
    from edgesr.bench.suite import load_suite

    name = DEFAULT_SUITE if name is None else name
    suite = load_suite(name)
    if options.threads is not None:
        suite = suite.model_copy(update={"threads": _threads(options.threads)})
    fps = None if options.fps is None else _rates(options.fps)
    if suite.pace is not None:
        for option, value in (("--rounds", options.rounds), ("--until", options.until)):
            if value is not None:
                hint = "say how long with --minutes"
                raise UsageError(f"{option} does not go with the paced suite {name}", hint=hint)
        return suite.paced(fps, options.minutes)
    if fps is not None or options.minutes is not None:
        raise UsageError(
            f"--fps and --minutes are for paced suites, and {name} is none",
            hint="add: --suite sustained",
        )
    return _with_rounds(suite, options)


def _with_rounds(suite: "Suite", options: SuiteOptions) -> "Suite":
    """The suite with as many rounds as was asked for.

    Raises:
        UsageError: When ``--until`` can't be read, or ``--rounds`` leaves it too few rounds.
    """
    from edgesr.bench.suite import LEAST_ROUNDS, MOST_ROUNDS

    until = suite.until_pct if options.until is None else _percent(options.until)
    rounds = suite.rounds if options.rounds is None else options.rounds
    if options.until is not None and options.rounds is None:
        rounds = max(MOST_ROUNDS, rounds)
    if until is not None and rounds < LEAST_ROUNDS:
        raise UsageError(
            f"--rounds {rounds} is the most that --until may take, and it needs {LEAST_ROUNDS}",
            hint=f"leave --rounds out: up to {MOST_ROUNDS} are measured, as many as are needed",
        )
    return suite.model_copy(update={"rounds": rounds, "until_pct": until})


def split_list(text: str, option: str) -> list[str]:
    """The names of a comma-separated list.

    Raises:
        UsageError: When there is none.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise UsageError(f"{option} names nothing")
    return names


def _percent(text: str) -> float:
    """Of ``3%`` or ``3``, in per cent."""
    number = text.strip().removesuffix("%").strip()
    try:
        percent = float(number)
    except ValueError as error:
        raise UsageError(f"--until {text!r} is no percentage", hint="as 3%") from error
    if not 0.1 <= percent <= 50:
        raise UsageError(f"--until {text!r}: from 0.1% to 50%", hint="as 3%")
    return percent


def _threads(text: str) -> tuple[int, ...]:
    try:
        counts = tuple(dict.fromkeys(int(part) for part in split_list(text, "--threads")))
    except ValueError as error:
        raise UsageError(f"--threads {text!r} is no list of numbers", hint="as 1,2,4") from error
    if not all(1 <= count <= 64 for count in counts):
        raise UsageError(f"--threads {text!r}: from 1 to 64")
    return counts


def _rates(text: str) -> tuple[float, ...]:
    try:
        rates = tuple(dict.fromkeys(float(part) for part in split_list(text, "--fps")))
    except ValueError as error:
        raise UsageError(f"--fps {text!r} is no list of numbers", hint="as 24,30,60") from error
    if not all(1 <= rate <= 1000 for rate in rates):
        raise UsageError(f"--fps {text!r}: from 1 to 1000")
    return rates
