"""Why a launch gave no figures: the kinds of reasons, and how a log tells them."""

from enum import StrEnum
from typing import NamedTuple

from edgesr.bench.benchmark_log import BenchmarkLog, digest
from edgesr.results.records import Status


class Cause(StrEnum):
    """The kind of a reason, for programs."""

    FALLBACK = "fallback"
    """The delegate took nothing (or less than all was refused by flag); the CPU ran the graph."""
    NO_DELEGATE_IN_BUILD = "no_delegate_in_build"
    """The binary was built without it, or its library is not there."""
    UNKNOWN_FLAG = "unknown_flag"
    """The binary ignored a flag that decides what is measured."""
    OPS_REFUSED = "ops_refused"
    """The delegate refused operations and ran nothing."""
    UNPROVEN = "unproven"
    """Nothing says that the delegate ran."""
    NO_OPENCL = "no_opencl"
    """The device has no OpenCL for the GPU delegate, and OpenGL is missing too."""
    DELEGATE_FAILED = "delegate_failed"
    """The delegate was there and could not be applied."""
    OUT_OF_MEMORY = "out_of_memory"
    CRASH = "crash"
    """A signal ended it: SIGSEGV, SIGABRT and the like."""
    TIMEOUT = "timeout"
    INTERRUPTED = "interrupted"
    BAD_MODEL = "bad_model"
    """The file can't be opened, is no model, or a kernel can't run it."""
    BAD_INPUT = "bad_input"
    """The input file or shape does not fit the model."""
    USAGE = "usage"
    """It was called for its help, or with flags that it can't read."""
    NOTHING_MEASURED = "nothing_measured"
    TORN_LOG = "torn_log"
    """The log ends, or has a hole, before the result."""
    CONTRADICTION = "contradiction"
    """The log is damaged: not all it says can be true."""
    NOT_EXECUTABLE = "not_executable"
    NOT_A_LOG = "not_a_log"
    """The text is not benchmark_model's."""
    OTHER = "other"


class Judgement(NamedTuple):
    """Status with reason and cause; both None where it is ``ok``."""

    status: Status
    reason: str | None = None
    cause: Cause | None = None


_ENDINGS = {
    124: "was ended by timeout",
    126: "could not be executed",
    127: "was not found",
    129: "was hung up (SIGHUP)",
    130: "was interrupted",
    131: "was ended (SIGQUIT)",
    132: "crashed (SIGILL: the binary is for another processor)",
    133: "crashed (SIGTRAP)",
    134: "aborted (SIGABRT)",
    135: "crashed (SIGBUS)",
    136: "crashed (SIGFPE)",
    137: "was killed (SIGKILL, often out of memory)",
    139: "crashed (SIGSEGV)",
    143: "was terminated (SIGTERM)",
}
_BY_CODE = {
    124: Cause.TIMEOUT,
    126: Cause.NOT_EXECUTABLE,
    127: Cause.NOT_EXECUTABLE,
    137: Cause.OUT_OF_MEMORY,
    **dict.fromkeys((129, 130, 131, 143), Cause.INTERRUPTED),
    **dict.fromkeys((132, 133, 134, 135, 136, 139), Cause.CRASH),
}
_STATUS: dict[Cause, Status] = {
    Cause.TIMEOUT: "timeout",
    Cause.INTERRUPTED: "aborted",
    Cause.NO_OPENCL: "refused",
    Cause.NO_DELEGATE_IN_BUILD: "refused",
    Cause.OPS_REFUSED: "refused",
    Cause.FALLBACK: "refused",
}
_MESSAGES: tuple[tuple[Cause, tuple[str, ...]], ...] = (
    (
        Cause.NOT_EXECUTABLE,
        ("cannot execute", "can't execute", "Exec format error", "not executable",
         "CANNOT LINK EXECUTABLE", "inaccessible or not found", "Permission denied"),
    ),
    (
        Cause.BAD_INPUT,
        ("input_layer", "input value file", "Inputs mismatch", "more than one delimiter",
         "It should be", "Input tensor #", "Failed to resize"),
    ),
    (
        Cause.USAGE,
        ("Failed to parse flag", "usage: ", "Please specify the name of your",
         "Supported values are", "num_threads should be", "are incompatible", "Could not open ''"),
    ),
    (
        Cause.BAD_MODEL,
        ("Could not open", "not a valid Flatbuffer", "mmap of size 0", "Mmap of",
         "model allocation is null", "Failed to load model", "unresolved custom op",
         "Didn't find op", "was not true.", "Unsupported data type", "Signature"),
    ),
    (
        Cause.OUT_OF_MEMORY,
        ("failed to reshape runtime", "OUT_OF_RESOURCES", "OUT_OF_HOST_MEMORY", "bad_alloc",
         "MEM_OBJECT_ALLOCATION_FAILURE", "failed to prepare", "Failed to allocate"),
    ),
)  # fmt: skip
_DULL = ("Benchmarking failed.", "usage: ", "Flags:", "Following operations are not")


def failure(log: BenchmarkLog, code: int | None) -> Judgement:
    """Judges a launch that did not end well.

    Args:
        log: What it printed.
        code: As a shell reports it, not 0; None where only the log tells that it failed.
    """
    cause = _cause(log, code)
    return Judgement(_STATUS.get(cause, "failed"), _reason(log, code, cause), cause)


def _cause(log: BenchmarkLog, code: int | None) -> Cause:
    if code in _BY_CODE and code != 134:
        return _BY_CODE[code]
    said = [log.fatal, *log.errors] if log.fatal else log.errors
    if cause := _delegate_cause(log, said):
        return cause
    if log.usage:
        return Cause.USAGE
    for known, parts in _MESSAGES:
        # the shell's own words, which carry no level, count only where the program never spoke
        texts = said if log.recognised else log.unknown + said
        if any(part in text for text in texts for part in parts):
            return known
    if code == 134 or log.fatal:
        return Cause.CRASH
    return Cause.OTHER if log.recognised else Cause.NOT_A_LOG


def _delegate_cause(log: BenchmarkLog, said: list[str]) -> Cause | None:
    text = "\n".join(said)
    if "Disallowed CPU fallback" in text:
        unread = {flag.lstrip("-").partition("=")[0] for flag in log.unconsumed}
        if log.unsupported or unread & {"use_gpu", "use_nnapi", "use_hexagon"}:
            return Cause.NO_DELEGATE_IN_BUILD
        return Cause.OPS_REFUSED if log.refused_ops else Cause.FALLBACK
    if "Can not open OpenCL library" in text:
        return Cause.NO_OPENCL
    if log.gpu_accelerator_missing and log.gave_up and not said_more(said):
        return Cause.NO_DELEGATE_IN_BUILD
    failed = ("Failed to apply", "TfLiteGpuDelegate", "Could not find the specified NNAPI")
    return Cause.DELEGATE_FAILED if any(part in text for part in failed) else None


def said_more(errors: list[str]) -> bool:
    """Whether any error says more than that there was one."""
    return any(line.strip() and not line.startswith(_DULL) for line in errors)


def _reason(log: BenchmarkLog, code: int | None, cause: Cause) -> str:
    """One line: what ended it, and the message that says most."""
    if cause is Cause.NOT_A_LOG and code is None:
        return "the file is no log of benchmark_model"
    how = "it failed" if code is None else _ENDINGS.get(code, f"ended with exit code {code}")
    if cause is Cause.NO_OPENCL:
        how = "the device has no OpenCL for the GPU delegate"
        if any("OpenGL" in line for line in log.errors):
            how += ", and OpenGL failed too"
    elif cause is Cause.OUT_OF_MEMORY and code != 137:
        how += " (often out of memory)"
    elif cause is Cause.NO_DELEGATE_IN_BUILD:
        how += ", and this build has no such delegate"
    elif cause is Cause.OPS_REFUSED:
        how += f", refused: {', '.join(sorted(log.refused_ops))}"
    elif cause is Cause.USAGE and log.usage:
        how += ", and printed its usage"
    if log.fatal:
        return f"{how}: {log.fatal}"
    errors = [line for line in log.errors if line.strip() and not line.startswith(_DULL)]
    if not errors and not log.recognised:
        errors = log.unknown[:3]
    return f"{how}: {digest(errors)}" if errors else how
