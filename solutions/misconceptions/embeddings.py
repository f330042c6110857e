"""Plausible wrong answers to `nexttoken.embeddings`, and the sentence that each one earns.

`<exercise>__<what_is_wrong>`: the docstring is what a reader is told whose answer behaves the same.
"""

import math
from collections import Counter
from itertools import pairwise

import torch


def most_frequent_pair__first_seen_of_equals(sequences):
    """Of equally frequent pairs you take the one that was met first (`Counter.most_common` and `max` do that).
    The smaller pair is asked for, so that the answer does not depend on the order of the texts."""
    counts = Counter(pair for ids in sequences for pair in pairwise(ids))
    return max(counts, key=counts.get, default=None)


def most_frequent_pair__largest_of_equals(sequences):
    """Of equally frequent pairs you take the largest: in `max(..., key=lambda p: (counts[p], p))` both parts are
    maximised. The count should be large and the pair small, so one of the two needs a minus."""
    counts = Counter(pair for ids in sequences for pair in pairwise(ids))
    return max(counts, key=lambda pair: (counts[pair], pair), default=None)


def most_frequent_pair__sequences_joined(sequences):
    """You join the sequences before counting, so that the last id of one and the first of the next become
    neighbours. They never stood side by side: count inside each sequence."""
    counts = Counter(pair for pair in pairwise([i for ids in sequences for i in ids]))
    return min(counts, key=lambda pair: (-counts[pair], pair), default=None)


def most_frequent_pair__overlaps_not_counted(sequences):
    """In `a a a` you count the pair (a, a) once. Counting takes every place where two neighbours stand,
    here two; that overlaps cannot both be merged is the concern of `merge_pair`."""
    counts = Counter()
    for ids in sequences:
        i = 0
        while i < len(ids) - 1:
            counts[ids[i], ids[i + 1]] += 1
            i += 2 if i + 2 < len(ids) and ids[i] == ids[i + 1] == ids[i + 2] else 1
    return min(((-counts[pair], pair) for pair in counts), default=(0, None))[1]


def most_frequent_pair__order_ignored(sequences):
    """You count (a, b) and (b, a) as one pair. A merge puts two tokens together in the order in which they stand:
    `th` is not `ht`."""
    counts = Counter(tuple(sorted(pair)) for ids in sequences for pair in pairwise(ids))
    return min(counts, key=lambda pair: (-counts[pair], pair), default=None)


def most_frequent_pair__compared_as_text(sequences):
    """You compare pairs as text, where "10" comes before "9". Ids are numbers: leave out the `str`, and
    Python compares tuples of numbers by itself."""
    counts = Counter(pair for ids in sequences for pair in pairwise(ids))
    return min(counts, key=lambda pair: (-counts[pair], str(pair)), default=None)


def most_frequent_pair__fails_without_pairs(sequences):
    """Without any pair you raise an error. None is asked for: it is how training notices that
    there is nothing left to merge. `min` has `default=None` for that."""
    counts = Counter(pair for ids in sequences for pair in pairwise(ids))
    return min(counts, key=lambda pair: (-counts[pair], pair))


def merge_pair__overlaps_lost(ids, pair, new_id):
    """In `a a a` you merge twice and lose a token: the middle a is used by both merges, so that the text can no
    longer be restored. After a merge go on behind *both* of its tokens."""
    found = [i for i in range(len(ids) - 1) if (ids[i], ids[i + 1]) == tuple(pair)]
    return [new_id if i in found else token for i, token in enumerate(ids) if i - 1 not in found]


def merge_pair__second_token_kept(ids, pair, new_id):
    """You put the new token in the place of the first one and keep the second one as well: the index has to move
    on by two after a merge."""
    merged = list(ids)
    for i in range(len(ids) - 1):
        if (ids[i], ids[i + 1]) == tuple(pair):
            merged[i] = new_id
    return merged


def merge_pair__from_right_to_left(ids, pair, new_id):
    """You merge from right to left: in `a a a` the last two are merged, where the first two are asked for.
    Encoding and training must agree on one direction, and ours is that of reading."""
    merged, i = [], len(ids) - 1
    while i >= 0:
        found = i > 0 and (ids[i - 1], ids[i]) == tuple(pair)
        merged.append(new_id if found else ids[i])
        i -= 2 if found else 1
    return merged[::-1]


def merge_pair__only_the_first(ids, pair, new_id):
    """You merge the first occurrence and stop. The pair is to be merged wherever it stands."""
    for i in range(len(ids) - 1):
        if (ids[i], ids[i + 1]) == tuple(pair):
            return [*ids[:i], new_id, *ids[i + 2 :]]
    return list(ids)


def merge_pair__last_token_dropped(ids, pair, new_id):
    """Your walk ends at the last pair, so that a last token which is not merged is lost. It has no neighbour to its
    right, and still belongs to the text."""
    merged, i = [], 0
    while i < len(ids) - 1:
        found = (ids[i], ids[i + 1]) == tuple(pair)
        merged.append(new_id if found else ids[i])
        i += 2 if found else 1
    return merged


def merge_pair__argument_changed(ids, pair, new_id):
    """You change the list that you were given (`del`, `pop`, or writing into it). Whoever called you still needs it: build
    a new list."""
    i = 0
    while i < len(ids) - 1:
        if (ids[i], ids[i + 1]) == tuple(pair):
            ids[i : i + 2] = [new_id]
        i += 1
    return ids


def merge_pair__merged_again(ids, pair, new_id):
    """You merge what you have just merged: the new token is compared with its right neighbour at once. One pass looks
    at the old ids only; a new token takes part in the next merge, not in this one."""
    merged = []
    for token in ids:
        if merged and (merged[-1], token) == tuple(pair):
            merged[-1] = new_id
        else:
            merged.append(token)
    return merged


def train_bpe__counted_on_the_bytes(text, vocab_size):
    """You count the pairs of the original bytes each time, so that the same pair wins again and again. Every merge must be
    carried out before the next count: `ids = merge_pair(...)`."""
    ids = list(text.encode("utf-8"))
    counts = Counter(pairwise(ids))
    pair = min(counts, key=lambda pair: (-counts[pair], pair), default=None)
    return [pair] * (vocab_size - 256) if pair else []


def train_bpe__most_frequent_pairs_at_once(text, vocab_size):
    """You take the most frequent pairs of the bytes, all from one count. After each merge there are new neighbours, and old
    pairs have become rarer: count again before the next merge."""
    counts = Counter(pair for pair in pairwise(text.encode("utf-8")))
    return sorted(counts, key=lambda pair: (-counts[pair], pair))[: vocab_size - 256]


def train_bpe__vocab_size_counts_merges(text, vocab_size):
    """You make `vocab_size` merges. The vocabulary has 256 bytes in it before the first merge, so that
    `vocab_size - 256` merges are left."""
    ids, merges = list(text.encode("utf-8")), []
    for new_id in range(256, 256 + vocab_size):
        counts = Counter(pair for pair in pairwise(ids))
        if not counts:
            break
        merges.append(min(counts, key=lambda pair: (-counts[pair], pair)))
        merged, i = [], 0
        while i < len(ids):
            found = tuple(ids[i : i + 2]) == merges[-1]
            merged.append(new_id if found else ids[i])
            i += 2 if found else 1
        ids = merged
    return merges


def train_bpe__characters_instead_of_bytes(text, vocab_size):
    """Your text starts as characters (`ord`), not as bytes. A Chinese character then has a number far above 255, which
    collides with the ids of merges or has no place in the vocabulary. Start from `text.encode("utf-8")`."""
    ids, merges = [ord(character) for character in text], []
    for new_id in range(256, vocab_size):
        counts = Counter(pair for pair in pairwise(ids))
        if not counts:
            break
        merges.append(min(counts, key=lambda pair: (-counts[pair], pair)))
        merged, i = [], 0
        while i < len(ids):
            found = tuple(ids[i : i + 2]) == merges[-1]
            merged.append(new_id if found else ids[i])
            i += 2 if found else 1
        ids = merged
    return merges


def train_bpe__pairs_seen_once_left_out(text, vocab_size):
    """You stop when no pair occurs twice. Practical tokenisers may do that; here a pair that was seen once is merged as
    well, so that `vocab_size` alone says when to stop."""
    ids, merges = list(text.encode("utf-8")), []
    for new_id in range(256, vocab_size):
        counts = Counter(pair for pair in pairwise(ids))
        if not counts or max(counts.values()) < 2:
            break
        merges.append(min(counts, key=lambda pair: (-counts[pair], pair)))
        merged, i = [], 0
        while i < len(ids):
            found = tuple(ids[i : i + 2]) == merges[-1]
            merged.append(new_id if found else ids[i])
            i += 2 if found else 1
        ids = merged
    return merges


def train_bpe__split_at_spaces(text, vocab_size):
    """You cut the text into words first, so that no merge contains a space. Many tokenisers do; here the whole text is one
    sequence, spaces and line ends included."""
    words = [list(word.encode("utf-8")) for word in text.split()]
    merges = []
    for new_id in range(256, vocab_size):
        counts = Counter(pair for ids in words for pair in pairwise(ids))
        if not counts:
            break
        merges.append(min(counts, key=lambda pair: (-counts[pair], pair)))
        for number, ids in enumerate(words):
            merged, i = [], 0
            while i < len(ids):
                found = tuple(ids[i : i + 2]) == merges[-1]
                merged.append(new_id if found else ids[i])
                i += 2 if found else 1
            words[number] = merged
    return merges


def encode__most_frequent_first(text, merges):
    """You apply the merge whose pair is most frequent in *this* text. The order was settled in training: the merge that was
    learned first comes first. Else the same word would be cut differently in different texts."""
    ids, known = list(text.encode("utf-8")), {tuple(pair): 256 + i for i, pair in enumerate(merges)}
    while True:
        counts = Counter(pair for pair in pairwise(ids) if pair in known)
        if not counts:
            return ids
        pair = min(counts, key=lambda pair: (-counts[pair], known[pair]))
        merged, i = [], 0
        while i < len(ids):
            found = tuple(ids[i : i + 2]) == pair
            merged.append(known[pair] if found else ids[i])
            i += 2 if found else 1
        ids = merged


def encode__last_merge_first(text, merges):
    """You apply the merges from the last to the first. A late merge is made of the tokens of earlier ones, which are
    not there yet. Go through the list in the order in which it was learned."""
    ids = list(text.encode("utf-8"))
    for number in range(len(merges) - 1, -1, -1):
        merged, i = [], 0
        while i < len(ids):
            found = tuple(ids[i : i + 2]) == tuple(merges[number])
            merged.append(256 + number if found else ids[i])
            i += 2 if found else 1
        ids = merged
    return ids


def encode__longest_piece_first(text, merges):
    """At every place you take the longest token that fits. That is another algorithm (and a shorter code at times), but the
    tokens that it makes are not those of training: byte-pair encoding merges in the order of the list."""
    pieces = [bytes([byte]) for byte in range(256)]
    for left, right in merges:
        pieces.append(pieces[left] + pieces[right])
    raw, ids = text.encode("utf-8"), []
    while raw:
        best = max(
            (i for i, piece in enumerate(pieces) if raw.startswith(piece)), key=lambda i: (len(pieces[i]), -i)
        )
        ids.append(best)
        raw = raw[len(pieces[best]) :]
    return ids


def encode__left_to_right_once(text, merges):
    """You go through the text once and merge whatever pair stands there, whichever was learned first. Each merge needs its
    own pass over the whole text, in the order of the list."""
    known, ids = {tuple(pair): 256 + i for i, pair in enumerate(merges)}, []
    for byte in text.encode("utf-8"):
        ids.append(byte)
        while len(ids) > 1 and tuple(ids[-2:]) in known:
            ids[-2:] = [known[tuple(ids[-2:])]]
    return ids


def encode__numbered_from_zero(text, merges):
    """You number the merges from 0. The ids up to 255 are bytes, so that merge i makes the id 256 + i."""
    ids = list(text.encode("utf-8"))
    for number, pair in enumerate(merges):
        merged, i = [], 0
        while i < len(ids):
            found = tuple(ids[i : i + 2]) == tuple(pair)
            merged.append(number if found else ids[i])
            i += 2 if found else 1
        ids = merged
    return ids


def encode__characters_instead_of_bytes(text, merges):
    """You begin with the numbers of the characters (`ord`), not with bytes. For plain English they are the same; every other
    character is two to four bytes in UTF-8."""
    ids = [ord(character) for character in text]
    for number, pair in enumerate(merges):
        merged, i = [], 0
        while i < len(ids):
            found = tuple(ids[i : i + 2]) == tuple(pair)
            merged.append(256 + number if found else ids[i])
            i += 2 if found else 1
        ids = merged
    return ids


def decode__each_token_by_itself(ids, merges):
    """You decode every token by itself. A character of several bytes may be spread over several tokens, and none of them is
    UTF-8 alone. Join all bytes first, then decode once."""
    pieces = [bytes([byte]) for byte in range(256)]
    for left, right in merges:
        pieces.append(pieces[left] + pieces[right])
    return "".join(pieces[i].decode("utf-8", errors="replace") for i in ids)


def decode__broken_bytes_raise(ids, merges):
    """Bytes that are not UTF-8 make you raise an error. A model may stop in the middle of a character, and its text should
    be shown all the same: `errors="replace"`."""
    pieces = [bytes([byte]) for byte in range(256)]
    for left, right in merges:
        pieces.append(pieces[left] + pieces[right])
    return b"".join(pieces[i] for i in ids).decode("utf-8")


def decode__broken_bytes_dropped(ids, merges):
    """You leave out bytes that are not UTF-8, as if nothing had been there. The replacement character U+FFFD says that
    something was: `errors="replace"`, not "ignore"."""
    pieces = [bytes([byte]) for byte in range(256)]
    for left, right in merges:
        pieces.append(pieces[left] + pieces[right])
    return b"".join(pieces[i] for i in ids).decode("utf-8", errors="ignore")


def decode__latin_1(ids, merges):
    """You make one character of every byte (`chr`, or Latin-1). That is right for plain English only: in UTF-8 other
    characters take two to four bytes."""
    pieces = [bytes([byte]) for byte in range(256)]
    for left, right in merges:
        pieces.append(pieces[left] + pieces[right])
    return b"".join(pieces[i] for i in ids).decode("latin-1")


def decode__one_level(ids, merges):
    """You take a merge apart once, and treat both parts as bytes. They may be merges themselves: go on until
    only bytes are left."""
    raw = b""
    for i in ids:
        raw += bytes([i]) if i < 256 else bytes([part % 256 for part in merges[i - 256]])
    return raw.decode("utf-8", errors="replace")


def decode__parts_exchanged(ids, merges):
    """You put the right part of a merge before the left one. A stack hands things out in reverse: push the right part first,
    so that the left one comes out first."""
    pieces = [bytes([byte]) for byte in range(256)]
    for left, right in merges:
        pieces.append(pieces[right] + pieces[left])
    return b"".join(pieces[i] for i in ids).decode("utf-8", errors="replace")


def embed__columns(ids, table):
    """You look up columns, `table[:, ids]`. A token's vector is a row of the table, and
    in the result the last axis is d_model."""
    return table.T[ids.long() % table.shape[-1]]


def embed__table_multiplied(ids, table):
    """You multiply the id with something: an id is an address, not a quantity. Token 6 is not twice token 3; take
    row `ids` of the table."""
    return ids.unsqueeze(-1).to(table.dtype) * table[0]


def embed__one_row_off(ids, table):
    """You look up the row before the right one: ids count from 0, like the rows of the table."""
    return table[ids.long() - 1]


def embed__detached(ids, table):
    """The vectors are right, but no gradient reaches the table (`.detach()`, `.tolist()`, `torch.tensor(...)` cut it). The
    rows are what a model learns: index the table itself."""
    return table.detach()[ids.long()]


def embed__flattened(ids, table):
    """Your result has lost the batch axes. Each id, wherever it stands, is replaced by its row: the shape of
    `ids`, with d_model behind it."""
    return table[ids.long().reshape(-1)]


def embed__always_float32(ids, table):
    """Your result is float32 whatever the table is: a one-hot matrix made with `.float()` does that. Give it the dtype of
    the table."""
    return table[ids.long()].float()


def sinusoidal_positions__halves(time, d_model, base=10000.0):
    """You put all sines in the first half of the row and all cosines in the second. Some programs do, but here they
    alternate: sine at even columns, cosine at odd ones, each pair with its own speed."""
    places = torch.arange(time, dtype=torch.float64).unsqueeze(-1)
    angles = places / base ** (torch.arange(0, d_model, 2, dtype=torch.float64) / d_model)
    return torch.cat([angles.sin(), angles.cos()], dim=-1).to(torch.get_default_dtype())


def sinusoidal_positions__speeds_by_column(time, d_model, base=10000.0):
    """Your sine and your cosine of one pair have different speeds: you count columns in the exponent. A pair is one
    clock: columns 2i and 2i + 1 both have the exponent 2i / d_model."""
    places = torch.arange(time, dtype=torch.float64).unsqueeze(-1)
    columns = torch.arange(d_model)
    angles = places / base ** (columns.double() / d_model)
    return torch.where(columns % 2 == 0, angles.sin(), angles.cos()).to(torch.get_default_dtype())


def sinusoidal_positions__exponent_too_small(time, d_model, base=10000.0):
    """Your exponent is i / d_model where 2i / d_model is asked for, so that the slowest clock is much too fast: clock i
    belongs to columns 2i and 2i + 1."""
    places = torch.arange(time, dtype=torch.float64).unsqueeze(-1)
    angles = places / base ** (torch.arange(d_model // 2, dtype=torch.float64) / d_model)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2).to(torch.get_default_dtype())


def sinusoidal_positions__cosine_first(time, d_model, base=10000.0):
    """Sine and cosine are exchanged: the even columns hold the sine. At position 0 a row begins with 0, 1."""
    places = torch.arange(time, dtype=torch.float64).unsqueeze(-1)
    angles = places / base ** (torch.arange(0, d_model, 2, dtype=torch.float64) / d_model)
    return torch.stack([angles.cos(), angles.sin()], dim=-1).flatten(-2).to(torch.get_default_dtype())


def sinusoidal_positions__counted_from_one(time, d_model, base=10000.0):
    """Your first position is number 1. Positions count from 0, where every sine is 0 and every cosine 1."""
    places = torch.arange(1, time + 1, dtype=torch.float64).unsqueeze(-1)
    angles = places / base ** (torch.arange(0, d_model, 2, dtype=torch.float64) / d_model)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2).to(torch.get_default_dtype())


def sinusoidal_positions__base_ignored(time, d_model, base=10000.0):
    """You always use 10000. It is only the default: the argument `base` says how much slower each clock is."""
    places = torch.arange(time, dtype=torch.float64).unsqueeze(-1)
    angles = places / 10000.0 ** (torch.arange(0, d_model, 2, dtype=torch.float64) / d_model)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2).to(torch.get_default_dtype())


def sinusoidal_positions__faster_and_faster(time, d_model, base=10000.0):
    """You multiply by the power of the base where it divides: your clocks get faster from pair to pair. The first one turns by
    one radian a position, and all others more slowly."""
    places = torch.arange(time, dtype=torch.float64).unsqueeze(-1)
    angles = places * base ** (torch.arange(0, d_model, 2, dtype=torch.float64) / d_model)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2).to(torch.get_default_dtype())


def transformer_input__not_scaled(ids, table, positions):
    """You do not multiply the tokens' vectors by the square root of d_model. Without it the positions, whose numbers
    are about 1, would drown vectors that are learned small."""
    return table[ids.long()] + positions[: ids.shape[-1]]


def transformer_input__everything_scaled(ids, table, positions):
    """You multiply the sum by the square root of d_model. Only the tokens' vectors are scaled; the positions are added
    as they are."""
    return (table[ids.long()] + positions[: ids.shape[-1]]) * math.sqrt(table.shape[-1])


def transformer_input__divided(ids, table, positions):
    """You divide by the square root of d_model. That belongs to attention, two chapters from here; the tokens' vectors are
    multiplied by it."""
    return table[ids.long()] / math.sqrt(table.shape[-1]) + positions[: ids.shape[-1]]


def transformer_input__scaled_by_d_model(ids, table, positions):
    """You multiply by d_model itself, where its square root is asked for."""
    return table[ids.long()] * table.shape[-1] + positions[: ids.shape[-1]]


def transformer_input__position_of_the_batch(ids, table, positions):
    """Your position counts sequences, not tokens: all tokens of one sequence get the same position. Time is the last axis
    of `ids`, so it is `ids.shape[-1]`, and position t belongs to place t of every sequence."""
    vectors = table[ids.long()] * math.sqrt(table.shape[-1])
    if ids.ndim == 1:
        return vectors + positions[: len(ids)]
    number = torch.arange(ids.shape[0]) % len(positions)
    return vectors + positions[number].reshape(ids.shape[0], *[1] * (ids.ndim - 1), -1)


def transformer_input__position_of_the_id(ids, table, positions):
    """You look up positions with the ids, so that a token gets the same vector wherever it stands, and order is lost.
    A position is where the token stands: rows 0, 1, 2 ... of `positions`."""
    return table[ids.long()] * math.sqrt(table.shape[-1]) + positions[ids.long() % len(positions)]


def transformer_input__last_positions(ids, table, positions):
    """You take the last rows of `positions`. A text begins at position 0, however long it could have been."""
    return table[ids.long()] * math.sqrt(table.shape[-1]) + positions[len(positions) - ids.shape[-1] :]


def cosine_similarity__dot_product(queries, keys):
    """This is the dot product: long vectors count more. Divide by both lengths, and only the angle is left."""
    return queries @ keys.T


def cosine_similarity__one_length(queries, keys):
    """You divide by the lengths of the keys only. A cosine lies between -1 and 1: divide by the lengths of the queries,
    too."""
    length = keys.norm(dim=-1, keepdim=True)
    return queries @ (keys / torch.where(length > 0, length, 1.0)).T


def cosine_similarity__nan_for_zeros(queries, keys):
    """A vector of zeros gives NaN: 0 / 0. It has no direction, so it is like nothing, and its similarity is 0. Divide by 1
    where the length is 0."""
    return (queries / queries.norm(dim=-1, keepdim=True)) @ (keys / keys.norm(dim=-1, keepdim=True)).T


def cosine_similarity__squared_lengths(queries, keys):
    """You divide by the squares of the lengths: the root is missing. A vector's similarity to itself should be 1."""
    squares = [(vectors**2).sum(dim=-1, keepdim=True) for vectors in (queries, keys)]
    of_queries, of_keys = (torch.where(square > 0, square, 1.0) for square in squares)
    return (queries / of_queries) @ (keys / of_keys).T


def cosine_similarity__angle(queries, keys):
    """This is the angle, not its cosine: the same direction should give 1, and a right angle 0. Leave out the `arccos`."""
    lengths = [vectors.norm(dim=-1, keepdim=True) for vectors in (queries, keys)]
    of_queries, of_keys = (torch.where(length > 0, length, 1.0) for length in lengths)
    return ((queries / of_queries) @ (keys / of_keys).T).clamp(-1, 1).arccos()


def cosine_similarity__transposed(queries, keys):
    """Your result has keys as rows. Row i belongs to query i, column j to key j."""
    lengths = [vectors.norm(dim=-1, keepdim=True) for vectors in (queries, keys)]
    of_queries, of_keys = (torch.where(length > 0, length, 1.0) for length in lengths)
    return (keys / of_keys) @ (queries / of_queries).T


def cosine_similarity__never_negative(queries, keys):
    """You cut off what is negative. Opposite directions have the cosine -1, and that is worth knowing: it is less alike than
    having nothing in common."""
    lengths = [vectors.norm(dim=-1, keepdim=True) for vectors in (queries, keys)]
    of_queries, of_keys = (torch.where(length > 0, length, 1.0) for length in lengths)
    return ((queries / of_queries) @ (keys / of_keys).T).clamp(min=0)


def nearest_neighbours__by_dot_product(query, table, k):
    """You rank by the dot product, so that long rows win. Words that occur often have long vectors, and would be everyone's
    neighbours: compare by cosine."""
    return (table @ query).argsort(descending=True, stable=True)[:k]


def nearest_neighbours__by_distance(query, table, k):
    """You rank by distance. A row that points the same way but is much longer lies far away, and is nearest by
    cosine, which is asked for."""
    return (table - query).norm(dim=-1).argsort(stable=True)[:k]


def nearest_neighbours__worst_first(query, table, k):
    """Your first row is the least similar one: `argsort` goes upwards unless you say `descending=True`."""
    length = table.norm(dim=-1)
    return ((table @ query) / torch.where(length > 0, length, 1.0)).argsort(stable=True)[:k]


def nearest_neighbours__ties_to_the_higher_row(query, table, k):
    """Of equally similar rows yours begins with the last: that is an ascending sort turned round. Use `descending=True,
    stable=True`, and the lower row goes first."""
    length = table.norm(dim=-1)
    return ((table @ query) / torch.where(length > 0, length, 1.0)).argsort(stable=True).flip(0)[:k]


def nearest_neighbours__similarities(query, table, k):
    """You return how similar the rows are, asked for is which rows they are: their numbers."""
    length, own = table.norm(dim=-1), query.norm()
    similarity = (table @ query) / torch.where(length > 0, length, 1.0) / torch.where(own > 0, own, 1.0)
    return similarity.sort(descending=True, stable=True).values[:k]


def nearest_neighbours__itself_left_out(query, table, k):
    """You leave out the nearest row, perhaps because a word is its own neighbour. The query need not be in the table at
    all; whoever asks for a word of the table can drop the first row himself."""
    length = table.norm(dim=-1)
    order = ((table @ query) / torch.where(length > 0, length, 1.0)).argsort(descending=True, stable=True)
    return order[1 : k + 1]


def nearest_neighbours__in_order_of_rows(query, table, k):
    """You have found the right rows, and return them in the order of the table. The best goes first."""
    length = table.norm(dim=-1)
    order = ((table @ query) / torch.where(length > 0, length, 1.0)).argsort(descending=True, stable=True)
    return order[:k].sort().values


def skip_gram_pairs__with_itself(ids, window):
    """Every word is its own neighbour in your pairs: the offset 0 is among them. A place is never paired
    with itself."""
    places = range(len(ids))
    pairs = [(t, u) for t in places for u in places if abs(t - u) <= window]
    return ids[torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2)]


def skip_gram_pairs__only_to_the_right(ids, window):
    """You look to the right only. A word's company stands on both sides: 6 is near 5, and 5 is near 6."""
    places = range(len(ids))
    pairs = [(t, u) for t in places for u in places if 0 < u - t <= window]
    return ids[torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2)]


def skip_gram_pairs__equal_words_left_out(ids, window):
    """You leave out pairs of equal ids. It is the *place* that must differ: a word that stands twice within the window is
    its own neighbour."""
    places = range(len(ids))
    pairs = [(t, u) for t in places for u in places if abs(t - u) <= window and ids[t] != ids[u]]
    return ids[torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2)]


def skip_gram_pairs__window_too_small(ids, window):
    """Your window is one too small on the right: `range` does not contain its end. With a window of 1 each word
    meets both its neighbours."""
    places = range(len(ids))
    pairs = [(t, u) for t in places for u in places if t != u and -window <= u - t < window]
    return ids[torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2)]


def skip_gram_pairs__round_the_end(ids, window):
    """Your text is a circle: a negative index reaches its end, or `torch.roll` its beginning. Places before the first and
    behind the last do not exist."""
    offsets = [o for o in range(-window, window + 1) if o != 0]
    pairs = [(t, (t + o) % len(ids)) for t in range(len(ids)) for o in offsets if (t + o) % len(ids) != t]
    return ids[torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2)]


def skip_gram_pairs__context_first(ids, window):
    """Your pairs are (context, centre). The centre stands first, and the pairs are in the order of the centres."""
    places = range(len(ids))
    pairs = [(u, t) for t in places for u in places if t != u and abs(t - u) <= window]
    return ids[torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2)]


def skip_gram_pairs__ordered_by_offset(ids, window):
    """The pairs are right, but not in the order that is asked for: first by the place of the centre, then by that of
    the context. Yours are sorted by their distance."""
    places = range(len(ids))
    pairs = [(t, u) for t in places for u in places if t != u and abs(t - u) <= window]
    pairs.sort(key=lambda t: t[1] - t[0])
    return ids[torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2)]


def skip_gram_loss__sign_of_the_strangers(centres, contexts, negatives):
    """You reward vectors for pointing at strangers, too: the minus inside their sigmoid is missing. Then all vectors
    pointing one way would be the best answer."""
    log_sigmoid = torch.nn.functional.logsigmoid
    strangers = torch.einsum("pd,psd->ps", centres, negatives)
    losses = -log_sigmoid((centres * contexts).sum(dim=-1)) - log_sigmoid(strangers).sum(dim=-1)
    return losses.sum() / max(len(losses), 1)


def skip_gram_loss__mean_over_strangers(centres, contexts, negatives):
    """You take the mean over the strangers, so that three weigh no more than one. Equation 4 sums them; the mean is over the
    pairs."""
    log_sigmoid = torch.nn.functional.logsigmoid
    strangers = torch.einsum("pd,psd->ps", centres, negatives)
    of_strangers = log_sigmoid(-strangers).sum(dim=-1) / max(negatives.shape[1], 1)
    losses = -log_sigmoid((centres * contexts).sum(dim=-1)) - of_strangers
    return losses.sum() / max(len(losses), 1)


def skip_gram_loss__not_negated(centres, contexts, negatives):
    """This is the objective, which grows as the vectors improve. A loss gets smaller then: negate it."""
    log_sigmoid = torch.nn.functional.logsigmoid
    strangers = torch.einsum("pd,psd->ps", centres, negatives)
    gains = log_sigmoid((centres * contexts).sum(dim=-1)) + log_sigmoid(-strangers).sum(dim=-1)
    return gains.sum() / max(len(gains), 1)


def skip_gram_loss__log_of_sigmoid(centres, contexts, negatives):
    """For large dot products your loss is infinite: the sigmoid is rounded to 0 before you take its logarithm.
    `torch.nn.functional.logsigmoid` does both in one step, and stays finite."""
    strangers = torch.einsum("pd,psd->ps", centres, negatives)
    true = (centres * contexts).sum(dim=-1).sigmoid().log()
    losses = -true - (-strangers).sigmoid().log().sum(dim=-1)
    return losses.sum() / max(len(losses), 1)


def skip_gram_loss__summed_over_pairs(centres, contexts, negatives):
    """You sum over the pairs, so that a larger batch has a larger loss, and takes larger steps. The mean is asked for."""
    log_sigmoid = torch.nn.functional.logsigmoid
    strangers = torch.einsum("pd,psd->ps", centres, negatives)
    return -log_sigmoid((centres * contexts).sum(dim=-1)).sum() - log_sigmoid(-strangers).sum()


def skip_gram_loss__everybody_with_everybody(centres, contexts, negatives):
    """You multiply every centre with every context, `centres @ contexts.T`. Centre i belongs to context i alone: take the
    product element by element and sum over the last axis."""
    log_sigmoid = torch.nn.functional.logsigmoid
    strangers = torch.einsum("pd,psd->ps", centres, negatives)
    true = log_sigmoid(centres @ contexts.T).sum() / max(len(centres), 1)
    return -(true + log_sigmoid(-strangers).sum()) / max(len(centres), 1)


def skip_gram_loss__nan_without_pairs(centres, contexts, negatives):
    """Without a pair your loss is NaN: the mean of nothing is 0 / 0. A text of one word has nothing to teach, so its
    loss is 0: divide by `max(pairs, 1)`."""
    log_sigmoid = torch.nn.functional.logsigmoid
    strangers = torch.einsum("pd,psd->ps", centres, negatives)
    return -(log_sigmoid((centres * contexts).sum(dim=-1)) + log_sigmoid(-strangers).sum(dim=-1)).mean()


# End of the misconceptions of this chapter.
