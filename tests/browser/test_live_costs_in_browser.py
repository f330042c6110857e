"""The figure "what an answer costs" in a real browser: by keyboard, on a phone, in both themes."""

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from accessibility import violations
from playwright.sync_api import Browser, Page

from nexttoken.lab import costs

BOOK = Path(__file__).parents[2] / "book"
LIVE = BOOK / "_static" / "live"
HTML = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Costs</title>
<meta name="viewport" content="width=device-width"><style>{theme} body {{ background: var(--pst-color-background);
color: var(--pst-color-text-base); font-family: sans-serif }} {style}</style>
<main><h1>Costs</h1>{data}{figure}</main>
<script>{script}</script><script>{view}</script></html>"""
THEMES = {
    "light": ("#fff", "#222832", "#48566b", "#c9c9c9", "#0a7d91"),
    "dark": ("#14181e", "#ced6dd", "#9ca4af", "#48566b", "#3fb1c5"),
}
FILES = ("costs.css", "costs.js", "costs_view.js")
NAMES = "background text-base text-muted border primary".split()

pytestmark = pytest.mark.usefixtures("answered_by_the_reference")


def html(theme: str = "light") -> str:
    """The figure alone, between the colours of a theme."""
    colours = "".join(
        f"--pst-color-{name}: {value};" for name, value in zip(NAMES, THEMES[theme], strict=True)
    )
    file = BOOK / "_figures" / "costs.html"
    texts = {name: (LIVE / name).read_text(encoding="utf-8") for name in FILES}
    return HTML.format(
        theme=f":root {{ {colours} }}",
        style=texts["costs.css"],
        data=costs.ForThePage()._repr_html_(),
        figure=re.search("<figure.*</noscript>", file.read_text(encoding="utf-8"), re.DOTALL)[0],
        script=texts["costs.js"],
        view=texts["costs_view.js"],
    )


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1000, "height": 900})
    page.set_content(html())
    yield page
    page.close()


def shown(page: Page) -> tuple[list[list[float]], float]:
    """FLOPs, seconds and price for 1,000 answers of both ways; and the break-even."""
    rows = page.locator("#live-costs tbody tr")
    numbers = [
        [float(cell.get_attribute("data-value")) for cell in row.locator("td").all()] for row in rows.all()
    ]
    after = page.locator("#live-costs [role=status]").get_attribute("data-value")
    return numbers, math.inf if after == "Infinity" else float(after)


def expected(settings: costs.Settings) -> tuple[list[list[float]], float]:
    found = costs.compare(settings)
    pairs = zip((found.prompted, found.tuned), found.seconds, strict=True)
    return [
        [cost.flops, pytest.approx(s, rel=1e-9), pytest.approx(1000 * cost.price)] for cost, s in pairs
    ], (found.break_even)


def slide(page: Page, setting: str, *keys: str) -> None:
    for key in keys:
        page.locator(f"#costs-{setting}").press(key)


def test_it_begins_with_the_settings_of_the_page(page: Page) -> None:
    assert shown(page) == expected(costs.Settings())


def test_every_slider_moves_by_the_keyboard_and_the_numbers_are_pythons(page: Page) -> None:
    settings = costs.Settings()
    moves = {
        "prompt": (("ArrowLeft", "ArrowLeft"), {"prompt": 1480}),
        "cached": (("End", "ArrowLeft"), {"cached": 95}),
        "prompted": (("ArrowLeft",), {"prompted": "GPT-3 6.7B"}),
        "tuned": (("Home",), {"tuned": "GPT-2 small"}),
        "short": (("ArrowRight",), {"short": 60}),
        "training": (("ArrowLeft",), {"training": 300}),
        "answer": (("Home",), {"answer": 1}),
        "per_hour": (("ArrowRight",), {"per_hour": 2.5}),
        "utilisation": (("End",), {"utilisation": 60}),
    }
    assert page.get_by_role("slider").count() == len(moves)
    for setting, (keys, change) in moves.items():
        slide(page, setting, *keys)
        settings = replace(settings, **change)
        assert shown(page) == expected(settings), setting


def test_a_tuned_model_that_is_not_cheaper_never_pays(page: Page) -> None:
    slide(page, "prompted", "Home")
    slide(page, "tuned", "End")
    assert "it never pays" in page.locator("#live-costs [role=status]").inner_text()
    assert shown(page)[1] == math.inf
    slide(page, "training", "Home")
    assert "pays at once" in page.locator("#live-costs [role=status]").inner_text()


def test_it_says_when_a_model_cannot_read_so_much(page: Page) -> None:
    assert "can read" not in page.locator("#live-costs [role=status]").inner_text()
    slide(page, "short", "End")
    assert "2,000 tokens are more than GPT-2 XL can read" in page.locator("#live-costs").inner_text()


def test_a_screen_reader_hears_what_a_slider_means(page: Page) -> None:
    slider = page.get_by_role("slider", name="Model").first
    assert slider.get_attribute("aria-valuetext") == "GPT-3 175B"
    slider.press("Home")
    assert slider.get_attribute("aria-valuetext") == "GPT-2 small"


@pytest.mark.parametrize("theme", THEMES)
def test_a_phone_shows_it_without_scrolling_sideways_and_axe_finds_nothing(
    browser: Browser, theme: str
) -> None:
    page = browser.new_page(viewport={"width": 360, "height": 740})
    page.set_content(html(theme))
    for wide in ("document.documentElement", "document.querySelector('#live-costs .scroll')"):
        assert page.evaluate(f"{wide}.scrollWidth") <= page.evaluate(f"{wide}.clientWidth")
    assert violations(page) == []
    page.close()


def test_without_javascript_a_sentence_stands_there(browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.set_content(html())
    assert not page.locator("#live-costs").is_visible()
    assert page.locator("noscript p").is_visible()
    context.close()
