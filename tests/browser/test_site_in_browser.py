"""The built site as a reader's browser sees it."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from accessibility import violations
from playwright.sync_api import Browser, Page

ROOT = Path(__file__).resolve().parents[2]
LISTED = re.findall(r"(?:file|root): (\S+)", (ROOT / "_toc.yml").read_text(encoding="utf-8"))
PAGES = [*LISTED, "genindex", "search"]

DESKTOP = {"width": 1360, "height": 900}
PHONE = {"width": 390, "height": 844}

# Wider than the window, and in no box that scrolls by itself.
STICKING_OUT = """
() => {
  const scrolls = e => e && (["auto", "scroll", "hidden"].includes(getComputedStyle(e).overflowX)
    || scrolls(e.parentElement));
  return [...document.querySelectorAll(".bd-article *")]
    .filter(e => e.getBoundingClientRect().right > innerWidth + 1 && !scrolls(e.parentElement))
    .map(e => e.outerHTML.slice(0, 120));
}
"""


@pytest.fixture
def opened(browser: Browser, site: str) -> Callable[..., Any]:
    """`with opened("book/intro") as page:`; options are those of a browser context."""

    @contextmanager
    def opening(
        name: str, watch: Callable[[Page], None] = lambda page: None, **options: Any
    ) -> Iterator[Page]:
        context = browser.new_context(**{"viewport": DESKTOP, **options})
        page = context.new_page()
        watch(page)
        page.goto(f"{site}{name}", wait_until="load")
        page.evaluate("window.MathJax?.startup?.promise.then(() => true)")
        yield page
        context.close()

    return opening


@pytest.mark.parametrize("name", PAGES)
def test_a_page_asks_no_other_host_and_logs_no_error(
    name: str, opened: Callable[..., Any], site: str
) -> None:
    elsewhere, errors = [], []

    def watch(page: Page) -> None:
        page.on("request", lambda r: r.url.startswith((site, "data:", "blob:")) or elsewhere.append(r.url))
        page.on("console", lambda m: m.type == "error" and errors.append(m.text))
        page.on("pageerror", lambda error: errors.append(str(error)))

    with opened(f"{name}.html", watch) as page:
        page.wait_for_load_state("networkidle")
    assert (elsewhere, errors) == ([], [])


@pytest.mark.parametrize("name", LISTED)
def test_every_formula_is_typeset(name: str, opened: Callable[..., Any]) -> None:
    with opened(f"{name}.html") as page:
        raw = "[...document.querySelectorAll('.math')].filter(e => !e.querySelector('mjx-container'))"
        assert page.evaluate(f"{raw}.map(e => e.textContent)") == []
        assert page.locator("mjx-merror").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing_serious(name: str, scheme: str, opened: Callable[..., Any]) -> None:
    with opened(f"{name}.html", color_scheme=scheme, reduced_motion="reduce") as page:
        # Not while the colours still fade from one scheme to the other.
        page.evaluate("Promise.all(document.getAnimations().map((a) => a.finished.catch(() => null)))")
        assert violations(page, impacts="serious critical") == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_a_phone(name: str, opened: Callable[..., Any]) -> None:
    with opened(f"{name}.html", viewport=PHONE) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        assert page.evaluate(STICKING_OUT) == []


@pytest.mark.parametrize("name", LISTED)
def test_no_output_is_an_empty_box(name: str, opened: Callable[..., Any]) -> None:
    with opened(f"{name}.html", color_scheme="dark") as page:
        outputs = "[...document.querySelectorAll('.cell_output .output')]"
        empty = "e => !e.innerText.trim() && !e.querySelector('img, svg') && e.offsetHeight"
        assert page.evaluate(f"{outputs}.filter({empty}).map(e => e.outerHTML.slice(0, 120))") == []


def test_the_search_finds_a_word(opened: Callable[..., Any]) -> None:
    with opened("search.html?q=perplexity") as page:
        results = page.locator("#search-results li a")
        results.first.wait_for()
        assert any("glossary" in (link.get_attribute("href") or "") for link in results.all())
