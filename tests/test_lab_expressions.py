"""Generate and test: the language, its safe evaluator, what is held out, and what was stored."""

import itertools
import math

import numpy as np
import pytest
import torch

from nexttoken.applications import pass_at_k
from nexttoken.lab import checkpoints, expressions, expressions_results, recipes
from nexttoken.lab.expressions import END, INPUTS, PAD, VISIBLE, Graded, Task, table
from nexttoken.models import READY_MADE

HOSTILE = {
    "a call": "print ( x )",
    "an import": "__import__('os').system('true')",
    "an attribute": "x . real",
    "a power": "9 ** 9 ** 9 ** 9",
    "a division": "x / 0",
    "a sign": "x + - 3",
    "another name": "y + 1",
    "two programs": "x ; x",
    "two words": "x x",
    "an assignment": "x := 3",
    "a truth": "x + True",
    "a fraction": "x + 1.5",
    "a text": "'x' * 3",
    "a comparison": "x < 3",
    "a choice": "x if x else 1",
    "a list": "[x] * 9",
    "a lambda": "lambda: x",
    "brackets without end": "( " * 5000 + "x" + " )" * 5000,
    "a sum without end": "x" + " + x" * 20_000,
    "a null byte": "x\0",
    "a surrogate": "x\ud800",
    "a huge number": "9" * 10_000,
    "half": "x + (",
    "nothing": "",
    "marks": "0 : 0 =>",
}

pytestmark = pytest.mark.usefixtures("answered_by_the_reference")


# The language


@pytest.mark.parametrize("what", HOSTILE)
def test_what_is_no_expression_is_simply_wrong(what):
    text = HOSTILE[what]
    assert table(text) is None
    with pytest.raises(expressions.NoExpression):
        expressions.value(text, 2)
    task = Task(table("x * x"), visible=2)
    assert not task.passes_visible(text)
    assert not task.passes(text)


def test_products_come_before_sums_and_brackets_before_both():
    assert table("2 + x * 3") == tuple(2 + 3 * x for x in INPUTS)
    assert table("( 2 + x ) * 3") == tuple(6 + 3 * x for x in INPUTS)
    assert table("5 - x - 1") == tuple(4 - x for x in INPUTS)
    assert table("5 - ( x - 1 )") == tuple(6 - x for x in INPUTS)
    assert expressions.value("x", 7) == 7


def test_drawn_expressions_are_of_the_language_and_come_back_from_their_ids():
    for program in expressions.programs(500, seed=1):
        assert table(program.text) == program.values
        assert expressions.decode([*expressions.encode(program.text), END]) == program.text
        assert max(map(abs, program.values)) <= expressions.LARGEST
        assert len(set(program.values)) > 1
        assert len(program.text.split()) < expressions.LONGEST


def test_what_a_task_shows_and_hides():
    task = Task(table("x * x + 1"), visible=2)
    assert task.prompt == "0 : 1 , 1 : 2 =>"
    assert task.passes("1 + x * x")
    assert task.passes_visible("x + 1")  # right at 0 and at 1
    assert not task.passes("x + 1")
    assert not task.passes_visible("x * x")


# What is held out


def test_no_function_of_a_test_task_is_computed_by_a_program_of_the_training():
    read = {program.values for program in expressions.programs(2000, seed=0)}
    asked = [task.values for task in expressions.tasks(50, 2)]
    assert len(set(asked)) == 50
    assert not read & set(asked)
    assert all(map(expressions.is_held_out, asked))


def test_all_numbers_of_visible_pairs_show_the_same_functions():
    asked = {visible: [task.values for task in expressions.tasks(20, visible)] for visible in VISIBLE}
    assert asked[2] == asked[3] == asked[4]


def test_only_the_program_is_learned_and_not_the_question():
    batch = next(expressions.batches(expressions.programs(50, seed=0), 16, seed=3))
    for read, write in zip(batch.read.tolist(), batch.write.tolist(), strict=True):
        arrow = read.index(expressions.encode("=>")[0])
        assert not any(write[:arrow])
        program = [token for token in write[arrow:] if token != PAD]
        assert program[-1] == END
        assert read[arrow + 1 : arrow + len(program)] == program[:-1]
        words = expressions.decode(read[: arrow + 1]).split()
        shown = {int(x): int(y) for x, y in zip(words[::4], words[2::4], strict=True)}
        values = table(expressions.decode(program))
        assert shown == {x: values[x] for x in range(len(shown))}


# Graded by execution


def test_grading_counts_what_the_visible_tests_let_through():
    task = Task(table("x * x + 1"), visible=2)
    texts = [["x + 1", "1 + x * x", "x", "( x"], ["x", "x", "x", "x"]]
    found = Graded.of([task, task], texts)
    assert found == Graded(4, visible=[2, 0], correct=[1, 0])
    assert found.deceived == 0.5
    assert found.pass_at(2) == [0.5, 0.0]
    assert found.tested(4) == [0.5, 0.0]
    assert found.tested(1) == pytest.approx([0.25, 0.0])  # of one program nothing can be chosen


def test_choosing_by_the_visible_tests_is_the_mean_over_all_choices():
    kinds = "cvvfff"  # one right, two more pass the visible tests, three fail
    found = Graded(6, visible=[3], correct=[1])
    for k in range(1, 7):
        shares = []
        for drawn in itertools.combinations(kinds, k):
            kept = [kind for kind in drawn if kind in "cv"]
            shares.append(kept.count("c") / len(kept) if kept else 0.0)
        assert found.tested(k) == pytest.approx([sum(shares) / len(shares)])


def test_the_plugged_in_estimate_is_too_small():
    found = Graded(128, visible=[128] * 129, correct=list(range(129)))
    for k in (2, 8, 64):
        pairs = list(zip(found.plugged_in(k), found.pass_at(k), strict=True))
        assert all(low <= right + 1e-12 for low, right in pairs)
        assert any(low < right - 0.001 for low, right in pairs)
    assert found.plugged_in(1) == pytest.approx(found.pass_at(1))


def test_an_interval_of_equal_tasks_has_no_width():
    assert expressions.interval([0.25] * 9) == (0.25, 0.25, 0.25)


# The models


def test_a_model_of_chance_writes_programs_and_the_same_ones_with_the_same_seed():
    model = expressions.GPT.drawn(expressions.SHAPE, 0, READY_MADE)
    some = expressions.tasks(3, 2)
    texts = expressions.write(model, some, 5, seed=1)
    assert [len(row) for row in texts] == [5, 5, 5]
    assert texts == expressions.write(model, some, 5, seed=1)
    assert max(len(text.split()) for row in texts for text in row) <= expressions.LONGEST


def test_training_lowers_the_loss():
    plan = expressions.Plan(steps=30, batch=16, peak=5e-3)
    _, losses = expressions.train(0, plan, READY_MADE)
    assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:5])


def test_the_shipped_model_writes_what_was_stored():
    torch.set_num_threads(1)
    model = checkpoints.load("expressions-0", READY_MADE)
    assert (checkpoints.folder() / "expressions-0.safetensors").stat().st_size < 600_000
    some = expressions.tasks(expressions_results.TASKS, 2)
    stored = expressions_results.runs(2)[0]
    here = Graded.of(some, expressions.write(model, some, 64, seed=5))
    for k in (1, 64):
        low, _, high = expressions.interval(stored.pass_at(k))
        assert low - 0.03 <= expressions.interval(here.pass_at(k))[1] <= high + 0.03


# What the chapter says of them


def test_stored_counts_are_whole():
    for visible in VISIBLE:
        for one in expressions_results.runs(visible):
            assert len(one.correct) == len(one.visible) == expressions_results.TASKS
            assert all(0 <= c <= v <= one.samples for c, v in zip(one.correct, one.visible, strict=True))


def test_more_tries_solve_more_tasks():
    for visible in VISIBLE:
        _, _, means, _ = zip(*expressions_results.curve(visible, Graded.pass_at), strict=True)
        assert list(means) == sorted(means)
        assert means[-1] > 5 * means[0]


def test_more_visible_tests_deceive_less():
    deceived = [[one.deceived for one in expressions_results.runs(visible)] for visible in VISIBLE]
    assert all(min(few) > max(more) for few, more in itertools.pairwise(deceived[:2]))


def test_choosing_by_the_visible_tests_gains_and_pass_at_k_is_its_limit():
    tested = expressions_results.curve(2, Graded.tested)
    any_right = expressions_results.curve(2, Graded.pass_at)
    assert tested[-1][2] > 3 * tested[0][2]
    assert all(kept[2] <= right[2] + 1e-12 for kept, right in zip(tested, any_right, strict=True))


def test_the_models_have_read_the_task():
    """Who writes without reading is right far less often."""
    for how in (Graded.pass_at, Graded.tested):
        read, blind = expressions_results.curve(2, how), expressions_results.blind_curve(2, how)
        assert read[0][1] > 3 * blind[0][3]
        assert read[-1][1] > blind[-1][3]


def test_the_plugged_in_curve_lies_below():
    right = expressions_results.curve(2, Graded.pass_at)
    low = expressions_results.curve(2, Graded.plugged_in)
    assert math.isclose(right[0][2], low[0][2])
    assert low[-1][2] < right[-1][2]


def test_a_curve_is_the_mean_of_the_exercise():
    runs = expressions_results.runs(2)
    values = [pass_at_k(one.samples, c, 8) for one in runs for c in one.correct]
    point = expressions_results.curve(2, Graded.pass_at)[3]
    assert point[0] == 8
    assert point[2] == pytest.approx(sum(values) / len(values))


def test_recipes_are_known():
    recipes.load()
    assert {f"expressions-{seed}" for seed in (0, 1, 2)} <= set(recipes.RECIPES)


def test_three_values_decide_a_function_of_this_language():
    """Within the limit of 50 all are polynomials of degree 2 at most: third differences are 0."""
    for program in (*expressions.programs(3000, seed=0), *expressions.programs(100, 0, held_out=True)):
        assert not np.diff(program.values, n=3).any(), program.text
