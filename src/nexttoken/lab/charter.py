"""The charter of Willow Village, sentence by sentence in English and in Chinese.

The same law twice: what a tokeniser makes of two languages can be counted on it.
"""

ARTICLES = (
    ("Every animal may bring a dispute to the desk.", "每只动物都可以把纠纷带到服务台。"),
    ("The desk hears both sides before it answers.", "服务台先听双方，再作回答。"),
    ("A landlord must return the deposit within ten days.", "房东必须在十天内退还押金。"),
    ("A tenant must keep the roof dry and the door shut.", "租客必须保持屋顶干燥，并关好门。"),
    ("Wages are paid on the last day of the month.", "工资在每月的最后一天支付。"),
    ("Who breaks a kettle must replace the kettle.", "谁打破水壶，谁就必须赔偿水壶。"),
    ("Who moves a fence must move the fence back.", "谁移动篱笆，谁就必须把篱笆移回去。"),
    ("No drum may be played at night.", "夜里不可以打鼓。"),
    ("A lost trunk is paid for by the ferry.", "丢失的箱子由渡船赔偿。"),
    ("A letter that comes late is delivered for free.", "迟到的信免费送达。"),
    ("Soup may be charged once, and only once.", "汤只可以收一次钱。"),
    ("Ten acorns lent are ten acorns owed.", "借出十颗橡子，就欠十颗橡子。"),
    ("Who tramples a cabbage must plant a cabbage.", "谁踩坏卷心菜，谁就必须种一棵卷心菜。"),
    ("A bite is answered with a bandage and a visit.", "咬伤别人，必须送上绷带，并去探望。"),
    ("The hare must not be asked to wait for the tortoise.", "不可以要求兔子等乌龟。"),
    ("The mole need not answer in the daytime.", "鼹鼠白天不必回答。"),
    ("A promise made at the tavern is not a contract.", "在酒馆作的承诺不是合同。"),
    ("A contract needs two names and one witness.", "合同需要两个名字和一个证人。"),
    ("The witness must have been awake.", "证人当时必须醒着。"),
    ("Keep the receipt, the lease and the ticket as proof.", "请保留收据、租约和船票作为证据。"),
    ("Every answer of the desk cites the rule it rests on.", "服务台的每个回答都要引用所依据的条文。"),
    ("A rule that nobody remembers is read aloud again.", "没有人记得的条文要再读一遍。"),
    ("A side that loses may ask once more.", "输的一方可以再问一次。"),
    ("After that, there is soup for everyone.", "然后，大家一起喝汤。"),
)

ENGLISH = "\n".join(english for english, _ in ARTICLES)
CHINESE = "\n".join(chinese for _, chinese in ARTICLES)
