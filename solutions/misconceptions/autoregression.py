"""Plausible wrong answers to `nexttoken.autoregression`, and the sentence that each one earns.

`<exercise>__<what_is_wrong>`: the docstring is what a reader is told whose answer behaves the same.
"""

import math
from collections import Counter

import torch


def bigram_counts__transposed(ids, vocab_size):
    """Rows and columns are swapped: your entry [i, j] counts how often i follows j. The row is the
    token that was there first, the column the one that came after it."""
    pairs = ids[1:].long() * vocab_size + ids[:-1]
    return pairs.bincount(minlength=vocab_size**2).reshape(vocab_size, vocab_size)


def bigram_counts__every_pair_once(ids, vocab_size):
    """You count every pair at most once, however often it occurs: `counts[a, b] += 1` with whole tensors
    a and b reads all entries first and then writes each of them, so repeated pairs overwrite each other.
    You need an operation that accumulates, or a loop."""
    counts = torch.zeros(vocab_size, vocab_size, dtype=torch.long)
    counts[ids[:-1].long(), ids[1:].long()] += 1
    return counts


def bigram_counts__end_joined_to_beginning(ids, vocab_size):
    """You also count the first token as the successor of the last one, as if the text were a circle
    (`torch.roll` does that). Nothing is known to follow the last token: n tokens have n - 1 pairs."""
    pairs = ids.long() * vocab_size + ids.roll(-1)
    return pairs.bincount(minlength=vocab_size**2).reshape(vocab_size, vocab_size)


def bigram_counts__table_of_seen_tokens(ids, vocab_size):
    """Your table is only as large as the largest id in this text. It must have vocab_size rows and columns,
    those of tokens that never occur included, so that the counts of two texts can be added."""
    size = int(ids.max()) + 1
    pairs = ids[:-1].long() * size + ids[1:]
    return pairs.bincount(minlength=size**2).reshape(size, size)


def bigram_counts__bincount_too_short(ids, vocab_size):
    """Your `bincount` ends at the largest pair that this text happens to contain, so the reshape only works
    where that is the very last pair of the table. Tell it how many entries there are."""
    pairs = ids[:-1].long() * vocab_size + ids[1:]
    return pairs.bincount().reshape(vocab_size, vocab_size)


def bigram_counts__decimal_numbers(ids, vocab_size):
    """The numbers are right, but they are floating-point numbers: `torch.zeros` makes those unless you say
    otherwise. Counts are whole numbers, and float32 cannot even count beyond 16,777,216 one by one."""
    counts = torch.zeros(vocab_size, vocab_size)
    for i, j in zip(ids[:-1].tolist(), ids[1:].tolist(), strict=True):
        counts[i, j] += 1
    return counts


def bigram_probabilities__columns_normalised(counts, smoothing=1.0):
    """Your columns sum to 1, not your rows: you answer "what came before j?". A row holds everything that
    can come after token i, so the sum runs along the row, over the last axis."""
    mass = counts + smoothing
    total = mass.sum(dim=0, keepdim=True)
    return torch.where(total > 0, mass / total, 1 / counts.shape[-1])


def bigram_probabilities__total_of_another_row(counts, smoothing=1.0):
    """You divide entry [i, j] by the total of row j, not of row i: the totals lost their axis in the sum,
    and broadcasting then lays them along the columns, silently, because the table is square. Keep the
    summed axis, with size 1."""
    mass = counts + smoothing
    total = mass.sum(dim=-1)
    return torch.where(total > 0, mass / total, 1 / counts.shape[-1])


def bigram_probabilities__smoothed_afterwards(counts, smoothing=1.0):
    """You add the smoothing to the probabilities, after the division, so that rows no longer sum to 1.
    It belongs to the counts: pretend to have seen every pair `smoothing` times more, then normalise."""
    return counts / counts.sum(dim=-1, keepdim=True).clamp(min=1) + smoothing


def bigram_probabilities__smoothed_once_a_row(counts, smoothing=1.0):
    """Your rows sum to more than 1, or to less: every entry gets `smoothing`, but the total grows by another
    amount than by `smoothing` for each of the entries. Add it to the counts first, and sum after that."""
    total = counts.sum(dim=-1, keepdim=True) + smoothing
    return torch.where(total > 0, (counts + smoothing) / total, 1 / counts.shape[-1])


def bigram_probabilities__nan_for_empty_rows(counts, smoothing=1.0):
    """A row without any mass becomes NaN: that is 0 / 0. Without smoothing, a token that was never followed
    by anything tells nothing about what comes next, so its row has to be uniform."""
    mass = counts + smoothing
    return mass / mass.sum(dim=-1, keepdim=True)


def bigram_probabilities__whole_table(counts, smoothing=1.0):
    """Your whole table sums to 1, not every row: those are the probabilities p(i, j) of meeting the pair
    somewhere in the text. To write on after token i you need p(j | i), which is normalised row by row."""
    mass = counts + smoothing
    total = mass.sum()
    return torch.where(total > 0, mass / total, 1 / counts.numel())


def conditional_entropy__in_nats(ids, order):
    """Your entropy is in nats, since you took natural logarithms: it is too small by the factor ln 2 = 0.693.
    Bits count questions with two equally likely answers, so the logarithm has base 2."""
    windows = [tuple(window) for window in ids.unfold(0, order + 1, 1).tolist()]
    together = Counter(windows)
    contexts = Counter(window[:-1] for window in windows)
    return sum(-n * math.log(n / contexts[window[:-1]]) for window, n in together.items()) / len(windows)


def conditional_entropy__joint(ids, order):
    """This is the entropy of context and next token together: inside the logarithm stands p(c, j) where
    p(j | c) belongs. The reader knows the context already, and only the next token can surprise."""
    windows = [tuple(window) for window in ids.unfold(0, order + 1, 1).tolist()]
    return sum(-n * math.log2(n / len(windows)) for n in Counter(windows).values()) / len(windows)


def conditional_entropy__contexts_weigh_the_same(ids, order):
    """You average over the different contexts as if all were equally frequent. A context that occurs a
    hundred times has to weigh a hundred times as much as one that occurs once: the weight is p(c, j)."""
    windows = [tuple(window) for window in ids.unfold(0, order + 1, 1).tolist()]
    contexts = Counter(window[:-1] for window in windows)
    bits = 0.0
    for window, n in Counter(windows).items():
        share = n / contexts[window[:-1]]
        bits -= share * math.log2(share)
    return bits / len(contexts)


def conditional_entropy__last_context_counted(ids, order):
    """You count one context too many: the one at the very end of the text, which no token follows. The
    probabilities after that context then sum to less than 1. Count only contexts that have a next token."""
    text = ids.tolist()
    windows = [tuple(text[i : i + order + 1]) for i in range(len(text) - order)]
    contexts = Counter(tuple(text[i : i + order]) for i in range(len(text) - order + 1))
    bits = [-n * math.log2(n / contexts[window[:-1]]) for window, n in Counter(windows).items()]
    return sum(bits) / len(windows)


def conditional_entropy__context_one_short(ids, order):
    """Your contexts are one token too short: a window of `order` tokens is a context of order - 1 and the
    token after it. Order 0 still needs windows of one token, order 1 windows of two."""
    windows = [tuple(window) for window in ids.unfold(0, order, 1).tolist()]
    contexts = Counter(window[:-1] for window in windows)
    bits = [-n * math.log2(n / contexts[window[:-1]]) for window, n in Counter(windows).items()]
    return sum(bits) / len(windows)


def conditional_entropy__negative(ids, order):
    """The minus sign is missing: the logarithm of a probability is never positive, so the sum has to be
    turned around. An entropy is a number of bits, 0 or more."""
    windows = [tuple(window) for window in ids.unfold(0, order + 1, 1).tolist()]
    contexts = Counter(window[:-1] for window in windows)
    bits = [n * math.log2(n / contexts[window[:-1]]) for window, n in Counter(windows).items()]
    return sum(bits) / len(windows)


def next_token_windows__not_shifted(ids, context):
    """Your targets are the inputs themselves, so a model could simply copy what it is shown. The target at
    position t is the token that comes one step later."""
    windows = ids.unfold(0, context, 1)
    return windows[:-1], windows[:-1]


def next_token_windows__last_window_missing(ids, context):
    """The last window is missing: its target ends exactly at the last token of the text, and that is
    allowed. There are `time - context` windows, one more than yours."""
    windows = ids.unfold(0, context, 1)
    return windows[:-2], windows[1:-1]


def next_token_windows__end_joined_to_beginning(ids, context):
    """You have one window too many: after its last position comes nothing, so its target was filled with
    the first token of the text (`torch.roll` goes around in a circle). Drop that window."""
    return ids.unfold(0, context, 1), ids.roll(-1).unfold(0, context, 1)


def next_token_windows__without_overlap(ids, context):
    """Your windows stand side by side. Asked for is every sliding window: one begins at each token that
    has `context` tokens after it, so that every token is also seen with less and with more before it."""
    return ids[:-1].unfold(0, context, context), ids[1:].unfold(0, context, context)


def next_token_windows__one_target_each(ids, context):
    """You give one target to each window, the token after its end. Every position of a window is a question
    of its own, so a target is as long as its input: the same window, one token later."""
    return ids.unfold(0, context, 1)[:-1], ids[context:]


def next_token_windows__swapped(ids, context):
    """Inputs and targets are swapped: your model would see the later window and be asked for the token
    that it was already shown. The inputs come first, and the targets begin one token later."""
    windows = ids.unfold(0, context, 1)
    return windows[1:], windows[:-1]


def sequence_log_probability__product_first(logits, targets):
    """You multiply the probabilities and take the logarithm at the end. The product of a few hundred small
    numbers is rounded to 0, and its logarithm to -inf. The logarithm of a product is a sum: take the
    logarithms first, best of all without leaving the log domain at all."""
    probabilities = logits.softmax(dim=-1)
    return probabilities.gather(-1, targets.long().unsqueeze(-1)).squeeze(-1).prod(dim=-1).log()


def sequence_log_probability__exp_overflows(logits, targets):
    """You exponentiate the logits as they are: from about 89 in float32 (710 in float64) that is infinite,
    and inf / inf is NaN. Only differences between logits matter: subtract the largest of each row first, or
    use a function that works with logarithms throughout."""
    log_probabilities = (logits.exp() / logits.exp().sum(dim=-1, keepdim=True)).log()
    return log_probabilities.gather(-1, targets.long().unsqueeze(-1)).squeeze(-1).sum(dim=-1)


def sequence_log_probability__mean(logits, targets):
    """You take the mean over time, the chain rule takes the sum: the log-probability of the whole sequence.
    The mean is that of one typical token, which is what perplexity needs later."""
    log_probabilities = logits.log_softmax(dim=-1)
    return log_probabilities.gather(-1, targets.long().unsqueeze(-1)).squeeze(-1).mean(dim=-1)


def sequence_log_probability__probability(logits, targets):
    """You return the probability of the sequence, asked for is its logarithm. A page of text has a
    probability far below the smallest number that a computer can hold, and a log-probability of some
    thousand nats below 0."""
    log_probabilities = logits.log_softmax(dim=-1)
    return log_probabilities.gather(-1, targets.long().unsqueeze(-1)).squeeze(-1).sum(dim=-1).exp()


def sequence_log_probability__one_step_late(logits, targets):
    """You compare the logits of position t with the target of position t + 1. The shift has been made
    already: logits[..., t, :] are the scores for targets[..., t], made from what stands before it."""
    log_probabilities = logits[..., :-1, :].log_softmax(dim=-1)
    return log_probabilities.gather(-1, targets[..., 1:].long().unsqueeze(-1)).squeeze(-1).sum(dim=-1)


def sequence_log_probability__not_normalised(logits, targets):
    """You add the logits of the targets, but logits are not log-probabilities yet: adding 1 to all of them
    changes your result and no probability. Take the softmax over the vocabulary, in the log domain."""
    return logits.gather(-1, targets.long().unsqueeze(-1)).squeeze(-1).sum(dim=-1)


def perplexity__base_two(log_probabilities):
    """You raise 2 to a number of nats. A base belongs to its logarithm: 2 goes with log2, and natural
    logarithms, which you are given, go with e."""
    return 2 ** -log_probabilities.mean()


def perplexity__mean_of_inverses(log_probabilities):
    """You average 1 / p, so that a single improbable token decides everything. The mean is taken of the
    log-probabilities, before the exponential: a geometric mean."""
    return (-log_probabilities).exp().mean()


def perplexity__minus_missing(log_probabilities):
    """The minus sign is missing: you have the typical probability of a token, a number below 1. The
    perplexity is its inverse, the number of tokens to choose from."""
    return log_probabilities.mean().exp()


def perplexity__sum(log_probabilities):
    """You take the sum where the mean belongs, so that a longer text is always more perplexing. Divide by
    the number of tokens: perplexity is a number for one typical token."""
    return (-log_probabilities.sum()).exp()


def perplexity__not_exponentiated(log_probabilities):
    """This is the mean surprise in nats, which is the cross-entropy. One step is missing: the exponential
    turns it into a number of equally likely tokens."""
    return -log_probabilities.mean()


def perplexity__gradient_lost(log_probabilities):
    """The value is right, but it has left torch on the way (through `math.exp`, `float` or `.item()`), and
    with it went the gradient: nothing could be trained on it. Use the methods of the tensor."""
    return torch.tensor(math.exp(-log_probabilities.mean().item()), dtype=log_probabilities.dtype)


def apply_temperature__multiplied(logits, temperature):
    """You multiply by the temperature, and so turn it upside down: heat sharpens your distribution and cold
    flattens it. Dividing by a large T brings the logits together, and with them the probabilities."""
    return (logits * temperature).softmax(dim=-1)


def apply_temperature__after_the_softmax(logits, temperature):
    """You divide the probabilities, and they no longer sum to 1. The temperature acts on the logits, before
    the softmax: only there it changes the shape and not only the size."""
    return logits.softmax(dim=-1) / temperature


def apply_temperature__nothing_special_at_zero(logits, temperature):
    """At T = 0 you divide by zero, and at a very small T the quotient overflows: inf - inf is NaN either
    way. T = 0 needs a line of its own (its limit is known), and for a small T it helps to subtract the
    largest logit before you divide."""
    return (logits / temperature).softmax(dim=-1)


def apply_temperature__ties_share_the_mass(logits, temperature):
    """At T = 0 your equally large logits share the mass. Greedy choice means one token: the first of the
    largest gets all of it, so that the result is certain, and the same every time."""
    if temperature == 0:
        largest = (logits == logits.amax(dim=-1, keepdim=True)).to(logits.dtype)
        return largest / largest.sum(dim=-1, keepdim=True)
    return ((logits - logits.amax(dim=-1, keepdim=True)) / temperature).softmax(dim=-1)


def apply_temperature__normalised_over_the_batch(logits, temperature):
    """Your softmax runs over the first axis, so the rows of a batch compete with each other. Every row is
    a distribution of its own over the vocabulary, which is the last axis."""
    return (logits / temperature).softmax(dim=0)


def apply_temperature__exp_overflows(logits, temperature):
    """You exponentiate the scaled logits as they are: from about 89 in float32 (710 in float64) that is
    infinite, and inf / inf is NaN. Subtract the largest logit of each row first: the quotient is the same.
    And T = 0 needs a line of its own."""
    mass = (logits / temperature).exp()
    return mass / mass.sum(dim=-1, keepdim=True)


def keep_top_k__ties_all_kept(logits, k):
    """You keep every logit that reaches the k-th largest one, so that ties make it more than k. A comparison
    with a threshold cannot tell equals apart: choose by position, the lower index first."""
    threshold = logits.topk(min(k, logits.shape[-1]), dim=-1).values[..., -1:]
    return logits.masked_fill(logits < threshold, -math.inf)


def keep_top_k__smallest_kept(logits, k):
    """You keep the k smallest logits: sorting goes upwards unless you say `descending=True`."""
    order = logits.argsort(dim=-1, stable=True)
    kept = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, order[..., :k], True)
    return logits.masked_fill(~kept, -math.inf)


def keep_top_k__zero_for_the_others(logits, k):
    """You set the other logits to 0, but a logit of 0 is a score like any other, and may even be the largest.
    Only -inf has the probability e^-inf = 0."""
    order = logits.argsort(dim=-1, descending=True, stable=True)
    kept = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, order[..., :k], True)
    return logits.masked_fill(~kept, 0.0)


def keep_top_k__fails_beyond_the_vocabulary(logits, k):
    """You fail where k is larger than the vocabulary: `topk` cannot find more values than there are. All
    logits are kept then, so limit k to what is there."""
    best = logits.topk(k, dim=-1)
    return torch.full_like(logits, -math.inf).scatter(-1, best.indices, best.values)


def keep_top_k__best_of_all_rows(logits, k):
    """You look for the k largest logits of the whole tensor. The rows of a batch have nothing to do with
    each other, and each keeps its own k: sort along the last axis."""
    order = logits.flatten().argsort(descending=True, stable=True)
    kept = torch.zeros_like(logits, dtype=torch.bool).flatten().scatter(0, order[:k], True)
    return logits.masked_fill(~kept.view_as(logits), -math.inf)


def keep_top_k__argument_changed(logits, k):
    """The result is right, but you wrote it into the tensor that you were given: the caller's logits are
    lost, and a gradient cannot pass. Build a new tensor instead, with a method without the trailing `_`."""
    order = logits.argsort(dim=-1, descending=True, stable=True)
    kept = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, order[..., :k], True)
    return logits.masked_fill_(~kept, -math.inf)


def keep_top_k__renormalised(logits, k):
    """You return probabilities, asked for are logits: the kept ones exactly as they were. The softmax comes
    later, once, and `-inf` is what takes the others out of it."""
    order = logits.argsort(dim=-1, descending=True, stable=True)
    kept = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, order[..., :k], True)
    return logits.masked_fill(~kept, -math.inf).softmax(dim=-1)


def keep_top_p__crossing_token_dropped(logits, p):
    """You drop the token with which the sum crosses p, so that what you keep does not reach p. A token goes
    only if those before it have reached p already: compare p with the sum without the token itself."""
    order = logits.argsort(dim=-1, descending=True, stable=True)
    kept_in_order = logits.softmax(dim=-1).gather(-1, order).cumsum(dim=-1) <= p
    kept_in_order[..., 0] = True
    kept = torch.zeros_like(kept_in_order).scatter(-1, order, kept_in_order)
    return logits.masked_fill(~kept, -math.inf)


def keep_top_p__nothing_left_at_zero(logits, p):
    """At p = 0 you keep nothing, and there is no token left to choose. Keep the most probable one always."""
    order = logits.argsort(dim=-1, descending=True, stable=True)
    probabilities = logits.softmax(dim=-1).gather(-1, order)
    before = probabilities.cumsum(dim=-1).roll(1, dims=-1)
    before[..., 0] = 0.0
    kept = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, order, (before < p) | (p == 1))
    return logits.masked_fill(~kept, -math.inf)


def keep_top_p__tail_lost_at_one(logits, p):
    """At p = 1 you lose improbable tokens: the running sum is rounded to 1 before its end. p = 1 means that
    nothing is cut off, and needs to be said on its own."""
    order = logits.argsort(dim=-1, descending=True, stable=True)
    probabilities = logits.softmax(dim=-1).gather(-1, order)
    before = probabilities.cumsum(dim=-1).roll(1, dims=-1)
    before[..., 0] = -1.0
    kept = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, order, before < p)
    return logits.masked_fill(~kept, -math.inf)


def keep_top_p__one_too_many_when_reached(logits, p):
    """Where the sum is exactly p, you keep one token more. The set has to reach p, not to exceed it: a
    token goes as soon as those before it have p or more."""
    order = logits.argsort(dim=-1, descending=True, stable=True)
    probabilities = logits.softmax(dim=-1).gather(-1, order)
    before = probabilities.cumsum(dim=-1).roll(1, dims=-1)
    before[..., 0] = -1.0
    kept = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, order, (before <= p) | (p == 1))
    return logits.masked_fill(~kept, -math.inf)


def keep_top_p__left_in_sorted_order(logits, p):
    """Your result is sorted: the logits no longer stand at the places of their tokens, so that another token
    would be written. Bring the decision back to the old order, where each index is a token."""
    ordered = logits.sort(dim=-1, descending=True, stable=True).values
    before = ordered.softmax(dim=-1).cumsum(dim=-1).roll(1, dims=-1)
    before[..., 0] = -1.0
    return ordered.masked_fill((before >= p) & (p < 1), -math.inf)


def keep_top_p__renormalised(logits, p):
    """You return probabilities, asked for are logits: the kept ones exactly as they were. The softmax comes
    later, once, and `-inf` takes the others out of it."""
    order = logits.argsort(dim=-1, descending=True, stable=True)
    probabilities = logits.softmax(dim=-1).gather(-1, order)
    before = probabilities.cumsum(dim=-1).roll(1, dims=-1)
    before[..., 0] = -1.0
    kept = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, order, (before < p) | (p == 1))
    return logits.masked_fill(~kept, -math.inf).softmax(dim=-1)


def keep_top_p__least_probable_first(logits, p):
    """You collect the least probable tokens first: sorting goes upwards unless you say `descending=True`.
    The smallest set that reaches p begins with the most probable token."""
    order = logits.argsort(dim=-1, stable=True)
    probabilities = logits.softmax(dim=-1).gather(-1, order)
    before = probabilities.cumsum(dim=-1).roll(1, dims=-1)
    before[..., 0] = -1.0
    kept = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, order, (before < p) | (p == 1))
    return logits.masked_fill(~kept, -math.inf)


def generate__last_token_only(next_logits, prompt, max_new_tokens, choose, stop_token=None):
    """You show the model only the last token. It has to read everything so far: y3 comes from x, y1 and y2,
    and with less than that the model is a table of bigrams."""
    ids = prompt.clone()
    for _ in range(max_new_tokens):
        token = int(choose(next_logits(ids[-1:])))
        ids = torch.cat([ids, ids.new_tensor([token])])
        if token == stop_token:
            break
    return ids


def generate__prompt_only(next_logits, prompt, max_new_tokens, choose, stop_token=None):
    """You show the model the prompt again and again, never what it wrote, so that every new token is chosen
    as if it were the first. What is put out has to be read back in: that is autoregression."""
    ids = prompt.clone()
    for _ in range(max_new_tokens):
        token = int(choose(next_logits(prompt)))
        ids = torch.cat([ids, ids.new_tensor([token])])
        if token == stop_token:
            break
    return ids


def generate__stop_token_dropped(next_logits, prompt, max_new_tokens, choose, stop_token=None):
    """You end in time, but drop the stop token. It was written like any other token and is kept: without it
    nobody can tell whether the model had finished or was cut off. Append first, then look whether to stop."""
    ids = prompt.clone()
    for _ in range(max_new_tokens):
        token = int(choose(next_logits(ids)))
        if token == stop_token:
            break
        ids = torch.cat([ids, ids.new_tensor([token])])
    return ids


def generate__stopped_by_the_prompt(next_logits, prompt, max_new_tokens, choose, stop_token=None):
    """A stop token in the prompt keeps you from writing anything. Only one that the model wrote itself
    ends the text: look at the new token, not at all ids so far."""
    ids = prompt.clone()
    for _ in range(max_new_tokens):
        if stop_token in ids.tolist():
            break
        ids = torch.cat([ids, ids.new_tensor([int(choose(next_logits(ids)))])])
    return ids


def generate__stop_token_ignored(next_logits, prompt, max_new_tokens, choose, stop_token=None):
    """You write on after the stop token. Once it was chosen, it is the last token of the result. (Token 0
    can be the stop token too: `if stop_token` would overlook it.)"""
    ids = prompt.clone()
    for _ in range(max_new_tokens):
        ids = torch.cat([ids, ids.new_tensor([int(choose(next_logits(ids)))])])
    return ids


def generate__only_the_new_tokens(next_logits, prompt, max_new_tokens, choose, stop_token=None):
    """You return only what was written. The result begins with the prompt, so that it can be handed back
    in as it is, to write on."""
    ids = prompt.clone()
    for _ in range(max_new_tokens):
        token = int(choose(next_logits(ids)))
        ids = torch.cat([ids, ids.new_tensor([token])])
        if token == stop_token:
            break
    return ids[len(prompt) :]


def generate__one_token_too_many(next_logits, prompt, max_new_tokens, choose, stop_token=None):
    """You write one token more than `max_new_tokens` allows. With 0 the prompt comes back unchanged."""
    ids = prompt.clone()
    for _ in range(max_new_tokens + 1):
        token = int(choose(next_logits(ids)))
        ids = torch.cat([ids, ids.new_tensor([token])])
        if token == stop_token:
            break
    return ids


def generate__limit_counts_the_prompt(next_logits, prompt, max_new_tokens, choose, stop_token=None):
    """You stop when prompt and new tokens together are `max_new_tokens` long, so that a long prompt leaves
    no room to write. Only what is written counts."""
    ids = prompt.clone()
    while len(ids) < max_new_tokens:
        token = int(choose(next_logits(ids)))
        ids = torch.cat([ids, ids.new_tensor([token])])
        if token == stop_token:
            break
    return ids


# End of the misconceptions of this chapter.
