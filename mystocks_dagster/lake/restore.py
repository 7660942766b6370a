"""List the versions of a table, check which are intact, and restore one of them."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import polars as pl
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake

from mystocks_dagster.errors import LakeError, MyStocksError, TableDamaged, UnknownName
from mystocks_dagster.lake import damage, delta
from mystocks_dagster.lake.commits import PARQUET
from mystocks_dagster.lake.events import refresh_events
from mystocks_dagster.lake.formats import format_of, pending, stamp
from mystocks_dagster.lake.layout import RESTORES, YEAR, commit_time, row_count, stream
from mystocks_dagster.lake.loads import all_load_entries, forget_days
from mystocks_dagster.lake.location import has_wildcards, local_path
from mystocks_dagster.lake.past import version_at
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.clock import now
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.market.tables import table as table_of

#: Folder of the lake to which damaged tables are moved; readers ignore it.
ASIDE = "damaged"


@dataclass(frozen=True, kw_only=True)
class TableVersion:
    """One version of a table.

    Attributes:
        number: Counts from 0.
        written: When, in Shanghai's time zone; None when its commit cannot be read.
        operation: Delta's name of the operation: WRITE, MERGE, OPTIMIZE...
        rows: Number of rows; None when its log cannot be read.
        damage: The file that is missing or damaged; empty when the version is intact.
    """

    number: int
    written: datetime | None
    operation: str
    rows: int | None
    damage: str


@dataclass(frozen=True, kw_only=True)
class RestoreResult:
    """Result of a restore.

    Attributes:
        version: The version whose rows the table has now; None when the table was moved away.
        rows: Number of rows.
        days: The days that now count as not loaded, so that the next run loads them.
        aside: The new path of the damaged table; None when it was not moved.
        derived: Whether the rows were derived again from the stored bars, so that nothing must be loaded.
    """

    version: int | None
    rows: int
    days: tuple[date, ...]
    aside: str | None = None
    derived: bool = False


def versions(lake: Lake, table: str, limit: int = 20) -> list[TableVersion]:
    """Return the newest versions, newest first; each data file is read once, to check whether it is intact.

    Raises:
        UnknownName: There is no such table.
    """
    uri = _uri(lake, table)
    known: dict[str, str] = {}
    return [_version(uri, number, known) for number in sorted(damage.commits(uri), reverse=True)[:limit]]


def restore(lake: Lake, table: str, to: int | datetime) -> RestoreResult:
    """Restore the rows of an earlier version; days that were loaded since then count as not loaded.

    When the log is damaged too, the version is written as a new table, and the damaged one is moved to `damaged/`.

    Args:
        lake: The lake.
        table: Name of the table.
        to: The number of a version, or a moment: then the last version written at or before it.

    Raises:
        UnknownName: There is no such table or version.
        TableDamaged: A file of that version is missing or damaged.
        LakeUnavailable: The lake cannot be written.
    """
    uri = _uri(lake, table)
    number = to if isinstance(to, int) else _number_at(uri, table, to)
    target = _opened(uri, table, number)
    if damaged := damage.data_damage(target, uri, read=True):
        reason = next(iter(damaged.values()))
        raise TableDamaged(f"Version {number} of {table} cannot be restored: {reason}. Choose another: {_list(table)}")
    before, since, stored_format = _days(lake, table), _written_after(uri, number), format_of(target)
    aside = None if _restore_by_commit(uri, number, stored_format) else _rewrite(lake, table, target)
    days = _forget(lake, table, since, everything=bool(pending(table, stored_format)))
    derived = _derive_events(lake, table, before)
    return RestoreResult(version=number, rows=_count(lake, uri), days=days, aside=aside, derived=derived)


def move_away(lake: Lake, table: str) -> RestoreResult:
    """Move a table without an intact version to `damaged/`; all its days count as not loaded.

    Raises:
        LakeError: The lake is not a local folder.
        UnknownName: There is no such table.
    """
    uri = _uri(lake, table)
    path = local_path(uri)
    if path is None:
        raise LakeError(
            f"{uri} is not a local folder, so it cannot be moved. Move it with the tools of your object store, then "
            "load the data again."
        )
    if not Path(path).exists():
        raise UnknownName(f"The lake {lake.location} has no files of a table {table}.")
    aside = _aside(Path(path))
    Path(path).rename(aside)
    days = _forget(lake, table, None, everything=True)
    derived = _derive_events(lake, table, ())
    return RestoreResult(
        version=None, rows=_count(lake, uri) if derived else 0, days=days, aside=str(aside), derived=derived
    )


def _derive_events(lake: Lake, table: str, before: Sequence[date]) -> bool:
    """Derive all events again after a restore of bars or events; return whether `table` itself was derived.

    An earlier version of the events lacks those of later bars, and an earlier version of the bars has other events.
    """
    if table not in ("daily_bars", "adjust_events"):
        return False
    if not (bars := _days(lake, "daily_bars")):
        return False
    refresh_events(lake, sorted({*before, *bars, *lake.days("adjust_events")}))
    return table == "adjust_events"


def _uri(lake: Lake, table: str) -> str:
    return f"{lake.location}/{table_of(table).name}"


def _version(uri: str, number: int, known: dict[str, str]) -> TableVersion:
    info = damage.commit_info(uri, number)
    written = commit_time(info.get("timestamp"))
    rows, trouble = None, ""
    try:
        opened = _open(uri, number)
        rows = row_count(opened)
        trouble = next(iter(damage.data_damage(opened, uri, read=True, known=known).values()), "")
    except MyStocksError as error:
        trouble = damage.log_damage(uri) or str(error)
    return TableVersion(number=number, written=written, operation=info.get("operation", ""), rows=rows, damage=trouble)


def _open(uri: str, number: int) -> DeltaTable:
    """Open a version; naming it makes delta-rs ignore the hint to a checkpoint that may be missing."""
    opened = delta.open_table(uri, number)
    if opened is None:
        raise UnknownName(f"There is no table in {uri}.")
    if local_path(uri) and (problem := damage.log_damage(uri, newest=number)):
        raise TableDamaged(problem)
    return opened


def _opened(uri: str, table: str, number: int) -> DeltaTable:
    versions = damage.commits(uri)
    if number not in versions:
        known = f"{versions[0]} to {versions[-1]}" if versions else "none"
        raise UnknownName(f"{table} has no version {number}; its versions are {known}. List them: {_list(table)}")
    return _open(uri, number)


def _number_at(uri: str, table: str, moment: datetime) -> int:
    if (number := version_at(uri, moment)) is not None:
        return number
    raise UnknownName(f"{table} has no version of {moment.isoformat()} or before. List its versions: {_list(table)}")


def _list(table: str) -> str:
    return f"mystocks data restore {table}"


def _restore_by_commit(uri: str, number: int, format_number: int) -> bool:
    """Restore with a Delta commit; return False when the newest version cannot be opened to commit on."""
    try:
        newest = delta.open_table(uri)
    except TableDamaged:
        return False
    if newest is None:
        return False
    restores = (newest.transaction_version(RESTORES) or 0) + 1
    properties = CommitProperties(app_transactions=[stamp(format_number), Transaction(RESTORES, restores)])
    with delta.translate_errors(uri):
        newest.restore(number, commit_properties=properties)
    return True


def _rewrite(lake: Lake, table: str, target: DeltaTable) -> str:
    """Write a version as a new table in place of the damaged one; return the new path of the damaged one."""
    uri = _uri(lake, table)
    path = local_path(uri)
    if path is None:
        raise LakeError(
            f"{uri} is not a local folder, so its damaged log cannot be repaired. Move the table with the tools of "
            "your object store, then load the data again."
        )
    fresh = Path(lake_path(lake), ".restoring", table)
    shutil.rmtree(fresh, ignore_errors=True)
    metadata = target.metadata()
    with delta.translate_errors(uri):
        rows = pl.scan_delta(target, use_pyarrow=has_wildcards(lake.location)).collect()
        write_deltalake(
            str(fresh),
            stream(rows),
            partition_by=[YEAR] if YEAR in rows.columns else None,
            name=metadata.name,
            description=metadata.description,
            writer_properties=PARQUET,
            commit_properties=CommitProperties(app_transactions=[stamp(format_of(target))]),
        )
        aside = _aside(Path(path))
        Path(path).rename(aside)
        fresh.rename(path)
        fresh.parent.rmdir()
    return str(aside)


def lake_path(lake: Lake) -> str:
    """Return the local folder of a lake.

    Raises:
        LakeError: The lake is not a local folder.
    """
    path = local_path(lake.location)
    if path is None:
        raise LakeError(f"{lake.location} is not a local folder.")
    return path


def _aside(path: Path) -> Path:
    folder = path.parent / ASIDE
    folder.mkdir(exist_ok=True)
    name = f"{path.name}-{now():%Y%m%d-%H%M%S}"
    taken = sum(entry.name.startswith(name) for entry in folder.iterdir())
    return folder / (f"{name}-{taken + 1}" if taken else name)


def _written_after(uri: str, number: int) -> datetime | None:
    """Return when the next version was written; None when there is none."""
    return commit_time(damage.commit_info(uri, number + 1).get("timestamp"))


def _forget(lake: Lake, table: str, since: datetime | None, *, everything: bool = False) -> tuple[date, ...]:
    """Mark days as not loaded that were loaded since then, or whose stored number of rows differs from the loaded one.

    Returns:
        Those days, ascending.
    """
    if table == "loaded_days" or not lake.exists("loaded_days"):
        return ()
    known = all_load_entries(lake, table).filter("complete")
    if everything:
        forget_days(lake, table, known["date"].to_list())
        return tuple(known["date"].sort())
    late = known.filter(pl.col("loaded_at") >= since if since else pl.lit(value=False))
    changed = known.join(_rows_by_day(lake, table), on="date", how="left").filter(
        pl.col("rows") != pl.col("stored").fill_null(0)
    )
    days = sorted({*late["date"], *(changed["date"] if TABLES[table].by_day else ())})
    if days:
        forget_days(lake, table, days)
    return tuple(days)


def _rows_by_day(lake: Lake, table: str) -> pl.DataFrame:
    column = TABLES[table].date_column
    if column is None or not lake.exists(table):
        return pl.DataFrame(schema={"date": pl.Date, "stored": pl.Int64})
    counts = lake.read(table, columns=[column]).group_by(pl.col(column).alias("date")).len("stored")
    return counts.with_columns(pl.col("stored").cast(pl.Int64))


def _days(lake: Lake, table: str) -> Sequence[date]:
    try:
        return lake.days(table) if TABLES[table].date_column else []
    except LakeError:
        return []


def _count(lake: Lake, uri: str) -> int:
    opened = delta.open_table(uri)
    return row_count(opened) if opened else 0
