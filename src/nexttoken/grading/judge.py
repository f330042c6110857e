"""Judge one exercise, here and now: the graded cells first, then why an answer is wrong.

The cells are the same, and so are the expected values, as those that nbval compares. With the
references at hand the cells are run again with other seeds, each call of the exercise is
answered by the reader's function, by the reference and, if these disagree, by every known
misconception: the one that agrees with the reader in every call is what the reader thought.
"""

import importlib
import inspect
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from nexttoken import course
from nexttoken import exercise as exercises
from nexttoken.grading import notebook
from nexttoken.grading.outcome import Call, Outcome, difference, outcome
from nexttoken.grading.verdict import State, Verdict
from nexttoken.lab import show

OUTPUT_LIMIT = 20_000  # characters of printing that are read; the rest is dropped
OTHER_SEEDS = (2, 3, 5)  # beside the notebook's own


class _CappedText(StringIO):
    """Takes what is printed, up to a limit, so that a flood does not fill the memory."""

    def write(self, text: str) -> int:
        super().write(text[: OUTPUT_LIMIT - self.tell()])
        return len(text)


@dataclass
class _Trial:
    """One call: what was asked, what the reference and the reader made of it."""

    call: Call
    expected: Outcome
    got: Outcome


@dataclass
class _Witness:
    """Stands in for the exercise, asks reader and reference, and writes down what they say."""

    yours: Callable[..., Any]
    reference: Callable[..., Any]
    signature: inspect.Signature
    trials: list[_Trial] = field(default_factory=list)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        bound = self.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        call = Call(dict(bound.arguments))
        self.trials.append(_Trial(call, outcome(self.reference, call), outcome(self.yours, call)))
        # The cell goes on with the right value, so that a later call is asked the right question.
        return self.reference(*args, **kwargs)


def judge(name: str, other_seeds: tuple[int, ...] = OTHER_SEEDS) -> Verdict:
    """Judge the reader's function for the exercise `name` in this process.

    An endless loop stays endless here; `processes.judge_apart` puts a limit on it.
    """
    found = course.exercise_named(name)
    if (unreadable := course.syntax_error(found.chapter)) is not None:
        where = f"{found.file.relative_to(course.root()).as_posix()}, line {unreadable.lineno}"
        return Verdict.of(found, State.UNREADABLE, f"Python cannot read {where}: {unreadable.msg}")
    try:
        import_chapter(found.chapter)
    except BaseException as error:  # whatever the reader's module does, sys.exit() among it
        return Verdict.of(found, State.UNREADABLE, f"importing it failed: {_where_it_broke(error)}")
    if not exercises.is_done(name):
        return Verdict.of(found, State.NOT_DONE, exercises.not_done_message(name))
    with _global_state_restored():
        return _judge_answer(found, other_seeds)


def _judge_answer(found: course.Exercise, other_seeds: tuple[int, ...]) -> Verdict:
    book = notebook.read(found.chapter)
    cells = book.cells_of(found.name)
    if not cells:
        raise ValueError(f"{course.notebook_file(found.chapter)} has no graded cell for {found.name}")
    said = _CappedText()
    problem = None
    for cell in cells:
        printed, error = _run(book.setup, cell.source, said=said)
        if error is not None:
            problem = _where_it_broke(error)
        elif printed != cell.expected:
            problem = problem or _first_differing_line(cell.expected, printed)
        if problem:
            break
    prints = said.getvalue()
    if not exercises.has_reference(found.name):
        state = State.WRONG if problem else State.RIGHT
        return Verdict.of(found, state, problem or "", printed=prints)
    return _explain(found, book, cells, problem, other_seeds, prints)


def _explain(
    found: course.Exercise,
    book: notebook.Notebook,
    cells: list[notebook.GradedCell],
    problem: str | None,
    other_seeds: tuple[int, ...],
    prints: str,
) -> Verdict:
    trials = _trials(found.name, book, cells, other_seeds)
    wrong = [(trial, why) for trial in trials if (why := difference(trial.expected, trial.got))]
    if not wrong:
        # The cells printed something else, though every call gave the right outcome.
        state = State.WRONG if problem else State.RIGHT
        return Verdict.of(found, state, problem or "", printed=prints)
    wrong.sort(key=lambda pair: pair[0].call.size)
    misconception, alike = _misconception(found, trials, [trial for trial, _ in wrong])
    trial, why = next(((t, w) for t, w in wrong if any(t is a for a in alike)), wrong[0])
    if trial.got.error is not None:
        why = _where_it_broke(trial.got.error)
    return Verdict.of(
        found,
        State.WRONG,
        why,
        call=_call_text(found, trial.call),
        got="" if trial.got.error else show.described(trial.got.value),
        expected=show.described(trial.expected.value),
        misconception=misconception,
        printed=prints,
    )


def _trials(
    name: str, book: notebook.Notebook, cells: list[notebook.GradedCell], other_seeds: tuple[int, ...]
) -> list[_Trial]:
    stub = exercises.EXERCISES[name]
    witness = _Witness(stub, exercises.reference(name), inspect.signature(inspect.unwrap(stub)))
    with exercises.rules_restored():
        exercises.answer_with({name: witness})
        for seed in (None, *other_seeds):
            for cell in cells:
                _run(book.setup, cell.source, seed=seed)
    return witness.trials


def _misconception(
    found: course.Exercise, trials: list[_Trial], wrong: list[_Trial]
) -> tuple[str, list[_Trial]]:
    """The sentence of the known mistake that the reader made, and the wrong calls that it explains.

    That is the one which gives what the reader's function gives in every call. Of an answer with
    two mistakes each explains a part; then it is the one that explains most, if that is at least half.
    """
    best: tuple[str, list[_Trial]] = ("", [])
    for wrong_answer in misconceptions(found.name):
        outcomes = [outcome(wrong_answer, t.call) for t in trials]
        alike = [t for t, o in zip(trials, outcomes, strict=True) if difference(o, t.got) is None]
        sentence = " ".join((wrong_answer.__doc__ or "").split())
        if len(alike) == len(trials):
            return sentence, wrong
        explained = [t for t in wrong if any(t is a for a in alike)]
        if len(explained) > len(best[1]):
            best = f"One mistake of several, perhaps: {sentence}", explained
    return best if 2 * len(best[1]) >= len(wrong) else ("", [])


def misconceptions(name: str) -> list[Callable[..., Any]]:
    """The shipped wrong answers for an exercise: `<function>__<mistake>` in solutions/misconceptions/."""
    chapter, _, function = name.partition(".")
    file = course.misconceptions_file(chapter)
    if not file.is_file():
        return []
    module = exercises.load_file(file, f"nexttoken_misconceptions.{chapter}")
    return [value for key, value in vars(module).items() if key.startswith(f"{function}__")]


def _run(
    setup: str, source: str, *, seed: int | None = None, said: StringIO | None = None
) -> tuple[str, BaseException | None]:
    """Run a graded cell after the setup; what it printed, and what it raised."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    printed = _CappedText()
    silent = said if said is not None else _CappedText()
    try:
        with redirect_stdout(StringIO()), redirect_stderr(silent):
            exec(compile(setup, "<setup>", "exec"), namespace)
        if seed is not None:
            namespace["SEED"] = seed
        exercises.print_aside(silent)
        with redirect_stdout(printed), redirect_stderr(silent):
            exec(compile(source, "<graded cell>", "exec"), namespace)
    except (Exception, SystemExit) as error:  # not Ctrl-C, not a time limit
        return printed.getvalue(), error
    return printed.getvalue(), None


def import_chapter(chapter: str) -> ModuleType:
    """The chapter's module as its file is now."""
    name = f"nexttoken.{chapter}"
    module = sys.modules.get(name)
    if module is None:
        return importlib.import_module(name)
    changed = course.source_file(chapter).stat().st_mtime_ns
    if getattr(module, "_read_at", None) != changed:
        module = importlib.reload(module)
        module._read_at = changed  # type: ignore[attr-defined]
    return module


@contextmanager
def _global_state_restored() -> Iterator[None]:
    """Graded cells set torch's default dtype and who answers; a notebook that asks keeps its own."""
    dtype = torch.get_default_dtype()
    try:
        with exercises.rules_restored():
            yield
    finally:
        torch.set_default_dtype(dtype)


def _where_it_broke(error: BaseException) -> str:
    """The error, and the last line of the course's own folder on the way to it."""
    what = f"{type(error).__name__}: {error}".strip().removesuffix(":")
    folder = course.root() / "src" / "nexttoken"
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename.startswith(str(folder)) and "grading" not in frame.filename:
            name = Path(frame.filename).relative_to(course.root()).as_posix()
            if not name.endswith(("exercise.py", "requirements.py")):
                return f"{what}\n  {name}, line {frame.lineno}: {frame.line}"
    return what


def _first_differing_line(expected: str, printed: str) -> str:
    for number, (right, yours) in enumerate(zip(expected.splitlines(), printed.splitlines(), strict=False)):
        if right != yours:
            return f"line {number + 1} of the cell's output is\n  {yours}\nexpected\n  {right}"
    return f"{len(printed.splitlines())} lines were printed, {len(expected.splitlines())} expected"


def _call_text(found: course.Exercise, call: Call) -> str:
    parts = []
    for name, value in call.arguments.items():
        text = getattr(value, "__name__", "a function") if callable(value) else show.described(value)
        parts.append(f"{name} = {text}")
    return f"{found.function}(\n" + "\n".join("  " + p.replace("\n", "\n  ") for p in parts) + "\n)"
