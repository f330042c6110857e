"""Dates as people write them, and as 1984-03-03: a translation that is small enough to watch.

The model is the one of Bahdanau, Cho and Bengio 2015, made small. One network reads the source in
both directions; another writes the target, symbol by symbol. Between the two stand exercises of
the chapter on attention: `padding_mask`, `additive_scores`, `masked_softmax` and `weighted_mean`.
"""

import datetime
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import clip_grad_norm_
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from nexttoken.attention import additive_scores, masked_softmax, padding_mask, weighted_mean

MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
PATTERNS = (
    "{day} {month} {year}",
    "{month} {day} , {year}",
    "the {day} of {month} , {year}",
    "{weekday} , {month} {day} , {year}",
    "{year} , on {weekday} {day} {month}",
)
SOURCE = ("", ",", "the", "of", "on", *"0123456789", *MONTHS, *WEEKDAYS)  # "" fills up short sources
TARGET = ("", "-", *"0123456789")  # "" begins every target
SYMBOLS = len("1984-03-03")

STEPS, BATCH, LEARNING_RATE, LARGEST_GRADIENT = 250, 32, 5e-3, 1.0


@dataclass(frozen=True)
class Example:
    """A date in two languages, and who decides what."""

    source: list[str]
    target: str
    decided_by: list[int | None]  # for each symbol of the target, the place of its word; a dash has none


def write(date: datetime.date, pattern: str) -> Example:
    """Write a date in one of the PATTERNS: digits one by one, months and weekdays as words.

    >>> example = write(datetime.date(1984, 3, 13), "{day} {month} {year}")
    >>> " ".join(example.source), example.target
    ('1 3 march 1 9 8 4', '1984-03-13')
    >>> example.decided_by  # one word decides both digits of the month
    [3, 4, 5, 6, None, 2, 2, None, 0, 1]
    """
    spelled = {"weekday": WEEKDAYS[date.weekday()], "month": MONTHS[date.month - 1]}
    spelled |= {"day": " ".join(str(date.day)), "year": " ".join(str(date.year))}
    source: list[str] = []
    begin = {}
    for part in pattern.split():
        begin[part.strip("{}")] = len(source)
        source += part.format(**spelled).split()
    year, month, day = begin["year"], begin["month"], begin["day"]
    last = day + (date.day > 9)  # a day of one digit decides the 0 before it too
    decided_by = [year, year + 1, year + 2, year + 3, None, month, month, None, day, last]
    return Example(source, date.isoformat(), decided_by)


def examples(count: int, seed: int) -> list[Example]:
    """So many different days of the years 1000 to 2999, each in a random pattern."""
    random = np.random.default_rng(seed)
    first, end = (datetime.date(year, 1, 1).toordinal() for year in (1000, 3000))
    days = random.choice(end - first, size=count, replace=False) + first
    patterns = random.integers(len(PATTERNS), size=count)
    return [
        write(datetime.date.fromordinal(int(day)), PATTERNS[pattern])
        for day, pattern in zip(days, patterns, strict=True)
    ]


@dataclass(frozen=True)
class Batch:
    """Examples as ids; short sources are filled up on the right."""

    source: Int[Tensor, "batch time"]
    lengths: Int[Tensor, " batch"]
    target: Int[Tensor, "batch symbols"]

    @classmethod
    def of(cls, some: Sequence[Example]) -> "Batch":
        """The words and symbols of these examples, by their places in SOURCE and TARGET."""
        lengths = torch.tensor([len(example.source) for example in some])
        source = torch.zeros(len(some), int(lengths.max()), dtype=torch.int64)
        for row, example in zip(source, some, strict=True):
            row[: len(example.source)] = torch.tensor([SOURCE.index(word) for word in example.source])
        target = torch.tensor([[TARGET.index(symbol) for symbol in example.target] for example in some])
        return cls(source, lengths, target)


class Translator(nn.Module):
    """Reads in both directions, then writes; before each symbol it asks the words that it has read.

    Without `attention` it is the model that Bahdanau and others started from: it has to do with what
    the two readers remember at the end, the same for every symbol.
    """

    def __init__(self, width: int = 32, attention: bool = True) -> None:
        super().__init__()
        self.attention = attention
        self.words = nn.Embedding(len(SOURCE), width)
        self.reader = nn.GRU(width, width, bidirectional=True, batch_first=True)
        self.begin = nn.Linear(width, width)
        self.symbols = nn.Embedding(len(TARGET), width)
        self.writer = nn.GRUCell(3 * width, width)
        self.out = nn.Linear(3 * width, len(TARGET))
        self.w_query = nn.Parameter(torch.randn(width, width) / width**0.5)
        self.w_key = nn.Parameter(torch.randn(2 * width, width) / (2 * width) ** 0.5)
        self.v = nn.Parameter(torch.randn(width) / width**0.5)

    def forward(
        self, batch: Batch, teacher: bool = True, weights: Float[Tensor, "batch symbols time"] | None = None
    ) -> tuple[Float[Tensor, "batch symbols vocab"], Float[Tensor, "batch symbols time"]]:
        """The logits of every symbol, and with which weights it looked at the words.

        With a `teacher` the model is shown the true symbols so far, without one it reads its own.
        `weights`, if given, are used instead of those that the model would find.
        """
        packed = pack_padded_sequence(
            self.words(batch.source), batch.lengths, batch_first=True, enforce_sorted=False
        )
        states, last = self.reader(packed)
        memory, _ = pad_packed_sequence(states, batch_first=True)  # (batch, time, 2 width)
        mask = padding_mask(batch.lengths, memory.shape[1]).unsqueeze(1)
        remembered = last.transpose(0, 1).flatten(1)
        state = self.begin(last[1]).tanh()
        symbol = torch.zeros_like(batch.lengths)
        logits, looked = [], []
        for t in range(SYMBOLS):
            scores = additive_scores(state.unsqueeze(1), memory, self.w_query, self.w_key, self.v)
            row = masked_softmax(scores, mask) if weights is None else weights[:, t : t + 1]
            content = weighted_mean(row, memory).squeeze(1) if self.attention else remembered
            state = self.writer(torch.cat([self.symbols(symbol), content], dim=-1), state)
            logits.append(self.out(torch.cat([state, content], dim=-1)))
            looked.append(row.squeeze(1))
            symbol = batch.target[:, t] if teacher else logits[-1].argmax(dim=-1)
        return torch.stack(logits, dim=1), torch.stack(looked, dim=1)


def train(training: Sequence[Example], seed: int, attention: bool = True, steps: int = STEPS) -> Translator:
    """Train a translator; ten times on the way, the loss is shown, in nats a symbol."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Translator(attention=attention)
    random = np.random.default_rng(seed)
    optimizer = torch.optim.Adam(model.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps, pct_start=0.1)
    line = _Line(f"seed {seed}, loss:")
    for step in range(1, steps + 1):
        rows = random.integers(len(training), size=BATCH)
        batch = Batch.of([training[row] for row in rows])
        logits, _ = model(batch)
        loss = functional.cross_entropy(logits.flatten(0, 1), batch.target.flatten())
        optimizer.zero_grad()
        loss.backward()
        clip_grad_norm_(model.parameters(), LARGEST_GRADIENT)
        optimizer.step()
        schedule.step()
        if step % max(steps // 10, 1) == 0:
            line.grow(f" {loss.item():.2f}")
    line.end()
    return model


class _Line:
    """A line that grows while one waits. In a notebook it is one output, so that a page keeps it whole."""

    def __init__(self, text: str) -> None:
        self.text = text
        ipython = sys.modules.get("IPython")  # outside of Jupyter it is not worth its import
        in_notebook = ipython is not None and ipython.get_ipython() is not None
        self.handle = ipython.display.DisplayHandle() if ipython is not None and in_notebook else None
        if self.handle:
            self.handle.display({"text/plain": text}, raw=True)
        else:
            print(text, end="", flush=True)

    def grow(self, more: str) -> None:
        self.text += more
        if self.handle:
            self.handle.update({"text/plain": self.text}, raw=True)
        else:
            print(more, end="", flush=True)

    def end(self) -> None:
        if not self.handle:
            print()


def translate(
    model: Translator, some: Sequence[Example], weights: Float[Tensor, "batch symbols time"] | None = None
) -> tuple[list[str], Float[Tensor, "batch symbols time"]]:
    """What the model writes, reading its own symbols, and with which weights it looked at the words."""
    with torch.no_grad():
        logits, looked = model(Batch.of(some), teacher=False, weights=weights)
    return ["".join(TARGET[i] for i in row) for row in logits.argmax(dim=-1).tolist()], looked


def exact(written: Sequence[str], some: Sequence[Example]) -> float:
    """The share of dates without a mistake."""
    return sum(text == example.target for text, example in zip(written, some, strict=True)) / len(some)


def places(looked: Float[Tensor, "batch symbols time"], some: Sequence[Example]) -> list[list[int | None]]:
    """For each digit of each date the place of its largest weight; None for the dashes."""
    largest = looked.argmax(dim=-1).tolist()
    return [
        [None if right is None else place for place, right in zip(row, example.decided_by, strict=True)]
        for row, example in zip(largest, some, strict=True)
    ]


def well_aligned(found: Sequence[Sequence[int | None]], some: Sequence[Example], within: int = 0) -> float:
    """The share of digits whose largest weight lies on the word that decides them, or `within` so many words."""
    pairs = [
        (place, right)
        for row, example in zip(found, some, strict=True)
        for place, right in zip(row, example.decided_by, strict=True)
        if place is not None and right is not None
    ]
    return sum(abs(place - right) <= within for place, right in pairs) / len(pairs)


def onward(rows: Sequence[Sequence[int | None]]) -> float:
    """The share of steps, from one digit to the next, that do not go back in the source: 1 is monotone.

    >>> onward([[0, 1, None, 4, 2]])  # 0 to 1 and 1 to 4 go on, 4 to 2 goes back
    0.6666666666666666
    """
    steps = []
    for row in rows:
        digits = [place for place in row if place is not None]
        steps += [after >= before for before, after in pairwise(digits)]
    return sum(steps) / len(steps)
