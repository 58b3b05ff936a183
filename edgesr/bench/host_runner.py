"""``benchmark_model`` for this machine, on ai-edge-litert: same flags, same lines, same streams.

A program of its own: ``python -m edgesr.bench.host_runner --graph=m.tflite --num_threads=2``.
One argv builder and one parser serve it and the official tool. The delegation is read from the
interpreter, and said with the VERBOSE line that Android builds print.
"""

import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from edgesr.bench.host_flags import FLAGS, Value
from edgesr.bench.host_model import (
    Delegation,
    Fatal,
    Limits,
    Stats,
    delegation,
    file_input,
    load,
    nodes_of,
    random_input,
    timed,
)
from edgesr.bench.proto import BenchmarkResult, encode_result


class Failed(Exception):  # noqa: N818 - named like the log line it becomes
    """What ends the official tool with one ERROR line per argument and exit code 1."""


def _say(level: str, text: str) -> None:
    """One log line; errors go to stderr, as the official tool does."""
    stream = sys.stderr if level in {"ERROR", "FATAL", "VERBOSE"} else sys.stdout
    print(f"{level}: {text}", file=stream, flush=True)


def main(argv: Sequence[str]) -> int:
    """Runs the benchmark; returns the exit code (0, or 1 after ERROR lines)."""
    _say("INFO", "STARTING!")
    try:
        values, given, unconsumed = parse_flags(argv)
        if unconsumed:
            _say("WARN", f"Unconsumed cmdline flags: {' '.join(unconsumed)}")
        _benchmark(Options(values), given)
    except Failed as error:
        for message in error.args:
            _say("ERROR", message)
        _say("ERROR", "Benchmarking failed.")
        return 1
    except Fatal as error:
        _abort(str(error))
    return 0


def _abort(message: str) -> NoReturn:
    _say("FATAL", message)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.kill(os.getpid(), signal.SIGABRT)
    raise SystemExit(134)


def parse_flags(argv: Sequence[str]) -> tuple[dict[str, Value], list[str], list[str]]:
    """Values by flag, the flags that were given, and what no flag consumed.

    The first of a repeated flag wins, and only ``--name=value`` counts, as in the official tool.

    Raises:
        Failed: On a value that does not parse, and on ``--help``, which is an error there too.
    """
    values: dict[str, Value] = {name: flag.default for name, flag in FLAGS.items()}
    given: list[str] = []
    unconsumed: list[str] = []
    for argument in argv:
        name, equals, text = argument.removeprefix("--").partition("=")
        known = argument.startswith("--") and name in FLAGS and name not in given
        if not known or not (equals or name == "help"):
            unconsumed.append(argument)
            continue
        try:
            values[name] = FLAGS[name].parse(text) if equals else True
        except (ValueError, KeyError):
            message = f"Failed to parse flag '{name}' against argv '{argument}'"
            raise Failed(message, _usage()) from None
        given.append(name)
    if values["help"]:
        raise Failed(_usage())
    return values, given, unconsumed


def _usage() -> str:
    lines = ["usage: python -m edgesr.bench.host_runner <flags>", "Flags:"]
    for name, flag in FLAGS.items():
        default = "" if flag.default is None else str(flag.default).lower()
        lines.append(f"\t--{name}={default}\t{flag.help}")
    return "\n".join(lines)


class Options:
    """The flags' values, typed.

    Args:
        values: As `parse_flags` gives them.
    """

    def __init__(self, values: dict[str, Value]) -> None:
        self.values = values
        self.graph = Path(self.text("graph"))
        self.threads = int(self.number("num_threads"))
        xnnpack = values["use_xnnpack"]
        self.xnnpack = xnnpack is not False
        """Unset means that the runtime applies it silently."""
        self.explicit = xnnpack is True

    def number(self, name: str) -> float:
        """Value of a numeric flag."""
        value = self.values[name]
        return float(value) if isinstance(value, int | float) else 0.0

    def text(self, name: str) -> str:
        """Value of a text flag."""
        return str(self.values[name] or "")

    def limits(self, *, warmup: bool) -> Limits:
        """The loop's limits of the warm-up or of the measurement."""
        runs, least = ("warmup_runs", "warmup_min_secs") if warmup else ("num_runs", "min_secs")
        frequency = self.number("run_frequency")
        gap_s = 1 / frequency if frequency > 0 else 0.0
        return Limits(int(self.number(runs)), self.number(least), self.number("max_secs"), gap_s)


def _benchmark(options: Options, given: Sequence[str]) -> None:
    _echo(options, given)
    start_kb = _max_rss_kb()
    begin = time.perf_counter_ns()
    interpreter = _prepare(options)
    init_us = (time.perf_counter_ns() - begin) // 1000
    init_kb = _max_rss_kb() - start_kb
    size_mb = options.graph.stat().st_size / 1e6
    _say("INFO", f"The input model file size (MB): {size_mb:g}")
    _say("INFO", f"Initialized session in {init_us / 1000:g}ms.")
    reset = _feeder(interpreter, options)
    warmup = _series(interpreter, reset, options.limits(warmup=True))
    measured = _series(interpreter, reset, options.limits(warmup=False))
    first = warmup.samples[0] if warmup.samples else 0
    _say(
        "INFO",
        f"Inference timings in us: Init: {init_us}, First inference: {first}, "
        f"Warmup (avg): {warmup.avg:g}, Inference (avg): {measured.avg:g}",
    )
    overall_kb = _max_rss_kb() - start_kb
    peak = _memory(init_kb, overall_kb, peak=options.values["report_peak_memory_footprint"] is True)
    _write_outputs(interpreter, options.text("output_filepath"))
    result = BenchmarkResult(
        avg_ms=measured.avg / 1000,
        min_ms=min(measured.samples, default=0) / 1000,
        max_ms=max(measured.samples, default=0) / 1000,
        std_ms=measured.std / 1000,
        median_ms=measured.percentile(50) / 1000,
        p5_ms=measured.percentile(5) / 1000,
        p95_ms=measured.percentile(95) / 1000,
        init_ms=init_us / 1000,
        first_ms=first / 1000,
        warmup_avg_ms=warmup.avg / 1000,
        init_kb=init_kb,
        overall_kb=overall_kb,
        peak_mib=peak,
        model_size_mb=size_mb,
        num_runs=len(measured.samples),
        num_warmup_runs=len(warmup.samples),
    )
    _write_result(result, options.text("result_file_path"))


def _echo(options: Options, given: Sequence[str]) -> None:
    _say("INFO", "Log parameter values verbosely: [0]")
    for name, flag in FLAGS.items():
        if name in given or name == "graph":
            value = options.values[name]
            shown = f"{value:g}" if isinstance(value, int | float) else str(value)
            _say("INFO", f"{flag.label}: [{shown}]")
    _say("INFO", "Signature to run: []")
    if "num_threads" in given:
        _say("INFO", f"#threads used for CPU inference: [{options.threads}]")
    if not options.text("graph"):
        raise Failed("Please specify the name of your TF Lite input file with --graph")
    if options.threads < -1:
        raise Failed("num_threads should be >= 0 or just -1 to let TFLite runtime set the value.")


def _prepare(options: Options) -> Any:
    """Loads, resizes, allocates; says what the delegate took.

    Raises:
        Failed: When the model can't be loaded or prepared.
    """
    try:
        interpreter = load(options.graph, options.threads, xnnpack=options.xnnpack)
    except (ValueError, RuntimeError) as error:
        raise Failed(str(error), f"Failed to load model {options.graph}") from error
    _say("INFO", f"Loaded model {options.graph}")
    if options.explicit:
        _say("INFO", "XNNPACK delegate created.")
    try:
        _resize(interpreter, options)
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise Failed(str(error), "Failed to allocate tensors!") from error
    found = delegation(
        nodes_of(interpreter), [int(detail["index"]) for detail in interpreter.get_output_details()]
    )
    _say_delegation(found, options)
    return interpreter


def _resize(interpreter: Any, options: Options) -> None:
    name, shapes = options.text("input_layer"), options.text("input_layer_shape")
    if bool(name) != bool(shapes):
        raise Failed("The number of items in --input_layer_shape and --input_layer must match")
    inputs = interpreter.get_input_details()
    if name and len(inputs) != 1:
        raise Fatal(f"Inputs mismatch: Model inputs #:1 expected: {len(inputs)}")
    if name:
        if inputs[0]["name"] != name:
            _say("WARN", f"Tensor # 0 is named {inputs[0]['name']} but flags call it {name}")
        shape = [int(part) for part in shapes.split(",")]
        if shape != list(inputs[0]["shape"]):
            interpreter.resize_tensor_input(inputs[0]["index"], shape)


def _say_delegation(found: Delegation, options: Options) -> None:
    if not options.xnnpack:
        return
    if found.kernels:
        _say(
            "VERBOSE",
            f"Replacing {found.delegated} out of {found.total} node(s) with delegate "
            f"(TfLiteXNNPackDelegate) node, yielding {found.partitions} partitions "
            "for subgraph 0 (main).",
        )
    if not options.explicit:
        return
    if found.kernels == 0:
        _say(
            "INFO",
            "Though XNNPACK delegate is explicitly applied, the model graph will not be "
            "executed by the delegate.",
        )
        return
    how = (
        "completely executed by the delegate."
        if found.delegated == found.total
        else f"partially executed by the delegate w/ {found.kernels} delegate kernels."
    )
    _say("INFO", f"Explicitly applied XNNPACK delegate, and the model graph will be {how}")


def _feeder(interpreter: Any, options: Options) -> Callable[[], None]:
    """A function that fills all inputs: from the file that was named, else random values."""
    details = interpreter.get_input_details()
    files = _value_files(options)
    name = options.text("input_layer")
    values = [
        (detail["index"], file_input(detail, files[name]) if files else random_input(detail))
        for detail in details
    ]

    def reset() -> None:
        for index, value in values:
            interpreter.set_tensor(index, value)

    return reset


def _value_files(options: Options) -> dict[str, Path]:
    """``name:path`` as a dictionary; ``::`` in the name stands for one colon.

    Raises:
        Fatal: When the name is not the one in ``--input_layer``.
    """
    text = options.text("input_layer_value_files")
    if not text:
        return {}
    name, colon, path = text.replace("::", "\0").partition(":")
    name, path = name.replace("\0", ":"), path.replace("\0", "::")
    if not colon or name != options.text("input_layer"):
        raise Fatal(
            f"Cannot find the corresponding input_layer name({name}) in --input_layer as "
            f"{options.text('input_layer')}"
        )
    return {name: Path(path)}


def _series(interpreter: Any, reset: Callable[[], None], limits: Limits) -> Stats:
    _say(
        "INFO",
        f"Running benchmark for at least {limits.runs} iterations and at least "
        f"{limits.min_s:g} seconds but terminate if exceeding {limits.max_s:g} seconds.",
    )
    try:
        stats = Stats(timed(interpreter.invoke, reset, limits))
    except RuntimeError as error:
        raise Failed(str(error), "Failed to invoke!") from error
    _say("INFO", f"{stats.line()}\n")
    return stats


def _memory(init_kb: int, overall_kb: int, *, peak: bool) -> float | None:
    """Says the memory lines; returns the peak in MiB where it was asked for."""
    _say(
        "INFO",
        "Note: as the benchmark tool itself affects memory footprint, the following is only "
        "APPROXIMATE to the actual memory footprint of the model at runtime. Take the "
        "information at your discretion.",
    )
    _say(
        "INFO",
        "Memory footprint delta from the start of the tool (MB): "
        f"init={init_kb / 1024:g} overall={overall_kb / 1024:g}",
    )
    if not peak:
        return None
    peak_mib = _max_rss_kb() / 1024
    _say("INFO", f"Overall peak memory footprint (MB) via periodic monitoring: {peak_mib:g}")
    return peak_mib


def _max_rss_kb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _write_outputs(interpreter: Any, path: str) -> None:
    """Raw bytes of all outputs, in order; like the official tool silent when that fails."""
    if not path:
        return
    data = b"".join(
        interpreter.get_tensor(detail["index"]).tobytes()
        for detail in interpreter.get_output_details()
    )
    try:
        Path(path).write_bytes(data)
    except OSError:
        return


def _write_result(result: BenchmarkResult, path: str) -> None:
    if not path:
        return
    _say("INFO", f"Saving benchmark result to: {path}")
    try:
        Path(path).write_bytes(encode_result(result))
    except OSError:
        _say("ERROR", f"Failed to save benchmark result to: {path}")
        return
    _say("INFO", f"Saved benchmark result to: {path}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
