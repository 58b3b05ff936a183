"""A deploy graph as a list of the operations that TFLite knows."""

import copy
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F  # noqa: N812

from edgesr.errors import ConversionError
from edgesr.models.blocks import DepthToSpace, SharedPReLU

Op = Literal[
    "input", "constant", "conv", "prelu", "relu", "sigmoid", "tanh", "add", "sub", "mul",
    "depth_to_space",
]  # fmt: skip

_ARITHMETIC: dict[Any, Op] = {
    operator.add: "add", operator.iadd: "add", torch.add: "add",
    operator.sub: "sub", torch.sub: "sub",
    operator.mul: "mul", torch.mul: "mul",
}  # fmt: skip
_POINTWISE: dict[Any, Op] = {
    torch.sigmoid: "sigmoid", F.sigmoid: "sigmoid", nn.Sigmoid: "sigmoid",
    torch.tanh: "tanh", F.tanh: "tanh", nn.Tanh: "tanh",
    torch.relu: "relu", F.relu: "relu", nn.ReLU: "relu",
}  # fmt: skip
_SILU = (F.silu, nn.SiLU)
_FUSES_RELU: frozenset[Op] = frozenset({"conv", "add", "sub", "mul"})


@dataclass(frozen=True)
class Node:
    """One operation; its output has the same name.

    Attributes:
        name: An identifier, unique in the graph.
        op: What it does; TFLite has an operation for each.
        inputs: Names of the nodes it reads.
        label: What people call it: the module's path in the deploy graph, or its name.
        relu: Whether a ReLU follows at once, as part of the operation.
        block: Of ``depth_to_space``.
    """

    name: str
    op: Op
    inputs: tuple[str, ...] = ()
    label: str = ""
    relu: bool = False
    block: int = 0


@dataclass(frozen=True)
class OpGraph:
    """Operations in the order they run; the first is the input, the last the output."""

    nodes: tuple[Node, ...]
    modules: Mapping[str, nn.Module] = field(default_factory=dict)
    """The convs and PReLUs by node name; copies."""
    constants: Mapping[str, Tensor] = field(default_factory=dict)
    """Values of the constants by node name."""

    def readers(self, name: str) -> list[Node]:
        """The nodes that read a node's output."""
        return [node for node in self.nodes if name in node.inputs]

    def layers(self) -> dict[str, tuple[str, ...]]:
        """Every conv by label, with the names of the nodes that belong to it.

        A node belongs to the last conv before it on which it depends; what comes before any conv
        belongs to the first one.
        """
        order = {node.name: place for place, node in enumerate(self.nodes)}
        convs = [node for node in self.nodes if node.op == "conv"]
        owner: dict[str, str] = {}
        for node in self.nodes:
            if node.op == "conv":
                owner[node.name] = node.name
                continue
            owners = [owner[name] for name in node.inputs]
            owner[node.name] = max(owners, key=lambda name: order[name], default=convs[0].name)
        return {
            conv.label: tuple(name for name, own in owner.items() if own == conv.name)
            for conv in convs
        }


def read_operations(deploy: nn.Module) -> OpGraph:
    """Takes a deploy graph apart.

    Args:
        deploy: What `models.fold.fold` returns: N, 3, H, W to N, 3, s*H, s*W, ending in a
            `DepthToSpace`.

    Raises:
        ConversionError: When it holds an operation that has no quantized form here.
    """
    tracer = _Tracer()
    traced = tracer.trace(deploy)
    builder = _Builder(deploy)
    for node in traced.nodes:
        builder.add(node)
    return OpGraph(tuple(_fused(builder.nodes)), builder.modules, builder.constants)


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        ours = isinstance(m, DepthToSpace | SharedPReLU)
        return ours or super().is_leaf_module(m, module_qualified_name)


class _Builder:
    """Nodes, modules and constants of a traced graph, in order."""

    def __init__(self, deploy: nn.Module) -> None:
        self.deploy = deploy
        self.nodes: list[Node] = []
        self.modules: dict[str, nn.Module] = {}
        self.constants: dict[str, Tensor] = {}

    def add(self, node: fx.Node) -> None:
        match node.op:
            case "placeholder":
                self.nodes.append(Node(node.name, "input", label="input"))
            case "get_attr":
                value = operator.attrgetter(str(node.target))(self.deploy)
                self._constant(node.name, value, str(node.target))
            case "call_module":
                self._module(node, self.deploy.get_submodule(str(node.target)))
            case "call_function":
                self._function(node, node.target, node.name)
            case "output":
                pass
            case _:
                raise _unknown(node)

    def _module(self, node: fx.Node, module: nn.Module) -> None:
        label = str(node.target)
        if isinstance(module, nn.Conv2d):
            _insist_plain(label, module)
            self._append(node, "conv", label)
            self.modules[node.name] = copy.deepcopy(module)
        elif isinstance(module, nn.PReLU):
            self._append(node, "prelu", label)
            self.modules[node.name] = copy.deepcopy(module)
        elif isinstance(module, DepthToSpace):
            self._append(node, "depth_to_space", label, block=module.scale)
        else:
            self._function(node, type(module), label)

    def _function(self, node: fx.Node, target: Any, label: str) -> None:
        if target in _SILU:
            source, gate = self._operand(node, node.args[0]), f"{node.name}_gate"
            self.nodes.append(Node(gate, "sigmoid", (source,), label=gate))
            self.nodes.append(Node(node.name, "mul", (source, gate), label=label))
        elif target in _POINTWISE:
            self._append(node, _POINTWISE[target], label)
        elif target in _ARITHMETIC:
            operands = tuple(self._operand(node, value) for value in node.args)
            self.nodes.append(Node(node.name, _ARITHMETIC[target], operands, label=label))
        else:
            raise _unknown(node)

    def _append(self, node: fx.Node, op: Op, label: str, block: int = 0) -> None:
        source = self._operand(node, node.args[0])
        self.nodes.append(Node(node.name, op, (source,), label=label, block=block))

    def _operand(self, node: fx.Node, value: Any) -> str:
        """Name of what a node reads; a number becomes a constant."""
        if isinstance(value, fx.Node):
            return value.name
        if not isinstance(value, int | float):
            raise _unknown(node)
        name = f"{node.name}_constant"
        self._constant(name, torch.tensor(float(value)).reshape(1, 1, 1, 1), name)
        return name

    def _constant(self, name: str, value: Tensor, label: str) -> None:
        self.nodes.append(Node(name, "constant", label=label))
        self.constants[name] = value.detach().clone()


def _insist_plain(label: str, conv: nn.Conv2d) -> None:
    """TFLite's SAME padding is torch's for odd kernels without stride or dilation."""
    same = all(2 * int(pad) == kernel - 1 for pad, kernel in zip(conv.padding, conv.kernel_size))  # type: ignore[call-overload] # noqa: B905
    if conv.stride != (1, 1) or conv.dilation != (1, 1) or conv.groups != 1 or not same:
        raise ConversionError(f"{label} can't be quantized: it is no conv that keeps the size")


def _unknown(node: fx.Node) -> ConversionError:
    target = getattr(node.target, "__name__", node.target)
    return ConversionError(
        f"the network can't be quantized: {target} has no quantized form here",
        hint="quantize/graph.py lists the operations that have one",
    )


def _fused(nodes: list[Node]) -> list[Node]:
    """A ReLU that alone reads the operation before it becomes a part of it."""
    reads: dict[str, int] = {}
    for node in nodes:
        for name in node.inputs:
            reads[name] = reads.get(name, 0) + 1
    made: dict[str, Node] = {}
    renamed: dict[str, str] = {}
    for node in nodes:
        inputs = tuple(renamed.get(name, name) for name in node.inputs)
        before = made.get(inputs[0]) if inputs else None
        if node.op == "relu" and before and before.op in _FUSES_RELU and reads[before.name] == 1:
            made[before.name] = replace(before, relu=True)
            renamed[node.name] = before.name
        else:
            made[node.name] = replace(node, inputs=inputs)
    return list(made.values())


POINTWISE: Mapping[Op, Callable[..., Tensor]] = {
    "relu": F.relu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
}
"""The operations that have no weights, on float tensors."""
