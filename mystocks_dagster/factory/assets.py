"""One task as an asset: what the catalog shows, the Materialize button starts, and a backfill fills."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import dagster as dg

from mystocks_dagster.factory.config_schema import config_fields
from mystocks_dagster.factory.ops import step_options
from mystocks_dagster.factory.partitions import trading_days
from mystocks_dagster.factory.report import CHECK, Report
from mystocks_dagster.factory.spec import TaskSpec
from mystocks_dagster.factory.step import end_step, run_task
from mystocks_dagster.factory.ui_metadata import describe, job_metadata, tags_of
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.tags import Metadata, asset_op_name


def build_asset(spec: TaskSpec, notice: str | None) -> dg.AssetsDefinition:
    """Return the asset (several, when the task keeps several tables) that runs `spec`.

    Args:
        spec: A task that owns at least one key.
        notice: A sentence put in front of each description, such as "this market is simulated".
    """

    @dg.multi_asset(
        name=asset_op_name(spec.name),
        specs=[asset_spec(spec, key, notice) for key in spec.owned],
        check_specs=[
            dg.AssetCheckSpec(CHECK, asset=key, description="Did the last run of its task succeed?")
            for key in spec.owned
        ],
        backfill_policy=dg.BackfillPolicy.single_run() if spec.by_day else None,
        op_tags=tags_of(spec),
        config_schema=config_fields(spec.function, spec.task.params, spec.secret),
        **step_options(spec),
    )
    def task_asset(context: dg.AssetExecutionContext) -> Iterator[Any]:
        report = run_task(context.op_execution_context, spec, _days(context))
        yield from end_step(context.op_execution_context, report)
        yield from _outputs(spec, report)

    return task_asset


def asset_spec(spec: TaskSpec, key: str, notice: str | None) -> dg.AssetSpec:
    """Return what the catalog shows of one table (or of the task itself, when it declares no table)."""
    table = TABLES.get(key)
    about = [notice, f"**{table.title}** — one row is {table.grain}." if table else None, describe(spec)]
    metadata = job_metadata(spec)
    if table:
        metadata |= {
            "dagster/table_name": key,
            "dagster/column_schema": dg.TableSchema(
                [
                    dg.TableColumn(
                        column.name,
                        str(column.dtype),
                        description=column.unit,
                        constraints=dg.TableColumnConstraints(nullable=column.null),
                    )
                    for column in table.columns
                ]
            ),
            Metadata.KEY: ", ".join(table.key),
        }
    return dg.AssetSpec(
        key,
        deps=spec.reads,
        description="\n\n".join(part for part in about if part),
        metadata=metadata,
        group_name=spec.task.task_type,
        partitions_def=trading_days() if spec.by_day else None,
        kinds={"simulated"} if notice else None,
    )


def _days(context: dg.AssetExecutionContext) -> tuple[date, ...]:
    if not context.has_partition_key and not context.has_partition_key_range:
        return ()
    return tuple(date.fromisoformat(key) for key in context.partition_keys)


def _outputs(spec: TaskSpec, report: Report) -> Iterator[Any]:
    """Yield the results; days that could not be done stay missing, and the run is red."""
    owned = {dg.AssetKey(key) for key in spec.owned}
    if report.missed_days:
        yield from report.materializations()
        missed = ", ".join(report.missed_days)
        raise dg.Failure(f"{spec.task.task_id}: not done for {missed}: {report.result.message}", allow_retries=False)
    for event in (*report.materializations(), *report.evaluations()):
        if event.asset_key not in owned:
            yield event
    evaluations = {event.asset_key: event for event in report.evaluations()}
    for key in spec.owned:
        told = evaluations[dg.AssetKey(key)]
        check = dg.AssetCheckResult(
            asset_key=key, check_name=CHECK, passed=told.passed, severity=told.severity, description=told.description
        )
        yield dg.MaterializeResult(asset_key=key, metadata=report.table_metadata(key), check_results=[check])
