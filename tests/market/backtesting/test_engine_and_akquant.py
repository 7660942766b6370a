"""The same orders give the same fills in akquant, as far as it knows the rules: T+1, lots, fees, opens."""

from datetime import date, timedelta

import akquant
import numpy as np
import pandas as pd
import polars as pl
import pytest

from mystocks_dagster.market.backtesting.engine import backtest
from mystocks_dagster.market.backtesting.market import prepare
from mystocks_dagster.market.backtesting.terms import Terms

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:The inplace keyword")]  # akquant's

DAYS = [day for n in range(120) if (day := date(2024, 1, 2) + timedelta(days=n)).weekday() < 5]
SYMBOLS = ("600000.SH", "000001.SZ", "300001.SZ")
CAPITAL = 300_000.0
NO_EVENTS = pl.DataFrame(schema={"symbol": pl.String, "date": pl.Date, "ratio": pl.Float64})


@pytest.fixture(scope="module")
def bars():
    """Prices that stay within the limits, and never stop trading."""
    noise, rows = np.random.default_rng(11), []
    for symbol in SYMBOLS:
        before = 12.0
        for day in DAYS:
            opened, close = (round(before * (1 + move), 2) for move in noise.uniform(-0.03, 0.03, 2))
            high, low = max(opened, close), min(opened, close)
            rows.append((symbol, day, opened, high, low, close, before, 2_000_000, 1e7, False, False))
            before = close
    names = ["symbol", "date", "open", "high", "low", "close", "prev_close", "volume", "amount", "is_st", "suspended"]
    return pl.DataFrame(rows, schema=names, orient="row")


@pytest.fixture(scope="module")
def signals(bars):
    """A signal a day: akquant defers a purchase on the open of a sale, which is another rule."""
    noise = np.random.default_rng(5)
    rows = [(str(noise.choice(SYMBOLS)), day, str(noise.choice(["buy", "sell"]))) for day in DAYS]
    return pl.DataFrame(rows, schema=["symbol", "date", "side"], orient="row")


def by_akquant(bars, orders):
    """Give akquant orders by the evening on which they are placed; return its result."""

    class Orders(akquant.Strategy):
        def on_bar(self, bar):
            day = pd.Timestamp(bar.timestamp, tz="UTC").tz_convert("Asia/Shanghai").date()
            for side, shares in orders.get((bar.symbol, day), ()):
                (self.buy if side == "buy" else self.sell)(bar.symbol, shares)

    akquant.set_log_level("ERROR")
    frames = {}
    for symbol in SYMBOLS:
        own = bars.filter(symbol=symbol).to_pandas()
        own["date"] = pd.to_datetime(own["date"]).dt.tz_localize("Asia/Shanghai")
        frames[symbol] = own[["date", "open", "high", "low", "close", "volume", "symbol"]]
    return akquant.run_backtest(
        data=frames, strategy=Orders, symbols=list(SYMBOLS), initial_cash=CAPITAL, commission_rate=0.00025,
        min_commission=5.0, stamp_tax_rate=0.0005, transfer_fee_rate=0.00001, t_plus_one=True, lot_size=100,
        fill_policy=akquant.NextOpen(), show_progress=False,
    )  # fmt: skip


def test_the_same_orders_have_the_same_fills_and_leave_the_same_equity(bars, signals):
    # A fourth place is never taken: akquant refuses an order that the close of the evening could not pay for.
    outcome = backtest(prepare(DAYS, bars, NO_EVENTS), signals, Terms(initial_capital=CAPITAL, max_positions=4))
    assert len(outcome.trades) > 20
    evening = dict(zip(DAYS[1:], DAYS, strict=False))
    orders = {}
    for trade in outcome.trades:
        orders.setdefault((trade.symbol, evening[trade.date]), []).append((trade.side, trade.shares))
    result = by_akquant(bars, orders)
    fills = result.orders_df[result.orders_df["status"] == "filled"]
    theirs = sorted(
        (stamp.date(), symbol, side, int(shares), price)
        for stamp, symbol, side, shares, price in fills[
            ["updated_at", "symbol", "side", "filled_quantity", "avg_price"]
        ].itertuples(index=False)
    )
    ours = sorted((trade.date, trade.symbol, trade.side, trade.shares, trade.price) for trade in outcome.trades)
    assert theirs == ours
    # akquant does not round its three fees to cents.
    equity = [balance.equity for balance in outcome.balances]
    assert np.abs(result.equity_curve.to_numpy() - equity).max() < 0.015 * len(ours)


def test_akquant_buys_what_is_sealed_at_its_limit_and_we_do_not(bars):
    sealed = pl.when(pl.col("date") == DAYS[1], symbol=SYMBOLS[0])
    limit = round(bars.filter(symbol=SYMBOLS[0], date=DAYS[0])["close"].item() * 1.1 + 1e-9, 2)
    market = bars.with_columns(
        sealed.then(limit).otherwise(pl.col(name)).alias(name) for name in ("open", "high", "low", "close")
    )
    result = by_akquant(market, {(SYMBOLS[0], DAYS[0]): [("buy", 1000)]})
    assert result.orders_df["status"].tolist() == ["filled"]
    said = pl.DataFrame([(SYMBOLS[0], DAYS[0], "buy")], schema=["symbol", "date", "side"], orient="row")
    assert backtest(prepare(DAYS, market, NO_EVENTS), said, Terms()).unfilled == {"buy: open at the limit": 1}
