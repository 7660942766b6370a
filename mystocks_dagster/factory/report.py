"""Dagster events of an attempt: metadata, materializations and the check `last_run`."""

import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import dagster as dg

from mystocks_dagster.errors import LakeError
from mystocks_dagster.execution.attempt import Outcome
from mystocks_dagster.factory.data_versions import DataVersions
from mystocks_dagster.factory.spec import TaskSpec
from mystocks_dagster.factory.table_views import table_view
from mystocks_dagster.tags import Metadata, State
from mystocks_dagster.tasks.run import TaskResult

#: Check of every table, which fails when the last run of its task failed.
CHECK = "last_run"


@dataclass(frozen=True, kw_only=True)
class Report:
    """One attempt, in Dagster's terms.

    Attributes:
        versions: What it computed from; None if it writes no table.
    """

    spec: TaskSpec
    outcome: Outcome
    attempt: int = 1
    days: tuple[date, ...] = ()
    versions: DataVersions | None = None

    @property
    def result(self) -> TaskResult:
        """The function's result; a failed result if it raised."""
        return self.outcome.result or TaskResult(status=State.FAILED, error=self.failure)

    @property
    def failure(self) -> str | None:
        """Why the attempt failed, in one line; None if it did not fail."""
        if self.outcome.error:
            return f"{self.spec.task.task_id}: {self.outcome.error.message}"
        if self.outcome.result and self.outcome.result.status == State.FAILED:
            return f"{self.spec.task.task_id}: {self.outcome.result.error or 'the function returned status failed'}"
        return None

    @property
    def retryable(self) -> bool:
        """Whether a retry can succeed."""
        return self.outcome.error.retryable if self.outcome.error else True

    @property
    def last(self) -> bool:
        """Whether no attempt follows: it did not fail, its error is not retryable, or no retry is left."""
        return not self.failure or not self.retryable or self.attempt > self.spec.retries

    @property
    def keys(self) -> tuple[str, ...]:
        """Every asset key that this task writes, owned or not."""
        return tuple(dict.fromkeys((*self.spec.owned, *self.spec.reported)))

    @property
    def again(self) -> str:
        """The command that runs only the failed items again; empty if the function gave no `retry_params`."""
        assignments = (
            f"{name}={json.dumps(value, ensure_ascii=False, default=str)}"
            for name, value in self.result.retry_params.items()
        )
        options = [word for assignment in assignments for word in ("-p", assignment)]
        return shlex.join(["mystocks", "run", self.spec.task.task_id, *options]) if options else ""

    @property
    def missed_days(self) -> tuple[str, ...]:
        """The trading days that were requested as partitions and not loaded."""
        requested = {day.isoformat() for day in self.days}
        return tuple(item for item in self.result.failed_items if item in requested)

    def summary(self) -> dict[str, Any]:
        """Return the metadata of an execution for history, statistics and the UI."""
        result = self.result
        metadata: dict[str, Any] = {
            Metadata.TASK_ID: self.spec.task.task_id,
            Metadata.TASK_NAME: self.spec.task.task_name,
            Metadata.STATUS: result.status,
            Metadata.SECONDS: round(self.outcome.seconds, 3),
            Metadata.ROWS: dg.MetadataValue.json(dict(result.rows)),
        }
        if result.message:
            metadata[Metadata.MESSAGE] = result.message
        if result.stages:
            metadata[Metadata.STAGES] = dg.MetadataValue.json(dict(result.stages))
        if result.failed_items:
            metadata[Metadata.FAILED_ITEMS] = dg.MetadataValue.json(list(result.failed_items))
        if result.retry_params:
            metadata[Metadata.RETRY_PARAMS] = dg.MetadataValue.json(dict(result.retry_params))
            metadata[Metadata.AGAIN] = self.again
        if result.metadata:
            metadata[Metadata.RESULT] = dg.MetadataValue.json(dict(result.metadata))
        return metadata

    def failure_metadata(self) -> dict[str, Any]:
        """Return the metadata of the failure: the summary, the error's type and the user's own frames."""
        metadata = self.summary()
        if error := self.outcome.error:
            metadata[Metadata.ERROR_TYPE] = error.type
            if error.traceback:
                metadata[Metadata.TRACEBACK] = dg.MetadataValue.md(f"```\n{error.traceback}\n```")
        return metadata

    def table_metadata(self, key: str) -> dict[str, Any]:
        """Return the metadata of a table's materialization: location, rows, world, a preview and a chart.

        `mystocks/rows` is the number of rows that this attempt has written, `dagster/row_count` that of the table.
        """
        from mystocks_dagster.lake.layout import row_count
        from mystocks_dagster.lake.location import public_uri
        from mystocks_dagster.lake.store import Lake

        metadata = self.summary()
        if not _is_table(key):
            return metadata | {"dagster/row_count": self.result.rows.get(key, 0)}
        if definitions := self.spec.tables.definitions:
            metadata[Metadata.DEFINITIONS] = dg.MetadataValue.json(list(definitions))
        settings = self.spec.file.settings()
        metadata |= {"dagster/uri": public_uri(settings.lake, key)}
        try:
            lake = Lake(settings.lake)
            log = lake.log(key)
            metadata |= {"dagster/row_count": row_count(log)} if log else {}
            preview = lake.head(key, 5) if self.result.rows.get(key) else None
            view = {} if preview is None else table_view(lake, key)
        except LakeError as error:  # the rows are stored; an unreadable preview must not fail the run
            return metadata | {Metadata.PREVIEW: f"not readable: {error}"}
        if preview is None:
            return metadata
        return metadata | {
            Metadata.WORLD: lake.stored_world() or "unknown",
            Metadata.PREVIEW: dg.MetadataValue.md(_markdown(preview)),
            **view,
        }

    def materializations(self) -> Iterator[list[dg.AssetMaterialization]]:
        """Yield the events of each written table: one, or one for each of its written trading days.

        A calculated table that had to change nowhere has one too: it is that of the newest inputs.
        """
        ran = self.result.status != State.SKIPPED
        for key in self.keys:
            written = ran and (self.result.rows.get(key) is not None or not _is_table(key))
            if written or self._is_confirmed(key):
                yield list(self._table_events(key))

    def _is_confirmed(self, key: str) -> bool:
        """Return whether a calculation has found that the stored rows of a table are those that it would write."""
        whole = self.versions is not None and self.versions.whole
        complete = whole and not self.failure and self.result.status in (State.SUCCESS, State.SKIPPED)
        if not complete or key not in self.spec.owned or not self.spec.tables.code_version:
            return False
        from mystocks_dagster.lake.store import Lake

        try:
            return Lake(self.spec.file.settings().lake).log(key) is not None
        except LakeError:
            return False

    def _table_events(self, key: str) -> Iterator[dg.AssetMaterialization]:
        days = self._days_of(key)
        metadata = self.table_metadata(key)
        asset = self.spec.file.key(key)
        tags = self.versions.tags(owned=key in self.spec.owned) if self.versions else {}
        if not days:
            yield dg.AssetMaterialization(asset, metadata=metadata, tags=tags)
            return
        brief = {name: metadata[name] for name in (Metadata.TASK_ID, Metadata.STATUS)}
        for day in days[:-1]:
            yield dg.AssetMaterialization(asset, partition=day.isoformat(), metadata=brief)
        yield dg.AssetMaterialization(asset, partition=days[-1].isoformat(), metadata=metadata, tags=tags)

    def _days_of(self, key: str) -> list[date]:
        """Return the partitions of a materialization.

        In Dagster all tables of a task have the same partitions. A table without daily rows (ex-dividend events) counts
        as loaded for each day whose rows (bars) the same task has stored.
        """
        if key in self.spec.owned and self.spec.by_day and not _by_day(key):
            return sorted({day for table in self.spec.owned for day in self.result.days.get(table, ())})
        return sorted(self.result.days.get(key, ()))

    def evaluations(self) -> Iterator[dg.AssetCheckEvaluation]:
        """Yield the check `last_run` of every table: an error after a failure, a warning after a partial success."""
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
    from mystocks_dagster.market.tables import TABLES  # imports polars, which a plain task does not need

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
