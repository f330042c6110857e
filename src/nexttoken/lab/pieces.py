"""What a token stands for, made visible; and the merges for the tokeniser in the page."""

from nexttoken.lab.for_the_page import Carried

VISIBLE = {" ": "␣", "\n": "⏎", "\t": "⇥"}


def documentation(characters: int) -> str:
    """So many characters of what Python's own `help()` says on the language, just as it is written there."""
    from pydoc_data.topics import topics  # 0.5 MB, wanted by few who import this module

    return "\n".join(topics.values())[:characters]


def bytes_of(merges: list[tuple[int, int]]) -> list[bytes]:
    """The bytes of every id: 256 single ones, then what each merge puts together.

    >>> bytes_of([(97, 98)])[256]
    b'ab'
    """
    table = [bytes([byte]) for byte in range(256)]
    for left, right in merges:
        table.append(table[left] + table[right])
    return table


def pieces(ids: list[int], merges: list[tuple[int, int]]) -> list[str]:
    """Every token as it can be shown: characters where it is some, else its bytes in hexadecimal.

    >>> pieces([256, 32, 231], [(97, 98)])
    ['ab', '␣', '<E7>']
    """
    table = bytes_of(merges)
    return [_readable(table[i]) for i in ids]


def _readable(raw: bytes) -> str:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = ""
    if text.translate({ord(space): None for space in VISIBLE}).isprintable() and text:
        return "".join(VISIBLE.get(character, character) for character in text)
    return f"<{raw.hex(' ').upper()}>"


class ForThePage(Carried):
    """Merges that a page carries to the tokeniser of `book/_static/live/`."""

    def __init__(self, merges: list[tuple[int, int]]) -> None:
        super().__init__("tokeniser-merges", merges, f"{len(merges)} merges")
