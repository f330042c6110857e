"""The training loop that all stages share: schedule, gradient, clipping, AdamW.

All four are exercises of the chapter on the transformer. A model with `READY_MADE` kernels is trained by
torch's own optimiser: the same steps, sooner.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

from nexttoken.exercise import settled
from nexttoken.lab import progress
from nexttoken.models import READY_MADE, YOURS, Kernels
from nexttoken.transformer import adamw_update, clip_gradients, learning_rate

Batch = TypeVar("Batch")


@dataclass(frozen=True)
class Plan:
    """How long to train, and with which steps."""

    steps: int
    batch: int  # examples in a step
    peak: float  # learning rate at the end of the warm-up
    warmup: int = 20  # steps
    floor: float = 0.1  # share of the peak that the cosine ends at
    weight_decay: float = 0.0  # of matrices; gains and biases are left alone
    betas: tuple[float, float] = (0.9, 0.95)
    max_norm: float = 1.0  # of all gradients together

    def rate(self, step: int) -> float:
        """The learning rate of a step, counted from 0; the first one moves already."""
        return learning_rate(
            step + 1, self.peak, self.warmup, max(self.steps, self.warmup), self.floor * self.peak
        )


class Optimiser:
    """AdamW on the parameters that are to be learned, with clipped gradients."""

    def __init__(self, parameters: Iterable[nn.Parameter], plan: Plan, kernels: Kernels = YOURS) -> None:
        self.plan, self.steps_done = plan, 0
        self.parameters = [p for p in parameters if p.requires_grad]
        self.decays = [plan.weight_decay if p.ndim >= 2 else 0.0 for p in self.parameters]
        self.ready_made: torch.optim.AdamW | None = None
        if kernels == READY_MADE:
            groups = [
                {
                    "params": [p for p, w in zip(self.parameters, self.decays, strict=True) if w == decay],
                    "weight_decay": decay,
                }
                for decay in sorted(set(self.decays))
            ]
            self.ready_made = torch.optim.AdamW(groups, betas=plan.betas, fused=True)
        else:
            self.means = [torch.zeros_like(p) for p in self.parameters]
            self.squares = [torch.zeros_like(p) for p in self.parameters]

    def step(self, loss: Tensor, rate: float | None = None) -> float:
        """One step downhill. The rate is the plan's for this step, unless another one is given."""
        rate = self.plan.rate(self.steps_done) if rate is None else rate
        self.steps_done += 1
        gradients = torch.autograd.grad(loss, self.parameters)
        if self.ready_made is not None:
            for parameter, gradient in zip(self.parameters, gradients, strict=True):
                parameter.grad = gradient
            nn.utils.clip_grad_norm_(self.parameters, self.plan.max_norm)
            for group in self.ready_made.param_groups:
                group["lr"] = rate
            self.ready_made.step()
        else:
            self.descend(list(gradients), rate)
        return loss.item()

    @torch.no_grad()
    def descend(self, gradients: list[Tensor], rate: float) -> None:
        """Clip, and let AdamW move every parameter, with the exercises' functions."""
        clipped = clip_gradients(gradients, self.plan.max_norm)
        for i, (parameter, gradient) in enumerate(zip(self.parameters, clipped, strict=True)):
            moved, self.means[i], self.squares[i] = adamw_update(
                parameter,
                gradient,
                self.means[i],
                self.squares[i],
                self.steps_done,
                rate,
                self.plan.betas,
                weight_decay=self.decays[i],
            )
            parameter.copy_(moved)


def fit(
    parameters: Iterable[nn.Parameter],
    batches: Iterator[Batch],
    loss_of: Callable[[Batch], Tensor],
    plan: Plan,
    *,
    label: str,
    kernels: Kernels = YOURS,
    look: Callable[[int], None] | None = None,
) -> list[float]:
    """Train for `plan.steps` batches; the loss of each. `look(step)` is called before every step."""
    optimiser, losses = Optimiser(parameters, plan, kernels), []
    with settled():
        for step in progress.steps(plan.steps, label):
            if look is not None:
                look(step)
            losses.append(optimiser.step(loss_of(next(batches))))
    return losses
