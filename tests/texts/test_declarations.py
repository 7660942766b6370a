"""The Chinese of what tables, indicators and strategies declare: complete, and shown as a native reader writes it."""

import re

import pytest
from support.spoken import declarations

from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.strategies.registry import strategies
from mystocks_dagster.texts.declarations import (
    column_name,
    column_names,
    declared,
    strategy_name,
    strategy_names,
    texts,
)


@pytest.mark.slow
def test_every_unit_and_every_description_of_an_indicator_or_strategy_is_in_chinese():
    assert sorted(declarations() - texts().keys()) == []


@pytest.mark.slow
def test_no_chinese_is_left_of_a_declaration_that_is_gone():
    assert sorted(texts().keys() - declarations()) == []


def test_every_column_of_every_table_has_a_chinese_name():
    columns = [(table.name, column) for table in TABLES.values() for column in table.stored.columns]
    assert [(table, one.name) for table, one in columns if not column_name(table, one.name, one.label, "zh")] == []
    of_signals = {"rank", "ranked"}  # values behind the signals of the strategies that rank
    known = of_signals | {one.name for _, one in columns} | {f"{table}.{one.name}" for table, one in columns}
    assert sorted(column_names().keys() - known) == []


def test_the_chinese_has_no_english_punctuation():
    """A comma, colon or semicolon directly behind a Chinese character gives a translated text away."""
    assert [text for text in texts().values() if re.search("[\u4e00-\u9fff][,;:]", text)] == []


def test_a_description_is_told_paragraph_by_paragraph_and_a_users_own_one_stays():
    doc = "Two averages 均线金叉死叉: buy when MA5 rises above MA20, sell when MA20 rises above MA5."
    told = declared(f"{doc}\n\nOf several purchases of one day the lowest\nRSI6 of the bar before comes first.", "zh")
    assert told.split("\n\n")[1] == "同日有多个买入时，前一根 RSI6 最低的优先。"
    assert declared("my own idea", "zh") == "my own idea"
    assert declared(doc, "en") == doc


def test_the_name_that_a_dataset_file_gives_a_column_comes_before_the_common_one():
    assert column_name("margin", "margin_balance", "融资余额", "zh") == "融资余额"
    assert column_name("my_table", "cash", "现金", "zh") == "现金"
    assert column_name("daily_bars", "close", "", "zh") == "收盘价"
    assert column_name("daily_bars", "close", "", "en") == ""


def test_every_shipped_strategy_has_the_chinese_name_that_its_description_begins_with():
    """And no strategy that is gone has one."""
    shipped = {name: one for name, one in strategies().items() if one.shipped}
    described = {name: declared(one.doc, "zh").partition("：")[0] for name, one in shipped.items()}
    assert strategy_names() == described
    assert strategy_name("my_idea", "zh") == "my_idea"
