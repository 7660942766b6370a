"""The strategies that a task chooses in tasks.yaml: names, or names with parameters and a label."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, ValidationError
from pydantic_core import InitErrorDetails

from mystocks_dagster.errors import InvalidParams
from mystocks_dagster.excerpts import suggest, with_remedy
from mystocks_dagster.strategies.definition import RESERVED, Definition
from mystocks_dagster.strategies.lookback import window_fault
from mystocks_dagster.strategies.registry import find, strategies, unknown
from mystocks_dagster.taskfile.problems import shorten
from mystocks_dagster.taskfile.pydantic_errors import faults
from mystocks_dagster.taskfile.schedule import fault

#: What may follow the name of a strategy in a label.
_LABEL = re.compile(r"_[a-z0-9_]{1,40}")


@dataclass(frozen=True)
class Choice:
    """A strategy with the values of its parameters.

    Attributes:
        label: The value of `strategy` in the table `signals`.
        definition: The strategy.
        params: The values of all its parameters.
    """

    label: str
    definition: Definition
    params: Mapping[str, Any]

    @property
    def bars_needed(self) -> int | None:
        """The number of earlier bars that decide about a signal; None means all."""
        return self.definition.bars_needed(self.params)

    @property
    def version(self) -> str:
        """A hash that changes with the strategy's file and with the values of its parameters."""
        return self.definition.version(self.params)

    def __str__(self) -> str:
        """Return label, strategy and parameters, with the version of the file: equal texts give equal signals."""
        values = ", ".join(f"{name}={value!r}" for name, value in self.params.items())
        return f"{self.label}: {self.definition.name}({values}) {self.version}"


def choice_of(entry: str | Mapping[str, Any]) -> Choice:
    """Return the choice of one valid entry.

    Raises:
        UnknownName: There is no such strategy any more.
    """
    values = {"name": entry} if isinstance(entry, str) else dict(entry)
    definition = find(values["name"])
    label = values.get("label") or definition.name
    model = definition.model.model_validate({name: value for name, value in values.items() if name not in RESERVED})
    return Choice(label, definition, {name: getattr(model, name) for name in type(model).model_fields})


def params_of(definition: Definition, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of all parameters of a strategy or an indicator, those not given by their defaults.

    Raises:
        InvalidParams: One has no value, is unknown or cannot have its value; the message says what to write.
    """
    fields, name = definition.model.model_fields, definition.name
    if missing := [field for field, info in fields.items() if info.is_required() and field not in given]:
        options = " ".join(f"-p {field}=VALUE" for field in missing)
        raise InvalidParams(
            f"{name} needs a value of {', '.join(missing)}: add {options}, see `mystocks strategies show {name}`."
        )
    if others := [key for key in given if key not in fields]:
        hint = suggest(others[0], fields) if fields else "It has no parameters."
        raise InvalidParams(with_remedy(f"{name} takes no parameter {others[0]!r}", hint))
    try:
        model = definition.model.model_validate(given)
    except ValidationError as error:
        found = next(faults(error, definition.model, given))
        raise InvalidParams(f"{name}: {with_remedy(found.message, found.hint)}") from None
    return {field: getattr(model, field) for field in fields}


def label_fault(label: str) -> str:
    """Return why no signals can be stored under a label; empty when they can."""
    known = strategies()
    if label in known or any(label.startswith(name) and _LABEL.fullmatch(label[len(name) :]) for name in known):
        return ""
    message, hint = unknown(label)
    return f"{message}. {hint}".strip()


def _check_entry(entry: Any) -> Any:
    """Check one entry; every fault has its place within the entry.

    Raises:
        ValidationError: The entry has faults.
    """
    values = {"name": entry} if isinstance(entry, str) else entry
    if not isinstance(values, Mapping):
        raise fault(f"a strategy cannot be {shorten(entry)}", "Write its name, or {name: NAME, PARAMETER: VALUE}.")
    name = values.get("name")
    if not isinstance(name, str):
        raise fault("a strategy has no name", "Write {name: NAME, PARAMETER: VALUE}.")
    if name not in (known := strategies()):
        raise _at(() if isinstance(entry, str) else ("name",), *unknown(name), name)
    definition = known[name]
    for key in values:
        if key not in RESERVED and key not in definition.fields:
            parameters = list(definition.fields)
            hint = suggest(str(key), [*parameters, "label"]) if parameters else "It has no parameters."
            if key == "file" and "buy" in parameters:
                hint = "A formula may be a file: write buy: formulas/mine.txt."
            raise _at((key,), f"the strategy {name} has no parameter {key!r}", hint, key)
    model = definition.model.model_validate({key: value for key, value in values.items() if key not in RESERVED})
    if found := window_fault(definition.lookback, model.model_dump(), least=0):
        raise _at((found[0],), found[1], "Write a larger number.", values.get(found[0]))
    _check_label(values.get("label"), name)
    return entry


def _check_label(label: Any, name: str) -> None:
    if label is None:
        return
    if not isinstance(label, str) or not label.startswith(name) or not _LABEL.fullmatch(label[len(name) :]):
        hint = f"It begins with the strategy's name and goes on in small letters, digits or _: {name}_2."
        raise _at(("label",), f"the label {shorten(label)} is not valid", hint, label)


def _check_labels(entries: list[Any]) -> list[Any]:
    labels: dict[str, int] = {}
    for index, entry in enumerate(entries):
        label = entry if isinstance(entry, str) else entry.get("label") or entry["name"]
        if label in labels and entry != entries[labels[label]]:
            hint = f"Give this one a label of its own, such as label: {label}_2."
            raise _at((index,), f"two strategies have the label {label!r}", hint, entry)
        labels.setdefault(label, index)
    return entries


def _at(path: Sequence[str | int], message: str, hint: str, value: Any) -> ValidationError:
    error = InitErrorDetails(type=fault(message, hint), loc=tuple(path), input=value)
    return ValidationError.from_exception_data("strategies", [error])


#: Entries of `strategies` in tasks.yaml. The type is plain, because the names are known only at run time.
Entries = Annotated[list[Annotated[str | dict[str, Any], BeforeValidator(_check_entry)]], AfterValidator(_check_labels)]
