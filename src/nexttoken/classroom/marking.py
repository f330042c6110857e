"""From what the cells came to, to a verdict on each exercise, with words for its author.

Only texts are compared here: what the student's cells printed, what they should, and what they print
with a known mistake. The student's functions are never called.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from nexttoken import course
from nexttoken.classroom.answer_key import Key, Mistake, Printed
from nexttoken.grading.verdict import ONE_OF_SEVERAL, State, Verdict

SHOWN_LINES = 14  # of what a cell printed
LINE_LIMIT = 160  # characters of a line that are shown

Record = dict[str, Any]


def verdicts(
    key: Key, records: Sequence[Record], source: bytes, time_limit: float, setup_limit: float
) -> list[Verdict]:
    """One verdict for every exercise of the chapter.

    `records` says what the cells of the key's notebook came to, the setup first; `source` is the
    student's file; the limits are seconds for an exercise and for the setup.
    """
    text = source.decode("utf-8", errors="replace")
    exercises = course.exercises(key.chapter)
    setup, graded = records[0], records[1:]
    if not setup["passed"]:
        state, message = _setup_problem(key.chapter, setup, setup_limit)
        return [_of(found, text, state, message) for found in exercises]
    expected = {found.name: [c for c in key.cells() if _exercise(c) == found.name] for found in exercises}
    own = {found.name: [r for r in graded if r["exercise"] == found.name] for found in exercises}
    found = [_judged(e, own[e.name], expected[e.name], key, text, time_limit) for e in exercises]
    failed = {v.exercise.partition(".")[2] for v in found if not v.right}
    return [_with_what_it_stands_on(verdict, failed, text) for verdict in found]


def not_handed_in(chapter: str) -> list[Verdict]:
    """The verdicts where there is no file of this chapter."""
    message = f"src/nexttoken/{chapter}.py was not handed in."
    return [Verdict.of(found, State.NOT_DONE, message) for found in course.exercises(chapter)]


def not_graded(chapter: str, why: str) -> list[Verdict]:
    """The verdicts where the grader itself failed."""
    message = f"This is the grader's own trouble, and no word on the answer: {printable(why)}"
    return [Verdict.of(found, State.NOT_GRADED, message) for found in course.exercises(chapter)]


def _of(found: course.Exercise, source: str, state: State, message: str = "", **more: str) -> Verdict:
    """A verdict whose place is that in the student's file."""
    match = re.search(rf"^def {found.function}\b", source, re.MULTILINE)
    line = source.count("\n", 0, match.start()) + 1 if match else found.line
    where = f"src/nexttoken/{found.chapter}.py, line {line}"
    return replace(Verdict.of(found, state, message, **more), where=where)


def _setup_problem(chapter: str, setup: Record, limit: float) -> tuple[State, str]:
    if "trouble" in setup:
        state, why = _trouble(setup, limit)
        return state, f"While src/nexttoken/{chapter}.py was imported: {why}"
    error = setup.get("error", {"name": "an error", "value": "", "lines": []})
    return State.UNREADABLE, f"Importing src/nexttoken/{chapter}.py failed: {_error_text(error, '')}"


def _judged(
    found: course.Exercise, own: list[Record], cells: list[Record], key: Key, source: str, time_limit: float
) -> Verdict:
    failing = next((number for number, record in enumerate(own) if not record["passed"]), None)
    if failing is None:
        return _of(found, source, State.RIGHT)
    record, cell = own[failing], cells[failing]
    expected, got = _expected(cell), str(record["printed"])
    more = {
        "call": "".join(cell["source"]),
        "misconception": mistake_made(key.mistakes, found.name, own, cells),
    }
    if "trouble" in record:
        state, why = _trouble(record, time_limit)
        return _of(found, source, state, why, call=more["call"])
    if error := record.get("error"):
        if error["name"] == "NotDoneYet":
            if error["value"].startswith(f"{found.name} "):
                message = f"{found.name} is not done yet."
                return _of(found, source, State.NOT_DONE, message)
            return _of(
                found, source, State.WRONG, f"It calls another one: {error['value']}", call=more["call"]
            )
        shown, _ = _side_by_side(expected, expected)
        return _of(found, source, State.WRONG, _error_text(error, source), expected=shown, **more)
    right, yours = _side_by_side(expected, got)
    return _of(
        found, source, State.WRONG, "What the cell prints is different.", expected=right, got=yours, **more
    )


def _trouble(record: Record, time_limit: float) -> tuple[State, str]:
    state, why = State(record["trouble"]["state"]), record["trouble"]["why"]
    if state is State.TIMEOUT and not why:
        lines = record.get("error", {}).get("lines", [])
        at = f" It was in src/nexttoken/{lines[-1][0]}.py, line {lines[-1][1]}." if lines else ""
        why = f"stopped after {time_limit:g} seconds: is there a loop that never ends?{at}"
    return state, why[:1].upper() + why[1:]


def _error_text(error: Record, source: str) -> str:
    text = f"{error['name']}: {error['value']}".strip().removesuffix(":")
    shown = printable(text[:600])
    if error["lines"]:
        file, number = error["lines"][-1]
        shown += f"\n  src/nexttoken/{file}.py, line {number}"
        lines = source.split("\n")
        if number <= len(lines):
            shown += f": {printable(lines[number - 1].strip()[:LINE_LIMIT])}"
    return shown


def mistake_made(mistakes: Sequence[Mistake], exercise: str, own: list[Record], cells: list[Record]) -> str:
    """The sentence of the known mistake that prints the same, if there is one.

    One that prints what the student's cells print, all of them, is the student's. Of an answer with
    two mistakes each explains a part: the one that explains the largest share of the cells in which
    either goes wrong, if that is at least half of them.
    """
    if any(not record["run"] for record in own):
        return ""
    printed = [_printed(record) for record in own]
    right: list[Printed] = [(_expected(cell), "") for cell in cells]
    best, share = "", 0.0
    for mistake in mistakes:
        if mistake.exercise != exercise:
            continue
        trios = list(zip(printed, mistake.printed, right, strict=True))
        either = sum(yours != good or theirs != good for yours, theirs, good in trios)
        same = sum(yours == theirs != good for yours, theirs, good in trios)
        if either and same > share * either:
            share = same / either
            best = mistake.sentence if share == 1 else ONE_OF_SEVERAL + mistake.sentence
    return best if share >= 0.5 else ""


def _printed(record: Record) -> Printed:
    return str(record["printed"]), record.get("error", {}).get("name", "")


def _with_what_it_stands_on(verdict: Verdict, failed: set[str], source: str) -> Verdict:
    function = verdict.exercise.partition(".")[2]
    if verdict.right or verdict.state in (State.NOT_DONE, State.UNREADABLE):
        return verdict
    body = re.search(rf"^def {function}\b.*?(?=^(?:def|class|@|# End)|\Z)", source, re.MULTILINE | re.DOTALL)
    code = re.sub(r'""".*?"""', "", body[0], flags=re.DOTALL) if body else ""
    called = set(re.findall(r"\b(\w+)\(", code))
    stands_on = sorted(called & (failed - {function}))
    if not stands_on:
        return verdict
    names = " and ".join(stands_on)
    return replace(
        verdict, message=f"{verdict.message}\nIt stands on {names}, not right either: begin there."
    )


def _exercise(cell: Record) -> str:
    name: str = cell["metadata"].get("nexttoken", {}).get("exercise", "")
    return name


def _expected(cell: Record) -> str:
    return "".join("".join(output["text"]) for output in cell["outputs"])


def _side_by_side(expected: str, got: str) -> tuple[str, str]:
    """Both texts, cut to where they differ."""
    right, yours = expected.split("\n"), got.split("\n")
    same = next((i for i, (r, y) in enumerate(zip(right, yours, strict=False)) if r != y), 0)
    first = max(0, same - 3) if max(len(right), len(yours)) > SHOWN_LINES else 0
    return _window(right, first), _window(yours, first)


def _window(lines: list[str], first: int) -> str:
    shown = [printable(line[:LINE_LIMIT]) for line in lines[first : first + SHOWN_LINES]]
    before = ["..."] if first else []
    after = ["..."] if len(lines) > first + SHOWN_LINES else []
    return "\n".join([*before, *shown, *after]).rstrip("\n") or "(nothing)"


def printable(text: str) -> str:
    """Without what would move a cursor, change colours or turn the direction of writing."""
    return "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in text)
