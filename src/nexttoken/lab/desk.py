"""The desk at work: cases come in, a model answers, the gold judge reads."""

import math
import textwrap
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from nexttoken.lab import sampling
from nexttoken.lab.village import gold, texts
from nexttoken.lab.village.law import TOPICS, Topic
from nexttoken.lab.village.vocabulary import english
from nexttoken.models import GPT

LONGEST_ANSWER = 32  # tokens
EXAM_SEED = 77  # of the cases on which everything is measured


def cases(count: int, seed: int, topics: Sequence[Topic] = TOPICS) -> list[texts.Case]:
    """So many cases by chance."""
    random = np.random.default_rng(seed)
    return [texts.Case.drawn(random, topics) for _ in range(count)]


def exam(count: int = 400, topics: Sequence[Topic] = TOPICS) -> list[texts.Case]:
    """The cases on which models are compared. They are drawn apart; some occur in training, by chance."""
    return cases(count, EXAM_SEED, topics)


def ask(model: GPT, of: Sequence[texts.Case], seed: int = 5, temperature: float = 1.0) -> sampling.Answers:
    """One answer to each case."""
    return answered(model, of, sampling.at_random(seed, temperature))


def answered(model: GPT, of: Sequence[texts.Case], choose: sampling.Choose) -> sampling.Answers:
    """One answer to each case, its tokens chosen in this way."""
    prompts = [english().encode(texts.prompt(case)) for case in of]
    return sampling.sample(model, prompts, choose, LONGEST_ANSWER)


def dialogue(question: str, answer: str) -> list[int]:
    """The ids of a question with a finished answer, as the models read them."""
    text = f"{texts.QUESTION_MARK} {question} {texts.ANSWER_MARK} {answer}"
    return [*english().encode(text), english().end]


def read(answers: sampling.Answers) -> list[tuple[str, bool]]:
    """What was written, in words, and whether the writer ended it by itself."""
    vocabulary, found = english(), []
    for ids in answers.written():
        finished = ids[-1:] == [vocabulary.end]
        found.append((vocabulary.decode(ids[:-1] if finished else ids), finished))
    return found


def show(of: Sequence[texts.Case], width: int = 76, **said: Sequence[tuple[str, bool]]) -> None:
    """Print cases, and under each what was said to it, by name; dots where the writer did not end.

    >>> from nexttoken.lab.village.law import ANIMALS, TOPICS
    >>> case = texts.Case(ANIMALS[3], ANIMALS[0], TOPICS[6])  # a mole, a hare, a lost trunk
    >>> show([case], tavern=[("you will surely win .", True)], parrot=[("bah , bah ,", False)])
    i am a mole . the hare lost my trunk on the ferry . what can i do ?
       tavern: you will surely win .
       parrot: bah , bah , ...
    """
    for number, case in enumerate(of):
        print(textwrap.fill(texts.question(case), width))
        for name, answers in said.items():
            words, finished = answers[number]
            text = words if finished else f"{words} ..."
            tell(name, text, width)


def tell(name: str, text: str, width: int = 76) -> None:
    """Print what somebody says or something is, by name, in lines that a page can show.

    >>> tell("mole", "the hare lost my trunk on the ferry .", width=30)
       mole: the hare lost my
             trunk on the ferry .
    """
    margin = " " * 3
    print(textwrap.fill(f"{margin}{name}: {text}", width, subsequent_indent=f"{margin}{' ' * len(name)}  "))


def judgements(of: Sequence[texts.Case], answers: sampling.Answers) -> list[gold.Judgement]:
    """What the gold judge finds in each answer."""
    return [gold.judge(case, *said) for case, said in zip(of, read(answers), strict=True)]


def gold_scores(of: Sequence[texts.Case], answers: sampling.Answers) -> Float[Tensor, " batch"]:
    """How good each answer really is, at most 8."""
    return torch.tensor([judgement.score for judgement in judgements(of, answers)])


def win_rate(ours: Float[Tensor, " batch"], theirs: Float[Tensor, " batch"]) -> float:
    """How often ours is better; a tie counts one half."""
    return ((ours > theirs).double() + (ours == theirs).double() / 2).mean().item()


def interval(rate: float, count: int) -> tuple[float, float]:
    """The 95 % interval of a rate that was counted in so many trials (Wilson 1927).

    >>> low, high = interval(0.5, 100)
    >>> round(low, 3), round(high, 3)
    (0.404, 0.596)
    """
    z = 1.96
    middle = (rate + z * z / (2 * count)) / (1 + z * z / count)
    half = z * math.sqrt(rate * (1 - rate) / count + z * z / (4 * count * count)) / (1 + z * z / count)
    return middle - half, middle + half
