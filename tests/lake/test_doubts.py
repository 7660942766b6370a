"""Doubt about a ratio is as small as it is: who waits, from which day on, what is said, and what heals it."""

import logging
import random
import shutil
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from mystocks_dagster.errors import SourceChanged
from mystocks_dagster.lake.prices import adjusted_bars, unknown_factors
from mystocks_dagster.lake.restore import move_away
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.calendar import TradingCalendar, shanghai
from mystocks_dagster.settings import Settings
from mystocks_dagster.tasks.backtest import BacktestParams, run_backtest
from mystocks_dagster.tasks.data_sync import ActionSync, DailySync, sync_corporate_actions, sync_daily_stock_data
from mystocks_dagster.tasks.indicators import IndicatorParams, calculate_technical_indicators
from mystocks_dagster.tasks.run import TaskResult, TaskRun
from mystocks_dagster.tasks.strategy import SignalParams, calculate_strategy_signals

pytestmark = pytest.mark.slow

HEAD = "symbol,date,open,high,low,close,prev_close,volume,amount,turnover,is_st,suspended"
ACTION_HEAD = "symbol,ex_date,cash,bonus,rights,rights_price,known_since,source"
SPRING = shanghai().sessions(date(2024, 3, 1), date(2024, 6, 28))
Bar = tuple[str, date, float, float]  # symbol, day, previous close, close


def walk(symbol: str, days: Sequence[date], *, close: float = 10.0, ex: dict[date, float] | None = None) -> list[Bar]:
    """Let a price move every day by some cents; `ex` takes an amount off on an ex-dividend day."""
    dice, bars = random.Random(symbol), []
    for day in days:
        before = round(close - (ex or {}).get(day, 0.0), 2)
        close = round(before + dice.choice([-7, -4, -2, 1, 3, 5, 8]) / 100, 2)
        bars.append((symbol, day, before, close))
    return bars


def lines(bars: Sequence[Bar], *, suspended: bool = False) -> list[str]:
    rows = []
    for symbol, day, before, close in bars:
        low, high = min(before, close), max(before, close)
        traded = "0,0" if suspended else f"100000,{100000 * low}"
        rows.append(
            f"{symbol},{day},{before},{high},{low},{close},{before},{traded},1.0,false,{str(suspended).lower()}"
        )
    return rows


class Site:
    """A lake that is kept out of an archive by the product's own tasks."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.archive, self._monkeypatch = folder / "archive", monkeypatch
        self.archive.mkdir()
        monkeypatch.setenv("MYSTOCKS_LAKE", str(folder / "lake"))
        monkeypatch.setenv("MYSTOCKS_RECORDED", str(self.archive))
        monkeypatch.setenv("MYSTOCKS_SOURCE", "recorded")
        self.lake = Lake(str(folder / "lake"), "real")
        self.at(date(2024, 6, 28))

    def at(self, day: date) -> None:
        self._monkeypatch.setenv("MYSTOCKS_NOW", f"{day}T20:30:00+08:00")

    def holds(self, *rows: str) -> None:
        (self.archive / "daily_bars.csv").write_text("\n".join([HEAD, *rows, ""]))

    def acts(self, *rows: str) -> None:
        (self.archive / "corporate_actions.csv").write_text("\n".join([ACTION_HEAD, *rows, ""]))

    @property
    def run(self) -> TaskRun:
        silent = {"logger": logging.getLogger("t"), "report_progress": lambda *_: None}
        return TaskRun(task_id="t", run_id="r", attempt=1, settings=Settings.from_env(), **silent)

    def sync(self, **params: object) -> TaskResult:
        return sync_daily_stock_data(DailySync.model_validate({"include_basic": False} | params), self.run)

    def compute(self, **params: object) -> TaskResult:
        return calculate_technical_indicators(IndicatorParams.model_validate(params), self.run)

    @property
    def events(self) -> list[tuple]:
        return self.lake.read("adjust_events").sort("symbol", "date").rows()

    def days_of(self, symbol: str) -> list[date]:
        return self.lake.read("indicators_daily", symbols=[symbol])["date"].sort().to_list()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    return Site(tmp_path, monkeypatch)


@pytest.fixture
def calendar_until(monkeypatch: pytest.MonkeyPatch) -> Callable[[date, Sequence[date]], None]:
    """Let the published calendar end on a day; more trading days may be added to it."""
    published = shanghai()

    def end(last: date, more: Sequence[date] = ()) -> None:
        days = [*published.sessions(published.first, min(last, published.last)), *more]
        calendar = TradingCalendar.from_days(days, last=last)
        for module in ("lake.events", "lake.doubts", "tasks.admission", "tasks.bars", "tasks.requested_days"):
            monkeypatch.setattr(f"mystocks_dagster.{module}.shanghai", lambda: calendar)

    return end


# ---- suspended days without rows


def test_an_archive_without_rows_for_suspended_days_stops_nobody(site):
    paused = SPRING[30:35]
    rests = walk("600004.SH", [day for day in SPRING if day not in paused])
    site.holds(*lines(walk("600001.SH", SPRING)), *lines(rests))
    assert (site.sync().status, site.compute().status) == ("success", "success")
    assert site.events == []
    assert len(site.days_of("600004.SH")) == 75


def test_a_dividend_after_a_pause_without_rows_is_an_event_once_a_corporate_action_explains_it(site):
    paused = SPRING[30:35]
    rests = walk("600004.SH", [day for day in SPRING if day not in paused], ex={SPRING[35]: 0.5})
    last, (_, _, stated, _) = rests[29][3], rests[30]
    site.holds(*lines(walk("600001.SH", SPRING)), *lines(rests))
    site.sync()
    assert site.events == [("600004.SH", SPRING[35], None)], "its bars may have been lost on the way"
    assert site.sync().status == "success", "the source was asked twice and has no more"
    assert site.events == [("600004.SH", SPRING[35], None)], "that it has no more says nothing of what the bars were"
    site.acts(f"600004.SH,{SPRING[35]},0.5,0,0,,{SPRING[5]},recorded")
    site.sync()
    assert site.events == [("600004.SH", SPRING[35], pytest.approx(stated / last))]


def without_one_bar(how: str) -> tuple[list[str], date]:
    """Return four symbols, of which the first lacks a bar, or has one that cannot be; nobody pays a dividend."""
    market = [walk(f"60000{n}.SH", SPRING) for n in range(1, 5)]
    gap = next(n for n in range(30, 70) if market[0][n][3] != market[0][n][2])
    rows = [row for bars in market for row in lines(bars)]
    symbol, day, before, close = market[0][gap]
    cannot_be = f"{symbol},{day},{before},1.0,99.0,{close},{before},100000,{100000 * before},1.0,false,false"
    return rows[:gap] + ([cannot_be] if how == "set aside" else []) + rows[gap + 1 :], SPRING[gap + 1]


@pytest.mark.parametrize("how", ["missing", "set aside"])
def test_a_bar_that_is_missing_each_time_makes_no_dividend(site, how):
    rows, after = without_one_bar(how)
    site.holds(*rows)
    assert [site.sync().status for _ in range(3)] == ["partial_success", "success", "skipped"]
    assert site.events == [("600001.SH", after, None)]
    assert site.sync(force=True).status == "success"
    assert site.events == [("600001.SH", after, None)]
    assert site.compute().failed_items == ("600001.SH",)
    assert max(site.days_of("600001.SH")) < after
    assert site.days_of("600002.SH") == SPRING


@pytest.mark.parametrize("how", ["missing", "set aside"])
def test_a_bar_that_is_missing_on_two_syncs_of_an_evening_makes_no_dividend(site, monkeypatch, how):
    rows, after = without_one_bar(how)
    gap = SPRING[SPRING.index(after) - 1]
    site.at(SPRING[SPRING.index(gap) - 1])
    site.holds(*rows)
    site.sync()
    monkeypatch.setattr("mystocks_dagster.sources.recorded.source.RecordedSource.has_history", False)
    for day, syncs in ((gap, 2), (after, 1)):
        site.at(day)
        monkeypatch.setattr(
            "mystocks_dagster.sources.recorded.source.RecordedSource.bar_days", lambda _, day=day: (day, day)
        )
        results = [site.sync() for _ in range(syncs)]
        assert results[-1].status == "success"
    assert site.events == [("600001.SH", after, None)]


def test_a_bar_that_is_missing_where_suspended_days_have_rows_is_doubtful_for_that_symbol_alone(site):
    bars = walk("600001.SH", SPRING)
    site.holds(
        *lines(bars[:30] + bars[31:]),
        *lines(walk("600002.SH", SPRING[:40])),
        *lines([("600002.SH", day, 9.0, 9.0) for day in SPRING[40:]], suspended=True),
    )
    site.sync()
    site.sync()
    assert ("600001.SH", SPRING[31], None) in site.events
    result = site.compute()
    assert result.failed_items[0] == "600001.SH"
    remedy = (
        f"mystocks backfill daily_data_sync --from {SPRING[30]} --to {SPRING[30]} --again -p 'symbols=[\"600001.SH\"]'"
    )
    assert "the symbol's own bar before it is missing on a loaded day" in result.message
    assert remedy in result.message
    assert site.days_of("600001.SH") == SPRING[:31][:30]


# ---- new listings


def test_a_listing_is_no_event_in_whichever_direction_days_are_loaded(site):
    listed = walk("603999.SH", SPRING[20:], close=30.0)
    listed[0] = (*listed[0][:2], 12.5, listed[0][3])
    site.holds(*lines(walk("600001.SH", SPRING)), *lines(listed))
    site.sync(start_date=SPRING[40])
    site.sync(end_date=SPRING[39])
    assert site.events == []
    assert len(site.days_of("603999.SH") if site.compute() else []) == len(SPRING) - 20


# ---- the end of the calendar


NEW_YEAR = [
    *shanghai().sessions(date(2026, 10, 8), date(2026, 12, 31)),
    date(2027, 1, 4),
    date(2027, 1, 5),
    date(2027, 1, 6),
]


#: From an evening before Spring Festival of 2026, with its calendar or without it.
FESTIVAL = shanghai().sessions(date(2025, 11, 24), date(2026, 2, 26))


def operate(site: Site, bars: list[Bar], days: Sequence[date]) -> list[TaskResult]:
    """Run the daily tasks in the evening of each day, the archive growing day by day."""
    results = []
    for day in days:
        site.at(day)
        site.holds(*lines([bar for bar in bars if bar[1] <= day]))
        site.sync()
        results.append(site.compute())
    return results


def test_new_year_2027_is_a_night_like_any_other(site, calendar_until):
    calendar_until(date(2026, 12, 31))
    symbols = ("600001.SH", "600002.SH", "000001.SZ")
    evenings = [date(2026, 12, 31), date(2027, 1, 1), *NEW_YEAR[-3:]]
    results = operate(site, [bar for symbol in symbols for bar in walk(symbol, NEW_YEAR)], evenings)
    assert [result.status for result in results] == ["success", "skipped", "success", "success", "success"]
    assert site.events == []
    assert all(site.days_of(symbol) == NEW_YEAR for symbol in symbols)


def test_a_dividend_on_the_first_day_of_2027_needs_no_calendar_as_new_year_is_a_holiday_in_every_year(
    site, calendar_until
):
    calendar_until(date(2026, 12, 31))
    pays = walk("600001.SH", NEW_YEAR, ex={date(2027, 1, 4): 0.3})
    results = operate(site, pays, [date(2026, 12, 31), *NEW_YEAR[-3:]])
    assert results[-1].status == "success"
    assert site.events == [("600001.SH", date(2027, 1, 4), pays[-3][2] / pays[-4][3])]


def test_a_dividend_on_the_first_day_after_the_calendar_stops_that_symbol_until_a_calendar_arrives(
    site, calendar_until
):
    calendar_until(date(2026, 2, 13))
    pays = walk("600001.SH", FESTIVAL, ex={date(2026, 2, 24): 0.3})
    results = operate(site, pays + walk("600002.SH", FESTIVAL), [date(2026, 2, 13), *FESTIVAL[-3:]])
    assert results[-1].failed_items == ("600001.SH",)
    assert (
        "the trading calendar, which ends on 2026-02-13, does not say whether 2026-02-16 was a trading day"
        in results[-1].message
    )
    assert site.days_of("600001.SH") == FESTIVAL[:-3]
    assert site.days_of("600002.SH") == FESTIVAL

    calendar_until(date(2026, 12, 31), FESTIVAL[-3:])
    healed = site.sync()
    assert (healed.status, healed.rows) == ("success", {"adjust_events": 1})
    assert site.events == [("600001.SH", date(2026, 2, 24), pays[-3][2] / pays[-4][3])]
    assert site.compute().status == "success"
    assert site.days_of("600001.SH") == FESTIVAL


def test_a_calendar_that_arrives_heals_at_the_next_calculation_too(site, calendar_until):
    calendar_until(date(2026, 2, 13))
    operate(site, walk("600001.SH", FESTIVAL, ex={date(2026, 2, 24): 0.3}), FESTIVAL[-3:])
    calendar_until(date(2026, 12, 31), FESTIVAL[-3:])
    assert site.compute().status == "success"
    assert site.days_of("600001.SH") == FESTIVAL


def test_the_markets_own_previous_closes_prove_an_unlisted_holiday(site, calendar_until):
    calendar_until(date(2026, 2, 13))
    market = [bar for n in range(30) for bar in walk(f"6001{n:02d}.SH", FESTIVAL)]
    pays = walk("600001.SH", FESTIVAL, ex={date(2026, 2, 24): 0.3})
    results = operate(site, market + pays, [date(2026, 2, 13), *FESTIVAL[-3:]])
    assert results[-1].status == "success"
    assert site.events == [("600001.SH", date(2026, 2, 24), pays[-3][2] / pays[-4][3])]


def test_a_trading_day_missed_after_the_calendar_is_not_taken_for_a_holiday(site, calendar_until):
    calendar_until(date(2026, 12, 31))
    market = [bar for n in range(30) for bar in walk(f"6001{n:02d}.SH", NEW_YEAR)]
    operate(
        site,
        [bar for bar in market if bar[1] != date(2027, 1, 5)],
        [date(2026, 12, 31), date(2027, 1, 4), date(2027, 1, 6)],
    )
    assert {ratio for _, _, ratio in site.events} == {None}
    assert {day for _, day, _ in site.events} == {date(2027, 1, 6)}


def test_a_calendar_that_lacked_a_trading_day_leaves_nothing_behind_when_it_is_mended(site, calendar_until):
    later = NEW_YEAR[-3:]
    market = [bar for n in range(1, 5) for bar in walk(f"60000{n}.SH", NEW_YEAR)]
    site.at(later[-1])
    site.holds(*lines(market))
    calendar_until(later[-1], [later[0], later[2]])
    rose = {symbol for symbol, day, before, close in market if day == later[1] and close > before}
    statuses = [site.sync().status for _ in range(2)]
    left = set(site.lake.read("quarantine").filter(date=later[2])["key"])
    assert (statuses, rose != set()) == (["partial_success", "success"], True)
    assert left == {f"{symbol} {later[2]}" for symbol in rose}

    calendar_until(later[-1], later)
    assert site.sync().status == "success"
    assert site.lake.read("quarantine").filter(date=later[2]).is_empty()
    assert site.events == []
    assert site.compute().status == "success"
    assert all(site.days_of(f"60000{n}.SH") == NEW_YEAR for n in range(1, 5))


# ---- a missed day


def missed(site: Site) -> tuple[list[Bar], date, set[str]]:
    """Load four symbols without one day; one of them closes that day as it did the day before."""
    gap = SPRING[60]
    bars = [bar for n in range(3) for bar in walk(f"60000{n}.SH", SPRING)]
    still = walk("600003.SH", [day for day in SPRING if day != gap])
    same = ("600003.SH", gap, still[60][2], still[60][2])
    bars += [*still, same]
    site.holds(*lines([bar for bar in bars if bar[1] != gap]))
    closes = {(symbol, day): (before, close) for symbol, day, before, close in bars}
    moved = {
        symbol
        for symbol in ("600000.SH", "600001.SH", "600002.SH")
        if closes[symbol, SPRING[61]][0] != closes[symbol, SPRING[59]][1]
    }
    return bars, gap, moved


def test_after_a_missed_day_only_symbols_that_moved_wait_and_keep_their_earlier_days(site):
    _, gap, moved = missed(site)
    assert site.sync().failed_items == (f"{gap}",)
    result = site.compute()
    assert set(result.failed_items) == moved
    assert "600003.SH" not in moved
    for n in range(4):
        symbol = f"60000{n}.SH"
        assert site.days_of(symbol) == (SPRING[:60] if symbol in moved else [day for day in SPRING if day != gap])


def test_after_a_missed_day_the_message_names_symbols_days_and_a_command(site):
    _, gap, moved = missed(site)
    for result in (site.sync(), site.compute()):
        for symbol in moved:
            assert f"{symbol} from {SPRING[61]} on" in result.message
        assert f"mystocks backfill daily_data_sync --from {gap} --to {gap}" in result.message


def whole(site: Site, bars: list[Bar], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pl.DataFrame:
    """Return the indicators of a lake that was loaded in one go."""
    other = Site(tmp_path / "other", monkeypatch)
    other.holds(*lines(bars))
    other.sync()
    other.compute()
    return other.lake.read("indicators_daily").sort("symbol", "date")


@pytest.mark.parametrize("how", ["the day", "its symbols"])
def test_filling_the_missed_day_gives_what_a_whole_load_gives(site, tmp_path, monkeypatch, how):
    bars, gap, moved = missed(site)
    site.sync()
    site.compute()
    site.holds(*lines(bars))
    site.sync(**({"symbols": sorted(moved), "start_date": gap, "end_date": gap} if how == "its symbols" else {}))
    assert site.compute().status == "success"
    assert site.events == []
    found = site.lake.read("indicators_daily").sort("symbol", "date")
    (tmp_path / "other").mkdir()
    filled = [bar for bar in bars if how == "the day" or bar[1] != gap or bar[0] in moved]
    assert found.equals(whole(site, filled, tmp_path, monkeypatch))


def test_a_day_missed_by_a_source_of_snapshots_is_filled_from_an_archive(site, monkeypatch):
    _, gap, _ = missed(site)
    site.sync()
    monkeypatch.setattr("mystocks_dagster.sources.recorded.source.RecordedSource.has_history", False)
    monkeypatch.setattr(
        "mystocks_dagster.sources.recorded.source.RecordedSource.bar_days", lambda _: (SPRING[-1], SPRING[-1])
    )
    result = site.sync(force=True)
    assert (
        f"mystocks backfill daily_data_sync --from {gap} --to {gap} --again -p data_source=recorded" in result.message
    )
    monkeypatch.undo()


# ---- corporate actions


def paying(site: Site) -> date:
    """A missed day on which nothing moved but a dividend of 0.50 and four bonus shares for ten."""
    gap, still = SPRING[10], walk("600000.SH", SPRING[:10], close=12.0)
    last = still[-1][3]
    stated = round((last - 0.5) / 1.4, 2)
    others = [bar for bar in walk("600001.SH", SPRING) if bar[1] != gap]
    site.holds(*lines(still), *lines(walk("600000.SH", SPRING[11:], close=stated)), *lines(others))
    return gap


def test_a_corporate_action_of_the_archive_is_asked_for_by_the_daily_sync_and_heals(site):
    gap = paying(site)
    site.sync()
    assert "600000.SH" in site.compute().failed_items
    site.acts(f"600000.SH,{gap},0.5,0.4,0,,{SPRING[5]},recorded")
    site.sync()
    assert [symbol for symbol, _, ratio in site.events if ratio] == ["600000.SH"]
    assert "600000.SH" not in site.compute().failed_items
    assert site.days_of("600000.SH") == [day for day in SPRING if day != gap]


def test_corporate_actions_can_be_fetched_by_a_task_of_their_own(site):
    gap = paying(site)
    site.sync()
    site.acts(f"600000.SH,{gap},0.5,0.4,0,,{SPRING[5]},recorded", f"600001.SH,{SPRING[3]},0.1,0,0,,,recorded")
    result = sync_corporate_actions(ActionSync(), site.run)
    # The second action is in no price.
    assert result.rows == {"corporate_actions": 2, "adjust_events": 1, "action_differences": 1}
    assert site.events[0][2] is not None
    assert sync_corporate_actions(ActionSync(), site.run).status == "skipped"
    assert (
        sync_corporate_actions(ActionSync(start_date=SPRING[3], end_date=SPRING[3]), site.run).rows["corporate_actions"]
        == 1
    )


def test_an_action_that_does_not_explain_the_price_heals_nothing(site):
    gap = paying(site)
    site.acts(f"600000.SH,{gap},0.6,0.4,0,,{SPRING[5]},recorded")
    site.sync()
    assert site.events[0] == ("600000.SH", SPRING[11], None)


def test_a_source_without_corporate_actions_says_so(site):
    paying(site)
    result = sync_corporate_actions(ActionSync(), site.run)
    assert (result.status, result.message) == ("skipped", "recorded has no corporate_actions.")


# ---- what is computed from it


def test_signals_and_backtests_of_a_doubtful_symbol_go_on_up_to_the_day_before(site):
    _, gap, moved = missed(site)
    site.sync()
    site.compute()
    signals = calculate_strategy_signals(SignalParams(), site.run)
    assert (signals.status, set(signals.failed_items)) == ("partial_success", moved)
    spoken = site.lake.read("signals")
    doubtful = spoken.filter(pl.col("symbol").is_in(list(moved)))
    assert doubtful.height > 0
    assert doubtful["date"].max() < SPRING[61]
    assert spoken.filter(symbol="600003.SH")["date"].max() > SPRING[61]

    result = run_backtest(BacktestParams(strategy_id="ma_crossover"), site.run)
    assert (result.status, set(result.failed_items)) == ("partial_success", moved)
    trades = site.lake.read("backtest_trades").filter(pl.col("symbol").is_in(list(moved)))
    assert trades.height > 0
    assert trades["date"].max() < gap
    assert site.lake.read("backtest_equity")["date"].max() == SPRING[-1]
    early = run_backtest(BacktestParams(strategy_id="ma_crossover", end_date=SPRING[59]), site.run)
    assert early.status == "success"


def test_adjusted_prices_of_others_and_of_earlier_days_are_read_as_ever(site):
    _, _, moved = missed(site)
    site.sync()
    assert adjusted_bars(site.lake, symbols=["600003.SH"]).height == len(SPRING) - 1
    assert adjusted_bars(site.lake, end=SPRING[59]).height == 60 * 4
    rows = adjusted_bars(site.lake, unknown="leave_out").group_by("symbol").len()
    assert dict(rows.iter_rows()) == {
        f"60000{n}.SH": 60 if f"60000{n}.SH" in moved else len(SPRING) - 1 for n in range(4)
    }
    assert set(unknown_factors(site.lake)["symbol"]) == moved


# ---- distributions that cannot be


@pytest.mark.parametrize(
    ("cash", "rule"),
    [("NaN", "not_a_number"), ("inf", "not_a_number"), ("-inf", "not_a_number"), ("-0.5", "distribution_below_zero")],
)
def test_a_distribution_that_cannot_be_is_set_aside_and_the_sync_goes_on(site, cash, rule):
    ex = SPRING[41]
    bars = walk("600000.SH", SPRING, ex={ex: 0.5})
    site.holds(*lines([bar for bar in bars if bar[1] != SPRING[40]]), *lines(walk("600001.SH", SPRING)))
    site.acts(f"600000.SH,{ex},{cash},0,0,,{SPRING[30]},x")
    result = site.sync()
    assert result.status == "partial_success"
    assert f"first 600000.SH {ex} x" in result.message
    assert f"600000.SH {ex} x" in result.failed_items
    kept = site.lake.read("quarantine").filter(pl.col("table") == "corporate_actions")
    assert rule in kept["rule"].to_list()
    assert site.lake.read("daily_bars").height == 2 * len(SPRING) - 1
    with pytest.raises(SourceChanged, match=f"no row of corporate_actions is valid.*{rule}"):
        sync_corporate_actions(ActionSync(start_date=SPRING[0]), site.run)

    site.acts(f"600000.SH,{ex},0.5,0,0,,{SPRING[30]},x")
    sync_corporate_actions(ActionSync(start_date=SPRING[0]), site.run)
    assert site.lake.read("quarantine").filter(pl.col("table") == "corporate_actions").is_empty()


def test_a_report_of_distributions_that_is_refused_as_a_whole_is_told_and_the_sync_goes_on(site):
    ex = SPRING[41]
    site.holds(
        *lines([bar for bar in walk("600000.SH", SPRING, ex={ex: 0.5}) if bar[1] != SPRING[40]]),
        *lines(walk("600001.SH", SPRING)),
    )
    site.acts(*(f"60000{n}.SH,{ex},NaN,0,0,,{SPRING[30]},x" for n in range(6)))
    assert "Corporate actions could not be fetched: recorded: corporate_actions refused." in site.sync().message
    assert site.lake.read("daily_bars").height == 2 * len(SPRING) - 1


def test_the_sound_distributions_beside_one_that_cannot_be_are_stored(site):
    ex = SPRING[41]
    site.holds(*lines(walk("600000.SH", SPRING)))
    site.acts(f"600000.SH,{ex},NaN,0,0,,{SPRING[30]},x", f"600001.SH,{ex},0.1,0,0,,{SPRING[30]},x")
    result = sync_corporate_actions(ActionSync(start_date=SPRING[0]), site.run)
    assert (result.status, result.failed_items) == ("partial_success", (f"600000.SH {ex} x",))
    assert site.lake.read("corporate_actions")["symbol"].to_list() == ["600001.SH"]


# ---- tables that are gone


@pytest.fixture
def split(site) -> Site:
    """600000 was split 1:2 on the 41st day."""
    bars = walk("600000.SH", SPRING)
    halved = [
        bar if n < 40 else (bar[0], bar[1], round(bar[2] / 2, 2), round(bar[3] / 2, 2)) for n, bar in enumerate(bars)
    ]
    site.holds(*lines(halved))
    site.at(SPRING[-2])
    site.sync()
    assert [event[:2] for event in site.events] == [("600000.SH", SPRING[40])]
    return site


def test_a_lost_table_of_events_is_derived_again_by_the_next_sync(split):
    before = split.events
    shutil.rmtree(Path(split.lake.location, "adjust_events"))
    assert split.sync().status == "success"
    assert split.events == before


def test_a_lost_table_of_events_is_derived_again_by_the_indicators(split):
    before = split.events
    shutil.rmtree(Path(split.lake.location, "adjust_events"))
    split.compute()
    assert split.events == before


def test_a_new_day_does_not_make_a_table_of_events_with_that_day_only(split):
    before = split.events
    move_away(split.lake, "adjust_events")
    split.at(SPRING[-1])
    split.sync()
    assert split.events == before


def test_lost_bars_are_loaded_again_and_a_load_of_some_days_does_not_bring_back_the_others(split):
    shutil.rmtree(Path(split.lake.location, "daily_bars"))
    split.sync(start_date=SPRING[-3], end_date=SPRING[-2])
    assert split.lake.days("daily_bars") == SPRING[-3:-1]
    assert split.events == []
    split.sync()
    assert split.lake.days("daily_bars") == SPRING[:-1]
    assert [event[:2] for event in split.events] == [("600000.SH", SPRING[40])]
