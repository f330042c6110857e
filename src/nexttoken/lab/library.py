"""The code on a shelf: texts as vectors, and which paragraph a letter is about.

Three ways to make a vector of a text. `Counted` weighs words by how rare they are: two texts are near
that share a rare word. `learned` has a vector for each word, trained so that letters come to lie near
their paragraphs (Karpukhin et al. 2020); it finds what no word gives away, and knows no more than it
was trained on. `both` puts the two side by side. A GPT's own `states` are a fourth way, and no good one.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from nexttoken.applications import recall_at_k, reciprocal_rank, retrieve
from nexttoken.embeddings import cosine_similarity
from nexttoken.lab import clerk
from nexttoken.lab.training import Plan, fit
from nexttoken.lab.village import codebook, texts
from nexttoken.lab.village.law import TOPICS, Topic
from nexttoken.models import GPT
from nexttoken.transformer import cross_entropy

Embed = Callable[[Sequence[str]], Float[Tensor, "texts width"]]

WIDTH = 64
SHARPNESS = 10.0  # what a cosine is multiplied with before softmax
PLAN = Plan(steps=200, batch=32, peak=1e-2)
RARE = 1e-3  # words with a smaller share of all text count nearly alike (Arora et al. 2017)


class Counted:
    """How often each word occurs in a text; the rarer in the village, the more it counts."""

    def __init__(self, seed: int = 0) -> None:
        counts = Counter(i for document in clerk.documents(3000, seed) for i in document.tolist())
        shares = torch.tensor([counts[i] for i in range(len(clerk.vocabulary()))]) / counts.total()
        self.weights = RARE / (RARE + shares)

    def __call__(self, of: Sequence[str]) -> Float[Tensor, "texts width"]:
        ids = [torch.tensor(clerk.vocabulary().encode(text)) for text in of]
        return torch.stack([row.bincount(minlength=len(self.weights)) * self.weights for row in ids])


class Learned(nn.Module):
    """A vector for each word; a text is the mean of its words."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        drawn = np.random.default_rng(seed).standard_normal((len(clerk.vocabulary()), WIDTH))
        self.words = nn.Parameter(torch.from_numpy(drawn).float())

    def forward(self, of: Sequence[str]) -> Float[Tensor, "texts width"]:
        return torch.stack([self.words[clerk.vocabulary().encode(text)].mean(dim=0) for text in of])


def learned(seed: int = 0, plan: Plan = PLAN) -> Learned:
    """Trained on letters about the known rules: each is to be nearer to its own paragraph than to the others'."""
    encoder, random = Learned(seed), np.random.default_rng([seed, 11])

    def batch() -> tuple[list[str], list[str], Bool[Tensor, "batch batch"]]:
        cases = [
            texts.Case.drawn(random, codebook.redealt(random)[: len(clerk.KNOWN)]) for _ in range(plan.batch)
        ]
        names = [case.topic.name for case in cases]
        also_right = torch.tensor([[a == b for b in names] for a in names]) & ~torch.eye(
            len(names), dtype=torch.bool
        )
        return [texts.question(c) for c in cases], [codebook.paragraph(c.topic) for c in cases], also_right

    def loss(of: tuple[list[str], list[str], Tensor]) -> Tensor:
        letters, paragraphs, also_right = of
        near = SHARPNESS * cosine_similarity(encoder(letters), encoder(paragraphs))
        return cross_entropy(near.masked_fill(also_right, -torch.inf), torch.arange(len(letters)))

    fit(encoder.parameters(), iter(batch, None), loss, plan, label="encoder")
    return encoder.requires_grad_(False)


def both(*encoders: Embed) -> Embed:
    """Vectors side by side, each of length 1: their cosine is the mean of the cosines."""
    return lambda of: torch.cat([functional.normalize(encoder(of), dim=-1) for encoder in encoders], dim=-1)


def states(model: GPT) -> Embed:
    """What a GPT makes of the words of a text, on average."""

    @torch.no_grad()
    def embed(of: Sequence[str]) -> Float[Tensor, "texts width"]:
        ids = [torch.tensor([clerk.vocabulary().encode(text)]) for text in of]
        return torch.stack([model.states(row)[0].mean(dim=0) for row in ids])

    return embed


@dataclass(frozen=True)
class Shelf:
    """Passages with their vectors."""

    passages: list[str]
    embed: Embed
    vectors: Float[Tensor, "passages width"]

    @classmethod
    def of(cls, passages: Sequence[str], embed: Embed) -> "Shelf":
        """These passages, in this order."""
        return cls(list(passages), embed, embed(passages))

    def nearest(self, questions: Sequence[str], k: int) -> list[list[str]]:
        """For each question the k nearest passages, the best one first."""
        return [[self.passages[i] for i in row] for row in self.ranked(questions, k)]

    def ranked(self, questions: Sequence[str], k: int) -> list[list[int]]:
        """As `nearest`, by number."""
        return retrieve(self.embed(questions), self.vectors, k).tolist()


def code(embed: Embed, law: Sequence[Topic] = TOPICS) -> Shelf:
    """The village code on a shelf, a passage for each rule."""
    return Shelf.of([codebook.paragraph(topic) for topic in law], embed)


def found(embed: Embed, cases: Sequence[texts.Case]) -> dict[str, float]:
    """How well the paragraphs of these cases are found: recall among the first 1 and 3, and mean reciprocal rank."""
    ranked = code(embed).ranked([texts.question(case) for case in cases], len(TOPICS))
    names = [topic.name for topic in TOPICS]
    right = [{names.index(case.topic.name)} for case in cases]
    rows = list(zip(ranked, right, strict=True))
    return {
        "recall at 1": fmean(recall_at_k(row, of, 1) for row, of in rows),
        "recall at 3": fmean(recall_at_k(row, of, 3) for row, of in rows),
        "reciprocal rank": fmean(reciprocal_rank(row, of) for row, of in rows),
    }
