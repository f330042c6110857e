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


def one_of(*names: str) -> Requirement:
    """One of these words."""
    return lambda value, _: None if value in names else f"must be one of {', '.join(names)}, got {value}"


def not_empty(value: Any, _: Mapping[str, Any]) -> str | None:
    """A tensor or a list with something in it."""
    size = value.numel() if isinstance(value, Tensor) else len(value)
    return None if size else "must not be empty, got nothing"


def some_rank(value: Tensor, _: Mapping[str, Any]) -> str | None:
    """A matrix with at least one row: as many as the rank of the product it belongs to."""
    return None if len(value) else f"must have a rank of at least 1, got {len(value)} rows"


def same_names(other: str) -> Requirement:
    """A dictionary with the names of the argument `other`, in whatever order."""

    def check(value: Mapping[str, Any], arguments: Mapping[str, Any]) -> str | None:
        odd = sorted(value.keys() ^ arguments[other].keys())
        return f"must hold the same names as {other}, got only one {odd[0]}" if odd else None

    return check


def shorter_than(other: str) -> Requirement:
    """A number below the length of the argument `other`."""

    def check(value: Any, arguments: Mapping[str, Any]) -> str | None:
        length = len(arguments[other])
        return None if value < length else f"must be less than the length of {other} ({length}), got {value}"

    return check


def token_ids(other: str, but: str = "") -> Requirement:
    """Ids from 0 up to, not including, the argument `other`: a number, or the last axis of a tensor.

    An id that equals the argument `but` is no token, and may be anything.
    """

    def check(value: Tensor, arguments: Mapping[str, Any]) -> str | None:
        bound = arguments[other]
        size = bound.shape[-1] if isinstance(bound, Tensor) else bound
        # Widened first: among eight-bit numbers -100 would be taken for 156.
        return _ids_below(size, value if not but else value[value.long() != arguments[but]])

    return check


def row_ids(other: str) -> Requirement:
    """Ids of rows of the argument `other`."""
    return lambda value, arguments: _ids_below(len(arguments[other]), value)


def _ids_below(size: int, ids: Tensor) -> str | None:
    wide = ids.long()  # 300 does not fit into eight bits, nor can they be compared with it
    outside = wide[(wide < 0) | (wide >= size)]
    return f"must hold ids from 0 to {size - 1}, got {outside[0].item()}" if outside.numel() else None


def at_least_argument(other: str) -> Requirement:
    """A number that is not below the argument `other`."""

    def check(value: Any, arguments: Mapping[str, Any]) -> str | None:
        low = arguments[other]
        return None if value >= low else f"must be at least {other} ({low}), got {value}"

    return check


def at_most_argument(other: str) -> Requirement:
    """A number that is not above the argument `other`."""

    def check(value: Any, arguments: Mapping[str, Any]) -> str | None:
        high = arguments[other]
        return None if value <= high else f"must be at most {other} ({high}), got {value}"

    return check


def below_argument(other: str) -> Requirement:
    """A number below the argument `other`."""

    def check(value: Any, arguments: Mapping[str, Any]) -> str | None:
        high = arguments[other]
        return None if value < high else f"must be less than {other} ({high}), got {value}"

    return check


def even(value: int, _: Mapping[str, Any]) -> str | None:
    """A number of which pairs can be made."""
    return None if value % 2 == 0 else f"must be even, got {value}"


def even_axis(value: Tensor, _: Mapping[str, Any]) -> str | None:
    """A tensor of whose last axis pairs can be made."""
    return None if value.shape[-1] % 2 == 0 else f"must have an even last axis, got {value.shape[-1]}"


def shortest_row(least: int) -> Requirement:
    """A tensor whose last axis holds at least so many."""

    def check(value: Tensor, _: Mapping[str, Any]) -> str | None:
        size = value.shape[-1]
        return None if size >= least else f"must have at least {least} entries a row, got {size}"

    return check


def divides(other: str) -> Requirement:
    """A number of equal parts into which the last axis of the argument `other` can be cut."""

    def check(value: int, arguments: Mapping[str, Any]) -> str | None:
        size = arguments[other].shape[-1]
        return None if size % value == 0 else f"must divide the last axis of {other} ({size}), got {value}"

    return check


def whole_groups_of(other: str) -> Requirement:
    """A tensor whose axis before the last two divides that of `other`: groups of heads."""

    def check(value: Tensor, arguments: Mapping[str, Any]) -> str | None:
        heads, groups = arguments[other].shape[-3], value.shape[-3]
        return (
            None if heads % groups == 0 else f"must have groups that divide the {heads} heads, got {groups}"
        )

    return check


def no_longer_than(other: str) -> Requirement:
    """Ids of no more positions than the argument `other` has rows."""

    def check(value: Tensor, arguments: Mapping[str, Any]) -> str | None:
        time, most = value.shape[-1], len(arguments[other])
        return (
            None if time <= most else f"must have at most {most} positions, the rows of {other}, got {time}"
        )

    return check


def at_most_rows(other: str) -> Requirement:
    """A number that is not above the number of rows of `other`."""

    def check(value: int, arguments: Mapping[str, Any]) -> str | None:
        rows = len(arguments[other])
        return None if value <= rows else f"must be at most {rows}, the rows of {other}, got {value}"

    return check


def lengths_within(other: str) -> Requirement:
    """Lengths from 0 to the argument `other`."""

    def check(value: Tensor, arguments: Mapping[str, Any]) -> str | None:
        most = arguments[other]
        outside = value[(value < 0) | (value > most)]
        return f"must lie in 0..{most} ({other}), got {outside[0].item()}" if outside.numel() else None

    return check


def full_lengths(other: str) -> Requirement:
    """Lengths from 1 to the time axis, the last but one, of the argument `other`."""

    def check(value: Tensor, arguments: Mapping[str, Any]) -> str | None:
        most = arguments[other].shape[-2]
        outside = value[(value < 1) | (value > most)]
        return (
            f"must lie in 1..{most}, the time of {other}, got {outside[0].item()}"
            if outside.numel()
            else None
        )

    return check


def some_columns(value: Tensor, _: Mapping[str, Any]) -> str | None:
    """A tensor with something in each of its rows, though perhaps without rows."""
    return None if value.shape[-1] else f"must have at least 1 number a row, got shape {tuple(value.shape)}"


def byte_pair_ids(other: str) -> Requirement:
    """A list of ids of bytes (below 256) and of the merges in the argument `other`."""

    def check(value: list[int], arguments: Mapping[str, Any]) -> str | None:
        size = 256 + len(arguments[other])
        outside = [i for i in value if not 0 <= i < size]
        return f"must hold ids from 0 to {size - 1}, got {outside[0]}" if outside else None

    return check
