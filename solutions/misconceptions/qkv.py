"""Plausible wrong answers to `nexttoken.qkv`, and the sentence that each one earns.

`<exercise>__<what_is_wrong>`: the docstring is what a reader is told whose answer behaves the same.
"""

import math

import torch


def project_qkv__keys_and_values_exchanged(x, w_query, w_key, w_value):
    """Your keys and values have changed places: you return query, value, key. Whoever calls the function will
    compare queries with contents, and hand over what was only meant for being found."""
    return x @ w_query, x @ w_value, x @ w_key


def project_qkv__one_matrix_asks_and_answers(x, w_query, w_key, w_value):
    """You make the keys with `w_query` too. Then every token answers loudest to a question like its own, and
    what i thinks of j is what j thinks of i. Keys have a matrix of their own, so that a verb may ask for a
    noun."""
    return x @ w_query, x @ w_query, x @ w_value


def project_qkv__turned_round(x, w_query, w_key, w_value):
    """You multiply by the transposed matrices. In this course a matrix `w_*` is `d_in d_out`, so it is `x @
    w`, as it stands; it is the weight of torch.nn.Linear that is stored the other way round."""
    return x @ w_query.mT, x @ w_key.mT, x @ w_value.mT


def project_qkv__values_left_as_they_are(x, w_query, w_key, w_value):
    """Your values are x itself. Being compared and being read are different jobs: what a token hands over is
    its vector times `w_value`."""
    return x @ w_query, x @ w_key, x


def project_qkv__keys_made_of_the_queries(x, w_query, w_key, w_value):
    """You make the keys out of the queries, and should out of x. All three are computed from the token's own
    vector, side by side, none from another."""
    queries = x @ w_query
    return queries, queries @ w_key, x @ w_value


def project_qkv__scaled_too_early(x, w_query, w_key, w_value):
    """You divide the queries by the square root of their length. The scale belongs to the scores, in
    `scaled_dot_product_attention`; divided here too, the attention would be flattened twice."""
    return x @ w_query / math.sqrt(w_query.shape[-1]), x @ w_key, x @ w_value


def scaled_dot_product_attention__not_scaled(queries, keys, values, mask=None):
    """You do not divide the scores by the square root of d_key. Long keys then give large scores, and the
    softmax lets one token take all."""
    scores = queries @ keys.mT
    weights = scores.softmax(dim=-1) if mask is None else scores.masked_fill(~mask, -1e30).softmax(dim=-1)
    return (weights if mask is None else weights * mask) @ values


def scaled_dot_product_attention__scaled_by_the_values(queries, keys, values, mask=None):
    """You divide by the square root of the *values'* length. The scores are dot products of queries with
    keys, and it is the number of their terms, d_key, that makes them large."""
    scores = queries @ keys.mT / math.sqrt(values.shape[-1])
    weights = scores.softmax(dim=-1) if mask is None else scores.masked_fill(~mask, -1e30).softmax(dim=-1)
    return (weights if mask is None else weights * mask) @ values


def scaled_dot_product_attention__over_the_queries(queries, keys, values, mask=None):
    """Your softmax runs over the queries, so that the askers compete for a key. Each query shares out its own
    attention among the keys: the last axis."""
    scores = queries @ keys.mT / math.sqrt(keys.shape[-1])
    weights = scores.softmax(dim=-2) if mask is None else scores.masked_fill(~mask, -1e30).softmax(dim=-2)
    return (weights if mask is None else weights * mask) @ values


def scaled_dot_product_attention__masked_after_the_softmax(queries, keys, values, mask=None):
    """You mask after the softmax: what is forbidden has had its part of the sum already, and the weights that
    are left sum to less than 1. Mask the scores, and let the allowed ones share the whole."""
    weights = (queries @ keys.mT / math.sqrt(keys.shape[-1])).softmax(dim=-1)
    return (weights if mask is None else weights * mask) @ values


def scaled_dot_product_attention__mask_turned_round(queries, keys, values, mask=None):
    """Your mask says the opposite: you hide what is True. In this course True means *allowed*, as in torch's
    own `scaled_dot_product_attention`; in `torch.nn.MultiheadAttention` it means forbidden, which is easily
    mixed up."""
    scores = queries @ keys.mT / math.sqrt(keys.shape[-1])
    weights = scores.softmax(dim=-1) if mask is None else scores.masked_fill(mask, -1e30).softmax(dim=-1)
    return (weights if mask is None else weights * ~mask) @ values


def scaled_dot_product_attention__nan_where_nothing_is_allowed(queries, keys, values, mask=None):
    """A query that may look at nothing gets NaN: all its scores are minus infinity, and that is 0 / 0. It
    should get zeros. Your `masked_softmax` of the last chapter knows this case."""
    scores = queries @ keys.mT / math.sqrt(keys.shape[-1])
    return (scores if mask is None else scores.masked_fill(~mask, -math.inf)).softmax(dim=-1) @ values


def scaled_dot_product_attention__mean_where_nothing_is_allowed(queries, keys, values, mask=None):
    """A query that may look at nothing gets the mean of all values: all its scores are equally low, so the
    softmax makes equal weights of them. It should get zeros: after the softmax the forbidden weights must be
    exactly 0."""
    scores = queries @ keys.mT / math.sqrt(keys.shape[-1])
    return (scores if mask is None else scores.masked_fill(~mask, -1e30)).softmax(dim=-1) @ values


def split_heads__reshaped_in_one_step(x, heads):
    """You reshape straight to `heads time d_head`. The shape is right, and the numbers are not: reshape
    counts on in the order in which they lie in memory, so that a head gets whole vectors of *some tokens*,
    instead of a part of every token. Cut the last axis first, then exchange two axes."""
    return x.reshape(*x.shape[:-2], heads, x.shape[-2], x.shape[-1] // heads)


def split_heads__every_second_number(x, heads):
    """You deal the numbers out like cards: head 0 gets numbers 0, `heads`, 2 `heads` ... A head holds
    neighbours: head h has those from `h * d_head` up to `(h + 1) * d_head`."""
    return x.unflatten(-1, (-1, heads)).movedim(-1, -3)


def split_heads__time_first(x, heads):
    """You cut the vectors rightly, but time still comes before the heads. Every head is to run an attention
    of its own, so the heads' axis must stand with the batch, before time: exchange the axes -3 and -2."""
    return x.unflatten(-1, (heads, -1))


def split_heads__parts_of_that_length(x, heads):
    """You cut into parts of length `heads`; asked for are `heads` parts. In `unflatten(-1, (heads, -1))` the
    first number says how many parts there are."""
    return x.unflatten(-1, (-1, heads)).transpose(-3, -2)


def split_heads__no_batch(x, heads):
    """Your answer counts the axes from the front, and so knows only `time d_model`. There may be any number
    of batch axes before them; count from the end: -1, -2, -3."""
    return x.reshape(x.shape[0], heads, x.shape[1] // heads).transpose(0, 1)


def merge_heads__without_exchanging_the_axes(x):
    """You reshape without exchanging the axes first. In memory the first head's parts of *all* tokens come
    first, so that your first row is the first head's view of several tokens. Exchange heads and time, then
    put the last two axes together."""
    return x.reshape(*x.shape[:-3], x.shape[-2], x.shape[-3] * x.shape[-1])


def merge_heads__dealt_like_cards(x):
    """Your heads are mixed like the two halves of a pack of cards: one number of each in turn. The parts
    belong side by side, head 0 whole, then head 1."""
    return x.movedim(-3, -1).flatten(-2)


def merge_heads__one_after_the_other(x):
    """You put the heads one after the other along time, so that there seem to be more tokens. They belong
    side by side: the vectors get longer, not the text."""
    return x.flatten(-3, -2)


def merge_heads__added(x):
    """You add the heads up. Then nobody can tell any more which of them said what; they are put side by side,
    and the matrix `w_out` mixes them afterwards."""
    return x.sum(dim=-3)


def merge_heads__no_batch(x):
    """Your answer counts the axes from the front. With a batch before the heads it exchanges the wrong ones;
    count from the end: -1, -2, -3."""
    return x.transpose(0, 1).flatten(1)


def multi_head_attention__merged_without_exchanging(x, w_query, w_key, w_value, w_out, heads, mask=None):
    """You merge the heads with a reshape alone. Heads and time have to be exchanged first, or a token is
    given one head's results of several tokens: shapes fit, the model even learns, and the future leaks."""
    q, k, v = ((x @ w).unflatten(-1, (heads, -1)).transpose(-3, -2) for w in (w_query, w_key, w_value))
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    weights = scores if mask is None else scores.masked_fill(~mask.unsqueeze(-3), -1e30)
    weights = weights.softmax(dim=-1) if mask is None else weights.softmax(dim=-1) * mask.unsqueeze(-3)
    return (weights @ v).reshape(*x.shape[:-1], w_value.shape[-1]) @ w_out


def multi_head_attention__not_mixed(x, w_query, w_key, w_value, w_out, heads, mask=None):
    """The last matrix is missing: after merging, `w_out` mixes what the heads found, and brings it back to
    the length of x."""
    q, k, v = ((x @ w).unflatten(-1, (heads, -1)).transpose(-3, -2) for w in (w_query, w_key, w_value))
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    weights = scores if mask is None else scores.masked_fill(~mask.unsqueeze(-3), -1e30)
    weights = weights.softmax(dim=-1) if mask is None else weights.softmax(dim=-1) * mask.unsqueeze(-3)
    return (weights @ v).transpose(-3, -2).flatten(-2)


def multi_head_attention__scaled_by_the_whole_length(x, w_query, w_key, w_value, w_out, heads, mask=None):
    """You divide the scores by the square root of the whole length. A head's dot products have only `d_head`
    terms, so that is what counts: split first, then attend."""
    q, k, v = ((x @ w).unflatten(-1, (heads, -1)).transpose(-3, -2) for w in (w_query, w_key, w_value))
    scores = q @ k.mT / math.sqrt(w_key.shape[-1])
    weights = scores if mask is None else scores.masked_fill(~mask.unsqueeze(-3), -1e30)
    weights = weights.softmax(dim=-1) if mask is None else weights.softmax(dim=-1) * mask.unsqueeze(-3)
    return (weights @ v).transpose(-3, -2).flatten(-2) @ w_out


def multi_head_attention__one_head(x, w_query, w_key, w_value, w_out, heads, mask=None):
    """You never split: this is one attention with long vectors. With several heads a token can look at
    several places at once, with different weights; that is what the parts are for."""
    q, k, v = x @ w_query, x @ w_key, x @ w_value
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    weights = scores if mask is None else scores.masked_fill(~mask, -1e30)
    weights = weights.softmax(dim=-1) if mask is None else weights.softmax(dim=-1) * mask
    return weights @ v @ w_out


def multi_head_attention__mask_forgotten(x, w_query, w_key, w_value, w_out, heads, mask=None):
    """Your mask is not used: it has to be handed on to the attention inside. Without it every token sees the
    future, and guessing the next one becomes copying."""
    q, k, v = ((x @ w).unflatten(-1, (heads, -1)).transpose(-3, -2) for w in (w_query, w_key, w_value))
    weights = (q @ k.mT / math.sqrt(q.shape[-1])).softmax(dim=-1)
    return (weights @ v).transpose(-3, -2).flatten(-2) @ w_out


def multi_head_attention__mask_laid_over_the_heads(x, w_query, w_key, w_value, w_out, heads, mask=None):
    """The mask has no axis for the heads, and your scores have one. For one text nobody notices; with a batch
    its mask is laid over the *heads*: an error at best, and where there happen to be as many texts as heads,
    silently wrong. Give it that axis: `mask.unsqueeze(-3)`."""
    q, k, v = ((x @ w).unflatten(-1, (heads, -1)).transpose(-3, -2) for w in (w_query, w_key, w_value))
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    weights = scores if mask is None else scores.masked_fill(~mask, -1e30)
    weights = weights.softmax(dim=-1) if mask is None else weights.softmax(dim=-1) * mask
    return (weights @ v).transpose(-3, -2).flatten(-2) @ w_out


def multi_head_attention__added_to_x(x, w_query, w_key, w_value, w_out, heads, mask=None):
    """You add x to the result. In a transformer that is done around the attention, with its own place and its
    own name (a residual connection, the next chapter); inside it would be done twice."""
    q, k, v = ((x @ w).unflatten(-1, (heads, -1)).transpose(-3, -2) for w in (w_query, w_key, w_value))
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    weights = scores if mask is None else scores.masked_fill(~mask.unsqueeze(-3), -1e30)
    weights = weights.softmax(dim=-1) if mask is None else weights.softmax(dim=-1) * mask.unsqueeze(-3)
    return x + (weights @ v).transpose(-3, -2).flatten(-2) @ w_out


def cross_attention__memory_forgotten(x, memory, w_query, w_key, w_value, w_out, heads, mask=None):
    """Your keys and values are made of x, so that x talks to itself and `memory` is never read. A translator
    who does this writes fluently about nothing."""
    q, k, v = ((x @ w).unflatten(-1, (heads, -1)).transpose(-3, -2) for w in (w_query, w_key, w_value))
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    weights = scores if mask is None else scores.masked_fill(~mask.unsqueeze(-3), -1e30)
    weights = weights.softmax(dim=-1) if mask is None else weights.softmax(dim=-1) * mask.unsqueeze(-3)
    return (weights @ v).transpose(-3, -2).flatten(-2) @ w_out


def cross_attention__memory_asks(x, memory, w_query, w_key, w_value, w_out, heads, mask=None):
    """Your roles are exchanged: the memory asks, and x answers. The one who writes has the question; so the
    queries are made of x, and there is one result for each token of x."""
    q = (memory @ w_query).unflatten(-1, (heads, -1)).transpose(-3, -2)
    k, v = ((x @ w).unflatten(-1, (heads, -1)).transpose(-3, -2) for w in (w_key, w_value))
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    weights = scores if mask is None else scores.masked_fill(~mask.unsqueeze(-3), -1e30)
    weights = weights.softmax(dim=-1) if mask is None else weights.softmax(dim=-1) * mask.unsqueeze(-3)
    return (weights @ v).transpose(-3, -2).flatten(-2) @ w_out


def cross_attention__values_of_x(x, memory, w_query, w_key, w_value, w_out, heads, mask=None):
    """Your values are made of x: you ask the memory where to look, and then read your own text there. Keys
    and values belong to the same tokens, those of the memory."""
    q, v = ((x @ w).unflatten(-1, (heads, -1)).transpose(-3, -2) for w in (w_query, w_value))
    k = (memory @ w_key).unflatten(-1, (heads, -1)).transpose(-3, -2)
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    weights = scores if mask is None else scores.masked_fill(~mask.unsqueeze(-3), -1e30)
    weights = weights.softmax(dim=-1) if mask is None else weights.softmax(dim=-1) * mask.unsqueeze(-3)
    return (weights @ v).transpose(-3, -2).flatten(-2) @ w_out


def cross_attention__causal(x, memory, w_query, w_key, w_value, w_out, heads, mask=None):
    """You hide the memory's later tokens, as if they were the future. The source of a translation lies there
    complete before the first word is written: each token of x may look at all of it, unless the mask says
    otherwise."""
    q = (x @ w_query).unflatten(-1, (heads, -1)).transpose(-3, -2)
    k, v = ((memory @ w).unflatten(-1, (heads, -1)).transpose(-3, -2) for w in (w_key, w_value))
    past = torch.ones(x.shape[-2], memory.shape[-2], dtype=torch.bool).tril()
    allowed = past if mask is None else past & mask.unsqueeze(-3)
    weights = (q @ k.mT / math.sqrt(q.shape[-1])).masked_fill(~allowed, -1e30).softmax(dim=-1) * allowed
    return (weights @ v).transpose(-3, -2).flatten(-2) @ w_out


def cross_attention__one_head(x, memory, w_query, w_key, w_value, w_out, heads, mask=None):
    """You never split: this is one attention with long vectors. As in `multi_head_attention`, every head has
    its own part of the vectors, and its own weights."""
    q, k, v = x @ w_query, memory @ w_key, memory @ w_value
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    weights = scores if mask is None else scores.masked_fill(~mask, -1e30)
    weights = weights.softmax(dim=-1) if mask is None else weights.softmax(dim=-1) * mask
    return weights @ v @ w_out


def cross_attention__not_mixed(x, memory, w_query, w_key, w_value, w_out, heads, mask=None):
    """You stop after merging. As in `multi_head_attention`, the last matrix `w_out` mixes what the heads
    found in the memory, and gives it the length of x, so that the decoder can add it."""
    q = (x @ w_query).unflatten(-1, (heads, -1)).transpose(-3, -2)
    k, v = ((memory @ w).unflatten(-1, (heads, -1)).transpose(-3, -2) for w in (w_key, w_value))
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    weights = scores if mask is None else scores.masked_fill(~mask.unsqueeze(-3), -1e30)
    weights = weights.softmax(dim=-1) if mask is None else weights.softmax(dim=-1) * mask.unsqueeze(-3)
    return (weights @ v).transpose(-3, -2).flatten(-2)


def cached_attention_step__cache_not_read(x_new, cache, w_query, w_key, w_value, w_out, heads):
    """You keep the old keys and values, but the new tokens never look at them: they attend to each other
    only, and the text seems to begin anew at every step."""
    q, k, v = ((x_new @ w).unflatten(-1, (heads, -1)).transpose(-3, -2) for w in (w_query, w_key, w_value))
    past = torch.ones(x_new.shape[-2], x_new.shape[-2], dtype=torch.bool).tril()
    weights = (q @ k.mT / math.sqrt(q.shape[-1])).masked_fill(~past, -math.inf).softmax(dim=-1)
    if cache is not None:
        k, v = torch.cat([cache[0], k], dim=-2), torch.cat([cache[1], v], dim=-2)
    fresh = v[..., v.shape[-2] - x_new.shape[-2] :, :]
    return (weights @ fresh).transpose(-3, -2).flatten(-2) @ w_out, (k, v)


def cached_attention_step__new_tokens_see_each_others_future(
    x_new, cache, w_query, w_key, w_value, w_out, heads
):
    """Your new tokens see each other's future. One at a time that cannot show, for nothing comes after the
    last token. But a prompt is read several at once: the first of five new tokens must not look at the other
    four."""
    q, k, v = ((x_new @ w).unflatten(-1, (heads, -1)).transpose(-3, -2) for w in (w_query, w_key, w_value))
    if cache is not None:
        k, v = torch.cat([cache[0], k], dim=-2), torch.cat([cache[1], v], dim=-2)
    weights = (q @ k.mT / math.sqrt(q.shape[-1])).softmax(dim=-1)
    return (weights @ v).transpose(-3, -2).flatten(-2) @ w_out, (k, v)


def cached_attention_step__mask_begins_at_the_first_token(
    x_new, cache, w_query, w_key, w_value, w_out, heads
):
    """Your mask treats the new tokens as if they were the first of the text: a single new one is allowed to
    see only token 0. They are the *last* ones, so they have the last rows of the whole text's causal mask."""
    q, k, v = ((x_new @ w).unflatten(-1, (heads, -1)).transpose(-3, -2) for w in (w_query, w_key, w_value))
    if cache is not None:
        k, v = torch.cat([cache[0], k], dim=-2), torch.cat([cache[1], v], dim=-2)
    past = torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool).tril()
    weights = (q @ k.mT / math.sqrt(q.shape[-1])).masked_fill(~past, -math.inf).softmax(dim=-1)
    return (weights @ v).transpose(-3, -2).flatten(-2) @ w_out, (k, v)


def cached_attention_step__new_ones_in_front(x_new, cache, w_query, w_key, w_value, w_out, heads):
    """You put the new keys and values in front of the old ones, so that the order of the text is lost, and
    the mask no longer fits. Old first, then new: `torch.cat([old, new], dim=-2)`."""
    q, k, v = ((x_new @ w).unflatten(-1, (heads, -1)).transpose(-3, -2) for w in (w_query, w_key, w_value))
    if cache is not None:
        k, v = torch.cat([k, cache[0]], dim=-2), torch.cat([v, cache[1]], dim=-2)
    past = torch.ones(k.shape[-2], k.shape[-2], dtype=torch.bool).tril()[k.shape[-2] - q.shape[-2] :]
    weights = (q @ k.mT / math.sqrt(q.shape[-1])).masked_fill(~past, -math.inf).softmax(dim=-1)
    return (weights @ v).transpose(-3, -2).flatten(-2) @ w_out, (k, v)


def cached_attention_step__cache_does_not_grow(x_new, cache, w_query, w_key, w_value, w_out, heads):
    """The result is right, but you return the cache with the newest keys and values only. At the next step
    all that came before is forgotten: return the longer ones, those that you attended to."""
    q, k, v = ((x_new @ w).unflatten(-1, (heads, -1)).transpose(-3, -2) for w in (w_query, w_key, w_value))
    kept = (k, v)
    if cache is not None:
        k, v = torch.cat([cache[0], k], dim=-2), torch.cat([cache[1], v], dim=-2)
    past = torch.ones(k.shape[-2], k.shape[-2], dtype=torch.bool).tril()[k.shape[-2] - q.shape[-2] :]
    weights = (q @ k.mT / math.sqrt(q.shape[-1])).masked_fill(~past, -math.inf).softmax(dim=-1)
    return (weights @ v).transpose(-3, -2).flatten(-2) @ w_out, kept


def cached_attention_step__kept_before_splitting(x_new, cache, w_query, w_key, w_value, w_out, heads):
    """You keep keys and values before they are split: your cache is `time d_inner`. Asked for are the split
    ones, with the heads as an axis before time, so that nothing has to be split twice, and other code can
    read your cache."""
    q, k, v = ((x_new @ w).unflatten(-1, (heads, -1)).transpose(-3, -2) for w in (w_query, w_key, w_value))
    if cache is not None:
        k, v = torch.cat([cache[0], k], dim=-2), torch.cat([cache[1], v], dim=-2)
    past = torch.ones(k.shape[-2], k.shape[-2], dtype=torch.bool).tril()[k.shape[-2] - q.shape[-2] :]
    weights = (q @ k.mT / math.sqrt(q.shape[-1])).masked_fill(~past, -math.inf).softmax(dim=-1)
    whole = (k.transpose(-3, -2).flatten(-2), v.transpose(-3, -2).flatten(-2))
    return (weights @ v).transpose(-3, -2).flatten(-2) @ w_out, whole


def cached_attention_step__values_in_front_of_the_keys(x_new, cache, w_query, w_key, w_value, w_out, heads):
    """Your cache holds the values first and the keys second. Both have the same shape, so nothing complains;
    but whoever reads it as keys and values compares questions with contents."""
    q, k, v = ((x_new @ w).unflatten(-1, (heads, -1)).transpose(-3, -2) for w in (w_query, w_key, w_value))
    if cache is not None:
        k, v = torch.cat([cache[1], k], dim=-2), torch.cat([cache[0], v], dim=-2)
    past = torch.ones(k.shape[-2], k.shape[-2], dtype=torch.bool).tril()[k.shape[-2] - q.shape[-2] :]
    weights = (q @ k.mT / math.sqrt(q.shape[-1])).masked_fill(~past, -math.inf).softmax(dim=-1)
    return (weights @ v).transpose(-3, -2).flatten(-2) @ w_out, (v, k)


def rotate__halves_instead_of_neighbours(x, positions, base=10000.0):
    """You pair number i with number i + d/2. Some well-known models do so, and it serves as well; but the
    pairs here, as in the paper, are neighbours: (0, 1), (2, 3) and so on. Weights trained for one way are
    useless for the other."""
    half = x.shape[-1] // 2
    angles = positions.unsqueeze(-1) * base ** -(torch.arange(half, dtype=torch.float64) / half)
    cosine, sine = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    first, second = x[..., :half], x[..., half:]
    return torch.cat([first * cosine - second * sine, first * sine + second * cosine], dim=-1)


def rotate__clockwise(x, positions, base=10000.0):
    """You turn the other way. Scores would not notice, since queries and keys turn alike; but (1, 0) at
    position 1 should become (cos 1, sin 1): the minus sign belongs to the first number of a pair."""
    speeds = base ** -(torch.arange(0, x.shape[-1], 2, dtype=torch.float64) / x.shape[-1])
    angles = positions.unsqueeze(-1) * speeds
    cosine, sine = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    first, second = x[..., 0::2], x[..., 1::2]
    return torch.stack([first * cosine + second * sine, second * cosine - first * sine], dim=-1).flatten(-2)


def rotate__positions_counted_anew(x, positions, base=10000.0):
    """You count 0, 1, 2 ... yourself and never read `positions`. With a cache the new token comes alone, and
    its position is not 0; so the caller says where each token stands."""
    speeds = base ** -(torch.arange(0, x.shape[-1], 2, dtype=torch.float64) / x.shape[-1])
    angles = torch.arange(x.shape[-2]).unsqueeze(-1) * speeds
    cosine, sine = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    first, second = x[..., 0::2], x[..., 1::2]
    return torch.stack([first * cosine - second * sine, first * sine + second * cosine], dim=-1).flatten(-2)


def rotate__half_the_exponent(x, positions, base=10000.0):
    """Your exponent is i / d, and should be 2i / d: pair i is made of the numbers 2i and 2i + 1. As it is,
    the slowest pair turns much too fast, and distant positions look like near ones."""
    speeds = base ** -(torch.arange(x.shape[-1] // 2, dtype=torch.float64) / x.shape[-1])
    angles = positions.unsqueeze(-1) * speeds
    cosine, sine = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    first, second = x[..., 0::2], x[..., 1::2]
    return torch.stack([first * cosine - second * sine, first * sine + second * cosine], dim=-1).flatten(-2)


def rotate__one_speed_for_all(x, positions, base=10000.0):
    """All your pairs turn at the same speed. Then a distance of 6 looks nearly like none, since 2 pi is 6.28.
    Each pair has a speed of its own, like the hands of a clock: together they tell near from far."""
    angles = positions.unsqueeze(-1).to(x.dtype)
    cosine, sine = angles.cos(), angles.sin()
    first, second = x[..., 0::2], x[..., 1::2]
    return torch.stack([first * cosine - second * sine, first * sine + second * cosine], dim=-1).flatten(-2)


def rotate__added_instead_of_turned(x, positions, base=10000.0):
    """You add cosines and sines to x: that is the positional encoding of the chapter on embeddings, which
    belongs to the words. Here the vectors themselves are turned, and keep their lengths."""
    speeds = base ** -(torch.arange(0, x.shape[-1], 2, dtype=torch.float64) / x.shape[-1])
    angles = positions.unsqueeze(-1) * speeds
    return x + torch.stack([angles.cos(), angles.sin()], dim=-1).flatten(-2).to(x.dtype)


def grouped_query_attention__dealt_in_turn(queries, keys, values, mask=None):
    """You deal the groups out in turn: with 6 heads and 2 groups, heads 0, 2, 4 get group 0. Neighbours
    share: 0, 1, 2 have group 0, and 3, 4, 5 have group 1. It is `repeat_interleave`, not `repeat`, that
    repeats each in its place."""
    times = queries.shape[-3] // keys.shape[-3]
    k, v = torch.cat([keys] * times, dim=-3), torch.cat([values] * times, dim=-3)
    scores = queries @ k.mT / math.sqrt(keys.shape[-1])
    weights = scores if mask is None else scores.masked_fill(~mask.unsqueeze(-3), -1e30)
    weights = weights.softmax(dim=-1) if mask is None else weights.softmax(dim=-1) * mask.unsqueeze(-3)
    return weights @ v


def grouped_query_attention__all_share_the_first_group(queries, keys, values, mask=None):
    """All your heads use group 0. That is right when there is only one group (multi-query attention), and
    wastes the others when there are more."""
    scores = queries @ keys[..., :1, :, :].mT / math.sqrt(keys.shape[-1])
    weights = scores if mask is None else scores.masked_fill(~mask.unsqueeze(-3), -1e30)
    weights = weights.softmax(dim=-1) if mask is None else weights.softmax(dim=-1) * mask.unsqueeze(-3)
    return weights @ values[..., :1, :, :]


def grouped_query_attention__mean_of_the_groups(queries, keys, values, mask=None):
    """You take the mean over the groups and let all heads use it. Means are how an old model is *converted*
    (Ainslie and others average the keys of the heads that are to share); when the model runs, each head reads
    its own group."""
    k, v = keys.mean(dim=-3, keepdim=True), values.mean(dim=-3, keepdim=True)
    scores = queries @ k.mT / math.sqrt(keys.shape[-1])
    weights = scores if mask is None else scores.masked_fill(~mask.unsqueeze(-3), -1e30)
    weights = weights.softmax(dim=-1) if mask is None else weights.softmax(dim=-1) * mask.unsqueeze(-3)
    return weights @ v


def grouped_query_attention__values_dealt_in_turn(queries, keys, values, mask=None):
    """Your keys are shared by neighbours, and your values are dealt out in turn: a head looks into one group
    and reads in another. Repeat both the same way."""
    times = queries.shape[-3] // keys.shape[-3]
    k, v = keys.repeat_interleave(times, dim=-3), torch.cat([values] * times, dim=-3)
    scores = queries @ k.mT / math.sqrt(keys.shape[-1])
    weights = scores if mask is None else scores.masked_fill(~mask.unsqueeze(-3), -1e30)
    weights = weights.softmax(dim=-1) if mask is None else weights.softmax(dim=-1) * mask.unsqueeze(-3)
    return weights @ v


def grouped_query_attention__mask_laid_over_the_heads(queries, keys, values, mask=None):
    """Your mask has one axis less than the scores, so with a batch it is laid over the heads: each *head*
    gets the mask of another text. Where the two numbers differ torch complains; where they are equal nobody
    does. `mask.unsqueeze(-3)` says that it holds for all heads."""
    times = queries.shape[-3] // keys.shape[-3]
    k, v = keys.repeat_interleave(times, dim=-3), values.repeat_interleave(times, dim=-3)
    scores = queries @ k.mT / math.sqrt(keys.shape[-1])
    weights = scores if mask is None else scores.masked_fill(~mask, -1e30)
    weights = weights.softmax(dim=-1) if mask is None else weights.softmax(dim=-1) * mask
    return weights @ v


def grouped_query_attention__one_group_a_head(queries, keys, values, mask=None):
    """Your keys have as many groups as they came with, and your queries as many heads: these fit only where
    the two numbers are equal, or where there is one group, which broadcasts by luck. Repeat each group for
    the heads that share it."""
    scores = queries @ keys.mT / math.sqrt(keys.shape[-1])
    weights = scores if mask is None else scores.masked_fill(~mask.unsqueeze(-3), -1e30)
    weights = weights.softmax(dim=-1) if mask is None else weights.softmax(dim=-1) * mask.unsqueeze(-3)
    return weights @ values


# End of the misconceptions of this chapter.
