"""The references of `nexttoken.qkv`, against hand-computed cases and oracles written otherwise."""

import math

import pytest
import torch
from torch.autograd.functional import jacobian
from torch.nn import MultiheadAttention, functional
from torch.testing import assert_close

from nexttoken.attention import causal_mask, padding_mask, self_attention
from nexttoken.lab.inputs import Inputs
from nexttoken.qkv import (
    cached_attention_step,
    cross_attention,
    grouped_query_attention,
    merge_heads,
    multi_head_attention,
    project_qkv,
    rotate,
    scaled_dot_product_attention,
    split_heads,
)

SEEDS = range(50)

pytestmark = pytest.mark.usefixtures("answered_by_the_reference")


def some_mask(*shape, seed=1):
    """A random mask in which every query may look at something."""
    mask = Inputs(seed).uniform(*shape) < 0.5
    mask[..., 0] = True
    return mask


def four_matrices(d_model=4, d_inner=6, seed=2, d_memory=None):
    draw = Inputs(seed)
    d_memory = d_memory or d_model
    shapes = (d_model, d_inner), (d_memory, d_inner), (d_memory, d_inner), (d_inner, d_model)
    return [draw.normal(*shape) for shape in shapes]


def by_name(matrices):
    return dict(zip(("w_query", "w_key", "w_value", "w_out"), matrices, strict=True))


def attended(x, d_inner, heads, mask=None):
    """Arguments of `multi_head_attention`."""
    matrices = four_matrices(x.shape[-1], d_inner)
    return {"x": x.requires_grad_(), **by_name(matrices), "heads": heads, "mask": mask}


def crossed(x, memory, d_inner, heads, mask=None):
    matrices = four_matrices(x.shape[-1], d_inner, d_memory=memory.shape[-1])
    return {"x": x, "memory": memory, **by_name(matrices), "heads": heads, "mask": mask}


def stepped(x_new, kept, heads=2, d_inner=6):
    """Arguments of `cached_attention_step` with so many tokens in the cache, or none."""
    draw, shape = Inputs(3), (*x_new.shape[:-2], heads, kept, d_inner // heads)
    cache = (draw.normal(*shape), draw.normal(*shape)) if kept else None
    return {
        "x_new": x_new,
        "cache": cache,
        **by_name(four_matrices(x_new.shape[-1], d_inner)),
        "heads": heads,
    }


def grouped(heads, groups, mask=None, batch=()):
    draw = Inputs(1)
    return {
        "queries": draw.normal(*batch, heads, 3, 4),
        "keys": draw.normal(*batch, groups, 3, 4),
        "values": draw.normal(*batch, groups, 3, 4),
        "mask": mask,
    }


def projected(x, d_key, d_value):
    draw, d = Inputs(2), x.shape[-1]
    matrices = draw.normal(d, d_key), draw.normal(d, d_key), draw.normal(d, d_value)
    return {"x": x, **dict(zip(("w_query", "w_key", "w_value"), matrices, strict=True))}


# Calls on which every misconception does what neither the reference nor another misconception does;
# tests/test_exercises.py looks at that.
ARGUMENTS = {
    "project_qkv": [
        lambda: projected(Inputs(1).normal(2, 3), 4, 5),
        lambda: projected(Inputs(1).normal(2, 3), 3, 3),
    ],
    "scaled_dot_product_attention": [
        lambda: {
            "queries": Inputs(1).normal(3, 4),
            "keys": Inputs(2).normal(3, 4),
            "values": Inputs(3).normal(3, 2),
            "mask": None,
        },
        lambda: {
            "queries": Inputs(1).normal(3, 4),
            "keys": Inputs(2).normal(3, 4),
            "values": Inputs(3).normal(3, 2),
            "mask": torch.tensor([[True, False, True], [False, False, False], [False, True, True]]),
        },
    ],
    "split_heads": [
        lambda: {"x": Inputs(1).normal(3, 6), "heads": 2},
        lambda: {"x": Inputs(1).normal(2, 3, 6), "heads": 3},
    ],
    "merge_heads": [
        lambda: {"x": Inputs(1).normal(2, 3, 2)},
        lambda: {"x": Inputs(1).normal(3, 2, 3, 2)},
    ],
    "multi_head_attention": [
        lambda: attended(Inputs(1).normal(3, 4), 4, 2),
        lambda: attended(Inputs(1).normal(2, 3, 4), 4, 2, some_mask(2, 3, 3)),
    ],
    "cross_attention": [
        lambda: crossed(Inputs(1).normal(3, 4), Inputs(2).normal(3, 4), 4, 2),
        lambda: crossed(Inputs(1).normal(2, 3), Inputs(2).normal(4, 5), 6, 2),
    ],
    "cached_attention_step": [
        lambda: stepped(Inputs(1).normal(3, 4), kept=0),
        lambda: stepped(Inputs(1).normal(2, 4), kept=3),
        lambda: stepped(Inputs(1).normal(1, 4), kept=3),
    ],
    "rotate": [
        lambda: {"x": Inputs(1).normal(3, 6), "positions": torch.tensor([4, 0, 7]), "base": 10000.0},
        lambda: {"x": Inputs(1).normal(2, 4), "positions": torch.arange(2), "base": 100.0},
    ],
    "grouped_query_attention": [
        lambda: grouped(4, 2),
        lambda: grouped(2, 1, some_mask(2, 3, 3), batch=(2,)),
        lambda: grouped(2, 2, some_mask(2, 3, 3), batch=(2,)),
    ],
}


# --- project_qkv ---------------------------------------------------------------------------------


def test_project_qkv_by_hand():
    x = torch.tensor([[1.0, 2.0]])
    w = torch.tensor([[1.0, 0.0], [3.0, -1.0]])
    queries, keys, values = project_qkv(x, w, 2 * w, w[:, :1])
    assert (queries.tolist(), keys.tolist(), values.tolist()) == ([[7, -2]], [[14, -4]], [[7]])


def test_project_qkv_is_what_torch_calls_a_linear_layer_without_bias():
    for seed in SEEDS:
        draw = Inputs(seed)
        x, matrices = draw.normal(2, 3, 4), [draw.normal(4, 5), draw.normal(4, 5), draw.normal(4, 2)]
        for found, w in zip(project_qkv(x, *matrices), matrices, strict=True):
            assert_close(found, functional.linear(x, w.T))


def test_only_the_product_of_w_query_and_w_key_matters_for_the_scores():
    x, (w_query, w_key, w_value, _) = Inputs(1).normal(5, 4), four_matrices()
    change = Inputs(5).normal(6, 6)
    queries, keys, _ = project_qkv(x, w_query, w_key, w_value)
    others = project_qkv(x, w_query @ change, w_key @ change.inverse().T, w_value)
    assert_close(others[0] @ others[1].T, queries @ keys.T)
    assert_close(x @ (w_query @ w_key.T) @ x.T, queries @ keys.T)


# --- scaled_dot_product_attention ----------------------------------------------------------------


@pytest.mark.parametrize("axes", [(), (2,), (2, 3)])
def test_scaled_dot_product_attention_agrees_with_torch(axes):
    for seed in SEEDS:
        draw = Inputs(seed)
        q, k, v = draw.normal(*axes, 3, 4), draw.normal(*axes, 5, 4), draw.normal(*axes, 5, 2)
        for mask in (None, some_mask(3, 5, seed=seed), some_mask(*axes, 3, 5, seed=seed)):
            expected = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
            assert_close(scaled_dot_product_attention(q, k, v, mask), expected)


def test_scaled_dot_product_attention_and_its_gradients_agree_with_a_double_loop():
    draw = Inputs(1)
    inputs = tuple(draw.normal(3, 2).requires_grad_() for _ in range(3))

    def slowly(queries, keys, values):
        rows = []
        for query in queries:
            powers = [(query @ key / math.sqrt(2)).exp() for key in keys]
            rows.append(sum(p * v for p, v in zip(powers, values, strict=True)) / sum(powers))
        return torch.stack(rows)

    assert_close(scaled_dot_product_attention(*inputs), slowly(*inputs))
    for found, expected in zip(
        jacobian(scaled_dot_product_attention, inputs), jacobian(slowly, inputs), strict=True
    ):
        assert_close(found, expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_query_that_may_look_at_nothing_gets_zeros_and_gives_no_gradient(dtype):
    q = torch.ones(2, 3, dtype=dtype, requires_grad=True)
    mask = torch.tensor([[False, False], [True, False]])
    mixed = scaled_dot_product_attention(q, q, q, mask)
    assert mixed.tolist() == [[0, 0, 0], [1, 1, 1]]
    assert mixed.dtype == dtype
    assert torch.autograd.grad(mixed[0].sum(), q)[0].abs().sum() == 0


def test_with_one_tensor_as_queries_keys_and_values_it_is_the_last_chapter_s_self_attention():
    x, mask = Inputs(1).normal(2, 4, 3), some_mask(2, 4, 4)
    assert_close(scaled_dot_product_attention(x, x, x, mask), self_attention(x, mask))


# --- split_heads and merge_heads -----------------------------------------------------------------


def test_a_head_holds_neighbouring_numbers_of_every_token():
    x = torch.arange(24).reshape(2, 2, 6).float()
    heads = split_heads(x, 3)
    assert heads.shape == (2, 3, 2, 2)
    for head in range(3):
        assert torch.equal(heads[:, head], x[..., 2 * head : 2 * head + 2])


@pytest.mark.parametrize("axes", [(), (3,), (2, 3), (0,)])
@pytest.mark.parametrize("heads", [1, 2, 3, 6])
def test_merge_undoes_split(axes, heads):
    x = Inputs(1).normal(*axes, 4, 6)
    assert torch.equal(merge_heads(split_heads(x, heads)), x)


def test_merge_works_on_what_no_reshape_could_view():
    x = Inputs(1).normal(4, 2, 3).transpose(0, 1)
    assert torch.equal(merge_heads(x), torch.cat([x[0], x[1]], dim=-1))


@pytest.mark.parametrize("heads", [4, 0, -1])
def test_heads_must_divide_the_vector(heads):
    with pytest.raises(ValueError, match=f"heads must .* got {heads}"):
        split_heads(torch.zeros(2, 6), heads)


# --- multi_head_attention and cross_attention ----------------------------------------------------


@pytest.mark.parametrize("heads", [1, 2, 4])
def test_multi_head_attention_agrees_with_torch_s_module(heads):
    # Its mask means the opposite, its weights are stored transposed and in one tensor.
    x, matrices, mask = Inputs(1).normal(2, 5, 8), four_matrices(8, 8), some_mask(5, 5)
    module = MultiheadAttention(8, heads, bias=False, batch_first=True, dtype=torch.float64)
    with torch.no_grad():
        module.in_proj_weight.copy_(torch.cat([w.T for w in matrices[:3]]))
        module.out_proj.weight.copy_(matrices[3].T)
    expected, _ = module(x, x, x, attn_mask=~mask, need_weights=False)
    assert_close(multi_head_attention(x, *matrices, heads, mask), expected.detach())


def test_heads_are_attentions_of_their_own_that_are_added_up():
    x, (w_query, w_key, w_value, w_out) = Inputs(1).normal(5, 4), four_matrices()
    total = torch.zeros(5, 4, dtype=torch.float64)
    for part in (slice(0, 2), slice(2, 4), slice(4, 6)):
        q, k, v = project_qkv(x, w_query[:, part], w_key[:, part], w_value[:, part])
        total += scaled_dot_product_attention(q, k, v, causal_mask(5)) @ w_out[part]
    assert_close(multi_head_attention(x, w_query, w_key, w_value, w_out, 3, causal_mask(5)), total)


def test_a_mask_for_each_text_does_not_depend_on_the_other_texts():
    x, matrices, mask = Inputs(1).normal(3, 4, 4), four_matrices(), some_mask(3, 4, 4)
    together = multi_head_attention(x, *matrices, 3, mask)
    for text in range(3):
        assert_close(together[text], multi_head_attention(x[text], *matrices, 3, mask[text]))


def test_padding_changes_nothing_for_the_real_tokens():
    x, matrices = Inputs(1).normal(1, 5, 4), four_matrices()
    real = padding_mask(torch.tensor([3]), 5).unsqueeze(1)
    assert_close(
        multi_head_attention(x, *matrices, 2, real)[:, :3], multi_head_attention(x[:, :3], *matrices, 2)
    )


def test_the_future_never_changes_the_past():
    x, matrices = Inputs(1).normal(4, 4), four_matrices()
    slopes = jacobian(lambda x: multi_head_attention(x, *matrices, 2, causal_mask(4)), x)
    assert slopes.abs().sum(dim=(1, 3)).triu(diagonal=1).count_nonzero() == 0


def test_tokens_in_another_order_give_the_results_in_that_order():
    x, matrices, order = Inputs(1).normal(6, 4), four_matrices(), Inputs(2).uniform(6).argsort()
    assert_close(multi_head_attention(x[order], *matrices, 2), multi_head_attention(x, *matrices, 2)[order])


def test_cross_attention_to_oneself_is_multi_head_attention():
    x, matrices, mask = Inputs(1).normal(2, 4, 4), four_matrices(), some_mask(2, 4, 4)
    assert_close(cross_attention(x, x, *matrices, 2, mask), multi_head_attention(x, *matrices, 2, mask))


def test_cross_attention_agrees_with_torch_on_its_parts():
    for seed in SEEDS:
        draw = Inputs(seed)
        x, memory, matrices = draw.normal(2, 3, 4), draw.normal(2, 5, 7), four_matrices(4, 6, seed, 7)
        mask = some_mask(2, 3, 5, seed=seed)
        q, k, v = (
            torch.stack((of @ w).chunk(3, dim=-1), dim=1)
            for of, w in zip((x, memory, memory), matrices[:3], strict=True)
        )
        heads = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask.unsqueeze(1))
        expected = torch.cat(heads.unbind(dim=1), dim=-1) @ matrices[3]
        assert_close(cross_attention(x, memory, *matrices, 3, mask), expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_dtype_is_kept(dtype):
    x, matrices = Inputs(1).normal(3, 4).to(dtype), [w.to(dtype) for w in four_matrices()]
    out, cache = cached_attention_step(x, None, *matrices, 2)
    assert {multi_head_attention(x, *matrices, 2).dtype, out.dtype, *(t.dtype for t in cache)} == {dtype}
    assert rotate(x, torch.arange(3)).dtype == dtype


@pytest.mark.parametrize("function", [multi_head_attention, cross_attention, cached_attention_step])
def test_heads_must_divide_what_the_matrices_give(function):
    x, matrices = torch.zeros(2, 4), [w.float() for w in four_matrices()]
    between = {multi_head_attention: (), cross_attention: (x,), cached_attention_step: (None,)}[function]
    with pytest.raises(ValueError, match=r"heads must divide .* \(6\), got 4"):
        function(x, *between, *matrices, 4)


# --- cached_attention_step -----------------------------------------------------------------------


@pytest.mark.parametrize("axes", [(), (2,), (2, 3)])
@pytest.mark.parametrize("pieces", [[6], [1, 5], [5, 1], [2, 3, 1], [1] * 6])
def test_cached_is_equal_to_uncached_at_every_split(axes, pieces):
    x, matrices = Inputs(1).normal(*axes, 6, 4), four_matrices()
    found, cache = [], None
    for piece in x.split(pieces, dim=-2):
        out, cache = cached_attention_step(piece, cache, *matrices, 3)
        found.append(out)
    assert_close(torch.cat(found, dim=-2), multi_head_attention(x, *matrices, 3, causal_mask(6)))
    assert_close(cache, tuple(split_heads(x @ w, 3) for w in matrices[1:3]))


def test_a_cache_is_left_as_it_was_so_that_two_texts_may_go_on_from_it():
    x, matrices = Inputs(1).normal(4, 4), four_matrices()
    _, cache = cached_attention_step(x[:2], None, *matrices, 2)
    before = [part.clone() for part in cache]
    first = cached_attention_step(x[2:], cache, *matrices, 2)[0]
    cached_attention_step(-x[2:], cache, *matrices, 2)
    assert_close(list(cache), before)
    assert_close(cached_attention_step(x[2:], cache, *matrices, 2)[0], first)


def test_the_first_token_alone_hands_over_its_own_value():
    x, matrices = Inputs(1).normal(1, 4), four_matrices()
    assert_close(cached_attention_step(x, None, *matrices, 3)[0], x @ matrices[2] @ matrices[3])


def test_gradients_reach_the_old_tokens_through_the_cache():
    x, matrices = Inputs(1).normal(3, 4), four_matrices()

    def last_row(x):
        _, cache = cached_attention_step(x[:2], None, *matrices, 2)
        return cached_attention_step(x[2:], cache, *matrices, 2)[0][0]

    expected = jacobian(lambda x: multi_head_attention(x, *matrices, 2, causal_mask(3))[2], x)
    assert_close(jacobian(last_row, x), expected)


# --- rotate --------------------------------------------------------------------------------------


def test_rotate_is_multiplication_by_a_number_on_the_unit_circle():
    for seed in SEEDS:
        draw = Inputs(seed)
        x, positions, base = draw.normal(2, 5, 8), draw.ids(5, below=3000), 10.0 ** (1 + seed % 5)
        speeds = torch.tensor([base ** (-2 * i / 8) for i in range(4)], dtype=torch.float64)
        angles = positions.unsqueeze(-1) * speeds
        turned = torch.view_as_complex(x.unflatten(-1, (4, 2))) * torch.polar(torch.ones_like(angles), angles)
        assert_close(rotate(x, positions, base), torch.view_as_real(turned).flatten(-2))


def test_scores_of_rotated_vectors_depend_on_the_distance_alone():
    draw = Inputs(1)
    queries, keys = draw.normal(1, 16), draw.normal(1, 16)
    for distance in (0, 1, 7, 500):
        scores = [
            (rotate(queries, torch.tensor([t + distance])) * rotate(keys, torch.tensor([t]))).sum().item()
            for t in (0, 1, 10, 4000)
        ]
        assert scores == pytest.approx([scores[0]] * 4, abs=1e-9)


def test_rotations_keep_lengths_add_up_and_can_be_undone():
    x, places = Inputs(1).normal(4, 6), torch.tensor([0, 3, 5, 90])
    assert_close(rotate(x, places).norm(dim=-1), x.norm(dim=-1))
    assert_close(rotate(rotate(x, places), places + 1), rotate(x, 2 * places + 1))
    assert_close(rotate(rotate(x, places), -places), x)
    assert torch.equal(rotate(x, 0 * places), x)


def test_far_positions_keep_their_digits_in_float32():
    x, far = Inputs(1).normal(1, 4), torch.tensor([1_000_003])
    assert_close(rotate(x.float(), far).double(), rotate(x, far), atol=1e-5, rtol=0)


@pytest.mark.parametrize("axes", [(), (3,), (2, 3), (0,)])
def test_rotate_takes_any_batch_axes_and_lets_gradients_flow(axes):
    x, places = Inputs(1).normal(*axes, 4, 6).requires_grad_(), torch.arange(4)
    turned = rotate(x, places)
    assert turned.shape == x.shape
    assert_close(torch.autograd.grad(turned.sum(), x)[0], rotate(torch.ones_like(x), -places))


def test_rotate_needs_pairs():
    with pytest.raises(ValueError, match="even last axis, got 5"):
        rotate(torch.zeros(2, 5), torch.arange(2))


# --- grouped_query_attention ---------------------------------------------------------------------


@pytest.mark.parametrize("groups", [1, 2, 3, 6])
def test_grouped_query_attention_agrees_with_torch(groups):
    for seed in SEEDS:
        draw = Inputs(seed)
        q, k, v = draw.normal(2, 6, 3, 4), draw.normal(2, groups, 5, 4), draw.normal(2, groups, 5, 4)
        mask = some_mask(2, 3, 5, seed=seed)
        expected = functional.scaled_dot_product_attention(
            q, k, v, attn_mask=mask.unsqueeze(1), enable_gqa=True
        )
        assert_close(grouped_query_attention(q, k, v, mask), expected)


def test_as_many_groups_as_heads_is_plain_attention_in_every_head():
    draw = Inputs(1)
    q, k, v = draw.normal(3, 4, 2), draw.normal(3, 4, 2), draw.normal(3, 4, 2)
    assert_close(grouped_query_attention(q, k, v), scaled_dot_product_attention(q, k, v))


def test_one_group_is_multi_query_attention():
    draw = Inputs(1)
    q, k, v = draw.normal(3, 4, 2), draw.normal(1, 4, 2), draw.normal(1, 4, 2)
    for head in range(3):
        expected = scaled_dot_product_attention(q[head], k[0], v[0])
        assert_close(grouped_query_attention(q, k, v)[head], expected)


def test_equal_groups_are_as_good_as_one():
    draw = Inputs(1)
    q, k, v = draw.normal(4, 3, 2), draw.normal(1, 3, 2), draw.normal(1, 3, 2)
    twice = grouped_query_attention(q, k.repeat(2, 1, 1), v.repeat(2, 1, 1))
    assert_close(twice, grouped_query_attention(q, k, v))


def test_groups_must_divide_the_heads():
    with pytest.raises(ValueError, match="divide the 4 heads, got 3"):
        grouped_query_attention(torch.zeros(4, 1, 2), torch.zeros(3, 1, 2), torch.zeros(3, 1, 2))
