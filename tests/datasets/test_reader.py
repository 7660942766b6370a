"""Mistakes in a dataset file: each is shown with its line and a remedy, and nothing in it is executed."""

from pathlib import Path

import pytest

from mystocks_dagster.datasets.reader import read_dataset
from mystocks_dagster.market.tables import BUILT_IN
from mystocks_dagster.taskfile.problems import Problem, TaskFileError
from mystocks_dagster.texts.catalogue import translate

GOOD = """\
title: 大宗交易
about: Block trades
about_zh: 大宗交易
domain: flows
key: [date, symbol]
by_day: true
available_after: "18:00"
call:
  function: stock_dzjy_mrmx
  arguments: {symbol: A股, start_date: "{day:%Y%m%d}", end_date: "{day:%Y%m%d}"}
columns:
  date: {source: 交易日期, type: day}
  symbol: {source: 证券代码, type: stock}
  price: {source: 成交价, type: number, unit: CNY, optional: true}
unused: [序号]
rules:
  positive: price > 0
"""


def problems(tmp_path: Path, *changes: tuple[str, str], name: str = "trades") -> list[Problem]:
    text = GOOD
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    path = tmp_path / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    try:
        read_dataset(path, BUILT_IN)
    except TaskFileError as error:
        return list(error.problems)
    return []


def test_the_good_file_has_no_problem(tmp_path: Path) -> None:
    assert problems(tmp_path) == []


@pytest.mark.parametrize(
    ("old", "new", "line", "message", "hint"),
    [
        ("stock_dzjy_mrmx", "stock_dzjy_mrmxx", 9, "akshare has no public function",
         "Did you mean 'stock_dzjy_mrmx'"),
        ("stock_dzjy_mrmx", "__import__", 9, "akshare has no public function '__import__'", ""),
        ("stock_dzjy_mrmx", "os.system", 9, "akshare has no public function 'os.system'", ""),
        ("stock_dzjy_mrmx", "utils.func.fetch_paginated_data", 9, "akshare has no public function", ""),
        ("{symbol: A股", "{simbol: A股", 10, "takes no argument 'simbol'", "Did you mean 'symbol'?"),
        ('start_date: "{day:%Y%m%d}"', 'start_date: "{dai}"', 10, "there is no placeholder {dai}",
         "Did you mean 'day'?"),
        ('start_date: "{day:%Y%m%d}"', 'start_date: "{day.year}"', 10, "a brace that belongs to no placeholder",
         "{day}"),
        ('start_date: "{day:%Y%m%d}"', 'start_date: "{day:%s}"', 10, "is not the form of a day", "{day:%Y%m%d}"),
        ("type: number", "type: nummber", 14, "type cannot be 'nummber'", "Did you mean 'number'?"),
        ("unit: CNY, ", "", 14, "unit is missing", "Add the unit"),
        ("source: 成交价, ", "", 14, "neither source nor value", "Write `source"),
        ("type: stock", "type: stock, scale: 100", 13, "only a number or a count has a scale", "Remove it."),
        ("key: [date, symbol]", "key: [date, symbol, date]", 5, "date is in the key twice", "Name it once."),
        ("key: [date, symbol]", "key: [date, symbl]", 5, "there is no column 'symbl'", "Did you mean 'symbol'?"),
        ("key: [date, symbol]", "key: [symbol]", 5, "the key of a table by trading day contains date", "Add date."),
        ("price > 0", "prise > 0", 17, "there is no column 'prise'", "Did you mean 'price'?"),
        ("price > 0", "price > '0'", 17, "is a text and is compared with a number", ""),
        ("price > 0", "{holds: price > 0, otherwise: value}", 17, "belong together", "Name the column."),
        ("domain: flows", "domain: flow", 4, "domain cannot be 'flow'", "Did you mean 'flows'?"),
        ("by_day: true", "by_dy: true", 6, "unknown key 'by_dy'", "Did you mean 'by_day'?"),
        ('"18:00"', '"25:00"', 7, "'25:00' is neither a time of day", 'Write "18:00"'),
        ("title: 大宗交易\n", "", 1, "title is missing", "Add title"),
        ("  date: {source: 交易日期, type: day}\n", "  class: {source: x, type: day}\n", 12,
         "class is a reserved word", "Use"),
        ("call:\n  function: stock_dzjy_mrmx", "files:\n  pattern: /etc/*.csv\ncall:\n  function: stock_dzjy_mrmx", 9,
         "is not below the project's folder", "incoming"),
        ("unused: [序号]", "unused: !!python/object:os.system [id]", 15, "is not allowed", "Write a plain value."),
    ],
)  # fmt: skip
def test_a_mistake_is_shown_with_its_line_and_a_remedy(
    old: str, new: str, line: int, message: str, hint: str, tmp_path: Path
) -> None:
    found = problems(tmp_path, (old, new))
    assert [problem.line for problem in found if message in problem.message and hint in problem.hint] == [line], found


@pytest.mark.parametrize("pattern", ["../other/*.csv", "~/x.csv", "C:\\\\x.csv", "a/../../x.csv"])
def test_a_pattern_that_leaves_the_project_is_refused(pattern: str, tmp_path: Path) -> None:
    text = GOOD[: GOOD.index("call:")] + f'files: {{pattern: "{pattern}"}}\n' + GOOD[GOOD.index("columns:") :]
    path = tmp_path / "trades.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(TaskFileError, match="is not below the project's folder"):
        read_dataset(path, BUILT_IN)


def test_a_file_may_not_redefine_a_table(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, name="daily_bars")
    assert "daily_bars is a table of the lake already" in problem.message
    assert "`table: daily_bars`" in problem.hint


def test_a_file_that_fills_a_table_gives_no_columns_of_its_own(tmp_path: Path) -> None:
    columns = "\n".join(f"  {name}: {{source: {name}}}" for name in ("symbol", "date", "nav"))
    text = f"table: etf_bars\nfiles: {{pattern: x.csv}}\ncolumns:\n{columns}\n"
    path = tmp_path / "nav.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(TaskFileError) as raised:
        read_dataset(path, BUILT_IN)
    messages = [problem.message for problem in raised.value.problems]
    assert "etf_bars has no column 'nav'" in messages
    assert "the column close of etf_bars is missing" in messages


def test_text_that_is_not_yaml_is_shown_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "trades.yaml"
    path.write_text("title: x\n\tabout: y\n", encoding="utf-8")
    with pytest.raises(TaskFileError, match=r"trades\.yaml:2"):
        read_dataset(path, BUILT_IN)


@pytest.mark.parametrize(
    ("text", "message"), [("", "empty"), ("# to be written\n", "empty"), ("- title\n", "mapping of fields")]
)
def test_a_file_without_fields_is_told_what_a_dataset_has(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "trades.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(TaskFileError) as raised:
        read_dataset(path, BUILT_IN)
    told = translate(str(raised.value), "zh")
    assert message in str(raised.value)
    assert "task" not in str(raised.value)
    assert "docs/datasets.md has an example" in str(raised.value)
    assert "数据集文件" in told
    assert "docs/datasets.md 有例子" in told
