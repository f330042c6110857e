"""The two figures of the chapter on reinforcement learning in a real browser: they show what was stored."""

import json

import pytest
from playwright.sync_api import Browser, Page


@pytest.fixture
def page(browser: Browser, site: str) -> Page:
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    page.goto(f"{site}book/rl.html")
    page.locator("#live-prices .answer").first.wait_for()
    return page


def carried(page: Page, name: str) -> dict:
    return json.loads(page.locator(f"#{name}").text_content() or "")


@pytest.mark.parametrize("number", [0, 7])
def test_four_models_answer_the_chosen_question(page: Page, number: int) -> None:
    stored = carried(page, "rl-questions")
    page.locator("#live-questions select").select_option(str(number))
    cards = page.locator("#live-questions .answer")
    assert cards.locator("blockquote").all_inner_texts() == [
        answers[number]["text"] for answers in stored["answers"].values()
    ]
    points = [
        f"gold {answers[number]['gold']:.1f}".replace("-", "−") for answers in stored["answers"].values()
    ]
    assert cards.locator(".points").all_inner_texts() == points


def test_the_arrow_keys_slide_through_the_prices(page: Page) -> None:
    stored = carried(page, "rl-prices")
    slider = page.locator("#live-prices input")
    slider.focus()
    for _ in stored["runs"]:
        page.keyboard.press("ArrowLeft")
    for run in stored["runs"]:
        assert page.locator("#live-prices output").inner_text() == f"β = {run['price']:g}"
        assert f"{run['kl']:.1f} nats" in page.locator("#live-prices [role=status]").inner_text()
        shown = page.locator("#live-prices blockquote").all_inner_texts()
        assert shown == [answer["text"] for answer in run["answers"]]
        assert page.locator("#live-prices path.chosen").count() == 2
        for picture in page.locator("#live-prices svg").all():
            assert f"{len(run['run']['gold'])} iterations" in (picture.text_content() or "")
        page.keyboard.press("ArrowRight")
