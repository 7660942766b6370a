"""The asset checks of the tables, as their declarations state them; see `market.table.Rule`."""

from collections.abc import Iterable, Iterator

import dagster as dg

from mystocks_dagster.errors import LakeError, TableMissing
from mystocks_dagster.factory.report import Report
from mystocks_dagster.factory.system import CheckOutcome
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.lake.stored_checks import questions, stored_checks
from mystocks_dagster.market.table import Table
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.settings import Settings
from mystocks_dagster.tags import check_op_name


def build_table_checks(keys: Iterable[str]) -> list[dg.AssetChecksDefinition]:
    """Return the checks of those asset keys that are tables; a person may run them, and Materialize runs them too."""
    return [_build(TABLES[key]) for key in keys if key in TABLES and questions(TABLES[key])]


def evaluations(report: Report) -> Iterator[dg.AssetCheckEvaluation]:
    """Yield the checks of the tables that a task has written."""
    for key in report.keys:
        if key in TABLES and report.result.rows.get(key):
            yield from (outcome.evaluation() for outcome in judge_table(TABLES[key]))


def judge_table(table: Table) -> list[CheckOutcome]:
    """Return the outcome of each check of a table; a table that cannot be read fails all of them."""
    try:
        results = list(stored_checks(Lake(Settings.from_env().lake), table))
    except TableMissing:
        return [_outcome(table, name, "Nothing is stored yet.", passed=True) for name in questions(table)]
    except LakeError as error:
        return [_outcome(table, name, str(error), passed=False) for name in questions(table)]
    return [_outcome(table, result.name, result.description, passed=not result.failing) for result in results]


def _outcome(table: Table, check: str, description: str, *, passed: bool) -> CheckOutcome:
    warn = dg.AssetCheckSeverity.WARN
    return CheckOutcome(asset=table.name, check=check, passed=passed, description=description, severity=warn)


def _build(table: Table) -> dg.AssetChecksDefinition:
    specs = [
        dg.AssetCheckSpec(name, asset=table.name, description=question) for name, question in questions(table).items()
    ]

    @dg.multi_asset_check(name=check_op_name(table.name), specs=specs, can_subset=True)
    def table_checks(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        selected = {key.name for key in context.selected_asset_check_keys}
        for outcome in judge_table(table):
            if outcome.check in selected:
                yield outcome.result()

    return table_checks
