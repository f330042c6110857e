"""The references of `nexttoken.attention`, against hand-computed cases and oracles written otherwise."""

import math

import pytest
import torch
from torch.autograd.functional import jacobian
from torch.nn import functional
from torch.testing import assert_close

from nexttoken.attention import (
    additive_scores,
    attention_weights,
    causal_mask,
    masked_softmax,
    padding_mask,
    self_attention,
    softmax,
    weighted_mean,
)
from nexttoken.lab.inputs import Inputs

SEEDS = range(100)
INF = math.inf

pytestmark = pytest.mark.usefixtures("answered_by_the_reference")


def some_mask(*shape, seed=1):
    return Inputs(seed).uniform(*shape) < 0.6


def pairs(queries, keys, d_query=3, d_key=4, hidden=5):
    """Arguments of `additive_scores` for so many queries and keys."""
    draw = Inputs(1)
    return {
        "queries": draw.normal(*queries, d_query).requires_grad_(),
        "keys": draw.normal(*keys, d_key).requires_grad_(),
        "w_query": draw.normal(d_query, hidden),
        "w_key": draw.normal(d_key, hidden),
        "v": draw.normal(hidden),
    }


# Calls on which every misconception does what neither the reference nor another misconception does;
# tests/test_exercises.py looks at that.
ARGUMENTS = {
    "softmax": [
        lambda: {"scores": Inputs(1).normal(3, 4)},
        lambda: {"scores": Inputs(1).normal(3, 4).requires_grad_()},
        lambda: {"scores": torch.tensor([[1e4, 1e4 - 1], [-1e4, -1e4 + 1]], dtype=torch.float64)},
        lambda: {"scores": torch.tensor([[0.0, 1.0], [-2e3, -2e3 + 2]], dtype=torch.float64)},
    ],
    "attention_weights": [
        lambda: {"queries": Inputs(1).normal(3, 4), "keys": Inputs(2).normal(5, 4)},
        lambda: {"queries": Inputs(1).normal(2, 3, 4), "keys": Inputs(2).normal(2, 3, 4)},
    ],
    "weighted_mean": [
        lambda: {"weights": Inputs(1).uniform(3, 3).softmax(dim=-1), "values": Inputs(2).normal(3, 2)},
        lambda: {"weights": torch.zeros(2, 3), "values": torch.ones(3, 2)},
        lambda: {"weights": Inputs(1).uniform(2, 3, 3).softmax(dim=-1), "values": Inputs(2).normal(2, 3, 2)},
    ],
    "additive_scores": [
        lambda: pairs((3,), (2,)),
        lambda: pairs((3,), (3,), 4, 4, 4),
    ],
    "causal_mask": [lambda: {"time": 4}],
    "padding_mask": [lambda: {"lengths": torch.tensor([2, 0, 3]), "time": 4}],
    "masked_softmax": [
        lambda: {"scores": Inputs(1).normal(3, 5), "mask": some_mask(3, 5)},
        lambda: {"scores": torch.zeros(2, 3), "mask": torch.tensor([[True, True, False], [False] * 3])},
        lambda: {
            "scores": torch.tensor([[0.0, 1.0, 1e4], [0.0, 1.0, 2.0]]),
            "mask": torch.tensor([True, True, False]),
        },
        lambda: {"scores": torch.tensor([-101.0, -101.0, 0.0]), "mask": torch.tensor([True, True, False])},
    ],
    "self_attention": [
        lambda: {"x": Inputs(1).normal(4, 3).requires_grad_(), "mask": None},
        lambda: {"x": Inputs(1).normal(4, 3), "mask": some_mask(4, 4)},
    ],
}


# --- softmax -------------------------------------------------------------------------------------


def test_softmax_by_hand():
    weights = softmax(torch.tensor([0.0, math.log(3.0)], dtype=torch.float64))
    assert_close(weights, torch.tensor([0.25, 0.75], dtype=torch.float64))


@pytest.mark.parametrize("axes", [(), (3,), (2, 3), (0,)])
def test_softmax_agrees_with_torch_for_any_batch_axes(axes):
    for seed in SEEDS:
        scores = Inputs(seed).normal(*axes, 6, scale=10.0)
        assert_close(softmax(scores), torch.softmax(scores, dim=-1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [1e4, 1e30])
def test_softmax_is_finite_and_keeps_its_dtype(dtype, size):
    weights = softmax(torch.tensor([[size, 0.0], [-size, -size]], dtype=dtype))
    assert weights.tolist() == [[1, 0], [0.5, 0.5]]
    assert weights.dtype == dtype


def test_only_differences_of_scores_count():
    scores = Inputs(1).normal(3, 5)
    assert_close(softmax(scores + 1000), softmax(scores))


def test_softmax_and_its_gradient_agree_with_the_formula():
    scores = Inputs(1).normal(4).requires_grad_()
    found = jacobian(softmax, scores)
    weights = softmax(scores).detach()
    assert_close(found, weights.diag() - weights.outer(weights))


# --- attention_weights ---------------------------------------------------------------------------


def test_attention_weights_by_hand():
    # d = 4, so scores are halved: 2 log 3 / 2 = log 3 against 0.
    queries, keys = torch.tensor([[2.0, 0, 0, 0]]), torch.tensor([[math.log(3), 0, 0, 0], [0, 5.0, 0, 0]])
    assert_close(attention_weights(queries, keys), torch.tensor([[0.75, 0.25]]))


def test_attention_weights_agree_with_two_loops():
    for seed in SEEDS:
        draw = Inputs(seed)
        queries, keys = draw.normal(1 + seed % 4, 3), draw.normal(1 + seed % 5, 3)
        for query, row in zip(queries.tolist(), attention_weights(queries, keys).tolist(), strict=True):
            powers = [
                math.exp(sum(q * k for q, k in zip(query, key, strict=True)) / math.sqrt(3))
                for key in keys.tolist()
            ]
            assert row == pytest.approx([power / sum(powers) for power in powers])


def test_every_query_shares_out_exactly_one():
    weights = attention_weights(Inputs(1).normal(2, 3, 7, 8), Inputs(2).normal(2, 3, 5, 8))
    assert weights.shape == (2, 3, 7, 5)
    assert_close(weights.sum(dim=-1), torch.ones(2, 3, 7, dtype=torch.float64))


def test_moving_all_keys_by_one_vector_changes_nothing():
    queries, keys = Inputs(1).normal(3, 4), Inputs(2).normal(5, 4)
    assert_close(attention_weights(queries, keys + Inputs(3).normal(4)), attention_weights(queries, keys))


def test_weights_follow_their_keys():
    queries, keys, order = Inputs(1).normal(3, 4), Inputs(2).normal(5, 4), [4, 1, 3, 0, 2]
    assert_close(attention_weights(queries, keys[order]), attention_weights(queries, keys)[:, order])


def test_the_scale_keeps_the_spread_of_scores_at_one():
    torch.manual_seed(0)
    for d in (16, 256, 1024):
        weights = attention_weights(torch.randn(4000, 1, d), torch.randn(4000, 2, d))
        difference = (weights[..., 0] / weights[..., 1]).log()  # of two scores, each of variance 1
        assert difference.var().item() == pytest.approx(2, rel=0.1)


# --- weighted_mean -------------------------------------------------------------------------------


def test_weighted_mean_by_hand():
    weights = torch.tensor([[0.5, 0.25, 0.25], [0.0, 0.0, 1.0]])
    values = torch.tensor([[4.0, 0.0], [0.0, 8.0], [8.0, 0.0]])
    assert weighted_mean(weights, values).tolist() == [[4, 2], [8, 0]]


def test_weighted_mean_agrees_with_sums_written_out():
    weights, values = Inputs(1).uniform(2, 3, 4), Inputs(2).normal(2, 4, 5)
    assert_close(weighted_mean(weights, values), torch.einsum("bqk,bkd->bqd", weights, values))


def test_a_mean_stays_between_the_smallest_and_the_largest_value():
    weights, values = softmax(Inputs(1).normal(50, 6, scale=3.0)), Inputs(2).normal(6, 4)
    means = weighted_mean(weights, values)
    assert (means <= values.amax(dim=0)).all()
    assert (means >= values.amin(dim=0)).all()


def test_who_looks_at_nothing_gets_zeros():
    assert weighted_mean(torch.zeros(2, 3), torch.ones(3, 4)).tolist() == [[0] * 4] * 2


# --- additive_scores -----------------------------------------------------------------------------


def test_additive_scores_by_hand():
    # hidden = 2: tanh of (log 2 + 0, 0) is (0.6, 0), for tanh(log 2) = (2 - 1/2) / (2 + 1/2).
    scores = additive_scores(
        torch.tensor([[math.log(2)]]),
        torch.tensor([[0.0], [-1.0]]),
        torch.tensor([[1.0, 0.0]]),
        torch.tensor([[math.log(2), 0.0]]),
        torch.tensor([5.0, 7.0]),
    )
    assert_close(scores, torch.tensor([[3.0, 0.0]]))


def test_additive_scores_agree_with_one_pair_at_a_time():
    a = pairs((2, 3), (2, 4))
    scores = additive_scores(**a)
    for text in range(2):
        for t in range(3):
            for j in range(4):
                hidden = a["queries"][text, t] @ a["w_query"] + a["keys"][text, j] @ a["w_key"]
                assert_close(scores[text, t, j], (a["v"] * hidden.tanh()).sum())


def test_additive_scores_are_no_larger_than_v_allows():
    a = pairs((3,), (4,))
    a["queries"] = 1e6 * a["queries"]
    assert (additive_scores(**a).abs() <= a["v"].abs().sum() + 1e-12).all()


def test_additive_scores_let_the_gradient_reach_everything():
    a = {name: tensor.detach().requires_grad_() for name, tensor in pairs((3,), (4,)).items()}
    additive_scores(**a).sum().backward()
    assert all(tensor.grad.abs().sum() > 0 for tensor in a.values())


def test_a_query_can_change_the_ranking_of_keys():
    """Which no sum of a part from the query and a part from the key could do."""
    scores = additive_scores(
        torch.tensor([[-3.0], [3.0]]),
        torch.tensor([[-3.0], [0.0]]),
        torch.tensor([[1.0, 1.0]]),
        torch.tensor([[1.0, -1.0]]),
        torch.tensor([1.0, 1.0]),
    )
    assert scores[0, 0] > scores[0, 1] or scores[1, 0] > scores[1, 1]
    assert (scores[0, 0] - scores[0, 1]).sign() != (scores[1, 0] - scores[1, 1]).sign()


# --- masks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("time", [0, 1, 2, 7])
def test_causal_mask_says_who_came_before(time):
    mask = causal_mask(time)
    assert mask.shape == (time, time)
    assert mask.dtype == torch.bool
    assert mask.tolist() == [[j <= t for j in range(time)] for t in range(time)]


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
def test_padding_mask_is_true_below_the_length(dtype):
    lengths = torch.tensor([0, 1, 3, 4], dtype=dtype)
    mask = padding_mask(lengths, time=4)
    assert mask.dtype == torch.bool
    assert mask.tolist() == [[j < length for j in range(4)] for length in lengths.tolist()]


def test_padding_mask_of_an_empty_batch():
    assert padding_mask(torch.tensor([], dtype=torch.long), time=3).shape == (0, 3)


# --- masked_softmax ------------------------------------------------------------------------------


def test_masked_softmax_by_hand():
    scores = torch.tensor([0.0, math.log(3.0), 9.0])
    assert_close(masked_softmax(scores, torch.tensor([True, True, False])), torch.tensor([0.25, 0.75, 0]))


def test_masked_softmax_is_the_softmax_of_what_is_allowed_alone():
    for seed in SEEDS:
        scores, mask = Inputs(seed).normal(6, scale=5.0), some_mask(6, seed=seed)
        weights = masked_softmax(scores, mask)
        assert_close(weights[mask], torch.softmax(scores[mask], dim=-1))
        assert (weights[~mask] == 0).all()


@pytest.mark.parametrize("forbidden", [1e4, 1e30, -1e30, INF, -INF, math.nan])
@pytest.mark.parametrize("allowed", [0.0, 1e4, -1e4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_forbidden_score_has_no_say_whatever_it_is(forbidden, allowed, dtype):
    scores = torch.tensor([allowed, forbidden, allowed], dtype=dtype)
    weights = masked_softmax(scores, torch.tensor([True, False, True]))
    assert weights.tolist() == [0.5, 0, 0.5]
    assert weights.dtype == dtype


def test_a_row_in_which_nothing_is_allowed_is_zero_and_so_is_its_gradient():
    scores = Inputs(1).normal(2, 3).requires_grad_()
    weights = masked_softmax(scores, torch.tensor([[False] * 3, [True] * 3]))
    assert weights[0].tolist() == [0, 0, 0]
    weights[:, 0].sum().backward()
    assert scores.grad[0].tolist() == [0, 0, 0]
    assert scores.grad[1].abs().sum() > 0


@pytest.mark.parametrize("shape", [(4,), (1, 4), (3, 4), (1, 1, 4), (2, 1, 4), (1, 3, 4)])
def test_a_mask_may_say_the_same_for_many_rows(shape):
    scores, mask = Inputs(1).normal(2, 3, 4), some_mask(*shape)
    assert_close(masked_softmax(scores, mask), masked_softmax(scores, mask.expand(2, 3, 4).clone()))


# --- self_attention ------------------------------------------------------------------------------


def test_self_attention_by_hand():
    # d = 1: scores of 1 with itself and -1 with the other, so the result is tanh(1).
    assert_close(
        self_attention(torch.tensor([[1.0], [-1.0]])), torch.tensor([1.0, -1.0]).tanh().unsqueeze(-1)
    )


@pytest.mark.parametrize("axes", [(), (3,), (2, 3)])
def test_self_attention_agrees_with_torch(axes):
    x = Inputs(1).normal(*axes, 5, 4)
    assert_close(self_attention(x), functional.scaled_dot_product_attention(x, x, x))
    causal = functional.scaled_dot_product_attention(x, x, x, is_causal=True)
    assert_close(self_attention(x, causal_mask(5)), causal)


def test_self_attention_with_a_mask_agrees_with_torch_where_something_is_allowed():
    x, mask = Inputs(1).normal(2, 5, 4), some_mask(2, 5, 5)
    mask[:, range(5), range(5)] = True
    expected = functional.scaled_dot_product_attention(x, x, x, attn_mask=mask)
    assert_close(self_attention(x, mask), expected)


def test_tokens_in_another_order_give_the_results_in_that_order():
    x, order = Inputs(1).normal(5, 4), [3, 0, 4, 1, 2]
    assert_close(self_attention(x[order]), self_attention(x)[order])


def test_the_future_never_changes_the_past():
    x = Inputs(1).normal(6, 4)
    slopes = jacobian(lambda x: self_attention(x, causal_mask(6)), x).abs().sum(dim=(1, 3))
    assert (slopes[~causal_mask(6)] == 0).all()
    assert (slopes[causal_mask(6)] > 0).all()


def test_padding_changes_nothing_for_real_tokens():
    x = Inputs(1).normal(2, 6, 4)
    lengths = torch.tensor([3, 6])
    found = self_attention(x, padding_mask(lengths, 6).unsqueeze(1).expand(2, 6, 6))
    for row, length in enumerate(lengths.tolist()):
        assert_close(found[row, :length], self_attention(x[row, :length]))


def test_who_may_look_at_nothing_gets_zeros_and_no_nan_spreads():
    x = Inputs(1).normal(3, 2).requires_grad_()
    mask = torch.tensor([[True, True, True], [False, False, False], [True, True, True]])
    found = self_attention(x, mask)
    assert found[1].tolist() == [0, 0]
    found.sum().backward()
    assert x.grad.isfinite().all()


def test_repeated_self_attention_brings_all_tokens_together():
    x = Inputs(1).normal(6, 4)
    widths = []
    for _ in range(12):
        widths.append((x.amax(dim=0) - x.amin(dim=0)).max().item())
        x = self_attention(x)
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] < 1e-3 * widths[0]


# --- Wrong arguments -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "argument", "value"),
    [
        (lambda: causal_mask(-1), "time", "-1"),
        (lambda: padding_mask(torch.tensor([1, 4]), 3), "lengths", "4"),
        (lambda: padding_mask(torch.tensor([-1]), 3), "lengths", "-1"),
    ],
)
def test_a_wrong_argument_is_named_with_its_value(call, argument, value):
    with pytest.raises(ValueError, match=rf": {argument} must .*got {value}$"):
        call()
