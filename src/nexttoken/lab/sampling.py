"""Many texts written at once, each token from what was kept of the tokens before.

Rows are padded on the right, as in training: what a model writes takes the place of the padding. So
nothing has to be moved, and the result has the form that the losses of later chapters ask for.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from nexttoken.lab.village.vocabulary import Vocabulary
from nexttoken.models import GPT

Choose = Callable[[Float[Tensor, "batch vocab"]], Int[Tensor, " batch"]]


@dataclass(frozen=True)
class Answers:
    """Prompts with what was written after them, and padding."""

    ids: Int[Tensor, "batch time"]
    is_answer: Bool[Tensor, "batch time"]  # True at what was written, its end included
    log_probs: Float[Tensor, "batch time"]  # of each written token when it was chosen; 0 elsewhere

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def lengths(self) -> Int[Tensor, " batch"]:
        """Of prompt and answer together."""
        places = torch.arange(1, self.ids.shape[1] + 1)
        return (self.is_answer * places).amax(dim=1)

    def written(self) -> list[list[int]]:
        """The answers alone."""
        return [row[mine].tolist() for row, mine in zip(self.ids, self.is_answer, strict=True)]


def at_random(seed: int, temperature: float = 1.0) -> Choose:
    """Choose by chance, by the model's probabilities; temperature 0 takes the most probable."""
    if temperature == 0:
        return lambda logits: logits.argmax(dim=-1)
    generator = torch.Generator().manual_seed(seed)

    def choose(logits: Float[Tensor, "batch vocab"]) -> Int[Tensor, " batch"]:
        chances = (logits / temperature).softmax(dim=-1)
        return torch.multinomial(chances, 1, generator=generator).squeeze(-1)

    return choose


def by_one_throw(seed: int) -> Choose:
    """As `at_random`, with other draws, and four times as fast: all chances end to end, one throw for each text.

    (torch.multinomial draws a number for every token of the vocabulary.) What a policy learns from is drawn
    in this way; what is compared or measured, by `at_random`.
    """
    generator = torch.Generator().manual_seed(seed)

    def choose(logits: Float[Tensor, "batch vocab"]) -> Int[Tensor, " batch"]:
        reached = logits.softmax(dim=-1).double().cumsum(dim=-1)
        throw = torch.rand(len(logits), 1, generator=generator, dtype=torch.float64) * reached[:, -1:]
        return torch.searchsorted(reached, throw, right=True).squeeze(-1).clamp(max=logits.shape[-1] - 1)

    return choose


def sample(
    model: GPT,
    prompts: Sequence[Sequence[int]],
    choose: Choose,
    max_new_tokens: int = 32,
    stop: int = Vocabulary.end,
    pad: int = Vocabulary.pad,
) -> Answers:
    """Let the model go on after each prompt, until it writes `stop` or has no tokens left."""
    with torch.inference_mode():  # nothing is noted for gradients, not even that nothing is noted
        ids, is_answer, log_probs = _written(model, prompts, choose, max_new_tokens, stop, pad)
    used = int(is_answer.any(dim=0).nonzero().max()) + 1
    return Answers(*(part[:, :used].clone() for part in (ids, is_answer, log_probs)))


def _written(
    model: GPT,
    prompts: Sequence[Sequence[int]],
    choose: Choose,
    max_new_tokens: int,
    stop: int,
    pad: int,
) -> tuple[Tensor, Tensor, Tensor]:
    lengths = torch.tensor([len(prompt) for prompt in prompts])
    batch, longest = len(prompts), int(lengths.max())
    ids = torch.full((batch, longest + max_new_tokens), pad)
    for row, prompt in zip(ids, prompts, strict=True):
        row[: len(prompt)] = torch.tensor(prompt)
    cache = model.empty_cache(batch, longest + max_new_tokens)
    places = torch.arange(longest).expand(batch, -1)
    last = model.states(ids[:, :longest], places, cache)[torch.arange(batch), lengths - 1]
    writing = torch.ones(batch, dtype=torch.bool)
    tokens, written, spoken = [], [], []  # by step
    for new in range(max_new_tokens):
        logits = model.read_out(last)
        logits[:, pad] = -torch.inf  # padding is no word
        tokens.append(torch.where(writing, choose(logits), pad))
        written.append(writing)
        spoken.append(logits.log_softmax(dim=-1).gather(-1, tokens[-1].unsqueeze(-1)).squeeze(-1))
        writing = writing & (tokens[-1] != stop)
        if not writing.any() or new + 1 == max_new_tokens:
            break
        last = model.states(tokens[-1].unsqueeze(1), (lengths + new).unsqueeze(1), cache)[:, 0]
    at = lengths.unsqueeze(1) + torch.arange(len(tokens))
    is_answer = torch.zeros(ids.shape, dtype=torch.bool).scatter_(1, at, torch.stack(written, dim=1))
    log_probs = torch.zeros(ids.shape).scatter_(1, at, torch.stack(spoken, dim=1))
    return ids.scatter_(1, at, torch.stack(tokens, dim=1)), is_answer, log_probs.where(is_answer, 0.0)
