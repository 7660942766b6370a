"""The versions of a lake's tables, opened again only after another commit."""

from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock

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

    What it returns is for reading: a writer opens a table of its own. Threads may ask at the same time.
    """

    def __init__(self) -> None:
        self._tables: dict[str, _Known] = {}
        # A thread waits for the one that opens the same table, and then has it too.
        self._turns: dict[str, Lock] = defaultdict(Lock)

    def open_together(self, uris: Iterable[str]) -> None:
        """Open tables in folders at the same time; one that does not exist or is damaged is left to who asks for it."""
        uris = [uri for uri in uris if local_path(uri) is not None]
        with ThreadPoolExecutor(max(1, len(uris))) as pool:
            for opened in [pool.submit(self.newest, uri) for uri in uris]:
                opened.exception()

    def newest(self, uri: str) -> DeltaTable | None:
        """Return the newest version of a table; None when it does not exist.

        Raises:
            LakeUnavailable, TableDamaged: As `delta.open_table`.
        """
        folder = local_path(uri)
        if folder is None:
            return delta.open_table(uri)
        with self._turns[uri]:
            if known := self._known(uri, folder):
                return known.newest
            opened = delta.open_table(uri)
            if opened is not None and (commit := delta.commit_of(folder, opened.version())):
                self._tables[uri] = _Known(commit, opened)
            return opened

    def at(self, uri: str, version: int) -> DeltaTable | None:
        """Return a version of a table; None when the table does not exist.

        Raises:
            LakeUnavailable, TableDamaged: As `delta.open_table`.
        """
        folder = local_path(uri)
        if folder is None:
            return delta.open_table(uri, version)
        with self._turns[uri]:
            known = self._known(uri, folder)
            if known is None:
                return delta.open_table(uri, version)
            if version == known.commit.version:
                return known.newest
            if version not in known.older:
                known.older[version] = delta.open_table(uri, version)
            return known.older[version]

    def _known(self, uri: str, folder: str) -> _Known | None:
        """Return what is open of a table, if no other commit followed."""
        known = self._tables.get(uri)
        if known is None or delta.commit_of(folder, known.commit.version) != known.commit:
            return None
        return known
