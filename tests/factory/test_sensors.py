"""Once schedules under a clock of ours: what fires, when, and how often."""

from collections.abc import Callable

import dagster as dg
import pytest

from mystocks_dagster.factory.scheduled import ScheduledJob
from mystocks_dagster.factory.sensors import build_once
from mystocks_dagster.taskfile.schedule import Schedule

Fire = Callable[[str], tuple[int, str | None]]


@pytest.fixture
def once(monkeypatch: pytest.MonkeyPatch, instance: dg.DagsterInstance) -> Callable[..., Fire]:
    """Return a function that builds a sensor and gives a function from a time to (runs asked for, reason)."""

    def build(**fields: object) -> Fire:
        schedule = Schedule.model_validate({"schedule_type": "once", "start_time": "2026-11-24T10:00:00", **fields})
        built = build_once(ScheduledJob(job="job", title="任务", schedule=schedule))
        memory: dict[str, str | None] = {"cursor": None}

        def fire(text: str) -> tuple[int, str | None]:
            monkeypatch.setenv("MYSTOCKS_NOW", f"{text}+08:00")
            told = built.evaluate_tick(dg.build_sensor_context(instance=instance, cursor=memory["cursor"]))
            memory["cursor"] = told.cursor if told.cursor is not None else memory["cursor"]
            return len(told.run_requests or ()), told.skip_message

        return fire

    return build


def test_once_is_once(once: Callable[..., Fire]) -> None:
    fire = once()
    assert fire("2026-11-24T09:59:00")[0] == 0
    assert fire("2026-11-24T10:00:02")[0] == 1
    assert fire("2026-11-24T10:00:07") == (0, "done: it was due once, at 2026-11-24 10:00:00+08:00")


def test_once_missed_by_more_than_the_grace_time_is_reported_and_not_run(once: Callable[..., Fire]) -> None:
    fire = once(misfire_grace_time=300)
    runs, reason = fire("2026-11-24T10:06:00")
    assert runs == 0
    assert reason is not None
    assert reason.startswith("missed")
    assert fire("2026-11-24T10:06:05")[0] == 0


def test_once_is_made_up_for_within_an_hour_when_the_file_does_not_say(once: Callable[..., Fire]) -> None:
    assert once()("2026-11-24T10:59:00")[0] == 1
    assert once()("2026-11-24T11:01:00")[0] == 0


def test_once_on_a_day_without_trading_says_so_and_is_over(once: Callable[..., Fire]) -> None:
    fire = once(start_time="2026-10-01T10:00:00", trading_days_only=True)
    assert "not a trading day" in (fire("2026-10-01T10:00:02")[1] or "")
    assert fire("2026-10-01T10:00:07")[0] == 0
