"""Names in Dagster: tags, metadata, storage keys, names of definitions, and the states of executions.

They are stored with runs, in dagster.yaml and in users' queries. So each is defined here only, which a test checks.
"""

from typing import Final, Literal, get_args

#: Prefix of the project's tags and metadata names; that of Dagster is `dagster/`.
PREFIX: Final = "mystocks/"


class Tag:
    """Tags of runs, jobs and steps."""

    TASK_ID: Final = "mystocks/task_id"
    #: Of steps, and of the jobs and runs of supervisors.
    TASK_TYPE: Final = "mystocks/task_type"
    GROUP_ID: Final = "mystocks/group_id"
    # Dagster's UI lists a run's tags below it. It shows those with the prefix `dagster/` after a click, and never those
    # with `.dagster/`. A run that is started over GraphQL has only the tags of its job.
    #: Hash of the task file, and that file's own `version`.
    TASKFILE: Final = "dagster/mystocks_taskfile"
    VERSION: Final = "dagster/mystocks_version"
    #: The task type, of jobs and runs.
    RUN_TYPE: Final = "dagster/mystocks_task_type"
    #: Prefix of one tag for each task of the run, by which the page of a task's job links to its runs in groups.
    RAN: Final = ".dagster/mystocks_task."
    #: Prefix of one tag for each label of a task; see `factory/ui_metadata.py`.
    LABEL: Final = "mystocks/tag."
    STARTED_BY: Final = "mystocks/started_by"
    SCHEDULED_AT: Final = "dagster/mystocks_scheduled_at"
    #: The trading day of a missed start that the run makes up for, and a warning for a day after the calendar's end.
    DAY: Final = "mystocks/day"
    CALENDAR: Final = "mystocks/calendar"
    #: The time before which the queue does not start the run, because the day's data are not published.
    NOT_BEFORE: Final = "mystocks/not_before"
    #: The group is disabled in the file, and the run is forced.
    DISABLED: Final = "mystocks/disabled"
    FORCE: Final = "mystocks/force"
    #: The number of a supervisor's restarts in a row, and why a sensor stopped it.
    RESTARTS: Final = "mystocks/restarts"
    SWITCHED_OFF: Final = "mystocks/switched_off"
    #: A step's limit of active executions, which the launcher sets as the slots of its pool.
    MAX_INSTANCES: Final = "mystocks/max_instances"
    #: The lane, by which dagster.yaml limits the number of active runs.
    LANE: Final = "dagster/mystocks_lane"
    #: The process that executes the run.
    WORKER: Final = "dagster/mystocks_worker"
    #: The machine that executes the run, where there are several.
    MACHINE: Final = "dagster/mystocks_machine"
    #: Former names, in the dagster.yaml of an earlier version and in its runs.
    FORMER_LANE: Final = "mystocks/lane"
    FORMER_WORKER: Final = "mystocks/worker"
    #: The pid of the Python program of which the run is part.
    IN_PROGRAM: Final = "mystocks/in_program"
    #: The job or step manages the project itself.
    SYSTEM: Final = "mystocks/system"
    #: The job replaces an entry with problems in the file.
    BROKEN: Final = "mystocks/broken"
    #: Dagster's own tag: higher numbers start first.
    PRIORITY: Final = "dagster/priority"


class Metadata:
    """Names of metadata, of executions and of definitions."""

    TASK_ID: Final = "mystocks/task_id"
    TASK_NAME: Final = "mystocks/task_name"
    TASK_TYPE: Final = "mystocks/task_type"
    TAGS: Final = "mystocks/tags"
    GROUP_ID: Final = "mystocks/group_id"
    GROUP_NAME: Final = "mystocks/group_name"
    OWNER: Final = "mystocks/owner"
    #: The link to all runs in which the task ran.
    RUNS: Final = "mystocks/runs"
    #: The whole task or schedule of the file for readers, with masked secrets.
    SETTINGS: Final = "mystocks/settings"
    #: What the daemon needs to evaluate a schedule.
    EVALUATION: Final = "mystocks/evaluation"
    TASKFILE: Final = "mystocks/taskfile"
    SOURCE: Final = "mystocks/source"
    KEY: Final = "mystocks/key"
    # Of an execution.
    STATUS: Final = "mystocks/status"
    SECONDS: Final = "mystocks/seconds"
    ROWS: Final = "mystocks/rows"
    MESSAGE: Final = "mystocks/message"
    FAILED_ITEMS: Final = "mystocks/failed_items"
    RETRY_PARAMS: Final = "mystocks/retry_params"
    AGAIN: Final = "mystocks/again"
    RESULT: Final = "mystocks/result"
    ERROR_TYPE: Final = "mystocks/error_type"
    TRACEBACK: Final = "mystocks/traceback"
    PREVIEW: Final = "mystocks/preview"
    CHART: Final = "mystocks/chart"
    FIRST_DAY: Final = "mystocks/first_day"
    LAST_DAY: Final = "mystocks/last_day"
    #: Of the table's last day.
    SYMBOLS: Final = "mystocks/symbols"
    #: What the task's parameters let it compute: strategies or indicators with their parameters and versions.
    DEFINITIONS: Final = "mystocks/definitions"
    #: Seconds by stage of the work.
    STAGES: Final = "mystocks/stages"
    WORLD: Final = "mystocks/world"
    # Of a check: numbers of rows, and the first that fail as a table.
    CHECKED_ROWS: Final = "mystocks/checked_rows"
    FAILING_ROWS: Final = "mystocks/failing_rows"
    FIRST_FAILING: Final = "mystocks/first_failing"
    # Of the task file and the trading calendar.
    VERSION: Final = "mystocks/version"
    LOADED_AT: Final = "mystocks/loaded_at"
    FILE: Final = "mystocks/file"
    TASKS: Final = "mystocks/tasks"
    GROUPS: Final = "mystocks/groups"
    BROKEN: Final = "mystocks/broken"
    PROBLEMS: Final = "mystocks/problems"
    FIRST: Final = "mystocks/first"
    LAST: Final = "mystocks/last"
    STANDS_ON: Final = "mystocks/stands_on"


class Storage:
    """Keys in Dagster's key-value store; one that ends in `/` is a prefix."""

    INTERVALS: Final = "mystocks/intervals"
    DAEMON_ACTIVITY: Final = "mystocks/looks"
    SCHEDULES: Final = "mystocks/schedules"
    ALERTS: Final = "mystocks/alerts"
    REMOVED: Final = "mystocks/removed/"
    #: Version of this package that the daemon has.
    DAEMON_VERSION: Final = "mystocks/daemon_version"
    #: Lake and source of the daemon's runs.
    DAEMON_LAKE: Final = "mystocks/daemon_lake"
    #: Request rate, count and ban of each host rule, where several machines share the storage.
    HOSTS: Final = "mystocks/hosts/"
    #: Versions of the task file by hash, where several machines share the storage.
    TASK_FILES: Final = "mystocks/taskfiles/"
    #: Hash of the one with which the last run was queued.
    TASK_FILE: Final = "mystocks/taskfile"
    #: Names of machines that their connections cannot carry, by hash.
    MACHINES: Final = "mystocks/machines/"
    USERS: Final = "mystocks/users"
    AUDIT: Final = "mystocks/audit/"


Status = Literal["pending", "paused", "running", "success", "partial_success", "failed", "skipped", "cancelled"]
#: States that a function may return.
ResultStatus = Literal["success", "partial_success", "failed", "skipped"]


class State:
    """The states of an execution; `paused` is `pending` while the task's switch is off."""

    PENDING: Final = "pending"
    PAUSED: Final = "paused"
    RUNNING: Final = "running"
    SUCCESS: Final = "success"
    PARTIAL_SUCCESS: Final = "partial_success"
    FAILED: Final = "failed"
    SKIPPED: Final = "skipped"
    CANCELLED: Final = "cancelled"


STATES: Final[tuple[str, ...]] = get_args(Status)
RESULT_STATES: Final[tuple[str, ...]] = get_args(ResultStatus)
#: States before the start.
WAITING = frozenset({State.PENDING, State.PAUSED})
#: States before the end.
UNDER_WAY = WAITING | {State.RUNNING}
#: States after the work was done, at least in part.
SUCCESSES = frozenset({State.SUCCESS, State.PARTIAL_SUCCESS})
#: States that count for the success rate and the durations of a task.
OUTCOMES = SUCCESSES | {State.FAILED}

#: Dagster's names of the code location, its repository, and the job of the Materialize button.
LOCATION: Final = "mystocks"
REPOSITORY: Final = "__repository__"
ASSET_JOB: Final = "__ASSET_JOB"


class OwnName:
    """Assets and jobs of the project itself; tasks and groups must not have these names."""

    TASK_FILE: Final = "task_file"
    TRADING_CALENDAR: Final = "trading_calendar"
    TASK_STATISTICS: Final = "task_statistics"
    ALERT_CHANNELS: Final = "alert_channels"
    CLEANUP_HISTORY: Final = "cleanup_history"
    IMPORT_TASKS: Final = "import_tasks"
    EXPORT_TASKS: Final = "export_tasks"
    DELETE_TASK: Final = "delete_task"
    REFRESH_CALENDAR: Final = "refresh_calendar"


OWN_NAMES: Final = frozenset(value for name, value in vars(OwnName).items() if name.isupper())

_OP, _ASSET, _CHECK, _SCHEDULE, _SENSOR = "__task", "__asset", "__check", "__schedule", "__sensor"
#: Suffixes of generated names; tasks and groups must not have them.
ENDINGS: Final = (_OP, _ASSET, _CHECK, _SCHEDULE, _SENSOR)


def op_name(job: str) -> str:
    """Return the name of a task's op; its steps have the task's own name.

    Examples:
        >>> op_name("daily_sync")
        'daily_sync__task'
    """
    return f"{job}{_OP}"


def asset_op_name(job: str) -> str:
    """Return the name of the op, and of the step, that writes a task's assets in the job of all assets.

    Examples:
        >>> asset_op_name("daily_sync")
        'daily_sync__asset'
    """
    return f"{job}{_ASSET}"


def check_op_name(asset: str) -> str:
    """Return the name of the op, and of the step, that runs the checks of an asset.

    Examples:
        >>> check_op_name("daily_bars")
        'daily_bars__check'
    """
    return f"{asset}{_CHECK}"


def is_check(step: str) -> bool:
    """Whether a step runs checks of an asset, and not a task.

    Examples:
        >>> is_check("daily_bars__check"), is_check("daily_sync__asset")
        (True, False)
    """
    return step.endswith(_CHECK)


def step_task(step: str) -> str:
    """Return the name of the task that a step runs, in any job.

    Examples:
        >>> step_task("daily_sync__asset"), step_task("daily_sync")
        ('daily_sync', 'daily_sync')
    """
    return step.removesuffix(_ASSET)


def schedule_name(job: str) -> str:
    """Return the name of the schedule or sensor that starts a job, whose switch is the task's.

    Examples:
        >>> schedule_name("daily_sync")
        'daily_sync__schedule'
    """
    return f"{job}{_SCHEDULE}"


def sensor_name(subject: str) -> str:
    """Return the name of a sensor of the project itself.

    Examples:
        >>> sensor_name("alerts")
        'alerts__sensor'
    """
    return f"{subject}{_SENSOR}"


#: The sensor that starts all intervals; its cursor is the time of its last evaluation.
INTERVALS_SENSOR: Final = sensor_name("intervals")
