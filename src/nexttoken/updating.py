"""`nexttoken update`: a newer course, merged into a half-solved one with git.

The reader's answers are bodies of functions in `src/`, the course's changes are nearly always
elsewhere, so that git merges the two by itself. Where it cannot, nothing is changed.
"""

import subprocess
from collections.abc import Iterator

from nexttoken import answers, course


def update(*, dry_run: bool = False, remote: str = "", branch: str = "main") -> Iterator[str]:
    """Fetch and merge, saying each step; with `dry_run` only say what would happen.

    Raises
    ------
    RuntimeError
        If this is no git checkout, the remote is not there, or git cannot merge by itself.
    """
    if _git("rev-parse", "--show-toplevel", check=False).returncode:
        raise RuntimeError(
            "This copy of the course is not a git checkout. Get the newer one beside it, "
            "and copy your src/nexttoken/<chapter>.py files over."
        )
    source = remote or _course_remote()
    _git("fetch", "--quiet", source, branch)
    newer = _output("rev-parse", "FETCH_HEAD")
    commits = _output("log", "--format=%h %s", f"HEAD..{newer}").splitlines()
    if not commits:
        yield f"Nothing newer in {source}/{branch}."
        return
    yield f"{len(commits)} newer in {source}/{branch}:"
    yield from (f"  {line}" for line in commits)

    mine = _changed_files()
    conflicts = _conflicts(newer, mine)
    if conflicts:
        raise RuntimeError(
            "git cannot merge these files by itself, so nothing was changed: "
            + ", ".join(conflicts)
            + f". Merge by hand: git merge {newer[:8]}"
        )
    if dry_run:
        yield f"It merges cleanly. {len(mine)} files of yours would be saved first: {', '.join(mine) or 'none'}."
        return
    for name in mine:
        if (file := course.root() / name).is_file() and file.suffix == ".py":
            yield f"Kept: {answers.keep(file).relative_to(course.root())}"
    # A notebook holds no answers, and running it fills it with outputs: the course's version is right.
    _git("checkout", "--quiet", "--", "exercises")
    if mine and _output("status", "--porcelain", "--untracked-files=no"):
        _git("commit", "--quiet", "--all", "--message", "My answers")
        yield 'Your work is committed: "My answers".'
    _git("merge", "--quiet", "--no-edit", newer)
    yield "Merged. `nexttoken status` shows where you stand; `make book` rebuilds the site."


def _course_remote() -> str:
    remotes = _output("remote").split()
    for name in ("upstream", "origin"):
        if name in remotes:
            return name
    raise RuntimeError("This checkout has no git remote to update from: git remote add upstream ADDRESS")


def _changed_files() -> list[str]:
    lines = _output("status", "--porcelain", "--untracked-files=no").splitlines()
    return [name for line in lines if not (name := line[3:].strip('"')).startswith("exercises/")]


def _conflicts(newer: str, mine: list[str]) -> list[str]:
    """The files that a merge of `newer` with what lies here, committed or not, cannot settle."""
    here = _output("stash", "create") if mine else ""  # a commit of the working tree, on no branch
    result = _git("merge-tree", "--write-tree", "--name-only", here or "HEAD", newer, check=False)
    if result.returncode == 0:
        return []
    if result.returncode > 1:
        raise RuntimeError(f"git merge-tree failed (git 2.38 or newer is needed): {result.stderr.strip()}")
    files = result.stdout.split("\n\n")[0].splitlines()[1:]
    return [name for name in files if not name.startswith("exercises/")]


def _output(*arguments: str) -> str:
    return _git(*arguments).stdout.rstrip("\n")


def _git(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=course.root(), capture_output=True, text=True, stdin=subprocess.DEVNULL
        )
    except FileNotFoundError:
        raise RuntimeError("git is not installed.") from None
    if check and done.returncode:
        raise RuntimeError(f"git {arguments[0]} failed: {done.stderr.strip()}")
    return done
