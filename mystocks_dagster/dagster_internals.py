"""Dagster's non-public names: the only imports of them, each with its purpose and the oldest release known to have it.

No other module imports from `dagster._...` or `dagster_webserver`. What to do with a new release: docs/decisions/0026.
Importing this module does not import Dagster; each name is imported at its first use.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module, metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dagster._cli.api import _execute_run_command_body as execute_run_command_body
    from dagster._cli.utils import get_instance_for_cli
    from dagster._core.definitions.data_version import (
        CODE_VERSION_TAG,
        DATA_VERSION_TAG,
        DEFAULT_DATA_VERSION,
        NULL_EVENT_POINTER,
        compute_logical_data_version,
        extract_data_version_from_entry,
        get_input_data_version_tag,
        get_input_event_pointer_tag,
    )
    from dagster._core.definitions.definitions_load_context import DefinitionsLoadContext, DefinitionsLoadType
    from dagster._core.definitions.reconstruct import ReconstructableRepository
    from dagster._core.definitions.run_request import InstigatorType
    from dagster._core.definitions.sensor_definition import SensorType
    from dagster._core.events import StepMaterializationData
    from dagster._core.execution.backfill import BULK_ACTION_TERMINAL_STATUSES
    from dagster._core.execution.plan.active import ActiveExecution
    from dagster._core.instance import RUNLESS_RUN_ID
    from dagster._core.instance.ref import InstanceRef
    from dagster._core.launcher.base import CheckRunHealthResult, LaunchRunContext, RunLauncher, WorkerStatus
    from dagster._core.op_concurrency_limits_counter import GlobalOpConcurrencyLimitsCounter
    from dagster._core.remote_origin import (
        CodeLocationOrigin,
        GrpcServerCodeLocationOrigin,
        ManagedGrpcPythonEnvCodeLocationOrigin,
        RemoteRepositoryOrigin,
    )
    from dagster._core.remote_representation.external import RemoteSchedule, RemoteSensor
    from dagster._core.remote_representation.external_data import ScheduleSnap, SensorSnap
    from dagster._core.remote_representation.handle import RepositoryHandle
    from dagster._core.scheduler.instigation import (
        InstigatorState,
        InstigatorStatus,
        ScheduleInstigatorData,
        SensorInstigatorData,
        TickData,
        TickStatus,
    )
    from dagster._core.storage.daemon_cursor import DaemonCursorStorage
    from dagster._core.storage.dagster_run import ACTIVE_RUN_STATUSES, FINISHED_STATUSES, NOT_FINISHED_STATUSES
    from dagster._core.storage.event_log.schema import (
        AssetCheckExecutionsTable,
        AssetEventTagsTable,
        AssetKeyTable,
        SqlEventLogStorageTable,
    )
    from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
    from dagster._core.storage.noop_compute_log_manager import NoOpComputeLogManager
    from dagster._core.storage.runs.schema import RunsTable, RunTagsTable, SnapshotsTable
    from dagster._core.storage.runs.sqlite.sqlite_run_storage import SqliteRunStorage
    from dagster._core.storage.schedules.schema import JobTickTable
    from dagster._core.storage.schedules.sqlite.sqlite_schedule_storage import SqliteScheduleStorage
    from dagster._core.workspace.context import WorkspaceProcessContext
    from dagster._core.workspace.load_target import WorkspaceFileTarget
    from dagster._daemon.auto_run_reexecution.auto_run_reexecution import retry_run, should_retry
    from dagster._daemon.auto_run_reexecution.event_log_consumer import DAGSTER_EVENT_TYPES as CONSUMED_EVENTS
    from dagster._daemon.auto_run_reexecution.event_log_consumer import EventLogConsumerDaemon
    from dagster._daemon.auto_run_reexecution.event_log_consumer import _create_cursor_key as create_cursor_key
    from dagster._daemon.daemon import MonitoringDaemon, SchedulerDaemon, SpanMarker
    from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon
    from dagster._grpc.types import ExecuteRunArgs
    from dagster._serdes import ConfigurableClass, ConfigurableClassData
    from dagster._time import get_current_timestamp
    from dagster._utils.interrupts import capture_interrupts
    from dagster._utils.schedules import schedule_execution_time_iterator
    from dagster._utils.tags import TagConcurrencyLimitsCounter
    from dagster_webserver.app import create_app_from_workspace_process_context

# Tags that Dagster writes on runs. Strings, so that readers need not import Dagster; a test compares them with its own.
ASSET_PARTITION_RANGE_END_TAG = "dagster/asset_partition_range_end"
ASSET_PARTITION_RANGE_START_TAG = "dagster/asset_partition_range_start"
AUTO_RETRY_RUN_ID_TAG = "dagster/auto_retry_run_id"
CODE_LOCATION_TAG = "dagster/code_location"
MAX_RETRIES_TAG = "dagster/max_retries"
PARENT_RUN_ID_TAG = "dagster/parent_run_id"
PARTITION_NAME_TAG = "dagster/partition"
RETRY_NUMBER_TAG = "dagster/retry_number"
RUN_KEY_TAG = "dagster/run_key"
SCHEDULED_EXECUTION_TIME_TAG = ".dagster/scheduled_execution_time"
SCHEDULE_NAME_TAG = "dagster/schedule_name"
SENSOR_NAME_TAG = "dagster/sensor_name"
WILL_RETRY_TAG = "dagster/will_retry"

# Entry points and modules by name, which are not imported here.
#: The command `dagster-daemon`, which the supervisor of processes starts under its own name.
DAEMON_ENTRY_POINT = "dagster._daemon.cli:main"
#: The command `dagster code-server start`, without the import of Dagster's other commands.
CODE_SERVER_ENTRY_POINT = "dagster._cli.code_server:start_command"
#: The command `dagster api grpc`: the process with the project's code.
CODE_PROCESS_ENTRY_POINT = "dagster._cli.api:grpc_command"
#: What the code server starts that process with: it takes the command line, `cwd` and `env`, and returns a Popen.
CODE_PROCESS_OPENER = "dagster._grpc.server:open_ipc_subprocess"
#: What at least two of these processes import; none of it starts a thread.
SERVER_MODULES = (
    "dagster._cli.code_server",
    "dagster._core.remote_representation.code_location",
    "dagster._grpc.proxy_server",
    "dagster._grpc.server",
)
#: Creates the daemons; only the process of `dagster-daemon` imports it.
DAEMON_CONTROLLER_MODULE = "dagster._daemon.controller"
#: Has the body of `dagster api execute_run`; preloaded in the fork server of runs.
RUN_COMMAND_MODULE = "dagster._cli.api"
#: Dagster's SQLite storages, each of which has `create_engine` among its names.
SQLITE_MODULES = (
    "dagster._core.storage.event_log.sqlite.sqlite_event_log",
    "dagster._core.storage.runs.sqlite.sqlite_run_storage",
    "dagster._core.storage.schedules.sqlite.sqlite_schedule_storage",
)
#: Runs one step in a process of its own; preloaded in the fork server.
STEP_PROCESS_MODULE = "dagster._core.executor.child_process_executor"

# The daemon's log.
#: The name of a daemon's logger is this one and the name of its class.
DAEMON_LOGGER = "dagster.daemon"
#: The classes of the daemons that evaluate sensors and schedules.
EVALUATING_DAEMONS = ("SensorDaemon", "SchedulerDaemon")
#: Lines that only say that a daemon has looked, by the module that writes them, as they stand in its source.
IDLE_LINES: Mapping[str, tuple[str, ...]] = {
    "dagster._daemon.sensor": (
        "Checking for new runs for sensor: {remote_sensor.name}",
        "Sensor {remote_sensor.name} skipped: {sensor_runtime_data.skip_message}",
        "No run requests returned for {remote_sensor.name}, skipping",
    ),
    "dagster._scheduler.scheduler": (
        "Evaluating schedule `{schedule_name}` at {tick_time}",
        "No run requests returned for {remote_schedule.name}, skipping",
    ),
    "dagster._daemon.run_coordinator.queued_run_coordinator_daemon": (
        "Priority sorting and checking tag concurrency limits for queued runs.",
    ),
    "dagster._daemon.monitoring.run_monitoring": (
        "Collected {len(run_records)} runs for monitoring",
        "Checking run {run_record.dagster_run.run_id}",
    ),
}
#: The line of a start for which a run was asked, and that of a start that was skipped, in the module of schedules.
LAUNCHED_LINE = "Completed scheduled launch of run {run.run_id} for {remote_schedule.name}"
SKIPPED_LINE = "Schedule {remote_schedule.name} skipped: {schedule_execution_data.skip_message}"


@dataclass(frozen=True)
class Internal:
    """A non-public name of Dagster.

    Attributes:
        module: Module of Dagster that has it.
        attribute: Its name in the module.
        reason: What MyStocks needs it for.
        since: Oldest release that is known to have it.
    """

    module: str
    attribute: str
    reason: str
    since: str


#: Names and reasons by module. A name that only a later release has goes to a table of that release.
_KNOWN_IN_1_13_27: Mapping[str, Mapping[str, str]] = {
    "dagster._cli.api": {
        "execute_run_command_body": "the body of `dagster api execute_run`: a run's process does the same, and reads a "
        "stop request first",
    },
    "dagster._cli.utils": {
        "get_instance_for_cli": "the instance in a run's process, with the variables of a .env file",
    },
    "dagster._core.definitions.data_version": {
        "CODE_VERSION_TAG": "the tag by which a changed code makes a table stale",
        "DATA_VERSION_TAG": "the tag by which changed rows make stale what is computed from them",
        "DEFAULT_DATA_VERSION": "the version of rows without that tag",
        "NULL_EVENT_POINTER": "what stands for the number of a materialization that does not exist",
        "compute_logical_data_version": "the version of rows from that of their code and their inputs",
        "extract_data_version_from_entry": "the version of the rows of a materialization",
        "get_input_data_version_tag": "the tag for the version of an input",
        "get_input_event_pointer_tag": "the tag for the number of an input's materialization",
    },
    "dagster._core.definitions.definitions_load_context": {
        "DefinitionsLoadContext": "what a load of the definitions keeps for the run that is made from it",
        "DefinitionsLoadType": "whether definitions are loaded for the first time or for a run",
    },
    "dagster._core.definitions.reconstruct": {
        "ReconstructableRepository": "the origin of a job, without which a run's process cannot load it",
    },
    "dagster._core.definitions.run_request": {
        "InstigatorType": "the kind of an instigator: schedule or sensor",
    },
    "dagster._core.definitions.sensor_definition": {
        "SensorType": "a part of a sensor's stored state",
    },
    "dagster._core.execution.backfill": {
        "BULK_ACTION_TERMINAL_STATUSES": "the states of backfills that have ended, whose runs may be removed",
    },
    "dagster._core.execution.plan.active": {
        "ActiveExecution": "the steps of a run, whose wait for a retry no stop ends, or uses a core (decision 21)",
    },
    "dagster._core.instance": {
        "RUNLESS_RUN_ID": "the run id of events that outlive their run",
    },
    "dagster._core.instance.ref": {
        "InstanceRef": "an argument of the code server's command",
    },
    "dagster._core.launcher.base": {
        "CheckRunHealthResult": "the result of a run launcher's health check",
        "LaunchRunContext": "the argument of a run launcher",
        "RunLauncher": "the base class of run launchers (decision 3)",
        "WorkerStatus": "a field of CheckRunHealthResult",
    },
    "dagster._core.events": {
        "StepMaterializationData": "the content of a materialization that is stored with others (decision 38)",
    },
    "dagster._core.op_concurrency_limits_counter": {
        "GlobalOpConcurrencyLimitsCounter": "the counter of free slots in pools, for the queue (decision 7)",
    },
    "dagster._core.remote_origin": {
        "CodeLocationOrigin": "an entry of workspace.yaml",
        "GrpcServerCodeLocationOrigin": "an entry of workspace.yaml whose code server another process runs",
        "ManagedGrpcPythonEnvCodeLocationOrigin": "an entry of workspace.yaml whose code server we run (decision 20)",
        "RemoteRepositoryOrigin": "the identity under which the storage keeps switches and ticks",
    },
    "dagster._core.remote_representation.external": {
        "RemoteSchedule": "the form in which the storage turns a schedule on and off, without a code server",
        "RemoteSensor": "the form in which the storage turns a sensor on and off, without a code server",
    },
    "dagster._core.remote_representation.external_data": {
        "ScheduleSnap": "an argument of RemoteSchedule",
        "SensorSnap": "an argument of RemoteSensor",
    },
    "dagster._core.remote_representation.handle": {
        "RepositoryHandle": "an argument of RemoteSchedule and RemoteSensor",
    },
    "dagster._core.scheduler.instigation": {
        "InstigatorState": "the stored state of a schedule or sensor",
        "InstigatorStatus": "the states of a switch",
        "ScheduleInstigatorData": "a part of a schedule's stored state",
        "SensorInstigatorData": "a part of a sensor's stored state",
        "TickData": "a tick to be written",
        "TickStatus": "the states of a tick",
    },
    "dagster._core.storage.daemon_cursor": {
        "DaemonCursorStorage": "the storage that keeps the alert ledger (decision 10)",
    },
    "dagster._core.storage.dagster_run": {
        "ACTIVE_RUN_STATUSES": "the states of runs that take a slot",
        "FINISHED_STATUSES": "the states of runs that have ended",
        "NOT_FINISHED_STATUSES": "the states of all other runs",
    },
    "dagster._core.storage.event_log.schema": {
        "AssetCheckExecutionsTable": "a table of the clean-up (decision 9)",
        "AssetEventTagsTable": "a table of the clean-up",
        "AssetKeyTable": "a table of the clean-up",
        "SqlEventLogStorageTable": "the table of events, read page by page",
    },
    "dagster._core.storage.event_log.sqlite.sqlite_event_log": {
        "SqliteEventLogStorage": "the storage whose batch of events is a loop of commits (decision 38)",
    },
    "dagster._core.storage.noop_compute_log_manager": {
        "NoOpComputeLogManager": "a log manager that leaves stdout and stderr of a Python program alone",
    },
    "dagster._core.storage.runs.schema": {
        "RunTagsTable": "a table of the clean-up",
        "RunsTable": "the table of runs, read page by page",
        "SnapshotsTable": "a table of the clean-up",
    },
    "dagster._core.storage.runs.sqlite.sqlite_run_storage": {
        "SqliteRunStorage": "the storage of runs whose every write is a commit (decision 63)",
    },
    "dagster._core.storage.schedules.schema": {
        "JobTickTable": "a table of the clean-up",
    },
    "dagster._core.storage.schedules.sqlite.sqlite_schedule_storage": {
        "SqliteScheduleStorage": "the storage of ticks whose every write is a commit (decision 63)",
    },
    "dagster._core.workspace.context": {
        "WorkspaceProcessContext": "the workspace of the web server",
    },
    "dagster._core.workspace.load_target": {
        "WorkspaceFileTarget": "the reader of workspace.yaml",
    },
    "dagster._daemon.auto_run_reexecution.auto_run_reexecution": {
        "retry_run": "the start of a lost run's next attempt (decision 5)",
        "should_retry": "the rule whether a lost run is started again",
    },
    "dagster._daemon.auto_run_reexecution.event_log_consumer": {
        "CONSUMED_EVENTS": "the kinds of events that our daemon for lost runs reads",
        "EventLogConsumerDaemon": "the base class of our daemon for lost runs (decision 21)",
        "create_cursor_key": "where that daemon keeps how far it has read",
    },
    "dagster._daemon.daemon": {
        "MonitoringDaemon": "the base class of our daemon for runs that do not start or stop in time (decision 21)",
        "SchedulerDaemon": "the base class of our daemon for cron schedules (decision 63)",
        "SpanMarker": "begin and end of one look of a daemon, before and after which ours has work (decisions 62, 63)",
    },
    "dagster._daemon.run_coordinator.queued_run_coordinator_daemon": {
        "QueuedRunCoordinatorDaemon": "the base class of our daemon for the queue (decision 7)",
    },
    "dagster._grpc.types": {
        "ExecuteRunArgs": "the argument of a run's process",
    },
    "dagster._serdes": {
        "ConfigurableClass": "the base class of what dagster.yaml names",
        "ConfigurableClassData": "the argument of a ConfigurableClass",
    },
    "dagster._time": {
        "get_current_timestamp": "the daemon's clock, for the moment at which a switch was turned",
    },
    "dagster._utils.interrupts": {
        "capture_interrupts": "the handler of signals that delays a stop until a step can handle it",
    },
    "dagster._utils.schedules": {
        "schedule_execution_time_iterator": "the fire times of a cron expression, as the daemon counts them",
    },
    "dagster._utils.tags": {
        "TagConcurrencyLimitsCounter": "the counter of free places in lanes, for the queue (decision 7)",
    },
    "dagster_webserver.app": {
        "create_app_from_workspace_process_context": "Dagster's web application, which is served behind the sign-in",
    },
}

#: Names that are others in Dagster: with an underscore, or too general for this list.
_ATTRIBUTES = {
    "CONSUMED_EVENTS": "DAGSTER_EVENT_TYPES",
    "create_cursor_key": "_create_cursor_key",
    "execute_run_command_body": "_execute_run_command_body",
}

#: All names by their name here.
NAMES: Mapping[str, Internal] = {
    name: Internal(module, _ATTRIBUTES.get(name, name), reason, since)
    for since, modules in {"1.13.27": _KNOWN_IN_1_13_27}.items()
    for module, reasons in modules.items()
    for name, reason in reasons.items()
}


def __getattr__(name: str) -> Any:
    """Import a name at its first use.

    Raises:
        AttributeError: The name is not in the table.
        ImportError: The installed release of Dagster does not have it.
    """
    if name not in NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; add it to its table with a reason")
    internal = NAMES[name]
    try:
        value = getattr(import_module(internal.module), internal.attribute)
    except (ImportError, AttributeError) as error:
        raise ImportError(
            f"Dagster {metadata.version('dagster')} has no {internal.module}.{internal.attribute} ({error}), which is "
            f"needed as {internal.reason}; release {internal.since} has it. Install the release that requirements.lock "
            "names: pip install -r requirements.lock"
        ) from error
    globals()[name] = value
    return value
