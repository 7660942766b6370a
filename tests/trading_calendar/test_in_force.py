"""The turn of the year 2026/27, with the shipped calendar and with one that reaches further."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from itertools import takewhile
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from standin.market import Market
from standin.server import StandIn
from support.year2027 import days_of_2027
from trading_calendar.conftest import DATES, to_2027

from mystocks_dagster.factory.partitions import trading_days
from mystocks_dagster.factory.system import calendar_outcome
from mystocks_dagster.lake.loads import complete_days
from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.market.clock import SHANGHAI, now
from mystocks_dagster.project.health import calendar
from mystocks_dagster.scheduling import next_runs
from mystocks_dagster.taskfile.schedule import Schedule
from mystocks_dagster.tasks.data_sync import DailySync, sync_daily_stock_data
from mystocks_dagster.tasks.indicators import IndicatorParams, calculate_technical_indicators
from mystocks_dagster.tasks.market_data import LonghubangParams, fetch_longhubang_data
from mystocks_dagster.trading_calendar.in_force import in_force
from mystocks_dagster.trading_calendar.outlook import outlook

CRON = Schedule.model_validate({"schedule_type": "cron", "cron_expression": "30 16 * * *", "trading_days_only": True})
LEVELS = dict(zip(DATES, ("amber", "red", "red", "red", "red"), strict=True))


def level(check: Any) -> str:
    return "red" if not check.ok else "amber" if check.warning else "green"


@pytest.mark.parametrize("day", DATES)
def test_health_is_amber_before_the_end_and_red_a_week_after_the_next_year_is_published(
    day: str, at: Callable[[str], None]
) -> None:
    at(f"{day}T17:00:00")
    assert level(calendar()) == LEVELS[day]
    assert "mystocks calendar --refresh" in calendar().remedy
    verdict = calendar_outcome(in_force(), now())
    assert (verdict.passed, verdict.severity.value) == (False, "WARN" if LEVELS[day] == "amber" else "ERROR")


@pytest.mark.parametrize("day", DATES)
def test_health_is_green_when_the_next_year_is_loaded(day: str, at: Callable[[str], None], year: Path) -> None:
    at(f"{day}T17:00:00")
    assert level(calendar()) == "green"
    assert calendar_outcome(in_force(), now()).passed
    assert str(year) in calendar().detail


@pytest.mark.slow
@pytest.mark.parametrize("day", DATES)
def test_partitions_are_the_trading_days_of_the_calendar_in_force(
    day: str, at: Callable[[str], None], year: Path
) -> None:
    at(f"{day}T17:00:00")
    keys = trading_days().get_partition_keys(current_time=now())
    stated = [one for one in to_2027() if date(2005, 1, 4) <= one <= date.fromisoformat(day)]
    assert keys == [f"{one}" for one in stated]


@pytest.mark.slow
@pytest.mark.parametrize("day", DATES)
def test_without_the_next_year_no_partition_is_guessed(day: str, at: Callable[[str], None]) -> None:
    at(f"{day}T17:00:00")
    last = min(date.fromisoformat(day), date(2026, 12, 31))
    assert trading_days().get_partition_keys(current_time=now())[-1] == (
        "2026-12-18" if day == "2026-12-20" else f"{last}"
    )


@pytest.mark.parametrize("day", DATES)
def test_next_leaves_out_the_holidays_of_a_loaded_year_and_says_when_it_guesses(
    day: str, at: Callable[[str], None], year: Path
) -> None:
    at(f"{day}T08:00:00")
    coming = list(takewhile(lambda one: one.time.date() < date(2027, 3, 1), next_runs.starts("bars", CRON, now())))
    stated = [one for one in to_2027() if date.fromisoformat(day) <= one < date(2027, 3, 1)]
    assert [one.time.date() for one in coming] == stated
    assert all(one.certain for one in coming)
    year.unlink()
    in_force_again()
    guessed = next(next_runs.starts("bars", CRON, datetime(2027, 2, 5, tzinfo=SHANGHAI)))
    assert (guessed.time.date(), guessed.certain) == (date(2027, 2, 5), False)


def in_force_again() -> None:
    from mystocks_dagster.trading_calendar.in_force import clear_cache

    clear_cache()


def stored(task_run: Any) -> list[date]:
    return sorted(complete_days(task_run.lake("real"), "daily_bars"))


def test_a_weekday_beyond_the_end_on_which_the_source_shows_older_bars_is_skipped(
    at: Callable[[str], None], standin: StandIn, run: Callable[..., Any]
) -> None:
    at("2026-12-31T16:30:00")
    sync = DailySync(include_basic=False)
    assert sync_daily_stock_data(sync, run()).rows["daily_bars"] > 0
    at("2027-01-01T16:30:00")
    assert sync_daily_stock_data(sync, run()).status == "skipped"
    at("2027-01-04T16:30:00")
    result = sync_daily_stock_data(sync, run())
    assert result.status == "skipped"
    assert (
        "2027-01-04 is skipped: akshare has no bars after 2026-12-31, and the trading calendar ends on 2026-12-31"
        in result.message
    )
    assert stored(run()) == [date(2026, 12, 31)]
    at("2027-01-04T20:30:00")
    assert "2027-01-04" not in fetch_longhubang_data(LonghubangParams(), run()).failed_items


def test_the_first_session_of_the_year_is_stored_under_its_own_date_without_a_calendar(
    at: Callable[[str], None], standin: StandIn, run: Callable[..., Any]
) -> None:
    at("2027-01-04T16:30:00")
    market = Market.small(date(2026, 12, 31))
    moved = {
        "day": date(2027, 1, 4),
        "bars": market.bars.with_columns(date=pl.col("date").replace(date(2026, 12, 31), date(2027, 1, 4))),
    }
    standin.reset(Market(**{**vars(market), **moved}))
    result = sync_daily_stock_data(DailySync(include_basic=False), run())
    assert (result.status, stored(run())) == ("success", [date(2027, 1, 4)])


def test_an_archive_beyond_the_calendar_is_read_and_its_days_without_bars_are_no_failure(
    at: Callable[[str], None], run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    market = Market.small(date(2026, 12, 31))
    later = market.bars.filter(date=date(2026, 12, 31)).with_columns(date=pl.lit(date(2027, 1, 5)))
    (tmp_path / "archive").mkdir()
    pl.concat([market.bars, later]).write_parquet(tmp_path / "archive" / "daily_bars.parquet")
    monkeypatch.setenv("MYSTOCKS_RECORDED", str(tmp_path / "archive"))
    at("2027-01-06T12:00:00")
    result = sync_daily_stock_data(DailySync(include_basic=False, data_source="recorded"), run())
    assert result.status == "success", result.message
    assert stored(run())[-2:] == [date(2026, 12, 31), date(2027, 1, 5)]
    assert "2027-01-04: no bars; treated as a holiday, because the trading calendar" in result.message


@pytest.mark.parametrize("day", ["2027-01-04", "2027-02-05"])
def test_a_market_goes_on_into_a_loaded_year_and_so_do_indicators(
    day: str, at: Callable[[str], None], year: Path, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MYSTOCKS_SIMULATED", "symbols=8,start=2026-09-01")
    monkeypatch.setenv("MYSTOCKS_SOURCE", "simulated")
    at(f"{day}T17:00:00")
    assert sync_daily_stock_data(DailySync(), run()).status == "success"
    result = calculate_technical_indicators(IndicatorParams(), run())
    assert result.status == "success", result.message
    newest = max(one for one in days_of_2027() if one <= date.fromisoformat(day))
    indicators = run().lake().read("indicators_daily", columns=["symbol", "date"])
    assert indicators["date"].max() == newest
    assert (
        indicators.filter(date=newest).height
        == run().lake().read("daily_bars").filter(~pl.col("suspended"), date=newest).height
    )


def test_what_happened_in_a_simulated_market_does_not_change_when_the_calendar_reaches_further(
    at: Callable[[str], None], run: Callable[..., Any], year: Path
) -> None:
    at("2026-12-31T17:00:00")
    days = shanghai().sessions(date(2026, 12, 1), date(2026, 12, 31))
    extended = pl.concat(run().source("simulated").daily_bars(days))
    year.unlink()
    in_force_again()
    assert shanghai().last == date(2026, 12, 31)
    assert extended.equals(pl.concat(run().source("simulated").daily_bars(days)))


def test_the_eve_of_spring_festival_is_known_only_with_the_year(at: Callable[[str], None], year: Path) -> None:
    eve = date(2027, 2, 5)
    assert shanghai().is_probable_session(eve) == (False, True)
    assert shanghai().next(eve - timedelta(days=1)) == date(2027, 2, 15)


@pytest.mark.parametrize(
    ("today", "distance"),
    [("2026-12-30", "1 day from today"), ("2027-01-01", "1 day before today"), ("2027-01-03", "3 days before today")],
)
def test_the_end_of_the_calendar_is_said_in_days(today: str, distance: str) -> None:
    moment = datetime.fromisoformat(f"{today}T16:05:00+08:00")
    assert f"2026-12-31 ({distance})" in outlook(in_force(), moment).detail
