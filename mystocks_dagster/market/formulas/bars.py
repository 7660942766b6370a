"""The names that every formula knows: the columns of the bars, and what 通达信 has and this lake does not."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class BarsColumn:
    """A column of the bars.

    Attributes:
        name: Its name in formulas.
        column: Its name in `daily_bars` and `weekly` bars.
    """

    name: str
    column: str
    zh: str
    en: str


BARS: Mapping[str, BarsColumn] = MappingProxyType(
    {
        column.name: column
        for column in (
            BarsColumn("OPEN", "open", "开盘价", "open, CNY per share, backward-adjusted"),
            BarsColumn("HIGH", "high", "最高价", "high, CNY per share, backward-adjusted"),
            BarsColumn("LOW", "low", "最低价", "low, CNY per share, backward-adjusted"),
            BarsColumn("CLOSE", "close", "收盘价", "close, CNY per share, backward-adjusted"),
            BarsColumn("VOL", "volume", "成交量（股）", "volume in shares; 通达信 counts lots of 100"),
            BarsColumn("AMOUNT", "amount", "成交额（元）", "amount in CNY"),
            BarsColumn("TURNOVER", "turnover", "换手率（%）", "volume in percent of the float, where known"),
        )
    }
)

#: The day of a bar in days since 1970, which the functions of dates are computed from; formulas cannot name it.
DAY = "#DAY"

#: Other names of the same columns.
ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "O": "OPEN",
        "H": "HIGH",
        "L": "LOW",
        "C": "CLOSE",
        "V": "VOL",
        "AMO": "AMOUNT",
        "HSL": "TURNOVER",
        "开盘价": "OPEN",
        "最高价": "HIGH",
        "最低价": "LOW",
        "收盘价": "CLOSE",
        "成交量": "VOL",
        "成交额": "AMOUNT",
        "换手率": "TURNOVER",
    }
)

#: The ones that 通达信 has too; a formula may use the others for its own statements.
STANDARD_ALIASES = frozenset(("O", "H", "L", "C", "V", "AMO"))

#: Names that stand for a formula.
DEFINED: Mapping[str, str] = MappingProxyType({"CAPITAL": "VOL/TURNOVER*100"})

_INDEX = "needs the bars of an index beside those of the symbol"
_NOW = "is a value of the moment, not of a day of the past"
_MINUTE = "needs bars of minutes; the lake has days, weeks and months"
_CHIPS = "needs the distribution of holders' costs, which is an estimate of 通达信 without a published formula"
_REPORTS = "is a figure of the newest report; use the tables of fundamentals with their day of notice"
_PERIOD = "depends on the chart: give it as a parameter, 5 for days, 6 for weeks, 7 for months"
_LIMITS = "holds for unadjusted prices, and these are adjusted; the table limit_up has the limits that were reached"
_NAMES = "selects symbols by name or board"
_DIVISOR = "is a standard deviation of which 通达信 does not say by what it divides"
_DDE = "needs the orders of each day by size, of which 通达信 keeps the history and publishes none"

#: Names of 通达信 for which the lake has no data, with the reason.
NOT_HELD: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("INDEXO", "INDEXH", "INDEXL", "INDEXC", "INDEXV", "INDEXA"), _INDEX),
        **dict.fromkeys(("INDEXADV", "INDEXDEC", "ADVANCE", "DECLINE", "BETA", "BETAEX", "TESTSKIP"), _INDEX),
        **dict.fromkeys(("DYNAINFO", "QUOTE", "BIDVOL", "ASKPRICE", "BIDPRICE", "ASKVOL"), _NOW),
        **dict.fromkeys(("TIME", "TIME2", "HOUR", "MINUTE", "FROMOPEN", "BUYVOL", "SELVOL", "ISBUYORDER"), _MINUTE),
        **dict.fromkeys(("WINNER", "LWINNER", "PWINNER", "COST", "COSTEX", "PPART", "LFS"), _CHIPS),
        **dict.fromkeys(("FINANCE", "FINVALUE", "FINONE", "GPJYVALUE", "GPJYONE", "TOTALCAPITAL", "ZGB"), _REPORTS),
        **dict.fromkeys(("PERIOD", "DATATYPE"), _PERIOD),
        **dict.fromkeys(("ZTPRICE", "DTPRICE"), _LIMITS),
        **dict.fromkeys(("L2_VOL", "L2_AMO", "L2_VOLNUM", "L2_ORDERNUM", "LARGEINTRDVOL", "LARGEOUTTRDVOL"), _DDE),
        "STDDEV": _DIVISOR,
        **dict.fromkeys(("CODE", "CODELIKE", "NAMELIKE", "INBLOCK", "STKNAME"), _NAMES),
    }
)
#: What to do instead, by the reason.
REMEDIES: Mapping[str, str] = MappingProxyType(
    {
        _DIVISOR: "Write STD(X,N), divided by N-1, or STDP(X,N), divided by N.",
        _REPORTS: "FINANCE(7), the shares of the float, is CAPITAL.",
        _NAMES: "Without ST: a strategy in Python reads is_st, and a stored screen is joined with is_st of daily_bars.",
    }
)


def canonical(name: str) -> str:
    """Return the name that the tree has for a bars column; other names stay.

    Examples:
        >>> canonical("C"), canonical("DIF")
        ('CLOSE', 'DIF')
    """
    return ALIASES.get(name, name)
