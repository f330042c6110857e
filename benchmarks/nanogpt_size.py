"""Our GPT at the size of nanoGPT's README run for a CPU, against a plain model, and what it learns.

    python benchmarks/nanogpt_size.py [TEXT] [--steps 2000] [--no-compile]

First two tables: the time of a training step, as it stands and after torch.compile. All contenders have 4
layers, 4 heads and 128 numbers, read 12 texts of 64 characters, and take turns in one process on one thread;
seconds are those of the CPU. The plain model is what one writes with torch.nn: nn.Linear, nn.LayerNorm,
nn.GELU, torch's own attention, AdamW.

Last table: the loss after 2000 steps on tiny Shakespeare, where the text is at hand (TEXT, or in the
cache; nothing is fetched), else on the text that comes with Python, whose losses compare with chapter 1's.
"""

import argparse
import math
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("NEXTTOKEN_REFERENCE", "1")

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from nexttoken.exercise import settled
from nexttoken.lab import ngrams, shakespeare, text
from nexttoken.lab.training import Optimiser, Plan
from nexttoken.models import GPT, READY_MADE, YOURS, Kernels, Shape
from nexttoken.transformer import cross_entropy

WIDTH, LAYERS, HEADS, CONTEXT, BATCH = 128, 4, 4, 64, 12
ROUNDS, STEPS_IN_A_ROUND = 12, 10
STEP, COMPILED = "a training step", "the same after torch.compile"
Step = Callable[[Tensor], float]
Contender = tuple[str, str]  # under which title, and who


class PlainBlock(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm_1, self.norm_2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.wide, self.narrow = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)
        self.gelu = nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        batch, length, _ = x.shape
        parts = self.qkv(self.norm_1(x)).split(WIDTH, dim=-1)
        q, k, v = (part.view(batch, length, HEADS, -1).transpose(1, 2) for part in parts)
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).reshape(batch, length, WIDTH))
        return x + self.narrow(self.gelu(self.wide(self.norm_2(x))))


class PlainGPT(nn.Module):
    def __init__(self, vocab: int) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(vocab, WIDTH), nn.Embedding(CONTEXT, WIDTH)
        self.blocks = nn.Sequential(*(PlainBlock() for _ in range(LAYERS)))
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, vocab, bias=False)
        self.head.weight = self.tokens.weight
        for part in self.modules():
            if isinstance(part, nn.Linear | nn.Embedding):
                nn.init.normal_(part.weight, std=0.02)
        for block in self.blocks:
            for part in (block.out, block.narrow):
                nn.init.normal_(part.weight, std=0.02 / math.sqrt(2 * LAYERS))

    def forward(self, ids: Tensor) -> Tensor:
        x = self.tokens(ids) + self.places(torch.arange(ids.shape[1]))
        return self.head(self.norm(self.blocks(x)))


def plan(steps: int, peak: float) -> Plan:
    return Plan(steps, BATCH, peak, warmup=100, weight_decay=0.1, betas=(0.9, 0.99))


def plain(vocab: int, steps: int, compiled: bool = False) -> tuple[nn.Module, Step]:
    """nanoGPT's own learning rate, and its beginning."""
    torch.manual_seed(1)
    model, rates, done = PlainGPT(vocab), plan(steps, 1e-3), 0
    groups = [
        {"params": [p for p in model.parameters() if p.ndim >= 2], "weight_decay": 0.1},
        {"params": [p for p in model.parameters() if p.ndim < 2], "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups, betas=(0.9, 0.99))

    def loss_of(ids: Tensor) -> Tensor:
        return functional.cross_entropy(model(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())

    run = torch.compile(loss_of) if compiled else loss_of

    def step(ids: Tensor) -> float:
        nonlocal done
        for group in optimiser.param_groups:
            group["lr"] = rates.rate(done)
        done += 1
        loss = run(ids)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        return loss.item()

    return model, step


def ours(vocab: int, steps: int, kernels: Kernels, compiled: bool = False) -> tuple[nn.Module, Step]:
    """Our beginning allows a larger learning rate."""
    model = GPT.drawn(Shape(vocab, CONTEXT, WIDTH, LAYERS, HEADS), 1, kernels)
    optimiser = Optimiser(model.parameters(), plan(steps, 3e-3), kernels)

    def loss_of(ids: Tensor) -> Tensor:
        return cross_entropy(model(ids[:, :-1]), ids[:, 1:])

    if not compiled:
        return model, lambda ids: optimiser.step(loss_of(ids))
    run = torch.compile(loss_of)
    optimiser.descend = torch.compile(optimiser.descend)
    return model, lambda ids: optimiser.step(run(ids))


def windows(ids: Tensor, seed: int) -> Iterator[Tensor]:
    random, every = np.random.default_rng(seed), ids.unfold(0, CONTEXT + 1, 1)
    while True:
        yield every[torch.from_numpy(random.integers(len(every), size=BATCH))]


def times(contenders: dict[Contender, Step], ids: Tensor) -> dict[Contender, list[float]]:
    """Milliseconds of CPU for a step, by round; in each round all take their turn."""
    batches = windows(ids, seed=1)
    found: dict[Contender, list[float]] = {name: [] for name in contenders}
    for step in contenders.values():
        for _ in range(3):
            step(next(batches))
    for number in range(ROUNDS):
        order = list(contenders.items())
        for name, step in order if number % 2 else reversed(order):
            begin = time.process_time()
            for _ in range(STEPS_IN_A_ROUND):
                step(next(batches))
            found[name].append(1000 * (time.process_time() - begin) / STEPS_IN_A_ROUND)
    return found


def show_times(title: str, found: dict[Contender, list[float]], targets: dict[str, float]) -> None:
    """The times of those that stand under this title, and how they compare with the first of them."""
    shown = {name: took for (under, name), took in found.items() if under == title}
    base = next(iter(shown.values()))
    print(f"\n{title:34} {'ms (median)':>11} {'least':>7} {'ratio':>6}  quartiles    target")
    for name, took in shown.items():
        ratios = [a / b for a, b in zip(base, took, strict=True)]  # of neighbours in time
        low, middle, high = statistics.quantiles(ratios, n=4)
        target = f">= {targets[name]:.2f}" if name in targets else ""
        print(
            f"{name:34} {statistics.median(took):11.1f} {min(took):7.1f} {middle:6.2f}"
            f"  {low:.2f}-{high:.2f}    {target}"
        )


@torch.no_grad()
def held_out_loss(model: nn.Module, ids: Tensor) -> float:
    """The mean over pieces that lie side by side, in nats, as nanoGPT estimates it by chance."""
    rows = ids.unfold(0, CONTEXT + 1, CONTEXT)[:1200]
    losses = [
        functional.cross_entropy(model(part[:, :-1]).flatten(0, 1), part[:, 1:].flatten()) * len(part)
        for part in rows.split(100)
    ]
    return (torch.stack(losses).sum() / len(rows)).item()


def text_at_hand(named: Path | None) -> tuple[str, Tensor, int]:
    """Tiny Shakespeare from the path or from the cache; else Python's documentation in 27 symbols."""
    kept = named or shakespeare.folder() / "tiny_shakespeare.txt"
    if kept.is_file():
        plays = kept.read_text(encoding="utf-8")
        symbols = "".join(sorted(set(plays)))
        return f"{kept.name}, {len(plays):,} characters", text.encode(plays, symbols), len(symbols)
    if named:
        sys.exit(f"There is no file {named}.")
    print("Tiny Shakespeare is not at hand (name the file: make bench TEXT=...).")
    letters = text.encode(text.python_documentation())
    return f"Python's documentation, {len(letters):,} letters", letters, len(text.ALPHABET)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("text", type=Path, nargs="?", help="tiny Shakespeare, if it is at hand")
    parser.add_argument("--steps", type=int, default=2000, help="of the training; 0 measures the times alone")
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out: it takes minutes")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    title, ids, vocab = text_at_hand(chosen.text)
    cut = len(ids) * 9 // 10
    training, held_out = ids[:cut], ids[cut:]
    with settled():
        contenders = {
            (STEP, "plain torch.nn"): plain(vocab, 2000)[1],
            (STEP, "ours, ready-made kernels"): ours(vocab, 2000, READY_MADE)[1],
            (STEP, "ours, written-out functions"): ours(vocab, 2000, YOURS)[1],
        }
        if not chosen.no_compile:
            contenders[COMPILED, "plain torch.nn"] = plain(vocab, 2000, compiled=True)[1]
            contenders[COMPILED, "ours, written-out functions"] = ours(vocab, 2000, YOURS, compiled=True)[1]
        found = times(contenders, training)
        show_times(STEP, found, {"ours, ready-made kernels": 1.0})
        if not chosen.no_compile:
            show_times(COMPILED, found, {"ours, written-out functions": 0.85})
        if not chosen.steps:
            return
        print(f"\n{title}: loss in nats on the held-out tenth after {chosen.steps} steps")
        for name, (model, step) in {
            "plain torch.nn, as nanoGPT begins": plain(vocab, chosen.steps),
            "ours, ready-made kernels": ours(vocab, chosen.steps, READY_MADE),
        }.items():
            begin, batches = time.process_time(), windows(training, seed=1)
            for _ in range(chosen.steps):
                step(next(batches))
            seconds = time.process_time() - begin
            print(f"{name:34} {held_out_loss(model, held_out):.3f}   ({seconds:.0f} CPU-seconds)")
        if vocab == len(text.ALPHABET):
            counted = ngrams.fit(training, vocab, order=5).bits_per_token(held_out) * math.log(2)
            print(f"{'counts of five letters, chapter 1':34} {counted:.3f}")
        else:
            print(f"{'nanoGPT, its README':34} 1.88")


if __name__ == "__main__":
    main()
