"""The lake as a Dagster resource, for assets that a person writes by hand in `defs/`."""

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Literal, TypedDict, Unpack

import dagster as dg
from pydantic import Field

if TYPE_CHECKING:
    import polars as pl

    from mystocks_dagster.lake.store import Lake


class Rows(TypedDict, total=False):
    """Which part of a table is read; what is left out is not limited.

    Attributes:
        columns: The columns, in this order.
        symbols: The symbols, such as `600519.SH`.
        start: The first day, by the table's date column.
        end: The last day.
    """

    columns: Sequence[str] | None
    symbols: Sequence[str] | None
    start: date | None
    end: date | None


class LakeResource(dg.ConfigurableResource):
    """The tables of a lake, for reading: `def hello(lake: LakeResource)` gets the project's.

    Units and keys of the tables are in docs/lake.md. All methods raise `TableMissing` when nothing has written the
    table yet, `UnknownName` for a table or column that does not exist, and `TableDamaged` when a file of it is lost.
    """

    location: str = Field(default="", description="A folder or URL; empty for the project's lake (MYSTOCKS_LAKE).")

    @property
    def lake(self) -> "Lake":
        """The lake itself, with all that it can do; see `mystocks_dagster.lake.store.Lake`."""
        from mystocks_dagster.lake.store import Lake
        from mystocks_dagster.settings import Settings

        return Lake(self.location or Settings.from_env().lake)

    def read(self, table: str, **rows: Unpack[Rows]) -> "pl.DataFrame":
        """Return rows of a table, in no particular order."""
        return self.lake.read(table, **rows)

    def scan(self, table: str, **rows: Unpack[Rows]) -> "pl.LazyFrame":
        """Return the same lazily: only the files and columns that are needed are read."""
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
            unknown: What becomes of rows whose factor is unknown: an error, or they are left out.
            rows: Which rows and columns.

        Raises:
            LakeError: A factor that is needed is unknown; the message names symbol, day and remedy.
        """
        from mystocks_dagster.lake.prices import adjusted_bars

        return adjusted_bars(self.lake, how, anchor=anchor, unknown=unknown, **rows)

    def sql(self, query: str) -> "pl.DataFrame":
        """Return the answer to one SELECT in DuckDB's SQL over all tables of the lake; nothing can be written.

        Raises:
            LakeError: It is not one SELECT, or DuckDB refuses it.
        """
        return self.lake.query(query)
