"""Form declarations of the task file's fields: label, help and choices in both languages."""

import types
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

#: Chinese and English.
Words = tuple[str, str]
Kind = Literal["text", "number", "flag", "choice", "names", "yaml", "area"]


@dataclass(frozen=True)
class FormField:
    """The form texts of one field: `name: Annotated[type, FormField("中文", "English")] = Field(...)`.

    Attributes:
        zh, en: Its label.
        help: What to write there; None when the label is enough.
        advanced: Whether the form shows it under limits and failures instead of the basics.
        choices: Value to label, of a field with fixed values; a value without a label is shown itself.
        kind: Its form control; None to derive it from the type.
    """

    zh: str
    en: str
    help: Words | None = None
    advanced: bool = False
    choices: Mapping[str, Words] = field(default_factory=dict, hash=False)
    kind: Kind | None = None

    @property
    def label(self) -> Words:
        """The label in both languages."""
        return self.zh, self.en


def form_fields(model: type[BaseModel]) -> dict[str, FormField]:
    """Return the form fields of a model, in the model's order, without fields that are models themselves.

    The label of a field that declares none is its name.
    """
    return {
        name: _resolved(name, info)
        for name, info in model.model_fields.items()
        if not _is_model(_plain(info.annotation))
    }


def _resolved(name: str, info: FieldInfo) -> FormField:
    declared = next((item for item in info.metadata if isinstance(item, FormField)), FormField(name, name))
    annotation = _plain(info.annotation)
    values = {value: declared.choices.get(value, (value, value)) for value in _values(annotation)}
    return replace(declared, kind=declared.kind or _kind(annotation), choices=values)


def _kind(annotation: Any) -> Kind:
    if _values(annotation):
        return "choice"
    simple: dict[Any, Kind] = {bool: "flag", int: "number", float: "number", tuple: "names", dict: "yaml"}
    return simple.get(get_origin(annotation) or annotation, "text")


def _values(annotation: Any) -> tuple[str, ...]:
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def _plain(annotation: Any) -> Any:
    """Return the type within `Annotated` and within `X | None`."""
    if get_origin(annotation) is Annotated:
        return _plain(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        present = [item for item in get_args(annotation) if item is not type(None)]
        return _plain(present[0]) if len(present) == 1 else annotation
    return annotation


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
