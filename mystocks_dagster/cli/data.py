"""data tables | head | query | universe | codes: look at the lake."""

from datetime import date
from typing import Annotated, Any

import typer

from mystocks_dagster.cli.check import Json
from mystocks_dagster.cli.completion import MANY
from mystocks_dagster.cli.days import day_option, moment, time_text
from mystocks_dagster.cli.open_project import open_project
from mystocks_dagster.cli.printing import console, escape, print_json
from mystocks_dagster.cli.tables import print_table
from mystocks_dagster.errors import LakeError, UnknownName
from mystocks_dagster.settings import Settings

AsOf = Annotated[
    date | None,
    day_option("--as-of", help="Only what was known at the end of that day."),
]
At = Annotated[
    str,
    typer.Option(
        help="Read the tables as they were stored at this time, such as 2026-11-27T16:00 (Shanghai's); "
        "at least the last 7 days can be read."
    ),
]

#: Seconds after which a query is stopped by default: half an hour.
_MOST_SECONDS = 1800

app = typer.Typer(
    no_args_is_help=True,
    help="Inspect the lake (tables, newest rows, SQL), restore a table's earlier version, migrate an older lake.",
)


def register(parent: typer.Typer) -> None:
    """Add the commands under `data`."""
    from mystocks_dagster.cli import (
        data_actions,
        data_describe,
        data_export,
        data_gaps,
        data_migrate,
        data_restore,
        data_truth,
    )

    data_restore.register(app)
    data_actions.register(app)
    data_describe.register(app)
    data_export.register(app)
    data_gaps.register(app)
    data_migrate.register(app)
    data_truth.register(app)
    parent.add_typer(app, name="data")


@app.command()
def tables(json: Json = False) -> None:
    """List the tables with their rows, size and time of the last change.

    Example: mystocks data tables
    """
    lake = _lake()
    summaries = lake.tables()
    if json:
        print_json([_table_json(summary) for summary in summaries])
        return
    if not summaries:
        from mystocks_dagster.project.suggestions import run_command

        console.print(
            f"The lake {escape(str(lake.location))} is empty. Fill it with: {escape(run_command(open_project()))} "
            "(or see the demo's with: mystocks --demo data tables)"
        )
        return
    rows = [
        (summary.table, summary.rows, summary.bytes and _size(summary.bytes), time_text(summary.updated))
        for summary in summaries
    ]
    print_table(("table", "rows", "size", "updated"), rows, title=f"{lake.location} ({_world(lake)})")
    for summary in summaries:
        if summary.trouble:
            console.print(f"[red]{escape(summary.trouble)}[/]")


def _size(count: int) -> str:
    return f"{count / 1e6:,.1f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"


def _table_json(summary: Any) -> dict[str, Any]:
    return {
        "table": summary.table,
        "rows": summary.rows,
        "bytes": summary.bytes,
        "updated": summary.updated and summary.updated.isoformat(),
        "trouble": summary.trouble,
    }


@app.command()
def head(
    table: Annotated[str, typer.Argument(help="Name of a table.")],
    rows: Annotated[int, typer.Option("--rows", "-n", min=1, max=MANY, help="How many rows.")] = 10,
    as_of: AsOf = None,
    at: At = "",
    json: Json = False,
) -> None:
    """Show the newest rows of a table.

    Example: mystocks data head daily_bars
    """
    frame = _lake_at(at).head(table, rows, as_of=as_of)
    if json:
        print_json(frame.to_dicts())
    else:
        from mystocks_dagster.cli.frames import print_frame

        print_frame(frame)


@app.command()
def query(
    sql: Annotated[str, typer.Argument(help="A DuckDB SELECT; every table of the lake is a view.")],
    as_of: AsOf = None,
    at: At = "",
    timeout: Annotated[
        int, typer.Option(min=0, max=MANY, help="Stop the query after so many seconds; 0 is no limit.")
    ] = _MOST_SECONDS,
    memory: Annotated[
        float | None,
        typer.Option(min=0.1, max=MANY, help="Memory in GB that the query may use; by default most of what is free."),
    ] = None,
    json: Json = False,
) -> None:
    """Query the lake with SQL; Ctrl-C stops the query at once.

    Example: mystocks data query "SELECT symbol, count(*) AS days FROM daily_bars GROUP BY symbol"
    """
    from mystocks_dagster.lake.owner_query import query_as_owner

    most = round(memory * 1e9) if memory else None
    _show(query_as_owner(_lake_at(at), sql, as_of=as_of, seconds=timeout or None, memory=most), json=json)


@app.command()
def universe(
    day: Annotated[date | None, day_option(help="Any day up to today; omitted: the newest stored one.")] = None,
    json: Json = False,
) -> None:
    """List the stocks that were listed on a day, those included that were delisted later; empty is unknown.

    Example: mystocks data universe --day 2024-06-28
    """
    from mystocks_dagster.lake.universe import universe as listed_on
    from mystocks_dagster.market.clock import now

    lake = _lake()
    stored = lake.days("daily_bars") if day is None else []
    _show(listed_on(lake, day if day else stored[-1] if stored else now().date()), json=json)


@app.command()
def codes(
    old: Annotated[str, typer.Argument(help="The code before, like 300114.SZ; omitted: list the known changes.")] = "",
    new: Annotated[str, typer.Argument(help="The code after; omitted with a day: the code did not change.")] = "",
    day: Annotated[date | None, day_option("--from", help="First trading day of the new code.")] = None,
    json: Json = False,
) -> None:
    """List the stocks whose code changed, or state a change: all readers then see one history.

    Example: mystocks data codes 300114.SZ 302132.SZ --from 2025-02-17
    """
    from mystocks_dagster.lake.identity import state_change
    from mystocks_dagster.market.symbols import normalise

    lake = _lake()
    if old:
        if day is None:
            raise UnknownName("Add the first trading day of the new code: --from 2025-02-17.")
        state_change(lake, normalise(old), normalise(new) if new else None, day)
    changes = lake.code_changes().rows.sort("from_day", "old_symbol")
    _show(changes, json=json)


def _world(lake: Any) -> str:
    try:
        return lake.stored_world() or "empty"
    except LakeError:
        return "damaged"


def _lake_at(text: str) -> Any:
    return _lake().at(moment("--at", text, "a time such as 2026-11-27T16:00")) if text else _lake()


def _lake() -> Any:
    from mystocks_dagster.lake.store import Lake

    return Lake(Settings.from_env().lake)


def _show(frame: Any, *, json: bool) -> None:
    if json:
        print_json(frame.to_dicts())
    else:
        print_table(frame.columns, frame.iter_rows(), data=True)
