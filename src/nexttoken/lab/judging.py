"""How far a reward model can be trusted: whole rankings against single pairs, and best of n.

What takes longer than a page may wait is a recipe: `batching-S` and `best-of-n-S`, one for each seed.
"""

import copy
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from nexttoken.lab import checkpoints, desk, preferences
from nexttoken.lab.recipes import recipe, rounded
from nexttoken.lab.sampling import Answers
from nexttoken.lab.training import Optimiser, Plan
from nexttoken.lab.village import gold, texts
from nexttoken.lab.village.vocabulary import END, english
from nexttoken.models import GPT, READY_MADE, RewardModel
from nexttoken.reward_model import (
    best_of_n,
    pairwise_accuracy,
    preference_loss,
    preference_probability,
    ranking_loss,
    ranking_to_pairs,
)

SEEDS = (0, 1, 2)

# --- Is it as sure as it should be? -----------------------------------------------------------------


@dataclass(frozen=True)
class Pairs:
    """Two pairs for each prompt, of four different answers: what the model says, and what was chosen."""

    first: Float[Tensor, " pairs"]  # reward
    second: Float[Tensor, " pairs"]
    chosen: Bool[Tensor, " pairs"]  # whether the labeler chose the first

    @property
    def rewards(self) -> tuple[Float[Tensor, " pairs"], Float[Tensor, " pairs"]]:
        """Of the chosen and of the rejected answers."""
        return (
            torch.where(self.chosen, self.first, self.second),
            torch.where(self.chosen, self.second, self.first),
        )


@torch.no_grad()
def separate_pairs(model: RewardModel, on: preferences.Comparisons) -> Pairs:
    """Answers 1 and 2, and answers 3 and 4, of each prompt: no answer occurs twice."""
    rewards = torch.cat([preferences.rewards(model, on, rows) for rows in torch.arange(len(on)).split(100)])
    place = on.rankings.argsort(dim=1)
    first, second = torch.tensor([0, 2]), torch.tensor([1, 3])
    return Pairs(
        rewards[:, first].flatten(),
        rewards[:, second].flatten(),
        (place[:, first] < place[:, second]).flatten(),
    )


def calibration(
    pairs: Pairs, scale: float = 1.0, edges: Sequence[float] = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)
) -> list[tuple[float, float, float, float, int]]:
    """How sure the model is, on average, and how often it is right, with interval and number of pairs.

    Each row is for the pairs between two edges: (how sure, low, right, high, pairs).
    """
    says = preference_probability(scale * pairs.first, scale * pairs.second)
    sure, right = torch.maximum(says, 1 - says), (says >= 0.5) == pairs.chosen
    rows = []
    for low, high in pairwise(edges):
        here = (sure >= low) & ((sure < high) | (high == edges[-1]))
        if count := int(here.sum()):
            share = right[here].double().mean().item()
            below, above = desk.interval(share, count)
            rows.append((sure[here].mean().item(), below, share, above, count))
    return rows


def best_scale(pairs: Pairs) -> float:
    """The factor for all rewards under which the choices are least surprising."""
    chosen, rejected = pairs.rewards
    scales = [number / 10 for number in range(1, 101)]
    return min(scales, key=lambda scale: preference_loss(scale * chosen, scale * rejected).item())


# --- Whole rankings in a batch, or single pairs -----------------------------------------------------

PROMPTS = 128  # from which is learned; each has 4 answers, so 6 pairs
EPOCHS = 8
LOOKED_AT = (1, 2, 3, 4, 6, 8)  # epochs after which is measured
UNSEEN = 200  # prompts on which is measured
# Pairs in a step, and whether those of one prompt stay together.
WAYS = {
    "large, whole rankings": (96, True),
    "large, single pairs": (96, False),
    "small, whole rankings": (18, True),
    "small, single pairs": (18, False),
}


def all_pairs(of: preferences.Comparisons) -> Int[Tensor, "pairs 3"]:
    """Every comparison that the rankings hold: prompt, chosen answer, rejected answer."""
    rows = [
        (prompt, better, worse)
        for prompt, ranking in enumerate(of.rankings.tolist())
        for better, worse in ranking_to_pairs(ranking)
    ]
    return torch.tensor(rows)


def loss_of_pairs(
    model: RewardModel, on: preferences.Comparisons, pairs: Int[Tensor, "pairs 3"]
) -> Float[Tensor, ""]:
    """The loss of single pairs: each answer is read anew for every pair in which it occurs."""
    prompts, chosen, rejected = pairs.T
    rows, answers = prompts.repeat(2), torch.cat([chosen, rejected])
    lengths = on.lengths[rows, answers]
    found = model(on.ids[rows, answers, : int(lengths.max())], lengths)
    return preference_loss(*found.chunk(2))


def in_batches(
    start: GPT, on: preferences.Comparisons, test: preferences.Comparisons, seed: int, way: str
) -> dict[str, list[float]]:
    """Learn in one of the `WAYS` at a constant rate, and measure after some of the epochs."""
    model = RewardModel(copy.deepcopy(start))
    size, together = WAYS[way]
    plan = Plan(steps=0, batch=size, peak=preferences.PEAK, weight_decay=0.01)
    optimiser, random = Optimiser(model.parameters(), plan, model.kernels), np.random.default_rng(seed)
    pairs = all_pairs(on)
    in_ranking = len(pairs) // len(on)
    found: dict[str, list[float]] = {name: [] for name in ("train loss", "test loss", "train", "test")}
    for epoch in range(1, EPOCHS + 1):
        order = torch.from_numpy(random.permutation(len(on) if together else len(pairs)))
        for batch in order.split(size // in_ranking if together else size):
            if together:
                loss = ranking_loss(preferences.rewards(model, on, batch), on.rankings[batch])
            else:
                loss = loss_of_pairs(model, on, pairs[batch])
            optimiser.step(loss, plan.peak)
        if epoch in LOOKED_AT:
            for name, comparisons in (("train", on), ("test", test)):
                loss_now, accuracy = agreement(model, comparisons)
                found[f"{name} loss"].append(loss_now)
                found[name].append(accuracy)
    return {name: rounded(numbers) for name, numbers in found.items()}


@torch.no_grad()
def agreement(model: RewardModel, on: preferences.Comparisons) -> tuple[float, float]:
    """Loss on the labelers' rankings, and on which share of their pairs the model agrees."""
    parts = [preferences.rewards(model, on, which) for which in torch.arange(len(on)).split(64)]
    best_first = torch.cat(parts).gather(1, on.rankings)
    better, worse = torch.tensor(ranking_to_pairs(list(range(best_first.shape[1])))).T
    chosen, rejected = best_first[:, better], best_first[:, worse]
    return preference_loss(chosen, rejected).item(), pairwise_accuracy(chosen, rejected)


def batching(seed: int) -> dict[str, Any]:
    """The same comparisons in four kinds of batches."""
    sft = checkpoints.load(f"sft-{seed}", READY_MADE)
    on = preferences.compare(sft, PROMPTS, seed)
    test = preferences.compare(sft, UNSEEN, seed + 500)
    return {"ways": {way: in_batches(sft, on, test, seed, way) for way in WAYS}}


# --- Best of n ----------------------------------------------------------------------------------------

NUMBERS = (1, 2, 4, 8, 16, 32, 64)
CASES, EACH = 100, 64  # questions, and answers to each of them
OFTEN = 2048  # answers to one question, for its distribution


def best_of_n_divergence(rewards: Float[Tensor, " answers"], n: int) -> float:
    """How far best-of-n is from a uniform choice among these answers: exact, in nats, ties and all.

    Answers of equal reward count as one and the same answer, that was written several times.

    >>> round(best_of_n_divergence(torch.tensor([0.0, 1.0]), 2), 4)  # 1/4 and 3/4 instead of halves
    0.1308
    """
    _, written = rewards.double().unique(return_counts=True)
    share = written.double() / written.sum()
    up_to = share.cumsum(0).clamp(max=1.0)
    won = up_to**n - (up_to - share).clamp(min=0.0) ** n
    return float(torch.special.xlogy(won, won / share).sum())


@torch.no_grad()
def scored(model: RewardModel, answers: Answers) -> Float[Tensor, " batch"]:
    """The rewards of many answers, a few hundred at a time."""
    parts = torch.arange(len(answers)).split(400)
    return torch.cat([model(answers.ids[rows], answers.lengths[rows]) for rows in parts])


def picked(
    proxy: Float[Tensor, "cases answers"], worth: Float[Tensor, "cases answers"], n: int
) -> tuple[float, float]:
    """Mean proxy and mean gold of the best of n, where as many answers as there are make groups of n."""
    in_groups = proxy.reshape(-1, n)
    rows, best = torch.arange(len(in_groups)), best_of_n(in_groups)
    return in_groups[rows, best].mean().item(), worth.reshape(-1, n)[rows, best].mean().item()


def best_of_many(seed: int) -> dict[str, Any]:
    """Gold and proxy of the best of n under both reward models, and how far that is from the policy."""
    sft = checkpoints.load(f"sft-{seed}", READY_MADE)
    judges = {
        prompts: checkpoints.load_reward_model(f"{name}-{seed}", READY_MADE)
        for prompts, name in ((32, "reward32"), (1024, "reward"))
    }
    cases = [case for case in desk.cases(CASES, seed + 700) for _ in range(EACH)]
    answers = desk.ask(sft, cases, seed)
    worth = desk.gold_scores(cases, answers).reshape(CASES, EACH)
    found: dict[str, Any] = {"gold": {}, "proxy": {}, "divergence": []}
    for prompts, judge in judges.items():
        proxy = scored(judge, answers).reshape(CASES, EACH)
        pairs = [picked(proxy, worth, n) for n in NUMBERS]
        found["proxy"][prompts], found["gold"][prompts] = (
            rounded(column) for column in zip(*pairs, strict=True)
        )
    found["oracle"] = rounded(picked(worth, worth, n)[1] for n in NUMBERS)
    for case in desk.cases(3, seed + 800):
        rewards = scored(judges[1024], desk.ask(sft, [case] * OFTEN, seed))
        found["divergence"].append(rounded(best_of_n_divergence(rewards, n) for n in NUMBERS))
    return found


# --- What a reward model cannot see -------------------------------------------------------------------


def exchanged(case: texts.Case, other: texts.Case, what: str) -> str:
    """The ideal answer to a case, but for one thing: the other case's rule, remedy, proof, offender or asker."""
    wrong = replace(case, **{what: getattr(other, what)}) if what in ("asker", "offender") else case
    if wrong is case:
        wrong = replace(case, topic=case.topic._replace(**{what: getattr(other.topic, what)}))
    return texts.ideal_answer(wrong, np.random.default_rng(0))


def strangers(cases: Sequence[texts.Case], seed: int) -> list[texts.Case]:
    """For each case another one, with which it shares neither animals nor topic."""
    random, found = np.random.default_rng(seed), []
    for case in cases:
        other = texts.Case.drawn(random)
        while {case.asker, case.offender, case.topic.name} & {other.asker, other.offender, other.topic.name}:
            other = texts.Case.drawn(random)
        found.append(other)
    return found


def found_in(comparisons: preferences.Comparisons) -> Counter[str]:
    """What the gold judge finds in all these answers, and how often."""
    found: Counter[str] = Counter()
    for case, answers, lengths in zip(
        comparisons.cases, comparisons.ids.tolist(), comparisons.lengths.tolist(), strict=True
    ):
        for ids, length in zip(answers, lengths, strict=True):
            text = english().decode(ids[:length]).partition(f"{texts.ANSWER_MARK} ")[2]
            finished = text.endswith(END)
            found += gold.judge(case, text.removesuffix(END).strip(), finished).found
    return found


def gold_of(cases: Sequence[texts.Case], said: Sequence[str]) -> Float[Tensor, " cases"]:
    """How good a given answer to each case really is."""
    return torch.tensor([gold.judge(case, text).score for case, text in zip(cases, said, strict=True)])


def rewards_of(
    model: RewardModel, cases: Sequence[texts.Case], said: Sequence[str]
) -> Float[Tensor, " cases"]:
    """The reward of a given answer to each case."""
    rows = [[desk.dialogue(texts.question(case), text)] for case, text in zip(cases, said, strict=True)]
    given = preferences.from_rankings(rows, [[0]] * len(rows))
    with torch.no_grad():
        return preferences.rewards(model, given)[:, 0]


for _seed in SEEDS:
    recipe(f"batching-{_seed}", needs=[f"family-{_seed}"])(partial(batching, _seed))
    recipe(f"best-of-n-{_seed}", needs=[f"family-{_seed}"])(partial(best_of_many, _seed))
