"""`make exercises`: run every graded notebook with the references, and store what they print.

What is stored is what every answer is compared with: by nbval (the cells' outputs) and by
`nexttoken check` (the same text in the cells' metadata, see `grading.notebook`).
"""

import os
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_output

from nexttoken import course
from nexttoken.grading.notebook import printed


def store(file: Path) -> bool:
    """Run the notebook with the references and write it back; whether anything changed.

    Raises
    ------
    ValueError
        If a graded cell prints nothing, or gives anything but printed text.
    """
    before = file.read_text(encoding="utf-8")
    book = nbformat.reads(before, as_version=4)
    os.environ |= {"NEXTTOKEN_REFERENCE": "1", "OMP_NUM_THREADS": "1"}
    NotebookClient(
        book,
        timeout=300,
        record_timing=False,
        coalesce_streams=True,  # one piece, however the kernel happened to cut it
        resources={"metadata": {"path": file.parent}},
    ).execute()
    for cell in book.cells:
        if cell.cell_type == "code":
            _keep_what_is_compared(cell, file.name)
    book.metadata = {"kernelspec": book.metadata.kernelspec, "language_info": {"name": "python"}}
    after: str = nbformat.writes(book) + "\n"
    file.write_text(after, encoding="utf-8")
    return after != before


def _keep_what_is_compared(cell: NotebookNode, name: str) -> None:
    marks = cell.metadata.get("nexttoken", {})
    if "exercise" in marks:
        if not printed(cell) or any(output.get("name") != "stdout" for output in cell.outputs):
            raise ValueError(f"{name}, {cell.id}: a graded cell must print, and only print:\n{cell.outputs}")
        marks["expected"] = printed(cell)
        cell.outputs = [new_output("stream", name="stdout", text=marks["expected"])]
    elif {"setup", "check"} & set(cell.metadata.get("tags", [])):
        cell.outputs = []  # who answers, and the verdict, are the reader's


def main() -> None:
    """Store the notebooks of the chapters named, or of all."""
    for chapter in sys.argv[1:] or course.chapters():
        changed = store(course.notebook_file(chapter))
        print(f"exercises/{chapter}.ipynb: {'stored anew' if changed else 'nothing changed'}")


if __name__ == "__main__":
    main()
