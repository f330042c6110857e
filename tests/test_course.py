"""What the course knows of itself from its files alone, and who answers a call of an exercise."""

import importlib
import inspect
import os
import subprocess
import sys

import pytest
import torch
from trees import (
    CHAPTER,
    NAMES,
    ROOT,
    copy_of_course,
    misconception_bodies,
    reference_body,
    taken_for_the_course,
)

from nexttoken import course, exercise
from nexttoken.autoregression import perplexity

STUB = course.STUB
QUARTERS = torch.tensor([0.25, 0.25]).log()
TWO_CHAPTERS = """format: jb-book
parts:
  - chapters:
      - file: exercises/autoregression
      - file: exercises/attention
"""
SOURCE = '''import math


@exercise(points=1, minutes=10)
def documented(x):
    """What it does.

    >>> documented(1)
    """
    raise NotImplementedError


@exercise(
    points=2,
    minutes=5,
)
@functools.cache
def several_lines(
    x: "Float[Tensor, ' time']",
    y: int = 3,  # a comment (with a bracket
) -> tuple[int, int]:
    # why it is done so

    return x, y


def one_line(x): return x


# The last line.
'''


@pytest.fixture
def tree(tmp_path):
    return copy_of_course(tmp_path / "course")


@pytest.fixture
def here(tree):
    """The copy is the course in this process too, as far as files are concerned."""
    with taken_for_the_course(tree):
        yield tree


@pytest.fixture
def answered(monkeypatch):
    """`answered(name, function)`: in this process the reader has written that function."""
    monkeypatch.delenv("NEXTTOKEN_REFERENCE", raising=False)

    def put_in(name, function):
        monkeypatch.setitem(exercise.EXERCISES, name, function)

    for name in NAMES:
        put_in(name, blank)
    with exercise.rules_restored():
        yield put_in


def blank(*args, **kwargs):
    raise NotImplementedError


# The files


def test_importing_the_course_does_not_import_torch():
    code = "import sys, nexttoken.course, nexttoken.cli; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_exercise_says_where_its_def_stands(here):
    found = course.exercise_named("autoregression.perplexity")
    assert here.source().read_text().splitlines()[found.line - 1].startswith("def perplexity(")
    assert found.where == f"src/nexttoken/autoregression.py, line {found.line}"
    assert (found.points, found.minutes, found.chapter) == (1, 5, CHAPTER)


def test_a_plain_name_will_do_where_one_chapter_has_it(here):
    assert course.exercise_named("perplexity") == course.exercise_named("autoregression.perplexity")


def test_a_plain_name_of_two_chapters_is_not_guessed(here):
    (here.folder / "_toc.yml").write_text(TWO_CHAPTERS)
    here.source("attention").write_text(here.source().read_text())
    with pytest.raises(course.UnknownName, match=r"autoregression\.perplexity, attention\.perplexity"):
        course.exercise_named("perplexity")


def test_the_chapters_are_in_the_order_of_the_table_of_contents(here):
    (here.folder / "_toc.yml").write_text(TWO_CHAPTERS)
    assert course.chapters() == ("autoregression", "attention")


@pytest.mark.parametrize(
    ("wrong", "near"),
    [
        ("perplexty", "autoregression.perplexity"),
        ("autoregresion", "autoregression"),
        ("attention.keep_top_p", "autoregression.keep_top_p"),
        ("autoregression.top_k", "autoregression.keep_top_k"),
    ],
)
def test_an_unknown_name_is_met_with_the_nearest_ones(here, wrong, near):
    with pytest.raises(course.UnknownName, match="Did you mean") as error:
        course.selection(wrong)
    assert near in error.value.args[0].replace("?", "").split()


def test_a_name_like_no_other_is_met_with_the_chapters(here):
    with pytest.raises(course.UnknownName, match="The chapters are: autoregression"):
        course.selection("xyzzy")


def test_no_name_selects_everything_and_a_chapter_its_exercises(here):
    assert [e.name for e in course.selection(None)] == NAMES
    assert [e.name for e in course.selection(CHAPTER)] == NAMES
    assert [e.name for e in course.selection("generate")] == ["autoregression.generate"]


def test_a_file_that_python_can_read_has_no_syntax_error(here):
    assert course.syntax_error(CHAPTER) is None


@pytest.mark.parametrize(
    "broken",
    [b"    return (1\n", b"\tif x\n", b"    x = 'na\xefve'\n", b"    x = 1\0\n"],
    ids=["a bracket left open", "no colon", "not UTF-8", "a null byte"],
)
def test_a_broken_file_still_lists_its_exercises(here, broken):
    stub = f"    {STUB}\n".encode()
    start, rest = here.source().read_bytes().split(stub, 1)
    here.source().write_bytes(start + broken + rest)
    error = course.syntax_error(CHAPTER)
    assert error is not None
    assert error.filename == str(here.source())
    assert [e.name for e in course.exercises(CHAPTER)] == NAMES


def test_a_syntax_error_is_located(here):
    here.answer({"perplexity": "return 1"})
    here.edit("    return 1\n", "    return = 1\n")
    line = here.source().read_text().splitlines().index("    return = 1") + 1
    assert course.syntax_error(CHAPTER).lineno == line


def test_a_byte_order_mark_from_windows_is_no_syntax_error(here):
    here.source().write_bytes(b"\xef\xbb\xbf" + here.source().read_bytes())
    assert course.syntax_error(CHAPTER) is None


def test_a_folder_without_the_course_is_refused_with_the_way_out(tmp_path):
    code = "from nexttoken import course; course.root()"
    environment = os.environ | {"NEXTTOKEN_ROOT": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert "does not hold the course" in done.stderr
    assert "pip install -e ." in done.stderr


# Bodies


@pytest.mark.parametrize("function", ["documented", "several_lines", "one_line"])
@pytest.mark.parametrize(
    "body",
    [
        "return 1",
        "# why\nx = 1\n\nif x:\n    return x  # because\nreturn None",
        'text = """\n  two lines\n"""\nreturn text',
        "return 'é' + '\\x0c'",
        "pass  # a form feed \x0c in a comment",
    ],
    ids=["one line", "comments and blank lines", "a string of several lines", "accents", "form feed"],
)
def test_a_body_comes_back_as_it_was_put_in(function, body):
    replaced = course.replace_body(SOURCE, function, body)
    assert course.body_of(replaced, function) == body
    compile(replaced, "replaced", "exec")


@pytest.mark.parametrize("function", ["documented", "several_lines", "one_line"])
def test_replacing_a_body_leaves_all_other_lines_alone(function):
    answered = course.replace_body(SOURCE, function, "return 'mine'")
    undone = course.replace_body(answered, function, course.body_of(SOURCE, function))
    assert undone.replace("(x):\n    return x\n", "(x): return x\n") == SOURCE
    others = {"documented", "several_lines", "one_line"} - {function}
    assert all(course.body_of(answered, other) == course.body_of(SOURCE, other) for other in others)


def test_putting_the_stub_back_undoes_an_answer():
    answered = course.replace_body(SOURCE, "documented", "x = 2\nreturn x  # mine")
    assert course.replace_body(answered, "documented", None) == SOURCE


def test_the_comment_above_the_first_statement_belongs_to_the_body():
    assert course.body_of(SOURCE, "several_lines") == "# why it is done so\n\nreturn x, y"


def test_a_signature_on_the_line_of_the_body_survives():
    assert "def one_line(x):\n    return 5\n" in course.replace_body(SOURCE, "one_line", "return 5")


@pytest.mark.parametrize("name", NAMES)
def test_a_reference_survives_the_way_into_the_stub_and_out(name):
    function = name.partition(".")[2]
    source = course.replace_body(
        (ROOT / "src/nexttoken/autoregression.py").read_text(), function, reference_body(name)
    )
    assert course.body_of(source, function) == reference_body(name)


def test_an_unknown_function_is_refused():
    with pytest.raises(LookupError, match="no function 'documnted'"):
        course.replace_body(SOURCE, "documnted", None)


@pytest.mark.parametrize("name", NAMES)
def test_reading_the_file_and_asking_the_function_agree_on_what_is_unfinished(name, tree, answered):
    function = name.partition(".")[2]
    for body, done in [
        (None, False),
        (f"# I shall do this tomorrow\n{STUB}  # tomorrow", False),
        (reference_body(name), True),
        *((wrong, True) for wrong in misconception_bodies(name).values()),
    ]:
        text = tree.answer({name: body}).source().read_text()
        exercise.load_file(tree.source(), f"spliced.{CHAPTER}")
        assert course.is_stub(text, function) is not done, body
        assert exercise.is_done(name) is done, body


# Who answers


def test_an_unfinished_exercise_says_what_to_open_and_how_to_get_a_hint(answered):
    with pytest.raises(exercise.NotDoneYet) as error:
        perplexity(QUARTERS)
    assert str(error.value) == (
        f"autoregression.perplexity is not done yet: {course.exercise_named('autoregression.perplexity').where}. "
        "Notebook: exercises/autoregression.ipynb. A hint: nexttoken hint autoregression.perplexity"
    )


def test_not_done_yet_is_what_a_stub_would_have_raised():
    assert issubclass(exercise.NotDoneYet, NotImplementedError)


def test_yours_answers_by_default(answered):
    answered("autoregression.perplexity", lambda log_probabilities: "mine")
    assert perplexity(QUARTERS) == "mine"


def test_an_error_of_torch_is_not_taken_for_an_unfinished_exercise(answered):
    answered("autoregression.perplexity", lambda log_probabilities: torch.nn.Module()(log_probabilities))
    with exercise.stand_in(), pytest.raises(NotImplementedError, match="forward") as error:
        perplexity(QUARTERS)
    assert error.type is not exercise.NotDoneYet


def test_the_reference_stands_in_for_what_is_unfinished_only_inside(answered):
    with exercise.stand_in():
        assert perplexity(QUARTERS).item() == pytest.approx(4)
    with pytest.raises(exercise.NotDoneYet):
        perplexity(QUARTERS)


def test_nothing_stands_in_for_what_is_finished_even_if_it_is_wrong(answered):
    answered("autoregression.perplexity", lambda log_probabilities: "mine")
    with exercise.stand_in():
        assert perplexity(QUARTERS) == "mine"


def test_stand_in_ends_with_an_error_too(answered):
    with pytest.raises(ZeroDivisionError), exercise.stand_in():
        raise ZeroDivisionError
    with pytest.raises(exercise.NotDoneYet):
        perplexity(QUARTERS)


def test_the_chapter_that_is_graded_is_yours(answered):
    exercise.grade_chapter(CHAPTER)
    with pytest.raises(exercise.NotDoneYet):
        perplexity(QUARTERS)


def test_another_chapter_is_answered_by_the_reference_while_one_is_graded(answered):
    answered("autoregression.perplexity", lambda log_probabilities: "wrong")
    exercise.grade_chapter("attention")
    assert perplexity(QUARTERS).item() == pytest.approx(4)


def test_the_reference_answers_everywhere_if_the_variable_says_so(answered, monkeypatch):
    answered("autoregression.perplexity", lambda log_probabilities: "mine")
    exercise.grade_chapter(CHAPTER)
    monkeypatch.setenv("NEXTTOKEN_REFERENCE", "1")
    assert perplexity(QUARTERS).item() == pytest.approx(4)


def test_an_edit_is_seen_through_a_name_imported_before_the_reload(tree):
    code = """
import importlib, pathlib, torch
from nexttoken import autoregression
from nexttoken.autoregression import perplexity
before = perplexity
file = pathlib.Path(autoregression.__file__)
def save(text):
    file.write_text(text)
    importlib.invalidate_caches()
    importlib.reload(autoregression)
from nexttoken import course
for body in ("return 'first'", "return 'second, longer'", None):
    save(course.replace_body(file.read_text(), "perplexity", body))
    try:
        print(before(torch.zeros(1)))
    except NotImplementedError as error:
        print(type(error).__name__)
"""
    done = tree.python("-c", code)
    assert done.stdout.split("\n") == ["first", "second, longer", "NotDoneYet", ""], done.stderr


def test_a_wrong_argument_is_named_with_its_value_before_any_body_runs(answered):
    answered("autoregression.perplexity", lambda log_probabilities: pytest.fail("the body ran"))
    with pytest.raises(ValueError, match=r"^perplexity: log_probabilities must not be empty, got nothing$"):
        perplexity(QUARTERS[:0])


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        ("bigram_counts", (torch.tensor([0, 3]), 3), "ids must hold ids from 0 to 2, got 3"),
        ("bigram_counts", (torch.tensor([0, -1]), 3), "ids must hold ids from 0 to 2, got -1"),
        ("bigram_counts", (torch.tensor([], dtype=torch.long), 0), "vocab_size must be at least 1, got 0"),
        ("bigram_probabilities", (torch.zeros(2, 2), -0.5), "smoothing must be at least 0, got -0.5"),
        ("bigram_probabilities", (torch.zeros(2, 2), float("nan")), "smoothing must be at least 0, got nan"),
        (
            "conditional_entropy",
            (torch.tensor([1, 2]), 2),
            r"order must be less than the length of ids \(2\), got 2",
        ),
        ("next_token_windows", (torch.tensor([1, 2]), 0), "context must be at least 1, got 0"),
        (
            "sequence_log_probability",
            (torch.zeros(1, 2), torch.tensor([2])),
            "targets must hold ids from 0 to 1, got 2",
        ),
        ("apply_temperature", (torch.zeros(2), -1), "temperature must be at least 0, got -1"),
        ("keep_top_k", (torch.zeros(2), 0), "k must be at least 1, got 0"),
        ("keep_top_p", (torch.zeros(2), 1.5), r"p must lie in \[0, 1\], got 1.5"),
        ("generate", (len, torch.tensor([1]), -1, len), "max_new_tokens must be at least 0, got -1"),
    ],
)
def test_a_precondition_holds_for_the_reference_too(function, arguments, message, monkeypatch):
    monkeypatch.setenv("NEXTTOKEN_REFERENCE", "1")
    called = getattr(importlib.import_module("nexttoken.autoregression"), function)
    with pytest.raises(ValueError, match=f"^{function}: {message}$"):
        called(*arguments)


def test_the_wrapper_keeps_name_signature_and_docstring():
    assert perplexity.__name__ == "perplexity"
    assert list(inspect.signature(perplexity).parameters) == ["log_probabilities"]
    assert ">>> perplexity(" in perplexity.__doc__


# References


def test_a_reference_is_read_again_when_its_file_has_changed(here):
    name = "autoregression.perplexity"
    first = exercise.reference(name)
    assert exercise.reference(name) is first
    file = course.solution_file(CHAPTER)
    file.write_text(file.read_text().replace("(-log_probabilities.mean()).exp()", "'changed'"))
    os.utime(file, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns + 1))
    assert exercise.reference(name)(QUARTERS) == "changed"


def test_a_reference_comes_from_its_path_and_not_from_a_module_of_that_name(here, monkeypatch):
    monkeypatch.setitem(sys.modules, "solutions", None)
    file = inspect.getsourcefile(exercise.reference("autoregression.perplexity"))
    assert file == str(course.solution_file(CHAPTER))


def test_without_solutions_a_reference_is_refused_in_words(here):
    course.solution_file(CHAPTER).unlink()
    with pytest.raises(exercise.NoReference, match=r"no solutions/autoregression\.py"):
        exercise.reference("autoregression.perplexity")


def test_without_solutions_other_chapters_are_yours(here, answered):
    course.solution_file(CHAPTER).unlink()
    answered("autoregression.perplexity", lambda log_probabilities: "mine")
    exercise.grade_chapter("attention")
    assert perplexity(QUARTERS) == "mine"


def test_without_solutions_nothing_can_stand_in(here, answered):
    course.solution_file(CHAPTER).unlink()
    with exercise.stand_in(), pytest.raises(exercise.NotDoneYet):
        perplexity(QUARTERS)


def test_rules_restored_puts_back_every_rule(answered):
    with exercise.rules_restored():
        exercise.grade_chapter("attention")
        exercise.let_reference_stand_in()
        exercise.answer_with({"autoregression.perplexity": lambda log_probabilities: "instead"})
        assert perplexity(QUARTERS) == "instead"
    with pytest.raises(exercise.NotDoneYet):
        perplexity(QUARTERS)


def test_settled_it_is_decided_once_who_answers(answered):
    answered("autoregression.perplexity", lambda log_probabilities: "mine")
    with exercise.settled():
        answered("autoregression.perplexity", lambda log_probabilities: "later")
        assert perplexity(QUARTERS) == "mine"
        exercise.answer_with({"autoregression.perplexity": lambda log_probabilities: "instead"})
        assert perplexity(QUARTERS) == "instead"
    assert perplexity(QUARTERS) == "later"


def test_settled_an_unfinished_exercise_is_refused_only_when_it_is_called(answered):
    with exercise.settled(), pytest.raises(exercise.NotDoneYet, match="nexttoken hint"):
        perplexity(QUARTERS)
