"""`nexttoken assignment`: the hand-out for a class, without the answers.

It is a course of its own: the chosen chapters' exercises as stubs, the chapters before them, if
they are not chosen, solved, and the built site with the references taken out.
"""

import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from nexttoken import course
from nexttoken.classroom.running import as_answers

_FILES = (
    "Makefile",
    "pyproject.toml",
    "constraints.txt",
    "LICENSE",
    "CHANGELOG.md",
    "jupytext.toml",
    ".gitignore",
    ".jupyter",
)
_PAGE_REFERENCE = re.compile(r":::\{dropdown\} Reference: `(\w+)`\n.*?\n:::\n+", re.DOTALL)
_SITE_REFERENCE = re.compile(
    r'<details\b(?:(?!</?details\b).)*?Reference: <code[^>]*><span class="pre">(\w+)</span>(?:(?!</details>).)*</details>',
    re.DOTALL,
)
_SENTENCE = re.compile(r"The references are here for afterwards\..*?(?=\n\n|</p>)", re.DOTALL)
_INSTEAD = "The references are not part of this hand-out."
README = """# {title}

{count} exercises, {points} points, about {minutes} minutes: {chapters}.

```sh
make learn                    # sets up .venv: torch, Jupyter, the checks
.venv/bin/nexttoken watch     # checks your answers each time you save
make lab                      # opens the notebooks
```

You write in these files; each exercise is a function that ends in `raise NotImplementedError`, and that line is yours.

{table}

`book/how_to_work.md` has every command{site}.

## Handing in

Hand in {files}: the files themselves, or this folder as a zip file. Nothing else is read. They are graded with other
random arguments than those in the notebooks, so that an answer has to be right, not only to print what stands there.
"""


def make(out: Path, chapters: Sequence[str], title: str, site: Path | None) -> Path:
    """Write the hand-out into the folder `out`, or into the zip file if that is its name.

    Raises
    ------
    ValueError
        If there is something already, or an answer would be in it. Then no hand-out is left.
    """
    if out.exists():
        raise ValueError(f"There is {out} already.")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".hand-out-", dir=out.parent) as folder:
        made = _lay_out(Path(folder) / out.stem, chapters, title, site)
        if out.suffix == ".zip":
            made = Path(shutil.make_archive(str(made), "zip", folder, made.name))
        made.rename(out)
    return out


def _lay_out(folder: Path, chapters: Sequence[str], title: str, site: Path | None) -> Path:
    root = course.root()
    folder.mkdir()
    for name in _FILES:
        source = root / name
        if source.is_dir():
            shutil.copytree(source, folder / name)
        elif source.is_file():
            shutil.copy(source, folder / name)
    shutil.copytree(root / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    last = course.chapters().index(chapters[-1])
    for number, chapter in enumerate(course.chapters()):
        file = folder / "src" / "nexttoken" / f"{chapter}.py"
        given = chapter not in chapters and number < last
        file.write_bytes(as_answers(chapter) if given else stubs(chapter).encode())
    (folder / "exercises").mkdir()
    for name in ("conftest.py", *(f"{chapter}.ipynb" for chapter in chapters)):
        shutil.copy(root / "exercises" / name, folder / "exercises" / name)
    (folder / "_toc.yml").write_text(_contents(chapters), encoding="utf-8")
    hidden = {
        c: {e.function for e in course.exercises(c)}
        for n, c in enumerate(course.chapters())
        if c in chapters or n > last
    }
    _copy_pages(root / "book", folder / "book", hidden)
    if site is not None:
        _copy_site(site, folder / "site", hidden)
    (folder / "README.md").write_text(_readme(chapters, title, site is not None), encoding="utf-8")
    return folder


def stubs(chapter: str) -> str:
    """The chapter's file with every exercise unfinished, also where the teacher has solved it."""
    text = course.source_file(chapter).read_text(encoding="utf-8")
    for found in course.exercises(chapter):
        text = course.replace_body(text, found.function, None)
    return text


def _contents(chapters: Sequence[str]) -> str:
    """The table of contents, in which only the chosen chapters have exercises."""
    text = (course.root() / "_toc.yml").read_text(encoding="utf-8")
    for chapter in course.chapters():
        if chapter not in chapters:
            text = re.sub(rf"( *sections:\n)? *- file: exercises/{chapter}\n", "", text)
    return text


def _copy_pages(book: Path, target: Path, hidden: dict[str, set[str]]) -> None:
    shutil.copytree(book, target, ignore=shutil.ignore_patterns("__pycache__", "vendor", "teaching.md"))
    for chapter, functions in hidden.items():
        page = target / f"{chapter}.md"
        if page.is_file():
            page.write_text(_without(_PAGE_REFERENCE, page, functions), encoding="utf-8")


def _copy_site(site: Path, target: Path, hidden: dict[str, set[str]]) -> None:
    shutil.copytree(
        site, target, ignore=shutil.ignore_patterns("_sources", ".doctrees", ".buildinfo", "teaching.html")
    )
    for chapter, functions in hidden.items():
        page = target / "book" / f"{chapter}.html"
        if page.is_file():
            page.write_text(_without(_SITE_REFERENCE, page, functions), encoding="utf-8")


def _without(reference: re.Pattern[str], page: Path, functions: set[str]) -> str:
    """A page's text without the references to these functions, each of which must be found."""
    text = page.read_text(encoding="utf-8")
    shown = set(reference.findall(text))
    if not functions <= shown:
        raise ValueError(
            f"{page.name} does not show the reference of {', '.join(sorted(functions - shown))} where it should: "
            "it cannot be made sure that it shows no answer. If the page is right, make book builds it anew."
        )
    return _SENTENCE.sub(_INSTEAD, reference.sub("", text))


def _readme(chapters: Sequence[str], title: str, site: bool) -> str:
    exercises = [found for chapter in chapters for found in course.exercises(chapter)]
    rows = ["| read | do | write in |", "| --- | --- | --- |"]
    for chapter in chapters:
        read, do, write = f"book/{chapter}.md", f"exercises/{chapter}.ipynb", f"src/nexttoken/{chapter}.py"
        rows.append(f"| [{chapter}]({read}) | [{do}]({do}) | [{write}]({write}) |")
    return README.format(
        title=title,
        count=len(exercises),
        points=sum(found.points for found in exercises),
        minutes=sum(found.minutes for found in exercises),
        chapters=", ".join(chapters),
        table="\n".join(rows),
        site=", and `site/index.html` is the book to be read in a browser" if site else "",
        files=" and ".join(f"`src/nexttoken/{chapter}.py`" for chapter in chapters),
    )
