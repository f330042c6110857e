"""A station and its judges, with chapters of a few lines: what is the student's fault, and what is not."""

import json
import os
import socket
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from classes import Classroom
from nbformat.v4 import new_code_cell, new_notebook, new_output, writes
from rich.console import Console

from nexttoken import course
from nexttoken.classroom import grading, running
from nexttoken.classroom.answer_key import Key
from nexttoken.classroom.box import NoSandbox
from nexttoken.classroom.cluster import Cluster
from nexttoken.classroom.keeper import Limits
from nexttoken.classroom.records import Records, Result
from nexttoken.classroom.station import Station, StationFailed, StationGone, Task
from nexttoken.grading.verdict import State, Verdict

CHAPTER = "attention"
CANARY = {"canary": "import torch\nprint(torch.get_default_dtype())", "sings": "torch.float64\n"}


@pytest.fixture(scope="module")
def station(need):
    need("bubblewrap")
    with Station() as made:
        yield made


def a_task(text, exercises, **limits):
    """A chapter of functions that take nothing, of which a right one returns its name."""
    setup = f"import torch\ntorch.set_default_dtype(torch.float64)\nfrom nexttoken.{CHAPTER} import *"
    book = new_notebook(metadata={"nexttoken": CANARY}, cells=[new_code_cell(setup, execution_count=1)])
    for number, name in enumerate(exercises, start=2):
        output = new_output("stream", name="stdout", text=f"{name}\n")
        book.cells.append(
            new_code_cell(
                f"print({name}())",
                metadata={"nexttoken": {"exercise": name}},
                execution_count=number,
                outputs=[output],
            )
        )
    return Task(CHAPTER, writes(book), {CHAPTER: text.encode()}, len(exercises), **limits)


def outcomes(records):
    """`right`, `wrong`, or the trouble, of each exercise."""
    return [
        r["trouble"]["state"] if "trouble" in r else "right" if r["passed"] else "wrong" for r in records[1:]
    ]


def test_all_setups_together_have_a_limit_and_then_the_rest_is_too_slow(station):
    text = "import os, time\ntime.sleep(1.5)\ndef a(): os._exit(0)\nb = c = d = a"
    task = a_task(text, ["a", "b", "c", "d"], setup_limit=2.0)
    cells = station.grade(task)
    assert outcomes(cells) == ["crashed", "crashed", "too slow", "too slow"]
    assert "imports" in cells[-1]["trouble"]["why"]


def test_a_judge_gets_the_time_that_it_may_need():
    task = a_task("", ["a", "b"], time_limit=10.0, setup_limit=60.0)
    assert task.wall_limit > 2 * task.setup_limit + 2 * task.exercises * task.time_limit
    assert replace(task, setup_limit=70.0).wall_limit == task.wall_limit + 20


@pytest.mark.parametrize("said", [b"", b'{"pid"'], ids=["nothing", "half a word"])
def test_a_judge_that_breaks_off_is_the_stations_failure(station, tmp_path, monkeypatch, said):
    def answer():
        with door.accept()[0] as asker:
            if said:
                asker.makefile("rb").readline()
                asker.sendall(said)  # otherwise what was asked stays unread: the connection is reset

    monkeypatch.setattr(station, "address", tmp_path / "door")
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(tmp_path / "door"))
        door.listen()
        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(StationFailed):
            station.grade(a_task("", ["a"]))
        thread.join()


def test_a_warm_process_that_is_gone_is_the_stations_failure(station, tmp_path, monkeypatch):
    monkeypatch.setattr(station, "address", tmp_path / "nobody")
    with pytest.raises(StationFailed, match="FileNotFoundError"):
        station.grade(a_task("", ["a"]))
    with Station() as ended:
        ended._process.stdin.close()  # then it ends by itself
        ended._process.wait()
        with pytest.raises(StationGone, match="has ended"):
            ended.grade(a_task("", ["a"]))


def test_nobody_is_told_not_graded_by_a_station_that_is_gone(tmp_path):
    class Gone:
        def submit(self, job):
            done = Future()
            done.set_exception(StationGone("the process that starts the judges has ended"))
            return done

    job = running.Job("a", a_task("", ["a"]), Key(CHAPTER, "", ()), "1")
    with pytest.raises(StationGone):
        running.run(Gone(), [job], Records(tmp_path), 1, Console())


class Unlucky:
    """A grader that fails at one student's submission."""

    def submit(self, job):
        done = Future()
        if job.student.startswith("b"):
            done.set_exception(StationFailed("no kernel"))
        else:
            done.set_result(Result(job.student, job.task.chapter, job.fingerprint, []))
        return done


def test_what_the_grader_fails_at_stops_nobody_else_and_is_not_kept(tmp_path):
    records = Records(tmp_path)
    jobs = [running.Job(name, a_task("", ["a"]), Key(CHAPTER, "", ()), "1") for name in ("a", "b\x1b", "c")]
    (lost,) = running.run(Unlucky(), jobs, records, 1, Console())
    assert (lost.student, lost.chapter) == ("b\x1b", CHAPTER)
    assert {verdict.state for verdict in lost.verdicts} == {State.NOT_GRADED}
    assert lost.verdicts[0].message.endswith("no word on the answer: no kernel")
    assert str(grading.Ungraded([lost] * 30)).count("\n  b\ufffd, attention") == 20
    kept = [records.get(job.student, CHAPTER, "1") is not None for job in jobs]
    assert kept == [True, False, True]


def test_a_kernel_that_does_not_start_is_nobodys_fault(station):
    with pytest.raises(StationFailed, match="no kernel could be started"):
        station.grade(a_task("def a(): return 'a'", ["a"], limits=Limits(address_mb=1)))


def test_nor_is_a_fresh_one_that_does_not_start(station):
    task = a_task("def a():\n    while True: pass\ndef b(): return 'b'", ["a", "b"], time_limit=4.0)
    started, away = "task-*/kernel-*/connection.json", station.address.with_name("away")
    before = set(station.folder.glob(started))
    with ThreadPoolExecutor(1) as pool:
        graded = pool.submit(station.grade, task)
        while set(station.folder.glob(started)) <= before:
            time.sleep(0.02)
        time.sleep(1)  # the first kernel runs
        station.address.rename(away)
        try:
            with pytest.raises(StationFailed, match="no kernel could be started"):
                graded.result()
        finally:
            away.rename(station.address)


def test_a_bubblewrap_that_does_not_work_is_refused_at_the_start_with_the_cures(need, monkeypatch):
    real, problem = need("bubblewrap"), "setting up uid map: Permission denied"
    with TemporaryDirectory(dir="/tmp") as folder:
        script = Path(folder, "bwrap")
        script.write_text(
            f'#!/bin/sh\ncase "$*" in *--disable-userns*) echo "bwrap: {problem}" >&2; exit 1;; esac\n'
            f'exec {real} "$@"\n'
        )
        for path in (folder, script):
            os.chmod(path, 0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        with pytest.raises(NoSandbox, match=f"{problem}.*0[.]8.*AppArmor.*userns=0"):
            Station()


def peak_mb(station, graded):
    """How much memory a judge holds at the most, until the future `graded` is done."""
    peak = 0
    while not graded.done():
        for judge in list(station._judges):
            with suppress(OSError), open(f"/proc/{judge}/status") as file:
                peak = max(
                    [peak, *(int(line.split()[1]) >> 10 for line in file if line.startswith("VmHWM:"))]
                )
        time.sleep(0.02)
    return peak


@pytest.mark.parametrize(
    ("parts", "outcome"),
    [("[bytes(200_000_000)]", "too slow"), ("[bytes(3_000_000)] * 1000", "crashed")],
    ids=["large ones", "one of many parts"],
)
def test_messages_do_not_fill_the_judges_memory(station, parts, outcome):
    text = f"""import time
def a():
    from ipykernel.kernelapp import IPKernelApp
    out, parts = IPKernelApp.instance().kernel.iopub_socket, {parts}
    while True:
        out.send_multipart(parts, copy=False)
        time.sleep(0.05)
def b(): return "b"
"""
    with ThreadPoolExecutor(1) as pool:
        graded = pool.submit(station.grade, a_task(text, ["a", "b"], time_limit=3.0))
        peak = peak_mb(station, graded)
    assert outcomes(graded.result()) == [outcome, "right"]
    assert 0 < peak < 1200


def test_a_right_answer_that_changes_what_all_share_costs_the_next_one_nothing(station):
    text = """import torch
def a():
    torch.set_default_dtype(torch.float32)
    return "a"
def b(): return "b" if torch.get_default_dtype() == torch.float64 else "spoilt"
"""
    assert outcomes(station.grade(a_task(text, ["a", "b"]))) == ["right", "right"]


def test_without_dask_the_checkout_is_installed_and_nothing_of_that_name_from_an_index(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(RuntimeError, match=r"pip install --editable '\.\[grade\]'"):
        Cluster("tcp://127.0.0.1:9", sandbox=True)


class AllRight(Unlucky):
    """A grader that finds all answers right, but fails at one student's submission."""

    def submit(self, job):
        done = super().submit(job)
        if done.exception() is None:
            found = course.exercises(job.task.chapter)
            done.result().verdicts[:] = [Verdict.of(one, State.RIGHT) for one in found]
        return done

    def close(self):
        pass


def test_a_class_gets_its_marks_also_where_the_grader_fails_at_one(tmp_path, monkeypatch):
    made = Classroom(tmp_path)
    for student in ("a", "b", "c"):
        made.hand_in(student)
    monkeypatch.setattr(grading, "grader_for", lambda request: AllRight())
    with pytest.raises(grading.Ungraded, match=r"twice.*\n  b, attention\n--resume"):
        grading.grade(grading.Request(made.submissions, made.out, (CHAPTER,)), Console(file=StringIO()))
    table = made.grades()
    assert [table[name]["total"] for name in "abc"] == ["13", "", "13"]
    assert (table["b"]["attention.softmax"], table["b"]["attention"]) == ("", "")
    assert table["b"]["notes"] == "attention was not graded: the grader itself failed"
    assert 'errors="8"' in (made.out / "junit.xml").read_text(encoding="utf-8")
    assert "no word on the answer: no kernel" in made.page("b")
    assert "? of 13 points" in made.page("b")
    assert "0 of" not in made.page("b")
    results = json.loads((made.out / "students" / "b" / "results.json").read_text(encoding="utf-8"))
    assert "score" not in results
    assert not any("score" in test or "status" in test for test in results["tests"])
    assert not Records(made.out).file("b", CHAPTER).exists()
