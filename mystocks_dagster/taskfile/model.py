"""The values of a task file: closed, frozen, and described; the descriptions are the reference manual's text."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from mystocks_dagster.tags import Tag
from mystocks_dagster.taskfile import names
from mystocks_dagster.taskfile.alerts import Alerts
from mystocks_dagster.taskfile.base_entry import Entry
from mystocks_dagster.taskfile.field_types import EXECUTION_MODES, PRIORITIES, TASK_TYPES, Id, Priority, TaskType, Texts
from mystocks_dagster.taskfile.form import FormField
from mystocks_dagster.taskfile.owner import OWNER_FIELD, Owner
from mystocks_dagster.taskfile.problems import Fault
from mystocks_dagster.taskfile.schedule import (
    Closed,
    Flag,
    Integer,
    Schedule,
    cross_field,
    nothing_is,
    once_each,
)
from mystocks_dagster.taskfile.secrets import mask

_DAY = 24 * 3600


class Task(Entry):
    """One task: what it runs, when, and what happens when it fails."""

    task_id: Annotated[
        Id,
        FormField(
            "任务编号",
            "Task ID",
            help=(
                "字母开头，只用字母、数字、_ 和 -；保存后不能修改。",
                "A letter first, then letters, digits, _ and -. It cannot be changed later.",
            ),
        ),
    ] = Field(
        description="The key of the task everywhere; unique over tasks and groups. Dagster shows `-` as `_`.",
        examples=["daily_data_sync"],
    )
    task_name: Annotated[str, FormField("任务名称", "Name")] = Field(
        default="", description="Shown in the UI, in any language. Default: the id.", examples=["每日股票数据同步"]
    )
    description: Annotated[str, FormField("说明", "Description", kind="area")] = Field(
        default="", description="What it does, for people.", examples=["每天收盘后同步当日股票交易数据"]
    )
    owner: Annotated[Owner, OWNER_FIELD] = Field(
        default="",
        description="Who answers for it: a name, a team or an e-mail address. Shown on its tables in the UI, on its page "
        "and in messages about it.",
        examples=["数据组"],
    )
    task_type: Annotated[TaskType, FormField("任务类型", "Type", choices=TASK_TYPES)] = Field(
        description="`data_sync`, `indicator_calc`, `market_fetch`: keeps tables up to date; `cron`: runs by schedule; "
        "`manual`: never scheduled; `supervisor`: kept alive.",
        examples=["cron"],
    )
    task_module: Annotated[
        str,
        FormField(
            "模块",
            "Module",
            help=("例如 mystocks_dagster.tasks.data_sync", "For example mystocks_dagster.tasks.data_sync"),
        ),
    ] = Field(
        min_length=1,
        description="Module of the function: `mystocks_dagster.tasks.X` (`app.tasks.X` is read as that), or one of "
        "`task_packages`.",
        examples=["mystocks_dagster.tasks.data_sync"],
    )
    task_function: Annotated[str, FormField("函数", "Function")] = Field(
        min_length=1, description="Name of the function in that module.", examples=["sync_daily_stock_data"]
    )
    params: Annotated[
        Annotated[dict[str, Any], nothing_is({})],
        FormField(
            "参数（YAML）",
            "Parameters (YAML)",
            help=("每行一个，例如 retention_days: 30", "One per line, for example retention_days: 30"),
        ),
    ] = Field(
        default_factory=dict,
        description="What the function is given; can be changed for each run.",
        examples=[{"data_source": "akshare"}],
    )
    enabled: Annotated[Flag, FormField("启用", "Enabled")] = Field(
        default=True,
        description="false: its schedule does not start it, and a supervisor is not kept alive. By hand it still runs.",
    )
    priority: Annotated[
        Priority,
        FormField(
            "优先级",
            "Priority",
            help=(
                "critical 100，high 200，normal 500，low 800，batch 900，或 1 至 999",
                "critical, high, normal, low, batch, or 1 to 999",
            ),
            advanced=True,
            kind="text",
        ),
    ] = Field(
        default=PRIORITIES["normal"],
        description="Who starts first when runs wait: `critical` (100), `high` (200), `normal` (500), `low` (800), "
        "`batch` (900), or 1 to 999, lower first.",
        examples=["high"],
    )
    schedule: Schedule | None = Field(
        default=None, description="When it starts by itself; see below. None on a `manual` task."
    )
    max_instances: Annotated[
        Annotated[Integer, Field(ge=1, le=100)], FormField("最大并行数", "Max. parallel executions", advanced=True)
    ] = Field(default=1, description="How many executions of it may run at the same time.")
    dependencies: Annotated[
        Texts,
        FormField(
            "依赖任务",
            "Dependencies",
            help=("任务编号，用逗号分隔；先于此任务运行", "Task IDs separated by commas; they run first"),
            advanced=True,
        ),
    ] = Field(
        default=(),
        description="Ids of tasks that run first, in the same run, and must succeed.",
        examples=[["sync_basic_stock_info"]],
    )
    timeout: Annotated[
        Annotated[Integer, Field(ge=1, le=30 * _DAY)] | None,
        FormField("超时（秒）", "Timeout (seconds)", help=("留空则不限时", "Leave empty for no limit"), advanced=True),
    ] = Field(
        default=None,
        description="Seconds that one attempt may take; then it is stopped and counts as failed. Default: no limit.",
        examples=[3600],
    )
    retry_count: Annotated[Annotated[Integer, Field(ge=0, le=100)], FormField("重试次数", "Retries", advanced=True)] = (
        Field(default=0, description="Attempts after the first one, when a retry can mend the failure.")
    )
    retry_delay: Annotated[
        Annotated[Integer, Field(ge=0, le=_DAY)], FormField("重试间隔（秒）", "Retry delay (seconds)", advanced=True)
    ] = Field(default=60, description="Seconds between two attempts, at least.")
    auto_restart: Annotated[Flag, FormField("自动重启", "Automatic restart", advanced=True)] = Field(
        default=False,
        description="A supervisor that ends is started again; another task whose run was lost (machine killed) is "
        "started again once.",
    )
    stop_on_error: Annotated[Flag, FormField("出错时停止后续任务", "Stop later tasks on error", advanced=True)] = Field(
        default=True, description="In a sequential group: a failure keeps the later tasks from starting."
    )
    tags: Annotated[Texts, FormField("标签", "Tags", help=("用逗号分隔", "Separated by commas"))] = Field(
        default=(), description="Labels to filter by, in any language.", examples=[["daily", "important"]]
    )
    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], FormField("日志级别", "Log level", advanced=True)
    ] = Field(default="INFO", description="The least severe of its log lines that is kept.")

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
        """Names of the params that are not shown: those with a value from a variable, or with a secret name."""
        variables = {str(path[1]) for path, written in self._written.items() if written.secret and path[0] == "params"}
        return frozenset(
            variables | {name for name, value in self.params.items() if mask({name: value}) != {name: value}}
        )


class Group(Entry):
    """Tasks that run together, as one job."""

    group_id: Annotated[Id, FormField("任务组编号", "Group ID")] = Field(
        description="The key of the group; unique over tasks and groups.", examples=["daily_job"]
    )
    group_name: Annotated[str, FormField("任务组名称", "Name")] = Field(
        default="", description="Shown in the UI, in any language. Default: the id.", examples=["每日数据处理任务组"]
    )
    description: Annotated[str, FormField("说明", "Description", kind="area")] = Field(
        default="", description="What it is for, for people."
    )
    owner: Annotated[Owner, OWNER_FIELD] = Field(
        default="",
        description="Who answers for it: a name, a team or an e-mail address; its tasks have owners of their own.",
        examples=["team:data"],
    )
    tasks: Annotated[
        Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(once_each)],
        FormField("任务", "Tasks", help=("任务编号，用逗号分隔，按运行顺序", "Task IDs separated by commas, in order")),
    ] = Field(
        description="Ids of its tasks, in order; what they depend on runs too.",
        examples=[["daily_data_sync", "calc_technical_indicators"]],
    )
    execution_mode: Annotated[
        Literal["sequential", "parallel"], FormField("执行方式", "Execution mode", choices=EXECUTION_MODES)
    ] = Field(default="sequential", description="One after the other as listed, or side by side.")
    enabled: Annotated[Flag, FormField("启用", "Enabled")] = Field(
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
        description="Any field of a task but its id: taken by each task that does not say it itself. `params` and "
        "`schedule` are joined key by key; of the params a function is given those that it takes, and a schedule is "
        "completed only where there is one.",
        examples=[{"timeout": 1800}],
    )
    task_packages: Texts = Field(
        default=(),
        description="Python packages of your own whose functions tasks may name, found on the Python path or beside "
        "the task file.",
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
