"""The command line of one launch: one builder for the official tool and for ours."""

from dataclasses import dataclass

from edgesr.bench.delegates import Family, find_delegate
from edgesr.bench.engine import Tool
from edgesr.bench.suite import Suite


@dataclass(frozen=True)
class Loop:
    """How often to run the model in one launch; times in seconds."""

    num_runs: int
    min_secs: float
    max_secs: float
    warmup_runs: int
    warmup_min_secs: float
    fps: float | None = None
    """Frames due per second; None leaves no pause. A loop that is late catches up."""


ONCE = Loop(num_runs=1, min_secs=0, max_secs=600, warmup_runs=0, warmup_min_secs=0)
"""One inference, nothing else: for pixels, and for memory where its peak needs no sampling."""
A_SECOND = Loop(num_runs=2, min_secs=1, max_secs=600, warmup_runs=0, warmup_min_secs=0)
"""Long enough to sample the memory and to profile operations."""


def suite_loop(suite: Suite, fps: float | None = None) -> Loop:
    """The suite's loop for a timed launch.

    Args:
        suite: The suite.
        fps: Of a paced job. Its loop ends with the last frame that is due, or after the segment's
            time: then fewer frames than due were done.
    """
    if fps is not None and suite.pace is not None:
        seconds = suite.pace.seconds
        return Loop(
            num_runs=max(1, round(fps * seconds)),
            min_secs=0,
            max_secs=seconds,
            warmup_runs=suite.warmup_runs,
            warmup_min_secs=suite.warmup_min_secs,
            fps=fps,
        )
    return Loop(
        num_runs=suite.num_runs,
        min_secs=suite.min_secs,
        max_secs=suite.max_secs,
        warmup_runs=suite.warmup_runs,
        warmup_min_secs=suite.warmup_min_secs,
    )


@dataclass(frozen=True)
class Pixels:
    """Raw files that a launch reads and writes instead of random values."""

    input_file: str
    """Raw bytes of the input tensor, path on the device, without a colon."""
    input_shape: tuple[int, ...]
    output_file: str
    """Gets the raw bytes of all output tensors."""


@dataclass(frozen=True)
class Launch:
    """One launch of the tool; paths are the device's."""

    graph: str
    delegate: str
    threads: int
    loop: Loop
    result_file: str | None = None
    pixels: Pixels | None = None
    peak_memory: bool = False
    op_profile: str | None = None
    """File that gets the times of single operations (the launch's folder gives it its path);
    None measures the whole."""
    compiled: tuple[str, str] | None = None
    """Folder and token under which the delegate keeps compiled kernels."""


_COMPILED: dict[Family, tuple[str, str]] = {  # folder and token; one without the other is void
    "classic": ("delegate_serialize_dir", "delegate_serialize_token"),
    "litert": ("gpu_serialization_dir", "gpu_model_cache_key"),
}


def build_argv(tool: Tool, launch: Launch) -> list[str]:
    """The whole command.

    Measurement flags that the tool doesn't know are left out; the ones that decide *what* is
    measured are checked beforehand by `missing_flags`.
    """
    loop = launch.loop
    wanted = {
        "graph": launch.graph,
        "num_threads": str(launch.threads),
        "num_runs": str(loop.num_runs),
        "min_secs": f"{loop.min_secs:g}",
        "max_secs": f"{loop.max_secs:g}",
        "warmup_runs": str(loop.warmup_runs),
        "warmup_min_secs": f"{loop.warmup_min_secs:g}",
    }
    if loop.fps is not None:
        wanted["run_frequency"] = f"{loop.fps:g}"
    if launch.pixels:
        # any name will do for the layer, and real names hold colons, which need escaping
        wanted["input_layer"] = "x"
        wanted["input_layer_shape"] = ",".join(str(n) for n in launch.pixels.input_shape)
        wanted["input_layer_value_files"] = f"x:{launch.pixels.input_file}"
        wanted["output_filepath"] = launch.pixels.output_file
    if launch.result_file:
        wanted["result_file_path"] = launch.result_file
    if launch.peak_memory:
        wanted["report_peak_memory_footprint"] = "true"
    if launch.op_profile:
        wanted["enable_op_profiling"] = "true"
        wanted["op_profiling_output_mode"] = "csv"
        wanted["op_profiling_output_file"] = launch.op_profile
    if launch.compiled:
        names = _COMPILED[tool.family]
        if all(name in tool.flags for name in names):
            wanted |= dict(zip(names, launch.compiled, strict=True))
    flags = [f"--{name}={value}" for name, value in wanted.items() if name in tool.flags]
    return [*tool.command, *flags, *find_delegate(launch.delegate).flags[tool.family]]


def missing_flags(tool: Tool, launch: Launch) -> list[str]:
    """Flags that this launch can't do without and the tool doesn't know, without dashes."""
    asked = find_delegate(launch.delegate).flags[tool.family]
    needed = ["graph", "num_threads", *(flag[2:].partition("=")[0] for flag in asked)]
    if launch.loop.fps is not None:
        needed += ["run_frequency", "max_secs", "num_runs"]
    if launch.pixels:
        needed += ["input_layer", "input_layer_shape", "input_layer_value_files"]
        needed += ["output_filepath"]
    if launch.op_profile is not None:
        needed += ["enable_op_profiling", "op_profiling_output_mode", "op_profiling_output_file"]
    return [name for name in needed if name not in tool.flags]
