"""What is kept of a run, and the points that come of it."""

import pytest
from classes import answers

from nexttoken import course
from nexttoken.classroom import marks, running
from nexttoken.classroom.answer_key import Key
from nexttoken.classroom.intake import Submission
from nexttoken.classroom.records import Records
from nexttoken.classroom.roster import class_of

CHAPTER = "attention"


def fingerprint(text):
    """Of the result for one student who handed this in, as the course is now."""
    group = class_of([Submission("u1", files={CHAPTER: text.encode()})], None)
    (job,) = running.jobs_of(group, {CHAPTER: Key(CHAPTER, "{}", ())}, exam=False, time_limit=1.0)
    return job.fingerprint


@pytest.mark.parametrize(("setting", "other"), [("points=1", "points=2"), ("minutes=5", "minutes=7")])
def test_what_was_worth_something_else_is_graded_again(tmp_path, monkeypatch, setting, other):
    handed_in = answers()
    before = fingerprint(handed_in)
    file = tmp_path / f"{CHAPTER}.py"
    text = course.source_file(CHAPTER).read_text(encoding="utf-8")
    file.write_text(text.replace(setting, other, 1), encoding="utf-8")
    assert before == fingerprint(handed_in)
    real = course.source_file
    monkeypatch.setattr(course, "source_file", lambda chapter: file if chapter == CHAPTER else real(chapter))
    assert before != fingerprint(handed_in)


def test_a_secret_is_drawn_once_and_read_from_then_on(tmp_path):
    records, file = Records(tmp_path / "grades"), tmp_path / "seed"
    secret = records.secret(file, fresh=True)
    assert len(secret) == 32
    assert records.secret(file, fresh=True) == records.secret(file, fresh=False) == secret
    own = records.secret(None, fresh=False)
    assert records.secret(None, fresh=False) == own != records.secret(None, fresh=True)


@pytest.mark.parametrize("text", ["", "\n", "1234\n", " " * 40])
@pytest.mark.parametrize("named", [True, False], ids=["named", "kept"])
def test_a_secret_that_can_be_guessed_is_refused(tmp_path, text, named):
    file = tmp_path / "seed" if named else tmp_path / "kept" / "secret"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    with pytest.raises(ValueError, match="holds no secret: delete it"):
        Records(tmp_path).secret(file if named else None, fresh=False)
    assert file.read_text() == text


def sheets(points):
    """The marks of one student who handed in a blank and gets these points by hand."""
    group = class_of([Submission("u1")], None)
    row = {"id": "u1", "exercise": f"{CHAPTER}.softmax", "points": points, "reason": ""}
    return marks.sheets(group, [], [CHAPTER], [row])


@pytest.mark.parametrize("points", ["inf", "1e999", "nan", "-inf", "-0.5"])
def test_points_by_hand_are_a_number_that_can_be_written_down(points):
    with pytest.raises(ValueError, match=f"line 2: points cannot be {float(points)}"):
        sheets(points)


@pytest.mark.parametrize("points", ["0.333", "0.1", "2", "1.005"])
def test_points_that_are_the_same_again_have_not_changed(tmp_path, points):
    file = tmp_path / "grades.csv"
    marks.write_grades(file, sheets(points), [CHAPTER])
    assert marks.changes(file, sheets(points)) == []
    assert [change[2:] for change in marks.changes(file, sheets("3"))] == [
        (f"{CHAPTER}.softmax", marks.plain(float(points)), 3)
    ]
