"""What a live source states, through akshare's own code against the stand-in."""

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest
from standin.server import StandIn
from trading_calendar.conftest import to_2027

from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.market.clock import now
from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.registry import open_source
from mystocks_dagster.trading_calendar import in_force, record
from mystocks_dagster.trading_calendar.outlook import outlook
from mystocks_dagster.trading_calendar.refresh import RefreshResult, due, refresh


def ask(name: str = "akshare") -> RefreshResult:
    settings = Settings.from_env()
    return refresh(open_source(name, settings), settings)


def test_a_source_that_knows_the_next_year_extends_the_calendar_and_is_named(
    at: Callable[[str], None], standin: StandIn
) -> None:
    at("2026-12-20T12:00:00")
    assert due()
    standin.market.trading_days = to_2027()
    assert ask().changed
    assert not due(), "once a day"
    assert shanghai().last == date(2027, 12, 31)
    assert not shanghai().is_session(date(2027, 2, 5))
    assert in_force.in_force().stands_on == "package (to 2026-12-31), akshare (to 2027-12-31, fetched 2026-12-20 12:00)"


def test_what_is_known_is_never_shortened(at: Callable[[str], None], standin: StandIn) -> None:
    at("2026-12-20T12:00:00")
    standin.market.trading_days = to_2027()
    ask()
    standin.market.trading_days = [day for day in to_2027() if day <= date(2027, 3, 31)]
    assert not ask().changed
    assert shanghai().last == date(2027, 12, 31)


def test_a_source_that_contradicts_published_days_is_refused_and_said(
    at: Callable[[str], None], standin: StandIn
) -> None:
    at("2026-12-20T12:00:00")
    standin.market.trading_days = [day for day in to_2027() if day != date(2026, 3, 3)]
    done = ask()
    assert "contradicts the published calendar about 2026-03-03" in done.error
    assert shanghai().last == date(2026, 12, 31)
    assert outlook(in_force.in_force(), now()).level == "warning"
    at("2026-12-27T12:00:00")
    found = outlook(in_force.in_force(), now())
    assert found.level == "error", "the next year has been published for a week, and is not loaded"
    assert "2026-03-03" in found.detail


def test_a_source_that_states_weekdays_for_trading_days_is_refused(at: Callable[[str], None], standin: StandIn) -> None:
    at("2026-12-20T12:00:00")
    weekdays = (date(2027, 1, 1) + timedelta(days=number) for number in range(365))
    standin.market.trading_days += [day for day in weekdays if day.weekday() < 5]
    assert "2027-01-01 is a public holiday" in ask().error


def test_a_source_that_fails_is_said_and_what_is_known_stays(at: Callable[[str], None], standin: StandIn) -> None:
    at("2026-12-20T08:05:00")
    standin.market.trading_days = to_2027()
    ask()
    standin.fault("status", value=502)
    assert "answered HTTP 502" in ask().error
    assert shanghai().last == date(2027, 12, 31)
    assert "answered HTTP 502" in outlook(in_force.in_force(), now()).detail
    at("2026-12-20T16:30:00")
    assert due(), "the afternoon's sync tries again"


def test_a_damaged_record_is_one_clear_message_and_refreshing_mends_it(
    at: Callable[[str], None], standin: StandIn, tmp_path: Path
) -> None:
    at("2026-12-20T12:00:00")
    standin.market.trading_days = to_2027()
    ask()
    path = tmp_path / ".dagster" / "calendar.json"
    whole = path.read_text(encoding="utf-8")
    values = json.loads(whole)
    for damaged in (
        "",
        whole[: len(whole) // 2],
        "[]",
        whole.replace("2027-03-01", "2027-13-01"),
        json.dumps({**values, "format": 9}),
    ):
        path.write_text(damaged, encoding="utf-8")
        in_force.clear_cache()
        known = in_force.in_force()
        assert known.calendar.last == date(2026, 12, 31)
        assert "calendar.json is damaged" in known.notes[0]
        assert "mystocks calendar --refresh" in known.notes[0]
    ask()
    assert shanghai().last == date(2027, 12, 31)
    assert record.read(Settings.from_env()).source == "akshare"


def test_the_users_file_is_trusted_more_than_a_source(at: Callable[[str], None], standin: StandIn, year: Path) -> None:
    at("2026-12-20T12:00:00")
    standin.market.trading_days = sorted([*to_2027(), date(2027, 2, 5)])
    ask()
    assert not shanghai().is_session(date(2027, 2, 5))
    assert "contradicts the trading calendar's file about 2027-02-05" in in_force.in_force().notes[0]


def test_a_calendar_of_an_archive_counts_and_a_simulated_market_states_none_of_its_own(
    at: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at("2026-12-20T12:00:00")
    assert not ask("simulated").asked
    archive = tmp_path / "archive"
    archive.mkdir()
    monkeypatch.setenv("MYSTOCKS_RECORDED", str(archive))
    assert not ask("recorded").asked
    (archive / "trading_calendar.csv").write_text("\n".join(map(str, to_2027())), encoding="utf-8")
    assert ask("recorded").changed
    assert shanghai().last == date(2027, 12, 31)


def test_machines_that_share_a_lake_on_an_object_store_share_the_calendar(
    at: Callable[[str], None], standin: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mystocks_dagster.trading_calendar import shared

    at("2026-12-20T12:00:00")
    monkeypatch.setenv("MYSTOCKS_LAKE", f"file://{tmp_path}/lake")
    standin.market.trading_days = to_2027()
    ask()
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "other machine"))
    assert shanghai().last == date(2026, 12, 31)
    shared.fetch(Settings.from_env())
    assert shanghai().last == date(2027, 12, 31)
