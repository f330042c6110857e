"""Points: what was earned, what was given by hand, whose changed; and the tables for learning platforms."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nexttoken import course
from nexttoken.classroom import marking
from nexttoken.classroom.records import Result, read_table, tame, write_table
from nexttoken.classroom.roster import Class, Student
from nexttoken.grading.verdict import State, Verdict

OVERRIDES = ("id", "exercise", "points", "reason")
ASSIGNMENT = "Next Token, Please"  # the name of the column in a platform's gradebook


@dataclass(frozen=True)
class Mark:
    """One exercise of one student."""

    verdict: Verdict
    by_hand: float | None = None  # stronger than what the verdict earns
    reason: str = ""

    @property
    def earned(self) -> float:
        return self.verdict.earned if self.by_hand is None else self.by_hand

    @property
    def open(self) -> bool:
        """Whether nobody knows yet what it earns."""
        return self.verdict.state is State.NOT_GRADED and self.by_hand is None


def total(of: Sequence[Mark], unknown: str = "") -> int | float | str:
    """The points of some marks, which are unknown as long as one of them is open."""
    return unknown if any(mark.open for mark in of) else plain(sum(mark.earned for mark in of))


@dataclass
class Sheet:
    """All marks of one student."""

    student: Student
    marks: list[Mark]
    handed_in: bool
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def earned(self) -> float:
        return sum(mark.earned for mark in self.marks)

    @property
    def points(self) -> int:
        return sum(mark.verdict.points for mark in self.marks)

    @property
    def open(self) -> bool:
        """Whether one of the marks is."""
        return any(mark.open for mark in self.marks)

    def of_chapter(self, chapter: str) -> list[Mark]:
        return [mark for mark in self.marks if mark.verdict.exercise.startswith(f"{chapter}.")]


def sheets(
    group: Class, results: Sequence[Result], chapters: Sequence[str], by_hand: Sequence[dict[str, str]]
) -> list[Sheet]:
    """A sheet for everybody, also for those who handed in nothing.

    Raises
    ------
    ValueError
        If points are given by hand to nobody, for nothing, or in other than a number.
    """
    found = {(result.student, result.chapter): result for result in results}
    given = _given(by_hand, {s.id for s in group.students})
    made = []
    for student in group.students:
        marks, seconds = [], 0.0
        for chapter in chapters:
            result = found.get((student.id, chapter))
            verdicts = result.verdicts if result else marking.not_handed_in(chapter)
            seconds += result.seconds if result else 0.0
            for verdict in verdicts:
                points, reason = given.get((student.id, verdict.exercise), (None, ""))
                marks.append(Mark(verdict, points, reason))
        submission = group.submissions.get(student.id)
        sheet = Sheet(student, marks, submission is not None, seconds=seconds)
        sheet.notes += submission.notes if submission else []
        for chapter in chapters:
            if any(mark.open for mark in sheet.of_chapter(chapter)):
                sheet.notes.append(f"{chapter} was not graded: the grader itself failed")
        made.append(sheet)
    return sorted(made, key=lambda sheet: (sheet.student.name or sheet.student.id).lower())


def overrides(out: Path) -> list[dict[str, str]]:
    """The points given by hand, of `overrides.csv`; an empty one is put there to be filled in."""
    file = out / "overrides.csv"
    if not file.is_file():
        write_table(file, OVERRIDES, [])
    return read_table(file)


def _given(rows: Sequence[dict[str, str]], students: set[str]) -> dict[tuple[str, str], tuple[float, str]]:
    given = {}
    for number, row in enumerate(rows, start=2):
        where = f"overrides.csv, line {number}"
        if row.get("id") not in students:
            raise ValueError(f"{where}: there is no student {row.get('id')!r}.")
        name = course.exercise_named(row.get("exercise", "")).name
        try:
            points = float(row.get("points", ""))
        except ValueError:
            raise ValueError(f"{where}: {row.get('points')!r} is not a number of points.") from None
        if not (math.isfinite(points) and points >= 0):
            raise ValueError(f"{where}: points cannot be {points}.")
        given[row["id"], name] = points, row.get("reason", "")
    return given


def plain(points: float) -> int | float:
    """3 rather than 3.0."""
    return int(points) if points == int(points) else round(points, 2)


def write_grades(file: Path, class_sheets: Sequence[Sheet], chapters: Sequence[str]) -> None:
    """One row a student: id, name, email, the total, each chapter, each exercise, and what was odd.

    Where the grader failed there is no number, and so none in the sums.
    """
    exercises = [mark.verdict.exercise for mark in class_sheets[0].marks] if class_sheets else []
    header = ["id", "name", "email", "total", "out of", *chapters, *exercises, "notes"]
    rows = []
    for sheet in class_sheets:
        per_chapter = [total(sheet.of_chapter(chapter)) for chapter in chapters]
        per_exercise = [total([mark]) for mark in sheet.marks]
        notes = "; ".join(sheet.notes if sheet.handed_in else ["nothing handed in"])
        who = sheet.student
        rows.append(
            [
                who.id,
                who.name,
                who.email,
                total(sheet.marks),
                sheet.points,
                *per_chapter,
                *per_exercise,
                notes,
            ]
        )
    write_table(file, header, rows)


def write_canvas(file: Path, class_sheets: Sequence[Sheet]) -> bool:
    """What Canvas imports, if the roster was its own export: its columns and one of ours.

    Whoever has not been graded in full keeps there what they have.
    """
    columns = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
    rows = [sheet for sheet in class_sheets if {"Student", "ID"} <= set(sheet.student.row)]
    if not rows:
        return False
    known = [column for column in columns if column in rows[0].student.row]
    possible = ["    Points Possible", *[""] * (len(known) - 1), rows[0].points]
    table = [
        [*(s.student.row.get(column, "") for column in known), total(s.marks)] for s in rows if not s.open
    ]
    write_table(file, [*known, ASSIGNMENT], [possible, *table])
    return True


def changes(before: Path, class_sheets: Sequence[Sheet]) -> list[tuple[str, str, str, float, float]]:
    """Whose points in which exercise are others than in the grades of an earlier run."""
    if not before.is_file():
        return []
    earlier = {row.get("id", ""): row for row in read_table(before)}
    found = []
    for sheet in class_sheets:
        row = earlier.get(str(tame(sheet.student.id)), {})
        for mark in (mark for mark in sheet.marks if not mark.open):
            try:
                old = float(row[mark.verdict.exercise])
            except (KeyError, ValueError):  # not graded then
                continue
            if old != plain(mark.earned):  # as it stands in the table
                found.append((sheet.student.id, sheet.student.name, mark.verdict.exercise, old, mark.earned))
    return found


def write_changes(file: Path, found: Sequence[tuple[str, str, str, float, float]]) -> None:
    rows = [[student, name, exercise, plain(old), plain(new)] for student, name, exercise, old, new in found]
    write_table(file, ["id", "name", "exercise", "before", "now"], rows)
