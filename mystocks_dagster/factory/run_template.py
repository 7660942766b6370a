"""Runs of a schedule, made from a template: all runs of a job of one loaded version of the code are alike.

Dagster asks the code server for the job and its execution plan, hashes both and looks for them in its storage, at each
run. Their ids and the run's tags are the same until the code is loaded again, so they are prepared before they are due.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import dagster as dg

from mystocks_dagster.dagster_internals import CODE_LOCATION_TAG, RUN_KEY_TAG, SCHEDULED_EXECUTION_TIME_TAG
from mystocks_dagster.factory.lanes import priority_of, queue_tags, step_tags
from mystocks_dagster.tags import Tag


@dataclass(frozen=True, kw_only=True)
class RunTemplate:
    """What all runs of a schedule have in common.

    Attributes:
        run: A run that is not stored, in the queue, with the tags of all.
    """

    run: dg.DagsterRun

    @property
    def priority(self) -> int:
        """The priority of the runs; higher ones start first."""
        return priority_of(self.run.tags[Tag.PRIORITY])

    @property
    def snapshots(self) -> set[str]:
        """Ids of the stored job and execution plan, which a clean-up may have removed since."""
        return {name for name in (self.run.job_snapshot_id, self.run.execution_plan_snapshot_id) if name}

    def make(self, request: dg.RunRequest, moment: datetime, tick: Mapping[str, str]) -> dg.DagsterRun:
        """Return a new run, which is not stored yet.

        Args:
            request: What the schedule asks for.
            moment: Due time.
            tick: Dagster's tag with the id of the tick.
        """
        tags = {
            **self.run.tags,
            **request.tags,
            **tick,
            SCHEDULED_EXECUTION_TIME_TAG: moment.astimezone(UTC).isoformat(),
            RUN_KEY_TAG: request.run_key or "",
        }
        return self.run.with_tags(tags)._replace(run_id=str(uuid4()))


def prepare(instance: dg.DagsterInstance, location: Any, schedule: Any) -> RunTemplate:
    """Return the template of a schedule's runs, and store the job and the plan, as Dagster does for a run.

    No step of our jobs is an asset (decision 1), so Dagster stores no event for the tables that a run will fill.

    Args:
        instance: Dagster's instance.
        location: Dagster's code location of the schedule.
        schedule: Dagster's RemoteSchedule.

    Raises:
        dg.DagsterError: The code server cannot be reached, or cannot make the plan.
    """
    repository = location.get_repository(schedule.handle.repository_name)
    job = repository.get_full_job(schedule.job_name)
    plan = location.get_execution_plan(job, {}, step_keys_to_execute=None, known_state=None).execution_plan_snapshot
    place = {CODE_LOCATION_TAG: schedule.handle.location_name}
    tags = {**job.run_tags, **dg.DagsterRun.tags_for_schedule(schedule), **place}
    run = instance.run_domain.construct_run_with_snapshots(
        job_name=schedule.job_name,
        run_id="",
        run_config={},
        resolved_op_selection=job.resolved_op_selection,
        op_selection=job.op_selection,
        step_keys_to_execute=None,
        status=dg.DagsterRunStatus.QUEUED,
        tags={**tags, **queue_tags(instance, tags, step_tags(plan))},
        root_run_id=None,
        parent_run_id=None,
        job_snapshot=job.job_snapshot,
        execution_plan_snapshot=plan,
        parent_job_snapshot=job.parent_job_snapshot,
        remote_job_origin=job.get_remote_origin(),
        job_code_origin=job.get_python_origin(),
        asset_graph=repository.asset_graph,
    )
    return RunTemplate(run=run)
