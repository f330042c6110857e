"""The given code of the chapter on reinforcement learning: the known answer, the stored results, the figures."""

import json
import os
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from nexttoken.lab import chain, checkpoints, desk, plots, preferences, recipes, tabular
from nexttoken.lab import reinforcement as rl
from nexttoken.lab import reinforcement_results as results
from nexttoken.lab.village import gold
from nexttoken.models import READY_MADE

LIVE = Path(__file__).parents[1] / "book" / "_static" / "live"
COMPUTE = """
const figures = require(process.argv[1]);
const asked = JSON.parse(require("fs").readFileSync(0, "utf-8"));
console.log(JSON.stringify({
  smoothed: figures.smoothed(asked.numbers, 3),
  path: figures.path([0, 1, 4], figures.reach([[0, 1, 4], [2, 3]]), 100, 40),
  findings: figures.findings(asked.found),
}));
"""

pytestmark = pytest.mark.usefixtures("answered_by_the_reference")


@pytest.fixture(scope="module")
def sft():
    return checkpoints.load("sft-0", READY_MADE)


# The known answer


def test_no_policy_does_better_than_the_best_one():
    reference, beta = tabular.Table.drawn(1).answers(), 0.7
    best = tabular.best(reference, tabular.rewards(), beta)

    def worth(policy):
        return (policy * (tabular.rewards() - beta * (policy / reference).log())).sum()

    for seed in range(20):
        other = tabular.Table.drawn(seed).answers()
        for share in (0.01, 0.5, 1):
            assert worth(best) > worth(best + share * (other - best))
    assert best.sum().item() == pytest.approx(1)


def test_a_table_writes_what_its_probabilities_say():
    table = tabular.Table.drawn(3)
    ids = table.write(20_000, torch.Generator().manual_seed(1))
    counted = torch.zeros(4, 4).index_put_((ids[:, 1], ids[:, 2]), torch.ones(20_000), accumulate=True)
    assert_close(counted / 20_000, table.answers(), atol=0.01, rtol=0)
    assert_close(table(ids)[:, :2].softmax(-1)[0, 1], table.scores[1 + ids[0, 1]].softmax(-1))


@pytest.mark.parametrize(("way", "near"), [("PPO", 0.005), ("REINFORCE", 0.05)])
def test_both_algorithms_reach_it(way, near):
    _, far = tabular.train(tabular.Table.drawn(1), beta=1.0, seed=2, way=way)
    assert far[0] > 0.4
    assert far[-1] < near


def test_to_be_paid_for_the_distance_leads_elsewhere():
    def paid_for_distance(score, now, base, mask, beta):
        return rl.penalised_rewards(score, now, base, mask, -beta)

    _, far = tabular.train(tabular.Table.drawn(1), beta=1.0, seed=2, iterations=100, pay=paid_for_distance)
    assert far[-1] > 0.5


# What is stored


def test_the_same_questions_are_answered_again_as_stored():
    """The cheap one of the recipes, in full: it is to give the shipped numbers again."""
    assert results.same_questions() == {
        name: kept for name, kept in recipes.result("same-questions").items() if name != "cpu seconds"
    }


def test_what_the_judge_found_adds_up_to_the_score():
    for answers in recipes.result("same-questions")["answers"].values():
        for answer in answers:
            points = sum(times * worth for times, worth in answer["found"].values())
            assert points == pytest.approx(answer["gold"], abs=0.01)
            assert set(answer["found"]) <= set(gold.WEIGHTS)


def test_a_policy_that_is_the_reference_has_no_distance_and_wins_half(sft):
    judge = checkpoints.load_reward_model("reward-0", READY_MADE)
    found = chain.measured(sft, sft, judge, chain.exam(sft))
    assert found["kl"] == pytest.approx(0, abs=1e-3)
    assert found["win over sft"] == 0.5


def test_the_shipped_policy_is_the_stored_run_at_its_price():
    sft, ppo = (checkpoints.load(f"{name}-1", READY_MADE) for name in ("sft", "ppo"))
    judge = checkpoints.load_reward_model("reward-1", READY_MADE)
    found = chain.measured(ppo, sft, judge, chain.exam(sft))
    stored = recipes.result("overoptimised-1")["runs"]["1024, 0.02"]
    assert found["win over sft"] == pytest.approx(stored["win over sft"], abs=0.05)
    assert found["kl"] == pytest.approx(sum(stored["kl"][-10:]) / 10, abs=0.5)


def test_the_halves_of_longer_runs_stand_where_shorter_runs_are_asked_for():
    for seed in range(3):
        family, ppo = (recipes.result(f"{name}-{seed}") for name in ("family", "algorithms"))
        assert ppo["PPO"] == {**family["middle of ppo"], "run": chain.first_half(family["ppo"])}
    for price in results.PRICES:
        stored = recipes.result(f"price-{price:g}")
        assert {len(numbers) for numbers in stored["run"].values()} == {results.PRICED.iterations}
        if f"{price:g}" in recipes.result("overoptimised-0")["middles"]:
            del stored["cpu seconds"]
            assert results.at_a_price(price) == stored


# Rounds


def test_mixed_comparisons_hold_two_answers_of_each_model(sft):
    hacked = checkpoints.load("hacked-0", READY_MADE)
    both = results.mixed(sft, hacked, 30, seed=4)
    assert both.ids.shape[:2] == (30, 4)
    assert both.gold[:, :2].mean() > both.gold[:, 2:].mean() + 2
    assert (both.lengths <= both.ids.shape[-1]).all()


def test_nothing_is_learned_from_ties(sft):
    comparisons = preferences.compare(sft, 8, seed=1)
    all_alike = replace(comparisons, gold=torch.zeros_like(comparisons.gold))
    assert not preferences.told_apart(all_alike).any()
    model, losses = preferences.train(sft, all_alike, seed=1, epochs=1, least_steps=3, ties=False)
    assert losses == [0.0] * 3
    assert not model.weight.any()
    _, losses = preferences.train(sft, all_alike, seed=1, epochs=1, least_steps=3)
    assert losses[0] > 0.6


def test_answers_of_several_batches_are_one_batch(sft):
    parts = [desk.ask(sft, desk.cases(count, count)) for count in (3, 5)]
    whole = results.together(parts)
    assert len(whole) == 8
    assert whole.written() == parts[0].written() + parts[1].written()


# Figures


def test_each_panel_has_its_lines_and_marks():
    line = ([0.0, 1.0], [1.0, 2.0])
    picture = plots.curve_panels(
        {"one": {"a": line}, "two": {"b": line}}, across="x", up="y", marks={"one": {"c": line}}
    )._repr_svg_()
    assert all(f"<!-- {text} -->" in picture for text in ("one", "two", "a", "b", "c", "x", "y"))


def test_the_figures_compute_what_they_should():
    node = shutil.which("node")
    if node is None:
        message = "node is missing: install Node.js (apt install nodejs; brew install node)"
        (pytest.fail if os.environ.get("CI", "").lower() not in ("", "0", "false") else pytest.skip)(message)
    asked = {"numbers": [1, 2, 6, 4], "found": {"said again": [2, -1.0], "right rule": [1, 3.0]}}
    run = subprocess.run(
        [node, "-e", COMPUTE, str(LIVE / "reinforcement.js")],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
    )
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == {
        "smoothed": [3, 4],
        "path": "M0.0 40.0L50.0 30.0L100.0 0.0",
        "findings": ["+3 right rule", "−2 said again (2 times)"],
    }


def test_the_caption_under_the_prices_says_how_they_were_made():
    shown, longer = results.priced_runs(), recipes.result("overoptimised-0")["runs"]["32, 0"]
    (iterations,) = {len(run["run"]["gold"]) for run in shown["runs"]}
    assert shown["runs"][0]["run"]["gold"] == longer["gold"][:iterations]  # 32 prompts
    assert shown["width"] == 10
    said = (
        f"PPO on seed 0 against the judge from 32 prompts, {iterations} iterations at each price, "
        "means of ten iterations;"
    )
    assert said in (LIVE.parents[1] / "_figures" / "prices.html").read_text(encoding="utf-8")


def test_the_view_of_the_prices_counts_the_iterations():
    view = (LIVE / "reinforcement_view.js").read_text(encoding="utf-8")
    assert "length} iterations`" in view
    assert not re.search(r"\d iterations", view)


def test_the_figures_need_nothing_from_elsewhere():
    for file in LIVE.glob("reinforcement*"):
        code = file.read_text(encoding="utf-8").replace('"http://www.w3.org/2000/svg"', "")
        assert not any(word in code for word in ("import ", "fetch(", "http:", "https:", "XMLHttpRequest"))
