"""The course's model inside other people's software says what it says by hand, and nothing leaves this machine."""

import asyncio
import json
import os
import subprocess
import sys
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from types import SimpleNamespace

import pytest
import torch

from nexttoken.applications import augment_prompt, retrieve
from nexttoken.lab import outside
from nexttoken.lab.outside import plain
from nexttoken.lab.sampling import at_random, sample
from nexttoken.models import GPT, READY_MADE, Shape

PASSAGES = [
    "rule 1 , on a roof that drips : the one at fault must repair the roof . proof : bucket .",
    "rule 2 , on a lost hat : <a> give &lt; it & back . proof : hat .",
    "rule 3 , on noise at night : be quiet after nine . proof : witness .",
    "rule 4 , on a fence : the fence stands where it stood . proof : map .",
]
QUESTION = "my hat <d> is &amp; lost , and {it} rains $question . what can i do ?"

# All that would leave this machine, by whichever library, is written down and refused.
WATCH = """
import sys
tried = []
def watch(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = arguments[1]
        if isinstance(address, tuple) and address[0] not in ("127.0.0.1", "::1"):
            tried.append(f"{event} {address}")
            raise OSError("there is no network here")
    elif event in ("socket.getaddrinfo", "socket.gethostbyname") and arguments[0] not in ("localhost", "127.0.0.1"):
        tried.append(f"{event} {arguments[0]}")
        raise OSError("there is no network here")
sys.addaudithook(watch)
"""
USE = """
import langchain_core.runnables, langsmith  # before the course could say that they should not
import torch
from nexttoken.lab.outside import langchain, semantic_kernel, vector_database
embed = lambda texts: torch.tensor([[len(text), 1.0] for text in texts])
write = lambda prompt: "answer : " + prompt
shelf = vector_database.Collection(["a rule", "another , longer rule"], embed(["a rule", "another , longer rule"]))
chain = langchain.chain(write, embed, shelf, 1, 40)
answers = {chain.invoke("help me"), semantic_kernel.ask(semantic_kernel.desk(write, embed, shelf, 1, 40), "help me")}
assert len(answers) == 1, answers
"""
CONTROL = """
import os, time
assert tried == [], tried
langsmith.configure(enabled=True)
chain.invoke("help me")
begin = time.monotonic()
while not tried and time.monotonic() < begin + 20:
    time.sleep(0.01)
print(len(tried) > 0, flush=True)
os._exit(0)  # it would go on trying
"""

pytestmark = pytest.mark.usefixtures("answered_by_the_reference")


@pytest.fixture(scope="module")
def parts(outside_parts):
    from nexttoken.lab.outside import langchain, semantic_kernel, vector_database

    return SimpleNamespace(
        langchain=langchain, semantic_kernel=semantic_kernel, vector_database=vector_database
    )


@pytest.fixture
def shelf(parts):
    with parts.vector_database.Collection(PASSAGES, embed(PASSAGES)) as shelf:
        yield shelf


def embed(texts: list[str]) -> torch.Tensor:
    """A bag of words, each in one of 64 places."""
    rows = torch.zeros(len(texts), 64)
    for row, text in zip(rows, texts, strict=True):
        for word in text.split():
            row[sum(map(ord, word)) % 64] += 1
    return rows


class Writer:
    """The course's GPT, with random numbers in it; it keeps the prompts that it was given."""

    model = GPT.drawn(Shape(vocab=64, context=160, d_model=16, layers=1, heads=2), seed=0, kernels=READY_MADE)

    def __init__(self, seed: int) -> None:
        self.choose, self.prompts = at_random(seed), []

    def __call__(self, prompt: str) -> str:
        self.prompts.append(prompt)
        ids = [sum(map(ord, word)) % 64 for word in prompt.split()]
        answers = sample(self.model, [ids], self.choose, max_new_tokens=12, stop=-1)
        return " ".join(f"word{i}" for i in answers.ids[0, -12:].tolist())


def test_what_is_missing_is_said_in_one_sentence_with_the_command_that_gets_it(monkeypatch):
    for module in outside.PARTS.values():
        monkeypatch.setitem(sys.modules, module, None)
    assert outside.missing() == (
        "qdrant-client, langchain-core and semantic-kernel are not installed; `make applications` installs them."
    )
    assert (
        outside.missing("langchain-core")
        == "langchain-core is not installed; `make applications` installs it."
    )


def test_with_all_parts_nothing_is_missing(parts):
    assert outside.missing() == ""


def test_the_sentence_names_what_pyproject_installs(root):
    extras = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "optional-dependencies"
    ]
    assert {part.partition(">=")[0] for part in extras["applications"]} == set(outside.PARTS)
    assert "\napplications: " in (root / "Makefile").read_text(encoding="utf-8")


def test_by_hand_it_needs_nothing_installed():
    assert plain.ask("my hat is lost", str.upper, embed, PASSAGES, 1, 60) == (
        "<Q> MY HAT IS LOST <D> RULE 2 , ON A LOST HAT : GIVE &LT; IT & BACK . PROOF : HAT . <A>"
    )


@pytest.mark.parametrize("k", [1, 7, 50])
def test_the_database_ranks_as_the_exercise_does(parts, k):
    numbers = torch.Generator().manual_seed(k)
    vectors = torch.randn(30, 8, generator=numbers)
    vectors[3] = 0
    query = torch.randn(8, generator=numbers)
    with parts.vector_database.Collection([f"rule {i}" for i in range(30)], vectors) as shelf:
        hits = shelf.nearest(query, k)
    assert [hit.number for hit in hits] == retrieve(query, vectors, k).tolist()
    cosines = torch.cosine_similarity(query, vectors[[hit.number for hit in hits]], dim=-1)
    torch.testing.assert_close(torch.tensor([hit.cosine for hit in hits]), cosines)


def test_of_equals_the_first_on_the_shelf_comes_first(parts):
    with parts.vector_database.Collection(
        ["one", "two", "three"], torch.tensor([[1.0, 0], [0, 1], [1, 0]])
    ) as shelf:
        assert [hit.passage for hit in shelf.nearest(torch.tensor([1.0, 0]), 3)] == ["one", "three", "two"]


def test_a_changed_law_is_found_by_the_next_question(shelf):
    new = "rule 2 , on a lost hat : keep it ."
    shelf.replace(1, new, embed([new])[0])
    assert shelf.nearest(embed(["a lost hat"])[0], 1)[0].passage == new
    shelf.remove(1)
    assert new not in [hit.passage for hit in shelf.nearest(embed(["a lost hat"])[0], 9)]
    assert len(shelf) == 3
    shelf.replace(4, new, embed([new])[0])
    assert len(shelf) == 4


def test_a_shelf_in_a_folder_is_found_again_and_a_new_one_takes_its_place(parts, tmp_path):
    shelves, path = parts.vector_database.Collection, str(tmp_path / "law")
    with shelves(PASSAGES, embed(PASSAGES), path=path) as first:
        before = first.nearest(embed([QUESTION])[0], 4)
    with shelves.opened(path=path) as again:
        after = again.nearest(embed([QUESTION])[0], 4)
    assert [hit[:2] for hit in after] == [hit[:2] for hit in before]
    assert [hit.cosine for hit in after] == pytest.approx([hit.cosine for hit in before])
    with shelves(["rule 9 , on all else ."], torch.ones(1, 3), path=path) as other:
        assert [hit.passage for hit in other.nearest(torch.ones(3), 4)] == ["rule 9 , on all else ."]


def test_a_law_may_begin_with_no_passage(parts):
    with parts.vector_database.Collection([], torch.ones(0, 2)) as shelf:
        assert shelf.nearest(torch.ones(2), 3) == []
        shelf.replace(0, "rule 1 .", torch.ones(2))
        assert [hit.passage for hit in shelf.nearest(torch.ones(2), 3)] == ["rule 1 ."]


def test_a_shelf_that_was_never_built_is_not_found(parts, tmp_path):
    with pytest.raises(LookupError, match="there is no shelf at"):
        parts.vector_database.Collection.opened(path=str(tmp_path / "nothing"))


def test_what_does_not_fit_together_is_refused(parts, tmp_path):
    with pytest.raises(ValueError, match="4 passages and 3 vectors"):
        parts.vector_database.Collection(PASSAGES, torch.ones(3, 2))
    with pytest.raises(ValueError, match="not both"):
        parts.vector_database.Collection(
            PASSAGES, embed(PASSAGES), path=str(tmp_path), url="http://localhost:1"
        )


def test_a_server_is_asked_by_the_same_calls(parts):
    """What the client sends, to a server that only nods: this machine has no Qdrant server."""
    asked = []

    class Nodding(BaseHTTPRequestHandler):
        def answer(self):
            asked.append(f"{self.command} {self.path}")
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            result: object = True
            if self.path.endswith("/exists"):
                result = {"exists": False}
            elif self.path.endswith("/query"):
                point = {"id": 2, "version": 0, "score": 0.5, "payload": {"passage": PASSAGES[2]}}
                result = {"points": [point]}
            elif "/points" in self.path:
                result = {"operation_id": 0, "status": "completed"}
            said = (
                {"result": result, "status": "ok", "time": 0.0}
                if len(self.path) > 1
                else {"version": "1.20.0"}
            )
            body = json.dumps(said | {"title": "qdrant"}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_PUT = do_POST = answer  # noqa: N815

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Nodding) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        with parts.vector_database.Collection(
            PASSAGES, embed(PASSAGES), url=f"http://127.0.0.1:{server.server_port}"
        ) as shelf:
            assert shelf.nearest(embed([QUESTION])[0], 1) == [(2, PASSAGES[2], 0.5)]
            shelf.remove(2)
            while "GET /" not in asked:  # in a thread of its own, it asks for the server's version
                time.sleep(0.01)
        server.shutdown()
    assert [line.partition("?")[0] for line in asked if line != "GET /"] == [
        "GET /collections/passages/exists",
        "PUT /collections/passages",
        "PUT /collections/passages/points",
        "POST /collections/passages/points/query",
        "POST /collections/passages/points/delete",
    ]


@pytest.mark.parametrize("room", [20, 45, 90])
@pytest.mark.parametrize("seed", [0, 1])
def test_all_three_ways_give_the_same_prompt_and_the_same_answer(parts, shelf, seed, room):
    writers = [Writer(seed) for _ in range(3)]
    hand, chained, planned = writers
    answers = [
        plain.ask(QUESTION, hand, embed, PASSAGES, 3, room),
        parts.langchain.chain(chained, embed, shelf, 3, room).invoke(QUESTION),
        parts.semantic_kernel.ask(parts.semantic_kernel.desk(planned, embed, shelf, 3, room), QUESTION),
    ]
    nearest = [hit.passage for hit in shelf.nearest(embed([QUESTION])[0], 3)]
    assert [writer.prompts for writer in writers] == 3 * [[augment_prompt(QUESTION, nearest, room)]]
    assert len(set(answers)) == 1
    assert answers[0] != plain.ask(QUESTION, Writer(seed + 7), embed, PASSAGES, 3, room)


def test_all_three_ways_read_the_new_law(parts, shelf):
    new = "rule 2 , on a lost hat : keep it ."
    passages = [PASSAGES[0], new, *PASSAGES[2:]]
    shelf.replace(1, new, embed([new])[0])
    hand, chained, planned = (Writer(3) for _ in range(3))
    answers = {
        plain.ask("my hat is lost", hand, embed, passages, 1, 60),
        parts.langchain.chain(chained, embed, shelf, 1, 60).invoke("my hat is lost"),
        parts.semantic_kernel.ask(parts.semantic_kernel.desk(planned, embed, shelf, 1, 60), "my hat is lost"),
    }
    assert hand.prompts == chained.prompts == planned.prompts == [f"<q> my hat is lost <d> {new} <a>"]
    assert len(answers) == 1


def in_a_loop(work):
    """Run it in a thread of its own: this one has a loop already, if a browser was driven before."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def test_a_chain_brings_what_langchain_gives_to_chains(parts, shelf):
    chain = parts.langchain.chain(str.upper, embed, shelf, 1, 60)
    one, two = chain.invoke("my hat is lost"), chain.invoke("the roof drips")
    assert chain.batch(["my hat is lost", "the roof drips"]) == [one, two]
    assert "".join(chain.stream("my hat is lost")) == one
    assert in_a_loop(chain.ainvoke("the roof drips")) == two


def test_a_model_of_langchain_ends_before_a_stop_word(parts):
    clerk = parts.langchain.Clerk(write=lambda prompt: "repair it . <q> and then <d> more")
    assert clerk.invoke("help", stop=["<d>", "<q>"]) == "repair it . "
    assert clerk.invoke("help", stop=["<x>"]) == clerk.invoke("help")


def test_the_librarian_says_where_a_passage_stands(parts, shelf):
    (page,) = parts.langchain.Librarian(shelf=shelf, embed=embed, k=1).invoke("my hat is lost")
    assert page.page_content == PASSAGES[1]
    assert page.metadata["number"] == 1
    assert 0 < page.metadata["cosine"] < 1


def test_the_plugin_tells_a_model_what_it_can_look_up(parts, shelf):
    kernel = parts.semantic_kernel.desk(str.upper, embed, shelf, 2, 60)
    look_up = kernel.get_function("law", "look_up").metadata
    assert look_up.description == "The passages of the law that are nearest to a question, the best first."
    assert [parameter.name for parameter in look_up.parameters] == ["question"]


def test_semantic_kernel_can_be_asked_in_a_notebook_where_a_loop_runs_already(parts, shelf):
    kernel = parts.semantic_kernel.desk(str.upper, embed, shelf, 1, 60)

    async def cell():
        return parts.semantic_kernel.ask(kernel, "my hat is lost")

    assert in_a_loop(cell()) == parts.semantic_kernel.ask(kernel, "my hat is lost")


def test_nothing_is_sent_anywhere_even_where_the_surroundings_ask_for_it(parts, tmp_path):
    wishes = {
        "LANGSMITH_TRACING": "true",
        "LANGSMITH_TRACING_V2": "true",
        "LANGCHAIN_TRACING_V2": "true",
        "LANGSMITH_API_KEY": "a-key",
        "SEMANTICKERNEL_EXPERIMENTAL_GENAI_ENABLE_OTEL_DIAGNOSTICS": "true",
        "SEMANTICKERNEL_EXPERIMENTAL_GENAI_ENABLE_OTEL_DIAGNOSTICS_SENSITIVE": "true",
        "OTEL_PYTHON_TRACER_PROVIDER": "sdk_tracer_provider",
    }
    (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in wishes.items()))
    ran = subprocess.run(
        [sys.executable, "-c", WATCH + USE + CONTROL],
        env=os.environ | wishes | {"NEXTTOKEN_REFERENCE": "1", "OMP_NUM_THREADS": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == "True", "were LangSmith switched on, the watch would see it"


def test_semantic_kernel_s_diagnostics_are_off(parts):
    from semantic_kernel.utils.telemetry.model_diagnostics.decorators import are_model_diagnostics_enabled

    assert not are_model_diagnostics_enabled()
