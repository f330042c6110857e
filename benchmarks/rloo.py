"""CPU seconds of a step of RLOO: ours (`nexttoken.lab.reinforcement.in_groups`) and TRL's RLOOTrainer.

    python benchmarks/rloo.py [--rounds 5] [--steps 4] [--written-out]

A step: 16 questions are drawn and answered 4 times each, in at most 32 tokens chosen by chance; the gold
judge, a Python function, pays for each answer; the distance to a reference model is subtracted; the policy
is updated. Both take turns in one process on one thread, and the one that begins changes with every round.

Equal: the numbers that the models start from (the same logits, which is checked before the clock runs),
float32, no dropout, no gradient checkpointing; how many questions, answers and tokens at most, and from
which distribution both are drawn; the judge; the estimate of the distance (k1, a part of the reward) and
its price; the updates made from the answers of a step (first one, on all 64 answers; then four, in two
passes over two halves); torch's fused AdamW with the same rate, betas and clipping of the gradient, new in
every round. Neither loads, builds or saves anything on its clock, except that ours copies the policy.

Not equal, and part of what is compared:

- TRL computes the log-probabilities of the answers again before it learns; ours keeps those of sampling.
- TRL clips the ratio of whole answers, ours that of each token.
- TRL decodes the answers for the judge with its tokenizer, ours with a list of words. TRL also computes the
  entropy of all choices and some twenty measures. Ours asks the judge a second time for its journal, and
  measures how many tokens are beyond the clip.
- TRL pads questions on the left, ours on the right; both go on until the last answer has ended.
- TRL and transformers are made for many models, large ones, on many machines. What that costs is paid per
  call and does not grow with the model: the ratio shrinks for larger models, as the table shows, and says
  nothing about a GPU.

The small model is the course's SFT model; the large one has random numbers in it and babbles. Answer
lengths and points are printed, to show that both write as much and are paid alike.
"""

import argparse
import os
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from nexttoken.lab import checkpoints, desk, reinforcement
from nexttoken.lab.sampling import Answers
from nexttoken.lab.village import gold, texts
from nexttoken.lab.village.vocabulary import END, PAD, english
from nexttoken.models import GPT, READY_MADE, YOURS, Kernels, Shape

# 16 prompts with 4 answers. The rate is so low that both stay where they began: else the one that learns
# to write less has less to do.
STEP = reinforcement.Groups(prompts=16, epochs=1, parts=1, rate=1e-5)
UPDATES = {"1": STEP, "4": replace(STEP, epochs=2, parts=2)}
LARGE = Shape(vocab=217, context=80, d_model=128, layers=4, heads=4)
TARGET = 1.7  # times as fast as TRL, for the small model
INSTALL = """skipped: {missing}.
TRL is no part of the course. In an environment of its own, from the course's folder:
    python3 -m venv .venv-trl
    .venv-trl/bin/pip install torch=={torch}
    .venv-trl/bin/pip install --editable . trl==1.16.0 transformers==5.24.0
    .venv-trl/bin/python benchmarks/rloo.py"""


@dataclass
class Round:
    """What some steps took, and the answers that were written in them."""

    seconds: float = 0.0  # a step
    lengths: list[int] = field(default_factory=list)  # tokens, the end included
    points: list[float] = field(default_factory=list)


Contender = Callable[[int], Round]


def ours(start: GPT, settings: reinforcement.Groups) -> Contender:
    """Some steps of the course."""

    def run(seed: int) -> Round:
        found = Round()

        def score(cases: Sequence[texts.Case], answers: Answers) -> torch.Tensor:
            points = desk.gold_scores(cases, answers)
            found.lengths += answers.is_answer.sum(dim=1).tolist()
            found.points += points.tolist()
            return points

        begin = time.process_time()
        reinforcement.in_groups(start, score, seed, settings)
        found.seconds = (time.process_time() - begin) / settings.iterations
        return found

    return run


def theirs(start: GPT, settings: reinforcement.Groups, folder: str) -> Contender:
    """The same number of steps of TRL, from the same numbers."""
    os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
    warnings.filterwarnings("ignore")
    import transformers
    from datasets import Dataset, disable_progress_bars
    from tokenizers import Tokenizer, models, pre_tokenizers
    from trl import RLOOConfig, RLOOTrainer

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    disable_progress_bars()
    same_numbers_in_gpt2(start).save_pretrained(folder)  # the trainer reads its reference from there
    words = Tokenizer(models.WordLevel({word: i for i, word in enumerate(english().words)}, unk_token=PAD))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token=PAD, eos_token=END, clean_up_tokenization_spaces=False
    )
    a_prompt = texts.prompt(desk.cases(1, seed=0)[0])
    assert tokenizer(a_prompt)["input_ids"] == english().encode(a_prompt)

    def run(seed: int) -> Round:
        cases, found = desk.cases(settings.prompts * settings.iterations, seed), Round()

        def score(completions: list[str], completion_ids: list[list[int]], case: list[int], **_: object):
            ended = [ids[-1] == english().end for ids in completion_ids]
            said = zip(case, completions, ended, strict=True)
            points = [gold.judge(cases[i], text, finished).score for i, text, finished in said]
            found.lengths += map(len, completion_ids)
            found.points += points
            return points

        class Clock(transformers.TrainerCallback):
            def on_train_begin(self, *_: object, **__: object) -> None:
                self.begin = time.process_time()

            def on_step_end(self, *_: object, **__: object) -> None:  # the last one counts
                found.seconds = (time.process_time() - self.begin) / settings.iterations

        asked = [{"prompt": texts.prompt(case), "case": i} for i, case in enumerate(cases)]
        trainer = RLOOTrainer(
            transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32),
            reward_funcs=score,
            processing_class=tokenizer,
            train_dataset=Dataset.from_list(asked),
            callbacks=[Clock()],
            args=RLOOConfig(
                output_dir=folder,
                seed=seed,
                # as much work
                max_steps=settings.iterations * settings.epochs * settings.parts,
                num_generations=settings.answers,
                steps_per_generation=settings.parts,
                per_device_train_batch_size=settings.prompts * settings.answers // settings.parts,
                num_iterations=settings.epochs,
                max_completion_length=desk.LONGEST_ANSWER,
                # of the same kind
                beta=settings.kl_coefficient,
                epsilon=settings.clip,
                generation_kwargs={"suppress_tokens": [english().pad]},
                learning_rate=settings.rate,
                lr_scheduler_type="constant",
                optim="adamw_torch_fused",
                adam_beta2=0.95,
                # and nothing else
                use_cpu=True,
                bf16=False,
                gradient_checkpointing=False,
                logging_strategy="no",
                save_strategy="no",
                report_to="none",
                disable_tqdm=True,
            ),
        )
        trainer.remove_callback(transformers.PrinterCallback)
        trainer.train()
        assert len(found.lengths) == settings.iterations * settings.prompts * settings.answers
        return found

    return run


def same_numbers_in_gpt2(ours: GPT):
    """GPT-2 of transformers with the numbers of our GPT; it gives the same logits."""
    from transformers import GPT2Config, GPT2LMHeadModel

    shape = ours.shape
    config = GPT2Config(
        vocab_size=shape.vocab,
        n_positions=shape.context,
        n_embd=shape.d_model,
        n_layer=shape.layers,
        n_head=shape.heads,
        activation_function="gelu",
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=english().end,
        eos_token_id=english().end,
        pad_token_id=english().pad,
    )
    numbers = {
        "transformer.wte.weight": ours.embedding,
        "transformer.wpe.weight": ours.positions,
        "transformer.ln_f.weight": ours.norm.gain,
        "transformer.ln_f.bias": ours.norm.bias,
        "lm_head.weight": ours.embedding,
    }
    for layer, block in enumerate(ours.blocks):
        attention, thinking = block.attention, block.feed_forward
        parts = {
            "ln_1.weight": block.norm_attention.gain,
            "ln_1.bias": block.norm_attention.bias,
            "attn.c_attn.weight": torch.cat([attention.w_query, attention.w_key, attention.w_value], dim=1),
            "attn.c_attn.bias": torch.cat([attention.b_query, attention.b_key, attention.b_value]),
            "attn.c_proj.weight": attention.w_out,
            "attn.c_proj.bias": attention.b_out,
            "ln_2.weight": block.norm_feed_forward.gain,
            "ln_2.bias": block.norm_feed_forward.bias,
            "mlp.c_fc.weight": thinking.w_in,
            "mlp.c_fc.bias": thinking.b_in,
            "mlp.c_proj.weight": thinking.w_out,
            "mlp.c_proj.bias": thinking.b_out,
        }
        numbers |= {f"transformer.h.{layer}.{name}": part for name, part in parts.items()}
    model = GPT2LMHeadModel(config).eval()
    model.load_state_dict({name: part.detach() for name, part in numbers.items()})
    ids = torch.from_numpy(np.random.default_rng(0).integers(shape.vocab, size=(4, shape.context)))
    with torch.no_grad():
        torch.testing.assert_close(model(ids).logits, ours(ids), rtol=1e-4, atol=1e-4)
    return model


def compare(contenders: Sequence[Contender], rounds: int) -> list[list[Round]]:
    """What each contender did in each round; they take turns, and take turns in being first."""
    for contender in contenders:
        contender(0)  # what is done only once is not counted
    found: list[list[Round]] = [[] for _ in contenders]
    for seed in range(1, rounds + 1):
        turns = list(zip(contenders, found, strict=True))
        for contender, mine in turns if seed % 2 else reversed(turns):
            mine.append(contender(seed))
    return found


def row(label: str, found: Sequence[Sequence[Round]]) -> tuple[str, float]:
    """A line of the table, and how many times as fast as TRL ours is."""
    seconds = [statistics.median(one.seconds for one in rounds) for rounds in found]
    lengths = [statistics.fmean(n for one in rounds for n in one.lengths) for rounds in found]
    points = [statistics.fmean(n for one in rounds for n in one.points) for rounds in found]
    ratios = [theirs.seconds / ours.seconds for ours, theirs in zip(*found, strict=True)]
    middle = statistics.median(ratios)
    columns = (
        f"{label:24}",
        *(f"{number:7.3f}" for number in seconds),
        f"{middle:7.2f}  ({min(ratios):.2f} to {max(ratios):.2f})",
        *(f"{number:7.1f}" for number in lengths),
        *(f"{number:7.2f}" for number in points),
    )
    return " ".join(columns), middle


def model(size: str, kernels: Kernels) -> GPT:
    """What both start from."""
    return (
        checkpoints.load("sft-0", kernels) if size == "small" else GPT.drawn(LARGE, seed=0, kernels=kernels)
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, help="how often each has its turn")
    parser.add_argument("--steps", type=int, default=4, help="steps of RLOO in a round")
    parser.add_argument(
        "--written-out", action="store_true", help="ours with the exercises' functions, not torch's kernels"
    )
    parser.add_argument(
        "--check", action="store_true", help="only see that it runs: one step of 2 x 2 answers"
    )
    chosen = parser.parse_args()
    os.environ["NEXTTOKEN_REFERENCE"] = "1"
    torch.set_num_threads(1)
    kernels = YOURS if chosen.written_out else READY_MADE
    tiny = replace(STEP, iterations=1, prompts=2, answers=2)
    if chosen.check:
        found = ours(model("small", kernels), tiny)(0)
        print(f"ours runs: {len(found.lengths)} answers, {found.seconds:.2f} CPU seconds")
    try:
        import trl
    except ImportError as missing:
        print(INSTALL.format(missing=missing, torch=torch.__version__.partition("+")[0]))
        return
    rows = [("small", "1")] if chosen.check else [(size, n) for size in ("small", "large") for n in UPDATES]
    print(
        f"torch {torch.__version__}, TRL {trl.__version__}, {'written out' if chosen.written_out else 'ready-made'}"
    )
    print(f"{'':24} {'CPU s a step':^15} {'':23} {'answer length':^15} {'points':^15}")
    print(
        f"{'model, updates a step':24} {'ours':>7} {'TRL':>7} {'TRL / ours':^23}"
        + f" {'ours':>7} {'TRL':>7}" * 2
    )
    reached = {}
    for size, updates in rows:
        start = model(size, kernels)
        settings = tiny if chosen.check else replace(UPDATES[updates], iterations=chosen.steps)
        with tempfile.TemporaryDirectory() as folder:
            contenders = ours(start, settings), theirs(start, settings, folder)
            found = compare(contenders, 1 if chosen.check else chosen.rounds)
        millions = sum(part.numel() for part in start.parameters()) / 1e6
        line, reached[size, updates] = row(f"{size} ({millions:.2f} M), {updates}", found)
        print(line, flush=True)
    if not chosen.check:
        worst = min(reached["small", updates] for updates in UPDATES)
        print(f"target for the small model: >= {TARGET} times as fast; here {worst:.2f}")


if __name__ == "__main__":
    main()
