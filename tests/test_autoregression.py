"""The references of `nexttoken.autoregression`, against hand-computed cases and oracles written otherwise."""

import math
from collections import Counter
from itertools import pairwise

import pytest
import torch
from torch.distributions import Categorical
from torch.nn import functional
from torch.testing import assert_close

from nexttoken.autoregression import (
    apply_temperature,
    bigram_counts,
    bigram_probabilities,
    conditional_entropy,
    generate,
    keep_top_k,
    keep_top_p,
    next_token_windows,
    perplexity,
    sequence_log_probability,
)
from nexttoken.lab.inputs import Inputs

SEEDS = range(200)
INF = math.inf
OF_LOGITS = [
    lambda logits: apply_temperature(logits, 0.7),
    lambda logits: apply_temperature(logits, 0.0),
    lambda logits: keep_top_k(logits, 2),
    lambda logits: keep_top_p(logits, 0.7),
]

pytestmark = pytest.mark.usefixtures("answered_by_the_reference")


def learned(*values):
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


def reader_of_everything(ids):
    """Logits of a model of 7 tokens that depend on every id and on how many there are."""
    places = torch.arange(1, len(ids) + 1)
    return torch.eye(7, dtype=torch.float64)[(ids * places).sum() * 3 % 7]


def reader_of_the_length(ids):
    """Logits of 7 tokens, some negative and some not."""
    return Inputs(len(ids)).normal(7)


def count_to_400(ids):
    return torch.eye(400)[(ids[-1] + 1) % 400]


def by_the_signs(logits):
    """A token that depends on more than the order of the logits."""
    return (logits[:4] > 0).sum()


def written(prompt, limit, stop=None, next_logits=reader_of_everything, choose=torch.argmax):
    return {
        "next_logits": next_logits,
        "prompt": torch.tensor(prompt),
        "max_new_tokens": limit,
        "choose": choose,
        "stop_token": stop,
    }


def improbable_and_long():
    """Two texts whose probability is rounded to 0; in the first, that of a single token is too."""
    logits = Inputs(1).normal(2, 900, 4)
    logits[0, 0] = torch.tensor([0.0, 800.0, 0.0, 0.0])
    logits[0, 1] = -800.0  # all alike, but e^-800 is 0
    return {"logits": logits, "targets": torch.zeros(2, 900, dtype=torch.long)}


# Calls on which every misconception does what neither the reference nor another misconception does;
# tests/test_exercises.py looks at that.
ARGUMENTS = {
    "bigram_counts": [
        lambda: {"ids": Inputs(1).ids(30, below=4), "vocab_size": 4},
        lambda: {"ids": torch.tensor([0, 1, 0, 1, 2]), "vocab_size": 5},
        lambda: {"ids": torch.tensor([3, 3]), "vocab_size": 4},
        lambda: {"ids": torch.tensor([], dtype=torch.long), "vocab_size": 2},
    ],
    "bigram_probabilities": [
        lambda: {"counts": Inputs(1).ids(4, 4, below=9), "smoothing": 0.5},
        lambda: {"counts": torch.tensor([[2, 6, 0], [0, 0, 0], [1, 0, 1]]), "smoothing": 0.0},
        lambda: {"counts": torch.tensor([[2, 6, 0], [0, 0, 0], [1, 0, 1]]), "smoothing": 0.125},
    ],
    "conditional_entropy": [
        lambda: {"ids": torch.tensor([0, 1, 0, 0, 1, 2, 0, 2, 1, 1]), "order": 1},
        lambda: {"ids": Inputs(1).ids(40, below=3), "order": 2},
        lambda: {"ids": torch.tensor([1, 12, 7, 11, 2, 8, 12, 1, 5, 1, 12, 7]), "order": 2},
    ],
    "next_token_windows": [lambda: {"ids": Inputs(1).ids(12, below=20), "context": 3}],
    "sequence_log_probability": [
        lambda: {
            "logits": Inputs(1).normal(2, 5, 4).requires_grad_(),
            "targets": Inputs(2).ids(2, 5, below=4),
        },
        lambda: {"logits": Inputs(1).normal(900, 4), "targets": Inputs(2).ids(900, below=4)},
        lambda: {"logits": Inputs(1).normal(2, 3, 5, 4), "targets": Inputs(2).ids(2, 3, 5, below=4)},
        lambda: {"logits": learned([1e4, 0.0], [0.0, -1e4]), "targets": torch.tensor([0, 0])},
        improbable_and_long,
    ],
    "perplexity": [
        lambda: {"log_probabilities": learned(-0.5, -1.0, -3.0)},
        lambda: {"log_probabilities": learned(-370.0, -372.0)},  # their product keeps hardly a digit
    ],
    "apply_temperature": [
        lambda: {"logits": Inputs(1).normal(2, 3).requires_grad_(), "temperature": 0.5},
        lambda: {"logits": torch.tensor([-1.0, 3.0, 3.0]), "temperature": 0.0},
        lambda: {"logits": torch.tensor([[3.0, 1.0, 2.0], [1.0, 2.0, 0.0]]), "temperature": 0.0},
        lambda: {"logits": torch.tensor([[2.0, 2.0], [0.0, 1e-9]], dtype=torch.float64), "temperature": 0.0},
        lambda: {"logits": 1e-7 * torch.tensor([1.0, 3.0, 2.0]), "temperature": 1e-7},
        lambda: {"logits": torch.tensor([[1e4, 1.0], [2.0, 3.0]]), "temperature": 1e-36},
        lambda: {"logits": torch.tensor([1e4, 0.0, 1e4]), "temperature": 2.0},
    ],
    "keep_top_k": [
        lambda: {"logits": Inputs(1).normal(2, 5), "k": 2},
        lambda: {"logits": Inputs(1).ids(9, 12, below=3).double(), "k": 5},
        lambda: {"logits": torch.tensor([-2000.0, -1000.0, 0.0]), "k": 2},
        lambda: {"logits": torch.tensor([1.0, 2.0]), "k": 3},
    ],
    "keep_top_p": [
        lambda: {"logits": Inputs(1).normal(2, 5), "p": 0.7},
        lambda: {"logits": torch.tensor([2.0, 3.0, 1.0]), "p": 0.0},
        lambda: {"logits": torch.tensor([0.0, -200.0, -100.0]), "p": 1.0},
        lambda: {"logits": torch.zeros(4), "p": 0.5},
        lambda: {"logits": Inputs(1).ids(3, 6, below=3).double(), "p": 0.55},
    ],
    "generate": [
        lambda: written([3, 4], limit=5),
        lambda: written([1, 6, 2], limit=5),
        lambda: written([6, 1, 3], limit=6, stop=5),
        lambda: written([5, 2], limit=4, stop=5),
        lambda: written([2, 5], limit=4, stop=5),
        lambda: written([3], limit=0),
        lambda: written([297], limit=6, stop=300, next_logits=count_to_400),
        lambda: written([397], limit=6, stop=0, next_logits=count_to_400),
        lambda: written([2], limit=6, next_logits=reader_of_the_length, choose=by_the_signs),
    ],
}


# --- What every function of logits does ----------------------------------------------------------


@pytest.mark.parametrize("function", OF_LOGITS)
@pytest.mark.parametrize("axes", [(), (3,), (2, 3), (0,)])
def test_any_batch_axes_give_what_the_rows_give_one_by_one(function, axes):
    logits = Inputs(1).normal(*axes, 6)
    rows = [function(row) for row in logits.reshape(-1, 6)]
    expected = torch.stack(rows).reshape(*axes, 6) if rows else logits
    assert_close(function(logits), expected)


@pytest.mark.parametrize("function", OF_LOGITS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_dtype_is_kept(function, dtype):
    assert function(torch.tensor([0.5, 2.0, 1.0], dtype=dtype)).dtype == dtype


@pytest.mark.parametrize("function", OF_LOGITS)
def test_a_transposed_tensor_is_as_good_as_a_contiguous_one(function):
    transposed = Inputs(1).normal(6, 3).T
    assert_close(function(transposed), function(transposed.contiguous()))


@pytest.mark.parametrize("function", OF_LOGITS)
def test_a_token_that_was_ruled_out_before_stays_out(function):
    ruled_out = function(torch.tensor([-INF, 1.0, 0.5]))[0]
    assert ruled_out in (0.0, -INF)


# --- bigram_counts -------------------------------------------------------------------------------


def test_bigram_counts_by_hand():
    counts = bigram_counts(torch.tensor([2, 0, 0, 2, 0]), vocab_size=4)
    assert counts.tolist() == [[1, 0, 1, 0], [0, 0, 0, 0], [2, 0, 0, 0], [0, 0, 0, 0]]


def test_bigram_counts_agree_with_a_dictionary_of_pairs():
    for seed in SEEDS:
        ids = Inputs(seed).ids(seed % 23, below=5)
        seen = Counter(pairwise(ids.tolist()))
        expected = [[seen[i, j] for j in range(6)] for i in range(6)]
        assert bigram_counts(ids, vocab_size=6).tolist() == expected


def test_bigram_counts_sum_to_the_number_of_neighbours():
    assert bigram_counts(Inputs(1).ids(500, below=11), vocab_size=11).sum() == 499


@pytest.mark.parametrize("text", [[], [1]])
def test_a_text_without_neighbours_counts_nothing(text):
    counts = bigram_counts(torch.tensor(text, dtype=torch.long), vocab_size=3)
    assert counts.tolist() == [[0] * 3] * 3
    assert not counts.is_floating_point()


def test_ids_of_fewer_bits_do_not_overflow_the_pairs():
    ids = torch.tensor([199, 200, 199])
    assert torch.equal(bigram_counts(ids.short(), vocab_size=201), bigram_counts(ids, vocab_size=201))


# --- bigram_probabilities ------------------------------------------------------------------------


def test_bigram_probabilities_by_hand():
    probabilities = bigram_probabilities(torch.tensor([[3, 0], [1, 1]]), smoothing=0.5)
    assert_close(probabilities, torch.tensor([[3.5 / 4, 0.5 / 4], [0.5, 0.5]]))


def test_bigram_probabilities_agree_with_the_formula_entry_by_entry():
    for seed in SEEDS:
        counts, smoothing = Inputs(seed).ids(5, 5, below=4), seed / 50
        mass = [[count + smoothing for count in row] for row in counts.tolist()]
        expected = [[m / sum(row) if sum(row) else 1 / 5 for m in row] for row in mass]
        assert_close(bigram_probabilities(counts, smoothing), torch.tensor(expected))


@pytest.mark.parametrize("smoothing", [0.0, 1e-6, 1.0, 1e6])
def test_every_row_sums_to_one_whatever_the_smoothing(smoothing):
    counts = torch.tensor([[0, 0, 0], [0, 5, 1], [10**7, 0, 3]])
    assert_close(bigram_probabilities(counts, smoothing).sum(dim=-1), torch.ones(3))


def test_a_row_without_any_mass_is_uniform():
    probabilities = bigram_probabilities(torch.tensor([[0, 0], [0, 4]]), smoothing=0.0)
    assert probabilities.tolist() == [[0.5, 0.5], [0, 1]]


def test_without_smoothing_an_unseen_pair_is_impossible_and_with_it_only_improbable():
    counts = torch.tensor([[0, 9], [1, 1]])
    assert bigram_probabilities(counts, smoothing=0.0)[0, 0] == 0
    assert 0 < bigram_probabilities(counts)[0, 0] < 0.1


def test_much_smoothing_forgets_the_counts():
    assert_close(bigram_probabilities(torch.tensor([[0, 9], [1, 1]]), 1e9), torch.full((2, 2), 0.5))


# --- conditional_entropy -------------------------------------------------------------------------


def entropy_of_the_followers(text, order):
    """In bits: the followers of each context, and the mean of their entropies by how many they are."""
    followers = {}
    for i in range(order, len(text)):
        followers.setdefault(tuple(text[i - order : i]), []).append(text[i])
    shares = [[n / len(f) for n in Counter(f).values()] for f in followers.values()]
    entropies = [-sum(share * math.log2(share) for share in s) for s in shares]
    weights = [len(f) for f in followers.values()]
    return sum(w * e for w, e in zip(weights, entropies, strict=True)) / sum(weights)


def test_conditional_entropy_by_hand():
    # After 0 come 1, 1 and 2 (0.918 bits), after 1 always 0, after 2 nothing: 3 of the 5 pairs begin with 0.
    ids = torch.tensor([0, 1, 0, 1, 0, 2])
    assert conditional_entropy(ids, order=1) == pytest.approx(3 / 5 * (math.log2(3) - 2 / 3))


def test_conditional_entropy_agrees_with_the_mean_over_contexts():
    for seed in SEEDS:
        order = seed % 5
        ids = Inputs(seed).ids(order + 1 + seed % 31, below=3)
        expected = entropy_of_the_followers(ids.tolist(), order)
        assert conditional_entropy(ids, order) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("sides", [2, 8])
def test_order_zero_of_a_fair_die_is_its_number_of_bits(sides):
    assert conditional_entropy(torch.arange(sides).repeat(3), order=0) == pytest.approx(math.log2(sides))


def test_a_text_that_repeats_itself_holds_no_surprise():
    entropy = conditional_entropy(torch.tensor([4, 7, 9] * 5), order=1)
    assert isinstance(entropy, float)
    assert str(entropy) == "0.0"  # and not -0.0


def test_only_a_long_enough_context_tells_what_follows():
    ids = torch.tensor([0, 1, 0, 2] * 20)  # after a 0, one must know the token before
    assert conditional_entropy(ids, order=1) > 0.45
    assert conditional_entropy(ids, order=2) == 0


def test_the_longest_context_leaves_one_window():
    assert conditional_entropy(torch.tensor([3, 1, 2]), order=2) == 0


def test_two_to_the_conditional_entropy_is_the_perplexity_of_the_counted_table():
    ids = Inputs(1).ids(300, below=5)
    table = bigram_probabilities(bigram_counts(ids, vocab_size=5), smoothing=0.0).log()
    of_this_text = perplexity(table[ids[:-1], ids[1:]])
    assert of_this_text.item() == pytest.approx(2 ** conditional_entropy(ids, order=1), rel=1e-5)


# --- next_token_windows --------------------------------------------------------------------------


def test_next_token_windows_agree_with_slices():
    for seed in SEEDS:
        context = 1 + seed % 4
        ids = Inputs(seed).ids(context + 1 + seed % 7, below=50)
        starts = range(len(ids) - context)
        inputs, targets = next_token_windows(ids, context)
        assert inputs.tolist() == [ids[s : s + context].tolist() for s in starts]
        assert targets.tolist() == [ids[s + 1 : s + 1 + context].tolist() for s in starts]


def test_the_longest_context_gives_one_window():
    inputs, targets = next_token_windows(torch.tensor([5, 6, 7]), context=2)
    assert (inputs.tolist(), targets.tolist()) == ([[5, 6]], [[6, 7]])


def test_windows_have_the_dtype_of_the_ids():
    assert {w.dtype for w in next_token_windows(torch.arange(5, dtype=torch.int32), 2)} == {torch.int32}


def test_the_text_may_be_every_second_token_of_another_one():
    inputs, _ = next_token_windows(torch.arange(8)[::2], context=2)
    assert inputs.tolist() == [[0, 2], [2, 4]]


# --- sequence_log_probability --------------------------------------------------------------------


def log_probability_by_hand(logits, targets):
    rows = zip(logits.tolist(), targets.tolist(), strict=True)
    return sum(row[target] - math.log(sum(math.exp(z) for z in row)) for row, target in rows)


def test_the_chain_rule_multiplies_the_conditionals():
    logits = torch.tensor([[0.5, 0.5], [0.9, 0.1]], dtype=torch.float64).log()
    assert sequence_log_probability(logits, torch.tensor([0, 1])).exp().item() == pytest.approx(0.5 * 0.1)


def test_sequence_log_probability_agrees_with_the_sum_written_out():
    for seed in SEEDS:
        logits, targets = Inputs(seed).normal(seed % 6, 5, scale=3), Inputs(seed).ids(seed % 6, below=5)
        found = sequence_log_probability(logits, targets)
        assert found.item() == pytest.approx(log_probability_by_hand(logits, targets))


@pytest.mark.parametrize("axes", [(), (3,), (2, 3)])
def test_sequence_log_probability_agrees_with_torch_for_any_batch_axes(axes):
    logits, targets = Inputs(1).normal(*axes, 7, 5), Inputs(2).ids(*axes, 7, below=5)
    found = sequence_log_probability(logits, targets)
    assert_close(found, Categorical(logits=logits).log_prob(targets).sum(dim=-1))
    losses = functional.cross_entropy(logits.reshape(-1, 5), targets.reshape(-1), reduction="none")
    assert_close(found, -losses.reshape(*axes, 7).sum(dim=-1))


def test_all_sequences_of_one_length_have_probability_one_together():
    logits = Inputs(1).normal(3, 4)
    every_sequence = torch.cartesian_prod(*[torch.arange(4)] * 3)
    log_probabilities = sequence_log_probability(logits.expand(64, 3, 4), every_sequence)
    assert log_probabilities.exp().sum().item() == pytest.approx(1)


def test_the_log_probability_is_finite_where_the_probability_is_not():
    steep = torch.tensor([[1e4, 0.0], [0.0, -1e4]])
    assert sequence_log_probability(steep, torch.tensor([1, 1])).item() == -2e4
    assert sequence_log_probability(torch.zeros(5000, 10), torch.zeros(5000, dtype=torch.long)).isfinite()


def test_an_impossible_target_makes_the_sequence_impossible():
    assert sequence_log_probability(torch.tensor([[0.0, -INF]]), torch.tensor([1])) == -INF


def test_nothing_said_is_certain():
    nothing = torch.zeros(2, 0, dtype=torch.long)
    assert sequence_log_probability(torch.zeros(2, 0, 3), nothing).tolist() == [0, 0]


def test_targets_of_fewer_bits_are_ids_too():
    logits, targets = Inputs(1).normal(4, 3), Inputs(2).ids(4, below=3)
    assert_close(sequence_log_probability(logits, targets.int()), sequence_log_probability(logits, targets))


def test_the_gradient_is_what_came_minus_what_was_expected():
    logits, targets = Inputs(1).normal(4, 3).requires_grad_(), Inputs(2).ids(4, below=3)
    sequence_log_probability(logits, targets).backward()
    assert_close(logits.grad, functional.one_hot(targets, 3) - logits.detach().softmax(dim=-1))


# --- perplexity ----------------------------------------------------------------------------------


@pytest.mark.parametrize("choices", [1, 4, 50257])
def test_equally_likely_tokens_have_their_number_as_perplexity(choices):
    always = torch.full((7,), 1 / choices, dtype=torch.float64).log()
    assert perplexity(always).item() == pytest.approx(choices)


def test_perplexity_is_the_geometric_mean_of_the_inverse_probabilities():
    for seed in SEEDS:
        probabilities = Inputs(seed).uniform(1 + seed % 9, low=0.01)
        inverse = math.prod(1 / p for p in probabilities.tolist())
        expected = inverse ** (1 / len(probabilities))
        assert perplexity(probabilities.log()).item() == pytest.approx(expected)


def test_perplexity_is_finite_for_a_text_whose_probability_is_rounded_to_zero():
    assert perplexity(torch.full((100_000,), -5.0)).item() == pytest.approx(math.exp(5), rel=1e-5)


def test_one_impossible_token_makes_the_perplexity_infinite():
    assert perplexity(torch.tensor([-0.1, -INF])) == INF


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_perplexity_is_a_tensor_without_axes_that_keeps_the_dtype(dtype):
    found = perplexity(torch.tensor([-1.0, -2.0], dtype=dtype))
    assert (found.shape, found.dtype) == ((), dtype)


def test_the_gradient_of_perplexity():
    assert torch.autograd.gradcheck(perplexity, learned(-0.5, -1.0, -3.0))


# --- apply_temperature ---------------------------------------------------------------------------


def test_apply_temperature_by_hand():
    # Half the temperature squares the ratio of two probabilities: 1 to 3 becomes 1 to 9.
    assert_close(apply_temperature(torch.tensor([1.0, 3.0]).log(), 0.5), torch.tensor([0.1, 0.9]))


def test_apply_temperature_agrees_with_the_formula():
    for seed in SEEDS:
        logits, temperature = Inputs(seed).normal(5, scale=4), 0.1 + seed / 40
        mass = [math.exp(z / temperature) for z in logits.tolist()]
        expected = torch.tensor([m / sum(mass) for m in mass], dtype=torch.float64)
        assert_close(apply_temperature(logits, temperature), expected)


def test_temperature_one_is_the_plain_softmax():
    logits = Inputs(1).normal(2, 3, 5)
    assert_close(apply_temperature(logits, 1.0), functional.softmax(logits, dim=-1))


def test_a_rising_temperature_flattens_up_to_the_uniform_distribution():
    logits = Inputs(1).normal(6)
    entropies = [Categorical(apply_temperature(logits, t)).entropy() for t in (0.1, 0.3, 1.0, 3.0, 30.0)]
    assert all(colder < hotter for colder, hotter in pairwise(entropies))
    assert_close(apply_temperature(logits, 1e30), torch.full((6,), 1 / 6, dtype=torch.float64))


@pytest.mark.parametrize("temperature", [1e-3, 1e-30])
def test_temperature_zero_is_the_limit_of_small_ones(temperature):
    logits = Inputs(1).normal(3, 6).float()
    assert_close(apply_temperature(logits, temperature), apply_temperature(logits, 0.0))


def test_temperature_zero_gives_all_to_the_first_of_the_largest():
    logits = torch.tensor([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0], [-INF, -5.0, -INF]])
    assert apply_temperature(logits, 0.0).tolist() == [[0, 1, 0], [1, 0, 0], [0, 1, 0]]


def test_above_zero_equal_logits_stay_equally_probable():
    assert apply_temperature(torch.tensor([3.0, 1.0, 3.0]), 1e-30).tolist() == [0.5, 0, 0.5]


@pytest.mark.parametrize("temperature", [0.0, 1e-38, 1e-30, 1.0, 1e30])
@pytest.mark.parametrize("largest", [1e4, -1e4, 3e38])
def test_probabilities_are_finite_and_sum_to_one_however_large_the_logits(temperature, largest):
    probabilities = apply_temperature(torch.tensor([largest, 0.0, -largest]), temperature)
    assert probabilities.isfinite().all()
    assert probabilities.sum().item() == pytest.approx(1)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_the_gradient_of_apply_temperature(temperature):
    logits = Inputs(1).normal(2, 4).requires_grad_()
    assert torch.autograd.gradcheck(lambda z: apply_temperature(z, temperature), logits)


def test_the_gradient_passes_a_token_that_was_ruled_out():
    logits = learned(1.0, -INF, 2.0)
    apply_temperature(logits, 0.5)[2].log().backward()
    assert logits.grad.isfinite().all()
    assert logits.grad[1] == 0


# --- keep_top_k and keep_top_p -------------------------------------------------------------------


def best_first(row):
    return sorted(range(len(row)), key=lambda i: (-row[i], i))


def keeping(row, kept):
    return [z if i in kept else -INF for i, z in enumerate(row)]


def test_keep_top_k_agrees_with_sorting_by_value_and_index():
    for seed in SEEDS:
        logits = Inputs(seed).ids(6, below=4).double()  # small integers: many ties
        k = 1 + seed % 8
        expected = keeping(logits.tolist(), best_first(logits.tolist())[:k])
        assert keep_top_k(logits, k).tolist() == expected


def test_keep_top_k_agrees_with_topk_where_no_two_are_equal():
    logits = Inputs(1).normal(3, 20)
    values, indices = logits.topk(5, dim=-1)
    assert_close(keep_top_k(logits, 5), torch.full_like(logits, -INF).scatter(-1, indices, values))


def test_one_token_is_kept_of_a_thousand_equal_ones():
    assert keep_top_k(torch.zeros(1000), 1).isfinite().nonzero().tolist() == [[0]]


@pytest.mark.parametrize("k", [3, 4, 10**9])
def test_all_are_kept_where_k_reaches_the_vocabulary(k):
    assert keep_top_k(torch.tensor([1.0, -2.0, 0.5]), k).tolist() == [1, -2, 0.5]


def test_fewer_than_k_are_left_where_most_were_ruled_out_before():
    assert keep_top_k(torch.tensor([-INF, 1.0, -INF]), 2).tolist() == [-INF, 1, -INF]


def test_keep_top_p_agrees_with_collecting_one_token_after_the_other():
    for seed in SEEDS:
        logits, p = Inputs(seed).ids(7, below=4).double(), Inputs(seed).uniform(1).item()
        probabilities = logits.softmax(dim=-1).tolist()
        kept, reached = [], 0.0
        for token in best_first(logits.tolist()):
            if kept and reached >= p:
                break
            kept.append(token)
            reached += probabilities[token]
        assert keep_top_p(logits, p).tolist() == keeping(logits.tolist(), kept)


def test_the_kept_set_reaches_p_and_no_smaller_one_does():
    for seed in SEEDS:
        logits, p = Inputs(seed).normal(30, scale=2), 0.05 + seed / 250
        of_kept = logits.softmax(dim=-1)[keep_top_p(logits, p).isfinite()]
        assert of_kept.sum() >= p > of_kept.sum() - of_kept.min()


@pytest.mark.parametrize(("p", "kept"), [(0.25, 1), (0.5, 2), (0.75, 3)])
def test_a_set_that_has_exactly_p_is_enough_and_begins_at_the_lowest_index(p, kept):
    assert keep_top_p(torch.zeros(4), p).tolist() == [0.0] * kept + [-INF] * (4 - kept)


def test_p_zero_keeps_the_first_of_the_most_probable():
    assert keep_top_p(torch.tensor([[1.0, 2.0, 2.0], [0.0, -9.0, -9.0]]), 0.0).tolist() == [
        [-INF, 2.0, -INF],
        [0.0, -INF, -INF],
    ]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_p_one_keeps_all_in_spite_of_rounding(dtype):
    flat = Inputs(1).normal(100_000).to(dtype)
    steep = torch.tensor([0.0, -200.0, -100.0], dtype=dtype)  # the first one alone is rounded to 1
    for logits in (flat, steep):
        assert torch.equal(keep_top_p(logits, 1.0), logits)


def test_keep_top_p_is_stable_for_large_logits():
    assert keep_top_p(torch.tensor([1e4, 0.0, 1e4 + 1]), 0.9).tolist() == [1e4, -INF, 1e4 + 1]


@pytest.mark.parametrize("cut", [lambda z: keep_top_k(z, 2), lambda z: keep_top_p(z, 0.6)])
def test_the_gradient_passes_the_kept_logits_alone(cut):
    logits = Inputs(1).normal(3, 5).requires_grad_()
    kept = cut(logits)
    kept[kept.isfinite()].sum().backward()
    assert torch.equal(logits.grad, kept.isfinite().double())


@pytest.mark.parametrize("cut", [lambda z: keep_top_k(z, 1), lambda z: keep_top_p(z, 0.0)])
def test_greedy_choice_is_the_narrowest_cut(cut):
    logits = Inputs(1).normal(4, 9)
    assert_close(cut(logits).softmax(dim=-1), apply_temperature(logits, 0.0))


# --- generate ------------------------------------------------------------------------------------


def count_on(ids):
    """The likeliest of ten tokens is the one after the last."""
    return torch.eye(10)[(ids[-1] + 1) % 10]


def test_every_token_that_was_put_out_is_read_back_in():
    read = []

    def next_logits(ids):
        read.append(ids.tolist())
        return count_on(ids)

    ids = generate(next_logits, torch.tensor([7, 3]), 3, torch.argmax)
    assert ids.tolist() == [7, 3, 4, 5, 6]
    assert read == [[7, 3], [7, 3, 4], [7, 3, 4, 5]]


def test_generate_agrees_with_a_list_that_grows():
    for seed in SEEDS:
        arguments = written(Inputs(seed).ids(1 + seed % 4, below=7).tolist(), limit=seed % 6, stop=seed % 9)
        ids = arguments["prompt"].tolist()
        for _ in range(arguments["max_new_tokens"]):
            ids.append(int(reader_of_everything(torch.tensor(ids)).argmax()))
            if ids[-1] == arguments["stop_token"]:
                break
        assert generate(**arguments).tolist() == ids


def test_the_stop_token_is_kept_and_nothing_follows_it():
    assert generate(count_on, torch.tensor([3]), 9, torch.argmax, stop_token=5).tolist() == [3, 4, 5]


def test_zero_can_be_the_stop_token():
    assert generate(count_on, torch.tensor([8]), 9, torch.argmax, stop_token=0).tolist() == [8, 9, 0]


def test_a_stop_token_in_the_prompt_stops_nothing():
    assert generate(count_on, torch.tensor([5, 1]), 2, torch.argmax, stop_token=5).tolist() == [5, 1, 2, 3]


def test_nothing_is_asked_where_nothing_may_be_written():
    def never(ids):
        raise AssertionError("asked")

    assert generate(never, torch.tensor([1, 2]), 0, torch.argmax).tolist() == [1, 2]


@pytest.mark.parametrize("limit", [0, 2])
def test_the_result_is_not_the_memory_of_the_prompt(limit):
    prompt = torch.tensor([1, 2])
    generate(count_on, prompt, limit, torch.argmax).fill_(9)
    assert prompt.tolist() == [1, 2]


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
def test_the_ids_keep_the_dtype_of_the_prompt(dtype):
    assert generate(count_on, torch.tensor([1], dtype=dtype), 3, torch.argmax).dtype == dtype


def test_an_empty_prompt_can_be_continued():
    ids = generate(lambda ids: torch.eye(3)[len(ids)], torch.tensor([], dtype=torch.long), 3, torch.argmax)
    assert ids.tolist() == [0, 1, 2]


@pytest.mark.parametrize("kind", [int, torch.tensor, lambda token: torch.tensor([token])])
def test_choose_is_handed_the_logits_and_may_answer_with_a_number_or_a_tensor(kind):
    offered = []

    def choose(logits):
        offered.append(logits)
        return kind(4)

    logits = Inputs(1).normal(6)
    assert generate(lambda ids: logits, torch.tensor([0]), 2, choose).tolist() == [0, 4, 4]
    assert all(torch.equal(seen, logits) for seen in offered)


def test_a_sampled_text_has_the_bigrams_of_the_table_it_was_sampled_from():
    torch.manual_seed(0)
    table = torch.tensor([[0.1, 0.6, 0.3], [0.5, 0.0, 0.5], [0.2, 0.2, 0.6]])
    ids = generate(
        next_logits=lambda ids: table[ids[-1]].log(),
        prompt=torch.tensor([0]),
        max_new_tokens=2000,
        choose=lambda logits: int(torch.multinomial(apply_temperature(logits, 1.0), 1)),
    )
    counted = bigram_probabilities(bigram_counts(ids, vocab_size=3), smoothing=0.0)
    assert_close(
        counted, table, atol=0.1, rtol=0
    )  # more than four standard deviations of a row's 400 samples


# --- Wrong arguments -----------------------------------------------------------------------------

IDS = torch.tensor([0, 1, 2])
ROW = torch.tensor([0.0, 1.0, 2.0])


@pytest.mark.parametrize(
    ("call", "argument", "value"),
    [
        (lambda: bigram_counts(IDS, 0), "vocab_size", "0"),
        (lambda: bigram_counts(IDS, 2), "ids", "2"),
        (lambda: bigram_counts(torch.tensor([0, -1]), 2), "ids", "-1"),
        (lambda: bigram_probabilities(torch.ones(2, 2, dtype=torch.long), -0.5), "smoothing", "-0.5"),
        (lambda: conditional_entropy(IDS, -1), "order", "-1"),
        (lambda: conditional_entropy(IDS, 3), "order", "3"),
        (lambda: next_token_windows(IDS, 0), "context", "0"),
        (lambda: next_token_windows(IDS, 3), "context", "3"),
        (lambda: sequence_log_probability(torch.zeros(3, 2), IDS), "targets", "2"),
        (lambda: sequence_log_probability(torch.zeros(1, 2), torch.tensor([-100])), "targets", "-100"),
        (lambda: perplexity(torch.tensor([])), "log_probabilities", "nothing"),
        (lambda: apply_temperature(ROW, -0.1), "temperature", "-0.1"),
        (lambda: apply_temperature(ROW, math.nan), "temperature", "nan"),
        (lambda: keep_top_k(ROW, 0), "k", "0"),
        (lambda: keep_top_p(ROW, -0.1), "p", "-0.1"),
        (lambda: keep_top_p(ROW, 1.5), "p", "1.5"),
        (lambda: keep_top_p(ROW, math.nan), "p", "nan"),
        (lambda: generate(count_on, IDS, -1, torch.argmax), "max_new_tokens", "-1"),
    ],
)
def test_a_wrong_argument_is_named_with_its_value(call, argument, value):
    with pytest.raises(ValueError, match=rf": {argument} must .*got {value}$"):
        call()
