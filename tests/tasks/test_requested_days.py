"""Which trading days a sync should have: the newest one only when it is published."""

from datetime import date
from typing import Any

import pytest

from mystocks_dagster.market.publication import Publication
from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.registry import open_source
from mystocks_dagster.tasks.requested_days import latest_closed, requested_days

MONDAY, TUESDAY = date(2026, 11, 23), date(2026, 11, 24)


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("MYSTOCKS_SIMULATED", "symbols=20,start=2026-11-16")
    monkeypatch.setenv("MYSTOCKS_NOW", "2026-11-24T16:00:00+08:00")
    return open_source("simulated", Settings.from_env())


def test_a_day_that_is_closed_and_not_published_is_left_out_with_the_time(source: Any) -> None:
    later = Publication.parse("17:30")
    assert (latest_closed(source), latest_closed(source, later)) == (TUESDAY, MONDAY)
    wanted = requested_days(source, published=later)
    assert wanted.days[-1] == MONDAY
    assert wanted.note == "2026-11-24 is not published before 2026-11-24 17:30."
    assert requested_days(source).days[-1] == TUESDAY
    assert requested_days(source).note == ""


def test_a_partition_of_that_day_is_skipped_with_the_reason(source: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = requested_days(source, asked=[MONDAY, TUESDAY], published=Publication.parse("+1 09:00"))
    assert wanted.days == (MONDAY,)
    assert "2026-11-24 is not published before 2026-11-25 09:00" in wanted.note
    monkeypatch.setenv("MYSTOCKS_NOW", "2026-11-24T14:00:00+08:00")
    assert "2026-11-24 is not over yet" in requested_days(source, asked=[TUESDAY]).note
