"""What the chapter on fine-tuning measures ahead, for the three seeds of `chain`.

How many demonstrations does it take, and should the question count in the loss? How large is the change
of the weights, and which part of it is needed? How does a change of low rank compare, if it is *trained*
as one? What is forgotten, and does rehearsing help?
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from nexttoken.lab import checkpoints, desk, pretraining
from nexttoken.lab.chain import SEEDS
from nexttoken.lab.finetuning import (
    DEMONSTRATIONS,
    PLAN,
    along,
    demonstrations,
    finetune,
    only_blocks,
    surprise,
    with_lora,
)
from nexttoken.lab.recipes import recipe, result
from nexttoken.lab.village.law import TOPICS, Topic
from nexttoken.models import GPT, READY_MADE
from nexttoken.sft import relative_change

# How many demonstrations, and how often each is seen: few are seen more often.
EPOCHS = {16: 48, 64: 24, 256: 12, 1024: 8}
TAUGHT, HELD_OUT = TOPICS[:8], TOPICS[8:]
TIMES = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0)
RANKS = (0, 1, 2, 4, 8, 16, 64)  # to which a finished change is cut
PPO_RANKS = (0, 1, 2, 8, 64)
# The learning rates that were tried, for a change of each rank, and for all numbers of the blocks' matrices.
RATES = {
    "1": (0.01, 0.02, 0.04),
    "2": (0.01, 0.02, 0.04),
    "4": (0.01, 0.02, 0.04),
    "8": (0.02, 0.04, 0.08),
    "all": (0.004, 0.008, 0.016),
}
UNSEEN = 200  # demonstrations, and documents, on which surprise is measured
_UNSEEN_SEED = 70_000


def exam(model: GPT, topics: Sequence[Topic] = TOPICS) -> tuple[float, float]:
    """The mean gold score in the exam, and in which share of the answers the right rule is cited."""
    cases = desk.exam(topics=topics)
    found = desk.judgements(cases, desk.ask(model, cases))
    gold = sum(judgement.score for judgement in found) / len(found)
    return round(gold, 3), round(sum(judgement.found["right rule"] for judgement in found) / len(found), 4)


def score(model: GPT) -> float:
    """The mean gold score in the exam."""
    return exam(model)[0]


@torch.no_grad()
def web_surprise(model: GPT, seed: int) -> float:
    """Mean surprise in nats at documents of the web that no model has read."""
    documents = pretraining.documents(UNSEEN, _UNSEEN_SEED + seed)
    return round(pretraining.loss(model, next(pretraining.batches(documents, UNSEEN, seed))).item(), 4)


def measures(model: GPT, base: GPT, seed: int) -> dict[str, float]:
    """How good a model is, what it knows, and how far it has gone."""
    unseen = demonstrations(UNSEEN, _UNSEEN_SEED + seed)
    return {
        "gold": score(model),
        "answers": round(surprise(model, unseen), 4),
        "questions": round(surprise(model, unseen, of_question=True), 4),
        "web": web_surprise(model, seed),
        "change": round(relative_change(base.state_dict(), model.state_dict()), 4),
    }


def _base(seed: int) -> GPT:
    return checkpoints.load(f"base-{seed}", READY_MADE)


def counts(seed: int) -> dict[str, Any]:
    """Few demonstrations and many; the loss on answers alone ("masked"), and on questions too."""
    base, found = _base(seed), {}
    everything = demonstrations(DEMONSTRATIONS, seed)
    for count, epochs in EPOCHS.items():
        batch = min(PLAN.batch, count)
        plan = replace(PLAN, batch=batch, steps=epochs * count // batch)
        for masked in (True, False):
            if (count, plan, masked) == (DEMONSTRATIONS, PLAN, True):  # a model that has been made
                model = checkpoints.load(f"sft-{seed}", READY_MADE)
            else:
                model, _ = finetune(base, everything[:count], seed, plan, masked=masked)
            found[f"{count}, {'masked' if masked else 'unmasked'}"] = measures(model, base, seed)
    return {"base": measures(base, base, seed), "tuned": found}


def change(seed: int) -> dict[str, Any]:
    """Walk along the change of the weights, and cut it to a low rank."""
    base, sft, ppo = (checkpoints.load(f"{name}-{seed}", READY_MADE) for name in ("base", "sft", "ppo"))
    return {
        "walk": [score(along(base, sft, times)) for times in TIMES],
        "cut": [score(along(base, sft, rank=rank)) for rank in RANKS],
        "cut ppo": [score(along(sft, ppo, rank=rank)) for rank in PPO_RANKS],
    }


def _learn(kind: str, seed: int, rate: float, steps: int = PLAN.steps) -> GPT:
    """Train a change of this rank, or "all" numbers of the blocks' matrices."""
    base = _base(seed)
    start = only_blocks(base) if kind == "all" else with_lora(base, int(kind), seed)
    plan = replace(PLAN, peak=rate, steps=steps)
    return finetune(start, demonstrations(DEMONSTRATIONS, seed), seed, plan)[0]


def rates() -> dict[str, Any]:
    """Which learning rate suits each: half a training of seed 0, judged by demonstrations it has not seen."""
    unseen = demonstrations(UNSEEN, _UNSEEN_SEED)
    tried = {
        kind: {
            f"{rate:g}": round(surprise(_learn(kind, 0, rate, PLAN.steps // 2), unseen), 4) for rate in given
        }
        for kind, given in RATES.items()
    }
    return {"tried": tried, "best": {kind: float(min(of, key=of.__getitem__)) for kind, of in tried.items()}}


def low_rank(seed: int) -> dict[str, Any]:
    """Train changes of rank 1, 2, 4, 8 and of any rank, with embeddings, gains and biases frozen in all."""
    best, found = result("sft-rates")["best"], {}
    unseen = demonstrations(UNSEEN, _UNSEEN_SEED + seed)
    for kind, rate in best.items():
        model = _learn(kind, seed, rate)
        found[kind] = {
            "gold": score(model),
            "answers": round(surprise(model, unseen), 4),
            "web": web_surprise(model, seed),
            "trained": sum(number.numel() for number in model.parameters() if number.requires_grad),
        }
    return found


def forgetting(seed: int) -> dict[str, Any]:
    """Learn to answer on 8 of the 12 topics, with the web rehearsed or not; what of the other 4?"""
    base, found = _base(seed), {}
    on = demonstrations(DEMONSTRATIONS, seed, TAUGHT)
    for name, rehearse in (("plain", 0.0), ("rehearsed", 1.0)):
        model, _ = finetune(base, on, seed, rehearse=rehearse)
        found[name] = _by_topics(model, seed)
    return {"base": _by_topics(base, seed)} | found


def _by_topics(model: GPT, seed: int) -> dict[str, float]:
    (taught, _), (held_out, right) = exam(model, TAUGHT), exam(model, HELD_OUT)
    return {"taught": taught, "held out": held_out, "right rule": right, "web": web_surprise(model, seed)}


recipe("sft-rates", needs=["family-0"])(rates)
for _seed in SEEDS:
    for _name, _make in (("counts", counts), ("change", change), ("forgetting", forgetting)):
        recipe(f"sft-{_name}-{_seed}", needs=[f"family-{_seed}"])(partial(_make, _seed))
    recipe(f"sft-lora-{_seed}", needs=[f"family-{_seed}", "sft-rates"])(partial(low_rank, _seed))
