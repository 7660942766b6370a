"""Notice that another writer changed a table while rows for it were computed from its own stored ones."""

import uuid
from collections.abc import Generator
from contextlib import contextmanager

from deltalake import DeltaTable

from mystocks_dagster.errors import Overtaken
from mystocks_dagster.lake.layout import changes_rows

#: Metadata key of a commit that says which writer made it.
WRITER = "mystocks_writer"


class Overtaking:
    """The tables of which one writer wants to know whether others change their rows.

    Attributes:
        mark: The metadata of this writer's own commits.
    """

    def __init__(self) -> None:
        self.mark = {WRITER: uuid.uuid4().hex}
        self._bases: dict[str, int] = {}

    @contextmanager
    def watched(self, versions: dict[str, int]) -> Generator[None]:
        """Within the block, `check` looks at these tables since these versions; -1 is that of a table to come."""
        before, self._bases = self._bases, {**self._bases, **versions}
        try:
            yield
        finally:
            self._bases = before

    def check(self, table: str, newest: DeltaTable | None) -> None:
        """Raise an error when another writer has changed rows of a watched table.

        Raises:
            Overtaken: It has, or the log no longer says so.
        """
        base = self._bases.get(table)
        if base is None or newest is None or newest.version() == base:
            return
        number = newest.version() - base
        commits = newest.history(number) if number > 0 else []
        others = [entry for entry in commits if entry.get(WRITER) != self.mark[WRITER]]
        if len(commits) < number or number < 0 or any(changes_rows(entry) for entry in others):
            raise Overtaken(
                f"Another task wrote rows of {table} while this one computed its own, so nothing was written. "
                "Run the task again."
            )
