"""`nexttoken watch`: check again on every save, in a process that has imported torch already."""

import time
from pathlib import Path

import watchfiles
from rich.console import Console

from nexttoken import course
from nexttoken.grading import report
from nexttoken.grading.processes import judge_apart
from nexttoken.grading.verdict import State, Verdict

QUIET_MS = 50  # an editor's several writes within this time are one save
LOOK_MS = 20


def watch_files(name: str | None, time_limit: float, console: Console) -> None:
    """Show the verdicts on `name` (a chapter, an exercise, or None for all) now and after each save."""
    shown = None
    while shown != (shown := _saved_at()):  # so that a save during the first check is seen
        _show(name, time_limit, console)
    for changes in watchfiles.watch(
        course.root() / "src" / "nexttoken",
        watch_filter=lambda _, path: Path(path).suffix == ".py",
        debounce=QUIET_MS,
        step=LOOK_MS,
        rust_timeout=500,
        raise_interrupt=False,
    ):
        chapters = [c for c in course.chapters() if any(Path(path).stem == c for _, path in changes)]
        if name is None and len(chapters) == 1:
            _show(chapters[0], time_limit, console)
        elif chapters:
            _show(name, time_limit, console)


def _saved_at() -> list[int]:
    """When each chapter's file was saved; 0 for one that is away while an editor renames it."""
    return [_modified(course.source_file(chapter)) for chapter in course.chapters()]


def _modified(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0


def _show(name: str | None, time_limit: float, console: Console) -> None:
    started = time.perf_counter()
    try:
        verdicts = list(judge_apart(course.selection(name), time_limit))
    except (LookupError, OSError, RuntimeError) as error:  # a file half saved, moved away, or emptied
        console.print(str(error), style="red", highlight=False, markup=False)
    else:
        console.clear()
        console.print(report.table(verdicts))
        if (first := _first_to_mend(verdicts)) is not None and (text := report.details(first)) is not None:
            console.print(text)
        console.print(report.next_step(verdicts), highlight=False)
    took = time.perf_counter() - started
    console.print(
        f"{time.strftime('%X')}, checked in {took:.2f} s. Waiting for a save; Ctrl-C ends.", style="dim"
    )


def _first_to_mend(verdicts: list[Verdict]) -> Verdict | None:
    """A wrong answer before an unfinished one: it is what the reader is at."""
    wrong = [v for v in verdicts if not v.right and v.state is not State.NOT_DONE]
    return wrong[0] if wrong else None
