"""Speed of a screen of the whole market: `python bench/screen.py [--symbols 5500] [--years 10]`.

The rivals screen the same rows in one plain Parquet file, which has adjusted prices already: polars and DuckDB as one
would write them by hand for this one formula, once on the days that it needs and once on the whole history. Only
ratios can be compared between machines. "Warm" is a second screen of the same process, as in the web server; "cold" is
the command line with a new process, in which compiled kernels come from numba's cache.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from datetime import date, timedelta

import duckdb
import polars as pl
from lake import market, timed

from mystocks_dagster.lake.events import refresh_events
from mystocks_dagster.lake.prices import adjusted_bars
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.screens.screen import screen

CROSSING = "CROSS(MA(C,5),MA(C,20)) AND V>2*MA(V,5)"
OTHERS = {
    "MACD, 525 bars": "DIF:=EMA(C,12)-EMA(C,26); DEA:=EMA(DIF,9); CROSS(DIF,DEA)",
    "the whole history": "BARSLAST(CROSS(MA(C,5),MA(C,20)))<3",
}
SQL = """
SELECT symbol FROM (
    SELECT symbol, date, volume, close,
        avg(close) OVER five AS ma5, avg(close) OVER twenty AS ma20, avg(volume) OVER five AS v5
    FROM '{file}' WHERE date >= '{start}'
    WINDOW five AS (PARTITION BY symbol ORDER BY date ROWS 4 PRECEDING),
        twenty AS (PARTITION BY symbol ORDER BY date ROWS 19 PRECEDING))
QUALIFY ma5 > ma20 AND lag(ma5 <= ma20) OVER (PARTITION BY symbol ORDER BY date) AND volume > 2 * v5
    AND date = max(date) OVER ()
"""


def with_polars(file: str, start: date) -> pl.DataFrame:
    """Return the symbols that cross, from the bars since a day."""
    close, volume = pl.col("close"), pl.col("volume")
    above = close.rolling_mean(5) > close.rolling_mean(20)
    passes = (above & ~above.shift(1) & (volume > 2 * volume.rolling_mean(5))).over("symbol")
    bars = pl.scan_parquet(file).filter(pl.col("date") >= start).sort("symbol", "date")
    return bars.with_columns(passes=passes).filter(pl.col("date") == pl.col("date").max(), "passes").collect()


def main() -> None:
    """Print the times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--symbols", type=int, default=5500)
    parser.add_argument("--years", type=int, default=10)
    arguments = parser.parse_args()
    days = shanghai().sessions(date(2025 - arguments.years, 1, 1), date(2024, 12, 31))
    frame = market(days, arguments.symbols)
    print(f"{frame.height:,} bars, {len(days)} days, {arguments.symbols} symbols")
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(f"{folder}/lake", "simulated:7")
        lake.replace_days("daily_bars", frame, days)
        refresh_events(lake, days)
        del frame
        file = f"{folder}/plain.parquet"
        adjusted_bars(lake, columns=["symbol", "date", "close", "volume"]).write_parquet(file)
        measure(lake, file, days[-1])


def measure(lake: Lake, file: str, day: date) -> None:
    """Print the times of rivals and screens."""
    start = day - timedelta(days=46)
    expected = set(with_polars(file, start)["symbol"])
    screen(lake, CROSSING, day=day)  # compiles what numba has not cached
    assert set(screen(lake, CROSSING, day=day).rows["symbol"]) == expected
    rival = timed("polars, the bars that the formula needs", lambda: with_polars(file, start), times=3)
    query = SQL.format(file=file, start=start)
    timed("DuckDB, the bars that the formula needs", lambda: duckdb.sql(query).fetchall(), rival, times=3)
    timed("polars, the whole history", lambda: with_polars(file, date.min), rival)
    timed(f"screen, warm: {CROSSING}", lambda: screen(lake, CROSSING, day=day), rival, times=5)
    for label, formula in OTHERS.items():
        screen(lake, formula, day=day)
        timed(f"screen, warm: {label}", lambda text=formula: screen(lake, text, day=day), rival, times=3)
    timed("mystocks screen, a new process", lambda: command(lake, day), rival, times=2)


def command(lake: Lake, day: date) -> None:
    """Run the command line."""
    program = [sys.executable, "-m", "mystocks_dagster.cli.main", "screen", CROSSING, "--day", f"{day}"]
    subprocess.run(program, check=True, capture_output=True, env=os.environ | {"MYSTOCKS_LAKE": lake.location})


if __name__ == "__main__":
    main()
