"""data gaps: which trading days are missing, partial, quarantined or not published yet."""

from datetime import date
from typing import Annotated, Any

import typer
from rich.text import Text

from mystocks_dagster.cli.check import Json
from mystocks_dagster.cli.days import day_option
from mystocks_dagster.cli.open_project import open_project
from mystocks_dagster.cli.printing import console, escape, language, print_json
from mystocks_dagster.cli.tables import print_table

_COLOURS = {"missing": "red", "partial": "yellow", "quarantined": "yellow", "not_published": "cyan"}


def register(data: typer.Typer) -> None:
    """Add the command under `data`."""
    data.command()(gaps)


def gaps(
    table: Annotated[
        str | None, typer.Argument(help="Name of a table that is loaded by trading day, or computed; else all.")
    ] = None,
    start: Annotated[date | None, day_option("--from", help="First day; else each table's first loaded day.")] = None,
    end: Annotated[date | None, day_option("--to", help="Last day; else today.")] = None,
    json: Json = False,
) -> None:
    """Show which trading days are missing, partial, quarantined or not published yet, as stretches of days.

    Computed tables, such as indicators and signals, are listed if a table that they were computed from has changed.

    Example: mystocks data gaps daily_bars --from 2026-01-01
    """
    report = open_project().coverage.report([table] if table else (), start=start, end=end)
    if json:
        print_json(report.to_json())
        return
    _print_gaps(report)
    if report.frame.is_empty() and not report.never_loaded:
        console.print("No trading day is expected in that time.")
    for name, task in report.never_loaded.items():
        load = f"load it with: mystocks run {task}" if task else "no task of tasks.yaml loads it"
        console.print(f"{name}: nothing is loaded; {load}")
    for row in report.outdated.iter_rows(named=True):
        since = f" from {row['date']} on" if row["date"] else ""
        again = f"mystocks run {row['task']}" if row["task"] else "no task of tasks.yaml computes it"
        console.print(f"[yellow]{row['table']} is outdated:[/] {row['input']} has changed{since}; {again}")
    if any(gap.status != "not_published" for gap in report.gaps):
        console.print(f"Load them:  [bold]mystocks backfill --missing{f' {escape(table)}' if table else ''}[/]")


def _print_gaps(report: Any) -> None:
    rows = [
        (gap.table, Text(gap.status, _COLOURS[gap.status]), days_text(gap.first, gap.last), gap.days, gap.set_aside)
        for gap in report.gaps
    ]
    if rows:
        print_table(("table", "state", "trading days", "days", "rows set aside"), rows)
    complete = [
        f"{name} {counts['complete']:,}" for name, counts in report.to_json()["counts"].items() if "complete" in counts
    ]
    if complete:
        console.print(f"Complete days: {', '.join(complete)}")


def days_text(first: Any, last: Any) -> str:
    """Return a stretch of days as text."""
    joint = "至" if language() == "zh" else "to"
    return f"{first}" if first == last else f"{first} {joint} {last}"
