"""`make new-exercise NAME=chapter.name`: lay out the parts of an exercise, to be filled in.

What it lays out holds together already (the blank fails, the reference passes, the wrong answers
are met with their sentences), so that `make mutants` is green before and after you replace each TODO.
"""

import keyword
import sys
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell

from nexttoken import course

STUB = '''@exercise(points=1, minutes=10)
def {function}(x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
    """TODO: what comes back, in a sentence; then what the signature cannot say.

    Source: TODO.

    >>> {function}(torch.tensor([1.0, 2.0]))  # TODO: an example that can be solved in the head
    tensor([2., 4.])
    """
    raise NotImplementedError


'''
SOLUTION = """def {function}(x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
    return 2 * x  # TODO


"""
MISCONCEPTIONS = '''def {function}__unchanged(x):
    """TODO: your result is the input itself."""
    return x.clone()


def {function}__squared(x):
    """TODO: you multiplied the input by itself."""
    return x * x


def {function}__in_place(x):
    """TODO: your function changes its argument."""
    with torch.no_grad():
        return x.mul_(2)


'''
CARD = """## {number}. `{function}`

**10 minutes, 1 point.** Write it in `src/nexttoken/{chapter}.py`.

TODO: the goal, in words and with a tiny case.

<details>
<summary>Hint 1</summary>

TODO: a nudge.

</details>

<details>
<summary>Hint 2</summary>

TODO: nearly there.

</details>"""
TINY = """show({function}(torch.tensor([1.0, 2.0])), "TODO: the tiny case")"""
MORE = """draw = Inputs(SEED)
x = draw.normal(2, 5)
show({function}(x), "TODO: random cases, edge cases, laws")
habits({function}, x, batched=1)"""
_LAST_STUB_LINE = "# End of the exercises of this chapter."
_LAST_SOLUTION_LINE = "# End of the references of this chapter."
_LAST_MISCONCEPTION_LINE = "# End of the misconceptions of this chapter."


def lay_out(name: str) -> list[str]:
    """Write the parts of the exercise `name` into the files of its chapter; which files these are.

    Raises
    ------
    ValueError
        If the name is not `chapter.function`, or there is such an exercise already.
    UnknownName
        If there is no such chapter.
    """
    chapter, _, function = name.partition(".")
    if not function.isidentifier() or keyword.iskeyword(function):
        raise ValueError(f"NAME={name or '...'}: say chapter.function, like attention.causal_mask")
    if chapter not in course.chapters():
        raise course.UnknownName(
            f"There is no chapter {chapter!r} in _toc.yml. The chapters are: {', '.join(course.chapters())}."
        )
    number = len(course.exercises(chapter)) + 1
    if name in [e.name for e in course.exercises(chapter)]:
        raise ValueError(f"There is an exercise {name} already.")
    words = {"chapter": chapter, "function": function, "number": number}
    new_texts = {
        file: _inserted(file, text.format(**words), last_line)
        for file, text, last_line in (
            (course.source_file(chapter), STUB, _LAST_STUB_LINE),
            (course.solution_file(chapter), SOLUTION, _LAST_SOLUTION_LINE),
            (course.misconceptions_file(chapter), MISCONCEPTIONS, _LAST_MISCONCEPTION_LINE),
        )
    }
    for file, text in new_texts.items():
        file.write_text(text, encoding="utf-8")
    _add_cells(chapter, function, words)
    files = [*new_texts, course.notebook_file(chapter)]
    return [file.relative_to(course.root()).as_posix() for file in files]


def _inserted(file: Path, text: str, before: str) -> str:
    old = file.read_text(encoding="utf-8")
    if before not in old:
        raise ValueError(f"{file} has lost its last line, {before!r}")
    return old.replace(before, text + before)


def _add_cells(chapter: str, function: str, words: dict[str, object]) -> None:
    file = course.notebook_file(chapter)
    book = nbformat.read(file, as_version=4)
    marks = {"nexttoken": {"exercise": f"{chapter}.{function}"}}
    stem = function.replace("_", "-")
    graded = [(TINY, f"{stem}-1"), (MORE, f"{stem}-2")]
    cells = [
        new_markdown_cell(CARD.format(**words), id=stem, metadata=marks),
        *(new_code_cell(text.format(**words), id=name, metadata=marks) for text, name in graded),
        new_code_cell(
            f'check("{chapter}.{function}")',
            id=f"{stem}-check",
            metadata={"tags": ["check", "nbval-ignore-output"]},
        ),
    ]
    end = next(i for i, cell in enumerate(book.cells) if cell.id == "built")
    book.cells[end:end] = cells
    setup = next(cell for cell in book.cells if "setup" in cell.metadata.get("tags", []))
    head = f"from nexttoken.{chapter} import (\n"
    setup.source = setup.source.replace(head, f"{head}    {function},\n")
    nbformat.write(book, file)


def main() -> None:
    """Lay out the exercise named on the command line, and say what to do next."""
    try:
        files = lay_out(sys.argv[1] if len(sys.argv) > 1 else "")
    except (ValueError, LookupError) as error:
        sys.exit(str(error.args[0]))
    print("Laid out, with TODO wherever you are to write:")
    for file in files:
        print(f"  {file}")
    print("Then: make exercises, make mutants, and a line on it in CHANGELOG.md.")


if __name__ == "__main__":
    main()
