"""The models: made of the exercises, equal to torch's own kernels, and as large as the formula says."""

import pytest
import torch
from torch.testing import assert_close

from nexttoken import exercise
from nexttoken.lab import sampling
from nexttoken.lab.inputs import Inputs
from nexttoken.models import GPT, READY_MADE, YOURS, EncoderDecoder, Shape, draw
from nexttoken.transformer import parameter_count

SMALL = Shape(vocab=11, context=16, d_model=8, layers=2, heads=2)

pytestmark = pytest.mark.usefixtures("answered_by_the_reference")


def gpt(kernels=YOURS, seed=1):
    model = GPT.drawn(SMALL, seed, kernels)
    with torch.no_grad():  # biases that are 0 would hide a mistake
        for number, parameter in enumerate(model.parameters()):
            parameter += 0.1 * Inputs(number).normal(*parameter.shape)
    return model


def translator(kernels=YOURS):
    model = EncoderDecoder.drawn(SMALL, Shape(7, 12, 8, 2, 2), seed=1, kernels=kernels)
    draw(model, seed=2, residual_layers=1)
    return model


IDS = Inputs(5).ids(3, 9, below=11)
CALLED = [
    "embeddings.embed",
    "attention.causal_mask",
    "qkv.project_qkv",
    "qkv.split_heads",
    "qkv.scaled_dot_product_attention",
    "qkv.merge_heads",
    "transformer.layer_norm",
    "transformer.feed_forward",
    "transformer.residual",
]


@pytest.mark.parametrize("name", CALLED)
def test_a_gpt_runs_on_the_exercise(name):
    """Whoever answers the exercise decides what the model computes."""
    asked = []
    reference = exercise.reference(name)

    def witness(*args, **kwargs):
        asked.append(name)
        return reference(*args, **kwargs)

    with exercise.rules_restored():
        exercise.answer_with({name: witness})
        gpt()(IDS)
    assert asked


def test_the_ready_made_kernels_compute_the_same():
    yours, ready = gpt(), gpt(READY_MADE)
    assert_close(yours(IDS), ready(IDS), atol=1e-5, rtol=0)
    gradients = [
        torch.autograd.grad(model(IDS).square().sum(), list(model.parameters())) for model in (yours, ready)
    ]
    for one, other in zip(*gradients, strict=True):
        assert_close(one, other, atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize("shape", [SMALL, Shape(50, 20, 12, 3, 4), Shape(5, 7, 4, 1, 1)])
def test_a_gpt_has_as_many_parameters_as_the_formula_says(shape):
    count = sum(parameter.numel() for parameter in GPT(shape).parameters())
    assert count == parameter_count(shape.vocab, shape.context, shape.d_model, shape.layers)


def test_gpt_2_small_can_be_counted_without_its_memory():
    with torch.device("meta"):
        model = GPT(Shape(50_257, 1024, 768, 12, 12))
    assert sum(parameter.numel() for parameter in model.parameters()) == 124_439_808


@pytest.mark.parametrize("kernels", [YOURS, READY_MADE], ids=["yours", "ready-made"])
def test_the_future_changes_nothing_in_the_past(kernels):
    model, changed = gpt(kernels), IDS.clone()
    changed[:, 5:] = (changed[:, 5:] + 1) % 11
    assert_close(model(IDS)[:, :5], model(changed)[:, :5])
    assert (model(IDS)[:, 5:] - model(changed)[:, 5:]).abs().amax(dim=-1).min() > 1e-3


@pytest.mark.parametrize("kernels", [YOURS, READY_MADE], ids=["yours", "ready-made"])
@torch.no_grad()
def test_with_a_cache_it_computes_the_same_wherever_the_text_was_cut(kernels):
    model = gpt(kernels)
    whole = model.states(IDS)
    for cut in range(1, 9):
        cache = model.empty_cache(3, 9)
        places = torch.arange(9).expand(3, -1)
        pieces = [model.states(IDS[:, part], places[:, part], cache) for part in (slice(cut), slice(cut, 9))]
        assert_close(torch.cat(pieces, dim=1), whole, atol=1e-5, rtol=0)


@pytest.mark.parametrize("kernels", [YOURS, READY_MADE], ids=["yours", "ready-made"])
@torch.no_grad()
def test_writing_with_a_cache_is_writing_without_one(kernels):
    """Prompts of three lengths in one batch; every token is what the model gives most for the text so far."""
    model = gpt(kernels)
    prompts = [[1, 2, 3], [4, 5, 6, 7, 8, 9], [10]]
    answers = sampling.sample(model, prompts, sampling.at_random(0, temperature=0), 8, stop=-1)
    for prompt, written, chances in zip(prompts, answers.written(), answers.log_probs, strict=True):
        text, spoken = list(prompt), []
        for _ in range(8):
            logits = model(torch.tensor([text]))[0, -1]
            logits[0] = -torch.inf  # the padding
            text.append(int(logits.argmax()))
            spoken.append(logits.log_softmax(-1).max())
        assert written == text[len(prompt) :]
        assert_close(chances[len(prompt) : len(text)], torch.stack(spoken), atol=1e-5, rtol=0)


def test_writing_ends_at_the_stop_and_what_follows_is_padding():
    answers = sampling.sample(gpt(), [[1, 2], [3]], sampling.at_random(3), 10, stop=4)
    for row, mine, chances in zip(answers.ids, answers.is_answer, answers.log_probs, strict=True):
        written = row[mine].tolist()
        assert 4 not in written[:-1]
        assert written[-1] == 4 or len(written) == 10
        assert row[int(mine.nonzero().max()) + 1 :].eq(0).all()
        assert chances[~mine].eq(0).all()
        assert 0 not in written


def test_the_same_seed_writes_the_same():
    first, again, other = (
        sampling.sample(gpt(), [[1, 2], [3]], sampling.at_random(seed), 10, stop=-1).ids for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_translator_runs_on_ready_made_kernels_too():
    source, target, lengths = IDS, Inputs(6).ids(3, 5, below=7), torch.tensor([9, 4, 1])
    both = [translator(kernels)(source, lengths, target) for kernels in (YOURS, READY_MADE)]
    assert_close(*both, atol=1e-5, rtol=0)


def test_a_translator_does_not_see_padding_nor_its_own_future():
    model, target = translator(), Inputs(6).ids(3, 5, below=7)
    lengths = torch.tensor([9, 4, 1])
    before = model(IDS, lengths, target)
    source = IDS.clone()
    source[1, 4:], source[2, 1:] = 0, 0
    assert_close(model(source, lengths, target), before)
    later = target.clone()
    later[:, 3:] = 0
    assert_close(model(IDS, lengths, later)[:, :3], before[:, :3])


def test_a_translator_of_two_widths_is_refused():
    with pytest.raises(ValueError, match="d_model"):
        EncoderDecoder(SMALL, Shape(7, 12, 16, 1, 2))


@pytest.mark.parametrize(
    ("choose", "temperature"),
    [
        (sampling.at_random(1), 1.0),
        (sampling.at_random(1, temperature=0.5), 0.5),
        (sampling.by_one_throw(1), 1.0),
    ],
    ids=["at random", "at random, cooler", "by one throw"],
)
def test_tokens_are_chosen_as_often_as_their_probabilities_say_and_never_where_it_is_0(choose, temperature):
    logits = torch.tensor([[-torch.inf, 1.0, 0.0, -torch.inf, 2.0, -torch.inf]]).expand(50_000, -1)
    chosen = choose(logits)
    shares = chosen.bincount(minlength=6) / len(chosen)
    assert_close(shares, (logits[0] / temperature).softmax(dim=-1), atol=0.01, rtol=0)
    assert shares[[0, 3, 5]].eq(0).all()
