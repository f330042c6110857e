"""Everything that a run leaves in its folder for people and for other programs."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from nexttoken.classroom import exports, marks, pages
from nexttoken.classroom.records import Result, file_name, write
from nexttoken.classroom.roster import Class


def write_all(
    out: Path, group: Class, results: Sequence[Result], chapters: Sequence[str]
) -> tuple[list[marks.Sheet], int]:
    """Write the tables, a page and a results.json for each student, and the page of the class.

    What comes back: everybody's sheet, and how many marks differ from those of an earlier run.
    """
    sheets = marks.sheets(group, results, chapters, marks.overrides(out))
    changed = marks.changes(out / "grades.csv", sheets)
    marks.write_changes(out / "changes.csv", changed)
    marks.write_grades(out / "grades.csv", sheets, chapters)
    marks.write_canvas(out / "canvas.csv", sheets)
    link = {}
    for sheet in sheets:
        folder = f"students/{file_name(sheet.student.id)}"
        write(out / folder / "feedback.html", pages.feedback(sheet))
        write(out / folder / "results.json", exports.gradescope(sheet))
        link[sheet.student.id] = f"{folder}/feedback.html"
    write(out / "junit.xml", exports.junit(sheets))
    write(out / "class.html", pages.class_page(group, sheets, link))
    return sheets, len(changed)


def say(out: Path, group: Class, sheets: Sequence[marks.Sheet], changed: int, console: Console) -> None:
    """A screenful on what came out."""
    table = Table(box=None, padding=(0, 1), header_style="bold")
    table.add_column("student")
    table.add_column("points", justify="right")
    table.add_column("notes", style="dim")
    for sheet in sheets[:40]:
        notes = "; ".join(sheet.notes) if sheet.handed_in else "nothing handed in"
        points = f"{marks.total(sheet.marks, '?')} of {sheet.points}"
        table.add_row(Text(sheet.student.name or sheet.student.id), points, Text(notes))
    console.print(table)
    if len(sheets) > 40:
        console.print(f"and {len(sheets) - 40} more")
    for count, what in (
        (len(group.missing), "on the roster handed in nothing"),
        (len(group.double), "handed in more than once; the latest counts"),
        (len(group.strangers), "not on the roster"),
        (changed, "marks are others than in the last run: changes.csv"),
    ):
        if count:
            console.print(f"{count} {what}", highlight=False)
    console.print(
        f"The marks are in {out / 'grades.csv'}, the class is at {out / 'class.html'}.", highlight=False
    )
