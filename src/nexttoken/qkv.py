"""Q, K, V: three matrices ask, answer and tell.

A token's vector is multiplied by one matrix to ask, by another to be found, by a third to be read.
"""

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from nexttoken.attention import causal_mask, masked_softmax, softmax, weighted_mean
from nexttoken.exercise import exercise
from nexttoken.requirements import at_least, divides, even_axis, whole_groups_of

Cache = tuple[Float[Tensor, "*batch heads time d_head"], Float[Tensor, "*batch heads time d_head"]]


@exercise(points=1, minutes=5)
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
    """Every token's query, key and value: its vector, times each of the three matrices.

    Source: Vaswani et al. 2017, section 3.2.2.

    >>> x, double = torch.tensor([[3.0]]), torch.tensor([[2.0]])
    >>> project_qkv(x, double, -double, 10 * double)
    (tensor([[6.]]), tensor([[-6.]]), tensor([[60.]]))
    """
    raise NotImplementedError


@exercise(points=2, minutes=15)
def scaled_dot_product_attention(
    queries: Float[Tensor, "*batch time_q d_key"],
    keys: Float[Tensor, "*batch time_k d_key"],
    values: Float[Tensor, "*batch time_k d_value"],
    mask: Bool[Tensor, "*#batch time_q time_k"] | None = None,
) -> Float[Tensor, "*batch time_q d_value"]:
    r"""The values, mixed for every query by how well their keys match it.

    $$\operatorname{softmax}\left(Q K^\top / \sqrt{d_{key}}\right) V$$

    Where `mask` is False, that weight is exactly 0. A query that may look at nothing gets zeros.

    Source: Vaswani et al. 2017, section 3.2.1, equation 1.

    >>> q = k = torch.zeros(2, 4)  # all keys match alike, so that every query gets the mean
    >>> scaled_dot_product_attention(q, k, torch.tensor([[0.0], [10.0]]))
    tensor([[5.],
            [5.]])
    """
    raise NotImplementedError


@exercise(points=1, minutes=10, requires={"heads": (at_least(1), divides("x"))})
def split_heads(
    x: Float[Tensor, "*batch time d_model"], heads: int
) -> Float[Tensor, "*batch heads time d_head"]:
    """Cut every vector into `heads` equal parts, and make the parts an axis before time.

    Head h holds the numbers from `h * d_head` up to, not including, `(h + 1) * d_head`.

    Source: Vaswani et al. 2017, section 3.2.2.

    >>> split_heads(torch.tensor([[1.0, 2.0, 3.0, 4.0]]), heads=2)
    tensor([[[1., 2.]],
    <BLANKLINE>
            [[3., 4.]]])
    """
    raise NotImplementedError


@exercise(points=1, minutes=5)
def merge_heads(x: Float[Tensor, "*batch heads time d_head"]) -> Float[Tensor, "*batch time d_model"]:
    """Put the heads' parts side by side again: `merge_heads(split_heads(x, heads))` is x.

    Source: Vaswani et al. 2017, section 3.2.2 (there called Concat).

    >>> merge_heads(torch.tensor([[[1.0, 2.0]], [[3.0, 4.0]]]))
    tensor([[1., 2., 3., 4.]])
    """
    raise NotImplementedError


@exercise(points=3, minutes=20, requires={"heads": (at_least(1), divides("w_query"), divides("w_value"))})
def multi_head_attention(
    x: Float[Tensor, "*batch time d_model"],
    w_query: Float[Tensor, "d_model d_inner"],
    w_key: Float[Tensor, "d_model d_inner"],
    w_value: Float[Tensor, "d_model d_inner"],
    w_out: Float[Tensor, "d_inner d_model"],
    heads: int,
    mask: Bool[Tensor, "*#batch time time"] | None = None,
) -> Float[Tensor, "*batch time d_model"]:
    """Several attentions side by side, each in its own part of the vectors, then mixed by `w_out`.

    No biases. The mask has no axis for the heads: it holds for all of them.

    Source: Vaswani et al. 2017, section 3.2.2.

    >>> one = torch.ones(1, 1)
    >>> multi_head_attention(torch.tensor([[2.0], [2.0]]), one, one, one, 3 * one, heads=1)
    tensor([[6.],
            [6.]])
    """
    raise NotImplementedError


@exercise(points=2, minutes=15, requires={"heads": (at_least(1), divides("w_query"), divides("w_value"))})
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
    """Multi-head attention of one sequence to another: x asks, `memory` answers and tells.

    So the encoder's z reaches the decoder. The two may differ in length.

    Source: Vaswani et al. 2017, section 3.2.3.

    >>> one = torch.ones(1, 1)
    >>> cross_attention(torch.zeros(1, 1), torch.tensor([[0.0], [8.0]]), one, one, one, one, heads=1)
    tensor([[4.]])
    """
    raise NotImplementedError


@exercise(points=3, minutes=30, requires={"heads": (at_least(1), divides("w_query"), divides("w_value"))})
def cached_attention_step(
    x_new: Float[Tensor, "*batch new d_model"],
    cache: Cache | None,
    w_query: Float[Tensor, "d_model d_inner"],
    w_key: Float[Tensor, "d_model d_inner"],
    w_value: Float[Tensor, "d_model d_inner"],
    w_out: Float[Tensor, "d_inner d_model"],
    heads: int,
) -> tuple[Float[Tensor, "*batch new d_model"], Cache]:
    """Causal multi-head attention for the new tokens alone, with the old ones' keys and values kept.

    The cache is what the last call returned, or None at the start: the split keys and the split values of
    all tokens so far, each `*batch heads time d_head`. The first result is exactly the last `new` rows of
    causal `multi_head_attention` over all tokens so far, wherever the text was cut; the second is the
    longer cache. New tokens do not see each other's future either.

    Source: Shazeer 2019, section 2.3 (incremental inference).

    >>> one = torch.ones(1, 1)
    >>> first, cache = cached_attention_step(torch.zeros(1, 1), None, 0 * one, 0 * one, one, one, heads=1)
    >>> cached_attention_step(torch.full((1, 1), 6.0), cache, 0 * one, 0 * one, one, one, heads=1)[0]
    tensor([[3.]])
    """
    raise NotImplementedError


@exercise(points=3, minutes=25, requires={"x": even_axis})
def rotate(
    x: Float[Tensor, "*batch time d_head"], positions: Int[Tensor, " time"], base: float = 10000.0
) -> Float[Tensor, "*batch time d_head"]:
    r"""Rotary embedding: turn each pair of numbers by an angle that grows with the position.

    The pair $(x_{2i}, x_{2i+1})$ at position t is turned, counter-clockwise, by $t / b^{2i/d}$. The dot
    product of two rotated vectors depends on the distance of their positions alone.

    Source: Su et al. 2021, section 3.4.2, equation 34.

    >>> rotate(torch.tensor([[1.0, 0.0]]), positions=torch.tensor([1]))  # cos 1, sin 1
    tensor([[0.5403, 0.8415]])
    """
    raise NotImplementedError


@exercise(points=2, minutes=20, requires={"keys": whole_groups_of("queries")})
def grouped_query_attention(
    queries: Float[Tensor, "*batch heads time_q d_head"],
    keys: Float[Tensor, "*batch groups time_k d_head"],
    values: Float[Tensor, "*batch groups time_k d_head"],
    mask: Bool[Tensor, "*#batch time_q time_k"] | None = None,
) -> Float[Tensor, "*batch heads time_q d_head"]:
    """Attention in which several heads share one set of keys and values.

    With 6 heads and 2 groups, heads 0, 1, 2 use group 0 and heads 3, 4, 5 use group 1. As many groups as
    heads is plain multi-head attention; one group is multi-query attention.

    Source: Ainslie et al. 2023, section 2.2.

    >>> queries, keys = torch.zeros(2, 1, 4), torch.zeros(1, 3, 4)  # two heads, one group
    >>> grouped_query_attention(queries, keys, torch.ones(1, 3, 4)).shape
    torch.Size([2, 1, 4])
    """
    raise NotImplementedError


# End of the exercises of this chapter.
