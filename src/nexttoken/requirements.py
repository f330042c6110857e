"""What an exercise asks of its arguments, declared beside the stub.

A requirement looks at one argument, knows the others, and answers None or what is wrong
with it: "must be at least 1, got 0". The exercise's wrapper raises that as a ValueError
before anybody's body runs, so that neither the reader's answer nor the reference repeats it.
"""

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

Requirement = Callable[[Any, Mapping[str, Any]], str | None]


def at_least(minimum: int | float) -> Requirement:
    """A number that is not below `minimum`; NaN is."""
    return lambda value, _: None if value >= minimum else f"must be at least {minimum}, got {value}"


def between(low: int | float, high: int | float) -> Requirement:
    """A number in the closed interval from `low` to `high`."""
    return lambda value, _: None if low <= value <= high else f"must lie in [{low}, {high}], got {value}"


def not_empty(value: Any, _: Mapping[str, Any]) -> str | None:
    """A tensor or a list with something in it."""
    size = value.numel() if isinstance(value, Tensor) else len(value)
    return None if size else "must not be empty, got nothing"


def shorter_than(other: str) -> Requirement:
    """A number below the length of the argument `other`."""

    def check(value: Any, arguments: Mapping[str, Any]) -> str | None:
        length = len(arguments[other])
        return None if value < length else f"must be less than the length of {other} ({length}), got {value}"

    return check


def token_ids(other: str) -> Requirement:
    """Ids from 0 up to, not including, the argument `other`: a number, or the last axis of a tensor."""

    def check(value: Tensor, arguments: Mapping[str, Any]) -> str | None:
        bound = arguments[other]
        size = bound.shape[-1] if isinstance(bound, Tensor) else bound
        wide = value.long()  # 300 does not fit into eight bits, nor can they be compared with it
        outside = wide[(wide < 0) | (wide >= size)]
        return f"must hold ids from 0 to {size - 1}, got {outside[0].item()}" if outside.numel() else None

    return check
