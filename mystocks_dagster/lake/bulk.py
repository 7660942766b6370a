"""Rewrite a table in pieces that never are in memory together, in one commit."""

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

import polars as pl
from deltalake import CommitProperties, DeltaTable
from deltalake import Schema as DeltaSchema
from deltalake.transaction import AddAction

from mystocks_dagster.lake.data_files import data_files, delete_files, removal, write_parts
from mystocks_dagster.lake.formats import stamp
from mystocks_dagster.lake.layout import YEAR, to_disk
from mystocks_dagster.lake.replacement import FileExchange, commit_files
from mystocks_dagster.market.table import Table


class Rewrite:
    """New content for a whole table that is written by trading day: `add` pieces, then `commit`.

    At the end of a `with` block, files that were not committed are deleted.

    Args:
        uri: The table's location.
        schema: Its contract.
        checked: Returns rows as they are stored, or raises ContractBroken.
        commit: Commits an exchange of files together with watermarks.
    """

    def __init__(
        self,
        uri: str,
        schema: Table,
        checked: Callable[[pl.DataFrame], pl.DataFrame],
        commit: Callable[[FileExchange, Mapping[str, int]], None],
    ) -> None:
        self.rows = 0
        self._uri, self._schema, self._checked, self._commit = uri, schema, checked, commit
        self._added: list[AddAction] = []

    def __enter__(self) -> Self:
        """Return the rewrite itself."""
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Delete what was not committed."""
        delete_files(self._uri, [action.path for action in self._added])

    def add(self, frame: pl.DataFrame) -> None:
        """Write rows that no other piece has; fastest when each has whole months and is sorted by symbol and date.

        Raises:
            ContractBroken: The rows break the table's contract.
        """
        frame = self._checked(frame)
        self.rows += frame.height
        self._added += write_parts(self._uri, self._schema, frame)

    def commit(self, watermarks: Mapping[str, int]) -> int:
        """Exchange the table's content for the pieces, atomically; return the number of rows.

        Raises:
            WrongWorld, WrongFormat, TableDamaged, LakeUnavailable: As `Lake.replace_days`.
        """
        self._commit(_Everything(self._uri, self._schema, self._added), watermarks)
        self._added = []
        return self.rows


def _emptied(uri: str, schema: Table, opened: DeltaTable) -> DeltaTable:
    empty = to_disk(schema, schema.empty()).to_arrow(compat_level=pl.CompatLevel.oldest())
    return DeltaTable.create(
        uri,
        schema=DeltaSchema.from_arrow(empty.schema),
        mode="overwrite",
        partition_by=[YEAR],
        name=opened.metadata().name,
        description=opened.metadata().description,
        commit_properties=CommitProperties(app_transactions=[stamp()]),
    )


class _Everything(FileExchange):
    """Replace all files of a table by files that are written already."""

    def __init__(self, uri: str, schema: Table, added: list[AddAction]) -> None:
        super().__init__(uri, schema)
        self._written = added

    def commit(self, opened: DeltaTable, watermarks: Mapping[str, int], metadata: Mapping[str, str]) -> None:
        """Commit the files to the version that is open; errors as in `FileExchange.commit`."""
        if YEAR not in opened.metadata().partition_columns:
            # An older version wrote the table without partitions. Its rows go before the new ones come: a run that is
            # killed in between leaves an empty table, which no watermark calls complete.
            opened = _emptied(self.uri, self.schema, opened)
        removed = [removal(file) for file in data_files(opened, self.schema)]
        commit_files(opened, self._written, removed, watermarks, metadata)
