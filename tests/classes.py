"""Classes to be graded: folders of submissions, and the command that grades them."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from trees import ROOT, reference_body

from nexttoken import course
from nexttoken.classroom.records import file_name, read_table

CHAPTER = "attention"


def answers(chapter=CHAPTER, bodies=None, top=""):
    """The text of a chapter's file: the references' bodies, or those given; None leaves a stub."""
    text = course.source_file(chapter).read_text(encoding="utf-8")
    for found in course.exercises(chapter):
        body = (bodies or {}).get(found.function, reference_body(found.name))
        text = course.replace_body(text, found.function, body)
    return text.replace("import torch\n", f"import torch\n{top}\n", 1) if top else text


@dataclass
class Classroom:
    """A folder with a class's submissions, graded or to be graded."""

    folder: Path

    @property
    def submissions(self):
        return self.folder / "submissions"

    @property
    def out(self):
        return self.folder / "grades"

    def hand_in(self, student, text=None, chapter=CHAPTER):
        """A student's submission, as a copy of the course would have it."""
        file = self.submissions / student / "src" / "nexttoken" / f"{chapter}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(answers(chapter) if text is None else text, encoding="utf-8")
        return file

    def command(self, *options, chapters=CHAPTER):
        places = (str(self.submissions), "--out", str(self.out), "--chapters", chapters)
        return [sys.executable, "-m", "nexttoken.cli", "grade", *places, *map(str, options)]

    def grade(self, *options, chapters=CHAPTER, check=True, scratch=None):
        """`nexttoken grade`, to the end; what it needs meanwhile lies in `scratch`."""
        done = subprocess.run(
            self.command(*options, chapters=chapters),
            cwd=self.folder,
            env=environment() | ({"TMPDIR": str(scratch)} if scratch else {}),
            capture_output=True,
            text=True,
            timeout=250,
            check=False,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def grades(self):
        """The rows of grades.csv by id."""
        return {row["id"]: row for row in read_table(self.out / "grades.csv")}

    def verdicts(self, student, chapter=CHAPTER):
        """What was found out about a student's answers, by function."""
        file = self.out / "kept" / "results" / file_name(student) / f"{chapter}.json"
        found = json.loads(file.read_text(encoding="utf-8"))["verdicts"]
        return {verdict["exercise"].partition(".")[2]: verdict for verdict in found}

    def page(self, student):
        return (self.out / "students" / file_name(student) / "feedback.html").read_text(encoding="utf-8")


def environment():
    """A teacher's: nothing of pytest's, and this checkout of the course."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("NEXTTOKEN", "PYTEST"))}
    return inherited | {"PYTHONPATH": str(ROOT / "src"), "NEXTTOKEN_ROOT": str(ROOT), "COLUMNS": "200"}
