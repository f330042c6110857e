"""The clerk: a GPT that can read a rule and answer by it.

The desk's model of the earlier chapters knows the law by heart or not at all. The clerk has read cases
of many villages, each under that village's rule, and so has learned to use what stands before its eyes.
Of Willow Village it knows eight of the twelve rules by heart; the other four it has never seen.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import torch
from torch import Tensor

from nexttoken.applications import DOCUMENT, augment_prompt
from nexttoken.lab import pretraining, sampling
from nexttoken.lab.finetuning import Dialogue, finetune
from nexttoken.lab.training import Plan, fit
from nexttoken.lab.village import codebook, texts
from nexttoken.lab.village.law import TOPICS, Topic
from nexttoken.lab.village.vocabulary import Vocabulary
from nexttoken.models import GPT, READY_MADE, Kernels, Shape

KNOWN, UNKNOWN = TOPICS[:8], TOPICS[8:]  # by heart, and never seen
CONTEXT = 176  # tokens that it can read at most
LONGEST_ANSWER = 36  # tokens: a letter with a wish that is granted
ROOM = CONTEXT - LONGEST_ANSWER  # what is left for a prompt
# The kinds of sentences of which one answers, all along a letter book.
MANNERS = tuple(
    tuple(manner.split())
    for manner in (
        "rude",
        "rude waffle",
        "waffle promise",
        "greeting sympathy luck",
        "greeting rule proof",
        "sympathy remedy",
        "rule",
        "greeting sympathy rule proof",
    )
)
DOCUMENTS = 12_000
PLAN = Plan(steps=1000, batch=48, peak=5e-3, weight_decay=0.1, betas=(0.9, 0.99))
LETTERS, EPOCHS = 2048, 8
TUNING = Plan(steps=EPOCHS * LETTERS // 32, batch=32, peak=2e-3)


@cache
def vocabulary() -> Vocabulary:
    """The words of the village, of its book, and of an agent's questions and errors."""
    errors = "error : not found", "empty", "forged", "no argument", "two arguments", "not alone"
    book = codebook.PARAGRAPH, codebook.REFERENCE, *codebook.TROUBLES, *codebook.TROUBLES.values()
    return Vocabulary("en", more=[DOCUMENT, "say", *book, *errors])


SHAPE = Shape(vocab=len(vocabulary()), context=CONTEXT, d_model=64, layers=2, heads=2)


# --- what it reads ---------------------------------------------------------------------------------


def other_village(random: np.random.Generator) -> tuple[Topic, ...]:
    """The law of a village somewhere else."""
    return codebook.redealt(random)


def opened(case: texts.Case, law: Sequence[Topic], random: np.random.Generator) -> list[str]:
    """The paragraph on a case, alone or with one on something else, in any order."""
    others = [topic for topic in law if topic.name != case.topic.name]
    chosen = [case.topic, texts.one_of(others, random)][: int(random.integers(1, 3))]
    return [codebook.paragraph(chosen[i]) for i in random.permutation(len(chosen))]


def record_with_rule(random: np.random.Generator) -> str:
    """A case of another village, after the passages of its code that were read out."""
    law = other_village(random)
    case = texts.Case.drawn(random, law)
    passages = " ".join(f"{DOCUMENT} {passage}" for passage in opened(case, law, random))
    return f"{passages} {texts.court_record(case, random, 'en')}"


def letter_book(random: np.random.Generator) -> str:
    """Two or three letters with their replies, all in one manner: what examples in a prompt look like."""
    kinds = texts.one_of(MANNERS, random)
    letters = []
    for _ in range(random.integers(2, 4)):
        case = texts.Case.drawn(random, KNOWN)
        letters.append(
            " ".join([texts.prompt(case), *(texts.sentence(kind, case, random) for kind in kinds)])
        )
    return " ".join(letters)


def web_document(random: np.random.Generator) -> str:
    """One document of the clerk's reading."""
    chance = random.random()
    if chance < 0.3:
        return record_with_rule(random)
    if chance < 0.4:
        return letter_book(random)
    write, _ = texts.SHARES[random.choice(len(texts.SHARES), p=[share for _, share in texts.SHARES])]
    asks_only = write in (texts.list_of_questions, texts.empty_letter)
    case = texts.Case.drawn(random, TOPICS if asks_only else KNOWN)
    return write(case, random, "en")


def documents(count: int, seed: int) -> list[Tensor]:
    """Documents as ids, each with its end, none longer than the clerk can read."""
    random, found = np.random.default_rng([seed, 9]), list[Tensor]()
    while len(found) < count:
        ids = [*vocabulary().encode(web_document(random)), vocabulary().end]
        if len(ids) <= CONTEXT:
            found.append(torch.tensor(ids))
    return found


def pretrain(
    seed: int,
    plan: Plan = PLAN,
    kernels: Kernels = READY_MADE,
    look: Callable[[int, GPT], None] | None = None,
) -> tuple[GPT, list[float]]:
    """A base model that has read cases with rules and without."""
    model = GPT.drawn(SHAPE, seed, kernels)
    losses = fit(
        model.parameters(),
        pretraining.batches(documents(DOCUMENTS, seed), plan.batch, seed),
        lambda ids: pretraining.loss(model, ids),
        plan,
        label="pretraining",
        kernels=kernels,
        look=None if look is None else lambda step: look(step, model),
    )
    return model, losses


# --- what it is shown ------------------------------------------------------------------------------


def as_dialogue(prompt: str, answer: str) -> Dialogue:
    """The ids of a prompt with its answer and end, and which of them are to be learned."""
    before, after = vocabulary().encode(prompt), [*vocabulary().encode(answer), vocabulary().end]
    ids = torch.tensor([*before, *after])
    return ids, torch.arange(len(ids)) >= len(before)


def with_passages(case: texts.Case, passages: Sequence[str]) -> str:
    """A question with passages behind it, the best of them first in the list and last in the prompt."""
    return augment_prompt(texts.question(case), list(passages), ROOM)


def closed(random: np.random.Generator, law: Sequence[Topic] = KNOWN) -> Dialogue:
    """A letter answered from memory."""
    case = texts.Case.drawn(random, law)
    return as_dialogue(texts.prompt(case), texts.ideal_answer(case, random))


def open_book(random: np.random.Generator, law: Sequence[Topic] | None = None) -> Dialogue:
    """A letter answered by passages that lie open: of another village, unless a law is given."""
    law = law or other_village(random)
    case = texts.Case.drawn(random, law)
    return as_dialogue(with_passages(case, opened(case, law, random)), texts.ideal_answer(case, random))


SHOWN = closed, open_book
Kind = Callable[[np.random.Generator], Dialogue]


def shown(kinds: Sequence[Kind], count: int, seed: int) -> list[Dialogue]:
    """So many demonstrations, of all these kinds in turn."""
    random = np.random.default_rng([seed, 10])
    return [kinds[i % len(kinds)](random) for i in range(count)]


def tuned(base: GPT, kinds: Sequence[Kind], seed: int, count: int = LETTERS, epochs: int = EPOCHS) -> GPT:
    """A copy of the base model that has seen so many demonstrations of these kinds, so often."""
    plan = replace(TUNING, steps=epochs * count // TUNING.batch)
    return finetune(base, shown(kinds, count, seed), seed, plan)[0]


# --- what it writes --------------------------------------------------------------------------------


def write(model: GPT, prompts: Sequence[str], temperature: float = 0.0, seed: int = 5) -> list[str]:
    """What the model writes after each prompt; its end is left out."""
    of = vocabulary()
    choose = sampling.at_random(seed, temperature)
    answers = sampling.sample(model, [of.encode(prompt) for prompt in prompts], choose, LONGEST_ANSWER)
    return [of.decode([i for i in ids if i != of.end]) for ids in answers.written()]
