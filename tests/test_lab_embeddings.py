"""What the chapter on embeddings is given: the charter, pieces of text, word vectors, figures."""

import json
import xml.etree.ElementTree as ElementTree

import pytest
import torch

from nexttoken.exercise import reference
from nexttoken.lab import charter, plots, words
from nexttoken.lab.inputs import Inputs
from nexttoken.lab.pieces import ForThePage, bytes_of, documentation, pieces

PAIRS, LOSS = reference("embeddings.skip_gram_pairs"), reference("embeddings.skip_gram_loss")
JOURNAL = "the hare asks . the mole asks . the hares wait . the moles wait . " * 300


@pytest.fixture(scope="module")
def journal():
    return words.corpus(JOURNAL)


def test_the_charter_has_every_article_in_two_languages():
    assert len(charter.ARTICLES) == charter.ENGLISH.count("\n") + 1 == charter.CHINESE.count("\n") + 1
    assert charter.ENGLISH.isascii()
    assert all("一" <= character <= "鿿" or character in "，。、\n" for character in charter.CHINESE)


def test_a_piece_shows_characters_where_it_can_and_bytes_where_it_must():
    merges = [(231, 140), (256, 171), (116, 104), (258, 32)]
    assert pieces([257, 256, 171, 259, 10, 0], merges) == ["猫", "<E7 8C>", "<AB>", "th␣", "⏎", "<00>"]
    assert bytes_of(merges)[257] == "猫".encode()


def test_the_page_carries_the_merges_as_json():
    page = ForThePage([(97, 98), (256, 256)])
    assert json.loads(page.json) == [[97, 98], [256, 256]]
    assert page._repr_html_().count("[[97,98],[256,256]]") == 1
    assert repr(page) == "2 merges for the figure below"


def test_the_documentation_comes_as_it_is_written():
    assert len(documentation(5000)) == 5000
    assert documentation(50) == documentation(5000)[:50]


def test_a_corpus_leaves_out_what_is_rare_and_numbers_by_frequency():
    few = words.corpus("b a a c a b", rarest=2)
    assert (few.vocabulary, few.ids.tolist()) == (["a", "b"], [1, 0, 0, 0, 1])
    assert few.shares.tolist() == pytest.approx([0.6, 0.4])


def test_plurals_are_found_by_their_last_letter(journal):
    assert [[journal.vocabulary[i] for i in pair] for pair in journal.plurals()] == [
        ["hare", "hares"],
        ["mole", "moles"],
    ]


def test_batches_hold_true_neighbours_and_strangers_from_the_vocabulary(journal):
    true = set(map(tuple, PAIRS(journal.ids, 5 * 10).tolist()))
    centre, context, stranger = next(words.batches(journal, PAIRS, strangers=3))
    assert set(zip(centre.tolist(), context.tolist(), strict=True)) <= true
    assert stranger.shape == (len(centre), 3)
    assert 0 <= stranger.min() <= stranger.max() < len(journal.vocabulary)


def test_strangers_are_drawn_by_their_share_to_the_power_three_quarters():
    corpus = words.corpus("a " * 16 * 50 + "b " * 50)
    source = words.batches(corpus, PAIRS, strangers=50)
    drawn = torch.cat([next(source)[2].flatten() for _ in range(5)])
    assert (drawn == 0).double().mean().item() == pytest.approx(8 / 9, abs=0.02)


def test_training_is_repeatable_and_brings_company_together():
    two_camps = " ".join(
        f"{'ab'[i // 500 % 2]}{j}" for i, j in enumerate(Inputs(1).ids(6000, below=5).tolist())
    )
    corpus = words.corpus(two_camps)
    first, again = (words.train(corpus, PAIRS, LOSS, steps=200, width=6, seed=3) for _ in range(2))
    assert torch.equal(first, again)
    unit = words.directions(first[[corpus.places[f"{camp}{j}"] for camp in "ab" for j in range(5)]])
    alike = unit @ unit.T
    assert alike[:5, :5].mean() > alike[:5, 5:].mean() + 0.5


def test_ranks_count_the_nearer_words():
    vectors = torch.tensor([[1.0, 0.0], [1.0, 0.1], [1.0, 0.5], [-1.0, 0.0]])
    assert words.ranks(vectors, [(0, 1), (0, 2), (0, 3)]).tolist() == [0, 1, 2]


def test_analogies_hold_in_a_grid_and_without_leaving_out_the_question_is_its_own_answer():
    grid = torch.tensor([[5.0, 0.0, 1.0], [5.0, 0.2, 1.0], [0.0, 5.0, 1.0], [0.0, 5.2, 1.0]])
    pairs = [(0, 1), (2, 3)]
    assert words.analogies(grid, pairs) == 1
    assert words.analogies(grid, pairs, weights=(0, 0, 1)) == 1  # the nearest word is enough
    assert words.analogies(grid, pairs, weights=(0, 0, 1), leave_out=False) == 0


def test_two_coordinates_are_those_of_the_widest_spread():
    plane = Inputs(1).normal(30, 2) * torch.tensor([5.0, 2.0], dtype=torch.float64)
    turned = plane @ torch.linalg.qr(Inputs(2).normal(6, 6)).Q[:2]
    flat = words.flattened(turned + 7)
    torch.testing.assert_close(torch.cdist(flat, flat), torch.cdist(plane, plane))
    assert flat.var(dim=0)[0] > flat.var(dim=0)[1]


PICTURES = {
    "stripes": lambda: plots.stripes(torch.eye(4), across="column", down="position"),
    "word_map": lambda: plots.word_map(Inputs(1).normal(4, 2), {"one": ["a", "b"], "two": ["c", "d"]}),
    "dots": lambda: plots.dots({"apart": torch.eye(2), "together": torch.ones(2, 2)}, ["a", "b"]),
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_the_same_svg_whenever_it_is_drawn(name):
    first, second = (PICTURES[name]()._repr_svg_() for _ in range(2))
    assert first == second
    assert ElementTree.fromstring(first).tag.endswith("svg")


def test_points_at_one_place_share_a_dot():
    apart, together = PICTURES["dots"]().figure.axes
    assert [text.get_text() for text in apart.texts] == ["a", "b"]
    assert [text.get_text() for text in together.texts] == ["all 2"]


def test_the_word_map_names_every_word_and_keeps_labels_apart():
    crowd = torch.zeros(6, 2)
    crowd[0, 1], crowd[0, 0] = 1.0, 1.0
    axes = plots.word_map(crowd, {"crowd": list("abcdef")}).figure.axes[0]
    places = {text.get_position() for text in axes.texts}
    assert sorted(text.get_text() for text in axes.texts) == list("abcdef")
    assert len(places) == 6
