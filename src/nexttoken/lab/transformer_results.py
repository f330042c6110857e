"""What the chapter on the transformer quotes: when copying begins, loss against size, a GPT against counts.

All of it is trained with torch's own kernels, which compute the same as the exercises.
"""

import platform
import time
from typing import Any

import numpy as np
import torch
from torch import nn

from nexttoken import models
from nexttoken.lab import letters, ngrams, pretraining, text
from nexttoken.lab.recipes import recipe, result
from nexttoken.models import GPT, READY_MADE

SEEDS = 0, 1, 2
NARROW_SEEDS = SEEDS[:2]  # for GPT-2's beginning
WIDTHS = 8, 16, 32, 64, 96
STEPS_OF_SIZES = 600


@torch.no_grad()
def draw_narrow(model: nn.Module, seed: int, residual_layers: int) -> None:
    """Begin as GPT-2 did: a standard deviation of 0.02 everywhere (Radford et al. 2018, 2019)."""
    random = np.random.default_rng(seed)
    for name, parameter in model.named_parameters():
        if parameter.ndim >= 2:
            scale = 0.02 * (residual_layers**-0.5 if name.endswith("w_out") else 1.0)
            parameter.copy_(torch.from_numpy(scale * random.standard_normal(parameter.shape)))


@recipe("copying", needs=[f"family-{seed}" for seed in SEEDS])
def copying() -> dict[str, Any]:
    """When does a base model learn to repeat a name? From our beginning, as `chain` has seen it, and from GPT-2's."""
    families = [result(f"family-{seed}") for seed in SEEDS]
    ours = models.draw
    models.draw = draw_narrow
    narrow = [pretraining.watched(seed, READY_MADE) for seed in NARROW_SEEDS]
    models.draw = ours
    return {
        "steps": [*range(0, pretraining.PLAN.steps + 1, pretraining.LOOK)],
        "ours": [
            {"seed": seed, "loss": family["pretraining loss"], "copying": family["copying"]}
            for seed, family in zip(SEEDS, families, strict=True)
        ],
        "GPT-2's": [
            {"seed": seed, "loss": round(float(np.mean(losses[-50:])), 4), "copying": seen}
            for seed, (_, losses, seen) in zip(NARROW_SEEDS, narrow, strict=True)
        ],
    }


@recipe("sizes")
def sizes() -> dict[str, Any]:
    """Loss against size: GPTs of growing width, equally long on the same text."""
    training, held_out = letters.split()
    rows = []
    for seed in SEEDS[:2]:
        for width in WIDTHS:
            shape = letters.shape(width)
            begin = time.process_time()
            model, losses = letters.train(training, shape, seed, STEPS_OF_SIZES, READY_MADE)
            rows.append(
                {
                    "seed": seed,
                    "width": width,
                    "parameters": 12 * shape.layers * width**2,  # without tables, norms and biases
                    "training": round(float(np.mean(losses[-50:])) / np.log(2), 4),
                    "held out": round(letters.bits(model, held_out), 4),
                    "cpu seconds": round(time.process_time() - begin, 1),
                }
            )
    return {"rows": rows}


@recipe("against-counts")
def against_counts() -> dict[str, Any]:
    """A GPT against the counts of chapter 1, on Python's documentation: bits per held-out letter, by training."""
    training, held_out = letters.split()
    counted = ngrams.fit(training, len(text.ALPHABET), order=5)
    shape = letters.shape(64)
    found: dict[str, Any] = {
        "python": platform.python_version(),
        "letters": len(training) + len(held_out),
        "counts": [round(counted.shortened(order).bits_per_token(held_out), 4) for order in range(6)],
        "steps": [],
        "held out": [],
    }

    def look(step: int, model: GPT) -> None:
        if step % STEPS_OF_SIZES == 0:
            found["steps"].append(step)
            found["held out"].append(round(letters.bits(model, held_out), 4))

    model, losses = letters.train(training, shape, 0, 4 * STEPS_OF_SIZES, READY_MADE, look=look)
    look(4 * STEPS_OF_SIZES, model)
    found["training"] = round(float(np.mean(losses[-50:])) / np.log(2), 4)
    found["parameters"] = sum(part.numel() for part in model.parameters())
    return found
