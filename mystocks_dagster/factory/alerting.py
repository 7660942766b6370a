"""Alerts in Dagster: the sensor that evaluates the rules and sends, and the asset of the channels with its check."""

from collections.abc import Sequence

import dagster as dg

from mystocks_dagster.alerts import delivery, ledger_store
from mystocks_dagster.alerts.engine import AlertEngine
from mystocks_dagster.alerts.rules.task_file import FileWatch, worst
from mystocks_dagster.factory.project_sensor import project_sensor
from mystocks_dagster.factory.system import GROUP, CheckOutcome, build_check, record_outcome
from mystocks_dagster.settings import Settings
from mystocks_dagster.tags import OwnName
from mystocks_dagster.taskfile.reader import Version

DELIVERED = "delivered"
_CHANNELS = dg.AssetKey(OwnName.ALERT_CHANNELS)


def channel_assets(engine: AlertEngine) -> list[dg.AssetSpec]:
    """Return the asset of the channels; none when the task file has no addresses."""
    labels = "\n".join(f"* `{channel.label}`" for channel in engine.channels)
    about = f"告警渠道：the channels of the task file's alerts.\n\nSend a test: `mystocks alerts test`.\n\n{labels}"
    return [dg.AssetSpec(_CHANNELS, group_name=GROUP, description=about)] if engine.channels else []


def channel_checks(engine: AlertEngine) -> list[dg.AssetChecksDefinition]:
    """Return the check of the channels; none when the task file has no addresses."""
    question = "Did every channel accept the last message?"
    check = build_check(
        _CHANNELS, DELIVERED, question, lambda instance: channel_outcome(engine, ledger_store.read(instance))
    )
    return [check] if engine.channels else []


def channel_outcome(engine: AlertEngine, ledger: ledger_store.Ledger) -> CheckOutcome:
    """Return the outcome of the check: failing channels and uncertain deliveries, without secrets."""
    failing, doubts = delivery.channel_faults(ledger, engine.channels)
    severity = dg.AssetCheckSeverity.ERROR if failing else dg.AssetCheckSeverity.WARN
    description = "\n".join([*failing, *doubts]) or f"{len(engine.channels)} channel(s) accept messages."
    return CheckOutcome(
        asset=_CHANNELS,
        check=DELIVERED,
        passed=not failing and not doubts,
        description=description,
        severity=severity,
    )


def alert_sensors(versions: Sequence[Version], engine: AlertEngine) -> list[dg.SensorDefinition]:
    """Return the sensor that sends alerts; none when the task file has no addresses.

    Args:
        versions: All task files of the code location.
        engine: The engine of the file that has addresses.
    """
    if not engine.channels:
        return []
    watches = [FileWatch(version) for version in versions]
    recorded: list[CheckOutcome] = []

    def evaluate(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        reason = engine.evaluate(context.instance, Settings.from_env(), worst(watch.state() for watch in watches))
        ledger = ledger_store.read(context.instance)
        outcome = channel_outcome(engine, ledger)
        if recorded != [outcome]:
            record_outcome(context.instance, outcome)
            recorded[:] = [outcome]
        waiting = sum("waiting" in message.to.values() for message in ledger.messages)
        return dg.SkipReason(reason or f"{waiting} message(s) waiting, {len(ledger.incidents)} open incident(s)")

    description = "Sends the alerts of the task file; switched off, nothing is sent"
    return [project_sensor("alerts", evaluate, description)]
