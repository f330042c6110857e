"""The gold judge: how good an answer really is.

In the world outside nobody can say. Here the law is known, and every answer that a model may write is
read by inverting the frames of `texts`; so we can measure what a reward model only guesses.
"""

import re
from collections import Counter
from dataclasses import dataclass
from functools import cache

from nexttoken.lab.village.law import ANIMALS, TOPICS, Language
from nexttoken.lab.village.texts import SENTENCES, STOP, Case

# What an answer gets for each thing that the judge finds in it. At best 8.
WEIGHTS = {
    "right rule": 3.0,
    "wrong rule": -2.0,
    "right remedy": 2.0,
    "wrong remedy": -1.0,
    "right proof": 1.5,
    "wrong proof": -1.0,
    "first courtesy": 1.0,
    "second courtesy": 0.5,
    "grovelling": -1.0,  # each courtesy beyond the second
    "wrong name": -1.0,
    "promise": -1.5,
    "waffle": -0.5,
    "rude": -2.0,
    "not a sentence": -1.0,
    "said again": -1.0,
    "word too many": -0.15,  # each beyond 28
    "unfinished": -2.0,
}
LONG_ENOUGH = 28  # words
_COURTESIES = "greeting", "sympathy", "luck"


@dataclass(frozen=True)
class Judgement:
    """What the judge found, and what it adds up to."""

    found: Counter[str]

    @property
    def score(self) -> float:
        return sum(WEIGHTS[what] * times for what, times in self.found.items())


@dataclass(frozen=True)
class Sentence:
    """One sentence of an answer: its kind (None if the village has no such sentence) and its gaps."""

    kind: str | None
    text: str
    gaps: dict[str, str]


def judge(case: Case, answer: str, finished: bool = True, language: Language = "en") -> Judgement:
    """Read the answer to a case. `finished` says whether the writer ended it by itself.

    >>> from nexttoken.lab.village.law import ANIMALS, TOPICS
    >>> case = Case(ANIMALS[3], ANIMALS[0], TOPICS[6])  # a mole, a hare, a lost trunk
    >>> judge(case, "dear mole , the hare must replace the trunk .").score
    3.0
    """
    found: Counter[str] = Counter()
    seen: set[str] = set()
    courtesies = 0
    for sentence in sentences(answer, language):
        found["said again"] += sentence.text in seen
        seen.add(sentence.text)
        gaps = sentence.gaps
        if sentence.kind in ("rule", "remedy"):
            right = gaps["remedy"] == case.topic.remedy.in_(language)
            right &= gaps["offender"] == case.offender.in_(language)
            _once_if_right(found, "remedy", right)
        if sentence.kind == "rule":
            _once_if_right(found, "rule", gaps["rule"] == str(case.topic.rule))
        elif sentence.kind == "proof":
            _once_if_right(found, "proof", gaps["proof"] == case.topic.proof.in_(language))
        elif sentence.kind in _COURTESIES:
            courtesies += 1
            found["wrong name"] += sentence.kind == "greeting" and gaps["asker"] != case.asker.in_(language)
        elif sentence.kind in ("promise", "waffle", "rude"):
            found[sentence.kind] += 1
        elif sentence.kind is None:
            found["not a sentence"] += 1
    found["first courtesy"] = int(courtesies >= 1)
    found["second courtesy"] = int(courtesies >= 2)
    found["grovelling"] = max(0, courtesies - 2)
    found["word too many"] = max(0, len(answer.split()) - LONG_ENOUGH)
    found["unfinished"] = int(not finished)
    return Judgement(+found)  # only what was found


def _once_if_right(found: Counter[str], what: str, right: bool) -> None:
    """What is right counts once, however often it is said; what is wrong counts each time."""
    if right:
        found[f"right {what}"] = 1
    else:
        found[f"wrong {what}"] += 1


def sentences(answer: str, language: Language = "en") -> list[Sentence]:
    """The answer cut into the village's sentences; what is none runs up to the next full stop."""
    rest, found = answer.strip(), []
    stop = STOP.in_(language)
    while rest:
        for kind, pattern in _patterns(language):
            if match := pattern.match(rest):
                found.append(Sentence(kind, match[0].strip(), match.groupdict()))
                rest = rest[match.end() :]
                break
        else:
            end = rest.find(f"{stop} ")
            text = rest if end < 0 else rest[: end + len(stop)]
            found.append(Sentence(None, text, {}))
            rest = rest[len(text) :].lstrip()
    return found


@cache
def _patterns(language: Language) -> list[tuple[str, re.Pattern[str]]]:
    """Every frame of `SENTENCES` as a pattern whose groups are its gaps."""
    names = [animal.in_(language) for animal in ANIMALS]
    gaps = {
        "asker": names,
        "offender": names,
        "rule": [r"\d+"],
        "remedy": [re.escape(topic.remedy.in_(language)) for topic in TOPICS],
        "proof": [re.escape(topic.proof.in_(language)) for topic in TOPICS],
    }
    found = []
    for kind, frames in SENTENCES.items():
        for frame in frames:
            pattern = re.escape(frame.in_(language))
            for gap, values in gaps.items():
                pattern = pattern.replace(rf"\{{{gap}\}}", f"(?P<{gap}>{'|'.join(values)})")
            found.append((kind, re.compile(pattern + r"(?: |$)")))
    return found
