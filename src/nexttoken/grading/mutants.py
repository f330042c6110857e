"""`make mutants`: are the checks themselves any good? Every blank, reference and wrong answer is tried.

A blank must be told that it is not done, a reference must pass, and every wrong answer that the
course ships must be rejected by the graded cells and met with its own sentence.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from nexttoken import course
from nexttoken import exercise as exercises
from nexttoken.grading.judge import judge_function, misconceptions, sentence
from nexttoken.grading.verdict import State, Verdict


@dataclass(frozen=True)
class Mutant:
    """An answer whose verdict is known beforehand."""

    exercise: str
    label: str  # "blank", "reference", or the name of the mistake
    answer: Callable[..., Any]
    state: State
    sentence: str = ""  # what its author must be told

    def caught(self, verdict: Verdict) -> bool:
        """Whether the verdict is the one that this answer deserves."""
        return verdict.state is self.state and verdict.misconception == self.sentence


def mutants(chapter: str) -> Iterator[Mutant]:
    """The blank, the reference and the wrong answers of every exercise of a chapter."""
    for found in course.exercises(chapter):
        name = found.name
        yield Mutant(name, "blank", blank, State.NOT_DONE)
        yield Mutant(name, "reference", exercises.reference(name), State.RIGHT)
        for wrong in misconceptions(name):
            label = wrong.__name__.removeprefix(f"{found.function}__").replace("_", " ")
            yield Mutant(name, label, wrong, State.WRONG, sentence(wrong))


def blank(*args: Any, **kwargs: Any) -> Any:
    """An exercise that nobody has begun."""
    raise NotImplementedError


def verdict_on(mutant: Mutant) -> Verdict:
    """Judge the mutant in the place of the reader's function."""
    return judge_function(mutant.exercise, mutant.answer)


def main() -> None:
    """Print the table for the chapters named, or for all; exit 1 if any mutant is misjudged."""
    console = Console()
    rows = Table("exercise", "answer", "verdict", "told", box=None, header_style="bold")
    tried = misjudged = 0
    for chapter in sys.argv[1:] or course.chapters():
        for mutant in mutants(chapter):
            verdict = verdict_on(mutant)
            fine = mutant.caught(verdict)
            tried += 1
            misjudged += not fine
            told = verdict.misconception or ("" if verdict.right else verdict.message.splitlines()[0])
            state = Text(verdict.state.value, style="green" if fine else "bold red")
            rows.add_row(mutant.exercise, mutant.label, state, Text(told))
    console.print(rows)
    console.print(f"{tried} answers judged, {misjudged} misjudged.")
    sys.exit(1 if misjudged else 0)


if __name__ == "__main__":
    main()
