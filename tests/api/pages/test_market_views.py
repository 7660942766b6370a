"""The market's pages: what a person sees of the lake, and what it says when there is nothing to see."""

import re

import pytest
from fastapi.testclient import TestClient
from support.project import Folder
from support.small_market import small_lake

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
    assert 'href="/tasks/fetch_lhb_data"' in page


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
