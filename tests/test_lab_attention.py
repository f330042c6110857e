"""The given code of the chapter on attention: dates, their translator, and attention maps."""

import datetime
import xml.etree.ElementTree as ElementTree
from collections import Counter

import pytest
import torch

from nexttoken.attention import attention_weights
from nexttoken.lab import dates, plots

pytestmark = pytest.mark.usefixtures("answered_by_the_reference")


@pytest.fixture(scope="module")
def untrained():
    torch.manual_seed(0)
    return dates.Translator()


# Dates


@pytest.mark.parametrize("pattern", dates.PATTERNS)
def test_what_decides_a_symbol_stands_at_the_named_place(pattern):
    date = datetime.date(1984, 3, 5)
    while date.year < 1986:
        example = dates.write(date, pattern)
        decided = [None if place is None else example.source[place] for place in example.decided_by]
        year, month, day = list(str(date.year)), dates.MONTHS[date.month - 1], str(date.day)
        assert decided == [*year, None, month, month, None, day[0], day[-1]]
        assert example.target == date.isoformat()
        assert set(example.source) <= set(dates.SOURCE)
        date += datetime.timedelta(days=9)


def test_examples_are_different_days_in_all_patterns_and_the_same_for_a_seed():
    some = dates.examples(2000, seed=3)
    assert len({example.target for example in some}) == 2000
    assert some == dates.examples(2000, seed=3)
    beginnings = Counter(example.source[0] in dates.WEEKDAYS for example in some)
    assert 0.15 < beginnings[True] / 2000 < 0.25  # one pattern of five


def test_weekdays_are_those_of_the_calendar():
    assert dates.write(datetime.date(2000, 1, 1), dates.PATTERNS[3]).source[0] == "saturday"


# The translator


def test_the_weights_of_a_symbol_sum_to_one_and_none_falls_on_padding(untrained):
    some = dates.examples(20, seed=1)
    _, looked = dates.translate(untrained, some)
    torch.testing.assert_close(looked.sum(dim=-1), torch.ones(20, dates.SYMBOLS))
    for row, example in zip(looked, some, strict=True):
        assert (row[:, len(example.source) :] == 0).all()


def test_padding_changes_no_translation(untrained):
    some = dates.examples(20, seed=1)
    together, _ = dates.translate(untrained, some)
    assert together == [dates.translate(untrained, [example])[0][0] for example in some]


def test_given_weights_are_used(untrained):
    some = dates.examples(5, seed=1)
    _, looked = dates.translate(untrained, some)
    first_word = torch.zeros_like(looked)
    first_word[:, :, 0] = 1
    assert dates.translate(untrained, some, first_word)[1].equal(first_word)
    untrained.attention = False
    without = dates.translate(untrained, some, looked)[0], dates.translate(untrained, some, first_word)[0]
    untrained.attention = True
    assert without[0] == without[1]


def test_with_a_teacher_the_true_symbols_are_read(untrained):
    batch = dates.Batch.of(dates.examples(4, seed=1))
    other = dates.Batch(batch.source, batch.lengths, batch.target.clone())
    other.target[:, 4] = (other.target[:, 4] + 1) % len(dates.TARGET)
    before, after = (untrained(each)[0] for each in (batch, other))
    torch.testing.assert_close(before[:, :5], after[:, :5])
    assert not torch.allclose(before[:, 5:], after[:, 5:])


def test_a_training_run_learns_repeats_itself_and_says_how_far_it_is(capsys):
    training = dates.examples(300, seed=1)
    first, second = (dates.train(training, seed=1, steps=20) for _ in range(2))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == lines[1]
    losses = [float(loss) for loss in lines[0].partition("loss:")[2].split()]
    assert len(losses) == 10
    assert losses[-1] < losses[0]
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("off", [0, 1])
def test_the_score_of_an_alignment_counts_digits_on_their_words(off):
    some = dates.examples(10, seed=2)
    width = max(len(example.source) for example in some) + 1
    looked = torch.zeros(10, dates.SYMBOLS, width)
    for row, example in zip(looked, some, strict=True):
        for t, place in enumerate(example.decided_by):
            row[t, 0 if place is None else place + off] = 1
    found = dates.places(looked, some)
    assert dates.well_aligned(found, some) == 1 - off
    assert dates.well_aligned(found, some, within=1) == 1
    assert dates.exact([example.target for example in some], some) == 1


def test_a_source_in_the_order_of_the_target_is_monotone_and_another_is_not():
    def onward(pattern):
        return dates.onward([dates.write(datetime.date(1984, 3, 13), pattern).decided_by])

    assert onward("{year} , {month} {day}") == 1
    assert onward("{day} {month} {year}") == pytest.approx(5 / 7)  # back to the month, back to the day


# Attention maps


def test_an_attention_map_names_both_sides_and_marks_what_is_exactly_zero():
    weights = torch.tensor([[1.0, 0.0, 0.0], [0.25, 0.749, 0.001]])
    axes = plots.attention_map(weights, ["a", "b"], ["x", "y", "z"]).figure.axes[0]
    assert [t.get_text() for t in axes.texts] == ["1.00", "×", "×", ".25", ".75", ""]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["a", "b"]
    assert [t.get_text() for t in axes.get_xticklabels()] == ["x", "y", "z"]


def test_attention_maps_stand_side_by_side_and_are_the_same_svg_whenever_drawn():
    words = ["hare", "waits"]
    x = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    panels = {"one": attention_weights(x, x), "two": torch.eye(2)}
    first, second = (plots.attention_map(panels, words)._repr_svg_() for _ in range(2))
    assert first == second
    assert ElementTree.fromstring(first).tag.endswith("svg")
    assert [axes.get_title() for axes in plots.attention_map(panels, words).figure.axes] == ["one", "two"]
