"""The network that is trained for 8 bits: a float deploy graph with a grid on every tensor."""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from edgesr.errors import ConversionError, InputError, UsageError
from edgesr.models.blocks import DepthToSpace
from edgesr.models.fold import fold
from edgesr.models.registry import ModelSpec, SRModel, StateDict, build_model
from edgesr.quantize.graph import POINTWISE, Node, OpGraph, read_operations
from edgesr.quantize.grid import (
    BIAS_LIMIT,
    PIXELS,
    SIGMOID,
    TANH,
    WEIGHT_LIMIT,
    Grid,
    per_channel,
    round_straight,
)
from edgesr.quantize.method import (
    ActivationQuantizer,
    FixedActivation,
    LargestWeights,
    Method,
    WeightQuantizer,
    find_method,
)
from edgesr.quantize.ranges import Finder, Observer, find_range

_PRESCRIBED = {"sigmoid": SIGMOID, "tanh": TANH}
_SHRINKS = 200
_LEAST_CONTRAST = 0.1


class QuantizedNetwork(SRModel):
    """What the phone's integer kernels compute, in float and with gradients.

    Runs the deploy graph operation by operation; every conv's weights, every bias and every
    tensor between two operations is rounded to the grid that the .tflite has. Input and output
    are images: their grid is 1/255 over [0, 1]. `float_nodes` are computed in float instead, as a
    file of mixed precision does; only what integer nodes read of them is rounded.

    Args:
        spec: Of the float network, with the method's name as ``quantizer``.
        deploy: The float network's folded graph; None builds one with fresh weights, to be
            overwritten by a saved state.

    Raises:
        ConversionError: When the graph holds an operation without a quantized form.
        UsageError: When no method has that name.
    """

    def __init__(self, spec: ModelSpec, deploy: nn.Module | None = None) -> None:
        nn.Module.__init__(self)
        self.method: Method = find_method(spec.quantizer)
        if deploy is None:
            plain = build_model(replace(spec, quantizer=""))
            deploy, spec = plain.deploy(), replace(plain.spec, quantizer=spec.quantizer)
        self.spec = spec
        self.operations: OpGraph = read_operations(deploy)
        self._last_reads = _last_reads(self.operations.nodes)
        self.float_nodes: frozenset[str] = frozenset()
        self.as_stored = False
        """Whether convs compute with what the .tflite holds: its integers, where the method's own
        levels differ from them, and half precision in float nodes."""
        modules = self.operations.modules
        self.kernels = nn.ModuleDict({name: copy.deepcopy(m) for name, m in modules.items()})
        for name, value in self.operations.constants.items():
            self.register_buffer(f"constant_{name}", value.clone())
            self.register_buffer(f"constant_{name}_scale", torch.tensor(1.0))
        self.weights = nn.ModuleDict(
            {
                name: self._weight_quantizer(kernel)
                for name, kernel in self.kernels.items()
                if isinstance(kernel, nn.Conv2d)
            }
        )
        self.activations = nn.ModuleDict(
            {node.name: self._activation_quantizer(node) for node in self._gridded()}
        )
        self._tap: Callable[[str, Tensor], None] | None = None

    # -- structure ------------------------------------------------------------------------------

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All operations in the order they run."""
        return self.operations.nodes

    def grid_owner(self, name: str) -> str:
        """The node whose grid a node's output has: moving pixels keeps values as they are."""
        node = self.node(name)
        return self.grid_owner(node.inputs[0]) if node.op == "depth_to_space" else name

    def node(self, name: str) -> Node:
        """The node of that name."""
        return next(node for node in self.nodes if node.name == name)

    def conv(self, name: str) -> nn.Conv2d:
        """The conv of a node."""
        return cast("nn.Conv2d", self.kernels[name])

    def is_trained(self, name: str) -> bool:
        """Whether a conv has weights of its own, unlike a skip of ones."""
        return (
            not isinstance(self.weights[name], LargestWeights)
            or self.conv(name).weight.requires_grad
        )

    def weight_quantizer(self, name: str) -> WeightQuantizer:
        """Of a conv's node."""
        return cast("WeightQuantizer", self.weights[name])

    def activation_quantizer(self, name: str) -> ActivationQuantizer:
        """Of a node's output."""
        return cast("ActivationQuantizer", self.activations[self.grid_owner(name)])

    def _gridded(self) -> Iterator[Node]:
        """Nodes whose output has a grid of its own."""
        return (n for n in self.nodes if n.op not in ("constant", "depth_to_space"))

    def _weight_quantizer(self, conv: nn.Conv2d) -> WeightQuantizer:
        """A conv that is not trained, such as a skip of ones, keeps an exact grid."""
        trained = conv.weight.requires_grad
        return self.method.weights(conv) if trained else LargestWeights(conv)

    def _activation_quantizer(self, node: Node) -> ActivationQuantizer:
        image = node.op == "input" or node.name == self.grid_owner(self.nodes[-1].name)
        if image or node.op in _PRESCRIBED:
            return FixedActivation(PIXELS if image else _PRESCRIBED[node.op])
        return self.method.activations()

    # -- running --------------------------------------------------------------------------------

    def forward(self, x: Tensor) -> Tensor:
        """Maps N, 3, H, W to N, 3, s*H, s*W in [0, 1], every value a whole number of 255ths."""
        return self.run(x, self.nodes[-1].name)

    def run(self, x: Tensor, last: str) -> Tensor:
        """The output of one node; those after it are not computed."""
        found: dict[str, Tensor] = {}
        for node in self.nodes:
            is_float = node.name in self.float_nodes
            inputs = [self._seen(name, found, is_float=is_float) for name in node.inputs]
            if node.op == "input":
                value = x
            elif node.op == "constant":
                value = self._constant(node.name, is_float=is_float)
            else:
                value = self._float(node, inputs) if is_float else self._integer(node, inputs)
            if self._tap and node.name in self.activations:
                self._tap(node.name, value)
            rounds = not is_float and node.name in self.activations
            found[node.name] = self.activations[node.name](value) if rounds else value
            if node.name == last:
                return found[last]
            for name in self._last_reads[node.name]:  # or all would be held until the end
                del found[name]
        raise ConversionError(f"the network has no node {last!r}")

    def _seen(self, name: str, found: Mapping[str, Tensor], *, is_float: bool) -> Tensor:
        """A node's output as its reader sees it: an integer reader of a float tensor rounds it."""
        value = found[name]
        if is_float or name not in self.float_nodes or self.node(name).op == "constant":
            return value
        rounded: Tensor = self.activation_quantizer(name)(value)
        return rounded

    def _float(self, node: Node, inputs: list[Tensor]) -> Tensor:
        if node.op == "conv":
            conv = self.conv(node.name)
            weight, bias = conv.weight, conv.bias
            if self.as_stored:
                weight, bias = weight.half().float(), None if bias is None else bias.half().float()
            return self._activated(node, self._convolved(conv, inputs[0], weight, bias))
        if node.op == "prelu":
            return F.prelu(inputs[0], cast("Tensor", self.kernels[node.name].weight))
        return self._pointwise(node, inputs)

    def _integer(self, node: Node, inputs: list[Tensor]) -> Tensor:
        if node.op == "conv":
            return self._activated(node, self._integer_conv(node, inputs[0]))
        if node.op == "prelu":
            return F.prelu(inputs[0], self.rounded_slopes(node.name))
        return self._pointwise(node, inputs)

    def _integer_conv(self, node: Node, x: Tensor) -> Tensor:
        conv, quantizer = self.conv(node.name), self.weight_quantizer(node.name)
        weight = conv.weight
        if self.as_stored:
            scale = quantizer.scale(weight)
            rounded = quantizer.integers(weight) * per_channel(scale)
        else:
            rounded, scale = quantizer(weight), quantizer.scale(weight)
        bias = conv.bias
        if bias is not None:
            step = (scale * self.activation_quantizer(node.inputs[0]).grid().scale).detach()
            bias = round_straight(bias / step) * step
        return self._convolved(conv, x, rounded, bias)

    def _convolved(self, conv: nn.Conv2d, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return F.conv2d(x, weight, bias, padding=conv.padding)

    def _activated(self, node: Node, x: Tensor) -> Tensor:
        return F.relu(x) if node.relu else x

    def _pointwise(self, node: Node, inputs: list[Tensor]) -> Tensor:
        if node.op == "depth_to_space":
            moved: Tensor = DepthToSpace(node.block)(inputs[0])
            return moved
        return self._activated(node, POINTWISE[node.op](*inputs))

    def _constant(self, name: str, *, is_float: bool) -> Tensor:
        value = self.constant(name)
        return value if is_float else self.constant_integers(name) * self.constant_scale(name)

    # -- what the file stores -------------------------------------------------------------------

    def constant(self, name: str) -> Tensor:
        """A constant's values, 1, C, 1, 1."""
        return cast("Tensor", getattr(self, f"constant_{name}"))

    def constant_scale(self, name: str) -> Tensor:
        """Its scale, a scalar; the zero point is 0."""
        return cast("Tensor", getattr(self, f"constant_{name}_scale"))

    def constant_integers(self, name: str) -> Tensor:
        """Whole numbers in [-127, 127], as floats."""
        rounded = torch.round(self.constant(name) / self.constant_scale(name))
        return rounded.clamp(-WEIGHT_LIMIT, WEIGHT_LIMIT)

    def slopes(self, name: str) -> Tensor:
        """A PReLU's slopes, (C)."""
        return cast("Tensor", self.kernels[name].weight)

    def slope_scale(self, name: str) -> Tensor:
        """The one scale that TFLite gives them, a scalar; the zero point is 0."""
        return self.slopes(name).detach().abs().amax().clamp(min=1e-9) / WEIGHT_LIMIT

    def rounded_slopes(self, name: str) -> Tensor:
        """Slopes on their grid; the gradient passes."""
        slopes, scale = self.slopes(name), self.slope_scale(name)
        return round_straight(slopes / scale) * scale

    def bias_integers(self, name: str) -> Tensor:
        """int32 values of a conv's bias, (O), as float64; zeros where it has none.

        Raises:
            ConversionError: When one does not fit.
        """
        conv = self.conv(name)
        if conv.bias is None:
            return torch.zeros(conv.out_channels, dtype=torch.float64)
        step = self.bias_scale(name)
        integers = torch.round(conv.bias.detach() / step).double()
        if float(integers.abs().max()) > BIAS_LIMIT:
            raise ConversionError(
                f"the bias of {self.node(name).label} does not fit into 32 bits: its channel's "
                "weights are too small beside it"
            )
        return integers

    def bias_scale(self, name: str) -> Tensor:
        """Scale of a conv's bias, (O): that of its input times that of its weights."""
        weight = self.conv(name).weight.detach()
        source = self.activation_quantizer(self.node(name).inputs[0]).grid()
        return self.weight_quantizer(name).scale(weight).detach() * source.scale

    def grids(self) -> dict[str, Grid]:
        """The grid of every activation by node."""
        return {name: self.activation_quantizer(name).grid() for name in self.activations}

    @contextmanager
    def computing(self, *, floats: frozenset[str], as_stored: bool = False) -> Iterator[None]:
        """For a while certain nodes are computed in float, and `as_stored` is set."""
        before = self.float_nodes, self.as_stored
        self.float_nodes, self.as_stored = floats, as_stored
        try:
            yield
        finally:
            self.float_nodes, self.as_stored = before

    # -- calibration ----------------------------------------------------------------------------

    @torch.no_grad()
    def calibrate(self, images: Tensor, finder: Finder) -> None:
        """Sets every range from what the float network shows on images N, 3, H, W."""
        observer = Observer(len(images))
        every = frozenset(node.name for node in self.nodes)
        self._tap = observer.add
        try:
            with self.computing(floats=every):
                for image in images:
                    self(image[None])
        finally:
            self._tap = None
        for name, seen in observer.observed().items():
            self.activation_quantizer(name).calibrate(*find_range(seen, finder))
        for name in self.weights:
            weight = self.conv(name).weight
            weight.copy_(self.weight_quantizer(name).calibrate(weight.detach().clone()))
        for name in self.operations.constants:
            self.constant_scale(name).copy_(_constant_scale(self.constant(name)))

    def seen_by(self, node: Node, images: Tensor) -> Iterator[Tensor]:
        """What a node reads first, image by image of N, 3, H, W: 1, C, H, W each."""
        source, is_float = node.inputs[0], node.name in self.float_nodes
        for image in images:
            value = self.run(image[None], source)
            yield self._seen(source, {source: value}, is_float=is_float)

    def penalty(self) -> Tensor | None:
        """The sum of the terms of the loss that the method has; None where it has none."""
        quantizers = (cast("ActivationQuantizer", each) for each in self.activations.values())
        terms = [term for term in (each.penalty() for each in quantizers) if term is not None]
        return torch.stack(terms).sum() if terms else None

    # -- as any other network -------------------------------------------------------------------

    def deploy(self) -> nn.Module:
        """A copy in eval mode: the graph is a deploy graph already."""
        return copy.deepcopy(self).eval()

    def float_graph(self) -> nn.Module:
        """A copy that computes in float with the weights as they are stored."""
        twin = copy.deepcopy(self).eval()
        twin.float_nodes = frozenset(node.name for node in self.nodes)
        return twin

    def start_at_interpolation(self) -> None:
        """Refused: a quantized network starts from a float one.

        Raises:
            UsageError: Always.
        """
        raise UsageError(
            "quantization-aware training starts from a float network",
            hint="name its checkpoint in model.weights",
        )

    @classmethod
    def detect(cls, state: StateDict) -> ModelSpec | None:
        """None: a state dict does not tell the method."""
        del state
        return None


def _last_reads(nodes: Sequence[Node]) -> dict[str, tuple[str, ...]]:
    """By node: what no node after it reads."""
    last = {name: node.name for node in nodes for name in node.inputs}
    return {node.name: tuple(n for n, at in last.items() if at == node.name) for node in nodes}


def quantize(
    model: SRModel, method: str, images: Tensor, finder: Finder = "mse"
) -> QuantizedNetwork:
    """Makes the network to train of a float one.

    Args:
        model: The float network; it is not changed.
        method: Name of a method.
        images: N, 3, H, W in [0, 1], like those of the application.
        finder: How the ranges are taken from them.

    Returns:
        A network in train mode whose parameters are all calibrated.

    Raises:
        UsageError: When there is no such method, or the network is quantized already.
        ConversionError: When the network can't be quantized.
        InputError: When the images show nothing.
    """
    if model.spec.quantizer:
        raise UsageError(f"the network is quantized already, by {model.spec.quantizer}")
    if not torch.isfinite(images).all():
        raise ConversionError("the calibration images hold values that are no numbers")
    if float(images.amax() - images.amin()) < _LEAST_CONTRAST:
        raise InputError(
            "the calibration images are all of one colour, which tells no range",
            hint="give images like those that will be enlarged",
        )
    network = QuantizedNetwork(replace(model.spec, quantizer=method), fold(model))
    network.eval()  # a running range must not follow the images that it is calibrated on
    network.calibrate(images, finder)
    if network.method.prepare:
        network.method.prepare(network, images)
    return network.train()


def _constant_scale(values: Tensor) -> Tensor:
    """The scale at which a few values are closest to whole numbers: the least squared error."""
    top = values.abs().amax().clamp(min=1e-9)
    scales = top / torch.linspace(WEIGHT_LIMIT / 2, WEIGHT_LIMIT, _SHRINKS)
    flat = values.reshape(1, -1)
    rounded = torch.round(flat / scales[:, None]).clamp(-WEIGHT_LIMIT, WEIGHT_LIMIT)
    errors = (rounded * scales[:, None] - flat).square().sum(dim=1)
    return scales[errors.argmin()]
