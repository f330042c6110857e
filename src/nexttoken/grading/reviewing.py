"""Judge code that somebody else wrote, an assistant for example, by the checks of this course.

The text of one function is run in a process of its own, with a time limit, in the place of the reader's
function, whose file stays as it is. Whatever the text does, a verdict comes back.

It is run with your rights, on your machine, and in no sandbox: read what you paste.
"""

import ast
import dataclasses
import linecache
import re
import sys
import textwrap
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from types import FunctionType, ModuleType
from typing import Any

from nexttoken import course
from nexttoken import exercise as exercises
from nexttoken.grading.in_notebook import show_verdict
from nexttoken.grading.judge import REVIEWED, CappedText, import_chapter, judge_function, where_it_broke
from nexttoken.grading.processes import judge_apart
from nexttoken.grading.verdict import State, Verdict

PAGE_WIDTH = 76  # columns that a page of the book shows beside its menus
_FENCED = re.compile(r"^[ \t]*```[^\n]*\n(.*?)(?:^[ \t]*```|\Z)", re.DOTALL | re.MULTILINE)


class _Unusable(Exception):
    """The text gives no function that could be judged; the message says why."""


def review(name: str, code: str, time_limit: float = course.TIME_LIMIT) -> Verdict:
    """The verdict on `code` as an answer to the exercise `name`.

    The code may import what it likes, and knows what the chapter's file knows. If it is a whole message
    with ``` around its code, that is what is judged.

    Raises
    ------
    UnknownName
        If there is no such exercise.
    """
    found = course.exercise_named(name)
    (verdict,) = judge_apart([found], time_limit, lambda _: _judged(found, code))
    return dataclasses.replace(verdict, where="the answer under review")


def show_review(name: str, code: str, time_limit: float = course.TIME_LIMIT) -> None:
    """In a notebook: the verdict on `code`, and which misconception it holds."""
    show_verdict(review(name, code, time_limit), PAGE_WIDTH)


def _function_in(message: str, function: str) -> str:
    """The code of a message: what stands between ```, unless the whole is code."""
    blocks = [textwrap.dedent(block) for block in _FENCED.findall(message)]
    if not blocks or _is_python(message):  # code whose docstring holds an example is still code
        return textwrap.dedent(message)
    return next((block for block in blocks if f"def {function}(" in block), "\n".join(blocks))


def _is_python(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError):
        return False
    return True


def _judged(found: course.Exercise, message: str) -> Verdict:
    try:
        with exercises.rules_restored():
            # A mistake elsewhere, or an exercise that is not done yet, is none of this answer's.
            exercises.let_reference_stand_in()
            module = import_chapter(found.chapter)
            others = [e.name for e in course.exercises(found.chapter) if exercises.has_reference(e.name)]
            exercises.answer_with({other: exercises.reference(other) for other in others})
            source = _function_in(message, found.function)
            return judge_function(found.name, _written(found.function, source, module))
    except _Unusable as problem:
        return Verdict.of(found, State.UNREADABLE, str(problem))
    except Exception as error:  # code that has broken the checks themselves
        return Verdict.of(found, State.CRASHED, f"the checks came to no end: {type(error).__name__}")


def _written(function: str, source: str, chapter: ModuleType) -> Callable[..., Any]:
    """The function of that name that the text defines."""
    module = ModuleType("answer_under_review")
    vars(module).update({key: value for key, value in vars(chapter).items() if not key.startswith("__")})
    ready_made = vars(module).pop(function)
    sys.modules[module.__name__] = module
    linecache.cache[REVIEWED] = len(source), None, source.splitlines(keepends=True), REVIEWED
    said = CappedText()
    try:
        with redirect_stdout(said), redirect_stderr(said):
            exec(compile(source, REVIEWED, "exec"), vars(module))
    except SyntaxError as error:
        raise _Unusable(f"Python cannot read line {error.lineno or 1} of it: {error.msg}") from error
    except (Exception, SystemExit) as error:  # not Ctrl-C, not a time limit
        raise _Unusable(f"running it failed: {where_it_broke(error)}") from error
    written = vars(module).get(function)
    if not callable(written) or written is ready_made:
        raise _Unusable(f"it defines no function `{function}`{_but(module)}")
    if isinstance(written, FunctionType) and not hasattr(written, "__wrapped__"):
        return written
    return lambda *args, **kwargs: written(*args, **kwargs)


def _but(module: ModuleType) -> str:
    defined = [
        f"`{key}`"
        for key, value in vars(module).items()
        if isinstance(value, FunctionType) and value.__module__ == module.__name__
    ]
    return f", but {', '.join(defined[:5])}" if defined else ""
