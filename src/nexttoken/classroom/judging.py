"""nbval compares one submission's chapter with the key: a pytest session in a process of its own.

Only text comes from the student's kernel. What nbval lacks is added here: an exercise that ends
its kernel, or never ends, costs itself only, because the next one gets a fresh kernel, as long as
setting it up does not take too much in all; a flood of messages ends; and what each cell printed is
written down.
"""

import base64
import json
import os
import re
import resource
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from queue import Empty
from typing import Any

import nbformat
import pytest
from nbval.kernel import RunningKernel
from nbval.plugin import IPyNbCell, IPyNbFile, NbCellError

from nexttoken.classroom import keeper, provisioner

OUTPUT_LIMIT = 200_000  # characters of an exercise's messages
KEPT_LIMIT = 20_000  # characters of a cell's printing that are kept
GRACE = 1.0  # seconds in which an interrupted cell may end by itself
HELD_LIMIT = 500  # MB of messages that wait for us, in our memory
START_LIMIT = 60.0  # seconds for a kernel to start
IMPORTS = (
    "the file was imported anew after answers that ended Python, did not end, or changed what all share; all these "
    "imports took too long"
)
_NOT_COMPARED = ("display_data", "execute_result", "update_display_data", "clear_output")
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class Trouble(Exception):
    """The kernel did what no cell may do."""

    def __init__(self, state: str, why: str) -> None:
        super().__init__(why)
        self.state, self.why = state, why


class Kernel(RunningKernel):  # type: ignore[misc]
    """nbval's kernel, with an end to everything."""

    deadline = float("inf")
    heard = 0
    spoilt = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.held_before = held_mb()
        super().__init__(*args, **kwargs)

    def get_message(self, stream: str, timeout: float | None = None) -> Any:
        """The next message.

        Raises
        ------
        queue.Empty
            From the shell at the deadline, as nbval expects; it interrupts the cell then.
        Trouble
            If the kernel has ended, says too much, or goes on after it was interrupted.
        """
        grace = 0.0 if stream == "shell" else GRACE
        while True:
            try:
                # Not nbval's own way, which writes every message out for a log that nobody reads.
                receive = self.kc.get_shell_msg if stream == "shell" else self.kc.get_iopub_msg
                message = receive(timeout=0.1)
            except Empty:
                pass
            else:
                self.heard += len(str(message["content"])) + 200
                if self.heard > OUTPUT_LIMIT:
                    raise self._spoilt("crashed", f"it printed more than {OUTPUT_LIMIT:,} characters")
                return message
            if not self.is_alive():
                raise self._spoilt("crashed", self.km.provisioner.why_it_ended)
            if held_mb() > self.held_before + HELD_LIMIT:  # one message can have any number of parts
                raise self._spoilt("crashed", f"it sent more than {HELD_LIMIT} MB of messages")
            if time.monotonic() > self.deadline + grace:
                if stream == "shell":
                    raise Empty
                raise self._spoilt("too slow", "")

    def _spoilt(self, state: str, why: str) -> Trouble:
        self.spoilt = True
        return Trouble(state, why)

    def stop(self) -> None:
        """End the kernel; the client's threads too."""
        if hasattr(self, "km"):
            super().stop()


class GradedNotebook(IPyNbFile):  # type: ignore[misc]
    """A notebook of the setup and graded cells, which outlives its kernels."""

    kernel: Kernel | None = None
    exercise = ""  # whose cell runs, or ran last
    setup_failed = False

    def setup(self) -> None:
        """Start the first kernel, and tell what is not compared."""
        self.skip_compare: tuple[str, ...] = (*self.skip_compare, "stderr")
        self.new_kernel()

    def new_kernel(self) -> Kernel:
        """A kernel in which nothing has run."""
        if self.kernel is not None:
            self.kernel.stop()
        self.timed_out = False
        self.kernel = Kernel(provisioner.NAME, cwd=str(self.path.parent), startup_timeout=START_LIMIT)
        return self.kernel

    def get_kernel_message(self, timeout: float | None = None, stream: str = "iopub") -> Any:
        """The next message that can decide anything."""
        assert self.kernel is not None
        while (message := self.kernel.get_message(stream, timeout))["msg_type"] in _NOT_COMPARED:
            pass
        return message

    def collect(self) -> Iterator[IPyNbCell]:
        """The cells, without nbval's comparison in words, which takes for ever on long texts."""
        for cell in super().collect():
            cell.format_output_compare = lambda *_: None
            yield cell

    def teardown(self) -> None:
        if self.kernel is not None:
            self.kernel.stop()


class Judge:
    """The pytest plugin: fresh kernels where needed, and a record of every cell."""

    def __init__(self, time_limit: float, setup_limit: float) -> None:
        self.time_limit, self.setup_limit = time_limit, setup_limit
        self.setup_left = setup_limit  # seconds of all setups but the first
        self.cells: list[dict[str, Any]] = []
        self.no_kernel = ""  # why none could be started; no student's code has run in it by then

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> IPyNbFile | None:
        if file_path.suffix == ".ipynb":
            return GradedNotebook.from_parent(parent, path=file_path)
        return None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self, item: IPyNbCell) -> None:
        """Before a cell runs: is there a kernel for it, and how long may it take?"""
        book: GradedNotebook = item.parent
        name = exercise_of(item)
        if self.no_kernel:
            pytest.skip("the grader failed")
        if book.setup_failed:
            pytest.skip("the setup failed")
        assert book.kernel is not None
        if not name:
            book.kernel.deadline = time.monotonic() + self.setup_limit
            return
        if name == book.exercise:
            if book.kernel.spoilt or book.timed_out:
                pytest.skip("not run")
            return
        if book.exercise and not (book.kernel.spoilt or book.timed_out):  # a right answer may do damage too
            book.kernel.spoilt = not self._sings(book)
        book.exercise = name
        if book.kernel.spoilt or book.timed_out:
            self._set_up_again(book)
        book.kernel.heard = 0
        book.kernel.deadline = time.monotonic() + self.time_limit

    def _sings(self, book: GradedNotebook) -> bool:
        """Whether what all exercises share is still as it was."""
        assert book.kernel is not None
        marks = book.nb.metadata.get("nexttoken", {"canary": "", "sings": ""})
        book.kernel.deadline = time.monotonic() + self.time_limit
        try:
            return bool(printed_by(book.kernel, marks["canary"]) == marks["sings"])
        except Exception:  # the kernel has ended, or its messages are damaged
            return False

    def _set_up_again(self, book: GradedNotebook) -> None:
        if self.setup_left <= 0:
            raise Trouble("too slow", IMPORTS)
        try:
            kernel = book.new_kernel()
        except Exception as error:
            self.no_kernel = repr(error)
            raise
        setup = next(cell for cell in book.nb.cells if cell.cell_type == "code")
        began = time.monotonic()
        kernel.deadline = began + self.setup_left
        try:
            printed_by(kernel, setup.source)
        except Empty:
            raise Trouble("too slow", IMPORTS) from None
        finally:
            self.setup_left -= time.monotonic() - began

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: IPyNbCell, call: pytest.CallInfo[None]) -> Iterator[None]:
        report = yield
        problem = call.excinfo.value if call.excinfo else None
        if call.when == "setup" and problem is not None:
            self.no_kernel = self.no_kernel or repr(problem)
        elif call.when == "call":
            self.write_down(item, problem)
        return report

    def write_down(self, item: IPyNbCell, problem: BaseException | None) -> None:
        """What this cell came to."""
        book: GradedNotebook = item.parent
        outputs = item.test_outputs or []
        record: dict[str, Any] = {
            "cell": item.cell.get("id", ""),
            "exercise": exercise_of(item),
            "passed": problem is None,
            "run": item.test_outputs is not None or isinstance(problem, Trouble),
            "printed": "".join(str(o.get("text", "")) for o in outputs if o.get("name") == "stdout")[
                :KEPT_LIMIT
            ],
        }
        if error := next((o for o in outputs if o.output_type == "error"), None):
            record["error"] = described(error)
        if isinstance(problem, Trouble):
            record["trouble"] = {"state": problem.state, "why": problem.why}
        elif book.timed_out:
            record["trouble"] = {"state": "too slow", "why": ""}
        elif problem is not None and not isinstance(problem, NbCellError | pytest.skip.Exception):
            # The messages themselves were odd: whoever forges them gets a fresh kernel, and no points.
            record["trouble"] = {
                "state": "crashed",
                "why": f"the kernel's messages are damaged ({problem!r:.200})",
            }
            if book.kernel is not None:
                book.kernel.spoilt = True
        if "trouble" in record and book.kernel is not None:
            book.kernel.spoilt = True
        if not exercise_of(item) and problem is not None:
            book.setup_failed = True
        self.cells.append(record)


def held_mb() -> int:
    """How much memory this process holds."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() >> 20


def printed_by(kernel: Kernel, source: str) -> str:
    """Run a cell, and what it printed."""
    request = kernel.execute_cell_input(source, allow_stdin=False)
    kernel.await_reply(request)
    printed = ""
    while True:
        message = kernel.get_message("iopub")
        if message["parent_header"].get("msg_id") != request:
            continue
        content = message["content"]
        if message["msg_type"] == "stream" and content["name"] == "stdout":
            printed += content["text"]
        if message["msg_type"] == "status" and content["execution_state"] == "idle":
            return printed


def exercise_of(item: IPyNbCell) -> str:
    """The exercise that a cell grades; none for the setup."""
    name: str = item.cell.metadata.get("nexttoken", {}).get("exercise", "")
    return name


def described(error: Any) -> dict[str, Any]:
    """An error that came from the kernel, cut to what is worth keeping."""
    traceback = error.get("traceback", [])
    text = _COLOURS.sub("", "\n".join(map(str, traceback[-30:])))[-KEPT_LIMIT:]
    lines = re.findall(r"src/nexttoken/(\w+)\.py\"?(?::|, line )(\d+)", text)
    return {
        "name": str(error.get("ename", ""))[:200],
        "value": str(error.get("evalue", ""))[:2000],
        "lines": [[file, int(line)] for file, line in lines[-20:]],
    }


def judge(request: dict[str, Any], asker: socket.socket) -> None:
    """Judge one chapter of one submission, and say what every cell came to."""
    keeper.say(asker, {"pid": os.getpid()})
    folder = Path(request["folder"])
    folder.mkdir()
    resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
    try:
        asked = {"limits": request["limits"], "sandbox": request["sandbox"], **laid_out(request, folder)}
        provisioner.provide(asked, folder)
        os.environ["NEXTTOKEN_WARM"] = request["warm"]
        plugin = Judge(request["time_limit"], request["setup_limit"])
        run_pytest(folder, request["notebook"], plugin)
        if plugin.no_kernel:
            keeper.say(asker, {"error": f"no kernel could be started: {plugin.no_kernel:.500}"})
        else:
            keeper.say(asker, {"cells": plugin.cells})
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def laid_out(request: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Write the student's files; where they and the course are to be seen by the kernel."""
    stage = Path(request["stage"])
    files = {}
    for chapter, content in request["files"].items():
        file = folder / f"{chapter}.py"
        file.write_bytes(base64.b64decode(content))
        files[f"src/nexttoken/{chapter}.py"] = str(file)
    if request["sandbox"]:
        inside = {f"/course/{name}": file for name, file in files.items()}
        return {"course": "/course", "files": {"/course": str(stage)} | inside}
    whole = folder / "course"
    shutil.copytree(stage, whole)
    for name, place in files.items():
        shutil.copy(place, whole / name)
    return {"course": str(whole), "files": {}}


def run_pytest(folder: Path, notebook: str, plugin: object) -> None:
    """Run the cells of a notebook as pytest's items; nothing of the student's is on pytest's path."""
    file = folder / "graded.ipynb"
    file.write_text(notebook, encoding="utf-8")
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    off = "cacheprovider unraisableexception threadexception faulthandler logging doctest junitxml".split()
    options = ["-p", "nbval.plugin", "--noconftest", "--color=no", "-c", os.devnull, f"--rootdir={folder}"]
    pytest.main(
        ["-q", *(word for name in off for word in ("-p", f"no:{name}")), *options, str(file)], [plugin]
    )


def rehearse(folder: Path) -> None:
    """Go through the motions with an empty notebook, so that all modules get imported."""
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")])
    provisioner.provide({}, folder)
    os.environ["NEXTTOKEN_WARM"] = str(folder / "nobody")
    run_pytest(folder, json.dumps(book), Judge(1.0, 1.0))
