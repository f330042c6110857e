"""What all tests share: where the course lies, the built site, and what to say when a tool is missing."""

import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest
import torch

from nexttoken.lab import outside

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "book" / "_ext"))  # the site's extension is tested like any other code

# tool -> the programs that will do, and how to get one
TOOLS = {
    "chromium": (
        (
            "chromium",
            "chromium-browser",
            "google-chrome",
            "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
        ),
        "install Chromium or Google Chrome (apt install chromium; brew install --cask google-chrome)",
    ),
    "bubblewrap": (("bwrap",), "install bubblewrap (apt install bubblewrap)"),
    "git": (("git",), "install git"),
    "node": (("node", "nodejs"), "install Node.js (apt install nodejs; brew install node)"),
}


torch.set_num_threads(1)  # the same sums in the same order; and small tensors are faster so


@pytest.fixture(scope="session")
def root() -> Path:
    """The course's folder."""
    return ROOT


@pytest.fixture(scope="session")
def need() -> Callable[[str], str]:
    """`need("chromium")` is the path of a program; where there is none, the test is skipped, and fails in CI."""
    return find_tool


@pytest.fixture(scope="module")
def answered_by_the_reference() -> Iterator[None]:
    """All exercises are answered by the references, also while what a whole file shares is made."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NEXTTOKEN_REFERENCE", "1")
        yield


@pytest.fixture(scope="session")
def built_site(root: Path) -> Path:
    """The folder of the built site."""
    site = root / "_build" / "html"
    if not (site / "book" / "intro.html").is_file():
        give_up("the built site", "run make book")
    return site


@pytest.fixture(scope="session")
def outside_parts() -> None:
    """The vector database and the frameworks; where one is missing, the test is skipped, and fails in CI."""
    if said := outside.missing():
        give_up("the extra `applications`", said)


def find_tool(tool: str) -> str:
    """The path of the first program that will do as `tool`."""
    programs, hint = TOOLS[tool]
    for program in programs:
        if path := shutil.which(program):
            return path
    give_up(tool, hint)


def give_up(missing: str, hint: str) -> NoReturn:
    """Skip this test with a hint; in CI, where nothing may be missing, fail."""
    message = f"{missing} is missing: {hint}"
    if os.environ.get("CI", "").lower() in ("", "0", "false"):
        pytest.skip(message)
    pytest.fail(message)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Count what was not tested, and say what is missing for it."""
    reasons = [report.longrepr[2] for report in terminalreporter.stats.get("skipped", [])]
    missing = Counter(reason.removeprefix("Skipped: ") for reason in reasons if " is missing: " in reason)
    if not missing:
        return
    terminalreporter.section("not tested here")
    for reason, count in missing.most_common():
        terminalreporter.line(f"{count} skipped: {reason}")
