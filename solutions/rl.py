"""The reference answers of `nexttoken.rl`."""

from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional


def token_log_probabilities(
    logits: Float[Tensor, "batch time vocab"], ids: Int[Tensor, "batch time"]
) -> Float[Tensor, "batch time"]:
    # What stands at t is said about the token at t + 1, which moves everything one place to the right.
    log_probs = logits[:, :-1].log_softmax(dim=-1)
    chosen = log_probs.gather(-1, ids[:, 1:].long().unsqueeze(-1)).squeeze(-1)
    return functional.pad(chosen, (1, 0))


def masked_mean(
    x: Float[Tensor, "batch time"], mask: Bool[Tensor, "batch time"], dim: int | None = None
) -> Float[Tensor, "..."]:
    # Filled, not multiplied: 0 times NaN is NaN.
    return x.masked_fill(~mask, 0.0).sum(dim) / mask.sum(dim).clamp(min=1)


def kl_estimate(
    log_probs: Float[Tensor, "batch time"],
    reference_log_probs: Float[Tensor, "batch time"],
    kind: Literal["k1", "k2", "k3"] = "k3",
) -> Float[Tensor, "batch time"]:
    d = reference_log_probs - log_probs
    return {"k1": -d, "k2": d**2 / 2, "k3": d.expm1() - d}[kind]


def penalised_rewards(
    score: Float[Tensor, " batch"],
    log_probs: Float[Tensor, "batch time"],
    reference_log_probs: Float[Tensor, "batch time"],
    mask: Bool[Tensor, "batch time"],
    kl_coefficient: float,
) -> Float[Tensor, "batch time"]:
    price = kl_coefficient * kl_estimate(log_probs, reference_log_probs, "k1")
    is_last = mask & ~functional.pad(mask[:, 1:], (0, 1))
    return torch.where(is_last, score.unsqueeze(-1) - price, -price).masked_fill(~mask, 0.0)


def discounted_returns(
    rewards: Float[Tensor, "batch time"], mask: Bool[Tensor, "batch time"], gamma: float = 1.0
) -> Float[Tensor, "batch time"]:
    rewards = rewards.masked_fill(~mask, 0.0)
    returns = torch.zeros_like(rewards)
    to_come = rewards.new_zeros(len(rewards))
    for t in reversed(range(rewards.shape[1])):
        to_come = rewards[:, t] + gamma * to_come
        returns[:, t] = to_come
    return returns.masked_fill(~mask, 0.0)


def generalised_advantages(
    rewards: Float[Tensor, "batch time"],
    values: Float[Tensor, "batch time"],
    mask: Bool[Tensor, "batch time"],
    gamma: float = 1.0,
    lam: float = 0.95,
) -> Float[Tensor, "batch time"]:
    values = values.masked_fill(~mask, 0.0)
    errors = rewards + gamma * functional.pad(values[:, 1:], (0, 1)) - values
    # The advantages are the returns of these errors, discounted twice.
    return discounted_returns(errors, mask, gamma * lam)


def whiten(x: Float[Tensor, "batch time"], mask: Bool[Tensor, "batch time"]) -> Float[Tensor, "batch time"]:
    centred = x - masked_mean(x, mask)
    variance = masked_mean(centred**2, mask)
    return (centred / (variance + 1e-8).sqrt()).masked_fill(~mask, 0.0)


def policy_gradient_loss(
    log_probs: Float[Tensor, "batch time"],
    advantages: Float[Tensor, "batch time"],
    mask: Bool[Tensor, "batch time"],
) -> Float[Tensor, ""]:
    # Filled before multiplying: NaN times the slope 0 is NaN, in the gradient.
    advantages = advantages.detach().masked_fill(~mask, 0.0)
    return -masked_mean(advantages * log_probs, mask)


def clipped_policy_loss(
    log_probs: Float[Tensor, "batch time"],
    old_log_probs: Float[Tensor, "batch time"],
    advantages: Float[Tensor, "batch time"],
    mask: Bool[Tensor, "batch time"],
    clip: float = 0.2,
) -> Float[Tensor, ""]:
    ratios = (log_probs - old_log_probs.detach()).masked_fill(~mask, 0.0).exp()
    advantages = advantages.detach().masked_fill(~mask, 0.0)
    clipped = ratios.clamp(1 - clip, 1 + clip)
    # The smaller one: clipping takes a prize away, never a penalty.
    return -masked_mean(torch.minimum(ratios * advantages, clipped * advantages), mask)


def clipped_value_loss(
    values: Float[Tensor, "batch time"],
    old_values: Float[Tensor, "batch time"],
    returns: Float[Tensor, "batch time"],
    mask: Bool[Tensor, "batch time"],
    clip: float = 0.2,
) -> Float[Tensor, ""]:
    values, old_values, returns = (x.masked_fill(~mask, 0.0) for x in (values, old_values, returns))
    clipped = old_values + (values - old_values).clamp(-clip, clip)
    return 0.5 * masked_mean(torch.maximum((values - returns) ** 2, (clipped - returns) ** 2), mask)


def entropy(logits: Float[Tensor, "batch time vocab"], mask: Bool[Tensor, "batch time"]) -> Float[Tensor, ""]:
    log_probs = logits[mask].log_softmax(dim=-1)  # one row for every position that counts
    log_probs = log_probs.clamp(min=torch.finfo(logits.dtype).min)  # since 0 times -inf is NaN
    return -(log_probs.exp() * log_probs).sum() / max(len(log_probs), 1)


def update_kl_coefficient(coefficient: float, kl: float, target: float, horizon: int, batch: int) -> float:
    error = min(max(kl / target - 1, -0.2), 0.2)
    return coefficient * (1 + error * batch / horizon)


def leave_one_out_advantages(rewards: Float[Tensor, "prompts samples"]) -> Float[Tensor, "prompts samples"]:
    others = rewards.sum(dim=-1, keepdim=True) - rewards
    return rewards - others / (rewards.shape[-1] - 1)


def group_advantages(
    rewards: Float[Tensor, "prompts samples"], eps: float = 1e-4
) -> Float[Tensor, "prompts samples"]:
    centred = rewards - rewards.mean(dim=-1, keepdim=True)
    return centred / (rewards.std(dim=-1, correction=0, keepdim=True) + eps)


def dpo_loss(
    chosen: Float[Tensor, " pairs"],
    rejected: Float[Tensor, " pairs"],
    reference_chosen: Float[Tensor, " pairs"],
    reference_rejected: Float[Tensor, " pairs"],
    beta: float,
) -> Float[Tensor, ""]:
    margins = beta * ((chosen - reference_chosen) - (rejected - reference_rejected))
    return -functional.logsigmoid(margins).sum() / max(len(margins), 1)


# End of the references of this chapter.
