"""Time from a click to a chart of 20 years of days, and the weight of pages: `python bench/pages.py [ROUNDS]`.

A real Chromium clicks a security in the search results and waits until its chart is drawn. The promise is less than
half a second; on a busy machine the processor time of the machine is not the browser's, so compare the fastest round.
The weight is what a browser transfers that has no cached file: the page itself, and all with its scripts and styles.
"""

import random
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

import polars as pl  # noqa: E402
from browser.chromium import open_page  # noqa: E402
from playwright.sync_api import Page, Response  # noqa: E402
from support.api import serve_api  # noqa: E402
from support.project import Folder, make_folder  # noqa: E402
from support.small_market import bar, small_lake  # noqa: E402

from mystocks_dagster.lake.store import Lake  # noqa: E402
from mystocks_dagster.market.calendar import shanghai  # noqa: E402
from mystocks_dagster.market.tables import TABLES  # noqa: E402

FIRST, LAST = date(2006, 11, 27), date(2026, 11, 23)
SYMBOL = "600519.SH"
PROMISED = 0.5
PATHS = ("/", "/market", f"/market/{SYMBOL}", "/tasks", "/tasks/-/executions", "/data", "/backtests")


def fill(lake: Lake) -> int:
    """Store 20 years of bars of one stock, of which a dividend is paid each June; return their number."""
    days = shanghai().sessions(FIRST, LAST)
    chance, close, bars = random.Random(7), 100.0, []
    for day in days:
        before, close = close, round(max(1.0, close * (1 + chance.uniform(-0.03, 0.0303))), 2)
        bars.append(bar(SYMBOL, day, before, close))
    lake.replace_days("daily_bars", pl.DataFrame(bars, schema=TABLES["daily_bars"].dtypes), days)
    lake.replace_all("adjust_events", pl.DataFrame(schema=TABLES["adjust_events"].dtypes))
    return len(days)


def project(root: Path) -> tuple[Folder, int]:
    """Return a project whose lake has the bars, and their number."""
    folder = make_folder(root)
    folder.write("tasks.yaml", (ROOT / "tasks.yaml").read_text(encoding="utf-8"))
    return folder, fill(small_lake(root / "data"))


def click(page: Page, address: str) -> float:
    """Return the seconds from a click on the stock to its drawn chart."""
    page.goto(f"{address}/market/find?q=0")  # several have it, so that they are listed
    link = page.locator(f"main a[href='/market/{SYMBOL}']").first
    link.wait_for()
    started = time.perf_counter()
    link.click(no_wait_after=True)
    page.wait_for_selector("#chart[data-ready=true]")
    return time.perf_counter() - started


def weigh(page: Page, address: str, path: str) -> tuple[int, int]:
    """Return the bytes of a page, and of all that it loads."""
    responses: list[Response] = []
    page.on("response", responses.append)
    page.goto(f"{address}{path}", wait_until="networkidle")
    page.remove_listener("response", responses.append)
    sizes = [len(response.body()) for response in responses if response.ok and response.status not in (204, 304)]
    return sizes[0], sum(sizes)


def main() -> None:
    """Print the times and the weights; the exit code is 1 if the fastest click took longer than promised."""
    rounds = int(sys.argv[1]) if sys.argv[1:] else 7
    with tempfile.TemporaryDirectory() as place:
        folder, count = project(Path(place) / "market")
        with serve_api(folder) as api, open_page() as page:
            times = sorted(click(page, api.address) for _ in range(rounds + 1))[:rounds]
            print(f"{count:,} days of {SYMBOL}, {rounds} clicks")
            print(
                f"click to chart: fastest {times[0]:.2f} s, middle {times[len(times) // 2]:.2f} s; at most {PROMISED}"
            )
            print(f"{'page':<22} {'itself kB':>10} {'with all kB':>12}")
            for path in PATHS:
                own, everything = weigh(page, api.address, path)
                print(f"{path:<22} {own / 1e3:>10,.1f} {everything / 1e3:>12,.1f}")
    sys.exit(1 if times[0] > PROMISED else 0)


if __name__ == "__main__":
    main()
