"""Jobs that manage the project itself, each with a typed and described form in the Launchpad."""

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

#: Default file of the import and export forms, so that an export can be imported again.
_EXPORT = "exports/tasks.yaml"
#: Before the day's first tasks.
_CALENDAR_CRON = "5 8 * * *"
#: Summary of a job's work, shown as the metadata of its step.
Summary = Mapping[str, Any]


class Form(Enum):
    """Format of an export."""

    by_name = "by_name"
    yaml = "yaml"
    json = "json"

    def to_format(self) -> str | None:
        """Return the format; None for the format of the file's extension."""
        return None if self is Form.by_name else self.value


class CleanupConfig(BaseModel):
    """The form of `cleanup_history`."""

    days: int = Field(
        default=7, description="保留天数：更早的执行记录会被删除。Days to keep; older executions are removed."
    )
    dry_run: bool = Field(
        default=False, description="true：只显示会删除多少，不删除。Only count what would be removed."
    )


class ImportConfig(BaseModel):
    """The form of `import_tasks`."""

    config_path: str = Field(
        default=_EXPORT,
        description="要导入的任务文件（YAML 或 JSON），放在 exports 目录中；编号相同的任务被替换，其余新增。"
        "The file to import, in the folder exports; tasks with the same id are replaced, others are added.",
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
        "Delete it although others refer to it, and remove it from those.",
    )
    dry_run: bool = Field(default=False, description="true：只显示差异，不改任务文件。Only show the difference.")


class CalendarConfig(BaseModel):
    """The form of `refresh_calendar`."""

    data_source: str = Field(
        default="",
        description="向哪个数据源询问；留空为项目所用的数据源。The source to query; empty means the project's source.",
    )


class ExportConfig(BaseModel):
    """The form of `export_tasks`."""

    output_path: str = Field(
        default=_EXPORT,
        description="导出到 exports 目录中的哪个文件（.yaml、.yml 或 .json）；同名的旧导出会被覆盖，其他文件不会。"
        "The file to write, in the folder exports; an earlier export of that name is replaced, another file is not.",
    )
    format: Form = Field(
        default=Form.by_name,
        description="by_name：按扩展名；yaml：保留注释；json。By the file's extension, YAML with comments, or JSON.",
    )


@dataclass(frozen=True)
class ManagementActions:
    """Callbacks injected from the layers above; each returns a summary for the step's metadata.

    Attributes:
        clean: Removes runs older than a number of days, or counts them (dry run).
        import_file: Imports the tasks of a file into the task file, or shows the difference (dry run).
        export: Writes the task file to a file, as YAML, JSON or (None) by the file's extension.
        delete: Removes a task or group from the task file, by force also where others refer to it, or shows the
            difference (dry run).
        refresh_calendar: Fetches the trading days from a data source; None is the project's source.
        reload: Reloads the definitions in the servers.
    """

    clean: Callable[[Settings, int, bool], Summary]
    import_file: Callable[[Settings, str, bool], Summary]
    export: Callable[[Settings, str, str | None], Summary]
    delete: Callable[[Settings, str, bool, bool], Summary]
    refresh_calendar: Callable[[Settings, str | None], Summary]
    reload: Callable[[], None]


def build_management_jobs(actions: ManagementActions) -> list[dg.JobDefinition]:
    """Return the jobs `cleanup_history`, `import_tasks`, `export_tasks`, `delete_task` and `refresh_calendar`."""
    return [
        _job(
            OwnName.CLEANUP_HISTORY,
            "清理执行历史：删除旧的执行记录、事件、日志和 tick，磁盘空间随之释放；数据表、分区状态和统计不变。\n\n"
            "Removes old runs with their logs and frees disk space; tables, partitions and statistics stay.",
            CleanupConfig,
            lambda settings, config: actions.clean(settings, config.days, config.dry_run),
        ),
        _job(
            OwnName.IMPORT_TASKS,
            "导入任务：把另一个任务文件导入 tasks.yaml：先校验，再备份（tasks.yaml.bak），再写入并重新加载。\n\n"
            "Imports the tasks of another file into tasks.yaml: validated, backed up, written and reloaded.",
            ImportConfig,
            lambda settings, config: actions.import_file(settings, config.config_path, config.dry_run),
        ),
        _job(
            OwnName.EXPORT_TASKS,
            "导出任务：把 tasks.yaml 导出为 YAML 或 JSON；变量按原样写出，不会泄露密钥。\n\n"
            "Exports tasks.yaml as YAML or JSON; variables are not replaced, so no secret is exported.",
            ExportConfig,
            lambda settings, config: actions.export(settings, config.output_path, config.format.to_format()),
        ),
        _job(
            OwnName.DELETE_TASK,
            "删除任务：从 tasks.yaml 中删除一个任务或任务组："
            "先校验，再备份（tasks.yaml.bak），再写入并重新加载；执行历史会保留。\n\n"
            "Removes a task or group from tasks.yaml: validated, backed up, written and reloaded; its history stays.",
            DeleteConfig,
            lambda settings, config: actions.delete(settings, config.task_id, config.force, config.dry_run),
        ),
        _job(
            OwnName.REFRESH_CALENDAR,
            "更新交易日历：向数据源查询已公布的交易日，写入本项目的交易日历；已公布的日期不会被改写，也不会变少。\n\n"
            "Fetches trading days from a data source; published days are not changed or removed.",
            CalendarConfig,
            lambda settings, config: actions.refresh_calendar(settings, config.data_source or None),
        ),
    ]


def build_calendar_schedule() -> dg.ScheduleDefinition:
    """Return the schedule that fetches the trading days: daily near the calendar's end, otherwise weekly."""

    def evaluate(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        if is_simulated(Settings.from_env().source):
            return dg.SkipReason("A simulated market uses the calendar in force; there is nothing to fetch.")
        if due():
            return dg.RunRequest(run_key=f"{OwnName.REFRESH_CALENDAR}:{context.scheduled_execution_time.isoformat()}")
        last = in_force().calendar.last
        return dg.SkipReason(f"The trading days were fetched recently; the calendar ends on {last}.")

    return dg.ScheduleDefinition(
        name=schedule_name(OwnName.REFRESH_CALENDAR),
        job_name=OwnName.REFRESH_CALENDAR,
        cron_schedule=_CALENDAR_CRON,
        execution_timezone="Asia/Shanghai",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Fetches the trading days from a live source",
        execution_fn=evaluate,
    )


def _job(name: str, about: str, form: type[BaseModel], work: Callable[[Settings, Any], Summary]) -> dg.JobDefinition:
    """Return a job of one step with the config `form`; the step has the job's name, as a task's step has."""
    # With `dg.Config` a text may be `{env: NAME}`, and its error message would show the variable's value.
    fields = model_fields(form)

    @dg.op(
        name=op_name(name), description=about, out=dg.Out(dg.Nothing), tags={Tag.SYSTEM: "true"}, config_schema=fields
    )
    def step(context: dg.OpExecutionContext) -> Iterator[Any]:
        try:
            summary = work(Settings.from_env(), form.model_validate(context.op_config))
        except MyStocksError as error:
            raise dg.Failure(f"{name}: {error}", allow_retries=False) from None
        context.log.info(str(summary.get("message", summary)))
        yield dg.Output(None, metadata=dict(summary))

    return dg.GraphDefinition(
        name=name, description=about, node_defs=[step], dependencies={dg.NodeInvocation(step.name, alias=name): {}}
    ).to_job(description=about, tags={Tag.SYSTEM: "true", MAX_RETRIES_TAG: "0"}, executor_def=dg.in_process_executor)
