"""What the host runner does with a model: load, see where it runs, feed, time.

Used by `host_runner` only, in a process of its own; keeps to numpy and ai-edge-litert.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Tensor = dict[str, Any]
"""What the interpreter's ``get_input_details`` says about one tensor."""


class Fatal(Exception):  # noqa: N818 - named like the log line it becomes
    """What ends the official tool with a FATAL line and SIGABRT."""


def load(graph: Path, threads: int, *, xnnpack: bool) -> Any:
    """An interpreter, tensors not yet allocated.

    Args:
        graph: The .tflite.
        threads: Threads for the kernels; negative: the runtime's choice.
        xnnpack: Apply XNNPACK; without it the plain optimized kernels run.

    Raises:
        ValueError: When the file is missing or no model.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    return Interpreter(
        model_path=str(graph),
        num_threads=threads if threads > 0 else None,
        experimental_op_resolver_type=OpResolverType.AUTO if xnnpack else plain,
    )


@dataclass(frozen=True)
class Node:
    """One node of the graph with the tensors it reads and writes."""

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    is_delegate: bool


@dataclass(frozen=True)
class Delegation:
    """Who runs the graph after delegation."""

    total: int
    """Nodes of the original graph."""
    delegated: int
    kernels: int
    """Delegate nodes: pieces of the graph that the delegate runs."""
    partitions: int
    """Delegated and left-over pieces together, as TensorFlow Lite counts them."""


def nodes_of(interpreter: Any) -> list[Node]:
    """All nodes, the original ones first, then the delegate's."""
    return [
        Node(
            tuple(int(tensor) for tensor in op["inputs"] if tensor >= 0),
            tuple(int(tensor) for tensor in op["outputs"] if tensor >= 0),
            op["op_name"] == "DELEGATE",
        )
        for op in interpreter._get_ops_details()  # noqa: SLF001 - no public way to see the nodes
    ]


def delegation(nodes: Sequence[Node], outputs: Sequence[int]) -> Delegation:
    """Tells which original nodes are still run by the CPU kernels.

    The interpreter lists replaced nodes beside the delegate's, so the graph is walked backward
    from its outputs: a tensor that a delegate node writes comes from there, any other from its
    original producer. Original nodes reached that way are what the delegate left over.
    """
    makers: dict[int, int] = {}
    for index, node in enumerate(nodes):  # delegate nodes come last, so they win
        makers.update(dict.fromkeys(node.outputs, index))
    live: set[int] = set()
    waiting = list(outputs)
    while waiting:
        maker = makers.get(waiting.pop())
        if maker is not None and maker not in live:
            live.add(maker)
            waiting.extend(nodes[maker].inputs)
    original = [index for index, node in enumerate(nodes) if not node.is_delegate]
    kernels = len(nodes) - len(original)
    left = {index for index in original if index in live}
    delegated = len(original) - len(left) if kernels else 0
    pieces = _left_over_pieces([nodes[index] for index in original], left) if kernels else 1
    return Delegation(len(original), delegated, kernels, kernels + pieces)


def _left_over_pieces(nodes: Sequence[Node], left: set[int]) -> int:
    """Pieces of the graph that stay on the CPU, grouped in TensorFlow Lite's greedy order."""
    written = {tensor for node in nodes for tensor in node.outputs}
    undone = list(range(len(nodes)))
    pieces = 0
    while undone:
        side: bool | None = None
        progress = True
        while progress:
            progress = False
            for index in list(undone):
                ready = written.isdisjoint(nodes[index].inputs)
                if ready and side in {None, index in left}:
                    side = index in left
                    written.difference_update(nodes[index].outputs)
                    undone.remove(index)
                    progress = True
        if side is None:
            break  # a graph with a loop; nothing that a converter writes
        pieces += side
    return pieces


def random_input(detail: Tensor) -> np.ndarray[Any, Any]:
    """The same values in every process: float U(-0.5, 0.5), uint8 0..254, int8 -127..127."""
    rng = np.random.default_rng(0)
    shape, dtype = tuple(detail["shape"]), np.dtype(detail["dtype"])
    if dtype.kind == "f":
        return (rng.random(shape, np.float32) - np.float32(0.5)).astype(dtype)
    low, high = {"uint8": (0, 255), "int8": (-127, 128)}.get(dtype.name, (0, 100))
    return rng.integers(low, high, shape).astype(dtype)


def file_input(detail: Tensor, path: Path) -> np.ndarray[Any, Any]:
    """A tensor's raw little-endian bytes from a file of exactly its size.

    Raises:
        Fatal: When the file can't be read or has another size.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Fatal(f"Failed to read the input_layer_value_file:{path}") from error
    shape, dtype = tuple(detail["shape"]), np.dtype(detail["dtype"])
    expected = int(np.prod(shape)) * dtype.itemsize
    if len(data) != expected:
        raise Fatal(f"The size of {path} is {len(data)} bytes. It should be {expected} bytes.")
    return np.frombuffer(data, dtype).reshape(shape)


@dataclass(frozen=True)
class Limits:
    """When a series of inferences ends: both minima met, or the maximum passed."""

    runs: int
    min_s: float
    max_s: float
    gap_s: float = 0
    """Time from one inference's start to the next one's, where there is time left; 0 for none."""


def timed(invoke: Callable[[], None], reset: Callable[[], None], limits: Limits) -> list[int]:
    """Whole microseconds of each inference; ``reset`` refills the input outside the timing.

    The limits act as in the official tool: checked before each inference, none is ever cut. So does
    the pace (``benchmark_model.cc``): due times lie on a grid that begins with the series, also
    the end is waited for, and whoever is late goes on at once until the grid is caught up.
    """
    start = now = time.perf_counter_ns()
    due = start + limits.gap_s * 1e9
    samples: list[int] = []
    while (len(samples) < limits.runs or now - start < limits.min_s * 1e9) and (
        now - start <= limits.max_s * 1e9
    ):
        reset()
        before = time.perf_counter_ns()
        invoke()
        now = time.perf_counter_ns()
        samples.append((now - before) // 1000)
        if limits.gap_s:
            if due > now:
                time.sleep((due - now) / 1e9)
            due += limits.gap_s * 1e9
            now = time.perf_counter_ns()
    return samples


@dataclass(frozen=True)
class Stats:
    """Figures over one series, microseconds; zeros for an empty one."""

    samples: Sequence[int]

    @property
    def avg(self) -> float:
        """Arithmetic mean."""
        return sum(self.samples) / len(self.samples) if self.samples else 0.0

    @property
    def std(self) -> float:
        """Population standard deviation."""
        mean = self.avg
        squares = sum((sample - mean) ** 2 for sample in self.samples)
        return float((squares / len(self.samples)) ** 0.5) if self.samples else 0.0

    def percentile(self, percent: int) -> int:
        """Sorted value at ``floor(n * percent / 100)``: the official tool's rule."""
        ranked = sorted(self.samples)
        return ranked[len(ranked) * percent // 100] if ranked else 0

    def line(self) -> str:
        """The ``count=`` line, in all its forms."""
        return " ".join((*self._head(), *self._tail()))

    def _head(self) -> Iterator[str]:
        count = len(self.samples)
        yield f"count={count}"
        if count == 0:
            return
        low, high = min(self.samples), max(self.samples)
        if low == high:
            yield f"curr={low}{'(all same)' if count > 1 else ''}"
            return
        yield f"first={self.samples[0]} curr={self.samples[-1]} min={low} max={high}"
        yield f"avg={self.avg:g} std={int(self.std)}"

    def _tail(self) -> Iterator[str]:
        yield f"p5={self.percentile(5)} median={self.percentile(50)} p95={self.percentile(95)}"
