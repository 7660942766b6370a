"""The declarations of the lake's tables: complete, in their domain's module, and importable from their former place."""

import re
from typing import get_args

import polars as pl
import pytest

from mystocks_dagster.market.table import Domain, Table
from mystocks_dagster.market.tables import DOMAINS, TABLES
from mystocks_dagster.market.tables.market import DAILY_BARS


def test_every_table_stands_in_the_module_of_its_domain():
    assert [module.__name__.rpartition(".")[2] for module in DOMAINS] == [
        "reference", "market", "fundamentals", "flows", "indicators", "research", "system",
    ]  # fmt: skip
    assert {module.__name__.rpartition(".")[2] for module in DOMAINS} == set(get_args(Domain))
    for module in DOMAINS:
        declared = [item for item in vars(module).values() if isinstance(item, Table)]
        assert declared
        assert {table.domain for table in declared} == {module.__name__.rpartition(".")[2]}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_every_table_says_what_it_is_in_both_languages_in_one_plain_line(table: Table):
    assert re.search(r"[\u4e00-\u9fff]", table.title)
    assert re.search(r"[\u4e00-\u9fff]", table.about_zh)
    assert table.about.isascii()
    assert table.description.startswith(table.title)
    assert not re.search(r"[*`\n]", table.description)
    assert len(table.description) < 200


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_a_key_a_day_and_a_rules_column_are_columns_of_the_table(table: Table):
    assert set(table.key) <= set(table.dtypes)
    if table.date_column:
        assert table.dtypes[table.date_column] == pl.Date
    assert all(rule.column in table.dtypes for rule in table.rules if rule.severity == "value")
    frame = table.empty()
    for rule in table.rules:
        assert frame.select(rule.breaks()).height == 0


def test_descriptions_differ_from_table_to_table():
    assert len({table.about for table in TABLES.values()}) == len(TABLES)
    assert len({table.about_zh for table in TABLES.values()}) == len(TABLES)


def test_the_former_place_still_gives_the_tables_and_says_where_they_are():
    from mystocks_dagster.market import schemas

    with pytest.warns(DeprecationWarning, match=r"now mystocks_dagster\.market\.tables\.market\.DAILY_BARS"):
        assert schemas.DAILY_BARS is DAILY_BARS
    with pytest.warns(DeprecationWarning, match=r"now mystocks_dagster\.market\.tables\.TABLES"):
        assert schemas.TABLES is TABLES
    with pytest.raises(AttributeError, match="NO_SUCH"):
        _ = schemas.NO_SUCH
