"""Code that somebody else wrote gets a verdict, whatever it does."""

import ast
import json
import textwrap

import pytest
from trees import copy_of_course, misconception_bodies, reference_body, words

from nexttoken import course
from nexttoken import exercise as exercises
from nexttoken.grading.judge import sentence
from nexttoken.grading.reviewing import review, show_review
from nexttoken.grading.verdict import State
from nexttoken.lab.assistants import ANSWERS

MASK = "attention.causal_mask"
RIGHT = "import torch\ndef causal_mask(size):\n    return torch.ones(size, size, dtype=torch.bool).tril()\n"
TURNED = RIGHT.replace("tril", "triu")
MISTAKES = {
    "autoregression.keep_top_p": "keep_top_p__crossing_token_dropped",
    "transformer.adamw_update": "adamw_update__decay_in_the_gradient",
    "sft.answer_loss": "answer_loss__mask_not_shifted",
}
BROKEN = {
    "does not parse": ("def causal_mask(size:\n", State.UNREADABLE, "line 1"),
    "is prose": ("I am sorry, I cannot help with that.", State.UNREADABLE, "Python cannot read line 1"),
    "is empty": ("", State.UNREADABLE, "no function `causal_mask`"),
    "defines another name": ("def mask(n):\n    return n", State.UNREADABLE, "but `mask`"),
    "imports it": ("from nexttoken.attention import causal_mask", State.UNREADABLE, "no function"),
    "is no function": ("causal_mask = 3", State.UNREADABLE, "no function"),
    "fails at once": ("import torch\n1 / 0\n", State.UNREADABLE, "line 2: 1 / 0"),
    "exits at once": ("import sys\nsys.exit(0)", State.UNREADABLE, "SystemExit"),
    "ends Python": ("import os\nos._exit(0)", State.CRASHED, "exit code 0"),
    "is interrupted": ("raise KeyboardInterrupt", State.CRASHED, "ended Python itself"),
    "loops": ("while True: pass", State.TIMEOUT, "loop that never ends"),
    "loops when it is called": ("def causal_mask(n):\n    while True: pass", State.TIMEOUT, "loop"),
    "calls itself": ("def causal_mask(n):\n    return causal_mask(n)", State.WRONG, "RecursionError"),
    "takes other arguments": ("def causal_mask():\n    return 1", State.WRONG, "TypeError"),
    "is a stub": ("def causal_mask(n):\n    raise NotImplementedError", State.NOT_DONE, "not done"),
    "fails": ("def causal_mask(n):\n\n    return n.x", State.WRONG, "line 3: return n.x"),
    "asks the exercise": (
        "from nexttoken import attention\ndef causal_mask(n):\n    return attention.causal_mask(n)",
        State.WRONG,
        "RecursionError",
    ),
    "breaks the checks": (
        "from nexttoken.grading import notebook\nnotebook.read = None\n" + TURNED,
        State.CRASHED,
        "the checks came to no end",
    ),
    "writes over the verdict": (
        "import gc\nfrom multiprocessing.connection import Connection\n"
        "for found in gc.get_objects():\n"
        "    if isinstance(found, Connection) and found.writable: found.send_bytes(b'[]')",
        State.CRASHED,
        "in the place of the checks",
    ),
    "empties what is imported": ("import sys\nsys.modules.clear()\n" + TURNED, State.UNREADABLE, ""),
    "has null bytes": ("def causal_mask(n):\n    return '\0'", State.UNREADABLE, ""),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_each_assistants_answer_is_met_with_its_misconception(name):
    module = exercises.load_file(course.misconceptions_file(name.partition(".")[0]), "shipped_mistakes")
    verdict = review(name, ANSWERS[name])
    assert verdict.state is State.WRONG
    assert verdict.misconception == sentence(getattr(module, MISTAKES[name]))


def test_the_assistants_answers_are_of_different_chapters_and_are_code():
    assert len({name.partition(".")[0] for name in ANSWERS}) == len(ANSWERS) == 3
    for name, message in ANSWERS.items():
        code = message.split("```python\n")[1].split("```")[0]
        assert name.partition(".")[2] in [node.name for node in ast.parse(code).body if hasattr(node, "name")]


def test_right_code_is_right_and_a_known_mistake_is_named():
    assert review(MASK, RIGHT).state is State.RIGHT
    verdict = review("causal_mask", TURNED)
    assert verdict.state is State.WRONG
    module = exercises.load_file(course.misconceptions_file("attention"), "shipped_mistakes")
    assert verdict.misconception == sentence(module.causal_mask__the_past_is_forbidden)


def test_the_chapters_imports_and_other_exercises_are_there_without_asking():
    code = (
        "def attention_weights(queries, keys):\n    return softmax(queries @ keys.mT / keys.shape[-1] ** 0.5)"
    )
    assert review("attention.attention_weights", code).right


def test_of_a_message_only_its_code_counts():
    message = (
        f"Of course!\n\n```python\nprint('first')\n```\n\nand now:\n\n```python\n{RIGHT}```\nIt is right."
    )
    assert review(MASK, message).right
    assert review(MASK, f"Sure:\n```python\n{RIGHT}").right  # cut off before the end of the message
    assert review(MASK, "1. Code:\n" + textwrap.indent(f"```py\n{RIGHT}```", "   ")).right
    assert review(MASK, textwrap.indent(RIGHT, "    ")).right
    other = review(MASK, "Sure:\n```python\ndef mask(n):\n    return n\n```")
    assert "but `mask`" in other.message
    example = RIGHT.replace(":\n", ':\n    """An example:\n\n```\ncausal_mask(2)\n```\n    """\n')
    assert review(MASK, example).right


def test_another_name_bound_to_a_function_will_do():
    assert review(MASK, RIGHT.replace("causal_mask", "mask") + "causal_mask = mask").right
    assert review(MASK, "import functools\n" + RIGHT.replace("def", "@functools.cache\ndef")).right


@pytest.mark.parametrize("what", BROKEN)
def test_broken_code_gets_a_verdict(what):
    code, state, message = BROKEN[what]
    verdict = review(MASK, code, time_limit=5.0 if state is not State.TIMEOUT else 1.0)
    assert verdict.state is state, verdict
    assert message in verdict.message
    assert verdict.where == "the answer under review"


def test_a_review_leaves_this_process_as_it_was():
    before = dict(exercises.EXERCISES)
    review(MASK, "import torch\ntorch.set_default_dtype(torch.float64)\n" + TURNED)
    assert {name: exercises.EXERCISES[name] for name in before} == before
    assert exercises._rules == exercises._Rules()


def test_an_unknown_exercise_is_the_callers_mistake():
    with pytest.raises(course.UnknownName, match=r"attention\.causal_mask"):
        review("attention.casual_mask", RIGHT)


def test_a_notebook_shows_the_sentence(capsys):
    show_review("sft.answer_loss", ANSWERS["sft.answer_loss"])
    show_review(MASK, RIGHT)
    said = words(capsys.readouterr().out)
    assert "Logits and ids are shifted rightly, and the mask is not." in said
    assert "attention.causal_mask is right" in said


# The command line


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """The course, with a wrong answer in the reader's own file, which is nobody else's mistake."""
    tree = copy_of_course(tmp_path_factory.mktemp("review") / "course")
    return tree.answer({"perplexity": "return 3"})


def code_of(name, body):
    function = name.partition(".")[2]
    file = (course.source_file("autoregression")).read_text(encoding="utf-8")
    return course.replace_body(file, function, body)


def test_the_command_line_reads_a_file_or_what_is_typed(tree):
    name = "autoregression.perplexity"
    (tree.folder / "answer.py").write_text(code_of(name, reference_body(name)), encoding="utf-8")
    before = tree.source().read_text(encoding="utf-8")
    assert tree.run("review", "perplexity", "answer.py").returncode == 0
    said, body = next(iter(misconception_bodies(name).items()))
    done = tree.run("review", "perplexity", "-", text=code_of(name, body))
    assert done.returncode == 1
    assert said in words(done.stdout.replace("│", " "))
    assert tree.source().read_text(encoding="utf-8") == before


def test_json_has_the_form_of_check(tree):
    done = tree.run("review", "--json", "perplexity", "-", text="def perplexity(x): return 3")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert set(found) == {"exercises", "points", "earned"}
    assert found["exercises"][0]["state"] == "wrong"


def test_a_missing_file_or_an_unknown_name_ends_with_2(tree):
    assert tree.run("review", "perplexity", "nowhere.py").returncode == 2
    assert tree.run("review", "perplexty", "-").returncode == 2


def test_bytes_that_are_no_text_get_a_verdict(tree):
    (tree.folder / "bytes.py").write_bytes(bytes(range(256)))
    assert tree.run("review", "perplexity", "bytes.py").returncode == 1
