"""Chinese numerals and digits: a translation for an encoder-decoder, small enough to be learned while one waits.

三千零五万零二十 is 30050020. A word says what stands (三, three) or where it stands (千, thousand); one 零 stands
for any number of noughts in a row, and the noughts at the end are not said at all. So no digit can be
translated by itself.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from nexttoken.attention import attention_weights, weighted_mean
from nexttoken.exercise import settled
from nexttoken.lab.training import Plan, fit
from nexttoken.models import YOURS, DecoderBlock, EncoderDecoder, Kernels, Shape
from nexttoken.transformer import cross_entropy, translate

DIGITS, UNITS, MYRIAD = "零一二三四五六七八九", ("", "十", "百", "千"), "万"
SOURCE = ("", *DIGITS, *UNITS[1:], MYRIAD)  # "" fills up what is short
TARGET = ("<start>", "<stop>", *"0123456789")
START, STOP = 0, 1
LARGEST = 99_999_999
GLOSSES = dict(
    zip(
        SOURCE[1:],
        "ling 0,yi 1,er 2,san 3,si 4,wu 5,liu 6,qi 7,ba 8,jiu 9,shi 10,bai 100,qian 1000,wan 10000".split(
            ","
        ),
        strict=True,
    )
)  # how a word is said, and what it is worth


def chinese(number: int) -> str:
    """A number from 0 to 99,999,999 in Chinese numerals.

    >>> chinese(30_050_020)
    '三千零五万零二十'
    >>> chinese(12), chinese(112)
    ('十二', '一百一十二')

    Raises
    ------
    ValueError
        If the number is out of range.
    """
    if not 0 <= number <= LARGEST:
        raise ValueError(f"number must be 0 to {LARGEST:,}, got {number}")
    myriads, rest = divmod(number, 10_000)
    if not myriads:
        said = _up_to_9999(rest) or DIGITS[0]
    else:
        gap = DIGITS[0] if 0 < rest < 1000 else ""
        said = _up_to_9999(myriads) + MYRIAD + gap + _up_to_9999(rest)
    return said.removeprefix("一") if said.startswith("一十") else said


def _up_to_9999(number: int) -> str:
    said, gap = "", False
    for power, unit in reversed(list(enumerate(UNITS))):
        digit = number // 10**power % 10
        if digit:
            said += (DIGITS[0] if gap and said else "") + DIGITS[digit] + unit
        gap = digit == 0
    return said


def numbers(count: int, seed: int, without: Sequence[int] = ()) -> list[int]:
    """Different numbers of 3 to 8 digits, every length alike, and with many noughts in them."""
    random, known = np.random.default_rng(seed), set(without)
    found: dict[int, None] = {}
    while len(found) < count:
        length = random.integers(3, 9)
        is_nought = random.random(length) < 0.3
        is_nought[0] = False
        digits = np.where(is_nought, 0, random.integers(1, 10, size=length))
        number = int("".join(map(str, digits)))
        if number not in known:
            found[number] = None
    return list(found)


@dataclass(frozen=True)
class Batch:
    """Numbers in both languages, as ids; short ones are filled up on the right."""

    source: Int[Tensor, "batch source"]
    lengths: Int[Tensor, " batch"]
    read: Int[Tensor, "batch target"]  # what the decoder is shown: the start, then the true digits
    write: Int[Tensor, "batch target"]  # what it is to write: the true digits, then the stop

    @classmethod
    def of(cls, some: Sequence[int]) -> "Batch":
        """These numbers."""
        sources = [encode(chinese(number)) for number in some]
        digits = [torch.tensor([TARGET.index(digit) for digit in str(number)]) for number in some]
        start, stop = torch.tensor([START]), torch.tensor([STOP])
        return cls(
            pad_sequence(sources, batch_first=True),
            torch.tensor([len(source) for source in sources]),
            pad_sequence([torch.cat([start, row]) for row in digits], batch_first=True),
            pad_sequence([torch.cat([row, stop]) for row in digits], batch_first=True, padding_value=START),
        )


def encode(text: str) -> Int[Tensor, " source"]:
    """The ids of a Chinese numeral.

    >>> encode("二十")
    tensor([ 3, 11])
    """
    return torch.tensor([SOURCE.index(word) for word in text])


SHAPES = (
    Shape(vocab=len(SOURCE), context=18, d_model=48, layers=1, heads=2),
    Shape(vocab=len(TARGET), context=10, d_model=48, layers=1, heads=2),
)
PLAN = Plan(steps=1100, batch=64, peak=8e-3, warmup=30, floor=0.02)


def train(
    training: Sequence[int], seed: int, plan: Plan = PLAN, kernels: Kernels = YOURS
) -> tuple[EncoderDecoder, list[float]]:
    """Train a translator; the model, and the loss of every step."""
    model = EncoderDecoder.drawn(*SHAPES, seed, kernels)
    random = np.random.default_rng(seed)

    def batches() -> Iterator[Batch]:
        while True:
            yield Batch.of([training[row] for row in random.integers(len(training), size=plan.batch)])

    def loss(batch: Batch) -> Tensor:
        logits = model(batch.source, batch.lengths, batch.read)
        return cross_entropy(logits, batch.write, ignore=START)  # which is never to be written

    return model, fit(model.parameters(), batches(), loss, plan, label="translator", kernels=kernels)


Encode = Callable[[Int[Tensor, " source"]], Float[Tensor, "source d_model"]]
NextLogits = Callable[[Float[Tensor, "source d_model"], Int[Tensor, " time"]], Float[Tensor, " vocab"]]


def halves(model: EncoderDecoder) -> tuple[Encode, NextLogits]:
    """The two halves of a model, for one text at a time: x to z, and z with what was written to logits."""

    @torch.no_grad()
    def encode_one(source: Int[Tensor, " source"]) -> Float[Tensor, "source d_model"]:
        return model.encode(source.unsqueeze(0))[0][0]

    @torch.no_grad()
    def next_logits(z: Float[Tensor, "source d_model"], ids: Int[Tensor, " time"]) -> Float[Tensor, " vocab"]:
        real = torch.ones(1, 1, len(z), dtype=torch.bool)
        return model.decode((z.unsqueeze(0), real), ids.unsqueeze(0))[0, -1]

    return encode_one, next_logits


def decode(ids: Int[Tensor, " target"]) -> str:
    """The digits of a translation, without the stop."""
    return "".join(TARGET[i] for i in ids.tolist()).removesuffix(TARGET[STOP])


def digits(model: EncoderDecoder, text: str) -> str:
    """What the model writes for a Chinese numeral: greedy, by the exercise `translate`."""
    return decode(translate(*halves(model), encode(text), START, STOP, max_new_tokens=9))


def exact(model: EncoderDecoder, some: Sequence[int]) -> list[bool]:
    """For each number, whether its translation has no mistake."""
    with settled():
        return [digits(model, chinese(number)) == str(number) for number in some]


@torch.no_grad()
def cross_attention(model: EncoderDecoder, number: int) -> Float[Tensor, "layers heads target source"]:
    """With which weights each digit, as it is written, looks at the words that were read."""
    found: list[Tensor] = []

    def watched(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
        found.append(attention_weights(queries, keys)[0])  # one source alone has no padding to be hidden
        return weighted_mean(attention_weights(queries, keys), values)

    batch = Batch.of([number])
    asking = [cast(DecoderBlock, block).cross for block in model.decoder]
    kernels = [cross.kernels for cross in asking]
    for cross, before in zip(asking, kernels, strict=True):
        cross.kernels = replace(before, attention=watched)
    model(batch.source, batch.lengths, batch.read)
    for cross, before in zip(asking, kernels, strict=True):
        cross.kernels = before
    return torch.stack(found)
