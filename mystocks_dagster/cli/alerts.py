"""alerts: where messages go, a test of it, and what has been told."""

from typing import Annotated, Any

import typer

from mystocks_dagster.cli.check import Json
from mystocks_dagster.cli.completion import MANY
from mystocks_dagster.cli.open_project import open_task_file
from mystocks_dagster.cli.printing import console, escape, print_json, print_table
from mystocks_dagster.settings import Settings

_NONE = (
    "No alerts: tasks.yaml has no addresses. Add them, such as\n\nalerts:\n  urls:\n    - wecombot://${WECOM_BOT_KEY}\n"
)
_COLOURS = {"sent": "green", "waiting": "yellow", "sending": "yellow", "doubtful": "magenta", "given_up": "red"}


def register(app: typer.Typer) -> None:
    """Add the commands."""
    alerts = typer.Typer(
        help="Messages about failures: where they go, a test, what was told. Example: mystocks alerts list"
    )
    alerts.callback(invoke_without_command=True)(default)
    alerts.command("list")(list_channels)
    alerts.command("test")(trial)
    alerts.command("history")(history)
    app.add_typer(alerts, name="alerts")


def default(context: typer.Context, json: Json = False) -> None:
    """Messages about failures: where they go, a test of it, and what has been told."""
    if context.invoked_subcommand is None:
        list_channels(json=json)


def list_channels(json: Json = False) -> None:
    """List the channels, without their secrets, what they are told, and how they do.

    Example: mystocks alerts list
    """
    settings = Settings.from_env()
    office = _office(settings)
    ledger, alerts = _ledger(settings), office.version.taskfile.alerts
    rows = [_state(channel, ledger) for channel in office.channels]
    if json:
        wanted = alerts.model_dump(mode="json", include={"on", "expect", "rate_limit", "group_seconds", "link"})
        incidents = {name: incident.since.isoformat() for name, incident in ledger.incidents.items()}
        print_json({"channels": rows, **wanted, "open": incidents})
        return
    if not rows:
        console.print(_NONE, markup=False)
        return
    print_table(
        ("channel", "state", "waiting", "last error"),
        [(row["channel"], row["state"], row["waiting"], row["error"]) for row in rows],
    )
    console.print(f"\nTold: {', '.join(alerts.on)}; at most {alerts.rate_limit} messages an hour to each channel.")
    for expectation in alerts.expect:
        console.print(f"Expected on trading days by {expectation.by}: {escape(expectation.name)}")
    for name, found in ledger.incidents.items():
        console.print(f"[red]wrong[/] since {found.since:%Y-%m-%d %H:%M}: {escape(name)}")


def trial(json: Json = False) -> None:
    """Send a test message to every channel now, and end with 1 when one fails.

    Example: mystocks alerts test
    """
    from mystocks_dagster.alerts.channels import send_all
    from mystocks_dagster.alerts.delivery import PATIENCE
    from mystocks_dagster.alerts.texts import test_message
    from mystocks_dagster.market.clock import now

    office = _office(Settings.from_env())
    message = test_message(now())
    told = send_all([(channel, message.title, message.body) for channel in office.channels], PATIENCE)
    if json:
        rows = [
            {"channel": channel.label, "delivered": told[channel.id] is None, "error": told[channel.id]}
            for channel in office.channels
        ]
        print_json(rows)
    for channel in office.channels if not json else ():
        error = told[channel.id]
        console.print(f"{'[green]ok[/]' if error is None else '[red]failed[/]'} ", end="")
        console.print(channel.label + (f": {error}" if error else ""), markup=False)
    if not office.channels and not json:
        console.print(_NONE, markup=False)
    raise typer.Exit(1 if any(told.values()) or not office.channels else 0)


def history(
    limit: Annotated[int, typer.Option(min=1, max=MANY, help="At most this many, the newest first.")] = 20,
    json: Json = False,
) -> None:
    """Show what was told, and to which channels it has got.

    Example: mystocks alerts history --limit 5
    """
    settings = Settings.from_env()
    labels = {channel.id: channel.label for channel in _office(settings).channels}
    letters = list(reversed(_ledger(settings).messages))[:limit]
    if json:
        print_json(
            [
                {
                    **one.model_dump(mode="json", exclude={"to"}),
                    "to": {labels.get(id_, id_): state for id_, state in one.to.items()},
                }
                for one in letters
            ]
        )
        return
    if not letters:
        console.print("Nothing has been told yet. Try the channels with: mystocks alerts test")
        return
    for one in letters:
        states = ", ".join(
            f"{escape(labels.get(id_, 'a former channel'))} [{_COLOURS[state]}]{state}[/]"
            for id_, state in one.to.items()
        )
        console.print(f"[bold]{one.time:%Y-%m-%d %H:%M:%S}[/] {one.kind}  {escape(one.title)}\n  {states}")


def _office(settings: Settings) -> Any:
    from mystocks_dagster.alerts.engine import AlertEngine

    return AlertEngine.of(open_task_file(settings, functions=False))


def _ledger(settings: Settings) -> Any:
    """Return the ledger; an empty one before anything has run."""
    from mystocks_dagster.alerts import ledger_store

    if not settings.dagster_home.exists():
        return ledger_store.Ledger()
    from mystocks_dagster.instance import open_instance

    with open_instance(settings) as instance:
        return ledger_store.read(instance)


def _state(channel: Any, ledger: Any) -> dict[str, Any]:
    from mystocks_dagster.alerts.ledger import ChannelState

    line = ledger.channels.get(channel.id, ChannelState())
    error = channel.fault or (line.error if line.failures else "")
    state = "failing" if error else "in doubt" if line.doubt else "ok" if line.sent else "not used yet"
    return {
        "channel": channel.label,
        "state": state,
        "waiting": len(ledger.waiting(channel.id)),
        "error": error,
        "doubt": line.doubt,
    }
