"""The form of a task or group: from an entry of the task file to text fields, and back."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mystocks_dagster.api.pages.translations import has_text
from mystocks_dagster.taskfile.model import PRIORITIES, Group, Task
from mystocks_dagster.taskfile.problems import Problem, TaskFileError
from mystocks_dagster.taskfile.schedule import NEEDED, Schedule
from mystocks_dagster.taskfile.secrets import restored, shown
from mystocks_dagster.taskfile.yaml.document import with_defaults
from mystocks_dagster.taskfile.yaml.dump import dump, text_of
from mystocks_dagster.taskfile.yaml.scalars import scalar
from mystocks_dagster.taskfile.yaml.source import parse_text

Kind = Literal["text", "number", "flag", "choice", "names", "yaml", "area"]
Entry = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Field:
    """One field: `name` is its path in the entry, such as `schedule.cron_expression`."""

    name: str
    kind: Kind = "text"
    choices: tuple[str, ...] = ()
    fixed: bool = False
    required: bool = False

    @property
    def help(self) -> str | None:
        """The key of its help text; None when its label says enough."""
        return f"help.{self.name}" if has_text(f"help.{self.name}") else None

    @property
    def label(self) -> str:
        """The key of its label."""
        return "group_tasks" if self.name == "tasks" else self.name


@dataclass(frozen=True, kw_only=True)
class Part:
    """Fields that stand together under a heading; `closed` ones are folded."""

    title: str
    fields: tuple[Field, ...]
    closed: bool = False


_SCHEDULE = (
    Field(name="schedule.schedule_type", kind="choice", choices=("", "cron", "interval", "once")),
    Field(name="schedule.cron_expression"),
    Field(name="schedule.interval_seconds", kind="number"),
    Field(name="schedule.start_time"),
    Field(name="schedule.end_time"),
    Field(name="schedule.timezone"),
    Field(name="schedule.trading_days_only", kind="flag"),
    Field(name="schedule.misfire", kind="choice", choices=("latest", "skip", "all")),
    Field(name="schedule.misfire_grace_time", kind="number"),
    Field(name="schedule.enabled", kind="flag"),
)
_TYPES = ("cron", "data_sync", "indicator_calc", "market_fetch", "manual", "supervisor")


def parts_of(section: str, *, new: bool) -> tuple[Part, ...]:
    """Return the form of a `tasks` or `task_groups` entry."""
    schedule = Part(title="section_schedule", fields=_SCHEDULE)
    if section == "task_groups":
        about = (
            Field(name="group_id", fixed=not new, required=True),
            Field(name="group_name"),
            Field(name="tasks", kind="names", required=True),
            Field(name="execution_mode", kind="choice", choices=("sequential", "parallel")),
            Field(name="description", kind="area"),
            Field(name="owner"),
            Field(name="enabled", kind="flag"),
        )
        return (Part(title="section_basic", fields=about), schedule)
    about = (
        Field(name="task_id", fixed=not new, required=True),
        Field(name="task_name"),
        Field(name="task_type", kind="choice", choices=_TYPES),
        Field(name="task_module", required=True),
        Field(name="task_function", required=True),
        Field(name="description", kind="area"),
        Field(name="owner"),
        Field(name="params", kind="yaml"),
        Field(name="tags", kind="names"),
        Field(name="enabled", kind="flag"),
    )
    limits = (
        Field(name="priority"),
        Field(name="dependencies", kind="names"),
        Field(name="timeout", kind="number"),
        Field(name="retry_count", kind="number"),
        Field(name="retry_delay", kind="number"),
        Field(name="max_instances", kind="number"),
        Field(name="auto_restart", kind="flag"),
        Field(name="stop_on_error", kind="flag"),
        Field(name="log_level", kind="choice", choices=("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")),
    )
    return (Part(title="section_basic", fields=about), schedule, Part(title="section_advanced", fields=limits))


def fields_of(parts: Sequence[Part]) -> Iterator[Field]:
    """Yield all fields of a form."""
    for part in parts:
        yield from part.fields


def filled(parts: Sequence[Part], entry: Entry, defaults: Entry) -> dict[str, str]:
    """Return the text of each field for an entry as it is written; a flag that is set is `on`.

    Args:
        parts: The form.
        entry: The entry.
        defaults: The file's `defaults`.
    """
    effective = with_defaults(defaults, entry)
    texts = {}
    for field in fields_of(parts):
        value = _at(effective if field.kind in ("flag", "choice") else entry, field.name)
        if value is None and field.kind in ("flag", "choice"):
            value = _default(field.name)
        texts[field.name] = _text(field, value)
    return texts


def placeholders(parts: Sequence[Part], defaults: Entry) -> dict[str, str]:
    """Return what an empty field stands for: the file's default, else the model's."""
    found = {}
    for field in fields_of(parts):
        value = _at(defaults, field.name)
        value = _default(field.name) if value is None else value
        found[field.name] = "" if value is None or value in ("", (), [], {}) else _text(field, value)
    return found


def entry_of(
    parts: Sequence[Part], texts: Mapping[str, str], old: Entry, defaults: Entry
) -> tuple[dict[str, Any], list[Problem]]:
    """Return the entry that a filled form stands for, and what is wrong with fields that cannot be read.

    What the form does not know stays as it was, and so does what cannot be read; what says the same as the defaults is
    left
    out unless the entry had it. The lines of problems are those of the field.
    """
    problems: list[Problem] = []
    entry: dict[str, Any] = {key: dict(value) if isinstance(value, dict) else value for key, value in old.items()}
    scheduled = bool(texts.get("schedule.schedule_type"))
    if not scheduled:
        entry.pop("schedule", None)
    kind = texts.get("schedule.schedule_type")
    # What the other types live by: choosing a type is choosing to be rid of it.
    useless = {needed for other, needed in NEEDED.items() if other != kind and needed != "start_time"}
    effective = filled(parts, old, defaults)
    for field in fields_of(parts):
        outer, _, inner = field.name.rpartition(".")
        if outer and (not scheduled or inner in useless):
            entry.get("schedule", {}).pop(inner, None)
            continue
        place = entry.setdefault(outer, {}) if outer else entry
        text = texts.get(field.name, "").replace("\r\n", "\n").strip()
        quiet = (
            field.kind in ("flag", "choice")
            and not field.required
            and inner not in place
            and text == effective[field.name]
        )
        if quiet and inner not in ("schedule_type", "task_type"):
            continue
        try:
            value = restored(_value(field, text), place.get(inner))
        except TaskFileError as error:
            problems += error.problems
            continue
        if value is None:
            place.pop(inner, None)
        elif value != _plain(place.get(inner)):
            place[inner] = value
    return entry, problems


def field_at(path: str, parts: Sequence[Part]) -> str | None:
    """Return the field that a problem's path is about, such as `tasks[3].schedule.cron_expression`; None when none is."""
    inner = re.sub(r"^(tasks|task_groups)\[\d+\]\.?", "", path)
    names = [field.name for field in fields_of(parts)]
    found = [name for name in names if inner == name or inner.startswith((f"{name}.", f"{name}["))]
    return found[0] if found else ("schedule.schedule_type" if inner == "schedule" else None)


def _value(field: Field, text: str) -> Any:
    """Return what the text of a field stands for; text that is no number stays text, for the reader to refuse."""
    match field.kind:
        case "flag":
            return text == "on"
        case "names":
            return [name for name in re.split(r"[,，\s]+", text) if name] or None
        case "yaml":
            return _mapping(text, field.name) if text else None
        case "number":
            return scalar(text) if text else None
    if field.name == "priority" and text not in PRIORITIES:
        return scalar(text) if text else None
    return text or None


def _mapping(text: str, name: str) -> dict[str, Any]:
    source = parse_text(text, name)
    if source.faults:
        raise TaskFileError([source.problem(fault) for fault in source.faults], source.lines)
    return source.data


def _text(field: Field, value: Any) -> str:
    match field.kind, value:
        case "flag", _:
            return "on" if value is True else ""
        case _, None:
            return ""
        case "yaml", dict():
            return dump(shown(value)).strip() if value else ""
        case "names", list() | tuple():
            return ", ".join(str(one) for one in value)
        case _, str():
            return value
    return text_of(value)


def _at(entry: Entry, name: str) -> Any:
    value: Any = entry
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _default(name: str) -> Any:
    """Return the model's default of a field."""
    outer, _, inner = name.rpartition(".")
    models = (Schedule,) if outer else (Task, Group)
    for model in models:
        if inner == "task_type":
            return "manual"
        if inner in model.model_fields:
            info = model.model_fields[inner]
            return None if info.is_required() else info.get_default(call_default_factory=True)
    return None


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
