"""One kernel and who looks after it: a fork that builds the box, starts the kernel in it, and watches.

The kernel is a fork too, of a process that has imported torch; so it is ready in milliseconds. It
joins the namespaces of a box that bubblewrap has built. Whoever asked for the kernel holds a
connection: when that closes, for whatever reason, box and kernel end.
"""

import contextlib
import ctypes
import errno
import json
import os
import platform
import resource
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nexttoken.classroom import box

LOOK_EVERY = 0.1  # seconds
NAMESPACES = (
    0x10000000 | 0x20000 | 0x20000000 | 0x40000000 | 0x8000000 | 0x4000000
)  # user, mounts, pid, net, ipc, uts
_SET_DEATH_SIGNAL, _SET_DUMPABLE, _DROP_BOUND, _SUBREAPER, _NO_NEW_PRIVILEGES, _AMBIENT = 1, 4, 24, 36, 38, 47
_SECCOMP, _FILTER = 22, 2
# What would hold memory that no process maps, so that nobody sees whose it is: by machine, the word for
# its calls and the numbers of memfd_create, memfd_secret, shmget, semget, msgget.
_UNSEEN_MEMORY = {
    "x86_64": (0xC000003E, (319, 447, 29, 64, 68)),
    "aarch64": (0xC00000B7, (279, 447, 194, 190, 186)),
}
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Limits:
    """What one kernel may take."""

    memory_mb: int = 1500  # of all its processes together
    address_mb: int = 6000  # of one process: torch alone maps much that it never touches
    processes: int = 64  # threads count
    file_mb: int = 64
    open_files: int = 256


def keep(request: dict[str, Any], asker: socket.socket, hidden: list[str]) -> None:
    """Start the kernel that is asked for, say which process it is, and watch it to its end."""
    with_parent_dies()
    prctl(_SUBREAPER, 1)  # the kernel's parent ends at once; so it becomes our child
    limits = Limits(**request["limits"])
    walls = Box(request["files"], hidden) if request["sandbox"] else None
    try:
        kernel = start_kernel(request, limits, walls, asker)
        say(asker, {"pid": kernel})
        why = watch(kernel, walls, limits, asker)
        with contextlib.suppress(OSError):  # nobody listens any more
            say(asker, {"ended": why})
    finally:
        if walls:
            walls.pull_down()
        end_children()


def say(asker: socket.socket, message: dict[str, Any]) -> None:
    asker.sendall(json.dumps(message).encode() + b"\n")


class Box:
    """A sandbox that stands until it is pulled down, with all that runs in it."""

    def __init__(self, files: dict[str, str], hidden: list[str]) -> None:
        read, write = os.pipe()
        self._process = subprocess.Popen(
            box.command(files, hidden, write),
            pass_fds=[write],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd="/",
            env={"PATH": "/usr/bin:/bin"},  # all of it can be read inside
        )
        os.close(write)
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        if not self._process.stdout.readline():
            raise box.does_not_work(self._process.stderr.read().decode())
        with open(read, "rb") as info:
            self.first = int(
                json.loads(info.read())["child-pid"]
            )  # our number of the process that is 1 inside

    def processes(self) -> list[str]:
        """What is known of every process inside: a folder each."""
        inside = box.seen_from_outside(self.first) / "proc"
        try:
            return [str(folder) for folder in inside.iterdir() if folder.name.isdigit()]
        except OSError:
            return []

    def pull_down(self) -> None:
        """End all processes inside; the system does, when the first of them ends."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.first, signal.SIGKILL)
        self._process.kill()
        self._process.wait()


def start_kernel(request: dict[str, Any], limits: Limits, walls: Box | None, asker: socket.socket) -> int:
    """Fork the kernel, inside the box if there is one; its process number as we see it."""
    read, write = os.pipe()
    if os.fork() == 0:  # joins, and forks once more: only a child is in the new process namespace
        try:
            if walls:
                handle = os.pidfd_open(walls.first)
                check(_libc.setns(handle, NAMESPACES), "join the box")
            kernel = os.fork()
            if kernel:
                os._exit(0)
            become_kernel(request, limits, write, walls is not None)
        except BaseException as error:
            with contextlib.suppress(OSError):
                os.write(write, f"{type(error).__name__}: {error}".encode())
        finally:
            os._exit(1)
    os.close(write)
    os.wait()
    with open(read, "rb") as said:
        problem = said.read().decode()  # ends when the kernel has closed what it inherited
    kernel = next(iter(children_but(walls)), 0)
    if problem or not kernel:
        raise RuntimeError(f"no kernel could be started: {problem or 'it ended at once'}")
    return kernel


def children_but(walls: Box | None) -> list[int]:
    """Our child processes, except bubblewrap."""
    with open("/proc/thread-self/children") as file:
        found = [int(word) for word in file.read().split()]
    return [pid for pid in found if walls is None or pid != walls._process.pid]


def become_kernel(request: dict[str, Any], limits: Limits, problem: int, boxed: bool) -> None:
    """Turn this process into an IPython kernel that has nothing of its past but what it has imported."""
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    if boxed:
        drop_capabilities()
    home = "/tmp" if boxed else request["folder"]
    prctl(_NO_NEW_PRIVILEGES, 1)
    forbid_unseen_memory()
    prctl(_SET_DUMPABLE, 1)  # so that the client reaches the sockets through /proc
    os.chdir(home)
    for which, value in (
        (resource.RLIMIT_AS, limits.address_mb << 20),
        (resource.RLIMIT_NPROC, limits.processes if boxed else -1),
        (resource.RLIMIT_FSIZE, limits.file_mb << 20),
        (resource.RLIMIT_NOFILE, limits.open_files),
        (resource.RLIMIT_CORE, 0),
    ):
        if value > 0:
            resource.setrlimit(which, (value, value))
    os.environ.clear()
    os.environ.update(environment(home, request["course"]))
    forget_ourselves(request["course"])
    connection = Path(home, "connection.json")
    connection.write_text(json.dumps(request["connection"]), encoding="utf-8")
    for signum in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(signum, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.dup2(problem, 3)
    os.closerange(4, 4096)
    os.close(3)  # from here on nobody hears of our problems
    run_kernel(connection)


def run_kernel(connection: Path) -> None:
    from ipykernel.kernelapp import IPKernelApp

    sys.argv = ["kernel", "-f", str(connection)]
    app = IPKernelApp.instance()
    app.capture_fd_output = False  # only what is printed through Python is a cell's output
    # Without a database of what was typed, and without colours in tracebacks: both take their time.
    app.config.HistoryManager.enabled = False
    app.config.InteractiveShell.xmode = "Plain"
    app.config.InteractiveShell.colors = "NoColor"
    app.initialize(sys.argv[1:])
    app.start()


def environment(home: str, where: str) -> dict[str, str]:
    """The variables that the kernel sees."""
    return {
        "HOME": home,
        "IPYTHONDIR": f"{home}/ipython",
        "LANG": "C.UTF-8",
        "MPLCONFIGDIR": f"{home}/matplotlib",
        "NEXTTOKEN_BOX": "1",
        "NEXTTOKEN_ROOT": where,
        "OMP_NUM_THREADS": "1",
        "PATH": "/usr/bin:/bin",
        "PYTEST_VERSION": "in a box",  # an answer's own printing then goes aside
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": f"{where}/src",
    }


def forget_ourselves(where: str) -> None:
    """The grader's package is imported again from the course in the box, which is another one."""
    for name in [name for name in sys.modules if name.split(".")[0] == "nexttoken"]:
        del sys.modules[name]
    sys.path[:] = [
        f"{where}/src",
        *(p for p in sys.path if "-packages" in p or p.startswith(sys.base_prefix)),
    ]


def drop_capabilities() -> None:
    for capability in range(64):
        _libc.prctl(_DROP_BOUND, capability, 0, 0, 0)
    _libc.prctl(_AMBIENT, 4, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    check(_libc.capset(header, (ctypes.c_uint32 * 6)()), "drop all capabilities")


def forbid_unseen_memory() -> None:
    """Have the system refuse some calls from now on, and those by the numbers of another machine.

    Where it cannot filter calls, they stay allowed.
    """
    if platform.machine() not in _UNSEEN_MEMORY:
        return
    machine, calls = _UNSEEN_MEMORY[platform.machine()]
    load, equal, at_least, answer = 0x20, 0x15, 0x35, 0x06
    no = len(calls) + 4  # less a step's place: its jump to the refusal, which stands last
    steps = [
        (load, 0, 0, 4),
        (equal, 0, no - 1, machine),
        (load, 0, 0, 0),
        (at_least, no - 3, 0, 0x40000000),  # x86's second set of numbers
        *((equal, no - 4 - place, 0, call) for place, call in enumerate(calls)),
        (answer, 0, 0, 0x7FFF0000),  # allowed
        (answer, 0, 0, 0x50000 | errno.EPERM),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    program = ctypes.create_string_buffer(struct.pack("HP", len(steps), ctypes.addressof(code)))
    _libc.prctl(_SECCOMP, _FILTER, program, 0, 0)


def watch(kernel: int, walls: Box | None, limits: Limits, asker: socket.socket) -> str:
    """Wait until the kernel ends, is no longer wanted, or takes too much; what happened, in words."""
    ending = os.pidfd_open(kernel)
    while True:
        ready, _, _ = select.select([asker.fileno(), ending], [], [], LOOK_EVERY)
        if asker.fileno() in ready:
            order = asker.recv(1)
            if order != b"i":
                return "no longer wanted"
            with contextlib.suppress(ProcessLookupError):
                os.kill(kernel, signal.SIGINT)
        if ending in ready:
            return how_it_ended(os.waitpid(kernel, 0)[1])
        processes = walls.processes() if walls else [f"/proc/{kernel}"]
        if (used := memory_mb(processes, limits.memory_mb)) > limits.memory_mb:
            return f"it held {used:,} MB of memory; {limits.memory_mb:,} MB are allowed"


def how_it_ended(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    return f"your code ended Python itself ({how})"


def memory_mb(processes: list[str], limit_mb: int) -> int:
    """How much memory processes hold together; above the limit, what they share counts once."""
    at_most = sum(map(own_kb, processes)) >> 10
    if at_most <= limit_mb:
        return at_most
    return sum(map(proportional_kb, processes)) >> 10


def own_kb(folder: str) -> int:
    """What a process holds that is no file's, shared with others or not: quick to ask."""
    try:
        with open(f"{folder}/statm") as file:
            _, resident, shared = map(int, file.read().split()[:3])
        with open(f"{folder}/status") as file:
            of_memory = next((int(line.split()[1]) for line in file if line.startswith("RssShmem:")), 0)
    except (OSError, ValueError):
        return 0
    return ((resident - shared) * resource.getpagesize() >> 10) + of_memory


def proportional_kb(folder: str) -> int:
    """Its part of all that it holds: slow to ask."""
    try:
        with open(f"{folder}/smaps_rollup") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("Pss:"))
    except (OSError, StopIteration):  # it hides its maps
        return own_kb(folder)


def end_children() -> None:
    """Kill what is left of the kernel's processes, as far as they have become ours."""
    end = time.monotonic() + 2
    while time.monotonic() < end:
        for pid in children_but(None):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.005)


def with_parent_dies() -> None:
    """End this process when its parent does."""
    prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)


def prctl(option: int, value: int) -> None:
    check(_libc.prctl(option, value, 0, 0, 0), f"prctl {option}")


def check(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
