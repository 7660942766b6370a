"""The models of a task file; the descriptions of their fields are the text of the reference manual."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from mystocks_dagster.tags import Tag
from mystocks_dagster.taskfile import names
from mystocks_dagster.taskfile.alerts import Alerts
from mystocks_dagster.taskfile.base_entry import Entry, with_name
from mystocks_dagster.taskfile.field_types import (
    PRIORITIES,
    TASK_TYPES,
    Availability,
    Id,
    Labels,
    Line,
    Priority,
    TaskType,
    Text,
    Texts,
)
from mystocks_dagster.taskfile.form import FormField
from mystocks_dagster.taskfile.group import Group
from mystocks_dagster.taskfile.owner import OWNER_FIELD, Owner
from mystocks_dagster.taskfile.problems import Fault
from mystocks_dagster.taskfile.schedule import (
    Flag,
    Integer,
    Schedule,
    StrictModel,
    cross_field,
    empty_as,
)
from mystocks_dagster.taskfile.secrets import mask

_DAY = 24 * 3600


class Task(Entry):
    """One task: its function, schedule, and behaviour on failure."""

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
    task_name: Annotated[Line, FormField("任务名称", "Name")] = Field(
        default="", description="Shown in the UI, in any language. Default: the id.", examples=["每日股票数据同步"]
    )
    description: Annotated[Text, FormField("说明", "Description", kind="area")] = Field(
        default="", description="What it does, for people.", examples=["每天收盘后同步当日股票交易数据"]
    )
    owner: Annotated[Owner, OWNER_FIELD] = Field(
        default="",
        description="Who is responsible for it: a name, a team or an e-mail address. Shown on its tables in the UI, "
        "on its page and in messages about it.",
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
        Annotated[dict[str, Any], empty_as({})],
        FormField(
            "参数（YAML）",
            "Parameters (YAML)",
            help=("每行一个，例如 retention_days: 30", "One per line, for example retention_days: 30"),
        ),
    ] = Field(
        default_factory=dict,
        description="The function's parameters; they can be changed for each run.",
        examples=[{"data_source": "akshare"}],
    )
    available_after: Annotated[
        Availability | None,
        FormField(
            "数据发布时间",
            "Data available after",
            help=(
                "例如 17:30；次一交易日写 +1 09:00；留空则按数据表的声明",
                "Such as 17:30, or +1 09:00 for the next trading day; empty: as its tables declare",
            ),
            advanced=True,
        ),
    ] = Field(
        default=None,
        description="Time of day in Shanghai from which its source has the trading day's rows, or `+1 09:00` for the "
        "next trading day. Before it the newest day is not published: neither missing nor late, and a scheduled start "
        "waits for it. Default: what its tables declare.",
        examples=["17:30"],
    )
    enabled: Annotated[Flag, FormField("启用", "Enabled")] = Field(
        default=True,
        description="false: its schedule does not start it, and a supervisor is not kept alive. It can still be run "
        "by hand.",
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
        description="Order of waiting runs: `critical` (100), `high` (200), `normal` (500), `low` (800), "
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
        description="Longest duration of one attempt in seconds; it is then stopped and fails. Default: no limit.",
        examples=[3600],
    )
    retry_count: Annotated[Annotated[Integer, Field(ge=0, le=100)], FormField("重试次数", "Retries", advanced=True)] = (
        Field(default=0, description="Attempts after the first one, for failures that a retry can resolve.")
    )
    retry_delay: Annotated[
        Annotated[Integer, Field(ge=0, le=_DAY)], FormField("重试间隔（秒）", "Retry delay (seconds)", advanced=True)
    ] = Field(default=60, description="Least time between two attempts, in seconds.")
    auto_restart: Annotated[Flag, FormField("自动重启", "Automatic restart", advanced=True)] = Field(
        default=False,
        description="A supervisor that ends is started again; another task whose run was lost (machine killed) is "
        "started again once.",
    )
    stop_on_error: Annotated[Flag, FormField("出错时停止后续任务", "Stop later tasks on error", advanced=True)] = Field(
        default=True, description="In a sequential group: after a failure, later tasks do not start."
    )
    tags: Annotated[Labels, FormField("标签", "Tags", help=("用逗号分隔", "Separated by commas"))] = Field(
        default=(), description="Labels to filter by, in any language.", examples=[["daily", "important"]]
    )
    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], FormField("日志级别", "Log level", advanced=True)
    ] = Field(default="INFO", description="The lowest level of its log lines that are kept.")

    @model_validator(mode="before")
    @classmethod
    def _named(cls, values: Any) -> Any:
        return with_name(values, "task_name", "task_id")

    @model_validator(mode="after")
    def _fits_together(self) -> "Task":
        for fault in task_faults(self.__dict__):
            raise cross_field(fault)
        return self

    @property
    def dagster_name(self) -> str:
        """The id as Dagster shows it."""
        return names.dagster_name(self.task_id)

    @property
    def active(self) -> bool:
        """Whether it is enabled in the file: the task itself and, where there is one, its schedule."""
        return self.enabled and (self.schedule is None or self.schedule.enabled)

    @property
    def secrets(self) -> frozenset[str]:
        """Names of the params whose values are masked: those with a variable, or with a secret name."""
        variables = {str(path[1]) for path, written in self._written.items() if written.secret and path[0] == "params"}
        masked = {name for name, value in self.params.items() if mask({name: value}) != {name: value}}
        return frozenset(variables | masked)


class TaskFile(StrictModel):
    """A whole task file."""

    version: int | float | str = Field(
        default="",
        description=f"Your version number of the file's content: the tag `{Tag.VERSION}` of all runs.",
        examples=["1.0"],
    )
    description: Text = Field(default="", description="What the file is for, for people: `mystocks list` shows it.")
    defaults: Annotated[dict[str, Any], empty_as({})] = Field(
        default_factory=dict,
        description="Any field of a task except its id: used by each task that does not set it. `params` and "
        "`schedule` are merged key by key. A function gets only the params that it accepts, and only an existing "
        "schedule is completed.",
        examples=[{"timeout": 1800}],
    )
    task_packages: Texts = Field(
        default=(),
        description="Your own Python packages whose functions tasks may use, on the Python path or beside the task "
        "file.",
        examples=[["my_tasks"]],
    )
    alerts: Alerts = Field(
        default=Alerts(), description="Channels of messages about failures, and what they report; see below."
    )
    tasks: Annotated[tuple[Task, ...], empty_as(())] = Field(default=(), description="The tasks.")
    task_groups: Annotated[tuple[Group, ...], empty_as(())] = Field(default=(), description="The groups.")

    def by_id(self) -> dict[str, Task | Group]:
        """Return every task and group by its id, in the order of the file."""
        return {task.task_id: task for task in self.tasks} | {group.group_id: group for group in self.task_groups}


def task_faults(values: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield contradictions between fields of a task; `values` may have other faults too."""
    if values.get("task_type") == "manual" and values.get("schedule") is not None:
        yield Fault(
            ("schedule",), "a manual task is never scheduled", "Remove the schedule, or change task_type.", at_key=True
        )
    if values.get("task_type") == "supervisor" and values.get("schedule") is not None:
        hint = "Remove the schedule, since it runs while it is enabled, or change task_type."
        yield Fault(("schedule",), "a supervisor is kept alive, not scheduled", hint, at_key=True)


def masked_params(task: Task) -> dict[str, Any]:
    """Return the task's params for display; see `Entry.masked`."""
    return task.masked()["params"]
