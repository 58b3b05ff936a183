"""One step of the optimiser: network, average, losses and, where asked for, a discriminator."""

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from edgesr.errors import ConfigError
from edgesr.models.registry import SRModel
from edgesr.quantize.network import QuantizedNetwork
from edgesr.train.adversarial import (
    UNetDiscriminator,
    discriminator_loss,
    frozen,
    generator_loss,
)
from edgesr.train.config import StageConfig, TrainConfig
from edgesr.train.losses import Sample, build_losses
from edgesr.train.patches import Batch
from edgesr.train.schedules import learning_rate

ADVERSARIAL = "adversarial"
QUANTIZER = "quantizer"
"""What metrics.csv calls a quantization method's own term."""


class DivergedError(Exception):
    """A gradient that is no number; what it belongs to was not changed by the step."""


class Optimisation:
    """Everything that a step changes.

    Args:
        accelerator: Where it runs and how processes are joined.
        stage: Losses and rates.
        model: The network, on the CPU.
        note: Told what was left out.

    Raises:
        EdgesrError: When a loss lacks a file or a teacher does not fit.
    """

    def __init__(
        self,
        accelerator: Accelerator,
        stage: StageConfig,
        model: SRModel,
        note: Callable[[str], None],
    ) -> None:
        self._accelerator = accelerator
        self._train = train = stage.train
        self._penalty = stage.quantize.penalty
        self._layout = torch.channels_last if train.channels_last else torch.contiguous_format
        self._losses = build_losses(train, stage.model.scale, note)
        for _, loss in self._losses.values():
            loss.to(accelerator.device)
        model.to(accelerator.device, memory_format=self._layout)  # type: ignore[call-overload]
        self.network = model
        self.average = AveragedModel(
            model,
            multi_avg_fn=get_ema_multi_avg_fn(train.ema),  # type: ignore[no-untyped-call]
        )
        self._model, self._optimizer = _prepared(accelerator, model, train, train.lr)
        self.discriminator: nn.Module | None = None
        if ADVERSARIAL in train.loss:
            self.discriminator = UNetDiscriminator(train.adversarial.features)
            self.discriminator.to(accelerator.device, memory_format=self._layout)  # type: ignore[call-overload]
            self._judge, self._judge_optimizer = _prepared(
                accelerator, self.discriminator, train, train.adversarial.lr
            )

    @property
    def averaged(self) -> SRModel:
        """The network with averaged weights: what is validated and saved."""
        model = self.average.module
        assert isinstance(model, SRModel)  # noqa: S101 - for the type checker
        return model

    def step(self, step: int, batches: Sequence[Batch]) -> dict[str, Tensor]:
        """Trains on the batches of one step.

        Args:
            step: Counted from 0 over the stage.
            batches: One for each accumulation.

        Returns:
            Mean of each loss before its weight, and ``total``; on the device.

        Raises:
            DivergedError: When a gradient is no number. Where it is the network's, nothing was
                changed; where it is the discriminator's, the network has made its step.
        """
        rate = learning_rate(self._train, step)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.zero_grad()
        found: list[dict[str, Tensor]] = []
        outputs: list[Tensor] = []
        for number, batch in enumerate(batches):
            with self._collecting(self._model, last=number + 1 == len(batches)):
                sr, losses = self._generate(step, batch)
                self._accelerator.backward(losses["total"] / len(batches))
            found.append({name: value.detach() for name, value in losses.items()})
            outputs.append(sr.detach())
        norm = self._accelerator.clip_grad_norm_(self._model.parameters(), self._train.clip_norm)
        if not torch.isfinite(norm):
            raise DivergedError
        self._optimizer.step()
        self.average.update_parameters(self.network)
        means = {name: torch.stack([each[name] for each in found]).mean() for name in found[0]}
        if self.discriminator is not None and step >= self._train.adversarial.start_step:
            means["discriminator"] = self._train_judge(outputs, batches)
        return means

    def _generate(self, step: int, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The network's output and every loss of it, ``total`` weighted."""
        sr = self._model(batch.lr.contiguous(memory_format=self._layout))
        sample = Sample(sr, batch.hr, batch.lr)
        losses = {name: loss(sample) for name, (_, loss) in self._losses.items()}
        weights = {name: weight for name, (weight, _) in self._losses.items()}
        if self.discriminator is not None and step >= self._train.adversarial.start_step:
            with frozen(self.discriminator):
                losses[ADVERSARIAL] = generator_loss(self.discriminator(sr))
            weights[ADVERSARIAL] = self._train.loss[ADVERSARIAL]
        penalty = self._quantizer_term()
        if penalty is not None:
            losses[QUANTIZER], weights[QUANTIZER] = penalty, self._penalty
        losses["total"] = torch.stack([weights[name] * losses[name] for name in losses]).sum()
        return sr, losses

    def _quantizer_term(self) -> Tensor | None:
        """What the network's quantization method adds to the loss, where it does."""
        network = self.network
        return network.penalty() if isinstance(network, QuantizedNetwork) else None

    def _train_judge(self, outputs: Sequence[Tensor], batches: Sequence[Batch]) -> Tensor:
        """One step of the discriminator; returns its mean loss."""
        self._judge_optimizer.zero_grad()
        found = []
        for number, (sr, batch) in enumerate(zip(outputs, batches, strict=True)):
            with self._collecting(self._judge, last=number + 1 == len(batches)):
                both = torch.cat([batch.hr, sr]).contiguous(memory_format=self._layout)
                real, fake = self._judge(both).chunk(2)
                loss = discriminator_loss(real, fake)
                self._accelerator.backward(loss / len(batches))
            found.append(loss.detach())
        norm = self._accelerator.clip_grad_norm_(self._judge.parameters(), math.inf)
        if not torch.isfinite(norm):
            raise DivergedError
        self._judge_optimizer.step()
        return torch.stack(found).mean()

    @contextlib.contextmanager
    def _collecting(self, model: nn.Module, *, last: bool) -> Iterator[None]:
        """Gradients are exchanged between processes in the last backward of a step only."""
        with contextlib.nullcontext() if last else self._accelerator.no_sync(model):
            yield

    def state(self) -> dict[str, Any]:
        """Everything but the network's own weights, as `load_state` takes it."""
        state = {
            "params_ema": {k: v.detach().cpu() for k, v in self.averaged.state_dict().items()},
            "averaged_steps": self.average.n_averaged,
            "optimizer": self._optimizer.state_dict(),
        }
        if self.discriminator is not None:
            state["discriminator"] = self.discriminator.state_dict()
            state["discriminator_optimizer"] = self._judge_optimizer.state_dict()
        return state

    def load_state(self, params: dict[str, Tensor], state: dict[str, Any]) -> None:
        """Puts a saved state back.

        Raises:
            ConfigError: When it is not of this network and these losses.
        """
        try:
            self.network.load_state_dict(params)
            self.averaged.load_state_dict(state["params_ema"])
            self.average.n_averaged.copy_(state["averaged_steps"])
            self._optimizer.load_state_dict(state["optimizer"])
            if self.discriminator is not None:
                self.discriminator.load_state_dict(state["discriminator"])
                self._judge_optimizer.load_state_dict(state["discriminator_optimizer"])
        except (KeyError, RuntimeError, ValueError) as error:
            raise ConfigError(
                f"the saved state is not of this network: {str(error).splitlines()[0]}",
                hint="start again with another --out",
            ) from error


def _prepared(
    accelerator: Accelerator, model: nn.Module, train: TrainConfig, rate: float
) -> tuple[nn.Module, Any]:
    """The model as processes share it, in the wanted precision, and its optimiser."""
    optimizer = torch.optim.Adam(model.parameters(), lr=rate, betas=train.betas, fused=True)
    called = torch.compile(model) if train.compile else model
    prepared: tuple[nn.Module, Any] = accelerator.prepare(called, optimizer)
    return prepared
