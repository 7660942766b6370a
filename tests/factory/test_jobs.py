"""What a schedule says to a run with its tags reaches the people who read the run, and the function."""

from typing import Any

import dagster as dg
import pytest
from dagster import DagsterInstance
from support.project import Folder

from mystocks_dagster.factory.build import build_definitions
from mystocks_dagster.factory.partitions import trading_days
from mystocks_dagster.factory.ui_metadata import ran_tag
from mystocks_dagster.market.clock import SHANGHAI
from mystocks_dagster.taskfile.reader import load_task_file

TASKS = """
    version: "2.7"
    task_packages: [told]
    tasks:
      - {task_id: one, task_type: cron, task_module: told, task_function: tell, tags: [daily, 收盘]}
      - {task_id: beat, task_type: supervisor, task_module: told, task_function: tell}
    task_groups:
      - {group_id: all, tasks: [one]}
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


@pytest.mark.usefixtures("job")
def test_beside_a_run_stand_only_the_tags_that_people_filter_by(folder: Folder) -> None:
    definitions = build_definitions(load_task_file(folder.root / "tasks.yaml"))

    def chips(job: str) -> list[str]:
        return sorted(key for key in definitions.resolve_job_def(job).tags if not key.startswith("dagster/"))

    [two, one, task] = chips("one")
    assert (one, task) == ("mystocks/tag.daily", "mystocks/task_id")
    assert two.startswith("mystocks/tag.")
    assert chips("all") == ["mystocks/group_id"]
    # Who looks for supervisors looks for one tag, in runs of every version.
    assert chips("beat") == ["mystocks/task_id", "mystocks/task_type"]


def test_a_run_still_says_its_type_and_which_version_of_the_file_it_is_of(job: dg.JobDefinition) -> None:
    assert job.tags["dagster/mystocks_version"] == "2.7"
    assert job.tags["dagster/mystocks_task_type"] == "cron"
    assert job.tags["dagster/mystocks_taskfile"] == job.metadata["mystocks/taskfile"].value


def test_a_tasks_job_leads_to_its_runs_in_groups(job: dg.JobDefinition) -> None:
    assert "tag%3A.dagster%2Fmystocks_task.one%3Dtrue" in str(job.metadata["mystocks/runs"].value)


def test_the_key_of_a_tag_fits_dagster_however_long_the_id_is() -> None:
    for task_id in ("a", "b" * 100):
        [key] = ran_tag(task_id)
        assert len(key.partition("/")[2]) <= 63
