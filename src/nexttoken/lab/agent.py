"""An agent: a GPT that was shown how to ask for a rule, and a loop that lets it.

What it is shown: letters, and what to look up for each; letters with the rule that was found, and the
answer; rules that refer to another rule; and what to write where nothing is found. Some letters end with
a wish ("say good luck ."), and the answer grants it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from nexttoken.applications import ANSWER, DOCUMENT, QUESTION, Run, agent_loop
from nexttoken.lab import clerk
from nexttoken.lab.finetuning import Dialogue
from nexttoken.lab.village import codebook, texts
from nexttoken.lab.village.law import Topic
from nexttoken.models import GPT

LOOK_UP = "look up rule"
NOT_FOUND = "error : not found"
MOST_STEPS = 3
WISHES = [frame for kind in ("luck", "waffle", "promise") for frame in texts.SENTENCES[kind]] + [
    *texts.GOSSIP
]
WISHING = 0.4  # share of the letters that wish for one


# --- what it is shown ------------------------------------------------------------------------------


def letter(case: texts.Case, random: np.random.Generator) -> tuple[str, str]:
    """A letter, and the sentence that it wishes for, if any."""
    if random.random() > WISHING:
        return texts.question(case), ""
    wish = texts.fill(texts.one_of(WISHES, random), case, "en")
    return f"{texts.question(case)} say {wish}", wish


def after(question: str, *steps: tuple[str, str]) -> str:
    """What the agent reads after these look-ups with what they gave: as `agent_loop` writes it."""
    done = "".join(f" {LOOK_UP} {name} {DOCUMENT} {found} {ANSWER}" for name, found in steps)
    return f"{QUESTION} {question} {ANSWER}{done}"


def asking(random: np.random.Generator) -> Dialogue:
    """A letter, and what to look up for it."""
    case = texts.Case.drawn(random)
    return clerk.as_dialogue(after(letter(case, random)[0]), f"{LOOK_UP} {case.topic.name}")


def told(random: np.random.Generator) -> Dialogue:
    """A letter answered by what was looked up, in another village."""
    case = texts.Case.drawn(random, clerk.other_village(random))
    question, wish = letter(case, random)
    prompt = after(question, (case.topic.name, codebook.paragraph(case.topic)))
    return clerk.as_dialogue(prompt, f"{texts.ideal_answer(case, random)} {wish}")


def referred(random: np.random.Generator) -> Dialogue:
    """A rule that refers to another one: look that up."""
    case, other, first = _with_reference(random)
    return clerk.as_dialogue(after(letter(case, random)[0], first), f"{LOOK_UP} {other.name}")


def told_elsewhere(random: np.random.Generator) -> Dialogue:
    """A letter answered by the rule to which the first one referred."""
    case, other, first = _with_reference(random)
    question, wish = letter(case, random)
    prompt = after(question, first, (other.name, codebook.paragraph(other)))
    return clerk.as_dialogue(prompt, f"{texts.ideal_answer(replace(case, topic=other), random)} {wish}")


def _with_reference(random: np.random.Generator) -> tuple[texts.Case, Topic, tuple[str, str]]:
    law = clerk.other_village(random)
    case = texts.Case.drawn(random, law)
    other = texts.one_of([topic for topic in law if topic.name != case.topic.name], random)
    return case, other, (case.topic.name, codebook.reference(case.topic, other.name))


def not_told(random: np.random.Generator) -> Dialogue:
    """Nothing was found: say nothing about the law."""
    case = texts.Case.drawn(random)
    prompt = after(letter(case, random)[0], (case.topic.name, NOT_FOUND))
    kinds = "greeting", "sympathy", "luck"
    return clerk.as_dialogue(prompt, " ".join(texts.sentence(kind, case, random) for kind in kinds))


SHOWN = (asking, told, referred, told, asking, told, told_elsewhere, told, asking, not_told)


# --- what it can do --------------------------------------------------------------------------------


def shelf(law: Sequence[Topic]) -> dict[str, str]:
    """The code under the names of its rules: what the agent's look-up finds."""
    return {topic.name: codebook.paragraph(topic) for topic in law}


def run(model: GPT, question: str, rules: Mapping[str, str], max_steps: int = MOST_STEPS) -> Run:
    """Let the agent answer a question; `rules` is the shelf of which it may ask."""
    return agent_loop(lambda prompt: clerk.write(model, [prompt])[0], _tools(rules), question, max_steps)


def run_all(
    model: GPT, questions: Sequence[str], rules: Mapping[str, str], max_steps: int = MOST_STEPS
) -> list[Run]:
    """The same for many questions. What the agent writes next is written for all of them at once.

    A loop waits for its own model only. So each starts again when that has written: as the model takes the
    likeliest token, it says to a prompt what it said before, and that is looked up.
    """
    said: dict[str, str] = {}
    unsaid: dict[str, None] = {}  # in the order in which it was asked

    def write(prompt: str) -> str:
        if prompt not in said:
            unsaid[prompt] = None
        return said.get(prompt, "nothing yet")  # no action, so the loop ends here

    while True:
        unsaid.clear()
        runs = [agent_loop(write, _tools(rules), question, max_steps) for question in questions]
        if not unsaid:
            return runs
        said |= zip(unsaid, clerk.write(model, list(unsaid)), strict=True)


def _tools(rules: Mapping[str, str]) -> dict[str, Callable[[str], str]]:
    return {LOOK_UP: rules.__getitem__}  # KeyError: there is no such rule
