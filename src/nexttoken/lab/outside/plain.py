"""A question, the passages nearest to it, a prompt, an answer: by hand, with the reader's own functions."""

from collections.abc import Callable

from torch import Tensor

from nexttoken.applications import augment_prompt, retrieve


def ask(
    question: str,
    write: Callable[[str], str],
    embed: Callable[[list[str]], Tensor],
    passages: list[str],
    k: int,
    room: int,
) -> str:
    """What the model writes after a prompt of at most `room` words that holds the `k` nearest passages."""
    nearest = retrieve(embed([question])[0], embed(passages), k)
    return write(augment_prompt(question, [passages[i] for i in nearest.tolist()], room))
