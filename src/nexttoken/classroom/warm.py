"""The warm process: it has imported torch, Jupyter and pytest once, and forks for whoever asks.

It never runs a student's code and never reads a request: each request is read by the fork that
serves it, so that nothing of one student is in the memory from which the next one's kernel comes.

    python -m nexttoken.classroom.warm

One line of JSON on its standard input says the rest: the `address` of the socket on which it listens,
the `user` whom it becomes if root starts it, the folders `hidden` from every box, and whether there
is to be a `sandbox`. It answers with the line `ready`, or with `no sandbox:` and why.
"""

import gc
import importlib
import json
import os
import select
import shutil
import signal
import socket
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import torch

from nexttoken.classroom import box, judging, keeper

DEBUG = "NEXTTOKEN_DEBUG" in os.environ
# What runs first while a notebook is read and compared; importing it here saves it in every fork.
_JUDGES_NEED = (
    "jupyter_client.blocking",
    "jupyter_client.asynchronous",
    "tornado.platform.asyncio",
    "jaxtyping",
)


def serve(address: str, hidden: list[str]) -> None:
    """Answer requests until our standard input closes."""
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    door.bind(address)
    door.listen(256)
    gc.collect()
    gc.freeze()  # so that a fork's garbage collector does not touch, and copy, all that we hold
    threads = len(os.listdir("/proc/self/task"))
    if threads != 1:  # a fork has one thread only, and waits for ever for what the others hold
        raise RuntimeError(f"the warm process has {threads} threads, and must have one")
    print("ready", flush=True)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        ready, _, _ = select.select([door.fileno(), 0], [], [])
        if 0 in ready:
            return
        asker, _ = door.accept()
        if os.fork() == 0:
            door.close()
            answer(asker, hidden)
        asker.close()


def answer(asker: socket.socket, hidden: list[str]) -> None:
    """Serve one request in this fork, and end."""
    keeper.with_parent_dies()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who started us
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1) if DEBUG else (0, 1, 2):  # nobody reads them, and a full pipe would stop us
        os.dup2(nothing, stream)
    try:
        with asker.makefile("rb") as file:
            request: dict[str, Any] = json.loads(file.readline())
        kinds: dict[str, Callable[[], None]] = {
            "kernel": lambda: keeper.keep(request, asker, hidden),
            "judge": lambda: judging.judge(request, asker),
        }
        kinds[request["kind"]]()
    except Exception as error:
        if DEBUG:
            traceback.print_exc()
        keeper.say(asker, {"error": f"{type(error).__name__}: {error}"})
    finally:
        os._exit(0)


def become(user: int) -> None:
    """From now on be an unprivileged user."""
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)


def warm_up(folder: Path) -> None:
    """Import all that kernels and judges use: forks try it out, and say what they have imported."""
    torch.set_num_threads(1)
    torch.ones(2, 2, dtype=torch.float64) @ torch.ones(2, 2, dtype=torch.float64)
    np.random.default_rng(0)
    for name in _JUDGES_NEED:
        importlib.import_module(name)
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")])
    nbformat.reads(nbformat.writes(book), as_version=4)  # the schema is read once
    for attempt in (_a_kernel, judging.rehearse):
        for name in _imported_by(attempt, folder):
            if name not in sys.modules and not name.startswith("__"):
                try:
                    importlib.import_module(name)
                except Exception:  # a name that only that process could import
                    continue


def _imported_by(attempt: Callable[[Path], None], folder: Path) -> list[str]:
    read, write = os.pipe()
    if os.fork() == 0:
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in (1, 2):
            os.dup2(nothing, stream)
        own = folder / attempt.__name__
        own.mkdir()
        try:
            attempt(own)
        finally:
            with open(write, "w") as file:
                file.write("\n".join(sys.modules))
            os._exit(0)
    os.close(write)
    with open(read) as file:
        names = file.read().split("\n")
    os.wait()
    return names


def _a_kernel(folder: Path) -> None:
    os.environ["IPYTHONDIR"] = str(folder)
    from ipykernel.kernelapp import IPKernelApp

    app: Any = IPKernelApp.instance()
    app.capture_fd_output = False
    app.initialize(["-f", f"{folder}/c.json", "--transport=ipc", f"--ip={folder}/k"])
    app.shell.run_cell("print(1)\n1 / 0", silent=True)


def main() -> None:
    """Drop privileges, warm up, serve."""
    told = json.loads(sys.stdin.readline())
    if os.getuid() == 0:
        become(told["user"])
    if told["sandbox"]:  # as the user who builds the boxes
        try:
            box.try_out(told["hidden"])
        except box.NoSandbox as problem:
            print(f"no sandbox: {problem}", flush=True)
            return
    folder = Path(tempfile.mkdtemp(prefix="warm-up-", dir=Path(told["address"]).parent))
    warm_up(folder)
    shutil.rmtree(folder, ignore_errors=True)
    serve(told["address"], told["hidden"])
    shutil.rmtree(Path(told["address"]).parent, ignore_errors=True)  # whoever started us may be gone


if __name__ == "__main__":
    main()
