"""`nexttoken grade`: from a folder of submissions to the reports."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from nexttoken import course
from nexttoken.classroom import answer_key, intake, marking, marks, reports, running
from nexttoken.classroom.cluster import Cluster
from nexttoken.classroom.marks import Sheet
from nexttoken.classroom.records import Records, Result
from nexttoken.classroom.roster import Class, class_of, read_roster
from nexttoken.classroom.station import EXERCISE_SECONDS

_NAMED = 20  # of the submissions that could not be graded
NO_SANDBOX = (
    "Without a sandbox: the submissions run as you. They can read your files, use your network, see the other "
    "submissions, change the marks. Only for code that you would run yourself."
)


class Ungraded(Exception):
    """The grader itself failed at some submissions; all others have their marks."""

    def __init__(self, lost: list[Result]) -> None:
        names = [marking.printable(f"{result.student}, {result.chapter}") for result in lost]
        more = [f"and {len(lost) - _NAMED} more"] if len(lost) > _NAMED else []
        super().__init__(
            "Not graded, because the grader itself failed twice at each of these (the student's page says how):\n  "
            + "\n  ".join(names[:_NAMED] + more)
            + "\n--resume tries again. If one fails every time, look at it yourself, and give its points in "
            "overrides.csv."
        )


@dataclass(frozen=True)
class Request:
    """What the command line asks for."""

    submissions: Path
    out: Path
    chapters: tuple[str, ...] = ()
    seed_file: Path | None = None
    jobs: int = 0  # 0: as many as are good for this machine
    resume: bool = False
    roster: Path | None = None
    exam: bool = False
    sandbox: bool = True
    scheduler: str = ""
    time_limit: float = EXERCISE_SECONDS


def grade(request: Request, console: Console) -> list[Sheet]:
    """Grade a class and write all reports.

    Raises
    ------
    FileNotFoundError, ValueError, RuntimeError
        If what was asked cannot be done, with a sentence for the teacher.
    running.Interrupted
        After Ctrl-C.
    Ungraded
        At the end, with all reports written, if the grader itself failed at some submissions.
    """
    chapters = chosen_chapters(request.chapters)
    roster = read_roster(request.roster) if request.roster else None
    group = class_of(intake.submissions(request.submissions), roster)
    # A mistake in it is said now, not at the end.
    marks.sheets(group, [], chapters, marks.overrides(request.out))
    if not request.sandbox:
        console.print(NO_SANDBOX, style="bold red")
    results, lost = results_of(request, group, chapters, console)
    sheets, changed = reports.write_all(request.out, group, results + lost, chapters)
    reports.say(request.out, group, sheets, changed, console)
    if lost:
        raise Ungraded(lost)
    return sheets


def results_of(
    request: Request, group: Class, chapters: list[str], console: Console
) -> tuple[list[Result], list[Result]]:
    """What is kept of an earlier run with the same key, and the rest graded now; and what could not be graded."""
    records = Records(request.out)
    secret = records.secret(request.seed_file, fresh=not request.resume)
    with console.status("computing what is expected"), ThreadPoolExecutor(1) as beside:
        starting = beside.submit(
            grader_for, request
        )  # both import torch: side by side that takes half the time
        try:
            keys = answer_key.keys_for(chapters, secret)
        except BaseException:
            if starting.exception() is None:
                starting.result().close()
            raise
        grader = starting.result()
    try:
        with console.status("grading the references first"):
            running.rehearse(grader, keys, request.exam, request.time_limit)
        jobs = running.jobs_of(group, keys, request.exam, request.time_limit)
        lost = running.run(grader, jobs, records, request.jobs or running.default_jobs(), console)
    finally:
        grader.close()
    found = [records.get(job.student, job.task.chapter, job.fingerprint) for job in jobs]
    return [result for result in found if result is not None], lost


def chosen_chapters(names: tuple[str, ...]) -> list[str]:
    """The chapters named, in the book's order; all of them if none is.

    Raises
    ------
    course.UnknownName
        If one is not a chapter.
    """
    known = course.chapters()
    if unknown := [name for name in names if name not in known]:
        raise course.UnknownName(f"There is no chapter {unknown[0]!r}. The chapters are: {', '.join(known)}.")
    if not course.has_solutions():
        raise FileNotFoundError("Grading needs the full repository: there is no solutions/ here.")
    return [name for name in known if name in names or not names]


def grader_for(request: Request) -> running.Grader:
    """Who grades: this machine, or a cluster."""
    if request.scheduler:
        return Cluster(request.scheduler, request.sandbox)
    jobs = request.jobs or running.default_jobs()
    return running.ThisMachine(jobs, request.sandbox, (request.submissions.resolve(), request.out.resolve()))
