"""Losses by name; each maps (prediction, target), both N, 3, H, W in [0, 1], to a scalar."""

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional as F  # noqa: N812

Loss = Callable[[Tensor, Tensor], Tensor]

LOSSES: dict[str, Loss] = {"l1": F.l1_loss}
