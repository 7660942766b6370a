"""How long the rules about values take with a whole market: `python bench/rules.py [--symbols 5000] [--years 10]`.

Only ratios travel between machines, so each figure is also shown as a multiple of what storing the same frame takes.
"""

import argparse
import tempfile

import polars as pl
from lake import market, timed

from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.market.continuity import CONTEXT, Neighbours
from mystocks_dagster.market.tables.market import DAILY_BARS
from mystocks_dagster.market.value_rules import check
from mystocks_dagster.sources.checked import drop_duplicates


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--symbols", type=int, default=5000)
    parser.add_argument("--years", type=int, default=10)
    given = parser.parse_args()
    calendar = shanghai()
    days = calendar.sessions(calendar.first, calendar.last)[-244 * given.years :]
    frame = market(days, given.symbols)
    frame = frame.with_columns(pl.max_horizontal("prev_close", pl.lit(0.5)).alias("prev_close"))
    print(f"{frame.height:,} bars, {frame.estimated_size('mb'):,.0f} MB in memory")
    with tempfile.TemporaryDirectory() as folder:
        unit = timed("stored in the lake", lambda: Lake(folder, "real").replace_days("daily_bars", frame, days))
    timed("no row twice", lambda: drop_duplicates("daily_bars", frame, "bench"), unit)
    timed("the rules of the table, nothing wrong", lambda: check(DAILY_BARS, frame), unit)
    spoilt = frame.with_columns(
        high=pl.when(pl.int_range(pl.len()) % 1000 == 0).then(pl.col("low") - 1).otherwise(pl.col("high"))
    )
    timed("the rules of the table, one row of 1,000 wrong", lambda: check(DAILY_BARS, spoilt), unit)
    years = [frame.filter(pl.col("date").dt.year() == year) for year in sorted(set(frame["date"].dt.year()))]
    before = {day: calendar.previous(day) for day in days}
    nothing = frame.clear().select(CONTEXT)

    def neighbours() -> None:
        for year in years:
            found = Neighbours(year, nothing, {day: before[day] for day in year["date"].unique()})
            found.breaks(), found.wrong_days(), found.gaps(), found.ends()

    timed("against the day before, year by year", neighbours, unit)


if __name__ == "__main__":
    main()
