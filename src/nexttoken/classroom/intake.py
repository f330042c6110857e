"""Read what students handed in: folders, zip files and single files, as learning platforms name them.

Of a submission only the chapters' files are read, as bytes, each of them a regular file of at most
1 MB. Nothing is unpacked to the disk, no link is followed, and no name from inside becomes a path.
"""

import io
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import IO, Protocol

from nexttoken import course

FILE_LIMIT = 1_000_000  # bytes of a chapter's file
ZIP_LIMIT = 200_000_000  # bytes of a zip file
READ_LIMIT = 2 * ZIP_LIMIT  # bytes that are read, or unpacked, for one submission
NAMES_LIMIT = 50_000  # files that are looked at in one submission
LISTED_LIMIT = 200_000  # files that a zip file may list to be opened
ZIPS_LIMIT = 20  # zip files that are opened for one submission
NOTES_LIMIT = 10  # of more notes than that only the number is said
DEPTH_LIMIT = 12
_BLOCK = 1 << 16  # bytes that are read at once
_ZIPS_WITHIN = 2  # a class's zip holds a student's zip
_BEFORE_A_NAME = b"PK\x01\x02"  # in a zip file's list of files
_PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # from others a few bytes may unpack to any number
_SKIPPED = {
    "__MACOSX",
    "__pycache__",
    "node_modules",
    "site-packages",
    "solutions",
    "tests",
    "book",
    "_build",
    "build",
}
# Canvas names what it collects doejane_LATE_1234_56789_qkv.py: who, whose number is 1234, which, what.
_CANVAS = re.compile(
    r"^(?P<who>[^_]+)(?P<late>_LATE)?_(?P<number>\d+)_(?P<upload>\d+)_(?P<file>.+)$", re.DOTALL
)
# Moodle names its folders Jane Doe_1234567_assignsubmission_file.
_MOODLE = re.compile(r"^(?P<who>.+?)_(?P<number>\d+)_assignsubmission_\w*$", re.DOTALL)


@dataclass
class Submission:
    """What one student handed in."""

    name: str  # of the folder or the zip file, or what the platform made of the student's name
    number: str = ""  # the platform's own for the student
    files: dict[str, bytes] = field(default_factory=dict)  # by chapter
    notes: list[str] = field(default_factory=list)  # what was odd about it
    time: float = 0.0  # when it was changed last; of two the later one counts
    bytes_read: int = 0
    zips: int = 0  # opened
    unsaid: int = 0  # notes too many

    def note(self, text: str) -> None:
        """Say what is odd; the first few times, and then only how much more there is."""
        if len(self.notes) < NOTES_LIMIT:
            self.notes.append(text)
            return
        if self.unsaid:
            self.notes.pop()
        self.unsaid += 1
        self.notes.append(f"and {self.unsaid:,} more")

    def read(self, reader: "Reader", limit: int) -> bytes:
        """A file, or one byte more than `limit` of a larger one. What then fails counts as read, too.

        Raises
        ------
        Enough
            If that is too much for one submission.
        """
        blocks: list[bytes] = []
        left = limit + 1  # however large it says it is, or becomes
        with reader.open() as file:
            while left:
                self.bytes_read += _BLOCK
                if self.bytes_read > READ_LIMIT:
                    raise Enough
                block = file.read(min(_BLOCK, left))
                if not block:
                    break
                blocks.append(block)
                left -= len(block)
        return b"".join(blocks)


class Enough(Exception):
    """A submission takes more than any honest one."""


@dataclass(frozen=True)
class _Entry:
    """A regular file somewhere in a submission, not read yet."""

    path: PurePosixPath
    reader: "Reader"


class Reader(Protocol):
    """Opens one file."""

    def open(self) -> IO[bytes]: ...


@dataclass(frozen=True)
class _OnDisk:
    path: Path

    def open(self) -> IO[bytes]:
        # O_NONBLOCK: a pipe that took the file's place would make us wait.
        handle = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            raise OSError(f"{self.path.name} is not a file")
        return open(handle, "rb")


@dataclass(frozen=True)
class _InZip:
    archive: zipfile.ZipFile
    info: zipfile.ZipInfo

    def open(self) -> IO[bytes]:
        if self.info.compress_type not in _PACKED:
            raise NotImplementedError("it is packed in an unusual way; the usual one is called deflate")
        return self.archive.open(self.info)


_UNREADABLE = (
    OSError,
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    RuntimeError,
    NotImplementedError,
    ValueError,
    IndexError,
    OverflowError,
)


def submissions(place: Path) -> list[Submission]:
    """All submissions in a folder or a zip file; or the one, if it is a student's course itself.

    Raises
    ------
    FileNotFoundError
        If there is no such place, or nothing in it.
    """
    if not place.exists():
        raise FileNotFoundError(f"There is no {place}.")
    if place.is_file():
        found = _in_class_zip(place)
    elif _is_a_course(place):
        found = [_of_folder(place)]
    else:
        found = _in_folder(place)
    if not found:
        raise FileNotFoundError(f"{place} holds no submission: no folder, no zip file, no {_a_file()}.")
    return sorted(found, key=lambda submission: submission.name)


def _wanted() -> dict[str, str]:
    """The chapters by the names of their files."""
    return {f"{chapter}.py": chapter for chapter in course.chapters()}


def _a_file() -> str:
    return f"{course.chapters()[0]}.py"


def _is_a_course(folder: Path) -> bool:
    """Whether a folder is one student's: with the course's own folders, or with chapters and no more."""
    names = _wanted()
    if any((folder / "src" / "nexttoken" / name).is_file() for name in names):
        return True
    return any((folder / name).is_file() for name in names) and not _holds_students(folder)


def _holds_students(folder: Path) -> bool:
    """Whether a folder has chapters not only beside each other, but in folders and zip files, or as Canvas has them."""
    names = _wanted()
    try:
        return any(
            _CANVAS.match(entry.path.name)
            or (entry.path.name in names and (len(entry.path.parts) > 1 or isinstance(entry.reader, _InZip)))
            for entry in _entries_of_folder(folder, Submission(""))
        )
    except Enough:
        return True


def _in_folder(folder: Path) -> list[Submission]:
    by_student: dict[str, Submission] = {}
    for entry in sorted(os.scandir(folder), key=lambda e: e.name):
        if entry.name.startswith("."):
            continue
        path = Path(entry.path)
        if entry.is_symlink():
            by_student[entry.name] = Submission(
                printable_name(entry.name), notes=["it is a link, and was not followed"]
            )
        elif entry.is_dir():
            by_student[entry.name] = _of_folder(path)
        elif entry.is_file() and path.suffix.lower() in (".zip", ".py"):
            _add_upload(by_student, entry.name, _OnDisk(path), entry.stat().st_mtime)
    return list(by_student.values())


def _add_upload(by_student: dict[str, Submission], name: str, reader: Reader, time: float) -> None:
    """A file that lies beside others: of a student of its own, or one of several as Canvas names them."""
    match = _CANVAS.match(name)
    file = match["file"] if match else name
    # Two uploads of one student under Canvas's name are one submission in several files.
    key = f"{match['who']}_{match['number']}" if match else name
    if key not in by_student:
        by_student[key] = Submission(
            printable_name(match["who"] if match else PurePosixPath(name).stem),
            match["number"] if match else "",
        )
    submission = by_student[key]
    submission.time = max(submission.time, time)
    if match and match["late"] and "handed in late" not in submission.notes:
        submission.notes.insert(0, "handed in late")
    if file.lower().endswith(".zip"):
        _take(submission, _entries_of_zip(reader, submission))
    else:
        # Canvas puts -1, -2 behind the names of files that were uploaded again.
        plain = re.sub(r"(-\d+)?\.py$", ".py", file)
        _take(submission, iter([_Entry(PurePosixPath(plain), reader)]))


def _of_folder(folder: Path) -> Submission:
    match = _MOODLE.match(folder.name)
    name, number = (match["who"], match["number"]) if match else (folder.resolve().name, "")
    submission = Submission(printable_name(name), number, time=folder.stat().st_mtime)
    _take(submission, _entries_of_folder(folder, submission))
    return submission


def _entries_of_folder(folder: Path, submission: Submission) -> Iterator[_Entry]:
    waiting, seen = [(folder, PurePosixPath())], 0
    while waiting:
        here, below = waiting.pop()
        try:
            entries = sorted(os.scandir(here), key=lambda e: e.name)
        except OSError as error:
            submission.note(f"{below} cannot be read: {error.strerror}")
            continue
        for entry in entries:
            seen += 1
            if seen > NAMES_LIMIT:
                submission.note(f"it holds more than {NAMES_LIMIT:,} files; the rest was not looked at")
                return
            path = below / entry.name
            if entry.is_symlink():
                if entry.name.endswith((".py", ".zip")):
                    submission.note(f"{printable_name(str(path))} is a link, and was not followed")
            elif entry.is_dir():
                if (
                    entry.name not in _SKIPPED
                    and not entry.name.startswith(".")
                    and len(path.parts) < DEPTH_LIMIT
                ):
                    waiting.append((Path(entry.path), path))
            elif entry.is_file():
                submission.time = max(submission.time, entry.stat().st_mtime)
                if entry.name.lower().endswith(".zip"):
                    yield from _entries_of_zip(_OnDisk(Path(entry.path)), submission)
                else:
                    yield _Entry(path, _OnDisk(Path(entry.path)))


def _entries_of_zip(reader: Reader, submission: Submission, depth: int = 1) -> Iterator[_Entry]:
    """The files in a zip file; they are read only while this goes on."""
    submission.zips += 1
    if submission.zips > ZIPS_LIMIT:
        if submission.zips == ZIPS_LIMIT + 1:
            submission.note(f"it holds more than {ZIPS_LIMIT} zip files; the rest was not opened")
        return
    try:
        content = submission.read(reader, ZIP_LIMIT)
        if len(content) > ZIP_LIMIT:
            raise ValueError(f"it is larger than {ZIP_LIMIT >> 20} MB")
        if content.count(_BEFORE_A_NAME) > LISTED_LIMIT:
            raise ValueError(f"it lists more than {LISTED_LIMIT:,} files")
        archive = zipfile.ZipFile(io.BytesIO(content))
    except _UNREADABLE as error:
        submission.note(f"a zip file cannot be read: {printable_name(str(error))}")
        return
    with archive:
        yield from _entries_in(archive, archive.infolist(), submission, depth)


def _entries_in(
    archive: zipfile.ZipFile, infos: list[zipfile.ZipInfo], submission: Submission, depth: int = 1
) -> Iterator[_Entry]:
    if len(infos) > NAMES_LIMIT:
        submission.note(f"it holds more than {NAMES_LIMIT:,} files; the rest was not looked at")
    for info in infos[:NAMES_LIMIT]:
        path = _path_of(info)
        is_ours = path.suffix.lower() in (".py", ".zip")
        if (
            not is_ours
            or info.filename.endswith("/")
            or _SKIPPED & set(path.parts)
            or len(path.parts) > DEPTH_LIMIT
        ):
            continue
        if path.is_absolute() or ".." in path.parts or re.match("[A-Za-z]:", info.filename):
            submission.note(f"{printable_name(info.filename)} leads out of the zip file, and was left there")
        elif stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG):
            submission.note(f"{printable_name(info.filename)} is a link, and was not followed")
        elif path.suffix.lower() == ".zip":
            if depth < _ZIPS_WITHIN:
                yield from _entries_of_zip(_InZip(archive, info), submission, depth + 1)
        else:
            yield _Entry(path, _InZip(archive, info))


def _take(submission: Submission, entries: Iterator[_Entry]) -> None:
    """Read the chapters' files, until it is enough."""
    try:
        _take_all(submission, entries)
    except Enough:
        note = f"more than {READ_LIMIT // 1_000_000} MB would have to be read; the rest was left"
        if note not in submission.notes:
            submission.notes.insert(0, note)


def _take_all(submission: Submission, entries: Iterator[_Entry]) -> None:
    """Of several files with one name the one in src/nexttoken/ counts, then the outermost."""
    places: dict[str, tuple[tuple[bool, int, str], PurePosixPath]] = {}
    wanted = _wanted()
    for entry in entries:
        chapter = wanted.get(entry.path.name)
        if chapter is None or _SKIPPED & set(entry.path.parts[:-1]):
            continue
        in_place = entry.path.parts[-3:-1] == ("src", "nexttoken")
        rank = (not in_place, len(entry.path.parts), str(entry.path))
        known = places.get(chapter)
        if known is not None:
            better = min(known, (rank, entry.path))[1]
            submission.note(f"there are two {entry.path.name}; {printable_name(str(better))} was taken")
            if better == known[1]:
                continue
        try:
            content = submission.read(entry.reader, FILE_LIMIT)
        except _UNREADABLE as error:
            submission.note(f"{entry.path.name} cannot be read: {printable_name(str(error))}")
            continue
        if len(content) > FILE_LIMIT:
            submission.note(f"{entry.path.name} is larger than {FILE_LIMIT:,} bytes, and was not read")
            continue
        places[chapter] = rank, entry.path
        submission.files[chapter] = content


def _in_class_zip(place: Path) -> list[Submission]:
    """The submissions in a zip file of the whole class, or the one in a student's."""
    if place.suffix.lower() != ".zip":
        by_student: dict[str, Submission] = {}
        if place.suffix == ".py":
            _add_upload(by_student, place.name, _OnDisk(place), place.stat().st_mtime)
        return list(by_student.values())
    try:
        archive = zipfile.ZipFile(place)
    except _UNREADABLE as error:
        raise FileNotFoundError(f"{place} cannot be read: {error}") from None
    with archive:
        return list(_by_top_folder(archive, place).values())


def _by_top_folder(archive: zipfile.ZipFile, place: Path) -> dict[str, Submission]:
    by_student: dict[str, Submission] = {}
    paths = {info: _path_of(info) for info in archive.infolist() if not info.filename.endswith("/")}
    if _is_a_students(paths.values()):
        submission = Submission(printable_name(place.stem), time=place.stat().st_mtime)
        _take(submission, _entries_in(archive, archive.infolist(), submission))
        return {place.name: submission}
    if shared := _shared_folder(paths.values()):
        paths = {i: p.relative_to(shared) if p.is_relative_to(shared) else p for i, p in paths.items()}
    inside: dict[str, list[zipfile.ZipInfo]] = {}
    for info, path in paths.items():
        if not path.parts or path.parts[0].startswith(".") or path.parts[0] == "__MACOSX":
            continue
        if len(path.parts) > 1:
            inside.setdefault(path.parts[0], []).append(info)
        elif path.suffix.lower() in (".zip", ".py"):
            _add_upload(by_student, path.name, _InZip(archive, info), _time_of(info))
    for top, infos in inside.items():
        match = _MOODLE.match(top)
        name, number = (match["who"], match["number"]) if match else (top, "")
        submission = Submission(printable_name(name), number, time=max(map(_time_of, infos)))
        _take(submission, _entries_in(archive, infos, submission))
        by_student[top] = submission
    return by_student


def _path_of(info: zipfile.ZipInfo) -> PurePosixPath:
    return PurePosixPath(info.filename.replace("\\", "/"))


def _is_a_students(paths: Iterable[PurePosixPath]) -> bool:
    """Whether a zip file is one student's: a single course, or chapters without a folder, and no more."""
    ours = _that_count(paths)
    if any(_is_a_platforms(path.parts[0]) for path in ours):
        return False
    courses = {path.parts[:-3] for path in ours if path.parts[-3:-1] == ("src", "nexttoken")}
    if not courses:
        return bool(ours) and all(len(path.parts) == 1 and path.suffix == ".py" for path in ours)
    course_folder = min(courses)
    return (
        len(courses) == 1
        and len(course_folder) <= 1
        and all(path.parts[: len(course_folder)] == course_folder for path in ours)
    )


def _shared_folder(paths: Iterable[PurePosixPath]) -> PurePosixPath | None:
    """The folder in which all students' folders or files lie, if that is how a class was packed."""
    ours = _that_count(paths)
    if not ours:
        return None
    shared = PurePosixPath(os.path.commonpath([path.parent for path in ours]))
    below = [path.relative_to(shared) for path in ours]
    if any(map(_is_a_platforms, shared.parts)) or any(p.parts[:-1] == ("src", "nexttoken") for p in below):
        return None
    students = {
        path.parts[0]
        for path in below
        if len(path.parts) > 1 or path.suffix.lower() == ".zip" or _is_a_platforms(path.name)
    }
    return shared if len(students) > 1 else None


def _that_count(paths: Iterable[PurePosixPath]) -> list[PurePosixPath]:
    """Those at which chapters lie, or may lie: files of their names, also as Canvas has them, and zip files."""
    return [
        path
        for path in paths
        if not path.is_absolute()
        and not _SKIPPED & set(path.parts[:-1])
        and (path.suffix.lower() == ".zip" or path.name in _wanted() or _CANVAS.match(path.name))
    ]


def _is_a_platforms(name: str) -> bool:
    return bool(_MOODLE.match(name) or _CANVAS.match(name))


def _time_of(info: zipfile.ZipInfo) -> float:
    try:
        return datetime(*info.date_time).timestamp()
    except ValueError:
        return 0.0


def printable_name(text: str) -> str:
    """A name that can be shown on one line, whatever it was."""
    shown = "".join(
        c if c.isprintable() else "\ufffd" for c in text.encode("utf-8", "replace").decode("utf-8")
    )
    return shown[:120]
