"""SQL over the lake's tables: DuckDB with the tables as views, unable to write or to reach a file."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import polars as pl

from mystocks_dagster.errors import LakeError
from mystocks_dagster.market.clock import SHANGHAI
from mystocks_dagster.market.schemas import TABLES

if TYPE_CHECKING:
    from deltalake import DeltaTable
    from duckdb import DuckDBPyConnection


def query(tables: Mapping[str, "DeltaTable"], sql: str) -> pl.DataFrame:
    """Answer one SELECT (or WITH, FROM, DESCRIBE, SHOW, EXPLAIN) over the tables.

    Raises:
        LakeError: It is not one such statement, or DuckDB refuses it; the message is DuckDB's.
    """
    import duckdb

    try:
        with duckdb.connect(":memory:", config={"python_enable_replacements": "false"}) as connection:
            _prepare(connection, tables)
            statements = connection.extract_statements(sql)
            kinds = [statement.type.name for statement in statements]
            if kinds not in (["SELECT"], ["EXPLAIN"]):
                raise LakeError(f"The lake answers one SELECT and is read-only; this is {' and '.join(kinds) or 'empty'}.")
            answer = connection.sql(statements[0].query).to_arrow_table()
            return pl.DataFrame(answer.rename_columns(_distinct(answer.column_names)))
    except duckdb.Error as error:
        raise LakeError(f"The query cannot be answered: {error}") from None


def _distinct(names: list[str]) -> list[str]:
    """Number repeated names, which SQL allows and a frame does not: a, a_1, a_2."""
    return [f"{name}_{before}" if (before := names[:at].count(name)) else name for at, name in enumerate(names)]


def _prepare(connection: "DuckDBPyConnection", tables: Mapping[str, "DeltaTable"]) -> None:
    for name, table in tables.items():
        columns = ", ".join(f'"{column.name}"' for column in TABLES[name].columns)
        connection.from_arrow(table.to_pyarrow_dataset()).select(columns).create_view(name)
    connection.execute(f"SET TimeZone = '{SHANGHAI.key}'")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
