"""SQL over the lake's tables: DuckDB with the tables as views, without access to files."""

import re
import threading
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import polars as pl

from mystocks_dagster.errors import LakeError, QueryRefused, TableDamaged
from mystocks_dagster.excerpts import suggest
from mystocks_dagster.lake.damage import damage_message, find_damage
from mystocks_dagster.lake.data_limit import limited_data
from mystocks_dagster.lake.formats import as_stored
from mystocks_dagster.lake.location import local_path
from mystocks_dagster.market.clock import SHANGHAI
from mystocks_dagster.market.code_changes import CODE, NO_CHANGES, CodeChanges
from mystocks_dagster.market.table import MOMENT, Column, Table
from mystocks_dagster.market.tables import TABLES

_SQL_TYPES = {
    pl.String: "VARCHAR",
    pl.Date: "DATE",
    pl.Float64: "DOUBLE",
    pl.Int64: "BIGINT",
    pl.Boolean: "BOOLEAN",
    MOMENT: "TIMESTAMPTZ",
    pl.Binary: "BLOB",
}

#: DuckDB's message about a table that it does not know.
_ABSENT = re.compile(r"Table with name (\w+) does not exist!")

if TYPE_CHECKING:
    from deltalake import DeltaTable
    from duckdb import DuckDBPyConnection, DuckDBPyRelation


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """What a query may cost; the defaults are those of a guest, None is no limit.

    Attributes:
        rows: Most rows of the answer; further ones are left out.
        seconds: Most time; a query that takes longer is stopped.
        memory: Most bytes of memory that DuckDB counts; see `lake.guest_query` for those that it does not.
        answer: Most bytes of the answer.
        process: Whether the whole process is held to the memory too, while the query runs.
    """

    rows: int | None = 1000
    seconds: float | None = 20.0
    memory: int | None = 2_000_000_000
    answer: int | None = 20_000_000
    process: bool = False


def query(
    tables: Mapping[str, "DeltaTable"],
    sql: str,
    as_of: date | None = None,
    changes: CodeChanges = NO_CHANGES,
    bounds: Bounds | None = None,
    missing: Callable[[str], LakeError] | None = None,
) -> pl.DataFrame:
    """Run one SELECT (or WITH, FROM, DESCRIBE, SHOW, EXPLAIN) over the tables, or over what was known on a day.

    If codes have changed, tables with a `symbol` have it as the newest code, and a column `code`: the code of the day.
    With `bounds`, a query that costs more is stopped, and rows beyond the limit are left out. `missing` says why a
    table that there may be is not there.

    Raises:
        TableMissing: It names a table that is not there.
        QueryRefused: It is not a single such statement, or DuckDB rejects it; the message is DuckDB's.
        TableDamaged: A file of a table that it names is missing or damaged.
    """
    import duckdb

    try:
        with duckdb.connect(":memory:", config={"python_enable_replacements": "false"}) as connection:
            if bounds and bounds.memory:
                connection.execute(f"SET memory_limit = '{bounds.memory}B'")
            _prepare(connection, tables, as_of, changes)
            statements = connection.extract_statements(sql)
            kinds = [statement.type.name for statement in statements]
            if kinds not in (["SELECT"], ["EXPLAIN"]):
                raise QueryRefused(f"The lake is read-only: write a single SELECT. {_found(kinds)}")
            # Not before: an import, or an opening of a table, that gets no memory ends the process.
            held = limited_data(bounds.memory) if bounds and bounds.process and bounds.memory else nullcontext()
            with held, _stopped_after(connection, bounds.seconds if bounds else None):
                rows = connection.sql(statements[0].query)
                limited = bounds and bounds.rows is not None and kinds == ["SELECT"]
                answer = (rows.limit(bounds.rows) if limited else rows).to_arrow_table()
            if bounds and bounds.answer is not None and answer.nbytes > bounds.answer:
                raise QueryRefused(
                    f"The answer has {answer.nbytes / 1e6:,.0f} MB, and {bounds.answer / 1e6:,.0f} MB are the most. "
                    "Name fewer columns, or run it with: mystocks data query"
                )
            return pl.DataFrame(answer.rename_columns(_distinct(answer.column_names)))
    except duckdb.InterruptException:
        raise QueryRefused(_too_long(bounds)) from None
    except (duckdb.OutOfMemoryException, MemoryError):
        raise QueryRefused(_too_large(bounds)) from None
    except duckdb.Error as error:
        if (found := _ABSENT.search(str(error))) and found[1] not in tables:
            raise _absent(found[1], tables, missing) from None
        for name, table in tables.items():
            if name in sql.lower() and (damage := find_damage(_uri(table))):
                raise TableDamaged(damage_message(*damage)) from None
        raise QueryRefused(f"The query failed: {error}") from None


def _absent(name: str, tables: Collection[str], missing: Callable[[str], LakeError] | None) -> LakeError:
    """Return why there is no such table; DuckDB's own proposal may be one of its catalogs."""
    if missing and name in TABLES:
        return missing(name)
    hint = suggest(name, tables, allowed="The lake has")
    return QueryRefused(f"There is no table {name!r}. {hint}".strip())


def _too_long(bounds: Bounds | None) -> str:
    seconds = (bounds.seconds if bounds else None) or 0
    if bounds and bounds.rows is None:
        return (
            f"The query took longer than {seconds:g} s and was stopped. Name fewer days or symbols, or allow more with "
            "--timeout SECONDS (0 is no limit)."
        )
    return (
        f"The query took longer than {seconds:g} s and was stopped. Name fewer days or "
        "symbols, or run it with: mystocks data query"
    )


def _too_large(bounds: Bounds | None) -> str:
    if bounds and bounds.rows is not None:
        return (
            "The query needed more memory than it may have and was stopped. Name fewer columns, days or symbols, or "
            "run it with: mystocks data query"
        )
    size = f"{bounds.memory / 1e9:.1f} GB" if bounds and bounds.memory else "this machine"
    return (
        f"The query needed more memory than {size} and was stopped. Name fewer columns, days or symbols, or write a "
        "table into a file: mystocks data export TABLE FILE"
    )


def _found(kinds: Sequence[str]) -> str:
    """Return which statements there are, as a sentence."""
    if len(kinds) == 1:
        return f"This statement is {kinds[0]}."
    return f"These are {len(kinds)} statements." if kinds else "There is no statement."


@contextmanager
def _stopped_after(connection: "DuckDBPyConnection", seconds: float | None) -> Generator[None]:
    """Interrupt what the connection does after so many seconds; None is no limit."""
    if seconds is None:
        yield
        return
    timer = threading.Timer(seconds, connection.interrupt)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _distinct(names: list[str]) -> list[str]:
    """Number repeated column names, which SQL allows and a frame does not: a, a_1, a_2."""
    repeats = [names[:index].count(name) for index, name in enumerate(names)]
    return [f"{name}_{count}" if count else name for name, count in zip(names, repeats, strict=True)]


def _uri(table: "DeltaTable") -> str:
    uri = table.table_uri.rstrip("/")
    return local_path(uri) or uri


def _column(column: Column, stored: Collection[str]) -> str:
    """Return a column of a view; a column that is not on disk yet is null."""
    if column.name in stored:
        return f'"{column.name}"'
    kind = next(sql for dtype, sql in _SQL_TYPES.items() if column.dtype == dtype)
    return f'NULL::{kind} AS "{column.name}"'


def _prepare(
    connection: "DuckDBPyConnection",
    tables: Mapping[str, "DeltaTable"],
    as_of: date | None,
    changes: CodeChanges,
) -> None:
    for name, table in tables.items():
        stored = {field.name for field in table.schema().fields}
        schema = as_stored(TABLES[name].stored, table)
        columns = ", ".join(_column(column, stored) for column in schema.columns)
        rows = connection.from_arrow(table.to_pyarrow_dataset()).select(columns)
        if changes and "symbol" in TABLES[name].dtypes:
            rows = _with_newest_codes(connection, as_stored(TABLES[name], table), rows, changes)
        (rows if as_of is None else _known(TABLES[name], rows, as_of)).create_view(name)
    connection.execute(f"SET TimeZone = '{SHANGHAI.key}'")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _known(schema: Table, rows: "DuckDBPyRelation", as_of: date) -> "DuckDBPyRelation":
    """Keep what was known on a day, as `lake.point_in_time.known` does; the time zone is Shanghai's."""
    days = ", ".join(f'CAST("{name}" AS DATE)' for name in schema.known_by)
    rows = rows.project(f"*, COALESCE({days}) AS known_day").filter(f"known_day <= DATE '{as_of}'")
    if schema.version_key:
        key = ", ".join(f'"{name}"' for name in schema.version_key)
        newest = rows.project(f"*, max(known_day) OVER (PARTITION BY {key}) AS newest_day")
        rows = newest.filter("known_day = newest_day")
    ended = {name: f'CASE WHEN "{name}" <= DATE \'{as_of}\' THEN "{name}" END AS "{name}"' for name in schema.ends}
    hidden = ("known_day", "newest_day")
    return rows.project(", ".join(ended.get(name, f'"{name}"') for name in rows.columns if name not in hidden))


def _with_newest_codes(
    connection: "DuckDBPyConnection", schema: Table, rows: "DuckDBPyRelation", changes: CodeChanges
) -> "DuckDBPyRelation":
    """Return rows with the newest code as `symbol` and the stored one as `code`, as `Lake.scan` does."""
    codes = pl.DataFrame({"old": list(changes.newest), "newest": list(changes.newest.values())}).to_arrow()
    joined = rows.set_alias("r").join(connection.from_arrow(codes).set_alias("c"), "r.symbol = c.old", how="left")
    columns = ", ".join("COALESCE(c.newest, r.symbol) AS symbol" if name == "symbol" else f'r."{name}"'
                        for name in schema.dtypes)  # fmt: skip
    joined = joined.project(f"{columns}, r.symbol AS {CODE}")
    if schema.date_column or "symbol" not in schema.key:
        return joined
    key = ", ".join(f'"{name}"' for name in schema.key)
    ranked = joined.project(f"*, row_number() OVER (PARTITION BY {key} ORDER BY {CODE} = symbol DESC) AS code_rank")
    return ranked.filter("code_rank = 1").project("* EXCLUDE (code_rank)")
