"""The schedule of a task or group: its fields and their checks."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from mystocks_dagster.excerpts import near, suggest
from mystocks_dagster.taskfile.cron import canonical, cron_fault
from mystocks_dagster.taskfile.form import FormField
from mystocks_dagster.taskfile.problems import Fault, shorten

#: Accepts 3600, but neither "3600" nor true.
Integer = Annotated[int, Strict()]
#: Accepts true and false, but neither "true" nor 1.
Flag = Annotated[bool, Strict()]

_YEAR = 366 * 24 * 3600
#: Default grace time of a schedule that fires once.
ONCE_GRACE = timedelta(hours=1)
#: The required field of each type of schedule.
NEEDED = {"cron": "cron_expression", "interval": "interval_seconds", "once": "start_time"}
#: Texts that are no misspelt name of a zone: offsets, abbreviations, and cities without a zone of their name.
_NO_SPELLING = re.compile(
    r"|[A-Z]{3,4}|(utc|gmt)?\s*[+-]\s*[0-9]{1,2}(:?[0-9]{2})?|.*(beijing|peking|北京|上海).*", re.I
)
#: Fields that have no effect on a schedule of that type, and are therefore mistakes.
_USELESS = {
    "cron": ("interval_seconds",),
    "interval": ("cron_expression",),
    "once": ("cron_expression", "interval_seconds", "end_time"),
}


class StrictModel(BaseModel):
    """A frozen model in which an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def fault(message: str, hint: str = "", span: tuple[int, int] | None = None) -> PydanticCustomError:
    """Return an error for a validator to raise; its hint and span are kept in the fault."""
    context = {"hint": hint, "span": span, "text": message}
    return PydanticCustomError("task_file", "{text}", context)


def empty_as(empty: Any) -> BeforeValidator:
    """Accept a key without a value as `empty`, as when every entry below it is commented out."""
    return BeforeValidator(lambda value: empty if value is None else value)


def unique(values: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse a list with duplicates."""
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise fault(f"{value!r} is listed twice", "Keep one of them.")
        seen.add(value)
    return values


def cross_field(fault: Fault) -> PydanticCustomError:
    """Return the error of fields that contradict each other; the reader of files reports these with their places."""
    return PydanticCustomError("cross_field", "{text}", {"text": f"{fault.message}. {fault.hint}"})


def _cron(expression: str) -> str:
    if problem := cron_fault(expression):
        raise fault(problem.message, problem.hint, (problem.offset, problem.length))
    return canonical(expression)


def _timezone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # OSError: a folder of zones, such as Asia
        hint = "Write Asia/Shanghai, or a name such as America/New_York."
        # What is spelt alike may be hours away: UTC for UTC+8, UCT for CST, Asia/Brunei for Asia/Beijing.
        if not _NO_SPELLING.fullmatch(name.strip()) and near(name, available_timezones()):
            hint = suggest(name, sorted(available_timezones()))
        raise fault(f"unknown time zone {name!r}", hint) from None
    return name


class Schedule(StrictModel):
    """When a task or group starts by itself."""

    schedule_type: Annotated[
        Literal["cron", "interval", "once"],
        FormField(
            "调度类型",
            "Schedule type",
            choices={"cron": ("Cron", "Cron"), "interval": ("固定间隔", "Interval"), "once": ("一次性", "Once")},
        ),
    ] = Field(
        description="`cron`: at the times of `cron_expression`; `interval`: every `interval_seconds`; "
        "`once`: exactly once, at `start_time`.",
        examples=["cron"],
    )
    enabled: Annotated[Flag, FormField("启用调度", "Schedule enabled")] = Field(
        default=True,
        description="true: on, without a click in the UI; false: present but off. A switch that a person has turned "
        "in the UI overrides it until it is reset.",
    )
    cron_expression: Annotated[
        Annotated[str, AfterValidator(_cron)] | None,
        FormField(
            "Cron 表达式",
            "Cron expression",
            help=(
                "分 时 日 月 周；1-5 是周一至周五，例如 30 16 * * 1-5",
                "Minute, hour, day, month, weekday; 1-5 is Monday to Friday",
            ),
        ),
    ] = Field(
        default=None,
        description="Five fields: minute hour day-of-month month day-of-week. Monday is 1, so `1-5` is Monday to "
        "Friday; 0 and 7 are Sunday. With a day of month and a day of week it fires when either fits: `0 9 1 * 1` is "
        "the first of the month and every Monday.",
        examples=["30 16 * * 1-5"],
    )
    interval_seconds: Annotated[
        Annotated[Integer, Field(ge=5, le=_YEAR)] | None, FormField("间隔（秒）", "Interval (seconds)")
    ] = Field(
        default=None,
        description="Seconds between two starts, at least 5; counted from `start_time`, else from the first load of "
        "the file.",
        examples=[3600],
    )
    timezone: Annotated[Annotated[str, AfterValidator(_timezone)], FormField("时区", "Time zone")] = Field(
        default="Asia/Shanghai",
        description="Time zone of `cron_expression`, and of times without an offset.",
        examples=["Asia/Shanghai"],
    )
    start_time: Annotated[
        datetime | None,
        FormField("开始时间", "Start time", help=("例如 2026-10-19T09:00:00", "For example 2026-10-19T09:00:00")),
    ] = Field(
        default=None,
        description="`once`: when to run. Otherwise: not before. Without an offset it is in `timezone`.",
        examples=["2026-10-19T09:00:00"],
    )
    end_time: Annotated[datetime | None, FormField("结束时间", "End time")] = Field(
        default=None, description="Not after. Without an offset it is in `timezone`.", examples=["2026-12-31T23:59:59"]
    )
    trading_days_only: Annotated[Flag, FormField("仅交易日", "Trading days only")] = Field(
        default=False, description="Skip the days on which Shanghai does not trade; the UI shows the reason."
    )
    misfire: Annotated[
        Literal["latest", "skip", "all"],
        FormField(
            "错过的启动",
            "Missed starts",
            choices={
                "latest": ("补跑最近一次", "Run the latest one"),
                "skip": ("跳过", "Skip"),
                "all": ("全部补跑", "Run all"),
            },
        ),
    ] = Field(
        default="latest",
        description="What happens to starts that were due while no daemon was running: run the `latest`, `skip` "
        "them, or run `all`, trading day by trading day. A start that a slow daemon reaches late runs in any case; "
        "one that was due while the schedule was off does not.",
    )
    misfire_grace_time: Annotated[
        Annotated[Integer, Field(ge=1, le=_YEAR)] | None, FormField("错过的宽限（秒）", "Grace time (seconds)")
    ] = Field(
        default=None,
        description="A start missed by more than these seconds, because no daemon was running, is not made up for. "
        "Default: no limit; one hour for `once`.",
        examples=[3600],
    )

    @property
    def grace(self) -> timedelta | None:
        """How late a missed start may still be made up for; None for no limit."""
        if self.misfire_grace_time is not None:
            return timedelta(seconds=self.misfire_grace_time)
        return ONCE_GRACE if self.schedule_type == "once" else None

    @field_validator("start_time", "end_time", mode="before")
    @classmethod
    def _moment(cls, value: Any, info: ValidationInfo) -> Any:
        return None if value is None else _parsed(value, info.data.get("timezone", "Asia/Shanghai"))

    @model_validator(mode="after")
    def _fits_together(self) -> "Schedule":
        for problem in schedule_faults(self.__dict__):
            raise cross_field(problem)
        return self


def schedule_faults(values: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield what does not fit together in a schedule; `values` may be wrong in other ways too."""
    kind = values.get("schedule_type")
    if not isinstance(kind, str) or kind not in NEEDED:
        return
    needed = NEEDED[kind]
    if values.get(needed) is None:
        yield Fault(
            ("schedule_type",), f"schedule_type {kind} needs {needed}", f"Add {needed}, such as {_EXAMPLES[needed]}."
        )
    for name in _USELESS[kind]:
        if values.get(name) is not None:
            yield Fault(
                (name,),
                f"{name} has no effect with schedule_type {kind}",
                "Remove it, or change schedule_type.",
                at_key=True,
            )
    start, end = (_moment(values.get(name), values.get("timezone")) for name in ("start_time", "end_time"))
    if kind != "once" and start and end and end <= start:
        yield Fault(
            ("end_time",),
            f"end_time {end.isoformat()} is not after start_time {start.isoformat()}",
            "This would never fire.",
        )


_EXAMPLES = {"cron_expression": '"30 16 * * 1-5"', "interval_seconds": "3600", "start_time": '"2026-10-19T09:00:00"'}
_HINT = "Write date and time, such as 2026-10-19T09:00:00 or 2026-10-19T09:00:00+08:00."


def _parsed(value: Any, timezone: str) -> datetime:
    """Return an aware datetime; one without an offset is in `timezone`."""
    if isinstance(value, datetime):
        moment = value
    elif not isinstance(value, str):
        raise fault(f"must be a date and time, found {shorten(value)}", _HINT)
    elif re.fullmatch(r"\s*\d{1,2}:\d{2}(:\d{2})?.*", value):
        raise fault(f"a time without a date: {shorten(value)}", _HINT)
    elif re.fullmatch(r"\s*\d{4}-?\d{2}-?\d{2}\s*", value):
        raise fault(f"a date without a time: {shorten(value)}", _HINT)
    else:
        try:
            moment = datetime.fromisoformat(value.strip())
        except ValueError:
            raise fault(f"this is not a date and time: {shorten(value)}", _HINT) from None
    if not 2000 <= moment.year <= 2100:
        raise fault(f"year {moment.year} is out of range (2000-2100)", "Check the year.")
    return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(timezone))


def _moment(value: Any, timezone: Any) -> datetime | None:
    """Return the moment, or None when it is invalid, which the field's own validator reports."""
    try:
        return _parsed(value, _timezone(timezone or "Asia/Shanghai"))
    except (PydanticCustomError, TypeError):
        return None
