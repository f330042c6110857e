"""Labels by a person: the reader ranks answers, and a reward model learns their taste.

`Labels` holds the rankings and keeps each of them in a file at once; `bench` puts it on the screen, with
buttons and a field for the keys. Whoever opens the bench again goes on where they were.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from nexttoken import course
from nexttoken.lab import desk, judging, preferences
from nexttoken.lab.village import texts
from nexttoken.models import GPT, RewardModel
from nexttoken.reward_model import ranking_to_pairs

TASKS, ANSWERS = 60, 4
HELD_BACK = 4  # every fourth ranking is not learned from, but asked about
ENOUGH = 8  # rankings, before anything can be learned
FILE = "labels.jsonl"
Taste = Callable[[str], float]


@dataclass(frozen=True)
class Task:
    """A question, and several answers to it that are all different."""

    question: str
    answers: tuple[str, ...]


@dataclass(frozen=True)
class Ranked:
    """A task with its ranking: the number of the best answer first."""

    task: Task
    ranking: tuple[int, ...]


def tasks(model: GPT, count: int = TASKS, seed: int = 0) -> list[Task]:
    """Questions with four different answers each, as the model writes them."""
    cases = desk.cases(count + count // 4, seed + 4000)
    tries = [case for case in cases for _ in range(2 * ANSWERS)]
    said = [text for text, _ in desk.read(desk.ask(model, tries, seed + 4000))]
    found = []
    for number, case in enumerate(cases):
        different = dict.fromkeys(said[number * 2 * ANSWERS : (number + 1) * 2 * ANSWERS])
        if len(different) >= ANSWERS:
            found.append(Task(texts.question(case), tuple(different)[:ANSWERS]))
    return found[:count]


@dataclass
class Labels:
    """What was ranked so far, and what is being ranked now.

    Each finished ranking is added to the file as one line. Nothing in it is ever changed: of two lines for
    the same task the later one counts.
    """

    tasks: Sequence[Task]
    file: Path | None = None
    done: dict[Task, Ranked] = field(default_factory=dict)
    pressed: list[int] = field(default_factory=list)  # answers to the present task, the best first
    _at: int = 0

    def __post_init__(self) -> None:
        for ranked in self._kept():
            self.done[ranked.task] = ranked
        self._go_on()

    def __len__(self) -> int:
        return len(self.done)

    @property
    def comparisons(self) -> int:
        """How many pairs the rankings hold."""
        return sum(len(ranking_to_pairs(list(ranked.ranking))) for ranked in self.done.values())

    @property
    def present(self) -> Task | None:
        """The task that waits for a ranking; None when all are done."""
        return self.tasks[self._at] if self._at < len(self.tasks) else None

    def press(self, keys: str) -> bool:
        """The keys pressed so far for the present task: "31" says that 3 is best, and 1 comes next.

        What is no answer, or was named before, does not count. The last key finishes the ranking, keeps it
        and goes on to the next task; whether this has happened is returned.
        """
        task = self.present
        if task is None:
            return False
        named = dict.fromkeys(int(key) - 1 for key in keys if key in "123456789")
        self.pressed = [answer for answer in named if answer < len(task.answers)]
        if len(self.pressed) < len(task.answers):
            return False
        self._keep(Ranked(task, tuple(self.pressed)))
        self._go_on()
        return True

    def back(self) -> None:
        """Return to the task before, to rank it anew."""
        self.pressed, self._at = [], max(0, self._at - 1)

    def ranked_by(self, taste: Taste, count: int) -> "Labels":
        """Other labels, kept nowhere: so many of the same tasks, ranked by somebody with this taste."""
        others = Labels(self.tasks)
        for task in self.tasks[:count]:
            order = sorted(range(len(task.answers)), key=lambda a: -taste(task.answers[a]))
            others.press("".join(str(answer + 1) for answer in order))
        return others

    def _go_on(self) -> None:
        self.pressed = []
        unranked = (i for i, task in enumerate(self.tasks) if task not in self.done and i >= self._at)
        self._at = next(unranked, len(self.tasks))

    def _keep(self, ranked: Ranked) -> None:
        self.done[ranked.task] = ranked
        if self.file is None:
            return
        self.file.parent.mkdir(parents=True, exist_ok=True)
        line = {**asdict(ranked.task), "best first": [answer + 1 for answer in ranked.ranking]}
        before = self.file.read_bytes() if self.file.is_file() else b""
        begin = "" if before.endswith(b"\n") or not before else "\n"  # after a line that was cut off
        with self.file.open("a", encoding="utf-8") as kept:
            kept.write(f"{begin}{json.dumps(line, ensure_ascii=False)}\n")

    def _kept(self) -> Iterator[Ranked]:
        """The rankings in the file. A line that was cut off by a crash is passed over, and stays where it is."""
        if self.file is None or not self.file.is_file():
            return
        for line in self.file.read_text(encoding="utf-8").splitlines():
            try:
                found = json.loads(line)
                task = Task(found["question"], tuple(found["answers"]))
                yield Ranked(task, tuple(answer - 1 for answer in found["best first"]))
            except (ValueError, KeyError, TypeError):
                continue


def open_labels(model: GPT) -> Labels:
    """The reader's own rankings of this model's answers, kept in .nexttoken/.

    When the book is built nobody's rankings are read.
    """
    return Labels(tasks(model), None if _building() else course.kept_folder() / FILE)


# --- Learning from them -------------------------------------------------------------------------------


def comparisons(of: Iterable[Ranked]) -> preferences.Comparisons:
    """The rankings as the reward model reads them: ids of question and answer."""
    of = list(of)
    rows = [[desk.dialogue(r.task.question, answer) for answer in r.task.answers] for r in of]
    rankings = [list(r.ranking) for r in of]
    return preferences.from_rankings(rows, rankings)


@dataclass(frozen=True)
class Lesson:
    """A reward model that learned somebody's taste, and on which share of their pairs it agrees."""

    model: RewardModel
    learned: float
    held_back: float
    pairs: tuple[int, int]  # how many were learned, and how many held back

    def __str__(self) -> str:
        lines = []
        for name, share, count in zip(
            ("learned", "held back"), (self.learned, self.held_back), self.pairs, strict=True
        ):
            low, high = desk.interval(share, count // 3)  # of the six pairs of a ranking, two are independent
            lines.append(f"{name:9} {count:4} pairs, agrees on {share:.2f} [{low:.2f}, {high:.2f}]")
        return "\n".join(lines)


def learn(start: GPT, labels: Labels, seed: int = 0) -> Lesson:
    """Train a reward model on three of every four rankings, and ask it about the others.

    Raises
    ------
    ValueError
        If there are too few rankings for that.
    """
    if len(labels) < ENOUGH:
        raise ValueError(f"rank at least {ENOUGH} tasks first: there are {len(labels)}")
    ranked = list(labels.done.values())
    learned = comparisons(r for i, r in enumerate(ranked) if (i + 1) % HELD_BACK)
    held_back = comparisons(ranked[HELD_BACK - 1 :: HELD_BACK])
    model, _ = preferences.train(start, learned, seed)
    preferences.normalise(model, desk.ask(start, desk.cases(200, seed + 4500), seed))
    shares = [judging.agreement(model, on)[1] for on in (learned, held_back)]
    pairs = [on.rankings.shape[0] * len(ranking_to_pairs([*range(ANSWERS)])) for on in (learned, held_back)]
    return Lesson(model, shares[0], shares[1], (pairs[0], pairs[1]))


# --- On the screen ------------------------------------------------------------------------------------

STYLE = """<style>
.nexttoken-answer { height: auto; min-height: 2.4em; white-space: normal; text-align: left;
  line-height: 1.35; padding: 0.4em 0.8em; }
.nexttoken-answer.nexttoken-taken { outline: 2px solid currentColor; outline-offset: -2px; }
</style>"""
PLACES = "best", "second", "third", "last"
MISSING = "The buttons need ipywidgets. `make learn` installs it; then restart the kernel."


def _building() -> bool:
    return os.environ.get("NEXTTOKEN_REFERENCE") == "1"


@dataclass(frozen=True)
class Still:
    """The bench as a still picture, for the book's pages: no kernel stands behind them."""

    task: Task
    note: str

    def __repr__(self) -> str:
        answers = (f"  {number}  {text}" for number, text in enumerate(self.task.answers, start=1))
        return "\n".join([self.task.question, *answers, self.note])

    def _repr_html_(self) -> str:
        answers = "".join(f"<li>{escape(text)}</li>" for text in self.task.answers)
        return (
            f'<div class="bench-still"><p><strong>{escape(self.task.question)}</strong></p>'
            f"<ol>{answers}</ol><p><em>{escape(self.note)}</em></p></div>"
        )


def bench(labels: Labels) -> Any:
    """Where the reader ranks: by the mouse, or by the keys 1 to 4."""
    first = labels.tasks[0]
    if _building():
        return Still(
            first,
            "A picture of the bench. In JupyterLab (make lab) the four answers are buttons, and the keys 1 to 4 work.",
        )
    try:
        import ipywidgets as widgets
    except ModuleNotFoundError:
        return Still(first, MISSING)
    return _Bench(labels, widgets).whole


class _Bench:
    """The widgets, and what they say to `Labels`. The order pressed so far stands in the field."""

    def __init__(self, labels: Labels, widgets: Any) -> None:
        self.labels = labels
        self.count, self.question = widgets.HTML(), widgets.HTML()
        self.buttons = [widgets.Button(layout={"width": "100%"}) for _ in range(ANSWERS)]
        self.keys = widgets.Text(
            description="Keys 1-4:", placeholder="best first, such as 3142", continuous_update=True
        )
        self.back = widgets.Button(description="Back to the one before", layout={"width": "auto"})
        for number, button in enumerate(self.buttons, start=1):
            button.add_class("nexttoken-answer")
            button.on_click(lambda _, key=str(number): self._press(self.keys.value + key))
        self.keys.observe(lambda change: self._press(change["new"]), names="value")
        self.back.on_click(lambda _: self._back())
        rows = [widgets.HTML(STYLE), self.count, self.question, *self.buttons, self.keys, self.back]
        self.whole = widgets.VBox(rows)
        self._draw()

    def _press(self, keys: str) -> None:
        self.labels.press(keys)
        self._draw()

    def _back(self) -> None:
        self.labels.back()
        self._draw()

    def _draw(self) -> None:
        """The field first, the count last: who reads the new count types into a field that is empty already."""
        labels, task = self.labels, self.labels.present
        self.keys.value = "".join(str(answer + 1) for answer in labels.pressed)
        for number, button in enumerate(self.buttons):
            button.disabled = task is None or number in labels.pressed
            place = labels.pressed.index(number) if number in labels.pressed else None
            mark = "" if place is None else f"({PLACES[place]})  "
            button.description = "" if task is None else f"{number + 1}   {mark}{task.answers[number]}"
            (button.remove_class if place is None else button.add_class)("nexttoken-taken")
        self.question.value = (
            "All are ranked." if task is None else f"<strong>{escape(task.question)}</strong>"
        )
        self.count.value = (
            f"{len(labels)} ranking{'s' * (len(labels) != 1)}, that is {labels.comparisons} comparisons. "
            f"{max(0, ENOUGH - len(labels)) or 'No'} more needed before anything can be learned."
        )
