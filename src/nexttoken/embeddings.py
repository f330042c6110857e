"""Embeddings: from characters to vectors with a place.

A text becomes pieces, a piece becomes a row of a table, and its position is added.
"""

import math
from collections import Counter
from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nexttoken.exercise import exercise
from nexttoken.requirements import (
    at_least,
    at_most_rows,
    byte_pair_ids,
    even,
    no_longer_than,
    row_ids,
)


@exercise(points=1, minutes=10)
def most_frequent_pair(sequences: list[list[int]]) -> tuple[int, int] | None:
    """The two neighbours that stand side by side most often, over all sequences.

    Of pairs that are equally frequent it is the smaller one, as Python compares tuples. None if
    there is no pair at all. Neighbours are counted at every place, overlaps included: `a a a`
    has the pair (a, a) twice.

    Source: Gage 1994; Sennrich, Haddow and Birch 2016, section 3.2.

    >>> most_frequent_pair([[1, 2, 3], [2, 3]])
    (2, 3)
    """
    raise NotImplementedError


@exercise(points=1, minutes=15)
def merge_pair(ids: list[int], pair: tuple[int, int], new_id: int) -> list[int]:
    """A new list in which every occurrence of the pair has become `new_id`.

    From left to right and without overlaps: in `a a a` the first two are merged, the third stays.

    Source: Sennrich, Haddow and Birch 2016, algorithm 1.

    >>> merge_pair([7, 7, 7, 1], (7, 7), new_id=9)
    [9, 7, 1]
    """
    raise NotImplementedError


@exercise(points=2, minutes=20, requires={"vocab_size": at_least(256)})
def train_bpe(text: str, vocab_size: int) -> list[tuple[int, int]]:
    """Learn the merges of byte-pair encoding: again and again, the most frequent pair becomes a token.

    The text starts as the bytes of its UTF-8, so that the first 256 ids are taken and every language
    works; the whole text is one sequence. Merge number i makes the id 256 + i. It ends when there are
    `vocab_size` ids, or no pair is left; a pair that was seen once is merged as well.

    Source: Sennrich, Haddow and Birch 2016, section 3.2; on bytes: Radford et al. 2019, section 2.2.

    >>> train_bpe("abab", vocab_size=300)  # a = 97, b = 98: first "ab", then "abab"
    [(97, 98), (256, 256)]
    """
    raise NotImplementedError


@exercise(points=2, minutes=15)
def encode(text: str, merges: list[tuple[int, int]]) -> list[int]:
    """The ids of a text: its bytes, merged in the order in which the merges were learned.

    Source: Sennrich, Haddow and Birch 2016, section 3.2.

    >>> encode("abc", merges=[(97, 98)])
    [256, 99]
    """
    raise NotImplementedError


@exercise(points=2, minutes=15, requires={"ids": byte_pair_ids("merges")})
def decode(ids: list[int], merges: list[tuple[int, int]]) -> str:
    """The text of these ids: `decode(encode(text, merges), merges) == text`.

    An id from 256 up stands for its two parts, and so on down to bytes. Bytes that are not UTF-8, as
    a model may write them, become the replacement character U+FFFD.

    Source: Sennrich, Haddow and Birch 2016, section 3.2; on bytes: Radford et al. 2019, section 2.2.

    >>> decode([256, 99], merges=[(97, 98)])
    'abc'
    """
    raise NotImplementedError


@exercise(points=1, minutes=5, requires={"ids": row_ids("table")})
def embed(
    ids: Int[Tensor, "*batch time"], table: Float[Tensor, "vocab d_model"]
) -> Float[Tensor, "*batch time d_model"]:
    """Look up: token i becomes row i of the table.

    Source: Bengio et al. 2003, section 2 (the matrix C).

    >>> embed(torch.tensor([1, 0, 1]), torch.tensor([[0.0, 0.5], [1.0, 2.0]]))
    tensor([[1.0000, 2.0000],
            [0.0000, 0.5000],
            [1.0000, 2.0000]])
    """
    raise NotImplementedError


@exercise(points=2, minutes=20, requires={"time": at_least(0), "d_model": (at_least(1), even)})
def sinusoidal_positions(time: int, d_model: int, base: float = 10000.0) -> Float[Tensor, "time d_model"]:
    r"""A vector for every position: the hands of `d_model / 2` clocks, each slower than the last.

    $$p_{t,2i} = \sin\left(t / b^{2i/d}\right), \qquad p_{t,2i+1} = \cos\left(t / b^{2i/d}\right)$$

    with $b$ = `base`, $d$ = `d_model`, and positions t counted from 0.

    Source: Vaswani et al. 2017, section 3.5.

    >>> sinusoidal_positions(time=2, d_model=2)  # sin 0, cos 0; sin 1, cos 1
    tensor([[0.0000, 1.0000],
            [0.8415, 0.5403]])
    """
    raise NotImplementedError


@exercise(points=1, minutes=10, requires={"ids": (row_ids("table"), no_longer_than("positions"))})
def transformer_input(
    ids: Int[Tensor, "*batch time"],
    table: Float[Tensor, "vocab d_model"],
    positions: Float[Tensor, "max_time d_model"],
) -> Float[Tensor, "*batch time d_model"]:
    r"""What enters the first layer: $\sqrt{d}$ times the token's vector, plus that of its position.

    Position t takes row t of `positions`, the same in every sequence of the batch.

    Source: Vaswani et al. 2017, sections 3.4 and 3.5.

    >>> transformer_input(torch.tensor([0]), torch.tensor([[1.0, 0, 0, 0]]), torch.ones(5, 4))  # d = 4
    tensor([[3., 1., 1., 1.]])
    """
    raise NotImplementedError


@exercise(points=2, minutes=15)
def cosine_similarity(
    queries: Float[Tensor, "queries d_model"], keys: Float[Tensor, "keys d_model"]
) -> Float[Tensor, "queries keys"]:
    r"""The cosine of the angle between every query and every key: 1 same direction, -1 opposite.

    $$\cos(q, k) = \frac{q \cdot k}{\lVert q \rVert \, \lVert k \rVert}$$

    A vector of zeros has no direction: its similarity to everything is 0, never NaN.

    Source: Salton, Wong and Yang 1975, section 1.

    >>> cosine_similarity(torch.tensor([[3.0, 0.0]]), torch.tensor([[2.0, 0.0], [0.0, 5.0], [-1.0, 0.0]]))
    tensor([[ 1.,  0., -1.]])
    """
    raise NotImplementedError


@exercise(points=1, minutes=10, requires={"k": (at_least(1), at_most_rows("table"))})
def nearest_neighbours(
    query: Float[Tensor, " d_model"], table: Float[Tensor, "rows d_model"], k: int
) -> Int[Tensor, " k"]:
    """The k rows of the table that are most like the query, by cosine, the best first.

    Of equally similar rows the lower number goes first. This is what a vector database does.

    Source: Salton, Wong and Yang 1975, section 1 (documents in the order of their similarity to a query).

    >>> nearest_neighbours(torch.tensor([1.0, 0.1]), torch.tensor([[0.0, 1.0], [5.0, 0.0], [1.0, 1.0]]), k=2)
    tensor([1, 2])
    """
    raise NotImplementedError


@exercise(points=2, minutes=15, requires={"window": at_least(1)})
def skip_gram_pairs(ids: Int[Tensor, " time"], window: int) -> Int[Tensor, "pairs 2"]:
    """Who stands near whom: all pairs of ids (centre, context) at most `window` places apart.

    In the order of the centre's position, then of the context's. Never a position with itself,
    though the same word may stand at both. A text of one token has no pairs: shape (0, 2).

    Source: Mikolov et al. 2013 (a fixed window; they draw its size at random).

    >>> skip_gram_pairs(torch.tensor([5, 6, 7]), window=1)
    tensor([[5, 6],
            [6, 5],
            [6, 7],
            [7, 6]])
    """
    raise NotImplementedError


@exercise(points=3, minutes=20)
def skip_gram_loss(
    centres: Float[Tensor, "pairs d_model"],
    contexts: Float[Tensor, "pairs d_model"],
    negatives: Float[Tensor, "pairs samples d_model"],
) -> Float[Tensor, ""]:
    r"""Tell true neighbours from strangers: the loss of skip-gram with negative sampling.

    $$-\log \sigma(c \cdot o) - \sum_{s} \log \sigma(-c \cdot n_s)$$

    for a centre $c$, its true context $o$ and the strangers $n_s$ drawn for it; the mean over all
    pairs, and 0 where there is no pair. Must be finite for dot products of 1e4.

    Source: Mikolov et al. 2013, equation 4, negated.

    >>> zeros = torch.zeros(1, 2)  # all dot products 0, all sigmas 1/2: 2 log 2
    >>> skip_gram_loss(zeros, zeros, torch.zeros(1, 1, 2))
    tensor(1.3863)
    """
    raise NotImplementedError


# End of the exercises of this chapter.
