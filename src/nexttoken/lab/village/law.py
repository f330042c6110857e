"""The village: its animals, and its law on twelve kinds of trouble."""

from typing import Literal, NamedTuple

Language = Literal["en", "zh"]


class Both(NamedTuple):
    """The same in English and in Chinese. `{...}` is a gap: see `texts.fill`."""

    en: str
    zh: str

    def in_(self, language: Language) -> str:
        return self.zh if language == "zh" else self.en


class Topic(NamedTuple):
    """One kind of trouble, and what the village code says about it."""

    name: str
    rule: int
    complaints: tuple[Both, Both]
    remedy: Both  # what the one at fault must do
    proof: Both  # what shows that it happened


ANIMALS = (
    Both("hare", "兔子"),
    Both("badger", "獾"),
    Both("fox", "狐狸"),
    Both("mole", "鼹鼠"),
    Both("otter", "水獭"),
    Both("crow", "乌鸦"),
    Both("goose", "鹅"),
    Both("hedgehog", "刺猬"),
    Both("toad", "蟾蜍"),
    Both("squirrel", "松鼠"),
)

TOPICS = (
    Topic(
        "deposit",
        3,
        (
            Both("the {offender} kept my deposit", "{offender} 扣下 了 我的 押金"),
            Both("my deposit never came back from the {offender}", "{offender} 一直 不 还 我的 押金"),
        ),
        Both("return the deposit", "归还 押金"),
        Both("lease", "租约"),
    ),
    Topic(
        "parcel",
        7,
        (
            Both("the {offender} brought my parcel a week late", "{offender} 送 我的 包裹 晚 了 一周"),
            Both("my parcel from the {offender} is late again", "{offender} 的 包裹 又 迟到 了"),
        ),
        Both("refund the postage", "退还 邮费"),
        Both("stamp", "邮票"),
    ),
    Topic(
        "noise",
        12,
        (
            Both("the {offender} plays the drum all night", "{offender} 整夜 敲鼓"),
            Both(
                "i cannot sleep , for the {offender} sings at midnight", "{offender} 半夜 唱歌 ， 我 睡不着"
            ),
        ),
        Both("stay quiet after dusk", "天黑 后 保持 安静"),
        Both("diary", "日记"),
    ),
    Topic(
        "kettle",
        5,
        (
            Both("the {offender} sold me a cracked kettle", "{offender} 卖 给 我 一把 裂 的 水壶"),
            Both("the kettle from the {offender} leaks", "{offender} 的 水壶 漏水"),
        ),
        Both("exchange the kettle", "更换 水壶"),
        Both("receipt", "收据"),
    ),
    Topic(
        "wages",
        9,
        (
            Both("the {offender} did not pay my wages", "{offender} 没有 付 我的 工钱"),
            Both(
                "i picked apples for the {offender} and got nothing", "我 替 {offender} 摘 苹果 却 分文 未得"
            ),
        ),
        Both("pay the wages", "支付 工钱"),
        Both("contract", "合同"),
    ),
    Topic(
        "bite",
        14,
        (
            Both("the pup of the {offender} bit my tail", "{offender} 的 小崽 咬 了 我的 尾巴"),
            Both("i was bitten by the pup of the {offender}", "我 被 {offender} 的 小崽 咬 了"),
        ),
        Both("pay the doctor", "支付 医药费"),
        Both("bandage", "绷带"),
    ),
    Topic(
        "trunk",
        2,
        (
            Both("the {offender} lost my trunk on the ferry", "{offender} 在 渡船 上 弄丢 了 我的 箱子"),
            Both(
                "my trunk vanished on the ferry of the {offender}",
                "我的 箱子 在 {offender} 的 渡船 上 不见 了",
            ),
        ),
        Both("replace the trunk", "赔偿 箱子"),
        Both("ticket", "船票"),
    ),
    Topic(
        "loan",
        11,
        (
            Both("the {offender} borrowed ten acorns and forgot", "{offender} 借 了 十颗 橡果 就 忘 了"),
            Both("the {offender} owes me ten acorns", "{offender} 欠 我 十颗 橡果"),
        ),
        Both("repay the acorns", "偿还 橡果"),
        Both("tally", "账本"),
    ),
    Topic(
        "roof",
        6,
        (
            Both("the roof of the {offender} drips into my den", "{offender} 的 屋顶 滴水 到 我的 窝"),
            Both(
                "rain from the roof of the {offender} floods my den", "{offender} 屋顶 的 雨水 淹 了 我的 窝"
            ),
        ),
        Both("repair the roof", "修好 屋顶"),
        Both("bucket", "水桶"),
    ),
    Topic(
        "fence",
        8,
        (
            Both("the {offender} moved my fence two steps", "{offender} 把 我的 篱笆 挪 了 两步"),
            Both("my fence was pushed aside by the {offender}", "我的 篱笆 被 {offender} 推 到 一边"),
        ),
        Both("restore the fence", "恢复 篱笆"),
        Both("map", "地图"),
    ),
    Topic(
        "soup",
        4,
        (
            Both("the {offender} charged me twice for soup", "{offender} 一碗 汤 收 了 我 两次 钱"),
            Both("i paid the {offender} two times for one soup", "我 为 一碗 汤 付 给 {offender} 两次 钱"),
        ),
        Both("correct the bill", "更正 账单"),
        Both("menu", "菜单"),
    ),
    Topic(
        "cabbage",
        13,
        (
            Both("the {offender} trampled my cabbages", "{offender} 踩坏 了 我的 白菜"),
            Both("my cabbages are flat because of the {offender}", "因为 {offender} ， 我的 白菜 都 扁 了"),
        ),
        Both("replant the cabbages", "补种 白菜"),
        Both("sketch", "画"),
    ),
)
