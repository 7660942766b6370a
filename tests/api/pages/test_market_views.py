"""The market's pages: what a person sees of the lake, and what it says when there is nothing to see."""

import re

import polars as pl
import pytest
from fastapi.testclient import TestClient
from support.project import Folder
from support.small_market import FRIDAY, MONDAY, small_lake

from mystocks_dagster.lake.loads import record_days
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.lake.watermarks import versions, watermarks
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.market.tables.research import SIGNALS

pytestmark = pytest.mark.slow


@pytest.fixture
def filled(project: Folder) -> None:
    small_lake(project.root / "data")


@pytest.mark.usefixtures("filled")
def test_the_market_of_a_day_is_counted_and_listed(browser: TestClient) -> None:
    page = browser.get("/market").text
    assert "2026-11-23 行情" in page
    rows = dict(re.findall(r'<th scope="row">(主板|创业板|科创板|北交所|全市场)</th>(.*?)</tr>', page))
    numbers = {board: re.findall(r">(\d+)<", row)[:6] for board, row in rows.items()}
    assert numbers["全市场"] == ["2", "0", "2", "2", "1", "1"]
    assert "+20.00%" in page
    assert 'href="/market/300750.SZ"' in page
    assert "当日没有数据。" in page  # no 龙虎榜 is stored


LOADERS = """
  - {task_id: lists, task_type: manual, task_module: mystocks_dagster.tasks.market_data,
     task_function: fetch_longhubang_data}
  - {task_id: flows, task_type: manual, task_module: mystocks_dagster.tasks.market_data,
     task_function: fetch_capital_flow_data}
  - {task_id: crossings, task_type: manual, task_module: mystocks_dagster.tasks.strategy,
     task_function: calculate_strategy_signals}
"""


@pytest.fixture
def loaders(project: Folder) -> None:
    """The desk has tasks of any name that load what the page lists."""
    text = (project.root / "tasks.yaml").read_text(encoding="utf-8")
    project.write("tasks.yaml", text.replace("task_groups:", f"{LOADERS.strip(chr(10))}\ntask_groups:"))


@pytest.mark.usefixtures("filled", "loaders")
def test_what_is_not_loaded_names_the_task_of_this_project_that_loads_it(browser: TestClient) -> None:
    page = browser.get("/market").text
    assert {"/tasks/lists", "/tasks/flows", "/tasks/crossings"} <= {*re.findall(r'href="(/tasks/\w+)"', page)}
    assert "screen_market" not in page  # no task of this file screens
    past = browser.get(f"/market?day={FRIDAY}").text
    assert f"<code>mystocks backfill lists --from {FRIDAY}</code>" in past
    assert 'href="/tasks/crossings"' in past


@pytest.mark.usefixtures("loaders")
def test_a_day_that_is_loaded_and_had_none_says_so_and_names_no_task(browser: TestClient, project: Folder) -> None:
    lake = small_lake(project.root / "data")
    for table in ("longhubang", "capital_flow_stock"):
        lake.replace_days(table, TABLES[table].empty(), [MONDAY])
        record_days(lake, table, {MONDAY: 0}, source="test")
    page = browser.get("/market").text
    sections = {key: _section(page, key) for key in ("longhubang", "inflows", "signals")}
    assert "当日没有。" in sections["longhubang"]
    assert "当日没有。" in sections["inflows"]
    assert "/tasks/lists" not in page
    assert 'href="/tasks/crossings"' in sections["signals"]
    assert "None on this day." in browser.get("/market?lang=en").text


@pytest.mark.usefixtures("loaders")
def test_signals_that_are_computed_and_found_none_say_so_until_bars_change(
    browser: TestClient, project: Folder
) -> None:
    lake = small_lake(project.root / "data")
    lake.replace_all("indicators_daily", TABLES["indicators_daily"].empty())
    seen = watermarks(["a strategy"], versions(lake, SIGNALS.computed_from))
    lake.replace_all("signals", SIGNALS.empty(), watermarks=seen)
    assert "当日没有。" in _section(browser.get("/market").text, "signals")
    bars = lake.read("daily_bars", start=MONDAY)
    lake.replace_days("daily_bars", bars.with_columns(close=pl.col("close") + 0.01), [MONDAY])
    assert 'href="/tasks/crossings"' in _section(browser.get("/market").text, "signals")


def _section(page: str, key: str) -> str:
    return page.partition(f'<h2 id="{key}"')[2].partition("</section>")[0]


@pytest.mark.usefixtures("filled", "loaders")
def test_a_stock_without_records_names_the_task_only_where_nothing_is_loaded(
    browser: TestClient, project: Folder
) -> None:
    assert 'href="/tasks/flows"' in browser.get("/market/600519.SH").text
    lake = Lake(str(project.root / "data"), "real")
    lake.replace_days("capital_flow_stock", TABLES["capital_flow_stock"].empty(), [MONDAY])
    page = browser.get("/market/600519.SH").text
    assert "/tasks/flows" not in page
    assert "当日" not in page
    assert "没有记录。" in _section(page, "flows")


@pytest.mark.usefixtures("filled")
def test_english_readers_get_english(browser: TestClient) -> None:
    page = browser.get("/market?lang=en").text
    assert "Market on 2026-11-23" in page
    assert not re.findall(r"[涨跌停]", re.sub(r"<(?:th|h2|a|small)[^>]*>.*?</(?:th|h2|a|small)>", "", page))


@pytest.mark.usefixtures("filled")
def test_a_day_without_bars_names_the_nearest_ones(browser: TestClient) -> None:
    answer = browser.get("/market?day=2026-11-21")
    assert answer.status_code == 404
    assert "2026-11-20 和 2026-11-23" in answer.text
    assert browser.get("/market?day=yesterday").status_code in (400, 422)


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("typed", ["600519", "sh600519", "贵州茅台", "gzmt"])
def test_a_search_with_one_answer_goes_there(browser: TestClient, typed: str) -> None:
    answer = browser.get("/market/find", params={"q": typed}, follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/market/600519.SH"


@pytest.mark.usefixtures("filled")
def test_a_search_with_several_answers_lists_them_and_one_without_any_says_so(browser: TestClient) -> None:
    page = browser.get("/market/find", params={"q": "6"}).text
    assert 'href="/market/600519.SH"' in page
    assert 'href="/market/688981.SH"' in page
    assert "没有找到" in browser.get("/market/find", params={"q": "<b>没有"}).text
    assert "<b>没有" not in browser.get("/market/find", params={"q": "<b>没有"}).text
    assert [match["symbol"] for match in browser.get("/market/suggest.json?q=gz").json()] == ["600519.SH"]


@pytest.mark.usefixtures("filled")
def test_a_stock_has_its_bars_as_table_and_as_chart(browser: TestClient) -> None:
    page = browser.get("/market/600519.SH").text
    assert "贵州茅台" in page
    assert "+10.00%" in page
    chart = browser.get("/market/600519.SH/chart.json?adjustment=none").json()
    assert (chart["dates"], chart["close"]) == (["2026-11-20", "2026-11-23"], [10.0, 11.0])
    assert browser.get("/market/600519", follow_redirects=False).headers["location"] == "/market/600519.SH"


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("path", ["/market/600000.SH", "/market/nothing", "/market/600000.SH/chart.json"])
def test_what_the_lake_does_not_know_is_an_answer_not_a_crash(browser: TestClient, path: str) -> None:
    assert browser.get(path).status_code in (400, 404, 422)


def test_an_empty_lake_says_how_it_is_filled(browser: TestClient) -> None:
    for path in ("/", "/market"):
        answer = browser.get(path)
        assert answer.status_code == 200
        assert "mystocks bootstrap" in answer.text


@pytest.mark.usefixtures("filled")
def test_the_start_page_leads_to_the_market_and_to_the_tasks(browser: TestClient) -> None:
    page = browser.get("/").text
    assert 'href="/market"' in page
    assert "2 个任务" in page
    assert "没有失败的任务。" in page
    assert "装载行情" in page  # its next start


def test_the_chart_library_comes_from_its_package(browser: TestClient) -> None:
    answer = browser.get("/market/-/lightweight-charts.js")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert "Apache License 2.0" in answer.text[:400]
    bare = browser.get("/market/-/lightweight-charts.js", headers={"accept-encoding": "identity"})
    assert int(answer.headers["content-length"]) < int(bare.headers["content-length"]) / 3
    assert answer.text == bare.text


@pytest.mark.usefixtures("filled")
def test_a_chart_is_compressed_for_a_browser_and_plain_for_a_program_that_cannot_read_it(browser: TestClient) -> None:
    zipped = browser.get("/market/600519.SH/chart.json?adjustment=none")
    plain = browser.get("/market/600519.SH/chart.json?adjustment=none", headers={"accept-encoding": "identity"})
    assert (zipped.headers["content-encoding"], plain.headers.get("content-encoding")) == ("gzip", None)
    assert zipped.headers["vary"] == "Accept-Encoding"
    assert zipped.json() == plain.json()


@pytest.mark.usefixtures("filled")
def test_a_typed_formula_is_drawn_and_a_wrong_one_is_shown_with_its_place(browser: TestClient) -> None:
    asked = {"indicators": "MA", "formula": "D:C-REF(C,1);", "adjustment": "none"}
    chart = browser.get("/market/600519.SH/chart.json", params=asked).json()
    assert chart["indicators"]["公式"]["columns"] == {"d": [None, pytest.approx(1.0)]}
    wrong = browser.get("/market/600519.SH/chart.json", params={"formula": "D:MAA(C,5);"})
    assert wrong.status_code == 422
    assert "MAA" in wrong.json()["message"]
    assert "MA" in browser.get("/market/600519.SH/chart.json?indicators=MAX5").json()["message"]


@pytest.mark.usefixtures("filled")
def test_a_screen_lists_who_passes_with_the_values(browser: TestClient) -> None:
    page = browser.post("/market/-/screen", data={"formula": "C>11.5", "period": "daily"}).text
    assert 'href="/market/300750.SZ"' in page
    assert 'href="/market/688981.SH"' not in page
    refused = browser.post("/market/-/screen", data={"formula": "REFX(C,1)>C", "period": "daily"})
    assert refused.status_code == 422
    assert "REFX" in refused.text
    assert browser.get("/market/-/screen").status_code == 200
