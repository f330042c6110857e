"""The given code of the chapter on the transformer: numerals, stored runs, a real text, and the figure."""

import hashlib
import http.server
import socket
import threading

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from nexttoken.lab import (
    checkpoints,
    letters,
    numerals,
    plots,
    pretraining,
    recipes,
    shakespeare,
    transformer_results,
)
from nexttoken.lab.inputs import Inputs
from nexttoken.lab.training import Plan
from nexttoken.models import GPT, READY_MADE, EncoderDecoder, Shape

pytestmark = pytest.mark.usefixtures("answered_by_the_reference")


# Numerals


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, "零"),
        (10, "十"),
        (11, "十一"),
        (20, "二十"),
        (105, "一百零五"),
        (110, "一百一十"),
        (1005, "一千零五"),
        (10_000, "一万"),
        (10_001, "一万零一"),
        (120_000, "十二万"),
        (205_000, "二十万五千"),
        (10_001_000, "一千万一千"),
        (10_000_100, "一千万零一百"),
        (99_999_999, "九千九百九十九万九千九百九十九"),
    ],
)
def test_a_number_is_said_as_one_says_it(number, said):
    assert numerals.chinese(number) == said


def value(text):
    """What a numeral is worth, read from left to right: written without a look at how it is made."""
    total = group = digit = 0
    for word in text:
        if word in numerals.DIGITS:
            digit = numerals.DIGITS.index(word)
        elif word == numerals.MYRIAD:
            total, group, digit = (group + digit) * 10_000, 0, 0
        else:
            group, digit = group + (digit or 1) * 10 ** numerals.UNITS.index(word), 0
    return total + group + digit


def test_a_numeral_can_be_read_back_and_no_two_are_alike():
    some = numerals.numbers(3000, seed=1)
    texts = [numerals.chinese(number) for number in some]
    assert [value(text) for text in texts] == some
    assert len(set(texts)) == len(set(some)) == 3000


@pytest.mark.parametrize("number", [-1, 100_000_000])
def test_a_number_that_has_no_numeral_here_is_refused(number):
    with pytest.raises(ValueError, match="number"):
        numerals.chinese(number)


def test_held_out_numbers_are_not_among_the_others():
    held_out = numerals.numbers(200, seed=1)
    others = numerals.numbers(5000, seed=1, without=held_out)
    assert not set(held_out) & set(others)


def test_a_batch_shows_the_start_and_asks_for_the_stop():
    batch = numerals.Batch.of([305, 12])
    assert batch.read.tolist() == [[0, 5, 2, 7], [0, 3, 4, 0]]
    assert batch.write.tolist() == [[5, 2, 7, 1], [3, 4, 1, 0]]
    assert batch.lengths.tolist() == [4, 2]


def test_a_short_training_teaches_it_something_and_watching_changes_nothing():
    plan = Plan(steps=40, batch=32, peak=8e-3, warmup=5)
    model, losses = numerals.train(numerals.numbers(500, seed=1), seed=1, plan=plan, kernels=READY_MADE)
    assert np.mean(losses[-5:]) < losses[0] - 0.5
    batch = numerals.Batch.of([30_050_020])
    before = model(batch.source, batch.lengths, batch.read)
    maps = numerals.cross_attention(model, 30_050_020)
    assert maps.shape == (1, 2, 9, 8)
    assert_close(maps.sum(dim=-1), torch.ones(1, 2, 9))
    assert_close(model(batch.source, batch.lengths, batch.read), before)


def test_what_is_written_is_greedy_and_without_start_and_stop():
    model = EncoderDecoder.drawn(*numerals.SHAPES, seed=3)
    written, ids = numerals.digits(model, "三百"), [numerals.START]
    encoded = model.encode(numerals.encode("三百").unsqueeze(0))
    while len(ids) < 10 and ids[-1] != numerals.STOP:
        ids.append(int(model.decode(encoded, torch.tensor([ids]))[0, -1].argmax()))
    assert written == "".join(numerals.TARGET[i] for i in ids[1:] if i != numerals.STOP)


# A real text, from a server of our own


@pytest.fixture
def served(tmp_path, monkeypatch):
    """`served(content)` is the address at which a server on this machine gives that content away."""
    monkeypatch.setenv("NEXTTOKEN_CACHE", str(tmp_path / "cache"))
    asked = []
    servers = []

    def serve(content):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                asked.append(self.path)
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}/input.txt"

    serve.asked = asked
    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


CITIZEN = b"First Citizen:\nBefore we proceed any further, hear me speak.\n"
CHECKSUM = hashlib.sha256(CITIZEN).hexdigest()


def test_a_text_is_fetched_once_and_then_kept(served):
    address = served(CITIZEN)
    for _ in range(3):
        assert shakespeare.plays(address, CHECKSUM) == CITIZEN.decode()
    assert served.asked == ["/input.txt"]


def test_another_text_is_refused_and_not_kept(served):
    with pytest.raises(shakespeare.NotAtHand, match=r"not the text.*Nothing was kept"):
        shakespeare.plays(served(b"Call me Ishmael.\n"), CHECKSUM)
    assert not shakespeare.folder().exists()


def test_a_kept_file_that_was_damaged_is_fetched_again(served):
    address = served(CITIZEN)
    shakespeare.plays(address, CHECKSUM)
    (file,) = shakespeare.folder().iterdir()
    file.write_bytes(CITIZEN[:-10])
    assert shakespeare.plays(address, CHECKSUM) == CITIZEN.decode()
    assert len(served.asked) == 2


def test_offline_one_is_told_where_to_put_the_file(tmp_path, monkeypatch):
    monkeypatch.setenv("NEXTTOKEN_CACHE", str(tmp_path))
    with socket.socket() as nobody:  # a port at which nobody listens
        nobody.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{nobody.getsockname()[1]}/input.txt"
        with pytest.raises(shakespeare.NotAtHand, match=r"tiny_shakespeare\.txt, or go on without"):
            shakespeare.plays(address, CHECKSUM, seconds=2)


def test_offline_the_kept_text_will_do(tmp_path, monkeypatch):
    monkeypatch.setenv("NEXTTOKEN_CACHE", str(tmp_path))
    (tmp_path / "tiny_shakespeare.txt").write_bytes(CITIZEN)
    assert shakespeare.plays("http://127.0.0.1:9/", CHECKSUM) == CITIZEN.decode()


# Stored runs, and models of letters


class Enough(Exception):
    """Raised to end a training early."""


def test_the_stored_copying_is_what_the_recipe_gives():
    """The beginning of one run, repeated; sums in another order may move the last digits."""
    found = []

    def look(step, model):
        if step % pretraining.LOOK == 0:
            found.append(pretraining.copy_probability(model, count=60))
        if len(found) == 2:
            raise Enough

    with pytest.raises(Enough):
        pretraining.pretrain(0, kernels=READY_MADE, look=look)
    assert found == pytest.approx(recipes.result("copying")["ours"][0]["copying"][:2], abs=5e-3)


def test_copying_is_asked_for_in_records_that_were_not_read():
    base, read = checkpoints.load("base-0", READY_MADE), pretraining.documents(12_000, seed=0)
    asked = []

    def witness(ids):
        asked.append((*ids[0].tolist(), 1))
        return base(ids)

    assert pretraining.copy_probability(witness, count=40, read=read) > 0.95
    assert not set(asked) & {tuple(document.tolist()) for document in read}


def test_the_narrow_beginning_is_gpt_2_s():
    model = GPT(Shape(50, 20, 32, 2, 2))
    transformer_results.draw_narrow(model, seed=1, residual_layers=4)
    parts = dict(model.named_parameters())
    assert parts["embedding"].std().item() == pytest.approx(0.02, rel=0.05)
    assert parts["blocks.0.attention.w_out"].std().item() == pytest.approx(0.01, rel=0.08)
    assert parts["norm.gain"].eq(1).all()


def test_bits_of_a_model_that_knows_nothing_are_those_of_a_fair_choice():
    model = GPT.drawn(letters.shape(8), seed=1)
    with torch.no_grad():
        model.embedding.zero_()
    ids = Inputs(1).ids(300, below=27)
    assert letters.bits(model, ids) == pytest.approx(np.log2(27), abs=1e-5)


def test_a_power_law_is_found_again():
    n = [10.0, 100.0, 1000.0]
    found = letters.Slope.through(n, [3 * x**-0.25 for x in n])
    assert (found.factor, found.power) == (pytest.approx(3), pytest.approx(-0.25))
    assert found.at(16.0) == pytest.approx(1.5)


def test_counts_and_gpts_are_asked_about_the_same_words():
    documents = pretraining.documents(5, seed=1)
    ids, inside = pretraining.stream(documents, before=3)
    assert ids[:3].eq(1).all()
    assert int(inside.sum()) == sum(len(document) - 1 for document in documents)
    assert torch.equal(ids[3:][inside], torch.cat([document[1:] for document in documents]))


def test_a_power_law_is_drawn_with_its_points():
    picture = plots.power_law({"here": ([1, 10], [2, 1])}, {"line": ([1, 10], [2, 1])}, across="N", up="bits")
    assert "<svg" in picture._repr_svg_()
