"""The same grading on a Dask cluster: no scheduler of our own.

Each worker has a station of its own, started when it grades for the first time. If a worker is
lost, Dask gives what it was doing to another one.
"""

import atexit
import hashlib
import os
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING

import nexttoken
from nexttoken import course
from nexttoken.classroom import running, station
from nexttoken.classroom.records import Result

if TYPE_CHECKING:
    import distributed

CONNECT_SECONDS = 30.0
LOST_WORKERS = 5  # so many workers may be lost over one submission before it is given up


class Cluster:
    """Grades on the workers of a scheduler, each of which has this course, in this version."""

    def __init__(self, address: str, sandbox: bool) -> None:
        try:
            import distributed
        except ModuleNotFoundError:
            raise RuntimeError(
                "--scheduler needs Dask: .venv/bin/pip install --editable '.[grade]'."
            ) from None
        self._sandbox = sandbox
        try:
            self._client = distributed.Client(address, timeout=CONNECT_SECONDS)
        except OSError:
            raise RuntimeError(f"No Dask scheduler answers at {address}.") from None
        self._futures: set[distributed.Future[Result]] = set()
        self._check()

    def _check(self) -> None:
        """All workers must have the course as we have it.

        Raises
        ------
        RuntimeError
            If one has not, or there is none.
        """
        ours = version()
        theirs = self._client.run(version)
        if not theirs:
            raise RuntimeError("The Dask cluster has no workers.")
        if other := [name for name, found in theirs.items() if found != ours]:
            raise RuntimeError(
                f"The course on worker {other[0]} is not the same as here: install this one there."
            )

    def submit(self, job: running.Job) -> "Future[Result]":
        found: Future[Result] = Future()
        # No key of Dask's: the same job in two runs is graded twice.
        dask = self._client.submit(grade_there, job, self._sandbox, pure=False, retries=LOST_WORKERS)
        self._futures.add(dask)

        def tell(done: "distributed.Future[Result]") -> None:
            self._futures.discard(done)
            try:
                if (error := done.exception()) is not None:
                    found.set_exception(error)
                else:
                    found.set_result(done.result())
            except Exception as error:  # the scheduler is gone
                found.set_exception(station.StationFailed(f"the cluster lost a submission: {error}"))

        dask.add_done_callback(tell)
        return found

    def close(self) -> None:
        self._client.cancel(list(self._futures))
        self._client.close()


_stations: dict[bool, station.Station] = {}
_one_at_a_time = threading.Lock()


def own_station(sandbox: bool) -> station.Station:
    """The station of this process; a worker's threads share it."""
    with _one_at_a_time:
        if sandbox not in _stations:
            _stations[sandbox] = station.Station(sandbox)
            atexit.register(_stations[sandbox].close)
        return _stations[sandbox]


def grade_there(job: running.Job, sandbox: bool) -> Result:
    """What a worker does."""
    return running.grade_here(own_station(sandbox), job)


def version() -> str:
    """Of the course as it lies here: its number, and what its files say."""
    digest = hashlib.sha256()
    for folder in ("src/nexttoken", "solutions"):
        for file in sorted((course.root() / folder).rglob("*.py")):
            digest.update(file.read_bytes())
    return f"{nexttoken.__version__} {digest.hexdigest()[:16]} {os.name}"
