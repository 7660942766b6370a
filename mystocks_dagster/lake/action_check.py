"""The table `action_differences`: where prices and corporate actions contradict each other, and what was decided."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

import polars as pl

from mystocks_dagster.errors import UnknownName
from mystocks_dagster.lake.events import unknown_events
from mystocks_dagster.lake.last_bars import bars_with_last
from mystocks_dagster.lake.loads import complete_days
from mystocks_dagster.lake.reading import TableReader
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market import clock
from mystocks_dagster.market.action_check import differences
from mystocks_dagster.market.actions import combined
from mystocks_dagster.market.table import MOMENT
from mystocks_dagster.market.tables.reference import ACTION_DIFFERENCES, CORPORATE_ACTIONS

TABLE = ACTION_DIFFERENCES.name
_KEY = ["symbol", "date", "kind"]
_SAME = [*_KEY, "last_close", "stated", "expected"]


def known_action_days(lake: TableReader) -> list[date]:
    """Return the days of which the corporate actions are known, ascending."""
    return sorted(complete_days(lake, CORPORATE_ACTIONS.name))


@dataclass(frozen=True)
class ActionCheck:
    """The outcome of a comparison.

    Attributes:
        open: Differences that nobody has decided.
        changed: Rows of `action_differences` that were added, changed or removed.
    """

    open: int = 0
    changed: int = 0

    @property
    def rows(self) -> dict[str, int]:
        """The changed rows by table, for the result of a run; empty if there is none."""
        return {TABLE: self.changed} if self.changed else {}


def check_actions(lake: Lake, days: Sequence[date]) -> ActionCheck:
    """Compare the bars of `days` with the corporate actions and store the differences.

    Only days of which the corporate actions are known are compared. A previous close that was computed from them is no
    evidence, so that only sources that differ count for such a bar. A difference that a person has confirmed stays
    confirmed as long as its numbers do.
    """
    compared = sorted({*days} & {*known_action_days(lake)})
    if not compared or not lake.exists("daily_bars"):
        return ActionCheck()
    exists = lake.exists(CORPORATE_ACTIONS.name)
    actions = lake.read(CORPORATE_ACTIONS.name) if exists else CORPORATE_ACTIONS.empty()
    # A year at a time: ten years of the market do not fit into memory beside their sorted copy.
    years = [_check(lake, list(group), actions) for _, group in groupby(compared, key=lambda day: day.year)]
    return ActionCheck(sum(year.open for year in years), sum(year.changed for year in years))


def _check(lake: Lake, compared: list[date], actions: pl.DataFrame) -> ActionCheck:
    """Compare and store the days of one year."""
    fresh = _differences(lake, compared, actions)
    stored = lake.read(TABLE, start=compared[0], end=compared[-1]) if lake.exists(TABLE) else ACTION_DIFFERENCES.empty()
    stored = stored.filter(pl.col("date").is_in(compared))
    decided = stored.filter("confirmed").select(*_SAME, decided=pl.lit(value=True))
    rows = fresh.join(decided, on=_SAME, how="left", nulls_equal=True).with_columns(
        confirmed=pl.col("decided").fill_null(value=False), found_at=pl.lit(clock.now()).cast(MOMENT)
    )
    kept = rows.join(stored, on=[*_SAME, "actions", "confirmed"], how="semi", nulls_equal=True).height
    changed = rows.height + stored.height - 2 * kept
    if changed:
        lake.replace_days(TABLE, ACTION_DIFFERENCES.typed(rows), compared)
    return ActionCheck(rows.filter(~pl.col("confirmed")).height, changed)


def open_differences(lake: TableReader, *, symbols: Sequence[str] | None = None) -> pl.DataFrame:
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


def _differences(lake: Lake, days: Sequence[date], actions: pl.DataFrame) -> pl.DataFrame:
    flags = lake.scan("daily_bars", columns=["symbol", "date", "actions_known"], start=days[0], end=days[-1])
    stated = flags.filter(pl.col("actions_known").is_null()).head(1).collect().height
    # If every previous close was computed, only sources that differ can be found.
    symbols = None if stated else combined(actions).filter(~pl.col("agreed"))["symbol"].unique().to_list()
    if symbols == []:
        return ACTION_DIFFERENCES.empty().select(*_SAME, "actions")
    bars = bars_with_last(lake, days, symbols)
    computed = flags.filter(pl.col("actions_known").is_not_null())
    computed = computed.select("symbol", "date", computed=pl.lit(value=True)).collect()
    # After a day on which a bar may be missing, the last stored close is not the one before: that is a doubt already.
    bars = bars.join(unknown_events(lake), on=["symbol", "date"], how="anti")
    bars = bars.join(computed, on=["symbol", "date"], how="left", maintain_order="left")
    return differences(bars.with_columns(pl.col("computed").fill_null(value=False)), actions)
