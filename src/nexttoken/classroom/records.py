"""What was found out about each chapter of each submission, kept on disk so that a run can go on.

A file is whole or not there: it is written beside its place and moved into it.
"""

import csv
import hashlib
import json
import os
import re
import secrets
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nexttoken.grading.verdict import Verdict

SECRET_LENGTH = 16  # characters, at least


@dataclass
class Result:
    """One chapter of one submission, graded."""

    student: str
    chapter: str
    fingerprint: str  # of all on which the verdicts depend
    verdicts: list[Verdict]
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return vars(self) | {"verdicts": [verdict.as_dict() for verdict in self.verdicts]}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Result":
        """What `as_dict` gave."""
        return cls(**values | {"verdicts": [Verdict.from_dict(v) for v in values["verdicts"]]})


@dataclass
class Records:
    """The results in a folder `kept/` beside the reports, and the secret that they were made with."""

    out: Path
    _folders: dict[str, str] = field(default_factory=dict)

    def file(self, student: str, chapter: str) -> Path:
        return self.out / "kept" / "results" / file_name(student) / f"{chapter}.json"

    def get(self, student: str, chapter: str, fingerprint: str) -> Result | None:
        """The result that is kept, if it was made from the same things."""
        try:
            values = json.loads(self.file(student, chapter).read_text(encoding="utf-8"))
            result = Result.from_dict(values)
        except (
            FileNotFoundError,
            ValueError,
            KeyError,
            TypeError,
        ):  # none, or damaged: then it is made again
            return None
        return result if result.fingerprint == fingerprint else None

    def keep(self, result: Result) -> None:
        write(self.file(result.student, result.chapter), json.dumps(result.as_dict(), indent=1))

    def secret(self, seed_file: Path | None, fresh: bool) -> str:
        """What the seeds are drawn from: of the file named, or of the last run, or new.

        A file that does not exist yet is written, so that another run can use the same.

        Raises
        ------
        ValueError
            If the file holds what anybody could guess: nothing, or a few characters.
        """
        file = seed_file or self.out / "kept" / "secret"
        if file.is_file() and (seed_file is not None or not fresh):
            secret = file.read_text(encoding="utf-8").strip()
            if len(secret) < SECRET_LENGTH:
                raise ValueError(f"{file} holds no secret: delete it, and a new one is drawn.")
            return secret
        secret = secrets.token_hex(16)
        write(file, secret + "\n", mode=0o600)
        return secret


def fingerprint(*parts: str | bytes) -> str:
    """A number for a list of texts that no other list has."""
    digest = hashlib.sha256()
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        digest.update(len(content).to_bytes(8) + content)
    return digest.hexdigest()


def file_name(name: str) -> str:
    """A name for a folder: the same for the same student, another for another, and harmless."""
    plain = re.sub(r"[^A-Za-z0-9.-]+", "_", name).strip("._")[:60]
    if plain == name != "":
        return plain
    return f"{plain or 'nameless'}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def write(file: Path, text: str, mode: int = 0o644) -> None:
    """Write a file so that whoever looks sees the old text or the new one, whatever happens."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{file.name}-", dir=file.parent)
    try:
        with open(handle, "w", encoding="utf-8", newline="") as new:
            new.write(text)
            new.flush()
            os.fsync(new.fileno())
        os.chmod(name, mode)
        os.replace(name, file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_table(file: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV file that a spreadsheet takes for text and numbers, never for formulas."""
    from io import StringIO

    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([tame(value) for value in row] for row in rows)
    write(file, text.getvalue())


def tame(value: object) -> object:
    """A text that begins like a formula gets an apostrophe before it."""
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{value}"
    return value


def read_table(file: Path) -> list[dict[str, str]]:
    """The rows of a CSV file, by the names in its first line; commas, semicolons or tabs between.

    Raises
    ------
    ValueError
        If it is not such a file.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        text = file.read_text(encoding="cp1252", errors="replace")
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    rows = list(csv.DictReader(text.splitlines(), delimiter=delimiter))
    if not first.strip():
        raise ValueError(f"{file} is empty.")
    return [
        {(k or "").strip(): (v or "").strip() for k, v in row.items() if isinstance(v, str | None)}
        for row in rows
    ]
