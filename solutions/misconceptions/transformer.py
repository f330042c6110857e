"""Plausible wrong answers to `nexttoken.transformer`, and the sentence that each one earns.

`<exercise>__<what_is_wrong>`: the docstring is what a reader is told whose answer behaves the same.
"""

import math

import torch


def layer_norm__over_everything(x, gain, bias, eps=1e-5):
    """You take one mean and one variance over the whole tensor. Each vector is normalised by its own: give
    `dim=-1` to both, and `keepdim=True`, so that the result can be subtracted."""
    return (x - x.mean()) / (x.var(correction=0) + eps).sqrt() * gain + bias


def layer_norm__over_the_tokens(x, gain, bias, eps=1e-5):
    """You normalise along the wrong axis: each number is compared with the same number of other tokens. Then a
    word's vector would depend on its neighbours, on those to come too, and the future leaks. A layer norm looks
    along the last axis."""
    centred = x - x.mean(dim=0, keepdim=True)
    return centred / (centred.square().mean(dim=0, keepdim=True) + eps).sqrt() * gain + bias


def layer_norm__divided_by_one_less(x, gain, bias, eps=1e-5):
    """Your variance divides by d - 1. That is torch's default, made for estimating from a sample; here nothing
    is estimated, so the sum of squares is divided by d: `correction=0`, or write the mean of the squares."""
    variance = x.var(dim=-1, keepdim=True)
    return (x - x.mean(dim=-1, keepdim=True)) / (variance + eps).sqrt() * gain + bias


def layer_norm__eps_outside_the_root(x, gain, bias, eps=1e-5):
    """You add eps to the standard deviation, after the root. It belongs inside, to the variance: so the root's
    slope stays finite where a vector has equal numbers."""
    variance = x.var(dim=-1, correction=0, keepdim=True)
    return (x - x.mean(dim=-1, keepdim=True)) / (variance.sqrt() + eps) * gain + bias


def layer_norm__by_the_standard_deviation_of_torch(x, gain, bias, eps=1e-5):
    """`std` is not quite what stands under the line, in two ways: torch divides by d - 1, where here it is d
    (`correction=0`), and eps belongs inside the root. Take the variance, add eps, then the root."""
    deviation = x.std(dim=-1, keepdim=True)
    return (x - x.mean(dim=-1, keepdim=True)) / (deviation + eps) * gain + bias


def layer_norm__divided_by_the_variance(x, gain, bias, eps=1e-5):
    """You divide by the variance itself. A vector ten times as long has a variance a hundred times as large, so
    it would come out *smaller*. Take the square root first."""
    variance = x.var(dim=-1, correction=0, keepdim=True)
    return (x - x.mean(dim=-1, keepdim=True)) / (variance + eps) * gain + bias


def layer_norm__not_centred(x, gain, bias, eps=1e-5):
    """You do not subtract the mean: you divide by the root of the mean square. That has a name, RMSNorm, and
    many newer models use it. A layer norm centres first."""
    return x / (x.square().mean(dim=-1, keepdim=True) + eps).sqrt() * gain + bias


def layer_norm__mean_left_in_what_is_divided(x, gain, bias, eps=1e-5):
    """Your variance is right, but what you divide by its root is x, and should be x minus its mean: the result
    is to have mean 0 before gain and bias."""
    return x / (x.var(dim=-1, correction=0, keepdim=True) + eps).sqrt() * gain + bias


def layer_norm__bias_before_gain(x, gain, bias, eps=1e-5):
    """You add the bias before you multiply by the gain, so that the gain stretches the bias too. First times
    `gain`, then plus `bias`."""
    variance = x.var(dim=-1, correction=0, keepdim=True)
    return ((x - x.mean(dim=-1, keepdim=True)) / (variance + eps).sqrt() + bias) * gain


def layer_norm__without_gain_and_bias(x, gain, bias, eps=1e-5):
    """Gain and bias are not used. Without these two learned vectors every layer would get numbers of mean 0 and
    variance 1, whether it wants them or not."""
    variance = x.var(dim=-1, correction=0, keepdim=True)
    return (x - x.mean(dim=-1, keepdim=True)) / (variance + eps).sqrt()


def layer_norm__without_eps(x, gain, bias, eps=1e-5):
    """You leave out eps. A vector of equal numbers has variance 0, and 0 / 0 is NaN; one such token, and the
    whole model is NaN after the next step."""
    variance = x.var(dim=-1, correction=0, keepdim=True)
    return (x - x.mean(dim=-1, keepdim=True)) / variance.sqrt() * gain + bias


def layer_norm__always_the_same_eps(x, gain, bias, eps=1e-5):
    """You do not use the eps that you are given; 1e-5 is only what it is when nobody says. (Perhaps you call
    torch's `layer_norm`: it takes eps as its last argument.)"""
    variance = x.var(dim=-1, correction=0, keepdim=True)
    return (x - x.mean(dim=-1, keepdim=True)) / (variance + 1e-5).sqrt() * gain + bias


def gelu__by_tanh(x):
    """This is the approximation by tanh. GPT-2 was trained with it, because tanh was faster then; the exact
    function has the error function erf in it, and differs from yours in the fourth decimal place."""
    return x / 2 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def gelu__by_a_sigmoid(x):
    """This is the rough approximation by a sigmoid of 1.702 x. It comes within 0.02; asked for is the exact
    function, with erf."""
    return x * torch.sigmoid(1.702 * x)


def gelu__silu(x):
    """This is x times its sigmoid, known as SiLU or Swish. The curve looks much the same. In a GELU the factor
    is the normal distribution's probability, and comes from erf."""
    return x * torch.sigmoid(x)


def gelu__relu(x):
    """This is max(0, x), the ReLU. A GELU has no corner: it lets small negative numbers through a little, so
    that there is a slope to learn from."""
    return x.clamp(min=0)


def gelu__root_of_two_forgotten(x):
    """You take erf of x itself. erf belongs to a bell curve of variance 1/2; for the normal distribution of
    variance 1 it is erf of x / sqrt(2)."""
    return x / 2 * (1 + torch.erf(x))


def gelu__not_halved(x):
    """Your result is twice too large. erf runs from -1 to 1, so 1 + erf runs from 0 to 2, and a probability must
    end at 1: halve it."""
    return x * (1 + torch.erf(x / math.sqrt(2)))


def gelu__the_probability_alone(x):
    """You return the probability, from 0 to 1. It is the gate; what goes through the gate is x: multiply."""
    return (1 + torch.erf(x / math.sqrt(2))) / 2


def gelu__one_forgotten(x):
    """You forgot to add 1 to erf. Your function treats -x like x; a GELU shuts for negative numbers and opens
    for positive ones."""
    return x / 2 * torch.erf(x / math.sqrt(2))


def feed_forward__nothing_between(x, w_in, b_in, w_out, b_out):
    """There is nothing between your two matrices. Then they are one matrix, `w_in @ w_out`, and all their
    parameters buy nothing: put `gelu` between."""
    return (x @ w_in + b_in) @ w_out + b_out


def feed_forward__relu_between(x, w_in, b_in, w_out, b_out):
    """You have max(0, x) between, as in the paper of 2017. Here it is `gelu`, the function that you have just
    written, as in GPT."""
    return (x @ w_in + b_in).clamp(min=0) @ w_out + b_out


def feed_forward__bent_before(x, w_in, b_in, w_out, b_out):
    """You apply gelu to x, before the first matrix. Bend after it, where there is more room: `d_hidden` numbers,
    each with a bias of its own that says where the bend is."""
    return (torch.nn.functional.gelu(x) @ w_in + b_in) @ w_out + b_out


def feed_forward__bent_after_too(x, w_in, b_in, w_out, b_out):
    """You apply gelu at the end as well. The result is added to the token's vector, and must be free to
    subtract; a gelu hardly lets anything negative through."""
    gelu = torch.nn.functional.gelu
    return gelu(gelu(x @ w_in + b_in) @ w_out + b_out)


def feed_forward__bent_at_the_end(x, w_in, b_in, w_out, b_out):
    """You apply gelu after the second matrix instead of between the two. Between, or two matrices in a row are
    but one."""
    return torch.nn.functional.gelu((x @ w_in + b_in) @ w_out + b_out)


def feed_forward__bias_outside_gelu(x, w_in, b_in, w_out, b_out):
    """You add `b_in` after gelu. The first bias belongs inside: it shifts the place where each number of the
    hidden layer begins to count."""
    return (torch.nn.functional.gelu(x @ w_in) + b_in) @ w_out + b_out


def feed_forward__biases_forgotten(x, w_in, b_in, w_out, b_out):
    """You left out the biases. Without `b_in` all bends lie at 0; without `b_out` a vector of zeros can only
    stay one."""
    return torch.nn.functional.gelu(x @ w_in) @ w_out


def feed_forward__last_bias_forgotten(x, w_in, b_in, w_out, b_out):
    """You left out the second bias: after the last matrix comes `+ b_out`."""
    return torch.nn.functional.gelu(x @ w_in + b_in) @ w_out


def feed_forward__added_to_x(x, w_in, b_in, w_out, b_out):
    """You add x to the result. That is the next exercise's job, `residual`; done here too, x would count
    twice."""
    return x + torch.nn.functional.gelu(x @ w_in + b_in) @ w_out + b_out


def residual__normalised_afterwards(x, sublayer, norm):
    """You normalise the sum: norm(x + sublayer(x)). So it was in 2017 (post-norm), and deep stacks of it are hard
    to train: nothing passes a layer untouched. Here the norm stands before the sublayer, inside."""
    return norm(x + sublayer(x))


def residual__adds_the_normalised_x(x, sublayer, norm):
    """You add the *normalised* x. It trains nearly as well, so this mistake lives long in published code; but now
    every layer rescales everything that came before. What is added is x itself: give the normalised vector
    another name than x."""
    normed = norm(x)
    return normed + sublayer(normed)


def residual__x_forgotten(x, sublayer, norm):
    """You forgot to add x. A layer then has to hand on everything itself, and a dozen layers hand on next to
    nothing, least of all the gradient."""
    return sublayer(norm(x))


def residual__norm_after_the_sublayer(x, sublayer, norm):
    """You normalise what comes out of the sublayer, and should normalise what goes in: sublayer(norm(x)). Perhaps
    the two functions have changed places."""
    return x + norm(sublayer(x))


def residual__not_normalised(x, sublayer, norm):
    """You do not use `norm`. The vectors grow from layer to layer, as each one adds something; the norm is there
    so that a sublayer gets numbers of a size that it knows."""
    return x + sublayer(x)


def residual__in_place(x, sublayer, norm):
    """`x += ...` changes the tensor that you were given, and whoever still needs the old x gets the new one. Write
    x + ..., which is a new tensor."""
    x += sublayer(norm(x))
    return x


def cross_entropy__summed(logits, targets, ignore=None):
    """You return the sum. Then a long text costs more than a short one, and the size of a step depends on the
    size of the batch. Divide by the number of targets that count."""
    counts = torch.ones_like(targets, dtype=torch.bool) if ignore is None else targets != ignore
    chosen = logits[counts].log_softmax(dim=-1).gather(-1, targets[counts].long().unsqueeze(-1))
    return -chosen.sum()


def cross_entropy__sign_forgotten(logits, targets, ignore=None):
    """Your loss has the wrong sign. A log-probability is never above 0, and a loss that is made smaller must make
    the truth *more* probable: take the negative mean."""
    counts = torch.ones_like(targets, dtype=torch.bool) if ignore is None else targets != ignore
    chosen = logits[counts].log_softmax(dim=-1).gather(-1, targets[counts].long().unsqueeze(-1))
    return chosen.sum() / max(chosen.numel(), 1)


def cross_entropy__in_bits(logits, targets, ignore=None):
    """You count in bits, with a logarithm to base 2. Losses here are in nats: the natural logarithm."""
    counts = torch.ones_like(targets, dtype=torch.bool) if ignore is None else targets != ignore
    chosen = logits[counts].log_softmax(dim=-1).gather(-1, targets[counts].long().unsqueeze(-1))
    return -chosen.sum() / max(chosen.numel(), 1) / math.log(2)


def cross_entropy__no_logarithm(logits, targets, ignore=None):
    """You average the probabilities; the logarithm is missing. With it, to be nearly certain of the wrong thing
    costs a lot; without it, it costs at most 1."""
    counts = torch.ones_like(targets, dtype=torch.bool) if ignore is None else targets != ignore
    chosen = logits[counts].softmax(dim=-1).gather(-1, targets[counts].long().unsqueeze(-1))
    return -chosen.sum() / max(chosen.numel(), 1)


def cross_entropy__softmax_twice(logits, targets, ignore=None):
    """You take a softmax of probabilities. `log_softmax`, and torch's `cross_entropy` too, want the logits as they
    are; after two softmaxes nothing can be more than e times as probable as anything else."""
    counts = torch.ones_like(targets, dtype=torch.bool) if ignore is None else targets != ignore
    twice = logits[counts].softmax(dim=-1).log_softmax(dim=-1)
    return -twice.gather(-1, targets[counts].long().unsqueeze(-1)).sum() / max(int(counts.sum()), 1)


def cross_entropy__softmax_then_log(logits, targets, ignore=None):
    """Softmax first and then the logarithm is right on paper. For a logit that lies 1000 below the largest, the
    probability rounds to 0, and its logarithm is minus infinity. `log_softmax` does both in one step, and
    stays finite."""
    counts = torch.ones_like(targets, dtype=torch.bool) if ignore is None else targets != ignore
    chosen = logits[counts].softmax(dim=-1).log().gather(-1, targets[counts].long().unsqueeze(-1))
    return -chosen.sum() / max(chosen.numel(), 1)


def cross_entropy__powers_of_large_logits(logits, targets, ignore=None):
    """You raise e to the logits as they are. e to the power of 1000 is infinite for a computer, and the loss
    NaN: use `log_softmax`, or subtract the row's largest logit first, which changes no probability."""
    counts = torch.ones_like(targets, dtype=torch.bool) if ignore is None else targets != ignore
    powers = logits[counts].exp()
    log_probabilities = (powers / powers.sum(dim=-1, keepdim=True)).log()
    chosen = log_probabilities.gather(-1, targets[counts].long().unsqueeze(-1))
    return -chosen.sum() / max(chosen.numel(), 1)


def cross_entropy__something_added_before_the_logarithm(logits, targets, ignore=None):
    """You add a small number to the probabilities before the logarithm. It keeps the loss finite, and wrong: what
    is less probable than that number no longer costs more, and gets no gradient. `log_softmax` needs no such
    help."""
    counts = torch.ones_like(targets, dtype=torch.bool) if ignore is None else targets != ignore
    chosen = logits[counts].softmax(dim=-1).gather(-1, targets[counts].long().unsqueeze(-1))
    return -(chosen + 1e-9).log().sum() / max(chosen.numel(), 1)


def cross_entropy__divided_by_all(logits, targets, ignore=None):
    """You leave out the ignored positions in the sum, but still count them when you divide. The more padding,
    the smaller your loss. Divide by the number of those that count."""
    counts = torch.ones_like(targets, dtype=torch.bool) if ignore is None else targets != ignore
    chosen = logits[counts].log_softmax(dim=-1).gather(-1, targets[counts].long().unsqueeze(-1))
    return -chosen.sum() / targets.numel()


def cross_entropy__ignore_not_used(logits, targets, ignore=None):
    """Targets that equal `ignore` count in your mean like any other. They mark padding, or words that the model
    is not to learn: leave these positions out before you average."""
    chosen = logits.log_softmax(dim=-1).gather(-1, targets.long().unsqueeze(-1))
    return -chosen.mean()


def cross_entropy__zero_not_ignored(logits, targets, ignore=None):
    """You do not ignore id 0. A condition like `if ignore` takes 0 for "nothing to ignore", and 0 is what padding
    often is: ask whether it is None."""
    counts = targets != ignore if ignore else torch.ones_like(targets, dtype=torch.bool)
    chosen = logits[counts].log_softmax(dim=-1).gather(-1, targets[counts].long().unsqueeze(-1))
    return -chosen.sum() / max(chosen.numel(), 1)


def cross_entropy__only_what_is_ignored(logits, targets, ignore=None):
    """You have it the wrong way round: your mean is over the positions that are to be ignored."""
    counts = torch.ones_like(targets, dtype=torch.bool) if ignore is None else targets == ignore
    chosen = logits[counts].log_softmax(dim=-1).gather(-1, targets[counts].long().unsqueeze(-1))
    return -chosen.sum() / max(chosen.numel(), 1)


def cross_entropy__nan_where_nothing_is_left(logits, targets, ignore=None):
    """Where all targets are to be ignored, you divide 0 by 0, and the loss is NaN. One such batch, and every
    parameter of the model is NaN. Nothing to average is 0."""
    counts = torch.ones_like(targets, dtype=torch.bool) if ignore is None else targets != ignore
    chosen = logits[counts].log_softmax(dim=-1).gather(-1, targets[counts].long().unsqueeze(-1))
    return -chosen.sum() / chosen.numel()


def cross_entropy__classes_in_the_second_place(logits, targets, ignore=None):
    """torch's `cross_entropy` looks for the vocabulary on axis 1, right after the batch, and here it is the last
    axis. Make rows of it first: `logits.reshape(-1, logits.shape[-1])` and `targets.reshape(-1)`."""
    ids = targets.long()
    counted = ids.numel() if ignore is None else int((ids != ignore).sum())
    ignored = -(10**9) if ignore is None else ignore
    summed = torch.nn.functional.cross_entropy(logits, ids, ignore_index=ignored, reduction="sum")
    return summed / max(counted, 1)


def cross_entropy__mean_of_means(logits, targets, ignore=None):
    """You average within each text first, and then over the texts. So a token of a short text weighs more than
    one of a long text. One mean over all that count, whatever text they stand in."""
    counts = torch.ones_like(targets, dtype=torch.bool) if ignore is None else targets != ignore
    chosen = logits.log_softmax(dim=-1).gather(-1, (targets * counts).long().unsqueeze(-1)).squeeze(-1)
    if targets.ndim < 2:
        return -(chosen * counts).sum() / max(int(counts.sum()), 1)
    return (-(chosen * counts).sum(dim=-1) / counts.sum(dim=-1).clamp(min=1)).mean()


def parameter_count__without_biases(vocab, context, d_model, layers, tied=True):
    """You left out the biases. They are few beside the matrices, and GPT-2 has them: one number for each output
    of each of the six matrices of a layer, 9 times `d_model` in all."""
    total = (vocab + context) * d_model + layers * (12 * d_model**2 + 4 * d_model) + 2 * d_model
    return total + (0 if tied else vocab * d_model)


def parameter_count__without_layer_norms(vocab, context, d_model, layers, tied=True):
    """You left out the layer norms. Each has a gain and a bias of `d_model` numbers; there are two in every layer
    and one at the end."""
    total = (vocab + context) * d_model + layers * (12 * d_model**2 + 9 * d_model)
    return total + (0 if tied else vocab * d_model)


def parameter_count__last_layer_norm_forgotten(vocab, context, d_model, layers, tied=True):
    """You forgot the layer norm after the last layer: 2 times `d_model` numbers, gain and bias."""
    total = (vocab + context) * d_model + layers * (12 * d_model**2 + 13 * d_model)
    return total + (0 if tied else vocab * d_model)


def parameter_count__layer_norms_without_bias(vocab, context, d_model, layers, tied=True):
    """You count `d_model` numbers for a layer norm, and it has twice as many: a gain and a bias."""
    total = (vocab + context) * d_model + layers * (12 * d_model**2 + 11 * d_model) + d_model
    return total + (0 if tied else vocab * d_model)


def parameter_count__without_positions(vocab, context, d_model, layers, tied=True):
    """You left out the positions. In GPT-2 they are learned, not computed from sines: a vector of `d_model`
    numbers for each of the `context` places."""
    total = vocab * d_model + layers * (12 * d_model**2 + 13 * d_model) + 2 * d_model
    return total + (0 if tied else vocab * d_model)


def parameter_count__three_matrices(vocab, context, d_model, layers, tied=True):
    """You count three matrices for the attention. There are four: queries, keys, values, and the one that mixes
    what the heads have found."""
    total = (vocab + context) * d_model + layers * (11 * d_model**2 + 12 * d_model) + 2 * d_model
    return total + (0 if tied else vocab * d_model)


def parameter_count__narrow_network(vocab, context, d_model, layers, tied=True):
    """You take the feed-forward network to be as wide inside as outside. Inside it is four times as wide, so its
    two matrices have 4 `d_model` squared numbers each: two thirds of a layer."""
    total = (vocab + context) * d_model + layers * (6 * d_model**2 + 10 * d_model) + 2 * d_model
    return total + (0 if tied else vocab * d_model)


def parameter_count__tied_counted_twice(vocab, context, d_model, layers, tied=True):
    """You count the output's matrix though it is tied. Then it is no matrix of its own, it is the table of the
    tokens' vectors, used once more; what is shared is learned, stored and counted once."""
    return (2 * vocab + context) * d_model + layers * (12 * d_model**2 + 13 * d_model) + 2 * d_model


def parameter_count__always_tied(vocab, context, d_model, layers, tied=True):
    """You do not look at `tied`. Where it is False the output has a matrix of its own: `vocab` times `d_model`
    numbers more."""
    return (vocab + context) * d_model + layers * (12 * d_model**2 + 13 * d_model) + 2 * d_model


def parameter_count__bias_at_the_output(vocab, context, d_model, layers, tied=True):
    """You give the output's own matrix a bias. Every other matrix has one; this has none."""
    total = (vocab + context) * d_model + layers * (12 * d_model**2 + 13 * d_model) + 2 * d_model
    return total + (0 if tied else vocab * d_model + vocab)


def training_flops__only_forward(parameters, tokens):
    """You count the way forward only: 2 for each parameter and token. Learning has to go back too, and that is
    twice as much again: 6 in all."""
    return 2.0 * parameters * tokens


def training_flops__back_as_cheap_as_forward(parameters, tokens):
    """You count the way back like the way forward, 2 and 2. But back there are two products for each matrix: one
    gives the gradient of its input, the other that of its weights. So 2 and 4."""
    return 4.0 * parameters * tokens


def training_flops__a_pair_counted_as_one(parameters, tokens):
    """You count a multiplication and the addition that follows it as one. They are two operations, so it is 6 for
    each parameter and token, not 3."""
    return 3.0 * parameters * tokens


def training_flops__added(parameters, tokens):
    """You add parameters and tokens. Every token meets every parameter: multiply."""
    return 6.0 * (parameters + tokens)


def training_flops__for_one_token(parameters, tokens):
    """That is what one token costs. Training reads `tokens` of them: multiply by that too."""
    return 6.0 * parameters


def training_flops__in_petaflop_days(parameters, tokens):
    """You return petaflop/s-days, the unit that papers like. Asked for is the plain number of operations, as
    large as it may be."""
    return 6.0 * parameters * tokens / (1e15 * 86400)


def learning_rate__cosine_from_step_zero(step, peak, warmup, total, floor):
    """Your cosine begins at step 0, so that it has come down a little already where the warm-up ends, and the
    rate jumps. It begins at `warmup`: the part of the way is (step - warmup) / (total - warmup)."""
    if step < warmup:
        return peak * step / warmup
    gone = min(step / max(total, 1), 1.0) if total > warmup else float(step > warmup)
    return floor + (peak - floor) * (1 + math.cos(math.pi * gone)) / 2


def learning_rate__down_to_zero(step, peak, warmup, total, floor):
    """Your cosine ends at 0. It should end at `floor`, so that the last steps still learn something."""
    if step < warmup:
        return peak * step / warmup
    gone = min((step - warmup) / max(total - warmup, 1), 1.0)
    return peak * (1 + math.cos(math.pi * gone)) / 2


def learning_rate__nothing_after_the_end(step, peak, warmup, total, floor):
    """After `total` your rate is 0, and the model stands still. From there on it stays at the floor."""
    if step < warmup:
        return peak * step / warmup
    if step > total:
        return 0.0
    gone = (step - warmup) / max(total - warmup, 1)
    return floor + (peak - floor) * (1 + math.cos(math.pi * gone)) / 2


def learning_rate__without_pi(step, peak, warmup, total, floor):
    """You take the cosine of the part of the way, from 0 to 1, which is a seventh of a wave or less. Multiply it by
    pi: half a wave."""
    if step < warmup:
        return peak * step / warmup
    gone = min((step - warmup) / max(total - warmup, 1), 1.0)
    return floor + (peak - floor) * (1 + math.cos(gone)) / 2


def learning_rate__nothing_at_step_zero(step, peak, warmup, total, floor):
    """With a warm-up of 0 you still give step 0 a rate of 0. No warm-up means that step 0 has the peak already: ask
    whether the step is *below* `warmup`."""
    if step <= warmup:
        return peak * step / max(warmup, 1)
    gone = min((step - warmup) / max(total - warmup, 1), 1.0)
    return floor + (peak - floor) * (1 + math.cos(math.pi * gone)) / 2


def learning_rate__floor_added_on_top(step, peak, warmup, total, floor):
    """You add the floor to a cosine that already spans the whole height, and so begin at peak + floor. The
    cosine's part is the difference, peak - floor."""
    if step < warmup:
        return peak * step / warmup
    gone = min((step - warmup) / max(total - warmup, 1), 1.0)
    return floor + peak * (1 + math.cos(math.pi * gone)) / 2


def learning_rate__cut_off_at_the_floor(step, peak, warmup, total, floor):
    """Your cosine goes down to 0 and is held up by max(floor, ...). So it meets the floor early and with a corner;
    it should come down to it smoothly, and reach it at `total`."""
    if step < warmup:
        return peak * step / warmup
    gone = min((step - warmup) / max(total - warmup, 1), 1.0)
    return max(floor, peak * (1 + math.cos(math.pi * gone)) / 2)


def learning_rate__up_again(step, peak, warmup, total, floor):
    """After `total` your rate climbs again, as a cosine does. Half a cosine is all: from there on it stays at
    the floor."""
    if step < warmup:
        return peak * step / warmup
    gone = (step - warmup) / max(total - warmup, 1) if total > warmup else float(step > warmup)
    return floor + (peak - floor) * (1 + math.cos(math.pi * gone)) / 2


def learning_rate__a_whole_cosine(step, peak, warmup, total, floor):
    """Your cosine runs through a whole period, down and up again: 2 pi. From peak to floor it is half of one:
    pi."""
    if step < warmup:
        return peak * step / warmup
    gone = min((step - warmup) / max(total - warmup, 1), 1.0)
    return floor + (peak - floor) * (1 + math.cos(2 * math.pi * gone)) / 2


def learning_rate__a_quarter_of_a_cosine(step, peak, warmup, total, floor):
    """Your rate follows cos from 0 to pi/2, a quarter of a wave, and hits the floor at full speed. Half a wave, (1
    + cos) / 2 from 0 to pi, is flat at both ends."""
    if step < warmup:
        return peak * step / warmup
    gone = min((step - warmup) / max(total - warmup, 1), 1.0)
    return floor + (peak - floor) * math.cos(math.pi / 2 * gone)


def learning_rate__down_in_a_line(step, peak, warmup, total, floor):
    """You come down in a straight line. Many do; here it is half a cosine, which stays high longer, and ends
    gently."""
    if step < warmup:
        return peak * step / warmup
    gone = min((step - warmup) / max(total - warmup, 1), 1.0)
    return peak + (floor - peak) * gone


def learning_rate__one_step_ahead(step, peak, warmup, total, floor):
    """Your warm-up is one step ahead: (step + 1) / warmup. Some programs do that, so that step 0 is not wasted.
    Here step 0 has rate 0, and step `warmup` the peak."""
    if step < warmup:
        return peak * (step + 1) / warmup
    gone = min((step - warmup) / max(total - warmup, 1), 1.0)
    return floor + (peak - floor) * (1 + math.cos(math.pi * gone)) / 2


def learning_rate__up_from_the_floor(step, peak, warmup, total, floor):
    """Your warm-up starts at the floor. It starts at 0: the floor is only for the way down."""
    if step < warmup:
        return floor + (peak - floor) * step / warmup
    gone = min((step - warmup) / max(total - warmup, 1), 1.0)
    return floor + (peak - floor) * (1 + math.cos(math.pi * gone)) / 2


def learning_rate__divided_by_no_warmup(step, peak, warmup, total, floor):
    """With a warm-up of 0 you divide by 0. Then there is no warm-up at all, and step 0 has the peak: ask whether
    step *is below* `warmup`, and not whether it is at most `warmup`."""
    if step <= warmup:
        return peak * step / warmup
    gone = min((step - warmup) / max(total - warmup, 1), 1.0)
    return floor + (peak - floor) * (1 + math.cos(math.pi * gone)) / 2


def learning_rate__divided_by_no_way_down(step, peak, warmup, total, floor):
    """Where `total` is `warmup` there is no way down, and you divide by its length, 0. After the peak comes the
    floor at once."""
    if step < warmup:
        return peak * step / warmup
    gone = min((step - warmup) / (total - warmup), 1.0)
    return floor + (peak - floor) * (1 + math.cos(math.pi * gone)) / 2


def learning_rate__no_peak_without_a_way_down(step, peak, warmup, total, floor):
    """Where `total` is `warmup` you return the floor at that step already. Up to step `warmup` it is the warm-up,
    which ends at the peak; the floor comes after it."""
    if step >= total:
        return floor
    if step < warmup:
        return peak * step / warmup
    return floor + (peak - floor) * (1 + math.cos(math.pi * (step - warmup) / (total - warmup))) / 2


def clip_gradients__each_by_its_own_norm(gradients, max_norm):
    """You clip every tensor by its own norm. Then the long ones are shortened and the others are not, and the
    step goes in another direction. One norm over all of them together, one factor for all."""
    return [g * min(1.0, max_norm / max(g.norm().item(), 1e-30)) for g in gradients]


def clip_gradients__each_number(gradients, max_norm):
    """You clip each number into [-max_norm, max_norm]. Large entries are cut and small ones stay, so that the
    direction changes. Multiply all by one factor."""
    return [g.clamp(-max_norm, max_norm) for g in gradients]


def clip_gradients__stretched_too(gradients, max_norm):
    """You bring every gradient to the length `max_norm`, also one that was shorter. At the end of training, where
    gradients are small, that means large steps for ever. Only what is too long is scaled."""
    norm = sum(g.square().sum() for g in gradients) ** 0.5
    return [g * (max_norm / norm) if norm > 0 else g.clone() for g in gradients]


def clip_gradients__to_length_one(gradients, max_norm):
    """You divide by the norm and leave it at that, so that what was too long comes out 1 long. It should come out
    `max_norm` long: the factor is max_norm / norm."""
    norm = sum(g.square().sum() for g in gradients) ** 0.5
    return [g / norm if norm > max_norm else g.clone() for g in gradients]


def clip_gradients__root_forgotten(gradients, max_norm):
    """Your norm is the sum of the squares; the root is missing. A gradient of length 10 would count as 100."""
    norm = sum(g.square().sum() for g in gradients)
    return [g * (max_norm / norm) if norm > max_norm else g.clone() for g in gradients]


def clip_gradients__norms_added(gradients, max_norm):
    """You add up the tensors' norms. Lengths at right angles do not add like that: 3 and 4 make 5, not 7. Add
    the squares, and then take the root."""
    norm = sum(g.norm() for g in gradients)
    return [g * (max_norm / norm) if norm > max_norm else g.clone() for g in gradients]


def clip_gradients__mean_square(gradients, max_norm):
    """You take the mean of the squares where their sum is meant. A norm is a length; it does not get shorter
    because there are more numbers."""
    count = sum(g.numel() for g in gradients)
    norm = (sum(g.square().sum() for g in gradients) / max(count, 1)) ** 0.5
    return [g * (max_norm / norm) if norm > max_norm else g.clone() for g in gradients]


def clip_gradients__largest_number(gradients, max_norm):
    """Your norm is the largest number. That is one of several norms; the one meant here is the length, the root
    of the sum of all squares."""
    norm = max((g.abs().max() for g in gradients), default=0.0)
    return [g * (max_norm / norm) if norm > max_norm else g.clone() for g in gradients]


def clip_gradients__something_added_to_the_norm(gradients, max_norm):
    """You add a small number to the norm before you divide, as torch's own function does. You divide only where
    the norm is larger than `max_norm`, so it cannot be 0; and where gradients are tiny, your result is too
    short."""
    norm = sum(g.square().sum() for g in gradients) ** 0.5
    return [g * (max_norm / (norm + 1e-6)) if norm > max_norm else g.clone() for g in gradients]


def clip_gradients__zero_divided_by_zero(gradients, max_norm):
    """You divide first and limit the factor afterwards. Where norm and `max_norm` are both 0 that is 0 / 0, and
    all your gradients are NaN. Ask first whether the norm is larger; only then is there something to
    divide."""
    norm = torch.stack([g.norm() for g in gradients]).norm() if gradients else torch.ones(())
    return [g * (max_norm / norm).clamp(max=1.0) for g in gradients]


def clip_gradients__in_place(gradients, max_norm):
    """You change the tensors that you were given. `clip_grad_norm_` of torch does (its name ends in an underscore
    to say so); here the result is new tensors: `g * scale`, not `g *= scale`."""
    norm = sum(g.square().sum() for g in gradients) ** 0.5
    return [g.mul_(max_norm / norm) if norm > max_norm else g for g in gradients]


def clip_gradients__an_empty_list(gradients, max_norm):
    """You fail where there is nothing to clip: torch stacks or joins no empty list. A sum over nothing is 0, and
    then nothing is too long."""
    norm = torch.stack([g.norm() for g in gradients]).norm()
    return [g * (max_norm / norm) if norm > max_norm else g.clone() for g in gradients]


def adamw_update__not_corrected(
    parameter, gradient, mean, square, step, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0
):
    """You do not correct for the start. Both means begin at 0 and so are too small in the first steps, the one of
    the squares for a thousand steps: divide them by 1 - beta ** step."""
    mean = betas[0] * mean + (1 - betas[0]) * gradient
    square = betas[1] * square + (1 - betas[1]) * gradient.square()
    return parameter * (1 - lr * weight_decay) - lr * mean / (square.sqrt() + eps), mean, square


def adamw_update__squares_not_corrected(
    parameter, gradient, mean, square, step, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0
):
    """You correct the mean of the gradient, but not the mean of its square. The second needs it more: after one
    step, with 0.999, it is a thousand times too small, and your step thirty times too long."""
    mean = betas[0] * mean + (1 - betas[0]) * gradient
    square = betas[1] * square + (1 - betas[1]) * gradient.square()
    step_taken = lr * mean / (1 - betas[0] ** step) / (square.sqrt() + eps)
    return parameter * (1 - lr * weight_decay) - step_taken, mean, square


def adamw_update__step_from_the_old_means(
    parameter, gradient, mean, square, step, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0
):
    """Your step is made from the means as they were given, so that this gradient counts only the next time. Renew
    both means first, and step with the new ones."""
    scale = (square / (1 - betas[1] ** step)).sqrt() + eps
    stepped = parameter * (1 - lr * weight_decay) - lr * mean / (1 - betas[0] ** step) / scale
    mean = betas[0] * mean + (1 - betas[0]) * gradient
    square = betas[1] * square + (1 - betas[1]) * gradient.square()
    return stepped, mean, square


def adamw_update__always_the_same_betas(
    parameter, gradient, mean, square, step, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0
):
    """You write 0.9 and 0.999 where the two `betas` belong. These are only the usual ones; language models are
    often trained with 0.9 and 0.95."""
    mean = 0.9 * mean + (1 - 0.9) * gradient
    square = 0.999 * square + (1 - 0.999) * gradient.square()
    scale = (square / (1 - 0.999**step)).sqrt() + eps
    return parameter * (1 - lr * weight_decay) - lr * mean / (1 - 0.9**step) / scale, mean, square


def adamw_update__weights_exchanged(
    parameter, gradient, mean, square, step, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0
):
    """You weigh the new gradient with beta and the old mean with 1 - beta. It is the other way round: beta, near 1,
    is how much of the past is kept."""
    mean = (1 - betas[0]) * mean + betas[0] * gradient
    square = (1 - betas[1]) * square + betas[1] * gradient.square()
    scale = (square / (1 - betas[1] ** step)).sqrt() + eps
    return parameter * (1 - lr * weight_decay) - lr * mean / (1 - betas[0] ** step) / scale, mean, square


def adamw_update__decay_in_the_gradient(
    parameter, gradient, mean, square, step, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0
):
    """You add the weight decay to the gradient. That is Adam with L2, and the W in AdamW says that it is not: in
    the gradient the decay is divided by the root of the squares, so that busy parameters hardly decay. Take lr *
    weight_decay * parameter off the parameter itself."""
    gradient = gradient + weight_decay * parameter
    mean = betas[0] * mean + (1 - betas[0]) * gradient
    square = betas[1] * square + (1 - betas[1]) * gradient.square()
    scale = (square / (1 - betas[1] ** step)).sqrt() + eps
    return parameter - lr * mean / (1 - betas[0] ** step) / scale, mean, square


def adamw_update__decay_without_lr(
    parameter, gradient, mean, square, step, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0
):
    """Your weight decay is not multiplied by the learning rate. With a decay of 0.1 a tenth of every parameter
    would be gone after each step: it is lr * weight_decay * parameter."""
    mean = betas[0] * mean + (1 - betas[0]) * gradient
    square = betas[1] * square + (1 - betas[1]) * gradient.square()
    scale = (square / (1 - betas[1] ** step)).sqrt() + eps
    return parameter * (1 - weight_decay) - lr * mean / (1 - betas[0] ** step) / scale, mean, square


def adamw_update__decay_forgotten(
    parameter, gradient, mean, square, step, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0
):
    """You do not use `weight_decay`: before the step, take lr * weight_decay * parameter off."""
    mean = betas[0] * mean + (1 - betas[0]) * gradient
    square = betas[1] * square + (1 - betas[1]) * gradient.square()
    scale = (square / (1 - betas[1] ** step)).sqrt() + eps
    return parameter - lr * mean / (1 - betas[0] ** step) / scale, mean, square


def adamw_update__decay_of_the_new_parameter(
    parameter, gradient, mean, square, step, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0
):
    """You let the *new* parameter decay, after the step. What decays is the old one: decay and step both start
    from the parameter as it was."""
    mean = betas[0] * mean + (1 - betas[0]) * gradient
    square = betas[1] * square + (1 - betas[1]) * gradient.square()
    scale = (square / (1 - betas[1] ** step)).sqrt() + eps
    stepped = parameter - lr * mean / (1 - betas[0] ** step) / scale
    return stepped * (1 - lr * weight_decay), mean, square


def adamw_update__eps_inside_the_root(
    parameter, gradient, mean, square, step, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0
):
    """You add eps inside the root, as in a layer norm. Here it stands outside, beside the root: inside, 1e-8 would
    act like 1e-4."""
    mean = betas[0] * mean + (1 - betas[0]) * gradient
    square = betas[1] * square + (1 - betas[1]) * gradient.square()
    scale = (square / (1 - betas[1] ** step) + eps).sqrt()
    return parameter * (1 - lr * weight_decay) - lr * mean / (1 - betas[0] ** step) / scale, mean, square


def adamw_update__eps_before_the_correction(
    parameter, gradient, mean, square, step, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0
):
    """You add eps to the root of the uncorrected squares and correct afterwards, which makes eps larger in the
    first steps. Correct the squares first, take the root, and then add eps."""
    mean = betas[0] * mean + (1 - betas[0]) * gradient
    square = betas[1] * square + (1 - betas[1]) * gradient.square()
    scale = (square.sqrt() + eps) / math.sqrt(1 - betas[1] ** step)
    return parameter * (1 - lr * weight_decay) - lr * mean / (1 - betas[0] ** step) / scale, mean, square


def adamw_update__root_forgotten(
    parameter, gradient, mean, square, step, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0
):
    """You divide by the mean square without taking its root. A gradient ten times as large would then make a step
    ten times as *small*; with the root, its size cancels."""
    mean = betas[0] * mean + (1 - betas[0]) * gradient
    square = betas[1] * square + (1 - betas[1]) * gradient.square()
    scale = square / (1 - betas[1] ** step) + eps
    return parameter * (1 - lr * weight_decay) - lr * mean / (1 - betas[0] ** step) / scale, mean, square


def adamw_update__corrected_ones_kept(
    parameter, gradient, mean, square, step, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0
):
    """Your new parameter is right, but you return the *corrected* means, and the next step goes on from them: it
    would correct them again. Return m' and v' as they are before the division."""
    mean = betas[0] * mean + (1 - betas[0]) * gradient
    square = betas[1] * square + (1 - betas[1]) * gradient.square()
    mean, square = mean / (1 - betas[0] ** step), square / (1 - betas[1] ** step)
    return parameter * (1 - lr * weight_decay) - lr * mean / (square.sqrt() + eps), mean, square


def adamw_update__betas_exchanged(
    parameter, gradient, mean, square, step, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0
):
    """Your betas have changed places. The first, 0.9, is for the mean of the gradient; the second, 0.999, for the
    mean of its square, which must be steadier."""
    mean = betas[1] * mean + (1 - betas[1]) * gradient
    square = betas[0] * square + (1 - betas[0]) * gradient.square()
    scale = (square / (1 - betas[0] ** step)).sqrt() + eps
    return parameter * (1 - lr * weight_decay) - lr * mean / (1 - betas[1] ** step) / scale, mean, square


def adamw_update__square_of_the_mean(
    parameter, gradient, mean, square, step, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0
):
    """You square the running mean. What is averaged is the square of the *gradient*: a gradient that swings
    between 1 and -1 has a mean near 0 and a mean square of 1, and that is what makes its steps small."""
    mean = betas[0] * mean + (1 - betas[0]) * gradient
    square = betas[1] * square + (1 - betas[1]) * mean.square()
    scale = (square / (1 - betas[1] ** step)).sqrt() + eps
    return parameter * (1 - lr * weight_decay) - lr * mean / (1 - betas[0] ** step) / scale, mean, square


def adamw_update__upwards(
    parameter, gradient, mean, square, step, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0
):
    """You add the step. The gradient points to where the loss *grows*: subtract."""
    mean = betas[0] * mean + (1 - betas[0]) * gradient
    square = betas[1] * square + (1 - betas[1]) * gradient.square()
    scale = (square / (1 - betas[1] ** step)).sqrt() + eps
    return parameter * (1 - lr * weight_decay) + lr * mean / (1 - betas[0] ** step) / scale, mean, square


def adamw_update__steps_from_zero(
    parameter, gradient, mean, square, step, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0
):
    """Your correction counts the steps from 0, and so is one ahead: beta ** (step + 1). Here the first step is
    step 1 already."""
    mean = betas[0] * mean + (1 - betas[0]) * gradient
    square = betas[1] * square + (1 - betas[1]) * gradient.square()
    scale = (square / (1 - betas[1] ** (step + 1))).sqrt() + eps
    decayed = parameter * (1 - lr * weight_decay)
    return decayed - lr * mean / (1 - betas[0] ** (step + 1)) / scale, mean, square


def adamw_update__in_place(
    parameter, gradient, mean, square, step, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0
):
    """You change the tensors that you were given, as optimisers do to save memory. Here new tensors come back, and
    the old ones stay: no `mul_`, no `+=`."""
    mean.mul_(betas[0]).add_((1 - betas[0]) * gradient)
    square.mul_(betas[1]).add_((1 - betas[1]) * gradient.square())
    scale = (square / (1 - betas[1] ** step)).sqrt() + eps
    return parameter * (1 - lr * weight_decay) - lr * mean / (1 - betas[0] ** step) / scale, mean, square


def translate__start_kept(encode, next_logits, source, start, stop, max_new_tokens):
    """Your result begins with `start`. It is only a sign to begin, for the decoder; leave it out at the end."""
    z, ids = encode(source), source.new_tensor([start])
    for _ in range(max_new_tokens):
        ids = torch.cat([ids, next_logits(z, ids).argmax().to(ids.dtype).reshape(1)])
        if ids[-1] == stop:
            break
    return ids


def translate__stop_left_out(encode, next_logits, source, start, stop, max_new_tokens):
    """You leave out `stop`. It belongs to what was written: without it, nobody could tell a finished sentence from
    one that was cut off."""
    z, ids = encode(source), source.new_tensor([start])
    for _ in range(max_new_tokens):
        token = next_logits(z, ids).argmax().to(ids.dtype)
        if token == stop:
            break
        ids = torch.cat([ids, token.reshape(1)])
    return ids[1:]


def translate__never_stops(encode, next_logits, source, start, stop, max_new_tokens):
    """You write on after `stop`. The model says where the sentence ends by writing that token; what it would say
    after it means nothing."""
    z, ids = encode(source), source.new_tensor([start])
    for _ in range(max_new_tokens):
        ids = torch.cat([ids, next_logits(z, ids).argmax().to(ids.dtype).reshape(1)])
    return ids[1:]


def translate__stopped_by_start(encode, next_logits, source, start, stop, max_new_tokens):
    """Where `start` and `stop` are the same token you write nothing: you look at the last id before you write, and
    find the one to begin with. Only a token that was written ends the text: look at it after it was
    appended."""
    z, ids = encode(source), source.new_tensor([start])
    while ids[-1] != stop and len(ids) <= max_new_tokens:
        ids = torch.cat([ids, next_logits(z, ids).argmax().to(ids.dtype).reshape(1)])
    return ids[1:]


def translate__zero_stops_nothing(encode, next_logits, source, start, stop, max_new_tokens):
    """You write on after `stop` where it is token 0. A condition like `if stop` takes 0 for "none given"; here there
    is always one: just compare."""
    z, ids = encode(source), source.new_tensor([start])
    for _ in range(max_new_tokens):
        ids = torch.cat([ids, next_logits(z, ids).argmax().to(ids.dtype).reshape(1)])
        if stop and ids[-1] == stop:
            break
    return ids[1:]


def translate__at_least_one_token(encode, next_logits, source, start, stop, max_new_tokens):
    """You write one token even where none is allowed: you look at the limit only after the first one. With
    `max_new_tokens` 0 nothing is written."""
    z, ids = encode(source), source.new_tensor([start])
    while True:
        ids = torch.cat([ids, next_logits(z, ids).argmax().to(ids.dtype).reshape(1)])
        if ids[-1] == stop or len(ids) > max_new_tokens:
            return ids[1:]


def translate__as_long_as_the_source(encode, next_logits, source, start, stop, max_new_tokens):
    """You write as many tokens as the source has. Another language may need more words or fewer: only `stop` and
    `max_new_tokens` end the text."""
    z, ids = encode(source), source.new_tensor([start])
    for _ in range(min(len(source), max_new_tokens)):
        ids = torch.cat([ids, next_logits(z, ids).argmax().to(ids.dtype).reshape(1)])
        if ids[-1] == stop:
            break
    return ids[1:]


def translate__one_too_few(encode, next_logits, source, start, stop, max_new_tokens):
    """You count `start` among the new tokens, and so write one too few. `max_new_tokens` is about what is
    written."""
    z, ids = encode(source), source.new_tensor([start])
    for _ in range(max_new_tokens - 1):
        ids = torch.cat([ids, next_logits(z, ids).argmax().to(ids.dtype).reshape(1)])
        if ids[-1] == stop:
            break
    return ids[1:]


def translate__forgets_what_it_wrote(encode, next_logits, source, start, stop, max_new_tokens):
    """You show the decoder only the newest token. It must read all that it has written so far, from `start` on, or
    it cannot know where in the sentence it is."""
    z, ids = encode(source), source.new_tensor([start])
    for _ in range(max_new_tokens):
        ids = torch.cat([ids, next_logits(z, ids[-1:]).argmax().to(ids.dtype).reshape(1)])
        if ids[-1] == stop:
            break
    return ids[1:]


def translate__begins_with_the_source(encode, next_logits, source, start, stop, max_new_tokens):
    """You let the decoder begin with the source, as a model without an encoder does. Here x reaches it through z
    alone; its own text begins with `start`."""
    z, ids = encode(source), torch.cat([source, source.new_tensor([start])])
    for _ in range(max_new_tokens):
        ids = torch.cat([ids, next_logits(z, ids).argmax().to(ids.dtype).reshape(1)])
        if ids[-1] == stop:
            break
    return ids[len(source) + 1 :]


def translate__not_encoded(encode, next_logits, source, start, stop, max_new_tokens):
    """You hand the source itself to the decoder. It asks for z: what `encode` made of the source."""
    ids = source.new_tensor([start])
    for _ in range(max_new_tokens):
        ids = torch.cat([ids, next_logits(source, ids).argmax().to(ids.dtype).reshape(1)])
        if ids[-1] == stop:
            break
    return ids[1:]


def translate__read_again_for_every_word(encode, next_logits, source, start, stop, max_new_tokens):
    """You encode the source again for each word that you write. z does not change while you write; read x once,
    before the loop, and keep z."""
    ids = source.new_tensor([start])
    for _ in range(max_new_tokens):
        ids = torch.cat([ids, next_logits(encode(source), ids).argmax().to(ids.dtype).reshape(1)])
        if ids[-1] == stop:
            break
    return ids[1:]


def translate__floats_where_nothing_was_written(encode, next_logits, source, start, stop, max_new_tokens):
    """Where nothing is written, your result holds floats: `torch.tensor` of an empty list does not know that it
    was to hold ids. Give it `dtype=source.dtype`, or go on from `source.new_tensor([start])`."""
    z, written = encode(source), []
    for _ in range(max_new_tokens):
        written.append(int(next_logits(z, torch.tensor([start, *written])).argmax()))
        if written[-1] == stop:
            break
    return torch.tensor(written)


def translate__unlikeliest(encode, next_logits, source, start, stop, max_new_tokens):
    """You take the token with the smallest score. A large logit means likely: argmax."""
    z, ids = encode(source), source.new_tensor([start])
    for _ in range(max_new_tokens):
        ids = torch.cat([ids, next_logits(z, ids).argmin().to(ids.dtype).reshape(1)])
        if ids[-1] == stop:
            break
    return ids[1:]


# End of the misconceptions of this chapter.
