"""Every bar of the simulated market against the exchanges' rules, recomputed here from the bars alone."""

from bisect import bisect_right
from collections.abc import Iterator
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

import polars as pl
import pytest

from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.simulated.source import SimulatedSource


def market(options: str, now: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the stock list and all bars."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MYSTOCKS_NOW", now)
        patch.setenv("MYSTOCKS_SIMULATED", options)
        source = SimulatedSource(Settings.from_env())
        return source.stocks(include_delisted=True), pl.concat(
            source.daily_bars(shanghai().sessions(*source.bar_days()))
        )


@pytest.fixture(scope="module")
def default() -> tuple[pl.DataFrame, pl.DataFrame]:
    return market("", "2026-11-24T16:00:00+08:00")


@pytest.fixture(scope="module")
def stocks(default: tuple[pl.DataFrame, pl.DataFrame]) -> pl.DataFrame:
    return default[0]


@pytest.fixture(scope="module")
def bars(default: tuple[pl.DataFrame, pl.DataFrame]) -> pl.DataFrame:
    return default[1]


@pytest.fixture(scope="module")
def traded(bars: pl.DataFrame) -> pl.DataFrame:
    return bars.filter(~pl.col("suspended"))


def percent(symbol: str, day: date, is_st: bool) -> int:
    """The usual limit, as the exchanges publish it."""
    if symbol.endswith("BJ"):
        return 30
    if symbol.startswith("68") or (symbol.startswith("30") and day >= date(2020, 8, 24)):
        return 20
    return 5 if is_st and day < date(2026, 7, 6) and not symbol.startswith("30") else 10


def free_days(symbol: str, listed: date) -> int:
    """Trading days without a limit after a listing."""
    if symbol.endswith("BJ"):
        return 1
    if symbol.startswith("68"):
        return 5
    return 5 if listed >= (date(2020, 8, 24) if symbol.startswith("30") else date(2023, 4, 10)) else 0


def cents(close: float, change: int) -> Decimal:
    before = Decimal(str(close))
    return (before * (100 + change) / 100).quantize(Decimal("0.01"), ROUND_HALF_UP)


def limited_rows(stocks: pl.DataFrame, bars: pl.DataFrame) -> Iterator[tuple[dict, Decimal, Decimal]]:
    """Yield each row that has a limit, with its lowest and highest price."""
    listed = dict(stocks.select("symbol", "list_date").iter_rows())
    sessions = shanghai().sessions(date(1990, 12, 19), date(2026, 12, 31))
    ordinal = {day: at for at, day in enumerate(sessions)}
    for row in bars.iter_rows(named=True):
        first = listed[row["symbol"]]
        age = ordinal[row["date"]] - ordinal[first]
        if age < free_days(row["symbol"], first):
            continue
        up, down = (44, 36) if age == 0 else (percent(row["symbol"], row["date"], row["is_st"]),) * 2
        yield row, cents(row["prev_close"], -down), cents(row["prev_close"], up)


@pytest.mark.slow
def test_prices_stay_within_limits_by_board_st_and_age(stocks: pl.DataFrame, traded: pl.DataFrame):
    touched = {"main": 0, "st": 0, "wide": 0, "bse": 0}
    for row, lowest, highest in limited_rows(stocks, traded.gather_every(3)):
        low, high, close = (Decimal(str(row[name])) for name in ("low", "high", "close"))
        assert lowest <= low
        assert high <= highest, row
        kind = (
            "bse"
            if row["symbol"].endswith("BJ")
            else "wide"
            if row["symbol"][:2] in ("68", "30")
            else "st"
            if row["is_st"]
            else "main"
        )
        touched[kind] += close in (lowest, highest)
    assert all(touched.values()), f"limits must be reached to be tested: {touched}"


def test_the_old_limits_hold_before_the_reforms():
    stocks, bars = market("symbols=80,start=2019-06-03", "2023-12-29T16:00:00+08:00")
    old_chinext = old_first_days = 0
    for row, lowest, highest in limited_rows(stocks, bars.filter(~pl.col("suspended"))):
        assert lowest <= Decimal(str(row["close"])) <= highest, row
        old_chinext += (
            row["symbol"].startswith("30") and row["date"] < date(2020, 8, 24) and Decimal(str(row["close"])) == highest
        )
        old_first_days += highest == cents(row["prev_close"], 44)
    assert old_chinext
    assert old_first_days
    first = dict(bars.group_by(pl.col("symbol").str.slice(0, 2)).agg(pl.col("date").min()).iter_rows())
    assert first["68"] >= date(2019, 7, 22), "the STAR market did not exist before"
    assert first["92"] >= date(2021, 11, 15), "the Beijing exchange did not exist before"


def test_new_listings_move_freely_at_first(stocks: pl.DataFrame, traded: pl.DataFrame):
    new = traded.join(stocks.select("symbol", "list_date"), on="symbol").filter(pl.col("date") == pl.col("list_date"))
    change = (new["close"] / new["prev_close"] - 1) * 100

    assert new.height > 5
    assert (change > 44).sum() > 0


def test_open_high_low_close_fit_together_in_whole_cents(traded: pl.DataFrame):
    highest, lowest = pl.max_horizontal("open", "close"), pl.min_horizontal("open", "close")

    assert traded.filter((pl.col("high") < highest) | (pl.col("low") > lowest) | (pl.col("low") <= 0)).height == 0
    for name in ("open", "high", "low", "close", "prev_close"):
        assert (traded[name] * 100 - (traded[name] * 100).round(0)).abs().max() < 1e-6, name


def test_volume_is_in_lots_and_the_amount_lies_between_low_and_high(traded: pl.DataFrame):
    price = pl.col("amount") / pl.col("volume")

    assert (traded["volume"] > 0).all()
    assert (traded["volume"] % 100 == 0).all()
    assert traded.filter((price < pl.col("low") - 1e-9) | (price > pl.col("high") + 1e-9)).height == 0
    assert traded["turnover"].is_between(0, 100).all()


def test_there_is_one_bar_for_each_listed_stock_and_trading_day(stocks: pl.DataFrame, bars: pl.DataFrame):
    sessions = shanghai().sessions(date(2024, 1, 2), date(2026, 11, 24))
    expected = 0
    for first, last in stocks.select("list_date", "delist_date").iter_rows():
        begin = bisect_right(sessions, first) - (first in sessions)
        expected += max(bisect_right(sessions, last or sessions[-1]) - begin, 0)

    assert bars.height == expected
    assert bars["date"].unique().sort().to_list() == sessions
    life = bars.join(stocks.select("symbol", "list_date", "delist_date"), on="symbol")
    assert life.filter((pl.col("date") < pl.col("list_date")) | (pl.col("date") > pl.col("delist_date"))).height == 0


def test_the_previous_close_is_yesterdays_except_on_ex_days(bars: pl.DataFrame):
    steps = bars.with_columns(last=pl.col("close").shift().over("symbol", order_by="date")).drop_nulls("last")
    ex_days = steps.filter(pl.col("prev_close") != pl.col("last"))
    ratio = ex_days["prev_close"] / ex_days["last"]

    assert ex_days.height > 300, "most stocks pay a dividend once a year"
    assert ((ratio < 1) & (ratio > 0.45)).all(), "a dividend or 10 for 10 at most"
    assert (ratio < 0.8).any(), "some of them are splits"
    assert ex_days["date"].dt.month().is_between(5, 8).all()
    assert not ex_days["suspended"].any()
    assert ex_days.group_by("symbol", pl.col("date").dt.year()).len()["len"].max() == 1


def test_corporate_actions_explain_each_ex_day(bars: pl.DataFrame, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MYSTOCKS_NOW", "2026-11-24T16:00:00+08:00")
    given = SimulatedSource(Settings.from_env()).corporate_actions(date(2024, 1, 3), date(2026, 11, 24))
    steps = bars.with_columns(last=pl.col("close").shift().over("symbol", order_by="date")).drop_nulls("last")
    paid = given.join(steps, left_on=["symbol", "ex_date"], right_on=["symbol", "date"])
    exact = (pl.col("last") - pl.col("cash")) / (1 + pl.col("bonus"))
    assert paid.select((exact - pl.col("prev_close")).abs().max()).item() < 0.005001
    ex_days = steps.filter(pl.col("prev_close") != pl.col("last")).select("symbol", "date")
    assert ex_days.join(given, left_on=["symbol", "date"], right_on=["symbol", "ex_date"], how="anti").is_empty()
    assert (given["cash"] > 0).all()


def test_suspended_days_stand_at_the_last_close(bars: pl.DataFrame):
    still = bars.with_columns(last=pl.col("close").shift().over("symbol", order_by="date")).filter(
        "suspended", pl.col("last").is_not_null()
    )

    assert still.height > 100
    for name in ("open", "high", "low", "close", "prev_close"):
        assert (still[name] == still["last"]).all(), name
    assert still.select(pl.sum("volume", "amount", "turnover")).row(0) == (0, 0.0, 0.0)


def test_suspensions_and_st_are_the_exception_and_come_in_stretches(bars: pl.DataFrame):
    assert 0.0005 < bars["suspended"].mean() < 0.02
    assert 0.01 < bars["is_st"].mean() < 0.1
    switches = bars.select((pl.col("is_st") != pl.col("is_st").shift()).over("symbol", order_by="date").sum()).item()
    assert switches < 100, "a stock becomes ST, or is freed, once a year at most"


def test_a_stock_is_st_in_the_year_before_it_leaves(stocks: pl.DataFrame, bars: pl.DataFrame):
    leaving = stocks.filter(pl.col("delist_date") > date(2025, 6, 1))
    assert leaving.height
    for symbol, last in leaving.select("symbol", "delist_date").iter_rows():
        final = bars.filter(pl.col("symbol") == symbol).sort("date").tail(200)
        assert final["is_st"].all()
        assert final["date"].max() == last


def test_the_market_moves_like_one(traded: pl.DataFrame):
    daily = traded.group_by("date").agg(((pl.col("close") / pl.col("prev_close") - 1) * 100).mean().alias("change"))

    assert 0.4 < daily["change"].std() < 2.5
    assert abs(daily["change"].mean()) < 0.3
    assert traded["close"].is_between(0.5, 3000).all()
