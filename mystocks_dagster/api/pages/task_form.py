"""The form of a task or group: from an entry of the task file to text fields, and back."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mystocks_dagster.taskfile.form import FormField, Kind, form_fields
from mystocks_dagster.taskfile.model import PRIORITIES, Group, Task
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
    """One field: `name` is its path in the entry, such as `schedule.cron_expression`; its words come from the model."""

    name: str
    words: FormField
    fixed: bool = False
    required: bool = False

    @property
    def kind(self) -> Kind:
        """How it is edited."""
        return self.words.kind or "text"

    @property
    def choices(self) -> tuple[str, ...]:
        """Its values, where they are words; an entry may have no schedule at all."""
        none = ("",) if self.name == "schedule.schedule_type" else ()
        return (*none, *self.words.choices)


@dataclass(frozen=True, kw_only=True)
class Part:
    """Fields that stand together under a heading."""

    title: str
    fields: tuple[Field, ...]


def parts_of(section: str, *, new: bool) -> tuple[Part, ...]:
    """Return the form of a `tasks` or `task_groups` entry, as its model declares it."""
    model = Group if section == "task_groups" else Task
    own = tuple(_fields(model, new=new))
    parts = (
        Part(title="section_basic", fields=tuple(field for field in own if not field.words.advanced)),
        Part(title="section_schedule", fields=tuple(_fields(Schedule, new=new))),
        Part(title="section_advanced", fields=tuple(field for field in own if field.words.advanced)),
    )
    return tuple(part for part in parts if part.fields)


def _fields(model: Model, *, new: bool) -> Iterator[Field]:
    for name, words in form_fields(model).items():
        yield Field(
            name=f"schedule.{name}" if model is Schedule else name,
            words=words,
            fixed=not new and name in SECTIONS.values(),
            required=model is not Schedule and model.model_fields[name].is_required() and words.kind != "choice",
        )


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
            value = unmask(_value(field, text), place.get(inner))
        except TaskFileError as error:
            problems += error.problems
            continue
        if value is None:
            place.pop(inner, None)
        elif value != _plain(place.get(inner)):
            place[inner] = value
    return entry, problems


def field_at(path: str, parts: Sequence[Part]) -> str | None:
    """Return the field that a problem's path is about, such as `tasks[3].schedule.timezone`; None without one."""
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
            return dump(to_public(value)).strip() if value else ""
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
