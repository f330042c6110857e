"""The reference answers of `nexttoken.embeddings`."""

import math
from collections import Counter
from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor


def most_frequent_pair(sequences: list[list[int]]) -> tuple[int, int] | None:
    counts = Counter(pair for ids in sequences for pair in pairwise(ids))
    return min(counts, key=lambda pair: (-counts[pair], pair), default=None)


def merge_pair(ids: list[int], pair: tuple[int, int], new_id: int) -> list[int]:
    merged: list[int] = []
    i = 0
    while i < len(ids):
        found = tuple(ids[i : i + 2]) == pair
        merged.append(new_id if found else ids[i])
        i += 2 if found else 1
    return merged


def train_bpe(text: str, vocab_size: int) -> list[tuple[int, int]]:
    ids = list(text.encode("utf-8"))
    merges: list[tuple[int, int]] = []
    for new_id in range(256, vocab_size):
        pair = most_frequent_pair([ids])
        if pair is None:
            break
        merges.append(pair)
        ids = merge_pair(ids, pair, new_id)
    return merges


def encode(text: str, merges: list[tuple[int, int]]) -> list[int]:
    ids = list(text.encode("utf-8"))
    for new_id, pair in enumerate(merges, start=256):
        ids = merge_pair(ids, pair, new_id)
    return ids


def decode(ids: list[int], merges: list[tuple[int, int]]) -> str:
    pieces = [bytes([byte]) for byte in range(256)]
    for left, right in merges:
        pieces.append(pieces[left] + pieces[right])
    return b"".join(pieces[i] for i in ids).decode("utf-8", errors="replace")


def embed(
    ids: Int[Tensor, "*batch time"], table: Float[Tensor, "vocab d_model"]
) -> Float[Tensor, "*batch time d_model"]:
    return table[ids.long()]


def sinusoidal_positions(time: int, d_model: int, base: float = 10000.0) -> Float[Tensor, "time d_model"]:
    # In float64 until the end: the sine of a large angle needs all its digits.
    places = torch.arange(time, dtype=torch.float64).unsqueeze(-1)
    angles = places / base ** (torch.arange(0, d_model, 2, dtype=torch.float64) / d_model)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2).to(torch.get_default_dtype())


def transformer_input(
    ids: Int[Tensor, "*batch time"],
    table: Float[Tensor, "vocab d_model"],
    positions: Float[Tensor, "max_time d_model"],
) -> Float[Tensor, "*batch time d_model"]:
    time, d_model = ids.shape[-1], table.shape[-1]
    return embed(ids, table) * math.sqrt(d_model) + positions[:time]


def cosine_similarity(
    queries: Float[Tensor, "queries d_model"], keys: Float[Tensor, "keys d_model"]
) -> Float[Tensor, "queries keys"]:
    # Directions have length 1; a vector of zeros is divided by 1 instead, and stays zeros.
    lengths = [vectors.norm(dim=-1, keepdim=True) for vectors in (queries, keys)]
    of_queries, of_keys = (torch.where(length > 0, length, 1.0) for length in lengths)
    return (queries / of_queries) @ (keys / of_keys).T


def nearest_neighbours(
    query: Float[Tensor, " d_model"], table: Float[Tensor, "rows d_model"], k: int
) -> Int[Tensor, " k"]:
    similarity = cosine_similarity(query.unsqueeze(0), table).squeeze(0)
    # Rows of the same direction differ in the last bits: in steps of some rounding errors they are equal.
    steps = (similarity / (16 * torch.finfo(similarity.dtype).eps)).round()
    return steps.argsort(descending=True, stable=True)[:k]


def skip_gram_pairs(ids: Int[Tensor, " time"], window: int) -> Int[Tensor, "pairs 2"]:
    reach = min(window, len(ids))
    offsets = torch.tensor([o for o in range(-reach, reach + 1) if o != 0], dtype=torch.int64)
    centre = torch.arange(len(ids)).unsqueeze(1).expand(-1, len(offsets))
    context = centre + offsets
    inside = (context >= 0) & (context < len(ids))
    return torch.stack([ids[centre[inside]], ids[context[inside]]], dim=-1)


def skip_gram_loss(
    centres: Float[Tensor, "pairs d_model"],
    contexts: Float[Tensor, "pairs d_model"],
    negatives: Float[Tensor, "pairs samples d_model"],
) -> Float[Tensor, ""]:
    true = (centres * contexts).sum(dim=-1)
    strangers = torch.einsum("pd,psd->ps", centres, negatives)
    log_sigmoid = torch.nn.functional.logsigmoid  # stable, where sigmoid(...).log() is not
    losses = -log_sigmoid(true) - log_sigmoid(-strangers).sum(dim=-1)
    return losses.sum() / max(len(losses), 1)  # mean() of nothing is NaN


# End of the references of this chapter.
