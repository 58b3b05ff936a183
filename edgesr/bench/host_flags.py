"""The command line flags of `host_runner`: a subset of benchmark_model's, meaning the same."""

from collections.abc import Callable
from dataclasses import dataclass

Value = int | float | bool | str | None


def _boolean(text: str) -> bool:
    return {"true": True, "1": True, "false": False, "0": False}[text]


@dataclass(frozen=True)
class Flag:
    """One command line flag and the name that the log gives its value."""

    parse: Callable[[str], Value]
    default: Value
    label: str
    help: str


FLAGS: dict[str, Flag] = {
    "num_runs": Flag(int, 50, "Min num runs", "minimum number of runs"),
    "min_secs": Flag(float, 1.0, "Min runs duration (seconds)", "minimum seconds to rerun for"),
    "max_secs": Flag(float, 150.0, "Max runs duration (seconds)", "no new run after that"),
    "run_frequency": Flag(
        float,
        -1.0,
        "Number of prorated runs per second",
        "runs per second; one that is late starts at once, until the rate is caught up",
    ),
    "num_threads": Flag(int, -1, "Num threads", "number of threads"),
    "warmup_runs": Flag(int, 1, "Min warmup runs", "minimum number of warm-up runs"),
    "warmup_min_secs": Flag(
        float, 0.5, "Min warmup runs duration (seconds)", "minimum seconds of warm-up"
    ),
    "report_peak_memory_footprint": Flag(
        _boolean,
        default=False,
        label="Report the peak memory footprint",
        help="report the peak memory footprint",
    ),
    "graph": Flag(str, "", "Graph", "graph file name"),
    "input_layer": Flag(str, "", "Input layers", "input layer name"),
    "input_layer_shape": Flag(str, "", "Input shapes", "input layer shape, comma-separated"),
    "input_layer_value_files": Flag(
        str, "", "Input value files", "name:path of raw bytes; a colon in the name is written ::"
    ),
    "output_filepath": Flag(
        str, "", "File path to export outputs layer to", "raw bytes of all outputs"
    ),
    "result_file_path": Flag(
        str, "", "File path to save the benchmark result in binary proto format", "result file"
    ),
    "use_xnnpack": Flag(
        _boolean,
        default=None,
        label="Use xnnpack",
        help="true: apply XNNPACK, false: plain kernels",
    ),
    "help": Flag(_boolean, default=False, label="Help", help="print the flags"),
}
