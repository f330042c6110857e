"""Read a graded notebook: its setup, its graded cells with the values expected, its hints.

A graded cell carries in its metadata `{"nexttoken": {"exercise": NAME, "expected": TEXT}}`. The
text is what the reference printed when the notebook was made (`make exercises`), and is also
the cell's stored output. It is kept twice because Jupyter overwrites outputs when a reader runs
and saves the notebook; what was expected must survive that.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

from nexttoken import course

_HINT = re.compile(r"<details>\s*<summary>Hint[^<]*</summary>(.*?)</details>", re.DOTALL)


@dataclass(frozen=True)
class GradedCell:
    """A cell that prints what an exercise's function gives."""

    exercise: str
    source: str
    expected: str


@dataclass(frozen=True)
class Notebook:
    """What grading needs to know of `exercises/<chapter>.ipynb`."""

    setup: str
    cells: tuple[GradedCell, ...]
    hints: dict[str, tuple[str, ...]]

    def cells_of(self, exercise: str) -> list[GradedCell]:
        return [cell for cell in self.cells if cell.exercise == exercise]


def read(chapter: str) -> Notebook:
    """The notebook of `chapter` as it lies in `exercises/`.

    Raises
    ------
    ValueError
        If the file is not a notebook.
    """
    file = course.notebook_file(chapter)
    try:
        cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(
            f"{file.relative_to(course.root())} is not a notebook any more ({error}). "
            "It holds no answers of yours: git checkout -- exercises brings it back."
        ) from error
    setup, graded, hints = [], [], {}
    for cell in cells:
        source = "".join(cell["source"])
        marks = cell["metadata"].get("nexttoken", {})
        if "setup" in cell["metadata"].get("tags", []):
            setup.append(source)
        elif cell["cell_type"] == "code" and "exercise" in marks:
            graded.append(GradedCell(marks["exercise"], source, marks.get("expected", "")))
        elif cell["cell_type"] == "markdown" and "exercise" in marks:
            hints[marks["exercise"]] = tuple(hint.strip() for hint in _HINT.findall(source))
    return Notebook("\n".join(setup), tuple(graded), hints)


def printed(cell: dict[str, Any]) -> str:
    """What a code cell has stored as printed text."""
    return "".join("".join(o["text"]) for o in cell["outputs"] if o.get("name") == "stdout")
