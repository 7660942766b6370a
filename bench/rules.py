"""Time of the value rules for a whole market: `python bench/rules.py [--symbols 5000] [--years 10]`.

Only ratios are comparable between machines, so each time is also printed as a multiple of that of storing the frame.
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
    arguments = parser.parse_args()
    calendar = shanghai()
    days = calendar.sessions(calendar.first, calendar.last)[-244 * arguments.years :]
    frame = market(days, arguments.symbols)
    frame = frame.with_columns(pl.max_horizontal("prev_close", pl.lit(0.5)).alias("prev_close"))
    print(f"{frame.height:,} bars, {frame.estimated_size('mb'):,.0f} MB in memory")
    with tempfile.TemporaryDirectory() as folder:
        unit = timed("stored in the lake", lambda: Lake(folder, "real").replace_days("daily_bars", frame, days))
    timed("duplicate rows", lambda: drop_duplicates("daily_bars", frame, "bench"), unit)
    timed("rules of the table, all rows valid", lambda: check(DAILY_BARS, frame), unit)
    invalid = frame.with_columns(
        high=pl.when(pl.int_range(pl.len()) % 1000 == 0).then(pl.col("low") - 1).otherwise(pl.col("high"))
    )
    timed("rules of the table, one row of 1,000 invalid", lambda: check(DAILY_BARS, invalid), unit)
    years = [frame.filter(pl.col("date").dt.year() == year) for year in sorted(set(frame["date"].dt.year()))]
    previous = {day: calendar.previous(day) for day in days}
    stored = frame.clear().select(CONTEXT)

    def neighbours() -> None:
        for year in years:
            bars = Neighbours(year, stored, {day: previous[day] for day in year["date"].unique()})
            bars.breaks(), bars.wrong_days(), bars.gaps(), bars.ends()

    timed("comparison with the previous day, year by year", neighbours, unit)


if __name__ == "__main__":
    main()
