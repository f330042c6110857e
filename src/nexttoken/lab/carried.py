"""What a page carries along for a figure that needs no kernel: numbers and texts, as JSON."""

import json
from typing import Any


class Carried:
    """Data that a page holds under an id, for a script of `book/_static/live`; shown as nothing."""

    def __init__(self, name: str, data: Any) -> None:
        self.name = name
        # A "</script>" in a text would end the element.
        self.json = json.dumps(data, separators=(",", ":"), ensure_ascii=False).replace("</", "<\\/")

    def _repr_html_(self) -> str:
        return f'<script type="application/json" id="{self.name}">{self.json}</script>'

    def __repr__(self) -> str:
        return "data for the figure below"
