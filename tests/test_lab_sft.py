"""The given code of the chapter on fine-tuning: changes of weights, what is trained, and what was measured."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from nexttoken.lab import checkpoints, desk, finetuning, finetuning_results, plots, recipes
from nexttoken.lab.village import gold, texts
from nexttoken.lab.village.vocabulary import english
from nexttoken.models import READY_MADE
from nexttoken.sft import effective_rank, relative_change

SEEDS = (0, 1, 2)

pytestmark = pytest.mark.usefixtures("answered_by_the_reference")


@pytest.fixture(scope="module")
def base(answered_by_the_reference):
    return checkpoints.load("base-0", READY_MADE)


@pytest.fixture(scope="module")
def sft(answered_by_the_reference):
    return checkpoints.load("sft-0", READY_MADE)


@pytest.fixture(scope="module")
def few(answered_by_the_reference):
    return finetuning.demonstrations(8, seed=3)


def named(model, path):
    """The number of this name, with its trained change where it has one."""
    for name in path.split("."):
        model = getattr(model, name)
    return model.detach()


def same(one, other):
    return relative_change(one.state_dict(), other.state_dict()) < 1e-6


# Demonstrations


def test_a_demonstration_is_a_question_and_an_answer_that_may_count_with_its_end(few):
    vocabulary = english()
    for ids, is_answer in few:
        words = vocabulary.decode(ids.tolist()).split()
        assert words[0] == "<q>"
        assert words[-1] == "<eos>"
        assert is_answer.tolist() == [place > words.index("<a>") for place in range(len(words))]
        assert is_answer.sum() <= desk.LONGEST_ANSWER


def test_without_the_mask_the_question_counts_and_padding_never_does(few):
    (ids, answers), (same_ids, everything) = (
        next(finetuning.batches(few, 8, seed=1, masked=masked)) for masked in (True, False)
    )
    assert torch.equal(ids, same_ids)
    assert torch.equal(everything, ids != english().pad)
    assert torch.equal(answers & everything, answers)
    assert answers.sum() < everything.sum()


def test_what_is_shown_of_the_labelers_is_right_in_the_matter():
    cases, random = desk.exam(100), np.random.default_rng(7)
    for case in cases:
        found = gold.judge(case, texts.demonstration(case, random)).found
        assert found["right remedy"] == 1
        assert not found["wrong rule"] + found["wrong proof"] + found["wrong remedy"]


# The change of the weights


def test_the_walk_begins_at_the_one_model_and_reaches_the_other(base, sft):
    assert same(finetuning.along(base, sft, times=0), base)
    assert same(finetuning.along(base, sft), sft)
    assert same(finetuning.along(base, sft, rank=64), sft)


def test_half_the_change_is_half_as_far(base, sft):
    half = finetuning.along(base, sft, times=0.5)
    whole = relative_change(base.state_dict(), sft.state_dict())
    assert relative_change(base.state_dict(), half.state_dict()) == pytest.approx(whole / 2)


def test_a_cut_change_has_the_rank_it_was_cut_to_and_leaves_the_rest(base, sft):
    old, cut, new = (m.state_dict() for m in (base, finetuning.along(base, sft, rank=3), sft))
    for name in old:
        change = cut[name] - old[name]
        if change.ndim == 2 and name.startswith("blocks"):
            assert torch.linalg.matrix_rank(change, atol=1e-4) == 3
            assert effective_rank(change, 1.0) >= 3
        else:
            assert_close(cut[name], new[name])


# What is trained


def test_a_fresh_change_of_low_rank_changes_nothing(base, few):
    assert finetuning.surprise(finetuning.with_lora(base, 2, seed=1), few) == pytest.approx(
        finetuning.surprise(base, few)
    )


def test_only_the_matrices_of_the_blocks_are_trained_with_low_rank_or_without(base, few):
    plan = replace(finetuning.PLAN, steps=3, batch=8, peak=0.01)
    old = base.state_dict()
    for start in (finetuning.with_lora(base, 2, seed=1), finetuning.only_blocks(base)):
        model, _ = finetuning.finetune(start, few, 0, plan)
        new = {name: named(model, name) for name in old}
        moved = {name for name in old if not torch.equal(new[name], old[name])}
        assert moved == {name for name in old if name.startswith("blocks") and old[name].ndim == 2}


def test_finetuning_leaves_the_base_model_as_it_was(base, few):
    before = {name: number.clone() for name, number in base.state_dict().items()}
    finetuning.finetune(base, few, 0, replace(finetuning.PLAN, steps=2, batch=8))
    assert relative_change(before, base.state_dict()) == 0


# What was measured ahead


def test_the_walk_that_is_kept_is_what_the_code_gives(base, sft):
    kept = recipes.result("sft-change-0")
    for times in (0.5, 1.25):
        score = finetuning_results.score(finetuning.along(base, sft, times))
        assert score == pytest.approx(kept["walk"][finetuning_results.TIMES.index(times)], abs=0.15)
    score = finetuning_results.score(finetuning.along(base, sft, rank=8))
    assert score == pytest.approx(kept["cut"][finetuning_results.RANKS.index(8)], abs=0.15)


def test_training_with_64_demonstrations_gives_what_is_kept(base):
    demonstrations = finetuning.demonstrations(64, seed=0)
    model, _ = finetuning.finetune(base, demonstrations, 0, replace(finetuning.PLAN, steps=48))
    kept = recipes.result("sft-counts-0")["tuned"]["64, masked"]
    measured = finetuning_results.measures(model, base, 0)
    assert measured == pytest.approx(kept, rel=0.1, abs=0.25)


def test_each_rate_that_was_chosen_has_worse_ones_on_both_sides_or_a_tie():
    for kind, tried in recipes.result("sft-rates")["tried"].items():
        rates = sorted(tried, key=float)
        assert [float(rate) for rate in rates] == list(finetuning_results.RATES[kind])
        assert tried[rates[1]] == min(tried.values())


def test_the_results_that_the_page_speaks_of_hold_on_every_seed():
    for seed in SEEDS:
        change, counts, lora, lost = (
            recipes.result(f"sft-{name}-{seed}") for name in ("change", "counts", "lora", "forgetting")
        )
        walk = dict(zip(finetuning_results.TIMES, change["walk"], strict=True))
        assert max(walk, key=walk.__getitem__) == 1.25
        for count in (64, 256, 1024):
            assert counts["tuned"][f"{count}, masked"]["gold"] > counts["tuned"][f"{count}, unmasked"]["gold"]
        assert lost["plain"]["held out"] < -1
        assert lost["rehearsed"]["held out"] >= 1
        gains = {k: lora[k]["gold"] - counts["base"]["gold"] for k in finetuning_results.RATES}
        assert gains["1"] < 0.7 * gains["all"]
        assert gains["4"] > 0.9 * gains["all"]
        assert lora["1"]["web"] < lora["8"]["web"] < lora["all"]["web"]


def test_sft_beats_the_base_model_as_often_as_was_asked_for():
    for seed in SEEDS:
        family = recipes.result(f"family-{seed}")
        assert family["wins"]["sft over base"] >= 0.95
        assert family["seconds"]["sft"] <= 15


# Figures


def test_curves_begin_at_0_unless_something_is_below():
    above = plots.curves([0, 1], {"a": [1.0, 2.0]}, across="x", up="y").figure.axes[0]
    below = plots.curves([0, 1], {"a": [-1.0, 2.0]}, across="x", up="y").figure.axes[0]
    assert above.get_ylim()[0] == 0
    assert below.get_ylim()[0] < -1
