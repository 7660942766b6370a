"""The project's own state in Dagster's catalog: the task file that is loaded, and the end of the trading calendar."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import dagster as dg

from mystocks_dagster.alerts.rules.task_file import FileState, FileWatch
from mystocks_dagster.factory.calendar_watch import CalendarWatch
from mystocks_dagster.factory.loaded_file import LoadedFile
from mystocks_dagster.factory.partitions import LakeWatch
from mystocks_dagster.market.clock import now
from mystocks_dagster.scheduling import downtime
from mystocks_dagster.scheduling.switches import person_states, turned_on
from mystocks_dagster.tags import Metadata, OwnName, check_op_name, sensor_name
from mystocks_dagster.trading_calendar.in_force import InForce, in_force
from mystocks_dagster.trading_calendar.outlook import outlook

GROUP = "system"
LOADS, COVERS = "loads", "covers_next_30_days"
_TASK_FILE, _CALENDAR = dg.AssetKey(OwnName.TASK_FILE), dg.AssetKey(OwnName.TRADING_CALENDAR)
_QUESTION = "Are the trading days of the next 30 days known?"
#: Problems that a check lists; `mystocks check` has all.
_SHOWN = 50


@dataclass(frozen=True, kw_only=True)
class CheckOutcome:
    """What a check of ours says: also of what is loaded, beside it."""

    asset: dg.AssetKey
    check: str
    passed: bool
    description: str
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR

    def result(self) -> dg.AssetCheckResult:
        """Return it as the result of the check's own step."""
        return dg.AssetCheckResult(
            asset_key=self.asset,
            check_name=self.check,
            passed=self.passed,
            severity=self.severity,
            description=self.description,
        )

    def evaluation(self) -> dg.AssetCheckEvaluation:
        """Return it as an event."""
        return dg.AssetCheckEvaluation(
            asset_key=self.asset,
            check_name=self.check,
            passed=self.passed,
            severity=self.severity,
            description=self.description,
        )


def build_check(
    asset: dg.AssetKey, check: str, description: str, judge: Callable[[dg.DagsterInstance], CheckOutcome]
) -> dg.AssetChecksDefinition:
    """Return a check that a sensor of ours keeps current, and that a person may run in the UI."""

    @dg.multi_asset_check(
        name=check_op_name("__".join(asset.path)),
        specs=[dg.AssetCheckSpec(check, asset=asset, description=description)],
    )
    def system_check(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        yield judge(context.instance).result()

    return system_check


def keep_current(instance: dg.DagsterInstance, verdict: CheckOutcome) -> bool:
    """Write a verdict when it is not what the check shows already; return whether it was written."""
    key = dg.AssetCheckKey(verdict.asset, verdict.check)
    record = instance.event_log_storage.get_latest_asset_check_execution_by_key([key]).get(key)
    shown: Any = record.evaluation if record else None
    new = verdict.evaluation()
    if shown and (shown.passed, shown.severity, shown.description) == (new.passed, new.severity, new.description):
        return False
    instance.report_runless_asset_event(new)
    return True


def judge_file(state: FileState, asset: dg.AssetKey = _TASK_FILE) -> CheckOutcome:
    """Say whether the task file is right, and is what is loaded."""
    shown = "\n".join(
        [*state.problems[:_SHOWN], *([f"… {len(state.problems)} in all"] if len(state.problems) > _SHOWN else [])]
    )
    if state.unusable:
        told = (
            f"{state.file} cannot be loaded; version {state.loaded} is used until the file is right (see: "
            f"mystocks check).\n{shown}"
        )
    elif state.problems:
        broken = f"Not loaded: {', '.join(state.broken)}.\n" if state.broken else ""
        told = f"{len(state.problems)} problem(s) in version {state.present}; all else runs.\n{broken}{shown}"
    elif state.differs:
        told = (
            f"Version {state.loaded} is loaded, the file is {state.present}: used within a minute, at "
            "once after `mystocks reload`."
        )
    else:
        told = f"Version {state.loaded} is loaded, without problems."
    severity = dg.AssetCheckSeverity.ERROR if state.problems else dg.AssetCheckSeverity.WARN
    passed = not state.problems and not state.differs
    return CheckOutcome(asset=asset, check=LOADS, passed=passed, description=told, severity=severity)


def judge_calendar(known: InForce, moment: datetime) -> CheckOutcome:
    """Say whether the trading calendar reaches far enough, and what it stands on.

    Beyond its end weekdays are trading days.
    """
    found = outlook(known, moment)
    # Without the number of days, which would make another verdict of each day.
    told = re.sub(r" \(-?\d+ days from today\)", "", found.detail)
    severity = dg.AssetCheckSeverity.ERROR if found.level == "error" else dg.AssetCheckSeverity.WARN
    told = f"{told[0].upper()}{told[1:]}." + (f" Remedy: {found.remedy}" if found.remedy else "")
    return CheckOutcome(asset=_CALENDAR, check=COVERS, passed=found.level == "ok", description=told, severity=severity)


def file_asset(file: LoadedFile) -> dg.AssetSpec:
    """Return the asset of the group `system` that says which version of a task file is loaded."""
    version = file.version
    loaded = {
        Metadata.VERSION: version.hash,
        Metadata.TASKS: len(version.taskfile.tasks),
        Metadata.GROUPS: len(version.taskfile.task_groups),
        Metadata.BROKEN: len(version.broken),
    }
    about = f"任务文件：the version of {version.source} that is loaded."
    return dg.AssetSpec(file_key(file), group_name=GROUP, description=about, metadata=loaded, kinds={"yaml"})


def file_key(file: LoadedFile) -> dg.AssetKey:
    """Return the key of that asset."""
    return file.own_key(OwnName.TASK_FILE)


def calendar_asset() -> dg.AssetSpec:
    """Return the asset of the group `system` that says how far the trading calendar reaches."""
    calendar = "交易日历：the trading days of Shanghai, Shenzhen and Beijing, as the exchanges announced them."
    return dg.AssetSpec(_CALENDAR, group_name=GROUP, description=calendar, metadata=_calendar_metadata(in_force()))


def _calendar_metadata(known: InForce) -> dict[str, Any]:
    """Return what the calendar stands on, as Dagster shows it."""
    return {
        Metadata.FIRST: f"{known.calendar.first}",
        Metadata.LAST: f"{known.calendar.last}",
        Metadata.STANDS_ON: dg.MetadataValue.json([part.to_json() for part in known.parts]),
    }


def file_check(file: LoadedFile) -> dg.AssetChecksDefinition:
    """Return the check of a task file's asset."""
    question = "Is tasks.yaml right, and is it what is loaded?"
    key = file_key(file)
    return build_check(key, LOADS, question, lambda _: judge_file(FileWatch(file.version).state(), key))


def calendar_check() -> dg.AssetChecksDefinition:
    """Return the check of the trading calendar's asset."""
    return build_check(_CALENDAR, COVERS, _QUESTION, lambda _: judge_calendar(in_force(), now()))


def build_system_sensor(files: Sequence[LoadedFile], reload: Callable[[], None] | None = None) -> dg.SensorDefinition:
    """Return the sensor that keeps assets and checks current; it writes only what has changed.

    Args:
        files: The task files that are loaded.
        reload: Makes the servers build the definitions again, when the trading calendar is no longer the one they were
            built with, or the lake reaches further back.
    """
    lakes = [LakeWatch(file.settings(), file.first_days) for file in files]
    watches = {file_key(file): FileWatch(file.version) for file in files}
    calendar = CalendarWatch(in_force().calendar, reload)
    loaded = [(file.version.hash, _loaded(file)) for file in files]
    shown: dict[dg.AssetKey, CheckOutcome] = {}
    entries = (entry for file in files for entry in file.version.taskfile.by_id().values())
    timed = {entry.dagster_name: entry for entry in entries if entry.schedule}
    active = {job: entry.active for job, entry in timed.items()}
    forms = {job: downtime.form(entry.schedule) for job, entry in timed.items() if entry.schedule}

    def look(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        instance = context.instance
        downtime.look(instance, now(), turned_on(person_states(instance), active), forms)
        if not shown:
            for version, event in loaded:
                if _loaded_version(instance, event.asset_key) != version:
                    instance.report_runless_asset_event(event)
        known = in_force()
        calendar.look(known.calendar, reaches_back=any(lake.reaches_back() for lake in lakes))
        of_files = (judge_file(watch.state(), key) for key, watch in watches.items())
        for verdict in (*of_files, judge_calendar(known, now())):
            # What was written is not asked for again: a look at an unchanged project reads nothing of Dagster's
            # storage.
            if shown.get(verdict.asset) != verdict:
                if keep_current(instance, verdict) and verdict.asset == _CALENDAR:
                    instance.report_runless_asset_event(
                        dg.AssetMaterialization(_CALENDAR, metadata=_calendar_metadata(known))
                    )
                shown[verdict.asset] = verdict
        checks = "; ".join(f"{verdict.check}: {verdict.passed}" for verdict in shown.values())
        return dg.SkipReason(f"version {', '.join(version for version, _ in loaded)}; {checks}")

    return dg.SensorDefinition(
        name=sensor_name("system"),
        evaluation_fn=look,
        minimum_interval_seconds=1,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Keeps the assets task_file and trading_calendar and their checks current; notes that the "
        "daemon looks",
    )


def _loaded(file: LoadedFile) -> dg.AssetMaterialization:
    version = file.version
    return dg.AssetMaterialization(
        file_key(file),
        metadata={
            Metadata.VERSION: version.hash,
            Metadata.LOADED_AT: dg.MetadataValue.timestamp(now()),
            Metadata.FILE: dg.MetadataValue.path(str(version.source)),
            Metadata.TASKS: len(version.taskfile.tasks),
            Metadata.GROUPS: len(version.taskfile.task_groups),
            Metadata.BROKEN: dg.MetadataValue.json(list(version.broken)),
            Metadata.PROBLEMS: len(version.problems),
        },
    )


def _loaded_version(instance: dg.DagsterInstance, asset: dg.AssetKey) -> str | None:
    event = instance.get_latest_materialization_event(asset)
    found = (
        event.asset_materialization.metadata.get(Metadata.VERSION) if event and event.asset_materialization else None
    )
    return str(found.value) if found else None
