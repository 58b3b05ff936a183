"""The lines of benchmark_model that mean something, as patterns, without their prefixes.

Digits are ASCII, and no number has so many that it could not be one.
"""

import re

_NUMBER = r"[-+]?[0-9]{1,18}(?:\.[0-9]{1,18})?(?:[eE][-+]?[0-9]{1,2})?"
_WHOLE = r"[0-9]{1,15}"


def _line(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.ASCII)


LOGCAT = _line(
    r"^(?:[0-9]{4}-)?[0-9]{2}-[0-9]{2} [0-9:.]{12,15}\s+[0-9]+\s+[0-9]+\s+"
    r"(?P<level>[VDIWEF])\s+\S+\s*: ?"
)
PREFIX = _line(r"^(VERBOSE|INFO|WARN|WARNING|ERROR|FATAL): ?")
COUNT = _line(
    rf"^count=(?P<count>{_WHOLE})(?: first=(?P<first>{_WHOLE}))?"
    rf"(?: curr=(?P<curr>{_WHOLE})(?P<same>\(all same\))?)?"
    rf"(?: min=(?P<min>{_WHOLE}) max=(?P<max>{_WHOLE}) avg=(?P<avg>{_NUMBER})"
    rf" std=(?P<std>{_WHOLE}))?"
    rf"(?: p5=(?P<p5>{_WHOLE}) median=(?P<median>{_WHOLE}) p95=(?P<p95>{_WHOLE}))?\s*$"
)
RUNNING = _line(
    rf"^Running benchmark for at least (?P<runs>{_WHOLE}) iterations"
    rf"(?: and at least (?P<min>{_NUMBER}) seconds)?"
    rf"(?: but terminate if exceeding (?P<max>{_NUMBER}) seconds)?\.?\s*$"
)
TIMINGS = _line(
    rf"^Inference timings in us: Init: (?P<init>{_WHOLE}), First inference: (?P<first>{_WHOLE}), "
    rf"Warmup \(avg\): (?P<warmup>{_NUMBER}), Inference \(avg\): (?P<avg>{_NUMBER})\s*$"
)
SESSION = _line(rf"^Initialized session in (?P<ms>{_NUMBER})ms\.\s*$")
FOOTPRINT = _line(
    rf"^Memory footprint delta from the start of the tool \(MB\): "
    rf"init=(?P<init>{_NUMBER}) overall=(?P<overall>{_NUMBER})\s*$"
)
PEAK = _line(
    rf"^Overall peak memory footprint \(MB\) via periodic monitoring: (?P<peak>{_NUMBER})\s*$"
)
APPLIED = _line(
    r"^Explicitly applied (?P<label>[A-Z_]+) delegate, and the model graph will be "
    r"(?P<how>completely|partially) executed by the delegate"
    rf"(?: w/ (?P<kernels>{_WHOLE}) delegate kernels)?\.\s*$"
)
NOT_APPLIED = _line(
    r"^Though (?P<label>[A-Z_]+) delegate is explicitly applied, the model graph will not be "
    r"executed by the delegate\.\s*$"
)
REPLACING = _line(
    rf"^Replacing (?P<taken>{_WHOLE}) out of (?P<total>{_WHOLE}) node\(s\) with delegate "
    rf"\((?P<name>[^)]*)\) node, yielding (?P<partitions>{_WHOLE}) partitions\b"
)
CREATED = _line(
    r"^Created TensorFlow Lite (?:(?P<a>\S+) delegate for CPU|delegate for (?P<b>\w+))\."
)
GPU_KERNELS = _line(rf"^Created (?P<kernels>{_WHOLE}) GPU delegate kernels\.")
GPU_API = _line(
    r"^Initialized (?P<api>OpenCL|OpenGL|WebGPU|Metal)-based API"
    r"(?P<stored> from serialized data)?\."
)
UNSUPPORTED = _line(
    r"^(?:(?P<label>GPU|NNAPI|Hexagon) acceleration is unsupported on this"
    r"|Couldn't load (?P<library>NNAPI) support library)"
)
REFUSED_HEAD = _line(r"^Following operations are not supported by \w+ delegate:")
REFUSED_OP = _line(r"^(?P<op>[A-Z][A-Z0-9_]*(?: \S+)?): (?P<why>.+)$")
SPLIT = _line(
    rf"^(?:No|(?P<taken>{_WHOLE})) operations? will run on the GPU, "
    rf"and (?:all|the remaining) (?P<left>{_WHOLE}) operations? will run on the CPU"
)
UNCONSUMED = _line(r"^Unconsumed cmdline flags: (?P<flags>.*)$")
PARAMETER = _line(r"^(?P<name>[#A-Za-z][\w #./()-]{2,70}): \[(?P<value>[^\]]*)\]\s*$")
ONCE = _line(
    r"^(?:STARTING!|Loaded model |The input model file size|Going to apply|Saving benchmark result)"
)
USAGE = _line(r"^(?:usage: \S|.*Warning: SetProgramUsageMessage|No flags matched\.)")
LITERT_LINE = _line(r"^\[[\w.]+:[0-9]+\] ?(?P<text>.*)$")
LITERT_RESULT = _line(
    r"^(?P<what>Model initialization|Warmup \((?:first|avg)\)|Inference \((?:avg|min|max|std)\)):"
    rf"\s+(?P<ms>{_NUMBER})(?: ms)?(?: \((?P<runs>{_WHOLE}) runs\))?\s*$"
)
LITERT_MEMORY = _line(
    rf"^(?P<what>Init footprint|Overall footprint|Peak memory):\s+(?P<mb>{_NUMBER}) MB\s*$"
)

SAID_ONCE = frozenset(
    {
        "Log parameter values verbosely", "Graph", "Signature to run",
        "Min num runs", "Min runs duration (seconds)", "Max runs duration (seconds)",
        "Min warmup runs", "Min warmup runs duration (seconds)",
        "Num threads", "#threads used for CPU inference", "Use xnnpack", "Use gpu", "Use NNAPI",
    }
)  # fmt: skip
"""Labels of echoed flags; other lines of that form, of interpreter dumps, may come twice."""
