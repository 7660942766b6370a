"""Statements, capital flow and snapshots of the simulated market: they add up, and agree with its bars."""

from collections.abc import Callable
from datetime import date
from itertools import pairwise

import polars as pl
import pytest

from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.simulated.source import SimulatedSource

#: Seconds of computing each: not among the quick tests.
pytestmark = pytest.mark.slow

Open = Callable[..., SimulatedSource]
QUARTERS = [
    date(year, month, day) for year in (2023, 2024, 2025, 2026) for month, day in ((3, 31), (6, 30), (9, 30), (12, 31))
]
NETS = ["main_net", "super_large_net", "large_net", "medium_net", "small_net"]


@pytest.fixture
def simulated(monkeypatch: pytest.MonkeyPatch) -> Open:
    def opened(now: str = "2026-11-24T16:00:00+08:00") -> SimulatedSource:
        monkeypatch.setenv("MYSTOCKS_NOW", now)
        return SimulatedSource(Settings.from_env())

    return opened


def day_bars(source: SimulatedSource, day: date) -> pl.DataFrame:
    return pl.concat(source.daily_bars([day]))


def test_assets_are_liabilities_and_equity_to_the_yuan(simulated: Open):
    sheets = simulated().statements("balance_sheets", QUARTERS)

    assert sheets.height > 3000
    assert (sheets["total_assets"] == sheets["total_liabilities"] + sheets["total_equity"]).all()
    assert (sheets["cash"] + sheets["receivables"] + sheets["inventory"] <= sheets["total_assets"]).all()
    assert (sheets["payables"] <= sheets["total_liabilities"]).all()
    assert (sheets.select(pl.col(pl.Float64).min()).row(0)) > (0,)


def test_cash_flows_add_up_to_the_change_of_cash_since_new_year(simulated: Open):
    source = simulated()
    flows, sheets = source.statements("cash_flows", QUARTERS), source.statements("balance_sheets", QUARTERS)

    assert (flows["operating"] + flows["investing"] + flows["financing"] == flows["net_change"]).all()
    opening = sheets.filter(pl.col("period").dt.month() == 12).select(
        "symbol", year=pl.col("period").dt.year() + 1, opening="cash"
    )
    both = (
        flows.join(sheets, on=["symbol", "period"])
        .with_columns(year=pl.col("period").dt.year())
        .join(opening, on=["symbol", "year"])
    )
    assert both.height > 2000
    assert (both["cash"] - both["opening"] == both["net_change"]).all()


def test_income_is_cumulated_over_the_year(simulated: Open):
    income = simulated().statements("income_statements", QUARTERS)
    year = income.filter(pl.col("period").dt.year() == 2025).sort("symbol", "period")

    assert (income["revenue"] - income["operating_cost"] == income["operating_profit"]).all()
    assert (year["revenue"].diff() > 0).filter(year["symbol"] == year["symbol"].shift()).all()
    assert (income["net_profit"] <= income["total_profit"]).all()
    assert 0.02 < (income["net_profit"] < 0).mean() < 0.4, "some lose money"


def test_statements_are_published_within_the_legal_seasons(simulated: Open):
    sheets = simulated().statements("balance_sheets", QUARTERS)
    deadline = {3: (0, 4, 30), 6: (0, 8, 31), 9: (0, 10, 31), 12: (1, 4, 30)}
    for period, notice in sheets.select("period", "notice_date").iter_rows():
        later, month, day = deadline[period.month]
        assert period < notice <= date(period.year + later, month, day)
    years = sheets.filter(pl.col("period").dt.month() == 12).select(
        "symbol", year=pl.col("period").dt.year() + 1, annual="notice_date"
    )
    firsts = (
        sheets.filter(pl.col("period").dt.month() == 3)
        .with_columns(year=pl.col("period").dt.year())
        .join(years, on=["symbol", "year"])
    )
    assert (firsts["notice_date"] >= firsts["annual"]).all(), (
        "a first quarter does not come before the year that precedes it"
    )


def test_only_what_is_published_by_now_is_given_and_it_stays(simulated: Open):
    now, then = (
        simulated().statements("income_statements", QUARTERS),
        simulated("2026-04-20T12:00:00+08:00").statements("income_statements", QUARTERS),
    )

    assert then["notice_date"].max() <= date(2026, 4, 20)
    assert then.equals(now.filter(pl.col("notice_date") <= date(2026, 4, 20)))
    assert (
        0
        < then.filter(pl.col("period") == date(2025, 12, 31)).height
        < now.filter(pl.col("period") == date(2025, 12, 31)).height
    )


def test_only_listed_stocks_publish_and_only_quarters_are_reported(simulated: Open):
    source = simulated()
    life = source.stocks(include_delisted=True).select("symbol", "list_date", "delist_date")
    both = source.statements("balance_sheets", QUARTERS).join(life, on="symbol")

    assert (
        both.filter(
            (pl.col("notice_date") < pl.col("list_date")) | (pl.col("notice_date") > pl.col("delist_date"))
        ).height
        == 0
    )
    assert source.statements("balance_sheets", [date(2025, 5, 15)]).height == 0
    assert source.statements("balance_sheets", []).height == 0


def test_flows_of_every_stock_that_traded_cancel_out(simulated: Open):
    source, day = simulated(), date(2026, 11, 23)
    flows, bars = source.capital_flow("stock", day), day_bars(source, day)

    assert flows["symbol"].to_list() == bars.filter(~pl.col("suspended"))["symbol"].to_list()
    assert (flows["main_net"] == flows["super_large_net"] + flows["large_net"]).all()
    assert (flows["main_net"] + flows["medium_net"] + flows["small_net"] == 0).all()
    both = flows.join(bars, on="symbol")
    assert (both["main_net"].abs() < both["amount"]).all()
    assert (both["change_pct"] - (both["close"] / both["prev_close"] - 1) * 100).abs().max() < 0.0001


def test_flows_of_industries_and_concepts_are_sums_over_stocks(simulated: Open):
    source, day = simulated(), date(2026, 11, 23)
    stocks = source.capital_flow("stock", day).select(pl.sum(NETS)).row(0)

    industries, concepts = source.capital_flow("sector", day), source.capital_flow("concept", day)

    assert industries.height > 25
    assert concepts.height > 25
    assert industries.select(pl.sum(NETS)).row(0) == stocks, "every stock has one industry"
    assert concepts.select(pl.sum(NETS)).row(0) == tuple(3 * net for net in stocks), "every stock has three concepts"


def test_at_the_close_the_snapshot_is_the_days_bar(simulated: Open):
    source = simulated("2026-11-24T15:00:00+08:00")
    bars = day_bars(source, date(2026, 11, 24))
    quotes = source.quotes("stock_quotes")

    assert quotes["symbol"].to_list() == bars["symbol"].to_list()
    traded, shown = bars.filter(~pl.col("suspended")), quotes.filter(pl.col("price").is_not_null())
    assert shown["symbol"].to_list() == traded["symbol"].to_list()
    for ours, theirs in {
        "price": "close",
        **{name: name for name in ("open", "high", "low", "prev_close", "volume", "amount", "turnover")},
    }.items():
        assert (shown[ours] == traded[theirs]).all(), ours


def test_within_the_day_high_low_volume_and_amount_only_grow_to_the_bars(simulated: Open):
    moments = [
        f"2026-11-24T{clock}:00+08:00" for clock in ("09:30", "10:11", "11:30", "12:30", "13:00", "14:20", "15:00")
    ]
    snapshots = [simulated(moment).quotes("stock_quotes").filter(pl.col("price").is_not_null()) for moment in moments]

    for before, after in pairwise(snapshots):
        assert (before["open"] == after["open"]).all()
        assert (before["high"] <= after["high"]).all()
        assert (before["low"] >= after["low"]).all()
        assert (before["volume"] <= after["volume"]).all()
        assert (before["amount"] <= after["amount"]).all()
        assert after.filter((pl.col("price") > pl.col("high")) | (pl.col("price") < pl.col("low"))).height == 0
    noon, lunch = snapshots[2].drop("time"), snapshots[3].drop("time")
    assert noon.equals(lunch), "nobody trades between 11:30 and 13:00"
    assert not snapshots[1].drop("time").equals(noon)


def test_a_snapshot_carries_one_moment_and_its_trading_day(simulated: Open):
    quotes = simulated("2026-11-24T10:30:15.123456+08:00").quotes("stock_quotes")

    assert [str(moment) for moment in quotes["time"].unique()] == ["2026-11-24 10:30:15+08:00"]
    assert quotes["date"].unique().to_list() == [date(2026, 11, 24)]


@pytest.mark.parametrize(
    ("now", "day", "priced"),
    [
        ("2026-11-24T09:14:59+08:00", date(2026, 11, 23), True),
        ("2026-11-24T09:15:00+08:00", date(2026, 11, 24), False),
        ("2026-11-24T09:25:00+08:00", date(2026, 11, 24), True),
        ("2026-11-22T11:00:00+08:00", date(2026, 11, 20), True),
        ("2026-10-05T11:00:00+08:00", date(2026, 9, 30), True),
    ],
)
@pytest.mark.parametrize("table", ["stock_quotes", "etf_quotes"])
def test_outside_trading_hours_the_last_session_is_shown(
    simulated: Open, table: str, now: str, day: date, priced: bool
):
    quotes = simulated(now).quotes(table)

    assert quotes["date"].unique().to_list() == [day]
    assert (quotes["price"].drop_nulls().len() > 0) is priced


def test_before_the_first_session_of_the_market_there_is_no_snapshot(simulated: Open):
    source = simulated("2024-01-02T09:00:00+08:00")

    assert source.quotes("stock_quotes").height == 0
    assert source.quotes("etf_quotes").height == 0


def test_suspended_stocks_have_no_price_in_a_snapshot(simulated: Open):
    source = simulated()
    bars = pl.concat(source.daily_bars(shanghai().sessions(date(2026, 1, 5), date(2026, 11, 24))))
    symbol, day = bars.filter("suspended").select("symbol", "date").row(0)

    quote = (
        simulated(f"{day}T14:00:00+08:00")
        .quotes("stock_quotes")
        .row(by_predicate=pl.col("symbol") == symbol, named=True)
    )

    assert (quote["price"], quote["open"], quote["change_pct"]) == (None, None, None)
    assert (quote["volume"], quote["amount"]) == (0, 0.0)
    assert quote["prev_close"] > 0


def test_funds_quote_their_premium_over_the_estimated_value(simulated: Open):
    early, late = (
        simulated("2026-11-24T10:00:00+08:00").quotes("etf_quotes"),
        simulated("2026-11-24T15:00:00+08:00").quotes("etf_quotes"),
    )
    tomorrow = simulated("2026-11-25T10:00:00+08:00").quotes("etf_quotes")

    for quotes in (early, late):
        assert ((quotes["price"] / quotes["iopv"] - 1) * 100 - quotes["premium_pct"]).abs().max() < 0.0001
        assert quotes["premium_pct"].abs().max() < 2
        assert ((quotes["price"] / quotes["prev_close"] - 1) * 100 - quotes["change_pct"]).abs().max() < 0.0001
        assert (quotes["high"] >= quotes["price"]).all()
        assert (quotes["low"] <= quotes["price"]).all()
        assert (quotes["price"] * 1000 - (quotes["price"] * 1000).round(0)).abs().max() < 1e-6
    assert (early["volume"] < late["volume"]).all()
    assert (tomorrow["prev_close"] == late["price"]).all(), "today's last price is tomorrow's previous close"
    assert set(early["symbol"].str.slice(0, 2)) == {"51", "15"}
