"""`nexttoken.check("...")` in a cell: the same verdict as the command line's, in the kernel itself."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from rich.console import Console
from rich.text import Text

from nexttoken import course
from nexttoken.grading import report
from nexttoken.grading.judge import judge
from nexttoken.grading.verdict import State, Verdict

WIDTH = 100  # columns: no command in a hint is broken


def check_here(name: str) -> None:
    """Judge an exercise in this process and print the verdict."""
    found = course.exercise_named(name)
    if os.environ.get("NEXTTOKEN_REFERENCE") == "1":
        Console(width=WIDTH).print(
            f"{found.name}: here the reference answers, there is nothing of yours to check."
        )
        return
    try:
        with _time_limit(course.TIME_LIMIT):
            verdict = judge(found.name)
    except _TooSlow:
        message = f"stopped after {course.TIME_LIMIT:g} seconds: is there a loop that never ends?"
        verdict = Verdict.of(found, State.TIMEOUT, message)
    show_verdict(verdict)


def show_verdict(verdict: Verdict, width: int = WIDTH) -> None:
    """Print what a reader should read of it."""
    console = Console(width=width)
    if verdict.right:
        console.print(
            Text(
                f"✓ {verdict.exercise} is right: {verdict.points} of {verdict.points} points.", style="green"
            )
        )
    if (text := report.details(verdict)) is not None:
        console.print(text)


class _TooSlow(BaseException):  # so that no `except Exception` of an answer swallows it
    pass


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Raise _TooSlow after so many seconds, where the system has alarms (Linux, macOS)."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(signum: int, frame: FrameType | None) -> None:
        raise _TooSlow

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
