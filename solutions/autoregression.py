"""The reference answers of `nexttoken.autoregression`."""

import math
from collections import Counter
from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor


def bigram_counts(ids: Int[Tensor, " time"], vocab_size: int) -> Int[Tensor, "vocab_size vocab_size"]:
    # A pair (i, j) is one number in base vocab_size; counting numbers is what bincount does.
    pairs = ids[:-1].long() * vocab_size + ids[1:]
    return pairs.bincount(minlength=vocab_size**2).reshape(vocab_size, vocab_size)


def bigram_probabilities(
    counts: Int[Tensor, "vocab vocab"], smoothing: float = 1.0
) -> Float[Tensor, "vocab vocab"]:
    mass = counts + float(smoothing)
    total = mass.sum(dim=-1, keepdim=True)
    return torch.where(total > 0, mass / total, 1 / counts.shape[-1])


def conditional_entropy(ids: Int[Tensor, " time"], order: int) -> float:
    windows = [tuple(window) for window in ids.unfold(0, order + 1, 1).tolist()]
    together = Counter(windows)
    contexts = Counter(window[:-1] for window in windows)
    bits = [-n * math.log2(n / contexts[window[:-1]]) for window, n in together.items()]
    return sum(bits) / len(windows)


def next_token_windows(
    ids: Int[Tensor, " time"], context: int
) -> tuple[Int[Tensor, "windows context"], Int[Tensor, "windows context"]]:
    windows = ids.unfold(0, context, 1)
    return windows[:-1].clone(), windows[1:].clone()


def sequence_log_probability(
    logits: Float[Tensor, "*batch time vocab"], targets: Int[Tensor, "*batch time"]
) -> Float[Tensor, "*batch"]:
    log_probabilities = logits.log_softmax(dim=-1)
    of_targets = log_probabilities.gather(-1, targets.long().unsqueeze(-1)).squeeze(-1)
    return of_targets.sum(dim=-1)


def perplexity(log_probabilities: Float[Tensor, " tokens"]) -> Float[Tensor, ""]:
    return (-log_probabilities.mean()).exp()


def apply_temperature(
    logits: Float[Tensor, "*batch vocab"], temperature: float
) -> Float[Tensor, "*batch vocab"]:
    if temperature == 0:
        first_largest = logits.argmax(dim=-1, keepdim=True)
        return torch.zeros_like(logits).scatter(-1, first_largest, 1.0)
    # The largest becomes 0 before the division, so that a small temperature overflows to -inf, never to inf.
    below_largest = logits - logits.amax(dim=-1, keepdim=True)
    return (below_largest / temperature).softmax(dim=-1)


def keep_top_k(logits: Float[Tensor, "*batch vocab"], k: int) -> Float[Tensor, "*batch vocab"]:
    # A stable sort leaves equal logits in the order of their indices; topk promises nothing there.
    order = logits.argsort(dim=-1, descending=True, stable=True)
    kept = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, order[..., :k], True)
    return logits.masked_fill(~kept, -math.inf)


def keep_top_p(logits: Float[Tensor, "*batch vocab"], p: float) -> Float[Tensor, "*batch vocab"]:
    order = logits.argsort(dim=-1, descending=True, stable=True)
    probabilities = logits.softmax(dim=-1).gather(-1, order)
    # A token is kept while those before it have not reached p: so the one that crosses p is in.
    # Reached up to rounding, that is: 0.5 + 0.3 comes out a little below 0.8.
    before = probabilities.cumsum(dim=-1).roll(1, dims=-1)
    before[..., 0] = -1.0  # the first is always kept
    not_reached = before < p - 8 * torch.finfo(logits.dtype).eps
    kept = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, order, not_reached | (p == 1))
    return logits.masked_fill(~kept, -math.inf)


def generate(
    next_logits: Callable[[Int[Tensor, " time"]], Float[Tensor, " vocab"]],
    prompt: Int[Tensor, " time"],
    max_new_tokens: int,
    choose: Callable[[Float[Tensor, " vocab"]], int],
    stop_token: int | None = None,
) -> Int[Tensor, " longer"]:
    ids = prompt.clone()
    for _ in range(max_new_tokens):
        token = int(choose(next_logits(ids)))
        ids = torch.cat([ids, ids.new_tensor([token])])
        if token == stop_token:
            break
    return ids


# End of the references of this chapter.
