"""Word vectors: a corpus of words, batches of neighbours and strangers, and what came out, counted."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from nexttoken.lab.text import python_documentation

RAREST = 5  # words that occur less often are left out: a vector cannot be learned from them
FREQUENT = 1e-3  # words with a larger share of the text are thinned out
BATCH = 2048
WINDOW = 5

Batch = tuple[Int[Tensor, " pairs"], Int[Tensor, " pairs"], Int[Tensor, "pairs strangers"]]


@dataclass(frozen=True)
class Corpus:
    """A text as ids of its words; the more frequent a word, the smaller its id."""

    vocabulary: list[str]
    ids: Int[Tensor, " time"]

    @cached_property
    def places(self) -> dict[str, int]:
        """The id of every word."""
        return {word: i for i, word in enumerate(self.vocabulary)}

    @cached_property
    def shares(self) -> Float[Tensor, " vocab"]:
        """Of the whole text, the share of every word."""
        return self.ids.bincount(minlength=len(self.vocabulary)).double() / len(self.ids)

    def plurals(self, most: int = 40) -> list[tuple[int, int]]:
        """The ids of the most frequent words that also occur with an s at their end: (object, objects)."""
        pairs = [(i, self.places.get(f"{word}s", -1)) for i, word in enumerate(self.vocabulary)]
        return [(one, many) for one, many in pairs if many >= 0 and len(self.vocabulary[one]) > 3][:most]


def corpus(text: str | None = None, rarest: int = RAREST) -> Corpus:
    """The words of a text, or of Python's documentation, that occur `rarest` times or more.

    >>> corpus("a hare a mole a hare", rarest=2).vocabulary
    ['a', 'hare']
    """
    words = (python_documentation() if text is None else text).split()
    vocabulary = [word for word, times in Counter(words).most_common() if times >= rarest]
    places = {word: i for i, word in enumerate(vocabulary)}
    return Corpus(vocabulary, torch.tensor([places[word] for word in words if word in places]))


def start(corpus: Corpus, width: int, seed: int) -> tuple[Tensor, Tensor]:
    """Two tables to be trained, for a word as a centre (small random numbers) and as a context (zeros)."""
    random = np.random.default_rng(seed)
    inside = 0.1 * random.standard_normal((len(corpus.vocabulary), width))
    outside = np.zeros((len(corpus.vocabulary), width))
    first, second = (torch.from_numpy(table).float().requires_grad_() for table in (inside, outside))
    return first, second


def batches(
    corpus: Corpus,
    skip_gram_pairs: Callable[[Tensor, int], Tensor],
    strangers: int = 5,
    seed: int = 0,
) -> Iterator[Batch]:
    """Without end: ids of centres, of their true contexts, and of strangers drawn for each.

    Frequent words are thinned out before the pairs are made, anew in every round, and strangers are
    drawn in proportion to their share to the power 3/4.

    Source: Mikolov et al. 2013, sections 2.2 and 2.3 (there a word is kept with probability
    sqrt(t / share) for t = 1e-5, in a text of a billion words).
    """
    random = np.random.default_rng(seed)
    kept = (FREQUENT / corpus.shares).sqrt().numpy()
    draw = (corpus.shares**0.75).cumsum(0).numpy()
    while True:
        thinned = corpus.ids[torch.from_numpy(random.random(len(corpus.ids)) < kept[corpus.ids.numpy()])]
        pairs = skip_gram_pairs(thinned, WINDOW)
        for batch in pairs[torch.from_numpy(random.permutation(len(pairs)))].split(BATCH):
            drawn = np.searchsorted(draw, draw[-1] * random.random((len(batch), strangers)))
            yield batch[:, 0], batch[:, 1], torch.from_numpy(drawn)


def train(
    corpus: Corpus,
    skip_gram_pairs: Callable[[Tensor, int], Tensor],
    skip_gram_loss: Callable[[Tensor, Tensor, Tensor], Tensor],
    steps: int,
    width: int = 24,
    seed: int = 0,
) -> Float[Tensor, "vocab width"]:
    """The loop that the chapter shows: the vectors of all words after so many steps."""
    inside, outside = start(corpus, width, seed)
    optimiser = torch.optim.Adam([inside, outside], lr=0.01)
    for _, (centre, context, stranger) in zip(
        range(steps), batches(corpus, skip_gram_pairs, seed=seed), strict=False
    ):
        loss = skip_gram_loss(inside[centre], outside[context], outside[stranger])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return inside.detach()


def directions(vectors: Float[Tensor, "rows width"]) -> Float[Tensor, "rows width"]:
    """The same vectors with length 1."""
    return torch.nn.functional.normalize(vectors, dim=-1)


def ranks(vectors: Float[Tensor, "vocab width"], pairs: list[tuple[int, int]]) -> Int[Tensor, " pairs"]:
    """How many other words lie nearer to the first word of each pair than the second one does."""
    unit = directions(vectors)
    first, second = torch.tensor(pairs).T
    similarity = unit[first] @ unit.T
    similarity[torch.arange(len(pairs)), first] = -torch.inf  # a word is not its own neighbour
    return (similarity > similarity.gather(1, second.unsqueeze(1))).sum(dim=1)


def analogies(
    vectors: Float[Tensor, "vocab width"],
    pairs: list[tuple[int, int]],
    weights: tuple[float, float, float] = (-1.0, 1.0, 1.0),
    leave_out: bool = True,
) -> float:
    """The share of questions "a is to b as c is to ?" whose answer is the word nearest to a mix of a, b, c.

    Every pair asks about every other one. The weights are those of a, b and c: (-1, 1, 1) is the
    usual b - a + c, and (0, 0, 1) never looks at the first pair. The three words of the question are
    not allowed as answers unless `leave_out` is false.
    """
    unit = directions(vectors)
    asked = [(p, q) for p in range(len(pairs)) for q in range(len(pairs)) if p != q]
    at = torch.tensor([[*pairs[p], *pairs[q]] for p, q in asked])
    mixed = torch.einsum("w,qwd->qd", torch.tensor(weights, dtype=unit.dtype), unit[at[:, :3]])
    similarity = mixed @ unit.T
    if leave_out:
        similarity.scatter_(1, at[:, :3], -torch.inf)
    return (similarity.argmax(dim=1) == at[:, 3]).double().mean().item()


def flattened(vectors: Float[Tensor, "rows width"]) -> Float[Tensor, "rows 2"]:
    """The two coordinates that tell most about where the rows lie: principal component analysis.

    Source: Pearson 1901. The sign of an axis means nothing; here its largest entry is positive.
    """
    centred = vectors.double() - vectors.double().mean(dim=0)
    axes = torch.linalg.svd(centred, full_matrices=False).Vh[:2]
    largest = axes.gather(1, axes.abs().argmax(dim=1, keepdim=True))
    flat: Tensor = centred @ (axes * largest.sign()).T
    return flat
