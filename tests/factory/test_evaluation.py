"""A thousand schedules that are due in the same minute do not read the state of all of them a thousand times."""

from collections.abc import Iterator
from datetime import datetime

import dagster as dg
import pytest

from mystocks_dagster.dagster_internals import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    RemoteRepositoryOrigin,
    ScheduleInstigatorData,
)
from mystocks_dagster.factory import evaluation
from mystocks_dagster.factory.scheduled import ScheduledJob
from mystocks_dagster.factory.schedules import build_schedule
from mystocks_dagster.market.clock import SHANGHAI
from mystocks_dagster.taskfile.schedule import Schedule

MOMENT = datetime(2026, 11, 27, 16, 0, tzinfo=SHANGHAI)
NAMES = [f"task_{number}" for number in range(30)]


def scheduled(name: str) -> ScheduledJob:
    when = Schedule.model_validate({"schedule_type": "cron", "cron_expression": "0 16 * * *"})
    return ScheduledJob(job=name, title=name, schedule=when, limit=1)


@pytest.fixture
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.DagsterInstance]:
    """An instance on disk in which the daemon has written the state of each schedule."""
    from dagster._core.remote_origin import ManagedGrpcPythonEnvCodeLocationOrigin
    from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

    place = ManagedGrpcPythonEnvCodeLocationOrigin(LoadableTargetOrigin(module_name="m"), location_name="mystocks")
    repository = RemoteRepositoryOrigin(place, "__repository__")
    with dg.DagsterInstance.local_temp(str(tmp_path_factory.mktemp("home"))) as instance:
        for name in NAMES:
            data = ScheduleInstigatorData("0 16 * * *", MOMENT.timestamp() - 3600)
            origin = repository.get_instigator_origin(scheduled(name).switch)
            instance.add_instigator_state(
                InstigatorState(origin, InstigatorType.SCHEDULE, InstigatorStatus.DECLARED_IN_CODE, data)
            )
        yield instance


def test_many_schedules_of_one_minute_read_all_states_once_and_open_the_instance_once(
    stored: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads, opened = [], []
    read_all, from_ref = dg.DagsterInstance.all_instigator_state, dg.DagsterInstance.from_ref
    monkeypatch.setattr(
        dg.DagsterInstance, "all_instigator_state", lambda *a, **k: reads.append(a) or read_all(*a, **k)
    )
    monkeypatch.setattr(evaluation.dg.DagsterInstance, "from_ref", lambda ref: opened.append(ref) or from_ref(ref))
    reference = stored.get_ref()
    for name in NAMES:
        context = dg.ScheduleEvaluationContext(reference, MOMENT)
        answer = build_schedule(scheduled(name)).evaluate_tick(context)
        assert answer.run_requests, answer.skip_message
        assert [request.job_name for request in answer.run_requests] == [name]
    assert len(reads) == 1
    assert len(opened) == 1


def test_a_schedule_that_was_switched_since_is_read_as_it_is_now(stored: dg.DagsterInstance) -> None:
    first = evaluation.switch_state(stored, scheduled(NAMES[0]).switch)
    changed = first.with_status(InstigatorStatus.STOPPED)
    stored.update_instigator_state(changed)
    assert evaluation.switch_state(stored, scheduled(NAMES[0]).switch).status == InstigatorStatus.STOPPED
    assert evaluation.switch_state(stored, "never_written") is None
