"""data restore: the versions of a table, and the way back to one of them."""

import shlex
from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mystocks_dagster.cli.check import Json
from mystocks_dagster.cli.days import moment, time_text
from mystocks_dagster.cli.open_project import open_project
from mystocks_dagster.cli.printing import console, escape, print_json
from mystocks_dagster.cli.tables import print_table
from mystocks_dagster.errors import MyStocksError
from mystocks_dagster.settings import Settings

if TYPE_CHECKING:
    from mystocks_dagster.lake.restore import TableVersion


def register(data: typer.Typer) -> None:
    """Add the command under `data`."""
    data.command()(restore)


def restore(
    table: Annotated[str, typer.Argument(help="Name of a table.")],
    to: Annotated[
        str,
        typer.Option(
            help="Version number, a time such as 2026-11-27T16:00, or `nothing` to move the table away. Omitted: list."
        ),
    ] = "",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, help="How many versions to list.")] = 20,
    json: Json = False,
) -> None:
    """List the versions of a table, or restore one of them.

    Example: mystocks data restore daily_bars
    """
    from mystocks_dagster.lake import restore as past
    from mystocks_dagster.lake.store import Lake
    from mystocks_dagster.project import audit
    from mystocks_dagster.project.access import CLI

    lake = Lake(Settings.from_env().lake)
    if not to:
        _print_versions(table, past.versions(lake, table, limit), json=json)
        return
    restored = past.move_away(lake, table) if to == "nothing" else past.restore(lake, table, _version_or_moment(to))
    commands = [] if restored.derived else _load_commands(table, restored.days)
    done = f"moved to {restored.aside}" if restored.version is None else f"version {restored.version}"
    audit.note(Settings.from_env(), CLI, "restore a table", table, done)
    if json:
        print_json(
            {
                "table": table,
                "version": restored.version,
                "rows": restored.rows,
                "aside": restored.aside,
                "days": [day.isoformat() for day in restored.days],
                "again": commands,
            }
        )
        return
    _print_restored(table, restored)
    for command in commands:
        console.print(f"Load the missing data now:  [bold]{escape(command)}[/]")


def _print_restored(table: str, restored: Any) -> None:
    aside = escape(restored.aside or "")
    if restored.version is None:
        console.print(f"{table} was moved to {aside}")
    else:
        rows = "" if restored.derived else f": {restored.rows:,} rows"
        console.print(f"{table} is restored to version {restored.version}{rows}")
        if restored.aside:
            console.print(f"Its log was damaged, so it was written as a new table. The damaged table is in {aside}")
    if restored.derived:
        console.print(f"It was derived again from the stored daily_bars: {restored.rows:,} rows")


def _version_or_moment(text: str) -> int | datetime:
    if text.isascii() and text.isdigit() and len(text) < 8:
        return int(text)
    return moment("--to", text, "a version number, a time such as 2026-11-27T16:00, or nothing")


def _load_commands(table: str, days: Sequence[date]) -> list[str]:
    """Return the commands that load the missing days of a table with its tasks."""
    try:
        writers = [name for name, tables in open_project().version.writes.items() if table in tables]
    except MyStocksError:
        return []  # `mystocks check` explains what is wrong with the task file
    from mystocks_dagster.market.tables import TABLES

    options: list[str] = []
    if days and TABLES[table].by_day:
        options = ["-p", f'start_date="{days[0]}"', "-p", f'end_date="{days[-1]}"']
    return [shlex.join(["mystocks", "run", name, *options]) for name in writers]


def _print_versions(table: str, versions: Sequence["TableVersion"], *, json: bool) -> None:
    if json:
        print_json(
            [vars(version) | {"written": version.written and version.written.isoformat()} for version in versions]
        )
        return
    rows = [
        (version.number, time_text(version.written), version.operation, version.rows, version.damage or "whole")
        for version in versions
    ]
    print_table(("version", "written", "operation", "rows", "state"), rows, title=table, said=("state",))
    command = f"mystocks data restore {table} --to"
    whole = [version.number for version in versions if not version.damage]
    if whole:
        console.print(f"Restore one:  [bold]{command} {whole[0]}[/]")
    else:
        console.print(f"None can be restored. Move the table away, then load it again:  [bold]{command} nothing[/]")
