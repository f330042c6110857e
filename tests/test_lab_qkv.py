"""The given code of the chapter on queries, keys and values: repeated texts, heads, and the figure in the page."""

import json
import math
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from nexttoken.attention import causal_mask
from nexttoken.lab import induction, plots
from nexttoken.qkv import multi_head_attention

LIVE = Path(__file__).parents[1] / "book" / "_static" / "live"
READ_AND_ANSWER = """
const { attentionModel } = require(process.argv[1]);
const about = JSON.parse(require("fs").readFileSync(0, "utf-8"));
const run = attentionModel(about);
const ids = about.examples.map((text) => text.split(" ").map((word) => about.words.indexOf(word)));
console.log(JSON.stringify(ids.map(run)));
"""

pytestmark = pytest.mark.usefixtures("answered_by_the_reference")


@pytest.fixture(scope="module")
def unseen():
    return induction.texts(64, np.random.default_rng(5))


@pytest.fixture(scope="module")
def two_layers(answered_by_the_reference):
    """Trained as in the page: the one long run of this file."""
    return induction.train(layers=2, seed=2)


def test_texts_repeat_at_their_distance_and_nothing_else_is_said_to_be_known(unseen):
    low, high = induction.DISTANCES
    assert unseen.ids.shape == (64, induction.TIME + 1)
    assert unseen.distances.min() >= low
    assert unseen.distances.max() <= high
    for ids, distance, known in zip(unseen.ids, unseen.distances, unseen.repeats, strict=True):
        assert torch.equal(ids[distance:], ids[:-distance])
        assert known.tolist() == [False] * int(distance) + [True] * (induction.TIME - int(distance))


def test_words_are_different_and_every_example_is_made_of_them():
    assert len(set(induction.WORDS)) == len(induction.WORDS) == 32
    for example in induction.EXAMPLES:
        assert len(induction.encode(example)) == len(example.split()) <= induction.TIME


def test_a_layer_without_positions_is_multi_head_attention_added_to_x(monkeypatch):
    monkeypatch.setattr(induction, "rotate", lambda x, positions, base: x)
    layer = induction.AttentionOnly(1, seed=1).layers[0]
    x = torch.randn(2, 5, induction.WIDTH)
    expected = multi_head_attention(
        x, layer.w_query, layer.w_key, layer.w_value, layer.w_out, induction.HEADS, causal_mask(5)
    )
    assert_close(layer(x), x + expected)


def test_the_maps_are_those_with_which_the_model_computes(unseen):
    model = induction.AttentionOnly(1, seed=1)
    ids = unseen.ids[:, :-1]
    (weights,) = model.attention(ids)
    assert_close(weights.sum(dim=-1), torch.ones(weights.shape[:-1]))
    assert weights.triu(diagonal=1).count_nonzero() == 0
    layer, x = model.layers[0], model.embedding[ids]
    values = (x @ layer.w_value).unflatten(-1, (induction.HEADS, -1)).transpose(1, 2)
    mixed = (weights @ values).transpose(1, 2).flatten(2)
    assert_close((x + mixed @ layer.w_out) @ model.unembedding, model(ids))


def test_a_silent_head_brings_nothing(unseen):
    model = induction.AttentionOnly(2, seed=1)
    ids = unseen.ids[:, :-1]
    every_head = [(layer, head) for layer in range(2) for head in range(induction.HEADS)]
    assert_close(model(ids, every_head), model.embedding[ids] @ model.unembedding)
    assert not torch.allclose(model(ids, every_head[:1]), model(ids))


def test_a_perfect_head_scores_1(unseen):
    time = induction.TIME
    maps = torch.zeros(1, 64, 2, time, time)
    for text, distance in enumerate(unseen.distances.tolist()):
        for t in range(time):
            maps[0, text, 0, t, t - distance + 1 if t >= distance else 0] = 1
            maps[0, text, 1, t, max(t - 1, 0)] = 1
    induced, previous = induction.induction_scores(maps, unseen), induction.previous_scores(maps)
    assert (induced[0, 0].item(), previous[0, 1].item()) == pytest.approx((1, 1))
    assert induced[0, 1] < 0.01


def test_the_same_seed_trains_the_same_model():
    (one, first), (other, second) = (induction.train(2, seed=3, steps=4) for _ in range(2))
    assert first == second
    assert_close(one.state_dict(), other.state_dict())
    assert first.repeated[0] == pytest.approx(math.log(32), abs=0.1)


def test_two_layers_learn_to_copy_by_a_head_that_looks_back_one_place_and_one_that_looks_after(
    two_layers, unseen
):
    model, report = two_layers
    maps = model.attention(unseen.ids[:, :-1])
    previous, induced = induction.previous_scores(maps), induction.induction_scores(maps, unseen)
    assert report.repeated[0] > 3.3
    assert report.repeated[-1] < 0.8
    assert previous[0].max() > 0.8 > 0.2 > previous[1].max()
    assert induced[1].max() > 0.5 > 0.2 > induced[0].max()
    without = induction.losses(model, unseen, [(0, int(previous[0].argmax()))])
    assert without[unseen.repeats].mean() > 2


def test_one_layer_does_not(unseen):
    _, report = induction.train(layers=1, seed=2)
    assert report.repeated[-1] > 2.5
    assert max(report.induction) < 0.2


def test_the_picture_has_a_square_for_every_head(two_layers):
    ids = induction.encode(induction.EXAMPLES[0])[:10]
    maps = two_layers[0].attention(ids.unsqueeze(0))[:, 0]
    assert plots.head_maps(maps, induction.EXAMPLES[0].split()[:10])._repr_svg_().count("<image") == 4


def test_the_figure_in_the_page_draws_torch_s_numbers(two_layers):
    node = shutil.which("node")
    if node is None:
        message = "node is missing: install Node.js (apt install nodejs; brew install node)"
        (pytest.fail if os.environ.get("CI", "").lower() not in ("", "0", "false") else pytest.skip)(message)
    model, _ = two_layers
    run = subprocess.run(
        [node, "-e", READ_AND_ANSWER, str(LIVE / "attention.js")],
        input=induction.ForThePage(model).json,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
    )
    assert run.returncode == 0, run.stderr
    answers = json.loads(run.stdout)
    for example, answer in zip(induction.EXAMPLES, answers, strict=True):
        ids = induction.encode(example).unsqueeze(0)
        maps, chances = model.attention(ids)[:, 0], model(ids)[0].softmax(dim=-1).detach()
        for layer, heads in enumerate(answer["maps"]):
            for head, rows in enumerate(heads):
                for t, row in enumerate(rows):
                    assert row == pytest.approx(maps[layer, head, t, : t + 1].tolist(), abs=2e-3)
        assert_close(torch.tensor(answer["chances"]), chances, atol=2e-3, rtol=0)


def test_the_figure_needs_nothing_from_elsewhere():
    for file in LIVE.glob("attention*"):
        code = file.read_text(encoding="utf-8")
        assert not any(word in code for word in ("import ", "fetch(", "http:", "https:", "XMLHttpRequest"))
