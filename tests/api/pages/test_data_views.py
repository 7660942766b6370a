"""The pages about the lake: what is there, what is missing, and questions in SQL."""

import io
from datetime import date

import polars as pl
import pytest
from fastapi.testclient import TestClient
from support.project import Folder
from support.small_market import FRIDAY, MONDAY, small_lake

from mystocks_dagster.errors import QueryRefused
from mystocks_dagster.lake.guest_query import query_as_guest
from mystocks_dagster.lake.loads import record_days
from mystocks_dagster.lake.sql import Bounds
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.settings import Settings

pytestmark = pytest.mark.slow
THURSDAY = date(2026, 11, 19)


@pytest.fixture
def filled(project: Folder, monkeypatch: pytest.MonkeyPatch) -> Lake:
    monkeypatch.setenv("MYSTOCKS_NOW", "2026-11-23T20:00:00+08:00")
    lake = small_lake(project.root / "data")
    record_days(lake, "daily_bars", {THURSDAY: 1, MONDAY: 5}, source="test")
    return lake


@pytest.mark.usefixtures("filled")
def test_the_heat_map_has_a_cell_for_each_day_and_the_missing_one_leads_to_its_page(browser: TestClient) -> None:
    page = browser.get("/data").text
    assert 'class="day-complete"' in page
    assert f'href="/data/daily_bars?day={FRIDAY}"' in page
    assert "日线行情（不复权） 2026-11-20 缺失" in page
    detail = browser.get(f"/data/daily_bars?day={FRIDAY}").text
    assert "2026-11-20：缺失" in detail


@pytest.mark.usefixtures("filled")
def test_a_table_has_its_columns_with_units_and_its_newest_rows(browser: TestClient) -> None:
    page = browser.get("/data/daily_bars").text
    assert "成交量</td><td>股（不是手）；停牌日为 0" in page
    assert "shares (not lots); 0 when suspended" in browser.get("/data/daily_bars?lang=en").text
    assert "300750.SZ" in page
    assert browser.get("/data/no_such_table").status_code == 404


@pytest.mark.usefixtures("filled")
def test_a_query_is_answered_as_a_table(browser: TestClient) -> None:
    sql = "SELECT symbol, close FROM daily_bars WHERE close > 11.5"
    page = browser.post("/data/-/sql", data={"sql": sql}).text
    assert "1 行" in page
    assert "300750.SZ" in page


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("DELETE FROM daily_bars", "数据湖是只读的"),
        ("SELECT * FROM read_csv('/etc/passwd')", "查询失败"),
        ("SELECT 1; SELECT 2", "只能写一条 SELECT"),
        ("SELEC 1", "查询失败"),
        ("", "请写一条 SELECT"),
        ("SELECT '" + "x" * 20_000 + "'", "最多 10,000 个字符"),
    ],
)
def test_a_query_that_is_refused_says_why_and_keeps_its_text(browser: TestClient, sql: str, says: str) -> None:
    answer = browser.post("/data/-/sql", data={"sql": sql})
    assert answer.status_code == 422
    assert says in answer.text.replace("&#39;", "'")


@pytest.mark.usefixtures("filled")
def test_an_answer_ends_at_a_thousand_rows(browser: TestClient) -> None:
    assert "1000 行" in browser.post("/data/-/sql", data={"sql": "SELECT * FROM range(100000)"}).text


def test_a_query_that_never_ends_is_stopped(filled: Lake) -> None:
    endless = "SELECT count(*) FROM range(10000000000) a, range(10000000000) b"
    with pytest.raises(QueryRefused, match=r"longer than 0.2 s.*mystocks data query"):
        filled.query(endless, bounds=Bounds(seconds=0.2))


def test_a_query_for_one_gigantic_text_is_stopped_before_the_server_has_it(filled: Lake) -> None:
    settings = Settings.from_env()
    with pytest.raises(QueryRefused, match=r"30 MB, and 20 MB are the most.*mystocks data query"):
        query_as_guest(settings, "SELECT repeat('x', 30000000)")
    # DuckDB's own limit does not count this text; that of the process does.
    with pytest.raises(QueryRefused, match=r"[Mm]emory"):
        query_as_guest(settings, "SELECT repeat('x', 2000000000)", Bounds(memory=100_000_000))


@pytest.mark.usefixtures("filled")
def test_a_table_is_downloaded_as_a_file_that_other_programs_read(browser: TestClient) -> None:
    csv = browser.get(f"/data/daily_bars/download?start={MONDAY}")
    assert 'filename="daily_bars.csv"' in csv.headers["content-disposition"]
    assert pl.read_csv(io.BytesIO(csv.content.removeprefix("\ufeff".encode())))["symbol"].len() == 5
    parquet = browser.get("/data/stocks/download?format=parquet")
    assert "贵州茅台" in pl.read_parquet(io.BytesIO(parquet.content))["name"]
    assert browser.get("/data/daily_bars/download?format=exe").status_code == 422
    assert browser.get("/data/daily_bars/download?start=2026-12-05&end=2026-11-01").status_code == 422
    assert browser.get("/data/daily_bars/download?start=soon").status_code == 422


def test_a_text_of_others_is_no_formula_in_the_csv_that_excel_opens(browser: TestClient, filled: Lake) -> None:
    stocks = filled.read("stocks")
    formulas = ["=cmd|/C calc!A0", "+1", "-1", "@SUM(A1)", "＝1+1", "\t=1", "\r=1", "\n=1"]
    names = [*formulas, "万科A=", "'", ""]
    codes = [f"{600000 + index}.SH" for index in range(len(names))]
    rows = pl.concat([stocks.head(1)] * len(names)).with_columns(symbol=pl.Series(codes), name=pl.Series(names))
    filled.replace_all("stocks", rows)
    filled.replace_days("daily_bars", filled.read("daily_bars", start=MONDAY).with_columns(close=-1.5), [MONDAY])
    shown = _downloaded(browser, "stocks")["name"].to_list()
    assert shown == [*(f"'{text}" for text in formulas), "万科A=", "'", ""]
    assert _downloaded(browser, "daily_bars")["close"].to_list()[-1] == -1.5
    parquet = pl.read_parquet(io.BytesIO(browser.get("/data/stocks/download?format=parquet").content))
    assert parquet["name"].to_list() == names


def _downloaded(browser: TestClient, table: str) -> pl.DataFrame:
    content = browser.get(f"/data/{table}/download").content
    return pl.read_csv(io.BytesIO(content.removeprefix("\ufeff".encode())))


@pytest.mark.usefixtures("filled")
def test_a_fill_without_a_daemon_starts_nothing_and_says_so(browser: TestClient) -> None:
    days = {"first": f"{FRIDAY}", "last": f"{FRIDAY}"}
    answer = browser.post("/data/daily_bars/fill", data=days)
    # The project's own task fills no table by day, so there is nothing that could be started.
    assert answer.status_code in (200, 409, 503)
    assert browser.post("/data/nothing/fill", data=days).status_code == 404


def test_an_empty_lake_says_how_it_is_filled(browser: TestClient) -> None:
    page = browser.get("/data")
    assert page.status_code == 200
    assert "mystocks bootstrap" in page.text
