"""The names that Dagster keeps for us: tags, metadata, names of definitions, and the states of executions.

They are stored with runs, in dagster.yaml and in users' queries. So each stands here once, and a test refuses them
elsewhere.
"""

from typing import Final, Literal, get_args

#: All tags and metadata names of this project begin so; those of Dagster with `dagster/`.
PREFIX: Final = "mystocks/"


class Tag:
    """Tags of runs, jobs and steps."""

    TASK_ID: Final = "mystocks/task_id"
    #: Of steps, and of the jobs and runs of supervisors.
    TASK_TYPE: Final = "mystocks/task_type"
    GROUP_ID: Final = "mystocks/group_id"
    # Dagster's UI lists a run's tags below it, a line each, but for those that begin with `dagster/`, which a click shows,
    # and `.dagster/`, which nobody sees. A run that is started over GraphQL has the tags of its job, and no others.
    #: Hash of the task file, and that file's own `version`.
    TASKFILE: Final = "dagster/mystocks_taskfile"
    VERSION: Final = "dagster/mystocks_version"
    #: The same as `TASK_TYPE`, of jobs and runs.
    RUN_TYPE: Final = "dagster/mystocks_task_type"
    #: One for each task that runs in the run: by it the page of a task's job leads to its runs in groups.
    RAN: Final = ".dagster/mystocks_task."
    #: One for each label of a task; see `label_tag`.
    LABEL: Final = "mystocks/tag."
    STARTED_BY: Final = "mystocks/started_by"
    SCHEDULED_AT: Final = "dagster/mystocks_scheduled_at"
    #: The trading day of a missed start that the run makes up for, and that a day beyond the calendar was guessed.
    DAY: Final = "mystocks/day"
    CALENDAR: Final = "mystocks/calendar"
    #: The group is disabled in the file, and somebody runs it all the same.
    DISABLED: Final = "mystocks/disabled"
    FORCE: Final = "mystocks/force"
    #: How often in a row a supervisor was started again, and why it was stopped when no person did it.
    RESTARTS: Final = "mystocks/restarts"
    SWITCHED_OFF: Final = "mystocks/switched_off"
    #: A step's: how many of it may run at once; the launcher gives its pool as many slots.
    MAX_INSTANCES: Final = "mystocks/max_instances"
    #: On which dagster.yaml limits how many runs are under way.
    LANE: Final = "dagster/mystocks_lane"
    #: Which process works on the run.
    WORKER: Final = "dagster/mystocks_worker"
    #: The same in the dagster.yaml of an earlier version, and in runs that it has started.
    FORMER_LANE: Final = "mystocks/lane"
    FORMER_WORKER: Final = "mystocks/worker"
    #: The run is part of a Python program: the number of its process.
    IN_PROGRAM: Final = "mystocks/in_program"
    #: The job or step looks after the project itself.
    SYSTEM: Final = "mystocks/system"
    #: The job stands for an entry that the file has wrong.
    BROKEN: Final = "mystocks/broken"
    #: Dagster's own, as its manual has it: higher numbers start first.
    PRIORITY: Final = "dagster/priority"


class Metadata:
    """Names of metadata, of what a task did and of the definitions themselves."""

    TASK_ID: Final = "mystocks/task_id"
    TASK_NAME: Final = "mystocks/task_name"
    TASK_TYPE: Final = "mystocks/task_type"
    TAGS: Final = "mystocks/tags"
    GROUP_ID: Final = "mystocks/group_id"
    GROUP_NAME: Final = "mystocks/group_name"
    OWNER: Final = "mystocks/owner"
    #: The link to all runs in which the task ran.
    RUNS: Final = "mystocks/runs"
    #: The whole task or schedule as the file has it, secrets masked: people read it and nothing depends on it.
    SETTINGS: Final = "mystocks/settings"
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
    WORLD: Final = "mystocks/world"
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
    """Keys in Dagster's key-value store; one that ends in `/` is the beginning of many."""

    INTERVALS: Final = "mystocks/intervals"
    DAEMON_LOOKS: Final = "mystocks/looks"
    SCHEDULES: Final = "mystocks/schedules"
    ALERTS: Final = "mystocks/alerts"
    REMOVED: Final = "mystocks/removed/"


Status = Literal["pending", "paused", "running", "success", "partial_success", "failed", "skipped", "cancelled"]
#: Those that a function may return.
ResultStatus = Literal["success", "partial_success", "failed", "skipped"]


class State:
    """The states of an execution; `paused` is what `pending` is called while the task's switch is off."""

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
#: Not begun yet.
WAITING = frozenset({State.PENDING, State.PAUSED})
#: Not ended yet: what a stop can end, and what is waited for.
UNDER_WAY = WAITING | {State.RUNNING}
#: The work was done, perhaps in part.
SUCCESSES = frozenset({State.SUCCESS, State.PARTIAL_SUCCESS})
#: The work was tried: these say how good a task is, and count for its durations.
OUTCOMES = SUCCESSES | {State.FAILED}

#: What Dagster calls the one code location and its repository, and the job that the Materialize button runs.
LOCATION: Final = "mystocks"
REPOSITORY: Final = "__repository__"
ASSET_JOB: Final = "__ASSET_JOB"


class OwnName:
    """Assets and jobs of the project itself; no task or group may be called so."""

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
#: Endings of the names that are made here; no task or group may have one.
ENDINGS: Final = (_OP, _ASSET, _CHECK, _SCHEDULE, _SENSOR)


def op_name(job: str) -> str:
    """Return the name of a task's op; in every job its step is called by the task's own name.

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
    """Say whether a step runs checks of an asset, and no task.

    Examples:
        >>> is_check("daily_bars__check"), is_check("daily_sync__asset")
        (True, False)
    """
    return step.endswith(_CHECK)


def step_task(step: str) -> str:
    """Return the name of the task that a step runs, in whichever job.

    Examples:
        >>> step_task("daily_sync__asset"), step_task("daily_sync")
        ('daily_sync', 'daily_sync')
    """
    return step.removesuffix(_ASSET)


def schedule_name(job: str) -> str:
    """Return the name of the schedule or sensor that starts a job, and whose switch is the task's.

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


#: The sensor that starts all intervals; its cursor says until when it has looked.
INTERVALS_SENSOR: Final = sensor_name("intervals")
