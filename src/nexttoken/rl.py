"""Reinforcement learning: what was rewarded becomes more likely, as long as it stays near what it was.

The model answers, the reward model judges, and every token of the answer gets its share of the praise.
"""

import math
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from nexttoken.exercise import exercise
from nexttoken.requirements import at_least, one_of, shortest_row, token_ids


@exercise(points=2, minutes=15, requires={"ids": token_ids("logits")})
def token_log_probabilities(
    logits: Float[Tensor, "batch time vocab"], ids: Int[Tensor, "batch time"]
) -> Float[Tensor, "batch time"]:
    r"""How likely every token was, after the ones before it: $\log p(id_t \mid id_0, \dots, id_{t-1})$ at t.

    A model that has read $id_0, \dots, id_t$ puts its scores for the *next* token at position t of `logits`.
    Before the first token it has read nothing: position 0 holds 0. Must be finite for logits of 1e4.

    Source: Ziegler et al. 2019, section 2.

    >>> logits = torch.tensor([[[0.0, 100.0], [0.0, 0.0]]])  # after one token it is sure of id 1
    >>> token_log_probabilities(logits, torch.tensor([[1, 1]]))
    tensor([[0., 0.]])
    """
    raise NotImplementedError


@exercise(points=1, minutes=10)
def masked_mean(
    x: Float[Tensor, "batch time"], mask: Bool[Tensor, "batch time"], dim: int | None = None
) -> Float[Tensor, "..."]:
    """The mean of x where `mask` is True: over everything, or along the axis `dim`.

    Where nothing is allowed the mean is 0. What lies outside the mask is ignored, even if it is NaN.

    Source: Huang et al. 2024 (what follows the end of an answer must not count).

    >>> x, mask = torch.tensor([[1.0, 3.0, 100.0]]), torch.tensor([[True, True, False]])
    >>> masked_mean(x, mask), masked_mean(x, mask, dim=1)
    (tensor(2.), tensor([2.]))
    """
    raise NotImplementedError


@exercise(points=2, minutes=15, requires={"kind": one_of("k1", "k2", "k3")})
def kl_estimate(
    log_probs: Float[Tensor, "batch time"],
    reference_log_probs: Float[Tensor, "batch time"],
    kind: Literal["k1", "k2", "k3"] = "k3",
) -> Float[Tensor, "batch time"]:
    r"""What every sampled token says about the KL divergence from the policy to the reference, in nats.

    With $d = \log \pi_{ref}(y) - \log \pi(y)$ for a token y that was drawn from $\pi$:

    $$k_1 = -d \qquad k_2 = \tfrac{1}{2} d^2 \qquad k_3 = e^d - 1 - d$$

    Gradients flow to `log_probs`.

    Source: Schulman 2020, *Approximating KL Divergence*.

    >>> kl_estimate(torch.tensor([[-1.0]]), torch.tensor([[-3.0]]), kind="k1")
    tensor([[2.]])
    """
    raise NotImplementedError


@exercise(points=2, minutes=15)
def penalised_rewards(
    score: Float[Tensor, " batch"],
    log_probs: Float[Tensor, "batch time"],
    reference_log_probs: Float[Tensor, "batch time"],
    mask: Bool[Tensor, "batch time"],
    kl_coefficient: float,
) -> Float[Tensor, "batch time"]:
    r"""The reward of every token: minus a price for straying, and at the end of the answer its score.

    $$r_t = -\beta \, (\log \pi(y_t) - \log \pi_{ref}(y_t)) \; [\, + \text{ score, if } y_t \text{ is the last} \,]$$

    The mask is True at the tokens of the answer, in each row one run of them. Outside it the rewards
    are 0; a row without an answer is all 0.

    Source: Ziegler et al. 2019, equation 2; Ouyang et al. 2022, section 3.5.

    >>> logs, mask = torch.tensor([[-1.0, -1.0, -1.0]]), torch.tensor([[False, True, True]])
    >>> penalised_rewards(torch.tensor([5.0]), logs, logs - 2, mask, kl_coefficient=0.5)
    tensor([[ 0., -1.,  4.]])
    """
    raise NotImplementedError


@exercise(points=2, minutes=15)
def discounted_returns(
    rewards: Float[Tensor, "batch time"], mask: Bool[Tensor, "batch time"], gamma: float = 1.0
) -> Float[Tensor, "batch time"]:
    r"""What is still to come at every token: its own reward, and all later ones, each step worth less.

    $$G_t = r_t + \gamma r_{t+1} + \gamma^2 r_{t+2} + \dots = r_t + \gamma G_{t+1}$$

    Only rewards inside the mask count. Outside it the returns are 0.

    Source: Sutton and Barto 2018, section 3.3, equations 3.8 and 3.9.

    >>> discounted_returns(torch.tensor([[0.0, 0.0, 8.0]]), torch.tensor([[True, True, True]]), gamma=0.5)
    tensor([[2., 4., 8.]])
    """
    raise NotImplementedError


@exercise(points=3, minutes=25)
def generalised_advantages(
    rewards: Float[Tensor, "batch time"],
    values: Float[Tensor, "batch time"],
    mask: Bool[Tensor, "batch time"],
    gamma: float = 1.0,
    lam: float = 0.95,
) -> Float[Tensor, "batch time"]:
    r"""How much better every token did than expected, looking ahead a little (small `lam`) or to the end (1).

    $$\delta_t = r_t + \gamma V_{t+1} - V_t \qquad A_t = \delta_t + \gamma \lambda A_{t+1}$$

    $V_t$, in `values`, is what was expected before token t was chosen. After the last token of the mask
    nothing is expected: V and A are 0 there. Outside the mask the advantages are 0.

    Source: Schulman et al. 2016, section 3, equation 16.

    >>> everywhere = torch.tensor([[True, True]])
    >>> generalised_advantages(torch.tensor([[0.0, 4.0]]), torch.tensor([[1.0, 3.0]]), everywhere, lam=0.0)
    tensor([[2., 1.]])
    """
    raise NotImplementedError


@exercise(points=1, minutes=10)
def whiten(x: Float[Tensor, "batch time"], mask: Bool[Tensor, "batch time"]) -> Float[Tensor, "batch time"]:
    r"""x, moved and stretched so that it has mean 0 and standard deviation 1 over the mask.

    $$\frac{x - \text{mean}}{\sqrt{\text{variance} + 10^{-8}}}$$

    Mean and variance are those of all allowed entries of the whole batch together; the variance is the
    mean of the squared distances (biased). Outside the mask the result is 0.

    Source: Andrychowicz et al. 2021 (advantage normalisation).

    >>> whiten(torch.tensor([[1.0, 3.0, 100.0]]), torch.tensor([[True, True, False]]))
    tensor([[-1.,  1.,  0.]])
    """
    raise NotImplementedError


@exercise(points=2, minutes=15)
def policy_gradient_loss(
    log_probs: Float[Tensor, "batch time"],
    advantages: Float[Tensor, "batch time"],
    mask: Bool[Tensor, "batch time"],
) -> Float[Tensor, ""]:
    r"""The loss whose gradient makes good tokens likelier and bad ones rarer: REINFORCE.

    $$-\operatorname{mean} \; A_t \log \pi(y_t)$$

    The mean runs over the mask. The advantages are given numbers: no gradient goes through them. What lies
    outside the mask is ignored, even if it is NaN: neither the loss nor any gradient may become NaN.

    Source: Williams 1992; Sutton and Barto 2018, section 13.3.

    >>> everywhere = torch.tensor([[True, True]])
    >>> policy_gradient_loss(torch.tensor([[-1.0, -2.0]]), torch.tensor([[4.0, 1.0]]), everywhere)
    tensor(3.)
    """
    raise NotImplementedError


@exercise(points=3, minutes=25)
def clipped_policy_loss(
    log_probs: Float[Tensor, "batch time"],
    old_log_probs: Float[Tensor, "batch time"],
    advantages: Float[Tensor, "batch time"],
    mask: Bool[Tensor, "batch time"],
    clip: float = 0.2,
) -> Float[Tensor, ""]:
    r"""PPO: the same, for tokens that an older policy drew, and without a prize for moving far.

    $$-\operatorname{mean} \; \min\left(\rho_t A_t, \; \operatorname{clip}(\rho_t, 1 - \varepsilon, 1 + \varepsilon)
    A_t\right) \qquad \rho_t = \pi(y_t) / \pi_{old}(y_t)$$

    The mean runs over the mask. What lies outside it is ignored, even if it is NaN: neither the loss nor
    the gradient of `log_probs` may become NaN.

    Source: Schulman et al. 2017, section 3, equation 7.

    >>> old, here = torch.zeros(1, 1), torch.tensor([[True]])
    >>> clipped_policy_loss(old + math.log(2), old, torch.tensor([[10.0]]), here)  # twice as likely: too far
    tensor(-12.)
    """
    raise NotImplementedError


@exercise(points=2, minutes=20)
def clipped_value_loss(
    values: Float[Tensor, "batch time"],
    old_values: Float[Tensor, "batch time"],
    returns: Float[Tensor, "batch time"],
    mask: Bool[Tensor, "batch time"],
    clip: float = 0.2,
) -> Float[Tensor, ""]:
    r"""Half the squared error of the expectations, without a prize for moving them far at once.

    $$\tfrac{1}{2} \operatorname{mean} \; \max\left((V_t - G_t)^2, \; (V^{clip}_t - G_t)^2\right)$$

    $V^{clip}$ is `values`, held within `clip` of `old_values`. The mean runs over the mask. What lies
    outside it is ignored, even if it is NaN: neither the loss nor the gradient of `values` may become NaN.

    Source: Engstrom et al. 2020 (value function clipping).

    >>> one, here = torch.ones(1, 1), torch.tensor([[True]])
    >>> clipped_value_loss(4 * one, 0 * one, 4 * one, here, clip=1.0)  # right, but it moved by 4 at once
    tensor(4.5000)
    """
    raise NotImplementedError


@exercise(points=2, minutes=15)
def entropy(logits: Float[Tensor, "batch time vocab"], mask: Bool[Tensor, "batch time"]) -> Float[Tensor, ""]:
    r"""How undecided the model is about the next token, on average over the mask, in nats.

    $$\operatorname{mean} \; - \sum_y p(y) \log p(y)$$

    A token whose logit is `-inf` cannot come, and adds nothing: $0 \log 0 = 0$. What lies outside the mask
    is ignored, even if it is NaN: neither the mean nor the gradient may become NaN.

    Source: Shannon 1948, section 6.

    >>> round(entropy(torch.zeros(1, 1, 8), torch.tensor([[True]])).item() / math.log(2), 4)  # in bits
    3.0
    """
    raise NotImplementedError


@exercise(points=1, minutes=10, requires={"horizon": at_least(1)})
def update_kl_coefficient(coefficient: float, kl: float, target: float, horizon: int, batch: int) -> float:
    r"""A higher price for straying when the policy strays more than wanted, a lower one when it strays less.

    $$\beta \leftarrow \beta \left(1 + e \cdot \text{batch} / \text{horizon}\right) \qquad
    e = \operatorname{clip}\left(\frac{\text{KL}}{\text{target}} - 1, \; -0.2, \; 0.2\right)$$

    `batch` answers have been judged since the last change. In the course of `horizon` answers the price
    changes by about a fifth at most.

    Source: Ziegler et al. 2019, section 2.2.

    >>> update_kl_coefficient(0.5, kl=9.0, target=3.0, horizon=100, batch=50)
    0.55
    """
    raise NotImplementedError


@exercise(points=1, minutes=10, requires={"rewards": shortest_row(2)})
def leave_one_out_advantages(rewards: Float[Tensor, "prompts samples"]) -> Float[Tensor, "prompts samples"]:
    r"""How much better every answer was than the mean of the *other* answers to the same prompt.

    $$A_i = r_i - \frac{1}{n - 1} \sum_{j \ne i} r_j$$

    Source: Kool, van Hoof and Welling 2019; Ahmadian et al. 2024 (RLOO).

    >>> leave_one_out_advantages(torch.tensor([[1.0, 2.0, 6.0]]))
    tensor([[-3.0000, -1.5000,  4.5000]])
    """
    raise NotImplementedError


@exercise(points=1, minutes=10)
def group_advantages(
    rewards: Float[Tensor, "prompts samples"], eps: float = 1e-4
) -> Float[Tensor, "prompts samples"]:
    r"""How many standard deviations every answer was better than all answers to the same prompt.

    $$A_i = \frac{r_i - \text{mean}}{\text{standard deviation} + \epsilon}$$

    The standard deviation is the biased one. Where all answers got the same, all advantages are 0.

    Source: Shao et al. 2024, section 4.1.2 (GRPO).

    >>> group_advantages(torch.tensor([[1.0, 3.0], [5.0, 5.0]]), eps=1.0)
    tensor([[-0.5000,  0.5000],
            [ 0.0000,  0.0000]])
    """
    raise NotImplementedError


@exercise(points=2, minutes=20)
def dpo_loss(
    chosen: Float[Tensor, " pairs"],
    rejected: Float[Tensor, " pairs"],
    reference_chosen: Float[Tensor, " pairs"],
    reference_rejected: Float[Tensor, " pairs"],
    beta: float,
) -> Float[Tensor, ""]:
    r"""Learning from preferences without a reward model: the policy is its own.

    $$-\operatorname{mean} \; \log \sigma\left(\beta \left(\log \frac{\pi(y_+)}{\pi_{ref}(y_+)} -
    \log \frac{\pi(y_-)}{\pi_{ref}(y_-)}\right)\right)$$

    Each argument but the last holds log-probabilities of whole answers: of the chosen ones $y_+$ and of the
    rejected ones $y_-$, under the policy and under the reference. Must be finite for differences of 1e4.
    The mean of no pairs is 0.

    Source: Rafailov et al. 2023, section 4, equation 7.

    >>> logs = torch.tensor([-5.0])  # nothing learned yet: log 2
    >>> dpo_loss(logs, logs - 3, logs, logs - 3, beta=0.1)
    tensor(0.6931)
    """
    raise NotImplementedError


# End of the exercises of this chapter.
