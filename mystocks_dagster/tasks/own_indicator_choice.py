"""An entry of `indicators:` that names an indicator in Python, from `indicators/` beside tasks.yaml."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, GetJsonSchemaHandler, ValidationInfo, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from mystocks_dagster.excerpts import suggest
from mystocks_dagster.market.catalogue.calculation import Calculation
from mystocks_dagster.market.catalogue.registry import NAMES
from mystocks_dagster.strategies.definition import Definition
from mystocks_dagster.strategies.lookback import window_fault
from mystocks_dagster.strategies.own_indicators import as_formula, column_of, own_indicators
from mystocks_dagster.taskfile.problems import shorten
from mystocks_dagster.taskfile.schedule import fault
from mystocks_dagster.tasks.located_faults import located

#: Names of the catalogue are in capitals, so that an editor can tell both apart.
_SMALL = r"^[a-z][a-z0-9_]{0,39}$"


def _small(name: str, info: ValidationInfo) -> str:
    if not re.fullmatch(_SMALL, name):
        hint = "Write a small letter, then small letters, digits or _, 40 at most."
        raise fault(f"{info.field_name} cannot be {shorten(name)}", hint)
    return name


class OwnChoice(BaseModel):
    """An indicator in Python: its name, or its name with parameters. Its columns are `<label>_<output>`."""

    model_config = ConfigDict(frozen=True, extra="allow")

    name: Annotated[str, AfterValidator(_small), Field(json_schema_extra={"pattern": _SMALL})]
    label: Annotated[
        Annotated[str, AfterValidator(_small), Field(json_schema_extra={"pattern": _SMALL})] | None,
        Field(description="Begins the columns; empty means the name."),
    ] = None

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Return the schema for editors: a name in small letters, unlike all others, or a mapping."""
        mapping = handler.resolve_ref_schema(handler(schema))
        alone = {"type": "string", "pattern": _SMALL}
        about = mapping.pop("description", "")
        return {"description": about, "anyOf": [alone, dict(mapping)]}

    @model_validator(mode="before")
    @classmethod
    def _accept_a_name(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _has_valid_parameters(self) -> Self:
        definition = own_indicators()[self.name]
        given = self.__pydantic_extra__ or {}
        if unknown := [key for key in given if key not in definition.fields]:
            hint = suggest(unknown[0], [*definition.fields, "label"])
            error = fault(f"the indicator {self.name} has no parameter {unknown[0]!r}", hint)
            raise located(error, (unknown[0],), given[unknown[0]])
        if self.name.upper() in NAMES:
            raise fault(f"{self.name} is an indicator of the catalogue", f"Rename the function in {definition.place}.")
        definition.model.model_validate(given)
        if found := window_fault(definition.lookback, self.params, least=1):
            name, message = found
            raise located(fault(message, "Write 1 or more."), (name if name in given else "name",), given.get(name))
        return self

    @property
    def definition(self) -> Definition:
        """The indicator that it names."""
        return own_indicators()[self.name]

    @property
    def params(self) -> dict[str, Any]:
        """The values of the indicator's parameters."""
        model = self.definition.model.model_validate(self.__pydantic_extra__ or {})
        return {name: getattr(model, name) for name in self.definition.fields}

    def calculations(self) -> tuple[Calculation, ...]:
        """Return what the entry asks for."""
        definition, params = self.definition, self.params
        columns = {output.upper(): column_of(definition, output, self.label or "") for output in definition.outputs}
        values = ", ".join(f"{name}={value!r}" for name, value in params.items())
        text = f"{definition.name}({values}): {definition.summary}"
        return (
            Calculation(
                name=(self.label or self.name).upper(),
                formula=as_formula(definition, params),
                text=text,
                columns=columns,
                unit="as its docstring says",
            ),
        )


def is_own(value: Any) -> bool:
    """Return whether an entry names an indicator in Python."""
    if isinstance(value, OwnChoice):
        return True
    name = value.get("name") if isinstance(value, Mapping) and not {"formula", "file"} & {*value} else value
    return isinstance(name, str) and name not in NAMES and name in own_indicators()
