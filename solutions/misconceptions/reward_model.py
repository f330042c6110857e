"""Plausible wrong answers to `nexttoken.reward_model`, and the sentence that each one earns.

`<exercise>__<what_is_wrong>`: the docstring is what a reader is told whose answer behaves the same.
"""

import math

import torch


def ranking_to_pairs__neighbours_only(ranking):
    """You pair each answer with the next one only: K - 1 pairs. A ranking says more. Who is first beats the
    third as well, and the fourth: all K (K - 1) / 2 pairs are known, and each teaches something."""
    return [(ranking[i], ranking[i + 1]) for i in range(len(ranking) - 1)]


def ranking_to_pairs__both_directions(ranking):
    """You list every pair in both directions, so that each answer is better than the other. Only (better,
    worse) is true: an answer is paired with those that come *after* it."""
    return [(one, other) for one in ranking for other in ranking if one != other]


def ranking_to_pairs__worse_first(ranking):
    """Your pairs are (worse, better). The best stands first in the ranking, and first in the pair; a loss that
    reads your pairs would learn to prefer what people like least."""
    return [(worse, better) for i, better in enumerate(ranking) for worse in ranking[i + 1 :]]


def ranking_to_pairs__sorted_by_number(ranking):
    """You sort the answers first, and so throw the ranking away. The numbers are only names of answers; which
    one is better is said by the order in which they stand."""
    names = sorted(ranking)
    return [(better, worse) for i, better in enumerate(names) for worse in names[i + 1 :]]


def ranking_to_pairs__places_instead_of_answers(ranking):
    """Your pairs hold places, 0 for the best, 1 for the second. Asked for are the answers that stand at these
    places: `ranking[i]`, not `i`."""
    return [(i, j) for i in range(len(ranking)) for j in range(i + 1, len(ranking))]


def ranking_to_pairs__read_as_places(ranking):
    """You read `ranking[i]` as the place that answer i won. It is the other way round: `ranking[i]` is the
    answer that won place i. Of [2, 0, 1], answer 2 is the best."""
    names = sorted(range(len(ranking)), key=ranking.__getitem__)
    return [(better, worse) for i, better in enumerate(names) for worse in names[i + 1 :]]


def ranking_to_pairs__with_oneself(ranking):
    """You pair every answer with itself too. No answer is better than itself: the second of a pair comes from
    *behind* the first."""
    return [(better, worse) for i, better in enumerate(ranking) for worse in ranking[i:]]


def ranking_to_pairs__only_the_best(ranking):
    """You pair only the best answer with the others. The second is better than the third as well: every answer
    is paired with all that come after it."""
    return [(ranking[0], worse) for worse in ranking[1:]]


def ranking_to_pairs__by_the_worse_one(ranking):
    """Your pairs are right, but they come in the order of the worse answer. Asked for are first the pairs of
    the best, then those of the second: the outer loop runs over the better one."""
    return [(ranking[i], ranking[j]) for j in range(len(ranking)) for i in range(j)]


def preference_probability__other_way_round(first, second):
    """You give the probability that the *second* is preferred. The first is likelier the larger its own reward
    is: it is sigma of first minus second."""
    return (second - first).sigmoid()


def preference_probability__without_exponentials(first, second):
    """You divide the first reward by the sum of both. That is Bradley and Terry's rule for strengths, which are
    positive. Rewards may be negative: a strength is e to the power of a reward."""
    return first / (first + second)


def preference_probability__overflows(first, second):
    """The formula is right, but e to the power of 1e4 is infinite for a computer, and infinity over infinity is
    not a number. Only the difference matters: `(first - second).sigmoid()` never overflows."""
    return first.exp() / (first.exp() + second.exp())


def preference_probability__first_alone(first, second):
    """You never look at the second reward. There is no such thing as a good reward in itself: 5 wins against 3,
    and loses against 8."""
    return first.sigmoid() + 0 * second


def preference_probability__certain(first, second):
    """You say 1 where the first reward is larger, and else 0. People are not that sure, nor do they agree: a
    small difference is nearly a coin. Without that nothing could be learned either, for a step has no
    slope."""
    return (first > second).to(first.dtype)


def preference_probability__logarithm(first, second):
    """You return the logarithm of the probability. That is what the loss needs; here it is the probability
    itself, between 0 and 1."""
    return torch.nn.functional.logsigmoid(first - second)


def preference_probability__shared_over_the_batch(first, second):
    """Your softmax runs along the batch, so that the pairs compete with each other. In each pair two answers
    compete: stack first and second, and take the softmax over these two."""
    return (first - second).softmax(dim=-1)


def preference_probability__as_in_chess(first, second):
    """You count in Elo's points, where 400 of them make the odds ten to one. The idea is the same, the unit is
    not: here one unit of reward multiplies the odds by e."""
    return 1 / (1 + 10 ** ((second - first) / 400))


def preference_probability__as_a_normal_distribution(first, second):
    """You use the normal distribution, as Thurstone did. That is a model of preferences too, and a close one; but
    Bradley and Terry's is the sigmoid, so that a difference of rewards is the logarithm of the odds."""
    return (1 + torch.erf((first - second) / math.sqrt(2))) / 2


def preference_loss__other_way_round(chosen, rejected):
    """You take rejected minus chosen, and so teach the model to give more to what people did *not* want. The
    loss must fall when the chosen reward rises."""
    return -torch.nn.functional.logsigmoid(rejected - chosen).sum() / max(chosen.numel(), 1)


def preference_loss__sum_instead_of_mean(chosen, rejected):
    """You add the losses up. The mean is asked for, so that twice as many pairs do not make the steps of the
    training twice as long."""
    return -torch.nn.functional.logsigmoid(chosen - rejected).sum()


def preference_loss__logarithm_of_sigmoid(chosen, rejected):
    """Where the rewards are very wrong, sigma is rounded to 0, and its logarithm is infinite: exactly there
    nothing can be learned any more. `torch.nn.functional.logsigmoid` computes both in one, and stays
    finite."""
    return -(chosen - rejected).sigmoid().log().sum() / max(chosen.numel(), 1)


def preference_loss__a_little_added(chosen, rejected):
    """You add a little to the probability, so that its logarithm stays finite. So it does, but it stops growing, and
    has no slope: where the model is most wrong, nothing pulls it back. `torch.nn.functional.logsigmoid` needs
    no such crutch."""
    return -((chosen - rejected).sigmoid() + 1e-8).log().sum() / max(chosen.numel(), 1)


def preference_loss__not_negated(chosen, rejected):
    """Your loss is negative: it is the log-probability itself. A loss is made small, and log p should become
    large; so a minus sign belongs before it."""
    return torch.nn.functional.logsigmoid(chosen - rejected).sum() / max(chosen.numel(), 1)


def preference_loss__no_logarithm(chosen, rejected):
    """You take the probability of being wrong, without a logarithm. It is never more than 1, and flat where the
    model is most mistaken; -log p has a slope there, and grows without limit."""
    return (rejected - chosen).sigmoid().sum() / max(chosen.numel(), 1)


def preference_loss__bare_difference(chosen, rejected):
    """You take the difference alone. It can be made smaller for ever by making all rewards larger; -log sigma
    stops pulling once a pair is right."""
    return (rejected - chosen).sum() / max(chosen.numel(), 1)


def preference_loss__hinge(chosen, rejected):
    """You use a hinge, max(0, 1 - difference), as support vector machines do. It also ranks, but it is no
    log-probability: at a difference of 0 the loss of a coin is log 2."""
    return (1 - (chosen - rejected)).clamp(min=0).sum() / max(chosen.numel(), 1)


def preference_loss__each_for_itself(chosen, rejected):
    """You ask of each answer by itself whether it is good: sigma of the chosen up, sigma of the rejected down.
    Nobody said that the rejected one was bad, only that the other was better: the difference goes into one
    sigma."""
    log_sigmoid = torch.nn.functional.logsigmoid
    return -(log_sigmoid(chosen) + log_sigmoid(-rejected)).sum() / max(chosen.numel(), 1)


def preference_loss__logarithm_of_the_mean(chosen, rejected):
    """You average the probabilities, and take the logarithm afterwards. Independent choices multiply, so it is
    their logarithms that are averaged: first -log sigma of each pair, then the mean."""
    return -(chosen - rejected).sigmoid().mean().log()


def preference_loss__no_mean(chosen, rejected):
    """You return one loss for each pair. `.backward()` needs a single number: take the mean over all pairs."""
    return -torch.nn.functional.logsigmoid(chosen - rejected)


def preference_loss__nothing_is_nan(chosen, rejected):
    """Without any pair your mean is 0 / 0, not a number, and one such batch spoils all weights. Nothing to
    average is a loss of 0: divide the sum by the number of pairs, or by 1 if there is none."""
    return -torch.nn.functional.logsigmoid(chosen - rejected).mean()


def ranking_loss__rankings_not_read(rewards, rankings):
    """You take the answers in the order in which they were written, as if answer 0 were always the best. Which
    is the best is said by `rankings`: bring each row of rewards into that order first, with `gather`."""
    better, worse = torch.triu_indices(rewards.shape[-1], rewards.shape[-1], offset=1)
    losses = -torch.nn.functional.logsigmoid(rewards[:, better] - rewards[:, worse])
    return losses.sum() / max(losses.numel(), 1)


def ranking_loss__sorted_by_the_model(rewards, rankings):
    """You sort the rewards themselves: then the model is always right, since you ask only its own opinion. People's
    order is in `rankings`: bring the rewards into *that* order, with `gather`."""
    ordered = rewards.sort(dim=-1, descending=True).values
    better, worse = torch.triu_indices(rewards.shape[-1], rewards.shape[-1], offset=1)
    losses = -torch.nn.functional.logsigmoid(ordered[:, better] - ordered[:, worse])
    return losses.sum() / max(losses.numel(), 1)


def ranking_loss__best_against_worst(rewards, rankings):
    """You compare the best answer with the worst, and leave out all between. That is the easiest pair, and one of
    K (K - 1) / 2: all of them count."""
    ordered = rewards.gather(-1, rankings.long())
    losses = -torch.nn.functional.logsigmoid(ordered[:, :1] - ordered[:, -1:])
    return losses.sum() / max(losses.numel(), 1) if rewards.shape[-1] > 1 else 0 * rewards.sum()


def ranking_loss__read_as_places(rewards, rankings):
    """You read `rankings[p, i]` as the place of answer i. It is the answer that won place i: of [2, 0, 1],
    answer 2 is the best. With two answers the two readings agree, with three no longer."""
    ordered = rewards.gather(-1, rankings.long().argsort(dim=-1))
    better, worse = torch.triu_indices(rewards.shape[-1], rewards.shape[-1], offset=1)
    losses = -torch.nn.functional.logsigmoid(ordered[:, better] - ordered[:, worse])
    return losses.sum() / max(losses.numel(), 1)


def ranking_loss__neighbours_only(rewards, rankings):
    """You compare each answer with the next one in the ranking only. All pairs count: the first with the last
    too, which is the clearest of all comparisons."""
    ordered = rewards.gather(-1, rankings.long())
    losses = -torch.nn.functional.logsigmoid(ordered[:, :-1] - ordered[:, 1:])
    return losses.sum() / max(losses.numel(), 1)


def ranking_loss__only_the_best(rewards, rankings):
    """You compare the best answer with the others, and these never with each other. The ranking orders all of
    them: all K (K - 1) / 2 pairs count."""
    ordered = rewards.gather(-1, rankings.long())
    losses = -torch.nn.functional.logsigmoid(ordered[:, :1] - ordered[:, 1:])
    return losses.sum() / max(losses.numel(), 1)


def ranking_loss__sum_over_the_pairs(rewards, rankings):
    """You add up the pairs of a prompt, and average only over prompts. Divided by the number of pairs, K (K -
    1) / 2, a prompt with nine answers counts as much as one with four."""
    ordered = rewards.gather(-1, rankings.long())
    better, worse = torch.triu_indices(rewards.shape[-1], rewards.shape[-1], offset=1)
    losses = -torch.nn.functional.logsigmoid(ordered[:, better] - ordered[:, worse])
    return losses.sum() / max(len(losses), 1)


def ranking_loss__divided_by_the_answers(rewards, rankings):
    """You divide by the number of answers, K, instead of by the number of pairs, K (K - 1) / 2. The two are
    equal for three answers, and for no other number."""
    ordered = rewards.gather(-1, rankings.long())
    better, worse = torch.triu_indices(rewards.shape[-1], rewards.shape[-1], offset=1)
    losses = -torch.nn.functional.logsigmoid(ordered[:, better] - ordered[:, worse])
    return losses.sum() / max(rewards.numel(), 1)


def ranking_loss__other_way_round(rewards, rankings):
    """You take worse minus better, as if the rankings began with the worst answer. They are best first: the
    loss is small where rewards *fall* along the ranking."""
    ordered = rewards.gather(-1, rankings.long())
    better, worse = torch.triu_indices(rewards.shape[-1], rewards.shape[-1], offset=1)
    losses = -torch.nn.functional.logsigmoid(ordered[:, worse] - ordered[:, better])
    return losses.sum() / max(losses.numel(), 1)


def ranking_loss__both_directions(rewards, rankings):
    """You let each pair count in both directions, and so ask for r_w > r_l and for r_l > r_w at once: the best
    that the model can do is to give all answers the same reward. Only better minus worse counts."""
    ordered = rewards.gather(-1, rankings.long())
    differences = ordered.unsqueeze(-1) - ordered.unsqueeze(-2)
    apart = ~torch.eye(rewards.shape[-1], dtype=torch.bool)
    losses = -torch.nn.functional.logsigmoid(differences)[:, apart]
    return losses.sum() / max(losses.numel(), 1)


def ranking_loss__with_oneself(rewards, rankings):
    """You pair each answer with itself too, which adds log 2 for each of them, whatever the rewards are. The
    worse answer stands strictly *behind* the better one: `triu_indices` with `offset=1`."""
    ordered = rewards.gather(-1, rankings.long())
    better, worse = torch.triu_indices(rewards.shape[-1], rewards.shape[-1])
    losses = -torch.nn.functional.logsigmoid(ordered[:, better] - ordered[:, worse])
    return losses.sum() / max(losses.numel(), 1)


def ranking_loss__across_prompts(rewards, rankings):
    """You compare answers to different prompts. Nobody ranked those against each other: pairs are made within a
    row, never between rows."""
    ordered = rewards.gather(-1, rankings.long()).flatten()
    better, worse = torch.triu_indices(len(ordered), len(ordered), offset=1)
    losses = -torch.nn.functional.logsigmoid(ordered[better] - ordered[worse])
    return losses.sum() / max(losses.numel(), 1)


def ranking_loss__place_by_place(rewards, rankings):
    """You ask, place by place, which of the remaining answers comes next: a softmax over them (the model of
    Plackett and Luce). It is a sensible loss too, but here each pair is judged by itself, with a sigma."""
    ordered = rewards.gather(-1, rankings.long())
    rest = torch.stack([ordered[:, i:].logsumexp(dim=-1) for i in range(rewards.shape[-1])], dim=-1)
    return (rest - ordered).sum() / max(len(rewards), 1)


def ranking_loss__logarithm_of_sigmoid(rewards, rankings):
    """Where the rewards are very wrong, sigma is rounded to 0, and its logarithm is infinite. Your own
    `preference_loss` has solved that: hand it the better and the worse rewards."""
    ordered = rewards.gather(-1, rankings.long())
    better, worse = torch.triu_indices(rewards.shape[-1], rewards.shape[-1], offset=1)
    losses = -(ordered[:, better] - ordered[:, worse]).sigmoid().log()
    return losses.sum() / max(losses.numel(), 1)


def ranking_loss__nothing_is_nan(rewards, rankings):
    """One answer a prompt makes no pair, and your mean over nothing is not a number. Nothing to average is a
    loss of 0."""
    ordered = rewards.gather(-1, rankings.long())
    better, worse = torch.triu_indices(rewards.shape[-1], rewards.shape[-1], offset=1)
    return -torch.nn.functional.logsigmoid(ordered[:, better] - ordered[:, worse]).mean()


def last_token__last_column(hidden, lengths):
    """You take the last column for every sequence. The shorter ones end before it: what stands there is
    padding, and would be the same for every short answer. The last real token of row i is at `lengths[i] -
    1`."""
    return hidden[:, -1]


def last_token__one_too_far(hidden, lengths):
    """You are one token too far: counting begins at 0, so that the last of n tokens is number n - 1. `lengths`
    itself is the first padding, and beyond the end where there is none."""
    return hidden[torch.arange(len(hidden)), lengths.long()]


def last_token__first_token(hidden, lengths):
    """You take the first token, as models like BERT do, in which every token sees all others. In a causal model
    the first one has seen nothing but itself; only the last has read the whole answer."""
    return hidden[:, 0]


def last_token__mean_of_the_real_ones(hidden, lengths):
    """You take the mean over all real tokens. That is another way to sum a sequence up; asked for is the state
    at the last one, which has already looked at all the others."""
    real = torch.arange(hidden.shape[1]) < lengths.unsqueeze(-1)
    kept = hidden.masked_fill(~real.unsqueeze(-1), 0.0)
    return kept.sum(dim=1) / lengths.unsqueeze(-1).to(hidden.dtype)


def last_token__one_length_for_all(hidden, lengths):
    """You use the largest length for every sequence. Each has its own: index with two tensors of the same
    length, the rows 0, 1, 2 ... and `lengths - 1`."""
    return hidden[:, lengths.long().max() - 1] if len(hidden) else hidden[:, 0]


def last_token__every_length_for_every_row(hidden, lengths):
    """`hidden[:, lengths - 1]` takes, from *every* row, the tokens at *all* the lengths: your result is batch
    times batch. To take one from each row, say which row: `hidden[torch.arange(batch), lengths - 1]`."""
    return hidden[:, lengths.long() - 1]


def last_token__axis_of_time_kept(hidden, lengths):
    """Your result still has an axis for time, of length 1. One state a sequence has the shape `batch d_model`:
    drop that axis."""
    return hidden[torch.arange(len(hidden)), lengths.long() - 1].unsqueeze(1)


def last_token__squeezed(hidden, lengths):
    """Your `squeeze()` takes away *every* axis of length 1: for a batch of one sequence, the batch too. Say which axis
    is meant, as in `squeeze(1)`."""
    return hidden[torch.arange(len(hidden)), lengths.long() - 1].squeeze()


def last_token__counted_from_the_end(hidden, lengths):
    """You count the length from the end of the row. That would find the first token, were the padding in front.
    It stands behind: the last real token has the number `lengths - 1`, from the beginning."""
    return hidden[torch.arange(len(hidden)), -lengths.long()]


def scalar_reward__one_a_token(hidden, lengths, weight, bias):
    """You give every token a reward. Only the last real one has read the whole answer, so that one number a
    sequence comes from there: `last_token` first, then the product with the weight."""
    return hidden @ weight + bias


def scalar_reward__last_column(hidden, lengths, weight, bias):
    """You read the reward off the last column, which is padding in the shorter sequences. `last_token` knows
    where each one ends."""
    return hidden[:, -1] @ weight + bias


def scalar_reward__mean_of_the_tokens(hidden, lengths, weight, bias):
    """You average over the real tokens. The early ones have not read the end of the answer, where it may go
    wrong: the reward is read off the last real token alone."""
    real = torch.arange(hidden.shape[1]) < lengths.unsqueeze(-1)
    return ((hidden @ weight) * real).sum(dim=-1) / lengths.to(hidden.dtype) + bias


def scalar_reward__without_bias(hidden, lengths, weight, bias):
    """You leave the bias out. Comparisons would never notice, since it cancels in every difference; but the
    rewards are shown and normalised too, so it belongs to them."""
    return hidden[torch.arange(len(hidden)), lengths.long() - 1] @ weight


def scalar_reward__a_column(hidden, lengths, weight, bias):
    """Your result has a second axis of length 1. Subtracted from a row of rewards, such a column becomes a whole
    table, and no error tells you. One number a sequence: the shape is `batch`."""
    return (hidden[torch.arange(len(hidden)), lengths.long() - 1] @ weight + bias).unsqueeze(-1)


def scalar_reward__squashed(hidden, lengths, weight, bias):
    """You send the reward through a sigma. A reward may be any number; sigma comes later, in the loss, and is
    taken of a *difference* of two."""
    return (hidden[torch.arange(len(hidden)), lengths.long() - 1] @ weight + bias).sigmoid()


def scalar_reward__one_too_far(hidden, lengths, weight, bias):
    """You read the token after the last one: the last of n tokens has the number n - 1. `last_token` does that
    for you."""
    return hidden[torch.arange(len(hidden)), lengths.long()] @ weight + bias


def scalar_reward__not_summed(hidden, lengths, weight, bias):
    """You multiply state and weight number by number, and do not add up: d_model numbers come out instead of
    one. A dot product is `h @ weight`."""
    return hidden[torch.arange(len(hidden)), lengths.long() - 1] * weight + bias


def scalar_reward__scaled(hidden, lengths, weight, bias):
    """You divide by the square root of d_model. That belongs to attention, where the vectors are not trained to
    have a certain product; here `weight` is learned, and finds its own scale."""
    last = hidden[torch.arange(len(hidden)), lengths.long() - 1]
    return last @ weight / math.sqrt(len(weight)) + bias


def pairwise_accuracy__ties_are_wrong(chosen, rejected):
    """A tie counts as wrong with you. A model that gives everything the same reward would then be right in no
    case, worse than a coin: a tie counts one half."""
    return (chosen > rejected).sum().item() / max(chosen.numel(), 1)


def pairwise_accuracy__ties_are_right(chosen, rejected):
    """A tie counts as right with you. A model that gives everything the same reward, and knows nothing, would
    then be right always: a tie counts one half."""
    return (chosen >= rejected).sum().item() / max(chosen.numel(), 1)


def pairwise_accuracy__ties_left_out(chosen, rejected):
    """You leave ties out. A model could then answer one pair, call all others a tie, and be praised for being
    always right. Every pair counts, a tie with one half."""
    return (chosen > rejected).sum().item() / max((chosen != rejected).sum().item(), 1)


def pairwise_accuracy__other_way_round(chosen, rejected):
    """You count the pairs in which the *rejected* answer has the greater reward: that is the share of
    mistakes."""
    right = (chosen < rejected).sum().item() + (chosen == rejected).sum().item() / 2
    return right / max(chosen.numel(), 1)


def pairwise_accuracy__mean_probability(chosen, rejected):
    """You average how *sure* the model is. Accuracy only asks on which side it is: a pair is right or wrong,
    however small the difference."""
    return (chosen - rejected).sigmoid().sum().item() / max(chosen.numel(), 1)


def pairwise_accuracy__means_compared(chosen, rejected):
    """You compare the mean of all chosen rewards with the mean of all rejected ones. One great success would
    then hide many failures: compare pair by pair, then take the share."""
    return ((chosen.sum() - rejected.sum()).sign().item() + 1) / 2


def pairwise_accuracy__everybody_with_everybody(chosen, rejected):
    """You compare every chosen answer with every rejected one. Most of these belong to different prompts, and
    nobody compared them: `chosen[i]` meets `rejected[i]` only."""
    table = chosen.flatten().unsqueeze(1) - rejected.flatten().unsqueeze(0)
    return ((table > 0).sum().item() + (table == 0).sum().item() / 2) / max(table.numel(), 1)


def pairwise_accuracy__a_count(chosen, rejected):
    """You count the right pairs. Asked for is their share: divide by the number of pairs."""
    return (chosen > rejected).sum().item() + (chosen == rejected).sum().item() / 2


def pairwise_accuracy__right_minus_wrong(chosen, rejected):
    """You subtract the wrong pairs from the right ones: that is Kendall's tau, which runs from -1 to 1, and is 0
    for a coin. The share of right pairs runs from 0 to 1, and is 1/2 for a coin."""
    return (chosen - rejected).sign().sum().item() / max(chosen.numel(), 1)


def pairwise_accuracy__above_zero(chosen, rejected):
    """You ask whether the chosen reward is above 0. A reward has no zero of its own; what counts is whether it
    is above the *rejected* one."""
    return ((chosen > 0).sum().item() + (chosen == 0).sum().item() / 2) / max(chosen.numel(), 1)


def pairwise_accuracy__divided_by_no_pair(chosen, rejected):
    """Without any pair you divide by 0. Nothing to average is 0: divide by the number of pairs, or by 1 if there is
    none."""
    return ((chosen > rejected).sum().item() + (chosen == rejected).sum().item() / 2) / chosen.numel()


def normalise_rewards__by_their_own_mean(rewards, demonstrations):
    """You normalise the rewards by their own mean and deviation. Then every batch has mean 0, however good it
    is, and no progress can be seen. The yardstick is the demonstrations, the same for everybody."""
    spread = rewards.std(correction=0)
    return (rewards - rewards.mean()) / torch.where(spread > 0, spread, 1.0)


def normalise_rewards__one_less(rewards, demonstrations):
    """You divide by one less than the number of demonstrations: that is what `std()` does by default. It is
    right for guessing the spread of a population; here the demonstrations themselves shall get deviation 1,
    so `correction=0`."""
    spread = demonstrations.std(correction=0) * math.sqrt(
        len(demonstrations) / max(len(demonstrations) - 1, 1)
    )
    return (rewards - demonstrations.mean()) / torch.where(spread > 0, spread, 1.0)


def normalise_rewards__only_shifted(rewards, demonstrations):
    """You shift, but you do not scale. How large a reward's unit is depends on how long the model was trained,
    and the penalty for moving away from the first model is weighed against it: divide by the deviation."""
    return rewards - demonstrations.mean()


def normalise_rewards__only_scaled(rewards, demonstrations):
    """You scale, but you do not shift. The loss never fixed a zero, since it sees differences only: take off the
    mean of the demonstrations first."""
    spread = demonstrations.std(correction=0)
    return rewards / torch.where(spread > 0, spread, 1.0)


def normalise_rewards__variance(rewards, demonstrations):
    """You divide by the variance. It is in squared units: the deviation is its square root, and only divided by
    that do the demonstrations get deviation 1."""
    spread = demonstrations.var(correction=0)
    return (rewards - demonstrations.mean()) / torch.where(spread > 0, spread, 1.0)


def normalise_rewards__divided_by_nothing(rewards, demonstrations):
    """Where all demonstrations are equal, or there is only one, their deviation is 0, and you divide by it. Then
    the rewards are only shifted."""
    return (rewards - demonstrations.mean()) / demonstrations.std(correction=0)


def normalise_rewards__a_little_added(rewards, demonstrations):
    """You add a little to the deviation, so as not to divide by 0. But divided by 0.00000001 a difference of 1
    becomes a hundred million. Where the deviation is 0 there is no unit to be had: only shift."""
    return (rewards - demonstrations.mean()) / (demonstrations.std(correction=0) + 1e-8)


def normalise_rewards__zero_without_a_unit(rewards, demonstrations):
    """Where all demonstrations are equal you return zeros, and so throw away what the rewards say. They can
    still be shifted."""
    spread = demonstrations.std(correction=0)
    shifted = rewards - demonstrations.mean()
    return torch.where(spread > 0, shifted / torch.where(spread > 0, spread, 1.0), 0.0)


def normalise_rewards__between_least_and_greatest(rewards, demonstrations):
    """You move the demonstrations between 0 and 1, by their least and their greatest. Two of them, perhaps two
    freaks, then decide for all: use mean and deviation."""
    spread = demonstrations.amax() - demonstrations.amin()
    return (rewards - demonstrations.amin()) / torch.where(spread > 0, spread, 1.0)


def normalise_rewards__scaled_before_shifted(rewards, demonstrations):
    """You divide first and take off the mean afterwards; but that mean is in the old unit. First minus the mean,
    then over the deviation."""
    spread = demonstrations.std(correction=0)
    return rewards / torch.where(spread > 0, spread, 1.0) - demonstrations.mean()


def normalise_rewards__demonstrations_returned(rewards, demonstrations):
    """You return the normalised *demonstrations*. They only lend their mean and deviation; asked for are the
    rewards, measured by these."""
    spread = demonstrations.std(correction=0)
    return (demonstrations - demonstrations.mean()) / torch.where(spread > 0, spread, 1.0)


def best_of_n__worst(rewards):
    """You take the least reward. The best answer is the one with the greatest: `argmax`."""
    return rewards.argmin(dim=-1)


def best_of_n__reward_instead_of_place(rewards):
    """You return how good the best answer is. Asked for is which one it is, so that it can be handed over:
    `argmax`, not `amax`."""
    return rewards.amax(dim=-1)


def best_of_n__over_the_prompts(rewards):
    """You look along the wrong axis, for the prompt to which answer i is the best. The answers to one prompt are
    a row: `dim=-1`."""
    return rewards.argmax(dim=0)


def best_of_n__last_of_equal_ones(rewards):
    """Of equally good answers you take the last. The first is asked for, so that everybody gets the same."""
    return rewards.shape[-1] - 1 - rewards.flip(-1).argmax(dim=-1)


def best_of_n__best_of_all(rewards):
    """Without `dim`, `argmax` looks at all prompts at once, and gives one number for all. Each prompt gets the
    best of its own answers: `dim=-1`."""
    return rewards.argmax()


def best_of_n__a_column(rewards):
    """Your result has a second axis of length 1. One number a prompt has the shape `prompts`: without
    `keepdim`."""
    return rewards.argmax(dim=-1, keepdim=True)


def best_of_n__whole_ranking(rewards):
    """You return the whole ranking of the answers. Only the best is asked for: the first column of yours."""
    return rewards.argsort(dim=-1, descending=True, stable=True)


def best_of_n_kl__only_the_logarithm(n):
    """You return log n, and lack the second term. log n would be right if the best answer were a single one of
    n; but the best of n draws is itself a draw, and (n - 1) / n of a nat goes off. (In Python, (n - 1) // n is
    0.)"""
    return math.log(n)


def best_of_n_kl__in_bits(n):
    """You took the logarithm to base 2, and so mix bits with nats. In this course it is the natural one:
    `math.log`."""
    return math.log2(n) - (n - 1) / n


def best_of_n_kl__to_base_ten(n):
    """You took the logarithm to base 10. In this course it is the natural one: `math.log`."""
    return math.log10(n) - (n - 1) / n


def best_of_n_kl__added(n):
    """You add the second term. For n = 1 nobody notices, since it is 0; but the divergence is *less* than log n:
    subtract it."""
    return math.log(n) + (n - 1) / n


def best_of_n_kl__negative(n):
    """Your sign is wrong: a Kullback-Leibler divergence is never negative."""
    return (n - 1) / n - math.log(n)


def best_of_n_kl__seen_from_the_other_side(n):
    """You return n - 1 - log n: the divergence of the old model from the new one. Asked for is how far the new
    one is from the old, as seen by the answers that are really handed over."""
    return n - 1 - math.log(n)


def best_of_n_kl__one_over_n(n):
    """You subtract 1 / n; it is (n - 1) / n, that is 1 - 1 / n. Try n = 1: one answer is no choice, and must give
    0."""
    return math.log(n) - 1 / n


def bradley_terry_strengths__share_of_own_games(wins, iterations=100):
    """You give each player the share of games won, or, which is the same, you stop after one iteration. Whom one
    beat does not count then: nine of ten against beginners are not nine of ten against a champion. Put the
    new strengths in, and go on, `iterations` times."""
    players = len(wins)
    wins = wins.masked_fill(torch.eye(players, dtype=torch.bool), 0.0)
    games = (wins + wins.T).sum(dim=-1)
    share = torch.where(games > 0, wins.sum(dim=-1) / torch.where(games > 0, games, 1.0), 0.5)
    return share / share.sum()


def bradley_terry_strengths__share_of_all_wins(wins, iterations=100):
    """You give each player a share of all wins. Who plays most would be the strongest: divide by what a player
    with this strength would be expected to win against those opponents."""
    won = wins.masked_fill(torch.eye(len(wins), dtype=torch.bool), 0.0).sum(dim=-1)
    return won / won.sum() if won.sum() > 0 else torch.ones_like(won) / len(won)


def bradley_terry_strengths__losses_counted(wins, iterations=100):
    """You read `wins[i, j]` as the wins of j over i, so that the weakest comes out strongest. Row i holds what i
    won: sum along the row."""
    players = len(wins)
    wins = wins.masked_fill(torch.eye(players, dtype=torch.bool), 0.0).T
    games = wins + wins.T
    strengths = wins.new_ones(players) / players
    for _ in range(iterations):
        together = torch.where(games > 0, strengths.unsqueeze(0) + strengths.unsqueeze(1), 1.0)
        expected = (games / together).sum(dim=-1)
        improved = wins.sum(dim=-1) / torch.where(expected > 0, expected, 1.0)
        strengths = torch.where(expected > 0, improved, strengths)
        strengths = strengths / strengths.sum()
    return strengths


def bradley_terry_strengths__one_after_the_other(wins, iterations=100):
    """You use a new strength as soon as you have it, in the same iteration. That arrives at the same place, often
    sooner; but here all new strengths are computed out of the old ones, at once, so that after three
    iterations everybody has the same numbers."""
    players = len(wins)
    wins = wins.masked_fill(torch.eye(players, dtype=torch.bool), 0.0)
    games = wins + wins.T
    strengths = wins.new_ones(players) / players
    for _ in range(iterations):
        for i in range(players):
            together = torch.where(games[i] > 0, strengths[i] + strengths, 1.0)
            expected = (games[i] / together).sum()
            mine = wins[i].sum() / expected if expected > 0 else strengths[i]
            strengths = torch.where(torch.arange(players) == i, mine, strengths)
        strengths = strengths / strengths.sum()
    return strengths


def bradley_terry_strengths__always_a_hundred(wins, iterations=100):
    """You always take a hundred iterations. 100 is only the default: `iterations` says how many."""
    players = len(wins)
    wins = wins.masked_fill(torch.eye(players, dtype=torch.bool), 0.0)
    games = wins + wins.T
    strengths = wins.new_ones(players) / players
    for _ in range(100):
        together = torch.where(games > 0, strengths.unsqueeze(0) + strengths.unsqueeze(1), 1.0)
        expected = (games / together).sum(dim=-1)
        improved = wins.sum(dim=-1) / torch.where(expected > 0, expected, 1.0)
        strengths = torch.where(expected > 0, improved, strengths)
        strengths = strengths / strengths.sum()
    return strengths


def bradley_terry_strengths__sum_not_one(wins, iterations=100):
    """Your strengths do not sum to 1. Only their ratios mean anything, so that a convention is needed: divide by
    the sum at the end of every iteration."""
    players = len(wins)
    wins = wins.masked_fill(torch.eye(players, dtype=torch.bool), 0.0)
    games = wins + wins.T
    strengths = wins.new_ones(players) / players
    for _ in range(iterations):
        together = torch.where(games > 0, strengths.unsqueeze(0) + strengths.unsqueeze(1), 1.0)
        expected = (games / together).sum(dim=-1)
        improved = wins.sum(dim=-1) / torch.where(expected > 0, expected, 1.0)
        strengths = torch.where(expected > 0, improved, strengths)
    return strengths


def bradley_terry_strengths__who_never_played_begins_anew(wins, iterations=100):
    """You set who never played back to 1 / players in every iteration. That strength, too, was divided by the
    sum the last time: leave it as it was *then*, so that its ratio to the others is kept."""
    players = len(wins)
    wins = wins.masked_fill(torch.eye(players, dtype=torch.bool), 0.0)
    games = wins + wins.T
    strengths = wins.new_ones(players) / players
    for _ in range(iterations):
        together = torch.where(games > 0, strengths.unsqueeze(0) + strengths.unsqueeze(1), 1.0)
        expected = (games / together).sum(dim=-1)
        improved = wins.sum(dim=-1) / torch.where(expected > 0, expected, 1.0)
        strengths = torch.where(expected > 0, improved, 1 / players)
        strengths = strengths / strengths.sum()
    return strengths


def bradley_terry_strengths__diagonal_read(wins, iterations=100):
    """You count what stands on the diagonal as wins, and as games. Nobody plays against himself: those numbers
    mean nothing, whatever they are. Set them to 0 in a copy first."""
    games = wins + wins.T
    strengths = wins.new_ones(len(wins)) / len(wins)
    for _ in range(iterations):
        together = torch.where(games > 0, strengths.unsqueeze(0) + strengths.unsqueeze(1), 1.0)
        expected = (games / together).sum(dim=-1)
        improved = wins.sum(dim=-1) / torch.where(expected > 0, expected, 1.0)
        strengths = torch.where(expected > 0, improved, strengths)
        strengths = strengths / strengths.sum()
    return strengths


def bradley_terry_strengths__lost_games_forgotten(wins, iterations=100):
    """Your denominator counts only the games that i won. All games of i and j count, won and lost: w_ij + w_ji.
    Else losing costs nothing."""
    players = len(wins)
    wins = wins.masked_fill(torch.eye(players, dtype=torch.bool), 0.0)
    strengths = wins.new_ones(players) / players
    for _ in range(iterations):
        together = torch.where(wins > 0, strengths.unsqueeze(0) + strengths.unsqueeze(1), 1.0)
        expected = (wins / together).sum(dim=-1)
        improved = wins.sum(dim=-1) / torch.where(expected > 0, expected, 1.0)
        strengths = torch.where(expected > 0, improved, strengths)
        strengths = strengths / strengths.sum()
    return strengths


def bradley_terry_strengths__who_never_won_spoils_all(wins, iterations=100):
    """Who never won has strength 0, and two of them that never met, or one beside himself on the diagonal, make 0
    / 0: not a number, and soon nobody's is. Only who met adds something: guard each pair."""
    players = len(wins)
    wins = wins.masked_fill(torch.eye(players, dtype=torch.bool), 0.0)
    games = wins + wins.T
    strengths = wins.new_ones(players) / players
    for _ in range(iterations):
        expected = (games / (strengths.unsqueeze(0) + strengths.unsqueeze(1))).sum(dim=-1)
        improved = wins.sum(dim=-1) / torch.where(expected == 0, 1.0, expected)
        strengths = torch.where(expected == 0, strengths, improved)
        strengths = strengths / strengths.sum()
    return strengths


def bradley_terry_strengths__who_never_played_spoils_all(wins, iterations=100):
    """Who never played has no wins and a denominator of 0: 0 / 0 is not a number, and after the division by the
    sum nobody's is. Leave that strength as it was."""
    players = len(wins)
    wins = wins.masked_fill(torch.eye(players, dtype=torch.bool), 0.0)
    games = wins + wins.T
    strengths = wins.new_ones(players) / players
    for _ in range(iterations):
        together = torch.where(games > 0, strengths.unsqueeze(0) + strengths.unsqueeze(1), 1.0)
        strengths = wins.sum(dim=-1) / (games / together).sum(dim=-1)
        strengths = strengths / strengths.sum()
    return strengths


def bradley_terry_strengths__who_never_played_gets_nothing(wins, iterations=100):
    """You give strength 0 to who never played. Nothing is known of such a player, least of all that everybody
    wins against them: leave the strength as it was."""
    players = len(wins)
    wins = wins.masked_fill(torch.eye(players, dtype=torch.bool), 0.0)
    games = wins + wins.T
    strengths = wins.new_ones(players) / players
    for _ in range(iterations):
        together = torch.where(games > 0, strengths.unsqueeze(0) + strengths.unsqueeze(1), 1.0)
        expected = (games / together).sum(dim=-1)
        improved = wins.sum(dim=-1) / torch.where(expected > 0, expected, 1.0)
        strengths = improved / improved.sum().clamp(min=1e-30)
    return strengths


def bradley_terry_strengths__as_rewards(wins, iterations=100):
    """You return the logarithms of the strengths: those are rewards, and sigma of a difference of two is the
    probability to win. Here the strengths themselves are asked for, which are positive and sum to 1."""
    players = len(wins)
    wins = wins.masked_fill(torch.eye(players, dtype=torch.bool), 0.0)
    games = wins + wins.T
    strengths = wins.new_ones(players) / players
    for _ in range(iterations):
        together = torch.where(games > 0, strengths.unsqueeze(0) + strengths.unsqueeze(1), 1.0)
        expected = (games / together).sum(dim=-1)
        improved = wins.sum(dim=-1) / torch.where(expected > 0, expected, 1.0)
        strengths = torch.where(expected > 0, improved, strengths)
        strengths = strengths / strengths.sum()
    return strengths.log()


# End of the misconceptions of this chapter.
