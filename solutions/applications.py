"""The reference answers of `nexttoken.applications`."""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nexttoken.applications import ANSWER, DOCUMENT, MARKS, QUESTION, Action, Cost, Run, Step
from nexttoken.embeddings import cosine_similarity


def few_shot_prompt(examples: list[tuple[str, str]], question: str, room: int) -> str:
    # The question is one pair more, whose answer is missing.
    pairs = [f"{QUESTION} {q} {ANSWER} {a}".split() for q, a in [*examples, (question, "")]]
    while len(pairs) > 1 and sum(map(len, pairs)) > room:
        pairs = pairs[1:]
    return " ".join(word for pair in pairs for word in pair)


def chunk_text(text: str, size: int, overlap: int = 0) -> list[str]:
    words = text.split()
    # A chunk that began within the last `overlap` words would hold nothing new.
    starts = range(0, max(len(words) - overlap, 1), size - overlap)
    return [" ".join(words[start : start + size]) for start in starts if words]


def retrieve(
    query: Float[Tensor, "*batch d_model"], documents: Float[Tensor, "documents d_model"], k: int
) -> Int[Tensor, "*batch found"]:
    similarity = cosine_similarity(query.reshape(-1, query.shape[-1]), documents)
    # As in `nearest_neighbours`: what differs by some rounding errors is equal.
    steps = (similarity / (16 * torch.finfo(similarity.dtype).eps)).round()
    found = steps.argsort(descending=True, stable=True)[:, :k]
    return found.reshape(*query.shape[:-1], found.shape[-1])


def recall_at_k(ranked: list[int], relevant: set[int], k: int) -> float:
    return len(relevant & set(ranked[:k])) / len(relevant)


def reciprocal_rank(ranked: list[int], relevant: set[int]) -> float:
    return next((1 / rank for rank, document in enumerate(ranked, start=1) if document in relevant), 0.0)


def without_marks(text: str) -> str:
    return " ".join(word for word in text.split() if word not in MARKS)


def augment_prompt(question: str, passages: list[str], room: int) -> str:
    asked, told = [QUESTION, *without_marks(question).split()], [ANSWER]
    for passage in passages:
        words = without_marks(passage).split()
        document = [DOCUMENT, *words] if words else []
        if len(asked) + len(document) + len(told) > room:
            break
        told = [*document, *told]  # in front, so that the best stays last
    return " ".join([*asked, *told])


def parse_action(text: str, tools: list[str]) -> Action:
    said = " ".join(text.split())
    if not said or without_marks(said) != said:
        return Action("error", "forged" if said else "empty")
    for name in tools:
        if f"{said} ".startswith(f"{name} "):
            argument = said.removeprefix(name).removesuffix(" .").split()
            problem = "two arguments" if argument else "no argument"
            return Action(name, argument[0]) if len(argument) == 1 else Action("error", problem)
    inside = any(f" {name} " in f" {said} " for name in tools)
    return Action("error", "not alone") if inside else Action("answer", said)


def agent_loop(
    write: Callable[[str], str], tools: dict[str, Callable[[str], str]], question: str, max_steps: int
) -> Run:
    prompt, steps = f"{QUESTION} {question} {ANSWER}", []
    for _ in range(max_steps):
        action = parse_action(write(prompt), list(tools))
        if action.kind == "answer":
            return Run(action.text, [*steps, Step(action, "")])
        done, observation = "", f"error : {action.text}"
        if action.kind != "error":
            done = f"{action.kind} {action.text} "
            try:
                observation = without_marks(tools[action.kind](action.text))
            except LookupError:
                observation = "error : not found"
        steps.append(Step(action, observation))
        prompt = f"{prompt} {done}{DOCUMENT} {observation} {ANSWER}"
    return Run(None, steps)


def pass_at_k(samples: int, correct: int, k: int) -> float:
    # Python's whole numbers have no limit, and their quotient is rounded only once.
    return 1 - math.comb(samples - correct, k) / math.comb(samples, k)


def cost_per_answer(
    prompt: int, answer: int, parameters: int, layers: int, d_model: int, price: float, cached: int = 0
) -> Cost:
    read = range(cached + 1, prompt + answer)  # the last token is written, and never read
    flops = sum(2 * parameters + 4 * layers * d_model * t for t in read)
    return Cost(prompt + answer, flops, price * flops / 1e15)


def break_even(training: float, long: float, short: float) -> float:
    if training == 0:
        return 0.0
    return float(math.ceil(training / (long - short))) if long > short else math.inf


# End of the references of this chapter.
