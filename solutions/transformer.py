"""The reference answers of `nexttoken.transformer`."""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nexttoken.autoregression import generate


def layer_norm(
    x: Float[Tensor, "*batch d_model"],
    gain: Float[Tensor, " d_model"],
    bias: Float[Tensor, " d_model"],
    eps: float = 1e-5,
) -> Float[Tensor, "*batch d_model"]:
    centred = x - x.mean(dim=-1, keepdim=True)
    variance = centred.square().mean(dim=-1, keepdim=True)
    return centred * (variance + eps).rsqrt() * gain + bias  # rsqrt: 1 / the root


def gelu(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    return x / 2 * (1 + torch.erf(x / math.sqrt(2)))


def feed_forward(
    x: Float[Tensor, "*batch d_model"],
    w_in: Float[Tensor, "d_model d_hidden"],
    b_in: Float[Tensor, " d_hidden"],
    w_out: Float[Tensor, "d_hidden d_model"],
    b_out: Float[Tensor, " d_model"],
) -> Float[Tensor, "*batch d_model"]:
    return gelu(x @ w_in + b_in) @ w_out + b_out


def residual(
    x: Float[Tensor, "*batch d_model"],
    sublayer: Callable[[Float[Tensor, "*batch d_model"]], Float[Tensor, "*batch d_model"]],
    norm: Callable[[Float[Tensor, "*batch d_model"]], Float[Tensor, "*batch d_model"]],
) -> Float[Tensor, "*batch d_model"]:
    return x + sublayer(norm(x))


def cross_entropy(
    logits: Float[Tensor, "*batch vocab"], targets: Int[Tensor, "*batch"], ignore: int | None = None
) -> Float[Tensor, ""]:
    targets = targets.long()
    if ignore is not None:
        counts = targets != ignore
        logits, targets = logits[counts], targets[counts]
    log_probabilities = logits.log_softmax(dim=-1).gather(-1, targets.unsqueeze(-1))
    return (-log_probabilities).sum() / max(log_probabilities.numel(), 1)


def parameter_count(vocab: int, context: int, d_model: int, layers: int, tied: bool = True) -> int:
    norm = 2 * d_model
    attention = 4 * (d_model * d_model + d_model)
    hidden = 4 * d_model
    network = (d_model * hidden + hidden) + (hidden * d_model + d_model)
    block = norm + attention + norm + network
    tables = (vocab + context) * d_model
    return tables + layers * block + norm + (0 if tied else vocab * d_model)


def training_flops(parameters: int, tokens: int) -> float:
    forward, backward = 2, 4
    return float((forward + backward) * parameters * tokens)


def learning_rate(step: int, peak: float, warmup: int, total: int, floor: float) -> float:
    if step < warmup:
        return peak * step / warmup
    gone = min((step - warmup) / max(total - warmup, 1), 1.0)
    return floor + (peak - floor) * (1 + math.cos(math.pi * gone)) / 2


def clip_gradients(gradients: list[Float[Tensor, "..."]], max_norm: float) -> list[Float[Tensor, "..."]]:
    norm = sum(g.square().sum() for g in gradients) ** 0.5
    scale = max_norm / norm if norm > max_norm else 1.0
    return [g * scale for g in gradients]


def adamw_update(
    parameter: Float[Tensor, "*shape"],
    gradient: Float[Tensor, "*shape"],
    mean: Float[Tensor, "*shape"],
    square: Float[Tensor, "*shape"],
    step: int,
    lr: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> tuple[Float[Tensor, "*shape"], Float[Tensor, "*shape"], Float[Tensor, "*shape"]]:
    mean = betas[0] * mean + (1 - betas[0]) * gradient
    square = betas[1] * square + (1 - betas[1]) * gradient.square()
    # Both began at 0, and so are too small at first: by exactly these factors.
    direction = mean / (1 - betas[0] ** step) / ((square / (1 - betas[1] ** step)).sqrt() + eps)
    return parameter - lr * (weight_decay * parameter + direction), mean, square


def translate(
    encode: Callable[[Int[Tensor, " source"]], Float[Tensor, "source d_model"]],
    next_logits: Callable[[Float[Tensor, "source d_model"], Int[Tensor, " time"]], Float[Tensor, " vocab"]],
    source: Int[Tensor, " source"],
    start: int,
    stop: int,
    max_new_tokens: int,
) -> Int[Tensor, " target"]:
    z = encode(source)
    begun = source.new_tensor([start])
    written = generate(lambda ids: next_logits(z, ids), begun, max_new_tokens, torch.argmax, stop)
    return written[1:]


# End of the references of this chapter.
