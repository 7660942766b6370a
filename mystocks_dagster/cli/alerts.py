"""alerts: the channels, a test message, and the sent alerts."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from mystocks_dagster.cli.check import Json
from mystocks_dagster.cli.completion import MANY
from mystocks_dagster.cli.open_project import open_task_file
from mystocks_dagster.cli.printing import console, escape, print_json, translate
from mystocks_dagster.cli.tables import print_table
from mystocks_dagster.settings import Settings
from mystocks_dagster.tags import State

_NONE = (
    "No alerts: tasks.yaml has no addresses. Add them, such as\n\nalerts:\n  urls:\n    - wecombot://${WECOM_BOT_KEY}\n"
)
_COLOURS = {"sent": "green", "waiting": "yellow", "sending": "yellow", "doubtful": "magenta", "given_up": "red"}


def register(app: typer.Typer) -> None:
    """Add the commands."""
    alerts = typer.Typer(help="Alerts: their channels, a test message, what was sent. Example: mystocks alerts list")
    alerts.callback(invoke_without_command=True)(default)
    alerts.command("list")(list_channels)
    alerts.command("test")(send_test)
    alerts.command("history")(history)
    app.add_typer(alerts, name="alerts")


def default(context: typer.Context, json: Json = False) -> None:
    """Alerts: their channels, a test message, and what was sent."""
    if context.invoked_subcommand is None:
        list_channels(json=json)


def list_channels(json: Json = False) -> None:
    """List the channels with their state, without secrets, and which events are sent to them.

    Example: mystocks alerts list
    """
    settings = Settings.from_env()
    engine = _engine(settings)
    ledger, alerts = _ledger(settings), engine.version.taskfile.alerts
    rows = [_state(channel, ledger) for channel in engine.channels]
    if json:
        configured = alerts.model_dump(mode="json", include={"on", "expect", "rate_limit", "group_seconds", "link"})
        since = {name: incident.since.isoformat() for name, incident in ledger.incidents.items()}
        print_json({"channels": rows, **configured, "open": since})
        return
    if not rows:
        console.print(translate(_NONE), markup=False)
        return
    print_table(
        ("channel", "state", "waiting", "last error"),
        [(row["channel"], row["state"], row["waiting"], row["error"]) for row in rows],
        said=("channel", "state", "last error"),
    )
    console.print(f"\nSent: {', '.join(alerts.on)}; at most {alerts.rate_limit} messages per hour and channel.")
    for expectation in alerts.expect:
        console.print(f"Expected on trading days by {expectation.by}: {escape(expectation.name)}")
    for name, incident in ledger.incidents.items():
        console.print(f"[red]failing[/] since {incident.since:%Y-%m-%d %H:%M}: {escape(name)}")


def send_test(json: Json = False) -> None:
    """Send a test message to every channel now; exit code 1 if one fails.

    Example: mystocks alerts test
    """
    from mystocks_dagster.alerts.channels import send_all
    from mystocks_dagster.alerts.delivery import PATIENCE
    from mystocks_dagster.alerts.texts import test_message
    from mystocks_dagster.market.clock import now

    channels = _engine(Settings.from_env()).channels
    message = test_message(now())
    errors = send_all([(channel, message.title, message.body) for channel in channels], PATIENCE)
    if json:
        rows = [
            {"channel": channel.label, "delivered": errors[channel.id] is None, "error": errors[channel.id]}
            for channel in channels
        ]
        print_json(rows)
    for channel in channels if not json else ():
        error = errors[channel.id]
        colour, state = ("green", "ok") if error is None else ("red", State.FAILED)
        console.print(f"[{colour}]{translate(state)}[/] ", end="")
        console.print(channel.label + (f": {error}" if error else ""), markup=False)
    if not channels and not json:
        console.print(translate(_NONE), markup=False)
    raise typer.Exit(1 if any(errors.values()) or not channels else 0)


def history(
    limit: Annotated[int, typer.Option(min=1, max=MANY, help="Maximum number, newest first.")] = 20,
    json: Json = False,
) -> None:
    """Show sent alerts and their delivery status per channel.

    Example: mystocks alerts history --limit 5
    """
    settings = Settings.from_env()
    labels = {channel.id: channel.label for channel in _engine(settings).channels}
    messages = list(reversed(_ledger(settings).messages))[:limit]
    if json:
        print_json([_message_json(message, labels) for message in messages])
        return
    if not messages:
        console.print("No alert has been sent yet. Try the channels with: mystocks alerts test")
        return
    for message in messages:
        states = ", ".join(
            f"{escape(labels.get(id_, 'a former channel'))} [{_COLOURS[state]}]{state}[/]"
            for id_, state in message.to.items()
        )
        console.print(f"[bold]{message.time:%Y-%m-%d %H:%M:%S}[/] {message.kind}  {escape(message.title)}\n  {states}")


def _message_json(message: Any, labels: Mapping[str, str]) -> dict[str, Any]:
    states = {labels.get(id_, id_): state for id_, state in message.to.items()}
    return {**message.model_dump(mode="json", exclude={"to"}), "to": states}


def _engine(settings: Settings) -> Any:
    from mystocks_dagster.alerts.engine import AlertEngine

    return AlertEngine.of(open_task_file(settings, functions=False))


def _ledger(settings: Settings) -> Any:
    """Return the ledger; empty if the instance does not exist yet."""
    from mystocks_dagster.alerts import ledger_store

    if not settings.dagster_home.exists():
        return ledger_store.Ledger()
    from mystocks_dagster.instance import open_instance

    with open_instance(settings) as instance:
        return ledger_store.read(instance)


def _state(channel: Any, ledger: Any) -> dict[str, Any]:
    from mystocks_dagster.alerts.ledger import ChannelState

    delivery = ledger.channels.get(channel.id, ChannelState())
    error = channel.fault or (delivery.error if delivery.failures else "")
    if error:
        state = "failing"
    elif delivery.doubt:
        state = "in doubt"
    else:
        state = "ok" if delivery.sent else "not used yet"
    return {
        "channel": channel.label,
        "state": state,
        "waiting": len(ledger.waiting(channel.id)),
        "error": error,
        "doubt": delivery.doubt,
    }
