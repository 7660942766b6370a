"""Asset checks of the tables, from their declarations; see `market.table.Rule` and `market.table.Check`."""

from collections.abc import Collection, Iterable, Iterator
from typing import Any

import dagster as dg

from mystocks_dagster.errors import LakeError, TableMissing
from mystocks_dagster.factory.loaded_file import LoadedFile
from mystocks_dagster.factory.report import Report
from mystocks_dagster.factory.system import CheckOutcome
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.lake.stored_checks import StoredCheck, check_declarations, stored_checks
from mystocks_dagster.market.table import Table
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.settings import Settings
from mystocks_dagster.tags import Metadata, check_op_name

_WARN, _ERROR = dg.AssetCheckSeverity.WARN, dg.AssetCheckSeverity.ERROR


def build_table_checks(keys: Iterable[str], file: LoadedFile | None = None) -> list[dg.AssetChecksDefinition]:
    """Return the checks of tables; Dagster runs them by hand and after Materialize.

    Args:
        keys: Asset keys; those that are not tables have no checks.
        file: The task file whose lake has the tables; None is the project's lake.
    """
    return [_build(TABLES[key], file) for key in keys if key in TABLES]


def evaluations(report: Report) -> Iterator[dg.AssetCheckEvaluation]:
    """Yield the check results of the tables that a task has written.

    Raises:
        dg.Failure: A blocking check failed, so that what depends on the task must not run; the results come first.
    """
    blocked: list[CheckOutcome] = []
    for key in report.keys:
        if key in TABLES and report.result.rows.get(key):
            outcomes = table_outcomes(TABLES[key], report.spec.file)
            yield from (outcome.evaluation() for outcome in outcomes)
            blocked += [outcome for outcome in outcomes if outcome.blocking and not outcome.passed]
    if blocked:
        texts = [f"{outcome.asset.to_user_string()}: {outcome.description}" for outcome in blocked]
        raise dg.Failure(
            f"{report.spec.task.task_id}: stored, but a blocking check failed, so what depends on it does not run. "
            + " ".join(texts),
            metadata=report.summary(),
            allow_retries=False,
        )


def table_outcomes(
    table: Table, file: LoadedFile | None = None, only: Collection[str] | None = None
) -> list[CheckOutcome]:
    """Return the outcomes of a table's checks; all fail with a warning if the table cannot be read.

    Args:
        table: The table.
        file: The task file whose lake has it; None is the project's lake.
        only: Names of the checks to run; None means all.
    """
    settings = file.settings() if file else Settings.from_env()
    asset = _asset(table, file)
    version = file.version if file else None
    owner = version.owners.get(table.name) if version else None
    published = version.published if version else None
    names = [check.name for check in check_declarations(table, owner) if only is None or check.name in only]
    try:
        results = list(stored_checks(Lake(settings.lake), table, published=published, task=owner, only=only))
    except TableMissing:
        return [_outcome(asset, name, "Nothing is stored yet.", passed=True) for name in names]
    except LakeError as error:
        return [_outcome(asset, name, str(error), passed=False) for name in names]
    return [_result(asset, result) for result in results]


def _asset(table: Table, file: LoadedFile | None) -> dg.AssetKey:
    return file.key(table.name) if file else dg.AssetKey(table.name)


def _result(asset: dg.AssetKey, result: StoredCheck) -> CheckOutcome:
    return CheckOutcome(
        asset=asset,
        check=result.name,
        passed=not result.failing,
        description=result.description,
        severity=_ERROR if result.blocking else _WARN,
        blocking=result.blocking,
        metadata=_metadata(result) if result.failing else {},
    )


def _metadata(result: StoredCheck) -> dict[str, Any]:
    """Return the numbers of rows, and the first failing ones as a table."""
    metadata: dict[str, Any] = {Metadata.CHECKED_ROWS: result.rows, Metadata.FAILING_ROWS: result.failing}
    if result.examples.width:
        schema = dg.TableSchema([dg.TableColumn(name, _kind(kind)) for name, kind in result.examples.schema.items()])
        records = [
            dg.TableRecord({name: _plain(value) for name, value in row.items()})
            for row in result.examples.iter_rows(named=True)
        ]
        metadata[Metadata.FIRST_FAILING] = dg.MetadataValue.table(records=records, schema=schema)
    return metadata


def _kind(dtype: Any) -> str:
    return "float" if dtype.is_float() else "int" if dtype.is_integer() else "string"


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _outcome(asset: dg.AssetKey, check: str, description: str, *, passed: bool) -> CheckOutcome:
    return CheckOutcome(asset=asset, check=check, passed=passed, description=description, severity=_WARN)


def _build(table: Table, file: LoadedFile | None) -> dg.AssetChecksDefinition:
    asset = _asset(table, file)
    owner = file.version.owners.get(table.name) if file else None
    specs = [
        dg.AssetCheckSpec(check.name, asset=asset, description=check.description, blocking=check.blocking)
        for check in check_declarations(table, owner)
    ]

    @dg.multi_asset_check(name=check_op_name("__".join(asset.path)), specs=specs, can_subset=True)
    def table_checks(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        selected = {key.name for key in context.selected_asset_check_keys}
        for outcome in table_outcomes(table, file, selected):
            yield outcome.result()

    return table_checks
