"""Jobs that look after the project itself, each with a typed and described form in the Launchpad."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import dagster as dg
from pydantic import BaseModel, Field

from mystocks_dagster.dagster_internals import MAX_RETRIES_TAG
from mystocks_dagster.errors import MyStocksError
from mystocks_dagster.factory.config_schema import model_fields
from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.registry import is_simulated
from mystocks_dagster.tags import OwnName, Tag, op_name, schedule_name
from mystocks_dagster.trading_calendar.in_force import in_force
from mystocks_dagster.trading_calendar.refresh import due

#: Marks jobs and steps that are none of the task file's.
#: What the forms propose, so that an export can be taken in again as it is.
_EXPORT = "exports/tasks.yaml"
#: Before the day's first tasks, and before people look.
_CALENDAR_CRON = "5 8 * * *"
#: What a job tells of its work: shown as the metadata of its step.
Told = Mapping[str, Any]


class Form(Enum):
    """How an export is written."""

    by_name = "by_name"
    yaml = "yaml"
    json = "json"

    def to_format(self) -> str | None:
        """Return the format; None: as the file's name says."""
        return None if self is Form.by_name else self.value


class CleanupConfig(BaseModel):
    """The form of `cleanup_history`."""

    days: int = Field(
        default=7, description="保留天数：更早的执行记录会被删除。Keep so many days; what ran before is removed."
    )
    dry_run: bool = Field(
        default=False, description="true：只显示会删除多少，不删除。Only say how much would be removed."
    )


class ImportConfig(BaseModel):
    """The form of `import_tasks`."""

    config_path: str = Field(
        default=_EXPORT,
        description="要导入的任务文件（YAML 或 JSON），放在 exports 目录中；编号相同的任务被替换，其余新增。"
        "The file to take in, in the folder exports; tasks of the same id are replaced, the others added.",
    )
    dry_run: bool = Field(default=False, description="true：只显示差异，不改任务文件。Only show the difference.")


class DeleteConfig(BaseModel):
    """The form of `delete_task`."""

    task_id: str = Field(
        default="",
        description="要删除的任务或任务组的编号；执行历史会保留。The task or group to delete; its history stays.",
    )
    force: bool = Field(
        default=False,
        description="true：即使有任务或任务组引用它也删除，并从中移除。"
        "Delete it although others name it, and take it out of those.",
    )
    dry_run: bool = Field(default=False, description="true：只显示差异，不改任务文件。Only show the difference.")


class CalendarConfig(BaseModel):
    """The form of `refresh_calendar`."""

    data_source: str = Field(
        default="",
        description="向哪个数据源询问；留空为项目所用的数据源。Which source to ask; empty means the project's own.",
    )


class ExportConfig(BaseModel):
    """The form of `export_tasks`."""

    output_path: str = Field(
        default=_EXPORT,
        description="导出到 exports 目录中的哪个文件（.yaml、.yml 或 .json）；同名的旧导出会被覆盖，其他文件不会。"
        "Where to, in the folder exports; a former export of that name is replaced, another file is not.",
    )
    format: Form = Field(
        default=Form.by_name,
        description="by_name：按扩展名；yaml：保留注释；json。By the file's name, as YAML with its comments, or as "
        "JSON.",
    )


@dataclass(frozen=True)
class ManagementActions:
    """Callbacks injected from the layers above; each returns a summary for the step's metadata.

    Attributes:
        clean: Removes what ran before so many days, or (dry run) counts it.
        take_in: Takes the tasks of a file into the task file, or (dry run) shows the difference.
        export: Writes the task file to a file, as YAML, JSON or (None) as its name says.
        refresh_calendar: Asks a data source, the project's own when None, for the trading days that it knows.
        reload: Makes the servers build the definitions again.
        delete: Takes a task or group out of the task file, by force also out of those that name it, or (dry run) shows
            the difference.
    """

    clean: Callable[[Settings, int, bool], Told]
    take_in: Callable[[Settings, str, bool], Told]
    export: Callable[[Settings, str, str | None], Told]
    delete: Callable[[Settings, str, bool, bool], Told]
    refresh_calendar: Callable[[Settings, str | None], Told]
    reload: Callable[[], None]


def build_management_jobs(actions: ManagementActions) -> list[dg.JobDefinition]:
    """Return the jobs `cleanup_history`, `import_tasks`, `export_tasks` and `delete_task`."""
    return [
        _job(
            OwnName.CLEANUP_HISTORY,
            "清理执行历史：删除旧的执行记录、事件、日志和 "
            "tick，磁盘空间随之释放；数据表、分区状态和统计不变。\n\n"
            "Removes what ran long ago and gives its disk space back; tables, partitions and statistics stay.",
            CleanupConfig,
            lambda settings, config: actions.clean(settings, config.days, config.dry_run),
        ),
        _job(
            OwnName.IMPORT_TASKS,
            "导入任务：把另一个任务文件导入 tasks.yaml：先校验，再备份（tasks.yaml.bak），再写入并重新加载。\n\n"
            "Takes the tasks of another file into tasks.yaml: checked first, backed up, written, loaded.",
            ImportConfig,
            lambda settings, config: actions.take_in(settings, config.config_path, config.dry_run),
        ),
        _job(
            OwnName.EXPORT_TASKS,
            "导出任务：把 tasks.yaml 导出为 YAML 或 JSON；变量按原样写出，不会泄露密钥。\n\n"
            "Writes tasks.yaml as YAML or JSON; variables stay as they are written, so that no secret leaves.",
            ExportConfig,
            lambda settings, config: actions.export(settings, config.output_path, config.format.to_format()),
        ),
        _job(
            OwnName.DELETE_TASK,
            "删除任务：从 tasks.yaml "
            "中删除一个任务或任务组：先校验，再备份（tasks.yaml.bak），再写入并重新加载；执行历史会保留。\n\n"
            "Takes a task or group out of tasks.yaml: checked first, backed up, written, loaded; its history stays.",
            DeleteConfig,
            lambda settings, config: actions.delete(settings, config.task_id, config.force, config.dry_run),
        ),
        _job(
            OwnName.REFRESH_CALENDAR,
            "更新交易日历：向数据源询问已公布的交易日，写入本项目的交易日历；已公布的日子不会被改写，也不会变短。\n\n"
            "Asks a data source for the trading days that it knows; what is published is neither "
            "changed nor shortened.",
            CalendarConfig,
            lambda settings, config: actions.refresh_calendar(settings, config.data_source or None),
        ),
    ]


def build_calendar_schedule() -> dg.ScheduleDefinition:
    """Return the schedule that asks for the trading days once a day near the calendar's end, else once a week."""

    def evaluate(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        if is_simulated(Settings.from_env().source):
            return dg.SkipReason("A simulated market keeps the calendar in force: there is nothing to ask.")
        if due():
            return dg.RunRequest(run_key=f"{OwnName.REFRESH_CALENDAR}:{context.scheduled_execution_time.isoformat()}")
        known = in_force()
        return dg.SkipReason(f"A source was asked not long ago; the calendar reaches to {known.calendar.last}.")

    return dg.ScheduleDefinition(
        name=schedule_name(OwnName.REFRESH_CALENDAR),
        job_name=OwnName.REFRESH_CALENDAR,
        cron_schedule=_CALENDAR_CRON,
        execution_timezone="Asia/Shanghai",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Asks a live source for the trading days that it knows",
        execution_fn=evaluate,
    )


def _job(name: str, about: str, form: type[BaseModel], work: Callable[[Settings, Any], Told]) -> dg.JobDefinition:
    """Return a job of one step that takes `form`, called as the tasks' steps are: by the job's name."""
    # Not as `dg.Config`, of which each text may be `{env: NAME}`: whoever starts a job would read any variable in its
    # error.
    fields = model_fields(form)

    @dg.op(
        name=op_name(name), description=about, out=dg.Out(dg.Nothing), tags={Tag.SYSTEM: "true"}, config_schema=fields
    )
    def step(context: dg.OpExecutionContext) -> Iterator[Any]:
        try:
            told = work(Settings.from_env(), form.model_validate(context.op_config))
        except MyStocksError as error:
            raise dg.Failure(f"{name}: {error}", allow_retries=False) from None
        context.log.info(str(told.get("message", told)))
        yield dg.Output(None, metadata=dict(told))

    return dg.GraphDefinition(
        name=name, description=about, node_defs=[step], dependencies={dg.NodeInvocation(step.name, alias=name): {}}
    ).to_job(description=about, tags={Tag.SYSTEM: "true", MAX_RETRIES_TAG: "0"}, executor_def=dg.in_process_executor)
