"""Where the graph really ran, and whether that is where it was asked to."""

from collections.abc import Iterable, Sequence
from typing import Any

from edgesr.bench.benchmark_log import BenchmarkLog, Replaced
from edgesr.bench.causes import Cause, Judgement
from edgesr.bench.delegates import Delegate, find_delegate
from edgesr.errors import UsageError
from edgesr.results.records import Verdict

DEFAULT = "default"
"""Requested delegate of a log recorded without any delegate flag: the runtime's own choice."""
_ASKING = {
    "use_gpu": "gpu",
    "use_nnapi": "nnapi",
    "use_npu": "npu",
    "use_hexagon": "hexagon",
    "external_delegate_path": "external",
    "use_xnnpack": "xnnpack",
}
"""Flag -> delegate; an accelerator counts before XNNPACK, which is often given beside it."""
_DECISIVE = set(_ASKING) | {
    "use_cpu", "gpu_precision_loss_allowed", "gpu_backend", "gpu-precision", "num_threads",
}  # fmt: skip
_OFF = {"false", "0"}


def entry_of(requested: str) -> Delegate | None:
    """The delegate of that name; None for those that only recorded logs know."""
    try:
        return find_delegate(requested)
    except UsageError:
        return None


def asked_for(argv: Sequence[str]) -> str | None:
    """The delegate that a command asks for; None without a command.

    A flag in a form that the tool ignores counts too: it tells what was wanted.
    """
    if not argv:
        return None
    flags: dict[str, str] = {}
    for argument in argv[1:]:
        if argument.startswith("-"):
            name, _, value = argument.lstrip("-").partition("=")
            flags.setdefault(name, value)
    return _first_wanted(flags)


def requested_delegate(log: BenchmarkLog) -> str:
    """The delegate that a recorded command asked for, as far as its log tells.

    A flag that the binary did not consume was asked for too.
    """
    flags: dict[str, str] = {}
    for label, name in (("Use gpu", "use_gpu"), ("Use NNAPI", "use_nnapi")):
        if label in log.parameters:
            flags[name] = log.parameters[label]
    if log.gpu_accelerator_missing:
        flags["use_gpu"] = "1"
    for label in log.unsupported:
        flags[f"use_{label.lower()}"] = "1"
    if library := log.parameters.get("External delegate path"):
        flags["external_delegate_path"] = library
    xnnpack = log.parameters.get("Use xnnpack")
    if xnnpack is not None and not (log.verbose and xnnpack == "0"):
        flags["use_xnnpack"] = xnnpack  # unset it is echoed as 0, and means something else
    for flag in log.unconsumed:
        name, _, value = flag.lstrip("-").partition("=")
        flags.setdefault(name, value)
    return _first_wanted(flags)


def _first_wanted(flags: dict[str, str]) -> str:
    for flag, delegate in _ASKING.items():
        if flag in flags and flags[flag] not in _OFF:
            return delegate
    return "cpu" if flags.get("use_xnnpack") in _OFF else DEFAULT


def verdict_of(log: BenchmarkLog, requested: str) -> Verdict:
    """Where the graph really ran, from the lines about delegates."""
    entry = entry_of(requested)
    label = entry.label if entry else requested.upper()
    if requested == DEFAULT or (entry and label is None):
        return _plain_verdict(log, requested)
    how = log.applied.get(label or "")
    replaced = _replaced(log.replaced, entry.nodes if entry else ())
    nodes: dict[str, Any] = {}
    if replaced:
        nodes = _nodes(replaced)
    elif log.split and label == "GPU":
        # "will run on the GPU" is said before the largest-partition rule: only the total holds
        nodes = {"nodes_total": sum(log.split)}
    if how == "not" or _was_ignored(log, entry, requested):
        return Verdict(requested=requested, outcome="fallback", **nodes)
    if how == "completely" or (replaced and replaced.taken == replaced.total):
        return Verdict(requested=requested, outcome="full", **nodes)
    if how == "partially" or (replaced and replaced.taken):
        return Verdict(requested=requested, outcome="partial", **nodes)
    if label == "GPU" and log.gpu_accelerator_missing:
        return Verdict(requested=requested, outcome="fallback")
    return Verdict(requested=requested, outcome="unknown", **nodes)


def _plain_verdict(log: BenchmarkLog, requested: str) -> Verdict:
    """Without an explicit delegate XNNPACK may still have been applied, silently."""
    if requested != DEFAULT:
        # the classic tool echoes every flag that it read; LiteRT's has no plain kernels
        off = log.parameters.get("Use xnnpack", "" if "Graph" in log.parameters else "0") == "0"
        if log.created or log.litert or not off or "use_xnnpack" in _unread(log):
            return Verdict(requested=requested, outcome="fallback")
        return Verdict(requested=requested, outcome="full" if log.finished else "unknown")
    replaced = _replaced(log.replaced, _nodes_of("xnnpack"))
    if replaced is None:
        return Verdict(requested=requested, outcome="unknown")
    outcome = "full" if replaced.taken == replaced.total else "partial"
    return Verdict.model_validate({"requested": requested, "outcome": outcome, **_nodes(replaced)})


def _nodes_of(name: str) -> tuple[str, ...]:
    return find_delegate(name).nodes


def _nodes(line: Replaced) -> dict[str, Any]:
    return {
        "nodes_total": line.total,
        "nodes_delegated": line.taken,
        "partitions": line.partitions,
    }


def _replaced(lines: Iterable[Replaced], names: tuple[str, ...]) -> Replaced | None:
    return next((line for line in lines if line.delegate in names), None)


def _unread(log: BenchmarkLog) -> set[str]:
    """Names of the flags that the binary did not consume."""
    return {flag.lstrip("-").partition("=")[0] for flag in log.unconsumed}


def _flag(entry: Delegate | None, requested: str) -> str:
    """The flag that asks for it; the plain kernels are asked for by switching XNNPACK off."""
    if entry is None:
        return f"use_{requested}"
    return "use_xnnpack" if entry.label is None else f"use_{entry.base}"


def _was_ignored(log: BenchmarkLog, entry: Delegate | None, requested: str) -> bool:
    """Whether the flag that asks for the delegate did nothing."""
    label = entry.label if entry else requested
    return _flag(entry, requested) in _unread(log) or label in log.unsupported


def refusal(log: BenchmarkLog, verdict: Verdict, entry: Delegate | None) -> Judgement:
    """Judges a sound measurement: a number is never given under another delegate's label."""
    requested = verdict.requested
    if verdict.outcome == "fallback":
        return _fallback(log, requested, entry)
    needs_proof = entry.needs_proof if entry else requested != DEFAULT
    if verdict.outcome == "unknown" and needs_proof:
        why = f"nothing in the log says that {requested} ran the graph"
        return Judgement("refused", why, Cause.UNPROVEN)
    backend = {"cl": "OpenCL", "gl": "OpenGL"}.get(requested.partition("-")[2].split("-")[0])
    if backend and log.gpu_api and log.gpu_api != backend:
        why = f"{requested} was asked for, and the GPU ran it by {log.gpu_api}"
        return Judgement("refused", why, Cause.FALLBACK)
    lost = [f for f in log.unconsumed if f.lstrip("-").partition("=")[0] in _DECISIVE]
    if lost:
        why = f"the binary ignored {' '.join(lost)}"
        return Judgement("refused", why, Cause.UNKNOWN_FLAG)
    return Judgement("ok")


def _fallback(log: BenchmarkLog, requested: str, entry: Delegate | None) -> Judgement:
    flag = _flag(entry, requested)
    if flag in _unread(log):
        whole = any(f.startswith(f"--{flag}") for f in log.unconsumed)
        missing = whole and flag != "use_xnnpack"
        form = "" if whole else " in this form"
        why = f"the binary doesn't know --{flag}{form}; the CPU ran the graph"
        cause = Cause.NO_DELEGATE_IN_BUILD if missing else Cause.UNKNOWN_FLAG
        return Judgement("refused", why, cause)
    if entry and entry.label is None:
        why = "plain kernels were asked for, XNNPACK ran"
        return Judgement("refused", why, Cause.FALLBACK)
    label = entry.label if entry else requested
    if label in log.unsupported:
        why = f"this build or device has no {requested}; the CPU ran the graph"
        return Judgement("refused", why, Cause.NO_DELEGATE_IN_BUILD)
    if log.refused_ops:
        ops = ", ".join(sorted(log.refused_ops))
        why = f"{requested} took no part of the graph (refused: {ops}); the CPU ran it"
        return Judgement("refused", why, Cause.OPS_REFUSED)
    if log.gpu_accelerator_missing:
        why = f"{requested} took no part of the graph: LiteRT's GPU library could not be loaded"
        return Judgement("refused", why, Cause.NO_DELEGATE_IN_BUILD)
    why = f"{requested} took no part of the graph; the CPU ran it"
    return Judgement("refused", why, Cause.FALLBACK)
