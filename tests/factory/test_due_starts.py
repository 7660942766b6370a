"""Which starts the daemon asks for itself: those that need no decision. The others are left to Dagster."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest
from dagster._utils.error import SerializableErrorInfo

from mystocks_dagster.dagster_internals import (
    InstigatorState,
    InstigatorType,
    ManagedGrpcPythonEnvCodeLocationOrigin,
    RemoteRepositoryOrigin,
    TickData,
    TickStatus,
)
from mystocks_dagster.factory.due_starts import DueStarts, Start, is_usual
from mystocks_dagster.factory.scheduled import ScheduledJob
from mystocks_dagster.market.clock import SHANGHAI
from mystocks_dagster.scheduling.downtime import DaemonActivity
from mystocks_dagster.tags import Metadata
from mystocks_dagster.taskfile.schedule import Schedule

DUE = datetime(2026, 11, 27, 16, 0, tzinfo=SHANGHAI)
BEFORE, NOW = DUE - timedelta(minutes=1), DUE + timedelta(seconds=1)
EVENING = "0 18 * * *"


def scheduled(name: str, cron: str) -> ScheduledJob:
    when = Schedule.model_validate({"schedule_type": "cron", "cron_expression": cron})
    return ScheduledJob(job=name, title=name, schedule=when)


@dataclass
class RemoteSchedule:
    """A schedule of a code location, as the daemon sees it."""

    name: str
    cron_schedule: str = "0 16 * * *"
    execution_timezone: str = "Asia/Shanghai"
    on: bool = True
    version: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        data = scheduled(self.name, self.cron_schedule).to_json()
        self.metadata = {
            Metadata.EVALUATION: SimpleNamespace(value=data | ({"version": self.version} if self.version else {}))
        }

    __hash__ = object.__hash__

    @property
    def selector_id(self) -> str:
        return self.get_remote_origin().get_selector().get_id()

    def get_remote_origin(self) -> Any:
        from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

        place = ManagedGrpcPythonEnvCodeLocationOrigin(LoadableTargetOrigin(module_name="m"), location_name="mystocks")
        return RemoteRepositoryOrigin(place, "__repository__").get_instigator_origin(self.name)

    def get_current_instigator_state(self, _: InstigatorState | None) -> Any:
        return SimpleNamespace(is_running=self.on)


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield instance


def look(starts: DueStarts, instance: dg.DagsterInstance, now: datetime, *schedules: RemoteSchedule) -> list[Start]:
    """Let the daemon look at a workspace with these schedules."""
    repository = SimpleNamespace(get_schedules=lambda: schedules)
    location = SimpleNamespace(get_repositories=lambda: {"__repository__": repository})
    entries = {"mystocks": SimpleNamespace(code_location=location), "broken": SimpleNamespace(code_location=None)}
    return starts.look(instance, SimpleNamespace(get_code_location_entries=lambda: entries), now)


def due(starts: list[Start]) -> list[tuple[str, datetime]]:
    return [(start.scheduled.job, start.moment) for start in starts]


def test_a_schedule_that_was_on_before_is_asked_for_when_it_is_due(stored: dg.DagsterInstance) -> None:
    starts, daily, other = DueStarts(), RemoteSchedule("daily"), RemoteSchedule("evening", EVENING)
    assert look(starts, stored, BEFORE, daily, other) == []
    assert [seen.schedule for seen in starts.due_before(DUE + timedelta(minutes=9))] == [daily]
    found = look(starts, stored, NOW, daily, other)
    assert due(found) == [("daily", DUE)]
    assert is_usual(stored, found[0], DaemonActivity(moment=NOW, since=BEFORE), NOW)
    assert look(starts, stored, NOW + timedelta(minutes=1), daily, other) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, RemoteSchedule("daily")),
        (RemoteSchedule("daily", EVENING), RemoteSchedule("daily")),
        (RemoteSchedule("daily", on=False), RemoteSchedule("daily")),
        (RemoteSchedule("daily"), RemoteSchedule("daily", on=False)),
        (RemoteSchedule("daily", version="0"), RemoteSchedule("daily", version="0")),
    ],
    ids=["it is new", "its cron expression was another", "it was off", "it is off", "another version of ours made it"],
)
def test_a_start_that_needs_a_decision_is_left_to_dagster(
    stored: dg.DagsterInstance, before: RemoteSchedule | None, after: RemoteSchedule
) -> None:
    starts = DueStarts()
    look(starts, stored, BEFORE, *([before] if before else []))
    assert look(starts, stored, NOW, after) == []


def test_a_schedule_of_other_code_is_left_to_dagster(stored: dg.DagsterInstance) -> None:
    starts, foreign = DueStarts(), RemoteSchedule("foreign")
    foreign.metadata = {}
    for moment in (BEFORE, NOW):
        assert look(starts, stored, moment, foreign) == []
    assert stored.all_instigator_state() == [], "its state too"


def record(instance: dg.DagsterInstance, start: Start, moment: datetime, status: TickStatus) -> None:
    """Record a tick of the schedule, whose status is this now."""
    origin, kind, when = start.origin, InstigatorType.SCHEDULE, moment.timestamp()
    began = instance.create_tick(TickData(origin, "daily", kind, TickStatus.STARTED, when, selector_id=start.selector))
    error = SerializableErrorInfo("it failed", [], None) if status == TickStatus.FAILURE else None
    instance.update_tick(began.with_status(status, error=error))


@pytest.mark.parametrize(
    ("ticks", "activity"),
    [
        ([(1, TickStatus.STARTED)], {}),
        ([(1, TickStatus.FAILURE)], {}),
        ([(2, TickStatus.SUCCESS)], {}),
        ([(0, TickStatus.SUCCESS)], {}),
        ([(1, TickStatus.SUCCESS)], {"since": NOW}),
        ([(1, TickStatus.SUCCESS)], {"resumed": {"daily": DUE}}),
    ],
    ids=["the last was interrupted", "it failed", "one was missed", "it was asked for", "no daemon", "it was off"],
)
def test_a_start_after_another_case_than_the_usual_is_left_to_dagster(
    stored: dg.DagsterInstance, ticks: list[tuple[int, TickStatus]], activity: dict[str, Any]
) -> None:
    starts, daily = DueStarts(), RemoteSchedule("daily")
    look(starts, stored, DUE - timedelta(days=3), daily)
    look(starts, stored, BEFORE, daily)
    (start,) = look(starts, stored, NOW, daily)
    for days, status in ticks:
        record(stored, start, DUE - timedelta(days=days), status)
    activity = {"moment": NOW, "since": DUE - timedelta(days=9)} | activity
    assert not is_usual(stored, start, DaemonActivity(**activity), NOW)


def test_the_usual_case_after_yesterdays_start(stored: dg.DagsterInstance) -> None:
    starts, daily = DueStarts(), RemoteSchedule("daily")
    look(starts, stored, DUE - timedelta(days=3), daily)
    look(starts, stored, BEFORE, daily)
    (start,) = look(starts, stored, NOW, daily)
    record(stored, start, DUE - timedelta(days=1), TickStatus.SUCCESS)
    assert is_usual(stored, start, DaemonActivity(moment=NOW, since=DUE - timedelta(days=9)), NOW)
