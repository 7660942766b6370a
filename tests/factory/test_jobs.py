"""What a schedule says to a run with its tags reaches the people who read the run, and the function."""

from typing import Any

import dagster as dg
import pytest
from dagster import DagsterInstance
from support.project import Folder

from mystocks_dagster.factory.build import build_definitions
from mystocks_dagster.factory.partitions import trading_days
from mystocks_dagster.market.clock import SHANGHAI
from mystocks_dagster.taskfile.reader import load_task_file

TASKS = """
    task_packages: [told]
    tasks:
      - {task_id: one, task_type: cron, task_module: told, task_function: tell}
"""
TOLD = """
    def tell(params, run):
        return {"days": [day.isoformat() for day in run.days]}
"""


@pytest.fixture
def job(folder: Folder) -> dg.JobDefinition:
    folder.write("told.py", TOLD)
    return build_definitions(load_task_file(folder.write("tasks.yaml", TASKS))).resolve_job_def("one")


def test_a_run_on_a_day_beyond_the_calendar_says_so_in_its_log(job: dg.JobDefinition) -> None:
    with DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(
            instance=instance, tags={"mystocks/calendar": "2027-03-01 is taken for a trading day"}
        )
        warnings = [entry.user_message for entry in instance.all_logs(result.run_id) if entry.level == 30]
    assert result.success
    assert "2027-03-01 is taken for a trading day" in warnings


@pytest.mark.parametrize(
    ("tags", "days"), [({"mystocks/day": "2026-11-20"}, ["2026-11-20"]), ({}, [])], ids=["made up for", "on time"]
)
def test_a_run_that_makes_up_for_a_missed_start_tells_the_function_the_day(
    job: Any, tags: dict[str, str], days: list[str]
) -> None:
    result = job.execute_in_process(tags=tags)
    told = next(event for event in result.all_node_events if event.event_type_value == "STEP_OUTPUT")
    assert told.event_specific_data.metadata["mystocks/result"].value.get("days", []) == days


@pytest.mark.slow
def test_nothing_beyond_the_published_calendar_can_be_backfilled() -> None:
    from datetime import datetime

    keys = trading_days().get_partition_keys(current_time=datetime(2027, 2, 1, 12, tzinfo=SHANGHAI))
    # The exchanges have published 2026 in full, and nothing after it.
    assert keys[-1] == "2026-12-31"
