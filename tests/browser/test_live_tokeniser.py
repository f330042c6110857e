"""The tokeniser in the page, used as a reader uses it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from nexttoken.exercise import reference
from nexttoken.lab.pieces import pieces


@pytest.fixture
def page(browser: Browser, site: str, built_site: Path) -> Page:
    if not (built_site / "book" / "embeddings.html").is_file():
        pytest.skip("the site has no chapter on embeddings")
    page = browser.new_page()
    page.goto(f"{site}book/embeddings.html")
    yield page
    page.close()


@pytest.fixture
def shown(page: Page) -> Callable[[], tuple[list[int], list[str]]]:
    """The ids and the pieces on the tiles."""

    def read() -> tuple[list[int], list[str]]:
        tiles = page.locator("#live-tokeniser li")
        ids = [int(text) for text in tiles.locator("small").all_inner_texts()]
        return ids, tiles.locator("span").all_inner_texts()

    return read


@pytest.mark.parametrize("text", ["the moth", "兔子和 🐇", "hmmm ...", ""])
def test_what_is_typed_is_tokenised_as_python_does(
    text: str, page: Page, shown: Callable[..., object]
) -> None:
    merges = [tuple(pair) for pair in json.loads(page.locator("#tokeniser-merges").inner_text())]
    page.get_by_label("Your text").fill(text)
    ids = reference("embeddings.encode")(text, merges)
    assert shown() == (ids, pieces(ids, merges))
    assert f"{len(ids)} tokens" in page.locator("#live-tokeniser [role=status]").inner_text()


def test_a_text_that_would_take_the_page_too_long_is_cut(page: Page, shown: Callable[..., object]) -> None:
    field = page.get_by_label("Your text")
    field.fill("")
    field.focus()
    page.keyboard.insert_text("the moth " * 10_000)
    assert field.input_value() == ("the moth " * 10_000)[:2000]
    assert shown()[1]


def test_the_slider_undoes_merges_by_the_keyboard(page: Page, shown: Callable[..., object]) -> None:
    page.get_by_role("button", name="中文").click()
    text = page.get_by_label("Your text").input_value()
    slider = page.get_by_role("slider", name="Merges used")
    slider.press("Home")
    assert shown()[0] == list(text.encode("utf-8"))
    slider.press("End")
    assert len(shown()[0]) < len(text.encode("utf-8"))
