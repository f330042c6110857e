"""The reference answers of `nexttoken.attention`."""

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def softmax(scores: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
    # Moving all scores of a row by the same amount changes nothing: so the largest becomes 0, and e^0 = 1.
    # As it changes nothing, no gradient need go that way.
    powers = (scores - scores.detach().amax(dim=-1, keepdim=True)).exp()
    return powers / powers.sum(dim=-1, keepdim=True)


def attention_weights(
    queries: Float[Tensor, "*batch time_q d_key"], keys: Float[Tensor, "*batch time_k d_key"]
) -> Float[Tensor, "*batch time_q time_k"]:
    return softmax(queries @ keys.transpose(-2, -1) / math.sqrt(keys.shape[-1]))


def weighted_mean(
    weights: Float[Tensor, "*batch time_q time_k"], values: Float[Tensor, "*batch time_k d_value"]
) -> Float[Tensor, "*batch time_q d_value"]:
    return weights @ values


def additive_scores(
    queries: Float[Tensor, "*batch time_q d_query"],
    keys: Float[Tensor, "*batch time_k d_key"],
    w_query: Float[Tensor, "d_query hidden"],
    w_key: Float[Tensor, "d_key hidden"],
    v: Float[Tensor, " hidden"],
) -> Float[Tensor, "*batch time_q time_k"]:
    of_queries = (queries @ w_query).unsqueeze(-2)  # (*batch, time_q, 1, hidden)
    of_keys = (keys @ w_key).unsqueeze(-3)  # (*batch, 1, time_k, hidden)
    return (of_queries + of_keys).tanh() @ v


def causal_mask(time: int) -> Bool[Tensor, "time time"]:
    return torch.ones(time, time, dtype=torch.bool).tril()


def padding_mask(lengths: Int[Tensor, " batch"], time: int) -> Bool[Tensor, "batch time"]:
    return torch.arange(time, device=lengths.device) < lengths.unsqueeze(-1)


def masked_softmax(
    scores: Float[Tensor, "*batch n"], mask: Bool[Tensor, "*#batch n"]
) -> Float[Tensor, "*batch n"]:
    # Before the softmax, so that the rows still sum to 1; the lowest finite number, since a row
    # of nothing but -inf would be 0 / 0.
    weights = softmax(torch.where(mask, scores, torch.finfo(scores.dtype).min))
    return weights * mask


def self_attention(
    x: Float[Tensor, "*batch time d_model"], mask: Bool[Tensor, "*#batch time time"] | None = None
) -> Float[Tensor, "*batch time d_model"]:
    scores = x @ x.transpose(-2, -1) / math.sqrt(x.shape[-1])
    weights = softmax(scores) if mask is None else masked_softmax(scores, mask)
    return weighted_mean(weights, x)


# End of the references of this chapter.
