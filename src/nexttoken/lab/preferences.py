"""Step 2: several answers to each question are ranked, and a reward model learns from the rankings."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from nexttoken.lab import desk
from nexttoken.lab.sampling import Answers
from nexttoken.lab.training import Plan, fit
from nexttoken.lab.village import texts
from nexttoken.models import GPT, RewardModel
from nexttoken.reward_model import normalise_rewards, preference_loss, ranking_loss, ranking_to_pairs
from nexttoken.sft import pad_batch

NOISE = 0.3  # scale of the labelers' Gumbel noise, in gold points: they agree with gold on 97 % of pairs
PROMPTS, ANSWERS = 1024, 4
EPOCHS, LEAST_STEPS = 3, 60
BATCH, PEAK = 16, 5e-4  # prompts in a batch; learning rate


@dataclass(frozen=True)
class Comparisons:
    """Answers to each of some prompts, and how a labeler ranks them."""

    cases: list[texts.Case]
    ids: Int[Tensor, "prompts answers time"]  # prompt, answer, padding
    lengths: Int[Tensor, "prompts answers"]
    gold: Float[Tensor, "prompts answers"]  # how good they really are
    rankings: Int[Tensor, "prompts answers"]  # best first

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, which: slice) -> "Comparisons":
        return Comparisons(
            self.cases[which],
            self.ids[which],
            self.lengths[which],
            self.gold[which],
            self.rankings[which],
        )


def compare(
    model: GPT,
    prompts: int,
    seed: int,
    answers: int = ANSWERS,
    noise: float = NOISE,
    cases: Sequence[texts.Case] | None = None,
) -> Comparisons:
    """Let a model answer each prompt several times, and a labeler rank the answers.

    The labeler sees how good an answer is, with Gumbel noise: the ranking is Plackett and Luce's.
    """
    chosen = desk.cases(prompts, seed + 2000) if cases is None else list(cases)
    repeated = [case for case in chosen for _ in range(answers)]
    found = desk.ask(model, repeated, seed + 2000)
    gold = desk.gold_scores(repeated, found).reshape(len(chosen), answers)
    return ranked(chosen, found, gold, np.random.default_rng([seed, 2]), noise)


def ranked(
    cases: list[texts.Case],
    answers: Answers,
    gold: Float[Tensor, "prompts answers"],
    random: np.random.Generator,
    noise: float = NOISE,
) -> Comparisons:
    """Rank answers that are there already."""
    return Comparisons(
        cases,
        answers.ids.unflatten(0, gold.shape),
        answers.lengths.unflatten(0, gold.shape),
        gold,
        rank(gold, random, noise),
    )


def rank(
    gold: Float[Tensor, "prompts answers"], random: np.random.Generator, noise: float = NOISE
) -> Int[Tensor, "prompts answers"]:
    """How a labeler orders answers that are worth so much, the best first."""
    seen = gold + torch.from_numpy(noise * random.gumbel(size=gold.shape))
    return seen.argsort(dim=-1, descending=True)


def joined(first: Comparisons, second: Comparisons) -> Comparisons:
    """The comparisons of both, with padding to the longer ones."""
    time = max(first.ids.shape[-1], second.ids.shape[-1])
    ids = [torch.nn.functional.pad(c.ids, (0, time - c.ids.shape[-1])) for c in (first, second)]
    return Comparisons(
        first.cases + second.cases,
        torch.cat(ids),
        torch.cat([first.lengths, second.lengths]),
        torch.cat([first.gold, second.gold]),
        torch.cat([first.rankings, second.rankings]),
    )


def train(
    start: GPT,
    on: Comparisons,
    seed: int,
    epochs: int = EPOCHS,
    least_steps: int = LEAST_STEPS,
    *,
    ties: bool = True,
) -> tuple[RewardModel, list[float]]:
    """A reward model that begins as a copy of `start`, and the loss of each step.

    All pairs of a prompt are in one batch (Ouyang et al. 2022, section 3.5). Without `ties`, nothing is
    learned from two answers that are equally good, whichever of them the ranking puts first.
    """
    model = RewardModel(copy.deepcopy(start))
    size = min(BATCH, len(on))
    steps = max(epochs * (len(on) // size), least_steps)
    plan = Plan(steps, size, PEAK, warmup=10, weight_decay=0.01)

    def loss(batch: Int[Tensor, " prompts"]) -> Tensor:
        if ties:
            return ranking_loss(rewards(model, on, batch), on.rankings[batch])
        better, worse = (
            pair[told_apart(on, batch)] for pair in _in_pairs(rewards(model, on, batch), on, batch)
        )
        return preference_loss(better, worse)

    order = _orders(len(on), size, seed)
    losses = fit(model.parameters(), order, loss, plan, label="reward model", kernels=model.kernels)
    return model, losses


def _in_pairs(
    numbers: Float[Tensor, "some answers"], of: Comparisons, which: Int[Tensor, " some"] | slice
) -> tuple[Float[Tensor, "some pairs"], Float[Tensor, "some pairs"]]:
    """A number for each answer, as all pairs of a prompt: of those that were ranked better, and worse."""
    best_first = numbers.gather(1, of.rankings[which])
    first, second = torch.tensor(ranking_to_pairs(list(range(numbers.shape[1])))).T
    return best_first[:, first], best_first[:, second]


def told_apart(
    of: Comparisons, which: Int[Tensor, " some"] | slice = slice(None)
) -> Bool[Tensor, "some pairs"]:
    """Which pairs are not equally good, so that there is something to rank."""
    better, worse = _in_pairs(of.gold[which], of, which)
    return better != worse


def _orders(count: int, size: int, seed: int) -> Iterator[Int[Tensor, " size"]]:
    random = np.random.default_rng(seed)
    while True:
        order = torch.from_numpy(random.permutation(count))
        yield from order[: count // size * size].split(size)


def rewards(
    model: RewardModel, of: Comparisons, which: Int[Tensor, " some"] | slice = slice(None)
) -> Float[Tensor, "some answers"]:
    """The reward model's number for each answer to these prompts."""
    lengths = of.lengths[which]
    ids = of.ids[which][..., : int(lengths.max())]
    found: Tensor = model(ids.flatten(0, 1), lengths.flatten())
    return found.reshape(lengths.shape)


@torch.no_grad()
def accuracy(model: RewardModel, on: Comparisons) -> float:
    """On how many pairs of answers that are not equally good the model finds the better one."""
    guessed = torch.cat(
        [rewards(model, on, torch.arange(len(on))[i : i + 64]) for i in range(0, len(on), 64)]
    )
    first, second = torch.tensor(ranking_to_pairs(list(range(on.gold.shape[1])))).T
    truth, says = on.gold[:, first] - on.gold[:, second], guessed[:, first] - guessed[:, second]
    differ = truth != 0
    right = (truth.sign() == says.sign()).double() + (says == 0).double() / 2
    return right[differ].mean().item()


@torch.no_grad()
def normalise(model: RewardModel, on: Answers) -> None:
    """Shift and scale the last layer, so that these answers have mean 0 and standard deviation 1."""
    raw = model(on.ids, on.lengths)
    zero, one = normalise_rewards(torch.tensor([0.0, 1.0]), raw)
    model.weight.mul_(one - zero)
    model.bias.copy_(model.bias * (one - zero) + zero)


def from_rankings(prompts: Sequence[list[list[int]]], rankings: Sequence[list[int]]) -> Comparisons:
    """Comparisons that somebody ranked by hand: ids of each answer with its prompt, and who is best."""
    rows = [torch.tensor(ids) for answers in prompts for ids in answers]
    ids, real = pad_batch(rows, 0)
    shape = len(prompts), len(prompts[0])
    return Comparisons(
        [],
        ids.unflatten(0, shape),
        real.sum(dim=-1).unflatten(0, shape),
        torch.zeros(shape),
        torch.tensor(rankings),
    )
