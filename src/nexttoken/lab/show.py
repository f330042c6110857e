"""Print values so that every right answer prints the same text, on every machine.

Two right answers differ in the last bits of a float64. `show` rounds to ten digits first, which
removes that noise and the ties of decimal rounding, then prints four.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

LARGEST = 400  # numbers of one tensor that are printed in full
LARGEST_DIGEST = 10_000_000  # of more than these not even the sum is taken


def show(value: Any, label: str = "") -> None:
    """Print a tensor with its kind and shape, or a number, or a list or dictionary of such things.

    >>> show(torch.tensor([[0.5, -1e-17]], dtype=torch.float64), "row")
    row: float64 (1, 2)
      0.5000  0.0000
    >>> show(2 / 3)
    0.6667
    >>> show({"w": 1.5, "b": 2})
    2 names
    w: 1.5000
    b: 2
    >>> show(["the roof drips", "who pays ?"])
    2 values: the roof drips | who pays ?
    >>> show({10, 9})
    a set of 2: 9 10
    """
    print(f"{label}: " * bool(label) + described(value))


def described(value: Any) -> str:
    """What `show` prints."""
    if isinstance(value, Tensor):
        return _tensor(value.detach())
    if isinstance(value, tuple | list):
        if all(isinstance(item, int | float | str) for item in value):
            # Where texts have spaces of their own, one sees by the strokes where each of them ends.
            between = (
                " | " if any(isinstance(item, str) and len(item.split()) != 1 for item in value) else " "
            )
            return f"{len(value)} values: " + between.join(_number(item) for item in value[:LARGEST])
        return "\n".join([f"{len(value)} values", *(described(item) for item in value[:LARGEST])])
    if isinstance(value, set | frozenset):
        texts = sorted(map(described, value), key=lambda text: (len(text), text))  # 9 before 10
        return f"a set of {len(value)}: " + " ".join(texts[:LARGEST])
    if isinstance(value, dict):
        return "\n".join([f"{len(value)} names", *(f"{name}: {described(v)}" for name, v in value.items())])
    if value is None or isinstance(value, bool | int | float | str):
        return _number(value)
    return f"a value of type {type(value).__name__}"


def _tensor(values: Tensor) -> str:
    shape = "(" + ", ".join(map(str, values.shape)) + ("," if values.ndim == 1 else "") + ")"
    header = f"{_kind(values)} {shape}"
    if values.numel() > LARGEST_DIGEST:
        return f"{header}, too many to read"
    if values.numel() > LARGEST:
        return f"{header} digest {digest(values)}"
    if values.ndim == 0:
        return f"{header} {_number(values.item())}"
    texts = [_number(v) for v in values.reshape(-1).tolist()]
    width = max(map(len, texts), default=0)
    columns = values.shape[-1] or 1
    rows = [texts[i : i + columns] for i in range(0, len(texts), columns)]
    return "\n".join([header, *("  " + "  ".join(text.rjust(width) for text in row) for row in rows)])


def _kind(values: Tensor) -> str:
    # Which of torch's integer types counts or ids have is nobody's business; floats differ in precision.
    if values.dtype == torch.bool or values.is_floating_point():
        return str(values.dtype).removeprefix("torch.")
    return "int"


def _number(value: Any) -> str:
    if isinstance(value, float):
        if not math.isfinite(value):
            return str(value)
        return f"{round(value, 10):z.4f}" if abs(value) < 1e15 else f"{value:.4e}"
    return str(value)


def digest(values: Tensor) -> str:
    """A few numbers that stand for many: how many are finite, and their weighted sum."""
    flat = values.detach().reshape(-1).double()
    finite = flat.isfinite()
    weights = torch.arange(1, flat.numel() + 1, dtype=torch.float64).cos()
    total = (torch.where(finite, flat, 0.0) * weights).sum().item()
    return f"{int(finite.sum())} of {flat.numel()} finite, weighted sum {_number(total)}"


def habits(function: Callable[..., Any], *args: Any, batched: int = 0) -> None:
    """What a good function of tensors does besides its job, in numbers.

    It works for any leading batch axes of its first `batched` arguments, keeps float32 as float32,
    lets gradients flow, and leaves its arguments as they were.
    """
    if batched:
        show(function(*map(_stacked, args[:batched]), *args[batched:]), "two at once")
    floats = [i for i, a in enumerate(args) if isinstance(a, Tensor) and a.is_floating_point()]
    if floats:
        single = function(*(a.float() if i in floats else a for i, a in enumerate(args)))
        print(f"from float32: {_kind(single) if isinstance(single, Tensor) else type(single).__name__}")
        leaves = [a.clone().requires_grad_() if i in floats else a for i, a in enumerate(args)]
        print("gradient: " + _gradient(function(*leaves), [leaves[i] for i in floats]))
    function(*args)
    for number, argument in enumerate((a for a in args if isinstance(a, Tensor)), start=1):
        print(f"argument {number} after the call: {digest(argument)}")


def _stacked(tensor: Tensor) -> Tensor:
    """Shape (2, 1, ...): two more axes; the second copy is the first one turned round."""
    return torch.stack([tensor, tensor.flip(-1)]).unsqueeze(1)


def _gradient(result: Any, leaves: list[Tensor]) -> str:
    if not isinstance(result, Tensor) or not result.requires_grad:
        return "none"
    finite = torch.where(result.isfinite(), result, 0.0)
    weights = torch.arange(1, result.numel() + 1, dtype=result.dtype).sin().reshape(result.shape)
    gradients = torch.autograd.grad((finite * weights).sum(), leaves, allow_unused=True)
    return ", ".join("none" if g is None else digest(g) for g in gradients)
