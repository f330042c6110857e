"""The figure "who looks at whom" in a real browser: it draws torch's numbers, and needs no mouse."""

import json

import pytest
import torch
from playwright.sync_api import Browser, Page

from nexttoken.lab import induction

SHARES = (
    "rows => rows.map(row => [...row.querySelectorAll('span')].map(s => s.style.getPropertyValue('--share')))"
)


@pytest.fixture
def page(browser: Browser, site: str) -> Page:
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    page.goto(f"{site}book/qkv.html")
    page.locator("#live-attention .head").first.wait_for()
    return page


def carried_model(page: Page) -> induction.AttentionOnly:
    """The model whose numbers the page carries."""
    about = json.loads(page.locator("#attention-model").text_content() or "")
    model = induction.AttentionOnly(len(about["layers"]), seed=0)
    numbers = {name: about[name] for name in ("embedding", "unembedding")}
    for number, layer in enumerate(about["layers"]):
        numbers |= {f"layers.{number}.{name}": matrix for name, matrix in layer.items()}
    model.load_state_dict({name: torch.tensor(matrix) for name, matrix in numbers.items()})
    return model


@pytest.mark.parametrize(("example", "word"), [(0, 12), (2, 5), (3, 19)])
def test_the_figure_draws_what_torch_computes(
    page: Page, example: int, word: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEXTTOKEN_REFERENCE", "1")
    page.locator("#live-attention select").select_option(str(example))
    page.locator("#live-attention [role=radio]").nth(word).hover()
    drawn = [
        [float(share) for share in row] for row in page.locator("#live-attention .head").evaluate_all(SHARES)
    ]
    ids = induction.encode(induction.EXAMPLES[example]).unsqueeze(0)
    expected = carried_model(page).attention(ids)[:, 0, :, word].flatten(0, 1)
    torch.testing.assert_close(torch.tensor(drawn), expected, atol=2e-3, rtol=0)


def test_the_arrow_keys_walk_through_the_line(page: Page) -> None:
    words = page.locator("#live-attention [role=radio]")
    words.nth(0).focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    assert words.nth(3).get_attribute("aria-checked") == "true"
    assert "“owl” at place 4" in page.locator("#live-attention [role=status]").inner_text()
    page.keyboard.press("ArrowLeft")
    assert "“hat” at place 3" in page.locator("#live-attention [role=status]").inner_text()
