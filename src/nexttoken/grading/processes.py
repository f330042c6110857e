"""Judge each exercise in a process of its own, forked from one that has imported torch already.

A fork costs milliseconds where a new interpreter costs the import of torch. Whatever an answer
does (loops, exits, crashes), it does it to its own process, and within a time limit.
"""

import contextlib
import json
import math
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import cast

import jaxtyping  # noqa: F401  (what the graded cells need is loaded once, before the forks)
import torch

import nexttoken.lab.inputs  # noqa: F401
from nexttoken import course
from nexttoken.grading.judge import judge
from nexttoken.grading.verdict import State, Verdict

Judge = Callable[[str], Verdict]  # of the exercise of that name


class GradingFailed(RuntimeError):
    """The course itself is damaged: no verdict on the answer."""


@dataclass
class _Running:
    exercise: course.Exercise
    process: BaseProcess
    deadline: float


def judge_apart(
    chosen: list[course.Exercise], time_limit: float = course.TIME_LIMIT, judging: Judge = judge
) -> Iterator[Verdict]:
    """Judge exercises in forked processes, as many at once as there are cores; in the given order."""
    if "fork" not in multiprocessing.get_all_start_methods():
        yield from (judging(exercise.name) for exercise in chosen)
        return
    torch.set_num_threads(1)  # a forked child hangs in the thread pool of a parent that has used one
    waiting = list(reversed(chosen))
    running: dict[Connection, _Running] = {}
    found: dict[str, Verdict] = {}
    next_out = 0
    try:
        while next_out < len(chosen):
            while waiting and len(running) < (os.cpu_count() or 1):
                connection, started = _start(waiting.pop(), time_limit, judging)
                running[connection] = started
            soonest = min(r.deadline for r in running.values())
            ready = wait(list(running), timeout=max(0.0, soonest - time.monotonic()))
            for connection in [c for c in running if c in ready]:
                ended = running.pop(connection)
                found[ended.exercise.name] = _received(connection, ended)
            for connection in [c for c, r in running.items() if r.deadline <= time.monotonic()]:
                late = running.pop(connection)
                _stop(late.process)
                found[late.exercise.name] = Verdict.of(
                    late.exercise,
                    State.TIMEOUT,
                    f"stopped after {time_limit:g} seconds: is there a loop that never ends?",
                )
            while next_out < len(chosen) and chosen[next_out].name in found:
                yield found[chosen[next_out].name]
                next_out += 1
    finally:
        for left in running.values():
            _stop(left.process)


def _start(exercise: course.Exercise, time_limit: float, judging: Judge) -> tuple[Connection, _Running]:
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(exercise.name, theirs, time_limit, judging), daemon=True)
    process.start()
    theirs.close()
    return ours, _Running(exercise, process, time.monotonic() + time_limit)


def _child(name: str, connection: Connection, time_limit: float, judging: Judge) -> None:
    os.setsid()  # Ctrl-C is the parent's affair, which stops us and what we started
    # Should the parent be killed before it can do that, a loop without end must not stay behind.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(math.ceil(time_limit) + 2)
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):  # what is printed past sys.stdout, by C code or a child of ours
        os.dup2(nothing, stream)
    try:
        found = judging(name).as_dict()
    except Exception as error:  # ours, not the reader's: a damaged notebook, a missing cell
        found = {"failed": f"{type(error).__name__}: {error}"}
    connection.send_bytes(json.dumps(found).encode())


def _received(connection: Connection, ended: _Running) -> Verdict:
    try:
        found = json.loads(connection.recv_bytes())
        if "failed" in found:
            raise GradingFailed(f"{ended.exercise.name}: {found['failed']}")
        verdict = Verdict.from_dict(found)
    except (EOFError, OSError):
        ended.process.join(1)
        code = ended.process.exitcode
        how = f"signal {signal.Signals(-code).name}" if code and code < 0 else f"exit code {code}"
        verdict = Verdict.of(ended.exercise, State.CRASHED, f"your function ended Python itself ({how})")
    except (ValueError, TypeError, AttributeError, KeyError):  # not from us
        verdict = Verdict.of(
            ended.exercise, State.CRASHED, "your function answered in the place of the checks"
        )
    _stop(ended.process)
    return verdict


def _stop(process: BaseProcess) -> None:
    process.join(0.05)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(cast(int, process.pid), signal.SIGKILL)  # with all that it started
    process.kill()
    process.join()
