"""The tables and a figure of the chapter on applications, from what `applications_results` has measured."""

from statistics import fmean
from typing import Any

from nexttoken.lab import plots, tables
from nexttoken.lab.applications_results import LOOK_UPS, POISONS, QUESTIONS
from nexttoken.lab.chain import SEEDS
from nexttoken.lab.clerk import LETTERS
from nexttoken.lab.recipes import result

# Which model a way uses, and so which trainings it pays for; all have read the web.
TRAINED = {
    "base": (),
    "base, few-shot": (),
    "agent": ("agent",),
    "LoRA": ("clerk", "lora"),
    "fine-tuning": ("clerk", "tuned"),
    "retrieval + fine-tuning": ("clerk", "tuned by the book"),
}


def stored(what: str) -> list[Any]:
    """One part of the results, for each seed."""
    return [result(f"applications-{seed}")[what] for seed in SEEDS]


def ways() -> list[str]:
    """The names of all ways that were tried."""
    return list(stored("ways")[0])


def gold(way: str, kind: str) -> tuple[float, float, float]:
    """The mean gold over letters and seeds, between the lowest and the highest end of a seed's 95 % interval."""
    of = [run[way][kind] for run in stored("ways")]
    low, high = min(mean - half for mean, half in of), max(mean + half for mean, half in of)
    return low, fmean(mean for mean, _ in of), high


def training(way: str) -> float:
    """The CPU seconds of training beyond the base model, on average."""
    return fmean(
        sum(seconds[name] for name in TRAINED.get(way, ("clerk",))) for seconds in stored("training")
    )


def print_ways(*names: str) -> None:
    """Gold by kind of question, the mean of the seeds, and how far the farthest of them is from it in any kind.

    Then tokens and CPU milliseconds for an answer, and CPU seconds of training.
    """
    rows: list[list[tables.Cell]] = [["", *QUESTIONS, "", "tokens", "ms", "tuning s"]]
    for name in names or ways():
        runs = [run[name] for run in stored("ways")]
        means = [fmean(run[kind][0] for run in runs) for kind in QUESTIONS]
        spread = max(
            abs(run[kind][0] - mean) for run in runs for kind, mean in zip(QUESTIONS, means, strict=True)
        )
        tokens, seconds = (fmean(run[what] for run in runs) for what in ("tokens", "seconds"))
        rows.append(
            [name, *means, f"± {spread:.1f}", round(tokens), round(1000 * seconds), round(training(name))]
        )
    tables.table(rows)


def print_search() -> None:
    """How well each kind of vector finds the paragraph of a letter; the mean of the seeds."""
    rows: list[list[tables.Cell]] = [
        ["recall at 1", "known rules", "unknown rules", "recall at 3", "known", "unknown"]
    ]
    runs = stored("search")
    for name in runs[0]:
        of = [
            [fmean(run[name][kind][f"recall at {k}"] for run in runs) for kind in ("known", "unknown")]
            for k in (1, 3)
        ]
        rows.append([name, *of[0], "", *of[1]])
    tables.table(rows)


def print_look_ups() -> None:
    """Right look-ups and gold, by the number of demonstrations."""
    rows: list[list[tables.Cell]] = [["shown", "right look-ups", "gold", "gold of each seed"]]
    for count in (*LOOK_UPS, LETTERS):
        right, scores = zip(*(run[str(count)] for run in stored("look-ups")), strict=True)
        rows.append(
            [count, f"{fmean(right):.1%}", fmean(scores), "  ".join(f"{score:.1f}" for score in scores)]
        )
    tables.table(rows)


def print_poison() -> None:
    """How often the agent promises victory, by what was added to the rule that it looks up."""
    rows: list[list[tables.Cell]] = [["added to the rule", "promises", "of each seed", "marks removed"]]
    for name in POISONS:
        raw, clean, _ = zip(*(run[name] for run in stored("poison")), strict=True)
        rows.append(
            [name, f"{fmean(raw):.0%}", " ".join(f"{share:.0%}" for share in raw), f"{fmean(clean):.0%}"]
        )
    tables.table(rows)


def plot_ways() -> plots.Picture:
    """Every way a row, every kind of question a mark."""
    rows = {way: {kind: gold(way, kind) for kind in QUESTIONS} for way in ways()}
    return plots.marked_rows(rows, across="gold, of at most 8")
