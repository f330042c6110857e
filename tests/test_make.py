"""`make` says what is missing, before it downloads anything."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest


@pytest.fixture
def course_without_environment(root: Path, tmp_path: Path) -> Path:
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(root / name, tmp_path)
    return tmp_path


def make(folder: Path, *arguments: str) -> tuple[int, str]:
    done = subprocess.run(["make", *arguments], cwd=folder, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


def python_that(folder: Path, fails_at: str) -> str:
    """A program that is Python 3.9.1 by name, and fails when it is asked to run code with this text."""
    file = folder / "old-python"
    file.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && { echo "Python 3.9.1"; exit 0; }\n'
        f'case "$*" in *{fails_at}*) exit 1;; esac\n'
    )
    file.chmod(0o755)
    return f"PYTHON={file}"


def test_an_old_python_is_named(course_without_environment: Path) -> None:
    code, said = make(
        course_without_environment, "book", python_that(course_without_environment, "version_info")
    )
    assert code == 2
    assert "Python 3.11 or newer is needed" in said
    assert "Python 3.9.1" in said


def test_a_python_that_is_not_there_is_said(course_without_environment: Path) -> None:
    code, said = make(course_without_environment, "learn", "PYTHON=no-such-python")
    assert code == 2
    assert "no-such-python is not installed" in said


def test_a_python_without_pip_is_said(course_without_environment: Path) -> None:
    code, said = make(
        course_without_environment, "test", python_that(course_without_environment, "ensurepip")
    )
    assert code == 2
    assert "without pip" in said


def test_windows_is_sent_to_wsl(course_without_environment: Path) -> None:
    code, said = make(course_without_environment, "learn", "OS=Windows_NT")
    assert code == 2
    assert "WSL" in said


@pytest.mark.parametrize("target", ["book", "test"])
def test_a_hand_out_without_solutions_says_what_needs_them(
    course_without_environment: Path, target: str
) -> None:
    (course_without_environment / ".venv").mkdir()
    later = time.time() + 60
    for stamp in (".venv", ".learn"):
        file = course_without_environment / ".venv" / stamp
        file.touch()
        os.utime(file, (later, later))
    code, said = make(course_without_environment, target)
    assert code == 2
    assert "needs the full repository" in said


def test_serve_without_a_site_says_how_to_get_one(course_without_environment: Path) -> None:
    code, said = make(course_without_environment, "serve")
    assert code == 2
    assert "make book" in said


def test_help_lists_every_target_that_has_words(root: Path) -> None:
    code, said = make(root, "help")
    assert code == 0
    for target in (
        "learn",
        "lab",
        "applications",
        "book",
        "serve",
        "test",
        "exercises",
        "mutants",
        "new-exercise",
    ):
        assert f"\n{target}" in f"\n{said}"
