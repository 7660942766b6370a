"""The alerts in Dagster: the sensor that looks and sends, and the asset that shows how its channels do."""

from collections.abc import Sequence

import dagster as dg

from mystocks_dagster.alerts import delivery, ledger_store
from mystocks_dagster.alerts.engine import AlertEngine
from mystocks_dagster.alerts.rules.task_file import FileWatch, worst
from mystocks_dagster.factory.system import GROUP, CheckOutcome, build_check, keep_current
from mystocks_dagster.settings import Settings
from mystocks_dagster.tags import OwnName, sensor_name
from mystocks_dagster.taskfile.reader import Version

DELIVERED = "delivered"
_CHANNELS = dg.AssetKey(OwnName.ALERT_CHANNELS)


def channel_assets(engine: AlertEngine) -> list[dg.AssetSpec]:
    """Return the asset of the channels; none when the task file has no addresses."""
    labels = "\n".join(f"* `{channel.label}`" for channel in engine.channels)
    about = (
        f"告警渠道：where messages about failures are sent, as the task file says.\n\n"
        f"A test: `mystocks alerts test`.\n\n{labels}"
    )
    return [dg.AssetSpec(_CHANNELS, group_name=GROUP, description=about)] if engine.channels else []


def channel_checks(engine: AlertEngine) -> list[dg.AssetChecksDefinition]:
    """Return its check."""
    told = "Has every channel taken the last message?"
    check = build_check(
        _CHANNELS, DELIVERED, told, lambda instance: judge_channels(engine, ledger_store.read(instance))
    )
    return [check] if engine.channels else []


def judge_channels(engine: AlertEngine, ledger: ledger_store.Ledger) -> CheckOutcome:
    """Say which channels fail, and what may not have arrived; without secrets."""
    failing, doubts = delivery.channel_faults(ledger, engine.channels)
    severity = dg.AssetCheckSeverity.ERROR if failing else dg.AssetCheckSeverity.WARN
    told = "\n".join([*failing, *doubts]) or f"{len(engine.channels)} channel(s) take what is sent."
    return CheckOutcome(
        asset=_CHANNELS,
        check=DELIVERED,
        passed=not failing and not doubts,
        description=told,
        severity=severity,
    )


def alert_sensors(versions: Sequence[Version], engine: AlertEngine) -> list[dg.SensorDefinition]:
    """Return the sensor that tells what has happened; none when the task file has no addresses.

    Args:
        versions: All task files of the code location.
        engine: The alerts of the one that has addresses.
    """
    if not engine.channels:
        return []
    watches = [FileWatch(version) for version in versions]
    shown: list[CheckOutcome] = []

    def look(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        reason = engine.evaluate(context.instance, Settings.from_env(), worst(watch.state() for watch in watches))
        ledger = ledger_store.read(context.instance)
        verdict = judge_channels(engine, ledger)
        if shown != [verdict]:
            keep_current(context.instance, verdict)
            shown[:] = [verdict]
        waiting = sum("waiting" in letter.to.values() for letter in ledger.messages)
        return dg.SkipReason(reason or f"{waiting} message(s) waiting, {len(ledger.incidents)} thing(s) wrong")

    return [
        dg.SensorDefinition(
            name=sensor_name("alerts"),
            evaluation_fn=look,
            minimum_interval_seconds=1,
            default_status=dg.DefaultSensorStatus.RUNNING,
            description="Sends what the alerts of the task file ask for; switched off, nothing is sent",
        )
    ]
