"""When a supervisor that does not run is started: a table of situations."""

from typing import Any

import dagster as dg
import pytest
from pydantic import ValidationError

from mystocks_dagster.factory.supervisors import LastRun, build_stopper, decide
from mystocks_dagster.taskfile.model import Task

SUCCESS, FAILURE, CANCELED = dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED


def last(**changes: Any) -> LastRun:
    return LastRun(**{"run_id": "r", "status": FAILURE, "created": 1000, "started": 1001, "ended": 1002, **changes})


def ask(
    before: LastRun | None, moment: float, *, auto_restart: bool = True, switched_on: float | None = None
) -> tuple[int | None, str]:
    told = decide(before, auto_restart=auto_restart, switched_on=switched_on, moment=moment)
    return told.restarts, told.reason


def test_it_starts_when_it_never_ran() -> None:
    assert ask(None, 0, auto_restart=False) == (0, "")


@pytest.mark.parametrize(("restarts", "pause"), [(0, 5), (1, 10), (2, 20), (5, 160), (6, 300), (50, 300), (5000, 300)])
def test_each_restart_waits_twice_as_long_as_the_one_before_up_to_five_minutes(restarts: int, pause: int) -> None:
    before = last(restarts=restarts)
    assert ask(before, 1002 + pause - 1) == (None, f"ended with FAILURE; restart {restarts + 1} in 1 s")
    assert ask(before, 1002 + pause) == (restarts + 1, "")


def test_one_that_lived_well_begins_to_count_anew() -> None:
    assert ask(last(restarts=9, started=1001, ended=1301), 1306) == (1, "")


def test_one_that_ended_well_is_started_again_too() -> None:
    assert ask(last(status=SUCCESS), 1007) == (1, "")


def test_without_auto_restart_it_stays_ended_until_it_is_switched_on_again() -> None:
    assert ask(last(), 9999, auto_restart=False)[0] is None
    assert ask(last(), 9999, auto_restart=False, switched_on=999)[0] is None
    assert ask(last(), 9999, auto_restart=False, switched_on=1500) == (0, "")


def test_one_that_a_person_stopped_stays_stopped_and_one_that_was_switched_off_does_not() -> None:
    assert "stopped by hand" in ask(last(status=CANCELED), 9999)[1]
    assert ask(last(status=CANCELED, switched_off=True), 9999) == (0, "")
    assert ask(last(status=CANCELED), 9999, switched_on=1500) == (0, "")


@dg.job(name="watch_it")
def watch_it() -> None:
    """A job without steps."""


def test_one_that_a_typing_mistake_has_broken_in_the_file_runs_on() -> None:
    with dg.instance_for_test() as instance:
        run = instance.create_run_for_job(
            watch_it, tags={"mystocks/task_type": "supervisor", "dagster/sensor_name": "watch_it__schedule"}
        )

        def look(*broken: str) -> str | None:
            told = build_stopper({}, broken).evaluate_tick(dg.build_sensor_context(instance=instance))
            return told.skip_message

        assert look("watch-it") == "0 supervisor(s) active, none to stop"
        after = instance.get_run_by_id(run.run_id)
        assert after is not None
        assert after.tags == run.tags
        assert "no longer in the task file" in (look() or "")


def test_a_supervisor_with_a_schedule_is_refused() -> None:
    fields = {"task_id": "a", "task_type": "supervisor", "task_module": "m", "task_function": "f"}
    assert Task.model_validate(fields).active
    with pytest.raises(ValidationError, match="kept alive, not scheduled"):
        Task.model_validate({**fields, "schedule": {"schedule_type": "interval", "interval_seconds": 60}})
