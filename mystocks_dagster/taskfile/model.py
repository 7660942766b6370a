"""The values of a task file: closed, frozen, and described; the descriptions are the reference manual's text."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PrivateAttr, model_validator

from mystocks_dagster.tags import Tag
from mystocks_dagster.taskfile import names
from mystocks_dagster.taskfile.alerts import Alerts
from mystocks_dagster.taskfile.owner import Owner
from mystocks_dagster.taskfile.problems import Fault, Path, suggest
from mystocks_dagster.taskfile.schedule import (
    Closed,
    Flag,
    Integer,
    Schedule,
    cross_field,
    fault,
    nothing_is,
    once_each,
)
from mystocks_dagster.taskfile.secrets import is_secret, mask, variables_only
from mystocks_dagster.taskfile.variables import Written

PriorityName = Literal["critical", "high", "normal", "low", "batch"]
PRIORITIES: Mapping[str, int] = {"critical": 100, "high": 200, "normal": 500, "low": 800, "batch": 900}
TaskType = Literal["cron", "supervisor", "manual", "data_sync", "indicator_calc", "market_fetch"]
_DAY = 24 * 3600


def _id(value: str) -> str:
    if why := names.id_fault(value):
        raise fault(f"{value!r} cannot be an id: {why}", "Choose another id, such as my_task.")
    return value


def _priority(value: Any) -> Any:
    if isinstance(value, str):
        if value not in PRIORITIES:
            raise fault(
                f"unknown priority {value!r}", suggest(value, PRIORITIES) + " Or a number from 1 (first) to 999 (last)."
            )
        return PRIORITIES[value]
    return value


Id = Annotated[str, AfterValidator(_id), Field(json_schema_extra={"pattern": names.ID_PATTERN})]
Texts = Annotated[tuple[str, ...], nothing_is(()), AfterValidator(once_each)]
Priority = Annotated[
    Integer, Field(ge=1, le=999), BeforeValidator(_priority, json_schema_input_type=int | PriorityName)
]


class Entry(Closed):
    """A task or a group: it has an id, and remembers which of its values came from environment variables."""

    _written: dict[Path, Written] = PrivateAttr(default_factory=dict)

    @property
    def templates(self) -> frozenset[str]:
        """Names of the fields in which variables are written, at any depth."""
        return frozenset(str(path[0]) for path in self._written)

    def written(self) -> dict[str, Any]:
        """Return all fields as JSON values, with `${VAR}` where a value came from the environment: for the file, not for showing."""
        data = self.model_dump(mode="json")
        for path, written in self._written.items():
            _put(data, path, written.text)
        return data

    def masked(self) -> dict[str, Any]:
        """Return the same as it may be shown: of what has a secret name only the variables, and *** for what the file writes out."""
        data = mask(self.model_dump(mode="json"))
        for path, written in self._written.items():
            _put(data, path, variables_only(written.text) if any(map(is_secret, path)) else written.text)
        return data


class Task(Entry):
    """One task: what it runs, when, and what happens when it fails."""

    task_id: Id = Field(
        description="The key of the task everywhere; unique over tasks and groups. Dagster shows `-` as `_`.",
        examples=["daily_data_sync"],
    )
    task_name: str = Field(
        default="", description="Shown in the UI, in any language. Default: the id.", examples=["每日股票数据同步"]
    )
    description: str = Field(
        default="", description="What it does, for people.", examples=["每天收盘后同步当日股票交易数据"]
    )
    owner: Owner = Field(
        default="",
        description="Who answers for it: a name, a team or an e-mail address. Shown on its tables in the UI, on its page and "
        "in messages about it.",
        examples=["数据组"],
    )
    task_type: TaskType = Field(
        description="`data_sync`, `indicator_calc`, `market_fetch`: keeps tables up to date; `cron`: runs by schedule; "
        "`manual`: never scheduled; `supervisor`: kept alive.",
        examples=["cron"],
    )
    task_module: str = Field(
        min_length=1,
        description="Module of the function: `mystocks_dagster.tasks.X` (`app.tasks.X` is read as that), or one of `task_packages`.",
        examples=["mystocks_dagster.tasks.data_sync"],
    )
    task_function: str = Field(
        min_length=1, description="Name of the function in that module.", examples=["sync_daily_stock_data"]
    )
    params: Annotated[dict[str, Any], nothing_is({})] = Field(
        default_factory=dict,
        description="What the function is given; can be changed for each run.",
        examples=[{"data_source": "akshare"}],
    )
    enabled: Flag = Field(
        default=True,
        description="false: its schedule does not start it, and a supervisor is not kept alive. By hand it still runs.",
    )
    priority: Priority = Field(
        default=PRIORITIES["normal"],
        description="Who starts first when runs wait: `critical` (100), `high` (200), `normal` (500), `low` (800), "
        "`batch` (900), or 1 to 999, lower first.",
        examples=["high"],
    )
    schedule: Schedule | None = Field(
        default=None, description="When it starts by itself; see below. None on a `manual` task."
    )
    max_instances: Annotated[Integer, Field(ge=1, le=100)] = Field(
        default=1, description="How many executions of it may run at the same time."
    )
    dependencies: Texts = Field(
        default=(),
        description="Ids of tasks that run first, in the same run, and must succeed.",
        examples=[["sync_basic_stock_info"]],
    )
    timeout: Annotated[Integer, Field(ge=1, le=30 * _DAY)] | None = Field(
        default=None,
        description="Seconds that one attempt may take; then it is stopped and counts as failed. Default: no limit.",
        examples=[3600],
    )
    retry_count: Annotated[Integer, Field(ge=0, le=100)] = Field(
        default=0, description="Attempts after the first one, when a retry can mend the failure."
    )
    retry_delay: Annotated[Integer, Field(ge=0, le=_DAY)] = Field(
        default=60, description="Seconds between two attempts, at least."
    )
    auto_restart: Flag = Field(
        default=False,
        description="A supervisor that ends is started again; another task whose run was lost (machine killed) is started again once.",
    )
    stop_on_error: Flag = Field(
        default=True, description="In a sequential group: a failure keeps the later tasks from starting."
    )
    tags: Texts = Field(
        default=(), description="Labels to filter by, in any language.", examples=[["daily", "important"]]
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = Field(
        default="INFO", description="The least severe of its log lines that is kept."
    )

    @model_validator(mode="before")
    @classmethod
    def _named(cls, values: Any) -> Any:
        return _with_name(values, "task_name", "task_id")

    @model_validator(mode="after")
    def _fits_together(self) -> "Task":
        for found in task_faults(self.__dict__):
            raise cross_field(found)
        return self

    @property
    def dagster_name(self) -> str:
        """The id as Dagster shows it."""
        return names.dagster_name(self.task_id)

    @property
    def active(self) -> bool:
        """Whether the file has it switched on: the task itself and, where there is one, its schedule."""
        return self.enabled and (self.schedule is None or self.schedule.enabled)

    @property
    def secrets(self) -> frozenset[str]:
        """Names of the params that are not shown: they hold a value from an environment variable, or one with a secret name."""
        variables = {str(path[1]) for path, written in self._written.items() if written.secret and path[0] == "params"}
        return frozenset(
            variables | {name for name, value in self.params.items() if mask({name: value}) != {name: value}}
        )


class Group(Entry):
    """Tasks that run together, as one job."""

    group_id: Id = Field(description="The key of the group; unique over tasks and groups.", examples=["daily_job"])
    group_name: str = Field(
        default="", description="Shown in the UI, in any language. Default: the id.", examples=["每日数据处理任务组"]
    )
    description: str = Field(default="", description="What it is for, for people.")
    owner: Owner = Field(
        default="",
        description="Who answers for it: a name, a team or an e-mail address; its tasks have owners of their own.",
        examples=["team:data"],
    )
    tasks: Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(once_each)] = Field(
        description="Ids of its tasks, in order; what they depend on runs too.",
        examples=[["daily_data_sync", "calc_technical_indicators"]],
    )
    execution_mode: Literal["sequential", "parallel"] = Field(
        default="sequential", description="One after the other as listed, or side by side."
    )
    enabled: Flag = Field(
        default=True,
        description="false: it does not run, neither by its schedule nor by hand, unless it is forced or switched on.",
    )
    schedule: Schedule | None = Field(default=None, description="When the group starts by itself; see below.")

    @model_validator(mode="before")
    @classmethod
    def _named(cls, values: Any) -> Any:
        return _with_name(values, "group_name", "group_id")

    @property
    def dagster_name(self) -> str:
        """The id as Dagster shows it."""
        return names.dagster_name(self.group_id)

    @property
    def active(self) -> bool:
        """Whether the file has it switched on: the group itself and, where there is one, its schedule."""
        return self.enabled and (self.schedule is None or self.schedule.enabled)


class TaskFile(Closed):
    """A whole task file."""

    version: int | float | str = Field(
        default="",
        description=f"Version of the file's content, as you count it: the tag `{Tag.VERSION}` of all runs.",
        examples=["1.0"],
    )
    description: str = Field(default="", description="What the file is for, for people: `mystocks list` shows it.")
    defaults: Annotated[dict[str, Any], nothing_is({})] = Field(
        default_factory=dict,
        description="Any field of a task but its id: taken by each task that does not say it itself. `params` and `schedule` "
        "are joined key by key; of the params a function is given those that it takes, and a schedule is completed only "
        "where there is one.",
        examples=[{"timeout": 1800}],
    )
    task_packages: Texts = Field(
        default=(),
        description="Python packages of your own whose functions tasks may name, found on the Python path or beside the task file.",
        examples=[["my_tasks"]],
    )
    alerts: Alerts = Field(
        default=Alerts(), description="Where messages about failures go, and what they tell; see below."
    )
    tasks: Annotated[tuple[Task, ...], nothing_is(())] = Field(default=(), description="The tasks.")
    task_groups: Annotated[tuple[Group, ...], nothing_is(())] = Field(default=(), description="The groups.")

    def by_id(self) -> dict[str, Task | Group]:
        """Return every task and group by its id, in the order of the file."""
        return {task.task_id: task for task in self.tasks} | {group.group_id: group for group in self.task_groups}


def task_faults(values: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield what does not fit together in a task; `values` may be wrong in other ways too."""
    if values.get("task_type") == "manual" and values.get("schedule") is not None:
        yield Fault(
            ("schedule",), "a manual task is never scheduled", "Remove the schedule, or change task_type.", at_key=True
        )
    if values.get("task_type") == "supervisor" and values.get("schedule") is not None:
        hint = "Remove the schedule: it runs while it is enabled. Or change task_type."
        yield Fault(("schedule",), "a supervisor is kept alive, not scheduled", hint, at_key=True)


def masked_params(task: Task) -> dict[str, Any]:
    """Return the task's params as they may be shown; see `Entry.masked`."""
    return task.masked()["params"]


def _with_name(values: Any, name: str, key: str) -> Any:
    if isinstance(values, dict) and not values.get(name) and isinstance(values.get(key), str):
        return {**values, name: values[key]}
    return values


def _put(data: Any, path: Path, value: Any) -> None:
    for part in path[:-1]:
        data = data[part]
    data[path[-1]] = value
