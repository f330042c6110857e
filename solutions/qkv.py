"""The reference answers of `nexttoken.qkv`."""

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from nexttoken.attention import causal_mask, masked_softmax, softmax, weighted_mean

Cache = tuple[Float[Tensor, "*batch heads time d_head"], Float[Tensor, "*batch heads time d_head"]]


def project_qkv(
    x: Float[Tensor, "*batch time d_model"],
    w_query: Float[Tensor, "d_model d_key"],
    w_key: Float[Tensor, "d_model d_key"],
    w_value: Float[Tensor, "d_model d_value"],
) -> tuple[
    Float[Tensor, "*batch time d_key"],
    Float[Tensor, "*batch time d_key"],
    Float[Tensor, "*batch time d_value"],
]:
    return x @ w_query, x @ w_key, x @ w_value


def scaled_dot_product_attention(
    queries: Float[Tensor, "*batch time_q d_key"],
    keys: Float[Tensor, "*batch time_k d_key"],
    values: Float[Tensor, "*batch time_k d_value"],
    mask: Bool[Tensor, "*#batch time_q time_k"] | None = None,
) -> Float[Tensor, "*batch time_q d_value"]:
    scores = (queries / math.sqrt(keys.shape[-1])) @ keys.transpose(-2, -1)
    weights = softmax(scores) if mask is None else masked_softmax(scores, mask)
    return weighted_mean(weights, values)


def split_heads(
    x: Float[Tensor, "*batch time d_model"], heads: int
) -> Float[Tensor, "*batch heads time d_head"]:
    return x.unflatten(-1, (heads, -1)).transpose(-3, -2)


def merge_heads(x: Float[Tensor, "*batch heads time d_head"]) -> Float[Tensor, "*batch time d_model"]:
    return x.transpose(-3, -2).flatten(-2)


def multi_head_attention(
    x: Float[Tensor, "*batch time d_model"],
    w_query: Float[Tensor, "d_model d_inner"],
    w_key: Float[Tensor, "d_model d_inner"],
    w_value: Float[Tensor, "d_model d_inner"],
    w_out: Float[Tensor, "d_inner d_model"],
    heads: int,
    mask: Bool[Tensor, "*#batch time time"] | None = None,
) -> Float[Tensor, "*batch time d_model"]:
    return cross_attention(x, x, w_query, w_key, w_value, w_out, heads, mask)


def cross_attention(
    x: Float[Tensor, "*batch time_q d_model"],
    memory: Float[Tensor, "*batch time_k d_memory"],
    w_query: Float[Tensor, "d_model d_inner"],
    w_key: Float[Tensor, "d_memory d_inner"],
    w_value: Float[Tensor, "d_memory d_inner"],
    w_out: Float[Tensor, "d_inner d_model"],
    heads: int,
    mask: Bool[Tensor, "*#batch time_q time_k"] | None = None,
) -> Float[Tensor, "*batch time_q d_model"]:
    queries, keys, values = (split_heads(t, heads) for t in (x @ w_query, memory @ w_key, memory @ w_value))
    for_all_heads = None if mask is None else mask.unsqueeze(-3)
    return merge_heads(scaled_dot_product_attention(queries, keys, values, for_all_heads)) @ w_out


def cached_attention_step(
    x_new: Float[Tensor, "*batch new d_model"],
    cache: Cache | None,
    w_query: Float[Tensor, "d_model d_inner"],
    w_key: Float[Tensor, "d_model d_inner"],
    w_value: Float[Tensor, "d_model d_inner"],
    w_out: Float[Tensor, "d_inner d_model"],
    heads: int,
) -> tuple[Float[Tensor, "*batch new d_model"], Cache]:
    queries, keys, values = (split_heads(x_new @ w, heads) for w in (w_query, w_key, w_value))
    if cache is not None:
        keys, values = torch.cat([cache[0], keys], dim=-2), torch.cat([cache[1], values], dim=-2)
    # The new tokens are the last rows of the whole text's mask.
    mask = causal_mask(keys.shape[-2]).to(x_new.device)[keys.shape[-2] - x_new.shape[-2] :]
    mixed = scaled_dot_product_attention(queries, keys, values, mask)
    return merge_heads(mixed) @ w_out, (keys, values)


def rotate(
    x: Float[Tensor, "*batch time d_head"], positions: Int[Tensor, " time"], base: float = 10000.0
) -> Float[Tensor, "*batch time d_head"]:
    d_head = x.shape[-1]
    speeds = base ** -(torch.arange(0, d_head, 2, dtype=torch.float64, device=x.device) / d_head)
    angles = positions.unsqueeze(-1) * speeds  # float64: position 10^6 needs its digits
    cosine, sine = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    first, second = x[..., 0::2], x[..., 1::2]
    return torch.stack([first * cosine - second * sine, first * sine + second * cosine], dim=-1).flatten(-2)


def grouped_query_attention(
    queries: Float[Tensor, "*batch heads time_q d_head"],
    keys: Float[Tensor, "*batch groups time_k d_head"],
    values: Float[Tensor, "*batch groups time_k d_head"],
    mask: Bool[Tensor, "*#batch time_q time_k"] | None = None,
) -> Float[Tensor, "*batch heads time_q d_head"]:
    heads_of_a_group = queries.shape[-3] // keys.shape[-3]
    keys, values = (t.repeat_interleave(heads_of_a_group, dim=-3) for t in (keys, values))
    for_all_heads = None if mask is None else mask.unsqueeze(-3)
    return scaled_dot_product_attention(queries, keys, values, for_all_heads)


# End of the references of this chapter.
