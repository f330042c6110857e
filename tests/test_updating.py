"""A newer course is merged into a half-solved one, and nothing that the reader wrote is lost."""

import json
import shutil
import subprocess

import pytest
from trees import copy_of_course, taken_for_the_course

from nexttoken import updating

ANSWER = "return 'my own answer'"
SET_UP = ("config", "user.name", "Reader"), ("config", "user.email", "reader@example.org")


def git(folder, *arguments):
    """Run git; what it printed."""
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def write(file, text):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


class Courses:
    """The course as it is published, and a reader's clone of it."""

    def __init__(self, folder):
        self.published = copy_of_course(folder / "published")
        self._start(self.published.folder)
        git(folder, "clone", "--quiet", "published", "mine")
        self.mine = type(self.published)(folder / "mine")
        for command in SET_UP:
            git(self.mine.folder, *command)

    @staticmethod
    def _start(folder):
        write(folder / ".gitignore", ".nexttoken/\n__pycache__/\n")
        git(folder, "init", "--quiet", "--initial-branch", "main")
        for command in (*SET_UP, ("add", "--all"), ("commit", "--quiet", "--message", "The course")):
            git(folder, *command)

    def publish(self, subject="A better docstring", old="", new=""):
        """The authors change something and say so."""
        if old != new:
            self.published.edit(old, new)
        write(self.published.folder / "NEWS.md", subject)
        git(self.published.folder, "add", "--all")
        git(self.published.folder, "commit", "--quiet", "--message", subject)

    def state(self):
        """All that a failed update must leave as it was."""
        folder = self.mine.folder
        files = {
            path.relative_to(folder): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file() and ".git" not in path.relative_to(folder).parts
        }
        return git(folder, "rev-parse", "HEAD"), git(folder, "status", "--porcelain"), files


@pytest.fixture
def courses(tmp_path, monkeypatch, need):
    need("git")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    made = Courses(tmp_path)
    with taken_for_the_course(made.mine):
        yield made


def run_notebook(tree):
    """As if the notebook had been run and saved."""
    book = json.loads(tree.notebook().read_text())
    for cell in book["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"] = []
    write(tree.notebook(), json.dumps(book, indent=1) + "\n")


def change_notebook(tree, word):
    text = tree.notebook().read_text()
    write(tree.notebook(), text.replace("0.2500  0.7500", f"0.2500  0.7500 {word}"))


def said(**options):
    return list(updating.update(**options))


def test_a_newer_course_is_merged_around_uncommitted_answers(courses):
    courses.mine.answer({"perplexity": ANSWER, "generate": ANSWER})
    courses.publish(old="Shannon 1948, section 3.", new="Shannon 1948, section three.")
    lines = said()
    text = courses.mine.source().read_text()
    assert text.count(ANSWER) == 2
    assert "section three" in text
    assert "1 newer in origin/main:" in lines[0]
    assert lines[1].endswith("A better docstring")
    assert lines[-1].startswith("Merged.")
    assert (courses.mine.folder / "NEWS.md").is_file()
    assert git(courses.mine.folder, "status", "--porcelain") == ""


def test_what_lay_there_is_kept_before_anything_is_changed(courses):
    courses.mine.answer({"perplexity": ANSWER})
    before = courses.mine.source().read_text()
    courses.publish()
    kept = [line.removeprefix("Kept: ") for line in said() if line.startswith("Kept: ")]
    assert [(courses.mine.folder / name).read_text() for name in kept] == [before]


def test_answers_that_were_committed_stay(courses):
    courses.mine.answer({"perplexity": ANSWER})
    git(courses.mine.folder, "commit", "--quiet", "--all", "--message", "mine")
    courses.publish()
    said()
    assert ANSWER in courses.mine.source().read_text()
    assert (courses.mine.folder / "NEWS.md").is_file()


def test_a_reader_who_never_told_git_a_name_can_update(courses):
    git(courses.mine.folder, "config", "--unset", "user.name")
    git(courses.mine.folder, "config", "--unset", "user.email")
    git(courses.mine.folder, "config", "user.useConfigOnly", "true")
    courses.mine.answer({"perplexity": ANSWER})
    courses.publish()
    said()
    assert ANSWER in courses.mine.source().read_text()
    assert (courses.mine.folder / "NEWS.md").is_file()


@pytest.mark.parametrize("committed", [False, True])
def test_a_conflict_changes_nothing_and_names_the_file(courses, committed):
    courses.mine.edit('"""Count the neighbours:', '"""I count the neighbours:')
    if committed:
        git(courses.mine.folder, "commit", "--quiet", "--all", "--message", "mine")
    courses.publish(old='"""Count the neighbours:', new='"""Count all neighbours:')
    before = courses.state()
    with pytest.raises(RuntimeError, match=r"nothing was changed: src/nexttoken/autoregression\.py"):
        said()
    assert courses.state() == before


def test_a_dry_run_changes_nothing_and_says_what_would_happen(courses):
    courses.mine.answer({"perplexity": ANSWER})
    run_notebook(courses.mine)
    courses.publish()
    before = courses.state()
    lines = said(dry_run=True)
    assert lines[-1].startswith("It merges cleanly. 1 files of yours would be saved first: src/nexttoken/")
    assert courses.state() == before


def test_a_dry_run_foresees_a_conflict(courses):
    courses.mine.edit('"""Count the neighbours:', '"""I count the neighbours:')
    courses.publish(old='"""Count the neighbours:', new='"""Count all neighbours:')
    with pytest.raises(RuntimeError, match="nothing was changed"):
        said(dry_run=True)


def test_nothing_newer_is_said_and_nothing_done(courses):
    courses.mine.answer({"perplexity": ANSWER})
    before = courses.state()
    assert said() == ["Nothing newer in origin/main."]
    assert courses.state() == before


def test_a_notebook_that_was_run_does_not_block_and_the_course_s_version_wins(courses):
    run_notebook(courses.mine)
    ran = courses.mine.notebook().read_text()
    change_notebook(courses.published, "anew")
    courses.publish()
    kept = [line.removeprefix("Kept: ") for line in said() if line.startswith("Kept: ")]
    assert courses.mine.notebook().read_text() == courses.published.notebook().read_text()
    assert [(courses.mine.folder / name).read_text() for name in kept] == [ran]


@pytest.mark.parametrize("changed", [True, False], ids=["it changed", "it did not change"])
def test_a_notebook_that_was_run_and_committed_does_not_block(courses, changed):
    change_notebook(courses.mine, "mine")
    git(courses.mine.folder, "commit", "--quiet", "--all", "--message", "I ran it")
    courses.mine.answer({"perplexity": ANSWER})
    if changed:
        change_notebook(courses.published, "anew")
    courses.publish()
    said()
    theirs = courses.published.notebook().read_text()
    assert (courses.mine.notebook().read_text() == theirs) is changed
    assert ANSWER in courses.mine.source().read_text()
    assert git(courses.mine.folder, "status", "--porcelain") == ""


def test_a_notebook_that_was_staged_does_not_block(courses):
    run_notebook(courses.mine)
    git(courses.mine.folder, "add", "exercises")
    change_notebook(courses.published, "anew")
    courses.publish()
    said()
    assert courses.mine.notebook().read_text() == courses.published.notebook().read_text()


def test_without_a_remote_it_is_said_how_to_name_one(courses):
    git(courses.mine.folder, "remote", "remove", "origin")
    with pytest.raises(RuntimeError, match="git remote add upstream ADDRESS"):
        said()


def test_the_course_s_own_remote_comes_before_a_fork(courses):
    courses.publish()
    git(courses.mine.folder, "remote", "rename", "origin", "upstream")
    git(courses.mine.folder, "remote", "add", "origin", "/nowhere")
    assert "1 newer in upstream/main:" in said(dry_run=True)[0]


def test_a_remote_that_is_not_there_is_an_error_and_changes_nothing(courses):
    before = courses.state()
    with pytest.raises(RuntimeError, match="git fetch"):
        said(remote="/nowhere")
    assert courses.state() == before


def test_a_copy_that_is_no_checkout_says_what_to_do_instead(courses):
    shutil.rmtree(courses.mine.folder / ".git")
    with pytest.raises(RuntimeError, match=r"not a git checkout.*copy your src/nexttoken/<chapter>\.py"):
        said()


def test_a_copy_inside_another_repository_leaves_that_repository_alone(courses):
    shutil.rmtree(courses.mine.folder / ".git")
    around = courses.mine.folder.parent
    git(around, "init", "--quiet")
    with pytest.raises(RuntimeError, match="not a git checkout"):
        said()


def test_a_subject_in_brackets_is_printed_as_it_is(courses):
    courses.publish(subject="Say [/bold] what [red] means")
    done = courses.mine.run("update", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "Say [/bold] what [red] means" in done.stdout


def test_the_command_says_an_error_in_one_line(courses):
    git(courses.mine.folder, "remote", "remove", "origin")
    done = courses.mine.run("update")
    assert done.returncode == 2
    assert "no git remote" in done.stderr
    assert "Traceback" not in done.stderr
