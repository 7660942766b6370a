"""Time of backtests against akquant: `python bench/backtest.py [--symbols 5500] [--years 10] [--sets 100]`.

Both get the same bars, the same signals (MA5 crossing MA20) and the same sizes: ten places of a tenth of the equity.
akquant (Rust) calls the strategy with each bar and takes a day's signals in order of symbols; it knows no price limits.
A grid's set is one backtest of the whole market on other terms; akquant reads its bars again for each set, as its own
grid search does. It needs about 0.1 ms a bar, so it gets `--rival` symbols, and its time is scaled to the whole market
by the number of bars. Only ratios are comparable between machines. vectorbt is not measured: it is not among this
project's dependencies.
"""

import argparse
import logging
import resource
import time
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

import akquant
import numpy as np
import polars as pl

from mystocks_dagster.market.backtesting.engine import backtest, ordered
from mystocks_dagster.market.backtesting.grid import Laboratory, combinations, cores, run_trials, trial_of
from mystocks_dagster.market.backtesting.market import prepare
from mystocks_dagster.market.backtesting.terms import Terms
from mystocks_dagster.market.calendar import shanghai

NO_EVENTS = pl.DataFrame(schema={"symbol": pl.String, "date": pl.Date, "ratio": pl.Float64})
PLACES = 10


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--symbols", type=int, default=5500)
    parser.add_argument("--years", type=int, default=10)
    parser.add_argument("--sets", type=int, default=100)
    parser.add_argument("--rival", type=int, default=300, help="symbols that akquant gets")
    arguments = parser.parse_args()
    days = shanghai().sessions(date(2000, 1, 1), date(2025, 12, 31))[-243 * arguments.years :]
    logging.disable(logging.WARNING)  # akquant's, which take a part of its time
    few = market(days, arguments.rival)
    print(f"{arguments.rival:,} symbols, {few[0].height:,} bars, {few[1].height:,} signals")
    _, rival = timed("  akquant, one backtest", lambda: with_akquant(*few))
    single(*few, days, rival)
    grid(*market(days, arguments.symbols), days, arguments.sets, rival * arguments.symbols / arguments.rival)
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.1f} GB")


def single(bars: pl.DataFrame, signals: pl.DataFrame, days: Sequence[date], rival: float) -> None:
    """Time one backtest, everything recorded."""
    prepared, before = timed("  the market prepared", lambda: prepare(days, bars, NO_EVENTS))
    outcome, traded = timed("  traded", lambda: backtest(prepared, signals, Terms(volume_share=0.1)))
    print(f"  {len(outcome.trades):,} fills; akquant takes {rival / (before + traded):.0f} x as long")


def grid(bars: pl.DataFrame, signals: pl.DataFrame, days: Sequence[date], sets: int, rival: float) -> None:
    """Time a grid of terms over the whole market; `rival` is the rival's time for one set of it."""
    axes = {"max_positions": [2 * n + 1 for n in range(10)], "slippage_ticks": list(range(-(-sets // 10)))}
    values = combinations(axes)[:sets]
    print(f"a grid of {len(values)} sets, {bars.height:,} bars, {signals.height:,} signals, {cores()} processes")

    def work() -> Any:
        prepared = prepare(days, bars, NO_EVENTS)
        laboratory = Laboratory(prepared, {"ma": ordered(prepared, signals)[""]})
        trials = [trial_of(Terms(volume_share=0.1), point, "ma", range(len(days)), ()) for point in values]
        return run_trials(laboratory, trials)

    _, seconds = timed("  all sets, the market's preparation included", work)
    ratio = rival * len(values) / cores() / seconds
    print(f"  {seconds / len(values):.3f} s a set; akquant, scaled, on as many cores, takes {ratio:.0f} x as long")


def timed(label: str, work: Callable[[], Any]) -> tuple[Any, float]:
    begin = time.perf_counter()
    result = work()
    seconds = time.perf_counter() - begin
    print(f"{label:<60} {seconds:8.2f} s")
    return result, seconds


def market(days: Sequence[date], symbols: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Make bars of a random walk within the limits, and the signals of MA5 crossing MA20."""
    noise, shape = np.random.default_rng(1), (symbols, len(days))
    close = np.round(20 * np.exp(np.cumsum(noise.normal(0, 0.012, shape).clip(-0.09, 0.09), axis=1)), 2).clip(1)
    before = np.concatenate([close[:, :1], close[:, :-1]], axis=1)
    opened = np.round(before * (1 + noise.normal(0, 0.005, shape)), 2)
    columns = {"open": opened, "high": np.maximum(opened, close), "low": np.minimum(opened, close), "close": close}
    columns |= {"prev_close": before, "volume": np.full(shape, 1e7), "amount": noise.uniform(1e7, 1e9, shape)}
    bars = pl.DataFrame(
        {
            "symbol": np.repeat([f"{600000 + n}.SH" for n in range(symbols)], len(days)),
            "date": pl.Series(list(days), dtype=pl.Date).to_numpy().repeat(1)[np.tile(np.arange(len(days)), symbols)],
            **{name: values.ravel() for name, values in columns.items()},
        }
    ).with_columns(pl.col("date").cast(pl.Date), is_st=pl.lit(value=False), suspended=pl.lit(value=False))
    fast, slow = (pl.col("close").rolling_mean(n).over("symbol") for n in (5, 20))
    above = bars.select("symbol", "date", above=fast > slow)
    above = above.with_columns(last=pl.col("above").shift(1).over("symbol")).drop_nulls()
    crossed = above.filter(pl.col("above") != pl.col("last"))
    return bars, crossed.select("symbol", "date", side=pl.when("above").then(pl.lit("buy")).otherwise(pl.lit("sell")))


def with_akquant(bars: pl.DataFrame, signals: pl.DataFrame) -> int:
    """Run akquant on the same bars and signals and return the number of its fills."""
    stamped = signals.with_columns(stamp=_stamps("date"))
    said = {(symbol, stamp): side for symbol, stamp, side in stamped.select("symbol", "stamp", "side").iter_rows()}

    class Crossing(akquant.Strategy):
        def on_bar(self, bar: Any) -> None:
            side = said.get((bar.symbol, bar.timestamp))
            if side is None:
                return
            held = self.get_position(bar.symbol) > 0
            if side == "sell" and held:
                self.close_position(bar.symbol)
            elif side == "buy" and not held and len(self.positions) < PLACES:
                self.order_target_percent(symbol=bar.symbol, target_percent=1 / PLACES)

    result = akquant.run_backtest(
        data=feed(bars), strategy=Crossing, symbols=bars["symbol"].unique().sort().to_list(), initial_cash=1_000_000.0,
        commission_rate=0.00025, min_commission=5.0, stamp_tax_rate=0.0005, transfer_fee_rate=0.00001,
        volume_limit_pct=0.1, t_plus_one=True, lot_size=100, fill_policy=akquant.NextOpen(), show_progress=False,
    )  # fmt: skip
    return sum(quantity > 0 for quantity in result.get_orders_dict()["filled_quantity"])


def _stamps(column: str) -> pl.Expr:
    """Return a column of days as akquant counts them: nanoseconds since 1970 in UTC at midnight in Shanghai."""
    return pl.col(column).cast(pl.Datetime("ns")).dt.replace_time_zone("Asia/Shanghai").to_physical()


def feed(bars: pl.DataFrame) -> Any:
    """Return akquant's feed of the bars, by its fastest way in."""
    source = akquant.DataFeed()
    stamps = bars.select(_stamps("date")).to_series().to_numpy()
    values = [bars[name].to_numpy() for name in ("open", "high", "low", "close", "volume")]
    source.add_arrays(stamps, *values, None, bars["symbol"].to_list(), None)
    source.sort()
    return source


if __name__ == "__main__":
    main()
