"""The lake's tables for pages: what they promise, how large and fresh they are, their newest rows, SQL."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from mystocks_dagster.errors import InvalidParams, UnknownName
from mystocks_dagster.project.state import ProjectState

if TYPE_CHECKING:  # polars takes 0.4 s to import
    import polars as pl

    from mystocks_dagster.lake.reading import Selection
    from mystocks_dagster.lake.store import Lake
    from mystocks_dagster.market.table import Table
    from mystocks_dagster.tasks.truth import DatasetTruth

#: Most rows of a downloaded file; the command exports without a limit.
MOST_DOWNLOADED = 500_000
#: Most characters of a query.
MOST_CHARACTERS = 10_000


@dataclass(frozen=True, kw_only=True)
class StoredTable:
    """A table that the lake has, or that a task of the file fills.

    Attributes:
        table: Its contract.
        task: Id of the task that fills it; None if no task of the file does.
        rows: Number of rows; None if the table does not exist yet.
        bytes: Size of its files.
        updated: When rows were last written.
        trouble: Why it cannot be read, with the remedy; empty if it can be.
    """

    table: "Table"
    task: str | None
    rows: int | None
    bytes: int | None
    updated: datetime | None
    trouble: str


class LakeView:
    """Read-only views of the lake's tables."""

    def __init__(self, state: ProjectState) -> None:
        self._state = state

    @cached_property
    def lake(self) -> "Lake":
        """The project's lake."""
        from mystocks_dagster.lake.store import Lake

        return Lake(self._state.settings.lake)

    def tables(self) -> list[StoredTable]:
        """Return the tables that exist or that a task fills, in the order of their contracts."""
        from mystocks_dagster.market.tables import TABLES

        stored = {info.table: info for info in self.lake.tables()}
        owners = self._state.version.owners
        listed = []
        for name, table in TABLES.items():
            info = stored.get(name)
            if info is None and name not in owners:
                continue
            listed.append(
                StoredTable(
                    table=table,
                    task=owners.get(name),
                    rows=info.rows if info else None,
                    bytes=info.bytes if info else None,
                    updated=info.updated if info else None,
                    trouble=info.trouble if info else "",
                )
            )
        return listed

    def table(self, name: str) -> StoredTable:
        """Return one table.

        Raises:
            UnknownName: There is no such table, or it neither exists nor is filled by a task.
        """
        for stored in self.tables():
            if stored.table.name == name:
                return stored
        from mystocks_dagster.market.tables import table

        raise UnknownName(f"{table(name).name} is not stored, and no task of the task file fills it.")

    def preview(self, name: str, rows: int = 20) -> "pl.DataFrame":
        """Return the newest rows of a stored table."""
        return self.lake.head(name, rows)

    def query(self, sql: str) -> "pl.DataFrame":
        """Run one SELECT within the bounds of a guest; see `lake.sql.Bounds`.

        Raises:
            InvalidParams: The text is empty or too long.
            LakeError: As in `Lake.query`.
        """
        from mystocks_dagster.lake.guest_query import query_as_guest

        if not sql.strip() or len(sql) > MOST_CHARACTERS:
            raise InvalidParams(f"Write one SELECT of at most {MOST_CHARACTERS:,} characters.")
        return query_as_guest(self._state.settings, sql)

    def download(
        self, name: str, start: date | None, end: date | None, symbols: Sequence[str] | None
    ) -> "pl.DataFrame":
        """Return rows of a table for a file, sorted by key.

        Raises:
            InvalidParams: There are too many rows; the message has the command that exports them. Or the first day is
                after the last one.
        """
        from mystocks_dagster.market.tables import table

        if start and end and start > end:
            raise InvalidParams(f"The first day, {start}, is after the last one, {end}.")
        contract = table(name)
        selection: Selection = {"symbols": symbols}
        if contract.date_column:
            selection |= {"start": start, "end": end}
        frame = self.lake.scan(name, **selection)
        frame = frame.head(MOST_DOWNLOADED + 1).collect()
        if frame.height > MOST_DOWNLOADED:
            raise InvalidParams(
                f"{name} has more than {MOST_DOWNLOADED:,} such rows. Name fewer days, or run: "
                f"mystocks data export {name} {name}.csv"
            )
        return frame.sort(contract.key)

    def truth(self) -> "list[DatasetTruth]":
        """Return how far the sources of each dataset agree; see `tasks.truth.truth`."""
        from mystocks_dagster.tasks.truth import truth

        return list(truth(self.lake))
