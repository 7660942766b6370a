"""A task as an op, which jobs use as a step."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from mystocks_dagster.factory.config_schema import config_fields
from mystocks_dagster.factory.day_events import yield_or_store
from mystocks_dagster.factory.spec import TaskSpec
from mystocks_dagster.factory.step import end_step, run_task
from mystocks_dagster.factory.ui_metadata import describe, tags_of
from mystocks_dagster.tags import op_name
from mystocks_dagster.taskfile.signature import params_model

#: The op's only input: steps that must have succeeded before it starts.
AFTER = "after"


def build_op(spec: TaskSpec) -> dg.OpDefinition:
    """Return the op that runs `spec`; its steps have the task's name."""
    fields = config_fields(spec.function, spec.task.params, spec.secret)

    @dg.op(
        name=op_name(spec.name),
        description=describe(spec),
        ins={AFTER: dg.In(dg.Nothing)},
        out=dg.Out(dg.Nothing),
        tags=tags_of(spec),
        # A function with a plain dict accepts any key.
        config_schema=fields if params_model(spec.function) else dg.Permissive(fields),
        **step_options(spec),
    )
    def task_op(context: dg.OpExecutionContext) -> Iterator[Any]:
        report = run_task(context, spec)
        yield from end_step(context, report)
        for events in report.materializations():
            yield from yield_or_store(context, events)
        yield from report.evaluations()
        if report.keys:  # imports polars, which a task without tables does not need
            from mystocks_dagster.factory import checks

            yield from checks.evaluations(report)
        yield dg.Output(None, metadata=report.summary())

    return task_op


def step_options(spec: TaskSpec) -> dict[str, Any]:
    """Return the options that the op and the asset of a task share."""
    return {
        "retry_policy": dg.RetryPolicy(max_retries=spec.retries, delay=spec.retry_delay) if spec.retries else None,
        "pool": spec.pool,
    }
