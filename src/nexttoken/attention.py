"""Attention: which tokens matter, and to whom.

A token asks all tokens, and takes the mean of what they hold, weighted by how well they answer.
"""

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from nexttoken.exercise import exercise
from nexttoken.requirements import at_least, lengths_within


@exercise(points=1, minutes=10)
def softmax(scores: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
    r"""Scores to weights: positive, and with sum 1 along the last axis.

    $$\frac{e^{s_i}}{\sum_j e^{s_j}}$$

    Must be finite for scores of 1e4 and more. It is meant to be written out here; nobody checks.

    Source: Bridle 1990.

    >>> softmax(torch.tensor([0.0, 0.0]))
    tensor([0.5000, 0.5000])
    """
    raise NotImplementedError


@exercise(points=2, minutes=15)
def attention_weights(
    queries: Float[Tensor, "*batch time_q d_key"], keys: Float[Tensor, "*batch time_k d_key"]
) -> Float[Tensor, "*batch time_q time_k"]:
    r"""How much every query attends to every key: row t belongs to query t, and sums to 1.

    $$\operatorname{softmax}\left(Q K^\top / \sqrt{d_{key}}\right)$$

    Source: Vaswani et al. 2017, section 3.2.1.

    >>> attention_weights(torch.zeros(1, 4), torch.ones(2, 4))  # both keys match alike
    tensor([[0.5000, 0.5000]])
    """
    raise NotImplementedError


@exercise(points=1, minutes=5)
def weighted_mean(
    weights: Float[Tensor, "*batch time_q time_k"], values: Float[Tensor, "*batch time_k d_value"]
) -> Float[Tensor, "*batch time_q d_value"]:
    r"""For every query, the mean of all values by its row of weights.

    $$y_t = \sum_j w_{tj} v_j$$

    The weights are taken as they are: a query whose weights are all 0 gets zeros.

    Source: Nadaraya 1964 and Watson 1964; Bahdanau, Cho and Bengio 2015, equation 5.

    >>> weighted_mean(torch.tensor([[0.75, 0.25]]), torch.tensor([[0.0], [8.0]]))
    tensor([[2.]])
    """
    raise NotImplementedError


@exercise(points=2, minutes=20)
def additive_scores(
    queries: Float[Tensor, "*batch time_q d_query"],
    keys: Float[Tensor, "*batch time_k d_key"],
    w_query: Float[Tensor, "d_query hidden"],
    w_key: Float[Tensor, "d_key hidden"],
    v: Float[Tensor, " hidden"],
) -> Float[Tensor, "*batch time_q time_k"]:
    r"""How well a key answers a query, judged by a small network: where attention began.

    $$s_{tj} = v \cdot \tanh(q_t W_q + k_j W_k)$$

    These are scores; no softmax yet.

    Source: Bahdanau, Cho and Bengio 2015, section 3.1 and appendix A.1.2.

    >>> one = torch.ones(1, 1)
    >>> additive_scores(torch.zeros(1, 1), torch.zeros(2, 1), one, one, torch.ones(1))  # tanh 0 = 0
    tensor([[0., 0.]])
    """
    raise NotImplementedError


@exercise(points=1, minutes=5, requires={"time": at_least(0)})
def causal_mask(time: int) -> Bool[Tensor, "time time"]:
    """Nobody looks into the future: row t is True at 0, 1, ..., t.

    Source: Vaswani et al. 2017, section 3.2.3.

    >>> causal_mask(2)
    tensor([[ True, False],
            [ True,  True]])
    """
    raise NotImplementedError


@exercise(points=1, minutes=5, requires={"lengths": lengths_within("time")})
def padding_mask(lengths: Int[Tensor, " batch"], time: int) -> Bool[Tensor, "batch time"]:
    """True at the real tokens of sequences that were filled up on the right to length `time`.

    Source: Rush 2018, *The Annotated Transformer*, section "Batches and Masking".

    >>> padding_mask(torch.tensor([2, 0]), time=3)
    tensor([[ True,  True, False],
            [False, False, False]])
    """
    raise NotImplementedError


@exercise(points=3, minutes=20)
def masked_softmax(
    scores: Float[Tensor, "*batch n"], mask: Bool[Tensor, "*#batch n"]
) -> Float[Tensor, "*batch n"]:
    """Softmax over what is allowed: where `mask` is False the weight is exactly 0.

    The allowed weights of a row sum to 1, however large a forbidden score may be. A row in which
    nothing is allowed is all 0, never NaN. The mask may have fewer axes, or axes of size 1 where it
    says the same for all. Must be finite for scores of 1e4 and more.

    Source: Vaswani et al. 2017, section 3.2.3.

    >>> masked_softmax(torch.zeros(3), torch.tensor([True, True, False]))
    tensor([0.5000, 0.5000, 0.0000])
    """
    raise NotImplementedError


@exercise(points=2, minutes=15)
def self_attention(
    x: Float[Tensor, "*batch time d_model"], mask: Bool[Tensor, "*#batch time time"] | None = None
) -> Float[Tensor, "*batch time d_model"]:
    r"""Every token asks all tokens, without a single parameter: x is query, key and value at once.

    $$\operatorname{softmax}\left(X X^\top / \sqrt{d}\right) X$$

    Where `mask[..., t, j]` is False, token t does not see token j; one that sees nobody gets zeros.

    Source: Vaswani et al. 2017, equation 1, with Q = K = V = X; Wang et al. 2018, section 3.2.

    >>> x = torch.tensor([[1.0, 0.0], [1.0, 0.0]])  # two equal tokens: their mean is what they are
    >>> self_attention(x)
    tensor([[1., 0.],
            [1., 0.]])
    """
    raise NotImplementedError


# End of the exercises of this chapter.
