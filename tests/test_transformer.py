"""The references of `nexttoken.transformer`, against hand-computed cases and oracles written otherwise."""

import math
from fractions import Fraction
from itertools import pairwise
from statistics import NormalDist

import pytest
import torch
from torch import nn
from torch.autograd import gradcheck
from torch.autograd.functional import jacobian
from torch.nn import functional
from torch.testing import assert_close

from nexttoken.lab.inputs import Inputs
from nexttoken.transformer import (
    adamw_update,
    clip_gradients,
    cross_entropy,
    feed_forward,
    gelu,
    layer_norm,
    learning_rate,
    parameter_count,
    residual,
    training_flops,
    translate,
)

SEEDS = range(50)
GPT2_SMALL = {"vocab": 50257, "context": 1024, "d_model": 768, "layers": 12}

pytestmark = pytest.mark.usefixtures("answered_by_the_reference")


def normed(x, eps=1e-5):
    """Arguments of `layer_norm`."""
    draw, d = Inputs(2), x.shape[-1]
    return {"x": x, "gain": draw.normal(d), "bias": draw.normal(d), "eps": eps}


def network(x, d_hidden=5):
    """Arguments of `feed_forward`."""
    draw, d = Inputs(2), x.shape[-1]
    parts = draw.normal(d, d_hidden), draw.normal(d_hidden), draw.normal(d_hidden, d), draw.normal(d)
    return {"x": x, **dict(zip(("w_in", "b_in", "w_out", "b_out"), parts, strict=True))}


def squares_and_one(x):
    return x.square() + 1


def less_the_first(x):
    return 2 * (x - x[..., :1])


def scored(targets, ignore=None, scale=1.0, vocab=4):
    """Arguments of `cross_entropy`."""
    logits = scale * Inputs(1).normal(*targets.shape, vocab)
    return {"logits": logits, "targets": targets, "ignore": ignore}


def planned(step, warmup=4, total=9, floor=0.25):
    """Arguments of `learning_rate`."""
    return {"step": step, "peak": 2.0, "warmup": warmup, "total": total, "floor": floor}


def some_gradients(scale=1.0):
    draw = Inputs(1)
    return [scale * draw.normal(2, 3), 3 * scale * draw.normal(4)]


def updated(step=3, eps=1e-8, weight_decay=0.3):
    """Arguments of `adamw_update`."""
    draw = Inputs(1)
    parts = draw.normal(2, 3), draw.normal(2, 3), draw.normal(2, 3), draw.uniform(2, 3)
    return {
        **dict(zip(("parameter", "gradient", "mean", "square"), parts, strict=True)),
        "step": step,
        "lr": 0.5,
        "betas": (0.8, 0.9),
        "eps": eps,
        "weight_decay": weight_decay,
    }


class Halves:
    """An encoder and a decoder; the decoder notices who reads the source again while writing."""

    def __init__(self, seed):
        self.scores, self.readings = Inputs(seed).normal(97, 6), 0

    def encode(self, x):
        self.readings += 1
        return 3 * x + 1

    def next_logits(self, z, ids):
        if len(ids) == 1:
            self.readings = 0
        places = torch.arange(1, len(ids) + 1)
        return self.scores[(int(z.sum()) + int((ids * places).sum()) + 5 * self.readings) % 97]


def translated(seed, start=0, stop=6, limit=5):
    """Arguments of `translate`; token 6 is never written."""
    halves = Halves(seed)
    return {
        "encode": halves.encode,
        "next_logits": halves.next_logits,
        "source": torch.tensor([4, 1, 3]),
        "start": start,
        "stop": stop,
        "max_new_tokens": limit,
    }


# Calls on which every misconception does what neither the reference nor another misconception does;
# tests/test_exercises.py looks at that.
ARGUMENTS = {
    "layer_norm": [
        lambda: normed(3 * Inputs(1).normal(3, 4) + 1),
        lambda: normed(Inputs(1).normal(2, 3, 4), eps=0.5),
        lambda: normed(torch.full((2, 3), 7.0, dtype=torch.float64)),
    ],
    "gelu": [lambda: {"x": Inputs(1).normal(3, 4).requires_grad_()}],
    "feed_forward": [lambda: network(Inputs(1).normal(3, 4)), lambda: network(Inputs(1).normal(2, 1, 4))],
    "residual": [
        lambda: {"x": Inputs(1).normal(3, 4), "sublayer": squares_and_one, "norm": less_the_first},
    ],
    "cross_entropy": [
        lambda: scored(torch.tensor([[3, 1, 2], [0, 2, 2]])),
        lambda: scored(torch.tensor([[3, 1, 2], [0, 2, 2]]), ignore=2),
        lambda: scored(torch.tensor([[0, 1, 2], [0, 0, 1]]), ignore=0),
        lambda: scored(torch.tensor([2, 2]), ignore=2),
        lambda: scored(torch.tensor([3, 0, 2]), scale=1e4),
        lambda: {
            "logits": torch.tensor([[0.0, 30.0]], dtype=torch.float64),
            "targets": torch.tensor([0]),
            "ignore": None,
        },
    ],
    "parameter_count": [lambda: {**GPT2_SMALL, "tied": True}, lambda: {**GPT2_SMALL, "tied": False}],
    "training_flops": [lambda: {"parameters": 10**9, "tokens": 10**12}],
    "learning_rate": [
        *(lambda step=step: planned(step) for step in (2, 6, 8, 9, 12)),
        lambda: planned(0, warmup=0),
        lambda: planned(4, total=4),
        lambda: planned(5, total=4),
    ],
    "clip_gradients": [
        lambda: {"gradients": some_gradients(), "max_norm": 4.0},
        lambda: {"gradients": some_gradients(), "max_norm": 100.0},
        lambda: {"gradients": some_gradients(1e-5), "max_norm": 1e-5},
        lambda: {"gradients": [torch.zeros(2)], "max_norm": 0.0},
        lambda: {"gradients": [], "max_norm": 1.0},
    ],
    "adamw_update": [updated, lambda: updated(step=1, eps=0.5), lambda: updated(weight_decay=0.0)],
    "translate": [
        *(lambda seed=seed: translated(seed) for seed in (1, 2)),
        *(lambda stop=stop: translated(1, stop=stop) for stop in range(6)),
        lambda: translated(1, start=2, stop=2),
        lambda: translated(1, limit=0),
    ],
}


# --- layer_norm ----------------------------------------------------------------------------------


def test_layer_norm_by_hand():
    # Mean 4, deviations -3, -1, 4, squares 9, 1, 16: a mean of 26 / 3; and eps = 1 / 3 makes it 9.
    found = layer_norm(torch.tensor([1.0, 3.0, 8.0]), torch.tensor([3.0, 6.0, 9.0]), torch.ones(3), eps=1 / 3)
    assert_close(found, torch.tensor([-2.0, -1.0, 13.0]))


@pytest.mark.parametrize("axes", [(), (3,), (2, 3), (0,)])
def test_layer_norm_and_its_gradients_agree_with_torch(axes):
    for seed in SEEDS:
        draw = Inputs(seed)
        inputs = [t.requires_grad_() for t in (3 * draw.normal(*axes, 6) + 5, draw.normal(6), draw.normal(6))]
        found, expected = layer_norm(*inputs, 0.01), functional.layer_norm(inputs[0], (6,), *inputs[1:], 0.01)
        assert_close(found, expected)
        weights = draw.normal(*axes, 6)
        slopes = [torch.autograd.grad((y * weights).sum(), inputs) for y in (found, expected)]
        assert_close(slopes[0], slopes[1])


def test_mean_and_variance_become_those_of_bias_and_gain():
    y = layer_norm(9 * Inputs(1).normal(4, 50) + 3, torch.full((50,), 2.0), torch.full((50,), 7.0))
    assert_close(y.mean(dim=-1), torch.full((4,), 7.0).double())
    assert_close(y.var(dim=-1, correction=0), torch.full((4,), 4.0).double(), rtol=1e-5, atol=0)


def test_shift_and_length_of_a_vector_are_forgotten():
    x, gain, bias = Inputs(1).normal(3, 5), torch.ones(5), torch.zeros(5)
    assert_close(layer_norm(40 * x + 3, gain, bias, eps=0), layer_norm(x, gain, bias, eps=0))


def test_no_token_s_norm_depends_on_another_token():
    gain, bias = Inputs(2).normal(2, 4)
    slopes = jacobian(lambda x: layer_norm(x, gain, bias), Inputs(1).normal(3, 4)).abs().sum(dim=(1, 3))
    assert slopes.fill_diagonal_(0).count_nonzero() == 0


def test_equal_numbers_become_the_bias_and_their_gradients_stay_finite():
    x, bias = torch.full((2, 3), 1e6, requires_grad=True), torch.tensor([1.0, 2.0, 3.0])
    y = layer_norm(x, torch.ones(3), bias)
    assert torch.equal(y, bias.expand(2, 3))
    assert torch.autograd.grad(y[0, 0], x)[0].isfinite().all()


def test_layer_norm_keeps_its_digits_far_from_zero_in_float32():
    # Mean of squares minus square of mean would have lost the variance altogether.
    x = Inputs(1).normal(3, 64).float()
    far = layer_norm(x + 4096, torch.ones(64), torch.zeros(64))
    assert_close(far, layer_norm(x, torch.ones(64), torch.zeros(64)), rtol=0, atol=1e-2)


# --- gelu and feed_forward -----------------------------------------------------------------------


def test_gelu_is_x_times_the_normal_distribution():
    for x in (-6.0, -2.5, -1.0, -1e-3, 0.0, 0.3, 1.0, 4.0, 9.0):
        assert gelu(torch.tensor(x, dtype=torch.float64)).item() == pytest.approx(
            x * NormalDist().cdf(x), abs=1e-15
        )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("axes", [(), (7,), (2, 1, 5), (0,)])
def test_gelu_agrees_with_torch_and_not_with_its_approximation(axes, dtype):
    x = 2 * Inputs(1).normal(*axes).to(dtype) if axes else torch.tensor(0.7, dtype=dtype)
    assert_close(gelu(x), functional.gelu(x))
    if x.numel():
        assert (gelu(x) - functional.gelu(x, approximate="tanh")).abs().max() > 1e-5


def test_gelu_s_slope_is_right_everywhere_and_half_at_zero():
    x = torch.linspace(-7, 7, 29, dtype=torch.float64, requires_grad=True)
    assert gradcheck(gelu, x)
    assert torch.autograd.grad(gelu(x).sum(), x)[0][14] == 0.5


def test_what_passes_at_x_less_what_passes_at_minus_x_is_x():
    x = 3 * Inputs(1).normal(100)
    assert_close(gelu(x) - gelu(-x), x)


def test_feed_forward_by_hand():
    # One token (1, -2). Hidden 10 + 30 = 40 and -20 - 30 = -50: open and shut. Out (80, -40) + (1, 2).
    w_in, b_in = torch.tensor([[10.0, 0.0], [0.0, 10.0]]), torch.tensor([30.0, -30.0])
    w_out, b_out = torch.tensor([[2.0, -1.0], [9.0, 9.0]]), torch.tensor([1.0, 2.0])
    assert feed_forward(torch.tensor([[1.0, -2.0]]), w_in, b_in, w_out, b_out).tolist() == [[81, -38]]


@pytest.mark.parametrize("axes", [(), (3,), (2, 3), (0,)])
def test_feed_forward_agrees_with_torch_s_modules(axes):
    for seed in SEEDS:
        draw, linear = Inputs(seed), [nn.Linear(4, 7), nn.Linear(7, 4)]
        modules = nn.Sequential(linear[0], nn.GELU(), linear[1]).double()
        x = draw.normal(*axes, 4)
        parts = [part for layer in linear for part in (layer.weight.T, layer.bias)]
        assert_close(feed_forward(x, *parts), modules(x))


def test_feed_forward_looks_at_each_token_by_itself():
    parts = network(Inputs(1).normal(3, 4))
    slopes = jacobian(lambda x: feed_forward(**{**parts, "x": x}), parts["x"]).abs().sum(dim=(1, 3))
    assert slopes.fill_diagonal_(0).count_nonzero() == 0


def test_feed_forward_bends_so_two_halves_do_not_make_a_whole():
    parts = network(Inputs(1).normal(1, 4))
    whole, half = feed_forward(**parts), feed_forward(**{**parts, "x": parts["x"] / 2})
    assert (whole - parts["b_out"] - 2 * (half - parts["b_out"])).abs().max() > 0.1


# --- residual ------------------------------------------------------------------------------------


def test_residual_by_hand():
    found = residual(torch.tensor([2.0, 5.0]), sublayer=squares_and_one, norm=less_the_first)
    assert found.tolist() == [2 + 0 + 1, 5 + 36 + 1]


def test_a_layer_that_says_nothing_leaves_x_and_its_gradient_as_they_are():
    x = Inputs(1).normal(2, 3).requires_grad_()
    deep = x
    for _ in range(100):
        deep = residual(deep, lambda v: 0 * v, less_the_first)
    assert torch.equal(deep, x)
    assert torch.equal(torch.autograd.grad(deep.sum(), x)[0], torch.ones_like(x))


def test_the_slope_of_a_residual_is_one_plus_the_sublayer_s():
    x, w = Inputs(1).normal(4), Inputs(2).normal(4, 4)
    slopes = jacobian(lambda x: residual(x, lambda v: v @ w, lambda v: 3 * v), x)
    assert_close(slopes, torch.eye(4).double() + 3 * w.T)


def test_residual_calls_each_of_its_functions_once():
    called = []
    residual(torch.zeros(2), lambda v: called.append("sublayer") or v, lambda v: called.append("norm") or v)
    assert called == ["norm", "sublayer"]


def test_residual_agrees_with_torch_s_encoder_layer():
    # The same block out of torch's parts: pre-norm, one head, no dropout; nothing but the sums is ours.
    layer = nn.TransformerEncoderLayer(
        4, 1, 8, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    ).double()
    x = Inputs(1).normal(2, 3, 4)
    y = residual(x, lambda v: layer.self_attn(v, v, v, need_weights=False)[0], layer.norm1)
    assert_close(residual(y, lambda v: layer.linear2(gelu(layer.linear1(v))), layer.norm2), layer(x))


# --- cross_entropy -------------------------------------------------------------------------------


def test_cross_entropy_by_hand():
    logits = torch.tensor([[1.0, 1.0], [3.0, 1.0]]).log()  # chances 1/2, 1/2 and 3/4, 1/4
    assert cross_entropy(logits, torch.tensor([0, 1])).item() == pytest.approx(math.log(8) / 2)
    assert cross_entropy(logits, torch.tensor([0, 1]), ignore=0).item() == pytest.approx(math.log(4))


@pytest.mark.parametrize("axes", [(), (5,), (2, 3), (2, 3, 2)])
@pytest.mark.parametrize("ignore", [None, 0, 3, -100, 99])
def test_cross_entropy_and_its_gradient_agree_with_torch(axes, ignore):
    for seed in SEEDS:
        draw = Inputs(seed)
        logits, targets = draw.normal(*axes, 4, scale=3.0).requires_grad_(), draw.ids(*axes, below=4)
        if ignore is not None:
            targets = torch.where(draw.uniform(*axes) < 0.3, ignore, targets)
        if ignore is not None and (targets == ignore).all():
            continue
        expected = functional.cross_entropy(
            logits.reshape(-1, 4), targets.reshape(-1), ignore_index=-1 if ignore is None else ignore
        )
        found = cross_entropy(logits, targets, ignore)
        assert_close(found, expected)
        assert_close(torch.autograd.grad(found, logits), torch.autograd.grad(expected, logits))


def test_knowing_nothing_costs_the_logarithm_of_the_vocabulary():
    assert cross_entropy(torch.zeros(5, 50257), torch.arange(5)).item() == pytest.approx(math.log(50257))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_cross_entropy_stays_exact_for_large_logits(dtype):
    logits = torch.tensor([[1e4, 0.0], [-3e4, -3e4]], dtype=dtype, requires_grad=True)
    loss = cross_entropy(logits, torch.tensor([1, 0]))
    assert loss.dtype == dtype
    assert loss.item() == pytest.approx((1e4 + math.log(2)) / 2)
    assert torch.autograd.grad(loss, logits)[0].tolist() == [[0.5, -0.5], [-0.25, 0.25]]


def test_where_nothing_is_left_the_loss_and_its_gradient_are_zero():
    logits = Inputs(1).normal(3, 4).requires_grad_()
    loss = cross_entropy(logits, torch.full((3,), -100), ignore=-100)
    assert loss.shape == ()
    assert loss.item() == 0
    assert torch.autograd.grad(loss, logits)[0].count_nonzero() == 0


def test_what_stands_at_ignored_positions_cannot_matter():
    logits = Inputs(1).normal(3, 4)
    targets, worse = torch.tensor([2, -1, 0]), logits.clone()
    worse[1] = math.nan
    worse.requires_grad_()
    loss = cross_entropy(worse, targets, ignore=-1)
    assert_close(loss, cross_entropy(logits, targets, ignore=-1))
    assert torch.autograd.grad(loss, worse)[0][1].tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.int64])
def test_targets_may_be_of_any_integer_type(dtype):
    logits, targets = Inputs(1).normal(2, 200), torch.tensor([156, 3])
    expected = cross_entropy(logits, targets, -100)
    assert_close(cross_entropy(logits, targets.to(dtype), -100), expected)


@pytest.mark.parametrize(("target", "ignore"), [(4, None), (-1, None), (4, -1), (-100, 0)])
def test_a_target_outside_the_vocabulary_is_an_error_unless_it_is_ignored(target, ignore):
    with pytest.raises(ValueError, match=f"targets must hold ids from 0 to 3, got {target}"):
        cross_entropy(torch.zeros(2, 4), torch.tensor([1, target]), ignore)


# --- parameter_count and training_flops ----------------------------------------------------------


def block_and_rest(vocab, context, d_model):
    """The parameters of one layer, and of all that stands around the layers, in torch's own modules."""
    with torch.device("meta"):
        block = nn.ModuleList(
            [
                nn.LayerNorm(d_model),
                nn.MultiheadAttention(d_model, 1),
                nn.LayerNorm(d_model),
                nn.Linear(d_model, 4 * d_model),
                nn.Linear(4 * d_model, d_model),
            ]
        )
        tables = nn.Embedding(vocab, d_model), nn.Embedding(context, d_model)
        rest = nn.ModuleList([*tables, nn.LayerNorm(d_model)])
    return [sum(part.numel() for part in modules.parameters()) for modules in (block, rest)]


def test_parameter_count_agrees_with_torch_s_modules():
    draw = Inputs(1)
    for _ in range(10):
        vocab, context, d_model, layers = (draw.ids(4, below=20) + 1).tolist()
        block, rest = block_and_rest(vocab, context, d_model)
        assert parameter_count(vocab, context, d_model, layers) == layers * block + rest
        untied = parameter_count(vocab, context, d_model, layers, tied=False)
        assert untied == layers * block + rest + vocab * d_model


def test_parameter_count_gives_gpt_2_to_the_digit():
    assert parameter_count(**GPT2_SMALL) == 124_439_808
    assert parameter_count(50257, 1024, 1600, 48) == 1_557_611_200


def test_parameter_count_gives_what_the_paper_rounds_to_175_billion():
    assert parameter_count(50257, 2048, 12288, 96) == 174_604_259_328


def test_a_layer_more_costs_the_same_at_any_depth():
    counts = [parameter_count(100, 10, 8, layers) for layers in range(4)]
    assert {b - a for a, b in pairwise(counts)} == {12 * 64 + 13 * 8}


@pytest.mark.parametrize("name", ["vocab", "context", "d_model"])
def test_a_model_without_anything_is_an_error(name):
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
        parameter_count(**{**GPT2_SMALL, name: 0})
    with pytest.raises(ValueError, match="layers must be at least 0, got -1"):
        parameter_count(**{**GPT2_SMALL, "layers": -1})


def test_training_flops_gives_the_table_of_gpt_3():
    # Brown et al. 2020, table D.1: 3.14e23, with 174.6 billion parameters and 300 billion tokens.
    assert training_flops(174_600_000_000, 300_000_000_000) == pytest.approx(3.14e23, rel=2e-3)


def test_training_flops_counts_the_products_of_a_matrix_and_its_gradients():
    # x (tokens, a) times w (a, b), then gradient times w transposed, then x transposed times gradient.
    tokens, a, b = 7, 5, 3
    pairs = tokens * a * b + tokens * b * a + a * tokens * b
    assert training_flops(a * b, tokens) == 2 * pairs
    assert isinstance(training_flops(1, 1), float)


@pytest.mark.parametrize(("parameters", "tokens", "named"), [(-1, 5, "parameters"), (5, -1, "tokens")])
def test_training_on_less_than_nothing_is_an_error(parameters, tokens, named):
    with pytest.raises(ValueError, match=f"{named} must be at least 0, got -1"):
        training_flops(parameters, tokens)


# --- learning_rate -------------------------------------------------------------------------------


def test_learning_rate_by_hand():
    rates = [learning_rate(step, 8.0, 2, 8, 2.0) for step in (0, 1, 2, 4, 5, 6, 8, 9, 10**6)]
    # A third of the way: cos 60 degrees is 1/2, so three quarters of the height are left.
    assert rates == pytest.approx([0, 4, 8, 6.5, 5, 3.5, 2, 2, 2])


def test_learning_rate_agrees_with_torch_s_schedules():
    warmup, total, peak, floor = 5, 17, 0.3, 0.02
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=peak)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, total - warmup, eta_min=floor)
    for step in range(warmup, total + 1):
        assert learning_rate(step, peak, warmup, total, floor) == pytest.approx(cosine.get_last_lr()[0])
        optimizer.step()
        cosine.step()


def test_learning_rate_climbs_then_falls_and_never_leaves_its_bounds():
    for seed in SEEDS:
        draw = Inputs(seed)
        warmup, down = draw.ids(2, below=12).tolist()
        floor, height = draw.uniform(2).tolist()
        rates = [
            learning_rate(s, floor + height, warmup, warmup + down, floor) for s in range(warmup + down + 3)
        ]
        assert rates[warmup] == pytest.approx(floor + height)
        assert rates[: warmup + 1] == sorted(rates[: warmup + 1])
        assert rates[warmup:] == sorted(rates[warmup:], reverse=True)
        assert set(rates[warmup + down + 1 :]) == {floor}


def test_the_line_up_is_a_line():
    for step in range(8):
        assert learning_rate(step, 0.5, 7, 9, 0.1) == pytest.approx(float(Fraction(step, 7)) / 2)


def test_no_warmup_starts_at_the_peak_and_no_way_down_ends_at_once():
    assert [learning_rate(s, 3.0, 0, 2, 1.0) for s in range(4)] == [3, 2, 1, 1]
    assert [learning_rate(s, 3.0, 2, 2, 1.0) for s in range(5)] == [0, 1.5, 3, 1, 1]
    assert [learning_rate(s, 3.0, 0, 0, 1.0) for s in range(3)] == [3, 1, 1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"step": -1}, "step must be at least 0, got -1"),
        ({"warmup": -2}, "warmup must be at least 0, got -2"),
        ({"total": 3}, r"total must be at least warmup \(4\), got 3"),
    ],
)
def test_a_schedule_that_makes_no_sense_is_an_error(changes, message):
    with pytest.raises(ValueError, match=message):
        learning_rate(**{**planned(1), **changes})


# --- clip_gradients ------------------------------------------------------------------------------


@pytest.mark.parametrize("max_norm", [0.1, 1.0, 3.0, 30.0])
def test_clip_gradients_agrees_with_torch_on_gradients_of_some_length(max_norm):
    for seed in SEEDS:
        draw = Inputs(seed)
        gradients = [draw.normal(2, 3), draw.normal(4), draw.normal(1, 1, 1)]
        parameters = [nn.Parameter(torch.zeros_like(g)) for g in gradients]
        for parameter, g in zip(parameters, gradients, strict=True):
            parameter.grad = g.clone()
        nn.utils.clip_grad_norm_(parameters, max_norm)  # it adds 1e-6 to the norm
        expected = [parameter.grad for parameter in parameters]
        assert_close(clip_gradients(gradients, max_norm), expected, rtol=1e-5, atol=1e-12)


def test_what_is_too_long_comes_out_exactly_so_long_and_in_the_same_direction():
    for scale in (1e-8, 1.0, 1e8):
        gradients = some_gradients(scale)
        clipped = clip_gradients(gradients, scale / 10)
        one, other = (torch.cat([g.flatten() for g in gs]) for gs in (gradients, clipped))
        assert other.norm().item() == pytest.approx(scale / 10)
        assert_close(other / other.norm(), one / one.norm())


def test_what_is_short_enough_stays_to_the_last_bit_but_in_new_tensors():
    gradients = some_gradients()
    for g, kept in zip(gradients, clip_gradients(gradients, 1e6), strict=True):
        assert torch.equal(g, kept)
        assert g.data_ptr() != kept.data_ptr()


def test_to_clip_twice_is_to_clip_once():
    once = clip_gradients(some_gradients(), 2.0)
    assert_close(clip_gradients(once, 2.0), once)


def test_nothing_and_zeros_can_be_clipped():
    assert clip_gradients([], 1.0) == []
    assert clip_gradients([], 0.0) == []
    for max_norm in (0.0, 1.0):
        assert clip_gradients([torch.zeros(2)], max_norm)[0].tolist() == [0, 0]
    assert clip_gradients([torch.ones(2)], 0.0)[0].tolist() == [0, 0]


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_clipped_gradients_keep_their_dtype(dtype):
    clipped = clip_gradients([torch.ones(3, dtype=dtype), torch.ones(1, dtype=torch.float32)], 1.0)
    assert [g.dtype for g in clipped] == [dtype, torch.float32]


def test_a_negative_length_is_an_error():
    with pytest.raises(ValueError, match=r"max_norm must be at least 0, got -0\.5"):
        clip_gradients([torch.ones(1)], -0.5)


# --- adamw_update --------------------------------------------------------------------------------


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.5, 0.9), (0.0, 0.99)])
@pytest.mark.parametrize("eps", [1e-8, 0.3])
def test_adamw_update_follows_torch_for_many_steps(weight_decay, betas, eps):
    draw = Inputs(1)
    start = draw.normal(2, 3)
    theirs = nn.Parameter(start.clone())
    optimizer = torch.optim.AdamW([theirs], lr=0.1, betas=betas, eps=eps, weight_decay=weight_decay)
    ours, mean, square = start, torch.zeros(2, 3).double(), torch.zeros(2, 3).double()
    for step in range(1, 41):
        gradient = draw.normal(2, 3)
        theirs.grad = gradient.clone()
        optimizer.step()
        ours, mean, square = adamw_update(ours, gradient, mean, square, step, 0.1, betas, eps, weight_decay)
        assert_close(ours, theirs.detach())
    assert_close(mean, optimizer.state[theirs]["exp_avg"])
    assert_close(square, optimizer.state[theirs]["exp_avg_sq"])


def test_adamw_update_by_hand():
    # m' = 1, corrected 2; v' = 2, corrected 4, root 2; so the step is lr, and the decay 0.1 * 0.5 * 8.
    arguments = torch.tensor([8.0]), torch.tensor([2.0]), torch.tensor([0.0]), torch.tensor([0.0])
    found = adamw_update(*arguments, 1, lr=0.1, betas=(0.5, 0.5), eps=0.0, weight_decay=0.5)
    assert_close(found, (torch.tensor([8 - 0.1 - 0.4]), torch.tensor([1.0]), torch.tensor([2.0])))


def test_the_size_of_the_gradient_does_not_matter():
    parts = {**updated(), "eps": 0.0}
    scaled = {name: 1e3 * parts[name] for name in ("gradient", "mean")} | {"square": 1e6 * parts["square"]}
    assert_close(adamw_update(**{**parts, **scaled})[0], adamw_update(**parts)[0])


def test_a_first_step_is_as_long_as_the_learning_rate():
    gradient, zero = torch.tensor([3.0, -1e-3, 700.0]), torch.zeros(3)
    moved, *_ = adamw_update(zero, gradient, zero, zero, 1, lr=0.01)
    assert_close(moved, -0.01 * gradient.sign(), rtol=1e-4, atol=0)


def test_weight_decay_does_not_touch_the_means():
    assert_close(adamw_update(**updated())[1:], adamw_update(**updated(weight_decay=0.0))[1:])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_adamw_update_keeps_the_dtype(dtype):
    parts = {n: p.to(dtype) if isinstance(p, torch.Tensor) else p for n, p in updated().items()}
    assert {part.dtype for part in adamw_update(**parts)} == {dtype}


def test_steps_count_from_one():
    with pytest.raises(ValueError, match="step must be at least 1, got 0"):
        adamw_update(**updated(step=0))


# --- translate -----------------------------------------------------------------------------------


def spelled_out(encode, next_logits, source, start, stop, max_new_tokens):
    """The same in plain lists."""
    z, written = encode(source), []
    while len(written) < max_new_tokens and (not written or written[-1] != stop):
        scores = next_logits(z, torch.tensor([start, *written])).tolist()
        written.append(scores.index(max(scores)))
    return written


def test_translate_agrees_with_plain_lists():
    for seed in SEEDS:
        for start, stop, limit in ((0, 6, 7), (1, 3, 7), (2, 2, 7), (3, 0, 1), (4, 5, 0)):
            arguments = translated(seed, start, stop, limit)
            assert translate(**arguments).tolist() == spelled_out(**arguments)


def test_translate_reads_the_source_once():
    halves, read = Halves(1), []
    translate(lambda x: read.append(x) or x, halves.next_logits, torch.tensor([1, 2]), 0, 6, 9)
    assert len(read) == 1
    assert read[0].tolist() == [1, 2]


def test_z_reaches_the_decoder_as_the_encoder_made_it():
    z, seen = object(), []
    translate(
        lambda _: z,
        lambda got, ids: seen.append((got, ids.tolist())) or torch.eye(3)[1],
        torch.tensor([2]),
        0,
        2,
        3,
    )
    assert [got is z for got, _ in seen] == [True] * 3
    assert [ids for _, ids in seen] == [[0], [0, 1], [0, 1, 1]]


def test_of_equal_scores_one_of_the_largest_is_taken():
    found = translate(lambda x: x, lambda z, ids: torch.tensor([1.0, 5.0, 5.0]), torch.tensor([0]), 0, 9, 1)
    assert found.item() in (1, 2)


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
def test_what_is_written_has_the_type_of_the_source_even_if_it_is_nothing(dtype):
    for limit in (0, 2):
        arguments = translated(1, limit=limit)
        found = translate(**{**arguments, "source": arguments["source"].to(dtype)})
        assert (found.dtype, len(found)) == (dtype, limit)


def test_less_than_no_tokens_is_an_error():
    with pytest.raises(ValueError, match="max_new_tokens must be at least 0, got -1"):
        translate(**translated(1, limit=-1))
