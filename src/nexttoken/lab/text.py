"""Real English that is on every machine already, in Shannon's 27 symbols."""

import re

import torch
from jaxtyping import Int
from torch import Tensor

ALPHABET = " abcdefghijklmnopqrstuvwxyz"


def letters(text: str) -> str:
    """The text in 27 symbols: a to z, and one space wherever anything else stood.

    Source of the alphabet: Shannon 1951, section 2.

    >>> letters("The hare's 3 trunks: LOST!")
    'the hares trunks lost'
    """
    return re.sub("[^a-z]+", " ", text.lower().replace("'", "")).strip()


def python_documentation(repeats: bool = False) -> str:
    """What Python's own `help()` says on the language, in 27 symbols, about 300,000 of them.

    Python's documentation prints some sections under several topics. They are kept once, unless
    `repeats`: what stands in two places could be in the training text and in the held-out text.
    """
    from pydoc_data.topics import topics  # 0.5 MB, wanted by few who import this module

    paragraphs = [letters(part) for text in topics.values() for part in re.split(r"\n\s*\n", text)]
    kept = paragraphs if repeats else dict.fromkeys(paragraphs)
    return " ".join(paragraph for paragraph in kept if paragraph)


def encode(text: str, alphabet: str = ALPHABET) -> Int[Tensor, " time"]:
    """The place of each character in the alphabet.

    >>> encode("a hare")
    tensor([ 1,  0,  8,  1, 18,  5])
    """
    if unknown := set(text) - set(alphabet):
        raise ValueError(f"text has characters that are not in the alphabet: {sorted(unknown)}")
    place = {character: i for i, character in enumerate(alphabet)}
    return torch.tensor([place[character] for character in text], dtype=torch.int64)


def decode(ids: Int[Tensor, " time"], alphabet: str = ALPHABET) -> str:
    """The characters at these places.

    >>> decode(torch.tensor([8, 1, 18, 5]))
    'hare'
    """
    return "".join(alphabet[i] for i in ids.tolist())
