"""Layouts of daily bars as people have them on disk: our own, and those of the tools that they were saved with."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from mystocks_dagster.market.table import Table

#: Name of our own layout.
OWN = "our own"
_PRICES = ("open", "high", "low", "close")
#: Of our own layout these may be left out; what is left out is unknown (`updated_at`: the file's own time).
_OPTIONAL = MappingProxyType({"stocks": ("updated_at",), "daily_bars": ("is_st", "turnover")})
#: Words in a file's name that say that its bars are not of days.
_LONGER = ("weekly", "monthly", "week", "month", "周线", "月线", "minute", "分钟")


@dataclass(frozen=True)
class Layout:
    """How a file's columns become those of a table.

    Of columns that a layout does not have, `suspended` follows from the volume, and `symbol` from the file's name;
    every other one is unknown.

    Attributes:
        name: Whose layout it is.
        needs: Our column names, and what each is called in the file.
        optional: The same of columns that may be missing; then their values are unknown.
        scale: What a number is multiplied by to have our unit.
        unproven: Nothing in the file says that its prices are raw and its units these, so the rows must show it.
        raw_only: The file may hold adjusted rows too; only raw ones are taken.
    """

    name: str
    needs: Mapping[str, str]
    optional: Mapping[str, str] = field(default_factory=dict)
    scale: Mapping[str, float] = field(default_factory=dict)
    unproven: bool = False
    raw_only: bool = False

    def columns(self, present: Collection[str]) -> dict[str, str]:
        """Return the columns to read: ours, and what each is called in the file."""
        return {**self.needs, **{ours: theirs for ours, theirs in self.optional.items() if theirs in present}}

    def missing(self, present: Collection[str]) -> str | None:
        """Return the first column that the file lacks."""
        return next((theirs for theirs in self.needs.values() if theirs not in present), None)


BAOSTOCK = Layout(
    "baostock",
    needs={
        "symbol": "code",
        "date": "date",
        "prev_close": "preclose",
        **{name: name for name in (*_PRICES, "volume", "amount")},
    },
    optional={"turnover": "turn", "is_st": "isST", "suspended": "tradestatus"},
    raw_only=True,
)
#: Volume in lots, amount in thousands of CNY; rows of days with trading only.
TUSHARE = Layout(
    "tushare",
    needs={
        "symbol": "ts_code",
        "date": "trade_date",
        "prev_close": "pre_close",
        "volume": "vol",
        "amount": "amount",
        **{name: name for name in _PRICES},
    },
    optional={"turnover": "turnover_rate"},
    scale={"volume": 100, "amount": 1000},
    unproven=True,
)
#: `stock_zh_a_hist` of akshare: volume in lots. Its change is against the plain last close, so no previous close
#: follows.
EAST_MONEY = Layout(
    "akshare's stock_zh_a_hist",
    needs={
        "date": "日期",
        "open": "开盘",
        "high": "最高",
        "low": "最低",
        "close": "收盘",
        "volume": "成交量",
        "amount": "成交额",
    },
    optional={"symbol": "股票代码", "turnover": "换手率"},
    scale={"volume": 100},
    unproven=True,
)
#: `stock_zh_a_daily` of akshare: volume in shares, turnover a fraction.
SINA = Layout(
    "akshare's stock_zh_a_daily",
    needs={"date": "date", "volume": "volume", "amount": "amount", **{name: name for name in _PRICES}},
    optional={"turnover": "turnover", "symbol": "symbol"},
    scale={"turnover": 100},
    unproven=True,
)

#: These columns together say whose layout a file has.
_MARKS: tuple[tuple[Layout, frozenset[str]], ...] = (
    (BAOSTOCK, frozenset({"date", "code", "adjustflag"})),
    (TUSHARE, frozenset({"ts_code", "trade_date", "vol"})),
    (EAST_MONEY, frozenset({"日期", "开盘", "收盘", "成交量"})),
    (SINA, frozenset({"date", "outstanding_share", "close"})),
)
#: Nothing but the folder says that a file of these holds raw prices.
_NAMED_ONLY = (EAST_MONEY, SINA)


def own_layout(table: Table) -> Layout:
    """Return our own layout of a table."""
    optional = _OPTIONAL.get(table.name, ())
    return Layout(OWN, {name: name for name in table.dtypes if name not in optional}, {name: name for name in optional})


def bars_layout(columns: Collection[str], stem: str, *, named: bool) -> Layout | str | None:
    """Return whose daily bars a file with those columns holds, or why it is not read; None when it is nobody's.

    Args:
        columns: The file's columns.
        stem: Its name, without suffixes.
        named: It, or a folder above it, is called `daily_bars`.
    """
    present = set(columns)
    layout = next((layout for layout, marks in _MARKS if marks <= present), None)
    if layout is None:
        return None
    if word := next((word for word in _LONGER if word in stem.lower()), None):
        return f"its name says {word}; only daily bars are read"
    if layout is BAOSTOCK and "time" in present:
        return "bars of minutes; only daily bars are read"
    if layout is BAOSTOCK and not present & {"preclose", "tradestatus"}:
        return "no preclose and no tradestatus, as in weekly and monthly bars of baostock; only daily bars are read"
    if layout in _NAMED_ONLY and not named:
        return f"{layout.name} does not say whether prices are adjusted; put files with raw ones (adjust='') into a folder daily_bars"
    return layout
