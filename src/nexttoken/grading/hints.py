"""Hints, one at a time: each asking shows the next. What was seen is kept beside the course."""

import json
from pathlib import Path

from nexttoken import course
from nexttoken.grading import notebook


def next_hint(name: str) -> tuple[int, int, str]:
    """The next hint for an exercise: its number (from 1), how many there are, its text (Markdown).

    After the last one it starts again.
    """
    chapter = name.partition(".")[0]
    hints = notebook.read(chapter).hints.get(name, ())
    if not hints:
        raise ValueError(f"{name} has no hint in exercises/{chapter}.ipynb")
    file = course.kept_folder() / "hints.json"
    seen = _read(file)
    number = seen.get(name, 0) % len(hints)
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(seen | {name: number + 1}, indent=1), encoding="utf-8")
    return number + 1, len(hints), hints[number]


def _read(file: Path) -> dict[str, int]:
    try:
        seen = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):  # damaged: then we start again
        return {}
    known = seen.items() if isinstance(seen, dict) else ()
    return {key: value for key, value in known if isinstance(value, int)}
