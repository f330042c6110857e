"""Plausible wrong answers to `nexttoken.attention`, and the sentence that each one earns.

`<exercise>__<what_is_wrong>`: the docstring is what a reader is told whose answer behaves the same.
"""

import math

import torch


def softmax__exp_overflows(scores):
    """You exponentiate the scores as they are: from about 89 in float32 (710 in float64) that is infinite, and
    inf / inf is NaN. Subtract the largest score of each row first: the quotient stays the same."""
    powers = scores.exp()
    return powers / powers.sum(dim=-1, keepdim=True)


def softmax__largest_of_all_rows(scores):
    """You subtract the largest score of the whole tensor. In a row that lies far below it every exponential is
    rounded to 0, and 0 / 0 is NaN. Each row needs its own largest: `amax(dim=-1, keepdim=True)`."""
    powers = (scores - scores.max()).exp()
    return powers / powers.sum(dim=-1, keepdim=True)


def softmax__over_the_first_axis(scores):
    """Your softmax runs over the first axis, so that the rows of a batch compete with each other. It is the last
    axis along which the weights must sum to 1."""
    powers = (scores - scores.amax(dim=0, keepdim=True)).exp()
    return powers / powers.sum(dim=0, keepdim=True)


def softmax__no_exponential(scores):
    """You divide the scores by their sum, without the exponential. Scores may be negative, and then so are your
    weights; and adding 1 to every score would change them. First e to the power of each score, then divide."""
    return scores / scores.sum(dim=-1, keepdim=True)


def softmax__divided_by_the_largest(scores):
    """You divide by the largest score where it should be subtracted. Subtracting moves all scores alike, and the
    quotient does not notice; dividing changes their differences, and these are all that counts."""
    powers = (scores / scores.amax(dim=-1, keepdim=True)).exp()
    return powers / powers.sum(dim=-1, keepdim=True)


def softmax__logarithm_left(scores):
    """These are the logarithms of the weights: that is what `log_softmax` returns. Weights are positive and sum
    to 1; one exponential is missing."""
    return scores - scores.logsumexp(dim=-1, keepdim=True)


def softmax__argument_changed(scores):
    """The result is right, but `-=` wrote into the tensor that you were given: the caller's scores are lost, and
    where a gradient is wanted torch refuses. Write `scores = scores - ...`, which makes a new tensor."""
    scores -= scores.detach().amax(dim=-1, keepdim=True)
    powers = scores.exp()
    return powers / powers.sum(dim=-1, keepdim=True)


def attention_weights__not_scaled(queries, keys):
    """You do not divide by the square root of d_key. Dot products of many numbers are large, and the softmax of
    large scores is nearly one-hot: one key takes all, and almost no gradient is left to correct it."""
    return (queries @ keys.transpose(-2, -1)).softmax(dim=-1)


def attention_weights__scaled_by_d(queries, keys):
    """You divide by d_key, and should by its square root. The *variance* of a dot product grows like d_key; its
    typical size, the standard deviation, like the root. Divided by d_key the scores fade, and all weights
    become alike."""
    return (queries @ keys.transpose(-2, -1) / keys.shape[-1]).softmax(dim=-1)


def attention_weights__scaled_by_the_number_of_keys(queries, keys):
    """You divide by the square root of how many keys there are. What makes dot products large is how many numbers
    a key has: that is the last axis, `keys.shape[-1]`."""
    return (queries @ keys.transpose(-2, -1) / math.sqrt(keys.shape[-2])).softmax(dim=-1)


def attention_weights__scaled_after_the_softmax(queries, keys):
    """You divide the weights instead of the scores, so that a row no longer sums to 1 and is as sharp as before.
    The scale belongs inside the softmax."""
    return (queries @ keys.transpose(-2, -1)).softmax(dim=-1) / math.sqrt(keys.shape[-1])


def attention_weights__over_the_queries(queries, keys):
    """Your softmax runs over the queries: the columns sum to 1, so that askers compete for a key. Each query shares
    out its own attention: softmax over the keys, the last axis, and then every row sums to 1."""
    return (queries @ keys.transpose(-2, -1) / math.sqrt(keys.shape[-1])).softmax(dim=-2)


def attention_weights__keys_ask(queries, keys):
    """Your rows belong to the keys: you multiply keys by queries, and should queries by keys. Row t is query t, column
    j is key j."""
    return (keys @ queries.transpose(-2, -1) / math.sqrt(keys.shape[-1])).softmax(dim=-1)


def attention_weights__all_axes_turned(queries, keys):
    """`.T` turns round all axes of a tensor, the batch included. Only the last two are to be exchanged:
    `keys.transpose(-2, -1)`, or `keys.mT`."""
    turned = keys.permute(*range(keys.ndim - 1, -1, -1))
    return (queries @ turned / math.sqrt(keys.shape[-1])).softmax(dim=-1)


def weighted_mean__weights_transposed(weights, values):
    """Your weights are turned round: row t of them belongs to query t, and its entries to the values. So it is
    `weights @ values`, as it stands."""
    return weights.transpose(-2, -1) @ values


def weighted_mean__divided_by_how_many(weights, values):
    """You divide by the number of values as well. The weights have done that already: they sum to 1, so the
    weighted sum *is* the mean."""
    return weights @ values / values.shape[-2]


def weighted_mean__normalised_again(weights, values):
    """You divide each row by its sum once more. Where the sum is 1 nothing happens; where a query may look at nothing
    it is 0, and you divide 0 by 0. Take the weights as they are."""
    return weights @ values / weights.sum(dim=-1, keepdim=True)


def weighted_mean__only_the_largest(weights, values):
    """You return the value with the largest weight. A mean lets every value have its share; and choosing the largest
    lets no gradient reach the weights, so that they could never be learned."""
    chosen = weights.argmax(dim=-1, keepdim=True)
    return values.gather(-2, chosen.expand(*chosen.shape[:-1], values.shape[-1]))


def weighted_mean__summed_over_the_queries(weights, values):
    """You sum over the queries and keep the keys: every value comes back multiplied by all the attention that it got.
    The sum runs over the values, and what is left is one mean for each query."""
    return weights.sum(dim=-2).unsqueeze(-1) * values


def weighted_mean__no_batch(weights, values):
    """Your answer knows exactly two axes (`torch.mm` does). There may be any number of batch axes in front; the
    operator `@` takes them along."""
    return torch.mm(weights, values)


def additive_scores__softmax_taken(queries, keys, w_query, w_key, v):
    """You took the softmax already. Asked for are the scores: what is masked must be known before a softmax, and that
    is not your business here."""
    hidden = (queries @ w_query).unsqueeze(-2) + (keys @ w_key).unsqueeze(-3)
    return (hidden.tanh() @ v).softmax(dim=-1)


def additive_scores__no_tanh(queries, keys, w_query, w_key, v):
    """The tanh is missing. Without it the score is one number from the query plus one from the key, and every query
    would rank the keys alike: asking would be useless."""
    hidden = (queries @ w_query).unsqueeze(-2) + (keys @ w_key).unsqueeze(-3)
    return hidden @ v


def additive_scores__tanh_of_each_part(queries, keys, w_query, w_key, v):
    """You take the tanh of each part and add afterwards. Then the score is one number from the query plus one from the
    key, and every query ranks the keys alike. The two must meet *inside* the tanh."""
    return ((queries @ w_query).tanh().unsqueeze(-2) + (keys @ w_key).tanh().unsqueeze(-3)) @ v


def additive_scores__multiplied(queries, keys, w_query, w_key, v):
    """You multiply the two parts. That compares them as a dot product does; additive attention, as its name says, adds
    them."""
    hidden = (queries @ w_query).unsqueeze(-2) * (keys @ w_key).unsqueeze(-3)
    return hidden.tanh() @ v


def additive_scores__rows_are_keys(queries, keys, w_query, w_key, v):
    """Your table lies on its side: rows belong to queries, columns to keys. The queries need their new axis at -2, so
    that they stay put in rows, and the keys at -3."""
    hidden = (queries @ w_query).unsqueeze(-3) + (keys @ w_key).unsqueeze(-2)
    return hidden.tanh() @ v


def additive_scores__only_neighbours_meet(queries, keys, w_query, w_key, v):
    """You add query t and key t, so that each query meets one key only. Every query meets every key: give both an axis
    of size 1 where the other has its own, and broadcasting makes all pairs."""
    return (queries @ w_query + keys @ w_key).tanh() @ v


def additive_scores__matrices_transposed(queries, keys, w_query, w_key, v):
    """You multiply by the transposed matrices, as `nn.Linear` stores its own. Here rows belong to what comes in and
    columns to what goes out: `queries @ w_query`."""
    of_queries = queries @ w_query.transpose(-2, -1)
    of_keys = keys @ w_key.transpose(-2, -1)
    return (of_queries.unsqueeze(-2) + of_keys.unsqueeze(-3)).tanh() @ v


def causal_mask__the_past_is_forbidden(time):
    """Your triangle is upside down: row t may look at t and what comes *after* it. The allowed ones are on and below
    the diagonal, `tril`."""
    return torch.ones(time, time, dtype=torch.bool).triu()


def causal_mask__true_where_forbidden(time):
    """Your mask is True where looking is forbidden, as in `nn.MultiheadAttention`. In this course True means allowed;
    turn it round with `~`."""
    return torch.ones(time, time, dtype=torch.bool).triu(1)


def causal_mask__nobody_sees_itself(time):
    """Your tokens do not see themselves, and the first one sees nothing at all. Row t may look at 0..t, with t
    included."""
    return torch.ones(time, time, dtype=torch.bool).tril(-1)


def causal_mask__one_step_into_the_future(time):
    """You let each token see the next one. While it learns, that is the very answer that it is asked for: it would
    learn to copy it, and could do nothing where it is not there."""
    return torch.ones(time, time, dtype=torch.bool).tril(1)


def causal_mask__numbers(time):
    """The places are right, but these are numbers, 1 and 0. A mask is boolean, so that `~mask` turns it round: say
    `dtype=torch.bool`."""
    return torch.ones(time, time).tril()


def causal_mask__minus_infinity(time):
    """This is a mask to be added to the scores: 0 where allowed and -inf where not. Asked for is a boolean one, True
    where allowed; what to do with it is `masked_softmax`'s business."""
    return torch.full((time, time), -math.inf).triu(1)


def padding_mask__true_at_padding(lengths, time):
    """Your mask is True at the padding. In this course True means allowed, and allowed are the real tokens: the places
    *below* the length."""
    return torch.arange(time) >= lengths.unsqueeze(-1)


def padding_mask__one_too_many(lengths, time):
    """You let the first piece of padding in. Places are counted from 0, so a sequence of length 2 fills 0 and 1:
    `<`, not `<=`."""
    return torch.arange(time) <= lengths.unsqueeze(-1)


def padding_mask__padding_on_the_left(lengths, time):
    """You look for the real tokens at the end of each row. These sequences begin at place 0 and were filled up on the
    right."""
    return torch.arange(time) >= time - lengths.unsqueeze(-1)


def padding_mask__as_wide_as_the_longest(lengths, time):
    """Your mask is as wide as the longest sequence of this batch. It has to fit a tensor that was filled up to `time`,
    which may be longer."""
    return torch.arange(int(lengths.max())) < lengths.unsqueeze(-1)


def padding_mask__time_comes_first(lengths, time):
    """Your mask lies on its side: one row a place. Asked for is one row a sequence: `lengths.unsqueeze(-1)` is a column,
    against which the places are compared."""
    return torch.arange(time).unsqueeze(-1) < lengths


def padding_mask__numbers(lengths, time):
    """The places are right, but these are numbers, 1 and 0. A mask is boolean, so that `~mask` turns it round; a
    comparison gives you one."""
    return (torch.arange(time) < lengths.unsqueeze(-1)).float()


def masked_softmax__mask_after_the_softmax(scores, mask):
    """You set weights to 0 after the softmax, so that the rest of the row no longer sums to 1: the forbidden tokens were
    counted in the denominator, and through it the future still speaks. Mask the scores, before."""
    return scores.softmax(dim=-1) * mask


def masked_softmax__mask_after_and_divide_again(scores, mask):
    """You mask after the softmax and divide again. On paper that is the same. But where a forbidden score is far above
    the others, these were rounded to 0 before you divided, and nothing is left. Mask the scores, before."""
    weights = scores.softmax(dim=-1) * mask
    total = weights.sum(dim=-1, keepdim=True)
    return weights / torch.where(total > 0, total, 1.0)


def masked_softmax__zero_for_the_forbidden(scores, mask):
    """You set the forbidden scores to 0, but 0 is a score like any other: e^0 = 1, and so they get weight. Only e to the
    power of minus infinity is 0."""
    return (scores * mask).softmax(dim=-1)


def masked_softmax__nan_where_nothing_is_allowed(scores, mask):
    """Where nothing is allowed your row is NaN: with nothing but -inf in it the softmax divides 0 by 0. One NaN is enough
    to spoil every number that it meets later. Such a row must be all 0."""
    return scores.masked_fill(~mask, -math.inf).softmax(dim=-1)


def masked_softmax__uniform_where_nothing_is_allowed(scores, mask):
    """Where nothing is allowed your row is uniform: it has the same very low score everywhere, and equal scores share.
    After the softmax, set what is forbidden to 0 once more."""
    return scores.masked_fill(~mask, torch.finfo(scores.dtype).min).softmax(dim=-1)


def masked_softmax__not_low_enough(scores, mask):
    """Your "minus infinity" is a number that real scores can reach: where the allowed ones are lower still, the forbidden
    ones win. Take -inf, or `torch.finfo(scores.dtype).min`."""
    weights = scores.masked_fill(~mask, -100.0).softmax(dim=-1)
    return weights.masked_fill(~mask, 0.0)


def masked_softmax__allowed_ones_removed(scores, mask):
    """You removed the allowed ones and kept the others. `masked_fill` writes where its mask is True, and in this course
    True means allowed: it needs `~mask`."""
    weights = scores.masked_fill(mask, torch.finfo(scores.dtype).min).softmax(dim=-1)
    return weights.masked_fill(mask, 0.0)


def self_attention__not_scaled(x, mask=None):
    """You do not divide by the square root of d. Without that a token hears hardly anyone but itself: its dot product with
    itself grows like d, those with others like the root of it."""
    scores = x @ x.transpose(-2, -1)
    if mask is not None:
        scores = scores.masked_fill(~mask, torch.finfo(x.dtype).min)
    weights = scores.softmax(dim=-1)
    return (weights if mask is None else weights.masked_fill(~mask, 0.0)) @ x


def self_attention__mask_ignored(x, mask=None):
    """You take no notice of the mask: everybody still sees everybody. Where it is given, `masked_softmax` makes the
    weights."""
    return (x @ x.transpose(-2, -1) / math.sqrt(x.shape[-1])).softmax(dim=-1) @ x


def self_attention__causal_by_default(x, mask=None):
    """Without a mask you still hide the future. Whether a token may look ahead is the caller's decision: `None` means
    that everybody sees everybody."""
    if mask is None:
        mask = torch.ones(x.shape[-2], x.shape[-2], dtype=torch.bool).tril()
    scores = x @ x.transpose(-2, -1) / math.sqrt(x.shape[-1])
    weights = scores.masked_fill(~mask, torch.finfo(x.dtype).min).softmax(dim=-1)
    return weights.masked_fill(~mask, 0.0) @ x


def self_attention__mask_turned_round(x, mask=None):
    """Your mask lies on its side: `mask[t, j]` says whether t sees j, and you use it as whether j sees t. With a causal
    mask your tokens see the future and not the past."""
    scores = x @ x.transpose(-2, -1) / math.sqrt(x.shape[-1])
    if mask is None:
        return scores.softmax(dim=-1) @ x
    turned = mask.transpose(-2, -1)
    weights = scores.masked_fill(~turned, torch.finfo(x.dtype).min).softmax(dim=-1)
    return weights.masked_fill(~turned, 0.0) @ x


def self_attention__mask_after_the_softmax(x, mask=None):
    """You mask after the softmax: the rows no longer sum to 1, so that the result is too short, and through the
    denominator the forbidden tokens still have their say. Use `masked_softmax` on the scores."""
    weights = (x @ x.transpose(-2, -1) / math.sqrt(x.shape[-1])).softmax(dim=-1)
    return (weights if mask is None else weights * mask) @ x


def self_attention__over_the_queries(x, mask=None):
    """Your softmax runs over the tokens that ask: columns sum to 1, not rows. The scores look the same from both sides
    here, x times x, but the weights do not. Each row is one asker's share-out."""
    scores = x @ x.transpose(-2, -1) / math.sqrt(x.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, torch.finfo(x.dtype).min)
    weights = scores.softmax(dim=-2)
    return (weights if mask is None else weights.masked_fill(~mask, 0.0)) @ x


def self_attention__x_added(x, mask=None):
    """You add x to what came out. That is the residual connection, and it will come, two chapters on; here the result is
    the weighted mean alone."""
    scores = x @ x.transpose(-2, -1) / math.sqrt(x.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, torch.finfo(x.dtype).min)
    weights = scores.softmax(dim=-1)
    return x + (weights if mask is None else weights.masked_fill(~mask, 0.0)) @ x


# End of the misconceptions of this chapter.
