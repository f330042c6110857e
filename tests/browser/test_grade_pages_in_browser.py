"""A student's page and the page of the class, on a phone and by the keyboard."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from accessibility import violations
from playwright.sync_api import Browser, Page

from nexttoken import course
from nexttoken.classroom import pages
from nexttoken.classroom.intake import Submission
from nexttoken.classroom.marks import sheets
from nexttoken.classroom.records import Result
from nexttoken.classroom.roster import class_of
from nexttoken.grading.verdict import State, Verdict

CHAPTER = "attention"
PHONE = {"width": 320, "height": 700}
WIDE = "tensor([[0.1234, 0.2345, 0.3456, 0.4567, 0.5678, 0.6789, 0.7890, 0.8901]])"
SCROLLING = "[...document.querySelectorAll('*')].filter(e => e.scrollWidth > e.clientWidth + 1 && {})"


@pytest.fixture(params=["feedback", "class"])
def text(request: pytest.FixtureRequest) -> str:
    """A page with everything on it that can be there."""
    group = class_of([Submission("Jane Doe", notes=["handed in late", WIDE]), Submission("John Roe")], None)
    right, *wrong = course.exercises(CHAPTER)
    more = {"call": f"softmax({WIDE})", "got": WIDE, "expected": WIDE, "misconception": "You did."}
    verdicts = [
        Verdict.of(right, State.RIGHT),
        *(Verdict.of(exercise, State.WRONG, "It is not the same.", **more) for exercise in wrong[:-1]),
        Verdict.of(wrong[-1], State.NOT_DONE),
    ]
    found = sheets(group, [Result("Jane Doe", CHAPTER, "", verdicts)], [CHAPTER], [])
    if request.param == "feedback":
        return pages.feedback(found[0])
    return pages.class_page(group, found, {sheet.student.id: "#" for sheet in found})


@pytest.fixture(params=["light", "dark"])
def shown(request: pytest.FixtureRequest, text: str, browser: Browser, tmp_path: Path) -> Iterator[Page]:
    file = tmp_path / "page.html"
    file.write_text(text, encoding="utf-8")
    context = browser.new_context(viewport=PHONE, color_scheme=request.param)
    page = context.new_page()
    page.goto(file.as_uri())
    yield page
    context.close()


def test_axe_finds_nothing(shown: Page) -> None:
    assert violations(shown) == []


def test_what_is_too_wide_is_scrolled_by_the_keyboard(shown: Page) -> None:
    assert shown.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    wide = "e.matches('.scroll, pre')"
    assert shown.evaluate(f"{SCROLLING.format(wide)}.length") > 0
    box = shown.evaluate_handle(f"{SCROLLING.format(wide)}[0]").as_element()
    assert box is not None
    box.focus()
    shown.keyboard.press("ArrowRight")
    shown.wait_for_function("box => box.scrollLeft > 0", arg=box)


def test_every_column_has_words_above_it(shown: Page) -> None:
    heads = shown.locator("th").all()
    assert heads
    assert all(head.inner_text().strip() and head.get_attribute("scope") == "col" for head in heads)
