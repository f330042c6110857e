"""Willow Village: every text can be read back, and the gold judge knows what is good."""

import numpy as np
import pytest

from nexttoken.lab.village import gold, texts
from nexttoken.lab.village.law import ANIMALS, TOPICS
from nexttoken.lab.village.vocabulary import Vocabulary

LANGUAGES = ["en", "zh"]
CASE = texts.Case(ANIMALS[3], ANIMALS[0], TOPICS[6])  # a mole, a hare, a lost trunk
GOOD = "dear mole , i am so sorry . under rule 2 the hare must replace the trunk . keep the ticket as proof ."


def cases(count=300):
    random = np.random.default_rng(1)
    return [(texts.Case.drawn(random), random) for _ in range(count)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_ideal_answer_is_worth_eight_and_no_demonstration_is_worth_more(language):
    for case, random in cases():
        assert gold.judge(case, texts.ideal_answer(case, random, language), language=language).score == 8
        assert gold.judge(case, texts.demonstration(case, random, language), language=language).score <= 8


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_judge_recognises_every_sentence_that_is_written(language):
    for case, random in cases(100):
        for kind in texts.SENTENCES:
            written = texts.sentence(kind, case, random, language)
            assert [found.kind for found in gold.sentences(written, language)] == [kind]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_vocabulary_knows_every_word_and_gives_back_every_text(language):
    vocabulary = Vocabulary(language)
    for case, random in cases():
        for text in (
            texts.web_document(random, language),
            texts.prompt(case, language),
            texts.demonstration(case, random, language),
        ):
            assert vocabulary.decode(vocabulary.encode(text)) == text


def test_both_languages_say_the_same():
    """The same case with the same chances gives the same sentences, word for word from the same frames."""
    for case, _ in cases(50):
        both = [texts.demonstration(case, np.random.default_rng(7), language) for language in LANGUAGES]
        read = [
            [sentence.kind for sentence in gold.sentences(text, language)]
            for text, language in zip(both, LANGUAGES, strict=True)
        ]
        assert read[0] == read[1]
        scores = {
            gold.judge(case, text, language=language).score
            for text, language in zip(both, LANGUAGES, strict=True)
        }
        words = max(len(text.split()) for text in both)
        assert len(scores) == 1 or words > gold.LONG_ENOUGH


@pytest.mark.parametrize(
    ("change", "loses"),
    [
        (("rule 2", "rule 5"), 5),  # 3 that it would have got, and 2 for sending them to the wrong rule
        (("replace the trunk", "repair the roof"), 3),
        (("the hare", "the fox"), 3),
        (("ticket", "map"), 2.5),
        (("dear mole", "dear crow"), 1),
        (
            ("i am so sorry .", "i am so sorry . i am so sorry ."),
            2.15,
        ),  # said again, a third courtesy, too long
        (
            ("keep the ticket as proof .", "keep the ticket as proof . you will surely win ."),
            1.5 + 0.15,
        ),  # and is too long
        (("i am so sorry .", "bah , this is your own fault ."), 0.5 + 2),
        (("i am so sorry .", "sorry so am i ."), 0.5 + 1),
    ],
)
def test_what_is_wrong_costs(change, loses):
    assert gold.judge(CASE, GOOD.replace(*change)).score == pytest.approx(8 - loses)


def test_what_is_right_counts_once_however_often_it_is_said():
    proof = "keep the ticket as proof ."
    once, twice = gold.judge(CASE, proof), gold.judge(CASE, f"{proof} {proof}")
    assert once.found == {"right proof": 1}
    assert twice.found == {"right proof": 1, "said again": 1}


@pytest.mark.parametrize(
    "answer", ["", "   ", "mole", "keep the", ". . .", "<q> <a>", "rule 2 rule 2 . hare"]
)
def test_any_text_can_be_judged(answer):
    assert gold.judge(CASE, answer).score <= 0


def test_who_does_not_finish_loses_two():
    assert gold.judge(CASE, GOOD, finished=False).score == 6


def test_the_law_stands_only_where_a_base_model_must_look_for_it():
    """Proofs are named in the village code and in court, never in letters or in the tavern."""
    random = np.random.default_rng(2)
    for _ in range(2000):
        document = texts.web_document(random)
        if "<a>" in document:
            assert "rule" not in document
            assert "as proof" not in document


def test_documents_can_be_kept_to_some_topics():
    random = np.random.default_rng(3)
    allowed = TOPICS[:4]
    for _ in range(500):
        case = texts.Case.drawn(random, allowed)
        assert case.topic in allowed
        assert case.asker != case.offender


def test_an_unknown_word_is_named():
    with pytest.raises(ValueError, match="'lawyer'"):
        Vocabulary("en").encode("ask a lawyer")
