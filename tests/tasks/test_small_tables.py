"""Index and ETF bars of a market's past are written beside the daily bars, several years at once."""

from datetime import date

import polars as pl
import pytest

from mystocks_dagster.errors import ContractBroken
from mystocks_dagster.lake.loads import complete_days, record_days
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.market.tables.market import ETF_BARS
from mystocks_dagster.sources.checked import RejectedRows
from mystocks_dagster.tasks.known_days import KnownDays
from mystocks_dagster.tasks.small_tables import LoadedTable, SmallTables

YEARS = (2022, 2023, 2024)
DAYS = shanghai().sessions(date(2022, 1, 1), date(2024, 12, 31))


def etf(lake: Lake) -> LoadedTable:
    return LoadedTable(name="etf_bars", wanted=DAYS, known=KnownDays.of(lake, "etf_bars"))


def year(number: int, close: float = 4.0) -> pl.DataFrame:
    days = [day for day in DAYS if day.year == number]
    prices = dict.fromkeys(("open", "high", "low", "close"), close)
    return ETF_BARS.typed(pl.DataFrame([{"symbol": "510300.SH", "date": day, **prices} for day in days]))


def test_several_years_are_one_commit_and_their_days_are_recorded(lake: Lake):
    table = etf(lake)
    with SmallTables("tdx", lake, record_days) as small:
        for number in YEARS:
            small.take(table, year(number), RejectedRows())
        assert not lake.exists("etf_bars")
    log = lake.log("etf_bars")
    assert log is not None
    assert log.version() == 1  # the table was created, and filled
    assert lake.days("etf_bars") == DAYS
    assert list(complete_days(lake, "etf_bars")) == DAYS


def test_when_the_source_fails_the_years_before_are_stored(lake: Lake):
    small = SmallTables("tdx", lake, record_days)
    small.take(etf(lake), year(2022), RejectedRows())
    small.__exit__(ConnectionError, ConnectionError("the source failed"), None)
    assert list(complete_days(lake, "etf_bars")) == [day for day in DAYS if day.year == 2022]


def test_an_error_of_the_thread_that_writes_is_raised_and_nothing_is_recorded(lake: Lake):
    with pytest.raises(ContractBroken, match="not a finite number"), SmallTables("tdx", lake, record_days) as small:
        small.take(etf(lake), year(2022, float("inf")), RejectedRows())
    assert not lake.exists("loaded_days")
