"""Words to ids and back: the village has few enough words to number them all."""

import re
from collections.abc import Iterable
from functools import cache

from nexttoken.lab.village import texts
from nexttoken.lab.village.law import ANIMALS, TOPICS, Both, Language

PAD, END = "<pad>", "<eos>"
MARKS = PAD, END, texts.QUESTION_MARK, texts.ANSWER_MARK


class Vocabulary:
    """Every word of the village in the given languages, and of `more` texts; four marks come first.

    >>> vocabulary = Vocabulary("en")
    >>> vocabulary.decode(vocabulary.encode("good luck ."))
    'good luck .'
    """

    pad, end, question, answer = range(4)

    def __init__(self, *languages: Language, more: Iterable[str] = ()) -> None:
        found = {word for language in languages for both in _frames() for word in _words(both.in_(language))}
        found |= {word for frame in more for word in _words(frame)} - {*MARKS}
        self.words = (*MARKS, *sorted(found))
        self._ids = {word: number for number, word in enumerate(self.words)}

    def __len__(self) -> int:
        return len(self.words)

    def encode(self, text: str) -> list[int]:
        """The ids of the words.

        Raises
        ------
        ValueError
            If the village does not know a word.
        """
        unknown = [word for word in text.split() if word not in self._ids]
        if unknown:
            raise ValueError(f"the village does not know {', '.join(map(repr, unknown))}")
        return [self._ids[word] for word in text.split()]

    def decode(self, ids: list[int]) -> str:
        """The words, separated by spaces."""
        return " ".join(self.words[number] for number in ids)


@cache
def english() -> Vocabulary:
    """The vocabulary of most chapters."""
    return Vocabulary("en")


def _frames() -> list[Both]:
    """All that is ever written in the village, with gaps."""
    of_topics = [both for topic in TOPICS for both in (*topic.complaints, topic.remedy, topic.proof)]
    rules = [Both(str(topic.rule), str(topic.rule)) for topic in TOPICS]
    kept = [texts.STOP, texts.CODE_ENTRY, texts.COURT_OPENS, texts.COURT_CLOSES]
    lists = texts.BEGINNINGS, texts.ENDINGS, texts.GOSSIP, texts.RHYMES, *texts.SENTENCES.values()
    return [*ANIMALS, *of_topics, *rules, *kept, *(both for frames in lists for both in frames)]


def _words(frame: str) -> list[str]:
    return [word for word in frame.split() if not re.fullmatch(r"\{\w+\}", word)]
