"""calendar: the known trading days, their sources, and until when they are known."""

from typing import Annotated, Any

import typer

from mystocks_dagster.cli.check import Json
from mystocks_dagster.cli.open_project import open_project
from mystocks_dagster.cli.printing import console, escape, print_json, translate


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(calendar)


def calendar(
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Fetch the calendar now; running servers reload it within seconds.")
    ] = False,
    source: Annotated[
        str | None, typer.Option(help="Source to fetch the calendar from; the project's own if omitted.")
    ] = None,
    json: Json = False,
) -> None:
    """Show the known trading days and their sources.

    The exit code is 1 if the calendar has an error or could not be refreshed.

    Example: mystocks calendar
    """
    from mystocks_dagster.market.clock import now
    from mystocks_dagster.trading_calendar.in_force import in_force
    from mystocks_dagster.trading_calendar.outlook import outlook

    refreshed = open_project().refresh_calendar(source) if refresh or source else None
    known = in_force()
    state = outlook(known, now())
    if json:
        print_json(_json(known, state, refreshed))
    else:
        _print(known, state, refreshed)
    raise typer.Exit(1 if state.level == "error" or _is_failure(refreshed) else 0)


def _is_failure(refreshed: Any) -> bool:
    return bool(refreshed and (refreshed.error or not refreshed.asked))


def _print(known: Any, state: Any, refreshed: Any) -> None:
    if refreshed:
        console.print(f"[{'red' if _is_failure(refreshed) else 'green'}]{escape(translate(refreshed.message))}[/]")
    for part in known.parts:
        console.print(f"{part.until}  {escape(translate(str(part)))}")
    colour = {"ok": "green", "warning": "yellow", "error": "red"}[state.level]
    console.print(f"[{colour}]{translate(state.level)}[/]: {escape(translate(state.detail))}")
    if state.remedy:
        console.print(f"[yellow]→ {escape(translate(state.remedy))}[/]")


def _json(known: Any, state: Any, refreshed: Any) -> dict[str, Any]:
    asked = known.record.asked_at
    return {
        "first": known.calendar.first.isoformat(),
        "last": known.calendar.last.isoformat(),
        "level": state.level,
        "detail": state.detail,
        "remedy": state.remedy,
        "parts": [part.to_json() for part in known.parts],
        "errors": list(known.errors),
        "notes": list(known.notes),
        "asked": {
            "source": known.record.asked,
            "at": asked.isoformat() if asked else None,
            "error": known.record.error,
        },
        "refreshed": refreshed.to_json() if refreshed else None,
    }
