"""A real Chromium on every page, over the lake of the real archive beside the project: years of prices, no names."""

from collections.abc import Iterator

import polars as pl
import pytest
from browser.chromium import executable
from browser.walk import outside, pages, serious_faults, stacked, visit
from playwright.sync_api import Page
from support.api import Api, serve_api
from support.project import ROOT, make_folder

ARCHIVE = ROOT.parent / "shared" / "data"
if executable() is None or not ARCHIVE.is_dir():
    pytest.skip("no Chromium, or no ../shared/data beside the project", allow_module_level=True)

pytestmark = pytest.mark.timeout(600)
SYMBOL = "600036.SH"


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    folder = make_folder(tmp_path_factory.mktemp("archive") / "project")
    folder.write("tasks.yaml", (ROOT / "tasks.yaml").read_text(encoding="utf-8"))
    folder.env = {"MYSTOCKS_RECORDED": str(ARCHIVE), "MYSTOCKS_SOURCE": "recorded"}
    for task in ("daily_data_sync", "calc_strategy_signals", "run_strategy_backtest"):
        folder.mystocks("run", task, timeout=400, code=None)  # a part of the sync fails: the archive has no stock list
    with serve_api(folder) as api:
        yield api


@pytest.fixture(scope="module")
def paths(api: Api) -> list[str]:
    """All pages, with that of the backtest; the last day of the archive has bars and signals."""
    backtest = api.folder.json("data", "head", "backtests")[0]["backtest_id"]
    return [*pages(SYMBOL), f"/backtests/{backtest}", f"/market/{SYMBOL}?backtest={backtest}", "/market?day=2024-10-08"]


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("width", [390, 1280, 1920])
def test_every_page_has_its_content_within_any_width(
    api: Api, page: Page, paths: list[str], width: int, language: str
) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    for path in paths:
        visit(page, api, f"{path}{'&' if '?' in path else '?'}lang={language}")
        assert outside(page) == [], path
        assert stacked(page) == [], path
        assert page.locator("h1").first.inner_text().strip(), path
        assert len(page.locator("body").inner_text()) > 150, path


def test_no_page_has_a_serious_fault_for_readers_with_poor_sight(api: Api, page: Page, paths: list[str]) -> None:
    page.set_viewport_size({"width": 1280, "height": 900})
    for path in paths:
        visit(page, api, path)
        assert serious_faults(page) == {}, path


def test_the_newest_day_of_the_archive_is_told_with_its_numbers(api: Api, page: Page) -> None:
    """The numbers are counted in the archive's own file."""
    raw = pl.read_parquet(ARCHIVE / "baostock_raw_20200102_20250407.parquet").filter(
        (pl.col("date") == "2025-04-07") & (pl.col("tradestatus") == 1)
    )
    up, down = (raw.filter(side).height for side in (pl.col("pctChg") > 0, pl.col("pctChg") < 0))
    visit(page, api, "/market?lang=zh")
    assert "2025-04-07" in page.locator("h1").inner_text()
    told = page.locator(".totals b").all_inner_texts()
    assert told[:3] == [f"{up}", f"{raw.height - up - down}", f"{down}"]
    visit(page, api, f"/market/{SYMBOL}?lang=zh")
    bar = raw.row(by_predicate=pl.col("code") == "sh.600036", named=True)
    assert page.locator(".last").inner_text().split() == [
        f"{bar['close']:.2f}", f"{bar['pctChg']:+.2f}%", "2025-04-07"
    ]  # fmt: skip
