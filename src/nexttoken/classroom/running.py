"""Grade everything that was handed in: several at once, with a bar, and so that it can be interrupted."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

import nexttoken
from nexttoken import course
from nexttoken.classroom import marking, station
from nexttoken.classroom.answer_key import Key
from nexttoken.classroom.records import Records, Result, fingerprint
from nexttoken.classroom.roster import Class

_ATTEMPTS = 2  # for what fails through no fault of a submission


class Interrupted(Exception):
    """Somebody pressed Ctrl-C; what is done is kept."""

    def __init__(self, done: int, of: int) -> None:
        super().__init__(f"Stopped: {done} of {of} are graded and kept. --resume goes on from there.")


@dataclass(frozen=True)
class Job:
    """One chapter of one student, to be graded."""

    student: str
    task: station.Task
    key: Key
    fingerprint: str


class Grader(Protocol):
    """Whatever can turn a job into a result, here or elsewhere."""

    def submit(self, job: Job) -> "Future[Result]": ...

    def close(self) -> None: ...


def grade_here(at: station.Station, job: Job) -> Result:
    """Grade a job at a station; a second time, if the station itself was in trouble."""
    started = time.perf_counter()
    for attempt in range(_ATTEMPTS):
        try:
            cells = at.grade(job.task)
            break
        except station.StationFailed:
            if attempt + 1 == _ATTEMPTS:
                raise
    source, limits = job.task.files[job.task.chapter], (job.task.time_limit, job.task.setup_limit)
    found = marking.verdicts(job.key, cells, source, *limits)
    return Result(
        job.student, job.task.chapter, job.fingerprint, found, round(time.perf_counter() - started, 3)
    )


class ThisMachine:
    """Grades on this machine, several jobs at once."""

    def __init__(self, jobs: int, sandbox: bool, hidden: tuple[Path, ...] = ()) -> None:
        self._station = station.Station(sandbox, hidden)
        self._pool = ThreadPoolExecutor(jobs)

    def submit(self, job: Job) -> "Future[Result]":
        return self._pool.submit(grade_here, self._station, job)

    def close(self) -> None:
        self._station.close()  # first, so that nobody waits for it any longer
        self._pool.shutdown(cancel_futures=True)


def default_jobs() -> int:
    """More than cores: much of a run is waiting for the kernel's first word."""
    return 2 * len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2 * (os.cpu_count() or 1)


def jobs_of(group: Class, keys: dict[str, Key], exam: bool, time_limit: float) -> list[Job]:
    """What there is to grade: every chapter of the key that a student handed in."""
    found = []
    for student, submission in group.submissions.items():
        for chapter, key in keys.items():
            if chapter not in submission.files:
                continue
            files = submission.files if exam else {chapter: submission.files[chapter]}
            exercises = course.exercises(chapter)
            task = station.Task(chapter, key.notebook, files, len(exercises), exam, time_limit)
            parts = [part for name in sorted(files) for part in (name, files[name])]
            worth = [f"{e.name} {e.points} {e.minutes}" for e in exercises]  # stands in each verdict
            same = (nexttoken.__version__, str(exam), str(time_limit), key.fingerprint, *worth)
            found.append(Job(student, task, key, fingerprint(*same, *parts)))
    return found


def rehearse(grader: Grader, keys: dict[str, Key], exam: bool, time_limit: float) -> None:
    """Grade the references like a submission: who gave the questions must get all points.

    Raises
    ------
    station.StationFailed
        If not: then nobody's marks could be trusted.
    """
    solutions = {chapter: as_answers(chapter) for chapter in course.chapters()} if exam else {}
    waiting = []
    for chapter, key in keys.items():
        files = solutions if exam else {chapter: as_answers(chapter)}
        task = station.Task(
            chapter, key.notebook, files, len(course.exercises(chapter)), exam, max(30.0, time_limit)
        )
        waiting.append(grader.submit(Job("the reference", task, key, "")))
    for future in waiting:
        wrong = [verdict for verdict in future.result().verdicts if not verdict.right]
        if wrong:
            raise station.StationFailed(
                f"Before the class the references were graded, and {wrong[0].exercise} failed: "
                f"{wrong[0].message.splitlines()[0]} Nobody was graded."
            )


def as_answers(chapter: str) -> bytes:
    """The chapter's file with the references' bodies in it, as a student would write it."""
    text = course.source_file(chapter).read_text(encoding="utf-8")
    solved = course.solution_file(chapter).read_text(encoding="utf-8")
    for found in course.exercises(chapter):
        text = course.replace_body(text, found.function, course.body_of(solved, found.function))
    return text.encode()


def run(
    grader: Grader, jobs: list[Job], records: Records, jobs_at_once: int, console: Console
) -> list[Result]:
    """Grade the jobs that are not in the records yet, and keep each result at once.

    What comes back is not kept: results that say "not graded", where the grader itself failed.

    Raises
    ------
    Interrupted
        After Ctrl-C. What runs at that time is dropped.
    station.StationGone
        If nothing more can be graded.
    """
    lost: list[Result] = []
    todo = [job for job in jobs if records.get(job.student, job.task.chapter, job.fingerprint) is None]
    done = len(jobs) - len(todo)
    with _bar(console) as progress, _without_keyboard_interrupts() as stopped:
        bar = progress.add_task(
            "grading", total=len(jobs), completed=done, began=time.monotonic(), before=done
        )
        waiting = iter(todo)
        running: dict[Future[Result], Job] = {}
        while not stopped.is_set():
            for job in waiting:
                running[grader.submit(job)] = job
                if len(running) >= 2 * jobs_at_once:
                    break
            if not running:
                break
            finished, _ = wait(running, timeout=0.2, return_when=FIRST_COMPLETED)
            for future in finished:
                job = running.pop(future)
                try:
                    result = future.result()
                except station.StationGone:
                    raise
                except station.StationFailed as failure:  # costs nobody else the marks
                    chapter = job.task.chapter
                    verdicts = marking.not_graded(chapter, str(failure))
                    lost.append(Result(job.student, chapter, job.fingerprint, verdicts))
                    continue
                records.keep(result)
                done += 1
                progress.update(bar, completed=done)
    if stopped.is_set():
        raise Interrupted(done, len(jobs))
    return lost


class _Rate(ProgressColumn):
    """How many are graded in a second, so far."""

    def render(self, task: Task) -> Text:
        new = task.completed - task.fields["before"]
        took = time.monotonic() - task.fields["began"]
        return Text(f"{new / took:.1f} a second" if new and took else "", style="dim")


def _bar(console: Console) -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console, transient=not console.is_terminal)


@contextmanager
def _without_keyboard_interrupts() -> Iterator[threading.Event]:
    """Inside, Ctrl-C sets the event instead of ending us in the middle of something."""
    stopped = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopped
        return
    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(signum, lambda *_: stopped.set()) for signum in signals]
    try:
        yield stopped
    finally:
        for signum, handler in zip(signals, before, strict=True):
            signal.signal(signum, handler)
