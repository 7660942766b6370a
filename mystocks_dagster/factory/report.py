"""How an attempt is shown in Dagster: metadata, materializations and the check `last_run`."""

import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import dagster as dg

from mystocks_dagster.errors import LakeError
from mystocks_dagster.execution.attempt import Outcome
from mystocks_dagster.factory.spec import TaskSpec
from mystocks_dagster.tags import Metadata, State
from mystocks_dagster.tasks.run import TaskResult

#: The check that every table of ours has: red when the last run of its task failed.
CHECK = "last_run"


@dataclass(frozen=True, kw_only=True)
class Report:
    """One attempt, in Dagster's terms."""

    spec: TaskSpec
    outcome: Outcome
    attempt: int = 1
    days: tuple[date, ...] = ()

    @property
    def result(self) -> TaskResult:
        """What the function returned; a failed one when it raised."""
        return self.outcome.result or TaskResult(status=State.FAILED, error=self.failure)

    @property
    def failure(self) -> str | None:
        """Why the attempt failed, in one line; None when it did not."""
        if self.outcome.error:
            return f"{self.spec.task.task_id}: {self.outcome.error.message}"
        if self.outcome.result and self.outcome.result.status == State.FAILED:
            return f"{self.spec.task.task_id}: {self.outcome.result.error or 'the function returned status failed'}"
        return None

    @property
    def retryable(self) -> bool:
        """Whether trying again can mend it."""
        return self.outcome.error.retryable if self.outcome.error else True

    @property
    def last(self) -> bool:
        """Whether no attempt follows: it did not fail, a retry cannot mend it, or the task has no retry left."""
        return not self.failure or not self.retryable or self.attempt > self.spec.retries

    @property
    def keys(self) -> tuple[str, ...]:
        """Every asset key that this task writes, owned or not."""
        return tuple(dict.fromkeys((*self.spec.owned, *self.spec.reported)))

    @property
    def again(self) -> str:
        """The command that runs only the failed items again; empty when the function did not say how."""
        given = (
            f"{name}={json.dumps(value, ensure_ascii=False, default=str)}"
            for name, value in self.result.retry_params.items()
        )
        options = [word for one in given for word in ("-p", one)]
        return shlex.join(["mystocks", "run", self.spec.task.task_id, *options]) if options else ""

    @property
    def missed_days(self) -> tuple[str, ...]:
        """The trading days that were asked for as partitions and could not be done."""
        asked = {day.isoformat() for day in self.days}
        return tuple(item for item in self.result.failed_items if item in asked)

    def summary(self) -> dict[str, Any]:
        """Return what history, statistics and the UI read of an execution."""
        result = self.result
        shown: dict[str, Any] = {
            Metadata.TASK_ID: self.spec.task.task_id,
            Metadata.TASK_NAME: self.spec.task.task_name,
            Metadata.STATUS: result.status,
            Metadata.SECONDS: round(self.outcome.seconds, 3),
            Metadata.ROWS: dg.MetadataValue.json(dict(result.rows)),
        }
        if result.message:
            shown[Metadata.MESSAGE] = result.message
        if result.failed_items:
            shown[Metadata.FAILED_ITEMS] = dg.MetadataValue.json(list(result.failed_items))
        if result.retry_params:
            shown[Metadata.RETRY_PARAMS] = dg.MetadataValue.json(dict(result.retry_params))
            shown[Metadata.AGAIN] = self.again
        if result.metadata:
            shown[Metadata.RESULT] = dg.MetadataValue.json(dict(result.metadata))
        return shown

    def failure_metadata(self) -> dict[str, Any]:
        """Return the metadata of the failure: the summary, the error's type and the user's own frames."""
        shown = self.summary()
        if error := self.outcome.error:
            shown[Metadata.ERROR_TYPE] = error.type
            if error.traceback:
                shown[Metadata.TRACEBACK] = dg.MetadataValue.md(f"```\n{error.traceback}\n```")
        return shown

    def table_metadata(self, key: str) -> dict[str, Any]:
        """Return the metadata of one table's materialization: where it is, its rows, its world and a preview.

        `mystocks/rows` says how many rows this attempt has written, `dagster/row_count` how many the table has.
        """
        from mystocks_dagster.lake.layout import row_count
        from mystocks_dagster.lake.location import public_uri
        from mystocks_dagster.lake.store import Lake

        shown = self.summary()
        if not _is_table(key):
            return shown | {"dagster/row_count": self.result.rows.get(key, 0)}
        settings = self.spec.file.settings()
        shown |= {"dagster/uri": public_uri(settings.lake, key)}
        try:
            lake = Lake(settings.lake)
            opened = lake.log(key)
            shown |= {"dagster/row_count": row_count(opened)} if opened else {}
            preview = lake.head(key, 5) if self.result.rows.get(key) else None
        except LakeError as error:  # the rows are stored: a preview that cannot be read must not fail the run
            return shown | {Metadata.PREVIEW: f"not readable: {error}"}
        if preview is None:
            return shown
        return shown | {
            Metadata.WORLD: lake.stored_world() or "unknown",
            Metadata.PREVIEW: dg.MetadataValue.md(_markdown(preview)),
        }

    def materializations(self) -> Iterator[dg.AssetMaterialization]:
        """Yield one event a table, or one a table and trading day, for what was written."""
        if self.result.status == State.SKIPPED:
            return
        for key in self.keys:
            if self.result.rows.get(key) is None and _is_table(key):
                continue
            yield from self._table_events(key)

    def _table_events(self, key: str) -> Iterator[dg.AssetMaterialization]:
        days = self._days_of(key)
        metadata = self.table_metadata(key)
        asset = self.spec.file.key(key)
        if not days:
            yield dg.AssetMaterialization(asset, metadata=metadata)
            return
        brief = {name: metadata[name] for name in (Metadata.TASK_ID, Metadata.STATUS)}
        for day in days[:-1]:
            yield dg.AssetMaterialization(asset, partition=day.isoformat(), metadata=brief)
        yield dg.AssetMaterialization(asset, partition=days[-1].isoformat(), metadata=metadata)

    def _days_of(self, key: str) -> list[date]:
        """Return the partitions that a materialization fills.

        Dagster wants all tables of one task partitioned alike. One that is kept as a whole (ex-dividend events) is up
        to date for each day whose rows (bars) the same task has stored.
        """
        if key in self.spec.owned and self.spec.by_day and not _by_day(key):
            return sorted({day for table in self.spec.owned for day in self.result.days.get(table, ())})
        return sorted(self.result.days.get(key, ()))

    def evaluations(self) -> Iterator[dg.AssetCheckEvaluation]:
        """Yield the check `last_run` of every table: red when the task failed, a warning when it was partly done."""
        failure = self.failure
        for key in self.keys:
            yield dg.AssetCheckEvaluation(
                asset_key=self.spec.file.key(key),
                check_name=CHECK,
                passed=failure is None and self.result.status != State.PARTIAL_SUCCESS,
                severity=dg.AssetCheckSeverity.ERROR if failure else dg.AssetCheckSeverity.WARN,
                description=failure or self.result.message or self.result.status,
                metadata=self.failure_metadata() if failure else self.summary(),
            )


def _is_table(key: str) -> bool:
    from mystocks_dagster.market.tables import TABLES  # with polars, which a plain task does without

    return key in TABLES


def _by_day(key: str) -> bool:
    from mystocks_dagster.market.tables import TABLES

    return TABLES[key].by_day


def _markdown(frame: Any) -> str:
    head = "| " + " | ".join(frame.columns) + " |"
    rule = "|" + " --- |" * len(frame.columns)
    rows = (
        "| " + " | ".join("" if value is None else str(value).replace("|", "/") for value in row) + " |"
        for row in frame.iter_rows()
    )
    return "\n".join((head, rule, *rows))
