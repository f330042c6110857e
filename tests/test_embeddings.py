"""The references of `nexttoken.embeddings`, against hand-computed cases and oracles written otherwise."""

import math
from collections import Counter
from itertools import pairwise

import pytest
import torch
from torch.nn import functional
from torch.testing import assert_close

from nexttoken.embeddings import (
    cosine_similarity,
    decode,
    embed,
    encode,
    merge_pair,
    most_frequent_pair,
    nearest_neighbours,
    sinusoidal_positions,
    skip_gram_loss,
    skip_gram_pairs,
    train_bpe,
    transformer_input,
)
from nexttoken.lab.charter import CHINESE, ENGLISH
from nexttoken.lab.inputs import Inputs

SEEDS = range(100)
MERGES = [(98, 99), (97, 98), (97, 256), (97, 97), (258, 258), (99, 97), (231, 140), (262, 171)]
TEXTS = [
    "",
    "a",
    "abcabcab",
    "naïve café",
    ENGLISH,
    CHINESE,
    "兔🐇 and e\u0301\r\n\t",
    "\x00\ufffd\U0010ffff",
]

pytestmark = pytest.mark.usefixtures("answered_by_the_reference")


def letters(seed, length, alphabet="abc"):
    return "".join(alphabet[i] for i in Inputs(seed).ids(length, below=len(alphabet)).tolist())


def learned(*shape, seed=1):
    return Inputs(seed).normal(*shape).requires_grad_()


AXES = torch.tensor([[0.0, 1.0], [2.0, 0.0], [0.0, 0.0], [2.0, 0.0], [-1.0, 0.0]])

# Calls on which every misconception does what neither the reference nor another misconception does;
# tests/test_exercises.py looks at that.
ARGUMENTS = {
    "most_frequent_pair": [
        lambda: {"sequences": [[5, 6, 1, 2], [3, 0]]},
        lambda: {"sequences": [[1], [2], [1], [2], [3, 4]]},
        lambda: {"sequences": [[7, 7, 7], [1, 2]]},
        lambda: {"sequences": [[6, 8, 6, 8], [8, 6]]},
        lambda: {"sequences": [[2, 1, 3, 0], [2, 1], [1, 2], [1, 2], [3, 0], [3, 0]]},
        lambda: {"sequences": [[10, 2], [9, 2], [10, 1]]},
        lambda: {"sequences": [[], [4]]},
    ],
    "merge_pair": [
        lambda: {"ids": [4, 4, 4, 1, 4, 4], "pair": (4, 4), "new_id": 5},
        lambda: {"ids": [1, 2, 3, 1, 2, 3], "pair": (1, 2), "new_id": 7},
        lambda: {"ids": [1, 2, 2, 2], "pair": (1, 2), "new_id": 1},
    ],
    "train_bpe": [
        lambda: {"text": "the moth bothers the hare", "vocab_size": 262},
        lambda: {"text": "猫说猫和猫", "vocab_size": 259},
        lambda: {"text": "abc abd", "vocab_size": 300},
    ],
    "encode": [
        lambda: {"text": letters(1, 40), "merges": MERGES},
        lambda: {"text": "猫abcd é", "merges": MERGES},
        lambda: {"text": "abcab", "merges": MERGES},
    ],
    "decode": [
        lambda: {"ids": [231, 140, 171, 99, 256], "merges": MERGES},
        lambda: {"ids": [97, 262, 98, 258, 260], "merges": MERGES},
        lambda: {"ids": [260, 195, 169], "merges": MERGES},
    ],
    "embed": [
        lambda: {"ids": torch.tensor([[1, 0, 3], [3, 3, 2]]), "table": learned(5, 4)},
        lambda: {"ids": torch.tensor([4, 0]), "table": learned(5, 3)},
    ],
    "sinusoidal_positions": [
        lambda: {"time": 5, "d_model": 6, "base": 10000.0},
        lambda: {"time": 4, "d_model": 6, "base": 50.0},
    ],
    "transformer_input": [
        lambda: {
            "ids": Inputs(1).ids(2, 3, below=4),
            "table": learned(4, 6),
            "positions": learned(5, 6, seed=2),
        },
        lambda: {
            "ids": Inputs(1).ids(3, below=4),
            "table": learned(4, 6),
            "positions": learned(5, 6, seed=2),
        },
    ],
    "cosine_similarity": [
        lambda: {"queries": learned(3, 4), "keys": learned(2, 4, seed=2)},
        lambda: {"queries": torch.tensor([[0.0, 0.0], [1.0, 2.0]]), "keys": torch.tensor([[-2.0, 1.0]])},
    ],
    "nearest_neighbours": [
        lambda: {
            "query": Inputs(1).normal(4),
            "table": Inputs(2).normal(7, 4) * Inputs(3).uniform(7, 1, high=9.0),
            "k": 5,
        },
        lambda: {"query": torch.tensor([3.0, 0.0]), "table": AXES, "k": 5},
    ],
    "skip_gram_pairs": [
        lambda: {"ids": torch.tensor([5, 6, 6, 8, 5]), "window": 2},
        lambda: {"ids": torch.tensor([4]), "window": 1},
    ],
    "skip_gram_loss": [
        lambda: {
            "centres": learned(4, 3),
            "contexts": learned(4, 3, seed=2),
            "negatives": learned(4, 5, 3, seed=3),
        },
        lambda: {
            "centres": torch.tensor([[1e4, 0.0]]),
            "contexts": torch.tensor([[-1.0, 0.0]]),
            "negatives": torch.tensor([[[1.0, 0.0]]]),
        },
        lambda: {
            "centres": torch.zeros(0, 2),
            "contexts": torch.zeros(0, 2),
            "negatives": torch.zeros(0, 3, 2),
        },
    ],
}


# --- most_frequent_pair --------------------------------------------------------------------------


def test_the_most_frequent_pair_by_hand():
    assert most_frequent_pair([[1, 2, 3, 1, 2], [2, 3]]) == (1, 2)  # twice, as (2, 3), and smaller
    assert most_frequent_pair([[1, 2, 3, 1], [2, 3]]) == (2, 3)


def test_the_most_frequent_pair_agrees_with_a_search_over_all_pairs():
    for seed in SEEDS:
        lists = [Inputs(seed + k).ids(seed % 9, below=4).tolist() for k in range(3)]
        times = {
            (a, b): sum(ids[i : i + 2] == [a, b] for ids in lists for i in range(len(ids)))
            for a in range(4)
            for b in range(4)
        }
        best = max(times.values())
        expected = min(pair for pair, n in times.items() if n == best) if best else None
        assert most_frequent_pair(lists) == expected


# --- merge_pair ----------------------------------------------------------------------------------


def test_merge_pair_agrees_with_the_replacement_of_text():
    # str.replace goes from left to right without overlaps, too.
    for seed in SEEDS:
        text = letters(seed, seed % 30)
        for pair in ("ab", "aa", "ca"):
            merged = merge_pair([ord(c) for c in text], (ord(pair[0]), ord(pair[1])), ord("X"))
            assert "".join(map(chr, merged)) == text.replace(pair, "X")


def test_every_merge_makes_the_list_one_shorter_and_loses_nothing():
    ids = Inputs(1).ids(200, below=3).tolist()
    merged = merge_pair(ids, (1, 1), 9)
    assert len(ids) - len(merged) == merged.count(9) > 0
    assert [i for token in merged for i in ([1, 1] if token == 9 else [token])] == ids


# --- train_bpe, encode, decode -------------------------------------------------------------------


def test_sennrich_s_example_begins_as_in_the_paper():
    # Algorithm 1 of the paper: words with their counts, "_" ends a word. There the second merge is est; t_ is as
    # frequent, and the smaller pair. After three merges both have es and est_.
    counts = {"low_": 5, "lower_": 2, "newest_": 6, "widest_": 3}
    words = [list(word.encode()) for word, times in counts.items() for _ in range(times)]
    shown, found = {byte: chr(byte) for byte in range(256)}, []
    for new_id in range(256, 261):
        pair = most_frequent_pair(words)
        shown[new_id] = shown[pair[0]] + shown[pair[1]]
        found.append(shown[new_id])
        words = [merge_pair(ids, pair, new_id) for ids in words]
    assert found == ["es", "t_", "est_", "lo", "low"]


def test_training_by_hand_on_the_sentence_of_the_chapter():
    merges = train_bpe("the moth bothers the hare", 259)
    assert merges == [(ord("t"), ord("h")), (256, ord("e")), (257, ord(" "))]
    assert len(encode("the moth bothers the hare", merges)) == 25 - 4 - 3 - 2


def test_encoding_the_training_text_repeats_the_training():
    for text in TEXTS:
        merges = train_bpe(text, 300)
        ids = list(text.encode())
        for new_id, pair in enumerate(merges, start=256):
            ids = merge_pair(ids, pair, new_id)
        assert encode(text, merges) == ids


def test_a_text_is_merged_until_one_token_is_left():
    merges = train_bpe("abracadabra", 1000)
    assert len(encode("abracadabra", merges)) == 1
    assert train_bpe("abracadabra", 256 + len(merges)) == merges


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("size", [256, 257, 300, 400])
def test_decode_undoes_encode(text, size):
    merges = train_bpe(ENGLISH[:300] + CHINESE[:60], size)
    assert decode(encode(text, merges), merges) == text


def test_more_merges_never_make_more_tokens():
    merges = train_bpe(ENGLISH + CHINESE, 400)
    for text in TEXTS:
        lengths = [len(encode(text, merges[:n])) for n in range(0, len(merges) + 1, 12)]
        assert lengths == sorted(lengths, reverse=True)


def lowest_rank_first(text, merges):
    """As in GPT-2's encoder: whichever pair was learned first, everywhere, and look again."""
    rank, ids = {pair: i for i, pair in enumerate(merges)}, list(text.encode())
    while found := [p for p in pairwise(ids) if p in rank]:
        best = min(found, key=rank.__getitem__)
        ids = merge_pair(ids, best, 256 + rank[best])
    return ids


def test_encode_agrees_with_the_lowest_rank_first():
    merges = train_bpe(ENGLISH, 350)
    for text in [*TEXTS, ENGLISH[::-1]]:
        assert encode(text, merges) == lowest_rank_first(text, merges)


def test_broken_utf8_decodes_with_the_replacement_character():
    assert decode([231, 140], []) == "\ufffd"
    assert decode([97, 255, 98], []) == "a\ufffdb"


def test_what_a_random_writer_writes_can_be_decoded():
    merges = train_bpe(CHINESE, 300)
    for seed in SEEDS:
        ids = Inputs(seed).ids(30, below=256 + len(merges)).tolist()
        assert isinstance(decode(ids, merges), str)


@pytest.mark.parametrize("bad", [[256], [-1], [97, 300]])
def test_an_id_that_no_merge_made_is_refused(bad):
    with pytest.raises(ValueError, match="ids"):
        decode(bad, [])


def test_a_vocabulary_smaller_than_the_bytes_is_refused():
    with pytest.raises(ValueError, match="vocab_size must be at least 256, got 255"):
        train_bpe("abc", 255)


# --- embed and transformer_input -----------------------------------------------------------------


@pytest.mark.parametrize("axes", [(), (3,), (2, 0)])
def test_embed_agrees_with_torch_and_with_one_hot_rows(axes):
    ids, table = Inputs(1).ids(*axes, 4, below=6), Inputs(2).normal(6, 5)
    assert_close(embed(ids, table), functional.embedding(ids, table))
    assert_close(embed(ids, table), functional.one_hot(ids, 6).double() @ table)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", [torch.int32, torch.int64, torch.uint8])
def test_embed_keeps_the_dtype_of_the_table_for_ids_of_any_size(dtype, kind):
    rows = embed(torch.tensor([0, 1, 1], dtype=kind), torch.eye(2, dtype=dtype))
    assert_close(rows, torch.tensor([[1, 0], [0, 1], [0, 1]], dtype=dtype))


def test_a_row_gets_the_gradient_of_all_places_that_looked_it_up():
    table = learned(4, 2)
    embed(torch.tensor([[1, 1], [3, 1]]), table).sum().backward()
    assert table.grad.tolist() == [[0, 0], [3, 3], [0, 0], [1, 1]]


def test_transformer_input_by_hand():
    table, positions = torch.tensor([[1.0, 0, 0, 0], [0, 0, 0, 3]]), torch.eye(4)
    found = transformer_input(torch.tensor([1, 0]), table, positions)
    assert found.tolist() == [[1, 0, 0, 6], [2, 1, 0, 0]]


def test_transformer_input_is_the_same_alone_and_in_any_batch():
    table, positions = Inputs(1).normal(5, 4), Inputs(2).normal(9, 4)
    ids = Inputs(3).ids(2, 3, 3, below=5)
    whole = transformer_input(ids, table, positions)
    for i in range(2):
        for j in range(3):
            assert_close(whole[i, j], transformer_input(ids[i, j], table, positions))


def test_positions_learn_and_tables_learn():
    table, positions = learned(5, 4), learned(6, 4, seed=2)
    transformer_input(torch.tensor([[2, 2], [2, 0]]), table, positions).sum().backward()
    assert positions.grad.tolist() == [[2] * 4] * 2 + [[0] * 4] * 4
    assert_close(table.grad[2], torch.full((4,), 3 * 2.0, dtype=torch.float64))


def test_a_text_longer_than_the_positions_and_an_unknown_id_are_refused():
    with pytest.raises(ValueError, match="at most 2 positions"):
        transformer_input(torch.tensor([0, 0, 0]), torch.eye(2), torch.eye(2))
    with pytest.raises(ValueError, match="ids from 0 to 1, got 2"):
        embed(torch.tensor([2]), torch.eye(2))


# --- sinusoidal_positions ------------------------------------------------------------------------


@pytest.mark.parametrize(("time", "d_model", "base"), [(7, 6, 10000.0), (3, 2, 10.0), (200, 16, 500.0)])
def test_sinusoidal_positions_agree_with_the_formula_entry_by_entry(time, d_model, base):
    expected = [
        [(math.sin if j % 2 == 0 else math.cos)(t / base ** ((j - j % 2) / d_model)) for j in range(d_model)]
        for t in range(time)
    ]
    assert_close(sinusoidal_positions(time, d_model, base), torch.tensor(expected))


def test_a_shift_is_a_rotation():
    """Vaswani et al. 2017, section 3.5, in closed form."""
    positions = sinusoidal_positions(64, 8).double()
    for shift in (1, 5, 31):
        angles = shift / 10000.0 ** (torch.arange(0, 8, 2) / 8).double()
        blocks = [torch.tensor([[a.cos(), -a.sin()], [a.sin(), a.cos()]]) for a in angles]
        turned = positions[:-shift] @ torch.block_diag(*blocks).double()
        assert_close(turned, positions[shift:], atol=2e-6, rtol=0)


def test_positions_far_away_keep_their_digits():
    far = sinusoidal_positions(100_001, 2)[-1]
    assert_close(far, torch.tensor([math.sin(100_000), math.cos(100_000)]))


def test_no_position_and_odd_widths():
    assert sinusoidal_positions(0, 4).shape == (0, 4)
    with pytest.raises(ValueError, match="must be even, got 3"):
        sinusoidal_positions(4, 3)


# --- cosine_similarity and nearest_neighbours ----------------------------------------------------


def test_cosine_similarity_agrees_with_torch():
    for seed in SEEDS:
        queries, keys = Inputs(seed).normal(3, 4), Inputs(seed + 1).normal(5, 4, scale=10.0 ** (seed % 7 - 3))
        expected = functional.cosine_similarity(queries.unsqueeze(1), keys, dim=-1)
        assert_close(cosine_similarity(queries, keys), expected)


def test_zero_vectors_are_like_nothing_and_stop_no_gradient():
    keys = torch.tensor([[0.0, 0.0], [1.0, 1.0]], requires_grad=True)
    found = cosine_similarity(torch.tensor([[0.0, 0.0], [2.0, 0.0]]), keys)
    assert_close(found, torch.tensor([[0.0, 0.0], [0.0, 0.5**0.5]]))
    found.sum().backward()
    assert keys.grad.isfinite().all()


@pytest.mark.parametrize("scale", [1e-30, 1e-3, 1e30])
def test_lengths_do_not_count(scale):
    queries, keys = Inputs(1).normal(2, 3), Inputs(2).normal(4, 3)
    assert_close(cosine_similarity(scale * queries, keys), cosine_similarity(queries, keys))


def test_nearest_neighbours_agree_with_a_sort_of_python():
    for seed in SEEDS:
        table, query = Inputs(seed).normal(9, 3), Inputs(seed + 1).normal(3)
        cosines = functional.cosine_similarity(table, query.unsqueeze(0)).tolist()
        expected = sorted(range(9), key=lambda row: -cosines[row])
        assert nearest_neighbours(query, table, k=9).tolist() == expected


def test_rows_of_the_same_direction_are_ties_whatever_their_lengths():
    direction = Inputs(1).normal(5)
    table = torch.stack([direction * length for length in (3.0, 0.1, 7.7, 1e-6, 1e5)])
    assert nearest_neighbours(direction, table, k=5).tolist() == [0, 1, 2, 3, 4]


def test_ties_go_to_the_lower_row():
    assert nearest_neighbours(torch.tensor([1.0, 0.0]), AXES, 5).tolist() == [1, 3, 0, 2, 4]
    assert nearest_neighbours(torch.zeros(2), AXES, 3).tolist() == [0, 1, 2]


@pytest.mark.parametrize("k", [0, 6])
def test_k_outside_the_table_is_refused(k):
    with pytest.raises(ValueError, match="k must be"):
        nearest_neighbours(torch.ones(2), AXES, k)


# --- skip_gram_pairs and skip_gram_loss ----------------------------------------------------------


def test_skip_gram_pairs_agree_with_two_loops():
    for seed in SEEDS:
        ids, window = Inputs(seed).ids(seed % 12, below=6), 1 + seed % 4
        t = ids.tolist()
        expected = [
            [t[i], t[j]]
            for i in range(len(t))
            for j in range(max(0, i - window), min(len(t), i + window + 1))
            if i != j
        ]
        found = skip_gram_pairs(ids, window)
        assert found.tolist() == expected
        assert found.shape == (len(expected), 2)


def test_who_is_near_whom_is_mutual():
    pairs = Counter(map(tuple, skip_gram_pairs(Inputs(1).ids(50, below=9), 3).tolist()))
    assert pairs == Counter({(b, a): n for (a, b), n in pairs.items()})


def test_the_number_of_pairs():
    assert len(skip_gram_pairs(torch.arange(100), 5)) == 2 * 5 * 100 - 5 * 6


def test_pairs_keep_the_dtype_of_the_ids_and_a_wide_window_costs_nothing():
    assert skip_gram_pairs(torch.arange(4, dtype=torch.int32), 10**9).dtype == torch.int32


def test_skip_gram_loss_agrees_with_binary_cross_entropy():
    for seed in SEEDS:
        centres, contexts = Inputs(seed).normal(4, 3), Inputs(seed + 1).normal(4, 3)
        negatives = Inputs(seed + 2).normal(4, 6, 3)
        scores = torch.cat([contexts.unsqueeze(1), negatives], dim=1) @ centres.unsqueeze(-1)
        truth = torch.zeros(4, 7, 1, dtype=torch.float64)
        truth[:, 0] = 1
        expected = functional.binary_cross_entropy_with_logits(scores, truth, reduction="sum") / 4
        assert_close(skip_gram_loss(centres, contexts, negatives), expected)


def test_skip_gram_loss_is_finite_where_the_sigmoid_is_not():
    far = torch.tensor([[1e4, 0.0]], requires_grad=True)
    loss = skip_gram_loss(far, torch.tensor([[-1.0, 0.0]]), torch.tensor([[[1.0, 0.0], [2.0, 0.0]]]))
    assert loss.item() == pytest.approx(4e4)
    loss.backward()
    assert far.grad.isfinite().all()


def test_neighbours_pull_and_strangers_push():
    centres, contexts, negatives = learned(1, 2), learned(1, 2, seed=2), learned(1, 1, 2, seed=3)
    skip_gram_loss(centres, contexts, negatives).backward()
    downhill = -centres.grad[0]
    assert downhill @ (contexts[0] - negatives[0, 0]).detach() > 0
    assert_close(functional.normalize(-contexts.grad), functional.normalize(centres.detach()))
    assert_close(functional.normalize(negatives.grad[0]), functional.normalize(centres.detach()))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_no_pairs_and_no_strangers(dtype):
    none = torch.zeros(0, 2, dtype=dtype)
    loss = skip_gram_loss(none, none, torch.zeros(0, 3, 2, dtype=dtype))
    assert (loss.item(), loss.shape, loss.dtype) == (0, (), dtype)
    alone = skip_gram_loss(torch.ones(1, 2), torch.zeros(1, 2), torch.zeros(1, 0, 2))
    assert alone.item() == pytest.approx(math.log(2))
