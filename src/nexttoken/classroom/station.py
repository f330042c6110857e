"""A place where submissions are graded: the warm process, the courses laid out for it, a way to ask it.

One station serves as many requests at once as one likes. Started by root it works as an
unprivileged user, for whom folders that only root may enter are opened where Python lies in them.
"""

import base64
import compileall
import contextlib
import json
import os
import py_compile
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Self

from nexttoken import course
from nexttoken.classroom import box
from nexttoken.classroom.keeper import Limits

NOBODY = 65534
EXERCISE_SECONDS = course.TIME_LIMIT
SETUP_SECONDS = 60.0  # for the chapter to be imported, the first time; and for all other times together


class StationFailed(RuntimeError):
    """The grader itself is in trouble: no word on the submission."""


class StationGone(StationFailed):
    """Its warm process has ended: it can grade nothing any more."""


@dataclass(frozen=True)
class Task:
    """One chapter of one submission."""

    chapter: str
    notebook: str  # with the secret seed, and the expected values as its outputs
    files: dict[str, bytes]  # of the student, by chapter
    exercises: int
    exam: bool = False
    time_limit: float = EXERCISE_SECONDS
    setup_limit: float = SETUP_SECONDS
    limits: Limits = field(default_factory=Limits)

    @property
    def wall_limit(self) -> float:
        """Seconds after which something must be wrong with the grader."""
        return 60 + 2 * self.setup_limit + 2 * self.exercises * (self.time_limit + 2)


class Station:
    """Starts the warm process, and ends it with all that it has started."""

    def __init__(self, sandbox: bool = True, hidden: tuple[Path, ...] = ()) -> None:
        self.sandbox = sandbox
        if sandbox:
            box.bubblewrap()
        elif os.getuid() == 0:
            raise box.NoSandbox(
                "Without a sandbox, and as root, a submission could do anything. Use an ordinary user."
            )
        usual = tempfile.gettempdir()
        short = usual if len(usual) < 40 else "/tmp"  # a socket's address has 107 bytes at most
        self.folder = Path(tempfile.mkdtemp(prefix="nexttoken-grade-", dir=short))
        self._names = count()
        self._stages: dict[tuple[str, bool], Path] = {}
        self._lock = threading.Lock()
        self._judges: set[int] = set()
        try:
            self._start([course.root(), self.folder, *hidden])
        except BaseException:
            self.close()
            raise

    def _start(self, hidden: list[Path]) -> None:
        self.address = self.folder / "door"
        if os.getuid() == 0:
            os.chown(self.folder, NOBODY, NOBODY)
        self._process = subprocess.Popen(
            [*opened_folders(self.folder), sys.executable, "-m", "nexttoken.classroom.warm"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd="/",
            env=environment(self.folder),
            start_new_session=True,  # Ctrl-C in the terminal is ours alone
            text=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        told = {
            "address": str(self.address),
            "user": NOBODY,
            "hidden": list(map(str, hidden)),
            "sandbox": self.sandbox,
        }
        self._process.stdin.write(json.dumps(told) + "\n")
        self._process.stdin.flush()
        word, _, why = self._process.stdout.readline().strip().partition(": ")
        if word == "no sandbox":
            raise box.NoSandbox(why)
        if word != "ready":
            said = self._process.stderr.read().strip().splitlines()
            raise StationFailed(f"the warm process did not start: {said[-1] if said else 'it said nothing'}")

    def grade(self, task: Task) -> list[dict[str, Any]]:
        """What each cell of the task's notebook came to.

        Raises
        ------
        StationFailed
            If there is no such thing, through no fault of the submission.
        StationGone
            If there never will be.
        """
        request = {
            "kind": "judge",
            "warm": str(self.address),
            "folder": str(self.folder / f"task-{next(self._names)}"),
            "stage": str(self._stage(task.chapter, task.exam)),
            "notebook": task.notebook,
            "files": {name: base64.b64encode(content).decode() for name, content in task.files.items()},
            "limits": asdict(task.limits),
            "time_limit": task.time_limit,
            "setup_limit": task.setup_limit,
            "sandbox": self.sandbox,
        }
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
                line.settimeout(task.wall_limit)
                line.connect(str(self.address))
                line.sendall(json.dumps(request).encode() + b"\n")
                with line.makefile("rb") as answers:
                    return self._heard(answers, task)
        except TimeoutError:
            raise StationFailed(f"the judge said nothing for {task.wall_limit:g} seconds") from None
        except (OSError, ValueError) as error:  # the warm process is gone, or a judge in the middle of a word
            if self._process.poll() is not None:
                raise StationGone("the process that starts the judges has ended") from error
            raise StationFailed(f"the judge cannot be reached, or understood: {error!r}") from error

    def _heard(self, answers: Any, task: Task) -> list[dict[str, Any]]:
        judge = 0
        try:
            for answer in map(json.loads, answers):
                if "pid" in answer:
                    judge = answer["pid"]
                    self._judges.add(judge)
                elif "cells" in answer:
                    return _complete(answer["cells"], task)
                else:
                    raise StationFailed(answer["error"])
            raise StationFailed("the judge ended without a word")
        finally:
            self._judges.discard(judge)
            if judge:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(judge, signal.SIGKILL)

    def _stage(self, chapter: str, exam: bool) -> Path:
        with self._lock:
            if (chapter, exam) not in self._stages:
                stage = lay_out(self.folder / f"stage-{chapter}-{exam}", chapter, exam)
                if os.getuid() == 0:  # so that the warm process can clear up after us, should we be killed
                    for path in (stage, *stage.rglob("*")):
                        os.chown(path, NOBODY, NOBODY)
                self._stages[chapter, exam] = stage
            return self._stages[chapter, exam]

    def close(self) -> None:
        """End the warm process; all others end with it."""
        process = getattr(self, "_process", None)
        if process is not None:
            process.stdin.close()
            for judge in list(self._judges):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(judge, signal.SIGKILL)
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()
            process.stderr.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _complete(cells: list[dict[str, Any]], task: Task) -> list[dict[str, Any]]:
    wanted = [c for c in json.loads(task.notebook)["cells"] if c["cell_type"] == "code"]
    if len(cells) != len(wanted):
        raise StationFailed(f"{len(cells)} of {len(wanted)} cells of {task.chapter} were judged")
    return cells


def lay_out(stage: Path, chapter: str, exam: bool) -> Path:
    """The course as the kernel sees it: stubs, and the references of the chapters before, if any."""
    package = stage / "src" / "nexttoken"
    beside = shutil.ignore_patterns("__pycache__", "classroom", "grading")
    shutil.copytree(course.root() / "src" / "nexttoken", package, ignore=beside)
    for name in course.chapters():  # in a reader's checkout they may be solved
        file = package / f"{name}.py"
        text = file.read_text(encoding="utf-8")
        for exercise in course.exercises(name):
            text = course.replace_body(text, exercise.function, None)
        file.write_text(text, encoding="utf-8")
    (stage / "exercises").mkdir()
    shutil.copy(course.root() / "_toc.yml", stage)
    if not exam:
        (stage / "solutions").mkdir()
        for earlier in course.chapters()[: course.chapters().index(chapter)]:
            shutil.copy(course.solution_file(earlier), stage / "solutions")
    handed_in = course.chapters() if exam else (chapter,)
    compileall.compile_dir(stage, quiet=2, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    for name in handed_in:  # the student's file takes the place of the stub, and is no older text
        for compiled in (package / "__pycache__").glob(f"{name}.*.pyc"):
            compiled.unlink()
    for path in [stage, *stage.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    return stage


def environment(folder: Path) -> dict[str, str]:
    """All that the warm process gets to see of ours."""
    mine = {key: os.environ[key] for key in ("NEXTTOKEN_DEBUG",) if key in os.environ}
    return mine | {
        "HOME": str(folder),
        "IPYTHONDIR": str(folder / "ipython"),
        "LANG": "C.UTF-8",
        "NEXTTOKEN_ROOT": str(course.root()),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "PYTHONPATH": str(Path(course.__file__).parents[1]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "TMPDIR": str(folder),
    }


def opened_folders(folder: Path) -> list[str]:
    """For root: the command before the command that lets nobody in where Python lies.

    In a mount namespace of its own, a folder that others may not enter is replaced by an empty one
    that holds what is needed of it.
    """
    if os.getuid() != 0:
        return []
    needed = {*box.installation(), str(course.root()), str(Path(course.__file__).parents[1]), str(folder)}
    closed = {top for path in needed if (top := closed_ancestor(Path(path)))}
    if not closed:
        return []
    command = [box.bubblewrap(), "--die-with-parent", "--dev-bind", "/", "/"]
    for top in sorted(closed):
        command += ["--tmpfs", str(top)]
    for path in map(Path, sorted(needed)):
        within = [top for top in closed if path.is_relative_to(top)]
        for parent in reversed(path.parents):  # bubblewrap would make them for their owner alone
            if within and parent.is_relative_to(within[0]) and parent != within[0]:
                command += ["--perms", "0755", "--dir", str(parent)]
        if within:
            command += ["--bind" if path == folder else "--ro-bind", str(path), str(path)]
    return command


def closed_ancestor(path: Path) -> Path | None:
    """The outermost folder on the way to `path` that others may not enter."""
    for parent in reversed(path.parents):
        if not parent.stat().st_mode & 0o001:
            return parent
    return None
