"""GPTs that read the offline text letter by letter: as large as one likes, and judged on the same held-out text.

The text and its held-out last tenth are those of the first chapter, so that losses can be compared.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from nexttoken.lab import text
from nexttoken.lab.training import Plan, fit
from nexttoken.models import GPT, YOURS, Kernels, Shape
from nexttoken.transformer import cross_entropy

CONTEXT, BATCH = 64, 32


def split(share: float = 1.0) -> tuple[Int[Tensor, " time"], Int[Tensor, " time"]]:
    """The training text (its first `share`), and the held-out last tenth."""
    letters = text.encode(text.python_documentation())
    cut = len(letters) * 9 // 10
    return letters[: int(cut * share)], letters[cut:]


def shape(d_model: int, layers: int = 2) -> Shape:
    """A GPT of this width, with heads of 32 numbers, or of fewer where it is narrower."""
    return Shape(len(text.ALPHABET), CONTEXT, d_model, layers, heads=max(d_model // 32, 1))


def plan(steps: int, peak: float = 5e-3) -> Plan:
    """How these models are trained."""
    return Plan(steps=steps, batch=BATCH, peak=peak, warmup=50, weight_decay=0.1, betas=(0.9, 0.99))


def windows(ids: Int[Tensor, " time"], seed: int) -> Iterator[Int[Tensor, "batch time"]]:
    """Pieces of the text from places by chance, without end."""
    random = np.random.default_rng(seed)
    every = ids.unfold(0, CONTEXT + 1, 1)
    while True:
        yield every[torch.from_numpy(random.integers(len(every), size=BATCH))]


def train(
    ids: Int[Tensor, " time"],
    of: Shape,
    seed: int,
    steps: int,
    kernels: Kernels = YOURS,
    peak: float = 5e-3,
    look: Callable[[int, GPT], None] | None = None,
) -> tuple[GPT, list[float]]:
    """Train a GPT on a text; the model, and the loss of every step in nats."""
    model = GPT.drawn(of, seed, kernels)
    losses = fit(
        model.parameters(),
        windows(ids, seed),
        lambda read: cross_entropy(model(read[:, :-1]), read[:, 1:]),
        plan(steps, peak),
        label="letters",
        kernels=kernels,
        look=None if look is None else lambda step: look(step, model),
    )
    return model, losses


@torch.no_grad()
def bits(model: GPT, ids: Int[Tensor, " time"], known: int = CONTEXT // 2) -> float:
    """The mean surprise in bits at each letter that has at least `known` letters before it in its window.

    Windows overlap, so that every letter of the text counts once, the first `known` excepted.
    """
    step = CONTEXT - known
    rows = ids.unfold(0, CONTEXT + 1, step)
    losses: list[Tensor] = [
        cross_entropy(model(part[:, :-1])[:, known:], part[:, known + 1 :]) * len(part)
        for part in rows.split(64)
    ]
    total = torch.stack(losses).sum().item()
    return float(total / len(rows) / math.log(2))


@dataclass(frozen=True)
class Slope:
    """A straight line through points on paper with logarithms on both sides: y = factor * x ** power."""

    factor: float
    power: float

    @classmethod
    def through(cls, x: list[float], y: list[float]) -> "Slope":
        """By least squares of the logarithms."""
        power, factor = np.polyfit(np.log(x), np.log(y), 1)
        return cls(float(np.exp(factor)), float(power))

    def at(self, x: float) -> float:
        """The height of the line."""
        return float(self.factor * x**self.power)
