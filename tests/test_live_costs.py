"""What an answer costs: the page's script, run by Node, computes what the exercises do; and the shapes are those published."""

import json
import math
import subprocess
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from nexttoken.applications import break_even, cost_per_answer
from nexttoken.lab import costs

LIVE = Path(__file__).parents[1] / "book" / "_static" / "live"
READ_AND_ANSWER = """
const costs = require(process.argv[1]);
const { carried, settings, numbers } = JSON.parse(require("fs").readFileSync(0, "utf-8"));
const found = settings.map((one) => costs.compareCosts(carried, one));
const words = numbers.map(costs.threeDigits);
const infinite = (key, value) => value === Infinity ? "inf" : value;
console.log(JSON.stringify({ found, words }, infinite));
"""
WORDS = {
    0: "0",
    1: "1",
    0.5: "0.5",
    0.00012345: "0.000123",
    0.000012345: "1.23 × 10⁻⁵",
    1234.5: "1,230",
    298_749: "299,000",
    3.523e14: "3.52 × 10¹⁴",
    999_999_999: "1,000,000,000",
}

pytestmark = pytest.mark.usefixtures("answered_by_the_reference")


def drawn(seed):
    """Settings as a reader may slide them."""
    random = np.random.default_rng(seed)
    names = [one.name for one in costs.MODELS]
    return costs.Settings(
        prompted=str(random.choice(names)),
        prompt=int(random.integers(1, 191)) * 10,
        cached=int(random.integers(21)) * 5,
        answer=int(random.integers(1, 301)),
        tuned=str(random.choice(names)),
        short=int(random.integers(1, 191)) * 10,
        training=int(random.choice(costs.TRAINING_PRICES)),
        per_hour=int(random.integers(1, 21)) / 2,
        utilisation=int(random.integers(1, 61)),
    )


SETTINGS = [costs.Settings(), costs.Settings(prompt=1, answer=1, cached=100), *map(drawn, range(200))]


@pytest.fixture(scope="module")
def said(need, answered_by_the_reference):
    """What the page's own script makes of the settings."""
    given = {
        "carried": json.loads(costs.ForThePage().json),
        "settings": [asdict(one) for one in SETTINGS],
        "numbers": list(WORDS),
    }
    done = subprocess.run(
        [need("node"), "-e", READ_AND_ANSWER, str(LIVE / "costs.js")],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_page_and_python_have_the_same_numbers(said):
    for one, found in zip(SETTINGS, said["found"], strict=True):
        expected = costs.compare(one)
        for way, seconds in zip(("prompted", "tuned"), expected.seconds, strict=True):
            cost = getattr(expected, way)
            assert (found[way]["tokens"], found[way]["flops"]) == (cost.tokens, cost.flops)
            assert found[way]["price"] == pytest.approx(cost.price, rel=1e-12)
            assert found[way]["seconds"] == pytest.approx(seconds, rel=1e-12)
            context = costs.model(getattr(one, way)).context
            assert found[way]["fits"] == (cost.tokens <= context)
        assert found["price"] == pytest.approx(one.machine.price, rel=1e-12)
        assert float(found["breakEven"]) == expected.break_even


def test_the_settings_reach_all_three_kinds_of_break_even():
    found = {costs.compare(one).break_even for one in SETTINGS}
    assert {0.0, math.inf} < found


def test_numbers_are_said_with_three_digits(said):
    assert said["words"] == list(WORDS.values())


def test_the_figure_needs_nothing_from_elsewhere():
    for script in LIVE.glob("costs*"):
        code = script.read_text(encoding="utf-8")
        assert not any(
            word in code for word in ("import ", "fetch(", "http:", "https:", "XMLHttpRequest", "url(")
        )


# The arithmetic


@pytest.mark.parametrize(
    ("name", "published", "within"),
    [
        ("GPT-2 small", 124_439_808, 0),
        ("GPT-2 XL", 1_557_611_200, 0),
        ("GPT-3 2.7B", 2.7e9, 0.02),
        ("GPT-3 6.7B", 6.7e9, 0.01),
        ("GPT-3 175B", 175.0e9, 0.003),
    ],
)
def test_the_shapes_give_the_published_sizes(name, published, within):
    assert costs.model(name).parameters == pytest.approx(published, rel=within, abs=0)


def test_the_price_is_the_hour_over_what_comes_out_of_it():
    machine = costs.Machine(per_hour=3.6, peak=2e15, utilisation=0.25)  # half a quadrillion a second
    assert machine.price == pytest.approx(0.002)
    double = replace(machine, utilisation=0.5)
    assert double.price == pytest.approx(machine.price / 2)


def test_costs_are_those_of_the_exercises():
    xl, machine = costs.model("GPT-2 XL"), costs.MACHINE
    assert costs.answer(xl, 100, 10, cached=50) == cost_per_answer(
        100, 10, xl.parameters, 48, 1600, machine.price, 50
    )
    found = costs.compare(costs.Settings(training=100.0))
    assert found.break_even == break_even(100.0, found.prompted.price, found.tuned.price)


def test_tuning_costs_six_flops_for_each_parameter_and_token_and_the_people():
    small = costs.model("GPT-2 small")
    machine = costs.Machine(per_hour=3.6, peak=1e15, utilisation=1.0)  # 0.001 for 10^15
    assert costs.tuning(small, 1_000_000, machine) == pytest.approx(6 * 124_439_808 * 1e6 / 1e15 * 0.001)
    assert costs.tuning(small, 0, machine, demonstrations=200, each=2.5) == 500.0


def test_the_same_model_never_pays_for_a_training_that_shortens_nothing():
    same = costs.Settings(prompted="GPT-2 XL", tuned="GPT-2 XL", prompt=50, short=50)
    assert costs.compare(same).break_even == math.inf


def test_caching_the_prompt_takes_away_most_of_what_tuning_saves():
    plain, kept = costs.Settings(tuned="GPT-3 175B"), costs.Settings(tuned="GPT-3 175B", cached=100)
    assert costs.compare(plain).break_even < costs.compare(kept).break_even


def test_tables_have_a_row_for_every_model(capsys):
    costs.print_answers(1000, 100)
    costs.print_break_even()
    printed = capsys.readouterr().out
    assert all(printed.count(one.name) == 2 for one in costs.MODELS)
