"""Predict, then run: a guess beside the result, and the score so far."""

NEAR = 0.2  # a guess counts as near within this share of the result

_near: dict[str, bool] = {}  # by question, so that a cell that is run again replaces its answer


def compare(question: str, guess: float, result: float) -> None:
    """Print the reader's guess beside the result, and how many guesses were near.

    >>> compare("legs of a hare", guess=3, result=4)
    legs of a hare: you guessed 3, it is 4. Near (within 20 %): 0 of 1.
    """
    _near[question] = abs(guess - result) <= NEAR * abs(result)
    score = f"Near (within {NEAR:.0%}): {sum(_near.values())} of {len(_near)}.".replace("%", " %")
    print(f"{question}: you guessed {guess:.3g}, it is {result:.3g}. {score}")
