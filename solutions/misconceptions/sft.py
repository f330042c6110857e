"""Plausible wrong answers to `nexttoken.sft`, and the sentence that each one earns.

`<exercise>__<what_is_wrong>`: the docstring is what a reader is told whose answer behaves the same.
"""

import math

import torch
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from nexttoken.attention import padding_mask


def render_dialogue__all_tokens_count(question, answer, bos, sep, eos):
    """Your mask is True everywhere, so that the model learns to ask as well as to answer. It should learn to
    write what the demonstration's author wrote: the answer, and where it ends."""
    ids = torch.tensor([bos, *question, sep, *answer, eos])
    return ids, torch.ones(len(ids), dtype=torch.bool)


def render_dialogue__question_marked(question, answer, bos, sep, eos):
    """You mark the question, and should mark the answer. The question is given: nobody will ask the model to
    write it."""
    ids = torch.tensor([bos, *question, sep, *answer, eos])
    place = torch.arange(len(ids))
    return ids, (place > 0) & (place <= len(question))


def render_dialogue__end_not_marked(question, answer, bos, sep, eos):
    """You leave `eos` out of the mask. Then nothing ever teaches the model to stop, and it goes on after the
    answer, with another question perhaps. To end is the last word of an answer."""
    ids = torch.tensor([bos, *question, sep, *answer, eos])
    place = torch.arange(len(ids))
    return ids, (place > len(question) + 1) & (place < len(ids) - 1)


def render_dialogue__separator_marked(question, answer, bos, sep, eos):
    """Your mask begins one too early, at the separator. It stands before the answer because we put it there;
    the model need not learn to write it. `bos` and the question and `sep` are `len(question) + 2` tokens."""
    ids = torch.tensor([bos, *question, sep, *answer, eos])
    return ids, torch.arange(len(ids)) > len(question)


def render_dialogue__marked_where_it_is_guessed(question, answer, bos, sep, eos):
    """You mark the places from which the answer is guessed, one before each of its tokens. Mark the tokens
    themselves: that a token is guessed from the place before it is the business of `answer_loss`, and shifted
    twice is wrong."""
    ids = torch.tensor([bos, *question, sep, *answer, eos])
    place = torch.arange(len(ids))
    return ids, (place > len(question)) & (place < len(ids) - 1)


def render_dialogue__searches_for_the_separator(question, answer, bos, sep, eos):
    """You find the answer by searching for the first `sep` in the row. A question may hold that id too, and
    then half of it is taken for the answer. You need not search: you know how long the question is."""
    row = [bos, *question, sep, *answer, eos]
    return torch.tensor(row), torch.arange(len(row)) > row.index(sep)


def render_dialogue__end_missing(question, answer, bos, sep, eos):
    """Your row has no `eos` at its end. The model could never learn where an answer is over."""
    ids = torch.tensor([bos, *question, sep, *answer])
    return ids, torch.arange(len(ids)) > len(question) + 1


def render_dialogue__beginning_missing(question, answer, bos, sep, eos):
    """Your row begins with the question, and should begin with `bos`: every token is guessed from the one
    before, and so the first one too needs something before it."""
    ids = torch.tensor([*question, sep, *answer, eos])
    return ids, torch.arange(len(ids)) > len(question)


def render_dialogue__mask_of_numbers(question, answer, bos, sep, eos):
    """Your mask is made of the numbers 0 and 1. A mask is of booleans: `ids[mask]` with numbers looks up rows
    0 and 1, again and again, and says nothing. Add `dtype=torch.bool`, or compare."""
    ids = torch.tensor([bos, *question, sep, *answer, eos])
    return ids, torch.tensor([0] * (len(question) + 2) + [1] * (len(answer) + 1))


def render_dialogue__changes_the_question(question, answer, bos, sep, eos):
    """You write into the caller's lists: after your call the question has grown. `row = question` copies
    nothing, it is a second name for the same list. Build a new one: `[bos, *question, sep, ...]`."""
    row, length = question, len(question)
    row.insert(0, bos)
    row += [sep, *answer, eos]
    return torch.tensor(row), torch.arange(len(row)) > length + 1


def pad_batch__filled_on_the_left(sequences, pad):
    """You fill up on the left. For generating, that is often done, so that all rows end together; here a row
    begins at position 0, and the padding comes after it."""
    time = max(len(s) for s in sequences)
    ids = torch.stack([functional.pad(s, (time - len(s), 0), value=pad) for s in sequences])
    return ids, padding_mask(torch.tensor([len(s) for s in sequences]), time).flip(-1)


def pad_batch__real_is_what_differs_from_pad(sequences, pad):
    """You look for `pad` in the finished rows. A real token may have the same id (many models pad with
    `eos`), and then the end of an answer is never learned. You know the lengths: make the mask of them."""
    ids = pad_sequence(sequences, batch_first=True, padding_value=pad)
    return ids, ids != pad


def pad_batch__cut_to_the_shortest(sequences, pad):
    """You cut all rows to the length of the shortest. Nothing needs padding then, and the ends of all other
    rows are lost. As long as the longest it should be."""
    time = min(len(s) for s in sequences)
    ids = torch.stack([s[:time] for s in sequences])
    return ids, torch.ones(ids.shape, dtype=torch.bool)


def pad_batch__mask_turned_round(sequences, pad):
    """Your mask is True at the padding. In this course True means that something counts: the real tokens."""
    ids = pad_sequence(sequences, batch_first=True, padding_value=pad)
    return ids, ~padding_mask(torch.tensor([len(s) for s in sequences]), ids.shape[1])


def pad_batch__filled_with_zeros(sequences, pad):
    """You fill up with 0 and never use `pad`. In many vocabularies 0 is a word; the caller says which id
    means nothing."""
    ids = pad_sequence(sequences, batch_first=True)
    return ids, padding_mask(torch.tensor([len(s) for s in sequences]), ids.shape[1])


def pad_batch__time_first(sequences, pad):
    """Your ids are `time batch`: each sequence stands in a column. That is the custom of torch's recurrent
    networks, and what `pad_sequence` gives unless it is told `batch_first=True`."""
    ids = pad_sequence(sequences, padding_value=pad)
    return ids, padding_mask(torch.tensor([len(s) for s in sequences]), len(ids))


def pad_batch__one_longer_than_needed(sequences, pad):
    """Your rows are one longer than the longest sequence, so that there is a column of padding alone. What
    nobody needs is computed all the same."""
    time = max(len(s) for s in sequences) + 1
    ids = torch.stack([functional.pad(s, (0, time - len(s)), value=pad) for s in sequences])
    return ids, padding_mask(torch.tensor([len(s) for s in sequences]), time)


def answer_loss__not_shifted(logits, ids, is_answer):
    """You compare the logits at a position with the token at the same position, which the model has just
    read: it is asked to repeat, and will do so perfectly. The logits at t are a guess at token t + 1: compare
    `logits[:, :-1]` with `ids[:, 1:]`."""
    guesses, tokens = logits[is_answer], ids[is_answer]
    return functional.cross_entropy(guesses, tokens, reduction="sum") / is_answer.sum().clamp(min=1)


def answer_loss__shifted_the_wrong_way(logits, ids, is_answer):
    """You shift in the wrong direction: the logits at t are asked for the token *before*. They are a guess at
    the token after: `logits[:, :-1]` belongs to `ids[:, 1:]`."""
    counts = is_answer[:, :-1]
    guesses, tokens = logits[:, 1:][counts], ids[:, :-1][counts]
    return functional.cross_entropy(guesses, tokens, reduction="sum") / counts.sum().clamp(min=1)


def answer_loss__mask_not_shifted(logits, ids, is_answer):
    """Logits and ids are shifted rightly, and the mask is not. It belongs to the tokens, so it moves as they
    do: `is_answer[:, 1:]`. With yours the first word of every answer is never learned, and what comes after
    `eos` is."""
    counts = is_answer[:, :-1]
    guesses, tokens = logits[:, :-1][counts], ids[:, 1:][counts]
    return functional.cross_entropy(guesses, tokens, reduction="sum") / counts.sum().clamp(min=1)


def answer_loss__all_tokens_count(logits, ids, is_answer):
    """All tokens count in your loss: the question, and the padding too. The model then learns to ask, and
    most of all to write padding. Only where `is_answer` is True does a token count."""
    return functional.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten())


def answer_loss__mean_of_the_rows_means(logits, ids, is_answer):
    """You take the mean of each row first, and then the mean of these. A token of a short answer then weighs
    more than one of a long answer. Here every token of an answer weighs the same: one sum, one count."""
    counts = is_answer[:, 1:]
    losses = functional.cross_entropy(logits[:, :-1].mT, ids[:, 1:], reduction="none")
    losses = torch.where(counts, losses, 0.0).sum(dim=1) / counts.sum(dim=1).clamp(min=1)
    return losses.sum() / counts.any(dim=1).sum().clamp(min=1)


def answer_loss__divided_by_all_places(logits, ids, is_answer):
    """Your sum is right, and you divide it by the number of *all* places. The longer the questions and the
    padding, the smaller your loss, though no answer got better. Divide by how many tokens count."""
    counts = is_answer[:, 1:]
    losses = functional.cross_entropy(logits[:, :-1].mT, ids[:, 1:], reduction="none")
    return torch.where(counts, losses, 0.0).sum() / max(1, counts.numel())


def answer_loss__marks_at_the_beginning_counted(logits, ids, is_answer):
    """You divide by the number of all marks, also of those at position 0. Nothing comes before position 0, so
    that no guess at it is in your sum; nor may it be in the count."""
    counts = is_answer[:, 1:]
    guesses, tokens = logits[:, :-1][counts], ids[:, 1:][counts]
    return functional.cross_entropy(guesses, tokens, reduction="sum") / is_answer.sum().clamp(min=1)


def answer_loss__first_guessed_from_the_last(logits, ids, is_answer):
    """You roll the logits round, so that the token at position 0 is guessed from the *last* position, which
    has read the whole row. Nothing comes before position 0: leave it out."""
    guesses, tokens = logits.roll(1, dims=1)[is_answer], ids[is_answer]
    return functional.cross_entropy(guesses, tokens, reduction="sum") / is_answer.sum().clamp(min=1)


def answer_loss__nan_where_nothing_counts(logits, ids, is_answer):
    """Where nothing counts you give NaN: the mean of nothing is 0 / 0. One batch without an answer, and all
    weights of the model are NaN. Then the loss is 0: divide by at least 1, `.clamp(min=1)`."""
    counts = is_answer[:, 1:]
    return functional.cross_entropy(logits[:, :-1][counts], ids[:, 1:][counts])


def answer_loss__zero_times_infinity(logits, ids, is_answer):
    """You compute the surprise everywhere and multiply by the mask. Where a token that does not count is
    impossible its surprise is infinite, and 0 times infinity is NaN. Choose with the mask, `losses[counts]`
    or `torch.where`, instead of multiplying."""
    counts = is_answer[:, 1:]
    losses = functional.cross_entropy(logits[:, :-1].mT, ids[:, 1:], reduction="none")
    return (losses * counts).sum() / counts.sum().clamp(min=1)


def answer_loss__logarithm_of_a_probability(logits, ids, is_answer):
    """You compute the probability first and its logarithm afterwards. A probability of e^-1000 is 0 in the
    computer, and its logarithm minus infinity. `log_softmax` does both at once and stays finite."""
    counts = is_answer[:, 1:]
    guesses, tokens = logits[:, :-1][counts], ids[:, 1:][counts]
    chances = guesses.softmax(dim=-1).gather(-1, tokens.unsqueeze(-1))
    return -chances.log().sum() / counts.sum().clamp(min=1)


def answer_loss__sum(logits, ids, is_answer):
    """You give the sum, and should give the mean over the tokens that count. With a sum a batch of long
    answers takes longer steps."""
    counts = is_answer[:, 1:]
    return functional.cross_entropy(logits[:, :-1][counts], ids[:, 1:][counts], reduction="sum")


def answer_loss__sign_forgotten(logits, ids, is_answer):
    """Your loss has the wrong sign: a log-probability is negative, a loss is its opposite. Making yours small
    would make the right answers impossible."""
    counts = is_answer[:, 1:]
    guesses, tokens = logits[:, :-1][counts], ids[:, 1:][counts]
    return -functional.cross_entropy(guesses, tokens, reduction="sum") / counts.sum().clamp(min=1)


def answer_loss__not_normalised(logits, ids, is_answer):
    """You take the logits themselves for log-probabilities. They are scores, which sum to nothing in
    particular; `log_softmax` over the vocabulary makes log-probabilities of them."""
    counts = is_answer[:, 1:]
    guesses, tokens = logits[:, :-1][counts], ids[:, 1:][counts]
    return -guesses.gather(-1, tokens.unsqueeze(-1)).sum() / counts.sum().clamp(min=1)


def relative_change__mean_of_the_tensors_changes(before, after):
    """You compute one ratio for each tensor, and their mean. A bias of three numbers then counts as much as a
    matrix of a million. All numbers together are one long vector."""
    ratios = [
        ((after[n] - old).norm() / old.norm()).nan_to_num(nan=0.0, posinf=math.inf).item()
        for n, old in before.items()
    ]
    return sum(ratios) / max(1, len(ratios))


def relative_change__norms_added_up(before, after):
    """You add the tensors' norms up. The norm of all together is smaller: square each, add, and take the root
    of the sum, as with the sides of a triangle."""
    moved = sum((after[name] - old).norm().item() for name, old in before.items())
    size = sum(old.norm().item() for old in before.values())
    return 0.0 if moved == 0 else moved / size if size else math.inf


def relative_change__as_a_share_of_the_new_weights(before, after):
    """You divide by the norm of the new weights. What is asked is how far the old ones had to go, as a share
    of what they were: divide by the norm of `before`."""
    moved = math.hypot(*((after[name] - old).norm().item() for name, old in before.items()))
    size = math.hypot(*(new.norm().item() for new in after.values()))
    return 0.0 if moved == 0 else moved / size if size else math.inf


def relative_change__squares(before, after):
    """Your result is the square of the right one: you divide sums of squares, and forget the root. A change
    of one per cent looks like one in ten thousand."""
    moved = sum((after[name] - old).square().sum().item() for name, old in before.items())
    size = sum(old.square().sum().item() for old in before.values())
    return 0.0 if moved == 0 else moved / size if size else math.inf


def relative_change__absolute_values(before, after):
    """You add up absolute values. That is a norm too, the 1-norm; asked for is the usual one, the root of the
    sum of the squares."""
    moved = sum((after[name] - old).abs().sum().item() for name, old in before.items())
    size = sum(old.abs().sum().item() for old in before.values())
    return 0.0 if moved == 0 else moved / size if size else math.inf


def relative_change__difference_of_the_norms(before, after):
    """You compare how *long* the two are. Weights that turn into their opposites have moved very far and are
    as long as before. Subtract first, and take the norm of the difference."""
    size = math.hypot(*(old.norm().item() for old in before.values()))
    moved = abs(math.hypot(*(new.norm().item() for new in after.values())) - size)
    return 0.0 if moved == 0 else moved / size if size else math.inf


def relative_change__matched_by_their_order(before, after):
    """You pair the tensors by their order in the two dictionaries. They need not be in the same order; their
    names say which belong together: `after[name]`."""
    moved = math.hypot(*((n - o).norm().item() for o, n in zip(before.values(), after.values(), strict=True)))
    size = math.hypot(*(old.norm().item() for old in before.values()))
    return 0.0 if moved == 0 else moved / size if size else math.inf


def relative_change__nan_for_nothing(before, after):
    """From all 0 to all 0 you give NaN: that is 0 / 0. Nothing has moved, so the change is 0."""
    moved = math.hypot(*((after[name] - old).norm().item() for name, old in before.items()))
    size = math.hypot(*(old.norm().item() for old in before.values()))
    return (torch.tensor(moved) / torch.tensor(size)).item()


def relative_change__divides_by_zero(before, after):
    """You divide by the norm of `before`, which may be 0: the matrix b of LoRA begins so. If nothing moved
    the change is 0, else `math.inf`."""
    moved = math.hypot(*((after[name] - old).norm().item() for name, old in before.items()))
    return moved / math.hypot(*(old.norm().item() for old in before.values()))


def relative_change__a_little_added(before, after):
    """You add a small number to the norm, to be safe from 0. Small weights are then no longer compared with
    themselves, and a change from 0 looks finite. Ask whether the norm is 0."""
    moved = math.hypot(*((after[name] - old).norm().item() for name, old in before.items()))
    return moved / (math.hypot(*(old.norm().item() for old in before.values())) + 1e-8)


def relative_change__changes_the_weights(before, after):
    """You subtract inside the caller's tensors: afterwards `after` holds differences, and the model is
    broken. `-=` and names that end in `_` write into a tensor; `after[name] - before[name]` makes a new one."""
    size = math.hypot(*(old.norm().item() for old in before.values()))
    for name, old in before.items():
        after[name] -= old
    moved = math.hypot(*(new.norm().item() for new in after.values()))
    return 0.0 if moved == 0 else moved / size if size else math.inf


def effective_rank__not_squared(delta, energy=0.9):
    """You add up the singular values themselves. Their *squares* sum to the matrix's squared norm, and so it
    is squares that are shares of a whole. Yours counts too many directions."""
    held = torch.linalg.svdvals(delta).cumsum(dim=0)
    held = torch.cat([held.new_zeros(1), held])
    return int((held < energy * held[-1]).sum())


def effective_rank__one_too_few(delta, energy=0.9):
    """You count the sums that do *not* yet reach the share, and give that number: one too few. If the first
    two do not suffice it takes three. Begin your sums with 0, for no direction at all, and the count is
    right."""
    held = torch.linalg.svdvals(delta).square().cumsum(dim=0)
    return int((held < energy * held[-1]).sum()) if len(held) else 0


def effective_rank__at_least_one(delta, energy=0.9):
    """Your rank is never less than 1. A matrix of zeros does nothing in any direction: its rank is 0, and a
    share of 0 needs no direction either."""
    held = torch.linalg.svdvals(delta).square().cumsum(dim=0)
    return max(1, int((torch.cat([held.new_zeros(1), held]) < energy * held[-1]).sum()))


def effective_rank__all_that_are_not_zero(delta, energy=0.9):
    """You count all singular values that are not 0, whatever `energy` says. After training hardly any is
    exactly 0, so that every matrix seems to use all its directions; most of them carry next to nothing."""
    return int(torch.linalg.matrix_rank(delta)) if delta.numel() else 0


def effective_rank__always_nine_tenths(delta, energy=0.9):
    """You use 0.9, whatever `energy` is. It is only the default."""
    held = torch.linalg.svdvals(delta).square().cumsum(dim=0)
    held = torch.cat([held.new_zeros(1), held])
    return int((held < 0.9 * held[-1]).sum())


def effective_rank__from_the_smallest(delta, energy=0.9):
    """You add the singular values up from the smallest. That gives the *most* of them that one could need.
    Begin with the largest, the first that `svdvals` gives."""
    held = torch.linalg.svdvals(delta).flip(0).square().cumsum(dim=0)
    held = torch.cat([held.new_zeros(1), held])
    return int((held < energy * held[-1]).sum())


def effective_rank__compared_with_the_largest(delta, energy=0.9):
    """You count the singular values that are not small beside the largest. Many small ones can hold much
    together: look at the share of the sum that the first k hold."""
    values = torch.linalg.svdvals(delta)
    return int((values > (1 - energy) * values.max()).sum())


def effective_rank__more_than_the_share(delta, energy=0.9):
    """You want *more* than the share, so that directions which hold exactly half do not pass for half. To
    reach it is enough: count the sums that are smaller, `<`, not `<=`."""
    held = torch.linalg.svdvals(delta).square().cumsum(dim=0)
    if len(held) == 0 or held[-1] == 0 or energy == 0:
        return 0
    return min(len(held), 1 + int((held <= energy * held[-1]).sum()))


def effective_rank__eigenvalues(delta, energy=0.9):
    """You take eigenvalues. A matrix that is not square has none, and one that only shears has none but 0 or
    1 and yet acts. Singular values say how far a matrix stretches in each direction."""
    values = torch.linalg.eigvals(delta).abs().sort(descending=True).values
    held = values.square().cumsum(dim=0)
    held = torch.cat([held.new_zeros(1), held])
    return int((held < energy * held[-1]).sum())


def lora_linear__scale_forgotten(x, weight, a, b, alpha):
    """You forget the factor alpha / r, and `alpha` has no effect."""
    return x @ weight.T + x @ a.T @ b.T


def lora_linear__not_divided_by_the_rank(x, weight, a, b, alpha):
    """You multiply by alpha alone. Divided by the rank, a wider change begins no stronger than a narrow one,
    so that the learning rate need not be found anew for every rank."""
    return x @ weight.T + alpha * (x @ a.T @ b.T)


def lora_linear__divided_by_the_root_of_the_rank(x, weight, a, b, alpha):
    """You divide by the *root* of the rank. That is a later proposal, rank-stabilised LoRA, and a good one for
    large ranks; the formula asked for divides by the rank itself."""
    return x @ weight.T + alpha / math.sqrt(len(a)) * (x @ a.T @ b.T)


def lora_linear__divided_by_the_inputs(x, weight, a, b, alpha):
    """You divide by the length of x. The rank is the *first* axis of `a`, its number of rows: `a` is `rank
    d_in`."""
    return x @ weight.T + alpha / a.shape[1] * (x @ a.T @ b.T)


def lora_linear__weight_not_transposed(x, weight, a, b, alpha):
    """You multiply by the weight as it stands. A weight is `d_out d_in`, as in torch.nn.Linear, so it is `x @
    weight.T`; only for square weights does the other way give anything at all."""
    return x @ weight + alpha / len(a) * (x @ a.T @ b.T)


def lora_linear__old_layer_missing(x, weight, a, b, alpha):
    """You give the change alone. What the model knew before is in `weight`: add `x @ weight.T`."""
    return alpha / len(a) * (x @ a.T @ b.T)


def lora_linear__everything_scaled(x, weight, a, b, alpha):
    """You scale the sum of both parts, the old layer too. With b = 0, as it begins, the layer must be exactly
    what it was; only the change is multiplied by alpha / r."""
    return alpha / len(a) * (x @ weight.T + x @ a.T @ b.T)


def lora_linear__one_after_the_other(x, weight, a, b, alpha):
    """You lead the old layer's *output* through the narrow one. Both read the same x, side by side, and what
    they give is added."""
    y = x @ weight.T
    return y + alpha / len(a) * (y @ a.T @ b.T)


def lora_linear__builds_the_product(x, weight, a, b, alpha):
    """You build B A first. That matrix is as large as the weight: with 4096 inputs and outputs and rank 8 it
    has 16.8 million numbers, a and b together 65 thousand, and the order of the products is all the saving
    there is. Multiply x by A first, then by B. (It was seen by numbers whose product is too large for a
    computer.)"""
    return x @ weight.T + alpha / len(a) * (x @ (b @ a).T)


def merge_lora__scale_forgotten(weight, a, b, alpha):
    """You forget the factor alpha / r, so that the merged layer does something else than the two did."""
    return weight + b @ a


def merge_lora__not_divided_by_the_rank(weight, a, b, alpha):
    """You multiply by alpha alone. It is alpha / r, with r the rows of `a`, as in `lora_linear`."""
    return weight + alpha * (b @ a)


def merge_lora__divided_by_the_root_of_the_rank(weight, a, b, alpha):
    """You divide by the *root* of the rank, as rank-stabilised LoRA does. Here, as in `lora_linear`, it is the
    rank itself."""
    return weight + alpha / math.sqrt(len(a)) * (b @ a)


def merge_lora__divided_by_the_inputs(weight, a, b, alpha):
    """You divide by the number of inputs. The rank is the number of *rows* of `a`."""
    return weight + alpha / a.shape[1] * (b @ a)


def merge_lora__transposed(weight, a, b, alpha):
    """You add the transposed product. `x @ A.T @ B.T` is `x @ (B A).T`, and a weight is what stands *before*
    the transposing: B A, which is `d_out d_in` like the weight."""
    return weight + alpha / len(a) * (a.T @ b.T)


def merge_lora__change_alone(weight, a, b, alpha):
    """You give the change alone. Merged is the sum: the weight as it was, and the change."""
    return alpha / len(a) * (b @ a)


def merge_lora__everything_scaled(weight, a, b, alpha):
    """You scale the sum of both, the old weight too. Only the change is multiplied by alpha / r."""
    return alpha / len(a) * (weight + b @ a)


def merge_lora__subtracted(weight, a, b, alpha):
    """You subtract the change. That is how it is taken out of a merged weight again; putting it in is adding."""
    return weight - alpha / len(a) * (b @ a)


def merge_lora__written_into_the_weight(weight, a, b, alpha):
    """You write into the weight that you were given: whoever wants to go on with the old model, or merge
    another change, has lost it. `weight + ...` makes a new one, `+=` does not."""
    with torch.no_grad():
        weight += alpha / len(a) * (b @ a)
    return weight


def trainable_fraction__tensors_counted(model):
    """You count tensors, and should count the numbers in them: a bias of 3 is not as much as a matrix of 3
    million. `p.numel()` says how many."""
    parameters = list(model.parameters())
    return sum(p.requires_grad for p in parameters) / max(1, len(parameters))


def trainable_fraction__shared_counted_twice(model):
    """You count a shared tensor as often as it is used. Tied embeddings, say, are one tensor with two names.
    `model.parameters()` gives each one once, if you do not tell it otherwise or collect them module by
    module."""
    parameters = [p for _, p in model.named_parameters(remove_duplicate=False)]
    return sum(p.numel() for p in parameters if p.requires_grad) / max(1, sum(p.numel() for p in parameters))


def trainable_fraction__buffers_counted(model):
    """You count buffers among the parameters. A running mean or a mask is kept with the model, but no gradient
    ever moves it; only `model.parameters()` are parameters."""
    total = sum(p.numel() for p in model.parameters()) + sum(b.numel() for b in model.buffers())
    return sum(p.numel() for p in model.parameters() if p.requires_grad) / max(1, total)


def trainable_fraction__the_frozen_ones(model):
    """You give the share of the *frozen* parameters. `requires_grad` is True for those that learn."""
    frozen = sum(p.numel() for p in model.parameters() if not p.requires_grad)
    return frozen / max(1, sum(p.numel() for p in model.parameters()))


def trainable_fraction__beside_the_frozen_ones(model):
    """You divide by the number of the frozen parameters. A share is a part of *all*: divide by all of them."""
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    return trainable / max(1, sum(p.numel() for p in model.parameters() if not p.requires_grad))


def trainable_fraction__per_cent(model):
    """You give per cent. A share of one half is 0.5."""
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    return 100 * trainable / max(1, sum(p.numel() for p in model.parameters()))


def trainable_fraction__divides_by_zero(model):
    """A model without parameters makes you divide by 0. None of its parameters learns: the share is 0."""
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    return trainable / sum(p.numel() for p in model.parameters())


def trainable_fraction__how_many(model):
    """You give how many parameters learn. Asked for is their share: divide by the number of all."""
    return float(sum(p.numel() for p in model.parameters() if p.requires_grad))


def trainable_fraction__asks_whether_it_trains(model):
    """You ask whether a module is in training mode. `model.eval()` only changes what dropout and its like do;
    whether a parameter moves is said by its own `requires_grad`."""
    total = sum(p.numel() for p in model.parameters())
    own = [p for m in model.modules() if m.training for p in m.parameters(recurse=False)]
    return sum({id(p): p.numel() for p in own}.values()) / max(1, total)


def trainable_fraction__asks_the_state_dict(model):
    """You ask the tensors of `state_dict()`. They are copies for saving, cut off from the gradients: not one
    of them requires any. Ask `model.parameters()`."""
    tensors = model.state_dict().values()
    return sum(t.numel() for t in tensors if t.requires_grad) / max(1, sum(t.numel() for t in tensors))


# End of the misconceptions of this chapter.
