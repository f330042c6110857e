"""Copies of the course in temporary folders, with answers put in, and the course's commands run there."""

import inspect
import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree import ElementTree

import pytest

from nexttoken import course
from nexttoken.grading.judge import misconceptions

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("pyproject.toml", "src", "solutions", "exercises")
CHAPTER = "autoregression"
TABLE_OF_CONTENTS = """format: jb-book
root: book/intro
parts:
  - chapters:
      - file: exercises/{chapter}
"""
NAMES = [found.name for found in course.exercises(CHAPTER)]


@dataclass
class Tree:
    """A copy of the course."""

    folder: Path

    def source(self, chapter=CHAPTER):
        return self.folder / "src" / "nexttoken" / f"{chapter}.py"

    def notebook(self, chapter=CHAPTER):
        return self.folder / "exercises" / f"{chapter}.ipynb"

    def without_ungraded_cells(self, chapter=CHAPTER):
        """Leave out `check` and what stands in: nbval compares neither, and a run takes half the time."""
        book = json.loads(self.notebook(chapter).read_text(encoding="utf-8"))
        ungraded = {"check", "stand-in"}
        book["cells"] = [c for c in book["cells"] if not ungraded & set(c["metadata"].get("tags", []))]
        self.notebook(chapter).write_text(json.dumps(book), encoding="utf-8")
        return self

    def answer(self, bodies):
        """Put bodies into exercises: `{"perplexity": "return 3", "attention.softmax": None}`."""
        for name, body in bodies.items():
            chapter, _, function = name.rpartition(".")
            file = self.source(chapter or CHAPTER)
            text = course.replace_body(file.read_text(encoding="utf-8"), function, body)
            file.write_text(text, encoding="utf-8")
        return self

    def solve(self, *names):
        """Put in the references of these exercises, or of all."""
        return self.answer({name: reference_body(name) for name in names or NAMES})

    def edit(self, old, new):
        """Replace the one place in the chapter's file where `old` stands."""
        text = self.source().read_text(encoding="utf-8")
        assert text.count(old) == 1, old
        self.source().write_text(text.replace(old, new), encoding="utf-8")

    @cached_property
    def environment(self):
        """This copy is the course that Python imports and that the commands work on."""
        inherited = {
            key: value for key, value in os.environ.items() if not key.startswith(("NEXTTOKEN", "PYTEST"))
        }
        return inherited | {
            "NEXTTOKEN_ROOT": str(self.folder),
            "PYTHONPATH": str(self.folder / "src"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "OMP_NUM_THREADS": "1",
        }

    def python(self, *arguments):
        """Run Python here; what it printed comes back as text."""
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def run(self, *arguments, text=""):
        """`nexttoken ARGUMENTS`, with `text` typed in, from a process that has imported torch already."""
        return _warm().run(self, ("nexttoken.cli", *arguments), text)

    def check(self, *arguments):
        """What `nexttoken check --json` finds, by exercise."""
        done = self.run("check", "--json", *arguments)
        assert done.returncode in (0, 1), done.stderr
        return {found["exercise"]: found for found in json.loads(done.stdout)["exercises"]}

    def nbval(self, chapter=CHAPTER):
        """Which exercises pass under a bare `pytest --nbval`: those with no failing graded cell."""
        report = self.folder / f"{chapter}.xml"
        options = ("-q", "--nbval", "-p", "no:cacheprovider", f"--junitxml={report}")
        done = _warm().run(self, ("pytest", *options, f"exercises/{chapter}.ipynb"))
        assert report.is_file(), done.stdout + done.stderr
        graded = exercises_of_cells(self.notebook(chapter))
        passed = dict.fromkeys(filter(None, graded.values()), True)
        cases = list(ElementTree.parse(report).iter("testcase"))
        assert len(cases) == len(graded), done.stdout + done.stderr
        for case in cases:
            name = graded[case.get("name")]
            if name and len(case):
                passed[name] = False
        return passed


def words(text):
    """The text without the places where its lines were broken."""
    return " ".join(text.split())


@contextmanager
def taken_for_the_course(tree):
    """Inside, this process works on the files of this copy; the modules it has imported stay as they are."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("NEXTTOKEN_ROOT", str(tree.folder))
        _forget_the_course()
        yield tree
    _forget_the_course()


def _forget_the_course():
    course.root.cache_clear()
    course.chapters.cache_clear()


def exercises_of_cells(notebook):
    """nbval's names of the code cells, `Cell 0` first, with the exercise that each one grades, if any."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    return {
        f"Cell {number}": cell["metadata"].get("nexttoken", {}).get("exercise")
        for number, cell in enumerate(code)
    }


class Warm:
    """Has modules run by a process that has paid for their imports: see `warm`."""

    def __init__(self):
        self._process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("warm.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )

    def run(self, tree, arguments, text=""):
        with TemporaryDirectory() as streams:
            code, out, err = (Path(streams, name) for name in ("code", "stdout", "stderr"))
            Path(streams, "stdin").write_text(text, encoding="utf-8")
            request = {
                "folder": str(tree.folder),
                "environment": tree.environment,
                "arguments": arguments,
                "streams": streams,
            }
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
            end = time.monotonic() + 200
            while not code.exists():
                assert self._process.poll() is None, "the warm process has ended"
                assert time.monotonic() < end, f"{arguments} goes on and on"
                time.sleep(0.01)
            return subprocess.CompletedProcess(
                arguments, int(code.read_text()), out.read_text("utf-8"), err.read_text("utf-8")
            )


@cache
def _warm():
    return Warm()


def copy_of_course(folder, *, chapter=CHAPTER, without=()):
    """A copy of the course in `folder`, as if this were its only chapter; its exercises are blank."""
    for part in PARTS:
        if part in without:
            continue
        source, target = ROOT / part, folder / part
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    (folder / "_toc.yml").write_text(TABLE_OF_CONTENTS.format(chapter=chapter), encoding="utf-8")
    # Blank even where the reader has solved this checkout.
    return Tree(folder).answer({found.name: None for found in course.exercises(chapter)})


def reference_body(name):
    """The lines of the reference, unindented."""
    chapter, _, function = name.partition(".")
    return course.body_of(course.solution_file(chapter).read_text(encoding="utf-8"), function)


def misconception_bodies(name):
    """The lines of every known wrong answer to an exercise, by the sentence that its author is told."""
    file = course.misconceptions_file(name.partition(".")[0]).read_text(encoding="utf-8")
    return {
        " ".join(inspect.getdoc(wrong).split()): course.body_of(file, wrong.__name__)
        for wrong in misconceptions(name)
    }
