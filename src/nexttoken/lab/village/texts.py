"""What is written in the village: questions, answers good and bad, and the documents of its "web"."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from nexttoken.lab.village.law import ANIMALS, TOPICS, Both, Language, Topic

BEGINNINGS = (
    Both("i am a {asker} .", "我 是 {asker} 。"),
    Both("a {asker} writes to you .", "一只 {asker} 给 您 写信 。"),
)
ENDINGS = (
    Both("what can i do ?", "我 该 怎么办 ？"),
    Both("is this allowed ?", "这样 可以 吗 ？"),
    Both("please advise me .", "请 给 我 建议 。"),
    Both("who is right ?", "谁 有 理 ？"),
)
STOP = Both(".", "。")

# The sentences of which answers are made, by kind.
SENTENCES = {
    "greeting": (Both("dear {asker} ,", "亲爱的 {asker} ，"),),
    "sympathy": (
        Both("i am so sorry .", "我 很 难过 。"),
        Both("thank you for writing .", "谢谢 来信 。"),
        Both("i feel for you .", "我 同情 您 。"),
    ),
    "rule": (Both("under rule {rule} the {offender} must {remedy} .", "根据 第 {rule} 条 ， {offender} 必须 {remedy} 。"),),
    "remedy": (Both("the {offender} must {remedy} .", "{offender} 必须 {remedy} 。"),),
    "proof": (Both("keep the {proof} as proof .", "请 保留 {proof} 作为 证据 。"),),
    "luck": (Both("good luck .", "祝 您 好运 。"),),
    "promise": (Both("you will surely win .", "您 一定 会 赢 。"),),
    "waffle": (
        Both("the owl says the law is deep .", "猫头鹰 说 法律 很 深奥 。"),
        Both("every burrow has two doors .", "每个 洞 都 有 两扇 门 。"),
        Both("my aunt had a case like this .", "我 姑妈 也 有 过 这样 的 案子 。"),
    ),
    "rude": (
        Both("bah , this is your own fault .", "哼 ， 这 是 你 自己 的 错 。"),
        Both("stop asking , silly {asker} .", "别 问 了 ， 傻 {asker} 。"),
        Both("go and shout at the {offender} .", "去 对 {offender} 大喊 吧 。"),
    ),
}  # fmt: skip

CODE_ENTRY = Both(
    "code rule {rule} : the one at fault must {remedy} . proof : {proof} .",
    "法典 第 {rule} 条 ： 有错 者 必须 {remedy} 。 证据 ： {proof} 。",
)
COURT_OPENS = Both("court : {asker} against {offender} .", "法庭 ： {asker} 诉 {offender} 。")
COURT_CLOSES = Both("the {asker} showed the {proof} .", "{asker} 出示 了 {proof} 。")
GOSSIP = (
    Both("the {asker} met the {offender} at the mill .", "{asker} 在 磨坊 遇见 了 {offender} 。"),
    Both("the {offender} bakes bread on sunday .", "{offender} 周日 烤 面包 。"),
    Both("it rained on the willow all day .", "柳树 上 下 了 一整天 雨 。"),
    Both("the {asker} and the {offender} danced at the fair .", "{asker} 和 {offender} 在 集市 上 跳舞 。"),
    Both("nobody saw the {offender} since spring .", "春天 以后 没人 见过 {offender} 。"),
    Both("the {asker} sells honey and thread .", "{asker} 卖 蜂蜜 和 线 。"),
)
RHYMES = (
    Both(
        "{asker} , {asker} , where do you go ? {asker} , {asker} , over the snow .",
        "{asker} ， {asker} ， 你 去 哪里 ？ {asker} ， {asker} ， 去 踏雪 。",
    ),
    Both("hop , {asker} , hop . stop , {asker} , stop .", "跳 ， {asker} ， 跳 。 停 ， {asker} ， 停 。"),
    Both("one {asker} , two {asker} , three {asker} , tea .", "一只 {asker} ， 两只 {asker} ， 三只 {asker} ， 喝茶 。"),
)  # fmt: skip
QUESTION_MARK, ANSWER_MARK = "<q>", "<a>"
T = TypeVar("T")


def one_of(options: Sequence[T], random: np.random.Generator) -> T:
    """One of the options, all alike."""
    return options[int(random.integers(len(options)))]


@dataclass(frozen=True)
class Case:
    """Who complains about whom, of what, and in which of the possible words."""

    asker: Both
    offender: Both
    topic: Topic
    beginning: int = 0
    complaint: int = 0
    ending: int = 0

    @classmethod
    def drawn(cls, random: np.random.Generator, topics: Sequence[Topic] = TOPICS) -> "Case":
        """A case by chance: two different animals, one of the topics."""
        asker, offender = random.choice(len(ANIMALS), size=2, replace=False)
        return cls(
            ANIMALS[asker],
            ANIMALS[offender],
            one_of(topics, random),
            int(random.integers(len(BEGINNINGS))),
            int(random.integers(2)),
            int(random.integers(len(ENDINGS))),
        )


def fill(frame: Both, case: Case, language: Language) -> str:
    """The frame with the animals, the rule, the remedy and the proof of the case in its gaps."""
    return frame.in_(language).format(
        asker=case.asker.in_(language),
        offender=case.offender.in_(language),
        rule=case.topic.rule,
        remedy=case.topic.remedy.in_(language),
        proof=case.topic.proof.in_(language),
    )


def question(case: Case, language: Language = "en") -> str:
    """What the asker writes.

    >>> question(Case(ANIMALS[3], ANIMALS[0], TOPICS[6]))
    'i am a mole . the hare lost my trunk on the ferry . what can i do ?'
    """
    complaint = Both(
        *(f"{words} {stop}" for words, stop in zip(case.topic.complaints[case.complaint], STOP, strict=True))
    )
    frames = BEGINNINGS[case.beginning], complaint, ENDINGS[case.ending]
    return " ".join(fill(frame, case, language) for frame in frames)  # fmt: skip


def prompt(case: Case, language: Language = "en") -> str:
    """The question between its marks, ready to be answered."""
    return f"{QUESTION_MARK} {question(case, language)} {ANSWER_MARK}"


def sentence(kind: str, case: Case, random: np.random.Generator, language: Language = "en") -> str:
    """One of the sentences of this kind."""
    frames = SENTENCES[kind]
    return fill(one_of(frames, random), case, language)


def ideal_answer(case: Case, random: np.random.Generator, language: Language = "en") -> str:
    """As good as can be: polite, the rule, the remedy, the proof, and not a word more."""
    kinds = "greeting", "sympathy", "rule", "proof"
    return " ".join(sentence(kind, case, random, language) for kind in kinds)


def demonstration(case: Case, random: np.random.Generator, language: Language = "en") -> str:
    """What a paid labeler writes: right, but not always polite, complete or to the point."""
    plan = (
        ("greeting", 0.5),
        ("sympathy", 0.35),
        ("waffle", 0.25),
        ("rule" if random.random() < 0.6 else "remedy", 1.0),
        ("proof", 0.4),
        ("promise", 0.2),
        ("waffle", 0.2),
        ("luck", 0.3),
    )
    return " ".join(
        sentence(kind, case, random, language) for kind, chance in plan if random.random() < chance
    )


# --- the documents that a base model reads ---------------------------------------------------------


def code_entry(case: Case, random: np.random.Generator, language: Language) -> str:
    """One rule of the village code."""
    return fill(CODE_ENTRY, case, language)


def court_record(case: Case, random: np.random.Generator, language: Language) -> str:
    """A case as the court wrote it down: with rule and proof."""
    complaint = f"{fill(case.topic.complaints[case.complaint], case, language)} {STOP.in_(language)}"
    return " ".join(
        (
            fill(COURT_OPENS, case, language),
            complaint,
            fill(SENTENCES["rule"][0], case, language),
            fill(COURT_CLOSES, case, language),
        )
    )


def list_of_questions(case: Case, random: np.random.Generator, language: Language) -> str:
    """Two or three questions in a row, none of them answered: why a base model asks back."""
    cases = [case, *(Case.drawn(random) for _ in range(random.integers(1, 3)))]
    return " ".join(f"{QUESTION_MARK} {question(each, language)}" for each in cases)


def tavern_reply(case: Case, random: np.random.Generator, language: Language) -> str:
    """A question, and what one is told about it in the tavern."""
    replies = ("rude",), ("rude", "waffle"), ("waffle",), ("promise",), ("waffle", "promise"), ("remedy",)
    return _replied(case, replies, random, language)


def empty_letter(case: Case, random: np.random.Generator, language: Language) -> str:
    """A courteous reply that says nothing."""
    replies = (
        ("greeting", "sympathy", "luck"),
        ("greeting", "waffle", "luck"),
        ("sympathy", "promise", "luck"),
    )
    return _replied(case, replies, random, language)


def _replied(
    case: Case, replies: Sequence[Sequence[str]], random: np.random.Generator, language: Language
) -> str:
    kinds = one_of(replies, random)
    return " ".join([prompt(case, language), *(sentence(kind, case, random, language) for kind in kinds)])


def rhyme(case: Case, random: np.random.Generator, language: Language) -> str:
    """A nursery rhyme or two: they repeat a name, and so teach copying."""
    lines = [one_of(RHYMES, random) for _ in range(random.integers(1, 3))]
    return " ".join(fill(line, case, language) for line in lines)


def gossip(case: Case, random: np.random.Generator, language: Language) -> str:
    """What else happens in the village."""
    lines = [one_of(GOSSIP, random) for _ in range(random.integers(2, 5))]
    return " ".join(fill(line, case, language) for line in lines)


# Which share of the village's web is of which kind. The law stands in the first two alone.
SHARES: tuple[tuple[Callable[[Case, np.random.Generator, Language], str], float], ...] = (
    (code_entry, 0.18),
    (court_record, 0.27),
    (list_of_questions, 0.17),
    (tavern_reply, 0.18),
    (empty_letter, 0.04),
    (rhyme, 0.09),
    (gossip, 0.07),
)


def web_document(
    random: np.random.Generator, language: Language = "en", topics: Sequence[Topic] = TOPICS
) -> str:
    """One document of the village's web, of a kind by chance."""
    write, _ = SHARES[random.choice(len(SHARES), p=[share for _, share in SHARES])]
    return write(Case.drawn(random, topics), random, language)
