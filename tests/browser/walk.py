"""A walk over all pages: which they are, and what must be true of each."""

from typing import Any

from axe_core_python.sync_playwright import Axe
from browser.chromium import PATIENCE
from playwright.sync_api import Page, expect
from support.api import Api

#: Elements that end right of the page, except in a box that scrolls by itself.
_OUTSIDE = """() => {
  const width = document.documentElement.clientWidth;
  const scrolls = (box) => ['auto', 'scroll'].includes(getComputedStyle(box).overflowX);
  const within = (element) => {
    for (let box = element.parentElement; box; box = box.parentElement) {
      if (scrolls(box)) return box.getBoundingClientRect().right <= width + 1;
    }
    return false;
  };
  const aside = (element) => element.closest('.panes, .skip, .sr') || within(element);
  const outside = ({ width: own, right }) => own && right > width + 1;
  return [...document.querySelectorAll('body *')]
    .filter((element) => outside(element.getBoundingClientRect()) && !aside(element))
    .map((element) => `${element.tagName} ${element.className} ${element.textContent.slice(0, 20)}`);
}"""


#: Texts of two characters and more that stand in a column of single characters.
_STACKED = """() => {
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const text = node.data.trim();
    const shown = node.parentElement.checkVisibility() && !node.parentElement.closest('option, .sr, .skip');
    if (text.length < 2 || !shown) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const lines = new Set([...range.getClientRects()].map(({ top }) => Math.round(top)));
    if (lines.size >= text.length) found.push(`${node.parentElement.tagName} ${text}`);
  }
  return found;
}"""


def pages(symbol: str) -> tuple[str, ...]:
    """Return the addresses of all kinds of pages, with those of one security."""
    return (
        "/",
        "/market",
        f"/market/{symbol}",
        "/market/find?q=6",
        "/market/-/screen",
        "/backtests",
        "/data",
        "/data/daily_bars",
        "/data/-/sql",
        "/tasks",
        "/tasks/daily_job",
        "/tasks/daily_data_sync/versions",
        "/tasks/run_strategy_backtest/run",
        "/tasks/-/executions",
        "/tasks/-/manage",
        "/tasks/-/new?copy=daily_data_sync",
        "/docs",
    )


def visit(page: Page, api: Api, path: str) -> None:
    """Open a page; one with a chart is there when the chart is drawn."""
    answer = page.goto(f"{api.address}{path}")
    assert answer is not None
    assert answer.ok, f"{path}: {answer.status}"
    for chart in ("#chart", "#curve"):
        if page.locator(chart).count():
            expect(page.locator(chart)).to_have_attribute("data-ready", "true", timeout=PATIENCE)


def outside(page: Page) -> list[str]:
    """Return the elements that end right of the page."""
    return page.evaluate(_OUTSIDE)


def stacked(page: Page) -> list[str]:
    """Return the texts that stand in a column of single characters."""
    return page.evaluate(_STACKED)


def serious_faults(page: Page) -> dict[str, Any]:
    """Return the serious faults that axe finds, with an element of each."""
    found = Axe().run(page)["violations"]
    return {fault["id"]: fault["nodes"][0]["html"] for fault in found if fault["impact"] in ("serious", "critical")}
