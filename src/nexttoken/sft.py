"""Supervised fine-tuning: a model that goes on writing learns, from demonstrations, to answer.

The loss stays what it was; what changes is which tokens count in it, and how many numbers may move.
"""

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from nexttoken.attention import padding_mask
from nexttoken.exercise import exercise
from nexttoken.requirements import between, not_empty, same_names, some_rank, token_ids
from nexttoken.transformer import cross_entropy


@exercise(points=1, minutes=10)
def render_dialogue(
    question: list[int], answer: list[int], bos: int, sep: int, eos: int
) -> tuple[Int[Tensor, " time"], Bool[Tensor, " time"]]:
    """A question and its answer as one row of ids, and a mask: True where the model is to learn to write.

    The row is `bos`, the question, `sep`, the answer, `eos`. True are the answer's tokens and `eos`, since
    to stop is part of an answer. Any id may also occur inside a question or an answer, `sep` too.

    Source: Radford et al. 2018, section 3.3 (a start, a delimiter and an end token).

    >>> render_dialogue([7, 8], [9], bos=1, sep=2, eos=3)
    (tensor([1, 7, 8, 2, 9, 3]), tensor([False, False, False, False,  True,  True]))
    """
    raise NotImplementedError


@exercise(points=1, minutes=10, requires={"sequences": not_empty})
def pad_batch(
    sequences: list[Int[Tensor, " _"]], pad: int
) -> tuple[Int[Tensor, "batch time"], Bool[Tensor, "batch time"]]:
    """Rows of different lengths as one tensor, filled up on the right with `pad`, and where they are real.

    The result is as long as the longest row. The mask is True at the tokens that were given, even where
    one of them happens to equal `pad`. A row may be empty; a batch of no rows is refused.

    Source: the documentation of `torch.nn.utils.rnn.pad_sequence`.

    >>> pad_batch([torch.tensor([5, 6]), torch.tensor([7])], pad=0)
    (tensor([[5, 6],
             [7, 0]]), tensor([[ True,  True],
             [ True, False]]))
    """
    raise NotImplementedError


@exercise(points=3, minutes=20, requires={"ids": token_ids("logits")})
def answer_loss(
    logits: Float[Tensor, "batch time vocab"],
    ids: Int[Tensor, "batch time"],
    is_answer: Bool[Tensor, "batch time"],
) -> Float[Tensor, ""]:
    r"""The mean surprise at the answers' tokens, each of which is guessed from the position before it.

    $$-\frac{1}{|A|} \sum_{(i,t) \in A} \log p(y_{i,t} \mid y_{i,<t}), \qquad
    p(\cdot \mid y_{i,<t}) = \operatorname{softmax}(\text{logits}_{i,t-1})$$

    A is all places of the batch where `is_answer` is True; nothing else counts, whatever its logits are.
    The mean is over these tokens, not over the rows. A mark at position 0 does not count, since nothing
    comes before it. If nothing counts the loss is 0. Must be finite for logits of 1e4.

    Source: Touvron et al. 2023 (*Llama 2*), section 3.1, where the question's tokens get no loss.

    >>> logits = torch.zeros(1, 3, 4)  # every token is a guess among four
    >>> answer_loss(logits, torch.tensor([[1, 2, 3]]), torch.tensor([[False, True, True]]))
    tensor(1.3863)
    """
    raise NotImplementedError


@exercise(points=2, minutes=15, requires={"after": same_names("before")})
def relative_change(before: dict[str, Tensor], after: dict[str, Tensor]) -> float:
    r"""How far all weights together have moved, as a share of how large they were.

    $$\frac{\lVert \theta_{after} - \theta_{before} \rVert}{\lVert \theta_{before} \rVert}$$

    $\theta$ is all numbers of all tensors, one after the other: one long vector, one norm. Both models have
    tensors of the same names and shapes, not always in the same order. Where nothing moved the change is 0,
    even if all was 0; from all 0 to anything else it is infinite.

    Source: Hu et al. 2021, section 7.3, where the norms of a change and of its weights are compared.

    >>> relative_change({"w": torch.tensor([3.0, 4.0])}, {"w": torch.tensor([3.0, 5.0])})
    0.2
    """
    raise NotImplementedError


@exercise(points=2, minutes=15, requires={"energy": between(0, 1)})
def effective_rank(delta: Float[Tensor, "rows columns"], energy: float = 0.9) -> int:
    r"""In how many directions a matrix really acts: how few singular values hold most of its energy.

    $$\min \left\{ k : \textstyle\sum_{i \le k} \sigma_i^2 \ge \text{energy} \cdot \sum_i \sigma_i^2 \right\}$$

    $\sigma_1 \ge \sigma_2 \ge \dots$ are the singular values. A matrix of zeros has rank 0, and a share of
    0 needs none.

    Source: Jolliffe 2002, *Principal Component Analysis*, section 6.1.1; of the change of a model's weights:
    Hu et al. 2021, section 7.2.

    >>> effective_rank(torch.diag(torch.tensor([3.0, 2.0, 0.1])))  # 9 of 13.01 is not yet 0.9
    2
    """
    raise NotImplementedError


@exercise(points=2, minutes=10, requires={"a": some_rank})
def lora_linear(
    x: Float[Tensor, "*batch d_in"],
    weight: Float[Tensor, "d_out d_in"],
    a: Float[Tensor, "rank d_in"],
    b: Float[Tensor, "d_out rank"],
    alpha: float,
) -> Float[Tensor, "*batch d_out"]:
    r"""A linear layer whose weight stays as it was, beside a narrow one that learns what is to be different.

    $$x W^\top + \frac{\alpha}{r} \, x A^\top B^\top$$

    r is the rank, the rows of `a`. The product $BA$ is as large as W: it is never built here. A weight is
    `d_out d_in`, as in torch.nn.Linear.

    Source: Hu et al. 2021, section 4.1, equation 3.

    >>> x, weight = torch.tensor([[1.0, 2.0]]), torch.eye(2)
    >>> lora_linear(x, weight, a=torch.tensor([[1.0, 1.0]]), b=torch.tensor([[0.0], [1.0]]), alpha=10.0)
    tensor([[ 1., 32.]])
    """
    raise NotImplementedError


@exercise(points=1, minutes=5, requires={"a": some_rank})
def merge_lora(
    weight: Float[Tensor, "d_out d_in"],
    a: Float[Tensor, "rank d_in"],
    b: Float[Tensor, "d_out rank"],
    alpha: float,
) -> Float[Tensor, "d_out d_in"]:
    r"""One weight that does what `lora_linear` does with three: after training the narrow layer costs nothing.

    $$W + \frac{\alpha}{r} \, B A$$

    Source: Hu et al. 2021, section 4.1, "No Additional Inference Latency".

    >>> merge_lora(torch.eye(2), a=torch.tensor([[1.0, 1.0]]), b=torch.tensor([[0.0], [1.0]]), alpha=10.0)
    tensor([[ 1.,  0.],
            [10., 11.]])
    """
    raise NotImplementedError


@exercise(points=1, minutes=10)
def trainable_fraction(model: nn.Module) -> float:
    """Which share of a model's parameters may move: those that require gradients, by numbers, not tensors.

    A tensor that is used in two places is one tensor, and counts once. Buffers are no parameters. Of a model
    without parameters it is 0.

    Source: Hu et al. 2021, section 4.2 and table 2 (there as a number of parameters).

    >>> frozen = torch.nn.Linear(2, 3).requires_grad_(False)  # 6 weights and 3 biases
    >>> trainable_fraction(torch.nn.Sequential(frozen, torch.nn.Linear(3, 1, bias=False)))
    0.25
    """
    raise NotImplementedError


# End of the exercises of this chapter.
