"""The sandbox of one kernel, as a bubblewrap command: what is in it, and what is not.

Inside there are Python with its packages and a course without the answers of the graded chapter,
both read-only, and a small private /tmp. There is no network, no other process, no home.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

SCRATCH_MB = 64  # of memory that files in /tmp and /dev/shm may take, each
_LIBRARIES = ("lib", "lib32", "lib64", "libx32", "bin", "sbin")
_PACKAGES = (
    "torch",
    "numpy",
    "jaxtyping",
    "ipykernel",
    "IPython",
    "zmq",
)  # whatever the rest is, it is beside them
_CURES = (
    "It must be of version 0.8 or newer. Where AppArmor forbids namespaces, as in Ubuntu 24.04, give bwrap a profile "
    "that allows them, or run: sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0"
)
_SETTINGS = ("/etc/ld.so.cache", "/etc/alternatives", "/etc/fonts", "/etc/localtime")


class NoSandbox(RuntimeError):
    """Bubblewrap is missing, or does not work here."""


def bubblewrap() -> str:
    """The path of bubblewrap.

    Raises
    ------
    NoSandbox
        If there is none.
    """
    if (path := shutil.which("bwrap")) is not None:
        return path
    raise NoSandbox(
        "bubblewrap is missing (apt install bubblewrap): without it nothing keeps the students' code from your "
        "files, your network and your other processes. --no-sandbox grades all the same, for code that you trust."
    )


def try_out(hidden: Iterable[str]) -> None:
    """Build a box in which nothing is done.

    Raises
    ------
    NoSandbox
        If that cannot be done here, with what can be done about it.
    """
    tried = subprocess.run(
        [*_walls({}, hidden), "true"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if tried.returncode:
        raise does_not_work(tried.stderr)


def does_not_work(said: str) -> NoSandbox:
    """For want of a box: what bubblewrap says, and the cures, in one line."""
    return NoSandbox(f"bubblewrap does not work here ({' '.join(said.split())}). {_CURES}")


def command(files: Mapping[str, str], hidden: Iterable[str], info: int) -> list[str]:
    """The command that builds a box, and holds it open until it is killed.

    `files` maps places in the box to files and folders outside, which appear there read-only;
    nothing below `hidden` is seen, wherever Python lies. Bubblewrap writes on descriptor `info`
    which process is the box's first.
    """
    # The line says that the box is complete.
    return [*_walls(files, hidden), "--info-fd", str(info), "sh", "-c", "echo; exec sleep infinity"]


def _walls(files: Mapping[str, str], hidden: Iterable[str]) -> list[str]:
    scratch = ["--size", str(SCRATCH_MB << 20), "--perms", "1777", "--tmpfs"]
    parts = [
        [bubblewrap(), "--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent"],
        ["--new-session", "--clearenv", "--cap-drop", "ALL", "--hostname", "box"],
        [*scratch, "/tmp"],
        *_python(hidden),
        ["--proc", "/proc", "--dev", "/dev", *scratch, "/dev/shm", "--remount-ro", "/dev"],
        *(["--ro-bind", outside, inside] for inside, outside in files.items()),
        ["--remount-ro", "/", "--chdir", "/tmp"],
    ]
    return [word for part in parts for word in part]


def seen_from_outside(process: int) -> Path:
    """The folder `/` of a process inside, by our number of it: how its files are reached from here."""
    return Path("/proc", str(process), "root")


def _python(hidden: Iterable[str]) -> list[list[str]]:
    """Bind Python and its packages where they are, except what lies in `hidden`."""
    seen = {path: ["--ro-bind", path, path] for path in installation()}
    covers = {path: ["--tmpfs", path] for path in hidden if any(_inside(path, p) for p in seen)}
    # From the outside in, so that an environment inside of a hidden folder is uncovered again.
    ordered = sorted((covers | seen).items(), key=lambda pair: len(Path(pair[0]).parts))
    return [
        *(words for _, words in ordered),
        *(_library(name) for name in _LIBRARIES if os.path.exists(f"/{name}")),
    ]


def installation() -> list[str]:
    """The folders and files that Python needs to run and to import its packages."""
    homes = [os.path.dirname(os.path.dirname(str(find_origin(name)))) for name in _PACKAGES]
    found: list[str] = []
    for path in ["/usr", sys.base_prefix, sys.prefix, *homes, *filter(os.path.exists, _SETTINGS)]:
        for name in (os.path.realpath(path), path):  # an environment may be known by either
            if not any(_inside(name, known) for known in found):
                found.append(name)
    return found


def find_origin(package: str) -> str:
    """The file of a package's `__init__`, without importing it."""
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return spec.origin


def _library(name: str) -> list[str]:
    path = f"/{name}"
    if os.path.islink(path):
        return ["--symlink", os.readlink(path), path]
    return ["--ro-bind", path, path]


def _inside(path: str, folder: str) -> bool:
    return Path(path).is_relative_to(folder)
