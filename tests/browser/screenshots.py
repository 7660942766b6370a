"""Takes the pictures of docs/images: the demo's simulated market in Dagster's UI and on the pages.

    .venv/bin/python tests/browser/screenshots.py                  # all
    .venv/bin/python tests/browser/screenshots.py market tasks     # only these

Look at each before it is committed.
"""

import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from browser.chromium import open_page  # noqa: E402
from playwright.sync_api import Page  # noqa: E402
from support.project import Folder, Server, make_folder, serve, wait_for  # noqa: E402

IMAGES = ROOT / "docs" / "images"


def main() -> None:
    """Run the demo in a folder of its own, and photograph it, or only the chapters that the command line names."""
    chapters = sys.argv[1:] or ["market", "dagster", "tasks"]
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        folder = demo(Path(place) / "mystocks")
        with serve(folder) as server, open_page() as page:
            if "market" in chapters:
                market(server, page)
            if "dagster" in chapters:
                history(server)
                dagster(server, page)
            if "tasks" in chapters:
                tasks(server, page)


def demo(root: Path) -> Folder:
    """Return a project with the shipped tasks, in which the demo has run."""
    folder = make_folder(root)
    shutil.copy(ROOT / "tasks.yaml", root / "tasks.yaml")
    folder.env = {
        "MYSTOCKS_LAKE": str(root / "demo" / "lake"),
        "MYSTOCKS_SOURCE": "simulated",
        "MYSTOCKS_SIMULATED": "seed=7,symbols=300",
    }
    folder.mystocks("demo", timeout=400)
    return folder


def history(server: Server) -> None:
    """Let some tasks run again, one of them without success, and wait until the charts have more than one point."""

    def points() -> int:
        found = server.graphql(
            '{ assetOrError(assetKey: {path: ["task_statistics"]}) '
            "{ ... on Asset { assetMaterializations { runId } } } }"
        )
        return len(found["assetOrError"].get("assetMaterializations") or [])

    for round_ in range(4):
        server.wait(server.launch("fetch_capital_flow", {"ops": {"fetch_capital_flow": {"config": {"force": True}}}}))
        server.wait(server.launch("sync_basic_stock_info"))
        if round_ == 1:
            server.wait(server.launch("run_strategy_backtest"))
        wait_for(lambda seen=round_: points() > seen, 200, "the next point of the charts")


def dagster(server: Server, page: Page) -> None:
    """Photograph Dagster's UI."""
    at = f"{server.dagster}/locations/mystocks"
    page.goto(f"{server.dagster}/asset-groups")
    shoot(page, "dagster-groups", wait="indicators")
    page.goto(f"{at}/asset-groups/indicators")
    shoot(page, "dagster-graph", wait="indicators_daily")
    page.goto(f"{at}/jobs/daily_data_sync/playground")
    shoot(page, "dagster-launchpad", wait="include_kline")
    page.goto(f"{at}/jobs/daily_job")
    shoot(page, "dagster-job", wait="每日数据处理任务组")
    page.goto(f"{server.dagster}/assets/task_statistics")
    page.get_by_text("成功率 100 %").first.wait_for()
    page.mouse.move(600, 600)
    page.mouse.wheel(0, 400)
    shoot(page, "dagster-statistics")
    page.get_by_text("Plots", exact=True).click()
    page.get_by_text("ALL 全部任务 · 成功率 %").wait_for()
    page.mouse.wheel(0, 2000)
    page.mouse.wheel(0, -4000)
    page.mouse.wheel(0, 400)
    shoot(page, "dagster-charts")


def market(server: Server, page: Page) -> None:
    """Photograph the market's day, a chart, the map of the data, and a backtest."""
    server.folder.mystocks("run", "run_strategy_backtest", "-p", "strategy_id=ma_crossover", "-p", "max_positions=20")
    newest = server.folder.json("data", "head", "backtests")[0]["backtest_id"]
    page.set_viewport_size({"width": 1280, "height": 960})
    for path, name in (
        ("/market?lang=en", "market-day-en"),
        ("/market?lang=zh", "market-day"),
        ("/market/600000.SH", "market-chart"),
        ("/data", "data-map"),
        (f"/backtests/{newest}", "backtest"),
    ):
        page.goto(f"{server.address}{path}")
        if page.locator("#chart").count():
            page.locator("#chart[data-ready=true]").wait_for()
        shoot(page, name)
    page.set_viewport_size({"width": 1280, "height": 800})


def tasks(server: Server, page: Page) -> None:
    """Photograph the pages at /tasks."""
    for path, name in (
        ("/tasks?lang=zh", "tasks"),
        ("/tasks/sync_basic_stock_info", "task"),
        ("/tasks/-/new", "task-new"),
        ("/tasks/daily_data_sync/edit", "task-edit"),
        ("/tasks/daily_data_sync/run", "task-run"),
    ):
        page.goto(f"{server.address}{path}")
        shoot(page, name)


def shoot(page: Page, name: str, wait: str | None = None) -> None:
    """Write one picture, of few colours, so that it stays small."""
    if wait:
        page.get_by_text(wait).first.wait_for()
    page.wait_for_timeout(2500)  # animations of Dagster's UI have no end that could be waited for
    path = IMAGES / f"{name}.png"
    page.screenshot(path=path, animations="disabled")
    print(path, f"{path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
