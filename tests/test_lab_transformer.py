"""The given code of the chapter on the transformer: numerals, stored runs, a real text, and the figure."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from nexttoken.lab import numerals
from nexttoken.lab.training import Plan
from nexttoken.models import READY_MADE, EncoderDecoder


@pytest.fixture(autouse=True)
def _answered_by_the_reference(monkeypatch):
    monkeypatch.setenv("NEXTTOKEN_REFERENCE", "1")


# Numerals


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, "零"),
        (10, "十"),
        (11, "十一"),
        (20, "二十"),
        (105, "一百零五"),
        (110, "一百一十"),
        (1005, "一千零五"),
        (10_000, "一万"),
        (10_001, "一万零一"),
        (120_000, "十二万"),
        (205_000, "二十万五千"),
        (10_001_000, "一千万一千"),
        (10_000_100, "一千万零一百"),
        (99_999_999, "九千九百九十九万九千九百九十九"),
    ],
)
def test_a_number_is_said_as_one_says_it(number, said):
    assert numerals.chinese(number) == said


def value(text):
    """What a numeral is worth, read from left to right: written without a look at how it is made."""
    total = group = digit = 0
    for word in text:
        if word in numerals.DIGITS:
            digit = numerals.DIGITS.index(word)
        elif word == numerals.MYRIAD:
            total, group, digit = (group + digit) * 10_000, 0, 0
        else:
            group, digit = group + (digit or 1) * 10 ** numerals.UNITS.index(word), 0
    return total + group + digit


def test_a_numeral_can_be_read_back_and_no_two_are_alike():
    some = numerals.numbers(3000, seed=1)
    texts = [numerals.chinese(number) for number in some]
    assert [value(text) for text in texts] == some
    assert len(set(texts)) == len(set(some)) == 3000


@pytest.mark.parametrize("number", [-1, 100_000_000])
def test_a_number_that_has_no_numeral_here_is_refused(number):
    with pytest.raises(ValueError, match="number"):
        numerals.chinese(number)


def test_held_out_numbers_are_not_among_the_others():
    held_out = numerals.numbers(200, seed=1)
    others = numerals.numbers(5000, seed=1, without=held_out)
    assert not set(held_out) & set(others)


def test_a_batch_shows_the_start_and_asks_for_the_stop():
    batch = numerals.Batch.of([305, 12])
    assert batch.read.tolist() == [[0, 5, 2, 7], [0, 3, 4, 0]]
    assert batch.write.tolist() == [[5, 2, 7, 1], [3, 4, 1, 0]]
    assert batch.lengths.tolist() == [4, 2]


def test_a_short_training_teaches_it_something_and_watching_changes_nothing():
    plan = Plan(steps=40, batch=32, peak=8e-3, warmup=5)
    model, losses = numerals.train(numerals.numbers(500, seed=1), seed=1, plan=plan, kernels=READY_MADE)
    assert np.mean(losses[-5:]) < losses[0] - 0.5
    batch = numerals.Batch.of([30_050_020])
    before = model(batch.source, batch.lengths, batch.read)
    maps = numerals.cross_attention(model, 30_050_020)
    assert maps.shape == (1, 2, 9, 8)
    assert_close(maps.sum(dim=-1), torch.ones(1, 2, 9))
    assert_close(model(batch.source, batch.lengths, batch.read), before)


def test_what_is_written_is_greedy_and_without_start_and_stop():
    model = EncoderDecoder.drawn(*numerals.SHAPES, seed=3)
    written, ids = numerals.digits(model, "三百"), [numerals.START]
    encoded = model.encode(numerals.encode("三百").unsqueeze(0))
    while len(ids) < 10 and ids[-1] != numerals.STOP:
        ids.append(int(model.decode(encoded, torch.tensor([ids]))[0, -1].argmax()))
    assert written == "".join(numerals.TARGET[i] for i in ids[1:] if i != numerals.STOP)
