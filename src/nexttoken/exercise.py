"""`@exercise`, and who answers a call: the reader's function or the reference.

Each call is answered, by name and at the time of the call, in one of four ways:

- *yours*: the reader's function; where it is unfinished, `NotDoneYet` says where it is (the default).
- *stand-in*: the reader's where it is finished, else the reference (`with stand_in():`).
- *grading a chapter*: that chapter is the reader's, all others are the reference, so that
  a wrong chapter 3 never fails chapter 4 (`grade_chapter("attention")`).
- *reference*: `NEXTTOKEN_REFERENCE=1`, which the book's build and the tests set.
"""

import functools
import importlib.util
import inspect
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any, TextIO, TypeVar, cast

from nexttoken import course
from nexttoken.requirements import Requirement

F = TypeVar("F", bound=Callable[..., Any])

EXERCISES: dict[str, Callable[..., Any]] = {}  # "attention.causal_mask" -> the reader's function


@dataclass
class _Rules:
    """Who answers. One set of rules a process, changed by the functions below."""

    graded_chapter: str | None = None
    standing_in: bool = False
    aside: TextIO | None = None  # where the answers' own printing goes, if not where all goes
    instead: dict[str, Callable[..., Any]] = field(default_factory=dict)  # stronger than all else
    settled: dict[str, Callable[..., Any]] | None = None  # decided once, for many calls


_rules = _Rules()
_solutions: dict[str, tuple[int, ModuleType]] = {}  # chapter -> (time of the file, module)


class NotDoneYet(NotImplementedError):
    """The exercise's body is still `raise NotImplementedError`."""


class NoReference(LookupError):
    """A reference was asked for, and this copy of the course has none."""


def exercise(
    *, points: int, minutes: int, requires: Mapping[str, Requirement | tuple[Requirement, ...]] | None = None
) -> Callable[[F], F]:
    """Mark a function that the reader completes.

    `points` and `minutes` are read from the file by `course.exercises`. `requires` says what
    each argument must be; a call that breaks it raises ValueError before any body runs.
    """

    def register(stub: F) -> F:
        name = f"{stub.__module__.rpartition('.')[2]}.{stub.__qualname__}"
        EXERCISES[name] = stub
        signature = inspect.signature(stub)

        @functools.wraps(stub)
        def run(*args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            if _rules.settled is not None and name in _rules.settled:
                return _rules.settled[name](*args, **kwargs)
            body = who_answers(name)
            if requires:
                _check(requires, signature, name, args, kwargs)
            if _rules.aside is None:
                return body(*args, **kwargs)
            with redirect_stdout(_rules.aside), redirect_stderr(_rules.aside):
                return body(*args, **kwargs)

        return cast(F, run)

    return register


def _check(
    requires: Mapping[str, Requirement | tuple[Requirement, ...]],
    signature: inspect.Signature,
    name: str,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> None:
    __tracebackhide__ = True
    bound = signature.bind(*args, **kwargs)
    bound.apply_defaults()
    for argument, requirements in requires.items():
        for requirement in requirements if isinstance(requirements, tuple) else (requirements,):
            if problem := requirement(bound.arguments[argument], bound.arguments):
                raise ValueError(f"{name.partition('.')[2]}: {argument} {problem}")


def who_answers(name: str) -> Callable[..., Any]:
    """The function that answers a call of the exercise `name` now.

    Raises
    ------
    NotDoneYet
        If that is the reader's, and it is unfinished.
    """
    __tracebackhide__ = True
    if name in _rules.instead:
        return _rules.instead[name]
    if os.environ.get("NEXTTOKEN_REFERENCE") == "1":
        return reference(name)
    if _rules.graded_chapter not in (None, name.partition(".")[0]) and has_reference(name):
        return reference(name)
    if not is_done(name):
        if _rules.standing_in and has_reference(name):
            return reference(name)
        raise NotDoneYet(not_done_message(name))
    return EXERCISES[name]


def not_done_message(name: str) -> str:
    """What a reader is told who calls an exercise that is still a stub."""
    chapter = name.partition(".")[0]
    return (
        f"{name} is not done yet: {course.exercise_named(name).where}. "
        f"Notebook: exercises/{chapter}.ipynb. A hint: nexttoken hint {name}"
    )


def is_done(name: str) -> bool:
    """True once the body is more than `raise NotImplementedError`."""
    # jaxtyping's import hook wraps the stub, and a wrapper is never a stub.
    names: tuple[str, ...] = inspect.unwrap(EXERCISES[name]).__code__.co_names
    return names != ("NotImplementedError",)


def reference(name: str) -> Callable[..., Any]:
    """The function of the same name in `solutions/`, loaded by its path.

    Raises
    ------
    NoReference
        If this copy of the course comes without solutions.
    """
    chapter, _, function = name.partition(".")
    file = course.solution_file(chapter)
    if not file.is_file():
        raise NoReference(
            f"{name}: this copy of the course has no solutions/{chapter}.py, so no reference can answer. "
            "What needs it (building the book, the tests) needs the full repository."
        )
    changed = file.stat().st_mtime_ns
    if chapter not in _solutions or _solutions[chapter][0] != changed:
        _solutions[chapter] = changed, load_file(file, f"nexttoken_solutions.{chapter}")
    return cast(Callable[..., Any], getattr(_solutions[chapter][1], function))


def load_file(file: os.PathLike[str], name: str) -> ModuleType:
    """The module in `file`, run afresh, under a name that cannot collide."""
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where torch's compiler looks for it
    spec.loader.exec_module(module)
    return module


def has_reference(name: str) -> bool:
    """Whether this copy of the course has the reference of this exercise."""
    return course.solution_file(name.partition(".")[0]).is_file()


def grade_chapter(chapter: str) -> None:
    """From now on `chapter` is answered by the reader, every other chapter by the reference.

    Without `solutions/` the other chapters are the reader's too.
    """
    _rules.graded_chapter = chapter


def let_reference_stand_in() -> None:
    """From now on the reference answers for what the reader has not finished."""
    _rules.standing_in = True


def print_aside(stream: TextIO) -> None:
    """From now on, what an answer itself prints goes to `stream`.

    A grader compares all that a cell prints; what an answer prints, a warning or a forgotten
    print(), is not part of it.
    """
    _rules.aside = stream


def answer_with(functions: Mapping[str, Callable[..., Any]]) -> None:
    """From now on these functions answer, whatever else holds: `{"attention.softmax": my_softmax}`."""
    _rules.instead = {**_rules.instead, **functions}
    if _rules.settled is not None:
        _rules.settled = {**_rules.settled, **functions}


@contextmanager
def rules_restored() -> Iterator[None]:
    """Who answers may be changed inside; afterwards all is as it was."""
    before = replace(_rules)
    try:
        yield
    finally:
        vars(_rules).update(vars(before))


@contextmanager
def stand_in() -> Iterator[None]:
    """Inside, the reference answers for what the reader has not finished."""
    with rules_restored():
        let_reference_stand_in()
        yield


@contextmanager
def settled() -> Iterator[None]:
    """Inside, who answers is decided once for all calls, and arguments are not checked.

    For a training run, which calls the same functions a million times. A file that is saved meanwhile
    is not looked at, and torch can compile what is called.
    """
    with rules_restored():
        if _rules.aside is None:  # else every call has to watch what is printed
            _rules.settled = {name: _answer_or_refusal(name) for name in EXERCISES}
        yield


def _answer_or_refusal(name: str) -> Callable[..., Any]:
    try:
        return who_answers(name)
    except (NotDoneYet, NoReference) as problem:
        refusal = problem

    def refuse(*_: Any, **__: Any) -> Any:
        raise refusal

    return refuse


def unfinished(chapter: str) -> list[str]:
    """The exercises of `chapter` that the reader has not finished."""
    return [name for name in EXERCISES if name.startswith(f"{chapter}.") and not is_done(name)]
