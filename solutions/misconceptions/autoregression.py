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
    """You count every pair at most once, however often it occurs. `counts[a, b] += 1` with whole tensors
    a and b does that: it reads all entries first and then writes each of them, so repeated pairs overwrite
    each other. You need an operation that accumulates, or a loop."""
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
    """Does your function count with `bincount`? Left to itself it ends at the largest pair that this text
    happens to contain, so the reshape only works where that is the very last pair of the table. Tell it how
    many entries there are."""
    pairs = ids[:-1].long() * vocab_size + ids[1:]
    return pairs.bincount().reshape(vocab_size, vocab_size)


def bigram_counts__decimal_numbers(ids, vocab_size):
    """The numbers are right, but they are floating-point numbers: `torch.zeros` makes those unless you say
    otherwise. Counts are whole numbers, and float32 cannot even count beyond 16,777,216 one by one."""
    counts = torch.zeros(vocab_size, vocab_size)
    for i, j in zip(ids[:-1].tolist(), ids[1:].tolist(), strict=True):
        counts[i, j] += 1
    return counts


def bigram_counts__last_pair_missed(ids, vocab_size):
    """Your counts leave out the last pair of the text. n tokens have n - 1 pairs, and the last token is the
    successor in one of them: look at the end of your loop, or of your slices."""
    pairs = ids[:-2].long() * vocab_size + ids[1:-1]
    return pairs.bincount(minlength=vocab_size**2).reshape(vocab_size, vocab_size)


def bigram_counts__first_pair_missed(ids, vocab_size):
    """Your counts leave out the first pair of the text. n tokens have n - 1 pairs, and the first token is the
    predecessor in one of them: look at where your loop, or your slices, begin."""
    pairs = ids[1:-1].long() * vocab_size + ids[2:]
    return pairs.bincount(minlength=vocab_size**2).reshape(vocab_size, vocab_size)


def bigram_counts__empty_text_fails(ids, vocab_size):
    """You fail on a text without any token, which has no first or last one to look at. It has no neighbours
    either, so its table is all zeros; a loop over pairs that runs zero times gives just that."""
    counts = torch.zeros(vocab_size, vocab_size, dtype=torch.long)
    before = ids[0].item()
    for token in ids[1:].tolist():
        counts[before, token] += 1
        before = token
    return counts


def bigram_counts__both_directions(ids, vocab_size):
    """Your table is symmetric: every pair (i, j) also counts for (j, i). What comes after a token is not what
    comes before it, so the order is the point: the row came first, the column after it."""
    counts = torch.zeros(vocab_size, vocab_size, dtype=torch.long)
    for i, j in zip(ids[:-1].tolist(), ids[1:].tolist(), strict=True):
        counts[i, j] += 1
        if i != j:
            counts[j, i] += 1
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
    total = counts.sum(dim=-1, keepdim=True)
    return torch.where(total > 0, counts / total, 1 / counts.shape[-1]) + smoothing


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


def bigram_probabilities__zeros_for_empty_rows(counts, smoothing=1.0):
    """A row without any mass stays all zeros in your table, and so is no distribution: it does not sum to 1,
    and no next token could be drawn from it. A token that was never followed by anything tells nothing about
    what comes next, so its row has to be uniform."""
    mass = counts + smoothing
    return (mass / mass.sum(dim=-1, keepdim=True)).nan_to_num(nan=0.0)


def bigram_probabilities__small_totals_raised(counts, smoothing=1.0):
    """Where the total of a row is small, you divide by something larger (`clamp(min=1)` does that), so this
    row does not sum to 1. A total may be as small as it likes: only 0 is special, and its row has to be
    uniform."""
    mass = counts + float(smoothing)
    total = mass.sum(dim=-1, keepdim=True)
    return torch.where(total > 0, mass / total.clamp(min=1), 1 / counts.shape[-1])


def bigram_probabilities__smoothing_cut_to_a_whole_number(counts, smoothing=1.0):
    """You lose what stands behind the point of `smoothing`: 0.3 acts like 0. Counts are whole numbers, and so
    is a tensor made like them; decide for floating-point numbers before you add."""
    mass = (counts + int(smoothing)).to(torch.get_default_dtype())
    total = mass.sum(dim=-1, keepdim=True)
    return torch.where(total > 0, mass / total, 1 / counts.shape[-1])


def bigram_probabilities__only_unseen_pairs_smoothed(counts, smoothing=1.0):
    """You add `smoothing` to the counts that are 0, and to no others. Then a pair that was never seen can
    come out likelier than one that was seen once. Every pair is pretended to have come `smoothing` times
    more, the seen ones too."""
    mass = torch.where(counts == 0, float(smoothing), counts.to(torch.get_default_dtype()))
    total = mass.sum(dim=-1, keepdim=True)
    return torch.where(total > 0, mass / total, 1 / counts.shape[-1])


def bigram_probabilities__softmax_of_the_counts(counts, smoothing=1.0):
    """You take the softmax of the counts, so that a pair seen 10 times becomes e^9 = 8103 times as probable
    as one seen once. A softmax is for logits, which may be negative; counts already say how much, and only
    need to be divided by their total. (In a softmax the smoothing has no effect at all.)"""
    return (counts + float(smoothing)).softmax(dim=-1)


def bigram_probabilities__smoothing_shared_by_the_row(counts, smoothing=1.0):
    """You share one `smoothing` among all entries of a row. Here each entry gets the whole of it, so a row of
    V entries grows by V times `smoothing`."""
    mass = counts + smoothing / counts.shape[-1]
    total = mass.sum(dim=-1, keepdim=True)
    return torch.where(total > 0, mass / total, 1 / counts.shape[-1])


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


def conditional_entropy__divided_by_the_tokens(ids, order):
    """You divide by the number of tokens, but there are fewer windows than tokens: `order` fewer, since the
    first tokens have no full context. Your shares p(c, j) then sum to less than 1, and the entropy is too
    small."""
    windows = [tuple(window) for window in ids.unfold(0, order + 1, 1).tolist()]
    contexts = Counter(window[:-1] for window in windows)
    bits = [-n * math.log2(n / contexts[window[:-1]]) for window, n in Counter(windows).items()]
    return sum(bits) / len(ids)


def conditional_entropy__last_token_only(ids, order):
    """Of the context you use only the last token, so that every order from 1 on gives the entropy of order 1
    (but for the ends of the text). One who knows `order` tokens knows all of them: the whole tuple is the
    context."""
    windows = [tuple(window[-2:]) for window in ids.unfold(0, order + 1, 1).tolist()]
    contexts = Counter(window[:-1] for window in windows)
    bits = [-n * math.log2(n / contexts[window[:-1]]) for window, n in Counter(windows).items()]
    return sum(bits) / len(windows)


def conditional_entropy__first_token_only(ids, order):
    """Of the context you use only the first token, the one that stands `order` places before the next. The
    reader knows everything in between too: the context is all `order` tokens together."""
    windows = [(*window[:-1][:1], window[-1]) for window in ids.unfold(0, order + 1, 1).tolist()]
    contexts = Counter(window[:-1] for window in windows)
    bits = [-n * math.log2(n / contexts[window[:-1]]) for window, n in Counter(windows).items()]
    return sum(bits) / len(windows)


def conditional_entropy__difference_with_all_contexts(ids, order):
    """The chain rule H(c, j) - H(c) is a good way, but your contexts include the one at the very end of the
    text, which no token follows. The two entropies are then counted from two different texts, and their
    difference can even be negative. Take the contexts of the windows that you counted, no others."""
    entropies = []
    for length in (order + 1, order):
        windows = [tuple(ids[i : i + length].tolist()) for i in range(len(ids) - length + 1)]
        entropies.append(
            sum(-n * math.log2(n / len(windows)) for n in Counter(windows).values()) / len(windows)
        )
    return entropies[0] - entropies[1]


def conditional_entropy__glued_together(ids, order):
    """Some of your contexts become one, though they are different: written one after the other, the tokens
    1, 12 and the tokens 11, 2 are both 112. Keep the ids apart from each other, in a tuple for instance."""
    windows = ids.unfold(0, order + 1, 1).tolist()
    pairs = [("".join(map(str, window[:-1])), window[-1]) for window in windows]
    contexts = Counter(context for context, _ in pairs)
    bits = [-n * math.log2(n / contexts[context]) for (context, _), n in Counter(pairs).items()]
    return sum(bits) / len(windows)


def conditional_entropy__order_in_the_context_lost(ids, order):
    """Your contexts forget the order of their tokens: 0 1 and 1 0 are one context to you. A text is a
    sequence, and what follows depends on which token came last."""
    windows = [(*sorted(window[:-1]), window[-1]) for window in ids.unfold(0, order + 1, 1).tolist()]
    contexts = Counter(window[:-1] for window in windows)
    bits = [-n * math.log2(n / contexts[window[:-1]]) for window, n in Counter(windows).items()]
    return sum(bits) / len(windows)


def conditional_entropy__last_window_missed(ids, order):
    """You leave out the last window, whose next token is the last token of the text. A text of n tokens has
    n - order windows; where it has only one, you have none."""
    windows = [tuple(window) for window in ids.unfold(0, order + 1, 1).tolist()][:-1]
    contexts = Counter(window[:-1] for window in windows)
    bits = [-n * math.log2(n / contexts[window[:-1]]) for window, n in Counter(windows).items()]
    return sum(bits) / len(windows)


def conditional_entropy__end_joined_to_beginning(ids, order):
    """You let the text go on at its beginning, as if it were a circle (`torch.roll` does that). Nothing is
    known to follow the last token: n tokens have n - order windows, and not n."""
    circle = torch.cat([ids, ids[:order]])
    windows = [tuple(window) for window in circle.unfold(0, order + 1, 1).tolist()]
    contexts = Counter(window[:-1] for window in windows)
    bits = [-n * math.log2(n / contexts[window[:-1]]) for window, n in Counter(windows).items()]
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


def next_token_windows__one_target_as_a_column(ids, context):
    """Your targets have one column: a single token for each window, the one after its end. Every position of
    a window is a question of its own, so a target has as many columns as its input."""
    windows = ids.unfold(0, context + 1, 1)
    return windows[:, :-1], windows[:, -1:]


def next_token_windows__rolled_inside_the_window(ids, context):
    """You move the tokens inside each window, so that the first one comes round to the end as the last
    target. What follows the last position is the next token of the text: make the shift before you cut the
    windows, not after."""
    inputs = ids.unfold(0, context, 1)[:-1]
    return inputs, inputs.roll(-1, dims=-1)


def next_token_windows__one_window_later(ids, context):
    """Your targets begin where the inputs end, `context` tokens later. A target is its input moved by one
    token, whatever the context: position t is answered by the token right after it."""
    windows = ids.unfold(0, context, 1)
    return windows[:-context], windows[context:]


def next_token_windows__next_id(ids, context):
    """Your targets are the input ids plus 1. Not the id grows by one but the position: the target is the
    token that comes next in the text, whichever number it has."""
    inputs = ids.unfold(0, context, 1)[:-1]
    return inputs, inputs + 1


def next_token_windows__transposed(ids, context):
    """Your windows stand in columns, asked for are rows: the shape is (windows, context), and row i is the
    window that begins at token i."""
    windows = ids.unfold(0, context, 1)
    return windows[:-1].T, windows[1:].T


def sequence_log_probability__product_first(logits, targets):
    """You multiply the probabilities and take the logarithm at the end. The product of a few hundred small
    numbers is rounded to 0, and its logarithm to -inf. The logarithm of a product is a sum: take the
    logarithms first, and stay with logarithms from the logits on."""
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


def sequence_log_probability__log_of_softmax(logits, targets):
    """With large logits you get -inf. The softmax first, and its logarithm afterwards, does that: a probability
    below e^-745 in float64 (e^-103 in float32) is rounded to 0, though its logarithm would be an ordinary
    number. Get log-probabilities from the logits in one step, and add those."""
    probabilities = logits.softmax(dim=-1)
    return probabilities.gather(-1, targets.long().unsqueeze(-1)).squeeze(-1).log().sum(dim=-1)


def sequence_log_probability__log_sum_exp_overflows(logits, targets):
    """The formula is right: the logit of the target, minus the logarithm of the sum of all e^logit. But e^z is
    infinite from about z = 89 in float32 (710 in float64), and where all z are very negative the sum is 0.
    Subtract the largest logit of each row first, or use the function that does all of this at once."""
    total = logits.exp().sum(dim=-1).log()
    return (logits.gather(-1, targets.long().unsqueeze(-1)).squeeze(-1) - total).sum(dim=-1)


def sequence_log_probability__negative(logits, targets):
    """You have the sign of a loss: cross-entropy is minus the log-probability. Asked for is the
    log-probability itself, which is never positive."""
    log_probabilities = logits.log_softmax(dim=-1)
    return -log_probabilities.gather(-1, targets.long().unsqueeze(-1)).squeeze(-1).sum(dim=-1)


def sequence_log_probability__in_bits(logits, targets):
    """Your result is in bits, asked for are nats: you took logarithms to the base 2, so the numbers are too
    large by the factor 1 / ln 2 = 1.443. Softmax is made with e, and the natural logarithm undoes it."""
    log_probabilities = logits.log_softmax(dim=-1) / math.log(2)
    return log_probabilities.gather(-1, targets.long().unsqueeze(-1)).squeeze(-1).sum(dim=-1)


def sequence_log_probability__batch_summed_too(logits, targets):
    """You add over everything, so a batch of sequences gets one number. Each sequence has a probability of
    its own: add over the axis of time alone, which is the last one once the targets are picked."""
    log_probabilities = logits.log_softmax(dim=-1)
    return log_probabilities.gather(-1, targets.long().unsqueeze(-1)).sum()


def sequence_log_probability__batch_averaged(logits, targets):
    """You average over all tokens of all sequences (`cross_entropy` does that unless you say otherwise).
    Asked for is one number for each sequence, and the sum over its tokens: the chain rule adds."""
    log_probabilities = logits.log_softmax(dim=-1)
    return log_probabilities.gather(-1, targets.long().unsqueeze(-1)).mean()


def sequence_log_probability__not_summed(logits, targets):
    """You have the log-probability of every token; one step is missing. That of the whole sequence is their
    sum over time: the chain rule."""
    log_probabilities = logits.log_softmax(dim=-1)
    return log_probabilities.gather(-1, targets.long().unsqueeze(-1)).squeeze(-1)


def sequence_log_probability__normalised_over_time(logits, targets):
    """Your softmax runs over time, so that the positions of the text compete with each other. At every
    position it is the tokens of the vocabulary that compete, and they are the last axis."""
    log_probabilities = logits.log_softmax(dim=-2)
    return log_probabilities.gather(-1, targets.long().unsqueeze(-1)).squeeze(-1).sum(dim=-1)


def sequence_log_probability__normalised_over_axis_one(logits, targets):
    """Your softmax runs over axis 1. That is the vocabulary for a single sequence, but as soon as there are
    axes in front it is another one. Counted from the end, the vocabulary is the last axis always."""
    log_probabilities = logits.log_softmax(dim=1)
    return log_probabilities.gather(-1, targets.long().unsqueeze(-1)).squeeze(-1).sum(dim=-1)


def sequence_log_probability__one_sequence_only(logits, targets):
    """For a single sequence you are right; with a batch your indices do not fit, since they name a time and a
    token but no sequence. Pick along the last axis instead, so that any axes in front take care of
    themselves."""
    log_probabilities = logits.log_softmax(dim=-1)
    return log_probabilities[torch.arange(len(targets)), targets.long()].sum(dim=-1)


def sequence_log_probability__gradient_lost(logits, targets):
    """The value is right, but no gradient gets back to the logits: `.detach()`, `.item()`, `.tolist()`,
    `no_grad` and new tensors made of numbers all cut it. This very number, with a minus, is what a language
    model is trained on, so keep to operations on the tensor itself."""
    log_probabilities = logits.detach().log_softmax(dim=-1)
    return log_probabilities.gather(-1, targets.long().unsqueeze(-1)).squeeze(-1).sum(dim=-1)


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
    """The value is right, but the gradient is lost: `math.exp`, `float`, `.item()`, `.detach()` and
    `torch.tensor` cut it, and nothing could be trained on the result. Use the methods of the tensor."""
    return (-log_probabilities.detach().mean()).exp()


def perplexity__product_underflows(log_probabilities):
    """You multiply the probabilities and take the root, which is the same on paper. But the product of a few
    hundred of them is rounded to 0, so that a long text comes out infinitely perplexing. The mean of the
    logarithms is the same geometric mean, without the product."""
    return log_probabilities.exp().prod() ** (-1 / len(log_probabilities))


def perplexity__inverse_of_the_mean(log_probabilities):
    """You average the probabilities and take the inverse, so that a few certain tokens hide an impossible
    one. The mean is taken of the log-probabilities: a geometric mean, in which one p = 0 is fatal."""
    return 1 / log_probabilities.exp().mean()


def perplexity__minus_outside(log_probabilities):
    """Your minus stands in front of the exponential, so the result is negative. It belongs inside: the
    perplexity is e to the mean surprise, and surprise is minus the log-probability."""
    return -log_probabilities.mean().exp()


def apply_temperature__multiplied(logits, temperature):
    """You multiply by the temperature, and so turn it upside down: heat sharpens your distribution and cold
    flattens it. Dividing by a large T brings the logits together, and with them the probabilities."""
    if temperature == 0:
        return torch.zeros_like(logits).scatter(-1, logits.argmax(dim=-1, keepdim=True), 1.0)
    return (logits * temperature).softmax(dim=-1)


def apply_temperature__after_the_softmax(logits, temperature):
    """You divide the probabilities, and they no longer sum to 1. The temperature acts on the logits, before
    the softmax: only there it changes the shape and not only the size."""
    if temperature == 0:
        return torch.zeros_like(logits).scatter(-1, logits.argmax(dim=-1, keepdim=True), 1.0)
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
    if temperature == 0:
        return torch.zeros_like(logits).scatter(-1, logits.argmax(dim=-1, keepdim=True), 1.0)
    return (logits / temperature).softmax(dim=0)


def apply_temperature__exp_overflows(logits, temperature):
    """You exponentiate the scaled logits as they are: from about 89 in float32 (710 in float64) that is
    infinite, and inf / inf is NaN. Subtract the largest logit of each row first: the quotient is the same."""
    if temperature == 0:
        return torch.zeros_like(logits).scatter(-1, logits.argmax(dim=-1, keepdim=True), 1.0)
    mass = (logits / temperature).exp()
    return mass / mass.sum(dim=-1, keepdim=True)


def apply_temperature__without_effect(logits, temperature):
    """Whatever T > 0 is, you give the plain softmax of T = 1. Dividing all probabilities by T and normalising
    again does that: the T cancels. It has to divide the logits, before the softmax."""
    if temperature == 0:
        return torch.zeros_like(logits).scatter(-1, logits.argmax(dim=-1, keepdim=True), 1.0)
    return logits.softmax(dim=-1)


def apply_temperature__epsilon_at_zero(logits, temperature):
    """At T = 0 you use a tiny temperature instead, in the hope that it comes to the same. It does not where
    two logits are equal, or nearly so: these share the mass. T = 0 means one token for certain, and needs a
    line of its own."""
    return (logits / max(temperature, 1e-6)).softmax(dim=-1)


def apply_temperature__epsilon_added(logits, temperature):
    """You make T a little larger so as not to divide by 0. At T = 0 equal logits then share the mass, where the
    first should have all of it, and another small T may no longer be the one that was asked for. Leave T as
    it is, and give T = 0 a line of its own."""
    return (logits / (temperature + 1e-8)).softmax(dim=-1)


def apply_temperature__ties_all_certain(logits, temperature):
    """At T = 0 each of several equally large logits gets probability 1, so the row sums to more than that.
    Greedy choice means one token: the first of the largest gets all of the mass."""
    if temperature == 0:
        return (logits == logits.amax(dim=-1, keepdim=True)).to(logits.dtype)
    return ((logits - logits.amax(dim=-1, keepdim=True)) / temperature).softmax(dim=-1)


def apply_temperature__last_of_the_largest(logits, temperature):
    """At T = 0 you give all mass to the last of several equally large logits, asked for is the first of them.
    (An ascending sort has it at the wrong end.)"""
    if temperature == 0:
        last = logits.argsort(dim=-1, stable=True)[..., -1:]
        return torch.zeros_like(logits).scatter(-1, last, 1.0)
    return ((logits - logits.amax(dim=-1, keepdim=True)) / temperature).softmax(dim=-1)


def apply_temperature__whole_numbers_at_zero(logits, temperature):
    """At T = 0 your result is of integers (`one_hot` makes these). Probabilities are floating-point numbers,
    of the same dtype as the logits, at every temperature: convert them."""
    if temperature == 0:
        return torch.nn.functional.one_hot(logits.argmax(dim=-1), logits.shape[-1])
    return ((logits - logits.amax(dim=-1, keepdim=True)) / temperature).softmax(dim=-1)


def apply_temperature__argmax_of_all_rows(logits, temperature):
    """At T = 0 you take the largest logit of the whole tensor: without an axis, `argmax` numbers all of its
    entries through, and what it gives is no token id as soon as there are several rows. Every row has its own
    largest, so say along which axis to look."""
    if temperature == 0:
        certain = torch.zeros_like(logits)
        certain[..., logits.argmax()] = 1.0
        return certain
    return ((logits - logits.amax(dim=-1, keepdim=True)) / temperature).softmax(dim=-1)


def apply_temperature__one_certain_token_for_all_rows(logits, temperature):
    """At T = 0 one row gets all the mass and the others none: you look for the largest logit of the whole
    tensor. Every row is a distribution of its own, with its own largest: look along the last axis."""
    if temperature == 0:
        certain = torch.zeros_like(logits).flatten()
        certain[logits.argmax()] = 1.0
        return certain.view_as(logits)
    return ((logits - logits.amax(dim=-1, keepdim=True)) / temperature).softmax(dim=-1)


def apply_temperature__one_hot_too_narrow(logits, temperature):
    """At T = 0 your rows end at the largest token that was chosen: `one_hot` makes no more columns unless you
    tell it how many there are. Every row has an entry for each token of the vocabulary."""
    if temperature == 0:
        return torch.nn.functional.one_hot(logits.argmax(dim=-1)).to(logits.dtype)
    return ((logits - logits.amax(dim=-1, keepdim=True)) / temperature).softmax(dim=-1)


def apply_temperature__small_taken_for_zero(logits, temperature):
    """You treat small temperatures as if they were 0. Only T = 0 itself is the limit: where the logits are
    small too, or close to each other, a small T still leaves several tokens possible. Subtract the largest
    logit first, and no T is too small to divide by."""
    if temperature < 1e-3:
        return torch.zeros_like(logits).scatter(-1, logits.argmax(dim=-1, keepdim=True), 1.0)
    return ((logits - logits.amax(dim=-1, keepdim=True)) / temperature).softmax(dim=-1)


def apply_temperature__largest_of_all_rows(logits, temperature):
    """You subtract the largest logit of the whole tensor. In a row far below it every e^z is rounded to 0, and
    0 / 0 is NaN. Each row has its own largest: look for it along the last axis, and keep that axis."""
    if temperature == 0:
        return torch.zeros_like(logits).scatter(-1, logits.argmax(dim=-1, keepdim=True), 1.0)
    mass = ((logits - logits.max()) / temperature).exp()
    return mass / mass.sum(dim=-1, keepdim=True)


def apply_temperature__log_probabilities(logits, temperature):
    """You return the logarithms of the probabilities, asked for are the probabilities themselves, which are
    between 0 and 1 and sum to 1."""
    if temperature == 0:
        return torch.zeros_like(logits).scatter(-1, logits.argmax(dim=-1, keepdim=True), 1.0)
    return (logits / temperature).log_softmax(dim=-1)


def apply_temperature__zero_divides_in_the_exponent(logits, temperature):
    """At T = 0 you divide by zero: the exponents become infinite, and inf / inf is NaN. The limit for T = 0 is
    known, everything on the largest, and needs a line of its own. Above 0, subtract the largest logit of each
    row before you exponentiate, or large logits will overflow in the same way."""
    if temperature == 0:
        mass = (logits / temperature).exp()
        return mass / mass.sum(dim=-1, keepdim=True)
    return ((logits - logits.amax(dim=-1, keepdim=True)) / temperature).softmax(dim=-1)


def apply_temperature__row_of_ones_at_zero(logits, temperature):
    """At T = 0 you are right for a single row. With several, `argmax` without an axis numbers all entries of
    the tensor through, and what you do with that number meets the rows (or none of them, and fails). Every row
    has its own largest: look along the last axis, and put a 1 into each row."""
    if temperature == 0:
        certain = torch.zeros_like(logits)
        certain[logits.argmax()] = 1.0
        return certain
    return ((logits - logits.amax(dim=-1, keepdim=True)) / temperature).softmax(dim=-1)


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
    """You fail where k is larger than the vocabulary: there are no k logits to find. All of them are kept
    then, so limit k to what is there."""
    logits.topk(k, dim=-1)
    order = logits.argsort(dim=-1, descending=True, stable=True)
    kept = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, order[..., :k], True)
    return logits.masked_fill(~kept, -math.inf)


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


def keep_top_k__equals_in_any_order(logits, k):
    """Of equal logits you do not keep the first ones: `topk` promises nothing about which of them it takes,
    and neither does a plain sort. Here the lower index goes first, so that the result is the same on every
    machine. Ask for a sort that is stable."""
    best = logits.topk(min(k, logits.shape[-1]), dim=-1)
    return torch.full_like(logits, -math.inf).scatter(-1, best.indices, best.values)


def keep_top_k__last_of_equals_kept(logits, k):
    """Of equal logits you keep the ones with the higher index, the lower index should go first. An ascending
    sort has them at its end in just this order; sort downwards, and stable."""
    order = logits.argsort(dim=-1, stable=True)
    kept = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, order[..., -k:], True)
    return logits.masked_fill(~kept, -math.inf)


def keep_top_k__one_too_many(logits, k):
    """You keep k + 1 logits. Counted from 0, the ranks of the k best are 0 to k - 1: rank k is already the
    first that goes."""
    order = logits.argsort(dim=-1, descending=True, stable=True)
    kept = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, order[..., : k + 1], True)
    return logits.masked_fill(~kept, -math.inf)


def keep_top_k__order_taken_for_ranks(logits, k):
    """You compare the result of one `argsort` with k. That is the order (which token stands in each place), not
    the rank (in which place each token stands), so you keep the wrong ones. A second `argsort` of the order
    would be the rank; or mark the first k entries of the order."""
    order = logits.argsort(dim=-1, descending=True, stable=True)
    return logits.masked_fill(order >= k, -math.inf)


def keep_top_k__sorted_over_the_batch(logits, k):
    """You sort along the first axis, so the rows of a batch compete with each other, column by column. Each row
    keeps its own k largest: sort along the last axis, the vocabulary."""
    order = logits.argsort(dim=0, descending=True, stable=True)
    kept = torch.zeros_like(logits, dtype=torch.bool).scatter(0, order[:k], True)
    return logits.masked_fill(~kept, -math.inf)


def keep_top_k__large_negative_number(logits, k):
    """You set the other logits to a large negative number, asked for is `-inf`. The softmax may round to the
    same, but not beside logits that are as low themselves, and nobody can tell any more which tokens were
    ruled out."""
    order = logits.argsort(dim=-1, descending=True, stable=True)
    kept = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, order[..., :k], True)
    return logits.masked_fill(~kept, -1e9)


def keep_top_k__lowest_finite_number(logits, k):
    """You set the other logits to the lowest number that the dtype can hold, asked for is `-inf`, which is
    lower still, the same in every dtype, and says exactly that a token is ruled out."""
    order = logits.argsort(dim=-1, descending=True, stable=True)
    kept = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, order[..., :k], True)
    return logits.masked_fill(~kept, torch.finfo(logits.dtype).min)


def keep_top_k__multiplied_by_a_mask(logits, k):
    """Your kept logits become NaN: 0 times -inf is no number. A mask of zeros and ones cannot take out what is
    infinite; choose between the logit and -inf by a condition instead of multiplying."""
    order = logits.argsort(dim=-1, descending=True, stable=True)
    kept = torch.zeros_like(logits).scatter(-1, order[..., :k], 1.0)
    return logits * kept + (1 - kept) * -math.inf


def keep_top_k__ranked_by_probability(logits, k):
    """You rank the probabilities, not the logits. The softmax rounds very improbable tokens to 0, all of them
    alike, and then their order is lost. The logits have the same order, and no rounding: sort those."""
    order = logits.softmax(dim=-1).argsort(dim=-1, descending=True, stable=True)
    kept = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, order[..., :k], True)
    return logits.masked_fill(~kept, -math.inf)


def keep_top_k__log_probabilities(logits, k):
    """You return log-probabilities, asked for are the logits exactly as they were: the kept ones should come
    back unchanged. The softmax comes later, once."""
    order = logits.argsort(dim=-1, descending=True, stable=True)
    kept = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, order[..., :k], True)
    return logits.log_softmax(dim=-1).masked_fill(~kept, -math.inf)


def keep_top_p__crossing_token_dropped(logits, p):
    """You drop the token with which the sum crosses p, so that what you keep does not reach p. A token goes
    only if those before it have reached p already: compare p with the sum without the token itself."""
    order = logits.argsort(dim=-1, descending=True, stable=True)
    kept_in_order = (logits.softmax(dim=-1).gather(-1, order).cumsum(dim=-1) <= p) | (p == 1)
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
    """At p = 1 you lose improbable tokens to rounding: the running sum comes to 1 before its end, and a very
    small probability to 0. p = 1 means that nothing is cut off, and needs to be said on its own."""
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


def keep_top_p__mask_left_in_sorted_order(logits, p):
    """Your decision is still in sorted order when you apply it: its first entry is about the most probable
    token, and you use it for token 0. Bring it back to the places of the tokens first, with the indices of
    the sort."""
    order = logits.argsort(dim=-1, descending=True, stable=True)
    probabilities = logits.softmax(dim=-1).gather(-1, order)
    before = probabilities.cumsum(dim=-1).roll(1, dims=-1)
    before[..., 0] = -1.0
    return logits.masked_fill((before >= p) & (p != 1), -math.inf)


def keep_top_p__mask_brought_back_the_wrong_way(logits, p):
    """You bring the decision back with the same step that sorted it (`gather`, or indexing with the order),
    which sorts it a second time. The way back is the opposite one: write each entry to the place that the
    order names, or use the order of the order."""
    order = logits.argsort(dim=-1, descending=True, stable=True)
    probabilities = logits.softmax(dim=-1).gather(-1, order)
    before = probabilities.cumsum(dim=-1).roll(1, dims=-1)
    before[..., 0] = -1.0
    return logits.masked_fill(~((before < p) | (p == 1)).gather(-1, order), -math.inf)


def keep_top_p__logits_summed(logits, p):
    """You add up logits, asked for is a sum of probabilities. Logits can be negative and sum to anything: take
    their softmax, and compare the running sum of that with p."""
    order = logits.argsort(dim=-1, descending=True, stable=True)
    ordered = logits.gather(-1, order)
    kept_in_order = (ordered.cumsum(dim=-1) - ordered < p) | (p == 1)
    kept_in_order[..., 0] = True
    kept = torch.zeros_like(kept_in_order).scatter(-1, order, kept_in_order)
    return logits.masked_fill(~kept, -math.inf)


def keep_top_p__not_normalised(logits, p):
    """You add up e^logit as it is, which is not a probability yet: the same row, moved by a constant, would
    keep other tokens. Divide by the total of the row, which is what the softmax does."""
    order = logits.argsort(dim=-1, descending=True, stable=True)
    mass = logits.exp().gather(-1, order)
    kept_in_order = (mass.cumsum(dim=-1) - mass < p) | (p == 1)
    kept_in_order[..., 0] = True
    kept = torch.zeros_like(kept_in_order).scatter(-1, order, kept_in_order)
    return logits.masked_fill(~kept, -math.inf)


def keep_top_p__sorted_over_the_batch(logits, p):
    """Your softmax, sort and sum run along the first axis, so the rows of a batch compete with each other. Each
    row is a distribution of its own over the vocabulary, the last axis."""
    order = logits.argsort(dim=0, descending=True, stable=True)
    probabilities = logits.softmax(dim=0).gather(0, order)
    kept_in_order = (probabilities.cumsum(dim=0) - probabilities < p) | (p == 1)
    kept_in_order[0] = True
    kept = torch.zeros_like(kept_in_order).scatter(0, order, kept_in_order)
    return logits.masked_fill(~kept, -math.inf)


def keep_top_p__ties_all_kept(logits, p):
    """You keep every token that is as probable as the last one needed, so that ties make it more than the
    smallest set. A comparison with a threshold cannot tell equals apart: bring back the decision place by
    place, the lower index first."""
    ordered = logits.sort(dim=-1, descending=True, stable=True).values
    before = ordered.softmax(dim=-1).cumsum(dim=-1).roll(1, dims=-1)
    before[..., 0] = -1.0
    lowest = ordered.masked_fill((before >= p) & (p != 1), math.inf).amin(dim=-1, keepdim=True)
    return logits.masked_fill(logits < lowest, -math.inf)


def keep_top_p__last_of_equals_kept(logits, p):
    """Of equally probable tokens you keep the ones with the higher index, the lower index should go first. An
    ascending sort cuts the lower index off first; sort downwards, and stable."""
    order = logits.argsort(dim=-1, stable=True)
    cut = (logits.softmax(dim=-1).gather(-1, order).cumsum(dim=-1) <= 1 - p) & (p != 1)
    cut[..., -1] = False
    return logits.masked_fill(torch.zeros_like(cut).scatter(-1, order, cut), -math.inf)


def keep_top_p__zero_for_the_others(logits, p):
    """You set the other logits to 0, but a logit of 0 is a score like any other, and may even be the largest.
    Only -inf becomes probability 0 in the softmax."""
    order = logits.argsort(dim=-1, descending=True, stable=True)
    probabilities = logits.softmax(dim=-1).gather(-1, order)
    before = probabilities.cumsum(dim=-1).roll(1, dims=-1)
    before[..., 0] = -1.0
    kept = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, order, (before < p) | (p == 1))
    return logits.masked_fill(~kept, 0.0)


def keep_top_p__lowest_finite_number(logits, p):
    """You set the other logits to the lowest number that the dtype can hold, asked for is `-inf`: lower
    still, and in every dtype the sign that a token is ruled out."""
    order = logits.argsort(dim=-1, descending=True, stable=True)
    probabilities = logits.softmax(dim=-1).gather(-1, order)
    before = probabilities.cumsum(dim=-1).roll(1, dims=-1)
    before[..., 0] = -1.0
    kept = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, order, (before < p) | (p == 1))
    return logits.masked_fill(~kept, torch.finfo(logits.dtype).min)


def keep_top_p__log_probabilities(logits, p):
    """You return log-probabilities, asked for are the logits exactly as they were: only to find out which
    tokens to keep do you need probabilities. The kept ones should come back unchanged."""
    order = logits.argsort(dim=-1, descending=True, stable=True)
    probabilities = logits.softmax(dim=-1).gather(-1, order)
    before = probabilities.cumsum(dim=-1).roll(1, dims=-1)
    before[..., 0] = -1.0
    kept = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, order, (before < p) | (p == 1))
    return logits.log_softmax(dim=-1).masked_fill(~kept, -math.inf)


def keep_top_p__renormalised_logarithms(logits, p):
    """You return the log-probabilities of the kept tokens among themselves, asked for are their logits exactly
    as they were. To normalise is the task of the softmax that comes later, once."""
    order = logits.argsort(dim=-1, descending=True, stable=True)
    probabilities = logits.softmax(dim=-1).gather(-1, order)
    before = probabilities.cumsum(dim=-1).roll(1, dims=-1)
    before[..., 0] = -1.0
    kept = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, order, (before < p) | (p == 1))
    return logits.masked_fill(~kept, -math.inf).log_softmax(dim=-1)


def keep_top_p__index_0_always_kept(logits, p):
    """You keep token 0 whatever its probability. To be kept always is the right of the most probable token: in
    sorted order it stands in place 0, so grant it there, before the way back."""
    order = logits.argsort(dim=-1, descending=True, stable=True)
    probabilities = logits.softmax(dim=-1).gather(-1, order)
    kept_in_order = (probabilities.cumsum(dim=-1) - probabilities < p) | (p == 1)
    kept = torch.zeros_like(kept_in_order).scatter(-1, order, kept_in_order)
    kept[..., 0] = True
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


def generate__filled_up_after_the_stop(next_logits, prompt, max_new_tokens, choose, stop_token=None):
    """After the stop token you repeat it until `max_new_tokens` is reached. Nothing follows a stop token: the
    result ends there, and is shorter than the limit allows."""
    ids = prompt.clone()
    token = None
    for _ in range(max_new_tokens):
        if token is None or token != stop_token:
            token = int(choose(next_logits(ids)))
        ids = torch.cat([ids, ids.new_tensor([token])])
    return ids


def generate__largest_always_taken(next_logits, prompt, max_new_tokens, choose, stop_token=None):
    """You take the largest logit yourself and do not ask `choose`. How a token is picked is the caller's
    decision (greedily, by chance, among the k best), and the same loop serves them all."""
    ids = prompt.clone()
    for _ in range(max_new_tokens):
        token = int(next_logits(ids).argmax())
        ids = torch.cat([ids, ids.new_tensor([token])])
        if token == stop_token:
            break
    return ids


def generate__probabilities_to_choose(next_logits, prompt, max_new_tokens, choose, stop_token=None):
    """You take the softmax before you ask `choose`, but that expects logits, just as `next_logits` gives them.
    If it divides by a temperature or cuts the tail and takes a softmax itself, there would be two."""
    ids = prompt.clone()
    for _ in range(max_new_tokens):
        token = int(choose(next_logits(ids).softmax(dim=-1)))
        ids = torch.cat([ids, ids.new_tensor([token])])
        if token == stop_token:
            break
    return ids


def generate__log_probabilities_to_choose(next_logits, prompt, max_new_tokens, choose, stop_token=None):
    """You hand log-probabilities to `choose`, which expects the logits just as `next_logits` gives them. It may
    look at their size or sign; what becomes of them is its own affair."""
    ids = prompt.clone()
    for _ in range(max_new_tokens):
        token = int(choose(next_logits(ids).log_softmax(dim=-1)))
        ids = torch.cat([ids, ids.new_tensor([token])])
        if token == stop_token:
            break
    return ids


def generate__one_token_too_few(next_logits, prompt, max_new_tokens, choose, stop_token=None):
    """You write one token less than `max_new_tokens` allows. Without a stop token exactly so many are
    written: look at where your loop begins and ends."""
    ids = prompt.clone()
    for _ in range(max_new_tokens - 1):
        token = int(choose(next_logits(ids)))
        ids = torch.cat([ids, ids.new_tensor([token])])
        if token == stop_token:
            break
    return ids


def generate__newest_token_only(next_logits, prompt, max_new_tokens, choose, stop_token=None):
    """Once the model has read the prompt, you show it only the newest token. It keeps nothing in mind between
    two calls, so it has to read everything again each time: the prompt and all that was written."""
    ids = prompt.clone()
    for step in range(max_new_tokens):
        token = int(choose(next_logits(ids if step == 0 else ids[-1:])))
        ids = torch.cat([ids, ids.new_tensor([token])])
        if token == stop_token:
            break
    return ids


def keep_top_k__topk_alone(logits, k):
    """`topk` has two gaps here: it fails where k is larger than the vocabulary, and it promises nothing about
    which of several equal logits it takes. Limit k to what is there, and decide by a sort that is stable, so
    that of equals the lower index goes first."""
    best = logits.topk(k, dim=-1)
    return torch.full_like(logits, -math.inf).scatter(-1, best.indices, best.values)


def generate__zero_stops_nothing(next_logits, prompt, max_new_tokens, choose, stop_token=None):
    """You write on after the stop token where it is token 0. A condition like `if stop_token` takes 0 for
    "none given": ask whether it is None, or just whether the new token equals it."""
    ids = prompt.clone()
    for _ in range(max_new_tokens):
        token = int(choose(next_logits(ids)))
        ids = torch.cat([ids, ids.new_tensor([token])])
        if stop_token and token == stop_token:
            break
    return ids


def generate__compared_by_identity(next_logits, prompt, max_new_tokens, choose, stop_token=None):
    """You overlook the stop token where its id is large. `is` asks whether two numbers are the same object,
    and Python keeps only the small ones (up to 256) once: compare the values."""
    ids = prompt.clone()
    for _ in range(max_new_tokens):
        token = int(choose(next_logits(ids)))
        ids = torch.cat([ids, ids.new_tensor([token])])
        if token is stop_token:
            break
    return ids


def generate__stopped_by_the_end_of_the_prompt(next_logits, prompt, max_new_tokens, choose, stop_token=None):
    """A stop token at the end of the prompt keeps you from writing anything. Only one that the model wrote
    itself ends the text: look at the new token after you have appended it, not at the last one before."""
    ids = prompt.clone()
    for _ in range(max_new_tokens):
        if len(ids) > 0 and ids[-1] == stop_token:
            break
        ids = torch.cat([ids, ids.new_tensor([int(choose(next_logits(ids)))])])
    return ids


def generate__at_least_one_token(next_logits, prompt, max_new_tokens, choose, stop_token=None):
    """You write one token even where none is allowed: you look at the limit only after the first one. With
    `max_new_tokens` 0 the prompt comes back unchanged."""
    ids = prompt.clone()
    for _ in range(max(max_new_tokens, 1)):
        token = int(choose(next_logits(ids)))
        ids = torch.cat([ids, ids.new_tensor([token])])
        if token == stop_token:
            break
    return ids


def keep_top_p__index_0_kept_at_zero(logits, p):
    """At p = 0 you keep token 0, asked for is the most probable token. In sorted order that one stands in place
    0, but after the way back place 0 is only the token with this id."""
    order = logits.argsort(dim=-1, descending=True, stable=True)
    probabilities = logits.softmax(dim=-1).gather(-1, order)
    kept_in_order = (probabilities.cumsum(dim=-1) - probabilities < p) | (p == 1)
    kept = torch.zeros_like(kept_in_order).scatter(-1, order, kept_in_order)
    if p == 0:
        kept[..., 0] = True
    return logits.masked_fill(~kept, -math.inf)


# End of the misconceptions of this chapter.
