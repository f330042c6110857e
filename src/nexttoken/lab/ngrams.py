"""n-gram models, by counting: what every later model of the course has to beat.

A context that was seen often speaks for itself. One that was seen rarely asks the context that is
one token shorter, which may ask the next, down to no context at all, and at last to "all tokens
alike". With $c$ the last $n$ tokens, $c'$ the last $n - 1$, and $N$ for "how often seen":

$$p_n(j \\mid c) = \\frac{N(c, j) + s_n \\, p_{n-1}(j \\mid c')}{N(c) + s_n}$$

The strength $s_n$ counts the opinion of the shorter context as so many sightings. It is chosen on
a part of the training text that was kept aside.

Source: MacKay and Peto 1995, *A hierarchical Dirichlet language model*.
"""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

CANDIDATES = (0.5, 1, 2, 4, 8, 16, 32, 64)  # strengths that are tried


@dataclass(frozen=True)
class Counts:
    """How often each window of tokens was seen."""

    vocab_size: int
    windows: NDArray[np.int64]  # as numbers whose digits, in base vocab_size, are the tokens; sorted
    times: NDArray[np.int64]

    @classmethod
    def of(cls, windows: Int[Tensor, "windows width"], vocab_size: int) -> Self:
        """Count equal windows."""
        return cls(vocab_size, *np.unique(_as_numbers(windows, vocab_size), return_counts=True))

    def look_up(self, windows: Int[Tensor, "windows width"]) -> NDArray[np.int64]:
        """How often each of these was seen: 0 for those that were not."""
        wanted = _as_numbers(windows, self.vocab_size)
        place = np.searchsorted(self.windows, wanted).clip(max=len(self.windows) - 1)
        return np.where(self.windows[place] == wanted, self.times[place], 0)


def _as_numbers(windows: Int[Tensor, "windows width"], vocab_size: int) -> NDArray[np.int64]:
    # In NumPy, on one core: torch would share out such small work, and wait for the cores that are busy.
    place_values = vocab_size ** np.arange(windows.shape[-1], dtype=np.int64)[::-1]
    return windows.numpy() @ place_values


@dataclass(frozen=True)
class NGram:
    """Counts of a text, and how far each order trusts the order below it."""

    vocab_size: int
    strengths: tuple[float, ...]  # in sightings, for the orders 0, 1, 2 ...
    seen: tuple[tuple[Counts, Counts], ...]  # by order: of (context and token), of (context)

    @property
    def order(self) -> int:
        """How many tokens the model looks back."""
        return len(self.strengths) - 1

    def shortened(self, order: int) -> Self:
        """The same model, looking back `order` tokens at most."""
        return type(self)(self.vocab_size, self.strengths[: order + 1], self.seen[: order + 1])

    def probabilities(self, windows: Int[Tensor, "windows width"]) -> Float[Tensor, " windows"]:
        """Of the last token of each window, given those before it: `order` of them at most."""
        last = windows.shape[-1] - 1
        result = np.full(len(windows), 1 / self.vocab_size)
        for back, strength, (together, contexts) in zip(
            range(last + 1), self.strengths, self.seen, strict=False
        ):
            window = windows[:, last - back :]
            mass = contexts.look_up(window[:, :-1]) + strength
            known = mass > 0
            mixed = (together.look_up(window) + strength * result) / np.where(known, mass, 1)
            result = np.where(known, mixed, result)
        return torch.from_numpy(result)

    def next_logits(self, ids: Int[Tensor, " time"]) -> Float[Tensor, " vocab"]:
        """The log-probabilities of all tokens after these: what `generate` asks for."""
        context = ids[max(len(ids) - self.order, 0) :].expand(self.vocab_size, -1)
        every_token = torch.arange(self.vocab_size).unsqueeze(-1)
        return self.probabilities(torch.cat([context, every_token], dim=-1)).log()

    def log_probabilities(self, ids: Int[Tensor, " time"]) -> Float[Tensor, " tokens"]:
        """In nats, of every token that has `order` tokens before it, given those."""
        return self.probabilities(ids.unfold(0, self.order + 1, 1)).log()

    def bits_per_token(self, ids: Int[Tensor, " time"]) -> float:
        """The mean surprise at a text: its cross-entropy, which no model can bring below the entropy."""
        return -self.log_probabilities(ids).mean().item() / math.log(2)


def count(ids: Int[Tensor, " time"], vocab_size: int, strengths: tuple[float, ...]) -> NGram:
    """The n-gram model of a text, of order `len(strengths) - 1`.

    >>> model = count(torch.tensor([0, 1, 0, 1, 0]), vocab_size=2, strengths=(0.0, 1.0))
    >>> model.next_logits(torch.tensor([0])).exp()  # 1 followed 0 twice; one more sighting is shared 3 : 2
    tensor([0.2000, 0.8000], dtype=torch.float64)
    """
    if vocab_size ** len(strengths) >= 2**63:
        raise ValueError(f"windows of {len(strengths)} tokens out of {vocab_size} do not fit into 64 bits")
    seen = []
    for width in range(1, len(strengths) + 1):
        windows = ids.unfold(0, width, 1)
        seen.append((Counts.of(windows, vocab_size), Counts.of(windows[:, :-1], vocab_size)))
    return NGram(vocab_size, strengths, tuple(seen))


def fit(ids: Int[Tensor, " time"], vocab_size: int, order: int) -> NGram:
    """Count a text, with the strengths that best predict its last tenth from the rest of it."""
    cut = len(ids) * 9 // 10
    trial = count(ids[:cut], vocab_size, (0.0,) * (order + 1))
    strengths: tuple[float, ...] = ()
    for _ in range(order + 1):
        choices = [NGram(vocab_size, (*strengths, s), trial.seen[: len(strengths) + 1]) for s in CANDIDATES]
        strengths = min(choices, key=lambda model: model.bits_per_token(ids[cut:])).strengths
    return count(ids, vocab_size, strengths)
