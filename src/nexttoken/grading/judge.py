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
from nexttoken.grading.outcome import Call, Outcome, alike, copied, difference, outcome, raised
from nexttoken.grading.verdict import ONE_OF_SEVERAL, State, Verdict
from nexttoken.lab import show

OUTPUT_LIMIT = 20_000  # characters of printing that are read; the rest is dropped
_FIRST_LOOK = 8  # wrong calls, the smallest ones, one of which a mistake must explain to be looked at closely
SHOWN_LIMIT = 4_000  # characters of one value, or of one error, that are passed on
FRESH_SEED = 2  # no answer that knows the notebook's values passes with another seed
ALL_SEEDS = (None, FRESH_SEED, 3, 5)  # None: the notebook's own
REVIEWED = "<answer under review>"  # the file name of code that is in no file


class CappedText(StringIO):
    """Takes what is printed, up to a limit, so that a flood does not fill the memory."""

    def write(self, text: str) -> int:
        super().write(text[: OUTPUT_LIMIT - self.tell()])
        return len(text)


@dataclass(eq=False)  # one trial equals itself
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
    asking: bool = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.asking:  # an answer that calls itself
            return self.yours(*args, **kwargs)
        bound = self.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        # Copied now: the cell may go on and change what it asked about.
        call = Call({name: copied(value) for name, value in bound.arguments.items()})
        self.asking = True
        try:
            self.trials.append(_Trial(call, outcome(self.reference, call), outcome(self.yours, call)))
        finally:
            self.asking = False
        # The cell goes on with the right value, so that a later call is asked the right question.
        return self.reference(*args, **kwargs)


def judge(name: str) -> Verdict:
    """Judge the reader's function for the exercise `name` in this process.

    An endless loop stays endless here; `processes.judge_apart` puts a limit on it.
    """
    found = course.exercise_named(name)
    if (unreadable := course.syntax_error(found.chapter)) is not None:
        where = f"{found.file.relative_to(course.root()).as_posix()}, line {unreadable.lineno}"
        return Verdict.of(found, State.UNREADABLE, f"Python cannot read {where}: {unreadable.msg}")
    try:
        import_chapter(found.chapter)
    except (Exception, SystemExit) as error:  # not Ctrl-C, not a time limit
        return Verdict.of(found, State.UNREADABLE, f"importing it failed: {where_it_broke(error)}")
    if not exercises.is_done(name):
        return Verdict.of(found, State.NOT_DONE, exercises.not_done_message(name))
    with _global_state_restored():
        exercises.answer_with({name: exercises.EXERCISES[name]})  # whoever else answers the other calls
        return _judge_answer(found)


def judge_function(name: str, answer: Callable[..., Any]) -> Verdict:
    """Judge this function in the place of the reader's."""
    import_chapter(name.partition(".")[0])
    before = exercises.EXERCISES[name]
    answer.__signature__ = inspect.signature(before)  # type: ignore[attr-defined]
    exercises.EXERCISES[name] = answer
    try:
        return judge(name)
    finally:
        exercises.EXERCISES[name] = before


def _judge_answer(found: course.Exercise) -> Verdict:
    book = notebook.read(found.chapter)
    cells = book.cells_of(found.name)
    if not cells:
        raise ValueError(f"{course.notebook_file(found.chapter)} has no graded cell for {found.name}")
    said = CappedText()
    problem = None
    for cell in cells:
        printed, error = run_cell(book.setup, cell.source, said=said)
        if error is not None:
            problem = where_it_broke(error)
        elif printed != cell.expected:
            problem = problem or _first_differing_line(cell.expected, printed)
        if problem:
            break
    prints = _printable(said.getvalue())
    if not exercises.has_reference(found.name):
        state = State.WRONG if problem else State.RIGHT
        return Verdict.of(found, state, problem or "", printed=prints)
    if problem is None and all(_same(t) for t in _trials(found.name, book, cells, (FRESH_SEED,))):
        return Verdict.of(found, State.RIGHT, printed=prints)
    return _explain(found, book, cells, problem or "", prints)


def _explain(
    found: course.Exercise,
    book: notebook.Notebook,
    cells: list[notebook.GradedCell],
    problem: str,
    prints: str,
) -> Verdict:
    trials = _trials(found.name, book, cells, ALL_SEEDS)
    wrong = [(trial, why) for trial in trials if (why := difference(trial.expected, trial.got))]
    if not wrong:  # the cells printed something else, though every call gave the right outcome
        return Verdict.of(found, State.WRONG, problem, printed=prints)
    wrong.sort(key=lambda pair: pair[0].call.size)
    misconception, explained = _misconception(found, trials, [trial for trial, _ in wrong])
    trial, why = next(((t, w) for t, w in wrong if t in explained), wrong[0])
    if trial.got.error is not None:
        why = where_it_broke(trial.got.error)
    return Verdict.of(
        found,
        State.WRONG,
        _cut(why),
        call=_call_text(found, trial.call),
        got="" if trial.got.error else _described(trial.got.value),
        expected=_described(trial.expected.value),
        misconception=misconception,
        printed=prints,
    )


def _trials(
    name: str, book: notebook.Notebook, cells: list[notebook.GradedCell], seeds: tuple[int | None, ...]
) -> list[_Trial]:
    stub = exercises.EXERCISES[name]
    witness = _Witness(stub, exercises.reference(name), inspect.signature(inspect.unwrap(stub)))
    with exercises.rules_restored():
        exercises.answer_with({name: witness})
        for seed in seeds:
            for cell in cells:
                run_cell(book.setup, cell.source, seed=seed)
    return witness.trials


def _same(trial: _Trial) -> bool:
    return difference(trial.expected, trial.got) is None


def _misconception(
    found: course.Exercise, trials: list[_Trial], wrong: list[_Trial]
) -> tuple[str, list[_Trial]]:
    """The sentence of the known mistake that the reader made, and the wrong calls that it explains.

    A mistake that does what the reader's function does, in every call, is the reader's. Of an answer
    with two mistakes each explains a part: then it is the one that explains the largest share of the
    calls in which the reader or it is wrong, if that is at least half of them.
    """
    best, share = ("", wrong[:0]), 0.0
    for wrong_answer in misconceptions(found.name):
        if not any(alike(outcome(wrong_answer, t.call), t.got) for t in wrong[:_FIRST_LOOK]):
            continue  # most are ruled out by the first calls
        outcomes = [outcome(wrong_answer, t.call) for t in trials]
        either = sum(
            t in wrong or bool(difference(t.expected, o)) for t, o in zip(trials, outcomes, strict=True)
        )
        same = [t for t, o in zip(trials, outcomes, strict=True) if t in wrong and alike(o, t.got)]
        if len(same) > share * either:
            share = len(same) / either
            best = ("" if share == 1 else ONE_OF_SEVERAL) + sentence(wrong_answer), same
    return best if share >= 0.5 else ("", [])


def misconceptions(name: str) -> list[Callable[..., Any]]:
    """The shipped wrong answers for an exercise: `<function>__<mistake>` in solutions/misconceptions/."""
    chapter, _, function = name.partition(".")
    file = course.misconceptions_file(chapter)
    if not file.is_file():
        return []
    module = exercises.load_file(file, f"nexttoken_misconceptions.{chapter}")
    return [value for key, value in vars(module).items() if key.startswith(f"{function}__")]


def sentence(misconception: Callable[..., Any]) -> str:
    """What the author of this wrong answer is told: its docstring on one line."""
    return " ".join((misconception.__doc__ or "").split())


def run_cell(
    setup: str, source: str, *, seed: int | None = None, said: StringIO | None = None
) -> tuple[str, BaseException | None]:
    """Run a graded cell after the setup; what it printed, and what it raised."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    printed = CappedText()
    silent = said if said is not None else CappedText()
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
    changed = course.source_file(chapter).stat().st_mtime_ns
    module = sys.modules.get(name)
    if module is not None and getattr(module, "_read_at", None) == changed:
        return module
    module = importlib.import_module(name) if module is None else importlib.reload(module)
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


def where_it_broke(error: BaseException) -> str:
    """The error, and the last line of the answer, or of the course's own folder, on the way to it."""
    what = _cut(raised(error))
    folder = course.root() / "src" / "nexttoken"
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename == REVIEWED:
            return f"{what}\n  line {frame.lineno}: {_cut(frame.line or '')}"
        if frame.filename.startswith(str(folder)) and "grading" not in frame.filename:
            name = Path(frame.filename).relative_to(course.root()).as_posix()
            if not name.endswith(("exercise.py", "requirements.py")):
                return f"{what}\n  {name}, line {frame.lineno}: {frame.line}"
    return what


def _first_differing_line(expected: str, printed: str) -> str:
    for number, (right, yours) in enumerate(zip(expected.splitlines(), printed.splitlines(), strict=False)):
        if right != yours:
            return f"line {number + 1} of the cell's output is\n  {_cut(yours)}\nexpected\n  {right}"
    return f"{len(printed.splitlines())} lines were printed, {len(expected.splitlines())} expected"


def _described(value: Any) -> str:
    """What `show` prints, of whatever an answer may return."""
    try:
        return _cut(show.described(value))
    except Exception:  # a sparse tensor, one without values, a list in itself
        return f"a {type(value).__name__} that cannot be shown"


def _cut(text: str) -> str:
    rest = len(text) - SHOWN_LIMIT
    end = f"\n... and {rest:,} characters more" if rest > 0 else ""
    return _printable(text[:SHOWN_LIMIT]) + end


def _printable(text: str) -> str:
    """Without what would move the cursor, change the colours, or cannot be written at all."""
    return "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in text)


def _call_text(found: course.Exercise, call: Call) -> str:
    parts = []
    for name, value in call.arguments.items():
        text = f"{value.__name__} (see the cell)" if inspect.isfunction(value) else _described(value)
        parts.append(f"{name} = {text}")
    return f"{found.function}(\n" + "\n".join("  " + p.replace("\n", "\n  ") for p in parts) + "\n)"
