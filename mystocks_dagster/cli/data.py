"""data tables | head | query: what is in the lake."""

from typing import Annotated, Any

import typer

from mystocks_dagster.cli.files import Json
from mystocks_dagster.cli.names import MANY
from mystocks_dagster.cli.printing import console, escape, print_json, print_table
from mystocks_dagster.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Look into the lake: tables, first rows, SQL.")


def register(parent: typer.Typer) -> None:
    """Add the commands under `data`."""
    parent.add_typer(app, name="data")


@app.command()
def tables(json: Json = False) -> None:
    """List the tables with their rows, size and time of the last change.

    Example: mystocks data tables
    """
    lake = _lake()
    found = lake.tables()
    if json:
        print_json(
            [
                {"table": one.table, "rows": one.rows, "bytes": one.bytes, "updated": one.updated and one.updated.isoformat()}
                for one in found
            ]
        )
        return
    if not found:
        console.print(
            f"The lake {escape(str(lake.location))} is empty. Fill it with: mystocks run daily_job "
            "(or see the demo's with: mystocks --demo data tables)"
        )
        return
    rows = [(one.table, one.rows, f"{one.bytes / 1e6:.1f} MB", one.updated and f"{one.updated:%Y-%m-%d %H:%M:%S}") for one in found]
    print_table(("table", "rows", "size", "updated"), rows, title=f"{lake.location} ({lake.stored_world()})")


@app.command()
def head(
    table: Annotated[str, typer.Argument(help="Name of a table.")],
    rows: Annotated[int, typer.Option("--rows", "-n", min=1, max=MANY, help="How many rows.")] = 10,
    json: Json = False,
) -> None:
    """Show the newest rows of a table.

    Example: mystocks data head daily_bars
    """
    _show(_lake().head(table, rows), json=json)


@app.command()
def query(sql: Annotated[str, typer.Argument(help="A SELECT of DuckDB; every table of the lake is a view.")], json: Json = False) -> None:
    """Ask the lake in SQL.

    Example: mystocks data query "SELECT symbol, count(*) AS days FROM daily_bars GROUP BY symbol"
    """
    _show(_lake().query(sql), json=json)


def _lake() -> Any:
    from mystocks_dagster.lake.store import Lake

    return Lake(Settings.from_env().lake)


def _show(frame: Any, *, json: bool) -> None:
    if json:
        print_json(frame.to_dicts())
    else:
        print_table(frame.columns, frame.iter_rows())
