"""Whether the stored bars are too few for a strategy, which is no failure: it has no signals yet."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta
from functools import cache

import polars as pl

from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.indicators import INDICATORS as STANDARD
from mystocks_dagster.market.indicators import indicator_table
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.strategies.choices import Choice
from mystocks_dagster.strategies.columns import INDICATORS

#: More bars than the longest window of an indicator that is calculated without being asked for.
_BARS = 250


def longest_history(lake: Lake) -> int:
    """Return the number of bars of the symbol that has most of them in the table of daily indicators."""
    lengths = lake.scan(INDICATORS, columns=["symbol"]).group_by("symbol").len().collect()["len"].to_list()
    return max(lengths, default=0)


def too_short_for(lake: Lake, columns: Collection[str]) -> set[str]:
    """Return those of some columns without values that have none because the stored bars are too few.

    Any other of them was never calculated, or is not calculated any more.
    """
    if not columns:
        return set()
    bars, own = longest_history(lake), [name for name in columns if name not in TABLES[INDICATORS].dtypes]
    # A column that is not in the contract is there because it was calculated.
    valued = lake.scan(INDICATORS, columns=own).select(pl.all().is_not_null().any()).collect().row(0) if own else ()
    never = {name for name, has in zip(own, valued, strict=True) if not has}
    return never | {name for name in columns if name not in own and bars < _first_values().get(name, 0)}


def describe_short_history(lake: Lake, choices: Sequence[Choice]) -> str:
    """Return a sentence for each strategy without signals for which the stored bars are too few; empty if none."""
    if not choices:
        return ""
    bars = longest_history(lake)
    return " ".join(dict.fromkeys(filter(None, (_describe(choice, bars) for choice in choices))))


def _describe(choice: Choice, bars: int) -> str:
    needed = max((_first_values().get(name, 1) for name in choice.definition.reads), default=1)
    if bars < needed:
        return f"{choice.label} has no signals: fewer than {needed:,} bars."
    looks_at = (choice.bars_needed or 0) + 1
    if bars < looks_at:  # a lookback may be longer than what a first signal needs
        return (
            f"{choice.label} has no signals: it looks at up to {looks_at:,} bars, and the longest history has {bars:,}."
        )
    return ""


@cache
def _first_values() -> Mapping[str, int]:
    """Return by column the number of bars at which a standard indicator has its first value."""
    days = [date(2025, 1, 1) + timedelta(days=n) for n in range(_BARS)]
    prices = pl.Series([10 + n % 7 for n in range(_BARS)], dtype=pl.Float64)
    bars = pl.DataFrame({"symbol": "", "date": days, "close": prices, "high": prices + 1, "low": prices - 1})
    values = indicator_table(bars, STANDARD).drop("symbol", "date", "close_hfq")
    return {name: int(values[name].is_not_null().arg_max() or 0) + 1 for name in values.columns}
