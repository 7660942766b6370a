"""The lake as a Dagster resource, for hand-written assets in `defs/`."""

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Literal, TypedDict, Unpack

import dagster as dg
from pydantic import Field

if TYPE_CHECKING:
    import polars as pl

    from mystocks_dagster.lake.store import Lake


class Rows(TypedDict, total=False):
    """Filter of a read; a key that is left out does not limit it.

    Attributes:
        columns: Columns, in this order.
        symbols: Symbols, such as `600519.SH`.
        start: First day, by the table's date column.
        end: Last day.
    """

    columns: Sequence[str] | None
    symbols: Sequence[str] | None
    start: date | None
    end: date | None


class LakeResource(dg.ConfigurableResource):
    """Read access to the tables of a lake: `def hello(lake: LakeResource)` gets the project's lake.

    Units and keys of the tables are in docs/lake.md. All methods raise `TableMissing` if the table has never been
    written, `UnknownName` for a table or column that does not exist, and `TableDamaged` if a file of it is lost.
    """

    location: str = Field(default="", description="A folder or URL; empty for the project's lake (MYSTOCKS_LAKE).")

    @property
    def lake(self) -> "Lake":
        """The lake with all its methods; see `mystocks_dagster.lake.store.Lake`."""
        from mystocks_dagster.lake.store import Lake
        from mystocks_dagster.settings import Settings

        return Lake(self.location or Settings.from_env().lake)

    def read(self, table: str, **rows: Unpack[Rows]) -> "pl.DataFrame":
        """Return rows of a table, in no particular order."""
        return self.lake.read(table, **rows)

    def scan(self, table: str, **rows: Unpack[Rows]) -> "pl.LazyFrame":
        """Return the rows lazily: only the needed files and columns are read."""
        return self.lake.scan(table, **rows)

    def adjusted_bars(
        self,
        how: Literal["hfq", "qfq"] = "hfq",
        *,
        anchor: date | None = None,
        unknown: Literal["refuse", "leave_out"] = "refuse",
        **rows: Unpack[Rows],
    ) -> "pl.DataFrame":
        """Return daily bars with adjusted prices (yuan) and their `factor`, in order of symbol and date.

        Args:
            how: `hfq` keeps the first stored day as it was, `qfq` the anchor day.
            anchor: The day on which qfq prices are the raw ones; None is the last stored day.
            unknown: Treatment of rows whose factor is unknown: an error, or they are left out.
            rows: Filter.

        Raises:
            LakeError: A needed factor is unknown; the message names symbol, day and remedy.
        """
        from mystocks_dagster.lake.prices import adjusted_bars

        return adjusted_bars(self.lake, how, anchor=anchor, unknown=unknown, **rows)

    def sql(self, query: str) -> "pl.DataFrame":
        """Return the result of one SELECT in DuckDB's SQL over all tables of the lake; the lake is read-only.

        Raises:
            LakeError: The query is not a single SELECT, or DuckDB rejects it.
        """
        return self.lake.query(query)
