"""The lake as it was at a moment: each table in the version that was its newest then."""

from datetime import datetime

from deltalake import DeltaTable

from mystocks_dagster.errors import LakeError, TableDamaged, TableMissing
from mystocks_dagster.lake import damage, delta
from mystocks_dagster.lake.layout import commit_time
from mystocks_dagster.lake.reading import TableReader


class PastLake(TableReader):
    """Read access to a lake as it was at a moment; made by `Lake.at`.

    Attributes:
        moment: The moment, with a time zone.
    """

    def __init__(self, location: str, moment: datetime) -> None:
        if moment.tzinfo is None:
            raise LakeError(f"The moment {moment.isoformat()} has no time zone, so it is not known which one is meant.")
        super().__init__(location)
        self.moment = moment
        self._versions: dict[str, DeltaTable | None] = {}

    def _opened(self, table: str) -> DeltaTable | None:
        """Open the version of that moment; None when the table did not exist yet.

        Raises:
            TableDamaged: The log no longer reaches back so far, or files of that version are deleted.
        """
        if table not in self._versions:
            self._versions[table] = self._open_version(table)
        return self._versions[table]

    def _missing(self, table: str) -> TableMissing:
        uri = self._uri(table)
        if delta.open_table(uri) is None:
            return super()._missing(table)
        since = commit_time(damage.commit_info(uri, 0).get("timestamp"))
        return TableMissing(
            f"{table} did not exist at {self.moment.isoformat()}: its first version is of {since:%Y-%m-%d %H:%M:%S}."
        )

    def _open_version(self, table: str) -> DeltaTable | None:
        uri = self._uri(table)
        if delta.open_table(uri) is None:
            return None
        number = version_at(uri, self.moment)
        if number is None:
            oldest = damage.commits(uri)[0]
            if oldest == 0:
                return None
            since = commit_time(damage.commit_info(uri, oldest).get("timestamp"))
            raise TableDamaged(
                f"The log of {table} no longer reaches back to {self.moment.isoformat()}, only to {since}."
            )
        opened = delta.open_table(uri, number)
        if opened is not None and damage.data_damage(opened, uri):
            raise TableDamaged(
                f"{table} as it was at {self.moment.isoformat()} (version {number}) can no longer be read: its files "
                "were replaced and then deleted by the maintenance task, which keeps those of the last 7 days. "
                f"List what is left: mystocks data restore {table}"
            )
        return opened


def version_at(uri: str, moment: datetime) -> int | None:
    """Return the number of the last version that was written at or before a moment; None when the log has none."""
    for number in sorted(damage.commits(uri), reverse=True):
        stamped = damage.commit_info(uri, number).get("timestamp")
        if stamped is not None and stamped <= moment.timestamp() * 1000:
            return number
    return None
