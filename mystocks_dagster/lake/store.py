"""The lake: one Delta table per entry of `market.tables.TABLES` below one folder or URL."""

from datetime import datetime

from mystocks_dagster.lake import delta
from mystocks_dagster.lake.compaction import compact
from mystocks_dagster.lake.past import PastLake
from mystocks_dagster.lake.writing import TableWriter
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.market.tables import table as table_of


class Lake(TableWriter):
    """Tables that obey their contracts, written atomically and read lazily; safe for many processes at once.

    A lake belongs to one world, `real` or `simulated:<seed>`, set by its first table.

    Attributes:
        location: A folder, or a URL that delta-rs understands (credentials come from the environment).
        world: The world of the data to write; None means the lake's own (for tables computed from others).
    """

    def at(self, moment: datetime) -> PastLake:
        """Return the lake as it was at a moment, for reading: what is written later does not show.

        It reaches back at least 7 days: the maintenance task deletes files that were replaced earlier.

        Raises:
            LakeError: The moment has no time zone. Reading a table whose files of then are deleted: TableDamaged.
        """
        return PastLake(self.location, moment)

    def compact(self, table: str | None = None) -> None:
        """Merge the small files of daily writes into one per month; the rows stay the same. None means every table."""
        for name in [table_of(table).name] if table else TABLES:
            compact(self._uri(name), self.schema_of(name))

    def vacuum(self, table: str | None = None, *, keep_hours: int = 168) -> int:
        """Delete files that no version of the last `keep_hours` hours needs; return their number. None means all.

        Older versions, and readers that began earlier, lose their files; below one hour so may running writers.
        """
        deleted = 0
        for name in [table_of(table).name] if table else TABLES:
            with delta.translate_errors(self._uri(name)):
                opened = delta.open_table(self._uri(name))
                if opened is not None:
                    deleted += len(
                        opened.vacuum(keep_hours, dry_run=False, enforce_retention_duration=False, full=True)
                    )
        return deleted
