"""The three steps in the lab: each learns what it is shown, and the shipped models are what the code makes."""

import copy
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from nexttoken.lab import chain, checkpoints, desk, finetuning, preferences, pretraining, recipes
from nexttoken.lab import reinforcement as rl
from nexttoken.lab.sampling import Answers
from nexttoken.lab.training import Optimiser, Plan
from nexttoken.lab.village import texts
from nexttoken.lab.village.vocabulary import english
from nexttoken.models import GPT, READY_MADE, YOURS, RewardModel, Shape

TINY = Shape(vocab=len(english()), context=80, d_model=8, layers=1, heads=1)

pytestmark = pytest.mark.usefixtures("answered_by_the_reference")


@pytest.fixture(scope="module")
def sft():
    return checkpoints.load("sft-0", READY_MADE)


def tiny(seed=0, kernels=READY_MADE):
    return GPT.drawn(TINY, seed, kernels)


def numbers(model):
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


# The loop


def test_both_optimisers_take_the_same_steps():
    plan = Plan(steps=20, batch=4, peak=1e-2, warmup=5, weight_decay=0.1, max_norm=0.5)
    ids = next(pretraining.batches(pretraining.documents(20, 1), 4, 1))
    ends = []
    for kernels in (YOURS, READY_MADE):
        model = tiny(kernels=kernels).double()  # Adam makes steps even of the rounding errors of a 0
        optimiser = Optimiser(model.parameters(), plan, kernels)
        losses = [optimiser.step(pretraining.loss(model, ids)) for _ in range(plan.steps)]
        assert losses[-1] < losses[0]
        ends.append(numbers(model))
    assert_close(*ends, atol=1e-5, rtol=0)  # torch adds an epsilon to the norm when it clips


def test_a_document_stands_in_one_row_and_every_document_comes_once_an_epoch():
    documents = pretraining.documents(50, 1)
    stream = pretraining.batches(documents, 8, seed=1)
    rows = [row for _ in range(7) for row in next(stream)]
    assert sorted(row[row != 0].tolist() for row in rows) == sorted(d.tolist() for d in documents)


# Step 1


def test_a_demonstration_is_a_question_and_an_answer_that_ends():
    vocabulary = english()
    for ids, is_answer in finetuning.demonstrations(20, seed=1):
        text = vocabulary.decode(ids.tolist())
        assert text.startswith("<q> ")
        assert text.endswith(" <eos>")
        assert vocabulary.decode(ids[is_answer].tolist()) == text.partition("<a> ")[2]


@pytest.mark.parametrize(("masked", "counted"), [(True, 3), (False, 6)])
def test_the_question_counts_in_the_loss_only_without_the_mask(masked, counted):
    ids, is_answer = torch.tensor([2, 9, 3, 7, 8, 1]), torch.tensor([0, 0, 0, 1, 1, 1]).bool()
    _, counts = next(finetuning.batches([(ids, is_answer)] * 2, 2, 0, masked))
    assert counts.sum(dim=1).tolist() == [counted] * 2


def test_fine_tuning_leaves_the_base_model_as_it_was():
    base = tiny()
    before = numbers(base).clone()
    tuned, losses = finetuning.finetune(base, finetuning.demonstrations(32, 1), 1, Plan(5, 8, 1e-2))
    assert torch.equal(numbers(base), before)
    assert not torch.equal(numbers(tuned), before)
    assert len(losses) == 5


def test_a_low_rank_change_begins_as_none_and_stays_of_low_rank():
    base, demonstrations = tiny(), finetuning.demonstrations(32, 1)
    lora = finetuning.with_lora(base, rank=2, seed=1)
    ids = demonstrations[0][0].unsqueeze(0)
    assert_close(lora(ids), base(ids))
    tuned, _ = finetuning.finetune(lora, demonstrations, 1, Plan(5, 8, 1e-2))
    change = (tuned.blocks[0].feed_forward.w_in - base.blocks[0].feed_forward.w_in).detach()
    assert torch.linalg.matrix_rank(change, rtol=1e-4) == 2
    assert torch.equal(tuned.embedding, base.embedding)


def test_who_learns_in_the_blocks_alone_keeps_the_embeddings():
    base = tiny()
    tuned, _ = finetuning.finetune(
        finetuning.only_blocks(base), finetuning.demonstrations(32, 1), 1, Plan(5, 8, 1e-2)
    )
    assert torch.equal(tuned.embedding, base.embedding)
    assert torch.equal(tuned.norm.gain, base.norm.gain)
    assert not torch.equal(tuned.blocks[0].attention.w_query, base.blocks[0].attention.w_query)


# Step 2


def test_a_ranking_is_what_gold_says_if_nobody_errs(sft):
    comparisons = preferences.compare(sft, 20, seed=1, noise=0.0)
    best_first = comparisons.gold.gather(1, comparisons.rankings)
    assert (best_first[:, :-1] >= best_first[:, 1:]).all()


def test_labelers_with_noise_agree_with_gold_on_most_pairs(sft):
    comparisons = preferences.compare(sft, 200, seed=2)
    better, worse = comparisons.rankings[:, 0], comparisons.rankings[:, -1]
    rows = torch.arange(200)
    differ = comparisons.gold[rows, better] != comparisons.gold[rows, worse]
    agree = comparisons.gold[rows, better] > comparisons.gold[rows, worse]
    assert agree[differ].float().mean() > 0.97


def test_a_reward_model_learns_a_ranking_and_is_brought_to_the_scale_of_its_answers(sft):
    comparisons = preferences.compare(sft, 48, seed=3)
    model, losses = preferences.train(sft, comparisons, seed=3, epochs=8, least_steps=1)
    assert losses[0] == pytest.approx(np.log(2), abs=1e-4)  # a head of zeros knows nothing
    assert preferences.accuracy(model, comparisons) > 0.75
    before = preferences.rewards(model, comparisons).detach()
    fresh = desk.ask(sft, desk.cases(100, 4))
    preferences.normalise(model, fresh)
    scores = model(fresh.ids, fresh.lengths).detach()
    assert scores.mean().item() == pytest.approx(0, abs=1e-4)
    assert scores.std(correction=0).item() == pytest.approx(1, abs=1e-4)
    after = preferences.rewards(model, comparisons).detach()
    assert torch.equal(before.argsort(dim=1), after.argsort(dim=1))


def test_comparisons_can_be_joined_and_cut():
    whole = preferences.compare(tiny(), 6, seed=5)
    joined = preferences.joined(whole[:2], whole[2:])
    assert len(joined) == 6
    assert torch.equal(joined.rankings, whole.rankings)
    assert torch.equal(joined.ids, whole.ids)


def test_rankings_by_hand_become_comparisons():
    found = preferences.from_rankings([[[2, 5, 3, 7], [2, 5, 3, 7, 8, 1]]], [[1, 0]])
    assert found.lengths.tolist() == [[4, 6]]
    assert found.ids[0, 0].tolist() == [2, 5, 3, 7, 0, 0]


# Step 3


def test_the_log_probabilities_of_the_window_are_those_at_which_tokens_were_chosen():
    """What PPO holds fixed as "old" is what the policy itself says, before the first step."""
    model = tiny()
    answers = desk.ask(model, desk.cases(8, 1), seed=2)
    window = rl.Window.of(answers)
    with torch.no_grad():
        found = window.log_probs(model, answers.ids)
    assert_close(found, answers.log_probs[:, window.start :], atol=1e-5, rtol=0)


def test_a_value_belongs_to_the_text_before_the_token():
    model = RewardModel(tiny())
    with torch.no_grad():
        model.weight += 1
    answers = desk.ask(model.trunk, desk.cases(3, 1), seed=2)
    window = rl.Window.of(answers)
    values, everywhere = window.values(model, answers.ids), model.everywhere(answers.ids)
    assert_close(values[:, 1:], everywhere[:, window.start : -1])


def count_of_luck(cases, answers: Answers):
    """Pays for good wishes, and for nothing else."""
    luck = english().encode("luck")[0]
    return (answers.ids == luck).float().sum(dim=1).clamp(max=1)


@pytest.mark.parametrize("way", ["PPO", "leave one out", "group"])
def test_what_is_paid_becomes_likelier(way, sft):
    cases = desk.cases(100, 9)
    before = count_of_luck(cases, desk.ask(sft, cases)).mean()
    if way == "PPO":
        settings = rl.PPO(iterations=10, prompts=48, values_first=1)
        policy, journal = rl.ppo(sft, count_of_luck, RewardModel(copy.deepcopy(sft)), 1, settings)
    else:
        groups = rl.Groups(iterations=10, prompts=12, advantages=way)
        policy, journal = rl.in_groups(sft, count_of_luck, 1, groups)
    after = count_of_luck(cases, desk.ask(policy, cases)).mean()
    assert after > before + 0.3
    assert len(journal.kl) == len(journal.gold) == len(journal.clipped) == 10
    assert journal.kl[0] == pytest.approx(0, abs=1e-4)
    assert journal.kl[-1] > 0.1


def test_a_high_price_keeps_the_policy_where_it_was(sft):
    ends = []
    for price in (0.0, 1.0):
        settings = rl.PPO(iterations=6, prompts=48, values_first=1, kl_coefficient=price)
        _, journal = rl.ppo(sft, count_of_luck, RewardModel(copy.deepcopy(sft)), 1, settings)
        ends.append(journal.kl[-1])
    assert ends[1] < ends[0] / 2


def test_the_middle_of_a_run_is_what_a_run_of_half_the_length_ends_with(sft):
    judge = RewardModel(copy.deepcopy(sft))
    whole = rl.PPO(iterations=4, prompts=8, values_first=1)
    middle, end, seen = chain.with_middle(sft, judge, 1, whole)
    half, seen_by_half = rl.ppo(sft, rl.paid_by(judge), judge, 1, replace(whole, iterations=2))
    assert_close(numbers(middle), numbers(half))
    for name, numbers_seen in chain.first_half(vars(seen)).items():
        assert numbers_seen == pytest.approx(getattr(seen_by_half, name)), name
    assert not torch.equal(numbers(middle), numbers(end))


def test_dpo_makes_the_chosen_likelier_than_the_rejected(sft):
    comparisons = preferences.compare(sft, 64, seed=6)
    policy, losses = rl.dpo(sft, comparisons, seed=1, beta=0.1, rate=3e-4, epochs=3)
    assert losses[0] == pytest.approx(np.log(2), abs=1e-4)
    assert sum(losses[-2:]) / 2 < 0.66
    assert not torch.equal(numbers(policy), numbers(sft))


# What is shipped


def test_a_half_written_file_never_takes_a_models_place(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "folder", lambda: tmp_path)
    checkpoints.save("one", tiny(1), {"seed": 1}, {})
    monkeypatch.setattr(checkpoints, "serialised", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        checkpoints.save("one", tiny(2), {"seed": 2}, {})
    assert checkpoints.about("one")["recipe"] == {"seed": 1}
    assert torch.equal(numbers(checkpoints.load("one")), numbers(tiny(1)))


def test_a_missing_model_says_what_there_is_and_how_to_make_it():
    with pytest.raises(FileNotFoundError, match=r"base-0.*make checkpoints"):
        checkpoints.load("base-99")
    with pytest.raises(FileNotFoundError, match="make checkpoints"):
        recipes.result("nothing")


def test_every_recipe_has_its_numbers_and_no_numbers_are_left_over():
    recipes.load()
    kept = {file.stem for file in checkpoints.folder().glob("*.json")}
    assert kept == set(recipes.RECIPES)


def test_recipes_follow_those_that_they_need_and_the_longest_begins_first(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(checkpoints, "folder", lambda: tmp_path)
    times = {"early": 1, "late": 5, "middle": 3}
    for name, seconds in times.items():
        (tmp_path / f"{name}.json").write_text(json.dumps({"cpu seconds": seconds}))
    needs = {"early": (), "middle": (), "late": ("early",), "never made": ()}
    monkeypatch.setattr(recipes, "RECIPES", {name: recipes.Recipe(dict, of) for name, of in needs.items()})
    recipes.follow_all(needs, workers=1)
    order = [line.partition(":")[0] for line in capfd.readouterr().out.splitlines()]
    assert order == ["never made", "middle", "early", "late"]


def test_a_shipped_model_carries_the_recipe_that_is_in_the_code():
    for seed in range(3):
        for name, plan in (("base", pretraining.PLAN), ("sft", finetuning.PLAN), ("ppo", chain.FULL)):
            recipe = checkpoints.about(f"{name}-{seed}")["recipe"]
            assert recipe == json.loads(json.dumps({"seed": seed, **vars(plan)})), name


def test_the_shipped_models_are_as_good_as_it_is_written():
    for seed in range(3):
        for name in ("base", "sft", "ppo"):
            model = checkpoints.load(f"{name}-{seed}", READY_MADE)
            cases = desk.exam()
            gold = desk.gold_scores(cases, desk.ask(model, cases)).mean().item()
            assert gold == pytest.approx(checkpoints.about(f"{name}-{seed}")["measured"]["gold"], abs=0.1)


@pytest.mark.timeout(600)
def test_the_recipe_gives_the_shipped_models_again():
    """Base model, SFT and reward model of seed 0 from nothing: the same quality within chance."""
    base, _ = pretraining.pretrain(0, kernels=READY_MADE)
    shipped = recipes.result("family-0")
    assert pretraining.copy_probability(base) == pytest.approx(shipped["copy probability"], abs=0.03)
    sft, _ = finetuning.finetune(base, finetuning.demonstrations(finetuning.DEMONSTRATIONS, 0), 0)
    cases = desk.exam()
    assert desk.gold_scores(cases, desk.ask(sft, cases)).mean().item() == pytest.approx(
        shipped["gold"]["sft"], abs=0.4
    )
    comparisons = preferences.compare(sft, 128, 0)
    model, _ = preferences.train(sft, comparisons, 0)
    accuracy = preferences.accuracy(model, preferences.compare(sft, 300, 500, noise=0.0))
    assert accuracy == pytest.approx(shipped["accuracy"]["128"], abs=0.05)


def test_an_interval_holds_the_truth_as_often_as_it_says():
    random = np.random.default_rng(1)
    held = 0
    for _ in range(2000):
        low, high = desk.interval(random.binomial(400, 0.9) / 400, 400)
        held += low <= 0.9 <= high
    assert held / 2000 == pytest.approx(0.95, abs=0.02)


def test_a_tie_is_half_a_win():
    assert desk.win_rate(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, 1.0, 4.0])) == 0.5


def test_the_exam_is_the_same_for_all():
    assert desk.exam(5) == desk.exam(400)[:5]
    assert desk.exam(5)[0] != texts.Case.drawn(np.random.default_rng(0))
