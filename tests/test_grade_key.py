"""The key: new arguments, nothing of the published values, no seed that could wrong anybody."""

import json

import pytest

from nexttoken import course
from nexttoken.classroom import answer_key, marking
from nexttoken.classroom.answer_key import Mistake
from nexttoken.grading import notebook

CHAPTER = "attention"


@pytest.fixture(scope="module")
def keys():
    """The key of a chapter for a secret, made twice, and for another secret."""
    return [answer_key.keys_for([CHAPTER], secret)[CHAPTER] for secret in ("one", "one", "another")]


def printed(key):
    return ["".join(output["text"]) for cell in key.cells() for output in cell["outputs"]]


def test_the_same_secret_gives_the_same_key_and_another_one_another(keys):
    first, again, other = keys
    assert first == again
    assert first.fingerprint == again.fingerprint != other.fingerprint


def test_every_graded_cell_is_there_and_random_ones_are_new(keys):
    book = notebook.read(CHAPTER)
    published = [cell.expected for cell in book.cells]
    assert [cell["metadata"]["nexttoken"]["exercise"] for cell in keys[0].cells()] == [
        c.exercise for c in book.cells
    ]
    seeded = [i for i, cell in enumerate(book.cells) if "SEED" in cell.source]
    for key in keys:
        same = [i for i in seeded if printed(key)[i] == published[i]]
        assert len(same) < len(seeded) / 4, same  # some cells print laws, whatever the arguments


@pytest.mark.parametrize("chapter", course.chapters())
def test_no_exercise_is_passed_by_what_its_published_cells_print(chapter):
    book = notebook.read(chapter)
    seeded = {cell.exercise for cell in book.cells if "SEED" in cell.source}
    assert seeded == {found.name for found in course.exercises(chapter)}


def test_nbval_compares_every_cell_but_the_setup(keys):
    cells = json.loads(keys[0].notebook)["cells"]
    assert "nbval-ignore-output" in cells[0]["metadata"]["tags"]
    assert all(cell["execution_count"] and cell["outputs"] for cell in cells[1:])


def test_every_known_mistake_prints_something_else(keys):
    for key in keys:
        right = {}
        for cell, text in zip(key.cells(), printed(key), strict=True):
            right.setdefault(cell["metadata"]["nexttoken"]["exercise"], []).append((text, ""))
        assert len(key.mistakes) > 20
        assert all(list(mistake.printed) != right[mistake.exercise] for mistake in key.mistakes)


@pytest.mark.parametrize(
    ("value", "near"),
    [
        (0.12345, False),  # a tie, which the first rounding settles
        (0.12345 + 1e-16, False),
        (0.12345 + 8e-11, True),  # right at where the first rounding decides
        (0.12345 + 4e-10, False),
        (0.1234, False),
        (0.0, False),
        (float("inf"), False),
        (float("nan"), False),
        (1e12 + 0.00005, False),
    ],
)
def test_a_seed_is_refused_where_rounding_could_go_either_way(value, near):
    assert answer_key._is_near_a_tie(value) is near


# Which mistake was it?


def cell(text):
    return {"outputs": [{"text": [text]}], "metadata": {"nexttoken": {"exercise": "a.f"}}}


def record(text, error="", passed=False):
    made = {"printed": text, "passed": passed, "run": True}
    return made | ({"error": {"name": error}} if error else {})


CELLS = [cell("1"), cell("2"), cell("3")]
MISTAKES = [
    Mistake("a.f", "You doubled.", (("2", ""), ("4", ""), ("6", ""))),
    Mistake("a.f", "You raised.", (("", "ValueError"), ("2", ""), ("3", ""))),
    Mistake("a.f", "Your third is wrong.", (("1", ""), ("2", ""), ("9", ""))),
    Mistake("a.g", "Another exercise.", (("2", ""), ("4", ""), ("6", ""))),
]


@pytest.mark.parametrize(
    ("own", "sentence"),
    [
        ([record("2"), record("4"), record("6")], "You doubled."),
        ([record("", "ValueError"), record("2"), record("3")], "You raised."),
        ([record("", "TypeError"), record("2"), record("3")], ""),
        ([record("1"), record("2"), record("9")], "Your third is wrong."),
        ([record("2"), record("4"), record("9")], "One mistake of several, perhaps: You doubled."),
        ([record("7"), record("7"), record("7")], ""),
    ],
    ids=["doubled", "raised", "raised otherwise", "third", "two mistakes", "none known"],
)
def test_the_mistake_that_prints_the_same_is_the_students(own, sentence):
    assert marking.mistake_made(MISTAKES, "a.f", own, CELLS) == sentence
