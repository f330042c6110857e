"""`make new-exercise` lays out an exercise that holds together before a word of it was written."""

from dataclasses import replace

import nbformat
import pytest
from trees import NAMES, copy_of_course, taken_for_the_course

from nexttoken import course
from nexttoken.grading import mutants, scaffold

NEW = "autoregression.double"


@pytest.fixture
def here(tmp_path):
    """A copy that is the course in this process too, as far as files are concerned."""
    with taken_for_the_course(copy_of_course(tmp_path / "course")) as tree:
        yield tree


@pytest.fixture(scope="module")
def laid_out(tmp_path_factory):
    """A solved course with a new exercise in it, its outputs stored."""
    tree = copy_of_course(tmp_path_factory.mktemp("new") / "course").solve()
    tree.said = tree.python("-m", "nexttoken.grading.scaffold", NEW)
    tree.stored = tree.python("-m", "nexttoken.grading.storing", "autoregression")
    return tree


def test_it_says_which_files_it_has_changed_and_what_comes_next(laid_out):
    assert laid_out.said.returncode == 0, laid_out.said.stderr
    for file in (
        "src/nexttoken/autoregression.py",
        "solutions/autoregression.py",
        "exercises/autoregression.ipynb",
    ):
        assert file in laid_out.said.stdout
    assert "make exercises, make mutants" in laid_out.said.stdout


def test_the_new_exercise_is_a_stub_at_the_end_of_the_chapter(laid_out):
    text = laid_out.source().read_text()
    assert course.is_stub(text, "double")
    assert text.rstrip().endswith("# End of the exercises of this chapter.")


def test_the_files_are_formatted_as_the_course_s_own(laid_out):
    ruff = ("-m", "ruff", "format", "--check", "src", "solutions")
    done = laid_out.python(*ruff)
    assert done.returncode == 0, done.stdout + done.stderr


def test_its_cells_are_stored_and_the_others_are_as_before(laid_out):
    assert laid_out.stored.returncode == 0, laid_out.stored.stderr
    book = nbformat.read(laid_out.notebook(), as_version=4)
    nbformat.validate(book)
    assert len({cell.id for cell in book.cells}) == len(book.cells)
    expected = [
        cell.metadata["nexttoken"]["expected"]
        for cell in book.cells
        if cell.cell_type == "code" and cell.metadata.get("nexttoken", {}).get("exercise") == NEW
    ]
    assert expected[0].endswith("float64 (2,)\n  2.0000  4.0000\n")


def test_its_blank_reference_and_wrong_answers_are_judged_rightly_at_once(laid_out):
    code = """
from nexttoken.grading import mutants
print([mutants.verdict_on(m).message for m in mutants.mutants("autoregression")
       if m.exercise == "autoregression.double" and not m.caught(mutants.verdict_on(m))])
"""
    done = laid_out.python("-c", code)
    assert done.stdout == "[]\n", done.stderr


def test_its_files_end_with_the_fixed_lines_that_keep_merges_clean(laid_out):
    for file, what in [
        (laid_out.source(), "exercises"),
        (laid_out.folder / "solutions" / "autoregression.py", "references"),
        (laid_out.folder / "solutions" / "misconceptions" / "autoregression.py", "misconceptions"),
    ]:
        assert file.read_text().endswith(f"\n\n\n# End of the {what} of this chapter.\n")


def test_a_reader_sees_it_as_one_more_to_do(laid_out):
    found = laid_out.check()
    assert list(found) == [*NAMES, NEW]
    assert found[NEW]["state"] == "not done yet"
    assert {found[name]["state"] for name in NAMES} == {"right"}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "say chapter.function"),
        ("autoregression", "say chapter.function"),
        ("autoregression.two words", "say chapter.function"),
        ("autoregression.class", "say chapter.function"),
        ("nowhere.double", "There is no chapter 'nowhere'"),
        ("autoregression.perplexity", "There is an exercise autoregression.perplexity already"),
    ],
)
def test_a_name_that_will_not_do_is_refused_and_nothing_is_written(name, message, here):
    before = here.source().read_text(), here.notebook().read_text()
    with pytest.raises((ValueError, course.UnknownName), match=message):
        scaffold.lay_out(name)
    assert (here.source().read_text(), here.notebook().read_text()) == before


@pytest.mark.parametrize("part", ["src/nexttoken", "solutions", "solutions/misconceptions"])
def test_where_a_file_has_lost_its_last_line_nothing_is_written(part, here):
    file = here.folder / part / "autoregression.py"
    file.write_text(file.read_text().rpartition("# End of the")[0])
    before = {path: path.read_text() for path in here.folder.rglob("*.py")}
    with pytest.raises(ValueError, match="has lost its last line"):
        scaffold.lay_out(NEW)
    assert {path: path.read_text() for path in here.folder.rglob("*.py")} == before


def test_a_refusal_is_one_line(here):
    done = here.python("-m", "nexttoken.grading.scaffold", "nowhere.double")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(("sentence", "code"), [("", 1), (None, 0)], ids=["one misjudged", "none misjudged"])
def test_make_mutants_fails_when_a_single_answer_is_misjudged(monkeypatch, capsys, sentence, code):
    known = [
        mutant for mutant in mutants.mutants("autoregression") if mutant.exercise.endswith(".perplexity")
    ]
    last = known[-1] if sentence is None else replace(known[-1], sentence=sentence)
    monkeypatch.delenv("NEXTTOKEN_REFERENCE", raising=False)
    monkeypatch.setattr(mutants, "mutants", lambda chapter: [known[0], last])
    monkeypatch.setattr("sys.argv", ["mutants", "autoregression"])
    with pytest.raises(SystemExit) as end:
        mutants.main()
    assert end.value.code == code
    assert f"2 answers judged, {code} misjudged." in capsys.readouterr().out
