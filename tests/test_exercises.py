"""What holds for the exercises of every chapter: stub, reference and misconceptions fit together.

A chapter's own test file lists, as `ARGUMENTS`, the calls on which its misconceptions are told apart.
"""

import ast
import builtins
import importlib
import inspect
from functools import cache
from pathlib import Path

import pytest

from nexttoken import course, exercise
from nexttoken.grading.outcome import Call, difference, outcome

for chapter in course.chapters():
    importlib.import_module(f"nexttoken.{chapter}")

CHAPTERS = course.chapters()
NAMES = sorted(exercise.EXERCISES)


@pytest.fixture(autouse=True)
def _earlier_chapters_are_answered_by_the_references(monkeypatch):
    monkeypatch.setenv("NEXTTOKEN_REFERENCE", "1")


@cache
def misconceptions(chapter):
    """Every wrong answer of a chapter by its name, `<exercise>__<what_is_wrong>`."""
    module = exercise.load_file(course.misconceptions_file(chapter), f"misconceptions_of_{chapter}")
    functions = inspect.getmembers(module, inspect.isfunction)
    return {name: function for name, function in functions if function.__module__ == module.__name__}


def wrong_answers(name):
    """The wrong answers to one exercise."""
    chapter, _, function = name.partition(".")
    return {key: wrong for key, wrong in misconceptions(chapter).items() if key.startswith(f"{function}__")}


@cache
def file_of(chapter):
    """The chapter's test file."""
    return exercise.load_file(Path(__file__).with_name(f"test_{chapter}.py"), f"arguments_of_{chapter}")


@cache
def calls(name):
    """The calls that the chapter's test file lists for one exercise."""
    chapter, _, function = name.partition(".")
    return [Call(make()) for make in file_of(chapter).ARGUMENTS[function]]


def raised_on_purpose(name):
    """The exception that a call of this exercise lets through, if its chapter's test file names one."""
    chapter, _, function = name.partition(".")
    return getattr(file_of(chapter), "RAISES", {}).get(function, ())


@cache
def outcomes(name):
    """For each call: what the reference (None) and every wrong answer to the exercise make of it."""
    functions = {None: exercise.reference(name), **wrong_answers(name)}
    return [{key: outcome(function, call) for key, function in functions.items()} for call in calls(name)]


ALL_MISCONCEPTIONS = [(name, wrong) for name in NAMES for wrong in wrong_answers(name)]


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_the_registry_the_file_and_the_solutions_list_the_same_exercises(chapter):
    registered = {name for name in NAMES if name.startswith(f"{chapter}.")}
    solved = ast.parse(course.solution_file(chapter).read_text(encoding="utf-8")).body
    functions = {node.name for node in solved if isinstance(node, ast.FunctionDef)}
    assert registered == {found.name for found in course.exercises(chapter)}
    assert registered == {f"{chapter}.{function}" for function in functions if not function.startswith("_")}


@pytest.mark.parametrize("name", NAMES)
def test_stub_and_solution_have_the_same_signature(name):
    # As text: with jaxtyping's annotations two equal signatures never compare equal.
    stub, solution = inspect.unwrap(exercise.EXERCISES[name]), inspect.unwrap(exercise.reference(name))
    assert str(inspect.signature(stub)) == str(inspect.signature(solution))


@pytest.mark.parametrize("name", NAMES)
def test_the_meaning_is_written_once_in_the_stub(name):
    docstring = exercise.EXERCISES[name].__doc__ or ""
    assert ">>>" in docstring
    assert "Source:" in docstring
    assert exercise.reference(name).__doc__ is None


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_the_last_line_is_fixed_so_that_merges_at_the_end_stay_clean(chapter):
    for file, what in [
        (course.source_file(chapter), "exercises"),
        (course.solution_file(chapter), "references"),
        (course.misconceptions_file(chapter), "misconceptions"),
    ]:
        last_lines = f"\n\n\n# End of the {what} of this chapter.\n"
        assert file.read_text(encoding="utf-8").endswith(last_lines), file


@pytest.mark.parametrize("name", NAMES)
def test_the_reference_leaves_its_arguments_as_they_were(name):
    for number, of_this_call in enumerate(outcomes(name)):
        error = of_this_call[None].error
        assert error is None or isinstance(error, raised_on_purpose(name)), number
        assert of_this_call[None].changed == [], number


@pytest.mark.parametrize("name", NAMES)
def test_an_exercise_has_at_least_three_misconceptions(name):
    assert len(wrong_answers(name)) >= 3


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_misconception_belongs_to_an_exercise(chapter):
    assert {f"{chapter}.{key.partition('__')[0]}" for key in misconceptions(chapter)} <= set(NAMES)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_misconception_has_a_sentence_of_its_own(chapter):
    sentences = [" ".join((wrong.__doc__ or "").split()) for wrong in misconceptions(chapter).values()]
    assert all(sentence.endswith((".", ".)")) and len(sentence.split()) > 5 for sentence in sentences)
    assert len(set(sentences)) == len(sentences)


@pytest.mark.parametrize(("name", "wrong"), ALL_MISCONCEPTIONS)
def test_a_misconception_can_be_put_into_the_stub(name, wrong):
    chapter, _, function = name.partition(".")
    mistaken = wrong_answers(name)[wrong]
    parameters = inspect.signature(inspect.unwrap(exercise.EXERCISES[name])).parameters
    assert [(p.name, p.default) for p in inspect.signature(mistaken).parameters.values()] == [
        (p.name, p.default) for p in parameters.values()
    ]
    body = course.body_of(course.misconceptions_file(chapter).read_text(encoding="utf-8"), wrong)
    spliced = course.replace_body(course.source_file(chapter).read_text(encoding="utf-8"), function, body)
    compile(spliced, wrong, "exec")
    nodes = [node for node in ast.walk(ast.parse(body)) if isinstance(node, ast.Name)]
    used = {node.id for node in nodes if isinstance(node.ctx, ast.Load)}
    known = {node.id for node in nodes if isinstance(node.ctx, ast.Store)} | set(parameters)
    stub_module = importlib.import_module(f"nexttoken.{chapter}")
    assert used <= known | set(vars(stub_module)) | set(dir(builtins))


@pytest.mark.parametrize(("name", "wrong"), ALL_MISCONCEPTIONS)
def test_a_misconception_differs_from_the_reference_and_from_each_other_one_in_some_call(name, wrong):
    # Compared as `check` compares, so that this also says which sentence a reader gets.
    alike = []
    for of_this_call in outcomes(name):
        others = {key: found for key, found in of_this_call.items() if key != wrong}
        alike.append({key for key, found in others.items() if difference(found, of_this_call[wrong]) is None})
    always = set.intersection(*alike)
    assert not always, f"in each call it does the same as these (None: the reference): {always}"
