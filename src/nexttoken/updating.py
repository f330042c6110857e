"""`nexttoken update`: a newer course, merged into a half-solved one with git.

The reader's answers are bodies of functions in `src/`, the course's changes are nearly always
elsewhere, so that git merges the two by itself. Where it cannot, nothing is changed.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path

from nexttoken import answers, course


def update(*, dry_run: bool = False, remote: str = "", branch: str = "main") -> Iterator[str]:
    """Fetch and merge, saying each step; with `dry_run` only say what would happen.

    Raises
    ------
    RuntimeError
        If this is no git checkout, the remote is not there, or git cannot merge by itself.
    """
    top = _git("rev-parse", "--show-toplevel", check=False)
    if top.returncode or Path(top.stdout.rstrip("\n")).resolve() != course.root():
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

    changed = _changed_files()
    mine = [name for name in changed if not _is_notebook(name)]
    in_conflict = _conflicts(newer, changed)
    if conflicts := [name for name in in_conflict if not _is_notebook(name)]:
        raise RuntimeError(
            "git cannot merge these files by itself, so nothing was changed: "
            + ", ".join(conflicts)
            + f". Merge by hand: git merge {newer[:8]}"
        )
    if dry_run:
        yield f"It merges cleanly. {len(mine)} files of yours would be saved first: {', '.join(mine) or 'none'}."
        return
    for name in changed:
        if (file := course.root() / name).is_file():
            yield f"Kept: {answers.keep(file).relative_to(course.root())}"
    # A notebook holds no answers, and running it fills it with outputs: the course's version is right.
    _git("checkout", "--quiet", "HEAD", "--", "exercises")
    if mine and _output("status", "--porcelain", "--untracked-files=no"):
        _git(*_author(), "commit", "--quiet", "--all", "--message", "My answers")
        yield 'Your work is committed: "My answers".'
    _merge(newer, [name for name in in_conflict if _is_notebook(name)])
    yield "Merged. `nexttoken status` shows where you stand; `make book` rebuilds the site."


def _course_remote() -> str:
    remotes = _output("remote").split()
    for name in ("upstream", "origin"):
        if name in remotes:
            return name
    raise RuntimeError("This checkout has no git remote to update from: git remote add upstream ADDRESS")


def _changed_files() -> list[str]:
    return [name for name in _output("diff", "--name-only", "-z", "HEAD").split("\0") if name]


def _is_notebook(name: str) -> bool:
    return name.startswith("exercises/")


def _conflicts(newer: str, mine: list[str]) -> list[str]:
    """The files that a merge of `newer` with what lies here, committed or not, cannot settle."""
    here = _output("stash", "create") if mine else ""  # a commit of the working tree, on no branch
    result = _git("merge-tree", "--write-tree", "--name-only", here or "HEAD", newer, check=False)
    if result.returncode == 0:
        return []
    if result.returncode > 1:
        raise RuntimeError(f"git merge-tree failed (git 2.38 or newer is needed): {result.stderr.strip()}")
    return result.stdout.split("\n\n")[0].splitlines()[1:]


def _merge(newer: str, notebooks: list[str]) -> None:
    """Merge. Of `notebooks`, which were committed after a run, the course's version is taken."""
    try:
        _git(*_author(), "merge", "--quiet", "--no-edit", "--strategy-option=theirs", newer)
    except RuntimeError:
        _git("merge", "--abort", check=False)
        raise
    if notebooks:
        _git("checkout", "--quiet", newer, "--", *notebooks)
    if notebooks and _output("status", "--porcelain", "--untracked-files=no"):
        _git(*_author(), "commit", "--quiet", "--amend", "--no-edit")


def _author() -> list[str]:
    """Options that name an author, where the reader has never told git a name."""
    if _git("var", "GIT_COMMITTER_IDENT", check=False).returncode == 0:
        return []
    return ["-c", "user.name=Reader", "-c", "user.email=reader@localhost"]


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
        raise RuntimeError(f"git {' '.join(arguments)} failed: {(done.stderr or done.stdout).strip()}")
    return done
