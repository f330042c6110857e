"""Change a reader's file without ever losing what was in it."""

import shutil
from datetime import datetime
from pathlib import Path

from nexttoken import course


def put_back_stub(exercise: course.Exercise) -> Path:
    """Empty an exercise again; where the file that was there is kept."""
    return _replace(exercise, None)


def put_in_solution(exercise: course.Exercise) -> Path:
    """Write the reference's body into the reader's file; where the file that was there is kept."""
    return _replace(exercise, solution_body(exercise))


def solution_body(exercise: course.Exercise) -> str:
    """The reference's lines, unindented.

    Raises
    ------
    FileNotFoundError
        If this copy of the course comes without solutions.
    """
    file = course.solution_file(exercise.chapter)
    if not file.is_file():
        raise FileNotFoundError(
            "This copy of the course comes without solutions/: ask whoever gave it to you."
        )
    return course.body_of(file.read_text(encoding="utf-8"), exercise.function)


def _replace(exercise: course.Exercise, body: str | None) -> Path:
    if (unreadable := course.syntax_error(exercise.chapter)) is not None:
        raise unreadable
    text = exercise.file.read_text(encoding="utf-8-sig")
    new = course.replace_body(text, exercise.function, body)
    kept = keep(exercise.file)
    exercise.file.write_text(new, encoding="utf-8")
    return kept


def keep(file: Path) -> Path:
    """Copy a file into .nexttoken/backups/, under the time of the copy."""
    folder = course.kept_folder() / "backups"
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{datetime.now():%Y-%m-%d-%H%M%S}-{file.stem}"
    kept = folder / f"{stem}{file.suffix}"
    count = 1
    while kept.exists():
        count += 1
        kept = folder / f"{stem}-{count}{file.suffix}"
    shutil.copy2(file, kept)
    return kept
