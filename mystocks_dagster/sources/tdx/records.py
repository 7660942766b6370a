"""Decode the records of a whole 通达信 archive at once: members into one array, and frames by calendar year out of it.

A record has 32 bytes, little endian: date YYYYMMDD, open, high, low, close (integers), amount in CNY (float32), volume,
and a reserved number. All loops over records are in numpy: a full archive has some twenty million.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from itertools import groupby

import numpy as np
import polars as pl

from mystocks_dagster.market.array_columns import array_column
from mystocks_dagster.market.ex_right import previous_closes
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.sources.protocol import Progress
from mystocks_dagster.sources.tdx.members import RECORD_BYTES, Member

#: Positions of the fields in a record.
_DATE, _OPEN, _HIGH, _LOW, _CLOSE, _AMOUNT, _VOLUME, _RESERVED = range(8)
#: The upper bytes of `reserved` if the volume did not fit into its field; the lowest byte holds its last two digits.
_OVERFLOW = 0xC3640000
#: Years of the table of dates.
_FIRST_YEAR, _LAST_YEAR = 1990, 2100
_EPOCH = date(1970, 1, 1)
#: A file with more records is not read: such a file may be larger than the memory.
_MOST = (date(_LAST_YEAR, 1, 1) - date(_FIRST_YEAR, 1, 1)).days
_THREADS = 2
#: Records whose dates are looked up at a time.
_BLOCK = 65_536
#: Members that a thread reads at a time.
_AT_ONCE = 64


@dataclass
class Records:
    """The records of one table's members, in order of symbol and date.

    Attributes:
        table: Name of the table.
        members: The members, by symbol.
        values: The records, shape (records, 8), type uint32.
        days: Days since 1970 of each record.
        starts: The first record of each member, and at the end the number of all records.
    """

    table: str
    members: Sequence[Member]
    values: np.ndarray
    days: np.ndarray
    starts: np.ndarray

    def __post_init__(self) -> None:
        self.actions_known = False
        self._event_rows, self._event_closes = np.empty(0, np.int64), np.empty(0)
        self.keys = np.repeat(np.arange(len(self.members), dtype=np.uint32) << 16, np.diff(self.starts))
        self.keys |= self.days

    @property
    def scale(self) -> int:
        """Units of a price per CNY."""
        return self.members[0].scale

    def apply_actions(self, actions: pl.DataFrame) -> None:
        """Use corporate actions for the previous closes; without this call they are the last closes.

        Args:
            actions: Rows of `corporate_actions`, at most one for a symbol and ex-dividend day.
        """
        self.actions_known = True
        codes = pl.DataFrame({"symbol": [member.symbol for member in self.members]}).with_row_index("code")
        actions = actions.join(codes, on="symbol").sort("code", "ex_date")
        code, days = actions["code"].to_numpy(), actions["ex_date"].to_physical().to_numpy()
        # Where the symbol's first bar on or after the ex-dividend day is: one search in all (symbol, day) pairs.
        rows = np.searchsorted(self.keys, (code.astype(np.uint32) << 16) | days.astype(np.uint32))
        between = (rows > self.starts[code]) & (rows < self.starts[code + 1])
        rows = rows[between]
        closes = self.values[rows - 1, _CLOSE] / self.scale
        self._event_rows, self._event_closes = previous_closes(
            closes, rows, actions.filter(pl.Series(between)), self.scale
        )

    def frame(self, start: date, end: date) -> pl.DataFrame:
        """Return the rows from `start` to `end`, sorted by symbol and date, with the declared columns of the table."""
        begins, counts = self._span(start, end)
        total = int(counts.sum())
        # Each member's records lie together: whole runs are copied, not single records.
        runs = [slice(begin, begin + count) for begin, count in zip(begins.tolist(), counts.tolist(), strict=True)]
        values = np.concatenate([self.values[run] for run in runs])
        days = np.concatenate([self.days[run] for run in runs], dtype=np.int32)
        symbols = pl.Series([member.symbol for member in self.members], dtype=pl.String)
        columns = self._columns(values) | {
            "symbol": symbols.gather(np.repeat(np.arange(len(counts), dtype=np.uint32), counts)),
            "date": array_column("date", days, pl.Date),
            "actions_known": pl.repeat(self.actions_known, total, eager=True),
        }
        columns["prev_close"] = self._previous(columns["close"].to_numpy(), begins, counts)
        declared = TABLES[self.table].dtypes.items()
        columns |= {
            name: pl.repeat(None, total, dtype=dtype, eager=True) for name, dtype in declared if name not in columns
        }
        return pl.DataFrame({name: columns[name] for name, _ in declared})

    def _span(self, start: date, end: date) -> tuple[np.ndarray, np.ndarray]:
        """Return the first row of each member from `start` on, and the number of its rows up to `end`."""
        members = np.arange(len(self.members), dtype=np.uint32) << 16
        first, last = (np.uint32(max((day - _EPOCH).days, 0)) for day in (start, end))
        begins = np.searchsorted(self.keys, members | first)
        return begins, np.searchsorted(self.keys, members | last, side="right") - begins

    def last_closes(self) -> pl.DataFrame:
        """Return `symbol`, `date` and `close` of the last record of each member."""
        kept = np.flatnonzero(np.diff(self.starts))
        ends = self.starts[1:][kept] - 1
        symbols = pl.Series([member.symbol for member in self.members], dtype=pl.String)
        return pl.DataFrame(
            {
                "symbol": symbols.gather(kept),
                "date": pl.Series(self.days[ends].astype(np.int32)).cast(pl.Date),
                "close": self.values[ends, _CLOSE] / self.scale,
            }
        )

    def years(self) -> list[int]:
        """Return the calendar years that have records, ascending."""
        present = np.zeros(2**16, dtype=bool)
        present[self.days] = True
        return sorted({(_EPOCH + timedelta(days=int(day))).year for day in np.flatnonzero(present)})

    def _columns(self, values: np.ndarray) -> dict[str, pl.Series]:
        """Return the columns that a record states, without symbol and date."""
        prices = {"open": _OPEN, "high": _HIGH, "low": _LOW, "close": _CLOSE}
        volume, amount = _volumes(values), values.view(np.float32)[:, _AMOUNT].astype(np.float64)
        return {
            **{name: array_column(name, values[:, at] / self.scale) for name, at in prices.items()},
            "volume": array_column("volume", volume),
            "amount": array_column("amount", amount),
            "suspended": pl.Series((volume == 0) & (amount == 0)),
        }

    def _previous(self, closes: np.ndarray, begins: np.ndarray, counts: np.ndarray) -> pl.Series:
        """Return the previous closes of runs of records in CNY; null for the first record of a member.

        Args:
            closes: Their closes.
            begins: The first record of each run.
            counts: The number of records of each run.
        """
        previous = np.empty_like(closes)
        previous[1:] = closes[:-1]
        places = np.cumsum(counts) - counts
        firsts = places[counts > 0]
        previous[firsts] = self.values[np.maximum(begins[counts > 0], 1) - 1, _CLOSE] / self.scale
        members = np.searchsorted(self.starts, self._event_rows, side="right") - 1
        offsets = self._event_rows - begins[members]
        inside = (offsets >= 0) & (offsets < counts[members])
        previous[(places[members] + offsets)[inside]] = self._event_closes[inside]
        series = array_column("prev_close", previous)
        unknown = places[(counts > 0) & (begins == self.starts[:-1])]
        return series.scatter(unknown, None) if len(unknown) else series


def _volumes(values: np.ndarray) -> np.ndarray:
    volume = values[:, _VOLUME].astype(np.int64)
    reserved = values[:, _RESERVED]
    over = np.flatnonzero((reserved & 0xFFFFFF00) == _OVERFLOW)
    volume[over] = volume[over] * 100 + (reserved[over] & 0xFF)
    return volume


def _day_numbers() -> np.ndarray:
    """Return the days since 1970 by YYYYMMDD less `_FIRST_YEAR` x 10000; 0 where it is not a date."""
    numbers = np.zeros((_LAST_YEAR - _FIRST_YEAR) * 10_000 + 1, dtype=np.uint16)
    day = date(_FIRST_YEAR, 1, 1)
    while day.year < _LAST_YEAR:
        numbers[(day.year - _FIRST_YEAR) * 10_000 + day.month * 100 + day.day] = (day - _EPOCH).days
        day += timedelta(days=1)
    return numbers


def read_records(members: Sequence[Member], progress: Progress) -> tuple[list[Records], dict[str, str]]:
    """Read the members of an archive, with two threads.

    Args:
        members: Sorted by table and symbol.
        progress: Called with the bytes that are read.

    Returns:
        The records of each table that has an undamaged member, and by symbol the faults of members that are not read,
        or not read to their end.

    Raises:
        SourceChanged: A member is damaged.
    """
    faults = {
        member.symbol: f"{member.name}: its size, {member.size:,} bytes, is no multiple of {RECORD_BYTES}; its last "
        f"{member.size % RECORD_BYTES} bytes are left out"
        for member in members
        if member.size % RECORD_BYTES
    }
    faults |= {
        member.symbol: f"{member.name}: it has {member.records:,} records, more than there are days; "
        "the file is left out"
        for member in members
        if member.records > _MOST
    }
    members = [member for member in members if member.records <= _MOST]
    counts = np.array([member.records for member in members], dtype=np.int64)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    values = np.empty((int(offsets[-1]), 8), dtype=np.uint32)
    _fill(members, values, offsets, progress)
    tables = []
    at = 0
    for table, group in groupby(members, key=lambda member: member.table):
        size = len(list(group))
        part = slice(at, at + size)
        records = _checked(table, members[part], values, offsets[at : at + size + 1], faults)
        if records.members:
            tables.append(records)
        at += size
    return tables, faults


def _fill(members: Sequence[Member], values: np.ndarray, offsets: np.ndarray, progress: Progress) -> None:
    buffer = values.data.cast("B") if len(values) else memoryview(b"")

    def read(at: int) -> int:
        for index in range(at, min(at + _AT_ONCE, len(members))):
            member, begin = members[index], int(offsets[index]) * RECORD_BYTES
            size = member.records * RECORD_BYTES
            if member.size == size:
                member.read(buffer[begin : begin + size])
            else:
                whole = bytearray(member.size)
                member.read(memoryview(whole))
                buffer[begin : begin + size] = whole[:size]
        return int(offsets[min(at + _AT_ONCE, len(members))]) * RECORD_BYTES

    with ThreadPoolExecutor(_THREADS) as pool:
        for done in pool.map(read, range(0, len(members), _AT_ONCE)):
            progress(done, len(buffer), "reading the archive")


def _checked(
    table: str, members: Sequence[Member], values: np.ndarray, offsets: np.ndarray, faults: dict[str, str]
) -> Records:
    """Return the records of a table without the members whose dates are wrong, which are added to `faults`."""
    part = values[int(offsets[0]) : int(offsets[-1])]
    starts = offsets - offsets[0]
    days = _days(part[:, _DATE])
    wrong = days == 0
    wrong[1:] |= days[1:] <= days[:-1]
    firsts = starts[:-1][np.diff(starts) > 0]
    wrong[firsts] = days[firsts] == 0
    if not wrong.any():
        return Records(table, members, part, days, starts)
    rows = np.flatnonzero(wrong)
    codes, firsts = np.unique(np.searchsorted(starts, rows, side="right") - 1, return_index=True)
    bad = dict(zip(codes.tolist(), rows[firsts].tolist(), strict=True))
    keep = np.ones(len(part), dtype=bool)
    for code, row in bad.items():
        name = members[code].name
        faults[members[code].symbol] = (
            f"{name}: record {row - starts[code] + 1} has the date {part[row, _DATE]}, which is not a date after that "
            "of the record before it; the file is left out"
        )
        keep[starts[code] : starts[code + 1]] = False
    rest = [code for code in range(len(members)) if code not in bad]
    counts = np.diff(starts)[rest]
    return Records(
        table, [members[code] for code in rest], part[keep], days[keep], np.concatenate([[0], np.cumsum(counts)])
    )


def _days(numbers: np.ndarray) -> np.ndarray:
    """Return the days since 1970 by YYYYMMDD; 0 where it is not a date. In blocks, whose copies stay in the cache."""
    days, table = np.empty(len(numbers), np.uint16), _date_table()
    for start in range(0, len(numbers), _BLOCK):
        block = slice(start, start + _BLOCK)
        places = numbers[block] - np.uint32(_FIRST_YEAR * 10_000)  # an earlier date becomes a large number
        days[block] = table[np.minimum(places, np.uint32(len(table) - 1))]
    return days


@cache
def _date_table() -> np.ndarray:
    return _day_numbers()
