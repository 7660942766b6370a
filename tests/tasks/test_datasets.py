"""The shipped datasets, each through akshare's own code against the stand-in; and what a run of one does."""

import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest
from pydantic import ValidationError
from standin.datasets import plans
from standin.market import Market
from standin.server import StandIn

from mystocks_dagster.datasets import registry
from mystocks_dagster.datasets.reader import read_dataset
from mystocks_dagster.errors import InvalidParams, SourceChanged, SourceUnavailable, TableMissing
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.lake.stored_checks import stored_checks
from mystocks_dagster.market.tables import BUILT_IN, TABLES
from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.hosts import rule_of
from mystocks_dagster.tasks.datasets import DatasetSync, sync_dataset
from mystocks_dagster.tasks.run import TaskResult, TaskRun
from mystocks_dagster.tasks.truth import truth
from mystocks_dagster.tasks.witnesses import WitnessParams, compare_sources

pytestmark = pytest.mark.slow

MONDAY = date(2025, 4, 7)


@pytest.fixture(scope="module")
def standin() -> Iterator[StandIn]:
    with StandIn(Market.small(MONDAY)) as server:
        yield server


@pytest.fixture
def run(standin: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TaskRun:
    standin.reset(standin.market)
    monkeypatch.setenv("MYSTOCKS_NOW", "2025-04-07T21:00:00+08:00")
    monkeypatch.setenv("MYSTOCKS_UPSTREAM", standin.address)
    monkeypatch.setenv("MYSTOCKS_ROOT", str(tmp_path))
    return TaskRun(
        task_id="t",
        run_id="r",
        attempt=1,
        settings=Settings.from_env(tmp_path),
        logger=logging.getLogger("test"),
        report_progress=lambda *_: None,
    )


@pytest.fixture
def lake(run: TaskRun) -> Lake:
    return run.lake()


def sync(run: TaskRun, dataset: str, **params: Any) -> TaskResult:
    return sync_dataset(DatasetSync(dataset=dataset, **params), run)


#: Dataset to its params, the number of its rows, and values of the first one by its key. They are those of the
#: stand-in in our units: lots are shares, 万 and 亿 are CNY.
PERIOD = {"periods": ["2024-12-31"]}
YEAR_END = date(2024, 12, 31)
TWO = {"symbols": ["600519.SH", "000001.SZ"]}
AUTUMN = {"period": date(2024, 9, 30), "symbol": "600519.SH", "notice": date(2024, 10, 26)}
CASES: dict[str, tuple[dict[str, Any], int, dict[str, Any]]] = {
    "balance_sheets_sina": (TWO, 3, AUTUMN | {"total_assets": 297.9e9, "total_equity": 241e9}),
    "block_trades": ({}, 2, {"symbol": "600519.SH", "price": 1470.0, "volume": 20000.0, "amount": 29400000.0}),
    "cash_flows_sina": (TWO, 3, AUTUMN | {"operating": 91.464e9, "investing": -1.785e9, "net_change": 19.61e9}),
    "concept_boards": ({}, 1, {"board": "BK0596", "name": "融资融券", "change_pct": 1.2, "rising": 30,
     "falling": 12}),
    "concept_members": ({}, 1, {"date": MONDAY, "board": "BK0596", "symbol": "600519.SH"}),
    "disclosure_dates": (PERIOD, 1, {"first_change": date(2025, 4, 3), "published": date(2025, 4, 3)}),
    "dividends": (PERIOD, 2, {"symbol": "300750.SZ", "cash": 20.11, "bonus": 0.0, "ex_date": None}),
    "earnings_reports": (PERIOD, 2, {"symbol": "600519.SH", "revenue": 174144000000.0, "roe": 36.02, "eps": 68.64}),
    "etf_bars": ({}, 3, {"symbol": "159915.SZ", "close": 2.5, "volume": 8000100, "amount": 20000250.0}),
    "holder_numbers": (PERIOD, 1, {"period": YEAR_END, "holders": 500000, "change_pct": -3.8462,
     "holders_before": 520000}),
    "income_statements_sina": (TWO, 3, AUTUMN | {"revenue": 173.144e9, "net_profit": 86.228e9}),
    "index_bars": (
        {},
        2,
        {"symbol": "000001.SH", "close": 3096.58, "prev_close": 3342.01, "volume": 765432100,
         "amount": 698765432100.0},
    ),
    "index_members": ({}, 6, {"date": MONDAY, "index": "000016", "symbol": "000001.SZ"}),
    "industry_boards": ({}, 1, {"board": "BK0475", "name": "银行", "total_value": 1.5e12, "turnover": 2.5}),
    "industry_members": ({}, 2, {"date": MONDAY, "board": "BK0475", "symbol": "000001.SZ", "name": "平安银行"}),
    "limit_down": ({}, 1, {"symbol": "000001.SZ", "close": 9.0, "change_pct": -10.0, "streak": 1,
     "last_sealed": "145900"}),
    "limit_up": ({}, 1, {"symbol": "000001.SZ", "close": 11.0, "streak": 2, "first_sealed": "092500",
     "statistic": "3/2"}),
    "longhubang_institutions": ({}, 5, {"date": date(2025, 3, 31), "buyers": 3, "net_purchase": 3500000.0}),
    "longhubang_seats": ({}, 5, {"date": date(2025, 3, 31), "seat": "10000123", "net_purchase": 50000000.0}),
    "longhubang_sina": ({"start_date": "2025-04-07"}, 2, {"symbol": "600519.SH", "close": 1500.0, "deviation": 7.12}),
    "margin": (
        {"start_date": "2025-04-07"},
        3,
        {"symbol": "000001.SZ", "margin_purchase": 12345.0, "margin_balance": 5000000.0, "total_balance": 5022000.0},
    ),
    "name_changes": ({}, 2, {"symbol": "000001.SZ", "date": date(2007, 6, 20), "old_name": "S深发展A",
     "new_name": "深发展A"}),
    "northbound": ({}, 4, {"date": date(2024, 8, 16), "channel": "沪股通", "net_purchase": 1.234e9,
     "holdings": 1.2e12}),
    "share_capital": ({"symbols": ["600519.SH"]}, 1, {"date": date(2025, 1, 8), "shares": 1256197800.0,
     "reason": "回购"}),
    "suspensions": ({}, 1, {"date": MONDAY, "since": MONDAY, "name": "万科A", "until": None}),
    "unlocks": ({}, 1, {"date": date(2025, 7, 16), "shares": 15000000.0, "tradable_shares": 12005000.0,
     "value": 9.8e8}),
    "valuation": ({}, 20, {"symbol": "000001.SZ", "pe_dynamic": 12.5, "pb": 1.8, "total_value": 8.24e8,
     "float_value": 4.12e8}),
}  # fmt: skip


def test_every_shipped_dataset_has_a_case() -> None:
    shipped = {path.stem for path in registry.SHIPPED.glob("*.yaml")}
    assert shipped == {*CASES}
    assert shipped == {dataset.name for dataset in registry.usable()}, "a shipped file has problems"


@pytest.mark.parametrize("name", CASES)
def test_a_shipped_dataset_has_the_values_of_its_source(
    name: str, run: TaskRun, lake: Lake, standin: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    params, count, expected = CASES[name]
    _arrange(name, run, standin, monkeypatch)
    result = sync(run, name, **params)
    assert result.status == "success", result.message
    dataset = registry.find(name)
    assert read_dataset(dataset.file, BUILT_IN).name == name, "functions and arguments exist in akshare"
    rows = lake.read(name).sort(dataset.table.key)
    assert rows.height == count == result.rows[name]
    first = rows.row(0, named=True)
    assert {column: first[column] for column in expected} == expected
    assert dict(rows.schema) == dataset.table.dtypes
    assert not lake.exists("quarantine") or lake.read("quarantine").is_empty()
    assert sync(run, name, **params).status == ("success" if "periods" in params or "symbols" in params else "skipped")


def _arrange(name: str, run: TaskRun, standin: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prepare what a dataset needs: the boards of its members, or a day that akshare takes for a recent one."""
    if name.endswith("_members") and name != "index_members":
        sync(run, name.replace("_members", "_boards"))
    if name == "margin":  # published on the next morning
        monkeypatch.setenv("MYSTOCKS_NOW", "2025-04-08T10:00:00+08:00")
    if name == "dividends":
        standin.answers.datasets.rows["RPT_SHAREBONUS_DET"] = plans()
    if name == "limit_down":
        import akshare.stock_feature.stock_ztb_em as pools

        clock = type("Clock", (datetime,), {"now": classmethod(lambda cls: datetime(2025, 4, 8, 12))})  # noqa: DTZ001 - as akshare has it
        monkeypatch.setattr(pools, "datetime", clock)


# ---- faults


def test_a_source_that_has_no_rows_yet_is_asked_again(run: TaskRun, lake: Lake, standin: StandIn) -> None:
    standin.fault("empty", "/api/data/v1/get")
    result = sync(run, "longhubang_seats")
    assert result.status == "partial_success"
    assert "akshare has no rows of 2025-03-31" in result.message
    assert result.failed_items[-1] == "2025-04-07"
    standin.reset(standin.market)
    assert sync(run, "longhubang_seats").rows == {"longhubang_seats": 5}


def test_an_empty_answer_is_a_complete_day_where_days_may_be_empty(run: TaskRun, standin: StandIn) -> None:
    standin.fault("empty", "/api/data/v1/get")
    result = sync(run, "block_trades")
    assert (result.status, result.rows) == ("success", {"block_trades": 0})
    assert sync(run, "block_trades").status == "skipped"


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        ("extra_key", None, "it cannot read the response"),
        ("moved_key", "DEAL_AMT", "upstream key 1 is DEAL_AMT, must be TRADE_DATE"),
        ("text_value", "DEAL_PRICE", "成交价 (DEAL_PRICE) is 'n/a', which is not a number"),
        ("refused", None, "refused the report RPT_DATA_BLOCKTRADE"),
    ],
)
def test_a_changed_format_is_refused_and_nothing_is_stored(
    kind: str, value: str | None, message: str, run: TaskRun, lake: Lake, standin: StandIn
) -> None:
    standin.fault(kind, "/api/data/v1/get", value=value)
    with pytest.raises(SourceChanged, match=re.escape(message)):
        sync(run, "block_trades", start_date="2025-04-07")
    assert not lake.exists("block_trades")


def test_a_column_that_vanished_or_appeared_is_named(
    run: TaskRun, standin: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    import akshare

    monkeypatch.setattr(
        akshare, "stock_yysj_em", lambda symbol, date: pd.DataFrame({"股票代码": ["600519"], "新": [1]})
    )
    with pytest.raises(SourceChanged, match=r"akshare .* stock_yysj_em\(\): no column 股票简称"):
        sync(run, "disclosure_dates", periods=["2024-12-31"])
    labels = (
        "股票代码",
        "股票简称",
        "首次预约时间",
        "一次变更日期",
        "二次变更日期",
        "三次变更日期",
        "实际披露时间",
        "新",
    )
    frame = pd.DataFrame([["600519", *[None] * 7]], columns=list(labels))
    monkeypatch.setattr(akshare, "stock_yysj_em", lambda symbol, date: frame)
    with pytest.raises(SourceChanged, match="unknown column 新"):
        sync(run, "disclosure_dates", periods=["2024-12-31"])


def test_rows_of_another_day_are_not_stored_as_the_requested_one(run: TaskRun, lake: Lake, standin: StandIn) -> None:
    rows = standin.answers.datasets.rows["RPT_DATA_BLOCKTRADE"]
    standin.answers.datasets.rows["RPT_DATA_BLOCKTRADE"] = [{**rows[0], "TRADE_DATE": "2025-04-03 09:00:00"}]
    standin.answers.datasets.answers_any_day = True
    with pytest.raises(SourceUnavailable, match="answered with rows of 2025-04-03 instead of 2025-04-07"):
        sync(run, "block_trades", start_date="2025-04-07")
    standin.answers.datasets.rows["RPT_DATA_BLOCKTRADE"].append(rows[1])
    with pytest.raises(SourceChanged, match=r"1 of 2 rows of block_trades are of another day than 2025-04-07"):
        sync(run, "block_trades", start_date="2025-04-07")
    assert not lake.exists("block_trades")


def test_two_different_rows_of_a_key_are_refused_and_equal_ones_count_once(
    run: TaskRun, lake: Lake, standin: StandIn
) -> None:
    rows = standin.answers.datasets.rows["RPT_OPERATEDEPT_ACTIVE"]
    rows.append({**rows[-1]})
    assert sync(run, "longhubang_seats", start_date="2025-04-07").rows == {"longhubang_seats": 1}
    rows.append({**rows[-1], "TOTAL_BUYAMT": 90000000.0, "TOTAL_NETAMT": 60000000.0})
    with pytest.raises(SourceChanged, match="holds different longhubang_seats rows for date 2025-04-07, seat 10000123"):
        sync(run, "longhubang_seats", start_date="2025-04-07", force=True)
    assert lake.read("longhubang_seats")["purchase"].to_list() == [80000000.0]


def test_a_row_that_breaks_a_rule_is_set_aside_and_comes_back(run: TaskRun, lake: Lake, standin: StandIn) -> None:
    row = standin.answers.datasets.rows["RPT_OPERATEDEPT_ACTIVE"][-1]
    bad = {**row, "OPERATEDEPT_CODE": "10000999", "TOTAL_NETAMT": 1.0}
    standin.answers.datasets.rows["RPT_OPERATEDEPT_ACTIVE"].append(bad)
    result = sync(run, "longhubang_seats", start_date="2025-04-07")
    assert result.status == "partial_success"
    assert "Rows set aside: 1 (net_contradicts_parts 1), first 2025-04-07 10000999" in result.message
    assert lake.read("quarantine").select("table", "rule").row(0) == ("longhubang_seats", "net_contradicts_parts")
    bad["TOTAL_NETAMT"] = 50000000.0
    assert sync(run, "longhubang_seats", **result.retry_params).rows == {"longhubang_seats": 2}
    assert lake.read("quarantine").is_empty()


def test_a_day_that_only_one_exchange_has_published_is_not_complete(
    run: TaskRun, lake: Lake, standin: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MYSTOCKS_NOW", "2025-04-08T10:00:00+08:00")
    standin.answers.datasets.rows["szse_margin"] = [{"没有找到符合条件的数据！": ""}]
    with pytest.raises(SourceUnavailable, match=r"stock_margin_detail_szse\(\) has no rows yet for margin"):
        sync(run, "margin", start_date="2025-04-07")
    assert not lake.exists("margin")


def test_days_that_are_not_published_or_out_of_reach_are_not_asked_for(run: TaskRun, standin: StandIn) -> None:
    result = sync(run, "margin", start_date="2025-04-07")
    assert result.status == "skipped"
    assert "2025-04-07 is published at 2025-04-08 09:00" in result.message
    result = sync(run, "limit_down", start_date="2025-01-02", end_date="2025-01-03")
    assert result.status == "skipped"
    assert "The source of limit_down has the newest 18 trading days only, not 2025-01-02." in result.message
    result = sync(run, "valuation", start_date="2025-04-02", end_date="2025-04-02")
    assert "The source of valuation has the latest trading day only, not 2025-04-02." in result.message
    assert standin.asked == []


def test_a_list_of_another_session_is_not_stored_as_the_latest(
    run: TaskRun, standin: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MYSTOCKS_NOW", "2025-04-08T21:00:00+08:00")
    with pytest.raises(SourceUnavailable, match="shows the session of 2025-04-07, not of 2025-04-08"):
        sync(run, "industry_boards")


def test_members_need_the_boards_and_name_the_task(run: TaskRun) -> None:
    with pytest.raises(TableMissing, match=r"reads industry_boards\.board, and there is no row of industry_boards yet"):
        sync(run, "industry_members")


def test_a_dataset_by_symbol_needs_symbols(run: TaskRun) -> None:
    with pytest.raises(InvalidParams, match="give the task `symbols:"):
        sync(run, "share_capital")


def test_an_answer_that_lacks_many_stored_rows_of_a_period_is_refused(
    run: TaskRun, lake: Lake, standin: StandIn
) -> None:
    sync(run, "earnings_reports", periods=["2024-12-31"])
    del standin.answers.datasets.rows["RPT_LICO_FN_CPD"][1:]
    with pytest.raises(SourceChanged, match="has 1 rows of earnings_reports, and 2 are stored"):
        sync(run, "earnings_reports", periods=["2024-12-31"])
    assert lake.read("earnings_reports").height == 2


def test_a_project_with_another_source_skips_what_only_akshare_has(
    run: TaskRun, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MYSTOCKS_SOURCE", "simulated")
    result = sync(replace(run, settings=Settings.from_env(tmp_path)), "block_trades")
    assert result.status == "skipped"
    assert "the dataset block_trades is from akshare" in result.message


@pytest.mark.parametrize(("name", "message"), [("margn", "Did you mean 'margin'?"), ("../x", "There is no dataset")])
def test_an_unknown_dataset_is_a_problem_of_the_task(name: str, message: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(message)):
        DatasetSync(dataset=name)


def test_the_witness_says_how_many_rows_agree(run: TaskRun, lake: Lake) -> None:
    frame = TABLES["daily_valuation"].empty()
    rows = [{"symbol": "000001.SZ", "date": MONDAY, "pb": 1.81}, {"symbol": "600519.SH", "date": MONDAY, "pb": 2.5}]
    stored = pl.DataFrame(rows, schema_overrides={"date": pl.Date}).with_columns(source=pl.lit("baostock"))
    lake = run.lake("real")
    lake.replace_days("daily_valuation", pl.concat([frame, stored], how="diagonal"), [MONDAY])
    result = sync(run, "valuation")
    assert result.status == "partial_success"
    assert "1 of 2 rows differ from daily_valuation, e.g. 2025-04-07 600519.SH: pb 1.8 and 2.5." in result.message
    assert result.metadata["agreement_percent"] == 50.0
    (difference,) = lake.read("source_differences").drop("checked_at").to_dicts()
    assert difference.pop("size") == pytest.approx(0.7)
    assert difference == {
        "table": "valuation",
        "symbol": "600519.SH",
        "date": MONDAY,
        "column": "pb",
        "source_a": "akshare",
        "value_a": "1.8",
        "source_b": "baostock",
        "value_b": "2.5",
        "kind": "value",
    }
    (shown,) = (each for each in truth(lake) if each.table == "valuation")
    assert (shown.witness, shown.agreement, shown.rows, shown.differences) == ("baostock", 50.0, 2, 1)
    checks = {check.name: check for check in stored_checks(lake, TABLES["valuation"])}
    assert checks["witnesses_agree"].failing == 1
    assert "akshare and baostock agree in 50.00 % of 2 rows" in checks["witnesses_agree"].summary


def test_rows_of_the_same_source_are_no_witness(run: TaskRun) -> None:
    rows = [{"symbol": "600519.SH", "date": MONDAY, "pb": 2.5, "source": "akshare"}]
    stored = pl.DataFrame(rows, schema_overrides={"date": pl.Date})
    lake = run.lake("real")
    lake.replace_days(
        "daily_valuation", pl.concat([TABLES["daily_valuation"].empty(), stored], how="diagonal"), [MONDAY]
    )
    assert "agreement_percent" not in sync(run, "valuation").metadata
    assert not lake.exists("source_differences")


def test_a_second_list_of_unusual_trading_shows_a_stock_that_only_one_has(run: TaskRun, lake: Lake) -> None:
    lake = run.lake("real")
    moutai = {"date": MONDAY, "symbol": "600519.SH", "reason": "日涨幅", "name": "贵州茅台", "close": 1500.0}
    rows = [moutai, moutai | {"reason": "日振幅"}, moutai | {"symbol": "000001.SZ", "close": 11.0}]
    lake.replace_days("longhubang", filled("longhubang", rows), [MONDAY])
    sync(run, "longhubang_sina", start_date="2025-04-07")
    result = compare_sources(WitnessParams(tables=["daily_bars"]), run)
    assert "longhubang of 2025-04-07: longhubang and longhubang_sina agree except in 1 of 2 rows" in result.message
    assert lake.read("source_differences").select("symbol", "kind", "value_a", "value_b").rows() == [
        ("000001.SZ", "only_one", "row", None)
    ]
    item = next(item for item in truth(lake) if item.table == "longhubang")
    assert (item.witnesses, item.agreement, item.differences) == (("longhubang_sina",), 50.0, 1)


def test_a_second_report_witnesses_income_statements_by_their_newest_version(run: TaskRun, lake: Lake) -> None:
    lake = run.lake("real")
    first = {"symbol": "600519.SH", "period": YEAR_END, "notice_date": date(2025, 3, 1), "revenue": 1.0}
    second = first | {"notice_date": date(2025, 4, 3), "revenue": 174144000000.0, "net_profit": 86228000001.0}
    lake.upsert("income_statements", filled("income_statements", [second, first]))
    sync(run, "earnings_reports", periods=["2024-12-31"])
    compare_sources(WitnessParams(tables=["daily_bars"]), run)
    compared = lake.read("source_comparisons").filter(table="income_statements").row(0, named=True)
    # The other stock of the report has no statement, and a CNY is less than a millionth.
    assert (compared["date"], compared["agreeing"], compared["differing"]) == (YEAR_END, 1, 0)


SINA = {
    "balance_sheets": {"total_assets": 298.9e9, "total_liabilities": 56.9e9, "total_equity": 242e9},
    "income_statements": {"revenue": 174.144e9, "total_profit": 119.639e9, "net_profit": 86.228e9},
    "cash_flows": {"operating": 92.464e9, "investing": -1.785e9, "financing": -71.068e9, "net_change": 19.61e9},
}


@pytest.mark.parametrize("table", SINA)
def test_statements_have_a_witness_at_another_vendor_for_a_sample_of_stocks(
    table: str, run: TaskRun, lake: Lake
) -> None:
    stated = next(iter(SINA[table]))
    lake = run.lake("real")
    moutai = {"symbol": "600519.SH", "period": YEAR_END, "notice_date": date(2025, 4, 3), **SINA[table]}
    lake.upsert(table, filled(table, [moutai]))
    first = sync(run, f"{table}_sina")  # no symbols are named: the sample has those that are stored
    assert (first.status, first.rows) == ("success", {f"{table}_sina": 2})
    assert sync(run, f"{table}_sina").status == "skipped"
    compared = compare_sources(WitnessParams(tables=["daily_bars"]), run)
    assert f"{table} of 2024-12-31: {table} and {table}_sina agree in all 1 rows" in compared.message
    lake.upsert(table, filled(table, [moutai | {stated: 1.0}]))
    compare_sources(WitnessParams(tables=["daily_bars"]), run)
    difference = lake.read("source_differences").row(0, named=True)
    assert (difference["table"], difference["column"], difference["value_a"]) == (table, stated, "1.0")
    assert float(difference["value_b"]) == SINA[table][stated]
    assert f"{table}_sina" in {item.table: item.witnesses for item in truth(lake)}[table]


def test_a_sample_of_statements_that_are_not_stored_yet_names_the_task_to_run_first(run: TaskRun) -> None:
    with pytest.raises(TableMissing, match="run the task that writes it before this one, or name symbols"):
        sync(run, "cash_flows_sina")


def test_a_period_with_other_items_is_refused_rather_than_read_under_the_names_of_another(
    run: TaskRun, lake: Lake, standin: StandIn
) -> None:
    rows = standin.answers.datasets.rows["sina_statements"]
    newest = next(row for row in rows if row["code"] == "sh600519" and row["sheet"] == "llb")
    newest["items"] = [item for item in newest["items"] if item[1] is not None]
    with pytest.raises(SourceChanged, match="公告日期: 'CNY' is not a day; write 2024-03-01 or 20240301 ") as error:
        sync(run, "cash_flows_sina", symbols=["600519.SH"])
    assert "\n" not in f"{error.value}"
    assert not lake.exists("cash_flows_sina")


def filled(table: str, rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Return rows of a table whose other columns are null, or as a row may have them least."""
    dtypes = TABLES[table].dtypes
    known = pl.DataFrame(rows, schema_overrides={name: dtypes[name] for name in rows[0]})
    numbers = [pl.lit(0.0).cast(dtype).alias(name) for name, dtype in dtypes.items() if dtype.is_numeric()]
    rest = [number for number in numbers if number.meta.output_name() not in known.columns]
    known = known.with_columns(rest)
    if "known_since" in dtypes:
        known = known.with_columns(known_since=pl.col("notice_date"))
    return TABLES[table].complete(known)


def test_the_hosts_of_datasets_have_request_limits_of_their_own() -> None:
    assert rule_of("push2ex.eastmoney.com").drops_are_bans
    assert rule_of("datacenter.eastmoney.com").name == "eastmoney-datacenter"
