"""The command line as people and scripts meet it: exit codes, words, and files that are never lost."""

import json

import pytest
from trees import NAMES, copy_of_course, reference_body, taken_for_the_course, words

from nexttoken import answers, course

PERPLEXITY = "autoregression.perplexity"
FIELDS = {
    "exercise": str,
    "points": int,
    "minutes": int,
    "where": str,
    "state": str,
    "message": str,
    "call": str,
    "got": str,
    "expected": str,
    "misconception": str,
    "printed": str,
    "earned": int,
}


@pytest.fixture
def tree(tmp_path):
    return copy_of_course(tmp_path / "course")


@pytest.fixture(scope="module")
def half_solved(tmp_path_factory):
    """One right answer, one wrong, eight to do. The tests that use it change nothing."""
    tree = copy_of_course(tmp_path_factory.mktemp("half") / "course").solve(PERPLEXITY)
    return tree.answer({"keep_top_k": "return logits"})


def backups(tree):
    return sorted((tree.folder / ".nexttoken" / "backups").glob("*.py"))


# check and status


def test_check_ends_with_0_only_when_all_that_was_asked_is_right(half_solved):
    assert half_solved.run("check", "perplexity").returncode == 0
    assert half_solved.run("check", "keep_top_k").returncode == 1
    assert half_solved.run("check", "generate").returncode == 1
    assert half_solved.run("check", "autoregression").returncode == 1


def test_status_ends_with_0_only_when_everything_is_right(tree, half_solved):
    assert half_solved.run("status").returncode == 1
    assert tree.solve().run("status").returncode == 0


@pytest.mark.parametrize("command", ["check", "watch", "hint", "solution", "reset"])
def test_an_unknown_name_is_met_with_the_nearest_and_exit_code_2(half_solved, command):
    done = half_solved.run(command, "perplexty")
    assert done.returncode == 2
    assert "'perplexty'. Did you mean autoregression.perplexity?" in words(done.stderr)
    assert done.stdout == ""


@pytest.mark.parametrize(
    "arguments", [("chekc",), ("check", "--nonsense"), ("check", "--time-limit", "0"), ("hint",)]
)
def test_a_wrong_call_ends_with_2(half_solved, arguments):
    done = half_solved.run(*arguments)
    assert done.returncode == 2
    assert "Usage:" in done.stderr


def test_json_is_all_that_is_printed_and_has_the_fields_that_scripts_read(half_solved):
    done = half_solved.run("check", "--json")
    found = json.loads(done.stdout)
    assert set(found) == {"exercises", "points", "earned"}
    assert [one["exercise"] for one in found["exercises"]] == NAMES
    for one in found["exercises"]:
        assert {key: type(value) for key, value in one.items()} == FIELDS
        assert one["earned"] == (one["points"] if one["state"] == "right" else 0)
    assert found["points"] == sum(one["points"] for one in found["exercises"])
    assert found["earned"] == 1


def test_status_and_check_give_scripts_the_same(half_solved):
    assert half_solved.run("status", "--json").stdout == half_solved.run("check", "--json").stdout


def test_a_wrong_answer_is_shown_with_call_values_and_the_way_to_a_hint(half_solved):
    shown = half_solved.run("check", "keep_top_k").stdout
    for part in ("keep_top_k(", "yours", "expected", "logits = ", "nexttoken hint autoregression.keep_top_k"):
        assert part in words(shown)


def test_an_unfinished_exercise_that_was_asked_for_says_where_it_is(half_solved):
    shown = words(half_solved.run("check", "generate").stdout)
    assert "autoregression.generate is not done yet: src/nexttoken/autoregression.py, line" in shown


def test_a_whole_chapter_is_a_table_and_names_what_to_mend_first(half_solved):
    shown = half_solved.run("check", "autoregression").stdout
    rows = [line for line in shown.splitlines() if line.startswith((" ✓ ", " ✗ ", " · "))]
    assert [row.split()[1] for row in rows] == NAMES
    assert "Next: autoregression.bigram_counts" in shown
    assert "is not done yet" not in shown  # eight times the same would bury the wrong answer


def test_status_counts_points_and_what_is_left(half_solved):
    shown = half_solved.run("status").stdout.splitlines()
    assert shown[0].split() == ["chapter", "points", "right", "wrong", "to", "do", "minutes", "left"]
    total = sum(found.points for found in course.exercises("autoregression"))
    assert shown[1].replace("━", "").split()[:4] == ["autoregression", "1", "of", str(total)]
    assert shown[1].split()[-4:-1] == ["1", "1", "8"]


@pytest.mark.parametrize(
    "arguments",
    [
        "check",
        "check keep_top_k",
        "status",
        "hint perplexity",
        "solution perplexity --yes",
        "--help",
        "check --help",
    ],
)
def test_what_is_printed_is_plain_and_fits_80_columns_when_piped(tree, arguments):
    done = tree.solve(PERPLEXITY).answer({"keep_top_k": "return logits"}).run(*arguments.split())
    assert "\x1b" not in done.stdout + done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_the_reference_in_the_environment_does_not_make_a_wrong_answer_right(half_solved):
    half_solved.environment["NEXTTOKEN_REFERENCE"] = "1"
    try:
        assert half_solved.run("check", "keep_top_k").returncode == 1
    finally:
        del half_solved.environment["NEXTTOKEN_REFERENCE"]


# hint


def test_hints_come_one_by_one_are_remembered_and_begin_again(tree):
    numbers = [json.loads(tree.run("hint", "perplexity", "--json").stdout)["hint"] for _ in range(3)]
    assert numbers == [1, 2, 1]


def test_a_hint_of_another_exercise_is_counted_apart(tree):
    tree.run("hint", "perplexity")
    assert json.loads(tree.run("hint", "generate", "--json").stdout)["hint"] == 1


def test_the_last_hint_says_what_comes_after_it(tree):
    assert "nexttoken solution" not in tree.run("hint", "perplexity").stdout
    assert (
        "That was the last one. nexttoken solution autoregression.perplexity"
        in tree.run("hint", "perplexity").stdout
    )


@pytest.mark.parametrize(
    "damaged", ["", "{", "[1]", '"text"', "null", '{"autoregression.perplexity": "two"}', "\udcff"]
)
def test_damaged_notes_on_hints_begin_again(tree, damaged):
    file = tree.folder / ".nexttoken" / "hints.json"
    file.parent.mkdir()
    file.write_bytes(damaged.encode("utf-8", "surrogateescape"))
    done = tree.run("hint", "perplexity", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["hint"] == 1


# solution and reset


def test_a_solution_is_shown_after_a_yes(tree):
    done = tree.run("solution", "perplexity", text="y\n")
    assert done.returncode == 0
    assert reference_body(PERPLEXITY) in done.stdout


@pytest.mark.parametrize("command", ["solution", "reset"])
@pytest.mark.parametrize("answer", ["n\n", "\n", ""])
def test_no_or_no_answer_at_all_ends_without_doing_anything(tree, command, answer):
    before = tree.solve().source().read_text()
    done = tree.run(command, "perplexity", text=answer)
    assert done.returncode == 1
    assert reference_body(PERPLEXITY) not in done.stdout
    assert tree.source().read_text() == before
    assert backups(tree) == []


def test_a_solution_that_is_only_shown_changes_no_file(tree):
    before = tree.source().read_text()
    tree.run("solution", "perplexity", "--yes")
    assert tree.source().read_text() == before


def test_a_solution_that_is_written_passes_and_the_old_file_is_kept(tree):
    before = tree.answer({"perplexity": "return 'mine'"}).source().read_text()
    done = tree.run("solution", "perplexity", "--yes", "--write")
    assert course.body_of(tree.source().read_text(), "perplexity") == reference_body(PERPLEXITY)
    [kept] = backups(tree)
    assert kept.read_text() == before
    assert str(kept.relative_to(tree.folder)) in words(done.stdout)
    assert tree.run("check", "perplexity").returncode == 0


def test_reset_empties_one_exercise_keeps_the_old_file_and_says_where(tree):
    before = tree.solve().source().read_text()
    done = tree.run("reset", "perplexity", "--yes")
    after = tree.source().read_text()
    assert course.is_stub(after, "perplexity")
    assert course.replace_body(after, "perplexity", reference_body(PERPLEXITY)) == before
    [kept] = backups(tree)
    assert kept.read_text() == before
    assert str(kept.relative_to(tree.folder)) in words(done.stdout)


def test_two_resets_in_one_second_lose_nothing(tree):
    texts = []
    for word in ("first", "second", "third"):
        texts.append(tree.answer({"perplexity": f"return '{word}'"}).source().read_text())
        with taken_for_the_course(tree):
            answers.put_back_stub(course.exercise_named(PERPLEXITY))
    assert sorted(kept.read_text() for kept in backups(tree)) == sorted(texts)


def test_a_file_that_python_cannot_read_is_named_and_not_touched(tree):
    broken = tree.source().read_text().replace("import math\n", "import math\nx = = 1\n")
    tree.source().write_text(broken)
    done = tree.run("reset", "perplexity", "--yes")
    assert done.returncode == 2
    assert f"Pythoncannotread{tree.source()},line7:" in "".join(done.stderr.split())
    assert tree.source().read_text() == broken


def test_what_the_system_refuses_is_said_in_a_sentence(tree):
    tree.source().unlink()
    tree.source().mkdir()
    done = tree.run("status")
    assert done.returncode == 2
    assert "Is a directory" in words(done.stderr)
    assert "Traceback" not in done.stderr


# The whole


def test_nothing_to_do_is_said(tree):
    shown = tree.solve().run("check").stdout
    assert "All right." in shown


def test_help_lists_the_commands(half_solved):
    shown = half_solved.run("--help").stdout
    for command in ("check", "status", "watch", "hint", "solution", "reset", "update"):
        assert f" {command} " in shown


def test_the_installed_command_and_a_fresh_python_do_the_same(half_solved):
    done = half_solved.python("-m", "nexttoken.cli", "check", "--json")
    assert done.stdout == half_solved.run("check", "--json").stdout
