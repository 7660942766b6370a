"""A person types a code, a part of a name or the first letters of its pinyin."""

import polars as pl
import pytest

from mystocks_dagster.errors import UnknownName
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.project.market_view.securities import find, search


@pytest.mark.parametrize(
    ("text", "symbol"),
    [
        ("600519", "600519.SH"),
        ("sh600519", "600519.SH"),
        ("600519.SH", "600519.SH"),
        ("茅台", "600519.SH"),
        ("gzmt", "600519.SH"),
        ("GZ", "600519.SH"),
        ("payh", "000001.SZ"),
        ("上证", "000001.SH"),
        ("szzs", "000001.SH"),
    ],
)
def test_a_code_a_name_or_initials_lead_to_the_security(lake: Lake, text: str, symbol: str) -> None:
    assert search(lake, text)[0].symbol == symbol


def test_a_bare_code_of_a_stock_and_an_index_lists_both_and_the_stock_is_not_hidden(lake: Lake) -> None:
    assert {security.symbol for security in search(lake, "000001")} == {"000001.SZ", "000001.SH"}


@pytest.mark.parametrize("text", ["", "   ", "没有这个名字", "zzzz"])
def test_what_matches_nothing_gives_nothing(lake: Lake, text: str) -> None:
    assert search(lake, text) == []


def test_a_renamed_stock_is_found_by_its_new_name_at_once(lake: Lake) -> None:
    assert search(lake, "新名字") == []
    lake.replace_all("stocks", lake.read("stocks").with_columns(pl.col("name").replace("贵州茅台", "新名字")))
    assert [security.symbol for security in search(lake, "新名字")] == ["600519.SH"]


def test_a_stock_that_the_lake_does_not_know_is_named(lake: Lake) -> None:
    with pytest.raises(UnknownName, match=r"600000\.SH"):
        find(lake, "600000.SH")
