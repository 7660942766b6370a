"""data tables | head | query | restore | migrate: what is in the lake, and its upkeep."""

import shlex
from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mystocks_dagster.cli.check import Json
from mystocks_dagster.cli.completion import MANY
from mystocks_dagster.cli.open_project import open_project
from mystocks_dagster.cli.printing import console, escape, print_json, print_table
from mystocks_dagster.errors import LakeError, MyStocksError, UnknownName
from mystocks_dagster.market.clock import SHANGHAI
from mystocks_dagster.settings import Settings

if TYPE_CHECKING:
    from mystocks_dagster.lake.restore import TableVersion

app = typer.Typer(
    no_args_is_help=True,
    help="Look into the lake: tables, first rows, SQL; go back to an earlier version, and change an older lake.",
)


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
                {
                    "table": one.table,
                    "rows": one.rows,
                    "bytes": one.bytes,
                    "updated": one.updated and one.updated.isoformat(),
                    "trouble": one.trouble,
                }
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
    rows = [
        (
            one.table,
            one.rows,
            one.bytes and f"{one.bytes / 1e6:.1f} MB",
            one.updated and f"{one.updated:%Y-%m-%d %H:%M:%S}",
        )
        for one in found
    ]
    print_table(("table", "rows", "size", "updated"), rows, title=f"{lake.location} ({_world(lake)})")
    for one in found:
        if one.trouble:
            console.print(f"[red]{escape(one.trouble)}[/]")


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
def query(
    sql: Annotated[str, typer.Argument(help="A SELECT of DuckDB; every table of the lake is a view.")],
    json: Json = False,
) -> None:
    """Ask the lake in SQL.

    Example: mystocks data query "SELECT symbol, count(*) AS days FROM daily_bars GROUP BY symbol"
    """
    _show(_lake().query(sql), json=json)


@app.command()
def restore(
    table: Annotated[str, typer.Argument(help="Name of a table.")],
    to: Annotated[
        str,
        typer.Option(
            help="Number of a version, a time such as 2026-11-27T16:00, or `nothing`: move the table away. Without it, list."
        ),
    ] = "",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, help="How many versions to list.")] = 20,
    json: Json = False,
) -> None:
    """List the versions of a table, or go back to one of them.

    Example: mystocks data restore daily_bars
    """
    from mystocks_dagster.lake import restore as past

    lake = _lake()
    if not to:
        _show_versions(table, past.versions(lake, table, limit), json=json)
        return
    done = past.move_away(lake, table) if to == "nothing" else past.restore(lake, table, _version_or_moment(to))
    again = [] if done.derived else _load_again(table, done.days)
    if json:
        days = [day.isoformat() for day in done.days]
        print_json(
            {
                "table": table,
                "version": done.version,
                "rows": done.rows,
                "aside": done.aside,
                "days": days,
                "again": again,
            }
        )
        return
    if done.version is None:
        console.print(f"{table} was moved to {escape(done.aside or '')}")
    else:
        console.print(
            f"{table} is as it was in version {done.version}{'' if done.derived else f': {done.rows:,} rows'}"
        )
        if done.aside:
            console.print(
                f"Its log was damaged, so it was written as a new table; the damaged one is in {escape(done.aside)}"
            )
    if done.derived:
        console.print(f"It was derived again from the stored daily_bars: {done.rows:,} rows")
    for command in again:
        console.print(f"Load what is missing now:  [bold]{escape(command)}[/]")


@app.command()
def migrate(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    json: Json = False,
) -> None:
    """Change a lake that an older version has written so that this version can use it; killed, it goes on where it was.

    Example: mystocks data migrate --dry-run
    """
    from mystocks_dagster.lake.migrate import Step, plan
    from mystocks_dagster.lake.migrate import migrate as change

    def told(step: Step) -> None:
        if not json:
            console.print(f"{step.table}, to format {step.number}: {escape(step.about)}")

    lake = _lake()
    steps = plan(lake) if dry_run else change(lake, told)
    if json:
        print_json({"dry_run": dry_run, "steps": [vars(step) for step in steps]})
        return
    if dry_run:
        for step in steps:
            told(step)
    done = f"{len(steps)} to do" if dry_run else f"{len(steps)} done"
    console.print(done if steps else "The lake is as this version of MyStocks writes it; there is nothing to do.")


def _world(lake: Any) -> str:
    try:
        return lake.stored_world() or "empty"
    except LakeError:
        return "damaged"


def _version_or_moment(text: str) -> int | datetime:
    if text.isascii() and text.isdigit() and len(text) < 8:
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UnknownName(
            f"--to is {text!r}; write the number of a version, a time such as 2026-11-27T16:00, or nothing."
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=SHANGHAI)


def _load_again(table: str, days: Sequence[date]) -> list[str]:
    """Return the commands that load a table again: of its task, for the days that are missing."""
    try:
        writers = [name for name, tables in open_project().version.writes.items() if table in tables]
    except MyStocksError:
        return []  # the task file is wrong, which `mystocks check` explains
    from mystocks_dagster.market.tables import TABLES

    span = [f'start_date="{days[0]}"', f'end_date="{days[-1]}"'] if days and TABLES[table].by_day else []
    options = [word for one in span for word in ("-p", one)]
    return [shlex.join(["mystocks", "run", name, *options]) for name in writers]


def _show_versions(table: str, found: Sequence["TableVersion"], *, json: bool) -> None:
    if json:
        print_json([vars(one) | {"written": one.written and one.written.isoformat()} for one in found])
        return
    rows = [
        (one.number, one.written and f"{one.written:%Y-%m-%d %H:%M:%S}", one.operation, one.rows, one.damage or "whole")
        for one in found
    ]
    print_table(("version", "written", "operation", "rows", "state"), rows, title=table)
    whole = [one.number for one in found if not one.damage]
    if whole:
        console.print(f"Go back to one:  [bold]mystocks data restore {table} --to {whole[0]}[/]")
    else:
        console.print(
            f"None can be restored. Move the table away, then load it again:  [bold]mystocks data restore {table} --to nothing[/]"
        )


def _lake() -> Any:
    from mystocks_dagster.lake.store import Lake

    return Lake(Settings.from_env().lake)


def _show(frame: Any, *, json: bool) -> None:
    if json:
        print_json(frame.to_dicts())
    else:
        print_table(frame.columns, frame.iter_rows())
