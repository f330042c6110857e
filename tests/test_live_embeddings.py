"""The tokeniser in the page: `tokeniser.js`, run by Node, does what the chapter's Python does."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from nexttoken.exercise import reference
from nexttoken.lab.charter import CHINESE, ENGLISH
from nexttoken.lab.pieces import ForThePage, documentation, pieces

SCRIPT = Path(__file__).parents[1] / "book" / "_static" / "live" / "tokeniser.js"
TEXTS = [
    "",
    "a",
    "aaaaaaa",
    "The landlord must return the deposit within ten days.",
    ENGLISH,
    CHINESE,
    "猫和鼹鼠，都在等。",
    "a hare 🐇, a family 👩‍👧 and a flag 🇨🇳",
    "é è ê, e\u0301, naïve\u00a0space, 全\u3000角",
    "tabs\tand\r\nlines\n\n",
    "\x00\x7f\ufeff\ufffd\U0010ffff",
]
READ_AND_ANSWER = """
const { tokeniser } = require(process.argv[1]);
const { merges, texts } = JSON.parse(require("fs").readFileSync(0, "utf-8"));
const { encode, piece } = tokeniser(merges);
const ids = texts.map((text) => encode(text));
console.log(JSON.stringify({ ids, pieces: ids.map((row) => row.map(piece)), bytes: texts.map((t) => encode(t, 0)) }));
"""


@pytest.fixture(scope="module")
def merges():
    return reference("embeddings.train_bpe")(documentation(3000) + ENGLISH + CHINESE, 256 + 200)


@pytest.fixture(scope="module")
def answers(merges, need):
    """What the page's own script makes of the texts."""
    node = need("node")
    carried = json.loads(ForThePage(merges).json)
    run = subprocess.run(
        [node, "-e", READ_AND_ANSWER, str(SCRIPT)],
        input=json.dumps({"merges": carried, "texts": TEXTS}),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@pytest.mark.parametrize("number", range(len(TEXTS)))
def test_the_page_and_python_give_the_same_ids(number, merges, answers):
    assert answers["ids"][number] == reference("embeddings.encode")(TEXTS[number], merges)


@pytest.mark.parametrize("number", range(len(TEXTS)))
def test_the_page_and_python_show_the_same_pieces(number, merges, answers):
    assert answers["pieces"][number] == pieces(answers["ids"][number], merges)


def test_without_merges_the_page_shows_the_bytes(answers):
    assert answers["bytes"] == [list(text.encode("utf-8")) for text in TEXTS]


def test_the_field_is_limited_and_the_caption_says_to_what():
    figure = (SCRIPT.parents[2] / "_figures" / "tokeniser.html").read_text(encoding="utf-8")
    limit = re.search(r'<textarea [^>]*maxlength="(\d+)"', figure)
    assert limit is not None
    assert f"The field takes {limit[1]} characters." in figure


def test_the_script_needs_nothing_from_elsewhere():
    for script in SCRIPT.parent.glob("tokeniser*"):
        code = script.read_text(encoding="utf-8")
        assert not any(word in code for word in ("import ", "fetch(", "http:", "https:", "XMLHttpRequest"))
