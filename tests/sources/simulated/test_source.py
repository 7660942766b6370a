"""The simulated market as a source: options, the passing of time, and the same history for everybody."""

import hashlib
import subprocess
import sys
from collections.abc import Callable
from datetime import date

import polars as pl
import pytest

from mystocks_dagster.errors import SettingsError
from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.registry import open_source
from mystocks_dagster.sources.simulated.source import SimulatedSource

Open = Callable[..., SimulatedSource]


@pytest.fixture
def simulated(monkeypatch: pytest.MonkeyPatch) -> Open:
    """Open the market with some options at some moment."""

    def opened(options: str = "symbols=60", now: str = "2026-11-24T16:00:00+08:00") -> SimulatedSource:
        monkeypatch.setenv("MYSTOCKS_NOW", now)
        monkeypatch.setenv("MYSTOCKS_SIMULATED", options)
        source = open_source("simulated", Settings.from_env())
        assert isinstance(source, SimulatedSource)
        return source

    return opened


def bars(source: SimulatedSource, start: date, end: date, symbols: list[str] | None = None) -> pl.DataFrame:
    frames = list(source.daily_bars(shanghai().sessions(start, end), symbols))
    return pl.concat([TABLES["daily_bars"].empty(), *frames])


def test_by_default_it_has_300_stocks_since_2024_up_to_the_latest_closed_day(simulated: Open):
    source = simulated("", now="2026-12-31T16:00:00+08:00")

    assert source.bar_days() == (date(2024, 1, 2), date(2026, 12, 31))
    assert source.stocks(include_delisted=True).height == 300
    assert source.world == "simulated:7"


def test_options_that_make_another_history_make_another_world(simulated: Open):
    assert simulated("seed=8").world == "simulated:8"
    assert simulated("seed=8, symbols=60,start=2023-01-01").world == "simulated:8,symbols=60,start=2023-01-03"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("symbol=3", "Did you mean 'symbols'"),
        ("symbols=0", "from 1 to 8000"),
        ("symbols=many", "from 1 to 8000"),
        ("symbols", "from 1 to 8000"),
        ("seed=-1", "whole number"),
        ("seed=1,seed=2", "twice"),
        ("start=02.01.2024", "it must be a date like 2024-01-02"),
        ("start=1999-01-04", "from 2005-01-04"),
        ("start=2027-01-04", "to 2026-12-31"),
    ],
)
def test_options_that_cannot_be_meant_are_refused_with_the_remedy(simulated: Open, options: str, says: str):
    with pytest.raises(SettingsError, match=says):
        simulated(options)


def test_a_market_that_has_not_begun_says_so(simulated: Open):
    source = simulated("", now="2023-06-01T16:00:00+08:00")

    for ask in (
        source.bar_days,
        lambda: list(source.daily_bars([date(2023, 5, 4)])),
        lambda: source.quotes("stock_quotes"),
    ):
        with pytest.raises(SettingsError, match="begins on 2024-01-02"):
            ask()


def test_it_goes_on_as_days_pass_and_the_past_stays(simulated: Open):
    earlier = bars(simulated(now="2025-04-07T14:59:00+08:00"), date(2024, 1, 2), date(2026, 12, 31))
    later = bars(simulated(now="2026-11-24T16:00:00+08:00"), date(2024, 1, 2), date(2026, 12, 31))

    assert earlier["date"].max() == date(2025, 4, 3), "the seventh is not over, the fourth was a holiday"
    assert later["date"].max() == date(2026, 11, 24)
    assert earlier.equals(later.filter(pl.col("date") <= date(2025, 4, 3)))


def test_one_process_lives_through_midnight(simulated: Open, monkeypatch: pytest.MonkeyPatch):
    source = simulated(now="2025-04-07T23:59:00+08:00")
    assert source.bar_days()[1] == date(2025, 4, 7)
    before = bars(source, date(2025, 4, 7), date(2025, 4, 8))

    monkeypatch.setenv("MYSTOCKS_NOW", "2025-04-08T15:30:00+08:00")

    after = bars(source, date(2025, 4, 7), date(2025, 4, 8))
    assert after["date"].unique().sort().to_list() == [date(2025, 4, 7), date(2025, 4, 8)]
    assert before.equals(after.filter(pl.col("date") == date(2025, 4, 7)))


def test_the_market_ends_with_the_published_calendar(simulated: Open):
    source = simulated(now="2027-03-01T16:00:00+08:00")

    assert source.bar_days()[1] == date(2026, 12, 31)
    assert source.quotes("stock_quotes")["date"].unique().to_list() == [date(2026, 12, 31)]


def test_bars_do_not_depend_on_what_is_asked_for(simulated: Open):
    whole = bars(simulated(), date(2024, 1, 2), date(2026, 11, 24))

    day = bars(simulated(), date(2025, 6, 3), date(2025, 6, 3))
    some = bars(simulated(), date(2025, 1, 2), date(2025, 12, 31), ["600000.SH", "300001.SZ"])

    assert day.equals(whole.filter(pl.col("date") == date(2025, 6, 3)))
    assert some.equals(
        whole.filter(pl.col("date").dt.year() == 2025, pl.col("symbol").is_in(["600000.SH", "300001.SZ"]))
    )


def test_a_larger_market_holds_the_smaller_one_unchanged(simulated: Open):
    small = bars(simulated("symbols=60"), date(2024, 1, 2), date(2024, 12, 31))
    large = bars(simulated("symbols=150"), date(2024, 1, 2), date(2024, 12, 31))

    assert large["symbol"].n_unique() > small["symbol"].n_unique()
    assert small.equals(large.filter(pl.col("symbol").is_in(small["symbol"].unique().to_list())))


def test_another_seed_is_another_market(simulated: Open):
    week = date(2024, 1, 2), date(2024, 1, 8)

    assert not bars(simulated("seed=7"), *week).equals(bars(simulated("seed=8"), *week))


def test_another_process_makes_the_same_market(simulated: Open):
    def digest(frame: pl.DataFrame) -> str:
        return hashlib.sha256(frame.write_csv().encode()).hexdigest()

    program = """
import hashlib, polars as pl
from datetime import date
from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.registry import open_source
source = open_source("simulated", Settings.from_env())
print(hashlib.sha256(pl.concat(source.daily_bars([date(2026, 11, 23), date(2026, 11,
    24)])).write_csv().encode()).hexdigest())
"""
    here = digest(bars(simulated(), date(2026, 11, 23), date(2026, 11, 24)))

    there = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip()

    assert there == here


def test_every_table_that_it_offers_obeys_its_contract(simulated: Open):
    source = simulated("")
    day = date(2026, 11, 24)
    frames = {
        "stocks": source.stocks(include_delisted=True),
        "daily_bars": bars(source, date(2026, 11, 2), day),
        "corporate_actions": source.corporate_actions(date(2026, 5, 6), day),
        "longhubang": source.longhubang(date(2026, 11, 2), day),
        **{
            table: source.statements(table, [date(2026, 9, 30)])
            for table in ("balance_sheets", "income_statements", "cash_flows")
        },
        **{table: source.quotes(table) for table in ("stock_quotes", "etf_quotes")},
        **{f"capital_flow_{kind}": source.capital_flow(kind, day) for kind in ("stock", "sector", "concept")},
    }

    assert frames.keys() == source.offers
    for name, frame in frames.items():
        table = TABLES[name]
        assert frame.height > 0, name
        assert frame.schema == pl.Schema(table.dtypes), name
        assert not frame.select(table.key).is_duplicated().any(), name
        for column in table.columns:
            assert column.null or frame[column.name].null_count() == 0, (name, column.name)


def test_days_without_a_session_have_no_rows(simulated: Open):
    source = simulated()
    sunday, holiday, tomorrow = date(2026, 11, 22), date(2026, 10, 1), date(2026, 11, 25)

    assert list(source.daily_bars([sunday, holiday, tomorrow])) == []
    assert source.longhubang(holiday, holiday).height == 0
    assert source.capital_flow("stock", sunday).height == 0
    assert source.capital_flow("concept", tomorrow).height == 0


def test_stocks_are_listed_and_delisted_as_days_pass(simulated: Open):
    now, then = (
        simulated("").stocks(include_delisted=True),
        simulated("", now="2024-01-02T16:00:00+08:00").stocks(include_delisted=True),
    )
    living = simulated("").stocks(include_delisted=False)

    assert then.height < now.height, "some were listed since"
    assert now["list_date"].max() <= date(2026, 11, 24)
    assert living["delist_date"].null_count() == living.height
    assert now.filter(pl.col("delist_date").is_between(date(2024, 1, 2), date(2026, 11, 24))).height >= 3
    assert set(now["symbol"]) - set(living["symbol"]) == set(
        now.filter(pl.col("delist_date") < date(2026, 11, 24))["symbol"]
    )


def test_names_are_plainly_invented_and_tell_st(simulated: Open):
    stocks = simulated("").stocks(include_delisted=False)

    assert stocks["name"].str.contains("仿").all()
    assert stocks["name"].n_unique() == stocks.height
    assert (stocks["name"].str.contains("ST") == stocks["is_st"]).all()
    assert 0 < stocks["is_st"].sum() < stocks.height / 10
