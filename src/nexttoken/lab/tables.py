"""Rows of words and numbers, printed so that they stand below each other."""

from collections.abc import Sequence

Cell = str | float | None


def table(rows: Sequence[Sequence[Cell]], digits: int = 2) -> None:
    """Print rows as columns: words to the left, numbers to the right, with so many digits.

    >>> table([("", "paper", "here"), ("gold", None, 7.125), ("nats", "few", 12)])
          paper  here
    gold         7.12
    nats  few      12
    """
    texts = [[_text(cell, digits) for cell in row] for row in rows]
    columns = range(max(map(len, texts)))
    widths = [max(len(row[i]) for row in texts if i < len(row)) for i in columns]
    of_numbers = [any(isinstance(row[i], int | float) for row in rows if i < len(row)) for i in columns]
    for row in texts:
        placed = [
            text.rjust(width) if numbers else text.ljust(width)
            for text, width, numbers in zip(row, widths, of_numbers, strict=False)
        ]
        print("  ".join(placed).rstrip())


def _text(cell: Cell, digits: int) -> str:
    if cell is None:
        return ""
    return f"{cell:.{digits}f}" if isinstance(cell, float) else str(cell)
