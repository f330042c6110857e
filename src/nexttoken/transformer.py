"""The transformer: what stands around attention, what it costs, and how it learns.

A block adds to every token's vector, twice: what attention fetched, and what a small network made of it.
"""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nexttoken.autoregression import generate
from nexttoken.exercise import exercise
from nexttoken.requirements import at_least, at_least_argument, token_ids


@exercise(points=2, minutes=15)
def layer_norm(
    x: Float[Tensor, "*batch d_model"],
    gain: Float[Tensor, " d_model"],
    bias: Float[Tensor, " d_model"],
    eps: float = 1e-5,
) -> Float[Tensor, "*batch d_model"]:
    r"""Every vector, shifted to mean 0 and scaled to variance 1, then times `gain`, plus `bias`.

    $$\frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}} \cdot g + b, \qquad
    \mu = \frac{1}{d} \sum_{i=1}^{d} x_i, \quad \sigma^2 = \frac{1}{d} \sum_{i=1}^{d} (x_i - \mu)^2$$

    Mean and variance are those of the one vector's own d numbers: other tokens and other texts play no
    part. The sum of squares is divided by d, not by d - 1. A vector of equal numbers becomes `bias`.

    Source: Ba, Kiros and Hinton 2016, section 3, equations 3 and 4.

    >>> layer_norm(torch.tensor([[1.0, 3.0], [50.0, 70.0]]), gain=torch.ones(2), bias=torch.zeros(2))
    tensor([[-1.0000,  1.0000],
            [-1.0000,  1.0000]])
    """
    raise NotImplementedError


@exercise(points=1, minutes=10)
def gelu(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    r"""Each number, times the probability that a standard normal number is smaller.

    $$x \, \Phi(x) = \frac{x}{2} \left(1 + \operatorname{erf} \frac{x}{\sqrt{2}}\right)$$

    Exact: not the approximation by tanh, which differs in the fourth decimal place.

    Source: Hendrycks and Gimpel 2016, section 2.

    >>> gelu(torch.tensor([-20.0, 0.0, 1.0, 20.0]))  # a normal number is below 1 in 84.13 % of cases
    tensor([-0.0000,  0.0000,  0.8413, 20.0000])
    """
    raise NotImplementedError


@exercise(points=1, minutes=10)
def feed_forward(
    x: Float[Tensor, "*batch d_model"],
    w_in: Float[Tensor, "d_model d_hidden"],
    b_in: Float[Tensor, " d_hidden"],
    w_out: Float[Tensor, "d_hidden d_model"],
    b_out: Float[Tensor, " d_model"],
) -> Float[Tensor, "*batch d_model"]:
    r"""Each token's vector, thought about by itself: made wider, bent by `gelu`, made narrow again.

    $$\operatorname{gelu}(x W_{in} + b_{in}) \, W_{out} + b_{out}$$

    Source: Vaswani et al. 2017, section 3.3, equation 2 (with max(0, x) between); Radford et al. 2018,
    section 4.1 (with gelu).

    >>> one = torch.ones(1, 1)
    >>> feed_forward(torch.tensor([[15.0], [-25.0]]), one, torch.tensor([5.0]), 2 * one, torch.tensor([7.0]))
    tensor([[47.],
            [ 7.]])
    """
    raise NotImplementedError


@exercise(points=1, minutes=5)
def residual(
    x: Float[Tensor, "*batch d_model"],
    sublayer: Callable[[Float[Tensor, "*batch d_model"]], Float[Tensor, "*batch d_model"]],
    norm: Callable[[Float[Tensor, "*batch d_model"]], Float[Tensor, "*batch d_model"]],
) -> Float[Tensor, "*batch d_model"]:
    r"""Pre-norm: x itself, plus what the sublayer makes of the normalised x.

    $$x + \operatorname{sublayer}(\operatorname{norm}(x))$$

    Source: He et al. 2016, section 3.2 (add x); Radford et al. 2019, section 2.3 (normalise what goes in);
    Xiong et al. 2020, section 3 (why there).

    >>> residual(torch.tensor([1.0, 3.0]), sublayer=lambda x: 100 * x, norm=lambda x: x - x.mean())
    tensor([-99., 103.])
    """
    raise NotImplementedError


@exercise(points=2, minutes=20, requires={"targets": token_ids("logits", but="ignore")})
def cross_entropy(
    logits: Float[Tensor, "*batch vocab"], targets: Int[Tensor, "*batch"], ignore: int | None = None
) -> Float[Tensor, ""]:
    r"""How surprised the model is, in nats, by a token that really came: the mean.

    $$-\frac{1}{n} \sum_{t=1}^{n} \log p_t(y_t), \qquad p_t = \operatorname{softmax}(z_t)$$

    $z_t$ are the logits of position t and $y_t$ is its target. Positions whose target is `ignore` do not
    count, neither in the sum nor in n, and get no gradient; `ignore` need not be the id of a token. Where
    nothing is left, the result is 0. Must be finite for logits of 1e4 and more.

    Source: Bengio et al. 2003, section 2.

    >>> cross_entropy(torch.zeros(3, 4), torch.tensor([0, 3, -1]), ignore=-1)  # log 4: one of four
    tensor(1.3863)
    """
    raise NotImplementedError


@exercise(
    points=2,
    minutes=20,
    requires={"vocab": at_least(1), "context": at_least(1), "d_model": at_least(1), "layers": at_least(0)},
)
def parameter_count(vocab: int, context: int, d_model: int, layers: int, tied: bool = True) -> int:
    """How many numbers are learned in a decoder of the shape of GPT-2 and GPT-3.

    A vector of `d_model` numbers for each token of the vocabulary, and one for each position of the context.
    In every layer: four matrices of attention (for queries, keys, values, and the one that mixes the heads),
    and a feed-forward network that is four times as wide as `d_model` inside; each of these six with a bias;
    and two layer norms, each with gain and bias. After the last layer, one more layer norm. The logits come
    from a matrix of `vocab` times `d_model` without a bias: if `tied`, it is the table of the tokens' vectors
    once more, and counts once.

    Source: Radford et al. 2019, section 2.3; Brown et al. 2020, section 2.1 and table 2.1.

    >>> parameter_count(vocab=50257, context=1024, d_model=768, layers=12)  # GPT-2, the small one
    124439808
    """
    raise NotImplementedError


@exercise(points=1, minutes=5, requires={"parameters": at_least(0), "tokens": at_least(0)})
def training_flops(parameters: int, tokens: int) -> float:
    """How many multiplications and additions training takes, nearly: 6 for each parameter and token.

    With each token, each parameter is multiplied once and the product added once. That is 2 on the way
    forward. On the way back it is 4: one such pair for the gradient of what came in, and one for the
    gradient of the parameter. (Attention's own products are left out; for long vectors they hardly count.)

    Source: Kaplan et al. 2020, section 2.1.

    >>> training_flops(parameters=1000, tokens=50)
    300000.0
    """
    raise NotImplementedError


@exercise(
    points=2,
    minutes=15,
    requires={
        "step": at_least(0),
        "warmup": at_least(0),
        "total": at_least_argument("warmup"),
    },
)
def learning_rate(step: int, peak: float, warmup: int, total: int, floor: float) -> float:
    r"""How large a step to take now: up in a line, down in half a cosine, then flat.

    $$
    \begin{cases}
    \text{peak} \cdot \text{step} / \text{warmup} & \text{up to step warmup} \\
    \text{floor} + \frac{1}{2} (\text{peak} - \text{floor}) (1 + \cos \pi r) & \text{then, up to step total} \\
    \text{floor} & \text{for ever after}
    \end{cases}
    $$

    where r is the part of the way from `warmup` to `total` that has been gone, from 0 to 1. A warmup of 0
    starts at the peak. If `total` is `warmup`, every step after it gets the floor.

    Source: Loshchilov and Hutter 2017, section 3, equation 5 (the cosine); Brown et al. 2020, appendix B (so
    was GPT-3 trained, with a floor of a tenth of the peak).

    >>> [learning_rate(s, peak=8.0, warmup=4, total=8, floor=2.0) for s in (0, 1, 4, 6, 8, 100)]
    [0.0, 2.0, 8.0, 5.0, 2.0, 2.0]
    """
    raise NotImplementedError


@exercise(points=2, minutes=15, requires={"max_norm": at_least(0)})
def clip_gradients(gradients: list[Float[Tensor, "..."]], max_norm: float) -> list[Float[Tensor, "..."]]:
    r"""Shorten a gradient that is too long, and keep its direction.

    All tensors together are one long vector, and its length is the global norm

    $$\lVert g \rVert = \sqrt{\textstyle\sum_k \sum_i g_{k, i}^2}$$

    over all numbers i of all tensors k. Where it is larger than `max_norm`, every tensor is multiplied by
    max_norm / norm; where it is not, they stay as they are. The list is new, and so are the tensors in it. An
    empty list gives an empty list.

    Source: Pascanu, Mikolov and Bengio 2013, algorithm 1.

    >>> clip_gradients([torch.tensor([3.0]), torch.tensor([[4.0]])], max_norm=2.5)  # the norm is 5
    [tensor([1.5000]), tensor([[2.]])]
    """
    raise NotImplementedError


@exercise(points=3, minutes=25, requires={"step": at_least(1)})
def adamw_update(
    parameter: Float[Tensor, "*shape"],
    gradient: Float[Tensor, "*shape"],
    mean: Float[Tensor, "*shape"],
    square: Float[Tensor, "*shape"],
    step: int,
    lr: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> tuple[Float[Tensor, "*shape"], Float[Tensor, "*shape"], Float[Tensor, "*shape"]]:
    r"""One step of AdamW: the new parameter, and the new running means of the gradient and of its square.

    $$
    \begin{aligned}
    m' &= \beta_1 m + (1 - \beta_1)\, g, & \hat m &= m' / (1 - \beta_1^t), \\
    v' &= \beta_2 v + (1 - \beta_2)\, g^2, & \hat v &= v' / (1 - \beta_2^t), \\
    \theta' &= \theta - \eta \lambda \theta - \eta \, \frac{\hat m}{\sqrt{\hat v} + \epsilon}
    \end{aligned}
    $$

    The parameter is $\theta$, its gradient g, `mean` m, `square` v, both of which start at 0; `step` is t and
    counts from 1; `lr` is $\eta$, `betas` are $\beta_1$ and $\beta_2$, `weight_decay` is $\lambda$. Returned are
    $\theta'$, m' and v', as new tensors: m' and v', not $\hat m$ and $\hat v$, are what the next step goes on
    from.

    Source: Loshchilov and Hutter 2019, algorithm 2; Kingma and Ba 2015, algorithm 1 (Adam).

    >>> zero = torch.zeros(2)
    >>> adamw_update(torch.tensor([1.0, 1.0]), torch.tensor([5.0, -0.001]), zero, zero, step=1, lr=0.25)[0]
    tensor([0.7500, 1.2500])
    """
    raise NotImplementedError


@exercise(points=2, minutes=15, requires={"max_new_tokens": at_least(0)})
def translate(
    encode: Callable[[Int[Tensor, " source"]], Float[Tensor, "source d_model"]],
    next_logits: Callable[[Float[Tensor, "source d_model"], Int[Tensor, " time"]], Float[Tensor, " vocab"]],
    source: Int[Tensor, " source"],
    start: int,
    stop: int,
    max_new_tokens: int,
) -> Int[Tensor, " target"]:
    """Read x once, which gives z; then write y, one likeliest token after the other.

    `encode(source)` is z. Then `next_logits(z, ids)` scores the next token, where `ids` is all that was
    written so far, with `start` before it. The token with the largest score is taken: greedy. The result is
    what was written, without `start`; `stop` is kept and ends it, and so do `max_new_tokens` tokens.

    Source: Sutskever, Vinyals and Le 2014, section 2; Vaswani et al. 2017, section 3 (x, z and y).

    >>> scores = lambda z, ids: torch.eye(10)[z[len(ids) - 1]]  # the likeliest: what z holds at that place
    >>> translate(lambda x: x.flip(0), scores, torch.tensor([9, 5, 7]), start=0, stop=9, max_new_tokens=8)
    tensor([7, 5, 9])
    """
    raise NotImplementedError


# End of the exercises of this chapter.
