"""A task as an asset, for the catalog, the Materialize button and backfills."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import dagster as dg

from mystocks_dagster.factory.config_schema import config_fields
from mystocks_dagster.factory.day_events import yield_or_store
from mystocks_dagster.factory.loaded_file import LoadedFile
from mystocks_dagster.factory.ops import step_options
from mystocks_dagster.factory.partitions import first_day, trading_days
from mystocks_dagster.factory.report import CHECK, Report
from mystocks_dagster.factory.spec import TaskSpec
from mystocks_dagster.factory.step import end_step, run_task
from mystocks_dagster.factory.ui_metadata import details, job_metadata, summary, tags_of
from mystocks_dagster.lake.location import public_uri
from mystocks_dagster.market.table import Table
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.source_choice import SOURCE_FIELD, split_sources
from mystocks_dagster.sources.registry import DEFAULT as DEFAULT_SOURCE
from mystocks_dagster.tags import Metadata, asset_op_name
from mystocks_dagster.taskfile.owner import dagster_owner

#: How tables are stored and computed.
_STORAGE = ("delta", "polars")
#: Asset groups of tasks that own no table of the lake, by task type.
_DOMAINS = {"data_sync": "market", "market_fetch": "market", "indicator_calc": "indicators"}


def build_asset(spec: TaskSpec) -> dg.AssetsDefinition:
    """Return the asset that runs `spec`; one with several keys if the task owns several tables.

    Args:
        spec: A task that owns at least one key.
    """
    fields = config_fields(spec.function, spec.task.params, spec.secret)
    days = trading_days(first_day(spec)) if spec.by_day else None
    kind = "simulated" if spec.file.notice else _source(spec) if SOURCE_FIELD in fields else None

    @dg.multi_asset(
        name=asset_op_name(spec.name),
        specs=[asset_spec(spec, key, kind, days) for key in spec.owned],
        check_specs=[
            dg.AssetCheckSpec(CHECK, asset=spec.file.key(key), description="Did the last run of its task succeed?")
            for key in spec.owned
        ],
        backfill_policy=dg.BackfillPolicy.single_run() if spec.by_day else None,
        op_tags=tags_of(spec),
        config_schema=fields,
        **step_options(spec),
    )
    def task_asset(context: dg.AssetExecutionContext) -> Iterator[Any]:
        report = run_task(context.op_execution_context, spec, _days(context))
        yield from end_step(context.op_execution_context, report)
        yield from _outputs(context.op_execution_context, spec, report)

    return task_asset


def asset_spec(spec: TaskSpec, key: str, kind: str | None, days: dg.PartitionsDefinition | None) -> dg.AssetSpec:
    """Return the asset spec of a table, or of the task itself if it declares no table.

    Args:
        spec: The task.
        key: Name of the table or task.
        kind: Data source of the rows; None if the task computes them.
        days: Partitions.
    """
    table = TABLES.get(key)
    return dg.AssetSpec(
        spec.file.key(key),
        deps=[spec.file.key(read) for read in spec.reads],
        description=_description(table.description if table else summary(spec.task), spec.file.notice, details(spec)),
        metadata=job_metadata(spec) | (_table_metadata(table, spec.file) if table else {}) | _definitions(spec),
        group_name=table.domain if table else _DOMAINS.get(spec.task.task_type, "system"),
        partitions_def=days,
        owners=[dagster_owner(spec.task.owner)] if spec.task.owner else None,
        code_version=spec.tables.code_version,
        kinds={*(_STORAGE if table else ("python",)), *((kind,) if kind else ())},
    )


def unowned_spec(table: Table, file: LoadedFile) -> dg.AssetSpec:
    """Return the asset spec of a table that tasks use and no task of this file owns."""
    return dg.AssetSpec(
        file.key(table.name),
        description=_description(table.description, file.notice, "No task of this file owns it."),
        metadata=_table_metadata(table, file),
        group_name=table.domain,
        kinds={*_STORAGE, *(("simulated",) if file.notice else ())},
    )


def _definitions(spec: TaskSpec) -> dict[str, Any]:
    """Return what the task's parameters let it compute; the code version says when it has changed."""
    definitions = list(spec.tables.definitions)
    return {Metadata.DEFINITIONS: dg.MetadataValue.json(definitions)} if definitions else {}


def _table_metadata(table: Table, file: LoadedFile) -> dict[str, Any]:
    """Return the metadata of a table that needs no stored data: location, columns and key."""
    return {
        "dagster/table_name": table.name,
        "dagster/uri": public_uri(file.settings().lake, table.name),
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


def _source(spec: TaskSpec) -> str:
    """Return the names of the default data sources of the task."""
    choice = spec.file.settings().source or spec.task.params.get(SOURCE_FIELD)
    return ", ".join(split_sources(choice)) or DEFAULT_SOURCE


def _description(first: str, notice: str | None, rest: str) -> str:
    """Join the parts of a description; the catalog's list shows its first line as plain text."""
    return "\n\n".join(part for part in (first, notice, rest) if part)


def _days(context: dg.AssetExecutionContext) -> tuple[date, ...]:
    if not context.has_partition_key and not context.has_partition_key_range:
        return ()
    return tuple(date.fromisoformat(key) for key in context.partition_keys)


def _outputs(context: dg.OpExecutionContext, spec: TaskSpec, report: Report) -> Iterator[Any]:
    """Yield the results; days that were not loaded stay missing, and the run fails."""
    owned = {spec.file.key(key) for key in spec.owned}
    if report.missed_days:
        for events in report.materializations():
            yield from yield_or_store(context, events)
        missed = ", ".join(report.missed_days)
        raise dg.Failure(f"{spec.task.task_id}: not loaded: {missed}. {report.result.message}", allow_retries=False)
    for events in report.materializations():
        if events[0].asset_key not in owned:
            yield from yield_or_store(context, events)
    yield from (event for event in report.evaluations() if event.asset_key not in owned)
    evaluations = {event.asset_key: event for event in report.evaluations()}
    for key in spec.owned:
        asset = spec.file.key(key)
        last_run = evaluations[asset]
        check = dg.AssetCheckResult(
            asset_key=asset,
            check_name=CHECK,
            passed=last_run.passed,
            severity=last_run.severity,
            description=last_run.description,
        )
        yield dg.MaterializeResult(asset_key=asset, metadata=report.table_metadata(key), check_results=[check])
