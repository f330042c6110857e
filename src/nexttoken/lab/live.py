"""Models that live in a page: GPTs as text, for `book/_static/live/gpt.js`."""

import base64
from typing import Any

import torch
from torch import Tensor

from nexttoken.lab.for_the_page import Carried
from nexttoken.lab.village.vocabulary import Vocabulary, english
from nexttoken.models import GPT


class Models(Carried):
    """GPTs by name for `gpt.js`, about 2.7 letters a parameter: `Models(base=..., sft=...)`."""

    def __init__(self, vocabulary: Vocabulary | None = None, **models: GPT) -> None:
        vocabulary = vocabulary or english()
        content = {
            "words": vocabulary.words,
            "end": vocabulary.end,
            "never": [vocabulary.pad],  # padding is no word
            "models": {name: _packed_model(model) for name, model in models.items()},
        }
        super().__init__("village-models", content, "models")


def _packed_model(model: GPT) -> dict[str, Any]:
    shape = model.shape
    numbers = {name: packed(part) for name, part in model.state_dict().items()}
    return {"layers": shape.layers, "heads": shape.heads, "context": shape.context, "numbers": numbers}


def packed(numbers: Tensor) -> dict[str, Any]:
    """Numbers as whole ones times a unit, 16 bits each: finer than half precision where all are of a size.

    >>> packed(torch.tensor([32767.0, -16384.0]))
    {'unit': 1.0, 'base64': '/38AwA=='}
    """
    unit = numbers.abs().max().item() / 32_767 or 1.0
    whole = (numbers.detach().double() / unit).round().to(torch.int16).numpy()
    return {"unit": unit, "base64": base64.b64encode(whole.astype("<i2").tobytes()).decode("ascii")}
