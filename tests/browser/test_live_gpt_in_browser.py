"""The GPT that writes in the page, in a real browser: its numbers are torch's, and it needs no mouse and no motion."""

import math
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from accessibility import violations
from playwright.sync_api import Browser, Locator, Page

from nexttoken.lab import checkpoints
from nexttoken.lab.village.vocabulary import english

QUESTION = "<q> i am a mole . the hare lost my trunk on the ferry . what can i do ?"

pytestmark = pytest.mark.usefixtures("answered_by_the_reference")


@pytest.fixture
def opened(browser: Browser, site: str) -> Iterator[Callable[..., Page]]:
    """`opened(chance=0.5)`: the page, in which every draw falls on that point."""
    contexts = []

    def opening(chance: float = 0.5, **options: Any) -> Page:
        options = {"viewport": {"width": 1200, "height": 900}, "reduced_motion": "reduce", **options}
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        page.add_init_script(f"Math.random = () => {chance};")
        page.goto(f"{site}book/autoregression.html")
        page.locator("#live-gpt .next button").first.wait_for()
        return page

    yield opening
    for context in contexts:
        context.close()


def begin(page: Page, text: str) -> None:
    page.get_by_label("Or your own").fill(text)
    page.get_by_label("Or your own").press("Enter")


def words(page: Page) -> list[str]:
    """The text so far."""
    tiles = page.locator("#live-gpt .text li")
    return tiles.evaluate_all("tiles => tiles.map(tile => tile.firstChild.textContent)")


def bars(page: Page) -> dict[str, float]:
    """What may come next, from top to bottom, with the lengths of the bars."""
    read = "buttons => buttons.map(b => [b.children[0].textContent, Number(b.children[1].style.getPropertyValue('--share'))])"
    return dict(page.locator("#live-gpt .next button").evaluate_all(read))


def status(page: Page) -> Locator:
    return page.locator("#live-gpt [role=status]")


def chances(text: str, temperature: float = 1.0) -> torch.Tensor:
    """What torch says may come next."""
    with torch.no_grad():
        logits = checkpoints.load("base-0")(torch.tensor([english().encode(text)]))[0, -1].double()
    logits[english().pad] = -torch.inf
    return (logits / temperature).softmax(-1)


def set_temperature(page: Page, temperature: float) -> None:
    page.get_by_role("slider", name="Temperature").fill(str(temperature))


@pytest.mark.parametrize("text", ["court : mole against", QUESTION, "hop , toad , hop . stop ,", "the"])
def test_the_bars_are_the_chances_of_torch(text: str, opened: Callable[..., Page]) -> None:
    page = opened()
    begin(page, text)
    top = [english().words[i] for i in chances(text).topk(8).indices]
    for temperature in (0.1, 0.5, 1.0, 2.0):
        set_temperature(page, temperature)
        expected, shown = chances(text, temperature), bars(page)
        assert sorted(shown) == sorted(top)
        assert list(shown.values()) == sorted(shown.values(), reverse=True)
        for word, share in shown.items():
            assert share == pytest.approx(expected[english().encode(word)[0]].item(), abs=2e-3)
        label = page.locator("#live-gpt .next button").first.inner_text().split("\n")
        assert label[-1] == f"{100 * max(shown.values()):.1f} %"


def test_a_text_that_was_written_has_the_numbers_of_torch_at_every_token(
    opened: Callable[..., Page],
) -> None:
    page = opened(chance=0.6)
    begin(page, "court : mole against")
    text = "court : mole against".split()
    for _ in range(12):
        expected = chances(" ".join(text))
        drawn = int((expected.cumsum(0) <= 0.6).sum())
        page.get_by_role("button", name="One token").click()
        text.append(english().words[drawn])
        assert words(page) == text
        assert status(page).inner_text() == f"Written: “{text[-1]}”."
        share = page.locator("#live-gpt .text li small").last.inner_text()
        assert float(share.removesuffix(" %")) == pytest.approx(100 * expected[drawn].item(), abs=0.2)


def test_at_temperature_0_the_largest_takes_all_whatever_is_drawn(opened: Callable[..., Page]) -> None:
    page = opened(chance=0.99)
    begin(page, "dear otter ,")
    set_temperature(page, 0)
    assert list(bars(page).values()) == [1, 0, 0, 0, 0, 0, 0, 0]
    page.get_by_role("button", name="Go on").click()
    assert words(page) == ["dear", "otter", *[","] * 79]  # 80 were read, and one was written after them
    assert "reads 80 tokens at most" in status(page).inner_text()
    assert page.get_by_role("button", name="One token").is_disabled()


def test_without_motion_it_goes_on_to_the_end_at_once_and_says_it_once(opened: Callable[..., Page]) -> None:
    page = opened()
    begin(page, "hop , toad ,")
    set_temperature(page, 0)
    page.get_by_role("button", name="Go on").focus()
    page.keyboard.press("Enter")
    assert words(page) == "hop , toad , hop . stop , toad , stop . <eos>".split()
    assert status(page).inner_text() == "Written: “hop . stop , toad , stop . <eos>”. The text has ended."
    assert page.evaluate("document.activeElement.textContent") == "Start again"  # the others are switched off
    page.keyboard.press("Enter")
    assert words(page) == "hop , toad ,".split()


def test_with_motion_it_writes_token_by_token_and_can_be_paused(opened: Callable[..., Page]) -> None:
    page = opened(reduced_motion="no-preference")
    begin(page, "code rule")
    page.get_by_role("button", name="Go on").click()
    page.wait_for_function("document.querySelectorAll('#live-gpt .text li').length >= 4")
    assert status(page).inner_text() == ""
    page.get_by_role("button", name="Pause").click()
    so_far = words(page)
    assert status(page).inner_text() == f"Written: “{' '.join(so_far[2:])}”."
    page.wait_for_timeout(700)
    assert words(page) == so_far
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("button", name="Go on", disabled=True).wait_for()
    assert words(page)[-1] == "<eos>"
    page.get_by_role("button", name="Start again").click()
    page.wait_for_timeout(700)
    assert words(page) == ["code", "rule"]


def test_who_chooses_is_told_bits_and_keeps_a_score(opened: Callable[..., Page]) -> None:
    page = opened()
    begin(page, "the badger met the")
    text, mine, best, own = "the badger met the", [], 0, []
    for place in (0, 3, 0, 1):
        expected = chances(text)
        word = list(bars(page))[place]
        page.locator("#live-gpt .next button").nth(place).click()
        mine.append(-math.log2(expected[english().encode(word)[0]].item()))
        own.append(-(expected * expected.clamp(min=1e-30).log2()).sum().item())
        best += place == 0
        text += f" {word}"
        assert words(page) == text.split()
        (said, *_) = re.findall(r"([\d.]+) bits", status(page).inner_text())
        assert float(said) == pytest.approx(mine[-1], abs=0.02)
    score = page.locator("#live-gpt .score").inner_text()
    assert f"Of 4 tokens that you chose, {best} were" in score
    yours, models = (float(number) for number in re.findall(r"\d+\.\d+", score))
    assert yours == pytest.approx(sum(mine) / 4, abs=0.02)
    assert models == pytest.approx(sum(own) / 4, abs=0.02)
    page.get_by_role("button", name="Start again").click()
    assert not page.locator("#live-gpt .score").is_visible()


def test_bits_do_not_depend_on_the_slider(opened: Callable[..., Page]) -> None:
    page, said = opened(), []
    for temperature in (0, 2):
        begin(page, "code rule")
        set_temperature(page, temperature)
        page.locator("#live-gpt .next button").nth(2).click()
        said.append(status(page).inner_text())
        page.get_by_role("button", name="Start again").click()
    assert said[0] == said[1]


def test_who_guesses_sees_neither_numbers_nor_their_order(opened: Callable[..., Page]) -> None:
    page = opened()
    begin(page, QUESTION)
    by_chance = list(bars(page))
    page.get_by_label("Hide the chances").check()
    assert list(bars(page)) == sorted(by_chance) != by_chance
    assert set(bars(page).values()) == {0}
    assert "%" not in page.locator("#live-gpt .next").inner_text() + page.locator(".rest").inner_text()
    page.locator("#live-gpt .next button", has_text="<a>").click()
    assert "You chose “<a>”, the most probable token" in status(page).inner_text()


def test_the_keyboard_alone_chooses_token_after_token(opened: Callable[..., Page]) -> None:
    page = opened()
    begin(page, "hop ,")
    set_temperature(page, 1)
    page.get_by_label("Hide the chances").focus()
    page.keyboard.press("Tab")
    for _ in range(3):  # the focus stays on the first bar
        first = next(iter(bars(page)))
        page.keyboard.press("Enter")
        assert words(page)[-1] == first
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.children[0].textContent") == list(bars(page))[1]


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("ask the lawyer and the judge", "does not know “ask”, “lawyer”, “judge”"),
        ("<pad>", "does not know “<pad>”"),
        ("   ", "at least one word"),
        ("hop <eos>", "nothing comes after it"),
        ("hop " * 81, "at most 80"),
        ("<img src=x onerror=alert(1)>", "does not know"),
    ],
)
def test_a_beginning_that_cannot_be_read_is_met_with_a_reason(
    typed: str, answer: str, opened: Callable[..., Page]
) -> None:
    page = opened()
    begin(page, typed)
    assert answer in status(page).inner_text()
    assert page.get_by_label("Or your own").get_attribute("aria-invalid") == "true"
    assert page.get_by_label("Or your own").get_attribute("aria-describedby") == "gpt-status"
    assert page.get_by_role("button", name="One token").is_disabled()
    begin(page, "hop ,")
    assert (status(page).inner_text(), words(page)) == ("", ["hop", ","])
    assert page.get_by_label("Or your own").get_attribute("aria-invalid") == "false"
    assert page.get_by_label("Or your own").get_attribute("aria-describedby") is None


def test_capitals_and_commas_that_touch_are_no_obstacle(opened: Callable[..., Page]) -> None:
    page = opened()
    begin(page, "Hop, Otter, hop.")
    assert words(page) == "hop , otter , hop .".split()
    assert page.get_by_label("A beginning").input_value() == ""  # "your own words"


def test_every_beginning_that_is_offered_can_be_read(opened: Callable[..., Page]) -> None:
    page = opened()
    choice = page.get_by_label("A beginning")
    offered = [text for text in choice.locator("option").evaluate_all("o => o.map(e => e.value)") if text]
    assert len(offered) >= 6
    for text in offered:
        choice.select_option(text)
        assert words(page) == text.split()
        assert len(bars(page)) == 8


def test_the_status_is_announced_and_stays_the_same_element(opened: Callable[..., Page]) -> None:
    page = opened()
    page.evaluate("window.before = document.querySelector('#live-gpt [role=status]')")
    page.get_by_role("button", name="One token").click()
    assert page.evaluate("window.before === document.querySelector('#live-gpt [role=status]')")
    assert page.evaluate("window.before.isConnected && window.before.textContent.startsWith('Written')")


def test_whoever_writes_asks_no_other_host(opened: Callable[..., Page], site: str) -> None:
    page, asked = opened(), []
    page.on("request", lambda request: asked.append(request.url))
    begin(page, "court : mole against")
    page.get_by_role("button", name="Go on").click()
    page.get_by_text("The text has ended").wait_for()
    assert asked == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_whatever_was_done(scheme: str, opened: Callable[..., Page]) -> None:
    page = opened(color_scheme=scheme, viewport={"width": 390, "height": 844})
    page.evaluate("Promise.all(document.getAnimations().map((a) => a.finished.catch(() => null)))")
    figure = page.locator("#live-gpt")
    page.get_by_text("All words of the village").click()

    def look() -> None:
        assert violations(page, within="#live-gpt") == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 390

    figure.locator(".next button").nth(1).click()
    figure.get_by_role("button", name="One token").click()
    look()
    page.get_by_label("Hide the chances").check()
    figure.get_by_role("button", name="Go on").click()
    look()
    begin(page, "a lawyer")
    look()
