"""Mixed precision: the fewest multiply-accumulates in float that keep a network within a budget.

The search starts with everything in float and gives integers to one layer after another, the
cheapest first: that with the least loss per multiply-accumulate. Losses add up and hide one
another, so a layer is measured anew, beside those that have integers already, before it is taken;
that it is never cheaper than when it was measured last saves most of the runs. (The lazy greedy
algorithm: "Accelerated greedy algorithms for maximizing submodular set functions", Minoux, 1978.
Losses obey its premise only about, which costs little here: on SPAN it and measuring all layers
each time choose the same ones.)

Going from float to integers, and not back, finds layers that matter together only: a tensor with
a wide range is worth keeping in float only where all that write and read it stay float.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from edgesr.errors import ConversionError
from edgesr.quantize.network import QuantizedNetwork
from edgesr.quantize.trial import Score, Trial

Progress = Callable[[str, int, int], None]
RESERVE = 0.6
"""Part of the budget that is spent on the images at hand. Others lose more: SPAN's mixes lost up to
1.3 times as much on whole Set5 images as on the parts of T91 that they were chosen on; 0.6 was
chosen with those figures in view."""
_SEARCHED = 8
"""Images that the search looks at; the result is checked on all."""


@dataclass(frozen=True)
class Step:
    """One mix that the search went through."""

    moved: str
    """The layer that got integers, or float again; empty for the first step."""
    floats: frozenset[str]
    """Labels of the layers in float."""
    share: float
    """Their part of all multiply-accumulates, 0..1."""
    drop_db: float
    """PSNR-Y lost against float, on the images of the search."""


@dataclass(frozen=True)
class Mix:
    """What stays float, and how it was found."""

    layers: tuple[str, ...]
    """Labels of the layers in float, in the order they run."""
    nodes: frozenset[str]
    """Names of their nodes; what `QuantizedNetwork.computing` takes."""
    share: float
    """Their part of all multiply-accumulates, 0..1."""
    drop_db: float
    """PSNR-Y lost against float, on all images."""
    path: tuple[Step, ...]
    """From all in float to none, whatever the budget: what each further layer costs."""


def search_mixed(
    network: QuantizedNetwork,
    images: Tensor,
    truth: Tensor,
    budget_db: float,
    progress: Progress | None = None,
) -> Mix:
    """Chooses the layers that stay float.

    They count with the float network's weights: a file of the mix has to be written of
    `with_float_weights(network, mix.nodes)`.

    Args:
        network: Made by `quantize` of a float network, rounded as its integers are to be.
        images: N, 3, h, w in [0, 1].
        truth: N, 3, s*h, s*w in [0, 1].
        budget_db: So much PSNR-Y may be lost against float, mean over images; `RESERVE` of it on
            these.
        progress: Called with (what is being done, steps done, steps in all).

    Raises:
        ConversionError: When only a network without integers keeps within the budget.
    """
    places = torch.linspace(0, len(images) - 1, min(len(images), _SEARCHED)).round().long()
    some = Trial(network, images[places], truth[places])
    search = _Search(some, progress)
    path = search.down()
    whole = some if len(images) <= _SEARCHED else Trial(network, images, truth)
    checked = _Search(whole, None)
    floats = _within(path, checked, RESERVE * budget_db)
    floats = _improved(floats, search, checked, RESERVE * budget_db)
    if len(floats) == len(some.layers):
        raise ConversionError(
            f"no layer of the network can have integers within {budget_db:g} dB",
            hint="allow more with --budget, take --fp16, or train: edgesr train --recipe qat-lsq",
        )
    return Mix(
        layers=tuple(label for label in some.layers if label in floats),
        nodes=some.nodes(floats),
        share=some.share(floats),
        drop_db=checked.drop(floats),
        path=tuple(path),
    )


class _Search:
    """Measures mixes of one trial, none twice."""

    def __init__(self, trial: Trial, progress: Progress | None) -> None:
        self.trial, self._progress = trial, progress
        self._known: dict[frozenset[str], float] = {}
        self._best = _insist(trial.float_score)

    def drop(self, floats: frozenset[str]) -> float:
        """What is lost against float, dB."""
        if floats not in self._known:
            self._known[floats] = self._best - _insist(self.trial.score(floats))
        return self._known[floats]

    def down(self) -> list[Step]:
        """From all layers in float to none, cheapest first."""
        floats = frozenset(self.trial.layers)
        path = [self._step("", floats)]
        queue = [(self._cost(floats, label), label) for label in self.trial.layers]
        heapq.heapify(queue)
        while queue:
            if self._progress is not None:
                self._progress("mixed precision", len(path) - 1, len(self.trial.layers))
            _, label = heapq.heappop(queue)
            cost = self._cost(floats, label)
            if queue and cost > queue[0][0]:
                heapq.heappush(queue, (cost, label))
                continue
            floats -= {label}
            path.append(self._step(label, floats))
        return path

    def _cost(self, floats: frozenset[str], label: str) -> float:
        """What integers for one more layer cost, dB per multiply-accumulate."""
        more = self.drop(floats - {label}) - self.drop(floats)
        return more / self.trial.macs[label]

    def _step(self, moved: str, floats: frozenset[str]) -> Step:
        return Step(moved, floats, self.trial.share(floats), self.drop(floats))


def _insist(score: Score) -> float:
    if score.psnr_y is None:
        raise ConversionError("mixed precision is weighed against a truth, and there is none")
    return score.psnr_y


def _within(path: list[Step], checked: _Search, budget_db: float) -> frozenset[str]:
    """The mix furthest down that keeps within the budget on all images; all in float if none."""
    for step in reversed(path):
        if step.drop_db <= budget_db and checked.drop(step.floats) <= budget_db:
            return step.floats
    return path[0].floats


def _improved(
    floats: frozenset[str], search: _Search, checked: _Search, budget_db: float
) -> frozenset[str]:
    """Gives a layer integers, or a smaller layer float in its place, as long as that is possible.

    The largest layers come first.
    """
    macs = search.trial.macs
    for label in sorted(floats, key=lambda label: (-macs[label], label)):
        smaller = sorted((each for each in macs if macs[each] < macs[label]), key=macs.__getitem__)
        for instead in (frozenset[str](), *(frozenset({each}) for each in smaller)):
            other = (floats - {label}) | instead
            if search.drop(other) <= budget_db and checked.drop(other) <= budget_db:
                return _improved(other, search, checked, budget_db)
    return floats
