"""Tokens per CPU-second: our GPT with its cache, and transformers' GPT-2 with its own.

    python benchmarks/generation.py

Both have the shape of the course's base model (2 layers, 2 heads, 64 numbers, 217 words), continue the same
64 prompts by 32 tokens chosen by chance, and take turns in one process on one thread.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable

os.environ.setdefault("NEXTTOKEN_REFERENCE", "1")

import torch

from nexttoken.exercise import settled
from nexttoken.lab import checkpoints, pretraining, sampling
from nexttoken.models import READY_MADE, YOURS

BATCH, NEW, PROMPT, ROUNDS = 64, 32, 12, 7


def main() -> None:
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    torch.set_num_threads(1)
    prompts = [d[:PROMPT].tolist() for d in pretraining.documents(400, seed=7) if len(d) > PROMPT][:BATCH]
    contenders: dict[str, Callable[[int], object]] = {}
    for name, kernels, choose in (
        ("ours, ready-made kernels", READY_MADE, sampling.by_one_throw),
        ("the same, drawn by multinomial", READY_MADE, sampling.at_random),
        ("ours, written-out functions", YOURS, sampling.by_one_throw),
    ):
        model = checkpoints.load("base-0", kernels)
        contenders[name] = lambda seed, model=model, choose=choose: sampling.sample(
            model, prompts, choose(seed), NEW, stop=-1
        )
    contenders |= theirs(prompts)
    with settled():
        speeds: dict[str, list[float]] = {name: [] for name in contenders}
        for write in contenders.values():
            write(0)
        for seed in range(1, ROUNDS + 1):
            for name, write in contenders.items():
                begin = time.process_time()
                write(seed)
                speeds[name].append(BATCH * NEW / (time.process_time() - begin))
    print(f"\n{'batch 64, 32 new tokens':32} {'tokens per CPU-second':>22}")
    for name, found in speeds.items():
        print(f"{name:32} {statistics.median(found):22,.0f}   ({min(found):,.0f} to {max(found):,.0f})")
    first = speeds["ours, ready-made kernels"]
    print(f"target: >= 25,000; here {statistics.median(first):,.0f}")
    if "transformers" in speeds:
        ratios = [a / b for a, b in zip(first, speeds["transformers"], strict=True)]
        print(f"target: >= 1.8 times transformers; here {statistics.median(ratios):.2f} times")


def theirs(prompts: list[list[int]]) -> dict[str, Callable[[int], object]]:
    """GPT-2 of transformers with random numbers in it: what it writes is nonsense, its speed is not."""
    try:
        from transformers import GPT2Config, GPT2LMHeadModel
    except ImportError:
        print("transformers is not installed, so it is left out of the table (pip install transformers).")
        return {}
    shape = pretraining.SHAPE
    config = GPT2Config(
        vocab_size=shape.vocab,
        n_positions=shape.context,
        n_embd=shape.d_model,
        n_layer=shape.layers,
        n_head=shape.heads,
        activation_function="gelu",
        bos_token_id=1,
        eos_token_id=1,
    )
    model, ids = GPT2LMHeadModel(config).eval(), torch.tensor(prompts)
    model.generation_config.eos_token_id = None  # all write 32 tokens

    @torch.no_grad()
    def write(seed: int) -> object:
        torch.manual_seed(seed)
        return model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            do_sample=True,
            top_k=0,
            max_new_tokens=NEW,
            min_new_tokens=NEW,
            use_cache=True,
            pad_token_id=0,
        )

    return {"transformers": write}


if __name__ == "__main__":
    main()
