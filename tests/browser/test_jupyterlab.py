"""A learner in JupyterLab: an exercise left undone, done wrong, done right; and answers ranked at the bench."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import nbformat
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from nexttoken import course

LEARNERS = ["_toc.yml", "jupytext.toml", ".jupyter", "book", "checkpoints", "exercises", "solutions", "src"]
SLOW = 60_000  # milliseconds: a kernel imports torch


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Path:
    """A copy of the course, as a learner has it, with every exercise unsolved."""
    tree = tmp_path_factory.mktemp("lab") / "course"
    for name in LEARNERS:
        copy = shutil.copytree if (root / name).is_dir() else shutil.copy
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        copy(root / name, tree / name)
    write(tree, None)
    return tree


def write(tree: Path, body: str | None) -> None:
    """Save an answer to `bigram_counts`, as an editor would; None is the stub."""
    file = tree / "src" / "nexttoken" / "autoregression.py"
    file.write_text(course.replace_body(file.read_text(), "bigram_counts", body))


@pytest.fixture(scope="module")
def lab(tree: Path) -> Iterator[str]:
    """The address of a JupyterLab that serves the copy, and writes nothing into HOME."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home = tree.parent / "home"
    home.mkdir()
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("NEXTTOKEN_")},
        "HOME": str(home),
        "JUPYTER_CONFIG_PATH": str(tree / ".jupyter"),
        "NEXTTOKEN_ROOT": str(tree),
        "PYTHONPATH": str(tree / "src"),
    }
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", f"--port={port}"]
    command += ["--allow-root", "--IdentityProvider.token=", f"--ServerApp.root_dir={tree}"]
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield _address(port, server)
    finally:
        server.terminate()
        server.wait(20)


def _address(port: int, server: "subprocess.Popen[bytes]") -> str:
    address = f"http://127.0.0.1:{port}"
    for _ in range(300):
        assert server.poll() is None, "JupyterLab ended"
        try:
            urlopen(f"{address}/api", timeout=5)
            return address
        except OSError:
            time.sleep(0.2)
    raise AssertionError("JupyterLab did not come up within a minute")


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with browser.new_context(viewport={"width": 1360, "height": 1000}) as context:
        page = context.new_page()
        # It is asked for where a key was pressed before the notebook had its kernel.
        question = page.locator(".jp-Dialog", has_text="Select Kernel")
        page.add_locator_handler(question, lambda asked: asked.locator(".jp-mod-accept").click())
        yield page


def cell(page: Page, code: str) -> Locator:
    return page.locator(".jp-CodeCell", has=page.locator(".cm-content", has_text=code)).first


def run(page: Page, code: str) -> Locator:
    """Run the cell that has this code; its output, once the kernel is done with it."""
    where = cell(page, code)
    prompt = where.locator(".jp-InputPrompt")
    before = prompt.inner_text()
    give_up_at = time.monotonic() + SLOW / 1000
    while not re.search(r"\d", now := prompt.inner_text()) or now == before:
        assert time.monotonic() < give_up_at, f"the cell with {code!r} does not run"
        if "*" not in now:  # not running: a page that is still loading, or a kernel that is, loses the key
            where.locator(".cm-content").click()
            page.keyboard.press("Control+Enter")
        page.wait_for_timeout(1000)
    return where.locator(".jp-Cell-outputArea")


def test_the_three_messages(lab: str, tree: Path, page: Page) -> None:
    hosts = set()
    page.on("request", lambda request: hosts.add(request.url.split("/")[2] if "//" in request.url else ""))
    page.goto(f"{lab}/lab/tree/exercises/autoregression.ipynb?reset")
    page.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').wait_for(timeout=SLOW)

    undone = "0 of 10 exercises are yours"
    expect(run(page, "notebook.open_exercises")).to_contain_text(undone, timeout=SLOW)
    expect(run(page, "text of one token")).to_contain_text("autoregression.bigram_counts is not done yet")
    told = run(page, 'check("autoregression.bigram_counts")')
    expect(told).to_contain_text("src/nexttoken/autoregression.py, line")
    expect(told).to_contain_text("nexttoken hint autoregression.bigram_counts")

    write(tree, "return bincount_of_pairs(ids[1:], ids[:-1], vocab_size)")
    expect(run(page, 'check("autoregression.bigram_counts")')).to_contain_text("NameError")

    pairs = "(ids[1:] * vocab_size + ids[:-1])"
    write(tree, f"return {pairs}.bincount(minlength=vocab_size**2).view(vocab_size, vocab_size)")
    told = run(page, 'check("autoregression.bigram_counts")')
    expect(told).to_contain_text("Rows and columns are swapped")
    expect(told).to_contain_text("expected")

    pairs = "(ids[:-1] * vocab_size + ids[1:])"
    write(tree, f"return {pairs}.bincount(minlength=vocab_size**2).view(vocab_size, vocab_size)")
    expect(run(page, 'check("autoregression.bigram_counts")')).to_contain_text("is right: 1 of 1 points")
    expect(run(page, "text of one token")).to_contain_text("two tokens of the vocabulary do not occur")

    assert {host.split(":")[0] for host in hosts} <= {"127.0.0.1", ""}


def test_a_double_click_on_a_chapter_opens_a_notebook_that_runs(lab: str, page: Page) -> None:
    page.goto(f"{lab}/lab/tree/book?reset")
    page.locator(".jp-DirListing-item", has_text="autoregression.md").first.dblclick(timeout=SLOW)
    page.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').wait_for(timeout=SLOW)
    said = run(page, "notebook.open_page")
    expect(said).to_contain_text("the reference stands in for", timeout=SLOW)
    expect(run(page, "vocabulary.index")).to_contain_text("tensor([")


BENCH = [
    """from nexttoken import notebook
from nexttoken.lab import checkpoints, labelling
from nexttoken.models import READY_MADE

notebook.open_page("reward_model")""",
    """labels = labelling.open_labels(checkpoints.load("sft-0", READY_MADE))
labelling.bench(labels)""",
]


def open_bench(lab: str, tree: Path, page: Page, name: str) -> Locator:
    """A new notebook with a kernel of its own, run: the bench."""
    cells = [nbformat.v4.new_code_cell(code) for code in BENCH]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), tree / name)
    page.goto(f"{lab}/lab/tree/{name}?reset")
    page.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').wait_for(timeout=SLOW)
    expect(run(page, "notebook.open_page")).to_contain_text("exercises are yours", timeout=SLOW)
    bench = run(page, "labelling.bench")
    bench.locator(".nexttoken-answer").first.wait_for(timeout=SLOW)
    return bench


def test_answers_are_ranked_by_mouse_and_by_keys_and_nothing_is_lost(
    lab: str, tree: Path, page: Page
) -> None:
    hosts = set()
    page.on("request", lambda request: hosts.add(request.url.split("/")[2] if "//" in request.url else ""))
    bench = open_bench(lab, tree, page, "bench.ipynb")
    expect(bench).to_contain_text("0 rankings")
    for number in (3, 1, 4):
        answer = bench.locator(".nexttoken-answer").nth(number - 1)
        answer.click()
        expect(answer).to_be_disabled()
    bench.locator(".nexttoken-answer").nth(1).click()
    expect(bench).to_contain_text("1 ranking, that is 6 comparisons")

    bench.get_by_placeholder("best first").press_sequentially("2431", delay=200)
    expect(bench).to_contain_text("2 rankings, that is 12 comparisons")

    kept = (tree / ".nexttoken" / "labels.jsonl").read_text().splitlines()
    assert [json.loads(line)["best first"] for line in kept] == [[3, 1, 4, 2], [2, 4, 3, 1]]

    again = open_bench(lab, tree, page, "another_day.ipynb")
    expect(again).to_contain_text("2 rankings, that is 12 comparisons")
    assert {host.split(":")[0] for host in hosts} <= {"127.0.0.1", ""}
