"""What the chapter on applications quotes of generate-and-test: three models, and the same held-out functions."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from nexttoken.lab import checkpoints, expressions
from nexttoken.lab.chain import SEEDS, Stopwatch
from nexttoken.lab.expressions import Graded
from nexttoken.lab.recipes import recipe, result
from nexttoken.models import READY_MADE

TASKS, SAMPLES = 100, 128
Measure = Callable[[Graded, int], list[float]]
KS = 1, 2, 4, 8, 16, 32, 64


def run(seed: int) -> dict[str, Any]:
    """Train a model, let it write, and grade what it wrote; the model of seed 0 is shipped."""
    watch = Stopwatch()
    model, losses = expressions.train(seed, kernels=READY_MADE)
    watch.lap("training")
    found = {}
    for visible in expressions.VISIBLE:
        tasks = expressions.tasks(TASKS, visible)
        texts = expressions.write(model, tasks, SAMPLES, seed)
        greedy = expressions.write(model, tasks, 1, temperature=0)
        parsed = [expressions.table(text) is not None for row in texts for text in row]
        found[visible] = asdict(Graded.of(tasks, texts)) | {
            "parse": round(sum(parsed) / len(parsed), 4),
            "different": sum(len(set(row)) for row in texts) / len(tasks),
            "greedy": sum(Graded.of(tasks, greedy).correct) / len(tasks),
        }
    watch.lap("writing and grading")
    if seed == SEEDS[0]:
        of_two = graded(found[expressions.VISIBLE[0]])
        measured = {
            f"pass@{k}": round(expressions.interval(of_two.pass_at(k))[1], 4) for k in (KS[0], KS[-1])
        }
        checkpoints.save(f"expressions-{seed}", model, {"seed": seed, **asdict(expressions.PLAN)}, measured)
    return {
        "seconds": watch.seconds,
        "loss": round(sum(losses[-50:]) / 50, 4),
        "visible": found,
        "functions": len({program.values for program in expressions.programs(expressions.PROGRAMS, seed)}),
    }


def graded(stored: dict[str, Any]) -> Graded:
    """The counts of a stored run."""
    return Graded(stored["samples"], stored["visible"], stored["correct"])


def runs(visible: int) -> list[Graded]:
    """The counts of the three seeds for tasks that show so many pairs."""
    return [graded(result(f"expressions-{seed}")["visible"][str(visible)]) for seed in SEEDS]


def curve(visible: int, how: Measure, of: Sequence[Graded] = ()) -> list[tuple[float, float, float, float]]:
    """For `plots.measured`: each k with the mean over tasks of what three models reach, and its interval.

    `how` is `Graded.pass_at`, `Graded.plugged_in` or `Graded.tested`.
    """
    points = []
    for k in KS:
        of_seeds = zip(*(how(one, k) for one in of or runs(visible)), strict=True)
        points.append((float(k), *expressions.interval([sum(task) / len(task) for task in of_seeds])))
    return points


def blind_curve(visible: int, how: Measure, programs: int = 5000) -> list[tuple[float, float, float, float]]:
    """The same for programs by chance, which need no model."""
    tasks = expressions.tasks(TASKS, visible)
    return curve(visible, how, [Graded.of(tasks, [expressions.blind(programs)] * TASKS)])


for _seed in SEEDS:
    recipe(f"expressions-{_seed}")(partial(run, _seed))
