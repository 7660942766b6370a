"""data actions: where prices and corporate actions contradict each other, and what was decided."""

from typing import Annotated, Any

import typer

from mystocks_dagster.cli.check import Json
from mystocks_dagster.cli.printing import console, print_json
from mystocks_dagster.cli.tables import print_table
from mystocks_dagster.days import read_day
from mystocks_dagster.settings import Settings

_SHOWN = ("symbol", "date", "kind", "last_close", "stated", "expected", "actions")
#: Differences that are listed without --json.
_LISTED = 50


def register(data: typer.Typer) -> None:
    """Add the command under `data`."""
    data.command()(actions)


def actions(
    confirm: Annotated[
        tuple[str, str] | None,
        typer.Option(help="Symbol and day (YYYY-MM-DD) whose stated previous close is right.", metavar="SYMBOL DAY"),
    ] = None,
    json: Json = False,
) -> None:
    """List where prices and corporate actions contradict each other, or confirm the price of one day.

    Example: mystocks data actions
    """
    from mystocks_dagster.lake import action_check
    from mystocks_dagster.lake.store import Lake
    from mystocks_dagster.market.symbols import normalise
    from mystocks_dagster.project import audit
    from mystocks_dagster.project.access import CLI

    settings = Settings.from_env()
    lake = Lake(settings.lake)
    confirmed = 0
    if confirm:
        symbol, day = normalise(confirm[0]), read_day(confirm[1])
        confirmed = action_check.confirm(lake, symbol, day)
        audit.note(settings, CLI, "confirm a price", symbol, day.isoformat())
    differing = action_check.open_differences(lake)
    known = action_check.known_action_days(lake)
    if json:
        span = {"first": known[0].isoformat(), "last": known[-1].isoformat()} if known else None
        print_json({"confirmed": confirmed, "known": span, "open": [_row(row) for row in differing.to_dicts()]})
        return
    if confirmed:
        console.print(f"Confirmed: {normalise(confirm[0])} on {confirm[1]}." if confirm else "")
    if differing.height:
        print_table(_SHOWN, differing.head(_LISTED).select(_SHOWN).iter_rows(), title="Open differences", data=True)
        if differing.height > _LISTED:
            console.print(f"{differing.height - _LISTED:,} more: mystocks data head action_differences -n 1000")
        console.print("If the stated price is right:  [bold]mystocks data actions --confirm SYMBOL DAY[/]")
    elif known:
        console.print(f"Prices and corporate actions agree, from {known[0]} to {known[-1]}.")
    else:
        console.print(
            "No corporate actions are known yet. Fetch them with the market's past:  [bold]mystocks bootstrap[/]  "
            "(or with a task of your own: task_function sync_corporate_actions)"
        )


def _row(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] if name != "date" else row[name].isoformat() for name in _SHOWN}
