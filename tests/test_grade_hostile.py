"""Whatever a submission does, it costs its author that exercise, or the chapter, and nobody else anything."""

import ctypes
import os
import re
import socket
import subprocess
import threading
import time
from tempfile import TemporaryDirectory

import pytest
from classes import Classroom, answers
from trees import reference_body

from nexttoken import course

pytestmark = pytest.mark.timeout(600)  # all of the class is graded in the set-up of one test

RIGHT = reference_body("attention.additive_scores")  # the exercise that misbehaves; no other one calls it
ALL, WITHOUT = 13, 11  # points of the chapter, and those that are left when it is lost

# name -> (body, points, part of the message)
INSIDE = {
    "loop": ("while True: pass", WITHOUT, "is there a loop that never ends?"),
    "loop that cannot be interrupted": (
        "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass",
        WITHOUT,
        "is there a loop that never ends?",
    ),
    "flood that cannot be interrupted": (
        "import os, signal, sys\nfrom IPython.display import publish_display_data\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "while True: publish_display_data({'text/plain': 'x' * 1000})",
        WITHOUT,
        "",
    ),
    "one gigabyte of output": (
        "import sys\nwhile True: sys.__stdout__.write('x' * 10_000_000)",
        WITHOUT,
        "",
    ),
    "ends Python": ("import os\nos._exit(0)", WITHOUT, "ended Python itself (exit code 0)"),
    "exits": ("import sys\nsys.exit('enough')", WITHOUT, "SystemExit: enough"),
    "stops itself": ("import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)", WITHOUT, "never ends"),
    "crashes": ("import ctypes\nctypes.string_at(0)", WITHOUT, "signal SIGSEGV"),
    "deep recursion": (
        "import sys\nsys.setrecursionlimit(10**9)\nreturn additive_scores(queries, keys, w_query, w_key, v)",
        WITHOUT,
        "",
    ),
    "100 GB": ("return torch.zeros(100 * 2**27)", WITHOUT, "RuntimeError"),
    "a bit more all the time": (
        "held = []\nwhile True: held.append(torch.ones(10_000_000))",
        WITHOUT,
        "",
    ),
    "forks that hold memory": (
        "import os, time\nfor _ in range(40):\n    if os.fork() == 0:\n"
        "        held = torch.ones(120_000_000)\n        time.sleep(60)\ntime.sleep(60)",
        WITHOUT,
        "",
    ),
    "files of memory that nobody maps": (
        "import os\nheld = [os.memfd_create('x') for _ in range(40)]\n"
        "for file in held: os.write(file, bytes(50_000_000))\nraise RuntimeError('held 2 GB')",
        WITHOUT,
        "PermissionError",
    ),
    "segments of memory that nobody maps": (
        """import ctypes
libc = ctypes.CDLL(None, use_errno=True)
libc.shmat.restype, libc.shmdt.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
for _ in range(40):
    if (segment := libc.shmget(0, 50_000_000, 0o1600)) < 0: raise OSError(ctypes.get_errno(), "shmget")
    place = libc.shmat(segment, None, 0)
    ctypes.memset(place, 1, 50_000_000)
    libc.shmdt(place)
raise RuntimeError("held 2 GB")""",
        WITHOUT,
        "PermissionError",
    ),
    "semaphores that nobody maps": (
        """import ctypes
libc = ctypes.CDLL(None, use_errno=True)
for _ in range(10):
    if libc.semget(0, 32_000, 0o600) < 0: raise OSError(ctypes.get_errno(), "semget")
raise RuntimeError("held 20 MB that nobody sees")""",
        WITHOUT,
        "PermissionError",
    ),
    "fork bomb": (
        "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass",
        WITHOUT,
        "",
    ),
    "threads": (
        "import threading, time\nfor _ in range(10_000):\n"
        "    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
        WITHOUT,
        "can't start new thread",
    ),
    "kills whom it can": (
        "import os, signal\nfor pid in (os.getppid(), 1, -1, *range(2, 400)):\n"
        "    try: os.kill(pid, signal.SIGKILL)\n    except OSError: pass\nos._exit(1)",
        WITHOUT,
        "ended Python itself",
    ),
    "kills its group": ("import os, signal\nos.killpg(0, signal.SIGKILL)", WITHOUT, "ended Python itself"),
    "fills the disk": (
        """import os
written = 0
for folder in ("/tmp", "/dev/shm", "/dev", "/course", "/usr", "/", os.getcwd()):
    try:
        for number in range(100):
            with open(f"{folder}/full{number}", "wb") as file:
                for _ in range(80):
                    written += file.write(bytes(1_000_000))
    except OSError: pass
raise RuntimeError(f"wrote {written > 250_000_000}")""",
        WITHOUT,
        "RuntimeError: wrote False",
    ),
    "deletes all that it sees": (
        # For a second: a folder can hold more than the time limit lets one walk.
        """import os, time
def delete(end):
    for top in ("/course", "/tmp", "/dev/shm", "/etc", "/"):
        for folder, _, files in os.walk(top):
            for file in files:
                if time.monotonic() > end: return
                try: os.remove(os.path.join(folder, file))
                except OSError: pass
if not hasattr(torch, "deleted"):
    torch.deleted = True
    delete(time.monotonic() + 1)
"""
        + RIGHT,
        ALL,
        "",
    ),
    "leaves a process behind": (
        "import os, subprocess\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
        "        os.execvp('sleep', ['sleep', '86399'])\n    os._exit(0)\n" + RIGHT,
        ALL,
        "",
    ),
    "patches what compares": (
        "torch.allclose = torch.equal = lambda *a, **k: True\nimport builtins\nbuiltins.print = lambda *a, **k: None\n"
        "import nexttoken.lab.show as show\nshow._number = lambda value: '0.0000'\nreturn v.new_zeros(3)",
        WITHOUT,
        "",
    ),
    "odd objects": (
        "class Odd(torch.Tensor):\n    def __eq__(self, other): return True\n    __hash__ = None\n"
        "    def __bool__(self): return True\nreturn Odd(keys)",
        WITHOUT,
        "",
    ),
    "a large result": ("return torch.full((3000, 3000), math.nan)", WITHOUT, ""),
    "only for the published seed": (
        "from nexttoken.lab.inputs import Inputs\npublished = Inputs(1).normal(*queries.shape)\n"
        "if queries.numel() < 6 or torch.equal(queries, published):\n"
        + "".join(f"    {line}\n" for line in RIGHT.splitlines())
        + "return torch.zeros(2, 2)",
        WITHOUT,
        "",
    ),
    "forged messages": (
        """from ipykernel.kernelapp import IPKernelApp
kernel = IPKernelApp.instance().kernel
send = kernel.session.send
parent = kernel.get_parent("shell")
send(kernel.iopub_socket, "stream", {"name": "stdout", "text": "all is right"}, parent=parent, ident=b"stream")
send(kernel.iopub_socket, "status", {"execution_state": "idle"}, parent=parent, ident=b"status")
send(kernel.iopub_socket, "error", {}, parent=parent, ident=b"error")
kernel.iopub_socket.send_multipart([b"x", b"<IDS|MSG>", b"wrong", b"{}", b"{", b"", b"["])
return torch.zeros(1)""",
        WITHOUT,
        "",
    ),
    "messages of a thousand parts": (
        "from ipykernel.kernelapp import IPKernelApp\nimport time\nparts = [bytes(3_000_000)] * 1000\n"
        "while True:\n    IPKernelApp.instance().kernel.iopub_socket.send_multipart(parts, copy=False)\n"
        "    time.sleep(0.05)",
        WITHOUT,
        "",
    ),
    "closes its sockets": ("import os\nos.closerange(3, 256)\nreturn v", WITHOUT, ""),
    "right, and warns": (
        "import sys, warnings\nwarnings.warn('careful')\nprint('hello')\nprint('oh', file=sys.stderr)\n"
        + RIGHT,
        ALL,
        "",
    ),
}
LOOKS = {
    "reads": """
import glob, os
found = []
secrets = ["{root}/solutions", "{root}/exercises", "{root}/src", "{root}/.git", "{submissions}", "{out}", "{work}", "/home", "/etc/passwd", "/etc/shadow", "/var", "/run", "/sys", "/mnt"]
found += [path for path in secrets if os.path.exists(path)]
found += glob.glob("/course/solutions/attention*") + glob.glob("/course/**/misconceptions", recursive=True)
found += glob.glob("/course/**/*.ipynb", recursive=True) + glob.glob("/course/src/nexttoken/classroom*")
found += [pid for pid in os.listdir("/proc") if pid.isdigit() and int(pid) > 9]
for name in glob.glob("/proc/[0-9]*/environ") + glob.glob("/proc/[0-9]*/cmdline"):
    try: text = open(name, "rb").read()
    except OSError: continue
    found += [name for word in (b"PLANTED", b"{submissions}") if word in text]
for link in glob.glob("/proc/[0-9]*/fd/*") + glob.glob("/proc/[0-9]*/root") + glob.glob("/proc/[0-9]*/cwd"):
    try: target = os.readlink(link)
    except OSError: continue
    if target.startswith("/") and not target.startswith(("/dev/", "/tmp", "/proc", "/usr")) and target != "/":
        found.append(link + target)
found += [name for name in os.environ if "PLANTED" in os.environ[name]]
""",
    "calls": """
import socket
found = []
for address in (("127.0.0.1", {port}), ("169.254.169.254", 80), ("1.1.1.1", 53), ("::1", {port})):
    try: socket.create_connection(address, timeout=0.3); found.append(address)
    except OSError: pass
try: found.append(socket.getaddrinfo("example.org", 80))
except OSError: pass
try:
    line = socket.socket(socket.AF_UNIX); line.connect("\\0nexttoken-test-{port}"); found.append("abstract")
except OSError: pass
""",
    "breaks out": """
import ctypes, os, resource, socket
found, libc = [], ctypes.CDLL(None, use_errno=True)
for name, call in dict(
    mount=lambda: libc.mount(b"none", b"/tmp", b"tmpfs", 0, None),
    umount=lambda: libc.umount2(b"/course", 2),
    unshare=lambda: libc.unshare(0x10000000),
    network=lambda: libc.unshare(0x40000000),
    chroot=lambda: libc.chroot(b"/tmp"),
    hostname=lambda: libc.sethostname(b"x", 1),
).items():
    if call() == 0: found.append(name)
for name, call in dict(
    own=lambda: open("/course/src/nexttoken/attention.py", "a"),
    usr=lambda: open("/usr/x", "w"),
    sysctl=lambda: open("/proc/sys/kernel/hostname", "w").write("x"),
    user=lambda: os.setuid(0),
    files=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 40, 1 << 40)),
    processes=lambda: resource.setrlimit(resource.RLIMIT_NPROC, (10_000, 10_000)),
    raw=lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1),
    root=lambda: os.listdir(os.path.join("/proc/1", "root")) == os.listdir("/") and 1 / 0,
    signal=lambda: os.kill({me}, 0),
).items():
    try: call(); found.append(name)
    except (OSError, ValueError, ZeroDivisionError): pass
if os.getuid() == 0: found.append("uid")
""",
}
# name -> (lines after the imports, part of the message)
AT_IMPORT = {
    "ends Python at import": ("import os; os._exit(3)", "exit code 3"),
    "exits at import": ("raise SystemExit(0)", "SystemExit"),
    "loop at import": ("while True: pass", "was imported: Stopped after 60 seconds"),
    "cannot be read": ("def (:", "SyntaxError"),
    "null bytes": ("x = '\0'", "null bytes"),
    "imports what is missing": ("import no_such_module", "No module named 'no_such_module'"),
    "imports a helper": ("from nexttoken.my_helper import f", "nexttoken.my_helper"),
    "patches everything at import": (
        "import nexttoken.exercise as e, sys\ne.who_answers = lambda name: e.reference(name)\n"
        "sys.modules['nexttoken.lab.show'] = None",
        "",
    ),
}


class Listener:
    """A port of this machine, and an abstract socket, that nobody in a box may reach."""

    def __enter__(self):
        self.tcp = socket.create_server(("127.0.0.1", 0))
        self.port = self.tcp.getsockname()[1]
        self.unix = socket.socket(socket.AF_UNIX)
        self.unix.bind(f"\0nexttoken-test-{self.port}")
        self.unix.listen()
        return self

    def __exit__(self, *_):
        self.tcp.close()
        self.unix.close()


class Lookout:
    """Measures, while something else goes on, how much memory is left at the least."""

    def __enter__(self):
        self.least, self._done = self._free(), threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def _look(self):
        while not self._done.wait(0.2):
            self.least = min(self.least, self._free())

    @staticmethod
    def _free():
        with open("/proc/meminfo") as file:
            return next(int(line.split()[1]) >> 10 for line in file if line.startswith("MemAvailable"))

    def __exit__(self, *_):
        self._done.set()
        self._thread.join()


def adopting_orphans(on):
    """Make processes that lose their parent ours, so that none of them is overlooked."""
    ctypes.CDLL(None).prctl(36, int(on), 0, 0, 0)


def orphans():
    """The command lines of the processes that a grader has left behind and that are still there."""
    found = []
    listed = subprocess.run(
        ["ps", "-A", "-ww", "-o", "pid=,ppid=,stat=,args="], capture_output=True, text=True, check=True
    )
    for line in listed.stdout.splitlines():
        pid, parent, state, command = line.split(None, 3)
        if int(parent) == os.getpid() and re.search("classroom.warm|bwrap|sleep", command):
            if state.startswith("Z"):
                os.waitpid(int(pid), os.WNOHANG)  # nobody else will
            else:
                found.append(command)
    return found


@pytest.fixture(scope="module")
def hostile(need, tmp_path_factory):
    """The whole class, graded in one run; honest students stand between the others."""
    need("bubblewrap")
    classroom = Classroom(tmp_path_factory.mktemp("hostile"))
    with Listener() as listener, Lookout() as lookout, TemporaryDirectory(dir="/tmp") as scratch:
        places = {
            "root": "ROOT",
            "submissions": str(classroom.submissions),
            "out": str(classroom.out),
            "work": str(classroom.folder),
            "port": listener.port,
            "me": os.getpid(),
        }
        places["root"] = str(course.root())
        bodies = {name: body for name, (body, *_) in INSIDE.items()}
        for name, body in LOOKS.items():
            for key, value in places.items():
                body = body.replace("{" + key + "}", str(value))
            bodies[name] = body + "\nraise RuntimeError(f'found {found}')"
        for name, body in bodies.items():
            classroom.hand_in(name, answers(bodies={"additive_scores": body}))
        for name, (top, _) in AT_IMPORT.items():
            classroom.hand_in(name, answers(top=top))
        for number in range(3):
            classroom.hand_in(f"honest {number}")
        started = time.monotonic()
        os.environ["PLANTED_SECRET"] = "PLANTED"
        adopting_orphans(True)
        try:
            classroom.run = classroom.grade("--time-limit", 3, "--jobs", 4, scratch=scratch)
            end = time.monotonic() + 20  # the system takes its time to end what it kills
            while (found := orphans()) and time.monotonic() < end:
                time.sleep(0.1)
        finally:
            adopting_orphans(False)
            del os.environ["PLANTED_SECRET"]
        classroom.orphans, classroom.left = found, os.listdir(scratch)
        classroom.seconds = time.monotonic() - started
        classroom.least_free = lookout.least
    print(f"{len(bodies) + len(AT_IMPORT) + 3} submissions in {classroom.seconds:.0f} s")
    return classroom


@pytest.mark.parametrize("name", INSIDE)
def test_it_costs_that_exercise_and_says_why(hostile, name):
    _, points, message = INSIDE[name]
    found = hostile.verdicts(name)
    assert hostile.grades()[name]["total"] == str(points), [
        (v["state"], v["message"]) for v in found.values() if v["state"] != "right"
    ]
    assert message in found["additive_scores"]["message"]


@pytest.mark.parametrize("name", LOOKS)
def test_nothing_is_found_in_a_box(hostile, name):
    assert hostile.verdicts(name)["additive_scores"]["message"].startswith("RuntimeError: found []")


@pytest.mark.parametrize("name", AT_IMPORT)
def test_what_happens_at_import_costs_the_chapter(hostile, name):
    found = hostile.verdicts(name)
    assert hostile.grades()[name]["total"] == "0"
    assert {verdict["state"] for verdict in found.values()} <= {
        "cannot be read",
        "crashed",
        "too slow",
        "wrong",
    }
    assert AT_IMPORT[name][1] in found["softmax"]["message"]


def test_nobody_else_loses_anything(hostile):
    grades = hostile.grades()
    assert {grades[f"honest {number}"]["total"] for number in range(3)} == {str(ALL)}


def test_the_machine_keeps_its_memory(hostile):
    assert hostile.least_free > 1000


def test_no_process_and_no_file_is_left(hostile):
    assert hostile.orphans == []
    assert hostile.left == []
