"""A stock whose code changes, and one whose ST only the stock lists state: from the archive to the backtest."""

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mystocks_dagster.lake.stock_names import record_names
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.market.tables.reference import STOCKS
from mystocks_dagster.market.tables.research import SIGNALS
from mystocks_dagster.settings import Settings
from mystocks_dagster.tasks.backtest import BacktestParams, run_backtest
from mystocks_dagster.tasks.data_sync import DailySync, sync_daily_stock_data
from mystocks_dagster.tasks.indicators import IndicatorParams, calculate_technical_indicators
from mystocks_dagster.tasks.run import TaskRun

pytestmark = pytest.mark.slow

OLD, NEW, OTHER = "301111.SZ", "302222.SZ", "600001.SH"
SESSIONS = shanghai().sessions(date(2024, 11, 1), date(2025, 4, 3))
CHANGE = SESSIONS[70]
HEAD = "symbol,date,open,high,low,close,prev_close,volume,amount,turnover,is_st,suspended\n"


def walk(seed: int, *codes: tuple[str, date]) -> list[str]:
    """Make the bars of one stock as lines of an archive; each code counts from its day on."""
    moves = np.random.default_rng(seed).normal(0, 0.01, len(SESSIONS))
    lines, before = [], 20.0
    for day, move in zip(SESSIONS, moves, strict=True):
        close = round(before * (1 + move), 2)
        code = [name for name, first in codes if first <= day][-1]
        high, low = max(before, close), min(before, close)
        lines.append(f"{code},{day},{before},{high},{low},{close},{before},1000000,{close * 1e6},1.0,,false")
        before = close
    return lines


@pytest.fixture
def archive(computing: TaskRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "archive"
    folder.mkdir()
    monkeypatch.setenv("MYSTOCKS_RECORDED", str(folder))
    monkeypatch.setenv("MYSTOCKS_SOURCE", "recorded")
    lines = [*walk(5, (OLD, SESSIONS[0]), (NEW, CHANGE)), *walk(1, (OTHER, SESSIONS[0]))]
    (folder / "daily_bars.csv").write_text(HEAD + "\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.fixture
def run(computing: TaskRun, archive: Path) -> TaskRun:
    return TaskRun(
        task_id="task", run_id="run", attempt=1, settings=Settings.from_env(), logger=computing.logger,
        report_progress=computing.report_progress,
    )  # fmt: skip


def load(run: TaskRun) -> Lake:
    assert sync_daily_stock_data(DailySync(include_basic=False), run).status == "success"
    return run.lake("real")


def one_code(lake: Lake, table: str) -> pl.DataFrame:
    return lake.read(table, symbols=[NEW]).sort("date")


def test_the_moving_average_goes_on_and_nothing_is_adjusted_when_the_code_changes(run):
    lake = load(run)
    calculate_technical_indicators(IndicatorParams(), run)
    averages = one_code(lake, "indicators_daily")
    assert averages["date"].to_list() == SESSIONS
    assert averages.filter(pl.col("ma60").is_not_null())["date"].min() == SESSIONS[59]
    closes = one_code(lake, "daily_bars")["close"]
    expected = closes.rolling_mean(60)[SESSIONS.index(CHANGE)]
    assert averages["ma60"][SESSIONS.index(CHANGE)] == pytest.approx(expected, abs=1e-6)
    assert lake.read("adjust_events").is_empty()


def test_a_change_that_is_learned_after_the_indicators_were_calculated_joins_them(run, archive):
    whole = (archive / "daily_bars.csv").read_text(encoding="utf-8")
    old_code_only = [line for line in whole.splitlines() if NEW not in line]
    (archive / "daily_bars.csv").write_text("\n".join(old_code_only) + "\n", encoding="utf-8")
    sync_daily_stock_data(DailySync(include_basic=False, end_date=SESSIONS[69]), run)
    calculate_technical_indicators(IndicatorParams(), run)
    (archive / "daily_bars.csv").write_text(whole, encoding="utf-8")
    load(run)
    calculate_technical_indicators(IndicatorParams(), run)
    averages = one_code(run.lake("real"), "indicators_daily")
    assert averages.height == len(SESSIONS)
    assert averages["ma60"].null_count() == 59


#: No score, weight or entry.
UNRANKED = (None, None, None)


def test_a_held_position_follows_its_stock_to_the_new_code(run):
    lake = load(run)
    bought, sold = SESSIONS[40], SESSIONS[85]
    rows = [
        (OLD, bought, "ma_crossover", "buy", 1.0, "", *UNRANKED),
        (NEW, sold, "ma_crossover", "sell", 1.0, "", *UNRANKED),
    ]
    lake.replace_all("signals", pl.DataFrame(rows, schema=SIGNALS.dtypes, orient="row"))
    run_backtest(BacktestParams(max_positions=1), run)
    trades = lake.read("backtest_trades").sort("sequence")
    assert trades.select("symbol", "side", "date").rows() == [
        (NEW, "buy", SESSIONS[41]), (NEW, "sell", SESSIONS[86])
    ]  # fmt: skip
    marks = lake.read("backtest_equity").sort("date").filter(pl.col("date").is_between(CHANGE, sold))["holdings"]
    closes = one_code(lake, "daily_bars").filter(pl.col("date").is_between(CHANGE, sold))["close"]
    assert (marks - closes * trades["shares"][0]).abs().max() < 0.01


def test_st_that_only_the_stock_lists_state_narrows_the_limit_in_a_backtest(run, archive):
    """The open is at 5 %: the limit if the stock is ST, an ordinary price if it is not, and unknown otherwise."""
    day, next_day = SESSIONS[50], SESSIONS[51]
    lines = (archive / "daily_bars.csv").read_text(encoding="utf-8").splitlines()
    before = float(next(line for line in lines if line.startswith(f"{OTHER},{day},")).split(",")[5])
    top = int(before * 105 + 0.5 + 1e-9) / 100
    at_limit = f"{OTHER},{next_day},{top},{top},{top},{top},{before},1000000,{top * 1e6},1.0,,false"
    kept = [line for line in lines if not (line.startswith(OTHER) and line.split(",")[1] > f"{day}")]
    (archive / "daily_bars.csv").write_text("\n".join([*kept, at_limit]) + "\n", encoding="utf-8")
    sync_daily_stock_data(DailySync(include_basic=False, end_date=next_day), run)
    lake = run.lake("real")
    rows = [(OTHER, day, "ma_crossover", "buy", 1.0, "", *UNRANKED)]
    lake.replace_all("signals", pl.DataFrame(rows, schema=SIGNALS.dtypes, orient="row"))
    unfilled = []
    for name in (None, "ST乙", "乙股份"):
        if name:
            blank = pl.DataFrame([{"symbol": OTHER, "name": name, "is_st": "ST" in name}], schema=STOCKS.dtypes)
            lake.replace_all("stock_names", lake.read("stock_names").clear()) if lake.exists("stock_names") else None
            record_names(lake, blank, next_day)
        result = run_backtest(BacktestParams(max_positions=1, end_date=next_day), run)
        unfilled.append(result.metadata["unfilled"])
    assert unfilled == [{"buy: price limit not known": 1}, {"buy: open at the limit": 1}, {}]
