"""The references of `nexttoken.rl`, against hand-computed cases and oracles written otherwise."""

import math

import pytest
import torch
from torch.distributions import Categorical, kl_divergence
from torch.nn import functional
from torch.testing import assert_close

from nexttoken.autoregression import sequence_log_probability
from nexttoken.lab.inputs import Inputs
from nexttoken.rl import (
    clipped_policy_loss,
    clipped_value_loss,
    discounted_returns,
    dpo_loss,
    entropy,
    generalised_advantages,
    group_advantages,
    kl_estimate,
    leave_one_out_advantages,
    masked_mean,
    penalised_rewards,
    policy_gradient_loss,
    token_log_probabilities,
    update_kl_coefficient,
    whiten,
)

SEEDS = range(50)
NAN = float("nan")

pytestmark = pytest.mark.usefixtures("answered_by_the_reference")


def runs(*begin_and_end, time=6):
    """A mask with one run of True a row, from the first number up to the second."""
    places = torch.arange(time)
    return torch.stack([(begin <= places) & (places < end) for begin, end in begin_and_end])


MASK = runs((2, 5), (0, 3), (1, 2), (3, 3), (2, 6))  # three, at once, one, none, up to the last column


def some_mask(seed, batch=4, time=6):
    draw = Inputs(seed)
    begin = draw.ids(batch, below=time)
    return runs(*zip(begin.tolist(), (begin + draw.ids(batch, below=time)).tolist(), strict=True), time=time)


def tables(number, seed=1, mask=MASK, outside=None, leaf=True):
    """Some tensors of the mask's shape, the first one a leaf; outside the mask they may be `outside`."""
    found = [Inputs(seed + i).normal(*mask.shape) for i in range(number)]
    if outside is not None:
        found = [x.masked_fill(~mask, outside) for x in found]
    return [found[0].requires_grad_(leaf), *found[1:]]


def judged(outside=None, coefficient=0.3):
    log_probs, reference = tables(2, outside=outside, leaf=False)
    return {
        "score": Inputs(9).normal(len(MASK)),
        "log_probs": log_probs,
        "reference_log_probs": reference,
        "mask": MASK,
        "kl_coefficient": coefficient,
    }


def clipped(names, outside=None, clip=0.2):
    """Arguments of a clipped loss, in which both signs occur on both sides of the clip."""
    change, old, third = tables(3, seed=14, outside=outside, leaf=False)
    new = (old + change).requires_grad_()
    return {**dict(zip(names, (new, old, third), strict=True)), "mask": MASK, "clip": clip}


def policies(outside=None, clip=0.2):
    return clipped(("log_probs", "old_log_probs", "advantages"), outside, clip)


def expectations(outside=None, clip=0.2):
    return clipped(("values", "old_values", "returns"), outside, clip)


def preferences(pairs=4, beta=0.3, scale=3.0):
    names = ("chosen", "rejected", "reference_chosen", "reference_rejected")
    draw = Inputs(1)
    return {**{name: draw.normal(pairs, scale=scale) for name in names}, "beta": beta}


def hidden(logits, mask=MASK):
    return logits.masked_fill(~mask.unsqueeze(-1), NAN).requires_grad_()


# Calls on which every misconception does what neither the reference nor another misconception does;
# tests/test_exercises.py looks at that.
ARGUMENTS = {
    "token_log_probabilities": [
        lambda: {"logits": Inputs(1).normal(2, 4, 5).requires_grad_(), "ids": Inputs(2).ids(2, 4, below=5)},
        lambda: {"logits": 1e4 * Inputs(1).normal(2, 4, 5), "ids": Inputs(2).ids(2, 4, below=5)},
    ],
    "masked_mean": [
        lambda: {"x": tables(1)[0], "mask": MASK, "dim": None},
        lambda: {"x": tables(1)[0], "mask": MASK, "dim": 1},
        lambda: {"x": tables(1, outside=NAN)[0], "mask": MASK, "dim": 0},
    ],
    "kl_estimate": [
        lambda kind=kind: dict(
            zip(("log_probs", "reference_log_probs", "kind"), (*tables(2), kind), strict=True)
        )
        for kind in ("k1", "k2", "k3")
    ],
    "penalised_rewards": [judged, lambda: judged(outside=NAN)],
    "discounted_returns": [
        lambda: {"rewards": tables(1, leaf=False)[0], "mask": MASK, "gamma": 0.8},
        lambda: {"rewards": tables(1, outside=NAN, leaf=False)[0], "mask": MASK, "gamma": 0.8},
    ],
    "generalised_advantages": [
        lambda: (
            {**dict(zip(("rewards", "values"), tables(2, leaf=False), strict=True)), "mask": MASK}
            | {"gamma": 0.8, "lam": 0.6}
        ),
        lambda: (
            {
                **dict(zip(("rewards", "values"), tables(2, outside=NAN, leaf=False), strict=True)),
                "mask": MASK,
            }
            | {"gamma": 0.8, "lam": 0.6}
        ),
    ],
    "whiten": [
        lambda: {"x": 1 + tables(1, leaf=False)[0], "mask": MASK},
        lambda: {"x": 1 + 1e-4 * tables(1, leaf=False)[0], "mask": MASK},
        lambda: {"x": tables(1, outside=NAN, leaf=False)[0], "mask": MASK},
    ],
    "policy_gradient_loss": [
        lambda: {
            "log_probs": tables(1)[0],
            "advantages": Inputs(5).normal(5, 6).requires_grad_(),
            "mask": MASK,
        },
        lambda: dict(zip(("log_probs", "advantages", "mask"), (*tables(2, outside=NAN), MASK), strict=True)),
    ],
    "clipped_policy_loss": [
        policies,
        lambda: policies(outside=NAN),
        lambda: policies(clip=0.5),
        lambda: (given := policies()) | {"advantages": -given["advantages"]},
    ],
    "clipped_value_loss": [
        expectations,
        lambda: expectations(outside=NAN),
        lambda: expectations(clip=0.5),
        lambda: (given := expectations()) | {"returns": given["values"].detach() + 0.1},
    ],
    "entropy": [
        lambda: {"logits": Inputs(1).normal(5, 6, 4).requires_grad_(), "mask": MASK},
        lambda: {"logits": hidden(Inputs(1).normal(5, 6, 4)), "mask": MASK},
        lambda: {
            "logits": Inputs(1).normal(5, 6, 4).index_fill(2, torch.tensor([1]), -math.inf),
            "mask": MASK,
        },
    ],
    "update_kl_coefficient": [
        lambda: {"coefficient": 0.3, "kl": 5.5, "target": 5.0, "horizon": 100, "batch": 32},
        lambda: {"coefficient": 0.3, "kl": 9.0, "target": 5.0, "horizon": 100, "batch": 320},
        lambda: {"coefficient": 0.3, "kl": 0.0, "target": 5.0, "horizon": 100, "batch": 32},
    ],
    "leave_one_out_advantages": [lambda: {"rewards": Inputs(1).normal(3, 4)}],
    "group_advantages": [
        lambda: {"rewards": Inputs(1).normal(3, 4), "eps": 0.1},
        lambda: {"rewards": torch.ones(2, 3, dtype=torch.float64), "eps": 1e-4},
    ],
    "dpo_loss": [
        preferences,
        lambda: preferences(scale=3e4),
        lambda: preferences(pairs=0),
    ],
}


# --- token_log_probabilities ---------------------------------------------------------------------


def test_token_log_probabilities_by_hand():
    # After id 0 the model gives 3/4 to id 1; after that, 1/2 to each.
    logits = torch.tensor([[[0.0, math.log(3)], [0.0, 0.0], [5.0, 0.0]]])
    found = token_log_probabilities(logits, torch.tensor([[0, 1, 0]]))
    assert_close(found, torch.tensor([[1.0, 3 / 4, 1 / 2]]).log())


def test_token_log_probabilities_agree_with_torch_s_cross_entropy_and_with_the_first_chapter():
    for seed in SEEDS:
        draw = Inputs(seed)
        logits, ids = draw.normal(3, 5, 7), draw.ids(3, 5, below=7)
        found = token_log_probabilities(logits, ids)
        expected = -functional.cross_entropy(logits[:, :-1].mT, ids[:, 1:], reduction="none")
        assert_close(found[:, 1:], expected)
        assert found[:, 0].tolist() == [0, 0, 0]
        assert_close(found.sum(dim=1), sequence_log_probability(logits[:, :-1], ids[:, 1:]))


def test_the_last_logits_and_the_first_id_change_nothing():
    logits, ids = Inputs(1).normal(1, 3, 4).requires_grad_(), torch.tensor([[0, 1, 2]])
    found = token_log_probabilities(logits, ids)
    assert torch.equal(found, token_log_probabilities(logits, torch.tensor([[3, 1, 2]])))
    assert torch.autograd.grad(found.sum(), logits)[0][:, -1].count_nonzero() == 0


def test_token_log_probabilities_stay_finite_and_keep_the_dtype():
    logits = torch.tensor([[[0.0, 1e4], [0.0, 0.0]]])
    found = token_log_probabilities(logits, torch.tensor([[0, 0]], dtype=torch.int32))
    assert (found.tolist(), found.dtype) == ([[0, -1e4]], torch.float32)


@pytest.mark.parametrize("wrong", [-1, 3])
def test_ids_must_be_rows_of_the_vocabulary(wrong):
    with pytest.raises(ValueError, match=f"ids must hold ids from 0 to 2, got {wrong}"):
        token_log_probabilities(torch.zeros(1, 2, 3), torch.tensor([[0, wrong]]))


# --- masked_mean ---------------------------------------------------------------------------------


def test_masked_mean_agrees_with_a_list_of_what_is_allowed():
    for seed in SEEDS:
        x, mask = Inputs(seed).normal(4, 6), some_mask(seed)
        allowed = x[mask].tolist()
        assert masked_mean(x, mask).item() == pytest.approx(sum(allowed) / max(len(allowed), 1))
        for row, row_mask, found in zip(x, mask, masked_mean(x, mask, dim=1), strict=True):
            assert found.item() == pytest.approx(sum(row[row_mask].tolist()) / max(int(row_mask.sum()), 1))
        assert_close(masked_mean(x.T, mask.T, dim=-2), masked_mean(x, mask, dim=1))


def test_the_mean_of_nothing_is_0():
    assert masked_mean(torch.ones(2, 3), torch.zeros(2, 3, dtype=torch.bool)).item() == 0
    assert masked_mean(torch.ones(2, 3), runs((0, 2), (1, 1), time=3), dim=1).tolist() == [1, 0]


@pytest.mark.parametrize("outside", [NAN, math.inf, -math.inf])
def test_masked_mean_ignores_what_lies_outside_in_its_gradient_too(outside):
    x = tables(1, outside=outside)[0]
    mean = masked_mean(x, MASK)
    assert_close(mean, masked_mean(tables(1)[0], MASK))
    assert_close(torch.autograd.grad(mean, x)[0], MASK / MASK.sum().double())


# --- kl_estimate ---------------------------------------------------------------------------------


def test_kl_estimates_by_hand():
    policy, reference = torch.tensor([[0.5]]).log(), torch.tensor([[0.25]]).log()
    assert_close(kl_estimate(policy, reference, "k1"), torch.tensor([[math.log(2)]]))
    assert_close(kl_estimate(policy, reference, "k2"), torch.tensor([[math.log(2) ** 2 / 2]]))
    assert_close(kl_estimate(policy, reference, "k3"), torch.tensor([[0.5 - 1 + math.log(2)]]))


def test_k1_and_k3_are_right_on_average_and_only_k1_is_ever_negative():
    for seed in SEEDS:
        p, q = (Inputs(seed + i).normal(1, 6).log_softmax(dim=-1) for i in (0, 100))
        true = kl_divergence(Categorical(logits=p), Categorical(logits=q)).item()
        for kind in ("k1", "k3"):
            assert (p.exp() * kl_estimate(p, q, kind)).sum().item() == pytest.approx(true, abs=1e-9)
        assert (kl_estimate(p, q, "k1") < 0).any()
        assert (kl_estimate(p, q, "k2") >= 0).all()
        assert (kl_estimate(p, q) >= 0).all()


def test_k2_and_k3_agree_for_small_differences():
    p = torch.full((1, 1), -1.0, dtype=torch.float64)
    k2, k3 = kl_estimate(p, p - 1e-4, "k2"), kl_estimate(p, p - 1e-4, "k3")
    assert k3.item() == pytest.approx(k2.item(), rel=1e-4)


def test_k3_is_the_estimate_unless_told_otherwise_and_keeps_its_digits_in_float32():
    p = torch.full((1, 1), -1.0)
    assert kl_estimate(p, p + 2e-4).item() == pytest.approx(2e-8, rel=1e-2)


@pytest.mark.parametrize("kind", ["k4", "K1", ""])
def test_an_unknown_kind_is_named(kind):
    with pytest.raises(ValueError, match=f"kind must be one of k1, k2, k3, got {kind}"):
        kl_estimate(torch.zeros(1, 1), torch.zeros(1, 1), kind)


# --- penalised_rewards ---------------------------------------------------------------------------


def test_penalised_rewards_agree_with_a_loop():
    for seed in SEEDS:
        draw, mask = Inputs(seed), some_mask(seed)
        score, p, q, beta = draw.normal(4), draw.normal(4, 6), draw.normal(4, 6), seed / 10
        found = penalised_rewards(score, p, q, mask, beta)
        for row in range(4):
            places = mask[row].nonzero().flatten().tolist()
            expected = [0.0] * 6
            for t in places:
                expected[t] = -beta * (p[row, t] - q[row, t]).item() + (t == places[-1]) * score[row].item()
            assert found[row].tolist() == pytest.approx(expected, abs=1e-12)


def test_the_rewards_of_an_answer_sum_to_its_score_minus_the_price():
    given = judged(coefficient=0.5)
    straying = (given["log_probs"] - given["reference_log_probs"]).masked_fill(~MASK, 0.0).sum(dim=1)
    expected = (given["score"] - 0.5 * straying) * MASK.any(dim=1)
    assert_close(penalised_rewards(**given).sum(dim=1), expected)


# --- discounted_returns --------------------------------------------------------------------------


def test_discounted_returns_agree_with_a_matrix_of_powers():
    for seed in SEEDS:
        rewards, mask, gamma = Inputs(seed).normal(4, 6), some_mask(seed), seed / 49
        steps = torch.arange(6).unsqueeze(1) - torch.arange(6)
        powers = torch.where(steps >= 0, gamma ** steps.clamp(min=0).double(), 0.0)
        assert_close(discounted_returns(rewards, mask, gamma), (rewards * mask) @ powers * mask)


def test_with_gamma_1_the_first_token_s_return_is_the_whole_reward():
    rewards = Inputs(1).normal(3, 5)
    everywhere = torch.ones(3, 5, dtype=torch.bool)
    assert_close(discounted_returns(rewards, everywhere)[:, 0], rewards.sum(dim=1))


# --- generalised_advantages ----------------------------------------------------------------------


def test_generalised_advantages_are_the_weighted_mean_of_all_looks_ahead():
    # Schulman et al., before equation 16: (1 - lambda) times the sum of lambda^(k-1) times the k-step advantage.
    def ahead(rewards, values, t, steps, gamma):
        known = [gamma**i * rewards[t + i] for i in range(steps) if t + i < len(rewards)]
        return sum(known) + (gamma**steps * values[t + steps] if t + steps < len(values) else 0) - values[t]

    gamma, lam, draw = 0.9, 0.7, Inputs(1)
    rewards, values = draw.normal(1, 4), draw.normal(1, 4)
    found = generalised_advantages(rewards, values, rewards < math.inf, gamma, lam)[0]
    r, v = rewards[0].tolist(), values[0].tolist()
    for t in range(4):
        expected = (1 - lam) * sum(lam ** (k - 1) * ahead(r, v, t, k, gamma) for k in range(1, 400))
        assert found[t].item() == pytest.approx(expected)


def test_lambda_1_is_returns_minus_values_and_lambda_0_the_errors_of_one_step():
    for seed in SEEDS:
        (rewards, values), mask, gamma = tables(2, seed, some_mask(seed), leaf=False), some_mask(seed), 0.9
        honest = generalised_advantages(rewards, values, mask, gamma, lam=1.0)
        assert_close(honest, (discounted_returns(rewards, mask, gamma) - values) * mask)
        blind = generalised_advantages(rewards, values, mask, gamma, lam=0.0)
        following = functional.pad(values * mask, (0, 1))[:, 1:]
        assert_close(blind, (rewards + gamma * following - values) * mask)


def test_where_all_is_foreseen_no_token_is_better_than_expected():
    rewards = Inputs(1).normal(*MASK.shape)
    for lam in (0.0, 0.5, 1.0):
        foreseen = discounted_returns(rewards, MASK, 0.9)
        assert generalised_advantages(rewards, foreseen, MASK, 0.9, lam).abs().max() < 1e-12


# --- whatever lies outside the mask --------------------------------------------------------------


OF_THE_ANSWERS = {
    "penalised_rewards": lambda p, q, mask: penalised_rewards(
        torch.arange(len(mask)).to(p.dtype), p, q, mask, 0.3
    ),
    "discounted_returns": lambda r, _, mask: discounted_returns(r, mask, 0.9),
    "generalised_advantages": lambda r, v, mask: generalised_advantages(r, v, mask, 0.9, 0.8),
    "whiten": lambda x, _, mask: whiten(x, mask),
}


@pytest.mark.parametrize("name", OF_THE_ANSWERS)
def test_outside_the_mask_all_is_0_and_nothing_there_matters(name):
    function = OF_THE_ANSWERS[name]
    for seed in SEEDS:
        mask = some_mask(seed)
        found = function(*tables(2, seed, mask, leaf=False), mask)
        assert found[~mask].abs().sum() == 0
        for outside in (NAN, math.inf):
            assert_close(function(*tables(2, seed, mask, outside, leaf=False), mask), found)


@pytest.mark.parametrize("name", OF_THE_ANSWERS)
def test_padding_on_either_side_changes_nothing_for_the_answers(name):
    function, given = OF_THE_ANSWERS[name], tables(2, leaf=False)
    wider = [functional.pad(x, (2, 3), value=7.0) for x in given]
    found = function(*wider, functional.pad(MASK, (2, 3)))
    assert_close(found[:, 2:-3], function(*given, MASK))


@pytest.mark.parametrize("name", OF_THE_ANSWERS)
def test_what_the_answers_get_stays_float32(name):
    assert OF_THE_ANSWERS[name](*(x.float() for x in tables(2, leaf=False)), MASK).dtype == torch.float32


LOSSES = {
    "policy_gradient_loss": lambda p, _, a, mask: policy_gradient_loss(p, a, mask),
    "clipped_policy_loss": clipped_policy_loss,
    "clipped_value_loss": clipped_value_loss,
    "entropy": lambda p, old, a, mask: entropy(torch.stack([p, old, a], dim=-1), mask),
}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("outside", [NAN, math.inf, 1e5])
def test_nothing_outside_the_mask_reaches_a_loss_or_its_gradient(name, outside):
    clean, dirty = tables(3), tables(3, outside=outside)
    expected, found = LOSSES[name](*clean, MASK), LOSSES[name](*dirty, MASK)
    assert_close(found, expected)
    slopes = [torch.autograd.grad(loss, of[0])[0] for loss, of in ((expected, clean), (found, dirty))]
    assert_close(slopes[1], slopes[0])
    assert slopes[1][~MASK].abs().sum() == 0


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_of_no_answers_is_0_and_padding_changes_nothing(name):
    given = tables(3, leaf=False)
    assert LOSSES[name](*given, MASK & False).item() == 0
    wider = [functional.pad(x, (2, 3), value=7.0) for x in given]
    assert_close(LOSSES[name](*wider, functional.pad(MASK, (2, 3))), LOSSES[name](*given, MASK))


@pytest.mark.parametrize("name", LOSSES)
def test_losses_keep_float32(name):
    assert LOSSES[name](*(x.detach().float() for x in tables(3)), MASK).dtype == torch.float32


# --- whiten --------------------------------------------------------------------------------------


def test_whitened_numbers_have_mean_0_and_deviation_1_and_forget_their_scale():
    for seed in SEEDS:
        x, mask = Inputs(seed).normal(4, 6), MASK[:4]
        white = whiten(x, mask)[mask]
        assert_close(white.mean().item(), 0.0, atol=1e-9, rtol=0)
        assert_close(white.std(correction=0).item(), 1.0, atol=1e-6, rtol=0)
        assert_close(whiten(50 * x - 3, mask)[mask], white, atol=1e-6, rtol=0)


def test_whiten_never_divides_by_0():
    assert whiten(torch.full((1, 3), 7.0), runs((0, 2), time=3)).tolist() == [[0, 0, 0]]
    assert whiten(torch.ones(1, 3), runs((1, 1), time=3)).tolist() == [[0, 0, 0]]


# --- policy_gradient_loss ------------------------------------------------------------------------


def test_the_slope_of_reinforce_is_minus_the_advantage_shared_among_the_tokens():
    log_probs, advantages = tables(2)
    loss = policy_gradient_loss(log_probs, advantages.requires_grad_(), MASK)
    slope, none = torch.autograd.grad(loss, [log_probs, advantages], allow_unused=True)
    assert_close(slope, -(advantages * MASK).detach() / MASK.sum())
    assert none is None


def test_a_baseline_does_not_change_the_expected_slope():
    logits, rewards = Inputs(1).normal(1, 5).requires_grad_(), Inputs(2).normal(1, 5)

    def expected_slope(baseline):
        log_probs = logits.log_softmax(dim=-1)
        weighted = log_probs.detach().exp() * (rewards - baseline)
        return torch.autograd.grad(policy_gradient_loss(log_probs, weighted, rewards < math.inf), logits)[0]

    assert_close(expected_slope(100.0), expected_slope(0.0))
    mean = (logits.softmax(dim=-1) * rewards).sum()
    assert_close(expected_slope(0.0), -torch.autograd.grad(mean, logits)[0] / 5)


# --- clipped_policy_loss -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ratio", "advantage", "loss", "slope"),
    [
        (2.0, 10.0, -12.0, 0.0),  # good, and far enough
        (0.5, 10.0, -5.0, -5.0),  # good, and has become rarer: bring it back
        (2.0, -10.0, 20.0, 20.0),  # bad, and has become likelier: bring it back
        (0.5, -10.0, 8.0, 0.0),  # bad, and rare enough
        (1.1, 10.0, -11.0, -11.0),
        (0.9, -10.0, 9.0, 9.0),
    ],
)
def test_the_sign_cases_of_the_clip(ratio, advantage, loss, slope):
    old, here = torch.full((1, 1), -1.0, dtype=torch.float64), torch.tensor([[True]])
    log_probs = (old + math.log(ratio)).requires_grad_()
    found = clipped_policy_loss(log_probs, old, torch.full_like(old, advantage), here)
    assert_close(found.item(), loss)
    assert_close(torch.autograd.grad(found, log_probs)[0].item(), slope)


def test_the_clipped_loss_agrees_with_a_loop_over_the_tokens():
    for seed in SEEDS:
        new, old, advantages = tables(3, seed, mask=some_mask(seed), leaf=False)
        mask, clip, terms = some_mask(seed), 0.05 + seed / 100, []
        for a, b, advantage in zip(*(x[mask].tolist() for x in (new, old, advantages)), strict=True):
            ratio = math.exp(a) / math.exp(b)
            if advantage >= 0:
                terms.append(min(ratio, 1 + clip) * advantage)
            else:
                terms.append(max(ratio, 1 - clip) * advantage)
        expected = -sum(terms) / max(len(terms), 1)
        assert clipped_policy_loss(new, old, advantages, mask, clip).item() == pytest.approx(expected)


def test_before_the_first_step_ppo_is_reinforce():
    log_probs, advantages = tables(2)
    loss = clipped_policy_loss(log_probs, log_probs.detach(), advantages, MASK)
    plain = policy_gradient_loss(log_probs, advantages, MASK)
    assert_close(torch.autograd.grad(loss, log_probs), torch.autograd.grad(plain, log_probs))


# --- clipped_value_loss --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "target", "loss", "slope"),
    [
        (4.0, 4.0, 4.5, 0.0),  # right, but moved too far: judged by the value held back at 1
        (4.0, 0.0, 8.0, 4.0),  # moved too far, and wrong: bring it back
        (0.5, 4.0, 6.125, -3.5),  # moved a little
        (-4.0, 4.0, 32.0, -8.0),
    ],
)
def test_clipped_value_loss_by_hand(value, target, loss, slope):
    one, here = torch.ones(1, 1), torch.tensor([[True]])
    values = (value * one).requires_grad_()
    found = clipped_value_loss(values, 0 * one, target * one, here, clip=1.0)
    assert (found.item(), torch.autograd.grad(found, values)[0].item()) == (loss, slope)


def test_without_a_clip_it_is_half_of_torch_s_squared_error():
    for seed in SEEDS:
        values, old, returns = tables(3, seed, leaf=False)
        expected = functional.mse_loss(values[MASK], returns[MASK]) / 2
        assert_close(clipped_value_loss(values, old, returns, MASK, clip=1e3), expected)
        assert clipped_value_loss(values, old, returns, MASK) >= expected


# --- entropy -------------------------------------------------------------------------------------


def test_entropy_and_its_gradient_agree_with_torch_s_distribution():
    for seed in SEEDS:
        logits = Inputs(seed).normal(5, 6, 4).requires_grad_()
        found, expected = entropy(logits, MASK), Categorical(logits=logits[MASK]).entropy().mean()
        assert_close(found, expected)
        assert_close(torch.autograd.grad(found, logits), torch.autograd.grad(expected, logits))


def test_the_limits_of_entropy():
    here = torch.tensor([[True]])
    assert_close(entropy(torch.zeros(1, 1, 50), here), torch.tensor(math.log(50)))
    sure = torch.tensor([[[0.0, -math.inf, -math.inf]]], requires_grad=True)
    assert entropy(sure, here).item() == 0
    assert torch.autograd.grad(entropy(sure, here), sure)[0].isfinite().all()
    assert entropy(1e4 * torch.tensor([[[1.0, 0.0]]]), here).item() == 0


# --- update_kl_coefficient -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kl", "expected"),
    [(6.0, 1.0), (6.6, 1.05), (7.2, 1.1), (60.0, 1.1), (5.4, 0.95), (0.0, 0.9), (-3.0, 0.9)],
)
def test_the_error_counts_for_a_fifth_at_most(kl, expected):
    assert update_kl_coefficient(1.0, kl, target=6.0, horizon=200, batch=100) == pytest.approx(expected)


def test_the_thermostat_brings_a_policy_to_its_target():
    # A world in which a dearer price makes the policy stray less: KL = 1 / coefficient.
    coefficient = 5.0
    for _ in range(2000):
        coefficient = update_kl_coefficient(coefficient, 1 / coefficient, target=4.0, horizon=1000, batch=64)
    assert 1 / coefficient == pytest.approx(4.0, rel=1e-3)


def test_a_horizon_is_at_least_one_answer():
    with pytest.raises(ValueError, match="horizon must be at least 1, got 0"):
        update_kl_coefficient(0.1, 1.0, 1.0, horizon=0, batch=1)


# --- leave_one_out_advantages and group_advantages -----------------------------------------------


def test_leave_one_out_agrees_with_really_leaving_each_one_out():
    for seed in SEEDS:
        rewards = Inputs(seed).normal(3, 4)
        for prompt, found in zip(rewards.tolist(), leave_one_out_advantages(rewards).tolist(), strict=True):
            others = [sum(prompt[:i] + prompt[i + 1 :]) / 3 for i in range(4)]
            assert found == pytest.approx([r - o for r, o in zip(prompt, others, strict=True)])


def test_leave_one_out_is_the_distance_from_the_mean_a_little_stretched():
    rewards = Inputs(1).normal(3, 5)
    assert_close(leave_one_out_advantages(rewards), 5 / 4 * (rewards - rewards.mean(dim=1, keepdim=True)))


@pytest.mark.parametrize("samples", [0, 1])
def test_leave_one_out_needs_others(samples):
    with pytest.raises(ValueError, match=f"rewards must have at least 2 entries a row, got {samples}"):
        leave_one_out_advantages(torch.zeros(3, samples))


def test_group_advantages_by_hand():
    found = group_advantages(torch.tensor([[0.0, 0.0, 0.0, 4.0]], dtype=torch.float64), eps=0.0)
    assert_close(found, torch.tensor([[-1.0, -1.0, -1.0, 3.0]], dtype=torch.float64) / math.sqrt(3))


def test_group_advantages_do_not_know_how_rewards_are_measured():
    for seed in SEEDS:
        rewards = Inputs(seed).normal(3, 4)
        assert_close(group_advantages(7 * rewards - 2, eps=0.0), group_advantages(rewards, eps=0.0))
        assert_close(group_advantages(rewards).sum(dim=1), torch.zeros(3, dtype=torch.float64))


@pytest.mark.parametrize("shape", [(2, 1), (2, 3)])
def test_equal_answers_have_no_advantage(shape):
    found = group_advantages(torch.full(shape, 3.0))
    assert (found.shape, found.abs().sum().item(), found.dtype) == (shape, 0, torch.float32)


# --- dpo_loss ------------------------------------------------------------------------------------


def test_dpo_by_hand():
    # The chosen answer has become e times likelier, the rejected one as much rarer: log(1 + e^-1) at beta 1/2.
    logs = torch.tensor([-5.0])
    assert_close(dpo_loss(logs + 1, logs - 4, logs, logs - 3, 0.5).item(), math.log1p(math.exp(-1)))


def test_dpo_is_classification_of_the_pairs_by_their_margins():
    for seed in SEEDS:
        draw = Inputs(seed)
        chosen, rejected, of_chosen, of_rejected = (draw.normal(5) for _ in range(4))
        margins = 0.3 * (chosen - rejected - of_chosen + of_rejected)
        expected = functional.binary_cross_entropy_with_logits(margins, torch.ones_like(margins))
        assert_close(dpo_loss(chosen, rejected, of_chosen, of_rejected, 0.3), expected)


def test_only_the_change_from_the_reference_counts():
    given = preferences()
    longer = {name: x - 40 if "chosen" in name else x for name, x in given.items()}
    assert_close(dpo_loss(**longer), dpo_loss(**given))


def test_dpo_stays_finite_and_its_slope_is_how_wrong_it_was():
    zero = torch.zeros(2, dtype=torch.float64)
    chosen = torch.tensor([-1e4, 1e4], dtype=torch.float64, requires_grad=True)
    loss = dpo_loss(chosen, zero, zero, zero, 1.0)
    assert loss.item() == 5e3
    assert_close(torch.autograd.grad(loss, chosen)[0], torch.tensor([-0.5, 0.0], dtype=torch.float64))


def test_no_pairs_cost_nothing():
    nothing = torch.zeros(0)
    loss = dpo_loss(nothing, nothing, nothing, nothing, 0.1)
    assert (loss.item(), loss.dtype, loss.shape) == (0, torch.float32, ())


# --- all together --------------------------------------------------------------------------------


def test_the_best_policy_is_the_reference_times_e_to_the_score_over_beta():
    # One token out of five; the loss is summed over all of them, so nothing is left to chance.
    beta, scores = 0.5, Inputs(1).uniform(5)
    reference = Inputs(2).uniform(5).log_softmax(dim=-1)
    best = (reference + scores / beta).softmax(dim=-1)
    logits = torch.zeros(1, 5, dtype=torch.float64, requires_grad=True)
    here = torch.ones(5, 1, dtype=torch.bool)
    for _ in range(400):
        log_probs = logits.log_softmax(dim=-1)
        tokens, drawn = log_probs.mT, log_probs.mT.detach()
        rewards = penalised_rewards(scores, drawn, reference.unsqueeze(1), here, beta)
        expected = (drawn.exp() * rewards).sum()
        advantages = generalised_advantages(rewards, expected.expand(5, 1), here)
        loss = clipped_policy_loss(tokens, drawn, 5 * drawn.exp() * advantages, here)
        logits = (logits - torch.autograd.grad(loss, logits)[0]).detach().requires_grad_()
    assert (logits.softmax(dim=-1) - best).abs().sum() / 2 < 1e-6
