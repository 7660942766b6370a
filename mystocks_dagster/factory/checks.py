"""Asset checks of the tables, from the rules of their contracts; see `market.table.Rule`."""

from collections.abc import Iterable, Iterator

import dagster as dg

from mystocks_dagster.errors import LakeError, TableMissing
from mystocks_dagster.factory.loaded_file import LoadedFile
from mystocks_dagster.factory.report import Report
from mystocks_dagster.factory.system import CheckOutcome
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.lake.stored_checks import check_descriptions, stored_checks
from mystocks_dagster.market.table import Table
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.settings import Settings
from mystocks_dagster.tags import check_op_name


def build_table_checks(keys: Iterable[str], file: LoadedFile | None = None) -> list[dg.AssetChecksDefinition]:
    """Return the checks of tables; Dagster runs them by hand and after Materialize.

    Args:
        keys: Asset keys; those that are not tables have no checks.
        file: The task file whose lake has the tables; None is the project's lake.
    """
    return [_build(TABLES[key], file) for key in keys if key in TABLES and check_descriptions(TABLES[key])]


def evaluations(report: Report) -> Iterator[dg.AssetCheckEvaluation]:
    """Yield the check results of the tables that a task has written."""
    for key in report.keys:
        if key in TABLES and report.result.rows.get(key):
            yield from (outcome.evaluation() for outcome in table_outcomes(TABLES[key], report.spec.file))


def table_outcomes(table: Table, file: LoadedFile | None = None) -> list[CheckOutcome]:
    """Return the outcomes of a table's checks; all fail if the table cannot be read."""
    settings = file.settings() if file else Settings.from_env()
    asset = _asset(table, file)
    try:
        results = list(stored_checks(Lake(settings.lake), table))
    except TableMissing:
        return [_outcome(asset, name, "Nothing is stored yet.", passed=True) for name in check_descriptions(table)]
    except LakeError as error:
        return [_outcome(asset, name, str(error), passed=False) for name in check_descriptions(table)]
    return [_outcome(asset, result.name, result.description, passed=not result.failing) for result in results]


def _asset(table: Table, file: LoadedFile | None) -> dg.AssetKey:
    return file.key(table.name) if file else dg.AssetKey(table.name)


def _outcome(asset: dg.AssetKey, check: str, description: str, *, passed: bool) -> CheckOutcome:
    warn = dg.AssetCheckSeverity.WARN
    return CheckOutcome(asset=asset, check=check, passed=passed, description=description, severity=warn)


def _build(table: Table, file: LoadedFile | None) -> dg.AssetChecksDefinition:
    asset = _asset(table, file)
    specs = [
        dg.AssetCheckSpec(name, asset=asset, description=question)
        for name, question in check_descriptions(table).items()
    ]

    @dg.multi_asset_check(name=check_op_name("__".join(asset.path)), specs=specs, can_subset=True)
    def table_checks(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        selected = {key.name for key in context.selected_asset_check_keys}
        for outcome in table_outcomes(table, file):
            if outcome.check in selected:
                yield outcome.result()

    return table_checks
