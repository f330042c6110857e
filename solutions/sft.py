"""The reference answers of `nexttoken.sft`."""

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from nexttoken.attention import padding_mask
from nexttoken.transformer import cross_entropy


def render_dialogue(
    question: list[int], answer: list[int], bos: int, sep: int, eos: int
) -> tuple[Int[Tensor, " time"], Bool[Tensor, " time"]]:
    ids = torch.tensor([bos, *question, sep, *answer, eos])
    return ids, torch.arange(len(ids)) > len(question) + 1  # the separator comes after bos and the question


def pad_batch(
    sequences: list[Int[Tensor, " _"]], pad: int
) -> tuple[Int[Tensor, "batch time"], Bool[Tensor, "batch time"]]:
    ids = pad_sequence(sequences, batch_first=True, padding_value=pad)
    lengths = torch.tensor([len(sequence) for sequence in sequences], device=ids.device)
    return ids, padding_mask(lengths, ids.shape[1])


def answer_loss(
    logits: Float[Tensor, "batch time vocab"],
    ids: Int[Tensor, "batch time"],
    is_answer: Bool[Tensor, "batch time"],
) -> Float[Tensor, ""]:
    counts = is_answer[:, 1:]
    # What does not count is left out before the logarithm: it cannot reach the loss or its gradient.
    return cross_entropy(logits[:, :-1][counts], ids[:, 1:][counts])


def relative_change(before: dict[str, Tensor], after: dict[str, Tensor]) -> float:
    # The norm of all together is the norm of the tensors' norms.
    moved = math.hypot(*((after[name].double() - old.double()).norm().item() for name, old in before.items()))
    size = math.hypot(*(old.double().norm().item() for old in before.values()))
    if moved == 0:
        return 0.0
    return moved / size if size > 0 else math.inf


def effective_rank(delta: Float[Tensor, "rows columns"], energy: float = 0.9) -> int:
    held = torch.linalg.svdvals(delta).square().cumsum(dim=0)  # by 1, 2, 3 ... singular values
    held = torch.cat([held.new_zeros(1), held])
    return int((held < energy * held[-1]).sum())


def lora_linear(
    x: Float[Tensor, "*batch d_in"],
    weight: Float[Tensor, "d_out d_in"],
    a: Float[Tensor, "rank d_in"],
    b: Float[Tensor, "d_out rank"],
    alpha: float,
) -> Float[Tensor, "*batch d_out"]:
    return x @ weight.T + alpha / len(a) * (x @ a.T @ b.T)


def merge_lora(
    weight: Float[Tensor, "d_out d_in"],
    a: Float[Tensor, "rank d_in"],
    b: Float[Tensor, "d_out rank"],
    alpha: float,
) -> Float[Tensor, "d_out d_in"]:
    return weight + alpha / len(a) * (b @ a)


def trainable_fraction(model: nn.Module) -> float:
    parameters = list(model.parameters())  # each once, wherever it is used
    trainable = sum(p.numel() for p in parameters if p.requires_grad)
    return trainable / max(1, sum(p.numel() for p in parameters))


# End of the references of this chapter.
