"""The references of `nexttoken.sft`, against hand-computed cases and oracles written otherwise."""

import math

import pytest
import torch
from torch import nn
from torch.autograd.functional import jacobian
from torch.nn import functional
from torch.testing import assert_close
from torch.utils.flop_counter import FlopCounterMode

from nexttoken.lab.inputs import Inputs
from nexttoken.sft import (
    answer_loss,
    effective_rank,
    lora_linear,
    merge_lora,
    pad_batch,
    relative_change,
    render_dialogue,
    trainable_fraction,
)

SEEDS = range(50)

pytestmark = pytest.mark.usefixtures("answered_by_the_reference")


def dialogue(question, answer):
    return {"question": question, "answer": answer, "bos": 1, "sep": 2, "eos": 3}


def rows(*lengths, seed=1):
    """Rows of ids from 0 to 8 of these lengths."""
    draw = Inputs(seed)
    return [draw.ids(length, below=9) for length in lengths]


def dialogues(batch=3, time=6, vocab=5, seed=1, scale=1.0):
    """Arguments of `answer_loss`: the answer of row i begins at place 2 + i % 3, and ends before the row."""
    draw = Inputs(seed)
    place, begins = torch.arange(time), 2 + torch.arange(batch).unsqueeze(-1) % 3
    return {
        "logits": draw.normal(batch, time, vocab, scale=scale).requires_grad_(),
        "ids": draw.ids(batch, time, below=vocab),
        "is_answer": (place >= begins) & (place < time - 1),
    }


def changed(dialogues, **changes):
    return {**dialogues, **{name: change(dialogues[name]) for name, change in changes.items()}}


def with_marks(is_answer, place, marks=True):
    is_answer = is_answer.clone()
    is_answer[:, place] = marks
    return is_answer


def with_an_impossible_token(arguments):
    """What comes at place 1, where no answer is, has no chance."""
    logits = arguments["logits"].detach().clone()
    logits[0, 0, arguments["ids"][0, 1]] = -math.inf
    return {**arguments, "logits": logits}


def weights(seed=1, **shapes):
    draw = Inputs(seed)
    return {name: draw.normal(*shape) for name, shape in shapes.items()}


def moved(before, by=0.1, seed=2):
    draw = Inputs(seed)
    return {name: old + draw.normal(*old.shape, scale=by) for name, old in before.items()}


def adapted(d_in=3, d_out=3, rank=2, batch=(2,), alpha=6.0, seed=1):
    """Arguments of `lora_linear`."""
    draw = Inputs(seed)
    return {
        "x": draw.normal(*batch, d_in),
        "weight": draw.normal(d_out, d_in),
        "a": draw.normal(rank, d_in),
        "b": draw.normal(d_out, rank),
        "alpha": alpha,
    }


def merged(**sizes):
    return {name: value for name, value in adapted(**sizes).items() if name != "x"}


def too_large_together():
    """B A is infinite in a computer, x A^T B^T is 3e10."""
    row, weight = torch.ones(1, 4, dtype=torch.float64), torch.eye(4, dtype=torch.float64)
    return {"x": row / 4 * 3e-300, "weight": weight, "a": 1e160 * row, "b": 1e150 * row.T, "alpha": 1.0}


def partly_frozen():
    """2 * 3 + 3 numbers learn, the other 3 * 2 do not, 6 more are no parameters."""
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3, affine=False), nn.Linear(3, 2, bias=False))
    model[2].requires_grad_(False)
    return model


def tied():
    """10 numbers that are used twice, 6 others that do not learn."""
    model = nn.Sequential(nn.Embedding(5, 2), nn.Linear(2, 2), nn.Linear(2, 5, bias=False))
    model[2].weight = model[0].weight
    model[1].requires_grad_(False)
    return model.eval()


# Calls on which every misconception does what neither the reference nor another misconception does;
# tests/test_exercises.py looks at that.
ARGUMENTS = {
    "render_dialogue": [
        lambda: dialogue([7, 8], [9, 6, 5]),
        lambda: dialogue([7, 2, 8], [9, 6, 5]),
    ],
    "pad_batch": [
        lambda: {"sequences": [torch.tensor([5, 9]), torch.tensor([7, 8, 6])], "pad": 9},
        lambda: {"sequences": rows(3, 1, 2), "pad": 9},
    ],
    "answer_loss": [
        dialogues,
        lambda: changed(dialogues(), is_answer=lambda m: with_marks(m, 0)),
        lambda: changed(dialogues(), is_answer=torch.zeros_like),
        lambda: with_an_impossible_token(dialogues()),
        lambda: dialogues(scale=1e4),
    ],
    "relative_change": [
        lambda: {"before": weights(a=(2, 3), b=(4,)), "after": moved(weights(a=(2, 3), b=(4,)))},
        lambda: {
            "before": weights(a=(4,), b=(4,)),
            "after": dict(reversed(moved(weights(a=(4,), b=(4,))).items())),
        },
        lambda: {"before": {"b": torch.zeros(2)}, "after": {"b": torch.zeros(2)}},
        lambda: {"before": {"b": torch.zeros(2)}, "after": {"b": torch.ones(2)}},
    ],
    "effective_rank": [
        lambda: {"delta": torch.diag(torch.tensor([3.0, 2.0, 1.5, 1.0, 0.5])), "energy": 0.9},
        lambda: {"delta": torch.diag(torch.tensor([3.0, 2.0, 1.5, 1.0, 0.5])), "energy": 0.5},
        lambda: {"delta": torch.diag(torch.tensor([5.0, 0.5, 0.5, 0.5, 0.5])), "energy": 0.9},
        lambda: {"delta": torch.eye(4), "energy": 0.5},
        lambda: {"delta": torch.tensor([[1.0, 3.0], [0.0, 1.0]]), "energy": 0.9},
        lambda: {"delta": torch.zeros(2, 2), "energy": 0.9},
    ],
    "lora_linear": [adapted, lambda: adapted(d_in=5, rank=3), too_large_together],
    "merge_lora": [merged, lambda: merged(d_in=5, rank=3)],
    "trainable_fraction": [
        lambda: {"model": partly_frozen()},
        lambda: {"model": tied()},
        lambda: {"model": nn.ReLU()},
    ],
}


# --- render_dialogue -----------------------------------------------------------------------------


def test_a_dialogue_by_hand():
    ids, is_answer = render_dialogue([7, 8], [9, 5], bos=1, sep=2, eos=3)
    assert ids.tolist() == [1, 7, 8, 2, 9, 5, 3]
    assert is_answer.tolist() == [False] * 4 + [True] * 3


@pytest.mark.parametrize("question", [[], [4], [2, 3, 1], [2, 2]])
@pytest.mark.parametrize("answer", [[], [4], [2, 1, 3], [3, 3]])
def test_what_is_marked_is_the_answer_and_its_end_whatever_ids_are_used(question, answer):
    ids, is_answer = render_dialogue(question, answer, bos=1, sep=2, eos=3)
    assert ids[is_answer].tolist() == [*answer, 3]
    assert ids[~is_answer].tolist() == [1, *question, 2]
    assert (ids.dtype, is_answer.dtype) == (torch.int64, torch.bool)


def test_the_lists_are_left_as_they_were():
    question, answer = [7, 8], [9]
    render_dialogue(question, answer, bos=1, sep=2, eos=3)
    assert (question, answer) == ([7, 8], [9])


# --- pad_batch -----------------------------------------------------------------------------------


def test_a_batch_by_hand():
    ids, is_real = pad_batch([torch.tensor([5]), torch.tensor([7, 8, 9])], pad=9)
    assert ids.tolist() == [[5, 9, 9], [7, 8, 9]]
    assert is_real.tolist() == [[True, False, False], [True, True, True]]


def test_the_real_tokens_are_the_sequences_one_after_the_other():
    for seed in SEEDS:
        lengths = Inputs(seed).ids(4, below=6).tolist()
        sequences = rows(*lengths, seed=seed)
        ids, is_real = pad_batch(sequences, pad=3)
        assert ids.shape == is_real.shape == (4, max(lengths))
        assert torch.equal(ids[is_real], torch.cat(sequences))
        assert (ids[~is_real] == 3).all()
        assert is_real.sum(dim=1).tolist() == lengths
        assert not (is_real[:, 1:] & ~is_real[:, :-1]).any()  # nothing real after padding


def test_a_row_may_be_empty_and_so_may_all():
    ids, is_real = pad_batch(rows(0, 2), pad=9)
    assert (ids[0].tolist(), is_real.tolist()) == ([9, 9], [[False, False], [True, True]])
    assert pad_batch(rows(0, 0), pad=9)[0].shape == (2, 0)


def test_ids_keep_their_type_and_their_rows():
    sequences = [torch.tensor([1, 2], dtype=torch.int32), torch.tensor([3], dtype=torch.int32)]
    ids, is_real = pad_batch(sequences, pad=0)
    assert (ids.dtype, is_real.dtype) == (torch.int32, torch.bool)
    ids.zero_()
    assert [s.tolist() for s in sequences] == [[1, 2], [3]]


def test_a_batch_of_nothing_is_refused():
    with pytest.raises(ValueError, match="sequences must not be empty"):
        pad_batch([], pad=0)


# --- answer_loss ---------------------------------------------------------------------------------


def surprise_one_by_one(logits, ids, is_answer):
    """The same by loops, and with probabilities."""
    surprises = [
        -math.log(math.exp(logits[row, t - 1, ids[row, t]]) / sum(map(math.exp, logits[row, t - 1])))
        for row in range(ids.shape[0])
        for t in range(1, ids.shape[1])
        if is_answer[row, t]
    ]
    return sum(surprises) / len(surprises)


def test_answer_loss_by_hand():
    # The first guess gives its token 3/4, the second 1/2; the third row's mark is the question of nobody.
    logits = torch.tensor([[[3.0, 1.0], [1.0, 1.0], [9.0, 1.0]]]).log()
    loss = answer_loss(logits, torch.tensor([[1, 0, 1]]), torch.tensor([[False, True, True]]))
    assert_close(loss, torch.tensor((math.log(4 / 3) + math.log(2)) / 2))


def test_answer_loss_agrees_with_loops():
    for seed in SEEDS:
        arguments = dialogues(batch=4, time=7, seed=seed)
        expected = surprise_one_by_one(*(t.detach() for t in arguments.values()))
        assert answer_loss(**arguments).item() == pytest.approx(expected)


def test_answer_loss_agrees_with_torch_where_ignored_targets_do_not_count():
    for seed in SEEDS:
        arguments = dialogues(seed=seed)
        targets = torch.where(arguments["is_answer"], arguments["ids"], -100)[:, 1:]
        expected = functional.cross_entropy(arguments["logits"][:, :-1].transpose(1, 2), targets)
        assert_close(answer_loss(**arguments), expected)


def test_only_the_guesses_at_the_answers_get_a_gradient():
    arguments = dialogues()
    answer_loss(**arguments).backward()
    reached = arguments["logits"].grad.abs().sum(dim=-1) > 0
    assert torch.equal(reached[:, :-1], arguments["is_answer"][:, 1:])
    assert not reached[:, -1].any()


def test_the_gradient_is_probability_minus_truth_over_the_count():
    arguments = dialogues()
    answer_loss(**arguments).backward()
    logits, ids, is_answer = (t.detach() for t in arguments.values())
    counts = is_answer[:, 1:].unsqueeze(-1)
    error = logits[:, :-1].softmax(dim=-1) - functional.one_hot(ids[:, 1:], 5)
    assert_close(arguments["logits"].grad[:, :-1], error * counts / counts.sum())


@pytest.mark.parametrize("spoiled", [math.inf, -math.inf, math.nan, 1e30])
def test_logits_that_do_not_count_may_be_anything(spoiled):
    arguments = dialogues()
    expected = answer_loss(**arguments)
    logits = arguments["logits"].detach().clone()
    logits[:, :-1][~arguments["is_answer"][:, 1:]] = spoiled
    logits[:, -1] = spoiled
    logits.requires_grad_()
    loss = answer_loss(**{**arguments, "logits": logits})
    loss.backward()
    assert_close(loss, expected)
    assert logits.grad.isfinite().all()


def test_more_padding_changes_nothing():
    arguments = dialogues()
    longer = {
        "logits": torch.cat([arguments["logits"], Inputs(7).normal(3, 4, 5)], dim=1),
        "ids": functional.pad(arguments["ids"], (0, 4)),
        "is_answer": functional.pad(arguments["is_answer"], (0, 4)),
    }
    assert_close(answer_loss(**longer), answer_loss(**arguments))


def test_every_token_weighs_the_same_however_the_answers_are_cut_into_batches():
    arguments = dialogues(batch=6)
    halves = [{name: t[part] for name, t in arguments.items()} for part in (slice(2), slice(2, None))]
    counts = [half["is_answer"].sum() for half in halves]
    together = sum(answer_loss(**half) * n for half, n in zip(halves, counts, strict=True)) / sum(counts)
    assert_close(together, answer_loss(**arguments))


def test_marks_at_the_beginning_do_not_count():
    arguments = dialogues()
    marked = changed(arguments, is_answer=lambda m: with_marks(m, 0))
    assert_close(answer_loss(**marked), answer_loss(**arguments))


@pytest.mark.parametrize("size", [(0, 4), (2, 1), (2, 0), (2, 4)])
def test_where_nothing_counts_the_loss_is_0_and_so_is_its_gradient(size):
    logits = torch.zeros(*size, 5, requires_grad=True)
    loss = answer_loss(logits, torch.zeros(size, dtype=torch.long), torch.zeros(size, dtype=torch.bool))
    loss.backward()
    assert (loss.item(), loss.shape) == (0, ())
    assert logits.grad.abs().sum() == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_answer_loss_is_finite_for_large_logits_and_keeps_their_type(dtype):
    logits = torch.tensor([[[1e4, -1e4], [0.0, 0.0]]], dtype=dtype)
    loss = answer_loss(logits, torch.tensor([[0, 1]]), torch.tensor([[False, True]]))
    assert (loss.item(), loss.dtype) == (2e4, dtype)


def test_ids_may_be_of_any_type_of_integer():
    arguments = dialogues()
    assert_close(answer_loss(**changed(arguments, ids=lambda i: i.to(torch.uint8))), answer_loss(**arguments))


def test_ids_outside_the_vocabulary_are_refused():
    with pytest.raises(ValueError, match=r"ids must hold ids from 0 to 4, got 5"):
        answer_loss(**changed(dialogues(), ids=lambda i: i + 5 - i[0, 0]))


# --- relative_change -----------------------------------------------------------------------------


def test_relative_change_by_hand():
    before = {"w": torch.tensor([[3.0], [0.0]]), "b": torch.tensor(4.0)}
    after = {"b": torch.tensor(4.3), "w": torch.tensor([[3.0], [0.4]])}
    assert relative_change(before, after) == pytest.approx(0.5 / 5)


def test_relative_change_agrees_with_one_long_vector():
    for seed in SEEDS:
        before = weights(seed, a=(3, 4), b=(5,), c=(1,))
        after = moved(before, seed=seed + 1)
        old, new = (torch.cat([t.flatten() for t in w.values()]) for w in (before, after))
        expected = ((new - old).norm() / old.norm()).item()
        assert relative_change(before, after) == pytest.approx(expected)
        assert relative_change(before, dict(reversed(after.items()))) == pytest.approx(expected)


@pytest.mark.parametrize("factor", [0.0, 1.0, -1.0, 3.0])
def test_weights_that_all_grow_by_a_factor_have_changed_by_that_factor_less_one(factor):
    before = weights(a=(3, 4), b=(5,))
    after = {name: factor * old for name, old in before.items()}
    assert relative_change(before, after) == pytest.approx(abs(factor - 1))


def test_the_unit_of_the_weights_does_not_matter():
    before = weights(a=(3, 4), b=(5,))
    after = moved(before)
    tiny = [{name: 1e-30 * t.float() for name, t in w.items()} for w in (before, after)]
    assert relative_change(*tiny) == pytest.approx(relative_change(before, after), rel=1e-5)


def test_from_nothing_to_nothing_is_no_change_and_from_nothing_to_something_an_infinite_one():
    zeros, ones = {"b": torch.zeros(2)}, {"b": torch.ones(2)}
    assert relative_change(zeros, zeros) == 0
    assert relative_change({}, {}) == 0
    assert relative_change(zeros, ones) == math.inf


def test_whole_state_dicts_can_be_compared_with_their_counters_and_masks():
    model = nn.BatchNorm1d(2)
    model.register_buffer("mask", torch.ones(2, dtype=torch.bool))
    before = {name: t.clone() for name, t in model.state_dict().items()}
    assert relative_change(before, model.state_dict()) == 0
    model.running_mean += 3
    model.num_batches_tracked += 4
    expected = math.sqrt(2 * 9 + 16) / math.sqrt(sum(t.double().norm() ** 2 for t in before.values()))
    assert relative_change(before, model.state_dict()) == pytest.approx(expected)


@pytest.mark.parametrize("names", [[], ["w"], ["w", "bias"], ["w", "b", "extra"]])
def test_other_names_are_refused(names):
    before = {"w": torch.ones(2), "b": torch.ones(2)}
    with pytest.raises(ValueError, match="after must hold the same names as before"):
        relative_change(before, {name: torch.ones(2) for name in names})


# --- effective_rank ------------------------------------------------------------------------------


def best_kept(delta, k):
    """Which share of the energy the best matrix of rank k keeps, by eigenvalues of the products."""
    energies = torch.linalg.eigvalsh(delta.T @ delta).flip(0)
    return (energies[:k].sum() / energies.sum()).item()


def test_effective_rank_is_the_first_rank_that_keeps_enough():
    for seed in SEEDS:
        delta = Inputs(seed).normal(6, 4)
        for energy in (0.3, 0.5, 0.9, 0.99):
            rank = effective_rank(delta, energy)
            assert best_kept(delta, rank) >= energy > best_kept(delta, rank - 1)
            assert effective_rank(delta.T, energy) == rank


@pytest.mark.parametrize(("energy", "rank"), [(0, 0), (0.2, 1), (0.64, 1), (0.65, 2), (1, 2)])
def test_effective_rank_by_hand(energy, rank):
    assert effective_rank(torch.diag(torch.tensor([3.0, 0.0, 4.0])), energy) == rank


@pytest.mark.parametrize("energy", [0.01, 0.26, 0.5, 0.75, 0.76, 1])
def test_directions_that_are_all_alike_are_all_needed_in_their_turn(energy):
    assert effective_rank(torch.eye(4), energy) == math.ceil(4 * energy)


def test_what_neither_turns_nor_scales_away_does_not_change_the_rank():
    draw = Inputs(1)
    delta = draw.normal(5, 5)
    turn = torch.linalg.qr(draw.normal(5, 5)).Q
    for other in (turn @ delta, delta @ turn, -1e-3 * delta):
        assert effective_rank(other) == effective_rank(delta)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("rank", [1, 2, 4])
def test_a_product_of_narrow_matrices_has_their_rank_in_spite_of_rounding(rank, dtype):
    for seed in SEEDS:
        draw = Inputs(seed)
        a, b = draw.normal(rank, 30).to(dtype), draw.normal(20, rank).to(dtype)
        assert effective_rank(b @ a, energy=0.999999) == rank


def test_a_matrix_of_zeros_or_of_nothing_has_rank_0():
    for delta in (torch.zeros(3, 2), torch.zeros(0, 2), torch.zeros(2, 0)):
        for energy in (0, 0.9, 1):
            assert effective_rank(delta, energy) == 0


@pytest.mark.parametrize("energy", [-0.1, 1.1, math.nan])
def test_a_share_lies_between_0_and_1(energy):
    with pytest.raises(ValueError, match=r"energy must lie in .* got"):
        effective_rank(torch.eye(2), energy)


# --- lora_linear and merge_lora ------------------------------------------------------------------


def test_lora_by_hand():
    x, weight = torch.tensor([1.0, 2.0]), torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    a, b = torch.tensor([[1.0, 1.0], [0.0, 1.0]]), torch.tensor([[1.0, 0.0], [0.0, 1.0], [2.0, 2.0]])
    # x A^T is (3, 2), and times B^T (3, 2, 10); alpha / r is 5.
    assert lora_linear(x, weight, a, b, alpha=10.0).tolist() == [1 + 15, 2 + 10, 3 + 50]


@pytest.mark.parametrize("axes", [(), (2,), (2, 3), (0,)])
def test_lora_agrees_with_two_linear_layers_of_torch_side_by_side(axes):
    for seed in SEEDS:
        x, weight, a, b, alpha = adapted(d_in=5, d_out=4, rank=3, batch=axes, seed=seed).values()
        narrow = functional.linear(functional.linear(x, a), b)
        expected = functional.linear(x, weight) + narrow * alpha / 3
        assert_close(lora_linear(x, weight, a, b, alpha), expected)


def test_merged_is_equal_to_side_by_side():
    for seed in SEEDS:
        x, *rest = adapted(d_in=5, d_out=4, rank=3, batch=(2, 6), seed=seed).values()
        assert_close(x @ merge_lora(*rest).T, lora_linear(x, *rest))


def test_with_b_of_zeros_as_it_begins_nothing_has_changed_and_only_b_feels_a_pull():
    x, weight, a, b, alpha = adapted().values()
    zeros = torch.zeros_like(b)
    assert torch.equal(lora_linear(x, weight, a, zeros, alpha), x @ weight.T)
    assert torch.equal(merge_lora(weight, a, zeros, alpha), weight)
    for_a, for_b = jacobian(lambda a, b: lora_linear(x, weight, a, b, alpha), (a, zeros))
    assert for_a.abs().sum() == 0
    assert for_b.abs().sum() > 0


def test_merging_is_undone_by_merging_the_opposite():
    weight, a, b, alpha = merged(d_in=5).values()
    assert_close(merge_lora(merge_lora(weight, a, b, alpha), a, -b, alpha), weight)


def test_the_merged_change_has_the_rank_of_lora():
    weight, a, b, alpha = merged(d_in=8, d_out=8, rank=2).values()
    assert effective_rank(merge_lora(weight, a, b, alpha) - weight, energy=0.999999) == 2


def test_a_second_copy_of_every_row_counts_once_since_alpha_is_divided_by_the_rank():
    x, weight, a, b, alpha = adapted().values()
    twice = torch.cat([a, a]), torch.cat([b, b], dim=1)
    assert_close(lora_linear(x, weight, *twice, alpha), lora_linear(x, weight, a, b, alpha))


def test_lora_never_builds_the_large_product():
    x, weight, a, b, alpha = adapted(d_in=64, d_out=64, rank=2, batch=(4,)).values()
    with FlopCounterMode(display=False) as counter:
        lora_linear(x, weight, a, b, alpha)
    assert counter.get_total_flops() == 2 * 4 * (64 * 64 + 64 * 2 + 2 * 64)


def test_numbers_whose_product_would_be_infinite_are_no_obstacle():
    assert_close(lora_linear(**too_large_together()) / 3e10, torch.ones(1, 4, dtype=torch.float64))


def test_gradients_reach_all_that_goes_in():
    x, weight, a, b, alpha = adapted().values()
    inputs = tuple(t.requires_grad_() for t in (x, weight, a, b))
    assert torch.autograd.gradcheck(lambda *tensors: lora_linear(*tensors, alpha), inputs)
    assert torch.autograd.gradcheck(lambda *tensors: merge_lora(*tensors, alpha), inputs[1:])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_the_dtype_is_kept(dtype):
    x, weight, a, b = (t.to(dtype) for t in list(adapted().values())[:4])
    assert lora_linear(x, weight, a, b, 3.0).dtype == merge_lora(weight, a, b, 3.0).dtype == dtype


def test_a_rank_of_0_is_refused():
    x, weight, a, b, alpha = adapted(rank=0).values()
    with pytest.raises(ValueError, match="a must have a rank of at least 1, got 0"):
        lora_linear(x, weight, a, b, alpha)
    with pytest.raises(ValueError, match="a must have a rank of at least 1, got 0"):
        merge_lora(weight, a, b, alpha)


# --- trainable_fraction --------------------------------------------------------------------------


def test_trainable_fraction_by_hand():
    assert trainable_fraction(partly_frozen()) == pytest.approx(9 / 15)
    assert trainable_fraction(partly_frozen().requires_grad_(False)) == 0
    assert trainable_fraction(partly_frozen().requires_grad_()) == 1


def test_a_shared_tensor_counts_once():
    assert trainable_fraction(tied()) == pytest.approx(10 / 16)


def test_a_model_without_parameters_has_none_that_learn():
    assert trainable_fraction(nn.ReLU()) == 0


def test_eval_mode_freezes_nothing():
    assert trainable_fraction(partly_frozen().eval()) == pytest.approx(9 / 15)


def test_the_answers_that_are_numbers_are_plain_numbers():
    before = weights(a=(2,))
    assert type(trainable_fraction(partly_frozen())) is float
    assert type(relative_change(before, moved(before))) is float
    assert type(effective_rank(torch.eye(2))) is int
