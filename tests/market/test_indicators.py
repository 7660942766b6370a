"""Indicators against MyTT (an independent implementation of 通达信's formulas), numpy, and values read off 通达信
itself."""

from datetime import date, timedelta
from pathlib import Path

import MyTT
import numpy as np
import polars as pl
import pytest

from mystocks_dagster.market.catalogue.calculation import of_catalogue
from mystocks_dagster.market.formulas.evaluation import Bars
from mystocks_dagster.market.formulas.evaluation import evaluate as evaluate_plan
from mystocks_dagster.market.formulas.parser import parse_formula
from mystocks_dagster.market.formulas.plan import output_names, plan
from mystocks_dagster.market.indicators import INDICATORS, columns_of, indicator_table, planned
from mystocks_dagster.market.tables.indicators import INDICATORS_DAILY

pytestmark = pytest.mark.slow

SHARED = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture(scope="module")
def walk():
    """600 bars of one symbol: close, high and low as numpy arrays, on a tick of one cent."""
    rng = np.random.default_rng(20250407)
    close = np.round(30 * np.exp(np.cumsum(rng.normal(0, 0.02, 600))), 2)
    high = np.round(close * (1 + rng.uniform(0, 0.03, 600)), 2)
    low = np.round(close * (1 - rng.uniform(0, 0.03, 600)), 2)
    return close, high, low


def evaluate(text, **arrays):
    """Return the outputs of a formula on the bars of one symbol."""
    formula = parse_formula(text)
    names = output_names(formula)
    columns = {name.upper(): array for name, array in arrays.items()}
    bars = Bars(np.array([0, len(columns["CLOSE"])]), columns)
    results = evaluate_plan(plan((formula, (), tuple((name, name) for name in names))), bars)
    return [results[name] for name in names]


def calculated(calculations, **arrays):
    """Return the columns of indicators on the bars of one symbol."""
    columns = {name.upper(): array for name, array in arrays.items()}
    return [*evaluate_plan(planned(calculations), Bars(np.array([0, len(columns["CLOSE"])]), columns)).values()]


def rsi(close, window):
    return calculated(of_catalogue("RSI", windows=[window]), close=close)[0]


@pytest.mark.parametrize("window", [5, 10, 20, 60])
def test_ma_is_mytts_ma(walk, window):
    (ours,) = evaluate(f"MA(C,{window})", close=walk[0])
    np.testing.assert_allclose(ours, MyTT.MA(walk[0], window), rtol=1e-12)
    assert np.isnan(ours[: window - 1]).all()
    assert np.isfinite(ours[window - 1 :]).all()


def test_ema_and_sma_are_mytts(walk):
    ours = evaluate("EMA(C,12); SMA(C,6,1); SMA(C,5,2);", close=walk[0])
    for mine, theirs in zip(
        ours, (MyTT.EMA(walk[0], 12), MyTT.SMA(walk[0], 6, 1), MyTT.SMA(walk[0], 5, 2)), strict=True
    ):
        np.testing.assert_allclose(mine, theirs, rtol=1e-12)


def test_macd_is_mytts_macd_to_its_three_decimals(walk):
    for mine, theirs in zip(calculated(of_catalogue("MACD"), close=walk[0]), MyTT.MACD(walk[0]), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=0.00051)


def test_kdj_is_mytts_kdj(walk):
    close, high, low = walk
    for mine, theirs in zip(
        calculated(of_catalogue("KDJ"), close=close, high=high, low=low), MyTT.KDJ(close, high, low), strict=True
    ):
        np.testing.assert_allclose(mine, theirs, rtol=1e-9)
        assert np.isnan(mine[:8]).all()
        assert np.isfinite(mine[8:]).all()


@pytest.mark.parametrize("window", [6, 12, 24])
def test_rsi_is_mytts_rsi_to_its_three_decimals(walk, window):
    ours = rsi(walk[0], window)
    np.testing.assert_allclose(ours, MyTT.RSI(walk[0], window), atol=0.00051)


def test_boll_takes_the_samples_deviation_which_is_wider_than_mytts_by_a_known_factor(walk):
    middle, upper, lower = calculated(of_catalogue("BOLL"), close=walk[0])
    deviation = np.lib.stride_tricks.sliding_window_view(walk[0], 20).std(axis=1, ddof=1)
    np.testing.assert_allclose(upper[19:] - middle[19:], 2 * deviation, rtol=1e-9)
    np.testing.assert_allclose(middle[19:] - lower[19:], 2 * deviation, rtol=1e-9)
    their_upper, their_middle, _ = MyTT.BOLL(walk[0])
    np.testing.assert_allclose(middle, their_middle, atol=0.00051)
    np.testing.assert_allclose(upper - middle, (their_upper - their_middle) * np.sqrt(20 / 19), atol=0.0015)
    assert np.isnan(upper[:19]).all()


def test_a_window_without_any_range_stands_in_the_middle_of_kdj():
    flat = np.full(12, 10.0)
    k, d, j = calculated(of_catalogue("KDJ"), close=flat, high=flat, low=flat)
    assert k[8:].tolist() == d[8:].tolist() == j[8:].tolist() == [50.0] * 4


def test_a_price_that_never_moved_has_no_rsi():
    ours = rsi(np.array([10.0, 10.0, 10.0, 11.0, 10.5]), 6)
    assert np.isnan(ours[:3]).all()
    assert ours[3] == 100.0
    # By hand after a rise of 1 and a fall of 0.5: up = 1/6 x 5/6, moves = (1/6) x 5/6 + 0.5/6.
    assert ours[4] == pytest.approx((5 / 36) / (5 / 36 + 3 / 36) * 100)


def test_a_flat_price_has_bands_of_no_width():
    middle, upper, lower = calculated(of_catalogue("BOLL"), close=np.array([1000.0] * 5 + [3.1] * 40))
    assert upper[-1] == lower[-1] == middle[-1] == pytest.approx(3.1)


#: The calculation whose last output was published, by indicator.
PUBLISHED = {
    "MACD_BAR": lambda n: of_catalogue("MACD", dict(zip(("short", "long", "mid"), n, strict=True))),
    "KDJ_J": lambda n: of_catalogue("KDJ", dict(zip(("n", "m1", "m2"), n, strict=True))),
    "RSI": lambda n: of_catalogue("RSI", windows=n),
}


def test_values_are_those_that_tongdaxin_shows():
    file = SHARED / "indicators" / "tdx_reference_values.csv"
    if not file.is_file():
        pytest.skip("the reference data is not beside the project")
    bars = SHARED / "eastmoney_qfq_full_history_to_20251231.csv.gz"
    history = pl.read_csv(bars, schema_overrides={"股票代码": pl.String}, infer_schema_length=None)
    names = {"日期": "date", "股票代码": "symbol", "收盘": "close", "最高": "high", "最低": "low"}
    history = history.rename(names).sort("symbol", "date")
    for row in pl.read_csv(file, schema_overrides={"symbol": pl.String, "published_value": pl.String}).iter_rows(
        named=True
    ):
        published = PUBLISHED[row["indicator"]]([int(n) for n in row["params"].split(",")])
        bars = history.filter(symbol=row["symbol"])
        arrays = {name: bars[name].cast(pl.Float64).to_numpy() for name in ("close", "high", "low")}
        values = calculated(published, **arrays)
        value = values[-1][bars["date"].index_of(row["date"])]
        digits = len(row["published_value"].split(".")[1])
        assert value == pytest.approx(float(row["published_value"]), abs=0.5 * 10**-digits), row


def two_symbols(walk) -> pl.DataFrame:
    close, high, low = walk
    days = [date(2020, 1, 1) + timedelta(days=i) for i in range(300)]
    one = pl.DataFrame(
        {"symbol": "000001.SZ", "date": days, "close": close[:300], "high": high[:300], "low": low[:300]}
    )
    other = pl.DataFrame(
        {"symbol": "600000.SH", "date": days, "close": close[300:], "high": high[300:], "low": low[300:]}
    )
    return pl.concat([one, other])


def test_each_symbol_is_computed_for_itself(walk):
    table = indicator_table(two_symbols(walk), INDICATORS)
    for symbol, part in (("000001.SZ", slice(0, 300)), ("600000.SH", slice(300, 600))):
        mine = table.filter(pl.col("symbol") == symbol)
        close, high, low = (array[part] for array in walk)
        np.testing.assert_allclose(mine["close_hfq"], close)
        np.testing.assert_allclose(mine["ma60"].to_numpy(), MyTT.MA(close, 60), rtol=1e-12)
        np.testing.assert_allclose(mine["macd_dea"].to_numpy(), MyTT.MACD(close)[1], atol=0.00051)
        np.testing.assert_allclose(mine["kdj_j"].to_numpy(), MyTT.KDJ(close, high, low)[2], rtol=1e-8)


def test_the_table_has_the_promised_columns_and_no_nan(walk):
    table = indicator_table(two_symbols(walk), INDICATORS)
    assert dict(table.schema) == INDICATORS_DAILY.dtypes
    assert not any(table.select(pl.selectors.float().is_nan().any()).row(0))
    assert [name for names in columns_of(INDICATORS).values() for name in names] == list(INDICATORS_DAILY.dtypes)[3:]


def test_only_what_is_asked_for_is_computed(walk):
    assert indicator_table(two_symbols(walk), ("RSI",)).columns == [
        "symbol",
        "date",
        "close_hfq",
        "rsi6",
        "rsi12",
        "rsi24",
    ]


def test_scaling_prices_scales_price_indicators_and_leaves_oscillators(walk):
    """Why hfq is enough: qfq is hfq times one factor per symbol."""
    bars = two_symbols(walk)
    table = indicator_table(bars, INDICATORS)
    scaled = indicator_table(bars.with_columns(pl.col("close", "high", "low") * 0.25), INDICATORS)
    for name in table.columns[2:]:
        factor = 1 if name.startswith(("kdj", "rsi")) else 0.25
        np.testing.assert_allclose(scaled[name].to_numpy(), table[name].to_numpy() * factor, rtol=1e-9, atol=1e-12)
