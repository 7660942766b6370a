"""The form of a task or group: entries of the task file to text fields and back."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mystocks_dagster.taskfile.form import FormField, Kind, form_fields
from mystocks_dagster.taskfile.group import Group
from mystocks_dagster.taskfile.model import PRIORITIES, Task
from mystocks_dagster.taskfile.problems import Problem, TaskFileError
from mystocks_dagster.taskfile.schedule import NEEDED, Schedule
from mystocks_dagster.taskfile.secrets import to_public, unmask
from mystocks_dagster.taskfile.yaml.document import SECTIONS, with_defaults
from mystocks_dagster.taskfile.yaml.dump import dump, text_of
from mystocks_dagster.taskfile.yaml.scalars import scalar
from mystocks_dagster.taskfile.yaml.source import parse_text

Entry = Mapping[str, Any]
Model = type[Task] | type[Group] | type[Schedule]


@dataclass(frozen=True, kw_only=True)
class Field:
    """A field of the form.

    Attributes:
        name: Path in the entry, such as `schedule.cron_expression`.
        declared: Label, help and choices, as the model declares them.
        fixed: Whether the field is read-only.
        required: Whether the field must be filled in.
    """

    name: str
    declared: FormField
    fixed: bool = False
    required: bool = False

    @property
    def kind(self) -> Kind:
        """The kind of input."""
        return self.declared.kind or "text"

    @property
    def choices(self) -> tuple[str, ...]:
        """The values of a choice; an entry may have no schedule."""
        none = ("",) if self.name == "schedule.schedule_type" else ()
        return (*none, *self.declared.choices)


@dataclass(frozen=True, kw_only=True)
class Part:
    """The fields below a heading."""

    title: str
    fields: tuple[Field, ...]


def parts_of(section: str, *, new: bool) -> tuple[Part, ...]:
    """Return the form of an entry of `tasks` or `task_groups`, as its model declares it."""
    model = Group if section == "task_groups" else Task
    own = tuple(_fields(model, new=new))
    parts = (
        Part(title="section_basic", fields=tuple(field for field in own if not field.declared.advanced)),
        Part(title="section_schedule", fields=tuple(_fields(Schedule, new=new))),
        Part(title="section_advanced", fields=tuple(field for field in own if field.declared.advanced)),
    )
    return tuple(part for part in parts if part.fields)


def _fields(model: Model, *, new: bool) -> Iterator[Field]:
    for name, declared in form_fields(model).items():
        yield Field(
            name=f"schedule.{name}" if model is Schedule else name,
            declared=declared,
            fixed=not new and name in SECTIONS.values(),
            required=model is not Schedule and model.model_fields[name].is_required() and declared.kind != "choice",
        )


def fields_of(parts: Sequence[Part]) -> Iterator[Field]:
    """Yield the fields of a form."""
    for part in parts:
        yield from part.fields


def filled(parts: Sequence[Part], entry: Entry, defaults: Entry) -> dict[str, str]:
    """Return the text of each field for an entry; the text of a set flag is `on`.

    Args:
        parts: The form.
        entry: The entry as the file has it.
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
    """Return the default of each field, from the file or else the model."""
    texts = {}
    for field in fields_of(parts):
        value = _at(defaults, field.name)
        value = _default(field.name) if value is None else value
        texts[field.name] = "" if value is None or value in ("", (), [], {}) else _text(field, value)
    return texts


def entry_of(
    parts: Sequence[Part], texts: Mapping[str, str], old: Entry, defaults: Entry
) -> tuple[dict[str, Any], list[Problem]]:
    """Return the entry of a filled form, and the problems of fields that cannot be read.

    Keys without a field and unreadable fields keep their old value. A value equal to the default is left out unless
    the old entry had it. The lines of problems are those within the field.
    """
    problems: list[Problem] = []
    entry: dict[str, Any] = {key: dict(value) if isinstance(value, dict) else value for key, value in old.items()}
    kind = texts.get("schedule.schedule_type")
    if not kind:
        entry.pop("schedule", None)
    # Fields of the other schedule types: choosing a type removes them.
    unused = {needed for other, needed in NEEDED.items() if other != kind and needed != "start_time"}
    effective = filled(parts, old, defaults)
    for field in fields_of(parts):
        outer, _, inner = field.name.rpartition(".")
        if outer and (not kind or inner in unused):
            entry.get("schedule", {}).pop(inner, None)
            continue
        mapping = entry.setdefault(outer, {}) if outer else entry
        text = texts.get(field.name, "").replace("\r\n", "\n").strip()
        if inner not in mapping and _is_implied(field, text, effective):
            continue
        try:
            _set(mapping, inner, unmask(_value(field, text), mapping.get(inner)))
        except TaskFileError as error:
            problems += error.problems
    return entry, problems


def _is_implied(field: Field, text: str, effective: Mapping[str, str]) -> bool:
    """Return whether a flag or choice equals its default, so that the entry need not state it."""
    if field.kind not in ("flag", "choice") or field.required:
        return False
    return text == effective[field.name] and field.name not in ("schedule.schedule_type", "task_type")


def _set(mapping: dict[str, Any], key: str, value: Any) -> None:
    if value is None:
        mapping.pop(key, None)
    elif value != _plain(mapping.get(key)):
        mapping[key] = value


def field_at(path: str, parts: Sequence[Part]) -> str | None:
    """Return the field of a problem's path, such as `tasks[3].schedule.timezone`; None if the form lacks it."""
    inner = re.sub(r"^(tasks|task_groups)\[\d+\]\.?", "", path)
    names = [field.name for field in fields_of(parts)]
    matches = [name for name in names if inner == name or inner.startswith((f"{name}.", f"{name}["))]
    return matches[0] if matches else ("schedule.schedule_type" if inner == "schedule" else None)


def _value(field: Field, text: str) -> Any:
    """Return the value of a field's text; a text that is not a number stays text, which validation refuses."""
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
            return dump(to_public(value)).strip() if value else ""
        case "names", list() | tuple():
            return ", ".join(str(item) for item in value)
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
    if inner == "task_type":
        return "manual"
    for model in (Schedule,) if outer else (Task, Group):
        if info := model.model_fields.get(inner):
            return None if info.is_required() else info.get_default(call_default_factory=True)
    return None


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
