"""What was found out about one exercise: plain data that can be sent between processes."""

import dataclasses
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from nexttoken import course

ONE_OF_SEVERAL = "One mistake of several, perhaps: "  # before the sentence of one that explains only a part


class State(StrEnum):
    """How it stands with an exercise."""

    RIGHT = "right"
    WRONG = "wrong"
    NOT_DONE = "not done yet"
    UNREADABLE = "cannot be read"  # a syntax error, or an import that fails
    TIMEOUT = "too slow"
    CRASHED = "crashed"
    NOT_GRADED = "not graded"  # through no fault of the answer


@dataclass(frozen=True)
class Verdict:
    """The state of one exercise, and what its author should read."""

    exercise: str
    points: int
    minutes: int
    where: str  # "src/nexttoken/attention.py, line 24"
    state: State
    message: str = ""  # what is wrong, in words
    call: str = ""  # the smallest call that went wrong
    got: str = ""
    expected: str = ""
    misconception: str = ""  # the sentence of the known mistake that gives the same results
    printed: str = ""  # what the answer itself printed

    @classmethod
    def of(cls, exercise: course.Exercise, state: State, message: str = "", **more: str) -> Self:
        """The verdict on `exercise`."""
        return cls(exercise.name, exercise.points, exercise.minutes, exercise.where, state, message, **more)

    @property
    def right(self) -> bool:
        return self.state is State.RIGHT

    @property
    def earned(self) -> int:
        return self.points if self.right else 0

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return dataclasses.asdict(self) | {"earned": self.earned}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """What `as_dict` gave."""
        fields = {key: value for key, value in values.items() if key != "earned"}
        return cls(**fields | {"state": State(fields["state"])})
