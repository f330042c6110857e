"""The same marks come from a Dask cluster, and a lost worker loses no submission."""

import os
import signal
import subprocess
import threading
import time

import pytest
from classes import Classroom, answers, environment
from rich.console import Console

from nexttoken.classroom.grading import Request, grade

distributed = pytest.importorskip("distributed")
pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def cluster(need, monkeypatch):
    need("bubblewrap")
    for name in [name for name in os.environ if name.startswith("PYTEST")]:
        monkeypatch.delenv(name)
    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    with distributed.LocalCluster(n_workers=2, threads_per_worker=2, dashboard_address=None) as made:
        yield made


def lose_a_worker(cluster, folder, lost):
    """As soon as there is a result, kill one of the workers."""
    with distributed.Client(cluster.scheduler_address) as client:
        processes = client.run(os.getpid)
    end = time.monotonic() + 200
    while not list(folder.rglob("attention.json")) and time.monotonic() < end:
        time.sleep(0.01)
    victim = sorted(processes.values())[0]
    os.kill(victim, signal.SIGKILL)
    lost.append(victim)


def test_a_lost_worker_loses_no_submission(cluster, tmp_path):
    made = Classroom(tmp_path)
    slow = answers(bodies={"softmax": "import time\ntime.sleep(0.01)\nreturn scores.softmax(-1)"})
    for number in range(16):
        made.hand_in(f"s{number:02}", slow)
    made.hand_in("wrong", answers(bodies={"causal_mask": "return None"}))
    lost = []
    thread = threading.Thread(target=lose_a_worker, args=(cluster, made.out, lost), daemon=True)
    thread.start()
    grade(
        Request(made.submissions, made.out, ("attention",), scheduler=cluster.scheduler_address, jobs=4),
        Console(),
    )
    thread.join(10)
    assert lost
    totals = {student: row["total"] for student, row in made.grades().items()}
    assert totals == {**{f"s{number:02}": "13" for number in range(16)}, "wrong": "12"}
    cluster.close()
    end = time.monotonic() + 20
    while (listed := left_of(lost)) and time.monotonic() < end:
        time.sleep(0.2)
    assert not listed


def left_of(lost):
    """What still runs of a worker's warm process."""
    listed = subprocess.run(
        ["ps", "-A", "-o", "ppid=,args="], capture_output=True, text=True, check=True
    ).stdout
    return [line for line in listed.splitlines() if "classroom.warm" in line and int(line.split()[0]) in lost]


def test_a_scheduler_that_does_not_answer_is_said(tmp_path, monkeypatch):
    made = Classroom(tmp_path)
    made.hand_in("u1")
    monkeypatch.setattr("nexttoken.classroom.cluster.CONNECT_SECONDS", 0.5)
    with pytest.raises(RuntimeError, match=r"No Dask scheduler answers at tcp://127\.0\.0\.1:9\."):
        grade(Request(made.submissions, made.out, ("attention",), scheduler="tcp://127.0.0.1:9"), Console())
