"""What the installed YAML reader, DuckDB and pydantic say of usual mistakes is told in Chinese."""

import importlib
import inspect
import re
from datetime import date
from typing import Annotated, Any

import pytest
from pydantic import Field, TypeAdapter, ValidationError

from mystocks_dagster.dagster_internals import CheckRunHealthResult, WorkerStatus
from mystocks_dagster.errors import QueryRefused
from mystocks_dagster.lake.sql import query
from mystocks_dagster.taskfile.yaml.tree import Malformed, parse
from mystocks_dagster.texts.catalogue import translate

#: Words of English; names within quotes, capitals and data are none.
ENGLISH = re.compile(r"\b[a-z]{2,} [a-z]{2,}\b")
BARS = "(SELECT 'a' AS symbol, DATE '2024-01-02' AS date, 1.0 AS close) AS bars"


@pytest.mark.parametrize(
    "text",
    [
        "a: b: c",
        "tasks: [",
        "a: {b",
        "a:\n  - b\n c: d",
        "a: 'x",
        'a: "\\q"',
        "- a\nb: c",
        "a: @x",
        "a: &a &b c",
        "key: [a, b}",
        "a: |3x\n b",
        "a: - b",
        "a: ]",
        "a: b\n  c: d",
        "a: !<",
    ],
)
def test_a_mistake_in_yaml_is_told_in_chinese(text: str) -> None:
    with pytest.raises(Malformed) as caught:
        parse(text)
    told = translate(caught.value.message, "zh")
    assert not ENGLISH.search(told)
    assert "原文" not in told


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM daily_bar",
        f"SELECT clse FROM {BARS}",
        f"SELECT bars.clse FROM {BARS}",
        f"SELECT x.close FROM {BARS}",
        f"SELECT * FROM {BARS} WHERE date = '2024'",
        f"SELECT symbol, close FROM {BARS} GROUP BY symbol",
        f"SELECT * FROM {BARS} WHERE sum(close) > 1",
        f"SELECT * FROM {BARS} ORDER BY 9",
        f"SELECT date > 1 FROM {BARS}",
        "SELECT 'x'::INT",
        "SELECT nosuch(1)",
        "SELECT 'abc",
        "SELCT 1",
        "SELECT 1 FROM",
        "SELECT 1 UNION SELECT 1, 2",
    ],
)
def test_a_mistake_in_sql_is_told_in_chinese(sql: str) -> None:
    with pytest.raises(QueryRefused) as caught:
        query({}, sql)
    told = translate(str(caught.value), "zh")
    assert told.startswith(("查询失败：", "没有表"))
    assert "原文" not in told
    assert not ENGLISH.search(told.partition("\n\n")[0])


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (int, "abc"),
        (int, 1.5),
        (float, "x"),
        (bool, "perhaps"),
        (str, 5),
        (list[str], 5),
        (dict[str, str], 5),
        (date, "2024-13-01"),
        (date, "soon"),
        (Annotated[int, Field(ge=1, le=9)], 0),
        (Annotated[int, Field(ge=1, le=9)], 10),
        (Annotated[int, Field(gt=1)], 1),
        (Annotated[int, Field(lt=1)], 1),
        (Annotated[str, Field(min_length=1)], ""),
        (Annotated[str, Field(max_length=2)], "abc"),
        (Annotated[list[int], Field(max_length=2)], [1, 2, 3]),
    ],
)
def test_a_wrong_value_in_a_request_is_told_in_chinese(kind: Any, value: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(kind).validate_python(value)
    told = translate(caught.value.errors()[0]["msg"], "zh")
    assert not ENGLISH.search(told), told


def test_a_run_whose_process_was_killed_is_reported_in_chinese() -> None:
    module = importlib.import_module("dagster._daemon.monitoring.run_monitoring")
    assert 'f"Detected run worker status {check_health_result}. Marking run"' in inspect.getsource(module)
    gone = "the run's process 5 is gone: it was killed, or the machine went down"
    result = CheckRunHealthResult(WorkerStatus.FAILED, gone)
    written = f"Detected run worker status {result}. Marking run 3f2a as failed."
    told = translate(written, "zh")
    assert told == "此次运行的进程 5 已不存在：它被强制结束，或机器宕机。运行 3f2a 已标记为失败。"
