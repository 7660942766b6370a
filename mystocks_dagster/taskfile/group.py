"""The model of a task group; the descriptions of its fields are the text of the reference manual."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from mystocks_dagster.taskfile import names
from mystocks_dagster.taskfile.base_entry import Entry, with_name
from mystocks_dagster.taskfile.field_types import EXECUTION_MODES, Id, Line, Text
from mystocks_dagster.taskfile.form import FormField
from mystocks_dagster.taskfile.owner import OWNER_FIELD, Owner
from mystocks_dagster.taskfile.schedule import Flag, Schedule, unique


class Group(Entry):
    """Tasks that run together, as one job."""

    group_id: Annotated[Id, FormField("任务组编号", "Group ID")] = Field(
        description="The key of the group; unique over tasks and groups.", examples=["daily_job"]
    )
    group_name: Annotated[Line, FormField("任务组名称", "Name")] = Field(
        default="", description="Shown in the UI, in any language. Default: the id.", examples=["每日数据处理任务组"]
    )
    description: Annotated[Text, FormField("说明", "Description", kind="area")] = Field(
        default="", description="What it is for, for people."
    )
    owner: Annotated[Owner, OWNER_FIELD] = Field(
        default="",
        description="Who is responsible for it: a name, a team or an e-mail address; its tasks have their own owners.",
        examples=["team:data"],
    )
    tasks: Annotated[
        Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(unique)],
        FormField("任务", "Tasks", help=("任务编号，用逗号分隔，按运行顺序", "Task IDs separated by commas, in order")),
    ] = Field(
        description="Ids of its tasks, in order; their dependencies run too.",
        examples=[["daily_data_sync", "calc_technical_indicators"]],
    )
    execution_mode: Annotated[
        Literal["sequential", "parallel"], FormField("执行方式", "Execution mode", choices=EXECUTION_MODES)
    ] = Field(default="sequential", description="One after the other as listed, or side by side.")
    enabled: Annotated[Flag, FormField("启用", "Enabled")] = Field(
        default=True,
        description="false: it runs neither by its schedule nor by hand, unless it is forced or switched on.",
    )
    schedule: Schedule | None = Field(default=None, description="When the group starts by itself; see below.")

    @model_validator(mode="before")
    @classmethod
    def _named(cls, values: Any) -> Any:
        return with_name(values, "group_name", "group_id")

    @property
    def dagster_name(self) -> str:
        """The id as Dagster shows it."""
        return names.dagster_name(self.group_id)

    @property
    def active(self) -> bool:
        """Whether it is enabled in the file: the group itself and, where there is one, its schedule."""
        return self.enabled and (self.schedule is None or self.schedule.enabled)
