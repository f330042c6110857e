"""`nexttoken grade`, end to end: a class is graded, interrupted, gone on with, and graded again."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest
from classes import Classroom, answers, environment
from rich.console import Console
from trees import misconception_bodies, words

from nexttoken import course
from nexttoken.classroom import station
from nexttoken.classroom.box import NoSandbox
from nexttoken.classroom.grading import Request, grade
from nexttoken.classroom.records import file_name, read_table

pytestmark = pytest.mark.timeout(400)  # a class is graded in the set-up of one test

WRONG_AXIS, SENTENCE = next(
    (body, sentence)
    for sentence, body in misconception_bodies("attention.softmax").items()
    if "whole" in sentence or "all" in sentence
)
EVIL_NAME = "<script>alert(1)</script>"
EVIL = "raise ValueError('<img src=x onerror=alert(1)> \\x1b[31m \\u202e')"
ROSTER = f"""id,name,email
u1,Ada First,ada@example.org
u2,Bob Second,bob@example.org
u3,Cid Third,cid@example.org
u4,Dot Fourth,dot@example.org
u5,{EVIL_NAME},eve@example.org
u6,Fay Sixth,fay@example.org
u7,=1+1,gus@example.org
"""


@pytest.fixture(scope="module")
def classroom(need, tmp_path_factory):
    """A class, graded once: all right, unfinished, mistaken, standing on a mistake, odd, missing."""
    need("bubblewrap")
    made = Classroom(tmp_path_factory.mktemp("class"))
    made.hand_in("u1")
    made.hand_in(
        "u2", answers(bodies={"masked_softmax": None, "self_attention": "# later\nraise NotImplementedError"})
    )
    made.hand_in(
        "Cid Third",
        answers(bodies={"softmax": WRONG_AXIS, "attention_weights": "return softmax(queries @ keys.mT)"}),
    )
    made.hand_in("u5", answers(bodies={"additive_scores": EVIL, "causal_mask": "return torch.tril(time)"}))
    file = made.hand_in("Fay Sixth", answers(bodies={"weighted_mean": "return values"}))
    with zipfile.ZipFile(made.submissions / "fay_u6.zip", "w") as archive:
        archive.write(file, "attention.py")
    os.utime(file, (1, 1))
    os.utime(file.parents[2], (1, 1))
    made.hand_in("stranger", answers(chapter="qkv"), chapter="qkv")
    made.hand_in("u7")
    (made.folder / "roster.csv").write_text(ROSTER, encoding="utf-8")
    made.done = made.grade("--roster", made.folder / "roster.csv", "--seed-file", made.folder / "seed")
    made.table = made.grades()
    return made


def test_everybody_gets_the_points_that_are_due(classroom):
    totals = {student: row["total"] for student, row in classroom.table.items()}
    assert totals == {
        "u1": "13",
        "u2": "8",
        "u3": "5",
        "u4": "0",
        "u5": "10",
        "u6": "10",
        "u7": "13",
        "stranger": "0",
    }


def test_each_exercise_has_a_column_and_the_sums_are_right(classroom):
    names = [found.name for found in course.exercises("attention")]
    for row in classroom.table.values():
        assert sum(float(row[name]) for name in names) == float(row["total"]) == float(row["attention"])
        assert row["out of"] == "13"


def test_what_is_odd_stands_in_the_notes(classroom):
    assert classroom.table["u4"]["notes"] == "nothing handed in"
    assert "nobody on the roster" in classroom.table["stranger"]["notes"]
    said = classroom.done.stdout
    assert "1 on the roster handed in nothing" in said
    assert "1 not on the roster" in said


def test_of_two_submissions_the_later_one_counts(classroom):
    assert "there are 2 submissions" in classroom.table["u6"]["notes"]
    found = classroom.verdicts("u6")["weighted_mean"]
    assert found["state"] == "wrong"


def test_a_known_mistake_is_met_with_its_sentence(classroom):
    assert classroom.verdicts("u3")["softmax"]["misconception"] == SENTENCE
    assert SENTENCE.replace("`", "") in words(re.sub("<[^>]*>", "", classroom.page("u3"))).replace("`", "")


def test_what_stands_on_a_mistake_says_so(classroom):
    found = classroom.verdicts("u3")["attention_weights"]
    assert found["state"] == "wrong"
    assert "It stands on softmax, not right either" in found["message"]


def test_the_page_shows_the_cell_what_came_and_what_was_expected(classroom):
    found = classroom.verdicts("u6")["weighted_mean"]
    assert found["got"] != found["expected"] != ""
    text = classroom.page("u6")
    assert "weighted_mean(" in text
    assert "yours" in text
    assert "expected" in text
    assert "book/attention.md" in text
    assert "src/nexttoken/attention.py, line " in text


def test_an_error_says_where_it_was_raised(classroom):
    message = classroom.verdicts("u5")["causal_mask"]["message"]
    assert message.startswith("TypeError")
    assert "return torch.tril(time)" in message


def test_unfinished_is_not_wrong(classroom):
    found = classroom.verdicts("u2")
    assert {found[name]["state"] for name in ("masked_softmax", "self_attention")} == {"not done yet"}


def test_what_comes_from_a_student_is_escaped_everywhere(classroom):
    pages = [classroom.page("u5"), (classroom.out / "class.html").read_text(encoding="utf-8")]
    for text in pages:
        assert "<script" not in text
        assert "<img" not in text
        assert "\x1b" not in text
        assert "\u202e" not in text
    assert "&lt;script&gt;" in pages[1]
    assert "&lt;img src=x onerror=alert(1)&gt;" in pages[0]


def test_pages_load_nothing_from_anywhere(classroom):
    for file in classroom.out.rglob("*.html"):
        text = file.read_text(encoding="utf-8")
        assert "default-src &#39;none&#39;" in text or "default-src 'none'" in text
        assert not re.search(r'(?:src|href)="(?!students/)[^#"]', text.replace("xlink:href", ""))


def test_a_spreadsheet_takes_no_name_for_a_formula(classroom):
    with (classroom.out / "grades.csv").open(encoding="utf-8") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert "'=1+1" in cells
    assert not any(cell.startswith("=") for cell in cells)


def test_gradescope_reads_the_results(classroom):
    text = (classroom.out / "students" / "u3" / "results.json").read_text(encoding="utf-8")
    results = json.loads(text)
    assert results["score"] == 5
    assert sum(test["max_score"] for test in results["tests"]) == 13
    assert sum(test["score"] for test in results["tests"]) == results["score"]
    (softmax,) = [test for test in results["tests"] if test["name"] == "attention.softmax"]
    assert softmax["status"] == "failed"
    assert SENTENCE in softmax["output"]


def test_the_junit_file_has_a_suite_for_everybody(classroom):
    suites = ElementTree.parse(classroom.out / "junit.xml").getroot()
    assert {suite.get("name") for suite in suites} == set(classroom.table)
    by_name = {suite.get("name"): suite for suite in suites}
    assert (by_name["u3"].get("failures"), by_name["u2"].get("skipped")) == ("4", "2")
    assert len(by_name["u1"].findall("testcase")) == 8


def test_the_page_of_the_class_has_a_plot_and_says_it_in_words_too(classroom):
    text = (classroom.out / "class.html").read_text(encoding="utf-8")
    assert 'role="img"' in text
    assert "<td>attention.softmax</td>" in text
    assert SENTENCE[:30] in text
    assert "Dot Fourth" in text.split("Missing")[1].split("</ul>")[0]


def test_neither_the_seed_nor_the_secret_is_in_a_report(classroom):
    secret = (classroom.folder / "seed").read_text().strip()
    assert (classroom.folder / "seed").stat().st_mode & 0o077 == 0
    for file in classroom.out.rglob("*"):
        if file.is_file():
            assert secret not in file.read_text(encoding="utf-8")


def test_grading_again_with_the_same_seed_gives_the_same_and_grades_nothing_twice(classroom):
    times = {file: file.stat().st_mtime_ns for file in (classroom.out / "kept").rglob("*.json")}
    options = (
        "--roster",
        classroom.folder / "roster.csv",
        "--seed-file",
        classroom.folder / "seed",
        "--resume",
    )
    classroom.grade(*options)
    assert classroom.grades() == classroom.table
    assert times == {file: file.stat().st_mtime_ns for file in (classroom.out / "kept").rglob("*.json")}
    assert read_table(classroom.out / "changes.csv") == []


def test_points_by_hand_and_a_corrected_answer_show_whose_marks_changed(classroom):
    overrides = classroom.out / "overrides.csv"
    assert overrides.read_text(encoding="utf-8") == "id,exercise,points,reason\n"
    overrides.write_text("id,exercise,points,reason\nu4,attention.softmax,0.5,was ill\n", encoding="utf-8")
    classroom.hand_in("u2")
    options = (
        "--roster",
        classroom.folder / "roster.csv",
        "--seed-file",
        classroom.folder / "seed",
        "--resume",
    )
    try:
        done = classroom.grade(*options)
        changed = [tuple(row.values()) for row in read_table(classroom.out / "changes.csv")]
        assert changed == [
            ("u2", "Bob Second", "attention.masked_softmax", "0", "3"),
            ("u2", "Bob Second", "attention.self_attention", "0", "2"),
            ("u4", "Dot Fourth", "attention.softmax", "0", "0.5"),
        ]
        assert "3 marks are others than in the last run" in done.stdout
        assert classroom.grades()["u4"]["total"] == "0.5"
    finally:
        overrides.unlink()


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("u9,attention.softmax,1,", "line 2: there is no student 'u9'"),
        ("u1,attention.softmax,many,", "'many' is not a number of points"),
        ("u1,attention.sofmax,1,", "There is no exercise 'attention.sofmax'"),
        ("u1,attention.softmax,-1,", "points cannot be -1.0"),
    ],
)
def test_a_mistake_in_the_overrides_is_said_before_anything_is_graded(tmp_path, line, problem):
    made = Classroom(tmp_path)
    made.hand_in("u1")
    made.out.mkdir()
    (made.out / "overrides.csv").write_text(f"id,exercise,points,reason\n{line}\n", encoding="utf-8")
    with pytest.raises((ValueError, LookupError), match=re.escape(problem)):
        grade(Request(made.submissions, made.out), Console())
    assert not (made.out / "kept").exists()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "killed"])
def test_what_was_graded_when_it_stopped_is_kept_and_resume_goes_on(need, tmp_path, how):
    need("bubblewrap")
    made = Classroom(tmp_path)
    for number in range(8):
        result = "scores.softmax(-1)" if number % 2 else "scores"
        body = f"import time\ntime.sleep(0.02)\nreturn {result}"
        made.hand_in(f"s{number:02}", answers(bodies={"softmax": body}))
    process = subprocess.Popen(
        made.command("--jobs", 2),
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    end = time.monotonic() + 120
    while not list((made.out / "kept").rglob("attention.json")):
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < end
        time.sleep(0.05)
    os.killpg(process.pid, how)
    said, _ = process.communicate(timeout=30)
    if how == signal.SIGINT:
        assert process.returncode == 130, said
        assert re.search(r"Stopped: \d+ of 8 are graded and kept. --resume goes on", said)
        assert "Traceback" not in said
    kept = list((made.out / "kept").rglob("attention.json"))
    assert 0 < len(kept) < 8
    before = {file: file.read_text(encoding="utf-8") for file in kept}
    assert all(json.loads(text) for text in before.values())
    made.grade("--resume")
    totals = {name: row["total"] for name, row in made.grades().items()}
    assert {totals[f"s{number:02}"] for number in (1, 3, 5, 7)} == {"13"}
    assert len({totals[f"s{number:02}"] for number in (0, 2, 4, 6)} | {"13"}) == 2  # one lower mark for all
    assert all(file.read_text(encoding="utf-8") == text for file, text in before.items())
    assert not list(made.out.rglob(".*.json-*"))


def test_a_killed_grader_leaves_nothing_behind(need, tmp_path):
    need("bubblewrap")
    made = Classroom(tmp_path)
    made.hand_in("u1", answers(bodies={"softmax": "while True: pass"}))
    with tempfile.TemporaryDirectory(dir="/tmp") as its_own:  # in /tmp there are other tests' graders, too
        Path(its_own).chmod(0o1777)  # as /tmp is
        process = subprocess.Popen(
            made.command("--time-limit", 60),
            cwd=tmp_path,
            env=environment() | {"TMPDIR": its_own},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + 120
        while not any(Path(its_own).glob("nexttoken-grade-*/stage-*")):
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.05)
        time.sleep(1)
        process.kill()
        process.wait()
        while any(Path(its_own).iterdir()) and time.monotonic() < end:
            time.sleep(0.1)
        assert not any(Path(its_own).iterdir())


def test_in_an_exam_chapters_stand_on_the_students_own(need, tmp_path):
    need("bubblewrap")
    made = Classroom(tmp_path)
    wrong = answers("attention", {"masked_softmax": "return scores"})
    for student, attention in (("right", answers("attention")), ("wrong", wrong)):
        made.hand_in(student, attention)
        made.hand_in(student, answers("qkv"), chapter="qkv")
    made.hand_in("only qkv", answers("qkv"), chapter="qkv")
    made.grade("--exam", chapters="qkv")
    points = {student: float(row["total"]) for student, row in made.grades().items()}
    assert points["right"] == 18
    assert points["wrong"] < 18
    assert points["only qkv"] < 18


def test_every_chapter_can_be_graded(need, tmp_path):
    """The references get all points in the sandbox, or nothing would be graded at all; a blank gets none."""
    need("bubblewrap")
    made = Classroom(tmp_path)
    for chapter in course.chapters():
        blank = {found.function: None for found in course.exercises(chapter)}
        made.hand_in("blank", answers(chapter, blank), chapter=chapter)
    made.grade(chapters=",".join(course.chapters()))
    row = made.grades()["blank"]
    assert row["total"] == "0"
    assert row["out of"] == str(sum(found.points for found in course.all_exercises()))
    for chapter in course.chapters():
        found = made.verdicts("blank", chapter).values()
        assert {verdict["state"] for verdict in found} == {"not done yet"}, chapter


@pytest.mark.parametrize("exam", [False, True])
def test_a_box_holds_the_references_of_earlier_chapters_only_and_none_in_an_exam(tmp_path, exam):
    stage = station.lay_out(tmp_path / "stage", "attention", exam)
    names = {file.stem for file in (stage / "solutions").glob("*.py")} if not exam else set()
    assert names == (set() if exam else {"autoregression", "embeddings"})
    assert (stage / "solutions").exists() is not exam
    assert not list((stage / "exercises").iterdir())
    text = (stage / "src" / "nexttoken" / "attention.py").read_text(encoding="utf-8")
    assert all(course.is_stub(text, found.function) for found in course.exercises("attention"))
    assert not list(stage.rglob("attention.*.pyc"))


def test_without_bubblewrap_grading_is_refused_with_the_way_out(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoSandbox, match=r"apt install bubblewrap.*--no-sandbox"):
        station.Station()


def test_root_may_not_go_without_a_sandbox(monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: 0)
    with pytest.raises(NoSandbox, match="as root"):
        station.Station(sandbox=False)


@pytest.mark.parametrize("options", [(), ("--no-sandbox",)], ids=["in the sandbox", "without"])
def test_an_ordinary_user_gets_the_same_marks(need, tmp_path, options):
    need("bubblewrap")
    made = Classroom(tmp_path / "class")
    made.hand_in("right")
    made.hand_in("wrong", answers(bodies={"causal_mask": "return None", "softmax": "import os\nos._exit(1)"}))
    before = []
    if os.getuid() == 0:  # become one, with the doors open that lead to Python and here
        for path in (tmp_path, *tmp_path.rglob("*")):
            os.chown(path, station.NOBODY, station.NOBODY)
        step = f"import os, sys; os.setgroups([]); os.setresgid(*3*[{station.NOBODY}]); os.setresuid(*3*[{station.NOBODY}])"
        before = [
            *station.opened_folders(tmp_path),
            sys.executable,
            "-c",
            f"{step}; os.execv(sys.argv[1], sys.argv[1:])",
        ]
    done = subprocess.run(
        [*before, *made.command(*options)],
        env=environment() | {"HOME": str(tmp_path), "TMPDIR": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    totals = {student: row["total"] for student, row in made.grades().items()}
    # os._exit in softmax takes attention_weights, masked_softmax and self_attention along.
    assert totals == {"right": "13", "wrong": "4"}
    assert ("Without a sandbox" in words(done.stdout)) is bool(options)


def test_unknown_chapters_and_an_empty_folder_are_said(tmp_path):
    made = Classroom(tmp_path)
    made.submissions.mkdir()
    with pytest.raises(FileNotFoundError, match="holds no submission"):
        grade(Request(made.submissions, made.out), Console())
    with pytest.raises(course.UnknownName, match="There is no chapter 'attentoin'"):
        grade(Request(made.submissions, made.out, ("attentoin",)), Console())


def test_names_of_folders_in_the_reports_are_harmless_and_differ():
    names = ["u1", "../../etc", "a/b", "a_b", "Ünï", "uni", "", ".", "x" * 300]
    found = [file_name(name) for name in names]
    assert found[0] == "u1"
    assert len(set(found)) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+", name) and not name.startswith(".") for name in found)
