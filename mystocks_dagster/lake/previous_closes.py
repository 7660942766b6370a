"""Previous closes that no source states, computed once the corporate actions of their days are known."""

from collections.abc import Sequence
from datetime import date
from itertools import groupby
from types import MappingProxyType

import polars as pl

from mystocks_dagster.lake.action_check import known_action_days
from mystocks_dagster.lake.events import refresh_events
from mystocks_dagster.lake.last_bars import bars_with_last
from mystocks_dagster.lake.loads import whole_days
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.action_check import expected_closes
from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.market.ex_right import FUNDS, SHARES, rounded
from mystocks_dagster.market.tables.reference import CORPORATE_ACTIONS
from mystocks_dagster.market.witnesses import SELECTIONS

_KEY = ["symbol", "date"]
#: The tables of bars whose symbols have corporate actions, each with the steps of a price per CNY.
_SCALES = MappingProxyType({"daily_bars": SHARES, "etf_bars": FUNDS})


def fill_previous_closes(lake: Lake, days: Sequence[date]) -> int:
    """Compute the previous closes of `days` that are unknown, or were computed without actions; return their number.

    That is done where the actions since the bar before are known, its sources agree, and no bar between the two can be
    missing. The events of the days are derived again. All other rows stay as they are. Stocks and funds are treated
    alike: both pay and split.
    """
    known = known_action_days(lake)
    wanted = sorted({*days} & {*known})
    filled = 0
    for table in _SCALES:
        years = groupby(wanted, key=lambda day: day.year) if lake.exists(table) else ()
        filled += sum(_fill(lake, table, list(group), known) for _, group in years)
    return filled


def _fill(lake: Lake, table: str, days: list[date], known: Sequence[date]) -> int:
    """Compute the previous closes of a table on days of one year."""
    lacking = pl.col("prev_close").is_null() | ~pl.col("actions_known").fill_null(value=True)
    columns = [*_KEY, "prev_close", "actions_known"]
    rows = lake.scan(table, columns=columns, start=days[0], end=days[-1]).filter(lacking).collect()
    rows = rows.filter(pl.col("date").is_in(days))
    if rows.is_empty():
        return 0
    affected, symbols = rows["date"].unique().sort().to_list(), rows["symbol"].unique().to_list()
    bars = bars_with_last(lake, affected, symbols, table=table).join(rows.select(_KEY), on=_KEY, how="semi")
    computed = _computed(lake, table, bars.filter(pl.col("last_close").is_not_null()), known)
    if computed.is_empty():
        return 0
    changed = computed["date"].unique().sort().to_list()
    stored = lake.read(table, start=changed[0], end=changed[-1]).filter(pl.col("date").is_in(changed))
    stored = stored.join(computed, on=_KEY, how="left").with_columns(
        prev_close=pl.coalesce("computed", "prev_close"),
        actions_known=pl.when(pl.col("computed").is_not_null()).then(pl.lit(value=True)).otherwise("actions_known"),
    )
    lake.replace_days(table, stored.drop("computed"), changed)
    if table == "daily_bars":
        refresh_events(lake, changed)
    return computed.height


def _computed(lake: Lake, table: str, bars: pl.DataFrame, known: Sequence[date]) -> pl.DataFrame:
    """Return `symbol`, `date` and `computed`, the previous close, of the bars for which it is certain."""
    calendar = shanghai()
    inside = bars.filter(pl.col("last_date") >= calendar.first, pl.col("date") <= calendar.last)
    if inside.is_empty():
        return bars.select(*_KEY, computed="last_close")
    first, last = inside.select(pl.col("last_date").min(), pl.col("date").max()).row(0)
    sessions = pl.DataFrame({"date": calendar.sessions(first, last)}, schema={"date": pl.Date})
    # On a session between the two bars, the symbol must have been suspended, and its actions must be known.
    # Of funds each vendor has its own selection: one without a bar need not have been suspended.
    whole = set[date]() if table in SELECTIONS else whole_days(lake, table) & {*known}
    doubtful = ~pl.col("date").is_in(list(whole))
    counts = sessions.with_columns(through=doubtful.cum_sum(), unknown=(~pl.col("date").is_in(list(known))).cum_sum())
    before = counts.select(last_date="date", before="through", unknown_before="unknown")
    placed = inside.join(counts.with_columns(until=pl.col("through").shift(fill_value=0)), on="date")
    placed = placed.join(before, on="last_date")
    certain = placed.filter(pl.col("until") <= pl.col("before"), pl.col("unknown") == pl.col("unknown_before"))
    actions = lake.read(CORPORATE_ACTIONS.name) if lake.exists(CORPORATE_ACTIONS.name) else CORPORATE_ACTIONS.empty()
    given = expected_closes(certain, actions).select(*_KEY, "expected", "agreed")
    joined = certain.join(given, on=_KEY, how="left").filter(pl.col("agreed").fill_null(value=True))
    prices = pl.Series(rounded(joined["expected"].fill_null(joined["last_close"]).to_numpy(), _SCALES[table]))
    return joined.select(*_KEY, computed=prices)
