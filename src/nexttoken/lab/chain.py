"""The three steps, one after the other, from nothing: base model, SFT, reward model, PPO.

Each seed gives a whole family of models, which are shipped: `base-0`, `sft-0`, `reward-0` (from 1024
prompts), `reward32-0` (from 32), and `ppo-0`.
"""

import copy
import time
from dataclasses import asdict
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from nexttoken.lab import checkpoints, desk, finetuning, preferences, pretraining
from nexttoken.lab import reinforcement as rl
from nexttoken.lab.recipes import recipe, rounded
from nexttoken.lab.sampling import Answers
from nexttoken.models import GPT, READY_MADE, RewardModel

SEEDS = (0, 1, 2)
FULL = rl.PPO(iterations=120)  # half of them bring most of it: see "middle of ppo"
SIZES = (8, 32, 128, 512, 1024)  # prompts from which a reward model learns
UNSEEN = 300  # prompts on which reward models are measured


class Stopwatch:
    """CPU seconds of each stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.process_time()

    def lap(self, stage: str) -> None:
        """What was done since the last lap belongs to this stage."""
        now = time.process_time()
        self.seconds[stage] = round(self.seconds.get(stage, 0.0) + now - self._last, 2)
        self._last = now


def exam(model: GPT) -> torch.Tensor:
    """The gold score of one answer to each of the 400 cases on which all models are compared."""
    cases = desk.exam()
    return desk.gold_scores(cases, desk.ask(model, cases))


def unseen(model: GPT, seed: int) -> preferences.Comparisons:
    """Noiseless comparisons of the model's answers to prompts that no reward model learns from."""
    return preferences.compare(model, UNSEEN, seed + 500, noise=0.0)


def reward_model(start: GPT, on: preferences.Comparisons, seed: int) -> RewardModel:
    """A reward model on the scale of the model's own answers: mean 0, standard deviation 1."""
    model, _ = preferences.train(start, on, seed)
    cases = desk.cases(400, seed + 600)
    preferences.normalise(model, desk.ask(start, cases, seed))
    return model


def journal(of: rl.Journal) -> dict[str, list[float]]:
    """A journal in few digits."""
    return {name: rounded(numbers, 3) for name, numbers in asdict(of).items()}


@torch.no_grad()
def measured(policy: GPT, sft: GPT, judge: RewardModel, before: Float[Tensor, " cases"]) -> dict[str, float]:
    """In the exam: the gold score, what the judge pays, the distance from SFT, and the wins over it."""
    cases = desk.exam()
    answers = desk.ask(policy, cases)
    after = desk.gold_scores(cases, answers)
    found = {
        "gold": after.mean().item(),
        "proxy": judge(answers.ids, answers.lengths).mean().item(),
        "kl": distance(answers, sft).mean().item(),
        "win over sft": desk.win_rate(after, before),
    }
    return {name: round(number, 4) for name, number in found.items()}


@torch.no_grad()
def distance(answers: Answers, reference: GPT) -> Float[Tensor, " batch"]:
    """For each answer, how much likelier it was to its writer than it is to the reference, in nats."""
    window = rl.Window.of(answers)
    return answers.log_probs.sum(dim=1) - window.log_probs(reference, answers.ids).sum(dim=1)


def with_middle(sft: GPT, judge: RewardModel, seed: int, settings: rl.PPO) -> tuple[GPT, GPT, rl.Journal]:
    """PPO: the policy after half of the iterations, at the end, and what was seen. The half is a run of its own."""
    middle: list[GPT] = []

    def look(iteration: int, policy: GPT) -> None:
        if iteration == settings.iterations // 2:
            middle.append(copy.deepcopy(policy))

    policy, run = rl.ppo(sft, rl.paid_by(judge), judge, seed, settings, look=look)
    return middle[0], policy, run


def first_half(of: dict[str, list[float]]) -> dict[str, list[float]]:
    """What was seen until the middle of a run."""
    return {name: numbers[: len(numbers) // 2] for name, numbers in of.items()}


def family(seed: int) -> dict[str, Any]:
    """The whole chain for one seed, with what it costs and how good each model is."""
    watch = Stopwatch()
    base, losses, copying = pretraining.watched(seed, READY_MADE)
    watch.lap("pretraining")
    sft, _ = finetuning.finetune(base, finetuning.demonstrations(finetuning.DEMONSTRATIONS, seed), seed)
    watch.lap("sft")
    comparisons = preferences.compare(sft, preferences.PROMPTS, seed)
    watch.lap("comparisons")
    judge = reward_model(sft, comparisons, seed)
    watch.lap("reward model")
    middle, policy, run = with_middle(sft, judge, seed, FULL)
    watch.lap("ppo")
    gold = {"base": exam(base), "sft": exam(sft), "ppo": exam(policy)}
    watch.lap("exams")
    test = unseen(sft, seed)
    accuracies, train_accuracies = {}, {}
    for size in SIZES:
        small = judge if size == SIZES[-1] else reward_model(sft, comparisons[:size], seed)
        accuracies[size] = round(preferences.accuracy(small, test), 4)
        train_accuracies[size] = round(preferences.accuracy(small, comparisons[:size]), 4)
        if size == 32:
            checkpoints.save(
                f"reward32-{seed}", small, _about(seed, preferences), {"accuracy": accuracies[32]}
            )
    means = {name: round(scores.mean().item(), 3) for name, scores in gold.items()}
    copies = pretraining.copy_probability(base)
    checkpoints.save(
        f"base-{seed}",
        base,
        {"seed": seed, **asdict(pretraining.PLAN)},
        {"gold": means["base"], "copy probability": copies},
    )
    checkpoints.save(f"sft-{seed}", sft, {"seed": seed, **asdict(finetuning.PLAN)}, {"gold": means["sft"]})
    checkpoints.save(f"reward-{seed}", judge, _about(seed, preferences), {"accuracy": accuracies[1024]})
    checkpoints.save(f"ppo-{seed}", policy, {"seed": seed, **asdict(FULL)}, {"gold": means["ppo"]})
    return {
        "seconds": watch.seconds,
        "gold": means,
        "wins": {
            "sft over base": round(desk.win_rate(gold["sft"], gold["base"]), 4),
            "ppo over sft": round(desk.win_rate(gold["ppo"], gold["sft"]), 4),
            "ppo over base": round(desk.win_rate(gold["ppo"], gold["base"]), 4),
        },
        "pretraining loss": round(sum(losses[-50:]) / 50, 4),
        "copying": copying,
        "copy probability": round(copies, 4),
        "accuracy": accuracies,
        "train accuracy": train_accuracies,
        "ppo": journal(run),
        "middle of ppo": measured(middle, sft, judge, gold["sft"]),
    }


def _about(seed: int, of: Any) -> dict[str, Any]:
    return {"seed": seed, "answers": of.ANSWERS, "noise": of.NOISE, "epochs": of.EPOCHS, "peak": of.PEAK}


for _seed in SEEDS:
    recipe(f"family-{_seed}")(partial(family, _seed))
