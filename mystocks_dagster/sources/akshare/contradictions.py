"""The rows of East Money's lists that contradict themselves: one of their numbers is wrong.

The tables lack some of the compared columns, so these rules look at the list itself. Single rows are set aside; many
refuse the list, as those of a value rule do.
"""

from datetime import date, datetime

import polars as pl

from mystocks_dagster.market.adjust import HALF_A_TICK
from mystocks_dagster.market.symbols import normalise_expr
from mystocks_dagster.market.tables.rules import CHANGE_BEYOND_LIMIT
from mystocks_dagster.market.value_rules import MOST, Fault, Rule
from mystocks_dagster.sources.akshare.call import Call
from mystocks_dagster.sources.akshare.frames import refuse
from mystocks_dagster.sources.akshare.identity import LEAST_TURNOVER, turnover_by_value
from mystocks_dagster.sources.akshare.tables import change_contradicts

#: Turnover and value state the same floating shares; a difference by this factor is a wrong number, not an unlock.
_FACTOR = 3.0


def _trade_incomplete() -> pl.Expr:
    volume, amount = (pl.col(name).fill_null(0) != 0 for name in ("volume", "amount"))
    unpriced = pl.any_horizontal(pl.col("price", "open", "high", "low").is_null())
    return (volume != amount) | (volume & unpriced)


def _turnover_contradicts() -> pl.Expr:
    implied, stated = turnover_by_value(), pl.col("turnover")
    ratio = pl.max_horizontal(implied, stated) / pl.max_horizontal(pl.min_horizontal(implied, stated), 0.005)
    known = (pl.col("volume") > 0) & (pl.col("float_value") > 0) & (stated >= 0)
    return known & (pl.max_horizontal(implied, stated) >= LEAST_TURNOVER) & (ratio > _FACTOR)


_CHANGE = Rule("change_contradicts_price", "the stated change is not price against prev_close", change_contradicts)
_TRADE = Rule(
    "trade_incomplete",
    "price, volume and amount do not agree on whether the stock traded",
    _trade_incomplete,
)
_MOVED = Rule(
    "moved_without_trades",
    "no volume, but the price is not the previous close",
    lambda: (pl.col("volume").fill_null(0) == 0) & ((pl.col("price") - pl.col("prev_close")).abs() > HALF_A_TICK),
)
_TURNOVER = Rule(
    "turnover_contradicts_value",
    f"volume / turnover is not the floating value / price, by a factor of {_FACTOR:.0f}",
    _turnover_contradicts,
)
#: While the opening auction runs, a stock has a price and no volume yet.
OF_QUOTES = (_CHANGE, CHANGE_BEYOND_LIMIT, _TRADE, _TURNOVER)
OF_BARS = (*OF_QUOTES, _MOVED)
OF_ETFS = (_TRADE,)


def contradictions(
    call: Call, spot: pl.DataFrame, rules: tuple[Rule, ...], day: date, moment: datetime | None = None
) -> list[Fault]:
    """Return a fault for each row of the frame of `call` and each of `rules` that it breaks.

    `moment` is the time of a snapshot, which is then a part of the key.

    Raises:
        SourceChanged: More rows break them than a day or snapshot may lose.
    """
    rows = spot.with_columns(symbol=normalise_expr("code"), date=pl.lit(day)).filter(pl.col("symbol").is_not_null())
    broken = {rule: rows.filter(rule.breaks().fill_null(value=False)) for rule in rules}
    for rule, bad in broken.items():
        refuse(call, rows, pl.col("symbol").is_in(bad["symbol"].to_list()), f"{rule.name}: {rule.reason}", MOST)
    return [
        Fault(rule.name, rule.reason, f"{row['symbol']} {moment or day}", day, row)
        for rule, bad in broken.items()
        for row in bad.iter_rows(named=True)
    ]
