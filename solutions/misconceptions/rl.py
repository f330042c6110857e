"""Plausible wrong answers to `nexttoken.rl`, and the sentence that each one earns.

`<exercise>__<what_is_wrong>`: the docstring is what a reader is told whose answer behaves the same.
"""

import math

import torch
from torch.nn import functional


def token_log_probabilities__not_moved(logits, ids):
    """You look the token up where it stands itself. What the model says there, it says after reading the
    token: these are scores for the *next* one. So the logits at t - 1 judge the token at t."""
    return logits.log_softmax(dim=-1).gather(-1, ids.long().unsqueeze(-1)).squeeze(-1)


def token_log_probabilities__not_moved_but_begun_with_0(logits, ids):
    """Your first position is 0, as it should be, but the others are not moved: you ask the model about a
    token that it has just read. The token at t is judged by the logits at t - 1."""
    chosen = logits.log_softmax(dim=-1).gather(-1, ids.long().unsqueeze(-1)).squeeze(-1)
    return functional.pad(chosen[:, 1:], (1, 0))


def token_log_probabilities__moved_to_the_left(logits, ids):
    """Your numbers stand one place too early: at t you have the log-probability of token t + 1, and the 0 is
    at the end. Put the 0 in front, so that position t speaks of token t, and the answer's mask fits."""
    chosen = logits[:, :-1].log_softmax(dim=-1).gather(-1, ids[:, 1:].long().unsqueeze(-1)).squeeze(-1)
    return functional.pad(chosen, (0, 1))


def token_log_probabilities__one_too_few(logits, ids):
    """One position is missing: nothing precedes the first token, so there is nothing to look up for it. But
    it keeps its place, with a 0, or every mask and every reward would be off by one."""
    return logits[:, :-1].log_softmax(dim=-1).gather(-1, ids[:, 1:].long().unsqueeze(-1)).squeeze(-1)


def token_log_probabilities__logits_themselves(logits, ids):
    """You return the tokens' logits. A logit says little by itself, since all of them may be moved together;
    `log_softmax` over the vocabulary makes log-probabilities of them."""
    return functional.pad(logits[:, :-1].gather(-1, ids[:, 1:].long().unsqueeze(-1)).squeeze(-1), (1, 0))


def token_log_probabilities__without_the_logarithm(logits, ids):
    """You return probabilities. Those of an answer would have to be multiplied, and soon be too small to
    write down; here logarithms are wanted, which add up."""
    chosen = logits[:, :-1].softmax(dim=-1).gather(-1, ids[:, 1:].long().unsqueeze(-1)).squeeze(-1)
    return functional.pad(chosen, (1, 0))


def token_log_probabilities__logarithm_of_a_rounded_0(logits, ids):
    """You take the softmax first and its logarithm afterwards. A probability below 1e-300 is rounded to 0 in
    between, and the logarithm of 0 is minus infinity. `log_softmax` does both at once, and stays finite."""
    chosen = logits[:, :-1].softmax(dim=-1).log().gather(-1, ids[:, 1:].long().unsqueeze(-1)).squeeze(-1)
    return functional.pad(chosen, (1, 0))


def token_log_probabilities__normalised_over_time(logits, ids):
    """Your softmax runs over the positions, so that they compete with each other. It is the tokens of the
    vocabulary that compete for one position: the last axis."""
    chosen = logits[:, :-1].log_softmax(dim=1).gather(-1, ids[:, 1:].long().unsqueeze(-1)).squeeze(-1)
    return functional.pad(chosen, (1, 0))


def token_log_probabilities__of_the_likeliest_token(logits, ids):
    """You return the log-probability of the likeliest token, and never look at `ids`. Asked is how likely
    the token was that was really written."""
    return functional.pad(logits[:, :-1].log_softmax(dim=-1).amax(dim=-1), (1, 0))


def masked_mean__divided_by_all(x, mask, dim=None):
    """You divide by the number of all entries. What is masked counts as 0 then, and pulls the mean down: the
    more padding, the smaller it is. Divide by the number of allowed ones."""
    return torch.where(mask, x, 0.0).mean(dim)


def masked_mean__multiplied_by_the_mask(x, mask, dim=None):
    """You multiply by the mask. That silences any number, but 0 times NaN is NaN, and 0 times infinity too.
    Put a 0 where nothing is allowed instead: `x.masked_fill(~mask, 0.0)`."""
    return (x * mask).sum(dim) / mask.sum(dim).clamp(min=1)


def masked_mean__nan_of_nothing(x, mask, dim=None):
    """Where nothing is allowed you divide 0 by 0, which is NaN. The mean of nothing is to be 0 here: an empty
    answer in the batch must not spoil the others. `.clamp(min=1)` on the count is enough."""
    return x.masked_fill(~mask, 0.0).sum(dim) / mask.sum(dim)


def masked_mean__mean_of_the_rows_means(x, mask, dim=None):
    """Without `dim` you take the mean of each row, and then the mean of these. A token of a short answer then
    weighs more than one of a long answer. Here every allowed entry counts the same: one sum, one count."""
    if dim is not None:
        return x.masked_fill(~mask, 0.0).sum(dim) / mask.sum(dim).clamp(min=1)
    return (x.masked_fill(~mask, 0.0).sum(dim=1) / mask.sum(dim=1).clamp(min=1)).mean()


def masked_mean__always_of_everything(x, mask, dim=None):
    """You always return the mean of everything. With `dim` the mean runs along that axis only, and the other
    axis stays."""
    return x.masked_fill(~mask, 0.0).sum() / mask.sum().clamp(min=1)


def masked_mean__counted_over_everything(x, mask, dim=None):
    """Your sum runs along `dim`, but you divide it by the number of allowed entries of the whole mask. Each
    row has its own count: sum the mask along the same axis."""
    return x.masked_fill(~mask, 0.0).sum(dim) / mask.sum().clamp(min=1)


def masked_mean__axis_kept(x, mask, dim=None):
    """You keep the axis over which the mean runs, with size 1. It should disappear, as in `torch.mean`: of
    `batch time` along time only `batch` is left."""
    if dim is None:
        return x.masked_fill(~mask, 0.0).sum() / mask.sum().clamp(min=1)
    return x.masked_fill(~mask, 0.0).sum(dim, keepdim=True) / mask.sum(dim, keepdim=True).clamp(min=1)


def kl_estimate__turned_round(log_probs, reference_log_probs, kind="k3"):
    """You have policy and reference exchanged. The tokens were drawn from the policy, so d is log reference
    minus log policy; a token that the policy likes better than the reference has a *positive* k1."""
    d = log_probs - reference_log_probs
    return {"k1": -d, "k2": d**2 / 2, "k3": d.exp() - 1 - d}[kind]


def kl_estimate__ratio_turned_round_in_k3(log_probs, reference_log_probs, kind="k3"):
    """Your k3 uses the ratio policy over reference. It is positive as well, but its mean under the policy is
    not the KL divergence, and it explodes. For tokens drawn from the policy the ratio is reference over
    policy: e to the d, minus 1, minus d."""
    d = reference_log_probs - log_probs
    return {"k1": -d, "k2": d**2 / 2, "k3": (-d).exp() - 1 + d}[kind]


def kl_estimate__one_not_taken_off(log_probs, reference_log_probs, kind="k3"):
    """In your k3 the minus 1 is missing. Where policy and reference agree, d is 0 and e to the d is 1, and an
    estimate of the divergence should be 0 there."""
    d = reference_log_probs - log_probs
    return {"k1": -d, "k2": d**2 / 2, "k3": d.exp() - d}[kind]


def kl_estimate__without_the_half(log_probs, reference_log_probs, kind="k3"):
    """Your k2 is d squared; it should be half of that. Near 0, e to the d is 1 + d + d²/2, so that k2 and k3
    agree for small d only with the half."""
    d = reference_log_probs - log_probs
    return {"k1": -d, "k2": d**2, "k3": d.exp() - 1 - d}[kind]


def kl_estimate__always_k3(log_probs, reference_log_probs, kind="k3"):
    """You never read `kind` and always return k3. The three have the same aim and very different noise; the
    caller says which one."""
    d = reference_log_probs - log_probs
    return d.exp() - 1 - d


def kl_estimate__never_negative(log_probs, reference_log_probs, kind="k3"):
    """You take the absolute value in k1, since a divergence cannot be negative. The divergence is a mean; a
    single token may well count against it. Without the negative ones the mean would be too large."""
    d = reference_log_probs - log_probs
    return {"k1": d.abs(), "k2": d**2 / 2, "k3": d.exp() - 1 - d}[kind]


def kl_estimate__weighted_once_more(log_probs, reference_log_probs, kind="k3"):
    """You multiply by the probability of the token, as in the definition of the KL divergence. That is right
    in a sum over the whole vocabulary. Here the tokens are *drawn* with that probability, so it is in the
    mean already."""
    d = reference_log_probs - log_probs
    return log_probs.exp() * {"k1": -d, "k2": d**2 / 2, "k3": d.exp() - 1 - d}[kind]


def kl_estimate__mean_at_once(log_probs, reference_log_probs, kind="k3"):
    """You return the mean. Asked for is the estimate at every token: the reward needs each by itself, and
    which tokens count only the caller's mask can say."""
    d = reference_log_probs - log_probs
    return {"k1": -d, "k2": d**2 / 2, "k3": d.exp() - 1 - d}[kind].mean()


def penalised_rewards__straying_paid(score, log_probs, reference_log_probs, mask, kl_coefficient):
    """You pay the policy for straying: your penalty has the wrong sign. A token that the policy likes better
    than the reference does must cost something."""
    bonus = kl_coefficient * (log_probs - reference_log_probs)
    is_last = mask & ~functional.pad(mask[:, 1:], (0, 1))
    return (bonus + torch.where(is_last, score.unsqueeze(-1), 0.0)).masked_fill(~mask, 0.0)


def penalised_rewards__score_at_every_token(score, log_probs, reference_log_probs, mask, kl_coefficient):
    """You give the score to every token of the answer, so that a long answer earns it many times. It judges
    the whole answer, once, and is paid at the last token."""
    return (score.unsqueeze(-1) - kl_coefficient * (log_probs - reference_log_probs)).masked_fill(~mask, 0.0)


def penalised_rewards__score_shared_out(score, log_probs, reference_log_probs, mask, kl_coefficient):
    """You share the score out evenly among the tokens. The sum is right, but nobody knows which token earned what;
    that is for the advantages to find out. The score is paid whole, at the last token."""
    shares = score.unsqueeze(-1) / mask.sum(dim=1, keepdim=True).clamp(min=1)
    return (shares - kl_coefficient * (log_probs - reference_log_probs)).masked_fill(~mask, 0.0)


def penalised_rewards__score_in_the_last_column(score, log_probs, reference_log_probs, mask, kl_coefficient):
    """You add the score in the last column. Where an answer ends earlier, padding stands there, and the
    score is lost. It belongs to the last token at which the row's mask is True."""
    rewards = (-kl_coefficient * (log_probs - reference_log_probs)).masked_fill(~mask, 0.0)
    return torch.cat([rewards[:, :-1], rewards[:, -1:] + score.unsqueeze(-1)], dim=1)


def penalised_rewards__end_counted_without_the_prompt(
    score, log_probs, reference_log_probs, mask, kl_coefficient
):
    """You add the score at the place `mask.sum() - 1`. So many tokens has the answer, but before it stands a
    prompt, which the mask leaves out. The end is the last *position* at which the mask is True."""
    rewards = (-kl_coefficient * (log_probs - reference_log_probs)).masked_fill(~mask, 0.0)
    is_last = torch.arange(mask.shape[1]) == mask.sum(dim=1, keepdim=True) - 1
    return rewards + torch.where(is_last, score.unsqueeze(-1), 0.0)


def penalised_rewards__nothing_answered_and_paid(score, log_probs, reference_log_probs, mask, kl_coefficient):
    """A row without an answer gets its score somewhere all the same: you look for the last True, and `argmax`
    finds a place even where there is none. Nothing was written, so nothing is paid: that row is all 0."""
    rewards = (-kl_coefficient * (log_probs - reference_log_probs)).masked_fill(~mask, 0.0)
    last = mask.shape[1] - 1 - mask.flip(1).int().argmax(dim=1, keepdim=True)
    return rewards + torch.where(torch.arange(mask.shape[1]) == last, score.unsqueeze(-1), 0.0)


def penalised_rewards__all_charged_at_the_end(score, log_probs, reference_log_probs, mask, kl_coefficient):
    """You charge for the whole answer at its last token. The sum is right, but the early tokens no longer
    learn which of them has strayed: each pays for itself."""
    straying = (log_probs - reference_log_probs).masked_fill(~mask, 0.0).sum(dim=1)
    is_last = mask & ~functional.pad(mask[:, 1:], (0, 1))
    return torch.where(is_last, (score - kl_coefficient * straying).unsqueeze(-1), 0.0)


def penalised_rewards__charged_by_k3(score, log_probs, reference_log_probs, mask, kl_coefficient):
    """You charge k3 instead of k1. Its mean is the KL divergence as well, but in a *reward* it pushes the policy
    elsewhere: there, only the plain difference of the logarithms, k1, gives the slope of the KL divergence."""
    d = reference_log_probs - log_probs
    is_last = mask & ~functional.pad(mask[:, 1:], (0, 1))
    rewards = torch.where(is_last, score.unsqueeze(-1), 0.0) - kl_coefficient * (d.exp() - 1 - d)
    return rewards.masked_fill(~mask, 0.0)


def penalised_rewards__prompt_charged(score, log_probs, reference_log_probs, mask, kl_coefficient):
    """You charge for the prompt and the padding as well. The policy has not written these: outside the mask
    the rewards are 0."""
    is_last = mask & ~functional.pad(mask[:, 1:], (0, 1))
    return torch.where(is_last, score.unsqueeze(-1), 0.0) - kl_coefficient * (log_probs - reference_log_probs)


def penalised_rewards__nan_let_in(score, log_probs, reference_log_probs, mask, kl_coefficient):
    """You multiply by the mask, and 0 times NaN is NaN. What lies outside an answer may be anything; put a 0
    there: `masked_fill(~mask, 0.0)`."""
    is_last = mask & ~functional.pad(mask[:, 1:], (0, 1))
    straying = kl_coefficient * (log_probs - reference_log_probs) * mask
    return torch.where(is_last, score.unsqueeze(-1), 0.0) - straying


def discounted_returns__from_the_front(rewards, mask, gamma=1.0):
    """You add up what came *before*. A token cannot have caused that. Its return is what comes from it on:
    walk from the end to the front."""
    rewards, so_far, returns = rewards.masked_fill(~mask, 0.0), 0.0, []
    for t in range(rewards.shape[1]):
        so_far = rewards[:, t] + gamma * so_far
        returns.append(so_far)
    return torch.stack(returns, dim=1).masked_fill(~mask, 0.0)


def discounted_returns__the_same_for_all(rewards, mask, gamma=1.0):
    """You give every token the return of the first one. What was paid before a token was chosen is none of
    its merit: each gets only what comes from it on."""
    rewards = rewards.masked_fill(~mask, 0.0)
    place = (mask.cumsum(dim=1) - 1).clamp(min=0)
    total = (rewards * gamma**place).sum(dim=1, keepdim=True)
    return total.expand(rewards.shape).masked_fill(~mask, 0.0)


def discounted_returns__not_discounted(rewards, mask, gamma=1.0):
    """You never use `gamma`. What is paid k steps later counts gamma to the k as much."""
    rewards = rewards.masked_fill(~mask, 0.0)
    return rewards.flip(1).cumsum(dim=1).flip(1).masked_fill(~mask, 0.0)


def discounted_returns__discounted_from_the_beginning(rewards, mask, gamma=1.0):
    """You discount every reward by its distance from the *beginning* of the row. Seen from token t, the reward
    at t counts in full, the next one gamma as much, and so on: the distance is measured from t."""
    discounts = gamma ** torch.arange(rewards.shape[1], dtype=rewards.dtype)
    rewards = rewards.masked_fill(~mask, 0.0) * discounts
    return rewards.flip(1).cumsum(dim=1).flip(1).masked_fill(~mask, 0.0)


def discounted_returns__own_reward_discounted(rewards, mask, gamma=1.0):
    """You discount a token's own reward too. It is paid at once, so it counts in full; only what follows is
    multiplied by gamma."""
    rewards, to_come, returns = rewards.masked_fill(~mask, 0.0), 0.0, []
    for t in reversed(range(rewards.shape[1])):
        to_come = gamma * (rewards[:, t] + to_come)
        returns.append(to_come)
    return torch.stack(returns[::-1], dim=1).masked_fill(~mask, 0.0)


def discounted_returns__own_reward_left_out(rewards, mask, gamma=1.0):
    """You leave out the token's own reward and return only what comes after it. Then the last token, where
    the score is paid, gets nothing."""
    rewards, to_come, returns = rewards.masked_fill(~mask, 0.0), torch.zeros_like(rewards[:, 0]), []
    for t in reversed(range(rewards.shape[1])):
        returns.append(gamma * to_come)
        to_come = rewards[:, t] + gamma * to_come
    return torch.stack(returns[::-1], dim=1).masked_fill(~mask, 0.0)


def discounted_returns__prompt_praised(rewards, mask, gamma=1.0):
    """Your returns flow on into the prompt, where nobody chose anything. Outside the mask the returns are 0:
    mask once more at the end."""
    rewards, to_come, returns = rewards.masked_fill(~mask, 0.0), 0.0, []
    for t in reversed(range(rewards.shape[1])):
        to_come = rewards[:, t] + gamma * to_come
        returns.append(to_come)
    return torch.stack(returns[::-1], dim=1)


def discounted_returns__padding_paid(rewards, mask, gamma=1.0):
    """You mask the result, but the rewards outside the mask have been added before that. Leave them out first,
    then add up, then mask once more."""
    to_come, returns = 0.0, []
    for t in reversed(range(rewards.shape[1])):
        to_come = rewards[:, t] + gamma * to_come
        returns.append(to_come)
    return torch.stack(returns[::-1], dim=1).masked_fill(~mask, 0.0)


def discounted_returns__left_in_reverse(rewards, mask, gamma=1.0):
    """You walk from the end to the front, as one should, and leave the returns in that order: the last token's
    stands first. Turn the list round before you put it together."""
    rewards, to_come, returns = rewards.masked_fill(~mask, 0.0), 0.0, []
    for t in reversed(range(rewards.shape[1])):
        to_come = rewards[:, t] + gamma * to_come
        returns.append(to_come)
    return torch.stack(returns, dim=1).masked_fill(~mask, 0.0)


def discounted_returns__nan_let_in(rewards, mask, gamma=1.0):
    """You multiply the rewards by the mask, and 0 times NaN is NaN. From there it spreads to the whole answer.
    Put a 0 outside: `masked_fill(~mask, 0.0)`."""
    rewards, to_come, returns = rewards * mask, 0.0, []
    for t in reversed(range(rewards.shape[1])):
        to_come = rewards[:, t] + gamma * to_come
        returns.append(to_come)
    return torch.stack(returns[::-1], dim=1).masked_fill(~mask, 0.0)


def generalised_advantages__padding_expected(rewards, values, mask, gamma=1.0, lam=0.95):
    """At the last token you count on the value of the padding behind it. The answer is over there, nothing
    more will be paid: V after the last token is 0. Mask the values first."""
    following = functional.pad(values[:, 1:], (0, 1))
    errors = (rewards + gamma * following - values).masked_fill(~mask, 0.0)
    later, advantages = 0.0, []
    for t in reversed(range(rewards.shape[1])):
        later = errors[:, t] + gamma * lam * later
        advantages.append(later)
    return torch.stack(advantages[::-1], dim=1).masked_fill(~mask, 0.0)


def generalised_advantages__last_value_kept(rewards, values, mask, gamma=1.0, lam=0.95):
    """At the last token you take its own value for the next one, as if the answer went on for ever. It is
    over: nothing more is to come, and V there is 0."""
    values = values.masked_fill(~mask, 0.0)
    is_last = mask & ~functional.pad(mask[:, 1:], (0, 1))
    following = torch.where(is_last, values, functional.pad(values[:, 1:], (0, 1)))
    errors = (rewards + gamma * following - values).masked_fill(~mask, 0.0)
    later, advantages = 0.0, []
    for t in reversed(range(rewards.shape[1])):
        later = errors[:, t] + gamma * lam * later
        advantages.append(later)
    return torch.stack(advantages[::-1], dim=1).masked_fill(~mask, 0.0)


def generalised_advantages__always_to_the_end(rewards, values, mask, gamma=1.0, lam=0.95):
    """You look to the end, whatever `lam` is: returns minus values. That is the case lam = 1, without any
    bias and with all the noise. Each further step counts gamma times lam as much."""
    values = values.masked_fill(~mask, 0.0)
    errors = (rewards + gamma * functional.pad(values[:, 1:], (0, 1)) - values).masked_fill(~mask, 0.0)
    later, advantages = 0.0, []
    for t in reversed(range(rewards.shape[1])):
        later = errors[:, t] + gamma * later
        advantages.append(later)
    return torch.stack(advantages[::-1], dim=1).masked_fill(~mask, 0.0)


def generalised_advantages__one_step_only(rewards, values, mask, gamma=1.0, lam=0.95):
    """You stop at the deltas. That is the case lam = 0, which believes the values blindly. The advantage adds
    up the deltas of all later tokens too, each counting gamma times lam as much as the one before."""
    values = values.masked_fill(~mask, 0.0)
    return (rewards + gamma * functional.pad(values[:, 1:], (0, 1)) - values).masked_fill(~mask, 0.0)


def generalised_advantages__next_value_not_discounted(rewards, values, mask, gamma=1.0, lam=0.95):
    """In your deltas the next value is not multiplied by gamma. It stands for what will be paid one step
    later, so it counts gamma as much."""
    values = values.masked_fill(~mask, 0.0)
    errors = (rewards + functional.pad(values[:, 1:], (0, 1)) - values).masked_fill(~mask, 0.0)
    later, advantages = 0.0, []
    for t in reversed(range(rewards.shape[1])):
        later = errors[:, t] + gamma * lam * later
        advantages.append(later)
    return torch.stack(advantages[::-1], dim=1).masked_fill(~mask, 0.0)


def generalised_advantages__discounted_by_lam_alone(rewards, values, mask, gamma=1.0, lam=0.95):
    """You carry the advantage on by lam alone. It is gamma times lam: later rewards count less (gamma), and
    later expectations are trusted less (lam)."""
    values = values.masked_fill(~mask, 0.0)
    errors = (rewards + gamma * functional.pad(values[:, 1:], (0, 1)) - values).masked_fill(~mask, 0.0)
    later, advantages = 0.0, []
    for t in reversed(range(rewards.shape[1])):
        later = errors[:, t] + lam * later
        advantages.append(later)
    return torch.stack(advantages[::-1], dim=1).masked_fill(~mask, 0.0)


def generalised_advantages__values_added_again(rewards, values, mask, gamma=1.0, lam=0.95):
    """You add the values at the end. That makes returns of the advantages, the targets of the value loss; here
    only the advantages are asked for."""
    values = values.masked_fill(~mask, 0.0)
    errors = (rewards + gamma * functional.pad(values[:, 1:], (0, 1)) - values).masked_fill(~mask, 0.0)
    later, advantages = 0.0, []
    for t in reversed(range(rewards.shape[1])):
        later = errors[:, t] + gamma * lam * later
        advantages.append(later)
    return (torch.stack(advantages[::-1], dim=1) + values).masked_fill(~mask, 0.0)


def generalised_advantages__scaled_to_a_mean(rewards, values, mask, gamma=1.0, lam=0.95):
    """You multiply by 1 - lam. In the paper that factor makes a weighted mean of the estimates that look 1, 2,
    3 ... steps ahead; summed up, it cancels, and the deltas are simply added."""
    values = values.masked_fill(~mask, 0.0)
    errors = (rewards + gamma * functional.pad(values[:, 1:], (0, 1)) - values).masked_fill(~mask, 0.0)
    later, advantages = 0.0, []
    for t in reversed(range(rewards.shape[1])):
        later = errors[:, t] + gamma * lam * later
        advantages.append((1 - lam) * later)
    return torch.stack(advantages[::-1], dim=1).masked_fill(~mask, 0.0)


def generalised_advantages__prompt_praised(rewards, values, mask, gamma=1.0, lam=0.95):
    """Your advantages flow on into the prompt, where nobody chose anything. Outside the mask they are 0: mask
    once more at the end."""
    rewards, values = rewards.masked_fill(~mask, 0.0), values.masked_fill(~mask, 0.0)
    errors = rewards + gamma * functional.pad(values[:, 1:], (0, 1)) - values
    later, advantages = 0.0, []
    for t in reversed(range(rewards.shape[1])):
        later = errors[:, t] + gamma * lam * later
        advantages.append(later)
    return torch.stack(advantages[::-1], dim=1)


def generalised_advantages__nan_let_in(rewards, values, mask, gamma=1.0, lam=0.95):
    """You multiply by the mask, and 0 times NaN is NaN, which spreads to the whole answer. What lies outside
    may be anything; put a 0 there: `masked_fill(~mask, 0.0)`."""
    rewards, values = rewards * mask, values * mask
    errors = rewards + gamma * functional.pad(values[:, 1:], (0, 1)) - values
    later, advantages = 0.0, []
    for t in reversed(range(rewards.shape[1])):
        later = errors[:, t] + gamma * lam * later
        advantages.append(later)
    return torch.stack(advantages[::-1], dim=1).masked_fill(~mask, 0.0)


def whiten__unbiased(x, mask):
    """You divide the squared distances by n - 1. That is what `torch.var` does unless told otherwise; here the
    variance is their plain mean, divided by n."""
    count = mask.sum().clamp(min=1)
    centred = x - x.masked_fill(~mask, 0.0).sum() / count
    variance = (centred**2).masked_fill(~mask, 0.0).sum() / (count - 1).clamp(min=1)
    return (centred / (variance + 1e-8).sqrt()).masked_fill(~mask, 0.0)


def whiten__every_row_by_itself(x, mask):
    """You whiten every row by itself. Then each answer is as good as any other on average, and what made one
    better is lost. Mean and variance are those of the whole batch."""
    count = mask.sum(dim=1, keepdim=True).clamp(min=1)
    centred = x - x.masked_fill(~mask, 0.0).sum(dim=1, keepdim=True) / count
    variance = (centred**2).masked_fill(~mask, 0.0).sum(dim=1, keepdim=True) / count
    return (centred / (variance + 1e-8).sqrt()).masked_fill(~mask, 0.0)


def whiten__padding_counted(x, mask):
    """Mean and variance are taken over everything, so that padding shifts and stretches the answers. Only what
    the mask allows counts."""
    centred = x - x.mean()
    return (centred / ((centred**2).mean() + 1e-8).sqrt()).masked_fill(~mask, 0.0)


def whiten__padding_taken_for_0(x, mask):
    """You set what is masked to 0, and then take mean and variance over everything. The zeros count as if they
    were answers: divide by the number of allowed entries, and leave the others out of the variance too."""
    filled = x.masked_fill(~mask, 0.0)
    centred = filled - filled.mean()
    return (centred / ((centred**2).mean() + 1e-8).sqrt()).masked_fill(~mask, 0.0)


def whiten__not_0_outside(x, mask):
    """Outside the mask you leave what the formula gives there. It should be 0: mask the result too."""
    count = mask.sum().clamp(min=1)
    centred = x - x.masked_fill(~mask, 0.0).sum() / count
    variance = (centred**2).masked_fill(~mask, 0.0).sum() / count
    return centred / (variance + 1e-8).sqrt()


def whiten__divided_by_the_variance(x, mask):
    """You divide by the variance. It is measured in squares; its root, the standard deviation, has the unit of
    x, so that the result has standard deviation 1."""
    count = mask.sum().clamp(min=1)
    centred = x - x.masked_fill(~mask, 0.0).sum() / count
    variance = (centred**2).masked_fill(~mask, 0.0).sum() / count
    return (centred / (variance + 1e-8)).masked_fill(~mask, 0.0)


def whiten__not_shifted(x, mask):
    """You only stretch: the mean is still in it. That is sometimes done to rewards; here the result has mean
    0."""
    count = mask.sum().clamp(min=1)
    centred = x - x.masked_fill(~mask, 0.0).sum() / count
    variance = (centred**2).masked_fill(~mask, 0.0).sum() / count
    return (x / (variance + 1e-8).sqrt()).masked_fill(~mask, 0.0)


def whiten__only_shifted(x, mask):
    """You only take off the mean. Divide by the standard deviation too, so that the step does not depend on
    the scale of the rewards."""
    return (x - x.masked_fill(~mask, 0.0).sum() / mask.sum().clamp(min=1)).masked_fill(~mask, 0.0)


def whiten__epsilon_outside_the_root(x, mask):
    """You add 1e-8 to the standard deviation; in the formula it is added to the variance, under the root.
    Where all entries are nearly alike the two differ much: there sqrt(1e-8) = 1e-4 keeps noise small."""
    count = mask.sum().clamp(min=1)
    centred = x - x.masked_fill(~mask, 0.0).sum() / count
    variance = (centred**2).masked_fill(~mask, 0.0).sum() / count
    return (centred / (variance.sqrt() + 1e-8)).masked_fill(~mask, 0.0)


def whiten__nan_let_in(x, mask):
    """You multiply by the mask, and 0 times NaN is NaN: one such entry in the padding, and all is NaN. Fill
    with 0 instead: `masked_fill(~mask, 0.0)`."""
    count = mask.sum().clamp(min=1)
    centred = x - (x * mask).sum() / count
    return centred * mask / ((centred**2 * mask).sum() / count + 1e-8).sqrt()


def policy_gradient_loss__what_was_good_made_rarer(log_probs, advantages, mask):
    """The minus sign is missing. A loss is made smaller: without the sign, what earned a positive advantage
    becomes *less* likely."""
    advantages = advantages.detach().masked_fill(~mask, 0.0)
    return (advantages * log_probs.masked_fill(~mask, 0.0)).sum() / mask.sum().clamp(min=1)


def policy_gradient_loss__padding_counted(log_probs, advantages, mask):
    """You divide by the number of all positions, so that with more padding the steps get smaller. The mean runs
    over the mask only: `masked_mean`."""
    advantages = advantages.detach().masked_fill(~mask, 0.0)
    return -(advantages * log_probs.masked_fill(~mask, 0.0)).mean()


def policy_gradient_loss__summed(log_probs, advantages, mask):
    """You add up and do not divide. Twice as many tokens would then make a step twice as long; the loss is a
    mean over the mask."""
    advantages = advantages.detach().masked_fill(~mask, 0.0)
    return -(advantages * log_probs.masked_fill(~mask, 0.0)).sum()


def policy_gradient_loss__mean_of_the_rows_sums(log_probs, advantages, mask):
    """You add up each answer and take the mean of the answers. That is the formula for whole answers in textbooks;
    here the mean runs over the tokens, so that long answers do not make long steps."""
    advantages = advantages.detach().masked_fill(~mask, 0.0)
    return -(advantages * log_probs.masked_fill(~mask, 0.0)).sum(dim=1).mean()


def policy_gradient_loss__mean_of_the_rows_means(log_probs, advantages, mask):
    """You take the mean of every answer, and then the mean of these. Some algorithms do, but then a token of a
    short answer weighs more than one of a long answer; here all tokens in the mask weigh the same."""
    advantages = advantages.detach().masked_fill(~mask, 0.0)
    of_rows = (advantages * log_probs.masked_fill(~mask, 0.0)).sum(dim=1) / mask.sum(dim=1).clamp(min=1)
    return -of_rows.mean()


def policy_gradient_loss__gradient_through_the_advantages(log_probs, advantages, mask):
    """The value is right, but a gradient flows into the advantages. These may come from a value network, which
    would then be trained to praise whatever is likely. They are given numbers: `advantages.detach()`."""
    advantages = advantages.masked_fill(~mask, 0.0)
    return -(advantages * log_probs.masked_fill(~mask, 0.0)).sum() / mask.sum().clamp(min=1)


def policy_gradient_loss__no_gradient(log_probs, advantages, mask):
    """You detach the log-probabilities. It is the advantages that are given numbers; through the
    log-probabilities the gradient must flow, or nothing is learned."""
    return -(log_probs.detach() * advantages).masked_fill(~mask, 0.0).sum() / mask.sum().clamp(min=1)


def policy_gradient_loss__probabilities_weighted(log_probs, advantages, mask):
    """You multiply the advantages by probabilities. Their gradient is the probability times that of its
    logarithm, so that what is likely, and therefore drawn often already, would be pushed twice."""
    advantages = advantages.detach().masked_fill(~mask, 0.0)
    chances = log_probs.masked_fill(~mask, 0.0).exp()
    return -(advantages * chances).sum() / mask.sum().clamp(min=1)


def policy_gradient_loss__nan_in_the_gradient(log_probs, advantages, mask):
    """The value is right, but where the advantages outside the mask are NaN, the gradient is NaN: masking
    after the product leaves the slope of the product, 0 times NaN. Mask the advantages *before* you
    multiply."""
    return -(log_probs * advantages.detach()).masked_fill(~mask, 0.0).sum() / mask.sum().clamp(min=1)


def clipped_policy_loss__the_larger_one(log_probs, old_log_probs, advantages, mask, clip=0.2):
    """You take the larger of the two. Then a policy that has strayed in a harmful direction is told that all is
    well. The smaller one is the cautious one: clipping may take a prize away, never a penalty."""
    ratios = (log_probs - old_log_probs).masked_fill(~mask, 0.0).exp()
    advantages = advantages.detach().masked_fill(~mask, 0.0)
    better = torch.maximum(ratios * advantages, ratios.clamp(1 - clip, 1 + clip) * advantages)
    return -better.sum() / mask.sum().clamp(min=1)


def clipped_policy_loss__clipped_always(log_probs, old_log_probs, advantages, mask, clip=0.2):
    """You use the clipped ratio alone. A bad token that has become twice as likely has no slope then, and nobody
    pulls it back. The minimum with the plain product keeps that pull."""
    ratios = (log_probs - old_log_probs).masked_fill(~mask, 0.0).exp()
    advantages = advantages.detach().masked_fill(~mask, 0.0)
    return -(ratios.clamp(1 - clip, 1 + clip) * advantages).sum() / mask.sum().clamp(min=1)


def clipped_policy_loss__never_clipped(log_probs, old_log_probs, advantages, mask, clip=0.2):
    """You never clip. The same answers are used for several steps; without the clip the policy can run far from
    the one that wrote them, where they no longer say anything about it."""
    ratios = (log_probs - old_log_probs).masked_fill(~mask, 0.0).exp()
    advantages = advantages.detach().masked_fill(~mask, 0.0)
    return -(ratios * advantages).sum() / mask.sum().clamp(min=1)


def clipped_policy_loss__difference_for_the_ratio(log_probs, old_log_probs, advantages, mask, clip=0.2):
    """You use the difference of the logarithms as if it were the ratio. Where nothing has changed it is 0, and
    the ratio of equal probabilities is 1: take `exp` of the difference."""
    ratios = (log_probs - old_log_probs).masked_fill(~mask, 0.0)
    advantages = advantages.detach().masked_fill(~mask, 0.0)
    smaller = torch.minimum(ratios * advantages, ratios.clamp(1 - clip, 1 + clip) * advantages)
    return -smaller.sum() / mask.sum().clamp(min=1)


def clipped_policy_loss__logarithms_divided(log_probs, old_log_probs, advantages, mask, clip=0.2):
    """You divide the logarithms by each other. The ratio of two probabilities is e to the *difference* of their
    logarithms."""
    ratios = log_probs.masked_fill(~mask, 1.0) / old_log_probs.masked_fill(~mask, 1.0)
    advantages = advantages.detach().masked_fill(~mask, 0.0)
    smaller = torch.minimum(ratios * advantages, ratios.clamp(1 - clip, 1 + clip) * advantages)
    return -smaller.sum() / mask.sum().clamp(min=1)


def clipped_policy_loss__ratio_turned_round(log_probs, old_log_probs, advantages, mask, clip=0.2):
    """Your ratio is old over new. What has become likelier must have a ratio above 1: new over old."""
    ratios = (old_log_probs - log_probs).masked_fill(~mask, 0.0).exp()
    advantages = advantages.detach().masked_fill(~mask, 0.0)
    smaller = torch.minimum(ratios * advantages, ratios.clamp(1 - clip, 1 + clip) * advantages)
    return -smaller.sum() / mask.sum().clamp(min=1)


def clipped_policy_loss__what_was_good_made_rarer(log_probs, old_log_probs, advantages, mask, clip=0.2):
    """The minus sign is missing. The minimum is what we want to be large, and a loss is made smaller."""
    ratios = (log_probs - old_log_probs).masked_fill(~mask, 0.0).exp()
    advantages = advantages.detach().masked_fill(~mask, 0.0)
    smaller = torch.minimum(ratios * advantages, ratios.clamp(1 - clip, 1 + clip) * advantages)
    return smaller.sum() / mask.sum().clamp(min=1)


def clipped_policy_loss__product_clipped(log_probs, old_log_probs, advantages, mask, clip=0.2):
    """You clip the product with the advantage. How large an advantage may be is not the question; it is the
    ratio that must stay near 1."""
    ratios = (log_probs - old_log_probs).masked_fill(~mask, 0.0).exp()
    products = ratios * advantages.detach().masked_fill(~mask, 0.0)
    smaller = torch.minimum(products, products.clamp(1 - clip, 1 + clip))
    return -smaller.masked_fill(~mask, 0.0).sum() / mask.sum().clamp(min=1)


def clipped_policy_loss__minimum_of_the_ratios(log_probs, old_log_probs, advantages, mask, clip=0.2):
    """You take the smaller *ratio* and multiply afterwards. With a negative advantage the smaller ratio gives the
    larger product, so that the two cases are exchanged: multiply first, then take the minimum."""
    ratios = (log_probs - old_log_probs).masked_fill(~mask, 0.0).exp()
    advantages = advantages.detach().masked_fill(~mask, 0.0)
    smaller = torch.minimum(ratios, ratios.clamp(1 - clip, 1 + clip)) * advantages
    return -smaller.sum() / mask.sum().clamp(min=1)


def clipped_policy_loss__means_compared(log_probs, old_log_probs, advantages, mask, clip=0.2):
    """You take both means first, and then the smaller one. So one token that strays is hidden by others that do not.
    Each token has its own minimum; the mean comes last."""
    ratios = (log_probs - old_log_probs).masked_fill(~mask, 0.0).exp()
    advantages = advantages.detach().masked_fill(~mask, 0.0)
    plain, clipped = (ratios * advantages).sum(), (ratios.clamp(1 - clip, 1 + clip) * advantages).sum()
    return -torch.minimum(plain, clipped) / mask.sum().clamp(min=1)


def clipped_policy_loss__logarithms_clipped(log_probs, old_log_probs, advantages, mask, clip=0.2):
    """You clip the difference of the logarithms, before `exp`. It is the ratio that is held between 1 - clip and 1 +
    clip; e to the 0.2 is 1.22, and e to the -0.2 is 0.82."""
    differences = (log_probs - old_log_probs).masked_fill(~mask, 0.0)
    advantages = advantages.detach().masked_fill(~mask, 0.0)
    clipped = differences.clamp(-clip, clip).exp()
    smaller = torch.minimum(differences.exp() * advantages, clipped * advantages)
    return -smaller.sum() / mask.sum().clamp(min=1)


def clipped_policy_loss__always_a_fifth(log_probs, old_log_probs, advantages, mask, clip=0.2):
    """You clip at 0.8 and 1.2, whatever `clip` says. The caller decides how far the ratio may move."""
    ratios = (log_probs - old_log_probs).masked_fill(~mask, 0.0).exp()
    advantages = advantages.detach().masked_fill(~mask, 0.0)
    smaller = torch.minimum(ratios * advantages, ratios.clamp(0.8, 1.2) * advantages)
    return -smaller.sum() / mask.sum().clamp(min=1)


def clipped_policy_loss__clipped_from_above_only(log_probs, old_log_probs, advantages, mask, clip=0.2):
    """You clip from above only. A bad token whose probability has already fallen by a fifth must not be pushed
    further down: the ratio is held above 1 - clip too."""
    ratios = (log_probs - old_log_probs).masked_fill(~mask, 0.0).exp()
    advantages = advantages.detach().masked_fill(~mask, 0.0)
    smaller = torch.minimum(ratios * advantages, ratios.clamp(max=1 + clip) * advantages)
    return -smaller.sum() / mask.sum().clamp(min=1)


def clipped_policy_loss__padding_counted(log_probs, old_log_probs, advantages, mask, clip=0.2):
    """You divide by the number of all positions. The mean runs over the mask only, or padding makes the steps
    smaller: `masked_mean`."""
    ratios = (log_probs - old_log_probs).masked_fill(~mask, 0.0).exp()
    advantages = advantages.detach().masked_fill(~mask, 0.0)
    return -torch.minimum(ratios * advantages, ratios.clamp(1 - clip, 1 + clip) * advantages).mean()


def clipped_policy_loss__nan_in_the_gradient(log_probs, old_log_probs, advantages, mask, clip=0.2):
    """The value is right, but where something outside the mask is NaN, the gradient is NaN: masked at the end,
    the steps before still have the slope 0 times NaN. Mask before `exp` and before the product."""
    ratios, advantages = (log_probs - old_log_probs).exp(), advantages.detach()
    smaller = torch.minimum(ratios * advantages, ratios.clamp(1 - clip, 1 + clip) * advantages)
    return -smaller.masked_fill(~mask, 0.0).sum() / mask.sum().clamp(min=1)


def clipped_value_loss__the_smaller_one(values, old_values, returns, mask, clip=0.2):
    """You take the smaller of the two squares. Then a value that has moved far and wrong looks right when its
    clipped version is right. The larger loss is the cautious one."""
    values, old_values, returns = (x.masked_fill(~mask, 0.0) for x in (values, old_values, returns))
    clipped = old_values + (values - old_values).clamp(-clip, clip)
    squares = torch.minimum((values - returns) ** 2, (clipped - returns) ** 2)
    return 0.5 * squares.sum() / mask.sum().clamp(min=1)


def clipped_value_loss__half_forgotten(values, old_values, returns, mask, clip=0.2):
    """The half is missing. With it the slope of the square is the error itself, and coefficients that others
    report mean the same in your loss."""
    values, old_values, returns = (x.masked_fill(~mask, 0.0) for x in (values, old_values, returns))
    clipped = old_values + (values - old_values).clamp(-clip, clip)
    return torch.maximum((values - returns) ** 2, (clipped - returns) ** 2).sum() / mask.sum().clamp(min=1)


def clipped_value_loss__clipped_always(values, old_values, returns, mask, clip=0.2):
    """You use the clipped values alone. Once a value has moved by more than `clip`, it has no slope any more,
    and stays wrong. The maximum with the plain square keeps the pull."""
    values, old_values, returns = (x.masked_fill(~mask, 0.0) for x in (values, old_values, returns))
    clipped = old_values + (values - old_values).clamp(-clip, clip)
    return 0.5 * ((clipped - returns) ** 2).sum() / mask.sum().clamp(min=1)


def clipped_value_loss__never_clipped(values, old_values, returns, mask, clip=0.2):
    """You never clip: this is the plain squared error. A value that jumps far from its old one should not be
    paid for it."""
    errors = (values - returns).masked_fill(~mask, 0.0)
    return 0.5 * (errors**2).sum() / mask.sum().clamp(min=1)


def clipped_value_loss__clipped_like_a_ratio(values, old_values, returns, mask, clip=0.2):
    """You hold the values between 1 - clip and 1 + clip of the old ones, as if they were ratios. For an old value
    of 0 no movement at all would be allowed. It is the *difference* that is held between -clip and clip."""
    values, old_values, returns = (x.masked_fill(~mask, 0.0) for x in (values, old_values, returns))
    ends = torch.stack([old_values * (1 - clip), old_values * (1 + clip)])
    clipped = torch.minimum(torch.maximum(values, ends.amin(dim=0)), ends.amax(dim=0))
    squares = torch.maximum((values - returns) ** 2, (clipped - returns) ** 2)
    return 0.5 * squares.sum() / mask.sum().clamp(min=1)


def clipped_value_loss__error_clipped(values, old_values, returns, mask, clip=0.2):
    """You clip the error, the distance from the return. What is held back is how far a value moves from its *old*
    one, however wrong it was."""
    errors = (values - returns).masked_fill(~mask, 0.0).clamp(-clip, clip)
    return 0.5 * (errors**2).sum() / mask.sum().clamp(min=1)


def clipped_value_loss__means_compared(values, old_values, returns, mask, clip=0.2):
    """You take both means first, and then the larger one. Each token has its own maximum; the mean comes last."""
    values, old_values, returns = (x.masked_fill(~mask, 0.0) for x in (values, old_values, returns))
    clipped = old_values + (values - old_values).clamp(-clip, clip)
    larger = torch.maximum(((values - returns) ** 2).sum(), ((clipped - returns) ** 2).sum())
    return 0.5 * larger / mask.sum().clamp(min=1)


def clipped_value_loss__distances_not_squared(values, old_values, returns, mask, clip=0.2):
    """You take absolute values where squares are asked for. The square is smallest at the *mean* of the returns,
    which is what a value should be; the absolute value is smallest at their median."""
    values, old_values, returns = (x.masked_fill(~mask, 0.0) for x in (values, old_values, returns))
    clipped = old_values + (values - old_values).clamp(-clip, clip)
    larger = torch.maximum((values - returns).abs(), (clipped - returns).abs())
    return 0.5 * larger.sum() / mask.sum().clamp(min=1)


def clipped_value_loss__padding_counted(values, old_values, returns, mask, clip=0.2):
    """You divide by the number of all positions. The mean runs over the mask only: `masked_mean`."""
    values, old_values, returns = (x.masked_fill(~mask, 0.0) for x in (values, old_values, returns))
    clipped = old_values + (values - old_values).clamp(-clip, clip)
    return 0.5 * torch.maximum((values - returns) ** 2, (clipped - returns) ** 2).mean()


def clipped_value_loss__nan_in_the_gradient(values, old_values, returns, mask, clip=0.2):
    """The value is right, but where something outside the mask is NaN, the gradient is NaN: masked at the end,
    the squares still have a slope, 0 times NaN. Mask the three arguments first."""
    clipped = old_values + (values - old_values).clamp(-clip, clip)
    squares = torch.maximum((values - returns) ** 2, (clipped - returns) ** 2)
    return 0.5 * squares.masked_fill(~mask, 0.0).sum() / mask.sum().clamp(min=1)


def entropy__negative(logits, mask):
    """The minus sign is missing. Logarithms of probabilities are negative; with the sign the entropy is 0 where
    the model is sure, and positive elsewhere."""
    logs = logits.masked_fill(~mask.unsqueeze(-1), 0.0).log_softmax(dim=-1)
    sums = (logs.exp() * logs.clamp(min=-1e30)).sum(dim=-1)
    return sums.masked_fill(~mask, 0.0).sum() / mask.sum().clamp(min=1)


def entropy__in_bits(logits, mask):
    """Your logarithm has base 2, so you measure in bits. This chapter measures in nats, with the natural
    logarithm: 1 bit is 0.693 nats."""
    logs = logits.masked_fill(~mask.unsqueeze(-1), 0.0).log_softmax(dim=-1)
    sums = -(logs.exp() * logs.clamp(min=-1e30)).sum(dim=-1) / math.log(2)
    return sums.masked_fill(~mask, 0.0).sum() / mask.sum().clamp(min=1)


def entropy__mean_over_the_vocabulary(logits, mask):
    """You take the mean over the vocabulary; it is a sum. The probabilities in it are the weights already, and
    they sum to 1."""
    logs = logits.masked_fill(~mask.unsqueeze(-1), 0.0).log_softmax(dim=-1)
    means = -(logs.exp() * logs.clamp(min=-1e30)).mean(dim=-1)
    return means.masked_fill(~mask, 0.0).sum() / mask.sum().clamp(min=1)


def entropy__padding_counted(logits, mask):
    """You take the mean over all positions, with the padding. Only what the mask allows counts."""
    logs = logits.masked_fill(~mask.unsqueeze(-1), 0.0).log_softmax(dim=-1)
    sums = -(logs.exp() * logs.clamp(min=-1e30)).sum(dim=-1)
    return sums.masked_fill(~mask, 0.0).mean()


def entropy__logits_weighted(logits, mask):
    """You weigh the logits themselves. They may all be moved together without changing anything, and your
    result would change: it is their `log_softmax` that is weighed."""
    logits = logits.masked_fill(~mask.unsqueeze(-1), 0.0)
    sums = -(logits.softmax(dim=-1) * logits.clamp(min=-1e30)).sum(dim=-1)
    return sums.masked_fill(~mask, 0.0).sum() / mask.sum().clamp(min=1)


def entropy__nan_of_what_cannot_come(logits, mask):
    """A token with logit -inf has probability 0, and you multiply that by its logarithm, minus infinity: NaN. It
    should add 0. `torch.special.entr` knows that, or hold the logarithms above some very low number."""
    logs = logits.masked_fill(~mask.unsqueeze(-1), 0.0).log_softmax(dim=-1)
    sums = -(logs.exp() * logs).sum(dim=-1)
    return sums.masked_fill(~mask, 0.0).sum() / mask.sum().clamp(min=1)


def entropy__surprise_of_the_likeliest(logits, mask):
    """You measure how surprising the likeliest token is. The entropy is the surprise that is to be *expected*:
    that of every token, weighted by its probability."""
    logs = logits.masked_fill(~mask.unsqueeze(-1), 0.0).log_softmax(dim=-1)
    return -logs.amax(dim=-1).masked_fill(~mask, 0.0).sum() / mask.sum().clamp(min=1)


def entropy__of_the_mean_distribution(logits, mask):
    """You take the mean of the probabilities first, and the entropy of that. A model that is sure at every place,
    each time of another token, would look undecided. First the entropy at every place, then the mean."""
    chances = logits.masked_fill(~mask.unsqueeze(-1), 0.0).softmax(dim=-1) * mask.unsqueeze(-1)
    mean = chances.sum(dim=(0, 1)) / mask.sum().clamp(min=1)
    return -(mean * mean.clamp(min=1e-300).log()).sum()


def entropy__share_of_the_largest(logits, mask):
    """You divide by the logarithm of the vocabulary's size, so that 1 is the most there is. That is a useful share,
    and another quantity; asked for is the entropy itself, in nats."""
    logs = logits.masked_fill(~mask.unsqueeze(-1), 0.0).log_softmax(dim=-1)
    sums = -(logs.exp() * logs.clamp(min=-1e30)).sum(dim=-1) / math.log(logits.shape[-1])
    return sums.masked_fill(~mask, 0.0).sum() / mask.sum().clamp(min=1)


def entropy__nan_in_the_gradient(logits, mask):
    """The value is right, but where logits outside the mask are NaN, the gradient is NaN: masked at the end, the
    softmax still hands 0 times NaN back. Mask the logits first."""
    logs = logits.log_softmax(dim=-1).clamp(min=-1e30)
    sums = -(logs.exp() * logs).sum(dim=-1)
    return sums.masked_fill(~mask, 0.0).sum() / mask.sum().clamp(min=1)


def update_kl_coefficient__not_clipped(coefficient, kl, target, horizon, batch):
    """You do not clip the error. One batch that has strayed ten times too far would then multiply the price at a
    blow; the error counts for 0.2 at most, in either direction."""
    return coefficient * (1 + (kl / target - 1) * batch / horizon)


def update_kl_coefficient__difference_in_nats(coefficient, kl, target, horizon, batch):
    """Your error is the plain difference, KL minus target, in nats. It is measured in parts of the target: KL /
    target - 1. One nat too much is a lot for a target of 0.1, and little for 10."""
    return coefficient * (1 + min(max(kl - target, -0.2), 0.2) * batch / horizon)


def update_kl_coefficient__wrong_direction(coefficient, kl, target, horizon, batch):
    """Your price falls when the policy strays too far. It must rise then: the error is KL / target - 1."""
    return coefficient * (1 - min(max(kl / target - 1, -0.2), 0.2) * batch / horizon)


def update_kl_coefficient__added(coefficient, kl, target, horizon, batch):
    """You add the change; the coefficient is to be *multiplied* by 1 plus the change. Then it can never become
    negative, and a small price is changed as carefully as a large one."""
    return coefficient + min(max(kl / target - 1, -0.2), 0.2) * batch / horizon


def update_kl_coefficient__batch_forgotten(coefficient, kl, target, horizon, batch):
    """You divide by the horizon, but forget how many answers there were. The horizon is counted in answers, so a
    batch of 64 takes 64 of its steps at once."""
    return coefficient * (1 + min(max(kl / target - 1, -0.2), 0.2) / horizon)


def update_kl_coefficient__horizon_forgotten(coefficient, kl, target, horizon, batch):
    """You change the price by the whole error at once, in every batch. It should take `horizon` answers for that:
    multiply the error by batch / horizon."""
    return coefficient * (1 + min(max(kl / target - 1, -0.2), 0.2))


def update_kl_coefficient__clipped_from_above_only(coefficient, kl, target, horizon, batch):
    """You clip the error from above only. A policy that has not moved yet has error -1, and your price would
    crash; it is held above -0.2 as well."""
    return coefficient * (1 + min(kl / target - 1, 0.2) * batch / horizon)


def update_kl_coefficient__clipped_too_late(coefficient, kl, target, horizon, batch):
    """You clip after multiplying by batch / horizon. It is the error that is held between -0.2 and 0.2; how much
    of it a batch may use comes afterwards."""
    return coefficient * (1 + min(max((kl / target - 1) * batch / horizon, -0.2), 0.2))


def leave_one_out_advantages__itself_counted(rewards):
    """Your mean includes the answer itself, so that it is compared with a part of itself, and every advantage is
    too small by (n - 1) / n. Leave it out: the sum without it, divided by n - 1."""
    return rewards - rewards.mean(dim=-1, keepdim=True)


def leave_one_out_advantages__divided_by_all(rewards):
    """You leave the answer out of the sum, but divide by n. There are n - 1 others."""
    return rewards - (rewards.sum(dim=-1, keepdim=True) - rewards) / rewards.shape[-1]


def leave_one_out_advantages__over_the_prompts(rewards):
    """You compare with the answers to *other prompts*, along the first axis. A hard question would be punished for
    being hard. The samples of one prompt are a row."""
    return rewards - (rewards.sum(dim=0, keepdim=True) - rewards) / (rewards.shape[0] - 1)


def leave_one_out_advantages__over_everything(rewards):
    """You compare with all other answers of the batch. Only those to the same prompt tell what that prompt was
    worth: one mean a row."""
    return rewards - (rewards.sum() - rewards) / (rewards.numel() - 1)


def leave_one_out_advantages__the_others_alone(rewards):
    """You return the mean of the others, the baseline. The advantage is the answer's own reward minus that."""
    return (rewards.sum(dim=-1, keepdim=True) - rewards) / (rewards.shape[-1] - 1)


def leave_one_out_advantages__worse_than_the_others(rewards):
    """Your sign is turned round: the others minus the answer itself. Who is better than the others has a positive
    advantage."""
    return (rewards.sum(dim=-1, keepdim=True) - rewards) / (rewards.shape[-1] - 1) - rewards


def leave_one_out_advantages__divided_by_the_deviation(rewards):
    """You divide by the standard deviation. That is done in `group_advantages`; here the difference from the
    others' mean stays as it is."""
    others = (rewards.sum(dim=-1, keepdim=True) - rewards) / (rewards.shape[-1] - 1)
    return (rewards - others) / (rewards.std(dim=-1, correction=0, keepdim=True) + 1e-4)


def group_advantages__unbiased(rewards, eps=1e-4):
    """Your standard deviation divides by n - 1, as `torch.std` does unless told otherwise, so that a group of one
    would be NaN. Here it divides by n: `correction=0`."""
    centred = rewards - rewards.mean(dim=-1, keepdim=True)
    return centred / (rewards.std(dim=-1, keepdim=True) + eps)


def group_advantages__over_everything(rewards, eps=1e-4):
    """You take mean and deviation over the whole batch. Then all answers to an easy question are good, and all to
    a hard one are bad; every prompt is a group of its own, a row."""
    return (rewards - rewards.mean()) / (rewards.std(correction=0) + eps)


def group_advantages__over_the_prompts(rewards, eps=1e-4):
    """You take mean and deviation along the first axis, over the prompts. The answers that are compared are those
    to the same prompt: the last axis."""
    centred = rewards - rewards.mean(dim=0, keepdim=True)
    return centred / (rewards.std(dim=0, correction=0, keepdim=True) + eps)


def group_advantages__epsilon_under_the_root(rewards, eps=1e-4):
    """You add eps to the variance, under the root. Here it is added to the standard deviation itself."""
    centred = rewards - rewards.mean(dim=-1, keepdim=True)
    return centred / (rewards.var(dim=-1, correction=0, keepdim=True) + eps).sqrt()


def group_advantages__epsilon_forgotten(rewards, eps=1e-4):
    """You never add eps. Where all answers got the same reward, that is 0 / 0, NaN, and such groups are common:
    all right, or all wrong."""
    centred = rewards - rewards.mean(dim=-1, keepdim=True)
    return centred / rewards.std(dim=-1, correction=0, keepdim=True)


def group_advantages__always_the_same_epsilon(rewards, eps=1e-4):
    """You add 1e-4, whatever `eps` says. The caller decides how much noise is to be kept small."""
    centred = rewards - rewards.mean(dim=-1, keepdim=True)
    return centred / (rewards.std(dim=-1, correction=0, keepdim=True) + 1e-4)


def group_advantages__not_divided(rewards, eps=1e-4):
    """You only take off the mean. There are good reasons for stopping there, and variants that do; but GRPO
    divides by the standard deviation of the group."""
    return rewards - rewards.mean(dim=-1, keepdim=True)


def group_advantages__divided_by_the_variance(rewards, eps=1e-4):
    """You divide by the variance. It is measured in squared rewards; divide by its root, the standard
    deviation."""
    centred = rewards - rewards.mean(dim=-1, keepdim=True)
    return centred / (rewards.var(dim=-1, correction=0, keepdim=True) + eps)


def group_advantages__itself_left_out(rewards, eps=1e-4):
    """You take off the mean of the *other* answers, as in `leave_one_out_advantages`. GRPO takes off the mean of
    the whole group, the answer itself included."""
    centred = rewards.shape[-1] / max(rewards.shape[-1] - 1, 1) * (rewards - rewards.mean(-1, keepdim=True))
    return centred / (rewards.std(dim=-1, correction=0, keepdim=True) + eps)


def dpo_loss__reference_forgotten(chosen, rejected, reference_chosen, reference_rejected, beta):
    """The reference is not used. A short answer is likelier than a long one from the start; what counts is how
    much likelier the policy made it *than it was*."""
    margins = beta * (chosen - rejected)
    return -functional.logsigmoid(margins).sum() / max(len(margins), 1)


def dpo_loss__beta_forgotten(chosen, rejected, reference_chosen, reference_rejected, beta):
    """You never use `beta`. It says how dear it is to leave the reference: the difference is multiplied by it
    before the sigmoid."""
    margins = (chosen - reference_chosen) - (rejected - reference_rejected)
    return -functional.logsigmoid(margins).sum() / max(len(margins), 1)


def dpo_loss__beta_outside(chosen, rejected, reference_chosen, reference_rejected, beta):
    """You multiply the loss by `beta`, which only changes the length of the step. It belongs inside the sigmoid,
    where it says how large a difference is large enough."""
    margins = (chosen - reference_chosen) - (rejected - reference_rejected)
    return -beta * functional.logsigmoid(margins).sum() / max(len(margins), 1)


def dpo_loss__rejected_preferred(chosen, rejected, reference_chosen, reference_rejected, beta):
    """Your difference is turned round: you teach the model to prefer what was rejected. Chosen minus
    rejected."""
    margins = beta * ((rejected - reference_rejected) - (chosen - reference_chosen))
    return -functional.logsigmoid(margins).sum() / max(len(margins), 1)


def dpo_loss__sign_missing(chosen, rejected, reference_chosen, reference_rejected, beta):
    """The minus sign is missing: a loss is made smaller, and the probability that the chosen answer wins is to
    grow."""
    margins = beta * ((chosen - reference_chosen) - (rejected - reference_rejected))
    return functional.logsigmoid(margins).sum() / max(len(margins), 1)


def dpo_loss__logarithm_of_a_rounded_0(chosen, rejected, reference_chosen, reference_rejected, beta):
    """You take the logarithm of the sigmoid. For a difference of -1000 the sigmoid is rounded to 0, and the loss
    is infinite. `functional.logsigmoid` does both at once, and stays finite."""
    margins = beta * ((chosen - reference_chosen) - (rejected - reference_rejected))
    return -margins.sigmoid().log().sum() / max(len(margins), 1)


def dpo_loss__summed(chosen, rejected, reference_chosen, reference_rejected, beta):
    """You add up the pairs. A loss is a mean here, so that the step does not grow with the batch."""
    return -functional.logsigmoid(
        beta * ((chosen - reference_chosen) - (rejected - reference_rejected))
    ).sum()


def dpo_loss__two_losses(chosen, rejected, reference_chosen, reference_rejected, beta):
    """You take a loss for the chosen answer and one for the rejected answer. DPO compares: only the difference of the
    two goes into the sigmoid, so that both may fall, as long as the rejected one falls further."""
    liked = functional.logsigmoid(beta * (chosen - reference_chosen))
    disliked = functional.logsigmoid(-beta * (rejected - reference_rejected))
    return -(liked + disliked).sum() / max(len(chosen), 1)


def dpo_loss__reference_added(chosen, rejected, reference_chosen, reference_rejected, beta):
    """Your reference has the wrong sign. From what the policy prefers you subtract what the reference preferred
    already; added, the policy would be paid for what it did not learn."""
    margins = beta * ((chosen - rejected) + (reference_chosen - reference_rejected))
    return -functional.logsigmoid(margins).sum() / max(len(margins), 1)


def dpo_loss__mean_taken_first(chosen, rejected, reference_chosen, reference_rejected, beta):
    """You take the mean of the differences, and the loss of that. Then one pair that is known well hides another
    that is wrong. Every pair has its own loss; the mean comes last."""
    margins = beta * ((chosen - reference_chosen) - (rejected - reference_rejected))
    return -functional.logsigmoid(margins.sum() / max(len(margins), 1)) * min(len(margins), 1)


def dpo_loss__nan_of_no_pairs(chosen, rejected, reference_chosen, reference_rejected, beta):
    """Without any pair your mean is 0 / 0, NaN. It is to be 0 there, as everywhere in this course where there is
    nothing to take a mean of."""
    margins = beta * ((chosen - reference_chosen) - (rejected - reference_rejected))
    return -functional.logsigmoid(margins).mean()


def dpo_loss__probabilities_compared(chosen, rejected, reference_chosen, reference_rejected, beta):
    """You compare the ratios of the probabilities themselves. In the formula it is their logarithms, which are
    plain differences here, since the arguments are logarithms already."""
    margins = beta * ((chosen - reference_chosen).exp() - (rejected - reference_rejected).exp())
    return -functional.logsigmoid(margins).sum() / max(len(margins), 1)


# End of the misconceptions of this chapter.
