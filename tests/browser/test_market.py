"""A real Chromium on the market's pages: on a phone, a laptop and a wide screen, in both languages, dark and light."""

from collections.abc import Iterator
from typing import Any

import pytest
from browser.chromium import PATIENCE, executable
from browser.walk import outside, pages, serious_faults, stacked, visit
from playwright.sync_api import Page, expect
from support.api import Api, serve_api
from support.project import ROOT, make_folder

if executable() is None:
    pytest.skip(
        "no Chromium on this machine (Debian: apt install chromium): the browser tests do not run",
        allow_module_level=True,
    )

pytestmark = pytest.mark.timeout(400)
expect.set_options(timeout=PATIENCE)

PAGES = pages("600000.SH")
#: The number of colours that a pane's canvases show; an empty chart has the background's and the grid's.
COLOURS = """(pane) => {
  const colours = new Set();
  for (const canvas of pane.querySelectorAll('canvas')) {
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    for (let i = 0; i < data.length; i += 4) {
      if (data[i + 3] === 255) colours.add((data[i] << 16) | (data[i + 1] << 8) | data[i + 2]);
    }
  }
  return [...colours];
}"""


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    folder = make_folder(tmp_path_factory.mktemp("market") / "我的 项目")
    folder.write("tasks.yaml", (ROOT / "tasks.yaml").read_text(encoding="utf-8"))
    folder.env = {
        "MYSTOCKS_LAKE": str(folder.root / "demo" / "lake"),
        "MYSTOCKS_SOURCE": "simulated",
        "MYSTOCKS_SIMULATED": "seed=7,symbols=60",
    }
    folder.mystocks("demo", timeout=400)
    with serve_api(folder) as api:
        yield api


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("width", [390, 1280, 1920])
def test_nothing_stands_outside_a_page_of_any_width(api: Api, page: Page, width: int, language: str) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    for path in PAGES:
        visit(page, api, f"{path}{'&' if '?' in path else '?'}lang={language}")
        assert outside(page) == [], path
        assert stacked(page) == [], path
        assert page.locator("main").inner_text().strip(), path


@pytest.mark.parametrize("language", ["zh", "en"])
def test_on_a_laptop_the_breadth_of_the_market_is_seen_to_its_last_column(api: Api, page: Page, language: str) -> None:
    numbers = ["3211", "3211", "3211", "112", "112", "123", "1.23 B"]  # as the whole market has them
    for width in (761, 1181, 1280, 1920):
        page.set_viewport_size({"width": width, "height": 900})
        visit(page, api, f"/market?lang={language}")
        for row in page.locator(".breadth tbody tr").all():
            for cell, number in zip(row.locator("td").all(), numbers, strict=True):
                cell.evaluate("(cell, number) => { cell.firstChild.data = number }", number)
        table, box = page.locator(".breadth table").bounding_box(), page.locator(".breadth .scroll").bounding_box()
        assert table is not None
        assert box is not None
        assert table["width"] <= box["width"], width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_reader_with_poor_sight_can_use_each_page(api: Api, page: Page, scheme: Any) -> None:
    page.set_viewport_size({"width": 1280, "height": 900})
    page.emulate_media(color_scheme=scheme)
    for path in PAGES:
        visit(page, api, path)
        assert serious_faults(page) == {}, path


def test_the_chart_draws_candles_indicators_and_answers_the_pointer(api: Api, page: Page) -> None:
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.set_viewport_size({"width": 1280, "height": 900})
    page.emulate_media(color_scheme="light")
    visit(page, api, "/market/600000.SH?lang=zh")
    panes = page.locator(".pane")
    expect(panes).to_have_count(2)  # candles with averages, and MACD
    expect(page.locator("#chart")).to_have_attribute("data-whole", "true")  # the older bars came after the newest
    red, green = 0xC8202B, 0x0F7A4D
    assert {red, green} <= {*panes.first.evaluate(COLOURS)}
    legend = panes.first.locator(".legend")
    newest = legend.inner_text()
    box = panes.first.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 3, box["y"] + box["height"] / 2)
    expect(legend).not_to_have_text(newest)
    page.get_by_role("button", name="KDJ").click()
    expect(panes).to_have_count(3)
    page.get_by_role("button", name="月线").click()
    expect(page.get_by_role("button", name="月线")).to_have_attribute("aria-pressed", "true")
    expect(legend).to_contain_text("开盘")
    assert faults == []


@pytest.mark.parametrize(("language", "said"), [("zh", "B (含未来数据)"), ("en", "B (looks ahead)")])
def test_a_line_of_the_future_is_marked(api: Api, page: Page, language: str, said: str) -> None:
    visit(page, api, f"/market/600000.SH?lang={language}")
    page.locator("#formula").fill("A:MA(C,5);B:REFX(C,1);")
    page.locator("#formula").press("Enter")
    legend = page.locator(".pane .legend").last
    expect(legend).to_contain_text(said)
    expect(legend).not_to_contain_text(said.replace("B", "A"))


def test_on_a_phone_the_shipped_tasks_are_a_short_list(api: Api, page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 900})
    visit(page, api, "/tasks?lang=zh")
    assert page.locator("tbody tr").count() >= 20
    assert page.evaluate("document.documentElement.scrollHeight") < 3000


@pytest.mark.parametrize("language", ["zh", "en"])
def test_on_a_phone_a_day_of_the_market_is_three_screens_and_unfolds(api: Api, page: Page, language: str) -> None:
    page.set_viewport_size({"width": 390, "height": 900})
    visit(page, api, f"/market?lang={language}")
    assert page.evaluate("document.documentElement.scrollHeight") < 3 * 900
    rows = page.locator("section[aria-labelledby=signals] tbody tr")
    stored = rows.count()
    assert stored > 5
    assert rows.filter(visible=True).count() == 5
    page.locator("label[for=all-signals]").click()
    assert rows.filter(visible=True).count() == stored
    for heading in ("breadth", "industries", "risers", "longhubang", "signals"):
        expect(page.locator(f"#{heading}")).to_be_visible()


def test_on_a_phone_the_words_of_a_chart_do_not_lie_over_its_candles(api: Api, page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    visit(page, api, "/market/600000.SH?lang=zh")
    expect(page.locator(".pane .legend").first).to_contain_text("MA60")
    for pane in page.locator(".pane").all():
        words, drawing = pane.locator(".legend").bounding_box(), pane.locator("table").first.bounding_box()
        assert words is not None
        assert drawing is not None
        assert words["y"] + words["height"] <= drawing["y"]
        assert drawing["height"] > 100


def test_on_a_phone_the_newest_days_of_the_map_are_seen_beside_their_tables(api: Api, page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    visit(page, api, "/data?lang=zh")
    newest = page.locator(".newest a rect").last.bounding_box()
    label = page.locator("svg.coverage text").first.bounding_box()
    assert newest is not None
    assert label is not None
    assert 0 <= label["x"] < newest["x"] < 390
    visit(page, api, "/data/daily_bars?lang=zh")
    cells = [cell.bounding_box() for cell in page.locator("svg.coverage rect").all()[:25]]
    assert all(cell is not None and 0 < cell["x"] < 390 for cell in cells)


def test_on_paper_nothing_is_folded(api: Api, page: Page) -> None:
    visit(page, api, "/market?lang=zh")
    rows = page.locator("section[aria-labelledby=signals] tbody tr")
    page.emulate_media(media="print")
    try:
        assert rows.filter(visible=True).count() == rows.count() > 5
        expect(page.locator("header")).to_be_hidden()
    finally:
        page.emulate_media(media="screen")


def test_a_name_is_typed_and_leads_to_its_chart(api: Api, page: Page) -> None:
    visit(page, api, "/market?lang=zh")
    page.get_by_role("combobox").fill("600000")
    page.keyboard.press("Enter")
    page.wait_for_url("**/market/600000.SH")
    expect(page.locator("h1")).to_contain_text("600000.SH")
