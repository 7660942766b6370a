"""Layouts of daily bars in files: our own, and those of common data tools."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from mystocks_dagster.market.table import Table

#: The name of our own layout.
OWN = "our own"
_PRICES = ("open", "high", "low", "close")
#: Optional columns of our own layout; a missing one is unknown (`updated_at`: the file's modification time).
_OPTIONAL = MappingProxyType(
    {
        "stocks": ("updated_at",),
        "daily_bars": ("is_st", "turnover", "actions_known"),
        "etf_bars": ("actions_known",),
        "corporate_actions": ("record_date", "split"),
        **dict.fromkeys(("balance_sheets", "income_statements", "cash_flows"), ("known_since",)),
    }
)
#: Words in a file's name that mean that its bars are not daily.
_NOT_DAILY = ("weekly", "monthly", "week", "month", "周线", "月线", "minute", "分钟")


@dataclass(frozen=True)
class Layout:
    """The mapping of a file's columns to those of a table.

    Without a column in the file, `suspended` follows from the volume and `symbol` from the file's name; any other
    value is unknown.

    Attributes:
        name: The tool that writes this layout.
        needs: Required columns: our name to the file's name.
        optional: Optional columns, likewise; the values of a missing one are unknown.
        scale: The factor from the file's unit to ours, by column.
        unproven: Whether prices and units must be verified by the rows, as the file does not state them.
        raw_only: Whether the file may hold adjusted rows too, which are not read.
    """

    name: str
    needs: Mapping[str, str]
    optional: Mapping[str, str] = field(default_factory=dict)
    scale: Mapping[str, float] = field(default_factory=dict)
    unproven: bool = False
    raw_only: bool = False

    def columns(self, present: Collection[str]) -> dict[str, str]:
        """Return the columns to read: our name to the file's name."""
        return {**self.needs, **{name: label for name, label in self.optional.items() if label in present}}

    def missing(self, present: Collection[str]) -> str | None:
        """Return the first required column that the file does not have, or None."""
        return next((label for label in self.needs.values() if label not in present), None)


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
#: Volume in lots, amount in thousands of CNY; no rows of suspended days.
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
#: `stock_zh_a_hist` of akshare: volume in lots. Its change is relative to the last close, so the exchange's previous
#: close is unknown.
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

#: The columns that identify each layout.
_MARKS: tuple[tuple[Layout, frozenset[str]], ...] = (
    (BAOSTOCK, frozenset({"date", "code", "adjustflag"})),
    (TUSHARE, frozenset({"ts_code", "trade_date", "vol"})),
    (EAST_MONEY, frozenset({"日期", "开盘", "收盘", "成交量"})),
    (SINA, frozenset({"date", "outstanding_share", "close"})),
)
#: Layouts in which only the folder's name states that the prices are raw.
_NAMED_ONLY = (EAST_MONEY, SINA)


def own_layout(table: Table) -> Layout:
    """Return our own layout of a table."""
    optional = _OPTIONAL.get(table.name, ())
    return Layout(OWN, {name: name for name in table.dtypes if name not in optional}, {name: name for name in optional})


def bars_layout(columns: Collection[str], stem: str, *, named: bool) -> Layout | str | None:
    """Return the layout of a file of daily bars, the reason why it is not read, or None if no layout matches.

    Args:
        columns: The file's columns.
        stem: The file's name without suffixes.
        named: Whether the file, or a folder above it, is named `daily_bars`.
    """
    present = set(columns)
    layout = next((layout for layout, marks in _MARKS if marks <= present), None)
    if layout is None:
        return None
    if word := next((word for word in _NOT_DAILY if word in stem.lower()), None):
        return f"its name contains {word!r}; only daily bars are read"
    if layout is BAOSTOCK and "time" in present:
        return "it holds minute bars; only daily bars are read"
    if layout is BAOSTOCK and not present & {"preclose", "tradestatus"}:
        return (
            "it has neither preclose nor tradestatus, as in weekly and monthly bars of baostock; "
            "only daily bars are read"
        )
    if layout in _NAMED_ONLY and not named:
        return (
            f"{layout.name} does not state whether prices are adjusted; "
            "put files with raw prices (adjust='') into a folder daily_bars"
        )
    return layout
