"""N17 once more: are four small rounds better than one large one on other seeds, and with another PPO?

    python benchmarks/rounds.py                   ten seeds, two settings of PPO: a quarter of an hour on two cores
    python benchmarks/rounds.py --seeds 3         the first three seeds only

The page of chapter `rl` shows five seeds with the course's PPO, which goes over the answers of an iteration
once, in three parts. Here it has a rival that goes over them twice, in two parts, with smaller steps. For
each seed: in which share of the exam's 400 cases four rounds as they come beat the one round, at its price
and at a lower one that lets it go further. The mean stands with its 95 % interval (Student 1908).
"""

import argparse
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

os.environ.setdefault("NEXTTOKEN_REFERENCE", "1")

import torch

from nexttoken.exercise import settled
from nexttoken.lab.reinforcement_results import ROUND, mean_of_seeds, rounds

SETTINGS = {
    "once, three parts, rate 5e-4": ROUND,
    "twice, two parts, rate 3e-4": replace(ROUND, epochs=2, parts=2, rate=3e-4),
}
CONTROLS = "one round", "one round, cheap"


def wins(seed: int, name: str) -> dict[str, float]:
    """How often four rounds beat each control."""
    torch.set_num_threads(1)
    with settled():
        found = rounds(seed, SETTINGS[name], designs=["as they come"])["as they come"]
    return {other: found[f"win over {other}"] for other in CONTROLS}


def line(found: Sequence[float]) -> str:
    """All shares, their mean, its interval, and how many are more than half."""
    each = " ".join(f"{share:.2f}" for share in found)
    mean, half = mean_of_seeds(found)
    more = sum(share > 0.5 for share in found)
    return f"{each}   mean {mean:.2f} ± {half:.2f}, more than half on {more} of {len(found)}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=10, choices=range(2, 11), metavar="2..10")
    seeds = range(parser.parse_args().seeds)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        runs = {name: [pool.submit(wins, seed, name) for seed in seeds] for name in SETTINGS}
        for name, of in runs.items():
            found = [run.result() for run in of]
            print(f"\nPPO {name}")
            for other in CONTROLS:
                print(f"  over {other:16}", line([one[other] for one in found]), flush=True)


if __name__ == "__main__":
    main()
