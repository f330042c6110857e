"""The first cell of every notebook: edits are seen at once, and it is said who answers."""

import importlib
import os
import sys
from io import StringIO

import torch

from nexttoken import course
from nexttoken import exercise as exercises


def open_page(chapter: str) -> None:
    """Begin a page of the book: your functions where finished, the references elsewhere."""
    _prepare()
    exercises.let_reference_stand_in()
    print(_who_answers(chapter, "this page"))


def open_exercises(chapter: str) -> None:
    """Begin a graded notebook: this chapter is answered by you, all other chapters by the references."""
    _prepare()
    exercises.grade_chapter(chapter)
    torch.set_default_dtype(torch.float64)  # so that all right answers print the same digits
    if "PYTEST_VERSION" in os.environ:  # nbval compares all that is printed
        exercises.print_aside(StringIO())
    print(_who_answers(chapter, "the cells under `with stand_in():`"))


def _who_answers(chapter: str, where: str) -> str:
    if os.environ.get("NEXTTOKEN_REFERENCE") == "1":
        return f"Every exercise of {chapter} is answered by the reference in solutions/."
    importlib.import_module(f"nexttoken.{chapter}")
    missing = exercises.unfinished(chapter)
    done = len(course.exercises(chapter)) - len(missing)
    counted = f"{chapter}: {done} of {done + len(missing)} exercises are yours."
    if not missing:
        return counted
    functions = ", ".join(name.partition(".")[2] for name in missing)
    if not course.has_solutions():
        return f"{counted} Not done yet: {functions}."
    return f"{counted} In {where} the reference stands in for: {functions}."


def _prepare() -> None:
    """One thread, and every cell sees the files as they were last saved (IPython's autoreload)."""
    torch.set_num_threads(1)  # for tensors as small as ours, a second one costs more than it does
    if (
        "NEXTTOKEN_BOX" in os.environ
    ):  # where a class is graded nobody edits, and looking takes most of the time
        return
    ipython = sys.modules.get("IPython")  # outside of Jupyter it is not worth its import
    if ipython is not None and (shell := ipython.get_ipython()) is not None:
        shell.run_line_magic("load_ext", "autoreload")
        shell.run_line_magic("autoreload", "2")
