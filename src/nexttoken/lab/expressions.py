"""Generate and test: a GPT writes programs, and what they do is the judge.

The programs are expressions of one variable, `x * ( x + 3 )`. A task shows what an unknown one makes of
the first whole numbers, the visible tests; what it makes of others is kept back, the hidden tests:

    0 : 0 , 1 : 4 =>

A token is a word, and a number is one word. No function of a test task is computed by an expression that
the model has read: functions are held out, not only their texts.
"""

import ast
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from nexttoken.applications import pass_at_k
from nexttoken.lab import sampling, tables
from nexttoken.lab.training import Plan, fit
from nexttoken.models import GPT, YOURS, Kernels, Shape
from nexttoken.transformer import cross_entropy

INPUTS = range(8)  # more than are needed to tell any two of our functions apart
LARGEST = 50  # of a value, in size
NUMBERS = range(1, 6)  # in expressions
OPERATORS = 3  # at most in an expression
VISIBLE = 2, 3, 4  # pairs that a task may show
WORDS = (
    "<pad>",
    "<end>",
    *": , => x + - * ( )".split(),
    *map(str, range(-LARGEST, LARGEST + 1)),
)
PAD, END = 0, 1
LONGEST = 14  # words of an expression that the model may write, its end included
_ID = {word: number for number, word in enumerate(WORDS)}


class NoExpression(ValueError):
    """A text that is no expression of the language."""


def value(text: str, x: int) -> int:
    """What an expression makes of x. It is parsed, and only what the language has is computed.

    >>> value("x * ( x + 3 )", 2)
    10

    Raises
    ------
    NoExpression
        If the text is none, whatever else it may be.
    """
    return _value(_parsed(text), x)


def _parsed(text: str) -> ast.expr:
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:  # the last two: too many brackets
        raise NoExpression(f"{text[:40]!r} does not parse") from error


def _value(node: ast.expr, x: int) -> int:
    match node:
        case ast.Name(id="x"):
            return x
        case ast.Constant(value=int(number)) if type(number) is int:  # True is an int too
            return number
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _value(left, x) + _value(right, x)
        case ast.BinOp(left=left, op=ast.Sub(), right=right):
            return _value(left, x) - _value(right, x)
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            return _value(left, x) * _value(right, x)
    raise NoExpression(f"{type(node).__name__} is not in the language")


@lru_cache(maxsize=100_000)  # models say the same thing often
def table(text: str) -> tuple[int, ...] | None:
    """What an expression makes of all INPUTS; None where the text is no expression.

    >>> table("x * x")
    (0, 1, 4, 9, 16, 25, 36, 49)
    >>> table("x x") is table("print ( x )") is None
    True
    """
    try:
        tree = _parsed(text)
        return tuple(_value(tree, x) for x in INPUTS)
    except (NoExpression, RecursionError):
        return None


def is_held_out(values: tuple[int, ...]) -> bool:
    """Whether this function is kept for the test: one in five, by its values alone."""
    return zlib.crc32(repr(values).encode()) % 5 == 0


def drawn(random: np.random.Generator) -> str:
    """An expression by chance, with as few brackets as it can be written with.

    >>> drawn(np.random.default_rng(3))
    'x + ( 5 - ( x - x ) )'
    """
    text = _drawn(random, int(random.integers(1, OPERATORS + 1)))
    return ast.unparse(ast.parse(text, mode="eval")).replace("(", "( ").replace(")", " )")


def _drawn(random: np.random.Generator, operators: int) -> str:
    if operators == 0:
        return "x" if random.random() < 0.5 else str(random.choice(NUMBERS))
    left = int(random.integers(operators))
    sides = _drawn(random, left), _drawn(random, operators - 1 - left)
    return f"({sides[0]}) {random.choice(['+', '-', '*'])} ({sides[1]})"


@dataclass(frozen=True)
class Program:
    """An expression with what it does."""

    text: str
    values: tuple[int, ...]  # for all INPUTS


@cache
def programs(count: int, seed: int, held_out: bool = False) -> tuple[Program, ...]:
    """Different expressions with small values; of held-out functions each is there once."""
    random = np.random.default_rng(seed)
    found: dict[Any, Program] = {}
    while len(found) < count:
        text = drawn(random)
        if text in found:
            continue
        values = table(text)
        assert values is not None
        if max(map(abs, values)) > LARGEST or len(set(values)) == 1 or is_held_out(values) != held_out:
            continue
        found.setdefault(values if held_out else text, Program(text, values))
    return tuple(found.values())


@dataclass(frozen=True)
class Task:
    """A function by its values, of which only the first are shown."""

    values: tuple[int, ...]
    visible: int

    @property
    def prompt(self) -> str:
        """What the model reads.

        >>> Task(table("x * x"), visible=3).prompt
        '0 : 0 , 1 : 1 , 2 : 4 =>'
        """
        pairs = list(zip(INPUTS, self.values, strict=True))[: self.visible]
        return " , ".join(f"{x} : {y}" for x, y in pairs) + " =>"

    def passes_visible(self, text: str) -> bool:
        """Whether a program passes the tests that are shown."""
        values = table(text)
        return values is not None and values[: self.visible] == self.values[: self.visible]

    def passes(self, text: str) -> bool:
        """Whether it passes all, the hidden ones too."""
        return table(text) == self.values


def tasks(count: int, visible: int, seed: int = 0) -> list[Task]:
    """Test tasks, each with another held-out function."""
    return [Task(program.values, visible) for program in programs(count, seed, held_out=True)]


def encode(text: str) -> list[int]:
    """The ids of the words.

    >>> decode(encode("x * ( x + 3 )"))
    'x * ( x + 3 )'
    """
    return [_ID[word] for word in text.split()]


def decode(ids: Sequence[int]) -> str:
    """The words, without the end."""
    return " ".join(WORDS[number] for number in ids if number != END)


SHAPE = Shape(vocab=len(WORDS), context=6 * max(VISIBLE) + LONGEST, d_model=64, layers=2, heads=4)
PLAN = Plan(steps=2400, batch=64, peak=5e-3, warmup=50, floor=0.02, weight_decay=0.1, betas=(0.9, 0.99))
PROGRAMS = 8_000  # that the model learns from


@dataclass(frozen=True)
class Batch:
    """Tasks with their programs; `write` is padding wherever the model is not the one who writes."""

    read: Int[Tensor, "batch time"]
    write: Int[Tensor, "batch time"]


def batches(of: Sequence[Program], size: int, seed: int) -> Iterator[Batch]:
    """Batches without end; how many pairs are shown is drawn anew each time."""
    random = np.random.default_rng(seed)
    prompts = [[encode(Task(program.values, visible).prompt) for visible in VISIBLE] for program in of]
    answers = [[*encode(program.text), END] for program in of]
    while True:
        read, write = [], []
        for row in random.integers(len(of), size=size):
            prompt, answer = prompts[row][random.integers(len(VISIBLE))], answers[row]
            read.append(torch.tensor(prompt + answer[:-1]))
            write.append(torch.tensor([PAD] * (len(prompt) - 1) + answer))
        yield Batch(pad_sequence(read, batch_first=True), pad_sequence(write, batch_first=True))


def train(seed: int, plan: Plan = PLAN, kernels: Kernels = YOURS) -> tuple[GPT, list[float]]:
    """Train a model to write programs from pairs; the model, and the loss of every step."""
    model = GPT.drawn(SHAPE, seed, kernels)

    def loss(batch: Batch) -> Tensor:
        return cross_entropy(model(batch.read), batch.write, ignore=PAD)

    of = batches(programs(PROGRAMS, seed), plan.batch, seed)
    return model, fit(model.parameters(), of, loss, plan, label="programs", kernels=kernels)


def write(
    model: GPT, of: Sequence[Task], samples: int, seed: int = 0, temperature: float = 1.0
) -> list[list[str]]:
    """Programs for each task, `samples` of them, drawn by chance; at temperature 0 all are the likeliest."""
    choose = sampling.at_random(seed, temperature)
    found: list[list[str]] = []
    for start in range(0, len(of), 20):
        part = of[start : start + 20]
        prompts = [encode(task.prompt) for task in part for _ in range(samples)]
        answers = sampling.sample(model, prompts, choose, LONGEST, stop=END, pad=PAD).written()
        texts = [decode(ids) for ids in answers]
        found += [texts[i : i + samples] for i in range(0, len(texts), samples)]
    return found


def blind(count: int, seed: int = 0) -> list[str]:
    """Programs by chance, by who has not read the task: what a model has to be compared with."""
    random = np.random.default_rng(seed)
    return [drawn(random) for _ in range(count)]


@dataclass(frozen=True)
class Graded:
    """For each task, how many of `samples` programs pass the visible tests, and how many pass all."""

    samples: int
    visible: list[int]
    correct: list[int]

    @classmethod
    def of(cls, some: Sequence[Task], texts: Sequence[Sequence[str]]) -> "Graded":
        """Grade by execution."""
        pairs = list(zip(some, texts, strict=True))
        return cls(
            len(texts[0]),
            [sum(map(task.passes_visible, row)) for task, row in pairs],
            [sum(map(task.passes, row)) for task, row in pairs],
        )

    def pass_at(self, k: int) -> list[float]:
        """For each task, how likely one of k programs is right: the exercise."""
        return [pass_at_k(self.samples, c, k) for c in self.correct]

    def plugged_in(self, k: int) -> list[float]:
        """The same by 1 - (1 - c / n)^k, which is too small: it draws programs that were drawn before again."""
        return [1 - (1 - c / self.samples) ** k for c in self.correct]

    def tested(self, k: int) -> list[float]:
        """How likely the answer is right if k programs are written, and one that passes the visible tests is kept.

        One does with the chance of `pass_at_k`, counted in programs that pass the visible tests; and of
        these, c in v are right, whichever is kept.
        """
        pairs = zip(self.visible, self.correct, strict=True)
        return [pass_at_k(self.samples, v, k) * c / v if v else 0.0 for v, c in pairs]

    @property
    def deceived(self) -> float:
        """Of the programs that pass the visible tests, the share that fail a hidden one."""
        return 1 - sum(self.correct) / max(sum(self.visible), 1)


def interval(of_tasks: Sequence[float]) -> tuple[float, float, float]:
    """The mean over tasks, between the ends of its 95 % interval: low, mean, high.

    >>> low, mean, high = interval([0.0, 1.0] * 50)
    >>> round(low, 2), mean, round(high, 2)
    (0.4, 0.5, 0.6)
    """
    values = np.asarray(of_tasks)
    mean, reach = float(values.mean()), float(1.96 * values.std(ddof=1) / len(values) ** 0.5)
    return mean - reach, mean, mean + reach


def print_tests(task: Task, texts: Sequence[str]) -> None:
    """Each different program once, with the tests that it passes, and how often it was written.

    >>> print_tests(Task(table("x * x"), visible=2), ["x", "x * x", "x", "x ("])
    program  written  visible tests  hidden tests
    x              2  2 of 2         0 of 6
    x * x          1  2 of 2         6 of 6
    x (            1  does not parse
    """
    rows: list[list[tables.Cell]] = [["program", "written", "visible tests", "hidden tests"]]
    for text, times in Counter(texts).most_common():
        values = table(text)
        if values is None:
            rows.append([text, times, "does not parse"])
            continue
        right = [value == wanted for value, wanted in zip(values, task.values, strict=True)]
        of = [right[: task.visible], right[task.visible :]]
        rows.append([text, times, *(f"{sum(tests)} of {len(tests)}" for tests in of)])
    tables.table(rows)
