"""Trained models that come with the course, so that a page need not train them again.

A file of `checkpoints/` holds a model's numbers and, beside them, the recipe by which it was made and
what was measured then. `make checkpoints` makes all of them anew from this code.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save as serialised
from torch import nn

from nexttoken import course
from nexttoken.models import GPT, YOURS, Kernels, RewardModel, Shape


def folder() -> Path:
    """Where they lie."""
    return course.root() / "checkpoints"


def save(name: str, model: GPT | RewardModel, recipe: dict[str, Any], measured: dict[str, float]) -> Path:
    """Write a model with its recipe and its measures; half a file is never left behind."""
    folder().mkdir(exist_ok=True)
    file = folder() / f"{name}.safetensors"
    trunk = model if isinstance(model, GPT) else model.trunk
    about = {"shape": asdict(trunk.shape), "recipe": recipe, "measured": measured}
    unfinished = file.with_suffix(".part")
    numbers = {key: part.detach().contiguous() for key, part in model.state_dict().items()}
    texts = {key: json.dumps(value) for key, value in about.items()}
    unfinished.write_bytes(serialised(numbers, metadata=texts))
    unfinished.replace(file)
    return file


def about(name: str) -> dict[str, Any]:
    """The shape, the recipe and the measures of a shipped model.

    Raises
    ------
    FileNotFoundError
        If there is no model of that name.
    """
    with safe_open(_file(name), framework="pt") as opened:
        return {key: json.loads(value) for key, value in opened.metadata().items()}


def load(name: str, kernels: Kernels = YOURS) -> GPT:
    """A shipped GPT.

    Raises
    ------
    FileNotFoundError
        If there is no model of that name.
    """
    model = GPT(Shape(**about(name)["shape"]), kernels)
    _fill(model, name)
    return model


def load_reward_model(name: str, kernels: Kernels = YOURS) -> RewardModel:
    """A shipped reward model.

    Raises
    ------
    FileNotFoundError
        If there is no model of that name.
    """
    model = RewardModel(GPT(Shape(**about(name)["shape"]), kernels))
    _fill(model, name)
    return model


@torch.no_grad()
def _fill(model: nn.Module, name: str) -> None:
    with safe_open(_file(name), framework="pt") as opened:
        for key, part in model.state_dict().items():
            part.copy_(opened.get_tensor(key))


def _file(name: str) -> Path:
    file = folder() / f"{name}.safetensors"
    if not file.is_file():
        there = ", ".join(sorted(f.stem for f in folder().glob("*.safetensors"))) or "none"
        raise FileNotFoundError(f"there is no shipped model {name!r} (there are: {there}); make checkpoints")
    return file
