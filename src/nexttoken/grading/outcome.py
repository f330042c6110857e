"""What a call of an exercise came to, and whether two such outcomes are the same.

An outcome is more than the value: an answer that changes its arguments, cuts the gradient or
turns float32 into float64 gives right numbers and is wrong.
"""

import copy
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
    any_float: bool = False  # no argument says how precise the numbers should be


def copied(value: Any) -> Any:
    """A tensor of its own memory, that asks for gradients if the first did; other things as they are."""
    if isinstance(value, Tensor):
        return value.detach().clone().requires_grad_(value.requires_grad)
    if isinstance(value, tuple | list):
        return type(value)(copied(item) for item in value)
    if isinstance(value, dict):
        return {name: copied(item) for name, item in value.items()}
    if isinstance(value, set):
        return set(value)
    return copy.deepcopy(value) if isinstance(value, torch.nn.Module) else value


def outcome(function: Callable[..., Any], call: Call) -> Outcome:
    """Call `function` on copies of the arguments and look at all that it did."""
    arguments = {name: copied(value) for name, value in call.arguments.items()}
    try:
        value = function(*arguments.values())
    except Exception as error:
        return Outcome(error=error)
    changed = [name for name, value in arguments.items() if not _unchanged(call.arguments[name], value)]
    any_float = not any(isinstance(a, Tensor) and a.is_floating_point() for a in arguments.values())
    return Outcome(value, None, changed, _gradients(value, arguments), any_float)


def _unchanged(before: Any, after: Any) -> bool:
    if isinstance(before, Tensor):
        return before.shape == after.shape and torch.equal(
            before.detach().nan_to_num(nan=math.pi), after.detach().nan_to_num(nan=math.pi)
        )
    if isinstance(before, list):
        return len(before) == len(after) and all(map(_unchanged, before, after))
    if isinstance(before, dict):
        return list(before) == list(after) and all(_unchanged(before[name], after[name]) for name in before)
    if isinstance(before, set):
        return bool(before == after)
    if isinstance(before, torch.nn.Module):
        learns, learns_now = ([p.requires_grad for p in model.parameters()] for model in (before, after))
        return learns == learns_now and _unchanged(before.state_dict(), after.state_dict())
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
        return f"it raised {raised(got.error)}" if got.error else f"it should raise {raised(expected.error)}"
    try:
        problem = _value_difference(expected.value, got.value, expected.any_float)
    except Exception as error:  # a tensor without values, an object whose == fails
        problem = f"a {_type(got.value)} came back that cannot be compared: {raised(error)}"
    if problem:
        return problem
    if got.changed != expected.changed:
        return f"your function changed its argument {', '.join(got.changed)}"
    return _gradient_difference(expected.gradients, got.gradients)


def alike(one: Outcome, other: Outcome) -> bool:
    """Whether neither differs from the other."""
    return difference(one, other) is None and difference(other, one) is None


def raised(error: BaseException | None) -> str:
    """The kind of the error and what it says."""
    try:
        return f"{type(error).__name__}: {error}".strip().removesuffix(":")
    except Exception:  # its __str__ fails
        return type(error).__name__


def _value_difference(expected: Any, got: Any, any_float: bool) -> str | None:
    if isinstance(expected, Tensor):
        return _tensor_difference(expected, got, any_float)
    if isinstance(expected, tuple | list):
        if not isinstance(got, tuple | list):
            return f"a {type(expected).__name__} was expected, not a {_type(got)}"
        if len(expected) != len(got):
            return f"{len(expected)} things were expected, not {len(got)}"
        pairs = zip(expected, got, strict=True)
        return next((d for right, yours in pairs if (d := _value_difference(right, yours, any_float))), None)
    if isinstance(expected, float) and not isinstance(got, bool):
        try:
            number = float(got.detach() if isinstance(got, Tensor) else got)  # a 0-d tensor is one too
        except (TypeError, ValueError, RuntimeError):
            return f"a number was expected, not a {_type(got)}"
        close = math.isclose(expected, number, rel_tol=1e-5, abs_tol=1e-6) or expected == number
        return None if close or (math.isnan(expected) and math.isnan(number)) else "the value is different"
    if isinstance(got, Tensor) and got.ndim == 0:
        got = got.item()
    if expected is None or got is None:
        return None if expected is got else f"{expected!r} was expected, not a {_type(got)}"
    return None if bool(expected == got) else "the value is different"


def _tensor_difference(expected: Tensor, got: Any, any_float: bool) -> str | None:
    if not isinstance(got, Tensor):
        return f"a tensor was expected, not a {_type(got)}"
    if expected.shape != got.shape:
        return f"the shape is {tuple(got.shape)}, not {tuple(expected.shape)}"
    if not expected.is_floating_point():
        if (expected.dtype == torch.bool) != (got.dtype == torch.bool) or got.is_floating_point():
            kind = "booleans" if expected.dtype == torch.bool else "integers"
            return f"the numbers are {_dtype(got)}, not {kind}"
        return None if torch.equal(expected.long(), got.long()) else "the values are different"
    if expected.dtype != got.dtype and not (any_float and got.is_floating_point()):
        return f"the numbers are {_dtype(got)}, not {_dtype(expected)}: .to(argument.dtype) converts them"
    precise = expected.dtype == got.dtype == torch.float64
    rtol, atol = (1e-6, 1e-8) if precise else (1e-4, 1e-5)
    right, yours = expected.detach().double(), got.detach().double()
    if torch.allclose(right, yours, rtol=rtol, atol=atol, equal_nan=True):
        return None
    return f"the values are different{_relation(right, yours, rtol, atol)}"


def _relation(right: Tensor, yours: Tensor, rtol: float, atol: float) -> str:
    """How the wrong values hang together with the right ones, if simply."""
    if torch.allclose(right, -yours, rtol=rtol, atol=atol):
        return ": only the sign is"
    largest = right.abs().nan_to_num(posinf=0.0).argmax() if right.numel() else None
    if largest is None or not right.flatten()[largest]:
        return ""
    factor = (yours.flatten()[largest] / right.flatten()[largest]).item()
    if math.isfinite(factor) and torch.allclose(factor * right, yours, rtol=rtol, atol=atol):
        return f": yours are {factor:.4g} times the expected ones"
    return ""


def _gradient_difference(expected: list[Tensor | None] | None, got: list[Tensor | None] | None) -> str | None:
    if expected is None:
        return None
    if got is None:
        return "no gradient flows through your answer: .item(), .detach(), .tolist() and new tensors cut it"
    for right, yours in zip(expected, got, strict=True):
        if right is None and yours is not None and yours.any():
            return "the values are right, but a gradient flows into an argument that is a given number"
        if right is None or not right.isfinite().all():
            continue
        if yours is None or not torch.allclose(right, yours, rtol=1e-4, atol=1e-6):
            return "the values are right, but their gradient is different"
    return None


def _type(value: Any) -> str:
    return type(value).__name__


def _dtype(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
