"""What a page carries to its live figures: no kernel runs there, so the numbers travel as text.

A code cell ends with a `Carried`; the page then has its JSON in a `<script>`, and shows nothing. The figures
are in `book/_static/live/`: `x.js` computes, `x_view.js` draws. Whole models are carried by `lab/live.py`.
"""

import json
from typing import Any


class Carried:
    """Anything that JSON can hold, under a name by which the figure finds it: stored runs, a vocabulary.

    >>> Carried("steps", [1, 2])._repr_html_()
    '<script type="application/json" id="steps">[1,2]</script>'
    """

    def __init__(self, name: str, content: Any, what: str = "numbers") -> None:
        self.name, self.what = name, what
        text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
        self.json = text.replace("<", "\\u003c")  # no word of it can end the script

    def _repr_html_(self) -> str:
        return f'<script type="application/json" id="{self.name}">{self.json}</script>'

    def __repr__(self) -> str:
        return f"{self.what} for the figure below"
