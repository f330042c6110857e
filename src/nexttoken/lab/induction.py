"""Induction: a model of nothing but attention learns to copy what came after, the last time.

The texts are random words, repeated at a random distance. Every step of the model is an exercise of
the chapter on queries, keys and values; so it is trained with your functions where you finished them.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from nexttoken.attention import causal_mask, masked_softmax
from nexttoken.lab.for_the_page import Carried
from nexttoken.lab.inputs import Inputs
from nexttoken.qkv import merge_heads, project_qkv, rotate, scaled_dot_product_attention, split_heads

WORDS = (
    "hare mole owl fox pup toad wren stoat moth crow newt vole "
    "cup hat key drum boat soup lamp coat ring fence tree roof "
    "red old wet sad sweet big small late"
).split()
WIDTH, HEADS = 32, 2
TIME = 32  # tokens that the model reads
BASE = 30.0  # of the rotation: texts are short, so no pair of numbers needs to turn very slowly
DISTANCES = (8, 16)  # after how many tokens a text repeats itself: from, to
BATCH, STEPS, LEARNING_RATE = 24, 320, 1e-2
LOOK = 20  # after so many steps the model is examined


@dataclass(frozen=True)
class Texts:
    """Random tokens that repeat: token t is the same as token t - distance."""

    ids: Int[Tensor, "batch longer"]  # TIME tokens to read, and one more to guess
    distances: Int[Tensor, " batch"]

    @property
    def repeats(self) -> Tensor:
        """Where the next token can be known: it follows a token that was read before."""
        return torch.arange(self.ids.shape[-1] - 1) >= self.distances.unsqueeze(-1)


def texts(count: int, random: np.random.Generator, time: int = TIME) -> Texts:
    """Each text repeats its first 8 to 16 random tokens until it is long enough."""
    low, high = DISTANCES
    distances = random.integers(low, high + 1, size=(count, 1))
    beginnings = random.integers(len(WORDS), size=(count, high))
    ids = np.take_along_axis(beginnings, np.arange(time + 1) % distances, axis=1)
    return Texts(torch.from_numpy(ids), torch.from_numpy(distances.squeeze(1)))


class Layer(nn.Module):
    """Multi-head attention with rotary positions, added to what was there."""

    def __init__(self, draw: Inputs) -> None:
        super().__init__()
        scale = 0.5 * WIDTH**-0.5
        matrices = [draw.normal(WIDTH, WIDTH, scale=scale).float() for _ in range(4)]
        self.w_query, self.w_key, self.w_value, self.w_out = map(nn.Parameter, matrices)

    def heads(self, x: Float[Tensor, "batch time width"]) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values by head; the first two know their places."""
        queries, keys, values = (
            split_heads(part, HEADS) for part in project_qkv(x, self.w_query, self.w_key, self.w_value)
        )
        places = torch.arange(x.shape[-2])
        return rotate(queries, places, BASE), rotate(keys, places, BASE), values

    def forward(self, x: Tensor, silent: Collection[int] = ()) -> Tensor:
        queries, keys, values = self.heads(x)
        mixed = scaled_dot_product_attention(queries, keys, values, causal_mask(x.shape[-2]))
        if silent:
            mixed = mixed.index_fill(-3, torch.tensor(list(silent)), 0.0)
        return x + merge_heads(mixed) @ self.w_out

    def weights(self, x: Tensor) -> Float[Tensor, "batch heads time time"]:
        """Who looks at whom, in each head."""
        queries, keys, _ = self.heads(x)
        scores = queries @ keys.transpose(-2, -1) * keys.shape[-1] ** -0.5
        return masked_softmax(scores, causal_mask(x.shape[-2]))


class AttentionOnly(nn.Module):
    """Words to vectors, layers of attention, vectors to logits; nothing else."""

    def __init__(self, layers: int, seed: int) -> None:
        super().__init__()
        draw = Inputs(seed)
        self.embedding = nn.Parameter(draw.normal(len(WORDS), WIDTH, scale=0.5).float())
        self.layers = nn.ModuleList(Layer(draw) for _ in range(layers))
        scale = 0.5 * WIDTH**-0.5
        self.unembedding = nn.Parameter(draw.normal(WIDTH, len(WORDS), scale=scale).float())

    def forward(self, ids: Int[Tensor, "batch time"], silent: Collection[tuple[int, int]] = ()) -> Tensor:
        """Logits of the next token everywhere. `silent` heads, as (layer, head) from 0, say nothing."""
        x = self.embedding[ids]
        for number, layer in enumerate(self.layers):
            x = layer(x, [head for of, head in silent if of == number])
        return x @ self.unembedding

    @torch.no_grad()
    def attention(self, ids: Int[Tensor, "batch time"]) -> Float[Tensor, "layers batch heads time time"]:
        """The weights of every head in every layer."""
        x, found = self.embedding[ids], []
        for layer in self.layers:
            found.append(cast(Layer, layer).weights(x))
            x = layer(x)
        return torch.stack(found)


@dataclass
class Report:
    """What was seen during training, every LOOK steps, on texts that were not trained on."""

    steps: list[int] = field(default_factory=list)
    new: list[float] = field(default_factory=list)  # loss in nats where the next token cannot be known
    repeated: list[float] = field(default_factory=list)  # and where it can
    induction: list[float] = field(default_factory=list)  # score of the head that has most of it
    previous: list[float] = field(default_factory=list)

    def look(self, step: int, model: AttentionOnly, unseen: Texts) -> None:
        """Examine the model."""
        surprise = losses(model, unseen)
        self.steps.append(step)
        self.new.append(surprise[~unseen.repeats].mean().item())
        self.repeated.append(surprise[unseen.repeats].mean().item())
        maps = model.attention(unseen.ids[:, :-1])
        self.induction.append(induction_scores(maps, unseen).max().item())
        self.previous.append(previous_scores(maps).max().item())


def train(layers: int, seed: int, steps: int = STEPS) -> tuple[AttentionOnly, Report]:
    """Train on ever new texts."""
    model, random, report = AttentionOnly(layers, seed), np.random.default_rng(seed), Report()
    unseen = texts(64, np.random.default_rng(1_000_000 + seed))
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.98))
    for step in range(steps):
        if step % LOOK == 0:
            report.look(step, model, unseen)
        ids = texts(BATCH, random).ids
        loss = functional.cross_entropy(model(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    report.look(steps, model, unseen)
    return model, report


@torch.no_grad()
def losses(
    model: AttentionOnly, of: Texts, silent: Collection[tuple[int, int]] = ()
) -> Float[Tensor, "batch time"]:
    """The surprise at each token that comes next, in nats."""
    logits = model(of.ids[:, :-1], silent)
    return functional.cross_entropy(logits.transpose(1, 2), of.ids[:, 1:], reduction="none")


def induction_scores(maps: Float[Tensor, "layers batch heads time time"], of: Texts) -> Tensor:
    """For each layer and head: how much it looks at what came *after* the last sight of its own token."""
    after = (torch.arange(maps.shape[-1]) - of.distances.unsqueeze(-1) + 1).clamp(min=0)
    there = maps.gather(-1, after[:, None, :, None].expand(*maps.shape[:-1], 1)).squeeze(-1)
    return (there * of.repeats.unsqueeze(1)).sum(dim=(1, 3)) / of.repeats.sum()


def previous_scores(maps: Float[Tensor, "layers batch heads time time"]) -> Float[Tensor, "layers heads"]:
    """For each layer and head: how much it looks at the token just before."""
    return maps.diagonal(offset=-1, dim1=-2, dim2=-1).mean(dim=(1, 3))


def encode(words: str) -> Int[Tensor, " time"]:
    """Ids of words that are separated by spaces.

    >>> encode("hare late")
    tensor([ 0, 31])
    """
    return torch.tensor([WORDS.index(word) for word in words.split()])


EXAMPLES = (
    "hare big hat owl wet drum moth red key hare big hat owl wet drum moth red key",
    "fox late lamp toad sad soup wren old ring crow cup fox late lamp toad sad soup wren old ring crow",
    "vole tree boat stoat roof cup pup coat sweet fence newt small mole drum owl",
    "hare red hat mole wet cup toad old boat crow hare sad hat mole wet cup toad old boat crow",
)


class ForThePage(Carried):
    """A model that a page carries to the figure of `book/_static/live/attention.js`."""

    def __init__(self, model: AttentionOnly) -> None:
        carried = {name: _rounded(part) for name, part in model.state_dict().items()}
        layers = [
            {name: carried[f"layers.{number}.{name}"] for name in ("w_query", "w_key", "w_value", "w_out")}
            for number in range(len(model.layers))
        ]
        about = {"words": WORDS, "heads": HEADS, "base": BASE, "examples": EXAMPLES, "layers": layers}
        about |= {name: carried[name] for name in ("embedding", "unembedding")}
        super().__init__("attention-model", about, "a model")


def _rounded(part: Tensor) -> list[list[float]]:
    return [[round(number, 4) for number in row] for row in part.tolist()]
