"""The project's own assets and checks in Dagster: the loaded task file and the trading calendar."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import dagster as dg

from mystocks_dagster.alerts.rules.task_file import FileState, FileWatch
from mystocks_dagster.factory.calendar_watch import CalendarWatch
from mystocks_dagster.factory.loaded_file import LoadedFile
from mystocks_dagster.factory.partitions import LakeWatch
from mystocks_dagster.factory.project_sensor import project_sensor
from mystocks_dagster.market.clock import now
from mystocks_dagster.scheduling import downtime
from mystocks_dagster.scheduling.switches import person_states, turned_on
from mystocks_dagster.tags import Metadata, OwnName, check_op_name
from mystocks_dagster.trading_calendar.in_force import InForce, in_force
from mystocks_dagster.trading_calendar.outlook import outlook

GROUP = "system"
LOADS, COVERS = "loads", "covers_next_30_days"
_TASK_FILE, _CALENDAR = dg.AssetKey(OwnName.TASK_FILE), dg.AssetKey(OwnName.TRADING_CALENDAR)
_QUESTION = "Are the trading days of the next 30 days known?"
#: Problems that a check lists; `mystocks check` lists all.
_MAX_LISTED = 50


@dataclass(frozen=True, kw_only=True)
class CheckOutcome:
    """Outcome of an asset check of the project."""

    asset: dg.AssetKey
    check: str
    passed: bool
    description: str
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR
    blocking: bool = False
    metadata: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def result(self) -> dg.AssetCheckResult:
        """Return it as the result of the check's step."""
        return dg.AssetCheckResult(
            asset_key=self.asset,
            check_name=self.check,
            passed=self.passed,
            severity=self.severity,
            description=self.description,
            metadata=self.metadata,
        )

    def evaluation(self) -> dg.AssetCheckEvaluation:
        """Return it as an event."""
        return dg.AssetCheckEvaluation(
            asset_key=self.asset,
            check_name=self.check,
            passed=self.passed,
            severity=self.severity,
            description=self.description,
            metadata=self.metadata,
            blocking=self.blocking,
        )


def build_check(
    asset: dg.AssetKey, check: str, description: str, evaluate: Callable[[dg.DagsterInstance], CheckOutcome]
) -> dg.AssetChecksDefinition:
    """Return a check that a sensor keeps current and a person can run in the UI."""

    @dg.multi_asset_check(
        name=check_op_name("__".join(asset.path)),
        specs=[dg.AssetCheckSpec(check, asset=asset, description=description)],
    )
    def system_check(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        yield evaluate(context.instance).result()

    return system_check


def record_outcome(instance: dg.DagsterInstance, outcome: CheckOutcome) -> bool:
    """Store an outcome if it differs from the stored one; return whether it was stored."""
    key = dg.AssetCheckKey(outcome.asset, outcome.check)
    record = instance.event_log_storage.get_latest_asset_check_execution_by_key([key]).get(key)
    stored: Any = record.evaluation if record else None
    new = outcome.evaluation()
    # Of a check that a run has not reached, there is only the plan.
    evaluated = isinstance(stored, dg.AssetCheckEvaluation)
    same = ("passed", "severity", "description")
    if evaluated and all(getattr(stored, name) == getattr(new, name) for name in same):
        return False
    instance.report_runless_asset_event(new)
    return True


def file_outcome(state: FileState, asset: dg.AssetKey = _TASK_FILE) -> CheckOutcome:
    """Return the outcome of the task file's check: no problems, and the loaded version is current."""
    more = [f"… {len(state.problems)} in all"] if len(state.problems) > _MAX_LISTED else []
    listed = "\n".join([*state.problems[:_MAX_LISTED], *more])
    if state.unusable:
        description = (
            f"{state.file} cannot be loaded; version {state.loaded} is used until the file is corrected (see: "
            f"mystocks check).\n{listed}"
        )
    elif state.problems:
        broken = f"Not loaded: {', '.join(state.broken)}.\n" if state.broken else ""
        description = f"{len(state.problems)} problem(s) in version {state.present}; the rest runs.\n{broken}{listed}"
    elif state.differs:
        description = (
            f"Version {state.loaded} is loaded; the file is version {state.present}, which is loaded within a "
            "minute, or now by `mystocks reload`."
        )
    else:
        description = f"Version {state.loaded} is loaded, without problems."
    severity = dg.AssetCheckSeverity.ERROR if state.problems else dg.AssetCheckSeverity.WARN
    passed = not state.problems and not state.differs
    return CheckOutcome(asset=asset, check=LOADS, passed=passed, description=description, severity=severity)


def calendar_outcome(known: InForce, moment: datetime) -> CheckOutcome:
    """Return the outcome of the calendar's check: the calendar covers the next 30 days.

    After its end the days to come are guessed.
    """
    coverage = outlook(known, moment)
    # Without the number of days, so that the outcome does not change every day.
    detail = re.sub(r" \(\d+ days? (from today|ago)\)", "", coverage.detail)
    detail = f"{detail[0].upper()}{detail[1:]}." + (f" Remedy: {coverage.remedy}" if coverage.remedy else "")
    return CheckOutcome(
        asset=_CALENDAR,
        check=COVERS,
        passed=coverage.level == "ok",
        description=detail,
        severity=dg.AssetCheckSeverity.ERROR if coverage.level == "error" else dg.AssetCheckSeverity.WARN,
    )


def file_asset(file: LoadedFile) -> dg.AssetSpec:
    """Return the asset that shows the loaded version of a task file."""
    version = file.version
    loaded = {
        Metadata.VERSION: version.hash,
        Metadata.TASKS: len(version.taskfile.tasks),
        Metadata.GROUPS: len(version.taskfile.task_groups),
        Metadata.BROKEN: len(version.broken),
    }
    about = f"任务文件：the loaded version of {version.source}."
    return dg.AssetSpec(file_key(file), group_name=GROUP, description=about, metadata=loaded, kinds={"yaml"})


def file_key(file: LoadedFile) -> dg.AssetKey:
    """Return the key of a task file's asset."""
    return file.own_key(OwnName.TASK_FILE)


def calendar_asset() -> dg.AssetSpec:
    """Return the asset that shows the range of the trading calendar."""
    calendar = "交易日历：the trading days of Shanghai, Shenzhen and Beijing, as the exchanges published them."
    return dg.AssetSpec(_CALENDAR, group_name=GROUP, description=calendar, metadata=_calendar_metadata(in_force()))


def _calendar_metadata(known: InForce) -> dict[str, Any]:
    """Return the range and the parts of the calendar as metadata."""
    return {
        Metadata.FIRST: f"{known.calendar.first}",
        Metadata.LAST: f"{known.calendar.last}",
        Metadata.STANDS_ON: dg.MetadataValue.json([part.to_json() for part in known.parts]),
    }


def file_check(file: LoadedFile) -> dg.AssetChecksDefinition:
    """Return the check of a task file's asset."""
    question = "Is the task file valid, and is its current version loaded?"
    key = file_key(file)
    return build_check(key, LOADS, question, lambda _: file_outcome(FileWatch(file.version).state(), key))


def calendar_check() -> dg.AssetChecksDefinition:
    """Return the check of the trading calendar's asset."""
    return build_check(_CALENDAR, COVERS, _QUESTION, lambda _: calendar_outcome(in_force(), now()))


def build_system_sensor(
    files: Sequence[LoadedFile],
    reload: Callable[[], None] | None = None,
    due_checks: Sequence[Callable[[datetime], Iterable[CheckOutcome]]] = (),
) -> dg.SensorDefinition:
    """Return the sensor that keeps the project's assets and checks current; it stores only changes.

    Args:
        files: The loaded task files.
        reload: Reloads the definitions in the servers after a change of the trading calendar or of the lake's first
            days.
        due_checks: Functions that return the outcomes of checks which have become due at a moment.
    """
    lakes = [LakeWatch(file.settings(), file.first_days) for file in files]
    watches = {file_key(file): FileWatch(file.version) for file in files}
    calendar = CalendarWatch(in_force().calendar, reload)
    loaded = [(file.version.hash, _loaded(file)) for file in files]
    recorded: dict[dg.AssetKey, CheckOutcome] = {}
    entries = (entry for file in files for entry in file.version.taskfile.by_id().values())
    timed = {entry.dagster_name: entry for entry in entries if entry.schedule}
    active = {job: entry.active for job, entry in timed.items()}
    forms = {job: downtime.form(entry.schedule) for job, entry in timed.items() if entry.schedule}

    def evaluate(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        instance = context.instance
        downtime.record(instance, now(), turned_on(person_states(instance), active), forms)
        if not recorded:
            for version, event in loaded:
                if _loaded_version(instance, event.asset_key) != version:
                    instance.report_runless_asset_event(event)
        known = in_force()
        calendar.check(known.calendar, reaches_back=any(lake.reaches_back() for lake in lakes))
        of_files = (file_outcome(watch.state(), key) for key, watch in watches.items())
        for outcome in (*of_files, calendar_outcome(known, now())):
            # The dict spares reads of Dagster's storage while nothing changes.
            if recorded.get(outcome.asset) != outcome:
                if record_outcome(instance, outcome) and outcome.asset == _CALENDAR:
                    instance.report_runless_asset_event(
                        dg.AssetMaterialization(_CALENDAR, metadata=_calendar_metadata(known))
                    )
                recorded[outcome.asset] = outcome
        for due in due_checks:
            for outcome in due(now()):
                record_outcome(instance, outcome)
        checks = "; ".join(f"{outcome.check}: {outcome.passed}" for outcome in recorded.values())
        return dg.SkipReason(f"version {', '.join(version for version, _ in loaded)}; {checks}")

    description = "Keeps task_file, trading_calendar and their checks current; records the daemon's activity"
    return project_sensor("system", evaluate, description)


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
    materialization = event.asset_materialization if event else None
    version = materialization.metadata.get(Metadata.VERSION) if materialization else None
    return str(version.value) if version else None
