"""Every answer whose verdict is known, judged by both judges: do they agree, and is each one told its own sentence?"""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from trees import copy_of_course, misconception_bodies, reference_body

from nexttoken import course

pytestmark = pytest.mark.timeout(900)  # a whole chapter is judged in the set-up of one test


class Rounds:
    """Every answer whose verdict is known, a round for all exercises of a chapter at once.

    An exercise is blank in round 0 and right in round 1; then come its known wrong answers. One that
    has fewer of them than another is right in the rounds that are left. The notebook of the first two
    rounds is the reader's; later ones hold the graded cells only.
    """

    def __init__(self, chapter, folder):
        self.chapter, self.folder = chapter, folder
        self.names = [found.name for found in course.exercises(chapter)]
        self.wrong = {name: misconception_bodies(name) for name in self.names}
        count = 2 + max(map(len, self.wrong.values()))
        with ThreadPoolExecutor(2) as pool:
            found = list(pool.map(self.judged, range(count)))
        self.by_nbval, self.by_check = zip(*found, strict=True)

    def body(self, name, number):
        wrong = list(self.wrong[name].values())[number - 2 :] if number > 1 else []
        return None if number == 0 else (wrong or [reference_body(name)])[0]

    def judged(self, number):
        """What bare nbval says of this round, and what `nexttoken check --json` says, by exercise."""
        tree = copy_of_course(self.folder / str(number), chapter=self.chapter)
        tree.answer({name: self.body(name, number) for name in self.names})
        if number > 1:
            tree.without_ungraded_cells(self.chapter)
        return tree.nbval(self.chapter), tree.check("--time-limit", "60")


@pytest.fixture(scope="module", params=course.chapters())
def rounds(request, tmp_path_factory):
    return Rounds(request.param, tmp_path_factory.mktemp(request.param))


def test_nbval_and_check_give_the_same_verdict(rounds):
    for by_nbval, by_check in zip(rounds.by_nbval, rounds.by_check, strict=True):
        assert by_nbval == {name: found["state"] == "right" for name, found in by_check.items()}


def test_every_blank_is_told_that_it_is_not_done(rounds):
    assert not any(rounds.by_nbval[0].values())
    assert {found["state"] for found in rounds.by_check[0].values()} == {"not done yet"}


def test_every_reference_passes(rounds):
    assert all(rounds.by_nbval[1].values())
    assert {found["state"] for found in rounds.by_check[1].values()} == {"right"}


def test_every_known_wrong_answer_fails_with_its_own_sentence(rounds):
    for name, wrong in rounds.wrong.items():
        told = [by_check[name]["misconception"] for by_check in rounds.by_check[2 : 2 + len(wrong)]]
        assert told == list(wrong)


def test_the_graded_cells_alone_reject_every_known_wrong_answer(rounds):
    for name, wrong in rounds.wrong.items():
        assert not any(by_nbval[name] for by_nbval in rounds.by_nbval[2 : 2 + len(wrong)]), name


def test_wrong_answers_fail_no_exercise_that_does_not_call_them(rounds):
    functions = {name.partition(".")[2] for name in rounds.names}
    for name, wrong in rounds.wrong.items():
        called = functions & set(re.findall(r"\w+(?=\()", reference_body(name)))
        if not called:
            assert all(by_nbval[name] for by_nbval in rounds.by_nbval[2 + len(wrong) :]), name
