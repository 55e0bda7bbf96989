"""The words of the simulated retailer: names, places, goods, search words and reviews.

Plain tuples, Chinese beside English, from which the other modules draw. No real person is meant.
"""

from __future__ import annotations


def _apart(words: str) -> tuple[str, ...]:
    return tuple(words.split())


SURNAMES = _apart(
    "王:wang 李:li 张:zhang 刘:liu 陈:chen 杨:yang 黄:huang 赵:zhao 吴:wu 周:zhou 徐:xu "
    "孙:sun 马:ma 朱:zhu 胡:hu 郭:guo 何:he 林:lin 高:gao 罗:luo 郑:zheng 梁:liang 谢:xie "
    "宋:song 唐:tang 许:xu 韩:han 冯:feng 邓:deng 曹:cao 彭:peng 曾:zeng 肖:xiao 田:tian "
    "董:dong 潘:pan 袁:yuan 蔡:cai 蒋:jiang 余:yu 于:yu 杜:du 叶:ye 程:cheng 魏:wei 苏:su "
    "吕:lv 丁:ding 任:ren 卢:lu"
)
"""Chinese surnames, each with its pinyin."""
GIVEN_NAMES = {
    "female": _apart(
        "秀英 敏 静 丽 芳 娜 雪 婷 玉兰 桂英 欣怡 雨桐 梓涵 诗涵 思琪 佳怡 晓燕 丽华 海燕 冬梅 慧 "
        "琳 颖 梦洁 雅婷 可欣 若曦 艺馨 子萱 美玲"
    ),
    "male": _apart(
        "伟 强 磊 军 洋 勇 杰 涛 超 明 建国 志强 浩然 宇轩 子豪 俊杰 博文 天佑 嘉豪 国庆 建华 鹏 "
        "飞 凯 鑫 晓东 文博 一鸣 家明 永强"
    ),
}
ENGLISH_GIVEN_NAMES = {
    "female": _apart(
        "Olivia Amelia Isla Grace Sophie Emily Charlotte Hannah Lucy Alice Megan Chloe Ruby Ella "
        "Daisy Zoe Nora Clara Ivy Leah"
    ),
    "male": _apart(
        "Oliver George Noah Arthur Harry Leo Jack Thomas Henry Oscar James Daniel Samuel Adam "
        "Lucas Ethan Ryan Owen Felix Hugo"
    ),
}
ENGLISH_SURNAMES = _apart(
    "Smith Jones Taylor Brown Williams Wilson Johnson Davies Patel Robinson Wright Thompson "
    "Evans Walker White Roberts Green Hall Wood Jackson Clarke Harris Lewis Turner Cooper "
    "Ward Hughes Morris Bennett Fletcher"
)
MAIL_DOMAINS = ("example.com", "example.net", "example.org", "mail.example", "post.example")

PLACES = (
    ("CN", "上海", "上海"),
    ("CN", "北京", "北京"),
    ("CN", "广东", "广州"),
    ("CN", "广东", "深圳"),
    ("CN", "浙江", "杭州"),
    ("CN", "浙江", "宁波"),
    ("CN", "江苏", "南京"),
    ("CN", "江苏", "苏州"),
    ("CN", "四川", "成都"),
    ("CN", "重庆", "重庆"),
    ("CN", "湖北", "武汉"),
    ("CN", "湖南", "长沙"),
    ("CN", "陕西", "西安"),
    ("CN", "山东", "青岛"),
    ("CN", "福建", "厦门"),
    ("CN", "河南", "郑州"),
    ("CN", "辽宁", "大连"),
    ("CN", "云南", "昆明"),
)
PLACE_WEIGHTS = (13, 12, 9, 10, 8, 4, 6, 6, 7, 5, 5, 4, 4, 4, 3, 4, 3, 3)
PLACES_ABROAD = (
    ("HK", "Hong Kong", "Hong Kong"),
    ("GB", "England", "London"),
    ("GB", "England", "Manchester"),
    ("SG", "Singapore", "Singapore"),
    ("AU", "New South Wales", "Sydney"),
)

GOODS: dict[str, tuple[tuple[str, str], ...]] = {
    "phones": (
        ("手机", "phone"),
        ("充电宝", "power bank"),
        ("手机壳", "phone case"),
        ("无线耳机", "wireless earbuds"),
        ("数据线", "charging cable"),
    ),
    "computers": (
        ("笔记本电脑", "laptop"),
        ("机械键盘", "mechanical keyboard"),
        ("显示器", "monitor"),
        ("鼠标", "mouse"),
        ("固态硬盘", "solid state drive"),
    ),
    "games": (
        ("游戏手柄", "game controller"),
        ("游戏机", "game console"),
        ("电竞椅", "gaming chair"),
        ("桌游", "board game"),
        ("手办", "figurine"),
    ),
    "beauty": (
        ("口红", "lipstick"),
        ("面霜", "face cream"),
        ("精华液", "serum"),
        ("香水", "perfume"),
        ("防晒霜", "sunscreen"),
    ),
    "fashion": (
        ("连衣裙", "dress"),
        ("羽绒服", "down jacket"),
        ("牛仔裤", "jeans"),
        ("衬衫", "shirt"),
        ("毛衣", "sweater"),
    ),
    "shoes_bags": (
        ("运动鞋", "sneakers"),
        ("双肩包", "backpack"),
        ("手提包", "handbag"),
        ("靴子", "boots"),
        ("行李箱", "suitcase"),
    ),
    "mother_baby": (
        ("纸尿裤", "diapers"),
        ("奶粉", "milk powder"),
        ("婴儿车", "stroller"),
        ("奶瓶", "feeding bottle"),
        ("儿童座椅", "child seat"),
    ),
    "toys": (
        ("积木", "building blocks"),
        ("毛绒玩具", "plush toy"),
        ("拼图", "puzzle"),
        ("遥控车", "remote control car"),
        ("绘本", "picture book"),
    ),
    "groceries": (
        ("大米", "rice"),
        ("食用油", "cooking oil"),
        ("牛奶", "milk"),
        ("鸡蛋", "eggs"),
        ("水果礼盒", "fruit box"),
    ),
    "snacks": (
        ("坚果", "nuts"),
        ("薯片", "crisps"),
        ("巧克力", "chocolate"),
        ("饼干", "biscuits"),
        ("茶叶", "tea"),
    ),
    "household": (
        ("洗衣液", "laundry liquid"),
        ("抽纸", "tissues"),
        ("炒锅", "wok"),
        ("床单", "bed sheets"),
        ("收纳箱", "storage box"),
    ),
    "sports": (
        ("瑜伽垫", "yoga mat"),
        ("跑步机", "treadmill"),
        ("羽毛球拍", "badminton racket"),
        ("登山杖", "trekking poles"),
        ("泳镜", "swimming goggles"),
    ),
}
CATEGORIES = tuple(GOODS)
BRANDS = _apart("Lanqi Norvik 云朵 山岚 Pinewood 晨曦 Aurora 青禾 Tidewell 小鹿 Marlow 玖月")
STYLES = (("经典款", "Classic"), ("轻享", "Light"), ("旗舰", "Pro"), ("家用", "Home"), ("限定", "Limited"))

SEARCH_PATTERNS = {
    "zh": (
        "{word}",
        "{word}推荐",
        "便宜的{word}",
        "{word} 正品",
        "{word}哪个牌子好",
        "送礼 {word}",
        "{word}打折",
    ),
    "en": (
        "{word}",
        "best {word}",
        "cheap {word}",
        "{word} for gift",
        "{word} reviews",
        "new {word}",
        "{word} sale",
    ),
}

TOPICS = ("delivery", "quality", "price", "service")
FEELINGS = ("negative", "neutral", "positive")
REVIEW_OPENINGS = {
    ("zh", "positive"): (
        "非常满意，",
        "太喜欢了！",
        "第二次买了，",
        "超出预期，",
        "家里人都说好，",
        "必须五星好评，",
    ),
    ("zh", "neutral"): ("收到了，", "用了几天，", "总体来说，", "一般般吧，", "先说结论，", "给朋友买的，"),
    ("zh", "negative"): (
        "非常失望，",
        "太差了！",
        "再也不会买了，",
        "后悔下单，",
        "跟描述不符，",
        "差评，",
    ),
    ("en", "positive"): (
        "Love it. ",
        "Really happy with this. ",
        "Second time buying, great again. ",
        "Better than expected. ",
        "Highly recommended! ",
    ),
    ("en", "neutral"): (
        "It arrived. ",
        "Used it for a few days. ",
        "It is okay. ",
        "Bought it for a friend. ",
        "Nothing special. ",
    ),
    ("en", "negative"): (
        "Very disappointed. ",
        "Terrible. ",
        "I regret this purchase. ",
        "Not as described. ",
        "Never again. ",
    ),
}
REVIEW_REMARKS = {
    ("zh", "positive", "delivery"): ("物流很快，隔天就到", "快递小哥很热情，包装完好", "发货神速，包装严实"),
    ("zh", "positive", "quality"): ("质量很好，做工精细", "用料扎实，没有异味", "效果比想象的好，很耐用"),
    ("zh", "positive", "price"): ("价格实惠，性价比高", "活动价很划算", "比实体店便宜不少，值得"),
    ("zh", "positive", "service"): ("客服很耐心，回复及时", "售后态度特别好", "客服主动解决了问题，点赞"),
    ("zh", "neutral", "delivery"): ("物流速度正常", "快递三天到的", "包装普通，没有破损"),
    ("zh", "neutral", "quality"): ("质量中规中矩", "做工还可以，有点小瑕疵", "和图片差不多"),
    ("zh", "neutral", "price"): ("价格跟别家差不多", "不算贵也不算便宜", "等活动再买也行"),
    ("zh", "neutral", "service"): ("客服回复比较官方", "问了客服，说明书里都有", "没有用到售后"),
    ("zh", "negative", "delivery"): (
        "物流太慢，等了十天",
        "快递把包装摔坏了",
        "一直不发货，催了好几次",
    ),
    ("zh", "negative", "quality"): (
        "质量很差，用两天就坏了",
        "做工粗糙，有刺鼻的味道",
        "是残次品，完全不能用",
    ),
    ("zh", "negative", "price"): ("买完就降价，太坑了", "根本不值这个价", "比别家贵很多，上当了"),
    ("zh", "negative", "service"): (
        "客服态度恶劣，推卸责任",
        "售后没人理，退货困难",
        "客服一直敷衍，投诉也没用",
    ),
    ("en", "positive", "delivery"): (
        "Delivery was fast and the parcel was well packed",
        "It came the next day",
        "Friendly courier, nothing damaged",
    ),
    ("en", "positive", "quality"): (
        "The quality is excellent",
        "Solid and well made",
        "Works perfectly and feels durable",
    ),
    ("en", "positive", "price"): (
        "Great value for money",
        "A bargain at this price",
        "Cheaper than in the shop",
    ),
    ("en", "positive", "service"): (
        "Customer service was helpful and quick",
        "The staff solved my question at once",
        "Kind and patient support",
    ),
    ("en", "neutral", "delivery"): (
        "Delivery took the usual three days",
        "Packaging was plain",
        "It came on the announced day",
    ),
    ("en", "neutral", "quality"): (
        "Quality is average",
        "Looks like the picture",
        "Some small flaws, nothing serious",
    ),
    ("en", "neutral", "price"): (
        "The price is like elsewhere",
        "Neither cheap nor dear",
        "I may wait for a sale",
    ),
    ("en", "neutral", "service"): (
        "Support answered with a standard text",
        "I did not need the service",
        "The manual says the same as support",
    ),
    ("en", "negative", "delivery"): (
        "Delivery was late by ten days",
        "The box came crushed",
        "They did not ship until I complained",
    ),
    ("en", "negative", "quality"): (
        "It broke after two days",
        "Poor quality and a bad smell",
        "It arrived defective and does not work",
    ),
    ("en", "negative", "price"): (
        "Overpriced, it was reduced a day later",
        "Not worth the money",
        "Much cheaper elsewhere, I feel cheated",
    ),
    ("en", "negative", "service"): (
        "Customer service was rude",
        "Nobody answers and the return is a nightmare",
        "Support kept putting me off",
    ),
}
REVIEW_ENDINGS = {
    ("zh", "positive"): ("，会回购。", "，推荐购买！", "，很满意。", "，好评。"),
    ("zh", "neutral"): ("。", "，先用着看看。", "，就这样吧。", "，还行。"),
    ("zh", "negative"): ("，要求退款！", "，不推荐。", "，很生气。", "，大家别买。"),
    ("en", "positive"): (". Will buy again.", ". Thank you!", ". Five stars.", "."),
    ("en", "neutral"): (".", ". Let us see.", ". Fine for now.", ". That is all."),
    ("en", "negative"): (". I want a refund.", ". Do not buy.", ". Very annoyed.", ". Avoid."),
}
