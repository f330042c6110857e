"""A bar that moves while something is trained."""

import os
import sys
from collections.abc import Iterator

from rich.progress import track


def steps(count: int, label: str) -> Iterator[int]:
    """0, 1, ..., count - 1, with a bar for who watches.

    A notebook keeps what is printed, so there, and where nobody sits at a terminal, it stays silent.
    """
    watched = sys.stderr.isatty() and "NEXTTOKEN_REFERENCE" not in os.environ
    yield from track(range(count), label, transient=True, disable=not watched)
