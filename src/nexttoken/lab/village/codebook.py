"""The village code as a book that can be looked up, and what becomes of it when a new council deals it anew."""

import re
from collections.abc import Sequence

import numpy as np

from nexttoken.lab.village.law import TOPICS, Topic

# What each rule is about, in a few words of its own; a letter need not use any of them.
TROUBLES = {
    "deposit": "a deposit that is kept",
    "parcel": "a parcel that is late",
    "noise": "noise at night",
    "kettle": "a cracked kettle",
    "wages": "wages without pay",
    "bite": "the bite of a pup",
    "trunk": "a trunk that is lost",
    "loan": "a loan of acorns",
    "roof": "a roof that drips",
    "fence": "a fence that is moved",
    "soup": "soup that is charged twice",
    "cabbage": "trampled cabbages",
}
PARAGRAPH = "rule {rule} , on {trouble} : the one at fault must {remedy} . proof : {proof} ."
REFERENCE = "rule {rule} , on {trouble} : look up rule {other} ."


def paragraph(topic: Topic) -> str:
    """One rule, as the book has it.

    >>> paragraph(TOPICS[8])
    'rule 6 , on a roof that drips : the one at fault must repair the roof . proof : bucket .'
    """
    return PARAGRAPH.format(
        rule=topic.rule, trouble=TROUBLES[topic.name], remedy=topic.remedy.en, proof=topic.proof.en
    )


def is_paragraph(text: str) -> bool:
    """Whether a text has the form of a rule, and is nothing more.

    >>> is_paragraph(paragraph(TOPICS[8])), is_paragraph(paragraph(TOPICS[8]) + " good luck .")
    (True, False)
    """
    form = re.sub(r"\\{\w+\\}", "[a-z0-9 ]+", re.escape(PARAGRAPH))
    return re.fullmatch(form, text) is not None


def reference(topic: Topic, other: str) -> str:
    """A rule that says no more than where to look.

    >>> reference(TOPICS[8], "fence")
    'rule 6 , on a roof that drips : look up rule fence .'
    """
    return REFERENCE.format(rule=topic.rule, trouble=TROUBLES[topic.name], other=other)


def book(topics: Sequence[Topic] = TOPICS) -> str:
    """The whole code, in the order of its rules."""
    return " ".join(paragraph(topic) for topic in sorted(topics, key=lambda topic: topic.rule))


def redealt(random: np.random.Generator, topics: Sequence[Topic] = TOPICS) -> tuple[Topic, ...]:
    """Another law on the same troubles: numbers, remedies and proofs change places.

    Every rule gets a number, a remedy and a proof that it did not have.
    """
    numbers, remedies, proofs = (_moved(len(topics), random) for _ in range(3))
    return tuple(
        topic._replace(rule=topics[number].rule, remedy=topics[remedy].remedy, proof=topics[proof].proof)
        for topic, number, remedy, proof in zip(topics, numbers, remedies, proofs, strict=True)
    )


def _moved(count: int, random: np.random.Generator) -> list[int]:
    """A permutation that leaves nothing in its place."""
    while True:
        order = random.permutation(count)
        if not (order == np.arange(count)).any():
            return [int(place) for place in order]
