"""Where the parts of the course lie, and which exercises it has.

Read from the files alone: nothing of a chapter is imported, so that a chapter
which cannot be imported is still listed, and a list costs no `import torch`.
"""

import ast
import difflib
import os
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

STUB = "raise NotImplementedError"
TIME_LIMIT = 10.0  # seconds that an exercise may take, unless somebody says otherwise

_HEADER = re.compile(r"^@exercise\((?P<settings>.*?)\)\s*^def (?P<function>\w+)\(", re.DOTALL | re.MULTILINE)


class UnknownName(LookupError):
    """A chapter or an exercise that the course does not have."""


@dataclass(frozen=True)
class Exercise:
    """One function that the reader completes."""

    name: str  # "attention.causal_mask"
    points: int
    minutes: int
    file: Path
    line: int  # of `def`

    @property
    def chapter(self) -> str:
        return self.name.partition(".")[0]

    @property
    def function(self) -> str:
        return self.name.partition(".")[2]

    @property
    def where(self) -> str:
        """The place to open: `src/nexttoken/attention.py, line 24`."""
        return f"{self.file.relative_to(root()).as_posix()}, line {self.line}"


@cache
def root() -> Path:
    """The course's folder: `$NEXTTOKEN_ROOT`, or the checkout this package is installed from.

    Raises
    ------
    FileNotFoundError
        If the package was installed without the course around it.
    """
    named = os.environ.get("NEXTTOKEN_ROOT")
    folder = Path(named).resolve() if named else Path(__file__).resolve().parents[2]
    if (folder / "_toc.yml").is_file() and (folder / "exercises").is_dir():
        return folder
    raise FileNotFoundError(
        f"{folder} does not hold the course (no _toc.yml, no exercises/). "
        "Install it from its own folder, `pip install -e .`, or set NEXTTOKEN_ROOT to that folder."
    )


def source_file(chapter: str) -> Path:
    """What the reader completes."""
    return root() / "src" / "nexttoken" / f"{chapter}.py"


def solution_file(chapter: str) -> Path:
    """The reference. A hand-out for a class may leave it out."""
    return root() / "solutions" / f"{chapter}.py"


def misconceptions_file(chapter: str) -> Path:
    """Plausible wrong answers, each with the sentence that explains it."""
    return root() / "solutions" / "misconceptions" / f"{chapter}.py"


def notebook_file(chapter: str) -> Path:
    """The graded notebook."""
    return root() / "exercises" / f"{chapter}.ipynb"


def has_solutions() -> bool:
    """Whether the references are here."""
    return (root() / "solutions").is_dir()


def kept_folder() -> Path:
    """Where the course keeps what is the reader's own: backups, hints seen."""
    return root() / ".nexttoken"


@cache
def chapters() -> tuple[str, ...]:
    """The written chapters in the order of `_toc.yml`."""
    return tuple(re.findall(r"file: exercises/(\w+)", (root() / "_toc.yml").read_text(encoding="utf-8")))


def exercises(chapter: str) -> list[Exercise]:
    """The exercises of a chapter, in the order of its file, which need not be valid Python."""
    file = source_file(chapter)
    text = file.read_text(encoding="utf-8", errors="replace")
    found = []
    for match in _HEADER.finditer(text):
        settings = dict(re.findall(r"(points|minutes)=(\d+)", match["settings"]))
        found.append(
            Exercise(
                name=f"{chapter}.{match['function']}",
                points=int(settings["points"]),
                minutes=int(settings["minutes"]),
                file=file,
                line=text.count("\n", 0, match.start("function")) + 1,
            )
        )
    return found


def all_exercises() -> list[Exercise]:
    """Every exercise of every written chapter, in the book's order."""
    return [exercise for chapter in chapters() for exercise in exercises(chapter)]


def exercise_named(name: str) -> Exercise:
    """The exercise `"chapter.function"`, or plain `"function"` where only one chapter has it.

    Raises
    ------
    UnknownName
        With the nearest names that exist.
    """
    known = all_exercises()
    found = [e for e in known if name in (e.name, e.function)]
    if len(found) == 1:
        return found[0]
    if found:
        raise UnknownName(f"{name!r} is in several chapters: {', '.join(e.name for e in found)}.")
    raise UnknownName(f"There is no exercise {name!r}. {_nearest(name, [e.name for e in known])}")


def selection(name: str | None) -> list[Exercise]:
    """The exercises meant by the name of a chapter, of an exercise, or by nothing (all of them).

    Raises
    ------
    UnknownName
        With the nearest names that exist.
    """
    if name is None:
        return all_exercises()
    if name in chapters():
        return exercises(name)
    try:
        return [exercise_named(name)]
    except UnknownName:
        known = [*chapters(), *(e.name for e in all_exercises())]
        raise UnknownName(f"There is no chapter or exercise {name!r}. {_nearest(name, known)}") from None


def _nearest(name: str, known: list[str]) -> str:
    by_last_word = {k.rpartition(".")[2]: k for k in known}
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5) + [
        by_last_word[word]
        for word in difflib.get_close_matches(name.rpartition(".")[2], by_last_word, n=3, cutoff=0.6)
    ]
    if near:
        return f"Did you mean {' or '.join(dict.fromkeys(near))}?"
    return f"The chapters are: {', '.join(chapters())}."


def syntax_error(chapter: str) -> SyntaxError | None:
    """What keeps Python from reading the chapter's file, if anything does."""
    file = source_file(chapter)
    try:
        compile(file.read_bytes(), str(file), "exec")
    except (SyntaxError, ValueError) as error:
        if isinstance(error, SyntaxError) and error.lineno is not None:
            return error
        return SyntaxError(str(error), (str(file), 1, 0, None))  # null bytes: Python says no line
    return None


def replace_body(source: str, function: str, body: str | None) -> str:
    """`source` with the body of `function` replaced: its signature and docstring stay.

    `body` is unindented code; None puts the stub back.

    Raises
    ------
    LookupError
        If there is no such function at the top level.
    SyntaxError
        If `source` is not valid Python.
    """
    node = _definition(source, function)
    lines = source.split("\n")  # as Python counts lines: splitlines also ends them at form feeds
    first, last = node.body[0], node.body[-1]
    head = []
    if ast.get_docstring(node, clean=False) is not None:
        start = first.end_lineno or 0
    elif signature := _signature_on_the_line_of(first, lines):
        start, head = first.lineno - 1, [signature]
    else:
        start = _end_of_signature(node, lines)
    indented = [f"    {line}" if line.strip() else "" for line in (body or STUB).rstrip().split("\n")]
    return "\n".join([*lines[:start], *head, *indented, *lines[last.end_lineno :]])


def body_of(source: str, function: str) -> str:
    """The unindented body of `function`, without its docstring, with its comments.

    Raises
    ------
    LookupError
        If there is no such function at the top level.
    """
    node = _definition(source, function)
    lines = source.split("\n")
    has_docstring = ast.get_docstring(node, clean=False) is not None
    # From the line after the signature (or the docstring), so that a leading comment comes along.
    start = node.body[0].end_lineno if has_docstring else _end_of_signature(node, lines)
    if not has_docstring and (signature := _signature_on_the_line_of(node.body[0], lines)):
        return lines[node.body[0].lineno - 1].removeprefix(signature).strip()
    block = lines[start or 0 : node.end_lineno]
    return "\n".join(line.removeprefix("    ") for line in block).strip("\n")


def _end_of_signature(node: ast.FunctionDef, lines: list[str]) -> int:
    line = node.body[0].lineno - 1  # 0-based line of the first statement
    while line > node.lineno and (not lines[line - 1].strip() or lines[line - 1].lstrip().startswith("#")):
        line -= 1
    return line


def _signature_on_the_line_of(first: ast.stmt, lines: list[str]) -> str:
    """`def f(x):` where the body begins on the same line, as in `def f(x): return x`; else nothing."""
    line = lines[first.lineno - 1].encode()
    return line[: first.col_offset].decode().strip()


def _definition(source: str, function: str) -> ast.FunctionDef:
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef) and node.name == function:
            return node
    raise LookupError(f"no function {function!r} at the top level")


def is_stub(source: str, function: str) -> bool:
    """Whether the body of `function` is still nothing but `raise NotImplementedError`."""
    node = _definition(source, function)
    has_docstring = ast.get_docstring(node, clean=False) is not None
    return [ast.unparse(statement) for statement in node.body[has_docstring:]] == [STUB]
