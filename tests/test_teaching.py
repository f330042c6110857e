"""The teacher's page, tried as written."""

import re
import shlex
import subprocess
import sys

import pytest
from classes import Classroom, answers, environment
from trees import ROOT, words

from nexttoken import course
from nexttoken.classroom.box import SCRATCH_MB
from nexttoken.classroom.keeper import Limits
from nexttoken.classroom.station import SETUP_SECONDS

PAGE = (ROOT / "book" / "teaching.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = [line for block in BLOCKS for line in block.splitlines() if line.startswith("nexttoken ")]


@pytest.mark.timeout(400)
def test_the_commands_do_what_the_page_says_one_after_the_other(need, tmp_path):
    need("bubblewrap")
    classroom = Classroom(tmp_path)
    for chapter in ("attention", "qkv"):
        classroom.hand_in("u1", answers(chapter), chapter=chapter)
        classroom.hand_in("John Roe", answers(chapter, {"softmax": "return scores"}), chapter=chapter)
    roster = re.search(r"^id,name,email\n(?:\w.+\n)+", PAGE, re.MULTILINE)[0]
    (tmp_path / "roster.csv").write_text(roster, encoding="utf-8")
    for command in COMMANDS:
        words = shlex.split(command)[1:]
        if words[0] == "assignment" and not (ROOT / "_build" / "html" / "index.html").is_file():
            words.append("--no-site")
        done = subprocess.run(
            [sys.executable, "-m", "nexttoken.cli", *words],
            cwd=tmp_path,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    assert (tmp_path / "hand-out.zip").is_file()
    assert {student: row["total"] for student, row in classroom.grades().items()} == {"u1": "31", "u2": "23"}
    for name in ("class.html", "grades.csv", "junit.xml", "changes.csv", "overrides.csv", "kept/secret"):
        assert (classroom.out / name).is_file(), name


def test_every_option_that_the_page_names_exists():
    for command in ("grade", "assignment"):
        said = subprocess.run(
            [sys.executable, "-m", "nexttoken.cli", command, "--help"],
            env=environment() | {"TERM": "dumb"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        lines = [line for line in PAGE.splitlines() if line.startswith(f"nexttoken {command}")]
        for option in set(re.findall(r"--[a-z-]+", "\n".join(lines))):
            assert option in said, option
    assert len(COMMANDS) >= 3


def test_the_limits_of_the_box_are_those_that_the_page_names():
    memory_gb = Limits().memory_mb / 1000
    said = (
        f"a /tmp of {SCRATCH_MB} MB of its own, {memory_gb:g} GB of memory in all, "
        f"{Limits().processes} processes or threads, ten seconds an exercise (`--time-limit`), "
        f"and {SETUP_SECONDS:g} seconds to import the file."
    )
    assert said in words(PAGE)
    assert course.TIME_LIMIT == 10
    assert f"takes more than {SETUP_SECONDS:g} seconds in all" in words(PAGE)
