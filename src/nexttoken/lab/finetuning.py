"""Step 1: the base model learns from demonstrations how the desk answers."""

import copy
from collections.abc import Iterator, Sequence
from operator import attrgetter

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.utils import parametrize

from nexttoken.lab import desk, pretraining
from nexttoken.lab.training import Plan, fit
from nexttoken.lab.village import texts
from nexttoken.lab.village.law import TOPICS, Topic
from nexttoken.lab.village.vocabulary import english
from nexttoken.models import GPT, Attention, FeedForward
from nexttoken.sft import answer_loss, merge_lora, pad_batch, render_dialogue

Dialogue = tuple[Int[Tensor, " time"], Bool[Tensor, " time"]]  # ids, and which of them are the answer

DEMONSTRATIONS = 1024
PLAN = Plan(steps=256, batch=32, peak=2e-3)


def demonstrations(count: int, seed: int, topics: Sequence[Topic] = TOPICS) -> list[Dialogue]:
    """What labelers wrote, none of it longer than an answer may be."""
    vocabulary, random = english(), np.random.default_rng([seed, 1])
    found: list[Dialogue] = []
    while len(found) < count:
        case = texts.Case.drawn(random, topics)
        answer = vocabulary.encode(texts.demonstration(case, random))
        if len(answer) < desk.LONGEST_ANSWER:
            question = vocabulary.encode(texts.question(case))
            marks = vocabulary.question, vocabulary.answer, vocabulary.end
            found.append(render_dialogue(question, answer, *marks))
    return found


def batches(
    of: Sequence[Dialogue], size: int, seed: int, masked: bool = True
) -> Iterator[tuple[Int[Tensor, "batch time"], Bool[Tensor, "batch time"]]]:
    """Batches without end: ids, and what counts in the loss (without `masked`, the question too)."""
    random, pad = np.random.default_rng(seed), english().pad
    while True:
        order = random.permutation(len(of))
        for start in range(0, len(order) - size + 1, size):
            rows = [of[i] for i in order[start : start + size]]
            ids, real = pad_batch([ids for ids, _ in rows], pad)
            is_answer, _ = pad_batch([marks for _, marks in rows], 0)
            yield ids, (is_answer if masked else real)


def finetune(
    base: GPT,
    on: Sequence[Dialogue],
    seed: int,
    plan: Plan = PLAN,
    *,
    masked: bool = True,
    rehearse: float = 0.0,
) -> tuple[GPT, list[float]]:
    """A copy of the base model that has learned from demonstrations, and the loss of each step.

    With `rehearse`, as much of the base model's own loss on the village's web is added at each step (the
    pretraining mix of Ouyang et al. 2022, there with reinforcement learning).
    """
    model = copy.deepcopy(base)
    documents = pretraining.documents(1000, seed + 1) if rehearse else []
    web = pretraining.batches(documents, plan.batch, seed)

    def loss(batch: tuple[Tensor, Tensor]) -> Tensor:
        ids, counts = batch
        value = answer_loss(model(ids), ids, counts)
        return value + rehearse * pretraining.loss(model, next(web)) if rehearse else value

    of_size = min(plan.batch, len(on))
    losses = fit(
        model.parameters(),
        batches(on, of_size, seed, masked),
        loss,
        plan,
        label="fine-tuning",
        kernels=model.kernels,
    )
    return model, losses


@torch.no_grad()
def surprise(model: GPT, on: Sequence[Dialogue], of_question: bool = False) -> float:
    """Mean surprise in nats at the tokens of the answers, or at those of the questions."""
    ids, real = pad_batch([ids for ids, _ in on], english().pad)
    is_answer, _ = pad_batch([marks for _, marks in on], 0)
    return answer_loss(model(ids), ids, real & ~is_answer if of_question else is_answer).item()


@torch.no_grad()
def along(before: GPT, after: GPT, times: float = 1.0, rank: int | None = None) -> GPT:
    """A model on the line through two others: the first one, and so many times the change to the second.

    With `rank`, no more than this rank is kept of the change of each matrix in the blocks.
    """
    model, start, end = copy.deepcopy(before), before.state_dict(), after.state_dict()
    for name, number in model.state_dict().items():
        change = end[name] - start[name]
        if rank is not None and change.ndim == 2 and name.startswith("blocks"):
            left, sizes, right = torch.linalg.svd(change, full_matrices=False)
            change = (left[:, :rank] * sizes[:rank]) @ right[:rank]
        number.copy_(start[name] + times * change)
    return model


class LowRank(nn.Module):
    """A matrix of the base model, with a learned change of low rank: see `merge_lora`."""

    def __init__(
        self, w: Float[Tensor, "d_in d_out"], rank: int, alpha: float, random: np.random.Generator
    ) -> None:
        super().__init__()
        self.alpha = alpha
        d_in, d_out = w.shape
        drawn = random.standard_normal((rank, d_in)) * d_in**-0.5
        self.a = nn.Parameter(torch.from_numpy(drawn).float())
        self.b = nn.Parameter(torch.zeros(d_out, rank))

    def forward(self, w: Float[Tensor, "d_in d_out"]) -> Float[Tensor, "d_in d_out"]:
        return merge_lora(w.T, self.a, self.b, self.alpha).T


def with_lora(base: GPT, rank: int, seed: int, alpha: float = 16.0) -> GPT:
    """A copy whose block matrices learn a change of this rank, and nothing else learns at all."""
    model, random = copy.deepcopy(base).requires_grad_(False), np.random.default_rng(seed)
    for part in _parts(model):
        for name, matrix in list(part.named_parameters(recurse=False)):
            if matrix.ndim == 2:
                change = LowRank(matrix, rank, alpha, random)
                parametrize.register_parametrization(part, name, change)
    return model


def only_blocks(base: GPT) -> GPT:
    """A copy that learns in its block matrices alone: what a change of low rank is compared with."""
    model = copy.deepcopy(base).requires_grad_(False)
    for part in _parts(model):
        for parameter in part.parameters():
            parameter.requires_grad_(parameter.ndim == 2)
    return model


def _parts(model: GPT) -> list[nn.Module]:
    """The parts of the blocks that hold matrices."""
    return [part for part in model.blocks.modules() if isinstance(part, Attention | FeedForward)]


def merged(model: GPT) -> GPT:
    """A copy of a model `with_lora` whose change has become part of its matrices: as fast as any other."""
    flat = GPT(model.shape, model.kernels)
    flat.load_state_dict({name: attrgetter(name)(model) for name in flat.state_dict()})
    return flat
