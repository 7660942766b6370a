"""The stocks of the simulated market: names, listing dates and price parameters."""

from dataclasses import dataclass
from datetime import date

import numpy as np

from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.market.rules import days_without_limit
from mystocks_dagster.market.symbols import Board
from mystocks_dagster.sources.simulated.noise import Noise

BOARDS: tuple[Board, ...] = ("main", "star", "chinext", "bse")
#: (exchange, board, first code, first day of the board)
_SEGMENTS = (
    ("SH", "main", 600000, date(1992, 1, 2)),
    ("SZ", "main", 1, date(1992, 1, 2)),
    ("SZ", "chinext", 300001, date(2009, 10, 30)),
    ("SH", "star", 688001, date(2019, 7, 22)),
    ("BJ", "bse", 920001, date(2021, 11, 15)),
)
#: The segments of new stocks in turn: six, six, five, two and one of every twenty.
_TURN = (0, 1, 2, 0, 1, 3, 2, 0, 1, 2, 0, 1, 4, 2, 0, 1, 3, 2, 0, 1)
#: The last day on which a stock is listed.
HORIZON = date(2026, 12, 31)
#: The first day of delistings.
_DELISTINGS_FROM = date(2015, 1, 5)
#: The ordinal of "never" among the sessions.
NEVER = 1 << 30

INDUSTRIES = (
    *("农林牧渔", "基础化工", "钢铁", "有色金属", "电子", "家用电器", "食品饮料", "纺织服饰", "轻工制造", "医药生物"),
    *("公用事业", "交通运输", "房地产", "商贸零售", "社会服务", "综合", "建筑材料", "建筑装饰", "电力设备", "国防军工"),
    *("计算机", "传媒", "通信", "银行", "非银金融", "汽车", "机械设备", "煤炭", "石油石化", "环保", "美容护理"),
)
#: The last character of a stock's name, by industry.
_TRADES = "农化钢金电器食纺纸药能运地商旅综材建源航软媒信银券车机煤油环美"
CONCEPTS = (
    *("人工智能", "芯片概念", "新能源车", "锂电池", "光伏概念"),
    *("储能概念", "机器人概念", "低空经济", "数字货币", "国企改革"),
    *("一带一路", "军民融合", "氢能源", "大数据", "云计算", "物联网", "工业互联网", "信创", "网络安全", "量子科技"),
    *("创新药", "中药概念", "医疗器械", "养老概念", "免税概念", "预制菜", "白酒概念", "乡村振兴", "碳中和", "特高压"),
)
_NAME_CHARACTERS = (
    "安保宝博长成城创达大德登鼎东方飞丰福富港高冠光广国海航豪浩和恒宏华汇吉佳建江金锦京晶九巨聚凯康科岭龙隆茂美明南宁鹏平启"
    "奇青庆荣瑞润三森山上盛世泰天通同旺威维伟卫文五西先祥新信星兴雄旭亚阳一仪亿易益永宇玉元远岳云泽展正志中州洲珠卓众川河湖洋"
)


@dataclass(frozen=True)
class Universe:
    """All stocks, ascending by symbol; every array has one value per stock.

    Attributes:
        ids: The keys of the random numbers; a stock's key is the same in a larger market.
        board: Index in `BOARDS`.
        listed: Ordinal of the first session (sessions are counted from 1990-12-19).
        delisted: Ordinal of the last session, or NEVER.
        free_days: Number of sessions without a price limit after the listing.
        industry: Index in `INDUSTRIES`.
        concepts: Indices in `CONCEPTS`, three per stock.
        anchor: Cents, the price to which the stock reverts.
        beta: Sensitivity to the market's move.
        volatility: Standard deviation of its own daily move, a fraction.
        activity: Typical daily turnover, a fraction of the float.
        shares: Float in shares on the market's first day.
    """

    symbols: tuple[str, ...]
    names: tuple[str, ...]
    ids: np.ndarray
    board: np.ndarray
    listed: np.ndarray
    delisted: np.ndarray
    free_days: np.ndarray
    industry: np.ndarray
    concepts: np.ndarray
    anchor: np.ndarray
    beta: np.ndarray
    volatility: np.ndarray
    activity: np.ndarray
    shares: np.ndarray

    def __len__(self) -> int:
        return len(self.symbols)


def make_universe(noise: Noise, count: int) -> Universe:
    """Make the first `count` stocks of the market."""
    codes, segments = _codes(count)
    order = np.array(sorted(range(count), key=codes.__getitem__))
    ids, segment = order, segments[order]
    board = np.array([BOARDS.index(entry[1]) for entry in _SEGMENTS])[segment]
    listed = _listings(noise.uniform("listed", ids), segment)
    industry = (noise.uniform("industry", ids) * len(INDUSTRIES)).astype(np.int64)
    sessions = shanghai().sessions(shanghai().first, HORIZON)
    calm = noise.uniform("volatility", ids)
    anchor = _anchors(noise.uniform("anchor", ids))
    activity = noise.uniform("activity", ids)
    return Universe(
        symbols=tuple(codes[at] for at in order),
        names=tuple(_name(int(key), int(trade)) for key, trade in zip(ids, industry, strict=True)),
        ids=ids,
        board=board,
        listed=listed,
        delisted=_delistings(noise, ids, listed),
        free_days=np.array([days_without_limit(BOARDS[b], sessions[at]) for b, at in zip(board, listed, strict=True)]),
        industry=industry,
        concepts=_concepts(noise, ids),
        anchor=anchor,
        beta=0.5 + noise.uniform("beta", ids),
        volatility=(0.009 + 0.015 * calm) * np.array([1.0, 1.4, 1.3, 1.6])[board],
        activity=0.003 + 0.05 * activity * activity * activity,
        shares=_shares(noise.uniform("size", ids), anchor),
    )


def _codes(count: int) -> tuple[list[str], np.ndarray]:
    segments = np.resize(np.array(_TURN), count)
    counts = [0] * len(_SEGMENTS)
    codes = []
    for segment in segments:
        exchange, _, first, _ = _SEGMENTS[segment]
        codes.append(f"{first + counts[segment]:06d}.{exchange}")
        counts[segment] += 1
    return codes, segments


def _listings(chance: np.ndarray, segment: np.ndarray) -> np.ndarray:
    """Return the ordinals of the first sessions, more of them in a board's early years, up to the horizon."""
    sessions = shanghai().sessions(shanghai().first, HORIZON)
    first = np.searchsorted(_days(sessions), _days([entry[3] for entry in _SEGMENTS]))[segment]
    return first + ((len(sessions) - first) * chance * chance).astype(np.int64)


def _delistings(noise: Noise, ids: np.ndarray, listed: np.ndarray) -> np.ndarray:
    sessions = shanghai().sessions(shanghai().first, HORIZON)
    first = np.searchsorted(_days(sessions), _days([_DELISTINGS_FROM]))[0]
    last = first + ((len(sessions) - first) * noise.uniform("delisted", ids)).astype(np.int64)
    leaves = (noise.uniform("leaves", ids) < 0.1) & (last >= listed + 500)
    return np.where(leaves, last, NEVER)


def _anchors(chance: np.ndarray) -> np.ndarray:
    """Return prices in cents: most shares cost ten or twenty yuan, a few cost hundreds."""
    high = np.square(np.square(np.square(chance)))
    highest = np.square(np.square(np.square(high)))
    return np.rint(400 + 2600 * chance + 5000 * high + 60000 * highest).astype(np.int64)


def _shares(chance: np.ndarray, anchor: np.ndarray) -> np.ndarray:
    """Return floats worth 2 to 300 billion CNY, most of them small."""
    worth = 2e9 + 3e11 * np.square(np.square(chance)) * np.square(chance)
    return np.rint(worth / anchor).astype(np.int64) * 100


def _concepts(noise: Noise, ids: np.ndarray) -> np.ndarray:
    """Return three different concepts per stock: a first one, and two further ones in cyclic order."""
    first = (noise.uniform("concept", ids) * len(CONCEPTS)).astype(np.int64)
    second = first + 1 + (noise.uniform("concept 2", ids) * 12).astype(np.int64)
    third = second + 1 + (noise.uniform("concept 3", ids) * 12).astype(np.int64)
    return np.stack([first, second, third], axis=1) % len(CONCEPTS)


def _name(key: int, industry: int) -> str:
    """Return a name such as 仿安奇药: 仿 (imitation), two characters that identify the stock, and its industry."""
    count = len(_NAME_CHARACTERS)
    second, first = divmod(key * 1237 % (count * count), count)
    return f"仿{_NAME_CHARACTERS[first]}{_NAME_CHARACTERS[second]}{_TRADES[industry]}"


def _days(days: list[date]) -> np.ndarray:
    return np.array(days, dtype="datetime64[D]")
