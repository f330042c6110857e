"""The references of `nexttoken.reward_model`, against hand-computed cases and oracles written otherwise."""

import math
from itertools import pairwise, permutations

import pytest
import torch
from torch.autograd.functional import jacobian
from torch.nn import functional
from torch.testing import assert_close

from nexttoken.lab.inputs import Inputs
from nexttoken.reward_model import (
    best_of_n,
    best_of_n_kl,
    bradley_terry_strengths,
    last_token,
    normalise_rewards,
    pairwise_accuracy,
    preference_loss,
    preference_probability,
    ranking_loss,
    ranking_to_pairs,
    scalar_reward,
)

SEEDS = range(50)

pytestmark = pytest.mark.usefixtures("answered_by_the_reference")


def orders(prompts, answers, seed=2):
    """A random ranking for every prompt."""
    return Inputs(seed).uniform(prompts, answers).argsort(dim=-1)


def two(name, other, *shape, scale=1.0):
    """Two tensors of rewards, under these names."""
    draw = Inputs(1)
    return {name: draw.normal(*shape, scale=scale), other: draw.normal(*shape, scale=scale)}


def ranked(prompts, answers, scale=1.0, rankings=None):
    rewards = Inputs(1).normal(prompts, answers, scale=scale).requires_grad_()
    return {"rewards": rewards, "rankings": orders(prompts, answers) if rankings is None else rankings}


def read(lengths, time=4, d_model=3):
    hidden = Inputs(1).normal(len(lengths), time, d_model).requires_grad_()
    return {"hidden": hidden, "lengths": torch.tensor(lengths)}


def scored(lengths, time=4, d_model=3):
    draw = Inputs(2)
    return {**read(lengths, time, d_model), "weight": draw.normal(d_model), "bias": draw.normal(1)[0]}


def league(players, iterations=3, idle=(), winless=()):
    """Random results among players of whom some never played, or never won."""
    wins = Inputs(1).ids(players, players, below=6).double() + 1
    wins[list(idle)], wins[:, list(idle)], wins[list(winless)] = 0.0, 0.0, 0.0
    return {"wins": wins, "iterations": iterations}


# Calls on which every misconception does what neither the reference nor another misconception does;
# tests/test_exercises.py looks at that.
ARGUMENTS = {
    "ranking_to_pairs": [
        lambda: {"ranking": [2, 0, 3, 1]},
        lambda: {"ranking": [9, 4, 7, 5]},
        lambda: {"ranking": []},
    ],
    "preference_probability": [
        lambda: two("first", "second", 2, 3),
        lambda: {"first": torch.tensor([1e4]), "second": torch.tensor([1e4 - 1])},
    ],
    "preference_loss": [
        lambda: two("chosen", "rejected", 2, 3),
        lambda: {"chosen": torch.tensor([0.0, 1e4]), "rejected": torch.tensor([1e4, 0.0])},
        lambda: {"chosen": torch.zeros(0), "rejected": torch.zeros(0)},
    ],
    "ranking_loss": [
        lambda: ranked(2, 4),
        lambda: ranked(3, 5),
        lambda: ranked(1, 3, scale=1e4, rankings=torch.tensor([[2, 0, 1]])),
        lambda: ranked(2, 1),
    ],
    "last_token": [lambda: read([2, 4, 1]), lambda: read([3, 1, 2]), lambda: read([2])],
    "scalar_reward": [lambda: scored([2, 4, 1]), lambda: scored([3, 1, 2]), lambda: scored([2])],
    "pairwise_accuracy": [
        lambda: two("chosen", "rejected", 2, 5),
        lambda: {"chosen": torch.tensor([1.0, 5.0, 0.0]), "rejected": torch.tensor([1.0, 0.0, 2.0])},
        lambda: {"chosen": torch.tensor([-1.0, 5.0]), "rejected": torch.tensor([-1.0, 5.0])},
        lambda: {"chosen": torch.zeros(0), "rejected": torch.zeros(0)},
    ],
    "normalise_rewards": [
        lambda: {"rewards": Inputs(1).normal(3), "demonstrations": 2 + Inputs(2).normal(5, scale=3.0)},
        lambda: {"rewards": Inputs(1).normal(2, 2), "demonstrations": torch.tensor([2.0, 2.0])},
    ],
    "best_of_n": [
        lambda: {"rewards": Inputs(1).normal(3, 4)},
        lambda: {"rewards": torch.tensor([[1.0, 2.0, 2.0], [3.0, 3.0, 0.0]])},
    ],
    "best_of_n_kl": [lambda: {"n": 1}, lambda: {"n": 2}, lambda: {"n": 5}],
    "bradley_terry_strengths": [
        lambda: league(4),
        lambda: league(4, iterations=1),
        lambda: league(5, idle=[1]),
        lambda: league(5, winless=[2, 3]),
    ],
}


# --- ranking_to_pairs ----------------------------------------------------------------------------


def test_four_ranked_answers_are_six_pairs_the_best_ones_first():
    assert ranking_to_pairs([3, 0, 2, 1]) == [(3, 0), (3, 2), (3, 1), (0, 2), (0, 1), (2, 1)]


@pytest.mark.parametrize("answers", range(10))
def test_k_answers_make_k_times_k_minus_1_over_2_pairs_and_each_two_meet_once(answers):
    pairs = ranking_to_pairs(list(range(answers)))
    assert len(pairs) == answers * (answers - 1) // 2
    assert len({frozenset(pair) for pair in pairs}) == len(pairs)


def test_the_pairs_say_all_that_the_ranking_said():
    for ranking in permutations(range(4)):
        won = [better for better, _ in ranking_to_pairs(list(ranking))]
        assert tuple(sorted(range(4), key=won.count, reverse=True)) == ranking


# --- preference_probability ----------------------------------------------------------------------


def test_preference_probability_by_hand():
    # Rewards are logarithms of strengths: 3 against 1 wins 3 of 4.
    first, second = torch.tensor([3.0, 1.0, 1.0]).log(), torch.tensor([1.0, 3.0, 1.0]).log()
    assert_close(preference_probability(first, second), torch.tensor([0.75, 0.25, 0.5]))


@pytest.mark.parametrize("axes", [(), (3,), (2, 3), (0,)])
def test_preference_probability_is_a_share_of_two_strengths(axes):
    for seed in SEEDS:
        draw = Inputs(seed)
        first, second = draw.normal(*axes or (1,)).reshape(axes), draw.normal(*axes or (1,)).reshape(axes)
        expected = torch.stack([first, second]).softmax(dim=0)[0]
        assert_close(preference_probability(first, second), expected)


def test_preference_probability_is_finite_far_out_and_sees_only_the_difference():
    first, second = torch.tensor([1e4, 1e4, -1e4, 0.0]), torch.tensor([1e4 - 1, -1e4, 1e4, 0.0])
    assert_close(
        preference_probability(first, second), torch.tensor([0.7311, 1.0, 0.0, 0.5]), atol=1e-4, rtol=0
    )


# --- preference_loss -----------------------------------------------------------------------------


def test_preference_loss_by_hand():
    chosen, rejected = torch.tensor([3.0, 1.0]).log(), torch.tensor([1.0, 1.0]).log()
    assert preference_loss(chosen, rejected).item() == pytest.approx((math.log(4 / 3) + math.log(2)) / 2)


@pytest.mark.parametrize("axes", [(1,), (4,), (2, 3)])
def test_preference_loss_is_the_cross_entropy_of_always_choosing_the_first(axes):
    for seed in SEEDS:
        draw = Inputs(seed)
        chosen, rejected = draw.normal(*axes), draw.normal(*axes)
        logits = torch.stack([chosen.flatten(), rejected.flatten()], dim=-1)
        expected = functional.cross_entropy(logits, torch.zeros(chosen.numel(), dtype=torch.int64))
        assert_close(preference_loss(chosen, rejected), expected)


def test_the_gradient_is_the_probability_that_was_left_for_the_wrong_choice():
    draw = Inputs(1)
    chosen, rejected = draw.normal(5).requires_grad_(), draw.normal(5).requires_grad_()
    of_chosen, of_rejected = torch.autograd.grad(preference_loss(chosen, rejected), (chosen, rejected))
    assert_close(of_chosen, -preference_probability(rejected, chosen) / 5)
    assert_close(of_rejected, -of_chosen)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_preference_loss_and_its_gradient_are_finite_where_the_rewards_are_very_wrong(dtype):
    chosen = torch.tensor([0.0, 1e4], dtype=dtype, requires_grad=True)
    loss = preference_loss(chosen, torch.tensor([1e4, 0.0], dtype=dtype))
    assert loss.item() == 5000
    assert loss.dtype == dtype
    assert torch.autograd.grad(loss, chosen)[0].tolist() == [-0.5, 0]


def test_no_pair_costs_nothing_and_pulls_nowhere():
    nothing = torch.zeros(0, requires_grad=True)
    loss = preference_loss(nothing, nothing)
    assert (loss.shape, loss.item()) == ((), 0)
    loss.backward()


# --- ranking_loss --------------------------------------------------------------------------------


def test_ranking_loss_by_hand():
    # Strengths 4, 2, 1, ranked 1, 0, 2: the pairs are won with 2/6, 2/3 and 4/5.
    rewards = torch.tensor([[4.0, 2.0, 1.0]]).log()
    expected = -(math.log(2 / 6) + math.log(2 / 3) + math.log(4 / 5)) / 3
    assert ranking_loss(rewards, torch.tensor([[1, 0, 2]])).item() == pytest.approx(expected)


@pytest.mark.parametrize(("prompts", "answers"), [(1, 2), (3, 4), (2, 9), (4, 3)])
def test_ranking_loss_and_its_gradient_agree_with_loops_over_prompts_and_pairs(prompts, answers):
    for seed in range(10):
        rewards, rankings = Inputs(seed).normal(prompts, answers), orders(prompts, answers, seed)

        def slowly(rewards, rankings=rankings):
            of_prompts = []
            for row, ranking in zip(rewards, rankings.tolist(), strict=True):
                powers, pairs = row.exp(), ranking_to_pairs(ranking)
                chances = [powers[better] / (powers[better] + powers[worse]) for better, worse in pairs]
                of_prompts.append(-torch.stack(chances).log().mean())
            return torch.stack(of_prompts).mean()

        def quickly(rewards, rankings=rankings):
            return ranking_loss(rewards, rankings)

        assert_close(quickly(rewards), slowly(rewards))
        assert_close(jacobian(quickly, rewards), jacobian(slowly, rewards))


def test_with_two_answers_it_is_the_loss_of_pairs():
    rewards, rankings = Inputs(1).normal(6, 2), orders(6, 2)
    chosen, rejected = rewards.gather(1, rankings).unbind(dim=1)
    assert_close(ranking_loss(rewards, rankings), preference_loss(chosen, rejected))


def test_neither_the_order_of_writing_nor_a_prompt_s_own_zero_changes_the_ranking_loss():
    rewards, rankings, written = Inputs(1).normal(3, 5), orders(3, 5), orders(3, 5, seed=7)
    loss = ranking_loss(rewards, rankings)
    assert_close(ranking_loss(rewards + Inputs(2).normal(3, 1), rankings), loss)
    assert_close(ranking_loss(rewards.gather(1, written), written.argsort(dim=1).gather(1, rankings)), loss)


def test_answers_of_different_prompts_are_never_compared():
    rewards, rankings = Inputs(1).normal(3, 4), orders(3, 4)
    alone = torch.stack([ranking_loss(rewards[i : i + 1], rankings[i : i + 1]) for i in range(3)])
    assert_close(ranking_loss(rewards, rankings), alone.mean())


def test_the_true_order_costs_least_of_all_rankings():
    rewards = torch.tensor([[0.3, 2.0, -1.0, 0.9]])
    losses = {order: ranking_loss(rewards, torch.tensor([order])).item() for order in permutations(range(4))}
    assert min(losses, key=losses.get) == (1, 3, 0, 2)
    assert max(losses, key=losses.get) == (2, 0, 3, 1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_ranking_loss_and_its_gradient_are_finite_where_the_rewards_are_very_wrong(dtype):
    rewards = torch.tensor([[0.0, 1e4, 2e4]], dtype=dtype, requires_grad=True)
    loss = ranking_loss(rewards, torch.tensor([[0, 1, 2]]))
    assert loss.item() == pytest.approx(4e4 / 3)
    assert loss.dtype == dtype
    assert torch.autograd.grad(loss, rewards)[0].isfinite().all()


@pytest.mark.parametrize("shape", [(3, 1), (0, 4), (0, 1)])
def test_without_pairs_the_ranking_loss_is_0(shape):
    rewards = torch.zeros(shape, requires_grad=True)
    loss = ranking_loss(rewards, torch.zeros(shape, dtype=torch.int64))
    assert loss.item() == 0
    loss.backward()


def test_small_integers_are_rankings_too():
    rewards, rankings = Inputs(1).normal(3, 4), orders(3, 4)
    for dtype in (torch.int32, torch.uint8):
        assert_close(ranking_loss(rewards, rankings.to(dtype)), ranking_loss(rewards, rankings))


@pytest.mark.parametrize("wrong", [2, -1])
def test_a_ranking_names_answers_that_exist(wrong):
    with pytest.raises(ValueError, match=f"rankings must hold ids from 0 to 1, got {wrong}"):
        ranking_loss(torch.zeros(1, 2), torch.tensor([[0, wrong]]))


# --- last_token and scalar_reward ----------------------------------------------------------------


def test_last_token_is_what_a_loop_finds():
    for seed in SEEDS:
        draw = Inputs(seed)
        hidden, lengths = draw.normal(6, 5, 3), 1 + draw.ids(6, below=5)
        expected = torch.stack([row[:n][-1] for row, n in zip(hidden, lengths.tolist(), strict=True)])
        assert torch.equal(last_token(hidden, lengths), expected)
        assert torch.equal(last_token(hidden, lengths.to(torch.uint8)), expected)


def test_padding_is_not_read_whatever_it_holds():
    hidden, lengths = Inputs(1).normal(2, 4, 3), torch.tensor([2, 3])
    weight, bias = torch.ones(3, dtype=torch.float64), torch.tensor(0.5)
    before = last_token(hidden, lengths), scalar_reward(hidden, lengths, weight, bias)
    hidden[0, 2:], hidden[1, 3:] = math.nan, math.inf
    assert torch.equal(last_token(hidden, lengths), before[0])
    assert torch.equal(scalar_reward(hidden, lengths, weight, bias), before[1])


def test_the_gradient_reaches_the_last_real_token_alone():
    hidden = Inputs(1).normal(3, 4, 2).requires_grad_()
    gradient = torch.autograd.grad(last_token(hidden, torch.tensor([4, 1, 2])).sum(), hidden)[0]
    assert gradient.sum(dim=-1).nonzero().tolist() == [[0, 3], [1, 0], [2, 1]]


def test_scalar_reward_by_hand():
    hidden = torch.tensor([[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]]])
    rewards = scalar_reward(hidden, torch.tensor([2, 1]), torch.tensor([10.0, -1.0]), torch.tensor(0.5))
    assert rewards.tolist() == [26.5, 44.5]


def test_scalar_reward_is_a_linear_layer_on_the_last_token():
    for seed in SEEDS:
        draw = Inputs(seed)
        hidden, lengths = draw.normal(4, 5, 3), 1 + draw.ids(4, below=5)
        weight, bias = draw.normal(3), draw.normal(1)
        layer = functional.linear(hidden, weight.unsqueeze(0), bias).squeeze(-1)
        expected = torch.stack([row[n - 1] for row, n in zip(layer, lengths.tolist(), strict=True)])
        assert_close(scalar_reward(hidden, lengths, weight, bias[0]), expected)


def test_an_answer_s_reward_does_not_depend_on_the_others_in_the_batch():
    hidden, lengths = Inputs(1).normal(4, 5, 3), torch.tensor([5, 1, 3, 2])
    weight, bias = Inputs(2).normal(3), torch.tensor(1.0)
    together = scalar_reward(hidden, lengths, weight, bias)
    for i, n in enumerate(lengths.tolist()):
        alone = scalar_reward(hidden[i : i + 1, :n], lengths[i : i + 1], weight, bias)
        assert_close(alone, together[i : i + 1])


@pytest.mark.parametrize("wrong", [0, 4, -1])
def test_a_length_lies_between_1_and_the_time(wrong):
    hidden, lengths = torch.zeros(2, 3, 1), torch.tensor([3, wrong])
    with pytest.raises(ValueError, match=rf"last_token: lengths must lie in 1\.\.3, .* got {wrong}"):
        last_token(hidden, lengths)
    with pytest.raises(ValueError, match=f"scalar_reward: lengths must .* got {wrong}"):
        scalar_reward(hidden, lengths, torch.zeros(1), torch.tensor(0.0))


# --- pairwise_accuracy ---------------------------------------------------------------------------


def test_pairwise_accuracy_by_hand():
    # Right, wrong, a tie, right: two and a half of four.
    chosen, rejected = torch.tensor([2.0, 0.0, 1.0, -1.0]), torch.tensor([1.0, 5.0, 1.0, -2.0])
    assert pairwise_accuracy(chosen, rejected) == 2.5 / 4
    assert isinstance(pairwise_accuracy(chosen, rejected), float)


def test_pairwise_accuracy_agrees_with_a_loop_and_with_its_mirror_image():
    for seed in SEEDS:
        draw = Inputs(seed)
        chosen, rejected = draw.ids(3, 4, below=4).double(), draw.ids(3, 4, below=4).double()
        points = [
            1.0 if c > r else 0.5 if c == r else 0.0
            for c, r in zip(chosen.flatten().tolist(), rejected.flatten().tolist(), strict=True)
        ]
        assert pairwise_accuracy(chosen, rejected) == pytest.approx(sum(points) / 12)
        assert pairwise_accuracy(chosen, rejected) + pairwise_accuracy(rejected, chosen) == pytest.approx(1)


def test_equal_infinite_rewards_are_a_tie():
    infinite = torch.tensor([math.inf, -math.inf])
    assert pairwise_accuracy(infinite, infinite) == 0.5


def test_the_accuracy_of_nothing_is_0():
    assert pairwise_accuracy(torch.zeros(0), torch.zeros(0)) == 0


# --- normalise_rewards ---------------------------------------------------------------------------


def test_normalise_rewards_by_hand():
    # 2, 4, 6 have mean 4 and biased variance 8/3.
    found = normalise_rewards(torch.tensor([4.0, 8.0]), torch.tensor([2.0, 4.0, 6.0]))
    assert_close(found, torch.tensor([0.0, 4 / math.sqrt(8 / 3)]))


def test_the_demonstrations_become_mean_0_and_deviation_1_in_whatever_unit_they_came():
    for seed in SEEDS:
        demonstrations = 100 + Inputs(seed).normal(7, scale=10.0 ** (seed % 5))
        normal = normalise_rewards(demonstrations, demonstrations)
        assert normal.mean().item() == pytest.approx(0, abs=1e-9)
        assert normal.square().mean().item() == pytest.approx(1)


def test_normalising_twice_is_normalising_once():
    draw = Inputs(1)
    rewards, demonstrations = draw.normal(2, 3), 4 + draw.normal(9)
    once, of_demonstrations = (normalise_rewards(r, demonstrations) for r in (rewards, demonstrations))
    assert_close(normalise_rewards(once, of_demonstrations), once)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("copies", [1, 3, 10])
def test_equal_demonstrations_only_shift_though_their_mean_is_rounded(dtype, copies):
    rewards = torch.tensor([1.1, -0.9], dtype=dtype, requires_grad=True)
    normal = normalise_rewards(rewards, torch.tensor([0.1] * copies, dtype=dtype))
    assert_close(normal, torch.tensor([1.0, -1.0], dtype=dtype))
    assert torch.autograd.grad(normal.sum(), rewards)[0].tolist() == [1, 1]


def test_one_reward_alone_is_normalised_as_in_company_and_comparisons_stay_as_they_were():
    draw = Inputs(1)
    rewards, demonstrations = draw.normal(2, 6), draw.normal(4)
    normal = normalise_rewards(rewards, demonstrations)
    assert_close(normalise_rewards(rewards[1, 2], demonstrations), normal[1, 2])
    assert pairwise_accuracy(normal[0], normal[1]) == pairwise_accuracy(rewards[0], rewards[1])


def test_without_demonstrations_there_is_no_yardstick():
    with pytest.raises(ValueError, match="demonstrations must not be empty"):
        normalise_rewards(torch.zeros(2), torch.zeros(0))


# --- best_of_n and best_of_n_kl ------------------------------------------------------------------


def test_best_of_n_agrees_with_python_s_max_which_takes_the_first_of_equal_ones():
    for seed in SEEDS:
        rewards = Inputs(seed).ids(5, 6, below=4).double()
        expected = [max(range(6), key=row.__getitem__) for row in rewards.tolist()]
        assert best_of_n(rewards).tolist() == expected


def test_of_a_thousand_equal_answers_the_first_is_taken():
    assert best_of_n(torch.zeros(2, 1000)).tolist() == [0, 0]


def test_no_prompt_gets_no_answer_and_no_answer_is_an_error():
    assert best_of_n(torch.zeros(0, 3)).shape == (0,)
    with pytest.raises(ValueError, match=r"rewards must have at least 1 number a row, got shape \(2, 0\)"):
        best_of_n(torch.zeros(2, 0))


def test_best_of_n_kl_by_hand():
    assert best_of_n_kl(1) == 0
    assert best_of_n_kl(2) == pytest.approx(math.log(2) - 0.5)
    assert best_of_n_kl(4) == pytest.approx(2 * math.log(2) - 0.75)


@pytest.mark.parametrize("n", [1, 2, 3, 10, 64])
def test_best_of_n_kl_is_the_divergence_of_the_greatest_of_n_draws(n):
    # Of m equally likely answers in the order of their worth, the best of n is among the first k with (k/m)^n.
    m = 200_000
    below = (torch.arange(m + 1, dtype=torch.float64) / m) ** n
    chosen = below.diff()
    assert torch.special.xlogy(chosen, chosen * m).sum().item() == pytest.approx(best_of_n_kl(n), abs=1e-4)


def test_best_of_n_kl_grows_by_less_than_the_logarithm():
    values = [best_of_n_kl(n) for n in range(1, 200)]
    assert all(a < b < math.log(n) for n, (a, b) in enumerate(pairwise(values), start=2))


@pytest.mark.parametrize("n", [0, -3])
def test_n_is_at_least_1(n):
    with pytest.raises(ValueError, match=f"n must be at least 1, got {n}"):
        best_of_n_kl(n)


# --- bradley_terry_strengths ---------------------------------------------------------------------


def test_two_players_get_their_shares_of_the_games_at_once():
    wins = torch.tensor([[0.0, 7.0], [3.0, 0.0]])
    assert_close(bradley_terry_strengths(wins, iterations=1), torch.tensor([0.7, 0.3]))
    assert_close(bradley_terry_strengths(wins), torch.tensor([0.7, 0.3]))


def test_one_iteration_by_hand():
    # From thirds, a game is worth 3/2. Won and played: 3 of 4, 2 of 6, 2 of 4; the shares 3/4, 1/3, 1/2.
    wins = torch.tensor([[0.0, 3.0, 0.0], [1.0, 0.0, 1.0], [0.0, 2.0, 0.0]])
    games = wins + wins.T
    shares = wins.sum(dim=1) / games.sum(dim=1)
    assert_close(bradley_terry_strengths(wins, iterations=1), shares / shares.sum())


def test_results_that_fit_some_strengths_exactly_give_these_strengths():
    for seed in range(10):
        strengths = Inputs(seed).uniform(5, low=0.2, high=1.0)
        strengths = strengths / strengths.sum()
        wins = 20 * strengths.unsqueeze(1) / (strengths.unsqueeze(1) + strengths.unsqueeze(0))
        assert_close(bradley_terry_strengths(wins, iterations=1000), strengths)


def likelihood(wins, strengths):
    rewards = strengths.log()
    apart = wins.masked_fill(torch.eye(len(wins), dtype=torch.bool), 0.0)
    return -(apart * functional.softplus(rewards.unsqueeze(0) - rewards.unsqueeze(1))).sum()


def test_every_iteration_makes_the_results_likelier_until_the_slope_is_flat():
    wins = Inputs(1).ids(6, 6, below=9).double() + 1
    values = [likelihood(wins, bradley_terry_strengths(wins, n)).item() for n in range(20)]
    assert all(before < after for before, after in pairwise(values))
    strengths = bradley_terry_strengths(wins, 500).requires_grad_()
    assert torch.autograd.grad(likelihood(wins, strengths), strengths)[0].abs().max() < 1e-6


def test_the_strengths_are_those_that_preference_loss_finds_by_gradient_descent():
    wins = Inputs(2).ids(4, 4, below=6).double() + 1
    one, other = torch.triu_indices(4, 4, offset=1)
    rewards = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([rewards], max_iter=200, tolerance_grad=1e-10)

    def closure():
        optimizer.zero_grad()
        pairs = torch.cat([one, other]), torch.cat([other, one])
        times = wins[pairs].long()
        loss = preference_loss(
            rewards[pairs[0]].repeat_interleave(times), rewards[pairs[1]].repeat_interleave(times)
        )
        loss.backward()
        return loss

    optimizer.step(closure)
    assert_close(bradley_terry_strengths(wins, 500), rewards.detach().softmax(dim=0), atol=1e-5, rtol=0)


def slowly(wins, iterations):
    """The update, written as loops over players."""
    players = range(len(wins))
    strengths = [1 / len(wins)] * len(wins)
    for _ in range(iterations):
        updated = []
        for i in players:
            won = sum(wins[i][j] for j in players if j != i)
            met = [j for j in players if j != i and wins[i][j] + wins[j][i] > 0]
            expected = sum((wins[i][j] + wins[j][i]) / (strengths[i] + strengths[j]) for j in met)
            updated.append(won / expected if expected else strengths[i])
        strengths = [s / sum(updated) for s in updated]
    return strengths


@pytest.mark.parametrize("iterations", [0, 1, 2, 7])
def test_sparse_results_agree_with_loops(iterations):
    for seed in SEEDS:
        draw = Inputs(seed)
        wins = draw.ids(5, 5, below=4) * (draw.uniform(5, 5) < 0.3)  # many pairs that never met
        found = bradley_terry_strengths(wins.double(), iterations)
        assert found.tolist() == pytest.approx(slowly(wins.tolist(), iterations), abs=1e-12)
        assert found.sum().item() == pytest.approx(1)


def test_who_never_played_is_left_as_it_was_and_winless_players_make_no_nan():
    never = torch.tensor([[0.0, 2.0, 1.0, 0.0, 0.0], [2.0, 0.0, 1.0, 0.0, 1.0], *[[0.0] * 5] * 3])
    strengths = bradley_terry_strengths(never, 30)
    assert strengths.isfinite().all()
    assert strengths[2] == strengths[4] == 0
    assert strengths[3] > 0
    assert bradley_terry_strengths(torch.zeros(4, 4)).tolist() == [0.25] * 4
    assert bradley_terry_strengths(torch.zeros(1, 1)).tolist() == [1]


def test_the_diagonal_is_not_read_even_if_it_is_not_a_number():
    wins = Inputs(1).ids(4, 4, below=6).double()
    wins.fill_diagonal_(0)
    expected = bradley_terry_strengths(wins)
    for anything in (7.0, math.nan, math.inf):
        assert torch.equal(bradley_terry_strengths(wins.clone().fill_diagonal_(anything)), expected)


def test_neither_names_nor_the_number_of_repetitions_matter():
    wins, order = Inputs(1).ids(5, 5, below=6).double() + 1, Inputs(2).uniform(5).argsort()
    strengths = bradley_terry_strengths(wins)
    assert_close(bradley_terry_strengths(wins[order][:, order]), strengths[order])
    assert_close(bradley_terry_strengths(4 * wins), strengths)


def test_iterations_are_not_negative():
    with pytest.raises(ValueError, match="iterations must be at least 0, got -1"):
        bradley_terry_strengths(torch.zeros(2, 2), iterations=-1)


# --- all -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_dtype_is_kept(dtype):
    rewards, lengths = Inputs(1).normal(3, 4).to(dtype), torch.tensor([1, 2, 1])
    results = [
        preference_probability(rewards, -rewards),
        preference_loss(rewards, -rewards),
        ranking_loss(rewards, orders(3, 4)),
        last_token(rewards.unsqueeze(1).expand(3, 2, 4), lengths),
        scalar_reward(rewards.unsqueeze(1).expand(3, 2, 4), lengths, rewards[0], rewards[0, 0]),
        normalise_rewards(rewards, rewards[0]),
        bradley_terry_strengths(rewards[:, :3].exp()),
    ]
    assert {result.dtype for result in results} == {dtype}
