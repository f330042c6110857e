"""The base model: a GPT that has read the village's web, and can do nothing but go on."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from nexttoken.lab import ngrams
from nexttoken.lab.training import Plan, fit
from nexttoken.lab.village import texts
from nexttoken.lab.village.vocabulary import Vocabulary, english
from nexttoken.models import GPT, YOURS, Kernels, Shape
from nexttoken.transformer import cross_entropy

SHAPE = Shape(vocab=len(english()), context=80, d_model=64, layers=2, heads=2)
PLAN = Plan(steps=800, batch=48, peak=5e-3, weight_decay=0.1, betas=(0.9, 0.99))
DOCUMENTS = 12_000
LONGEST = 65  # tokens of a document, with its end
LOOK = 50  # after so many steps a model that is `watched` is examined


def documents(count: int, seed: int, vocabulary: Vocabulary | None = None) -> list[Int[Tensor, " time"]]:
    """Documents of the village's web as ids, each with its end."""
    vocabulary = vocabulary or english()
    random = np.random.default_rng(seed)
    found: list[Tensor] = []
    while len(found) < count:
        ids = [*vocabulary.encode(texts.web_document(random)), vocabulary.end]
        if len(ids) <= LONGEST:
            found.append(torch.tensor(ids))
    return found


def batches(
    of: Sequence[Int[Tensor, " time"]], size: int, seed: int, pad: int = Vocabulary.pad
) -> Iterator[Int[Tensor, "batch time"]]:
    """Batches without end, a document a row; documents of like length go together, to pad little."""
    random = np.random.default_rng(seed)
    while True:
        order = random.permutation(len(of))
        found = []
        for start in range(0, len(order), 16 * size):
            near = sorted(order[start : start + 16 * size], key=lambda i: len(of[i]))
            found += [near[i : i + size] for i in range(0, len(near), size)]
        for chosen in random.permutation(len(found)):
            rows = [of[i] for i in found[chosen]]
            yield pad_sequence(rows, batch_first=True, padding_value=pad)


def loss(model: GPT, ids: Int[Tensor, "batch time"], pad: int = Vocabulary.pad) -> Tensor:
    """The mean surprise at each next token, in nats."""
    return cross_entropy(model(ids[:, :-1]), ids[:, 1:], ignore=pad)


def pretrain(
    seed: int,
    shape: Shape = SHAPE,
    plan: Plan = PLAN,
    kernels: Kernels = YOURS,
    look: Callable[[int, GPT], None] | None = None,
) -> tuple[GPT, list[float]]:
    """Train a GPT on the village's web; the model, and the loss of every step."""
    model = GPT.drawn(shape, seed, kernels)
    losses = fit(
        model.parameters(),
        batches(documents(DOCUMENTS, seed), plan.batch, seed),
        lambda ids: loss(model, ids),
        plan,
        label="pretraining",
        kernels=kernels,
        look=None if look is None else lambda step: look(step, model),
    )
    return model, losses


@torch.no_grad()
def copy_probability(
    model: GPT, count: int = 200, seed: int = 1_000_000, read: Sequence[Int[Tensor, " time"]] = ()
) -> float:
    """How surely a model repeats a name where only the text says which: in court records.

    The village is small, and most of its records are in any large collection: those in `read` are left out.

    "court : mole against hare . ... under rule 2 the": the hare. "... the": the mole.
    """
    vocabulary, random = english(), np.random.default_rng(seed)
    known, found = {tuple(document.tolist()) for document in read}, list[float]()
    while len(found) < 2 * count:
        case = texts.Case.drawn(random)
        ids = vocabulary.encode(texts.court_record(case, random, "en"))
        if (*ids, vocabulary.end) in known:
            continue
        chances = model(torch.tensor([ids]))[0].softmax(dim=-1)
        offender, asker = vocabulary.encode(f"{case.offender.en} {case.asker.en}")
        for name in (offender, asker):
            last = len(ids) - 1 - ids[::-1].index(name)
            found.append(chances[last - 1, name].item())
    return sum(found) / len(found)


def watched(seed: int, kernels: Kernels = YOURS) -> tuple[GPT, list[float], list[float]]:
    """`pretrain`, and how surely the model copies: at the beginning, after every LOOK steps, at the end."""
    seen: list[float] = []

    def look(step: int, model: GPT) -> None:
        if step % LOOK == 0:
            seen.append(round(copy_probability(model, count=60), 4))

    model, losses = pretrain(seed, kernels=kernels, look=look)
    look(PLAN.steps, model)
    return model, losses, seen


def stream(of: Sequence[Int[Tensor, " time"]], before: int) -> tuple[Tensor, Tensor]:
    """Documents one after the other, behind `before` ends; and which tokens are not the first of theirs.

    How a document begins cannot be known, and no model is asked.
    """
    ids = torch.cat([torch.full((before,), Vocabulary.end), *of])
    inside = torch.ones(len(ids) - before, dtype=torch.bool)
    inside[torch.tensor([0, *(len(ids) for ids in of[:-1])]).cumsum(0)] = False
    return ids, inside


def count(of: Sequence[Int[Tensor, " time"]], order: int) -> ngrams.NGram:
    """The n-gram model of these documents."""
    return ngrams.fit(stream(of, order)[0], len(english()), order)


def surprise_of_counts(counted: ngrams.NGram, of: Sequence[Int[Tensor, " time"]]) -> float:
    """The mean surprise of an n-gram model at each next token, in nats, as `loss` has it for a GPT."""
    ids, inside = stream(of, counted.order)
    return -counted.log_probabilities(ids)[inside].mean().item()
