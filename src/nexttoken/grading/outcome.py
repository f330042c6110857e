"""What a call of an exercise came to, and whether two such outcomes are the same.

An outcome is more than the value: an answer that changes its arguments, cuts the gradient or
turns float32 into float64 gives right numbers and is wrong.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Call:
    """The arguments of one call, safe from whoever is called."""

    arguments: dict[str, Any]

    @property
    def size(self) -> int:
        """How many numbers a person would have to look at."""
        return sum(a.numel() for a in self.arguments.values() if isinstance(a, Tensor))


@dataclass
class Outcome:
    """What came back, or what was raised, and what happened to the arguments."""

    value: Any = None
    error: Exception | None = None
    changed: list[str] = field(default_factory=list)
    gradients: list[Tensor | None] | None = None  # None: no gradient flows


def copied(value: Any) -> Any:
    """A tensor of its own memory, that asks for gradients if the first did; other things as they are."""
    if isinstance(value, Tensor):
        return value.detach().clone().requires_grad_(value.requires_grad)
    if isinstance(value, tuple | list):
        return type(value)(copied(item) for item in value)
    return value


def outcome(function: Callable[..., Any], call: Call) -> Outcome:
    """Call `function` on copies of the arguments and look at all that it did."""
    arguments = {name: copied(value) for name, value in call.arguments.items()}
    try:
        value = function(*arguments.values())
    except Exception as error:
        return Outcome(error=error)
    changed = [name for name, value in arguments.items() if not _unchanged(call.arguments[name], value)]
    return Outcome(value, None, changed, _gradients(value, arguments))


def _unchanged(before: Any, after: Any) -> bool:
    if isinstance(before, Tensor):
        return before.shape == after.shape and torch.equal(
            before.detach().nan_to_num(nan=math.pi), after.detach().nan_to_num(nan=math.pi)
        )
    if isinstance(before, list):
        return len(before) == len(after) and all(map(_unchanged, before, after))
    return True


def _gradients(value: Any, arguments: dict[str, Any]) -> list[Tensor | None] | None:
    leaves = [a for a in arguments.values() if isinstance(a, Tensor) and a.requires_grad]
    if not leaves or not isinstance(value, Tensor) or not value.requires_grad:
        return None
    finite = torch.where(value.isfinite(), value, 0.0)
    weights = torch.arange(1, value.numel() + 1, dtype=value.dtype).sin().reshape(value.shape)
    return list(torch.autograd.grad((finite * weights).sum(), leaves, allow_unused=True))


def difference(expected: Outcome, got: Outcome) -> str | None:
    """What is wrong with `got`, in a few words; None if nothing is."""
    if got.error is not None or expected.error is not None:
        if type(got.error) is type(expected.error):
            return None
        return (
            f"it raised {_raised(got.error)}" if got.error else f"it should raise {_raised(expected.error)}"
        )
    if problem := _value_difference(expected.value, got.value):
        return problem
    if got.changed != expected.changed:
        return f"your function changed its argument {', '.join(got.changed)}"
    return _gradient_difference(expected.gradients, got.gradients)


def _raised(error: Exception | None) -> str:
    return f"{type(error).__name__}: {error}"


def _value_difference(expected: Any, got: Any) -> str | None:
    if isinstance(expected, Tensor):
        return _tensor_difference(expected, got)
    if isinstance(expected, tuple | list):
        if not isinstance(got, tuple | list):
            return f"a {type(expected).__name__} was expected, not a {_type(got)}"
        if len(expected) != len(got):
            return f"{len(expected)} things were expected, not {len(got)}"
        return next((d for pair in zip(expected, got, strict=True) if (d := _value_difference(*pair))), None)
    if isinstance(expected, float) and not isinstance(got, bool):
        try:
            number = float(got)  # a 0-d tensor is a number too
        except (TypeError, ValueError, RuntimeError):
            return f"a number was expected, not a {_type(got)}"
        close = math.isclose(expected, number, rel_tol=1e-6, abs_tol=1e-8) or expected == number
        return None if close else "the value is different"
    if isinstance(got, Tensor) and got.ndim == 0:
        got = got.item()
    if expected is None or got is None:
        return None if expected is got else f"{expected!r} was expected, not a {_type(got)}"
    return None if bool(expected == got) else "the value is different"


def _tensor_difference(expected: Tensor, got: Any) -> str | None:
    if not isinstance(got, Tensor):
        return f"a tensor was expected, not a {_type(got)}"
    if expected.shape != got.shape:
        return f"the shape is {tuple(got.shape)}, not {tuple(expected.shape)}"
    integers = not expected.is_floating_point() and not expected.is_complex() and expected.dtype != torch.bool
    if integers and (got.is_floating_point() or got.is_complex() or got.dtype == torch.bool):
        return f"the numbers are {_dtype(got)}, not integers"
    if not integers and expected.dtype != got.dtype:
        return f"the numbers are {_dtype(got)}, not {_dtype(expected)}"
    precise = expected.dtype in (torch.float64, torch.int64)
    close = torch.allclose(
        expected.detach().double(),
        got.detach().double(),
        rtol=1e-6 if precise else 1e-4,
        atol=1e-8 if precise else 1e-5,
        equal_nan=True,
    )
    return None if close else "the values are different"


def _gradient_difference(expected: list[Tensor | None] | None, got: list[Tensor | None] | None) -> str | None:
    if expected is None:
        return None
    if got is None:
        return "no gradient flows through your answer: .item(), .detach(), .tolist() and new tensors cut it"
    for right, yours in zip(expected, got, strict=True):
        if right is None or not right.isfinite().all():
            continue
        if yours is None or not torch.allclose(right, yours, rtol=1e-4, atol=1e-6):
            return "the values are right, but their gradient is different"
    return None


def _type(value: Any) -> str:
    return type(value).__name__


def _dtype(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
