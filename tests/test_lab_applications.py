"""The given code of the chapter on using a model: the book of the law, the clerk, the shelf, the agent."""

import numpy as np
import pytest
import torch

from nexttoken.applications import (
    ANSWER,
    DOCUMENT,
    MARKS,
    QUESTION,
    agent_loop,
    augment_prompt,
    without_marks,
)
from nexttoken.lab import agent, applications_report, checkpoints, clerk, desk, library
from nexttoken.lab import applications_results as results
from nexttoken.lab.finetuning import merged, with_lora
from nexttoken.lab.training import Plan
from nexttoken.lab.village import codebook, gold, texts
from nexttoken.lab.village.law import TOPICS
from nexttoken.lab.village.vocabulary import MARKS as FIRST_WORDS
from nexttoken.models import READY_MADE

pytestmark = pytest.mark.usefixtures("answered_by_the_reference")


def draws(count, seed=0):
    random = np.random.default_rng(seed)
    return [random for _ in range(count)]


def words_of(dialogue):
    """What is read, and what is to be written."""
    ids, is_answer = dialogue
    of = clerk.vocabulary()
    return of.decode(ids[~is_answer].tolist()), of.decode(ids[is_answer].tolist())


# The law as a book


def test_the_village_and_the_exercises_have_the_same_marks():
    assert (texts.QUESTION_MARK, texts.ANSWER_MARK) == (QUESTION, ANSWER)
    assert set(FIRST_WORDS) & set(MARKS) == {QUESTION, ANSWER}


def test_the_book_has_a_paragraph_for_every_rule_in_the_order_of_their_numbers():
    book = codebook.book()
    assert all(codebook.paragraph(topic) in book for topic in TOPICS)
    numbers = [
        int(word) for word, before in zip(book.split()[1:], book.split(), strict=False) if before == "rule"
    ]
    assert numbers == sorted(topic.rule for topic in TOPICS)


@pytest.mark.parametrize("seed", range(5))
def test_a_new_council_leaves_no_number_remedy_or_proof_where_it_was_and_loses_none(seed):
    law = codebook.redealt(np.random.default_rng(seed))
    for part in ("rule", "remedy", "proof"):
        old, new = ([getattr(topic, part) for topic in of] for of in (TOPICS, law))
        assert sorted(old) == sorted(new)
        assert not any(a == b for a, b in zip(old, new, strict=True))
    assert [topic.name for topic in law] == [topic.name for topic in TOPICS]


def test_every_rule_old_and_new_has_the_form_of_the_book_and_no_poison_has():
    assert all(codebook.is_paragraph(codebook.paragraph(topic)) for topic in (*TOPICS, *results.NEW_LAW))
    rule = codebook.paragraph(TOPICS[0])
    poisoned = [poison.format(paragraph=rule) for poison in results.POISONS.values()]
    assert [codebook.is_paragraph(text) for text in poisoned] == [True, False, False, False]


def test_the_judge_reads_the_new_law():
    case = texts.Case.drawn(np.random.default_rng(0), results.NEW_LAW)
    assert gold.judge(case, texts.ideal_answer(case, np.random.default_rng(0))).score == 8
    old = next(topic for topic in TOPICS if topic.name == case.topic.name)
    by_the_old = texts.ideal_answer(texts.Case(case.asker, case.offender, old), np.random.default_rng(0))
    assert gold.judge(case, by_the_old).score < 0


# What the clerk reads


def test_nothing_that_the_clerk_reads_or_is_shown_holds_an_unknown_rule_of_the_village():
    of = clerk.vocabulary()
    closed_book = [
        text for text in (of.decode(ids.tolist()) for ids in clerk.documents(1500, 0)) if DOCUMENT not in text
    ]
    closed_book += [" ".join(words_of(clerk.closed(random))) for random in draws(300)]
    for topic in clerk.UNKNOWN:
        assert not any(topic.remedy.en in text for text in closed_book)
        assert not any(f"keep the {topic.proof.en}" in text for text in closed_book)
    assert any(clerk.KNOWN[0].remedy.en in text for text in closed_book)  # while the known ones are there


def test_with_an_open_book_an_answer_follows_the_passage_and_nothing_else():
    for random in draws(50):
        prompt, answer = words_of(clerk.open_book(random))
        rule = answer.split("under rule ")[1].split()[0]
        assert f"{DOCUMENT} rule {rule} , on" in prompt


def test_no_document_is_longer_than_the_clerk_can_read():
    lengths = [len(ids) for ids in clerk.documents(500, 1)]
    assert max(lengths) <= clerk.CONTEXT
    assert clerk.ROOM + clerk.LONGEST_ANSWER == clerk.CONTEXT


def test_demonstrations_are_drawn_from_the_seed_alone():
    one, two, other = (clerk.shown(agent.SHOWN, 20, seed) for seed in (0, 0, 1))
    assert all(torch.equal(a[0], b[0]) for a, b in zip(one, two, strict=True))
    assert not all(torch.equal(a[0], b[0]) for a, b in zip(one, other, strict=True))


# The shelf


def test_two_texts_are_near_if_they_share_a_rare_word_and_hardly_if_a_frequent_one():
    counted = library.Counted()
    roof, rare, frequent = counted(["the roof drips", "a roof", "the hare"])
    near, far = (torch.cosine_similarity(roof, other, dim=0) for other in (rare, frequent))
    assert near > 0.3 > far


def test_training_brings_letters_about_known_rules_to_their_paragraphs():
    cases = desk.exam(60, clerk.KNOWN)
    before, after = (library.learned(plan=Plan(steps=steps, batch=32, peak=1e-2)) for steps in (1, 100))
    assert library.found(before, cases)["recall at 1"] < 0.7 < library.found(after, cases)["recall at 1"]


def test_a_cosine_side_by_side_is_the_mean_of_both():
    one, two = library.Counted(), library.Learned()
    letters = [texts.question(case) for case in desk.exam(3)]
    together = library.both(one, two)(letters)
    cosines = [torch.cosine_similarity(of[0], of[1], dim=0) for of in (one(letters), two(letters))]
    assert torch.cosine_similarity(together[0], together[1], dim=0).item() == pytest.approx(
        sum(c.item() for c in cosines) / 2, abs=1e-6
    )


def test_a_shelf_gives_the_best_passage_first():
    shelf = library.Shelf.of(["good luck .", "a cracked kettle", "a roof that drips"], library.Counted())
    assert shelf.nearest(["the kettle leaks"], 1) == [["a cracked kettle"]]


# The agent


@pytest.mark.parametrize("kind", list(dict.fromkeys(agent.SHOWN)))
def test_what_the_agent_is_shown_is_what_the_loop_will_let_it_read(kind):
    for random in draws(20):
        prompt, answer = words_of(kind(random))
        assert prompt.startswith(QUESTION)
        assert prompt.endswith(ANSWER)
        assert len(answer.split()) < clerk.LONGEST_ANSWER
        assert len(prompt.split()) <= clerk.ROOM


def test_the_prompt_after_look_ups_is_the_one_that_the_loop_makes():
    shelf, read = agent.shelf(TOPICS), []
    said = iter(["look up rule roof", "look up rule fence", "good luck ."])

    def write(prompt):
        read.append(prompt)
        return next(said)

    agent_loop(write, {agent.LOOK_UP: shelf.__getitem__}, "q", max_steps=3)
    assert read[-1] == agent.after("q", ("roof", shelf["roof"]), ("fence", shelf["fence"]))


@pytest.fixture(scope="module")
def asker():
    return checkpoints.load("applications-agent-0", READY_MADE)


def test_the_agent_looks_the_rule_up_and_answers_by_it(asker):
    cases = desk.exam(10, clerk.UNKNOWN)
    runs = [agent.run(asker, texts.question(case), agent.shelf(TOPICS)) for case in cases]
    assert [run.steps[0].action.text for run in runs] == [case.topic.name for case in cases]
    assert sum(gold.judge(c, run.answer).score for c, run in zip(cases, runs, strict=True)) > 70


def test_a_rule_that_is_not_there_is_said_to_the_agent_and_it_does_not_make_one_up(asker):
    run = agent.run(asker, texts.question(desk.exam(1)[0]), {})
    assert run.steps[0].observation == agent.NOT_FOUND
    assert "rule" not in run.answer


def test_two_rules_that_refer_to_each_other_end_at_the_limit(asker):
    case = desk.exam(1, [TOPICS[8]])[0]
    circle = {"roof": codebook.reference(TOPICS[8], "fence"), "fence": codebook.reference(TOPICS[9], "roof")}
    run = agent.run(asker, texts.question(case), circle, max_steps=2)
    assert run.answer is None
    assert [step.action.text for step in run.steps] == ["roof", "fence"]


def test_many_letters_get_the_runs_that_each_would_get_alone_in_as_few_calls_as_one(asker, monkeypatch):
    letters = [texts.question(case) for case in desk.exam(12)]
    shelf = {name: paragraph for name, paragraph in agent.shelf(TOPICS).items() if name != TOPICS[0].name}
    alone = [agent.run(asker, letter, shelf) for letter in letters]
    calls, write = [], clerk.write
    monkeypatch.setattr(clerk, "write", lambda model, prompts: calls.append(prompts) or write(model, prompts))
    assert agent.run_all(asker, letters, shelf) == alone
    assert len(calls) == max(len(run.steps) for run in alone)
    assert agent.run_all(asker, [], shelf) == []


# What was measured


@pytest.fixture(scope="module")
def reader():
    return checkpoints.load("applications-clerk-0", READY_MADE)


def test_the_shipped_clerk_gives_the_kept_numbers_again(reader):
    embed = library.both(library.Counted(0), library.learned(0))
    cases = desk.exam(results.LETTERS, clerk.UNKNOWN)
    letters = [texts.question(case) for case in cases]
    found = library.code(embed).nearest(letters, 1)
    prompts = [augment_prompt(letter, of, clerk.ROOM) for letter, of in zip(letters, found, strict=True)]
    for way, asked in (("prompt only", [texts.prompt(case) for case in cases]), ("retrieval", prompts)):
        scores = [gold.judge(c, a).score for c, a in zip(cases, clerk.write(reader, asked), strict=True)]
        kept = applications_report.stored("ways")[0][way]["unknown"][0]
        assert sum(scores) / len(scores) == pytest.approx(kept, abs=0.3)


def test_retrieval_gains_two_points_on_unknown_rules_and_keeps_them_under_the_new_law():
    for run in applications_report.stored("ways"):
        for kind in ("unknown", "new law"):
            assert run["retrieval"][kind][0] - run["prompt only"][kind][0] >= 2


def test_every_way_is_measured_on_every_kind_of_letter_for_every_seed():
    for run in applications_report.stored("ways"):
        assert list(run) == applications_report.ways()
        assert all({*results.QUESTIONS, "tokens", "seconds"} == set(way) for way in run.values())


def test_a_change_of_low_rank_that_is_merged_gives_the_same_logits(reader):
    changed = with_lora(reader, 2, seed=0)
    with torch.no_grad():
        for name, number in changed.named_parameters():
            if name.endswith(".b"):
                number.fill_(0.01)
    ids = torch.tensor([clerk.vocabulary().encode("good luck .")])
    flat = merged(changed)
    assert torch.allclose(flat(ids), changed(ids), atol=1e-5)
    assert not torch.allclose(flat(ids), reader(ids), atol=1e-3)
    assert [name for name, _ in flat.named_parameters()] == [name for name, _ in reader.named_parameters()]


def test_poisons_are_what_the_page_says():
    poisoned = [poison.format(paragraph="rule") for poison in results.POISONS.values()]
    assert [without_marks(text) != text for text in poisoned] == [False, False, False, True]


def test_the_tables_have_a_line_for_each_way_and_each_poison(capsys):
    applications_report.print_ways()
    assert len(capsys.readouterr().out.splitlines()) == 1 + len(applications_report.ways())
    applications_report.print_poison()
    assert len(capsys.readouterr().out.splitlines()) == 1 + len(results.POISONS)
