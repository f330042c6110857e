"""Who is who: from the names of folders and zip files to the students on the roster."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import permutations
from pathlib import Path

from nexttoken.classroom.intake import Submission
from nexttoken.classroom.records import read_table

# What the columns of a roster may be called, in the exports of learning platforms and elsewhere.
_ID = ("id", "student id", "student_id", "sid", "sis user id", "id number", "number", "matriculation number")
_NAME = ("name", "full name", "student", "student name")
_FIRST, _LAST = ("first name", "firstname", "given name"), ("last name", "surname", "lastname", "family name")
_EMAIL = ("email", "email address", "e-mail", "mail")
_FOLDER = ("folder", "submission", "login", "sis login id", "username", "user name", "identifier")
_PLATFORM = ("id", "canvas id", "user id", "identifier")  # the number in the names that a platform gives


@dataclass(frozen=True)
class Student:
    """One person of the class."""

    id: str
    name: str = ""
    email: str = ""
    known_as: tuple[str, ...] = ()  # further names under which a submission may come
    row: dict[str, str] = field(default_factory=dict, hash=False)  # of the roster, as it stands there


@dataclass
class Class:
    """Who handed in what."""

    students: list[Student]
    submissions: dict[str, Submission]  # by the student's id
    missing: list[Student] = field(default_factory=list)
    double: list[tuple[Student, list[str]]] = field(default_factory=list)  # the names; the first one counts
    strangers: list[Student] = field(default_factory=list)  # not on the roster


def read_roster(file: Path) -> list[Student]:
    """The students in a CSV file with a line of column names.

    Raises
    ------
    ValueError
        If no column tells students apart, or two have the same id.
    """
    students: list[Student] = []
    for row in read_table(file):
        lower = {key.lower(): value for key, value in row.items()}
        name = _first(lower, _NAME) or f"{_first(lower, _FIRST)} {_first(lower, _LAST)}".strip()
        found = [lower[key] for key in (*_FOLDER, *_PLATFORM) if lower.get(key)]
        identity = next((lower[key] for key in ("sis user id", "student id", *_ID) if lower.get(key)), "")
        email = _first(lower, _EMAIL)
        identity = identity or next(iter(found), "") or email
        if not identity and name.strip().lower() in ("points possible", "student, test", ""):
            continue  # lines of a Canvas gradebook that are nobody
        if not identity:
            raise ValueError(
                f"{file}: {name!r} has no id. The roster needs a column called id (or Student ID, SIS User ID, "
                "ID number); name, email and folder are welcome."
            )
        students.append(Student(identity, name, email, tuple(dict.fromkeys(found)), row))
    twice = {s.id for s in students if sum(other.id == s.id for other in students) > 1}
    if twice:
        raise ValueError(f"{file}: these ids are there more than once: {', '.join(sorted(twice))}")
    if not students:
        raise ValueError(f"{file} lists nobody.")
    return students


def _first(row: dict[str, str], names: Iterable[str]) -> str:
    return next((row[name] for name in names if row.get(name)), "")


def class_of(submissions: Sequence[Submission], roster: Sequence[Student] | None) -> Class:
    """Give every submission to its student; without a roster each is a student's of its own."""
    of_student: dict[str, list[Submission]] = {}
    students = list(roster or [])
    known = {student.id for student in students}
    strangers = []
    for submission in submissions:
        student = _whose(submission, students) if roster else None
        if student is None:
            name = (
                submission.name if submission.name not in known else f"{submission.name} (not on the roster)"
            )
            known.add(name)
            student = Student(name, submission.name)
            strangers.append(student)
            if roster:
                submission.notes.append("nobody on the roster has this name")
        of_student.setdefault(student.id, []).append(submission)
    everybody = [*students, *{s.id: s for s in strangers}.values()]
    chosen, double = {}, []
    for student in everybody:
        found = sorted(of_student.get(student.id, []), key=lambda s: s.time, reverse=True)
        if found:
            chosen[student.id] = found[0]
        if len(found) > 1:
            names = [submission.name for submission in found]
            found[0].notes.append(
                f"there are {len(found)} submissions ({', '.join(names)}): the latest counts"
            )
            double.append((student, names))
    missing = [student for student in students if student.id not in chosen]
    return Class(everybody, chosen, missing, double, strangers if roster else [])


def _whose(submission: Submission, students: Sequence[Student]) -> Student | None:
    """The one student whom a name fits; nobody where it fits two."""
    tests = (
        lambda s: submission.number != "" and submission.number in (s.id, *s.known_as),
        lambda s: submission.name in (s.id, s.name, s.email, *s.known_as),
        lambda s: any(_letters(submission.name) == _letters(n) for n in (*s.known_as, s.email) if n),
        lambda s: not _orders(submission.name).isdisjoint(_orders(s.name)),
        lambda s: any(
            n and _is_a_word_of(n, submission.name) for n in (s.id, *s.known_as, s.email.split("@")[0])
        ),
    )
    for fits in tests:
        found = [student for student in students if fits(student)]
        if len(found) == 1:
            return found[0]
    return None


def _letters(name: str) -> str:
    """Only the letters and digits, without accents and in lower case: Canvas writes names so."""
    plain = unicodedata.normalize("NFKD", name.lower())
    return "".join(c for c in plain if c.isalnum())


def _orders(name: str) -> set[str]:
    """A name with its words in every order, run together: Canvas writes doejane, a roster Jane Doe."""
    words = [w for w in map(_letters, re.split(r"[\s,_.]+", name)) if w][:5]
    return {"".join(order) for order in permutations(words)} - {""}


def _is_a_word_of(word: str, name: str) -> bool:
    return re.search(rf"(?<![A-Za-z0-9]){re.escape(word)}(?![A-Za-z0-9])", name, re.IGNORECASE) is not None
