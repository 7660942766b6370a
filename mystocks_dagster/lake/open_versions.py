"""The versions of a lake's tables, opened again only after another commit."""

from dataclasses import dataclass, field

from deltalake import DeltaTable

from mystocks_dagster.lake import delta
from mystocks_dagster.lake.location import local_path


@dataclass(frozen=True)
class _Known:
    """What is open of a table in a folder as long as this commit is its newest one."""

    commit: delta.Commit
    newest: DeltaTable
    older: dict[int, DeltaTable | None] = field(default_factory=dict)


class OpenVersions:
    """Opens tables; one in a folder is opened again only if its log has changed. A day's indicators ask thirty times.

    What it returns is for reading: a writer opens a table of its own.
    """

    def __init__(self) -> None:
        self._tables: dict[str, _Known] = {}

    def newest(self, uri: str) -> DeltaTable | None:
        """Return the newest version of a table; None when it does not exist.

        Raises:
            LakeUnavailable, TableDamaged: As `delta.open_table`.
        """
        known = self._known(uri)
        if known is not None:
            return known.newest
        folder, opened = local_path(uri), delta.open_table(uri)
        commit = delta.commit_of(folder, opened.version()) if folder is not None and opened is not None else None
        if opened is not None and commit is not None:
            self._tables[uri] = _Known(commit, opened)
        return opened

    def at(self, uri: str, version: int) -> DeltaTable | None:
        """Return a version of a table; None when the table does not exist.

        Raises:
            LakeUnavailable, TableDamaged: As `delta.open_table`.
        """
        known = self._known(uri)
        if known is None:
            return delta.open_table(uri, version)
        if version == known.commit.version:
            return known.newest
        if version not in known.older:
            known.older[version] = delta.open_table(uri, version)
        return known.older[version]

    def _known(self, uri: str) -> _Known | None:
        """Return what is open of a table, if no other commit followed."""
        folder, known = local_path(uri), self._tables.get(uri)
        if folder is None or known is None or delta.commit_of(folder, known.commit.version) != known.commit:
            return None
        return known
