"""Rows of words and numbers, printed so that they stand below each other."""

from collections.abc import Sequence

Cell = str | float | None


def table(rows: Sequence[Sequence[Cell]], digits: int = 2) -> None:
    """Print rows as columns: words to the left, numbers to the right, with so many digits.

    >>> table([("", "paper", "here"), ("gold", None, 7.125), ("nats", "few", 3)])
          paper  here
    gold         7.12
    nats  few       3
    """
    texts = [[_text(cell, digits) for cell in row] for row in rows]
    is_number = [[isinstance(cell, int | float) for cell in row] for row in rows]
    columns = range(max(map(len, texts)))
    widths = [max(len(row[i]) for row in texts if i < len(row)) for i in columns]
    for words, numbers in zip(texts, is_number, strict=True):
        placed = [
            text.rjust(width) if number else text.ljust(width)
            for text, number, width in zip(words, numbers, widths, strict=False)
        ]
        print("  ".join(placed).rstrip())


def _text(cell: Cell, digits: int) -> str:
    if cell is None:
        return ""
    return f"{cell:.{digits}f}" if isinstance(cell, float) else str(cell)
