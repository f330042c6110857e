"""The reference answers of `nexttoken.reward_model`."""

import math
from itertools import combinations

import torch
from jaxtyping import Float, Int
from torch import Tensor


def ranking_to_pairs(ranking: list[int]) -> list[tuple[int, int]]:
    return list(combinations(ranking, 2))


def preference_probability(
    first: Float[Tensor, "*batch"], second: Float[Tensor, "*batch"]
) -> Float[Tensor, "*batch"]:
    return (first - second).sigmoid()


def preference_loss(chosen: Float[Tensor, "*batch"], rejected: Float[Tensor, "*batch"]) -> Float[Tensor, ""]:
    losses = -torch.nn.functional.logsigmoid(chosen - rejected)
    return losses.sum() / max(losses.numel(), 1)  # mean() of nothing is NaN


def ranking_loss(
    rewards: Float[Tensor, "prompts answers"], rankings: Int[Tensor, "prompts answers"]
) -> Float[Tensor, ""]:
    answers = rewards.shape[-1]
    best_first = rewards.gather(-1, rankings.long())
    better, worse = torch.triu_indices(answers, answers, offset=1, device=rewards.device)
    # All prompts have equally many pairs, so that the mean of their means is the mean of all pairs.
    return preference_loss(best_first[:, better], best_first[:, worse])


def last_token(
    hidden: Float[Tensor, "batch time d_model"], lengths: Int[Tensor, " batch"]
) -> Float[Tensor, "batch d_model"]:
    return hidden[torch.arange(len(hidden), device=hidden.device), lengths.long() - 1]


def scalar_reward(
    hidden: Float[Tensor, "batch time d_model"],
    lengths: Int[Tensor, " batch"],
    weight: Float[Tensor, " d_model"],
    bias: Float[Tensor, ""],
) -> Float[Tensor, " batch"]:
    return last_token(hidden, lengths) @ weight + bias


def pairwise_accuracy(chosen: Float[Tensor, "*batch"], rejected: Float[Tensor, "*batch"]) -> float:
    right = (chosen > rejected).sum().item() + (chosen == rejected).sum().item() / 2
    return right / max(chosen.numel(), 1)


def normalise_rewards(
    rewards: Float[Tensor, "*batch"], demonstrations: Float[Tensor, " demonstrations"]
) -> Float[Tensor, "*batch"]:
    # Asked of the numbers themselves: the deviation of many equal ones need not be 0 to the last bit.
    all_equal = demonstrations.min() == demonstrations.max()
    deviation = torch.where(all_equal, 1.0, demonstrations.std(correction=0))
    return (rewards - demonstrations.mean()) / deviation


def best_of_n(rewards: Float[Tensor, "prompts n"]) -> Int[Tensor, " prompts"]:
    return rewards.argmax(dim=-1)


def best_of_n_kl(n: int) -> float:
    return math.log(n) - (n - 1) / n


def bradley_terry_strengths(
    wins: Float[Tensor, "players players"], iterations: int = 100
) -> Float[Tensor, " players"]:
    players = len(wins)
    wins = wins.masked_fill(torch.eye(players, dtype=torch.bool, device=wins.device), 0.0)
    games = wins + wins.T
    strengths = wins.new_ones(players) / players
    for _ in range(iterations):
        # Two without a game, and one without any, are divided by 1 instead of by what may be 0.
        together = torch.where(games > 0, strengths.unsqueeze(0) + strengths.unsqueeze(1), 1.0)
        expected = (games / together).sum(dim=-1)
        improved = wins.sum(dim=-1) / torch.where(expected > 0, expected, 1.0)
        strengths = torch.where(expected > 0, improved, strengths)
        strengths = strengths / strengths.sum()
    return strengths


# End of the references of this chapter.
