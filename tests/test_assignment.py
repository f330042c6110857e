"""A hand-out holds no answer, and a learner gets through it, from the first command to the marks."""

import json
import re
import shutil
import subprocess
import sys
import zipfile

import pytest
from classes import Classroom, environment
from trees import Tree, reference_body

from nexttoken import course
from nexttoken.classroom import assignment

CHAPTERS = ("embeddings", "attention")
pytestmark = pytest.mark.timeout(400)


def made(folder, chapters=CHAPTERS, site=None):
    return assignment.make(folder, chapters, "Week 3", site)


@pytest.fixture(scope="module")
def hand_out(tmp_path_factory):
    return made(tmp_path_factory.mktemp("hand-out") / "week3")


def lines_of_answers(chapters):
    """Lines that only the references have: long ones, of bodies of two lines or more."""
    handed_out = [course.source_file(c).read_text(encoding="utf-8") for c in course.chapters()]
    pages = [(course.root() / "book" / f"{c}.md").read_text(encoding="utf-8") for c in course.chapters()]
    books = [course.notebook_file(c).read_text(encoding="utf-8") for c in course.chapters()]
    known = "\n".join([*handed_out, *pages, *books])
    for chapter in chapters:
        for found in course.exercises(chapter):
            body = [line.strip() for line in reference_body(found.name).splitlines()]
            yield from (
                line
                for line in body
                if len(line) > 40 and json.dumps(line)[1:-1] not in known and line not in known
            )


def test_no_answer_is_in_it(hand_out):
    text = "\n".join(
        file.read_text(encoding="utf-8", errors="ignore")
        for file in hand_out.rglob("*")
        if file.is_file() and file.suffix in (".py", ".md", ".ipynb", ".html", ".txt", ".js")
    )
    lines = set(lines_of_answers(CHAPTERS))
    assert len(lines) > 10
    assert [line for line in lines if line in text] == []
    assert not (hand_out / "solutions").exists()
    assert "literalinclude} ../solutions/attention" not in text


def test_the_chosen_chapters_are_unfinished_and_those_before_are_solved(hand_out):
    for chapter in course.chapters():
        text = (hand_out / "src" / "nexttoken" / f"{chapter}.py").read_text(encoding="utf-8")
        stubs = {course.is_stub(text, found.function) for found in course.exercises(chapter)}
        assert stubs == {chapter != "autoregression"}, chapter


def test_only_the_chosen_chapters_have_exercises(hand_out):
    listed = re.findall(r"exercises/(\w+)", (hand_out / "_toc.yml").read_text(encoding="utf-8"))
    assert tuple(listed) == CHAPTERS
    assert {file.stem for file in (hand_out / "exercises").glob("*.ipynb")} == set(CHAPTERS)


def test_the_lab_opens_on_a_notebook_that_is_there(hand_out):
    said = subprocess.run(
        ["make", "-n", "lab"], cwd=hand_out, capture_output=True, text=True, check=True
    ).stdout
    named = re.findall(r"exercises/\S+", said)
    assert named
    assert [name for name in named if not (hand_out / name).is_file()] == []


def test_every_link_of_its_first_page_leads_somewhere(hand_out):
    readme = (hand_out / "README.md").read_text(encoding="utf-8")
    assert readme.startswith("# Week 3\n")
    for link in re.findall(r"\]\(([^)#:]+)\)", readme):
        assert (hand_out / link).exists(), link


def test_a_solved_course_is_handed_out_unsolved(tmp_path, monkeypatch):
    solved = tmp_path / "attention.py"
    solved.write_text(
        course.source_file("attention")
        .read_text(encoding="utf-8")
        .replace("raise NotImplementedError", "return 1")
    )
    real = course.source_file
    monkeypatch.setattr(
        course, "source_file", lambda chapter: solved if chapter == "attention" else real(chapter)
    )
    assert "return 1" not in assignment.stubs("attention")


def test_a_learner_gets_through_it_to_the_marks(need, hand_out, tmp_path):
    """Checks, writes the answers, checks again, runs the notebook, zips the folder, and gets the points."""
    need("bubblewrap")
    tree = Tree(shutil.copytree(hand_out, tmp_path / "week3"))
    assert {found["state"] for found in tree.check().values()} == {"not done yet"}
    hint = tree.run("hint", "attention.softmax")
    assert hint.returncode == 0, hint.stderr
    tree.answer({found.name: reference_body(found.name) for found in course.exercises("attention")})
    assert {found["state"] for found in tree.check("attention").values()} == {"right"}
    assert all(tree.nbval("attention").values())
    classroom = Classroom(tmp_path / "class")
    classroom.submissions.mkdir(parents=True)
    shutil.make_archive(str(classroom.submissions / "jane"), "zip", tree.folder.parent, tree.folder.name)
    classroom.grade(chapters=",".join(CHAPTERS))
    assert (classroom.grades()["jane"]["attention"], classroom.grades()["jane"]["embeddings"]) == ("13", "0")


def page_with_references(functions):
    block = (
        '<details class="a"><summary><span>Reference: <code class="b"><span class="pre">{}</span></code></span></summary>'
        "<pre>the answer to {}</pre></details>"
    )
    answer = '<details class="a"><summary>Answer</summary>why</details>'
    text = "<p>The references are here for afterwards. Really.</p>"
    return answer + text + "\n".join(block.format(name, name) for name in functions) + answer


@pytest.fixture
def site(tmp_path):
    book = tmp_path / "site" / "book"
    book.mkdir(parents=True)
    (tmp_path / "site" / "index.html").write_text("<p>hello</p>")
    for chapter in course.chapters():
        functions = [found.function for found in course.exercises(chapter)]
        (book / f"{chapter}.html").write_text(page_with_references(functions), encoding="utf-8")
    return tmp_path / "site"


def test_the_site_comes_along_without_the_references(site, tmp_path):
    folder = made(tmp_path / "out", ("attention",), site)
    text = (folder / "site" / "book" / "attention.html").read_text(encoding="utf-8")
    assert "the answer to" not in text
    assert text.count("Answer") == 2
    assert "The references are not part of this hand-out." in text
    assert "the answer to" in (folder / "site" / "book" / "autoregression.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["week3", "week3.zip"])
def test_a_site_of_which_that_is_not_sure_is_refused_and_nothing_is_left(site, tmp_path, name):
    (site / "book" / "attention.html").write_text("<p>the answer, in other clothes</p>")
    folder = tmp_path / "hand-outs"
    for _ in range(2):
        with pytest.raises(ValueError, match="cannot be made sure"):
            made(folder / name, ("attention",), site)
        assert list(folder.iterdir()) == []


def test_the_built_site_can_be_handed_out(built_site, tmp_path):
    folder = made(tmp_path / "out", CHAPTERS, built_site)
    assert (folder / "site" / "index.html").is_file()
    assert "Reference: " not in (folder / "site" / "book" / "attention.html").read_text(encoding="utf-8")


def test_the_command_makes_a_zip_file_and_overwrites_nothing(tmp_path):
    command = [sys.executable, "-m", "nexttoken.cli", "assignment", str(tmp_path / "week3.zip"), "--no-site"]
    options = {"env": environment(), "capture_output": True, "text": True, "check": False, "timeout": 60}
    assert subprocess.run([*command, "--chapters", "attention"], **options).returncode == 0
    names = zipfile.ZipFile(tmp_path / "week3.zip").namelist()
    assert "week3/src/nexttoken/attention.py" in names
    assert not any("solutions/" in name for name in names)
    again = subprocess.run(command, **options)
    assert again.returncode == 2
    assert "already" in again.stderr
