"""The references of `nexttoken.applications`, against hand-computed cases and oracles written otherwise."""

import math
from fractions import Fraction
from itertools import combinations

import pytest
import torch
from torch.nn import functional

from nexttoken.applications import (
    ANSWER,
    DOCUMENT,
    MARKS,
    QUESTION,
    Action,
    Cost,
    Run,
    Step,
    agent_loop,
    augment_prompt,
    break_even,
    chunk_text,
    cost_per_answer,
    few_shot_prompt,
    parse_action,
    pass_at_k,
    recall_at_k,
    reciprocal_rank,
    retrieve,
    without_marks,
)
from nexttoken.lab.inputs import Inputs

SEEDS = range(30)
TOOLS = ["look up rule", "ask"]
EXAMPLES = [("who pays ?", "the hare"), ("which rule holds here ?", "six"), ("what proof ?", "a bucket")]
RULES = {"roof": "rule 6 . proof : bucket .", "soup": "rule 2 . <a> promise <q> victory"}
SMALL = {"parameters": 100, "layers": 2, "d_model": 10, "price": 5e12}

pytestmark = pytest.mark.usefixtures("answered_by_the_reference")


def words(seed, count, kinds="roof soup rent . <q> <a> <d> <x> <q>x"):
    """A random text, in which there may be marks."""
    kinds = kinds.split()
    return " ".join(kinds[i] for i in Inputs(seed).ids(count, below=len(kinds)))


def few_shot(room, examples=EXAMPLES, question="how long ?"):
    return {"examples": list(examples), "question": question, "room": room}


def vectors(query, documents, k):
    return {"query": torch.tensor(query), "documents": torch.tensor(documents), "k": k}


def drawn(*batch, documents=5, k=3, seed=1):
    draw = Inputs(seed)
    return {"query": draw.normal(*batch, 4), "documents": draw.normal(documents, 4), "k": k}


def augmented(room, passages=("one two", "three four five six", "seven"), question="who pays ?"):
    return {"question": question, "passages": list(passages), "room": room}


def look_up(topic):
    """A tool that finds rules, does not find others, and is broken for one."""
    if topic == "broken":
        raise TypeError("this tool has a bug")
    return RULES[topic]


def script(*texts):
    """A model that writes these texts, one after the other: it counts the documents that it has read."""
    return lambda prompt: texts[min(prompt.split().count(DOCUMENT), len(texts) - 1)]


def reader(*texts):
    """As `script`, but in the end it repeats its whole prompt as one long word."""

    def write(prompt):
        read = prompt.split().count(DOCUMENT)
        return texts[read] if read < len(texts) else prompt.replace(" ", "_")

    return write


def agent(write, max_steps=5):
    return {"write": write, "tools": {"look up": look_up}, "question": "what proof ?", "max_steps": max_steps}


def cost(prompt=5, answer=3, **changes):
    return {"prompt": prompt, "answer": answer, **SMALL, "cached": 0, **changes}


# A call of ARGUMENTS may raise this, and must: a bug in a tool is not hidden.
RAISES = {"agent_loop": TypeError}

# Calls on which every misconception does what neither the reference nor another misconception does;
# tests/test_exercises.py looks at that.
ARGUMENTS = {
    "few_shot_prompt": [
        *(lambda room=room: few_shot(room) for room in (100, 60, 29, 28, 27, 20, 19, 13, 12, 5, 3)),
        lambda: few_shot(16, [("a", "b"), ("a b c d e f g", "h"), ("c", "d")]),
    ],
    "chunk_text": [
        *(
            lambda text=text, size=size, overlap=overlap: {"text": text, "size": size, "overlap": overlap}
            for text in ("a bb c d e f g", "a b c d e f", "a b", "", "  ")
            for size, overlap in ((3, 0), (3, 1), (4, 2), (5, 3))
        ),
    ],
    "retrieve": [
        drawn,
        lambda: drawn(2, 2),
        lambda: drawn(3),
        lambda: drawn(k=7),
        lambda: vectors([1.0, 0.0], [[1.0, 1.0], [-1.0, 0.0], [0.0, 0.0], [9.0, 9.5]], 3),
        lambda: vectors([1.0, 0.0], [[0.0, 1.0], [3.0, 4.0], [6.0, 8.0], [0.0, 2.0]], 4),
        lambda: vectors([0.0, 0.0], [[0.0, 1.0], [3.0, 4.0]], 2),
    ],
    "recall_at_k": [
        lambda: {"ranked": [7, 3, 9, 1, 3], "relevant": {3, 1, 4}, "k": 2},
        lambda: {"ranked": [7, 3, 9, 1, 3], "relevant": {3, 1, 4}, "k": 3},
        lambda: {"ranked": [3, 3, 1], "relevant": {3, 1}, "k": 2},
        lambda: {"ranked": [3, 1, 7], "relevant": {3, 1, 5, 6}, "k": 2},
        lambda: {"ranked": [3], "relevant": {3}, "k": 5},
    ],
    "reciprocal_rank": [
        lambda: {"ranked": [7, 3, 9, 1], "relevant": {3, 1}},
        lambda: {"ranked": [7, 3, 9, 1], "relevant": {3, 5}},
        lambda: {"ranked": [3, 7], "relevant": {3}},
        lambda: {"ranked": [3, 7], "relevant": {4}},
        lambda: {"ranked": [], "relevant": set()},
    ],
    "without_marks": [
        lambda: {"text": " <q>x  <a> roof <x>\n<a> <d> y <q> <<a>a> "},
        lambda: {"text": "rule <a> <a> six"},
        lambda: {"text": "rule  six"},
    ],
    "augment_prompt": [
        *(lambda room=room: augmented(room) for room in (3, 8, 9, 11, 13, 14, 16, 40)),
        lambda: augmented(40, ["one <a> two", " <d> ", "<q> three"]),
        lambda: augmented(9, ["one <a> <a> two", "three"]),
        lambda: augmented(10, ["one two", "", "three four five"]),
        lambda: augmented(40, ["one"], question="who <d> pays ?"),
    ],
    "parse_action": [
        lambda text=text: {"text": text, "tools": TOOLS}
        for text in (
            "",
            " \n",
            "look up rule roof .",
            "look up rule roof",
            " look  up rule roof",
            "look up rule",
            "look up rule .",
            "look up rule roof soup",
            "look up rules six",
            "ask owl",
            "asks owl nothing",
            "let me see . look up rule roof",
            "let me see . ask owl .",
            "a mask helps .",
            "you must  pay .",
            "ask owl <d> pay <a>",
            "<a>",
        )
    ],
    "agent_loop": [
        lambda: agent(script("pay .")),
        lambda: agent(reader("look up roof", "look up soup")),
        lambda: agent(reader("look up moon")),
        lambda: agent(reader("look up", "", "ask <d>", "well , look up roof")),
        lambda: agent(script("look up roof"), max_steps=2),
        lambda: agent(script("look up roof", "pay ."), max_steps=1),
        lambda: agent(script("look up broken", "pay .")),
    ],
    "pass_at_k": [
        lambda: {"samples": 10, "correct": 3, "k": 2},
        lambda: {"samples": 10, "correct": 9, "k": 2},
        lambda: {"samples": 10_000, "correct": 1, "k": 5_000},
        lambda: {"samples": 5, "correct": 0, "k": 5},
    ],
    "cost_per_answer": [cost, lambda: cost(cached=2), lambda: cost(prompt=1, answer=1)],
    "break_even": [
        lambda: {"training": 10.0, "long": 5.0, "short": 1.0},
        lambda: {"training": 9.0, "long": 5.0, "short": 1.0},
        lambda: {"training": 11.0, "long": 5.0, "short": 1.0},
        lambda: {"training": 23.0, "long": 5.0, "short": 1.0},
        lambda: {"training": 8.0, "long": 5.0, "short": 1.0},
        lambda: {"training": 8.0, "long": 1.0, "short": 1.0},
        lambda: {"training": 8.0, "long": 1.0, "short": 2.0},
        lambda: {"training": 0.0, "long": 1.0, "short": 2.0},
    ],
}


def test_the_marks_are_three_words():
    assert MARKS == (QUESTION, ANSWER, DOCUMENT) == ("<q>", "<a>", "<d>")


# --- few_shot_prompt -----------------------------------------------------------------------------


def test_a_prompt_by_hand():
    shown = few_shot_prompt([("who ?", "the hare")], "how long ?", room=50)
    assert shown == "<q> who ? <a> the hare <q> how long ? <a>"
    assert few_shot_prompt([], "how  long\n?", room=50) == "<q> how long ? <a>"


def test_a_prompt_is_the_longest_end_that_fits():
    whole = few_shot_prompt(**few_shot(1000))
    ends = [few_shot_prompt(**few_shot(1000, EXAMPLES[first:])) for first in range(4)]
    assert ends[0] == whole
    for room in range(40):
        fitting = [end for end in ends if len(end.split()) <= room] or [ends[-1]]
        assert few_shot_prompt(**few_shot(room)) == max(fitting, key=len)


def test_the_examples_are_left_as_they_were():
    examples = [*EXAMPLES]
    few_shot_prompt(examples, "how long ?", room=5)
    assert examples == EXAMPLES


# --- chunk_text ----------------------------------------------------------------------------------


def test_chunks_by_hand():
    assert chunk_text("a b c d e f g", size=3, overlap=1) == ["a b c", "c d e", "e f g"]
    assert chunk_text("a b c d e f", size=3, overlap=1) == ["a b c", "c d e", "e f"]
    assert chunk_text("a  b\nc", size=9, overlap=8) == ["a b c"]
    assert chunk_text(" \n", size=3) == chunk_text("", size=3, overlap=2) == []


@pytest.mark.parametrize("length", range(12))
def test_chunks_laid_over_each_other_are_the_text(length):
    text = [str(i) for i in range(length)]
    for size in range(1, 6):
        for overlap in range(size):
            chunks = [chunk.split() for chunk in chunk_text(" ".join(text), size, overlap)]
            assert [word for i, chunk in enumerate(chunks) for word in chunk[overlap * (i > 0) :]] == text
            assert all(len(chunk) == size for chunk in chunks[:-1])
            assert all(overlap < len(chunk) <= size for chunk in chunks[1:])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"size": 0}, "size must be at least 1, got 0"),
        ({"size": 3, "overlap": 3}, r"overlap must be less than size \(3\), got 3"),
        ({"size": 3, "overlap": -1}, "overlap must be at least 0, got -1"),
    ],
)
def test_a_wrong_size_or_overlap_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        chunk_text("a b", **wrong)


# --- retrieve ------------------------------------------------------------------------------------


def test_what_is_found_by_hand():
    documents = torch.tensor([[0.0, 1.0], [5.0, 0.0], [1.0, 1.0], [-1.0, 0.0]])
    assert retrieve(torch.tensor([1.0, 0.1]), documents, k=3).tolist() == [1, 2, 0]


def test_retrieval_agrees_with_torch_for_any_batch():
    for seed in SEEDS:
        arguments = drawn(2, 3, documents=9, k=4, seed=seed)
        similarity = functional.cosine_similarity(
            arguments["query"].unsqueeze(-2), arguments["documents"], dim=-1
        )
        assert torch.equal(retrieve(**arguments), similarity.topk(4).indices)


def test_long_and_short_vectors_are_found_alike():
    arguments = drawn(4, seed=2)
    stretched = {
        **arguments,
        "documents": arguments["documents"] * torch.tensor([[1.0], [9.0], [0.1], [2.0], [5.0]]),
    }
    assert torch.equal(retrieve(**arguments), retrieve(**stretched))


def test_equals_and_zeros_are_found_in_the_order_of_their_numbers():
    same = torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.3, 0.4], [-1.0, 0.0], [6.0, 8.0]])
    assert retrieve(torch.tensor([1.0, 0.0]), same, k=5).tolist() == [1, 2, 4, 0, 3]
    assert retrieve(torch.zeros(2), same, k=5).tolist() == [0, 1, 2, 3, 4]


def test_more_than_there_are_and_none_at_all():
    assert retrieve(**drawn(2, documents=3, k=9)).shape == (2, 3)
    assert retrieve(**drawn(documents=0)).shape == (0,)
    assert retrieve(**drawn(0, k=2)).shape == (0, 2)
    with pytest.raises(ValueError, match="k must be at least 1, got 0"):
        retrieve(**drawn(k=0))


# --- recall_at_k and reciprocal_rank -------------------------------------------------------------


def test_recall_by_hand():
    assert recall_at_k([7, 3, 9, 1], {3, 1, 4}, k=2) == pytest.approx(1 / 3)
    assert recall_at_k([7, 3, 9, 1], {3, 1, 4}, k=99) == pytest.approx(2 / 3)
    assert recall_at_k([3, 3, 1], {3, 1}, k=2) == 0.5
    assert recall_at_k([], {3}, k=2) == 0


def test_recall_grows_with_k_to_one():
    for seed in SEEDS:
        ranked = Inputs(seed).normal(9).argsort().tolist()
        recalls = [recall_at_k(ranked, {0, 4, 8}, k) for k in range(1, 10)]
        assert recalls == sorted(recalls)
        assert recalls[-1] == 1


def test_recall_of_nothing_is_refused():
    with pytest.raises(ValueError, match="relevant must not be empty"):
        recall_at_k([1], set(), k=1)
    with pytest.raises(ValueError, match="k must be at least 1, got 0"):
        recall_at_k([1], {1}, k=0)


def test_reciprocal_rank_by_hand():
    assert reciprocal_rank([7, 3, 9, 1], {3, 1}) == 0.5
    assert reciprocal_rank([7, 3], {7}) == 1
    assert reciprocal_rank([7, 3], {4}) == reciprocal_rank([], {4}) == reciprocal_rank([7], set()) == 0


def test_reciprocal_rank_is_where_recall_begins():
    for seed in SEEDS:
        ranked = Inputs(seed).ids(8, below=6).tolist()
        ranks = [k for k in range(1, 9) if recall_at_k(ranked, {2, 5}, k) > 0]
        assert reciprocal_rank(ranked, {2, 5}) == (1 / ranks[0] if ranks else 0)


# --- without_marks -------------------------------------------------------------------------------


def test_marks_go_and_words_stay():
    assert without_marks("rule 6 <a> promise\n\n<d> <q>x victory <x>") == "rule 6 promise <q>x victory <x>"
    assert without_marks(" <q> <a> <d> ") == without_marks("") == ""


def test_nothing_is_left_to_be_taken_out():
    for seed in SEEDS:
        text = words(seed, 12)
        clean = without_marks(text)
        assert not set(MARKS) & set(clean.split())
        assert without_marks(clean) == clean
        assert [w for w in text.split() if w not in MARKS] == clean.split()


# --- augment_prompt ------------------------------------------------------------------------------


def test_an_augmented_prompt_by_hand():
    passages = ["the hare pays", "<a> the hare is old", "six <d>"]
    whole = "<q> who pays ? <d> six <d> the hare is old <d> the hare pays <a>"
    assert augment_prompt("who <q> pays ?", passages, room=16) == whole
    assert augment_prompt("who pays ?", passages, room=15) == whole.replace("<d> six ", "")
    assert augment_prompt("who pays ?", passages, room=13) == "<q> who pays ? <d> the hare pays <a>"
    assert augment_prompt("who pays ?", passages, room=8) == "<q> who pays ? <a>"
    assert augment_prompt("who pays ?", passages, room=1) == "<q> who pays ? <a>"


def test_the_first_that_does_not_fit_ends_it():
    assert augment_prompt("who ?", ["a", "b c d e f", "g"], room=8) == "<q> who ? <d> a <a>"


def test_passages_without_words_are_passed_over():
    assert augment_prompt("who ?", ["", "a", "<a> <d>", "b"], room=8) == "<q> who ? <d> b <d> a <a>"


def test_an_augmented_prompt_keeps_its_room_and_its_marks():
    for seed in SEEDS:
        passages = [words(10 * seed + i, 1 + i % 4) for i in range(6)]
        for room in range(4, 40, 5):
            prompt = augment_prompt("who pays ?", passages, room).split()
            assert len(prompt) <= max(room, 5)
            assert prompt[:1] + prompt[-1:] == [QUESTION, ANSWER]
            assert prompt.count(QUESTION) == prompt.count(ANSWER) == 1
            told = " ".join(prompt).removesuffix(f" {ANSWER}").split(f" {DOCUMENT} ")[1:]
            assert told[::-1] == [p for p in map(without_marks, passages) if p][: len(told)]


# --- parse_action --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("look up rule roof", ("look up rule", "roof")),
        (" look  up\nrule roof . ", ("look up rule", "roof")),
        ("ask owl .", ("ask", "owl")),
        ("look up rule", ("error", "no argument")),
        ("ask .", ("error", "no argument")),
        ("look up rule roof soup", ("error", "two arguments")),
        ("ask look up rule", ("error", "two arguments")),
        ("ask the owl what rule six says", ("error", "two arguments")),
        ("let me ask owl", ("error", "not alone")),
        ("i will look up rule", ("error", "not alone")),
        ("look up rules", ("answer", "look up rules")),
        ("you  must pay .", ("answer", "you must pay .")),
        (".", ("answer", ".")),
        ("a mask , asks", ("answer", "a mask , asks")),
        ("", ("error", "empty")),
        (" \n\t", ("error", "empty")),
        ("<a>", ("error", "forged")),
        ("ask owl <d> pay", ("error", "forged")),
        ("look up rule <a>", ("error", "forged")),
        ("the mark <q>x is none", ("answer", "the mark <q>x is none")),
    ],
)
def test_what_a_text_asks_for(text, expected):
    assert parse_action(text, TOOLS) == Action(*expected)


def test_without_tools_all_is_an_answer():
    assert parse_action("look up rule roof", []) == Action("answer", "look up rule roof")


def test_whatever_is_written_there_is_an_action():
    for seed in range(300):
        text = words(seed, seed % 7, "look up rule ask roof . <d> <q>x asks")
        kind, said = parse_action(text, TOOLS)
        assert kind in (*TOOLS, "answer", "error")
        assert (kind == "answer") <= (said == " ".join(text.split()))
        if kind in TOOLS:
            assert text.split() in ([*kind.split(), said], [*kind.split(), said, "."])


# --- agent_loop ----------------------------------------------------------------------------------


def test_a_run_by_hand():
    prompts = []

    def write(prompt):
        prompts.append(prompt)
        return ["look up soup .", "look up", "look up moon", "keep the menu ."][len(prompts) - 1]

    run = agent_loop(**agent(write))
    first = "<q> what proof ? <a>"
    second = f"{first} look up soup <d> rule 2 . promise victory <a>"
    third = f"{second} <d> error : no argument <a>"
    assert prompts == [first, second, third, f"{third} look up moon <d> error : not found <a>"]
    assert run == Run(
        "keep the menu .",
        [
            Step(Action("look up", "soup"), "rule 2 . promise victory"),
            Step(Action("error", "no argument"), "error : no argument"),
            Step(Action("look up", "moon"), "error : not found"),
            Step(Action("answer", "keep the menu ."), ""),
        ],
    )


def test_nobody_writes_more_often_than_allowed():
    for max_steps in range(1, 5):
        written = []
        run = agent_loop(
            **agent(lambda prompt, written=written: written.append(prompt) or "look up roof", max_steps)
        )
        assert (run.answer, len(run.steps), len(written)) == (None, max_steps, max_steps)
        assert agent_loop(**agent(script("look up roof", "look up roof", "pay ."), max_steps)).answer == (
            "pay ." if max_steps > 2 else None
        )


def test_a_broken_tool_is_heard_of():
    with pytest.raises(TypeError, match="bug"):
        agent_loop(**agent(script("look up broken")))


def test_an_agent_that_may_do_nothing_is_refused():
    with pytest.raises(ValueError, match="max_steps must be at least 1, got 0"):
        agent_loop(**agent(script("pay ."), max_steps=0))


# --- pass_at_k -----------------------------------------------------------------------------------


def test_pass_at_k_counts_the_draws_that_hold_a_right_one():
    for samples in range(1, 7):
        for correct in range(samples + 1):
            for k in range(1, samples + 1):
                draws = list(combinations(range(samples), k))
                right = sum(min(draw) < correct for draw in draws)
                assert pass_at_k(samples, correct, k) == pytest.approx(right / len(draws))


def test_pass_at_k_of_many_samples_agrees_with_fractions():
    for correct, k in ((1, 5000), (3, 100), (37, 1), (9000, 999), (9999, 2), (0, 10_000)):
        failing = Fraction(1)
        for i in range(k):
            failing *= Fraction(max(10_000 - correct - i, 0), 10_000 - i)
        assert pass_at_k(10_000, correct, k) == pytest.approx(float(1 - failing), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ((5, -1, 1), "correct must be at least 0, got -1"),
        ((5, 6, 1), r"correct must be at most samples \(5\), got 6"),
        ((5, 2, 0), "k must be at least 1, got 0"),
        ((5, 2, 6), r"k must be at most samples \(5\), got 6"),
        ((0, 0, 1), r"k must be at most samples \(0\), got 1"),
    ],
)
def test_impossible_counts_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        pass_at_k(*wrong)


# --- cost_per_answer -----------------------------------------------------------------------------


def test_a_cost_by_hand():
    # Tokens 1, 2, 3 are read: 3 * 200 for the weights, 4 * 2 * 10 * (1 + 2 + 3) to look back.
    assert cost_per_answer(prompt=2, answer=2, **SMALL) == Cost(4, 1080, pytest.approx(5.4))
    assert cost_per_answer(prompt=2, answer=2, **SMALL, cached=2) == Cost(4, 440, pytest.approx(2.2))


def test_a_cost_agrees_with_the_sum_in_closed_form():
    for seed in SEEDS:
        prompt, answer = (1 + Inputs(seed).ids(2, below=90)).tolist()
        for cached in {0, 1, prompt}:
            read = prompt + answer - 1
            looks = read * (read + 1) // 2 - cached * (cached + 1) // 2
            flops = 200 * (read - cached) + 80 * looks
            assert cost_per_answer(prompt, answer, **SMALL, cached=cached) == Cost(
                prompt + answer, flops, pytest.approx(flops * 5e-3)
            )


def test_what_is_cached_is_what_a_shorter_text_has_cost():
    shorter = cost_per_answer(prompt=39, answer=2, **SMALL).flops  # 40 tokens are read
    whole = cost_per_answer(prompt=50, answer=10, **SMALL).flops
    assert cost_per_answer(prompt=50, answer=10, **SMALL, cached=40).flops == whole - shorter


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"prompt": 0}, "prompt must be at least 1, got 0"),
        ({"answer": 0}, "answer must be at least 1, got 0"),
        ({"cached": -1}, "cached must be at least 0, got -1"),
        ({"cached": 6}, r"cached must be at most prompt \(5\), got 6"),
    ],
)
def test_impossible_lengths_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        cost_per_answer(**cost(**wrong))


# --- break_even ----------------------------------------------------------------------------------


def test_break_even_by_hand():
    assert break_even(10.0, 5.0, 1.0) == 3
    assert break_even(8.0, 5.0, 1.0) == 2
    assert break_even(0.0, 1.0, 9.0) == 0
    assert break_even(8.0, 1.0, 1.0) == break_even(8.0, 1.0, 2.0) == math.inf


def test_break_even_is_where_the_inequality_begins_to_hold():
    for seed in SEEDS:
        training, long, short = (Inputs(seed).ids(3, below=40) / 4).tolist()
        found = break_even(training, long, short)
        holds = [n for n in range(200) if training + n * short <= n * long]
        assert found == (holds[0] if holds else math.inf)


@pytest.mark.parametrize("name", ["training", "long", "short"])
def test_a_negative_price_is_refused(name):
    with pytest.raises(ValueError, match=f"{name} must be at least 0, got -1"):
        break_even(**{"training": 1.0, "long": 2.0, "short": 1.0, name: -1.0})
