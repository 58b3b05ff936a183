"""Which nodes a delegate is expected to take and why not the others; and the graph rules.

The rules restate what the delegates' sources accept for the ops that image networks use. They are
an expectation, written into the manifest before anything is measured; the verdict of a bench run
is what really happened.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from edgesr.convert.graph import Graph, Op
from edgesr.errors import ConversionError
from edgesr.results.manifest import Coverage, Variant

Check = Callable[[Graph, Op], str | None]
"""Why a delegate refuses a node, or None."""

FLOAT = frozenset({"float32", "float16"})
INT8 = frozenset({"int8"})
BYTES = frozenset({"int8", "uint8"})
IO_OPS = frozenset({"QUANTIZE", "DEQUANTIZE"})

ALLOWED_OPS = frozenset(
    {
        "ADD", "AVERAGE_POOL_2D", "CONCATENATION", "CONV_2D", "DEPTH_TO_SPACE",
        "DEPTHWISE_CONV_2D", "DEQUANTIZE", "DIV", "ELU", "EXP", "FULLY_CONNECTED", "GELU",
        "HARD_SWISH", "LEAKY_RELU", "LOGISTIC", "MAXIMUM", "MAX_POOL_2D", "MEAN", "MINIMUM", "MUL",
        "NEG", "PAD", "PRELU", "QUANTIZE", "RELU", "RELU6", "RELU_0_TO_1", "RELU_N1_TO_1", "SUB",
        "SQUARE", "TANH", "TRANSPOSE_CONV",
    }
)  # fmt: skip
"""What a deploy graph may be made of: ops that XNNPACK, GPU and NNAPI all know in float."""


@dataclass(frozen=True)
class DelegateRules:
    """What one delegate takes."""

    dtypes: Mapping[str, frozenset[str]]
    """Op -> types of its first non-constant input that are taken; ops not listed are refused."""
    max_rank: int
    max_partitions: int | None
    """How many pieces it takes by default, the largest first; None for all."""
    unpacks_constants: str
    """What becomes of a DEQUANTIZE of fp16 constants: ``folded`` into the nodes that read it,
    ``all or none`` (taken only with the whole graph), or ``refused``."""
    checks: Mapping[str, Check]
    """Op -> a closer look at the node."""


def expected_coverage(graph: Graph) -> dict[str, Coverage]:
    """What each delegate is expected to take of a graph.

    Returns:
        Delegate name -> coverage, with partitions as benchmark_model counts them: the delegate's
        pieces and the left-over ones together.
    """
    return {name: coverage(graph, rules) for name, rules in DELEGATES.items()}


def coverage(graph: Graph, rules: DelegateRules) -> Coverage:
    """What a delegate with these rules is expected to take of a graph."""
    reasons = {op.index: _reason(graph, op, rules) for op in graph.ops}
    unpackers = {op.index for op in graph.ops if _unpacks_constant(graph, op)}
    wanted = {index for index, reason in reasons.items() if reason is None} - unpackers
    taken = _largest(graph, wanted, rules.max_partitions)
    taken |= _folded(graph, taken, unpackers, rules)
    refused = {op.name: reason for op in graph.ops if (reason := reasons[op.index]) is not None}
    if wanted - taken:
        left = {graph.ops[index].name for index in wanted - taken}
        why = f"outside the {rules.max_partitions} largest pieces that it takes"
        refused |= {name: why for name in sorted(left) if name not in refused}
    return Coverage(
        nodes_total=len(graph.ops),
        nodes_delegated=len(taken),
        partitions=len(partitions(graph, taken)),
        refused=refused,
    )


def partitions(graph: Graph, taken: set[int]) -> list[list[int]]:
    """Splits a graph into the pieces TFLite runs one after another.

    The same walk as TFLite's: a piece grows by every node that is ready and of its kind, then the
    next piece starts.

    Args:
        graph: The graph.
        taken: Indices of the ops that the delegate takes.

    Returns:
        Op indices of each piece, delegated and left-over ones, in the order they run.
    """
    produced = {tensor for op in graph.ops for tensor in op.outputs}
    ready = {tensor.index for tensor in graph.tensors} - produced | {-1}
    waiting = list(graph.ops)
    pieces: list[list[int]] = []
    while waiting:
        first = next((op for op in waiting if ready.issuperset(op.inputs)), None)
        if first is None:
            raise ConversionError(f"{waiting[0].name} reads a tensor that nothing produces")
        kind, piece = first.index in taken, []
        grown = True
        while grown:
            grown = False
            for op in list(waiting):
                if (op.index in taken) == kind and ready.issuperset(op.inputs):
                    piece.append(op.index)
                    ready.update(op.outputs)
                    waiting.remove(op)
                    grown = True
        pieces.append(piece)
    return pieces


def check_rules(graph: Graph, variant: Variant) -> None:
    """Checks the rules that every deploy graph must follow.

    NHWC RGB in and out, rank at most 4, only `ALLOWED_OPS`, for every variant; one XNNPACK
    partition that holds all nodes, for fp32 and fp16.

    Raises:
        ConversionError: Naming the op or tensor that breaks a rule.
    """
    for op in graph.ops:
        if op.name not in ALLOWED_OPS:
            raise ConversionError(
                f"{variant}: the graph holds {op.name}, which splits it on phones"
            )
        for tensor in graph.tensors_of(op.inputs + op.outputs):
            if len(tensor.shape) > 4:
                raise ConversionError(
                    f"{variant}: {op.name} has a tensor of rank {len(tensor.shape)}; "
                    "the GPU delegate takes 4 at most"
                )
    _check_layout(graph, variant)
    expected = coverage(graph, DELEGATES["xnnpack"])
    whole = (expected.nodes_total, 1) == (expected.nodes_delegated, expected.partitions)
    if variant in ("fp32", "fp16") and not whole:
        why = "; ".join(f"{name}: {reason}" for name, reason in expected.refused.items())
        raise ConversionError(
            f"{variant}: XNNPACK would run it in {expected.partitions} pieces ({why})"
        )


def _check_layout(graph: Graph, variant: Variant) -> None:
    for what, indices in (("input", graph.inputs), ("output", graph.outputs)):
        tensors = graph.tensors_of(indices)
        shape = tensors[0].shape if len(tensors) == 1 else ()
        if len(shape) != 4 or shape[0] != 1 or shape[3] != 3:
            found = ", ".join(str(tensor.shape) for tensor in tensors)
            raise ConversionError(f"{variant}: {what} is {found} and not one NHWC RGB image")


def _unpacks_constant(graph: Graph, op: Op) -> bool:
    return op.name == "DEQUANTIZE" and graph.tensors[op.inputs[0]].constant


def _reason(graph: Graph, op: Op, rules: DelegateRules) -> str | None:
    if _unpacks_constant(graph, op):
        refused = rules.unpacks_constants == "refused"
        return "fp16 constants are not unpacked" if refused else None
    if op.name not in rules.dtypes:
        return "not supported"
    static = graph.static_tensors
    moving = [t for t in graph.tensors_of(op.inputs) if t.index not in static]
    dtype = moving[0].dtype if moving else graph.tensors[op.outputs[0]].dtype
    if dtype not in rules.dtypes[op.name]:
        return f"not in {dtype}"
    ranks = [len(tensor.shape) for tensor in graph.tensors_of(op.inputs + op.outputs)]
    if max(ranks) > rules.max_rank:
        return f"rank {max(ranks)}, at most {rules.max_rank}"
    check = rules.checks.get(op.name)
    return check(graph, op) if check else None


def _largest(graph: Graph, wanted: set[int], limit: int | None) -> set[int]:
    if limit is None:
        return set(wanted)
    pieces = partitions(graph, _with_unpackers(graph, wanted))
    mine = [set(piece) & wanted for piece in pieces]
    return set().union(*sorted(mine, key=len, reverse=True)[:limit])


def _with_unpackers(graph: Graph, wanted: set[int]) -> set[int]:
    """Unpacked constants never split a piece: they are ready before it starts."""
    return wanted | {op.index for op in graph.ops if _unpacks_constant(graph, op)}


def _folded(graph: Graph, taken: set[int], unpackers: set[int], rules: DelegateRules) -> set[int]:
    if rules.unpacks_constants == "refused":
        return set()
    if rules.unpacks_constants == "all or none":
        return unpackers if len(taken) + len(unpackers) == len(graph.ops) else set()
    readers = {
        index: {op.index for op in graph.ops if set(op.inputs) & set(graph.ops[index].outputs)}
        for index in unpackers
    }
    return {index for index, consumers in readers.items() if consumers <= taken}


# What follows is data: one entry per delegate.


def _concatenation(most: int) -> Check:
    def check(_graph: Graph, op: Op) -> str | None:
        return None if len(op.inputs) <= most else f"{len(op.inputs)} inputs, at most {most}"

    return check


def _xnnpack_quantize(graph: Graph, op: Op) -> str | None:
    source, target = graph.tensors[op.inputs[0]].dtype, graph.tensors[op.outputs[0]].dtype
    if source not in ("float32", target):
        return f"from {source} to {target}"
    return _quantizes_to_bytes(graph, op)


def _quantizes_to_bytes(graph: Graph, op: Op) -> str | None:
    """No delegate knows 16-bit integers: nodes with int16 inputs are refused by their type."""
    target = graph.tensors[op.outputs[0]].dtype
    return None if target in BYTES else f"to {target}"


def _xnnpack_scales(graph: Graph, op: Op) -> str | None:
    """Sums of 8-bit tensors: XNNPACK rescales by 2^-10 up to, not including, 2^8."""
    target = graph.tensors[op.outputs[0]].quantization
    for tensor in graph.tensors_of(op.inputs):
        if target is None or tensor.quantization is None:
            continue
        ratio = tensor.quantization.scale[0] / target.scale[0]
        if not 2.0**-10 <= ratio < 2.0**8:
            return f"scale of an input is {ratio:.3g} times the output's"
    return None


def _constant_alpha(graph: Graph, op: Op) -> str | None:
    alpha = graph.tensors[op.inputs[1]]
    if alpha.index not in graph.static_tensors:
        return "alpha is not constant"
    return None if all(size == 1 for size in alpha.shape[:-1]) else "alpha is not per channel"


def _gpu_gather(graph: Graph, op: Op) -> str | None:
    indices = graph.tensors[op.inputs[1]]
    fits = len(indices.shape) == 1 and indices.dtype == "int32"
    return None if fits else "indices are not one row of int32"


def _block(_graph: Graph, op: Op) -> str | None:
    return None if int(op.attributes.get("blockSize", 0)) > 1 else "block is not above 1"


def _constant_size(graph: Graph, op: Op) -> str | None:
    return None if op.inputs[1] in graph.static_tensors else "size is not constant"


def _types(dtypes: frozenset[str], *names: str) -> dict[str, frozenset[str]]:
    return dict.fromkeys(names, dtypes)


_CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED")
_POINTWISE = ("ADD", "MUL", "SUB")
_POOLS = ("AVERAGE_POOL_2D", "MAX_POOL_2D", "MEAN")
_RELUS = ("RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1")

DELEGATES: dict[str, DelegateRules] = {
    "xnnpack": DelegateRules(
        dtypes={
            **_types(FLOAT | BYTES, *_CONVOLUTIONS, *_POINTWISE, *_POOLS, *_RELUS),
            **_types(FLOAT | BYTES, "CONCATENATION", "LOGISTIC", "TANH", "LEAKY_RELU", "ELU"),
            **_types(FLOAT | BYTES, "PAD", "RESHAPE", "SLICE", "SPLIT", "STRIDED_SLICE"),
            **_types(FLOAT | BYTES, "TRANSPOSE", "RESIZE_BILINEAR", "QUANTIZE"),
            **_types(FLOAT | INT8, "DEPTH_TO_SPACE", "SPACE_TO_DEPTH"),
            **_types(FLOAT, "PRELU", "DIV", "MAXIMUM", "MINIMUM", "NEG", "ABS", "SQUARE", "SQRT"),
            **_types(FLOAT, "EXP", "GELU", "HARD_SWISH", "SOFTMAX", "FLOOR", "CEIL", "ROUND"),
            **_types(BYTES, "DEQUANTIZE"),
        },
        max_rank=6,
        max_partitions=None,
        unpacks_constants="folded",
        checks={
            "CONCATENATION": _concatenation(5),
            "QUANTIZE": _xnnpack_quantize,
            "ADD": _xnnpack_scales,
            "SUB": _xnnpack_scales,
            "PRELU": _constant_alpha,
            "DEPTH_TO_SPACE": _block,
            "RESIZE_BILINEAR": _constant_size,
        },
    ),
    "gpu": DelegateRules(
        dtypes={
            **_types(FLOAT | BYTES, *_CONVOLUTIONS, *_POINTWISE, *_POOLS, *_RELUS),
            **_types(FLOAT | BYTES, "CONCATENATION", "LOGISTIC", "TANH", "LEAKY_RELU", "ELU"),
            **_types(FLOAT | BYTES, "PAD", "RESHAPE", "SLICE", "SPLIT", "STRIDED_SLICE"),
            **_types(FLOAT | BYTES, "TRANSPOSE", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"),
            **_types(FLOAT | BYTES, "QUANTIZE", "DEQUANTIZE", "DEPTH_TO_SPACE", "SPACE_TO_DEPTH"),
            **_types(FLOAT | BYTES, "PRELU", "DIV", "MAXIMUM", "MINIMUM", "NEG", "ABS", "SQUARE"),
            **_types(FLOAT | BYTES, "EXP", "GELU", "HARD_SWISH", "SOFTMAX", "FLOOR", "SQRT"),
            **_types(FLOAT | BYTES, "GATHER", "TILE"),
        },
        max_rank=4,
        max_partitions=1,
        unpacks_constants="all or none",
        checks={
            "QUANTIZE": _quantizes_to_bytes,
            "PRELU": _constant_alpha,
            "GATHER": _gpu_gather,
            "DEPTH_TO_SPACE": _block,
        },
    ),
    "nnapi": DelegateRules(
        dtypes={
            **_types(FLOAT | BYTES, *_CONVOLUTIONS, *_POINTWISE, *_POOLS, *_RELUS),
            **_types(FLOAT | BYTES, "CONCATENATION", "LOGISTIC", "TANH", "DEPTH_TO_SPACE"),
            **_types(FLOAT | BYTES, "PAD", "RESHAPE", "SLICE", "SPLIT", "STRIDED_SLICE"),
            **_types(FLOAT | BYTES, "TRANSPOSE", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"),
            **_types(FLOAT | BYTES, "PRELU", "LEAKY_RELU", "GATHER", "TILE", "SPACE_TO_DEPTH"),
            **_types(FLOAT | BYTES, "MAXIMUM", "MINIMUM", "SOFTMAX", "HARD_SWISH"),
            **_types(FLOAT, "DIV", "NEG", "ABS", "SQRT", "EXP", "FLOOR"),
            **_types(FLOAT, "QUANTIZE"),
            **_types(BYTES, "DEQUANTIZE"),
        },
        max_rank=4,
        max_partitions=3,
        unpacks_constants="folded",
        checks={"QUANTIZE": _quantizes_to_bytes, "PRELU": _constant_alpha},
    ),
}
"""NNAPI as of API 29; it is deprecated since Android 15 and kept for older phones."""
