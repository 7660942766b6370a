"""calendar: which trading days are known, from where, and how far they reach."""

from typing import Annotated, Any

import typer

from mystocks_dagster.cli.check import Json
from mystocks_dagster.cli.open_project import open_project
from mystocks_dagster.cli.printing import console, escape, print_json


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(calendar)


def calendar(
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Ask a source now; servers that run follow within seconds.")
    ] = False,
    source: Annotated[str | None, typer.Option(help="The source to ask; the project's own when left out.")] = None,
    json: Json = False,
) -> None:
    """Show which trading days are known and from where (exit code 1 when the calendar is wrong or could not be refreshed).

    Example: mystocks calendar
    """
    from mystocks_dagster.market.clock import now
    from mystocks_dagster.trading_calendar.in_force import in_force
    from mystocks_dagster.trading_calendar.outlook import outlook

    done = _refresh(source) if refresh or source else None
    known = in_force()
    found = outlook(known, now())
    if json:
        print_json(_json(known, found, done))
    else:
        _print(known, found, done)
    raise typer.Exit(1 if found.level == "error" or (done and (done.error or not done.asked)) else 0)


def _refresh(source: str | None) -> Any:
    return open_project().refresh_calendar(source)


def _print(known: Any, found: Any, done: Any) -> None:
    if done:
        console.print(f"[{'red' if done.error or not done.asked else 'green'}]{escape(done.message)}[/]")
    for part in known.parts:
        console.print(f"{part.until}  {escape(str(part))}")
    colour = {"ok": "green", "warning": "yellow", "error": "red"}[found.level]
    console.print(f"[{colour}]{found.level}[/]: {escape(found.detail)}")
    if found.remedy:
        console.print(f"[yellow]→ {escape(found.remedy)}[/]")


def _json(known: Any, found: Any, done: Any) -> dict[str, Any]:
    asked = known.record.asked_at
    return {
        "first": known.calendar.first.isoformat(),
        "last": known.calendar.last.isoformat(),
        "level": found.level,
        "detail": found.detail,
        "remedy": found.remedy,
        "parts": [part.to_json() for part in known.parts],
        "errors": list(known.errors),
        "notes": list(known.notes),
        "asked": {
            "source": known.record.asked,
            "at": asked.isoformat() if asked else None,
            "error": known.record.error,
        },
        "refreshed": done.to_json() if done else None,
    }
