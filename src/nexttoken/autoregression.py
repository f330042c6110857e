"""Autoregression: every token that was put out is read back in.

A language model is a table of probabilities for the next token, used again and again.
"""

import math
from collections import Counter
from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nexttoken.exercise import exercise
from nexttoken.requirements import at_least, between, not_empty, shorter_than, token_ids


@exercise(points=1, minutes=10, requires={"vocab_size": at_least(1), "ids": token_ids("vocab_size")})
def bigram_counts(ids: Int[Tensor, " time"], vocab_size: int) -> Int[Tensor, "vocab_size vocab_size"]:
    """Count the neighbours: entry `[i, j]` says how often token j comes right after token i.

    A text of one token, or of none, has no neighbours: all counts are 0.

    Source: Markov 1913, who counted vowels and consonants in *Eugene Onegin* by hand;
    Shannon 1948, section 3.

    >>> bigram_counts(torch.tensor([0, 1, 0, 1, 1]), vocab_size=2)
    tensor([[0, 2],
            [1, 1]])
    """
    raise NotImplementedError


@exercise(points=1, minutes=10, requires={"smoothing": at_least(0)})
def bigram_probabilities(
    counts: Int[Tensor, "vocab vocab"], smoothing: float = 1.0
) -> Float[Tensor, "vocab vocab"]:
    r"""Turn every row of counts into the probabilities of the next token.

    $$p(j \mid i) = \frac{c_{ij} + \alpha}{\sum_{k} (c_{ik} + \alpha)}$$

    `smoothing` is $\alpha$, so that a pair that was never seen is improbable, not impossible.
    Every row sums to 1. A row without any mass (no counts, `smoothing=0`) is uniform.

    Source: Laplace's rule of succession, 1814; Jurafsky and Martin, *Speech and Language
    Processing*, chapter on n-gram models.

    >>> bigram_probabilities(torch.tensor([[0, 2], [1, 1]]), smoothing=1.0)
    tensor([[0.2500, 0.7500],
            [0.5000, 0.5000]])
    """
    raise NotImplementedError


@exercise(points=2, minutes=20, requires={"order": (at_least(0), shorter_than("ids"))})
def conditional_entropy(ids: Int[Tensor, " time"], order: int) -> float:
    r"""How many bits the next token is worth, to one who knows the `order` tokens before it.

    Of all pairs (context $c$ of `order` tokens, next token $j$) in the text:

    $$H = -\sum_{c, j} p(c, j) \log_2 p(j \mid c)$$

    with both probabilities counted, without smoothing. Order 0 knows nothing but the
    frequencies of the tokens.

    Source: Shannon 1951, equation 1 (his $F_N$ is order $N - 1$).

    >>> conditional_entropy(torch.tensor([0, 1, 0, 1]), order=0)  # two tokens, equally frequent
    1.0
    >>> conditional_entropy(torch.tensor([0, 1, 0, 1]), order=1)  # 1 after 0, and 0 after 1: no surprise
    0.0
    """
    raise NotImplementedError


@exercise(points=1, minutes=10, requires={"context": (at_least(1), shorter_than("ids"))})
def next_token_windows(
    ids: Int[Tensor, " time"], context: int
) -> tuple[Int[Tensor, "windows context"], Int[Tensor, "windows context"]]:
    """Cut a text into inputs and targets: every sliding window, and the same one token later.

    There are `time - context` windows. Position t of a target is what comes after position t
    of its input, so one window is `context` questions with their answers. The model is always
    shown the true past, whatever it would have said itself: teacher forcing.

    Source: Williams and Zipser 1989 (teacher forcing).

    >>> inputs, targets = next_token_windows(torch.tensor([5, 6, 7, 8]), context=2)
    >>> inputs
    tensor([[5, 6],
            [6, 7]])
    >>> targets
    tensor([[6, 7],
            [7, 8]])
    """
    raise NotImplementedError


@exercise(points=2, minutes=15, requires={"targets": token_ids("logits")})
def sequence_log_probability(
    logits: Float[Tensor, "*batch time vocab"], targets: Int[Tensor, "*batch time"]
) -> Float[Tensor, "*batch"]:
    r"""The log-probability, in nats, of a whole sequence: the chain rule.

    $$\log p(y_1 \dots y_n \mid x) = \sum_{t=1}^{n} \log p(y_t \mid x, y_1 \dots y_{t-1})$$

    `logits[..., t, :]` are the scores for position t, given all that stands before it; their
    softmax is the model's distribution, and `targets[..., t]` is what really stood there. Must
    be finite for logits of 1e4 and more.

    Source: Bengio et al. 2003, section 1.

    >>> logits = torch.tensor([[0.0, 0.0], [0.0, 0.0]])  # (time, vocab): two fair coins
    >>> sequence_log_probability(logits, torch.tensor([0, 1])).exp()
    tensor(0.2500)
    """
    raise NotImplementedError


@exercise(points=1, minutes=5, requires={"log_probabilities": not_empty})
def perplexity(log_probabilities: Float[Tensor, " tokens"]) -> Float[Tensor, ""]:
    r"""Among how many equally likely tokens the model was, in effect, choosing.

    $$\exp\left(-\frac{1}{n} \sum_{t=1}^{n} \log p_t\right)$$

    `log_probabilities` are those of the tokens that really came, in nats.

    Source: Jelinek et al. 1977.

    >>> perplexity(torch.tensor([0.25, 0.25]).log())  # always one of four
    tensor(4.)
    """
    raise NotImplementedError


@exercise(points=2, minutes=10, requires={"temperature": at_least(0)})
def apply_temperature(
    logits: Float[Tensor, "*batch vocab"], temperature: float
) -> Float[Tensor, "*batch vocab"]:
    r"""Scores to probabilities, sharper or flatter.

    $$p_i = \frac{e^{z_i / T}}{\sum_j e^{z_j / T}}$$

    T = 1 is the plain softmax. T = 0 is its limit: all mass on the largest logit, and on the
    first of them where several are equally large. Must be finite for logits of 1e4 and more.

    Source: Ackley, Hinton and Sejnowski 1985, where T comes from physics.

    >>> apply_temperature(torch.tensor([1.0, 3.0, 3.0]), temperature=0.0)
    tensor([0., 1., 0.])
    """
    raise NotImplementedError


@exercise(points=2, minutes=15, requires={"k": at_least(1)})
def keep_top_k(logits: Float[Tensor, "*batch vocab"], k: int) -> Float[Tensor, "*batch vocab"]:
    """Keep the k largest logits of every row as they are, and set the others to `-inf`.

    Of equal logits the lower index goes first, so that never more than k are kept. With
    k >= vocab all are kept. A logit that is `-inf` already stays so.

    Source: Fan, Lewis and Dauphin 2018, section 5.4 (they sampled from the 10 likeliest).

    >>> keep_top_k(torch.tensor([2.0, 5.0, 2.0, 1.0]), k=2)
    tensor([2., 5., -inf, -inf])
    """
    raise NotImplementedError


@exercise(points=3, minutes=25, requires={"p": between(0, 1)})
def keep_top_p(logits: Float[Tensor, "*batch vocab"], p: float) -> Float[Tensor, "*batch vocab"]:
    """Keep, in every row, the smallest set of most probable tokens whose probability reaches p.

    The token that crosses p is kept; the others are set to `-inf`. p = 0 keeps one token.
    p = 1 keeps all, even where the sum reaches 1 early by rounding. Of equally probable tokens
    the lower index goes first.

    Source: Holtzman et al. 2020, section 3.1 (nucleus sampling).

    >>> keep_top_p(torch.tensor([0.5, 0.125, 0.25, 0.125]).log(), p=0.7).exp()
    tensor([0.5000, 0.0000, 0.2500, 0.0000])
    """
    raise NotImplementedError


@exercise(points=3, minutes=20, requires={"max_new_tokens": at_least(0)})
def generate(
    next_logits: Callable[[Int[Tensor, " time"]], Float[Tensor, " vocab"]],
    prompt: Int[Tensor, " time"],
    max_new_tokens: int,
    choose: Callable[[Float[Tensor, " vocab"]], int],
    stop_token: int | None = None,
) -> Int[Tensor, " longer"]:
    """Write: y1 from x, then y2 from x and y1, then y3 from x, y1 and y2 ...

    Each time `next_logits` reads all ids so far, `choose` picks one id from its logits, and that
    id is appended. The result is the prompt and what was written after it. A `stop_token` that
    was written is kept, and nothing follows it; one in the prompt stops nothing.

    Source: Graves 2013, section 2 (a network's samples fed back as its inputs).

    >>> count_on = lambda ids: torch.eye(10)[(ids[-1] + 1) % 10]  # the next number is the likeliest
    >>> generate(count_on, torch.tensor([3, 4]), max_new_tokens=9, choose=torch.argmax, stop_token=7)
    tensor([3, 4, 5, 6, 7])
    """
    raise NotImplementedError


# End of the exercises of this chapter.
