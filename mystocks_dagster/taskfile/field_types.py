"""Field types of tasks and groups: ids, names and texts, priorities, and choices with their labels."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

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

#: Characters that steer a terminal, turn the direction of writing or end a line, and of these what a text may have.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_OF_TEXTS = "\t\n\r"


def _line(value: str, info: ValidationInfo) -> str:
    return _without_control(value.removesuffix("\n"), info, "")  # a text after `>` ends with its line


def _text(value: str, info: ValidationInfo) -> str:
    return _without_control(value, info, _OF_TEXTS)


def _without_control(value: str, info: ValidationInfo, allowed: str) -> str:
    for found in _CONTROL.finditer(value):
        if found[0] not in allowed:
            message = f"{info.field_name} contains the control character U+{ord(found[0]):04X}"
            hint = "Remove it." if allowed else "Remove it; this text is one line."
            raise fault(message, hint, (found.start(), 1))
    return value


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
#: A name that is shown in lists, tables and terminals.
Line = Annotated[str, AfterValidator(_line)]
#: A description, which may have several lines.
Text = Annotated[str, AfterValidator(_text)]
Labels = Annotated[tuple[Line, ...], empty_as(()), AfterValidator(unique)]
Texts = Annotated[tuple[str, ...], empty_as(()), AfterValidator(unique)]
Priority = Annotated[
    Integer, Field(ge=1, le=999), BeforeValidator(_priority, json_schema_input_type=int | PriorityName)
]
