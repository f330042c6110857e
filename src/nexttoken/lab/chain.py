"""The three steps, one after the other, from nothing: base model, SFT, reward model, PPO.

Each seed gives a whole family of models, which are shipped: `base-0`, `sft-0`, `reward-0` (from 1024
prompts), `reward32-0` (from 32), `ppo-0`, and `hacked-0`, that was trained against the small reward model
without a price on the distance.
"""

import time
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import torch

from nexttoken.lab import checkpoints, desk, finetuning, preferences, pretraining
from nexttoken.lab import reinforcement as rl
from nexttoken.lab.recipes import recipe, result, rounded
from nexttoken.models import GPT, READY_MADE, RewardModel

SEEDS = (0, 1, 2)
FULL = rl.PPO(iterations=120)  # half as many do for two seeds of three
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


def family(seed: int) -> dict[str, Any]:
    """The whole chain for one seed, with what it costs and how good each model is."""
    watch = Stopwatch()
    base, losses = pretraining.pretrain(seed, kernels=READY_MADE)
    watch.lap("pretraining")
    sft, _ = finetuning.finetune(base, finetuning.demonstrations(finetuning.DEMONSTRATIONS, seed), seed)
    watch.lap("sft")
    comparisons = preferences.compare(sft, preferences.PROMPTS, seed)
    watch.lap("comparisons")
    judge = reward_model(sft, comparisons, seed)
    watch.lap("reward model")
    policy, run = rl.ppo(sft, rl.paid_by(judge), judge, seed, FULL)
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
    measured = {name: round(scores.mean().item(), 3) for name, scores in gold.items()}
    copying = pretraining.copy_probability(base)
    checkpoints.save(
        f"base-{seed}",
        base,
        {"seed": seed, **asdict(pretraining.PLAN)},
        {"gold": measured["base"], "copy probability": copying},
    )
    checkpoints.save(f"sft-{seed}", sft, {"seed": seed, **asdict(finetuning.PLAN)}, {"gold": measured["sft"]})
    checkpoints.save(f"reward-{seed}", judge, _about(seed, preferences), {"accuracy": accuracies[1024]})
    checkpoints.save(f"ppo-{seed}", policy, {"seed": seed, **asdict(FULL)}, {"gold": measured["ppo"]})
    return {
        "seconds": watch.seconds,
        "gold": measured,
        "wins": {
            "sft over base": round(desk.win_rate(gold["sft"], gold["base"]), 4),
            "ppo over sft": round(desk.win_rate(gold["ppo"], gold["sft"]), 4),
            "ppo over base": round(desk.win_rate(gold["ppo"], gold["base"]), 4),
        },
        "pretraining loss": round(sum(losses[-50:]) / 50, 4),
        "copy probability": round(copying, 4),
        "accuracy": accuracies,
        "train accuracy": train_accuracies,
        "ppo": journal(run),
    }


def _about(seed: int, of: Any) -> dict[str, Any]:
    return {"seed": seed, "answers": of.ANSWERS, "noise": of.NOISE, "epochs": of.EPOCHS, "peak": of.PEAK}


def overoptimised(seed: int) -> dict[str, Any]:
    """PPO against the reward models from 32 and 1024 prompts, with and without a price on the distance."""
    sft, the_chain = checkpoints.load(f"sft-{seed}", READY_MADE), result(f"family-{seed}")
    before, found = exam(sft), {}
    for prompts, name in ((32, "reward32"), (1024, "reward")):
        judge = checkpoints.load_reward_model(f"{name}-{seed}", READY_MADE)
        for price in (0.0, FULL.kl_coefficient):
            which, settings = f"{prompts}, {price:g}", replace(FULL, kl_coefficient=price)
            if (prompts, settings) == (preferences.PROMPTS, FULL):  # a run that has been made
                found[which] = {"win over sft": the_chain["wins"]["ppo over sft"], **the_chain["ppo"]}
                continue
            policy, run = rl.ppo(sft, rl.paid_by(judge), judge, seed, settings)
            after = exam(policy)
            found[which] = {"win over sft": round(desk.win_rate(after, before), 4), **journal(run)}
            if (prompts, price) == (32, 0.0):
                recipe_ = {"seed": seed, **asdict(settings)}
                checkpoints.save(f"hacked-{seed}", policy, recipe_, {"gold": after.mean().item()})
    return {"runs": found}


for _seed in SEEDS:
    recipe(f"family-{_seed}")(partial(family, _seed))
    recipe(f"overoptimised-{_seed}", needs=[f"family-{_seed}"])(partial(overoptimised, _seed))
