"""Step 3: the policy answers, the reward model pays, and what was paid becomes likelier.

Three ways: PPO with a value model (Ouyang et al. 2022), several answers to each prompt that are each
other's measure (RLOO, GRPO), and no reward model at all (DPO). Every formula is one of the exercises.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from nexttoken.exercise import settled
from nexttoken.lab import desk, progress
from nexttoken.lab.preferences import Comparisons
from nexttoken.lab.sampling import Answers, by_one_throw
from nexttoken.lab.training import Optimiser, Plan
from nexttoken.lab.village import texts
from nexttoken.lab.village.law import TOPICS, Topic
from nexttoken.lab.village.vocabulary import english
from nexttoken.models import GPT, RewardModel
from nexttoken.rl import (
    clipped_policy_loss,
    clipped_value_loss,
    dpo_loss,
    generalised_advantages,
    group_advantages,
    kl_estimate,
    leave_one_out_advantages,
    masked_mean,
    penalised_rewards,
    token_log_probabilities,
    whiten,
)

Score = Callable[[Sequence[texts.Case], Answers], Float[Tensor, " batch"]]


@dataclass(frozen=True)
class PPO:
    """What there is to choose about a run."""

    iterations: int = 60
    prompts: int = 48  # answered in an iteration
    kl_coefficient: float = 0.02  # price of a nat, in standard deviations of the reward
    rate: float = 5e-4
    value_rate: float = 5e-4
    values_first: int = 5  # iterations in which only the value model learns
    epochs: int = 1  # over the answers of an iteration
    parts: int = 3  # minibatches of an epoch
    clip: float = 0.2
    value_clip: float = 0.2
    gamma: float = 1.0
    lam: float = 0.95
    whitened: bool = True


@dataclass(frozen=True)
class Groups:
    """The same for RLOO and GRPO: several answers to each prompt, no value model."""

    iterations: int = 60
    prompts: int = 12
    answers: int = 4
    kl_coefficient: float = 0.02
    rate: float = 5e-4
    epochs: int = 1
    parts: int = 3
    clip: float = 0.2
    advantages: Literal["leave one out", "group"] = "leave one out"


@dataclass
class Journal:
    """What was seen in each iteration, on the answers that it learned from."""

    kl: list[float] = field(default_factory=list)  # nats an answer, from the reference
    proxy: list[float] = field(default_factory=list)  # what the reward model pays
    gold: list[float] = field(default_factory=list)  # what the answers are worth
    length: list[float] = field(default_factory=list)  # tokens
    clipped: list[float] = field(default_factory=list)  # share of tokens beyond the clip

    def write(self, kl: Tensor, proxy: Tensor, gold: Tensor, length: Tensor) -> None:
        """One iteration."""
        for name, what in (("kl", kl), ("proxy", proxy), ("gold", gold), ("length", length)):
            getattr(self, name).append(what.double().mean().item())


def paid_by(model: RewardModel) -> Score:
    """The reward model's number for each answer."""

    @torch.no_grad()
    def score(_: Sequence[texts.Case], answers: Answers) -> Float[Tensor, " batch"]:
        paid: Tensor = model(answers.ids, answers.lengths)
        return paid

    return score


def paid_in_gold(mean: float, deviation: float) -> Score:
    """The gold judge's points, on the scale of a reward model: what training with no error would be."""
    return lambda cases, answers: (desk.gold_scores(cases, answers) - mean) / deviation


@dataclass(frozen=True)
class Window:
    """The answers of a batch without the columns in which nobody answers yet."""

    start: int  # column from which on the logits are needed: the one before the first answer
    mask: Bool[Tensor, "batch window"]

    @classmethod
    def of(cls, answers: Answers) -> "Window":
        start = int(answers.is_answer.any(dim=0).nonzero().min()) - 1
        return cls(start, answers.is_answer[:, start:])

    def log_probs(self, model: GPT, ids: Int[Tensor, "batch time"]) -> Float[Tensor, "batch window"]:
        """Of each token of the answers; 0 elsewhere."""
        logits = model.read_out(model.states(ids)[:, self.start :])
        logits = logits.index_fill(-1, torch.tensor(english().pad), -torch.inf)  # never written
        found = token_log_probabilities(logits, ids[:, self.start :])
        return found.masked_fill(~self.mask, 0.0)

    def rows(self, which: Int[Tensor, " some"]) -> "Window":
        return Window(self.start, self.mask[which])

    def values(self, model: RewardModel, ids: Int[Tensor, "batch time"]) -> Float[Tensor, "batch window"]:
        """What is expected when each token is about to be written: the value after the one before."""
        return torch.nn.functional.pad(model.everywhere(ids)[:, self.start : -1], (1, 0))


@settled()
def ppo(
    start: GPT,
    score: Score,
    value_start: RewardModel,
    seed: int,
    settings: PPO = PPO(),
    topics: Sequence[Topic] = TOPICS,
    reference: GPT | None = None,
    look: Callable[[int, GPT], None] | None = None,
) -> tuple[GPT, Journal]:
    """A copy of `start` that was trained for being paid, held near the reference (`start` by default).

    `look(iteration, policy)` is called before every iteration.
    """
    policy, value, reference = copy.deepcopy(start), copy.deepcopy(value_start), reference or start
    random, journal = np.random.default_rng([seed, 3]), Journal()
    policy_steps = Optimiser(policy.parameters(), _plan(settings.rate), policy.kernels)
    value_steps = Optimiser(value.parameters(), _plan(settings.value_rate), policy.kernels)
    for iteration in progress.steps(settings.iterations, "PPO"):
        if look is not None:
            look(iteration, policy)
        cases = [texts.Case.drawn(random, topics) for _ in range(settings.prompts)]
        answers = desk.answered(policy, cases, by_one_throw(int(random.integers(2**31))))
        window = Window.of(answers)
        mask, old = window.mask, answers.log_probs[:, window.start :]
        with torch.no_grad():
            base = window.log_probs(reference, answers.ids)
            expected = window.values(value, answers.ids)
            paid = score(cases, answers)
            rewards = penalised_rewards(paid, old, base, mask, settings.kl_coefficient)
            advantages = generalised_advantages(rewards, expected, mask, settings.gamma, settings.lam)
            returns = advantages + expected
            if settings.whitened:
                advantages = whiten(advantages, mask)
        beyond = []
        for _ in range(settings.epochs):
            for rows in _parts(settings.prompts, settings.parts, random):
                ids, part = answers.ids[rows], window.rows(rows)
                value_steps.step(
                    clipped_value_loss(
                        part.values(value, ids), expected[rows], returns[rows], part.mask, settings.value_clip
                    ),
                    settings.value_rate,
                )
                if iteration < settings.values_first:
                    continue
                log_probs = part.log_probs(policy, ids)
                policy_steps.step(
                    clipped_policy_loss(log_probs, old[rows], advantages[rows], part.mask, settings.clip),
                    settings.rate,
                )
                beyond.append(_beyond(log_probs, old[rows], part.mask, settings.clip))
        kl = kl_estimate(old, base, "k1").masked_fill(~mask, 0.0).sum(dim=1)
        journal.write(kl, paid, desk.gold_scores(cases, answers), mask.sum(dim=1))
        journal.clipped.append(sum(beyond) / max(1, len(beyond)))
    return policy, journal


@settled()
def in_groups(
    start: GPT,
    score: Score,
    seed: int,
    settings: Groups = Groups(),
) -> tuple[GPT, Journal]:
    """RLOO (Ahmadian et al. 2024) or GRPO (Shao et al. 2024): the other answers are the measure."""
    policy, random, journal = copy.deepcopy(start), np.random.default_rng([seed, 4]), Journal()
    steps = Optimiser(policy.parameters(), _plan(settings.rate), policy.kernels)
    for _ in progress.steps(settings.iterations, settings.advantages):
        cases = [
            case for _ in range(settings.prompts) for case in [texts.Case.drawn(random)] * settings.answers
        ]
        answers = desk.answered(policy, cases, by_one_throw(int(random.integers(2**31))))
        window = Window.of(answers)
        mask, old = window.mask, answers.log_probs[:, window.start :]
        with torch.no_grad():
            base = window.log_probs(start, answers.ids)
            paid = score(cases, answers)
        kl = kl_estimate(old, base, "k1").masked_fill(~mask, 0.0).sum(dim=1)
        by_prompt = (settings.prompts, settings.answers)
        if settings.advantages == "group":  # the distance is a loss of its own
            each = group_advantages(paid.reshape(by_prompt))
        else:  # the distance is a part of the reward
            each = leave_one_out_advantages((paid - settings.kl_coefficient * kl).reshape(by_prompt))
        advantages = each.reshape(-1, 1).expand_as(old)
        beyond = []
        for _ in range(settings.epochs):
            for rows in _parts(len(cases), settings.parts, random):
                part = window.rows(rows)
                log_probs = part.log_probs(policy, answers.ids[rows])
                loss = clipped_policy_loss(log_probs, old[rows], advantages[rows], part.mask, settings.clip)
                if settings.advantages == "group":
                    loss = loss + settings.kl_coefficient * masked_mean(
                        kl_estimate(log_probs, base[rows], "k3"), part.mask
                    )
                steps.step(loss, settings.rate)
                beyond.append(_beyond(log_probs, old[rows], part.mask, settings.clip))
        journal.write(kl, paid, desk.gold_scores(cases, answers), mask.sum(dim=1))
        journal.clipped.append(sum(beyond) / len(beyond))
    return policy, journal


@settled()
def dpo(
    start: GPT,
    on: Comparisons,
    seed: int,
    beta: float = 0.3,
    rate: float = 1e-4,
    batch: int = 32,
    epochs: int = 2,
) -> tuple[GPT, list[float]]:
    """Learn from the best and the worst answer to each prompt directly (Rafailov et al. 2023)."""
    policy, random = copy.deepcopy(start), np.random.default_rng([seed, 5])
    optimiser = Optimiser(policy.parameters(), _plan(rate), policy.kernels)
    rows = torch.arange(len(on))
    ends = torch.stack([on.rankings[:, 0], on.rankings[:, -1]])  # best, worst
    ids = on.ids[rows, ends]
    places = torch.arange(ids.shape[-1])
    after_mark = (ids == english().answer).long().cumsum(dim=-1) > 0
    is_answer = after_mark & (ids != english().answer) & (places < on.lengths[rows, ends].unsqueeze(-1))

    def of_whole_answers(model: GPT, which: Tensor) -> Float[Tensor, "2 some"]:
        chosen = ids[:, which].flatten(0, 1)
        found = token_log_probabilities(model(chosen), chosen)
        of_answers = found * is_answer[:, which].flatten(0, 1)
        return of_answers.sum(dim=1).reshape(2, len(which))

    losses = []
    per_epoch = len(on) // batch
    for step in progress.steps(epochs * per_epoch, "DPO"):
        if step % per_epoch == 0:
            order = torch.from_numpy(random.permutation(len(on)))
        which = order[step % per_epoch * batch :][:batch]
        with torch.no_grad():
            base = of_whole_answers(start, which)
        now = of_whole_answers(policy, which)
        losses.append(optimiser.step(dpo_loss(now[0], now[1], base[0], base[1], beta), rate))
    return policy, losses


def _plan(rate: float) -> Plan:
    """Adam as it is common in reinforcement learning: a constant rate, clipped gradients."""
    return Plan(steps=1, batch=1, peak=rate, warmup=0)


def _parts(count: int, parts: int, random: np.random.Generator) -> Sequence[Int[Tensor, " some"]]:
    return torch.from_numpy(random.permutation(count)).chunk(parts)


@torch.no_grad()
def _beyond(log_probs: Tensor, old: Tensor, mask: Tensor, clip: float) -> float:
    ratios = (log_probs - old).exp()
    return masked_mean(((ratios - 1).abs() > clip).float(), mask).item()
