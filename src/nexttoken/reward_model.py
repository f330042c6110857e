"""A reward model: what people prefer, as one number for an answer.

Nobody can say how good an answer is, but everybody can say which of two is better. That is enough.
"""

import math
from itertools import combinations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nexttoken.exercise import exercise
from nexttoken.requirements import at_least, full_lengths, not_empty, some_columns, token_ids


@exercise(points=1, minutes=5)
def ranking_to_pairs(ranking: list[int]) -> list[tuple[int, int]]:
    """All comparisons that a ranking holds: every pair (better, worse).

    `ranking` names the answers, the best first; K of them give K (K - 1) / 2 pairs. First come the pairs
    of the best answer, with the others in their order, then those of the second, and so on. One answer
    alone, or none, gives no pair.

    Source: Ouyang et al. 2022, section 3, *Reward modeling*.

    >>> ranking_to_pairs([2, 0, 1])
    [(2, 0), (2, 1), (0, 1)]
    """
    raise NotImplementedError


@exercise(points=1, minutes=10)
def preference_probability(
    first: Float[Tensor, "*batch"], second: Float[Tensor, "*batch"]
) -> Float[Tensor, "*batch"]:
    r"""How probably an answer with reward `first` is preferred to one with reward `second`.

    $$\frac{e^{r_1}}{e^{r_1} + e^{r_2}} = \sigma(r_1 - r_2)$$

    Only the difference matters. Must be finite for rewards of 1e4 and more.

    Source: Bradley and Terry 1952; Christiano et al. 2017, equation 1.

    >>> preference_probability(torch.tensor([5.0, 0.0]), torch.tensor([5.0, 1e4]))
    tensor([0.5000, 0.0000])
    """
    raise NotImplementedError


@exercise(points=2, minutes=15)
def preference_loss(chosen: Float[Tensor, "*batch"], rejected: Float[Tensor, "*batch"]) -> Float[Tensor, ""]:
    r"""How surprised the rewards are by what was chosen: the mean over all pairs, in nats.

    $$-\log \sigma(r_{chosen} - r_{rejected})$$

    It and its gradient must be finite for rewards of 1e4 and more, also where they are wrong. Without any
    pair it is 0.

    Source: Stiennon et al. 2020, section 3.4.

    >>> preference_loss(torch.tensor([3.0]), torch.tensor([3.0]))  # a coin: log 2
    tensor(0.6931)
    >>> preference_loss(torch.tensor([0.0]), torch.tensor([1e4]))
    tensor(10000.)
    """
    raise NotImplementedError


@exercise(points=3, minutes=25, requires={"rankings": token_ids("rewards")})
def ranking_loss(
    rewards: Float[Tensor, "prompts answers"], rankings: Int[Tensor, "prompts answers"]
) -> Float[Tensor, ""]:
    r"""The loss of whole rankings: the mean over the pairs of each prompt, then over the prompts.

    $$-\frac{1}{\binom{K}{2}} \sum_{(w, l)} \log \sigma(r_w - r_l)$$

    for the pairs in which answer w was ranked above answer l, of the K answers to one prompt.
    `rewards[p, a]` belongs to answer a to prompt p; `rankings[p]` names each of these answers once, the
    best first. Answers to different prompts are never compared. One answer a prompt makes no pair: 0, as
    is no prompt at all. It and its gradient must be finite for rewards of 1e4 and more.

    Source: Ouyang et al. 2022, equation 1.

    >>> ranking_loss(torch.tensor([[0.0, 9.0]]), torch.tensor([[0, 1]]))  # answer 0 was better: 9 nats off
    tensor(9.0001)
    """
    raise NotImplementedError


@exercise(points=1, minutes=10, requires={"lengths": full_lengths("hidden")})
def last_token(
    hidden: Float[Tensor, "batch time d_model"], lengths: Int[Tensor, " batch"]
) -> Float[Tensor, "batch d_model"]:
    """The state at the last real token of every sequence, the only one that has seen them all.

    `lengths` counts the real tokens, at least 1; what comes after them is padding, and is not read.

    Source: Radford et al. 2018, section 3.2.

    >>> last_token(torch.tensor([[[1.0], [2.0], [3.0]]]), lengths=torch.tensor([2]))
    tensor([[2.]])
    """
    raise NotImplementedError


@exercise(points=1, minutes=5, requires={"lengths": full_lengths("hidden")})
def scalar_reward(
    hidden: Float[Tensor, "batch time d_model"],
    lengths: Int[Tensor, " batch"],
    weight: Float[Tensor, " d_model"],
    bias: Float[Tensor, ""],
) -> Float[Tensor, " batch"]:
    r"""One number for every sequence, read off the state h at its last real token.

    $$r = h \cdot w + b$$

    This head takes the place of the matrix that turned states into logits.

    Source: Stiennon et al. 2020, section 3.4.

    >>> hidden = torch.tensor([[[1.0, 2.0]]])
    >>> scalar_reward(hidden, torch.tensor([1]), weight=torch.tensor([10.0, 1.0]), bias=torch.tensor(0.5))
    tensor([12.5000])
    """
    raise NotImplementedError


@exercise(points=1, minutes=10)
def pairwise_accuracy(chosen: Float[Tensor, "*batch"], rejected: Float[Tensor, "*batch"]) -> float:
    """The share of pairs in which the chosen answer has the greater reward; a tie counts one half.

    A model that gives every answer the same reward is right half the time, as a coin is. Without any pair
    it is 0.

    Source: Lambert et al. 2024; one half for a tie as in Hanley and McNeil 1982.

    >>> pairwise_accuracy(torch.tensor([2.0, 1.0]), torch.tensor([0.0, 1.0]))  # right, and a tie
    0.75
    """
    raise NotImplementedError


@exercise(points=2, minutes=15, requires={"demonstrations": not_empty})
def normalise_rewards(
    rewards: Float[Tensor, "*batch"], demonstrations: Float[Tensor, " demonstrations"]
) -> Float[Tensor, "*batch"]:
    r"""Give the rewards a zero and a unit: what people's own answers, the demonstrations, are worth.

    $$\frac{r - m}{s}$$

    with the mean m and the standard deviation s of the demonstrations' rewards, so that these would become
    mean 0 and deviation 1. It is the biased deviation: divide by their number, not by one less. Where all
    demonstrations are equal, s is 0, and the rewards are only shifted. Gradients flow to the rewards; none is
    promised through the demonstrations.

    Source: Ouyang et al. 2022, section 3, *Reward modeling* (the mean); Ziegler et al. 2019, section 2
    (mean and variance).

    >>> normalise_rewards(torch.tensor([7.0, 3.0]), demonstrations=torch.tensor([1.0, 5.0]))
    tensor([2., 0.])
    """
    raise NotImplementedError


@exercise(points=1, minutes=5, requires={"rewards": some_columns})
def best_of_n(rewards: Float[Tensor, "prompts n"]) -> Int[Tensor, " prompts"]:
    """For every prompt, which of its n answers has the greatest reward; of equal ones the first.

    The simplest way to use a reward model: write n answers, hand over the best.

    Source: Nakano et al. 2021, section 3.2 (rejection sampling).

    >>> best_of_n(torch.tensor([[0.1, 0.9, 0.3], [2.0, 2.0, 1.0]]))
    tensor([1, 0])
    """
    raise NotImplementedError


@exercise(points=1, minutes=10, requires={"n": at_least(1)})
def best_of_n_kl(n: int) -> float:
    r"""How far best-of-n moves from the model that wrote the answers: the Kullback-Leibler divergence, in nats.

    $$\log n - \frac{n - 1}{n}$$

    One answer is no choice: 0. It is exact where two of the n are never worth the same; where they may be, it is
    an upper bound.

    Source: Stiennon et al. 2020, appendix G.3; Beirami et al. 2024 (the bound).

    >>> best_of_n_kl(1)
    0.0
    """
    raise NotImplementedError


@exercise(points=3, minutes=30, requires={"iterations": at_least(0)})
def bradley_terry_strengths(
    wins: Float[Tensor, "players players"], iterations: int = 100
) -> Float[Tensor, " players"]:
    r"""How strong every player is, by who beat whom how often: the strengths under which that is likeliest.

    `wins[i, j]` says how often i beat j; i beats j with probability $\pi_i / (\pi_i + \pi_j)$. Start with
    equal strengths that sum to 1. One iteration computes, out of the old strengths, all new ones at once,

    $$\pi_i \leftarrow \frac{\sum_{j \ne i} w_{ij}}{\sum_{j \ne i} (w_{ij} + w_{ji}) / (\pi_i + \pi_j)}$$

    and then divides them by their sum. Two that never met add nothing to the denominator. Where it is 0,
    for one who never played, that strength stays as it was until all are divided. The diagonal is not read.
    No gradient is promised through the counts.

    Source: Zermelo 1929; Hunter 2004, equation 3.

    >>> bradley_terry_strengths(torch.tensor([[0.0, 3.0], [1.0, 0.0]]))  # 3 of 4 games won
    tensor([0.7500, 0.2500])
    """
    raise NotImplementedError


# End of the exercises of this chapter.
