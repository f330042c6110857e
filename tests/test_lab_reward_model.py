"""The given code of the chapter on the reward model: how far it can be trusted, and the bench to rank at."""

import json
import math
import sys

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from nexttoken.lab import checkpoints, desk, judging, labelling, plots, preferences, recipes
from nexttoken.lab.labelling import Labels, Task
from nexttoken.lab.village import gold, texts
from nexttoken.lab.village.vocabulary import english
from nexttoken.models import GPT, READY_MADE, RewardModel, Shape
from nexttoken.reward_model import best_of_n_kl, ranking_loss

TINY = Shape(vocab=len(english()), context=80, d_model=8, layers=1, heads=1)

pytestmark = pytest.mark.usefixtures("answered_by_the_reference")


@pytest.fixture(scope="module")
def sft():
    return checkpoints.load("sft-0", READY_MADE)


@pytest.fixture(scope="module")
def comparisons(sft):
    return preferences.compare(sft, 40, seed=1)


# Whole rankings, or single pairs


def test_whole_rankings_and_all_their_pairs_have_the_same_loss(sft, comparisons):
    model = RewardModel(sft)
    with torch.no_grad():
        model.weight += torch.linspace(-1, 1, 64)
    few = comparisons[:5]
    together = ranking_loss(preferences.rewards(model, few), few.rankings)
    apart = judging.loss_of_pairs(model, few, judging.all_pairs(few))
    assert_close(together, apart, atol=1e-5, rtol=0)


def test_every_ranking_of_four_gives_six_pairs_of_its_own_answers(comparisons):
    pairs = judging.all_pairs(comparisons)
    assert pairs.shape == (240, 3)
    for prompt, chosen, rejected in pairs[:12].tolist():
        place = comparisons.rankings[prompt].tolist().index
        assert place(chosen) < place(rejected)


@pytest.mark.timeout(600)
def test_the_recipe_for_batches_gives_the_kept_numbers_again(sft, monkeypatch):
    """The cheapest of the four ways, two epochs of it, and the same loss within chance."""
    monkeypatch.setattr(judging, "EPOCHS", 2)
    on, test = preferences.compare(sft, judging.PROMPTS, 0), preferences.compare(sft, judging.UNSEEN, 500)
    found = judging.in_batches(sft, on, test, 0, "large, whole rankings")
    kept = recipes.result("batching-0")["ways"]["large, whole rankings"]
    assert found["test loss"] == pytest.approx(kept["test loss"][:2], abs=0.03)


def test_the_kept_numbers_say_what_the_page_says():
    """Small steps over-fit, large ones do not, and whether pairs stay together makes no difference to that."""
    for seed in judging.SEEDS:
        ways = recipes.result(f"batching-{seed}")["ways"]
        for together in ("whole rankings", "single pairs"):
            small, large = (ways[f"{size}, {together}"]["test loss"] for size in ("small", "large"))
            assert small[-1] > min(small) + 0.1
            assert large[-1] < min(large) + 0.05


# Best of n


@pytest.mark.parametrize("n", [1, 2, 5, 16])
def test_without_ties_the_divergence_comes_near_the_formula_and_never_above(n):
    exact = judging.best_of_n_divergence(torch.arange(4000.0), n)
    assert exact <= best_of_n_kl(n) + 1e-9
    assert exact == pytest.approx(best_of_n_kl(n), abs=1e-2)


def test_the_divergence_of_two_answers_is_that_on_paper():
    by_hand = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    assert judging.best_of_n_divergence(torch.tensor([0.0, 1.0]), 2) == pytest.approx(by_hand)
    assert judging.best_of_n_divergence(torch.tensor([0.0, 1.0, 1.0, 0.0]), 2) == pytest.approx(by_hand)


def test_equal_answers_leave_no_choice():
    assert judging.best_of_n_divergence(torch.zeros(10), 8) == 0.0


def test_the_divergence_is_that_of_what_best_of_n_hands_over():
    rewards, random = torch.tensor([0.0, 0.0, 1.0, 2.0, 2.0]), np.random.default_rng(1)
    drawn = rewards[torch.from_numpy(random.integers(5, size=(200_000, 3)))].amax(dim=1)
    won = torch.tensor([(drawn == value).double().mean() for value in (0.0, 1.0, 2.0)])
    before = torch.tensor([0.4, 0.2, 0.4])
    counted = (won * (won / before).log()).sum().item()
    assert judging.best_of_n_divergence(rewards, 3) == pytest.approx(counted, abs=5e-3)


def test_the_best_of_all_is_the_greatest_and_the_best_of_one_is_the_mean():
    proxy, worth = torch.tensor([[1.0, 3.0, 2.0, 0.0]]), torch.tensor([[10.0, 30.0, 20.0, 40.0]])
    assert judging.picked(proxy, worth, 1) == (1.5, 25.0)
    assert judging.picked(proxy, worth, 2) == (2.5, 25.0)
    assert judging.picked(proxy, worth, 4) == (3.0, 30.0)


# How sure it is, and what it sees


def test_a_judge_that_chooses_as_it_says_is_found_to_be_calibrated():
    random = torch.Generator().manual_seed(1)
    first, second = torch.randn(2, 20_000, generator=random) * 2
    chosen = torch.rand(20_000, generator=random) < (first - second).sigmoid()
    pairs = judging.Pairs(first, second, chosen)
    rows = judging.calibration(pairs)
    assert sum(count for *_, count in rows) == 20_000
    for sure, _, share, _, _ in rows:
        assert share == pytest.approx(sure, abs=0.03)
    assert judging.best_scale(pairs) == pytest.approx(1.0, abs=0.1)
    halved = judging.Pairs(first / 2, second / 2, chosen)
    assert judging.best_scale(halved) == pytest.approx(2.0, abs=0.2)


def test_of_each_prompt_two_pairs_without_a_common_answer_are_taken(sft, comparisons):
    model = RewardModel(sft)
    with torch.no_grad():
        model.weight += torch.linspace(-1, 1, 64)
    pairs = judging.separate_pairs(model, comparisons)
    rewards = preferences.rewards(model, comparisons).detach()
    assert_close(pairs.first, rewards[:, [0, 2]].flatten(), atol=1e-5, rtol=0)
    assert_close(pairs.second, rewards[:, [1, 3]].flatten(), atol=1e-5, rtol=0)
    for prompt, first, second in ((0, 0, 1), (7, 2, 3)):
        place = comparisons.rankings[prompt].tolist().index
        assert pairs.chosen[2 * prompt + first // 2].item() == (place(first) < place(second))
    chosen, rejected = pairs.rewards
    assert_close(chosen + rejected, pairs.first + pairs.second)


def test_what_is_exchanged_is_the_only_thing_that_gold_takes_off():
    cases = desk.cases(30, seed=1)
    others = judging.strangers(cases, seed=2)
    price = {"rule": 5.0, "remedy": 3.0, "proof": 2.5, "offender": 3.0, "asker": 1.0}
    for case, other in zip(cases, others, strict=True):
        assert gold.judge(case, judging.exchanged(case, case, "rule")).score == 8.0
        for what, points in price.items():
            assert gold.judge(case, judging.exchanged(case, other, what)).score == 8.0 - points


def test_given_answers_get_the_reward_that_they_get_in_a_batch(sft):
    model = RewardModel(sft)
    with torch.no_grad():
        model.weight += torch.linspace(-1, 1, 64)
    cases = desk.cases(3, seed=1)
    answers = desk.ask(sft, cases)
    assert all(finished for _, finished in desk.read(answers))
    said = [text for text, _ in desk.read(answers)]
    found = judging.rewards_of(model, cases, said)
    assert_close(found, judging.scored(model, answers), atol=1e-5, rtol=0)


def test_what_gold_finds_adds_up_to_what_gold_gives(comparisons):
    found = judging.found_in(comparisons)
    total = sum(gold.WEIGHTS[what] * times for what, times in found.items())
    assert total == pytest.approx(comparisons.gold.sum().item(), abs=1e-3)


# The bench


TASKS = [Task(f"question {i}", tuple(f"answer {i}{letter}" for letter in "abcd")) for i in range(4)]


def test_four_keys_make_a_ranking_and_lead_on_to_the_next_task():
    labels = Labels(TASKS)
    assert not labels.press("3")
    assert labels.pressed == [2]
    assert not labels.press("314")
    assert labels.press("3142")
    assert labels.done[TASKS[0]].ranking == (2, 0, 3, 1)
    assert labels.present == TASKS[1]
    assert labels.pressed == []
    assert (len(labels), labels.comparisons) == (1, 6)


def test_a_key_that_is_no_answer_or_was_pressed_before_does_not_count():
    labels = Labels(TASKS)
    labels.press("3x3 91")
    assert labels.pressed == [2, 0]
    assert len(labels) == 0


def test_taking_back_a_key_takes_back_the_answer():
    labels = Labels(TASKS)
    labels.press("31")
    labels.press("3")
    assert labels.pressed == [2]


def test_all_rankings_are_there_after_a_restart(tmp_path):
    file = tmp_path / "kept" / "labels.jsonl"
    labels = Labels(TASKS, file)
    labels.press("1234")
    labels.press("4321")
    labels.press("12")  # not finished
    again = Labels(TASKS, file)
    assert again.done == labels.done
    assert again.present == TASKS[2]
    assert again.pressed == []


def test_a_task_can_be_ranked_anew_and_the_last_ranking_counts(tmp_path):
    file = tmp_path / "labels.jsonl"
    labels = Labels(TASKS, file)
    labels.press("1234")
    labels.back()
    assert labels.present == TASKS[0]
    labels.press("4321")
    assert labels.present == TASKS[1]
    assert len(labels) == 1
    assert Labels(TASKS, file).done[TASKS[0]].ranking == (3, 2, 1, 0)


def test_a_line_that_was_cut_off_costs_that_line_and_nothing_else(tmp_path):
    file = tmp_path / "labels.jsonl"
    Labels(TASKS, file).press("1234")
    with file.open("a") as kept:
        kept.write('{"question": "question 1", "ans')
    labels = Labels(TASKS, file)
    assert list(labels.done) == [TASKS[0]]
    labels.press("2143")
    assert list(Labels(TASKS, file).done) == TASKS[:2]


def test_rankings_of_tasks_that_are_asked_no_more_are_still_learned_from(tmp_path):
    file = tmp_path / "labels.jsonl"
    Labels(TASKS[:2], file).press("1234")
    labels = Labels(TASKS[2:], file)
    assert labels.comparisons == 6
    assert labels.present == TASKS[2]


def test_two_benches_that_are_open_at_once_lose_nothing(tmp_path):
    file = tmp_path / "labels.jsonl"
    one, other = Labels(TASKS[:2], file), Labels(TASKS[2:], file)
    one.press("1234")
    other.press("1234")
    one.press("1234")
    assert len(Labels(TASKS, file)) == 3


def test_when_all_are_ranked_there_is_nothing_to_press():
    labels = Labels(TASKS[:1])
    labels.press("1234")
    assert labels.present is None
    assert not labels.press("1234")


def test_a_taste_ranks_its_best_first():
    labels = Labels(TASKS).ranked_by(lambda text: text.endswith("c") - text.endswith("a"), 3)
    assert len(labels) == 3
    assert {ranked.ranking for ranked in labels.done.values()} == {(2, 1, 3, 0)}
    assert labels.file is None


def test_questions_for_the_bench_have_four_different_answers(sft):
    found = labelling.tasks(sft, 10)
    assert len(found) == 10
    assert all(len(set(task.answers)) == 4 for task in found)
    assert found == labelling.tasks(sft, 10)


def test_the_ids_of_a_ranking_are_those_of_its_texts(sft):
    labels = Labels(labelling.tasks(sft, 2)).ranked_by(len, 2)
    made = labelling.comparisons(labels.done.values())
    task = labels.tasks[1]
    ids = made.ids[1, 3][: int(made.lengths[1, 3])].tolist()
    assert english().decode(ids) == f"<q> {task.question} <a> {task.answers[3]} <eos>"
    longest_first = [task.answers[i] for i in made.rankings[1].tolist()]
    assert [len(text) for text in longest_first] == sorted(map(len, longest_first), reverse=True)


def test_a_reward_model_learns_a_persons_taste_and_best_of_n_follows_it(sft):
    def short(text):
        return -len(text.split())

    labels = Labels(labelling.tasks(sft, 24)).ranked_by(short, 24)
    lesson = labelling.learn(sft, labels)
    assert lesson.pairs == (108, 36)
    assert lesson.learned > 0.9
    assert lesson.held_back > 0.75
    assert str(lesson).count("pairs, agrees on") == 2
    cases = [case for case in desk.cases(20, 3) for _ in range(8)]
    answers = desk.ask(sft, cases)
    lengths = torch.tensor([len(ids) for ids in answers.written()]).double().reshape(20, 8)
    best = judging.scored(lesson.model, answers).reshape(20, 8).argmax(dim=1)
    assert lengths[torch.arange(20), best].mean() < lengths.mean() - 4


def test_too_few_rankings_are_no_lesson(sft):
    with pytest.raises(ValueError, match="at least 8"):
        labelling.learn(sft, Labels(TASKS))


def test_nobodys_rankings_are_read_when_the_book_is_built(monkeypatch, tmp_path):
    monkeypatch.setattr(labelling.course, "kept_folder", lambda: tmp_path)
    monkeypatch.setattr(labelling, "tasks", lambda model: TASKS)
    Labels(TASKS, tmp_path / labelling.FILE).press("1234")
    assert len(labelling.open_labels(GPT.drawn(TINY, 0))) == 0
    monkeypatch.delenv("NEXTTOKEN_REFERENCE")
    assert len(labelling.open_labels(GPT.drawn(TINY, 0))) == 1


def test_the_books_bench_is_plain_html_without_a_script():
    task = Task("who <b> ?", ("a & b", "c", "d", "e"))
    still = labelling.bench(Labels([task]))
    page = still._repr_html_()
    assert "script" not in page
    assert "who &lt;b&gt; ?" in page
    assert page.count("<li>") == 4
    assert "a & b" in repr(still)


def test_the_bench_is_ranked_at_by_mouse_and_by_keys_and_shows_what_was_pressed(monkeypatch):
    widgets = pytest.importorskip("ipywidgets")
    labels = Labels(TASKS)
    bench = labelling._Bench(labels, widgets)
    bench.buttons[2].click()
    assert bench.keys.value == "3"
    assert bench.buttons[2].disabled
    assert "(best)" in bench.buttons[2].description
    bench.keys.value = "31"
    assert labels.pressed == [2, 0]
    assert "(second)" in bench.buttons[0].description
    bench.keys.value = "3142"
    assert labels.done[TASKS[0]].ranking == (2, 0, 3, 1)
    assert bench.keys.value == ""
    assert "question 1" in bench.question.value
    assert bench.count.value.startswith("1 ranking, that is 6 comparisons")
    bench.back.click()
    assert "question 0" in bench.question.value
    for _ in range(4):
        bench.keys.value = "1234"
    assert "All are ranked" in bench.question.value
    assert all(button.disabled for button in bench.buttons)


def test_without_ipywidgets_the_bench_says_how_to_get_them(monkeypatch):
    monkeypatch.delenv("NEXTTOKEN_REFERENCE")
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    assert "make learn" in repr(labelling.bench(Labels(TASKS)))


# Figures


@pytest.mark.parametrize(
    "draw",
    [
        lambda: plots.measured(
            {"a": [(1, 0.1, 0.2, 0.3), (2, 0.2, 0.3, 0.4)]},
            across="x",
            up="y",
            doubling=True,
            line=("top", 0.5),
        ),
        lambda: plots.measured({"a": [(0.5, 0.4, 0.5, 0.6)]}, across="x", up="y", diagonal=True),
        lambda: plots.histograms({"a": torch.tensor([1.0, 2.0]), "b": torch.tensor([0.0, 2.0])}, across="x"),
    ],
)
def test_figures_are_the_same_bytes_each_time(draw):
    assert draw()._repr_svg_() == draw()._repr_svg_()


def test_the_questions_marks_stand_around_a_dialogue():
    case = desk.cases(1, 1)[0]
    ids = desk.dialogue(texts.question(case), "good luck .")
    assert english().decode(ids) == f"{texts.prompt(case)} good luck . <eos>"


def test_kept_labels_are_lines_of_json(tmp_path):
    file = tmp_path / "labels.jsonl"
    Labels(TASKS, file).press("3142")
    assert json.loads(file.read_text()) == {
        "question": "question 0",
        "answers": list(TASKS[0].answers),
        "best first": [3, 1, 4, 2],
    }
