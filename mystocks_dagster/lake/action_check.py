"""The table `action_differences`: where prices and corporate actions contradict each other, and what was decided."""

from collections.abc import Sequence
from datetime import date

import polars as pl

from mystocks_dagster.errors import UnknownName
from mystocks_dagster.lake.last_bars import bars_with_last
from mystocks_dagster.lake.loads import complete_days
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market import clock
from mystocks_dagster.market.action_check import differences
from mystocks_dagster.market.table import MOMENT
from mystocks_dagster.market.tables.reference import ACTION_DIFFERENCES, CORPORATE_ACTIONS

TABLE = ACTION_DIFFERENCES.name
_KEY = ["symbol", "date", "kind"]
_SAME = [*_KEY, "last_close", "stated", "expected"]


def known_action_days(lake: Lake) -> list[date]:
    """Return the days of which the corporate actions are known, ascending."""
    return sorted(complete_days(lake, CORPORATE_ACTIONS.name))


def check_actions(lake: Lake, days: Sequence[date]) -> int:
    """Compare the bars of `days` with the corporate actions and store the differences; return how many are open.

    Only days of which the corporate actions are known are compared, and only bars whose source states the previous
    close: one that was computed from the actions is no evidence. A difference that a person has confirmed stays
    confirmed as long as its numbers do.
    """
    compared = sorted({*days} & {*known_action_days(lake)})
    if not compared or not lake.exists("daily_bars"):
        return 0
    fresh = _differences(lake, compared)
    stored = lake.read(TABLE, start=compared[0], end=compared[-1]) if lake.exists(TABLE) else ACTION_DIFFERENCES.empty()
    stored = stored.filter(pl.col("date").is_in(compared))
    decided = stored.filter("confirmed").select(*_SAME, decided=pl.lit(value=True))
    rows = fresh.join(decided, on=_SAME, how="left", nulls_equal=True).with_columns(
        confirmed=pl.col("decided").fill_null(value=False), found_at=pl.lit(clock.now()).cast(MOMENT)
    )
    if rows.height or stored.height:
        lake.replace_days(TABLE, ACTION_DIFFERENCES.typed(rows), compared)
    return rows.filter(~pl.col("confirmed")).height


def open_differences(lake: Lake, *, symbols: Sequence[str] | None = None) -> pl.DataFrame:
    """Return the differences that nobody has decided, sorted by symbol and day."""
    if not lake.exists(TABLE):
        return ACTION_DIFFERENCES.empty()
    return lake.read(TABLE, symbols=symbols).filter(~pl.col("confirmed")).sort(_KEY)


def confirm(lake: Lake, symbol: str, day: date) -> int:
    """Confirm the previous close that the bar of a day states; return the number of differences that this decides.

    Raises:
        UnknownName: There is no open difference of that symbol and day.
    """
    rows = open_differences(lake, symbols=[symbol]).filter(pl.col("date") == day)
    if rows.is_empty():
        raise UnknownName(f"{symbol} has no open difference on {day}; list them: mystocks data actions.")
    return lake.upsert(TABLE, rows.with_columns(confirmed=pl.lit(value=True)))


def _differences(lake: Lake, days: Sequence[date]) -> pl.DataFrame:
    exists = lake.exists(CORPORATE_ACTIONS.name)
    actions = lake.read(CORPORATE_ACTIONS.name) if exists else CORPORATE_ACTIONS.empty()
    bars = bars_with_last(lake, days)
    computed = lake.scan("daily_bars", columns=["symbol", "date", "actions_known"], start=days[0], end=days[-1])
    computed = computed.filter(pl.col("actions_known").is_not_null()).select("symbol", "date").collect()
    return differences(bars.join(computed, on=["symbol", "date"], how="anti"), actions)
