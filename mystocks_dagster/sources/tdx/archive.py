"""A 通达信 archive, a zip or a folder: its span, and its bars by calendar year."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from mystocks_dagster.errors import SourceChanged
from mystocks_dagster.sources.protocol import Progress
from mystocks_dagster.sources.tdx.members import Member, folder_members, zip_members
from mystocks_dagster.sources.tdx.records import Records, read_records

#: The index of Shanghai has a record for every trading day.
_WITNESS = ("000001.SH", "index_bars")

#: The end of a fault of a file that is not read; it is not said when no file is.
_LEFT_OUT = "; the file is left out"


class Archive:
    """The `.day` files of a zip or folder.

    Attributes:
        path: Where it is.
        members: Its files by table and symbol.
        faults: By symbol, why a file was not read, or not to its end; filled by `history`.
    """

    def __init__(self, path: Path) -> None:
        """List the files; none of them is read.

        Raises:
            SourceChanged: It is not a complete zip, or has no `.day` file.
        """
        self.path = path
        self.members = folder_members(path) if path.is_dir() else zip_members(path)
        self.faults: dict[str, str] = {}

    @property
    def tables(self) -> frozenset[str]:
        """The tables of which it has files."""
        return frozenset(member.table for member in self.members.members)

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for users: files that are not read, and why."""
        left_out = ", ".join(f"{count:,} of {kind}" for kind, count in sorted(self.members.left_out.items()))
        notes = [f"Not read from {self.path.name}: files {left_out}."] if left_out else []
        faults = list(self.faults.values())
        more = f" and {len(faults) - 3} more files" if len(faults) > 3 else ""
        return (*notes, f"Damaged: {'; '.join(faults[:3])}{more}.") if faults else tuple(notes)

    @cached_property
    def days(self) -> list[date]:
        """The trading days: those of the index of Shanghai, else of the longest file that is not damaged.

        Raises:
            SourceChanged: All files are damaged or empty, or a file of a zip is damaged.
        """
        faults: list[str] = []
        for member in self._witnesses():
            tables, found = read_records([member], lambda *_: None)
            faults += found.values()
            if tables and len(days := tables[0].days):
                return pl.Series(days.astype(np.int32)).cast(pl.Date).to_list()
        if not faults:
            raise SourceChanged(f"{self.path} has no records.")
        raise SourceChanged(
            f"{self.path}: all of its files ({len(self.members.members):,}) are damaged, so nothing is loaded. "
            f"{faults[0].removesuffix(_LEFT_OUT)}. Load the archive again."
        )

    def history(
        self, tables: Sequence[str], start: date, end: date, *, actions: pl.DataFrame | None, progress: Progress
    ) -> Iterator[tuple[str, pl.DataFrame]]:
        """Yield the bars of `tables`; arguments and order as in `HistorySource.history`.

        Raises:
            SourceChanged: A file of a zip is damaged.
        """
        found, faults = read_records(self.members.of(tables), progress)
        self.faults |= faults
        order = sorted(found, key=lambda records: tables.index(records.table))
        for records in order:
            if actions is not None:
                records.apply_actions(actions)
        years = sorted({year for records in order for year in records.years() if start.year <= year <= end.year})
        parts = [(records, year) for year in years for records in order]
        with ThreadPoolExecutor(1) as pool:
            # While the caller stores a frame, the next one is prepared: numpy and polars release the lock.
            frames = (pool.submit(_frame, records, year, start, end) for records, year in parts)
            ahead = next(frames, None)
            while ahead is not None:
                current, ahead = ahead, next(frames, None)
                table, frame = current.result()
                if frame.height:
                    yield table, frame

    def last_closes(self, table: str) -> pl.DataFrame:
        """Return `symbol`, `date` and `close` of the last record of each file of a table.

        Raises:
            SourceChanged: A file of a zip is damaged.
        """
        found, faults = read_records(self.members.of([table]), lambda *_: None)
        self.faults |= faults
        empty = pl.DataFrame(schema={"symbol": pl.String, "date": pl.Date, "close": pl.Float64})
        return pl.concat([empty, *(records.last_closes() for records in found)])

    def _witnesses(self) -> list[Member]:
        """Return the files in the order in which they are asked for the trading days."""
        return sorted(
            self.members.members, key=lambda member: ((member.symbol, member.table) != _WITNESS, -member.size)
        )


def _frame(records: Records, year: int, start: date, end: date) -> tuple[str, pl.DataFrame]:
    span = max(start, date(year, 1, 1)), min(end, date(year, 12, 31))
    return records.table, records.frame(*span)
