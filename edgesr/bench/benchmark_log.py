"""Reads what benchmark_model prints, either family, old and new builds.

`read_log` only collects what the lines say; `edgesr.bench.outcome` judges it. Every message
may carry a prefix ("INFO: ", or logcat's) and most builds leave some lines out, so nothing is
taken for granted but the two ``count=`` lines and the timings line of a finished run.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from edgesr.results.records import Latency, Memory

_LOGCAT = re.compile(r"^\d\d-\d\d \d\d:\d\d:\d\d\.\d+\s+\d+\s+\d+\s+[VDIWEF]\s+\S+\s*: ?")
_PREFIX = re.compile(r"^(VERBOSE|INFO|WARN|WARNING|ERROR|FATAL): ?")
_NUMBER = r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?"
_COUNT = re.compile(
    r"^count=(?P<count>\d+)(?: first=(?P<first>\d+))?"
    r"(?: curr=(?P<curr>\d+)(?P<same>\(all same\))?)?"
    rf"(?: min=(?P<min>\d+) max=(?P<max>\d+) avg=(?P<avg>{_NUMBER}) std=(?P<std>\d+))?"
    r"(?: p5=(?P<p5>\d+) median=(?P<median>\d+) p95=(?P<p95>\d+))?\s*$"
)
_TIMINGS = re.compile(
    r"^Inference timings in us: Init: (?P<init>\d+), First inference: (?P<first>\d+), "
    rf"Warmup \(avg\): (?P<warmup>{_NUMBER}), Inference \(avg\): (?P<avg>{_NUMBER})\s*$"
)
_SESSION = re.compile(rf"^Initialized session in (?P<ms>{_NUMBER})ms\.\s*$")
_FOOTPRINT = re.compile(
    rf"^Memory footprint delta from the start of the tool \(MB\): "
    rf"init=(?P<init>{_NUMBER}) overall=(?P<overall>{_NUMBER})\s*$"
)
_PEAK = re.compile(
    rf"^Overall peak memory footprint \(MB\) via periodic monitoring: (?P<peak>{_NUMBER})\s*$"
)
_APPLIED = re.compile(
    r"^Explicitly applied (?P<label>.+?) delegate, and the model graph will be "
    r"(?P<how>completely|partially) executed by the delegate"
    r"(?: w/ \d+ delegate kernels)?\.\s*$"
)
_NOT_APPLIED = re.compile(
    r"^Though (?P<label>.+?) delegate is explicitly applied, the model graph will not be "
    r"executed by the delegate\.\s*$"
)
_REPLACING = re.compile(
    r"^Replacing (?P<taken>\d+) out of (?P<total>\d+) node\(s\) with delegate \((?P<name>[^)]*)\) "
    r"node, yielding (?P<partitions>\d+) partitions"
)
_CREATED = re.compile(
    r"^Created TensorFlow Lite (?:(?P<a>\S+) delegate for CPU|delegate for (?P<b>\S+))\."
)
_UNSUPPORTED = re.compile(r"^(?P<label>GPU|NNAPI|Hexagon) acceleration is unsupported on this")
_REFUSED_HEAD = re.compile(r"^Following operations are not supported by (?P<label>\w+) delegate:")
_REFUSED_OP = re.compile(r"^(?P<op>[A-Z][A-Z0-9_]*(?: \S+)?): (?P<why>.+)$")
_SPLIT = re.compile(
    r"^(?:No|(?P<taken>\d+)) operations? will run on the GPU, "
    r"and (?:all|the remaining) (?P<left>\d+) operations? will run on the CPU"
)
_UNCONSUMED = re.compile(r"^Unconsumed cmdline flags: (?P<flags>.*)$")
_PARAMETER = re.compile(r"^(?P<name>Use (?:xnnpack|gpu|NNAPI)): \[(?P<value>[^\]]*)\]\s*$")
_LITERT_LINE = re.compile(r"^\[[\w.]+:\d+\] ?(?P<text>.*)$")
_LITERT_AVG = re.compile(rf"^Inference \(avg\):\s+(?P<ms>{_NUMBER}) ms")
_LITERT_MEMORY = re.compile(
    rf"^(?P<what>Init footprint|Overall footprint|Peak memory):\s+(?P<mb>{_NUMBER}) MB"
)

How = Literal["completely", "partially", "not"]


@dataclass(frozen=True)
class Series:
    """One ``count=`` line; microseconds."""

    count: int
    numbers: dict[str, float]


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

    series: list[Series] = field(default_factory=list)
    """Warm-up, then measurement."""
    init_us: float | None = None
    first_us: float | None = None
    warmup_avg_us: float | None = None
    avg_us: float | None = None
    """From the line that only a finished run prints."""
    finished: bool = False
    memory: dict[str, float] = field(default_factory=dict)
    """``init``, ``overall``, ``peak``, MiB."""
    applied: dict[str, How] = field(default_factory=dict)
    """Delegate label -> how much of the graph it took, for those applied explicitly."""
    replaced: list[Replaced] = field(default_factory=list)
    created: set[str] = field(default_factory=set)
    """Labels of the delegates that the runtime made, XNNPACK's silent default too."""
    unsupported: set[str] = field(default_factory=set)
    """Labels of the delegates this build can't do."""
    refused_ops: dict[str, str] = field(default_factory=dict)
    split: tuple[int, int] | None = None
    """Operations on the GPU and left on the CPU."""
    unconsumed: list[str] = field(default_factory=list)
    parameters: dict[str, str] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    """ERROR lines, which good runs have too."""
    fatal: str | None = None
    gpu_accelerator_missing: bool = False

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
        known = {name: numbers.get(name) for name in _LATENCY_NAMES}
        return Latency(**known, first=first, warmup_avg=warmup, count=measured.count)

    def memory_mb(self) -> Memory | None:
        """The footprints, None where the log holds none."""
        return Memory(**self.memory) if self.memory else None


_LATENCY_NAMES = ("avg", "min", "max", "std", "median", "p5", "p95")


def read_log(text: str) -> BenchmarkLog:
    """Collects what a log says.

    Args:
        text: Standard output and standard error, in any order or mixed.
    """
    log = BenchmarkLog()
    reader = _Reader(log)
    for raw in text.splitlines():
        reader.line(raw)
    return log


class _Reader:
    """Feeds one line after the other into a `BenchmarkLog`."""

    def __init__(self, log: BenchmarkLog) -> None:
        self.log = log
        self.series_due = False
        self.in_refusals = False

    def line(self, raw: str) -> None:
        text = _LOGCAT.sub("", raw.strip("\r\n"))
        prefix = _PREFIX.match(text)
        level = prefix[1] if prefix else None
        text = text[prefix.end() :] if prefix else text
        if level == "FATAL":
            self.log.fatal = text
        elif level == "ERROR":
            self.log.errors.append(text)
        self._refusals(text, level)
        found = _LITERT_LINE.match(text)
        if found:
            self._litert(found["text"])
            return
        for handler in (self._series, self._timings, self._memory, self._delegates, self._setup):
            if handler(text):
                return

    def _series(self, text: str) -> bool:
        if text.startswith("Running benchmark for at least "):
            self.series_due = True
            return True
        found = _COUNT.match(text) if self.series_due else None
        if not found:
            return False
        self.series_due = False
        self.log.series.append(_series(found))
        return True

    def _timings(self, text: str) -> bool:
        found = _TIMINGS.match(text)
        if found:
            self.log.finished = True
            self.log.init_us = float(found["init"])
            self.log.first_us = float(found["first"])
            self.log.warmup_avg_us = float(found["warmup"])
            self.log.avg_us = float(found["avg"])
            return True
        found = _SESSION.match(text)
        if found and self.log.init_us is None:
            self.log.init_us = round(float(found["ms"]) * 1000, 3)
        return bool(found)

    def _memory(self, text: str) -> bool:
        found = _FOOTPRINT.match(text) or _PEAK.match(text)
        if found:
            self.log.memory.update({k: float(v) for k, v in found.groupdict().items()})
        return bool(found)

    def _delegates(self, text: str) -> bool:
        log = self.log
        if found := _APPLIED.match(text):
            log.applied[found["label"]] = (
                "completely" if found["how"] == "completely" else "partially"
            )
        elif found := _NOT_APPLIED.match(text):
            log.applied[found["label"]] = "not"
        elif found := _REPLACING.match(text):
            numbers = (int(found[name]) for name in ("taken", "total", "partitions"))
            log.replaced.append(Replaced(found["name"], *numbers))
        elif found := _CREATED.match(text):
            log.created.add(found["a"] or found["b"])
        elif found := _UNSUPPORTED.match(text):
            log.unsupported.add(found["label"])
        else:
            return False
        return True

    def _setup(self, text: str) -> bool:
        if found := _UNCONSUMED.match(text):
            self.log.unconsumed += found["flags"].split()
        elif found := _PARAMETER.match(text):
            self.log.parameters[found["name"]] = found["value"]
        else:
            return False
        return True

    def _refusals(self, text: str, level: str | None) -> None:
        """The list of refused operations: its lines carry no prefix."""
        if _REFUSED_HEAD.match(text):
            self.in_refusals = True
            return
        if not self.in_refusals:
            return
        if found := _SPLIT.match(text):
            self.log.split = (int(found["taken"] or 0), int(found["left"]))
            self.in_refusals = False
        elif level is None and (found := _REFUSED_OP.match(text)):
            self.log.refused_ops[found["op"]] = found["why"]
        elif level is not None:
            self.in_refusals = False

    def _litert(self, text: str) -> None:
        if found := _LITERT_AVG.match(text):
            self.log.finished = True
        elif found := _LITERT_MEMORY.match(text):
            name = found["what"].split()[0].lower()
            self.log.memory[name] = float(found["mb"])
        elif "GPU accelerator could not be loaded" in text:
            self.log.gpu_accelerator_missing = True


def _series(found: re.Match[str]) -> Series:
    """The numbers of a ``count=`` line; the short forms imply the ones they leave out."""
    names = ("first", "curr", "min", "max", "avg", "std", "p5", "median", "p95")
    numbers = {name: float(found[name]) for name in names if found[name] is not None}
    count = int(found["count"])
    if count and "min" not in numbers and (count == 1 or found["same"]):
        only = numbers.get("curr")
        if only is not None:
            implied = ("first", "min", "max", "avg", "p5", "median", "p95")
            numbers = {**dict.fromkeys(implied, only), "std": 0.0, **numbers}
    return Series(count, numbers)


def join_streams(*streams: str) -> str:
    """Streams one after the other, each beginning on a line of its own."""
    return "".join(s if s.endswith("\n") or not s else s + "\n" for s in streams)


def digest(lines: Iterable[str]) -> str:
    """Error messages as one line: the first, which names the cause, and the last two."""
    kept = list(dict.fromkeys(line.strip() for line in lines if line.strip()))
    return "; ".join(kept if len(kept) <= 3 else [kept[0], *kept[-2:]])
