"""What axe, the checker of accessibility, finds in a page."""

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

VIOLATIONS_ALONE = {"resultTypes": ["violations"]}  # to list all that is right, too, takes as long again


def violations(page: Page, within: str | None = None, impacts: str = "") -> list[tuple[Any, list[str]]]:
    """The rules that are broken, and where; only in a part of the page, only with these impacts, if given."""
    found = Axe().run(page, context=within, options=VIOLATIONS_ALONE).response["violations"]
    return [
        (rule["id"], [node["html"][:200] for node in rule["nodes"]])
        for rule in found
        if not impacts or rule["impact"] in impacts.split()
    ]
