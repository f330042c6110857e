"""What is trained and measured ahead, because a page cannot wait for it: `make checkpoints`.

A recipe is a function that makes models or numbers from this code alone, seeded. Its numbers are kept in
`checkpoints/<name>.json`, with the CPU seconds that it took; a page reads them by `result`.

    python -m nexttoken.lab.recipes              everything
    python -m nexttoken.lab.recipes rounds-0     one, and what needs it stays as it is
"""

import importlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from nexttoken.exercise import settled
from nexttoken.lab import checkpoints

MODULES = (
    "chain",
    "transformer_results",
    "judging",
    "finetuning_results",
    "reinforcement_results",
    "applications_results",
    "expressions_results",
)  # of `lab`, in which recipes stand
Make = Callable[[], dict[str, Any]]


@dataclass(frozen=True)
class Recipe:
    """How something is made, and which other recipes must have been followed before."""

    make: Make
    needs: tuple[str, ...]


RECIPES: dict[str, Recipe] = {}


def recipe(name: str, needs: Iterable[str] = ()) -> Callable[[Make], Make]:
    """Mark a function as the recipe of `checkpoints/<name>.json`."""

    def register(make: Make) -> Make:
        RECIPES[name] = Recipe(make, tuple(needs))
        return make

    return register


def result(name: str) -> Any:
    """The numbers that a recipe gave when it was last followed.

    Raises
    ------
    FileNotFoundError
        If they are not there.
    """
    file = _file(name)
    if not file.is_file():
        raise FileNotFoundError(f"{file.name} is not in checkpoints/: make checkpoints")
    return json.loads(file.read_text(encoding="utf-8"))


def follow(name: str) -> float:
    """Make what this recipe makes, and keep its numbers; the CPU seconds that it took."""
    load()
    torch.set_num_threads(1)
    os.environ["NEXTTOKEN_REFERENCE"] = "1"  # what is shipped is made by the references
    started = time.process_time()
    with settled():
        numbers = RECIPES[name].make()
    seconds = time.process_time() - started
    checkpoints.folder().mkdir(exist_ok=True)
    unfinished = _file(name).with_suffix(".part")
    text = json.dumps(numbers | {"cpu seconds": round(seconds, 1)}, separators=(",", ":"))
    unfinished.write_text(text + "\n", encoding="utf-8")
    unfinished.replace(_file(name))
    return seconds


def follow_all(names: Iterable[str], workers: int) -> None:
    """Follow these recipes, several at once, each after those that it needs; what took longest last time first."""
    waiting = sorted(dict.fromkeys(names), key=_seconds_last_time, reverse=True)
    running: dict[Future[float], str] = {}
    with ProcessPoolExecutor(workers) as pool:
        while waiting or running:
            unmade = {*waiting, *running.values()}
            ready = [name for name in waiting if not unmade & set(RECIPES[name].needs)]
            for name in ready[: workers - len(running)]:
                waiting.remove(name)
                running[pool.submit(follow, name)] = name
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for finished in done:
                print(f"{running.pop(finished)}: {finished.result():.0f} CPU seconds", flush=True)


def _seconds_last_time(name: str) -> float:
    """Of CPU time. Where it was never made it may take long, so it begins early."""
    try:
        return float(result(name)["cpu seconds"])
    except (FileNotFoundError, KeyError):
        return float("inf")


def load() -> None:
    """Import the modules in which recipes stand."""
    for module in MODULES:
        importlib.import_module(f"nexttoken.lab.{module}")


def rounded(numbers: Iterable[float], digits: int = 4) -> list[float]:
    """Short enough to be kept."""
    return [round(float(number), digits) for number in numbers]


def _file(name: str) -> Path:
    return checkpoints.folder() / f"{name}.json"


def main() -> None:
    """Follow the recipes that are named, or all."""
    load()
    unknown = [name for name in sys.argv[1:] if name not in RECIPES]
    if unknown:
        sys.exit(f"no recipe {unknown[0]!r}; there are: {', '.join(RECIPES)}")
    follow_all(sys.argv[1:] or RECIPES, workers=os.cpu_count() or 1)


if __name__ == "__main__":
    # As the module that the recipes import, not as a second copy of it.
    importlib.import_module("nexttoken.lab.recipes").main()
