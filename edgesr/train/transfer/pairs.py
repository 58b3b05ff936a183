"""Which layer and which channels of the source a layer of the student comes from."""

from collections.abc import Mapping, Sequence
from typing import cast

import torch
from torch import nn

from edgesr.models.layers import PIXELS, RGB, Layer, read_kernel, write_kernel
from edgesr.models.registry import SRModel

Chosen = Mapping[str, Sequence[int]]
"""By group of the source: its channels that the student has, ascending."""


def counterparts(
    source: SRModel, student: SRModel, *, repeat: bool = False
) -> dict[str, Layer | None]:
    """The source's layer for every layer of the student, by the student's name.

    Args:
        source: The trained network.
        student: Of the same architecture, with any number of units.
        repeat: Units that the source does not have repeat the one before; else their layers have
            no counterpart. Units that the student does not have are left out evenly, the last is
            kept.
    """
    ours, theirs = student.layers(), source.layers()
    units = _units(_count(theirs), _count(ours), repeat=repeat)
    single = iter([layer for layer in theirs if layer.unit is None])
    found: dict[str, Layer | None] = {}
    places: dict[int, int] = {}
    for layer in ours:
        if layer.unit is None:
            found[layer.name] = next(single)
            continue
        place = places.get(layer.unit, 0)
        places[layer.unit] = place + 1
        twin = units[layer.unit]
        alike = [other for other in theirs if other.unit == twin]
        found[layer.name] = None if twin is None else alike[place]
    return found


def _count(layers: Sequence[Layer]) -> int:
    return 1 + max((layer.unit for layer in layers if layer.unit is not None), default=-1)


def _units(source: int, student: int, *, repeat: bool) -> list[int | None]:
    """The source's unit for every unit of the student."""
    if student <= source:
        return [(2 * (unit + 1) * source + student) // (2 * student) - 1 for unit in range(student)]
    spread = [unit * source // student for unit in range(student)]
    return [
        twin if repeat or unit == 0 or spread[unit - 1] != twin else None
        for unit, twin in enumerate(spread)
    ]


def widths(model: SRModel) -> dict[str, int]:
    """Channels of every group."""
    found = {RGB: 3}
    for layer in model.layers():
        found[layer.writes] = len(read_kernel(model.get_submodule(layer.name))[1])
    return found


def wanted_widths(
    pairs: Mapping[str, Layer | None], source: SRModel, student: SRModel
) -> dict[str, int]:
    """By group of the source: how many of its channels the student can take."""
    have, room = widths(source), widths(student)
    found = {RGB: 3, PIXELS: have[PIXELS]}
    for layer in student.layers():
        twin = pairs[layer.name]
        if twin is not None and twin.writes != PIXELS:
            found[twin.writes] = min(have[twin.writes], room[layer.writes])
    return found


def take_conv(source: SRModel, theirs: Layer, student: SRModel, ours: Layer) -> None:
    """Takes a conv of the same size over, with its branches where both have some."""
    conv, twin = student.get_submodule(ours.name), source.get_submodule(theirs.name)
    if type(conv) is type(twin):
        conv.load_state_dict(twin.state_dict())
    else:
        write_kernel(conv, *read_kernel(twin))


def take_slopes(
    source: SRModel, theirs: Layer, student: SRModel, ours: Layer, channels: Sequence[int]
) -> None:
    """Takes the slopes of a PReLU over, if there is one; one that is shared stays shared."""
    if not ours.slopes:
        return
    slopes = cast("nn.PReLU", student.get_submodule(ours.slopes)).weight
    given = cast("nn.PReLU", source.get_submodule(theirs.slopes)).weight
    with torch.no_grad():
        if len(given) == 1:
            slopes.copy_(given)
        else:
            slopes[: len(channels)] = given[list(channels)]
