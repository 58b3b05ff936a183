"""Reads what benchmark_model prints, either family, old and new builds.

`read_log` only collects what the lines say; `edgesr.bench.log_checks` holds it against itself
and `edgesr.bench.outcome` judges it. Every message may carry a prefix ("INFO: ", or logcat's)
and most builds leave some lines out, so nothing is taken for granted but the two ``count=``
lines and the timings line of a finished run.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

from edgesr.bench import log_lines as lines
from edgesr.results.records import Latency, Memory

How = Literal["completely", "partially", "not"]
LATENCY_NAMES = ("avg", "min", "max", "std", "median", "p5", "p95")
TORN = " [line not ended]"
"""Stands at the end of a stream whose last line was cut; such a line holds no whole number."""
_UNKNOWN_KEPT = 20


@dataclass(frozen=True)
class Series:
    """One ``count=`` line; microseconds."""

    count: int
    numbers: dict[str, float]


@dataclass(frozen=True)
class Loop:
    """What a series was announced with; seconds."""

    runs: int
    min_s: float | None
    max_s: float | None


@dataclass(frozen=True)
class Replaced:
    """One "Replacing n out of m node(s)" line."""

    delegate: str
    taken: int
    total: int
    partitions: int


@dataclass
class BenchmarkLog:
    """What one log says; empty or None where it says nothing."""

    recognised: bool = False
    """Whether any line is benchmark_model's."""
    series: list[Series] = field(default_factory=list)
    """Warm-up, then measurement."""
    loops: list[Loop] = field(default_factory=list)
    """As announced before each series."""
    flaws: list[str] = field(default_factory=list)
    """What can't be in one whole log: lines twice, a series without its announcement."""
    init_us: float | None = None
    session_ms: float | None = None
    first_us: float | None = None
    warmup_avg_us: float | None = None
    avg_us: float | None = None
    """From the line that only a finished run prints."""
    finished: bool = False
    memory: dict[str, float] = field(default_factory=dict)
    """``init``, ``overall``, ``peak``, MiB."""
    applied: dict[str, How] = field(default_factory=dict)
    """Delegate label -> how much of the graph it took, for those applied explicitly."""
    kernels: dict[str, int] = field(default_factory=dict)
    """Delegate label -> kernels, for those that took a part of the graph."""
    gpu_kernels: int | None = None
    """As the GPU delegate itself counts them."""
    replaced: list[Replaced] = field(default_factory=list)
    created: set[str] = field(default_factory=set)
    """Labels of the delegates that the runtime made, XNNPACK's silent default too."""
    unsupported: set[str] = field(default_factory=set)
    """Labels of the delegates that this build, or this device, can't do."""
    refused_ops: dict[str, str] = field(default_factory=dict)
    split: tuple[int, int] | None = None
    """Operations on the GPU and left on the CPU."""
    init_kind: Literal["cold", "warm"] | None = None
    """Whether the GPU compiled its kernels or loaded them."""
    gpu_api: str | None = None
    """``OpenCL`` or ``OpenGL``, by which the GPU delegate runs."""
    unconsumed: list[str] = field(default_factory=list)
    parameters: dict[str, str] = field(default_factory=dict)
    """Echoed flags by their label, for example ``Use xnnpack``."""
    litert: dict[str, float] = field(default_factory=dict)
    """The results of LiteRT's tool as it prints them: milliseconds, and runs."""
    errors: list[str] = field(default_factory=list)
    """ERROR lines, which good runs have too."""
    fatal: str | None = None
    gave_up: bool = False
    """Whether the tool itself said that it failed."""
    usage: bool = False
    gpu_accelerator_missing: bool = False
    unknown: list[str] = field(default_factory=list)
    """The first lines that are nobody's: a shell says here why it could not start the program."""

    @property
    def verbose(self) -> bool:
        """Whether flags that nobody set are echoed too, with their defaults."""
        return self.parameters.get("Log parameter values verbosely") == "1"

    def latency(self) -> Latency | None:
        """The measured series as a record holds it, None where the log holds none."""
        if len(self.series) < 2:
            return None
        measured = self.series[1]
        numbers = dict(measured.numbers)
        if self.avg_us is not None:
            numbers.setdefault("avg", self.avg_us)
        before = self.series[0].numbers
        first = self.first_us if self.first_us is not None else before.get("first")
        warmup = self.warmup_avg_us if self.warmup_avg_us is not None else before.get("avg")
        known = {name: numbers.get(name) for name in LATENCY_NAMES}
        return Latency(**known, first=first, warmup_avg=warmup, count=measured.count)

    def memory_mb(self) -> Memory | None:
        """The footprints, None where the log holds none."""
        return Memory(**self.memory) if self.memory else None


def read_log(text: str) -> BenchmarkLog:
    """Collects what a log says.

    Args:
        text: Standard output and standard error, in any order or mixed. A last line without its
            line end was cut, and is not read.
    """
    log = BenchmarkLog()
    reader = _Reader(log)
    # only \n ends a line: a stray control byte must not make two lines out of one
    whole, _, _ = text.rpartition("\n")
    for raw in whole.split("\n"):
        reader.line(raw)
    if reader.series_due:
        log.flaws.append("a series is announced and missing")
    return log


class _Reader:
    """Feeds one line after the other into a `BenchmarkLog`."""

    def __init__(self, log: BenchmarkLog) -> None:
        self.log = log
        self.series_due = False
        self.in_refusals = False
        self.seen: set[str] = set()
        self.handlers: tuple[tuple[str, Callable[[str], bool]], ...] = (
            ("count=", self._series),
            ("Running benchmark ", self._announced),
            ("Inference timings", self._timings),
            ("Initialized session", self._session),
            ("Memory footprint delta", self._memory),
            ("Overall peak", self._memory),
            ("Explicitly applied", self._applied),
            ("Though ", self._applied),
            ("Replacing ", self._replacing),
            ("Created ", self._created),
            ("Initialized ", self._initialised),
            ("Found serialized", self._initialised),
            ("Unconsumed ", self._unconsumed),
        )

    def line(self, raw: str) -> None:
        text, level, prefixed = _without_prefix(raw.strip("\r"))
        log = self.log
        if level == "FATAL":
            log.fatal = log.fatal or text
        elif level == "ERROR":
            log.errors.append(text)
        if self._refusals(text, prefixed=prefixed):
            return
        if found := lines.LITERT_LINE.match(text):
            log.recognised = True
            self._litert(found["text"])
            return
        for start, handler in self.handlers:
            if text.startswith(start) and handler(text):
                log.recognised = True
                return
        if self._setup(text):
            log.recognised = True
        elif text.strip() and len(log.unknown) < _UNKNOWN_KEPT:
            log.unknown.append(text[:300])

    def _once(self, name: str) -> None:
        """Notes a line that one run prints once."""
        if name in self.seen:
            self.log.flaws.append(f"{name!r} stands there twice")
        self.seen.add(name)

    def _announced(self, text: str) -> bool:
        if self.series_due:
            self.log.flaws.append("a series is announced and missing")
        self.series_due = True
        found = lines.RUNNING.match(text)
        if found:
            limits = (float(found[name]) if found[name] else None for name in ("min", "max"))
            self.log.loops.append(Loop(int(found["runs"]), *limits))
        else:
            self.log.flaws.append("an announcement of a series is damaged")
        return True

    def _series(self, text: str) -> bool:
        if not self.series_due:
            self.log.flaws.append("a series stands there without its announcement")
            return True
        self.series_due = False
        found = lines.COUNT.match(text)
        series = _series(found) if found else None
        if series is None:
            self.log.flaws.append("a series is damaged")
        else:
            self.log.series.append(series)
        return True

    def _timings(self, text: str) -> bool:
        self._once("Inference timings")
        found = lines.TIMINGS.match(text)
        if found:
            self.log.finished = True
            self.log.init_us = float(found["init"])
            self.log.first_us = float(found["first"])
            self.log.warmup_avg_us = float(found["warmup"])
            self.log.avg_us = float(found["avg"])
        return True

    def _session(self, text: str) -> bool:
        self._once("Initialized session")
        found = lines.SESSION.match(text)
        if found:
            self.log.session_ms = float(found["ms"])
            if self.log.init_us is None:
                self.log.init_us = round(self.log.session_ms * 1000, 3)
        return True

    def _memory(self, text: str) -> bool:
        self._once(text[:14])
        found = lines.FOOTPRINT.match(text) or lines.PEAK.match(text)
        if found:
            self.log.memory.update({k: float(v) for k, v in found.groupdict().items()})
        return True

    def _applied(self, text: str) -> bool:
        if found := lines.APPLIED.match(text):
            label = found["label"]
            self.log.applied[label] = "completely" if found["how"] == "completely" else "partially"
            if found["kernels"]:
                self.log.kernels[label] = int(found["kernels"])
        elif found := lines.NOT_APPLIED.match(text):
            label = found["label"]
            self.log.applied[label] = "not"
        else:
            return False
        self._once(f"{label} delegate is applied")
        return True

    def _replacing(self, text: str) -> bool:
        found = lines.REPLACING.match(text)
        if found:
            numbers = (int(found[name]) for name in ("taken", "total", "partitions"))
            self.log.replaced.append(Replaced(found["name"], *numbers))
        return bool(found)

    def _created(self, text: str) -> bool:
        if found := lines.CREATED.match(text):
            self.log.created.add(found["a"] or found["b"])
        elif found := lines.GPU_KERNELS.match(text):
            self._once("Created GPU delegate kernels")
            self.log.gpu_kernels = int(found["kernels"])
        else:
            return False
        return True

    def _initialised(self, text: str) -> bool:
        log = self.log
        if found := lines.GPU_API.match(text):
            log.gpu_api = found["api"]
            log.init_kind = "warm" if found["stored"] else log.init_kind or "cold"
            return True
        if text.startswith("Found serialized data for model"):
            log.init_kind = "warm"
            return True
        return False

    def _unconsumed(self, text: str) -> bool:
        found = lines.UNCONSUMED.match(text)
        if found:
            self.log.unconsumed += found["flags"].split()
        return bool(found)

    def _setup(self, text: str) -> bool:
        log = self.log
        if found := lines.PARAMETER.match(text):
            if found["name"] in lines.SAID_ONCE:
                self._once(found["name"])
            log.parameters.setdefault(found["name"], found["value"])
        elif found := lines.UNSUPPORTED.match(text):
            log.unsupported.add(found["label"] or found["library"])
        elif found := lines.ONCE.match(text):
            self._once(found[0])
        elif text.startswith("Benchmarking failed."):
            log.gave_up = True
        elif lines.USAGE.match(text):
            log.usage = True
        else:
            return False
        return True

    def _refusals(self, text: str, *, prefixed: bool) -> bool:
        """The list of refused operations: one message, so only its first line has a prefix."""
        if lines.REFUSED_HEAD.match(text):
            self._once("Following operations are not supported")
            self.in_refusals = True
            return True
        if not self.in_refusals:
            return False
        if found := lines.SPLIT.match(text):
            self.log.split = (int(found["taken"] or 0), int(found["left"]))
            self.in_refusals = False
            return True
        if not prefixed and (found := lines.REFUSED_OP.match(text)):
            self.log.refused_ops[found["op"]] = found["why"]
            return True
        self.in_refusals = not prefixed
        return False

    def _litert(self, text: str) -> None:
        if found := lines.LITERT_RESULT.match(text):
            self._once(f"LiteRT's {found['what']}")
            self.log.litert[found["what"]] = float(found["ms"])
            if found["runs"]:
                self.log.litert[f"{found['what']} runs"] = int(found["runs"])
            self.log.finished |= found["what"] == "Inference (avg)"
        elif found := lines.LITERT_MEMORY.match(text):
            name = found["what"].split()[0].lower()
            self._once(f"LiteRT's {name}")
            self.log.memory[name] = float(found["mb"])
        elif "GPU accelerator could not be loaded" in text:
            self.log.gpu_accelerator_missing = True


def _without_prefix(raw: str) -> tuple[str, str | None, bool]:
    """Text, level and whether the text itself carried a prefix; logcat knows the level too."""
    level = None
    logcat = lines.LOGCAT.match(raw)
    if logcat:
        raw = raw[logcat.end() :]
        level = {"E": "ERROR", "F": "FATAL"}.get(logcat["level"])
    prefix = lines.PREFIX.match(raw)
    if prefix:
        return raw[prefix.end() :], prefix[1], True
    return raw, level, False


def _series(found: re.Match[str]) -> Series | None:
    """The numbers of a ``count=`` line; the short forms imply the ones they leave out."""
    names = ("first", "curr", "min", "max", "avg", "std", "p5", "median", "p95")
    numbers = {name: float(found[name]) for name in names if found[name] is not None}
    count = int(found["count"])
    if count == 0 or "min" in numbers:
        whole = {"first", "curr"} <= numbers.keys() and count > 1
        return Series(count, numbers) if whole or count == 0 else None
    only = numbers.get("curr")
    if only is None or (count == 1) == bool(found["same"]):
        return None
    implied = ("first", "min", "max", "avg", "p5", "median", "p95")
    return Series(count, {**dict.fromkeys(implied, only), "std": 0.0, **numbers})


def join_streams(*streams: str) -> str:
    """Streams one after the other, each beginning on a line of its own.

    A stream that ends in mid line was cut there, and is marked.
    """
    return "".join(s if s.endswith("\n") or not s else f"{s}{TORN}\n" for s in streams)


def digest(messages: Iterable[str]) -> str:
    """Error messages as one line: the first, which names the cause, and the last two."""
    kept = list(dict.fromkeys(line.strip() for line in messages if line.strip()))
    return "; ".join(kept if len(kept) <= 3 else [kept[0], *kept[-2:]])
