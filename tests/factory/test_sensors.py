"""Interval and once schedules under a clock of ours: what fires, when, and how often."""

import json
from collections.abc import Callable

import dagster as dg
import pytest

from mystocks_dagster.factory.sensors import build_sensor
from mystocks_dagster.taskfile.schedule import Schedule

Fire = Callable[[str], tuple[int, str | None]]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return a function that sets the clock."""
    return lambda text: monkeypatch.setenv("MYSTOCKS_NOW", f"{text}+08:00")


@pytest.fixture
def sensor(clock: Callable[[str], None]) -> Callable[..., Fire]:
    """Return a function that builds a sensor and gives a function from a time to (runs asked for, reason)."""

    def build(**fields: object) -> Fire:
        built = build_sensor("job", "任务", Schedule.model_validate(fields), active=True)
        memory: dict[str, str | None] = {"cursor": None}

        def fire(text: str) -> tuple[int, str | None]:
            clock(text)
            context = dg.build_sensor_context(cursor=memory["cursor"])
            told = built.evaluate_tick(context)
            memory["cursor"] = told.cursor if told.cursor is not None else memory["cursor"]
            return len(told.run_requests or ()), told.skip_message

        return fire

    return build


def test_an_interval_fires_at_start_plus_k_intervals_without_drift(sensor: Callable[..., Fire]) -> None:
    fire = sensor(schedule_type="interval", interval_seconds=60, start_time="2026-11-24T10:00:00")
    assert fire("2026-11-24T09:59:58")[0] == 0
    assert fire("2026-11-24T10:00:03")[0] == 1
    assert fire("2026-11-24T10:00:08")[0] == 0
    assert fire("2026-11-24T10:00:59")[0] == 0
    assert fire("2026-11-24T10:01:00")[0] == 1


def test_missed_intervals_are_made_up_once_by_default(sensor: Callable[..., Fire]) -> None:
    fire = sensor(schedule_type="interval", interval_seconds=60, start_time="2026-11-24T10:00:00")
    assert fire("2026-11-24T10:00:00")[0] == 1
    assert fire("2026-11-24T10:05:30")[0] == 1
    assert fire("2026-11-24T10:05:35")[0] == 0


def test_misfire_all_makes_up_every_missed_interval(sensor: Callable[..., Fire]) -> None:
    fire = sensor(schedule_type="interval", interval_seconds=60, start_time="2026-11-24T10:00:00", misfire="all")
    assert fire("2026-11-24T10:00:00")[0] == 1
    assert fire("2026-11-24T10:05:30")[0] == 5


def test_misfire_skip_waits_for_the_next_one(sensor: Callable[..., Fire]) -> None:
    fire = sensor(schedule_type="interval", interval_seconds=60, start_time="2026-11-24T10:00:00", misfire="skip")
    assert fire("2026-11-24T10:00:00")[0] == 1
    assert fire("2026-11-24T10:05:30")[0] == 0
    assert fire("2026-11-24T10:06:00")[0] == 1


def test_once_is_once(sensor: Callable[..., Fire]) -> None:
    fire = sensor(schedule_type="once", start_time="2026-11-24T10:00:00")
    assert fire("2026-11-24T09:59:00")[0] == 0
    assert fire("2026-11-24T10:00:02")[0] == 1
    assert fire("2026-11-24T10:00:07") == (0, "done: it was due once, at 2026-11-24 10:00:00+08:00")


def test_once_missed_by_more_than_the_grace_time_is_reported_and_not_run(sensor: Callable[..., Fire]) -> None:
    fire = sensor(schedule_type="once", start_time="2026-11-24T10:00:00", misfire_grace_time=300)
    runs, reason = fire("2026-11-24T10:06:00")
    assert runs == 0
    assert reason is not None
    assert reason.startswith("missed")
    assert fire("2026-11-24T10:06:05")[0] == 0


def test_the_cursor_is_plain_json(sensor: Callable[..., Fire]) -> None:
    built = build_sensor("job", "任务", Schedule.model_validate({"schedule_type": "interval", "interval_seconds": 5}), active=True)
    told = built.evaluate_tick(dg.build_sensor_context())
    assert json.loads(told.cursor or "")["step"] == 5
