"""Next Token, Please: how a language model works, finished by its reader."""

__version__ = "0.1.0"


def check(name: str) -> None:
    """In a notebook: check your function for an exercise, and show what is wrong and why.

    >>> check("attention.softmax")  # doctest: +SKIP
    """
    # Imported here, so that `import nexttoken` stays cheap for the command line.
    from nexttoken.grading.in_notebook import check_here

    check_here(name)


__all__ = ["__version__", "check"]
