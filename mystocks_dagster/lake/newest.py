"""The newest versions of a lake's tables, opened again only after another commit."""

from deltalake import DeltaTable

from mystocks_dagster.lake import delta
from mystocks_dagster.lake.location import local_path


class NewestVersions:
    """Opens tables; one in a folder is opened again only if its log has changed. A day's indicators ask thirty times.

    What it returns is for reading: a writer opens a table of its own.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[delta.Commit, DeltaTable]] = {}

    def open(self, uri: str) -> DeltaTable | None:
        """Return the newest version of a table; None when it does not exist.

        Raises:
            LakeUnavailable, TableDamaged: As `delta.open_table`.
        """
        folder = local_path(uri)
        known = self._known.get(uri)
        if folder is not None and known is not None and delta.commit_of(folder, known[0].version) == known[0]:
            return known[1]
        opened = delta.open_table(uri)
        commit = delta.commit_of(folder, opened.version()) if folder is not None and opened is not None else None
        if opened is not None and commit is not None:
            self._known[uri] = (commit, opened)
        return opened
