"""What the chapter on reinforcement learning measures ahead, beside the runs of `chain`.

What becomes of a policy that a poor judge pays? What does the price of the distance change? How good are
RLOO, GRPO and DPO with as many answers as PPO was given? Is it the judge's fault if the policy collapses?
And is it worth while to ask the labelers again, about the answers of the policy of today?
"""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from nexttoken.lab import checkpoints, desk, finetuning, preferences, pretraining
from nexttoken.lab import reinforcement as rl
from nexttoken.lab.chain import (
    FULL,
    SEEDS,
    exam,
    first_half,
    journal,
    measured,
    reward_model,
    unseen,
    with_middle,
)
from nexttoken.lab.preferences import Comparisons
from nexttoken.lab.recipes import recipe, result, rounded
from nexttoken.lab.sampling import Answers
from nexttoken.lab.village import gold, texts
from nexttoken.lab.village.law import TOPICS
from nexttoken.models import GPT, READY_MADE, RewardModel

# --- the same question, answered by all ------------------------------------------------------------

MODELS = {"base": "base-0", "SFT": "sft-0", "PPO": "ppo-0", "over-optimised": "hacked-0"}


def a_dozen_questions() -> list[texts.Case]:
    """The first case of each topic in the exam."""
    return [next(case for case in desk.exam() if case.topic == topic) for topic in TOPICS]


def said(model: GPT, cases: Sequence[texts.Case]) -> list[dict[str, Any]]:
    """An answer to each case, with what the gold judge finds in it."""
    found = []
    for case, (text, finished) in zip(cases, desk.read(desk.ask(model, cases)), strict=True):
        judgement = gold.judge(case, text, finished)
        points = {what: [times, gold.WEIGHTS[what]] for what, times in judgement.found.items()}
        found.append({"text": text, "gold": round(judgement.score, 2), "found": points})
    return found


def same_questions() -> dict[str, Any]:
    """A dozen questions, and what the four models of seed 0 answer."""
    cases = a_dozen_questions()
    answers = {name: said(checkpoints.load(file, READY_MADE), cases) for name, file in MODELS.items()}
    return {"questions": [texts.question(case) for case in cases], "answers": answers}


# --- over-optimisation -----------------------------------------------------------------------------


def overoptimised(seed: int) -> dict[str, Any]:
    """PPO against the reward models from 32 and 1024 prompts, with and without a price on the distance.

    `hacked-S` is what becomes of seed S if the small reward model pays, and nothing is charged.
    """
    sft, the_chain = checkpoints.load(f"sft-{seed}", READY_MADE), result(f"family-{seed}")
    before, found, middles = exam(sft), {}, {}
    for prompts, name in ((32, "reward32"), (1024, "reward")):
        judge = checkpoints.load_reward_model(f"{name}-{seed}", READY_MADE)
        for price in (0.0, FULL.kl_coefficient):
            which, settings = f"{prompts}, {price:g}", replace(FULL, kl_coefficient=price)
            if (prompts, settings) == (preferences.PROMPTS, FULL):  # a run that has been made
                found[which] = {"win over sft": the_chain["wins"]["ppo over sft"], **the_chain["ppo"]}
                continue
            middle, policy, run = with_middle(sft, judge, seed, settings)
            after = exam(policy)
            found[which] = {"win over sft": round(desk.win_rate(after, before), 4), **journal(run)}
            if (prompts, seed) == (32, 0):
                middles[f"{price:g}"] = priced(middle, sft, judge, before)
            if (prompts, price) == (32, 0.0):
                recipe_ = {"seed": seed, **asdict(settings)}
                checkpoints.save(f"hacked-{seed}", policy, recipe_, {"gold": after.mean().item()})
    return {"runs": found, "middles": middles}


# --- the price of the distance ---------------------------------------------------------------------

PRICES = (0.0, 0.005, 0.02, 0.1, 0.4)
PRICED = replace(FULL, iterations=FULL.iterations // 2)


def at_a_price(price: float) -> dict[str, Any]:
    """PPO against the reward model from 32 prompts (seed 0), with answers from its end."""
    longer = result("overoptimised-0")
    if (name := f"{price:g}") in longer["middles"]:  # the first half of a run that has been made
        whole = longer["runs"][f"32, {name}"]
        return {**longer["middles"][name], "run": first_half({of: whole[of] for of in vars(rl.Journal())})}
    sft = checkpoints.load("sft-0", READY_MADE)
    judge = checkpoints.load_reward_model("reward32-0", READY_MADE)
    settings = replace(PRICED, kl_coefficient=price)
    policy, run = rl.ppo(sft, rl.paid_by(judge), judge, 0, settings)
    return {**priced(policy, sft, judge, exam(sft)), "run": journal(run)}


def priced(policy: GPT, sft: GPT, judge: RewardModel, before: Tensor) -> dict[str, Any]:
    """How good a policy is, and what it answers."""
    answers = said(policy, a_dozen_questions()[:4])
    return {**measured(policy, sft, judge, before), "answers": answers}


def priced_runs(width: int = 10) -> dict[str, Any]:
    """All of them for the slider in the page, with iterations to be smoothed over."""
    runs = [{"price": price, **result(f"price-{price:g}")} for price in PRICES]
    questions = [texts.question(case) for case in a_dozen_questions()[:4]]
    sft = result("family-0")["gold"]["sft"]
    return {"runs": runs, "questions": questions, "sft": sft, "width": width, "start": PRICES.index(0.02)}


# --- a judge that pays, and gold ---------------------------------------------------------------------


def smooth(numbers: Sequence[float], width: int = 10) -> Float[Tensor, " fewer"]:
    """The mean of each `width` iterations on end."""
    return torch.tensor(numbers).unfold(0, width, 1).mean(dim=1)


def path(run: dict[str, list[float]], of: str = "gold", width: int = 10) -> tuple[Tensor, Tensor]:
    """The root of the distance, and gold (or the proxy) there, for each `width` iterations on end."""
    return smooth(run["kl"], width).clamp(min=1e-3).sqrt(), smooth(run[of], width)


def fitted(far: Float[Tensor, " points"], gold: Float[Tensor, " points"]) -> Float[Tensor, " points"]:
    """The nearest curve of the form d (alpha - beta log d) (Gao et al. 2023)."""
    terms = torch.stack([far, -far * far.log()], dim=1)  # linear in alpha and beta
    curve: Tensor = terms @ torch.linalg.lstsq(terms, gold.unsqueeze(1)).solution
    return curve.squeeze(1)


# --- other ways to learn from as many answers ------------------------------------------------------


def algorithms(seed: int) -> dict[str, Any]:
    """PPO, RLOO, GRPO and DPO, each from 2880 answers: half of what PPO is given in `chain.family`."""
    sft = checkpoints.load(f"sft-{seed}", READY_MADE)
    judge = checkpoints.load_reward_model(f"reward-{seed}", READY_MADE)
    before = exam(sft)
    the_chain = result(f"family-{seed}")
    found: dict[str, dict[str, Any]] = {
        "PPO": {**the_chain["middle of ppo"], "run": first_half(the_chain["ppo"])}
    }
    for name, settings in {
        "RLOO": rl.Groups(advantages="leave one out"),
        "GRPO": rl.Groups(advantages="group"),
        "GRPO, price 0.2": rl.Groups(advantages="group", kl_coefficient=0.2),
    }.items():
        policy, run = rl.in_groups(sft, rl.paid_by(judge), seed, settings)
        found[name] = {**measured(policy, sft, judge, before), "run": journal(run)}
    comparisons = preferences.compare(sft, 720, seed)
    for name, beta, rate in (("DPO", 0.3, 1e-4), ("DPO, larger steps", 0.1, 3e-4)):
        policy, losses = rl.dpo(sft, comparisons, seed, beta, rate)
        found[name] = {**measured(policy, sft, judge, before), "losses": rounded(losses)}
    return found


# --- whose fault is it? ----------------------------------------------------------------------------


def controls() -> dict[str, Any]:
    """No price, seed 0: the gold judge itself pays; and the large reward model, with smaller steps."""
    sft = checkpoints.load("sft-0", READY_MADE)
    judge = checkpoints.load_reward_model("reward-0", READY_MADE)
    free = replace(PRICED, kl_coefficient=0.0)
    before = exam(sft)
    found: dict[str, dict[str, Any]] = {}
    in_gold = rl.paid_in_gold(before.mean().item(), before.std().item())
    for name, score, settings in (
        ("gold pays", in_gold, free),
        ("small steps", rl.paid_by(judge), replace(free, rate=1e-4)),
        ("small steps, not whitened", rl.paid_by(judge), replace(free, rate=1e-4, whitened=False)),
    ):
        policy, run = rl.ppo(sft, score, judge, 0, settings)
        found[name] = {**measured(policy, sft, judge, before), "run": journal(run)}
    return found


# --- N17: steps 2 and 3, again and again -----------------------------------------------------------

ROUNDS, FRESH = 4, 64  # and prompts that are compared in each of them
ROUND = rl.PPO(iterations=12)  # in which the policy learns; those for the values come on top
ROUND_SEEDS = (0, 1, 2, 3, 4)
CHEAP = 0.005  # a price at which one round goes further from SFT, as four rounds do
FIRST_VALUES, NEXT_VALUES = 5, 2  # iterations for the values: in the first round, in the others
DESIGNS = {"as they come": False, "mended": True}
# For so many seeds: half of the 95 % interval of their mean, in standard errors (Student 1908).
STUDENT = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262}


def start_of(seed: int) -> GPT:
    """The fine-tuned model of a seed, made anew where none is shipped."""
    if seed in SEEDS:
        return checkpoints.load(f"sft-{seed}", READY_MADE)
    base, _ = pretraining.pretrain(seed, kernels=READY_MADE)
    shown = finetuning.demonstrations(finetuning.DEMONSTRATIONS, seed)
    return finetuning.finetune(base, shown, seed)[0]


def mixed(sft: GPT, policy: GPT, prompts: int, seed: int) -> Comparisons:
    """Each prompt answered twice by the fine-tuned model, and twice by the policy of today."""
    cases = desk.cases(prompts, seed + 2000)
    twice = [case for case in cases for _ in range(2)]
    both = [desk.ask(model, twice, seed + 2000 + n) for n, model in enumerate((sft, policy))]
    width = max(answers.ids.shape[1] for answers in both)
    wide = [torch.nn.functional.pad(answers.ids, (0, width - answers.ids.shape[1])) for answers in both]
    points = [desk.gold_scores(twice, answers).reshape(prompts, 2) for answers in both]
    found = torch.cat(points, dim=1)
    noise = preferences.NOISE * np.random.default_rng([seed, 2]).gumbel(size=found.shape)
    return Comparisons(
        cases,
        torch.cat([ids.unflatten(0, (prompts, 2)) for ids in wide], dim=1),
        torch.cat([answers.lengths.reshape(prompts, 2) for answers in both], dim=1),
        found,
        (found + torch.from_numpy(noise)).argsort(dim=-1, descending=True),
    )


def mean_and_deviation(judge: RewardModel, answers: Answers) -> tuple[float, float]:
    """Of what a judge pays for these answers."""
    with torch.no_grad():
        paid = judge(answers.ids, answers.lengths)
    return paid.mean().item(), paid.std(correction=0).item()


def in_rounds(
    sft: GPT,
    before: Float[Tensor, " cases"],
    first: Comparisons,
    test: Comparisons,
    seed: int,
    ppo: rl.PPO,
    designs: Iterable[str],
) -> dict[str, tuple[GPT, list[dict[str, Any]]]]:
    """Four rounds of fresh comparisons and a little PPO; the policy goes on, the judge begins anew.

    `before` is the fine-tuned model's exam, and on `test` each judge is tried.

    As they come: four answers of the policy of today, ties and all, and the judge brought to mean 0 and
    deviation 1 on answers of the fine-tuned model. Mended: two answers of it and two of today's, no
    ties, and the judge brought to scale on both kinds together. The first round, in which all answers
    are the fine-tuned model's, is the same for both.
    """
    sft_answers = desk.ask(sft, desk.cases(200, seed + 600), seed)

    def a_round(
        number: int, policy: GPT, comparisons: Comparisons, mended: bool
    ) -> tuple[GPT, dict[str, Any]]:
        now = seed + 100 * number
        judge, _ = preferences.train(sft, comparisons, seed, ties=not mended)
        _, deviation = mean_and_deviation(judge, sft_answers)
        scale = [sft_answers]
        if mended:
            scale.append(desk.ask(policy, desk.cases(200, now + 600), now))
        preferences.normalise(judge, together(scale))
        entry = {
            "tied": 1 - preferences.told_apart(comparisons[-FRESH:]).float().mean().item(),
            "deviation before scaling": deviation,
            "accuracy on sft": preferences.accuracy(judge, test),
            "accuracy on policy": preferences.accuracy(judge, todays(policy, seed)),
        }
        values_first = NEXT_VALUES if number else FIRST_VALUES
        settings = replace(ppo, iterations=ppo.iterations + values_first, values_first=values_first)
        policy, run = rl.ppo(policy, rl.paid_by(judge), judge, now, settings, reference=sft)
        entry |= measured(policy, sft, judge, before)
        return policy, {of: round(value, 4) for of, value in entry.items()} | {"run": journal(run)}

    after_first, seen_first = a_round(0, sft, first, mended=False)
    found = {}
    for name in designs:
        mended = DESIGNS[name]
        policy, comparisons, seen = after_first, first, [seen_first]
        for number in range(1, ROUNDS):
            now = seed + 100 * number
            fresh = mixed(sft, policy, FRESH, now) if mended else preferences.compare(policy, FRESH, now)
            comparisons = preferences.joined(comparisons, fresh)
            policy, entry = a_round(number, policy, comparisons, mended)
            seen.append(entry)
        found[name] = policy, seen
    return found


def mean_of_seeds(found: Sequence[float]) -> tuple[float, float]:
    """The mean of what two to ten seeds gave, and half of its 95 % interval.

    >>> mean, half = mean_of_seeds([0.4, 0.5, 0.6])
    >>> round(mean, 3), round(half, 3)
    (0.5, 0.248)
    """
    return statistics.mean(found), STUDENT[len(found)] * statistics.stdev(found) / len(found) ** 0.5


def todays(policy: GPT, seed: int) -> Comparisons:
    """Noiseless comparisons of the policy's own answers."""
    return preferences.compare(policy, 100, seed + 500, noise=0.0)


def together(several: Sequence[Answers]) -> Answers:
    """All answers as one batch."""
    width = max(answers.ids.shape[1] for answers in several)

    def joined(name: str) -> Tensor:
        parts = [getattr(answers, name) for answers in several]
        return torch.cat([torch.nn.functional.pad(part, (0, width - part.shape[1])) for part in parts])

    return Answers(joined("ids"), joined("is_answer"), joined("log_probs"))


def rounds(seed: int, ppo: rl.PPO = ROUND, designs: Iterable[str] = DESIGNS) -> dict[str, Any]:
    """As many comparisons in one round (at two prices) and in four (of two designs), and as much PPO."""
    sft = start_of(seed)
    all_at_once = preferences.compare(sft, ROUNDS * FRESH, seed)
    judge = reward_model(sft, all_at_once, seed)
    before, test, one_round = exam(sft), unseen(sft, seed), {}
    on_sft = round(preferences.accuracy(judge, test), 4)
    found: dict[str, Any] = {"sft": round(before.mean().item(), 4)}
    longest = ROUNDS * ppo.iterations + FIRST_VALUES
    for name, price in (("one round, cheap", CHEAP), ("one round", ppo.kl_coefficient)):
        settings = replace(ppo, iterations=longest, values_first=FIRST_VALUES, kl_coefficient=price)
        policy, run = rl.ppo(sft, rl.paid_by(judge), judge, seed, settings)
        found[name] = {
            **measured(policy, sft, judge, before),
            "accuracy on sft": on_sft,
            "accuracy on policy": round(preferences.accuracy(judge, todays(policy, seed)), 4),
            "run": journal(run),
        }
        one_round[name] = exam(policy)
    in_four = in_rounds(sft, before, all_at_once[:FRESH], test, seed, ppo, designs)
    for name, (policy, seen) in in_four.items():
        four = exam(policy)
        wins = {f"win over {other}": round(desk.win_rate(four, one), 4) for other, one in one_round.items()}
        found[name] = {"rounds": seen, **wins}
    return found


recipe("same-questions", needs=["family-0", "overoptimised-0"])(same_questions)
recipe("controls", needs=["family-0"])(controls)
for _price in PRICES:
    recipe(f"price-{_price:g}", needs=["overoptimised-0"])(partial(at_a_price, _price))
for _seed in SEEDS:
    recipe(f"overoptimised-{_seed}", needs=[f"family-{_seed}"])(partial(overoptimised, _seed))
    recipe(f"algorithms-{_seed}", needs=[f"family-{_seed}"])(partial(algorithms, _seed))
for _seed in ROUND_SEEDS:
    needs = [f"family-{_seed}"] if _seed in SEEDS else []
    recipe(f"rounds-{_seed}", needs=needs)(partial(rounds, _seed))
