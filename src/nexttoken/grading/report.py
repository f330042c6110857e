"""Verdicts as a person reads them: a table, and a panel for each answer that is not right yet."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from nexttoken import course
from nexttoken.grading.verdict import State, Verdict

_LOOK = {
    State.RIGHT: ("✓", "green"),
    State.NOT_DONE: ("·", "dim"),
    State.WRONG: ("✗", "red"),
    State.UNREADABLE: ("!", "red"),
    State.TIMEOUT: ("✗", "red"),
    State.CRASHED: ("✗", "red"),
    State.NOT_GRADED: ("?", "red"),
}
_PRINTED_LIMIT = 1_000  # characters of an answer's own printing that are shown


def table(verdicts: Sequence[Verdict]) -> Table:
    """One row an exercise: state, minutes, points earned of points to be had."""
    rows = Table(box=None, padding=(0, 1), header_style="bold")
    for heading, justify in (
        ("", "left"),
        ("exercise", "left"),
        ("", "left"),
        ("min", "right"),
        ("points", "right"),
    ):
        rows.add_column(heading, justify=justify, no_wrap=heading == "exercise")  # type: ignore[arg-type]
    for verdict in verdicts:
        sign, style = _LOOK[verdict.state]
        rows.add_row(
            Text(sign, style=style),
            Text(verdict.exercise),
            Text(verdict.state.value, style=style),
            str(verdict.minutes),
            f"{verdict.earned} of {verdict.points}",
        )
    return rows


def summary(verdicts: Sequence[Verdict]) -> RenderableType:
    """A line a chapter: a bar, the points, the exercises that are right."""
    rows = Table(box=None, padding=(0, 1), header_style="bold")
    for heading in ("chapter", "", "points", "right", "wrong", "to do", "minutes left"):
        rows.add_column(heading, justify="left" if heading in ("chapter", "") else "right")
    for chapter, group in groupby(verdicts, key=lambda v: v.exercise.partition(".")[0]):
        rows.add_row(chapter, *_counts(list(group)))
    if rows.row_count > 1:
        rows.add_row("all", *_counts(verdicts), style="bold")
    return rows


def _counts(verdicts: Sequence[Verdict]) -> Iterable[RenderableType]:
    points = sum(v.points for v in verdicts)
    earned = sum(v.earned for v in verdicts)
    to_do = [v for v in verdicts if v.state is State.NOT_DONE]
    right = [v for v in verdicts if v.right]
    left = sum(v.minutes for v in verdicts if not v.right)
    bar = ProgressBar(total=points, completed=earned, width=24)
    counts = (len(right), len(verdicts) - len(right) - len(to_do), len(to_do), left)
    return (bar, f"{earned} of {points}", *map(str, counts))


def details(verdict: Verdict) -> RenderableType | None:
    """What the author of an answer should read; None where there is nothing to say."""
    if verdict.right:
        if not verdict.printed:
            return None
        return Text(
            f"{verdict.exercise} is right. It prints, which is not graded:\n{_shortened(verdict)}",
            style="dim",
        )
    if verdict.state is State.NOT_DONE:
        return Text(verdict.message)
    parts: list[RenderableType] = []
    if verdict.misconception:
        parts.append(Text(verdict.misconception, style="bold"))
    if verdict.call:
        parts.append(Text(verdict.call, style="cyan"))
        if verdict.got:
            sides = [Group(Text("expected", style="green"), Text(verdict.expected))]
            sides.insert(0, Group(Text("yours", style="red"), Text(verdict.got)))
            parts.append(Columns(sides, padding=(0, 6)))
        else:
            parts.append(Group(Text("expected", style="green"), Text(verdict.expected)))
    parts.append(Text(_sentence(verdict.message)))
    if verdict.printed:
        parts.append(Text(f"It printed:\n{_shortened(verdict)}", style="dim"))
    parts.append(Text(f"{verdict.where}  ·  nexttoken hint {verdict.exercise}", style="dim"))
    title = f"[bold]{escape(verdict.exercise)}[/] {verdict.state.value}"
    return Panel(Group(*_spaced(parts)), title=title, title_align="left", border_style="red", padding=(1, 2))


def _shortened(verdict: Verdict) -> str:
    text = verdict.printed.rstrip()
    cut = len(text) - _PRINTED_LIMIT
    return text if cut <= 0 else f"{text[:_PRINTED_LIMIT]}\n... and {cut:,} characters more"


def _sentence(message: str) -> str:
    return (
        message[:1].upper()
        + message[1:]
        + ("" if message.endswith((".", "?", ")")) or "\n" in message else ".")
    )


def _spaced(parts: list[RenderableType]) -> list[RenderableType]:
    return [item for part in parts for item in (part, Text(""))][:-1]


def next_step(verdicts: Sequence[Verdict]) -> str:
    """One line: what to do now."""
    if all(v.right for v in verdicts):
        there = " The reference answers are in solutions/, if you want to compare."
        return f"All right.{there if course.has_solutions() else ''}"
    first = next(v for v in verdicts if not v.right)
    verb = "Next" if first.state is State.NOT_DONE else "First"
    place = f"{first.where}, notebook exercises/{first.exercise.partition('.')[0]}.ipynb"
    return f"{verb}: {first.exercise} ({place}). Stuck? nexttoken hint {first.exercise}"
