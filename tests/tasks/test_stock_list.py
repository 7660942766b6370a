"""The stock list of a source that does not cover all exchanges: those of the others stay, and are not missed."""

from datetime import date, datetime

import polars as pl
import pytest

from mystocks_dagster.errors import TaskFailed
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.clock import SHANGHAI
from mystocks_dagster.market.tables.reference import STOCKS
from mystocks_dagster.tasks.stock_list import sync_stock_list

DAY = date(2026, 11, 24)
AT = datetime(2026, 11, 24, 18, tzinfo=SHANGHAI)
BEIJING = [f"92{number:04}.BJ" for number in range(30)]
OTHERS = [f"60{number:04}.SH" for number in range(70)] + ["000001.SZ"]


def stocks(symbols: list[str], **fields: object) -> pl.DataFrame:
    rows = [
        {"symbol": symbol, "name": symbol[:6], "exchange": symbol[-2:], "board": "main", "is_st": False,
         "list_date": date(2020, 1, 2), "delist_date": None, "updated_at": AT, **fields}
        for symbol in symbols
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=STOCKS.dtypes)


class Source:
    """A source that lists these stocks."""

    def __init__(self, name: str, listed: pl.DataFrame) -> None:
        self.name, self._listed = name, listed

    def stocks(self, *, include_delisted: bool) -> pl.DataFrame:
        """Return the list."""
        return self._listed


@pytest.fixture
def lake(tmp_path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """A lake with the list of three exchanges."""
    monkeypatch.setenv("MYSTOCKS_NOW", f"{AT.isoformat()}")
    lake = Lake(str(tmp_path / "lake"), "real")
    lake.replace_all("stocks", STOCKS.stamped(stocks(BEIJING + OTHERS), "akshare", AT))
    return lake


def sync(lake: Lake, source: str, listed: pl.DataFrame, *, include_delisted: bool = False) -> dict[str, int]:
    fresh = STOCKS.stamped(listed, source, AT)
    given = {"include_delisted": include_delisted, "force": True}
    return dict(sync_stock_list(Source(source, fresh), lake, DAY, **given).rows)  # ty: ignore[invalid-argument-type]


@pytest.mark.parametrize("include_delisted", [False, True])
def test_baostock_which_has_no_stock_of_beijing_refreshes_the_others(lake: Lake, *, include_delisted: bool) -> None:
    assert sync(lake, "baostock", stocks(OTHERS, name="new"), include_delisted=include_delisted) == {"stocks": 71}
    names = dict(lake.read("stocks").select("symbol", "name").iter_rows())
    assert (names["000001.SZ"], names["920003.BJ"], len(names)) == ("new", "920003", 101)
    givers = lake.read("stocks", columns=["symbol", "source"]).group_by("source").len()
    assert dict(givers.iter_rows()) == {"akshare": 30, "baostock": 71}


def test_a_list_that_lacks_stocks_of_its_own_exchanges_is_refused(lake: Lake) -> None:
    with pytest.raises(TaskFailed, match="baostock lists 68 stocks of SH, SZ, but 71 of them are stored"):
        sync(lake, "baostock", stocks(OTHERS[:68]))


def test_a_source_of_all_exchanges_is_refused_without_beijing(lake: Lake) -> None:
    with pytest.raises(TaskFailed, match="akshare lists 71 stocks of SH, SZ, BJ, but 101 of them are stored"):
        sync(lake, "akshare", stocks(OTHERS))
