"""The built site: links, pictures, claims; and what its own extension decides."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import course_ext
import fingerprint
import nbformat
import pytest
from bs4 import BeautifulSoup, Tag
from nbformat.v4 import new_code_cell, new_notebook, new_output

from nexttoken import course

LOADED = ["script", "link", "img", "iframe", "source", "video", "audio"]


@pytest.fixture(scope="module")
def pages(built_site: Path) -> dict[Path, BeautifulSoup]:
    """Every page of the site; those below _static are pieces of the theme."""
    files = [file for file in built_site.rglob("*.html") if "_static" not in file.parts]
    return {file: BeautifulSoup(file.read_text(encoding="utf-8"), "html.parser") for file in files}


def text_of(element: Tag) -> str:
    return " ".join(element.get_text().replace("#", " ").split())


# Links and pictures


def test_every_link_and_every_anchor_resolves(pages: dict[Path, BeautifulSoup], built_site: Path) -> None:
    anchors = {file: {tag["id"] for tag in page.find_all(id=True)} for file, page in pages.items()}
    broken = []
    for file, page in pages.items():
        for tag in page.find_all(["a", "link", "script", "img", "source"]):
            address = tag.get("href") or tag.get("src") or ""
            parts = urlsplit(address)
            if parts.scheme or parts.netloc or not address:
                continue
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            fragment = unquote(parts.fragment)
            if not target.is_file() or (fragment and fragment not in anchors.get(target, {fragment})):
                broken.append((file.relative_to(built_site).as_posix(), address))
    assert broken == []


def test_nothing_is_loaded_from_another_host(pages: dict[Path, BeautifulSoup]) -> None:
    tags = [tag for page in pages.values() for tag in page.find_all(LOADED)]
    addresses = [tag.get("src") or tag.get("href") or "" for tag in tags]
    assert [a for a in addresses if a.startswith("//") or urlsplit(a).scheme in ("http", "https")] == []


def test_every_picture_says_what_it_shows(pages: dict[Path, BeautifulSoup]) -> None:
    def is_silent(image: Tag) -> bool:
        alt = image.get("alt")
        if "logo__image" in image.get("class", []):  # the title stands beside it
            return alt != ""
        return not alt or alt == image["src"] or bool(re.search(r"\.(png|svg|jpe?g|gif)$", alt))

    pictures = [(file.name, image) for file, page in pages.items() for image in page.find_all("img")]
    assert [(name, str(image)[:150]) for name, image in pictures if is_silent(image)] == []


def test_every_html_figure_is_on_the_site_with_its_words_and_in_a_notebook_these_words_alone(
    pages: dict[Path, BeautifulSoup], root: Path
) -> None:
    sources = "\n".join(file.read_text(encoding="utf-8") for file in root.glob("book/*.md"))
    said = dict(re.findall(r"^:class: html-figure-(\w+)\n(.+?)\n```", sources, re.MULTILINE | re.DOTALL))
    assert sorted(said) == sorted(file.stem for file in root.glob("book/_figures/*.html"))
    instead = [tag.text for page in pages.values() for tag in page.select("noscript, figure title")]
    assert [name for name, words in said.items() if " ".join(words.split()) not in instead] == []


def test_the_pages_that_are_notebooks_have_no_directive_that_jupyterlab_does_not_know(root: Path) -> None:
    """An unknown one is a red box there, which hides what stands in it."""
    known = {"admonition", "code-cell", "dropdown", "literalinclude"}
    for file in root.glob("book/*.md"):
        source = file.read_text(encoding="utf-8")
        used = set(re.findall(r"^[`:]{3,}\{([\w-]+)\}", source, re.MULTILINE))
        assert "code-cell" not in used or used <= known, file.name


def test_every_page_has_a_link_to_report_a_mistake(pages: dict[Path, BeautifulSoup]) -> None:
    counts = {file.name: len(page.select(".report-a-mistake a[href]")) for file, page in pages.items()}
    del counts["index.html"]  # sends the reader on to the front page
    assert set(counts.values()) == {1}, counts


def test_the_table_of_contents_lists_every_page(root: Path) -> None:
    listed = set(re.findall(r"(?:file|root): (\S+)", (root / "_toc.yml").read_text(encoding="utf-8")))
    written = [*root.glob("book/*.md"), *root.glob("exercises/*.ipynb")]
    assert listed == {file.relative_to(root).with_suffix("").as_posix() for file in written}


# Claims: the map on the front page and the boxes of the chapters


@pytest.fixture(scope="module")
def claim_map(pages: dict[Path, BeautifulSoup], built_site: Path) -> dict[str, tuple[str, str]]:
    """claim -> (its words, where its number links to) as the front page has it."""
    found = {}
    for item in pages[built_site / "book" / "intro.html"].select(".chapter-map li"):
        number, _, words = text_of(item).partition(": ")
        assert number not in found
        found[number] = (words, item.a["href"] if item.a else "")
    return found


@pytest.fixture(scope="module")
def claim_boxes(pages: dict[Path, BeautifulSoup], built_site: Path) -> list[tuple[str, str, str]]:
    """(claim, its words, page#anchor) of every box "The notes say"."""
    boxes = []
    for file, page in pages.items():
        for box in page.select(".admonition.claim"):
            title = text_of(box.select_one(".admonition-title"))
            number, words = re.fullmatch(r"The notes say \((N\d+)\): (.*)", title).groups()
            boxes.append((number, words, f"{file.name}#{box.get('id')}"))
    return boxes


def test_the_map_has_every_claim_of_the_notes(claim_map: dict[str, tuple[str, str]]) -> None:
    assert list(claim_map) == [f"N{number}" for number in range(1, 20)]


def test_every_claim_of_a_written_chapter_has_one_box_and_the_map_links_it(
    claim_map: dict[str, tuple[str, str]], claim_boxes: list[tuple[str, str, str]]
) -> None:
    linked = {(number, words.rstrip("."), link) for number, (words, link) in claim_map.items() if link}
    assert linked == {(number, words.rstrip("."), place) for number, words, place in claim_boxes}
    assert len(linked) == len(claim_boxes)


def test_the_map_links_the_written_chapters_and_says_so_of_the_others(
    pages: dict[Path, BeautifulSoup], built_site: Path
) -> None:
    cards = pages[built_site / "book" / "intro.html"].select(".chapter-map .sd-card")
    titles = [card.select_one(".sd-card-title a[href]") for card in cards]
    assert [title["href"] for title in titles if title] == [
        f"{chapter}.html" for chapter in course.chapters()
    ]
    for card, title in zip(cards, titles, strict=True):
        claims_linked = {bool(item.a) for item in card.select("li")}
        is_written = title is not None
        assert claims_linked == {is_written}, text_of(card)
        assert ("Not written yet" in text_of(card)) is not is_written, text_of(card)


def test_the_table_of_exercises_links_each_to_its_own_section(
    pages: dict[Path, BeautifulSoup], built_site: Path
) -> None:
    for chapter in course.chapters():
        notebook = pages[built_site / "exercises" / f"{chapter}.html"]
        links = pages[built_site / "book" / f"{chapter}.html"].select("table.exercises a")
        assert [text_of(link) for link in links] == [e.function for e in course.exercises(chapter)]
        for link in links:
            section = notebook.find(id=urlsplit(link["href"]).fragment)
            assert text_of(link) in text_of(section.find(re.compile(r"h\d"))), link


# Fingerprints: what has to be executed again

LAB = "nexttoken nexttoken/lab"
LOADER = f"{LAB} nexttoken/lab/checkpoints checkpoints/base-0 checkpoints/rounds-0"
FIRST = "nexttoken nexttoken/exercise nexttoken/first solutions/first"
SECOND = "nexttoken/second solutions/second"
JUDGED_BY = (
    "_toc exercises/first exercises/second solutions/misconceptions/first solutions/misconceptions/second"
)
GRADER = f"{FIRST} {SECOND} nexttoken/grading {JUDGED_BY}"


@pytest.fixture
def small_course(tmp_path: Path) -> Path:
    """A course with a lab, two chapters, and a grader."""
    files = {
        "src/nexttoken/__init__.py": "def check():\n    import nexttoken.grading\n",
        "src/nexttoken/exercise.py": "",
        "src/nexttoken/first.py": "from nexttoken.exercise import exercise\n",
        "src/nexttoken/second.py": "def late():\n    from . import first\n",
        "src/nexttoken/lab/__init__.py": "",
        "src/nexttoken/lab/plots.py": "import nexttoken.lab.colors\n",
        "src/nexttoken/lab/colors.py": "RED = 1\n",
        "src/nexttoken/lab/checkpoints.py": "",
        "src/nexttoken/lab/stages.py": "def base():\n    from nexttoken.lab import checkpoints\n",
        "src/nexttoken/grading/__init__.py": "",  # which imports the chapters by name, as ours does
        "checkpoints/base-0.safetensors": "",
        "checkpoints/rounds-0.json": "",
        "checkpoints/half.part": "",
        "solutions/first.py": "",
        "solutions/second.py": "",
        "solutions/misconceptions/first.py": "",
        "solutions/misconceptions/second.py": "",
        "exercises/first.ipynb": nbformat.writes(new_notebook(cells=[new_code_cell("f()", id="f-1")])),
        "exercises/second.ipynb": nbformat.writes(new_notebook()),
        "_toc.yml": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("import torch", ""),
        ("from nexttoken.lab import plots", f"{LAB} nexttoken/lab/plots nexttoken/lab/colors"),
        ("%time 1\nfrom nexttoken.lab.colors import RED", f"{LAB} nexttoken/lab/colors"),
        ("from nexttoken.first import f", FIRST),
        ("import nexttoken.second", f"{FIRST} {SECOND}"),
        ("from nexttoken import grading", GRADER),
        ("import nexttoken\nnexttoken.check()", GRADER),
        ("from nexttoken.lab import checkpoints", LOADER),
        ("from nexttoken.lab import stages", f"{LOADER} nexttoken/lab/stages"),
        ("this is not Python", ""),
    ],
)
def test_a_page_depends_on_what_its_cells_import_and_on_who_answers(
    cell: str, expected: str, small_course: Path
) -> None:
    found = fingerprint.dependencies([cell], small_course)
    names = {file.relative_to(small_course).with_suffix("").as_posix() for file in found}
    assert {re.sub(r"^src/|/__init__$", "", name) for name in names} == set(expected.split())


@pytest.mark.parametrize(
    ("edited", "is_seen"),
    [
        ("src/nexttoken/lab/colors.py", True),
        ("src/nexttoken/lab/plots.py", True),
        ("src/nexttoken/first.py", False),
        ("solutions/first.py", False),
        ("solutions/misconceptions/first.py", False),
        ("_toc.yml", False),
    ],
)
def test_an_edit_changes_the_fingerprint_of_the_pages_that_depend_on_it(
    edited: str, is_seen: bool, small_course: Path
) -> None:
    cells = ["from nexttoken.lab import plots"]
    before = fingerprint.fingerprint(cells, small_course)
    (small_course / edited).write_text("RED = 2\n")
    assert (fingerprint.fingerprint(cells, small_course) != before) is is_seen


@pytest.mark.parametrize(
    "edited",
    ["src/nexttoken/second.py", "solutions/second.py", "solutions/misconceptions/second.py", "_toc.yml"],
)
def test_a_page_that_judges_answers_depends_on_every_chapter(edited: str, small_course: Path) -> None:
    cells = ["from nexttoken import grading"]
    before = fingerprint.fingerprint(cells, small_course)
    (small_course / edited).write_text("RED = 2\n")
    assert fingerprint.fingerprint(cells, small_course) != before


def test_of_a_graded_notebook_the_cells_count_and_not_what_a_reader_has_run(small_course: Path) -> None:
    def kept(file: Path, source: str = "f()", **more: Any) -> str:
        file.write_text(nbformat.writes(new_notebook(cells=[new_code_cell(source, id="f-1", **more)])))
        return fingerprint.fingerprint(["from nexttoken import grading"], small_course)

    file = small_course / "exercises" / "first.ipynb"
    before = kept(file)
    assert kept(file, execution_count=7, outputs=[new_output("stream", text="1")]) == before
    assert kept(file, "g()") != before
    assert kept(file, metadata={"nexttoken": {"expected": "1"}}) != before


@pytest.mark.parametrize("made", ["base-0.safetensors", "rounds-0.json", "sft-0.safetensors"])
def test_what_was_made_ahead_changes_the_fingerprint_of_the_pages_that_can_load_it(
    made: str, small_course: Path
) -> None:
    loading, other = ["from nexttoken.lab import stages"], ["from nexttoken.lab import plots"]
    before = [fingerprint.fingerprint(cells, small_course) for cells in (loading, other)]
    (small_course / "checkpoints" / made).write_bytes(b"\x00\xff")
    assert fingerprint.fingerprint(loading, small_course) != before[0]
    assert fingerprint.fingerprint(other, small_course) == before[1]


def test_installing_a_library_that_a_page_can_do_without_changes_its_fingerprint(
    small_course: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (small_course / "src/nexttoken/lab/colors.py").write_text("def f():\n    import not_there_yet\n")
    with_it, other = ["from nexttoken.lab import plots"], ["from nexttoken.first import f"]
    before = [fingerprint.fingerprint(cells, small_course) for cells in (with_it, other)]
    (small_course / "not_there_yet.py").write_text("")
    monkeypatch.syspath_prepend(small_course)
    assert fingerprint.fingerprint(with_it, small_course) != before[0]
    assert fingerprint.fingerprint(other, small_course) == before[1]


def test_undoing_an_edit_gives_the_old_fingerprint_back(small_course: Path) -> None:
    cells, solution = ["from nexttoken.first import f"], small_course / "solutions" / "first.py"
    before = fingerprint.fingerprint(cells, small_course)
    solution.write_text("x = 1")
    assert fingerprint.fingerprint(cells, small_course) != before
    solution.write_text("")
    assert fingerprint.fingerprint(cells, small_course) == before


def test_only_notebooks_have_code_cells(tmp_path: Path) -> None:
    fence = "```{code-cell}\nimport nexttoken\n```\n"
    plain, notebook = tmp_path / "plain.md", tmp_path / "notebook.md"
    plain.write_text(f"# Title\n\n{fence}")
    notebook.write_text(f"---\nfile_format: mystnb\n---\n# Title\n\n{fence}")
    assert fingerprint.code_cells(plain) == []
    assert fingerprint.code_cells(notebook) == ["import nexttoken"]


# Styles and scripts


@pytest.mark.parametrize("change", ["edited", "renamed", "added", "deleted"])
def test_a_change_of_styles_changes_their_checksum_and_undoing_it_gives_the_old_one(
    change: str, tmp_path: Path
) -> None:
    style, other = tmp_path / "course.css", tmp_path / "live" / "other.js"
    style.write_text("p { color: red }")
    before = course_ext.static_checksum([tmp_path])
    if change == "edited":
        style.write_text("p { color: tan }")
    elif change == "renamed":
        style.rename(tmp_path / "new.css")
    elif change == "added":
        other.parent.mkdir()
        other.write_text("")
    else:
        style.unlink()
    assert course_ext.static_checksum([tmp_path]) != before
    (tmp_path / "new.css").unlink(missing_ok=True)
    other.unlink(missing_ok=True)
    style.write_text("p { color: red }")
    assert course_ext.static_checksum([tmp_path]) == before


# The address for reports


@pytest.mark.parametrize(
    ("remote", "address"),
    [
        ("https://forge.example.org/people/course.git", "https://forge.example.org/people/course"),
        ("https://me:secret@forge.example.org/people/course", "https://forge.example.org/people/course"),
        ("git@forge.example.org:people/course.git", "https://forge.example.org/people/course"),
        ("ssh://git@forge.example.org:2222/people/course.git", "https://forge.example.org/people/course"),
        ("/srv/course.git", None),
        ("file:///srv/course.git", None),
        ("http://localhost:3000/people/course", None),
        ("http://10.0.0.7/people/course", None),
        ("git@server:people/course.git", None),
        ("", None),
    ],
)
def test_only_a_public_address_is_linked_and_no_secret(remote: str, address: str | None) -> None:
    assert course_ext.public_address(remote) == address


def test_a_report_has_the_page_in_its_title() -> None:
    address = course_ext.report_address("https://forge.example.org/people/course", "book/intro")
    assert address == "https://forge.example.org/people/course/issues/new?title=Mistake%20in%20book/intro"
