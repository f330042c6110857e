"""The GPT in the page: `gpt.js`, run by Node, computes what torch does; and what the chapter says of it is true."""

import base64
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from nexttoken.autoregression import apply_temperature
from nexttoken.lab import checkpoints, live, sampling
from nexttoken.lab.for_the_page import Carried
from nexttoken.lab.inputs import Inputs
from nexttoken.lab.village import texts
from nexttoken.lab.village.law import ANIMALS, TOPICS
from nexttoken.lab.village.vocabulary import english
from nexttoken.models import GPT, Shape

LIVE = Path(__file__).parents[1] / "book" / "_static" / "live"
TEXTS = [
    "the",
    "court : mole against hare . the hare moved my fence two steps . under rule 8 the hare must restore the "
    "fence . the mole showed the map . <eos>",
    "<q> i am a toad . the crow charged me twice for soup . who is right ? <a> dear toad , good luck . <eos>",
    "hop , otter , hop . stop , otter , stop . <eos>",
    "soup " * 80,
]
TEMPERATURES = [0, 0.3, 1, 2]
READ_AND_ANSWER = """
const gpt = require(process.argv[1]);
const { carried, texts, temperatures } = JSON.parse(require("fs").readFileSync(0, "utf-8"));
const { words, end, models } = gpt.open(carried);
const answers = {};
for (const [name, model] of Object.entries(models)) {
  const logits = texts.map((ids) => ids.map(model.reading().read).map((row) => Array.from(row)));
  // The text again, read anew from its beginning for each token: nothing kept.
  const anew = texts.map((ids) => ids.map((_, t) => {
    const { read } = model.reading();
    return Array.from(ids.slice(0, t + 1).map(read).at(-1));
  }));
  // Two texts at once, token by token in turn.
  const [one, two] = [model.reading(), model.reading()];
  const inTurn = texts[1].map((id, t) => (two.read(texts[2][t % 9]), Array.from(one.read(id))));
  const chances = temperatures.map((T) => texts.map((ids) => Array.from(
    gpt.softmax(ids.map(model.reading().read)[0], T))));
  answers[name] = { logits, anew, inTurn, chances };
}
const infinite = (key, value) => value === -Infinity ? "-inf" : value;
console.log(JSON.stringify({ words, end, answers }, infinite));
"""
DRAW = """
const gpt = require(process.argv[1]);
const { chances, points } = JSON.parse(require("fs").readFileSync(0, "utf-8"));
console.log(JSON.stringify({
  drawn: points.map((point) => gpt.draw(Float64Array.from(chances), () => point)),
  bits: chances.map(gpt.bits),
  entropy: gpt.entropy(Float64Array.from(chances)),
}));
"""
PAD = 0
MODELS = ["base", "hacked", "other"]

pytestmark = pytest.mark.usefixtures("answered_by_the_reference")


@pytest.fixture(scope="module")
def node(need):
    """`node(script, input)`: what the script says of it."""

    def run(script, given):
        command = [need("node"), "-e", script, str(LIVE / "gpt.js")]
        done = subprocess.run(
            command, input=json.dumps(given), capture_output=True, text=True, encoding="utf-8", timeout=120
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


@pytest.fixture(scope="module")
def models(answered_by_the_reference):
    """Two shipped models, and one with other heads and layers, whose biases are not small."""
    other = GPT.drawn(Shape(len(english()), 81, 24, 3, 4), seed=2)
    with torch.no_grad():
        for number, parameter in enumerate(other.parameters()):
            parameter += 0.3 * Inputs(number).normal(*parameter.shape)
    return {"base": checkpoints.load("base-0"), "hacked": checkpoints.load("hacked-1"), "other": other}


@pytest.fixture(scope="module")
def said(models, node):
    """What the page's own script makes of the texts, with all models in one page."""
    carried = json.loads(live.Models(**models).json)
    ids = [english().encode(text) for text in TEXTS]
    return node(READ_AND_ANSWER, {"carried": carried, "texts": ids, "temperatures": TEMPERATURES})


def logits_of(model, text):
    with torch.no_grad():
        logits = model(torch.tensor([english().encode(text)]))[0]
    logits[:, PAD] = -torch.inf
    return logits


def rows(numbers):
    return torch.tensor([[float(number) for number in row] for row in numbers])


@pytest.mark.parametrize("number", range(len(TEXTS)))
@pytest.mark.parametrize("name", MODELS)
def test_the_page_and_torch_have_the_same_logits_after_every_token(name, number, models, said):
    found = rows(said["answers"][name]["logits"][number])
    assert_close(found, logits_of(models[name], TEXTS[number]), atol=2e-3, rtol=0)


@pytest.mark.parametrize("number", range(len(TEXTS)))
@pytest.mark.parametrize("name", MODELS)
def test_what_was_kept_and_what_is_computed_again_are_the_same(name, number, said):
    answers = said["answers"][name]
    assert answers["anew"][number] == answers["logits"][number]


@pytest.mark.parametrize("name", MODELS)
def test_two_texts_that_are_read_at_once_do_not_mix(name, said):
    answers = said["answers"][name]
    assert answers["inTurn"] == answers["logits"][1]


@pytest.mark.parametrize("which", range(len(TEMPERATURES)))
def test_temperature_is_that_of_the_chapter(which, models, said):
    for text, chances in zip(TEXTS, said["answers"]["base"]["chances"][which], strict=True):
        expected = apply_temperature(logits_of(models["base"], text)[0].double(), TEMPERATURES[which])
        assert_close(torch.tensor(chances).double(), expected, atol=2e-3, rtol=0)


def test_the_page_knows_the_words_and_which_of_them_ends_a_text(said):
    assert said["words"] == list(english().words)
    assert said["words"][said["end"]] == "<eos>"


def test_a_draw_falls_where_the_sum_passes_its_point_and_bits_are_those_of_the_chapter(node):
    chances = [0.25, 0.0, 0.5, 0.25]
    points = [0.0, 0.2499, 0.25, 0.7499, 0.75, 0.9999]
    said = node(DRAW, {"chances": chances, "points": points})
    assert said["drawn"] == [0, 0, 2, 2, 3, 3]
    assert said["bits"] == [2, None, 1, 2]  # JSON has no infinity
    assert said["entropy"] == pytest.approx(1.5)
    short = node(DRAW, {"chances": [0.3, 0.6999], "points": [0.99999]})  # a sum that was rounded
    assert short["drawn"] == [1]


def test_a_carried_model_is_as_good_as_its_16_bits():
    for numbers in (Inputs(1).normal(50, 7), torch.tensor([1e-9, -3e-9]), torch.zeros(3)):
        carried = live.packed(numbers)
        whole = torch.frombuffer(bytearray(base64.b64decode(carried["base64"])), dtype=torch.int16)
        back = (whole.double() * carried["unit"]).reshape(numbers.shape)
        assert (back - numbers.double()).abs().max() <= numbers.abs().max() / 65_000


def test_the_page_carries_less_than_400_kb(models):
    assert len(live.Models(base=models["base"])._repr_html_()) < 400_000


def test_nothing_that_is_carried_can_end_its_script():
    html = Carried("x", {"text": "</script><q>", "兔子": 1})._repr_html_()
    assert html.count("</script>") == 1
    assert json.loads(Carried("x", "</script><q> 兔子").json) == "</script><q> 兔子"


@pytest.mark.parametrize("script", ["gpt.js", "gpt_view.js", "gpt.css"])
def test_the_figure_needs_nothing_from_elsewhere(script):
    code = (LIVE / script).read_text(encoding="utf-8")
    assert not any(
        word in code for word in ("import ", "fetch(", "http:", "https:", "XMLHttpRequest", "url(")
    )


def test_the_field_is_told_where_its_message_stands():
    figure = (LIVE.parents[1] / "_figures" / "gpt.html").read_text(encoding="utf-8")
    assert '<p role="status" id="gpt-status">' in figure
    view = (LIVE / "gpt_view.js").read_text(encoding="utf-8")
    assert 'if (wrong) own.setAttribute("aria-describedby", status.id);' in view


def test_a_text_that_is_too_long_is_refused(models, node):
    ask = """
      const gpt = require(process.argv[1]);
      const carried = JSON.parse(require("fs").readFileSync(0, "utf-8"));
      const { read } = gpt.open(carried).models.base.reading();
      for (let t = 0; t < 80; t++) read(5);
      try { read(5); } catch (error) { console.log(JSON.stringify(error.message)); }
    """
    assert "80 tokens" in node(ask, json.loads(live.Models(base=models["base"]).json))


# What the chapter says that one will see.

TRUNK = "the hare lost my trunk on the ferry ."


def written(model, beginnings, temperature=0.0):
    """What the model writes after each beginning."""
    ids = [english().encode(text) for text in beginnings]
    answers = sampling.sample(model, ids, sampling.at_random(1, temperature), 80 - max(map(len, ids)))
    return [english().decode(answer) for answer in answers.written()]


def chances(model, text):
    """The chance of every word to come next."""
    return dict(zip(english().words, logits_of(model, text)[-1].softmax(-1).tolist(), strict=True))


def test_greedy_goes_round_in_circles(models):
    commas, honey = written(models["base"], ["dear otter ,", "the"])
    assert commas == " ".join([","] * 77)
    assert honey.count("the mole sells honey and thread .") >= 2


def test_no_document_begins_with_dear():
    random = np.random.default_rng(7)
    documents = [texts.web_document(random) for _ in range(2000)]
    letters = [document for document in documents if "dear" in document]
    assert letters
    assert all(letter.count("<a> dear") == letter.count("dear") for letter in letters)


def test_names_are_open_until_the_text_decides_them(models):
    model, animals = models["base"], [animal.en for animal in ANIMALS]
    first = chances(model, "court : mole against")
    assert sum(first[animal] for animal in animals) > 0.95
    assert max(first.values()) < 0.2
    for topic in TOPICS:
        for complaint in topic.complaints:
            record = f"court : mole against hare . {complaint.en.format(offender='hare')} . under rule"
            assert chances(model, record)[str(topic.rule)] > 0.9
            record += f" {topic.rule} the"
            assert chances(model, record)["hare"] > 0.9
            record += f" hare must {topic.remedy.en} . the"
            assert chances(model, record)["mole"] > 0.9


def test_at_0_every_text_is_the_same_and_at_2_nearly_none(models):
    beginning = ["court : mole against hare ."] * 50
    different = [len(set(written(models["base"], beginning, temperature))) for temperature in (0, 1, 2)]
    assert different[0] == 1
    assert 5 < different[1] < 40 < different[2]


def test_the_base_model_does_not_answer_with_the_law(models):
    question = f"<q> i am a mole . {TRUNK} what can i do ?"
    for answer in written(models["base"], [question] * 100, temperature=1.0):
        assert "rule" not in answer
