"""Is an answer judged rightly, whatever it does? The two judges agree, and nothing brings them down."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from io import StringIO

import nbformat
import pytest
import torch
from rich.console import Console
from trees import CHAPTER, NAMES, copy_of_course, reference_body, taken_for_the_course, words

from nexttoken import check, course, exercise
from nexttoken.grading import judge, notebook, watching
from nexttoken.grading.outcome import Call, alike, outcome


@pytest.fixture
def tree(tmp_path):
    return copy_of_course(tmp_path / "course")


def loaded(file):
    return nbformat.read(file, as_version=4)


def marks(cell):
    return cell.metadata.get("nexttoken", {})


def graded(book):
    return [cell for cell in book.cells if cell.cell_type == "code" and "exercise" in marks(cell)]


# What a call came to


def test_an_answer_that_changes_the_tensors_of_a_dictionary_is_caught_and_harms_nobody():
    call = Call({"weights": {"a": torch.ones(2), "b": torch.zeros(1)}})
    assert outcome(lambda weights: weights["a"].mul_(2).sum(), call).changed == ["weights"]
    assert outcome(lambda weights: weights.pop("b"), call).changed == ["weights"]
    assert outcome(lambda weights: weights["a"] * 2, call).changed == []
    assert call.arguments["weights"]["a"].tolist() == [1, 1]


def test_an_answer_that_changes_a_set_is_caught_and_harms_nobody():
    call = Call({"relevant": {3, 1}})
    assert outcome(lambda relevant: relevant.pop(), call).changed == ["relevant"]
    assert outcome(lambda relevant: relevant | {4}, call).changed == []
    assert call.arguments["relevant"] == {3, 1}


def test_an_answer_that_changes_a_model_is_caught_and_harms_nobody():
    call = Call({"model": torch.nn.Linear(2, 1)})
    assert outcome(lambda model: model.requires_grad_(False) and 1, call).changed == ["model"]
    assert outcome(lambda model: model.weight.data.zero_().sum(), call).changed == ["model"]
    assert outcome(lambda model: model(torch.ones(1, 2)), call).changed == []
    assert call.arguments["model"].weight.requires_grad


def test_two_numbers_that_are_none_are_alike():
    nan, one = (outcome(lambda value=value: value, Call({})) for value in (float("nan"), 1.0))
    assert alike(nan, nan)
    assert not alike(nan, one)


# The notebook


@pytest.mark.parametrize("chapter", course.chapters())
def test_the_stored_outputs_are_what_the_references_print(chapter, tmp_path):
    tree = copy_of_course(tmp_path / "course", chapter=chapter)
    before = loaded(tree.notebook(chapter))
    done = tree.python("-m", "nexttoken.grading.storing", chapter)
    assert done.returncode == 0, done.stderr
    after = loaded(tree.notebook(chapter))
    for old, new in zip(before.cells, after.cells, strict=True):
        if "stand-in" in old.metadata.get("tags", []):
            old.outputs, new.outputs = [], []  # what it writes depends on the machine's own documentation
        assert old == new, f"{old.id} is stale: make exercises"
    assert before.metadata == after.metadata


@pytest.mark.parametrize("chapter", course.chapters())
def test_what_is_expected_stands_in_the_metadata_and_in_the_output(chapter):
    for cell in graded(loaded(course.notebook_file(chapter))):
        assert marks(cell)["expected"] == notebook.printed(cell) != ""
        assert cell.execution_count, "nbval does not compare a cell that was never run"
        assert {output.get("name") for output in cell.outputs} == {"stdout"}


@pytest.mark.parametrize("chapter", course.chapters())
def test_every_exercise_has_a_card_graded_cells_and_a_check_in_the_order_of_the_file(chapter):
    book = loaded(course.notebook_file(chapter))
    names = [found.name for found in course.exercises(chapter)]
    cards = [marks(cell)["exercise"] for cell in book.cells if cell.cell_type == "markdown" and marks(cell)]
    checks = [cell.source for cell in book.cells if "check" in cell.metadata.get("tags", [])]
    assert cards == names
    assert list(dict.fromkeys(marks(cell)["exercise"] for cell in graded(book))) == names
    assert checks == [f'check("{name}")' for name in names]


@pytest.mark.parametrize("found", course.all_exercises(), ids=lambda found: found.name)
def test_the_card_says_what_the_decorator_says(found):
    book = loaded(course.notebook_file(found.chapter))
    cards = [cell.source for cell in book.cells if cell.cell_type == "markdown" and marks(cell)]
    number = [e.name for e in course.exercises(found.chapter)].index(found.name)
    points = f"{found.points} point{'s' * (found.points > 1)}"
    assert cards[number].startswith(f"## {number + 1}. `{found.function}`\n")
    assert (
        f"**{found.minutes} minutes, {points}.** Write it in `src/nexttoken/{found.chapter}.py`."
        in cards[number]
    )


@pytest.mark.parametrize("found", course.all_exercises(), ids=lambda found: found.name)
def test_an_exercise_has_two_hints_and_neither_is_the_answer(found):
    hints = notebook.read(found.chapter).hints[found.name]
    assert len(hints) >= 2
    assert all(reference_body(found.name) not in hint for hint in hints)


@pytest.mark.parametrize("chapter", course.chapters())
def test_a_graded_cell_is_plain_python_that_prints(chapter):
    for cell in graded(loaded(course.notebook_file(chapter))):
        assert not re.search(r"^\s*[%!]|get_ipython", cell.source, re.MULTILINE), cell.id
        compile(cell.source, cell.id, "exec")


@pytest.mark.parametrize("chapter", course.chapters())
def test_a_graded_cell_needs_the_setup_cell_only(chapter, monkeypatch):
    monkeypatch.setenv("NEXTTOKEN_REFERENCE", "1")
    book = notebook.read(chapter)
    with exercise.rules_restored(), float64_inside():
        for cell in book.cells:
            printed, error = judge.run_cell(book.setup, cell.source)
            assert error is None, cell
            assert printed == cell.expected


@contextlib.contextmanager
def float64_inside():
    before = torch.get_default_dtype()
    yield
    torch.set_default_dtype(before)


@pytest.fixture(scope="module")
def saved_after_a_run(tmp_path_factory):
    """A notebook that was saved in Jupyter with wrong outputs; perplexity is right, the rest is blank."""
    tree = copy_of_course(tmp_path_factory.mktemp("saved") / "course").solve("autoregression.perplexity")
    book = loaded(tree.notebook())
    for cell in graded(book):
        cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text="garbage\n")]
        cell.execution_count = None
    nbformat.write(book, tree.notebook())
    return tree.nbval(), tree.check()


@pytest.mark.parametrize("name", NAMES)
def test_outputs_that_a_run_has_saved_are_not_what_is_compared_with(saved_after_a_run, name):
    by_nbval, by_check = saved_after_a_run
    is_right = name == "autoregression.perplexity"
    assert (by_check[name]["state"] == "right") is is_right
    assert by_nbval[name] is is_right


def test_a_damaged_notebook_is_named_and_can_be_brought_back(tree):
    tree.solve()
    tree.notebook().write_text("{", encoding="utf-8")
    done = tree.run("check")
    assert done.returncode == 2
    assert "exercises/autoregression.ipynb is not a notebook any more" in words(done.stderr)
    assert "git checkout -- exercises" in words(done.stderr)
    assert "Traceback" not in done.stderr


# Whatever an answer does

MISBEHAVIOUR = {
    "bigram_counts": ("while True: pass", "too slow", "stopped after 5 seconds"),
    "bigram_probabilities": (
        "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
        "too slow",
        "is there a loop that never ends?",
    ),
    "conditional_entropy": ("import os\nos._exit(0)", "crashed", "ended Python itself (exit code 0)"),
    "next_token_windows": ("import ctypes\nctypes.string_at(0)", "crashed", "signal SIGSEGV"),
    "sequence_log_probability": ("import sys\nsys.exit('enough')", "wrong", "SystemExit: enough"),
    "perplexity": ("raise KeyboardInterrupt", "crashed", "ended Python itself"),
    "apply_temperature": ("return torch.empty(10**15)", "wrong", "RuntimeError"),
    "keep_top_k": ("return keep_top_k(logits, k)", "wrong", "RecursionError"),
    "keep_top_p": ("raise MemoryError", "wrong", "MemoryError"),
}
ODD_CLASS = """
class Odd(torch.Tensor):
    def __eq__(self, other): return True
    def __bool__(self): raise ZeroDivisionError
    def __getattribute__(self, name): raise ZeroDivisionError
"""
ODD_VALUES = {
    "bigram_counts": (f"{ODD_CLASS}return Odd(counts)", "wrong", ""),
    "bigram_probabilities": (
        "return torch.full(counts.shape, math.nan, dtype=torch.float64)",
        "wrong",
        "values are different",
    ),
    "conditional_entropy": (
        "import numpy\nreturn numpy.zeros(3)",
        "wrong",
        "a number was expected, not a ndarray",
    ),
    "next_token_windows": ("return 'x' * 10_000_000", "wrong", "a tuple was expected, not a str"),
    "sequence_log_probability": ("return logits.to_sparse()", "wrong", ""),
    "perplexity": ("return torch.zeros(1).expand(10**12)", "wrong", "the shape is (1000000000000,), not ()"),
    "apply_temperature": (
        "class Odd(Exception):\n    def __str__(self): raise RuntimeError\nraise Odd",
        "wrong",
        "Odd",
    ),
    "keep_top_k": ("return torch.empty(3, device='meta')", "wrong", "the shape is (3,), not"),
    "keep_top_p": ("raise ValueError('y' * 1_000_000)", "wrong", "ValueError: yyyy"),
    "generate": (
        "result = []\nresult.append(result)\nreturn result",
        "wrong",
        "a tensor was expected, not a list",
    ),
}
MORE_VALUES = {
    "bigram_counts": ("return None", "wrong", "a tensor was expected, not a NoneType"),
    "bigram_probabilities": ("return counts.tolist()", "wrong", "a tensor was expected, not a list"),
    "conditional_entropy": (
        "class Odd:\n    def __eq__(self, other): return True\nreturn Odd()",
        "wrong",
        "a number was expected, not a Odd",
    ),
    "next_token_windows": (
        "return ids.unfold(0, context, 1)[:-1]",
        "wrong",
        "a tuple was expected, not a Tensor",
    ),
    "sequence_log_probability": ("return logits.cfloat().sum((-1, -2))", "wrong", "complex64, not float64"),
    "perplexity": (
        "log_probabilities.detach().zero_()\nreturn torch.tensor(1.0)",
        "wrong",
        "",
    ),
    "apply_temperature": ("return logits.numpy()", "wrong", ""),
    "keep_top_k": ("return logits.float()", "wrong", "float32, not float64"),
    "keep_top_p": (
        "result = keep_top_k(logits, 1)\nreturn result",  # of the same chapter
        "wrong",
        "",
    ),
    "generate": ("return prompt[:, None]", "wrong", "the shape is ("),
}


def misbehaving(tmp_path_factory, answers, *options):
    bodies = {name: answers.get(name.partition(".")[2], (reference_body(name),))[0] for name in NAMES}
    tree = copy_of_course(tmp_path_factory.mktemp("odd") / "course").answer(bodies)
    return tree.check(*options)


@pytest.fixture(scope="module")
def after_misbehaviour(tmp_path_factory):
    return misbehaving(tmp_path_factory, MISBEHAVIOUR, "--time-limit", "5")


@pytest.fixture(scope="module")
def after_odd_values(tmp_path_factory):
    return misbehaving(tmp_path_factory, ODD_VALUES)


@pytest.fixture(scope="module")
def after_more_values(tmp_path_factory):
    return misbehaving(tmp_path_factory, MORE_VALUES)


def assert_found(found, expected):
    _, state, message = expected
    assert found["state"] == state, found["message"]
    assert message in found["message"]
    assert len(json.dumps(found)) < 20_000


@pytest.mark.parametrize("function", MISBEHAVIOUR)
def test_an_answer_that_misbehaves_is_told_so(after_misbehaviour, function):
    assert_found(after_misbehaviour[f"{CHAPTER}.{function}"], MISBEHAVIOUR[function])


def test_the_others_are_judged_all_the_same(after_misbehaviour):
    assert after_misbehaviour["autoregression.generate"]["state"] == "right"


@pytest.mark.parametrize("function", ODD_VALUES)
def test_an_odd_value_or_error_is_wrong_and_nothing_worse(after_odd_values, function):
    assert_found(after_odd_values[f"{CHAPTER}.{function}"], ODD_VALUES[function])


@pytest.mark.parametrize("function", MORE_VALUES)
def test_a_value_of_another_kind_is_wrong_and_nothing_worse(after_more_values, function):
    assert_found(after_more_values[f"{CHAPTER}.{function}"], MORE_VALUES[function])


def test_a_changed_argument_is_named(tree):
    body = f"ids.add_(0)\nids[:1] = 0\n{reference_body('autoregression.next_token_windows')}"
    found = tree.answer({"next_token_windows": body}).check("next_token_windows")
    assert found["autoregression.next_token_windows"]["state"] == "wrong"


IMPORT_FAILURES = {
    "sys.exit": (
        "import math\n",
        "import math\nimport sys\nsys.exit(3)\n",
        "importing it failed: SystemExit: 3",
    ),
    "missing module": ("import math\n", "import math\nimport moths\n", "No module named 'moths'"),
    "an error": ("import math\n", "import math\n1 / 0\n", "src/nexttoken/autoregression.py, line 7: 1 / 0"),
    "a syntax error": (
        "import math\n",
        "import math\nx = = 1\n",
        "src/nexttoken/autoregression.py, line 7: invalid",
    ),
}


@pytest.mark.parametrize("failure", IMPORT_FAILURES)
def test_a_chapter_that_cannot_be_imported_is_told_where(tree, failure):
    old, new, message = IMPORT_FAILURES[failure]
    tree.edit(old, new)
    found = tree.check("perplexity")["autoregression.perplexity"]
    assert found["state"] == "cannot be read"
    assert message in found["message"]


def test_a_chapter_that_cannot_be_read_does_not_stop_the_others(tree):
    other = tree.source("other")
    other.write_text(tree.source().read_text().replace("import math\n", "import math\nx = = 1\n"))
    toc = tree.folder / "_toc.yml"
    toc.write_text(toc.read_text() + "      - file: exercises/other\n")
    tree.notebook("other").write_text(tree.notebook().read_text().replace("autoregression.", "other."))
    tree.solve("autoregression.perplexity")
    found = tree.check()
    assert found["autoregression.perplexity"]["state"] == "right"
    assert {found[f"other.{name.partition('.')[2]}"]["state"] for name in NAMES} == {"cannot be read"}


def test_a_function_that_was_renamed_is_said_in_a_sentence(tree):
    tree.solve()
    tree.edit("def perplexity(", "def perplex(")
    done = tree.run("check")
    assert done.returncode == 2
    assert "autoregression.perplex" in words(done.stderr)
    assert "Traceback" not in done.stderr


NOISY = {
    "perplexity": "import sys\nprint('flood ' * 100_000)\nprint('x', file=sys.stderr)",
    "apply_temperature": "import warnings\nwarnings.warn('old way', stacklevel=1)\nprint('here', logits)",
    "keep_top_k": "import os\nos.write(1, b'past sys.stdout')\nos.system('echo from a child')",
    "keep_top_p": "import logging\nlogging.warning('logged')\nprint('\\ud800 [/bold] \\x1b[31m')",
    "generate": "import torch.nn.functional as F\nprint(flush=True)",
}


@pytest.fixture(scope="module")
def noisy(tmp_path_factory):
    """Right answers that print and warn."""
    bodies = {
        name: f"{NOISY[function]}\n{reference_body(name)}"
        for function in NOISY
        if (name := f"{CHAPTER}.{function}")
    }
    return copy_of_course(tmp_path_factory.mktemp("noisy") / "course").answer(bodies)


@pytest.fixture(scope="module")
def noisy_by_nbval(noisy):
    return noisy.nbval()


@pytest.fixture(scope="module")
def noisy_by_check(noisy):
    return noisy.check()


@pytest.mark.parametrize("function", [f for f in NOISY if f != "keep_top_k"])
def test_printing_and_warning_do_not_make_a_right_answer_wrong(noisy_by_nbval, noisy_by_check, function):
    assert noisy_by_check[f"{CHAPTER}.{function}"]["state"] == "right"
    assert noisy_by_nbval[f"{CHAPTER}.{function}"]


def test_what_is_printed_past_python_does_not_reach_the_verdict(noisy_by_check):
    assert noisy_by_check["autoregression.keep_top_k"]["state"] == "right"


def test_a_flood_is_cut_and_what_an_answer_printed_is_kept_apart(noisy_by_check):
    assert 1_000 < len(noisy_by_check["autoregression.perplexity"]["printed"]) <= 20_000
    assert "old way" in noisy_by_check["autoregression.apply_temperature"]["printed"]


def test_a_person_reads_a_screenful_of_a_flood(noisy):
    shown = noisy.run("check", "perplexity").stdout
    assert "is right. It prints, which is not graded" in shown
    assert "characters more" in shown
    assert len(shown) < 3_000


def test_odd_characters_that_an_answer_prints_do_not_stop_the_report(noisy):
    done = noisy.run("check", "keep_top_p")
    assert done.returncode == 0, done.stderr
    assert "[/bold]" in done.stdout
    assert "\x1b" not in done.stdout


# What is left behind


def processes_with(mark):
    """The ids of the processes that have `mark` on their command line."""
    found = subprocess.run(
        ["ps", "-A", "-ww", "-o", "pid=,stat=,args="], capture_output=True, text=True, check=True
    )
    rows = [line.split(None, 2) for line in found.stdout.splitlines() if mark in line]
    return [int(row[0]) for row in rows if not row[1].startswith("Z")]


def eventually(condition, seconds=10.0):
    """Wait until `condition()` holds; whether it did."""
    end = time.monotonic() + seconds
    while not (held := condition()) and time.monotonic() < end:
        time.sleep(0.01)
    return held


def test_a_child_that_an_answer_leaves_behind_is_killed(tree):
    mark = f"sleep 61.{os.getpid()}"
    body = (
        f"import subprocess\nsubprocess.Popen({mark.split()})\n{reference_body('autoregression.perplexity')}"
    )
    found = tree.answer({"perplexity": body}).check("perplexity")
    assert found["autoregression.perplexity"]["state"] == "right"
    assert eventually(lambda: not processes_with(mark))


def test_a_fork_of_the_answer_is_killed(tree):
    file = tree.folder / "alive"
    body = f"""import os, time
if not os.path.exists({str(file)!r}) and os.fork() == 0:
    open({str(file)!r}, "w").write(str(os.getpid()))
    time.sleep(100)
{reference_body("autoregression.perplexity")}"""
    tree.answer({"perplexity": body}).check("perplexity")
    assert eventually(file.is_file)
    assert eventually(lambda: not is_running(int(file.read_text() or 0)))


def is_running(process):
    state = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True, check=False
    )
    return bool(state.stdout.strip()) and not state.stdout.startswith("Z")


# Ctrl-C and watch


class Session:
    """A command that runs on in a process group of its own, and what it has printed so far."""

    def __init__(self, tree, *arguments):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "nexttoken.cli", *arguments],
            cwd=tree.folder,
            env=tree.environment | {"PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # Who runs these tests in the background of a script has SIGINT ignored, and hands that down.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            text=True,
        )
        self.printed = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.printed += line

    def count(self, text):
        return self.printed.count(text)

    def answers(self, act, pattern):
        """Do something, wait until what is printed next matches; how many seconds that took."""
        seen, started = len(self.printed), time.monotonic()
        act()
        end = f"(?s){pattern}.*Waiting for a save"
        assert eventually(lambda: re.search(end, self.printed[seen:])), self.printed
        return time.monotonic() - started

    def interrupt(self):
        """Ctrl-C: the signal goes to the whole group, as from a terminal."""
        started = time.monotonic()
        os.killpg(self.process.pid, signal.SIGINT)
        code = self.process.wait(10)
        self._reader.join(5)
        return code, time.monotonic() - started

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._reader.join(5)


def test_ctrl_c_ends_check_at_once_and_leaves_nothing_behind(tree):
    file = tree.folder / "started"
    body = f"import os\nopen({str(file)!r}, 'w').write(str(os.getpid()))\nwhile True: pass"
    tree.answer({"perplexity": body})
    with Session(tree, "check", "perplexity", "--time-limit", "60") as session:
        assert eventually(lambda: file.is_file() and file.read_text(), 60)
        code, took = session.interrupt()
    assert code == 130
    assert took < 3
    assert "Traceback" not in session.printed
    assert len(session.printed.splitlines()) < 5
    assert eventually(lambda: not is_running(int(file.read_text())))


def test_a_loop_does_not_outlive_a_check_that_was_killed(tree):
    file = tree.folder / "started"
    body = f"import os\nopen({str(file)!r}, 'w').write(str(os.getpid()))\nwhile True: pass"
    tree.answer({"perplexity": body})
    with Session(tree, "check", "perplexity", "--time-limit", "1") as session:
        assert eventually(lambda: file.is_file() and file.read_text(), 60)
        session.process.kill()
    assert eventually(lambda: not is_running(int(file.read_text())), 20)


def in_place(file, text):
    file.write_text(text, encoding="utf-8")


def by_rename(file, text):
    new = file.with_name(f"{file.name}.tmp")
    new.write_text(text, encoding="utf-8")
    new.replace(file)


def by_backup(file, text):  # as Vim does it
    file.rename(file.with_name(f"{file.name}~"))
    file.write_text(text, encoding="utf-8")


def taken_away(file, _):
    file.unlink()


def test_watch_prints_a_new_verdict_soon_after_each_save_and_ends_with_ctrl_c(tree, record_property):
    blank = tree.source().read_text()
    right, wrong = (
        course.replace_body(blank, "perplexity", body)
        for body in (reference_body("autoregression.perplexity"), "return log_probabilities.exp()")
    )
    with Session(tree, "watch", "perplexity") as session:
        assert eventually(lambda: session.count("Waiting for a save") == 1, 60)
        time.sleep(0.3)  # until it is listening
        delays = []
        for save, text, verdict in (
            (in_place, right, "perplexity +right"),
            (by_rename, wrong, "perplexity +wrong"),
            (by_backup, right, "perplexity +right"),
            (
                in_place,
                right.replace("import math\n", "import math\nx = = 1\n"),
                "perplexity +cannot be read",
            ),
            (in_place, "", "There is no chapter or exercise"),
            (in_place, right, "perplexity +right"),
            (taken_away, "", "No such file or directory"),
            (in_place, right, "perplexity +right"),
        ):
            time.sleep(0.1)  # so that two saves are two
            delays.append(session.answers(lambda: save(tree.source(), text), verdict))  # noqa: B023
        code, took = session.interrupt()
    print("seconds from a save to the verdict:", ", ".join(f"{delay:.2f}" for delay in delays))
    record_property("seconds_from_save_to_verdict", delays)
    assert max(delays) < 3
    assert code in (0, 130)
    assert took < 3
    assert "Traceback" not in session.printed


def test_watch_sees_a_save_during_its_first_check(tree):
    started = tree.folder / "started"
    slow = f"import time\nopen({str(started)!r}, 'w').close()\ntime.sleep(1)\nreturn 1"
    tree.answer({"perplexity": slow})
    with Session(tree, "watch", "perplexity", "--time-limit", "2") as session:
        assert eventually(started.is_file, 60)
        tree.solve("autoregression.perplexity")
        assert eventually(lambda: "All right" in session.printed, 30), session.printed
        code, _ = session.interrupt()
    assert code in (0, 130)


def test_watch_begins_where_a_file_is_away_for_a_moment(tree, monkeypatch):
    said = Console(file=StringIO(), width=400)
    monkeypatch.setattr(watching.watchfiles, "watch", lambda *_, **__: ())
    with taken_for_the_course(tree):
        tree.source().unlink()
        watching.watch_files(None, 1.0, said)
    assert "No such file or directory" in said.file.getvalue()


# In a notebook


@pytest.fixture
def yours(monkeypatch):
    """Write answers in the file's stead: `yours(perplexity=lambda p: 1)`."""
    monkeypatch.delenv("NEXTTOKEN_REFERENCE", raising=False)
    judge.import_chapter(CHAPTER)

    def put_in(**functions):
        for function, answer in functions.items():
            monkeypatch.setitem(exercise.EXERCISES, f"{CHAPTER}.{function}", answer)

    return put_in


def test_a_cell_says_that_an_answer_is_right(yours, capsys):
    yours(perplexity=lambda log_probabilities: (-log_probabilities.mean()).exp())
    check("autoregression.perplexity")
    assert "✓ autoregression.perplexity is right: 1 of 1 points." in capsys.readouterr().out


def test_a_cell_says_what_the_mistake_is(yours, capsys):
    yours(perplexity=lambda log_probabilities: log_probabilities.mean().exp())
    check("autoregression.perplexity")
    out = capsys.readouterr().out
    assert "The minus sign is missing" in out
    assert "yours" in out
    assert "expected" in out
    assert "nexttoken hint autoregression.perplexity" in out


def test_a_cell_says_that_an_exercise_is_unfinished(yours, capsys):
    def blank(log_probabilities):
        raise NotImplementedError

    yours(perplexity=blank)
    check("autoregression.perplexity")
    assert (
        "autoregression.perplexity is not done yet: src/nexttoken/autoregression.py"
        in capsys.readouterr().out
    )


def test_a_cell_stops_an_endless_loop(yours, capsys, monkeypatch):
    def endless(log_probabilities):
        while True:
            with contextlib.suppress(Exception):
                sum(range(1000))

    monkeypatch.setattr("nexttoken.course.TIME_LIMIT", 0.5)
    yours(perplexity=endless)
    before = signal.getsignal(signal.SIGALRM)
    check("autoregression.perplexity")
    assert "Stopped after 0.5 seconds" in capsys.readouterr().out
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_cell_refuses_an_unknown_name_with_the_nearest():
    with pytest.raises(course.UnknownName, match=r"autoregression\.perplexity"):
        check("perplexty")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_check_leaves_the_notebook_as_it_was(yours, dtype, capsys):
    yours(perplexity=lambda log_probabilities: (-log_probabilities.mean()).exp())
    before = torch.get_default_dtype()
    with exercise.rules_restored():
        exercise.let_reference_stand_in()
        rules = dict(vars(exercise._rules))
        torch.set_default_dtype(dtype)
        try:
            check("autoregression.perplexity")
            assert torch.get_default_dtype() is dtype
            assert vars(exercise._rules) == rules
        finally:
            torch.set_default_dtype(before)


def test_where_the_reference_answers_a_cell_does_not_pretend_to_judge(yours, monkeypatch, capsys):
    monkeypatch.setenv("NEXTTOKEN_REFERENCE", "1")
    check("autoregression.perplexity")
    assert "nothing of yours to check" in capsys.readouterr().out


def test_answers_judged_in_a_solved_file_are_the_ones_put_in_its_place(tree):
    code = """
from nexttoken.grading.mutants import mutants, verdict_on
first = [mutant for mutant in mutants("autoregression") if mutant.exercise.endswith(".perplexity")][:2]
for mutant in first:
    print(mutant.label, verdict_on(mutant).state)
"""
    done = tree.solve().python("-c", code)
    assert done.stdout.splitlines() == ["blank not done yet", "reference right"], done.stderr


# Without solutions


@pytest.fixture(scope="module")
def hand_out(tmp_path_factory):
    """What a teacher may give to a class: no references. One right answer, one wrong one, the rest blank."""
    tree = copy_of_course(tmp_path_factory.mktemp("hand-out") / "course", without=["solutions"])
    return tree.answer(
        {
            "perplexity": reference_body("autoregression.perplexity"),
            "keep_top_k": "return logits",
        }
    )


def test_without_solutions_values_alone_decide(hand_out):
    found = hand_out.check()
    states = {
        name.partition(".")[2]: one["state"] for name, one in found.items() if one["state"] != "not done yet"
    }
    assert states == {"perplexity": "right", "keep_top_k": "wrong"}
    assert "line 2 of the cell's output is" in found["autoregression.keep_top_k"]["message"]


def test_without_solutions_nbval_says_the_same(hand_out):
    assert [name for name, passed in hand_out.nbval().items() if passed] == ["autoregression.perplexity"]


def test_without_solutions_the_solution_is_refused_with_a_way_out(hand_out):
    done = hand_out.run("solution", "perplexity", "--yes")
    assert done.returncode == 2
    assert "without solutions/: ask whoever gave it to you" in done.stderr


@pytest.mark.parametrize(
    ("path", "last"), [("check perplexity", "All right."), ("hint perplexity", "That was the last one.")]
)
def test_without_solutions_nobody_is_sent_there(hand_out, path, last):
    until_the_last = [hand_out.run(*path.split()).stdout for _ in range(2)]
    assert until_the_last[-1].splitlines()[-1] == last


@pytest.mark.parametrize("path", ["status", "hint perplexity"])
def test_without_solutions_the_rest_of_the_command_line_works(hand_out, path):
    done = hand_out.run(*path.split())
    assert done.returncode in (0, 1)
    assert done.stderr == ""
