"""What right answers print, and what known mistakes print, for a secret seed.

The published notebooks show what they expect, so that an answer could simply print it. For a class
their seed is replaced by one that nobody knows, and all that is expected is computed anew.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from nexttoken import course
from nexttoken.grading import notebook

# Right answers differ by rounding, by 1e-15 or so. `show` rounds to ten digits and then to four, which
# hides that, unless a value lies right between two printed ones, though not so near that the first
# rounding puts it there. Both bounds are in units of the last printed place.
_TIE, _TOO_NEAR = 1e-7, 2e-6
_TRIES = 200
_SEED = re.compile(r"^SEED = \d+", re.MULTILINE)

# Run after each exercise: if this prints something else, the answer has changed what all share
# (print, show, torch's defaults), and the next exercise gets a fresh kernel.
CANARY = """draw = Inputs(7)
x, matrix = draw.normal(2, 3), draw.normal(3, 3, scale=0.5)
print("a canary", len(str(x)), sum(range(5)), repr(torch.get_default_dtype()))
show([x @ matrix, x.exp(), x.softmax(dim=-1), torch.ones(2), torch.arange(3), draw.ids(4, below=9)], "sings")
show(torch.allclose(x, x + 1) or torch.equal(x, x + 1) or bool((x == x + 1).any()))
habits(lambda x: (x.tanh() ** 2).sum(dim=-1).sqrt(), x, batched=1)
"""

_CANARY_NEEDS = (
    "\nimport torch\nfrom nexttoken.lab.inputs import Inputs\nfrom nexttoken.lab.show import habits, show\n"
)

Printed = tuple[str, str]  # what a cell printed, and the name of the error that it raised


class NoSeed(RuntimeError):
    """No seed gives a notebook that can be graded."""


@dataclass(frozen=True)
class Mistake:
    """A known wrong answer, and what each graded cell of its exercise prints with it."""

    exercise: str
    sentence: str
    printed: tuple[Printed, ...]


@dataclass(frozen=True)
class Key:
    """What is expected of a chapter. Nothing of it may come near a student's code but the cells' sources."""

    chapter: str
    notebook: str  # the setup and the graded cells, with what is expected as their outputs
    mistakes: tuple[Mistake, ...]

    @property
    def fingerprint(self) -> str:
        """Changes whenever anything that is expected does."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    def cells(self) -> list[dict[str, Any]]:
        """The graded cells, in their order."""
        found: list[dict[str, Any]] = json.loads(self.notebook)["cells"]
        return found[1:]


def keys_for(chapters: list[str], secret: str) -> dict[str, Key]:
    """The keys of some chapters, made in a process of its own in which the references answer.

    Raises
    ------
    NoSeed
        If there is none for one of the chapters.
    """
    done = subprocess.run(
        [sys.executable, "-m", "nexttoken.classroom.answer_key", *chapters],
        input=secret,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ
        | {"NEXTTOKEN_REFERENCE": "1", "OMP_NUM_THREADS": "1", "NEXTTOKEN_ROOT": str(course.root())},
    )
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise NoSeed(f"the expected values could not be computed: {said[-1] if said else 'no word why'}")
    return {values["chapter"]: key_from(values) for values in json.loads(done.stdout)}


def key_from(values: dict[str, Any]) -> Key:
    """The key that `asdict` and JSON have made plain."""
    mistakes = tuple(
        Mistake(m["exercise"], m["sentence"], tuple((text, error) for text, error in m["printed"]))
        for m in values["mistakes"]
    )
    return Key(values["chapter"], values["notebook"], mistakes)


def make_key(chapter: str, secret: str) -> Key:
    """The key of a chapter. In this process the references must answer.

    A seed is refused with which a value lies too near to the point where it would be printed
    otherwise, or a known mistake goes through.
    """
    # Here, because whoever only reads keys can do without torch.
    from nexttoken.grading.judge import import_chapter, misconceptions, sentence
    from nexttoken.lab import show

    import_chapter(chapter)
    book = notebook.read(chapter)
    if len(_SEED.findall(book.setup)) != 1:
        raise NoSeed(f"exercises/{chapter}.ipynb: the setup must say SEED = ... once")
    for attempt in range(_TRIES):
        seed = int.from_bytes(hashlib.sha256(f"{secret}/{chapter}/{attempt}".encode()).digest()[:4])
        setup = _SEED.sub(f"SEED = {seed}", book.setup)
        values: list[float] = []
        with _watched(show, values):
            expected = [_printed(setup, cell.source) for cell in book.cells]
        canary = _printed(setup + _CANARY_NEEDS, CANARY)
        if any(error for _, error in expected):
            raise NoSeed(f"exercises/{chapter}.ipynb: a reference fails: {next(e for _, e in expected if e)}")
        if any(map(_is_near_a_tie, values)):
            continue
        mistakes = []
        for found in course.exercises(chapter):
            cells = book.cells_of(found.name)
            for wrong in misconceptions(found.name):
                printed = tuple(_printed(setup, cell.source, {found.name: wrong}) for cell in cells)
                mistakes.append(Mistake(found.name, sentence(wrong), printed))
        right = {
            name: tuple(e for cell, e in zip(book.cells, expected, strict=True) if cell.exercise == name)
            for name in {cell.exercise for cell in book.cells}
        }
        if any(mistake.printed == right[mistake.exercise] for mistake in mistakes):
            continue
        texts = [text for text, _ in expected]
        return Key(chapter, _as_notebook(setup + _CANARY_NEEDS, book, texts, canary[0]), tuple(mistakes))
    raise NoSeed(f"exercises/{chapter}.ipynb: none of {_TRIES} seeds will do")


def _printed(setup: str, source: str, instead: dict[str, Callable[..., Any]] | None = None) -> Printed:
    from nexttoken import exercise
    from nexttoken.grading.judge import run_cell

    with exercise.rules_restored():
        exercise.answer_with(instead or {})
        text, error = run_cell(setup, source)
    return text, type(error).__name__ if error else ""


@contextmanager
def _watched(show: Any, values: list[float]) -> Iterator[None]:
    """Inside, every number that is printed is also written down."""
    as_before = show._number

    def number(value: Any) -> str:
        if isinstance(value, float):
            values.append(value)
        return str(as_before(value))

    show._number = number
    try:
        yield
    finally:
        show._number = as_before


def _is_near_a_tie(value: float) -> bool:
    if not abs(value) < 1e8:  # infinite, not a number, or so large that the digits printed are all it has
        return False
    distance = abs(value * 10_000 % 1 - 0.5)
    return _TIE < distance < _TOO_NEAR


def _as_notebook(setup: str, book: notebook.Notebook, expected: list[str], canary: str) -> str:
    import nbformat  # slow to import, and whoever only reads keys can do without
    from nbformat.v4 import new_code_cell, new_notebook, new_output

    made = new_notebook(metadata={"nexttoken": {"canary": CANARY, "sings": canary}})
    made.cells.append(
        new_code_cell(
            setup, id="setup", metadata={"tags": ["setup", "nbval-ignore-output"]}, execution_count=1
        )
    )
    for number, (cell, text) in enumerate(zip(book.cells, expected, strict=True), start=1):
        output = new_output("stream", name="stdout", text=text)
        made.cells.append(
            new_code_cell(
                cell.source,
                id=f"cell-{number}",
                metadata={"nexttoken": {"exercise": cell.exercise}},
                execution_count=number + 1,
                outputs=[output],
            )
        )
    return str(nbformat.writes(made))


def main() -> None:
    """Write the keys of the chapters named, as JSON; the secret is read from standard input."""
    secret = sys.stdin.read()
    print(json.dumps([asdict(make_key(chapter, secret)) for chapter in sys.argv[1:]]))


if __name__ == "__main__":
    main()
