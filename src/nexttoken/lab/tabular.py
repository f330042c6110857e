"""Reinforcement learning with an answer that is known: a policy so small that it is a table.

It writes two words, out of four. So there are sixteen answers, the best policy can be computed, and one
can see how far the algorithms come.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from nexttoken.rl import (
    clipped_policy_loss,
    clipped_value_loss,
    discounted_returns,
    generalised_advantages,
    penalised_rewards,
    policy_gradient_loss,
    token_log_probabilities,
    whiten,
)

WORDS = ("sorry", "rule", "luck", "bah")
Pay = Callable[[Tensor, Tensor, Tensor, Tensor, float], Tensor]


def rewards() -> Float[Tensor, "first second"]:
    """What each answer is worth: its words, and one off for saying a word twice."""
    of_words = torch.tensor([1.0, 2.0, 0.5, -2.0])
    return of_words.unsqueeze(1) + of_words - torch.eye(4)


class Table(nn.Module):
    """A policy: a row of scores for the first word, and one for the second word after each first word."""

    def __init__(self, scores: Float[Tensor, "five words"]) -> None:
        super().__init__()
        self.scores = nn.Parameter(scores.clone())

    @classmethod
    def drawn(cls, seed: int) -> "Table":
        return cls(torch.randn(5, 4, generator=torch.Generator().manual_seed(seed)))

    def forward(self, ids: Int[Tensor, "batch time"]) -> Float[Tensor, "batch time words"]:
        """The scores of each next word; the first column of ids is only a mark."""
        return self.scores[torch.cat([torch.zeros_like(ids[:, :1]), 1 + ids[:, 1:]], dim=1)]

    @torch.no_grad()
    def answers(self) -> Float[Tensor, "first second"]:
        """The probability of each answer."""
        chances = self.scores.softmax(dim=-1)
        return chances[:1].T * chances[1:]

    @torch.no_grad()
    def write(self, count: int, generator: torch.Generator) -> Int[Tensor, "count three"]:
        """A mark and two words, so many times."""
        whole = torch.multinomial(self.answers().flatten(), count, replacement=True, generator=generator)
        return torch.stack([torch.zeros_like(whole), whole // 4, whole % 4], dim=1)


def best(
    reference: Float[Tensor, "first second"], reward: Float[Tensor, "first second"], beta: float
) -> Float[Tensor, "first second"]:
    """The policy with the most reward less beta times the distance: no other one is better."""
    weights = reference * (reward / beta).exp()
    return weights / weights.sum()


def total_variation(a: Tensor, b: Tensor) -> float:
    """The probability that would have to be moved to turn one into the other."""
    return 0.5 * (a - b).abs().sum().item()


def train(
    reference: Table,
    beta: float,
    seed: int,
    way: str = "PPO",
    iterations: int = 300,
    batch: int = 256,
    pay: Pay = penalised_rewards,
) -> tuple[Table, list[float]]:
    """Learn from sampled answers; the policy, and how far it was from the best one in each iteration."""
    policy, values = Table(reference.scores.detach()), nn.Parameter(torch.zeros(5))
    steps = torch.optim.Adam([*policy.parameters(), values], lr=0.05)
    calmer = torch.optim.lr_scheduler.LinearLR(steps, 1.0, 0.02, iterations)
    generator = torch.Generator().manual_seed(seed)
    goal, far = best(reference.answers(), rewards(), beta), []
    mask = torch.tensor([False, True, True]).expand(batch, 3)
    for _ in range(iterations):
        far.append(total_variation(policy.answers(), goal))
        ids = policy.write(batch, generator)
        before = torch.cat(
            [torch.zeros_like(ids[:, :1]), torch.zeros_like(ids[:, :1]), 1 + ids[:, 1:2]], dim=1
        )
        with torch.no_grad():
            old = token_log_probabilities(policy(ids), ids)
            base = token_log_probabilities(reference(ids), ids)
            paid = pay(rewards()[ids[:, 1], ids[:, 2]], old, base, mask, beta)
            expected = values[before]
            if way == "PPO":
                advantages = generalised_advantages(paid, expected, mask)
                returns = advantages + expected
                advantages = whiten(advantages, mask)
            else:  # REINFORCE: all that is still to come, and no one who expects anything
                advantages = discounted_returns(paid, mask)
        for _ in range(4 if way == "PPO" else 1):
            log_probs = token_log_probabilities(policy(ids), ids)
            if way == "PPO":
                loss = clipped_policy_loss(log_probs, old, advantages, mask)
                loss = loss + clipped_value_loss(values[before], expected, returns, mask)
            else:
                loss = policy_gradient_loss(log_probs, advantages, mask)
            steps.zero_grad()
            loss.backward()
            steps.step()
        calmer.step()
    far.append(total_variation(policy.answers(), goal))
    return policy, far
