"""The given code under `nexttoken.lab`: text, n-gram models, figures, predictions."""

import math
import xml.etree.ElementTree as ElementTree

import pytest
import torch

from nexttoken.exercise import reference
from nexttoken.lab import ngrams, plots, predict, text
from nexttoken.lab.inputs import Inputs


@pytest.fixture(scope="module")
def documentation():
    return text.encode(text.python_documentation())


def test_letters_keeps_shannon_s_27_symbols_and_single_spaces():
    assert text.letters("  Don't -- SUE\nthe hare_2! ") == "dont sue the hare"


def test_encode_and_decode_are_inverse():
    assert text.decode(text.encode("a hare waits")) == "a hare waits"
    assert text.encode("").shape == (0,)


def test_encode_names_the_characters_it_does_not_know():
    with pytest.raises(ValueError, match=r"'!', 'H'"):
        text.encode("Hare!")


def test_the_documentation_is_a_long_text_without_its_repeats(documentation):
    assert len(documentation) > 200_000
    assert len(text.python_documentation(repeats=True)) > 1.1 * len(documentation)


def test_without_strength_order_1_is_the_plain_bigram_table():
    ids = Inputs(0).ids(60, below=4)
    table = reference("autoregression.bigram_probabilities")(
        reference("autoregression.bigram_counts")(ids, 4), smoothing=0.0
    )
    model = ngrams.count(ids, 4, (0.0, 0.0))
    for token in range(4):
        torch.testing.assert_close(
            model.next_logits(torch.tensor([token])).exp(), table[token], check_dtype=False
        )


def test_at_order_0_a_strength_of_vocab_is_laplace_s_add_one():
    model = ngrams.count(torch.tensor([0, 0, 1]), 3, (3.0,))
    expected = torch.tensor([3, 2, 1], dtype=torch.float64) / 6
    torch.testing.assert_close(model.next_logits(torch.tensor([2])).exp(), expected)


def test_a_rare_context_leans_on_the_shorter_one():
    # After 0 came 1 twice; overall 0, 1, 0, 1, 2: (2/5, 2/5, 1/5). One sighting is shared so.
    model = ngrams.count(torch.tensor([0, 1, 0, 1, 2]), 3, (0.0, 1.0))
    expected = torch.tensor([0.4 / 3, 2.4 / 3, 0.2 / 3], dtype=torch.float64)
    torch.testing.assert_close(model.next_logits(torch.tensor([0])).exp(), expected)


def test_an_unseen_context_asks_the_shorter_one_even_without_strength():
    model = ngrams.count(torch.tensor([0, 0, 1, 1]), 3, (0.0, 0.0, 0.0))
    torch.testing.assert_close(
        model.next_logits(torch.tensor([1, 0])).exp(), torch.tensor([0.5, 0.5, 0.0], dtype=torch.float64)
    )
    assert model.next_logits(torch.tensor([2])).exp().tolist() == [0.5, 0.5, 0.0]


@pytest.mark.parametrize("known", [0, 1, 2, 5])
def test_the_probabilities_after_any_beginning_sum_to_one(known):
    inputs = Inputs(1)
    model = ngrams.fit(inputs.ids(300, below=5), 5, order=3)
    total = model.next_logits(inputs.ids(known, below=5)).exp().sum()
    torch.testing.assert_close(total, torch.tensor(1.0, dtype=torch.float64))


def test_a_text_and_its_next_tokens_are_scored_alike():
    ids = Inputs(2).ids(200, below=5)
    model = ngrams.fit(ids, 5, order=2)
    one_by_one = torch.stack([model.next_logits(ids[:t])[ids[t]] for t in range(2, 200)])
    torch.testing.assert_close(model.log_probabilities(ids), one_by_one)
    assert model.bits_per_token(ids) == pytest.approx(-one_by_one.mean().item() / math.log(2))


def test_a_shortened_model_is_the_model_counted_with_less():
    ids = Inputs(3).ids(200, below=5)
    short = ngrams.count(ids, 5, (1.0, 2.0, 4.0)).shortened(1)
    assert short.order == 1
    torch.testing.assert_close(
        short.log_probabilities(ids), ngrams.count(ids, 5, (1.0, 2.0)).log_probabilities(ids)
    )


def test_windows_that_do_not_fit_into_64_bits_are_refused():
    with pytest.raises(ValueError, match="5 tokens out of 50257"):
        ngrams.count(torch.tensor([1, 2]), 50257, (1.0,) * 5)


def test_the_entropy_falls_as_the_context_grows_and_less_than_the_training_text_claims(documentation):
    """Shannon 1951, at laptop scale."""
    cut = len(documentation) * 9 // 10
    training, held_out = documentation[:cut], documentation[cut:]
    model = ngrams.fit(training, 27, order=3)
    honest = [model.shortened(order).bits_per_token(held_out) for order in range(4)]
    counted = [reference("autoregression.conditional_entropy")(training, order) for order in range(4)]
    assert honest == sorted(honest, reverse=True)
    assert honest[0] == pytest.approx(4.03, abs=0.2)  # Shannon 1951: F1 and F2
    assert honest[1] == pytest.approx(3.32, abs=0.2)
    assert counted[3] < honest[3] - 0.1


PICTURES = {
    "heat_map": lambda: plots.heat_map(torch.eye(2), ["a", "b"], ["c", "d"], down="read", across="next"),
    "bars": lambda: plots.bars(
        ["a", "b"], {"all": torch.tensor([0.25, 0.75]), "one": torch.tensor([0.0, 1.0])}
    ),
    "curves": lambda: plots.curves(
        range(3),
        {"here": [3.0, 2.0, 1.0]},
        points={"paper": ([0], [3.1])},
        ranges={"bounds": ([1], [1.5], [2.5])},
        across="letters known",
        up="bits",
    ),
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_the_same_svg_whenever_it_is_drawn(name):
    first, second = (PICTURES[name]()._repr_svg_() for _ in range(2))
    assert first == second
    assert ElementTree.fromstring(first).tag.endswith("svg")


def test_the_heat_map_writes_its_numbers_and_names_its_axes():
    axes = PICTURES["heat_map"]().figure.axes[0]
    assert [t.get_text() for t in axes.texts] == ["1", "0", "0", "1"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("next", "read")
    assert [t.get_text() for t in axes.get_yticklabels()] == ["a", "b"]


def test_a_bar_that_was_cut_off_is_marked_by_a_sign_not_by_colour_alone():
    all_kept, one_kept = PICTURES["bars"]().figure.axes
    assert [t.get_text() for t in all_kept.texts] == ["0.25", "0.75"]
    assert [t.get_text() for t in one_kept.texts] == ["×", "1.00"]


def test_no_series_is_left_out_of_a_picture_for_want_of_a_style():
    lines = {f"line {n}": (range(2), [0.0, n]) for n in range(len(plots.MARKED) + 1)}
    with pytest.raises(ValueError, match="shorter"):
        plots.curve_panels({"too many": lines}, across="x", up="y")
    del lines["line 0"]
    axes = plots.curve_panels({"all": lines}, across="x", up="y").figure.axes[0]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == list(lines)


def test_predictions_are_scored_once_for_each_question(monkeypatch, capsys):
    monkeypatch.setattr(predict, "_near", {})
    predict.compare("bits", guess=4.0, result=2.0)
    predict.compare("words", guess=4, result=4)
    predict.compare("bits", guess=2.1, result=2.0)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("0 of 1.")
    assert lines[2] == "bits: you guessed 2.1, it is 2. Near (within 20 %): 2 of 2."
