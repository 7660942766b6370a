"""Field types of tasks and groups: ids, lists of names, priorities, and choices with their labels."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from mystocks_dagster.excerpts import suggest
from mystocks_dagster.market.publication import Publication
from mystocks_dagster.taskfile import names
from mystocks_dagster.taskfile.form import Words
from mystocks_dagster.taskfile.schedule import Integer, empty_as, fault, unique

PriorityName = Literal["critical", "high", "normal", "low", "batch"]
PRIORITIES: Mapping[str, int] = {"critical": 100, "high": 200, "normal": 500, "low": 800, "batch": 900}
TaskType = Literal["cron", "supervisor", "manual", "data_sync", "indicator_calc", "market_fetch"]
#: Their labels on the pages.
TASK_TYPES: Mapping[str, Words] = {
    "cron": ("定时任务", "Scheduled"),
    "supervisor": ("常驻任务", "Supervisor"),
    "manual": ("手动任务", "Manual"),
    "data_sync": ("数据同步", "Data sync"),
    "indicator_calc": ("指标计算", "Indicators"),
    "market_fetch": ("市场数据", "Market data"),
}
EXECUTION_MODES: Mapping[str, Words] = {
    "sequential": ("顺序执行", "Sequential"),
    "parallel": ("并行执行", "Parallel"),
}


def _id(value: str) -> str:
    if reason := names.id_fault(value):
        raise fault(f"{value!r} cannot be an id: {reason}", "Choose another id, such as my_task.")
    return value


def _priority(value: Any) -> Any:
    if isinstance(value, str):
        if value not in PRIORITIES:
            hint = f"{suggest(value, PRIORITIES)} Or a number from 1 (first) to 999 (last)."
            raise fault(f"unknown priority {value!r}", hint)
        return PRIORITIES[value]
    return value


def _availability(value: str) -> str:
    try:
        return str(Publication.parse(value))
    except ValueError as error:
        raise fault(str(error), 'Write hours and minutes in quotes, such as "17:30" or "+1 09:00".') from None


Availability = Annotated[str, AfterValidator(_availability)]
Id = Annotated[str, AfterValidator(_id), Field(json_schema_extra={"pattern": names.ID_PATTERN})]
Texts = Annotated[tuple[str, ...], empty_as(()), AfterValidator(unique)]
Priority = Annotated[
    Integer, Field(ge=1, le=999), BeforeValidator(_priority, json_schema_input_type=int | PriorityName)
]
