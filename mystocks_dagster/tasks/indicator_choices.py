"""The entries of `indicators:` in tasks.yaml: a name of the catalogue, one with parameters, a formula, or its file."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    WithJsonSchema,
    create_model,
    model_validator,
)
from pydantic_core import PydanticCustomError

from mystocks_dagster.excerpts import suggest
from mystocks_dagster.market.catalogue.calculation import Calculation, distinct, of_catalogue, shared_column
from mystocks_dagster.market.catalogue.definition import LONGEST, Definition, Parameter
from mystocks_dagster.market.catalogue.registry import CATALOGUE, NAMES, definition
from mystocks_dagster.strategies.own_indicators import indicator_problems, own_indicators
from mystocks_dagster.taskfile.schedule import fault
from mystocks_dagster.tasks.formula_choice import FormulaChoice
from mystocks_dagster.tasks.located_faults import located
from mystocks_dagster.tasks.own_indicator_choice import OwnChoice, is_own

#: Most windows of one entry.
_MOST_WINDOWS = 50
#: Columns that every row of an indicator table has.
_EVERY_ROW = {"symbol", "code", "date", "close_hfq"}
_FORMS = "Write MA, or {name: MA, windows: [5, 250]}."


class CatalogueChoice(BaseModel):
    """Base of the entries that name an indicator of the catalogue with parameters."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str

    @model_validator(mode="before")
    @classmethod
    def _has_known_keys(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and (unknown := [key for key in data if key not in cls.model_fields]):
            names = [key for key in cls.model_fields if key != "name"]
            error = fault(f"{data['name']} has no parameter {unknown[0]!r}", suggest(str(unknown[0]), names))
            raise located(error, (unknown[0],), data[unknown[0]])
        return data

    def calculations(self) -> tuple[Calculation, ...]:
        """Return what the entry asks for."""
        values = self.model_dump(exclude={"name", "windows"})
        return of_catalogue(self.name, values, getattr(self, "windows", ()))


def _catalogue_model(entry: Definition) -> type[CatalogueChoice]:
    names = (entry.name, *entry.aliases)
    fields: dict[str, Any] = {"name": (Literal[names], ...)}  # ty: ignore[invalid-type-form]
    if entry.windows:
        fields["windows"] = (_Windows, Field(default=entry.windows, description="Windows in bars, one column each."))
    for parameter in entry.parameters:
        fields[parameter.name] = _field(parameter)
    title = f"{entry.title}: {entry.about}."
    return create_model(f"{entry.name}Choice", __base__=CatalogueChoice, __doc__=title, **fields)


def _field(parameter: Parameter) -> tuple[Any, Any]:
    kind = int if parameter.whole else float
    about = f"{parameter.about[:1].upper()}{parameter.about[1:]}."
    low, high = kind(parameter.low), kind(parameter.high)
    return kind, Field(default=kind(parameter.default), description=about, strict=True, ge=low, le=high)


def _several(windows: tuple[int, ...]) -> tuple[int, ...]:
    if not windows:
        raise fault("windows is empty", "Write some, such as [5, 10], or leave it out.")
    if len(windows) > _MOST_WINDOWS:
        raise fault(f"{len(windows)} windows are listed; at most {_MOST_WINDOWS} are possible")
    if repeated := [window for window in windows if windows.count(window) > 1]:
        raise fault(f"the window {repeated[0]} is listed twice", "Keep one of them.")
    return windows


def _no_indicator(name: str) -> PydanticCustomError:
    for problem in indicator_problems():
        if problem.message.startswith(f"{name}: "):
            return fault(f"the indicator {name!r} has a problem", f"See {problem}")
    names = [*NAMES, *own_indicators()]
    return fault(f"{name!r} is no indicator", f"{suggest(name, names)} Or give it a formula: or a file:.")


def _known(name: str) -> str:
    if name not in NAMES:
        raise fault(
            f"{name!r} is no indicator",
            f"{suggest(name, [*NAMES, *own_indicators()])} Or give it a formula: or a file:.",
        )
    return name


def _unknown(value: Any) -> Any:
    if not isinstance(value, Mapping):
        raise fault("an indicator is a name, or a mapping with a name", _FORMS)
    name = value.get("name")
    if not isinstance(name, str):
        raise fault("an indicator needs a name", _FORMS)
    error = fault(
        f"{name!r} is no indicator", f"{suggest(name, [*NAMES, *own_indicators()])} Or give it a formula: or a file:."
    )
    raise located(error, ("name",), name)


#: The tags of the forms; no key of an entry looks like one, so that errors have the paths of the file.
_NAME_ONLY, _FORMULA, _OWN, _NEITHER = "=name", "=formula", "=own", "=unknown"


def _form(value: Any) -> str:
    """Return the tag of an entry's form."""
    if is_own(value):
        return _OWN
    if isinstance(value, str):
        return _NAME_ONLY
    if isinstance(value, FormulaChoice) or (isinstance(value, Mapping) and {"formula", "file"} & {*value}):
        return _FORMULA
    name = value.name if isinstance(value, CatalogueChoice) else None
    name = value.get("name") if isinstance(value, Mapping) else name
    return f"={definition(name).name}" if name in NAMES else _NEITHER


_Window = Annotated[int, Field(strict=True, ge=1, le=LONGEST)]
_Windows = Annotated[tuple[_Window, ...], AfterValidator(_several)]
_Name = Annotated[str, AfterValidator(_known), Field(json_schema_extra={"enum": list(NAMES)})]
_Unknown = Annotated[None, BeforeValidator(_unknown), WithJsonSchema({"not": {}})]

if TYPE_CHECKING:
    _Forms = str | CatalogueChoice | FormulaChoice | OwnChoice
else:  # the names are those of the catalogue
    _Forms = Union[
        Annotated[_Name, Tag(_NAME_ONLY)],
        *(Annotated[_catalogue_model(entry), Tag(f"={name}")] for name, entry in CATALOGUE.items()),
        Annotated[FormulaChoice, Tag(_FORMULA)],
        Annotated[OwnChoice, Tag(_OWN)],
        Annotated[_Unknown, Tag(_NEITHER)],
    ]


def calculations(choices: Iterable[Any]) -> tuple[Calculation, ...]:
    """Return what the entries ask for, without repetitions."""
    return distinct(calculation for choice in choices for calculation in _of(choice))


def _of(choice: Any) -> tuple[Calculation, ...]:
    return of_catalogue(choice) if isinstance(choice, str) else choice.calculations()


def _of_the_catalogue(calculation: Calculation) -> tuple[str, str] | None:
    """Return the first column that an indicator of the catalogue can have, with that indicator; None if none has."""
    columns = calculation.columns.values()
    made = ((column, entry.name) for column in columns for entry in CATALOGUE.values() if entry.makes(column))
    return next(made, None)


def _write_different_columns(choices: Sequence[Any]) -> Sequence[Any]:
    """Refuse an entry that would write a column of another one with different values."""
    for index, choice in enumerate(choices):
        for calculation in _of(choice):
            if isinstance(choice, FormulaChoice | OwnChoice) and (reserved := _of_the_catalogue(calculation)):
                column, name = reserved
                error = fault(
                    f"{calculation.name} would write {column}, a column of the catalogue's {name}",
                    "Choose another name.",
                )
                raise located(error, (index, "name"), choice.name)
            if taken := [column for column in calculation.columns.values() if column in _EVERY_ROW]:
                error = fault(f"{calculation.label} would write {taken[0]}, which each row has", "Rename it.")
                raise located(error, (index,), choice)
        if clash := shared_column(calculations(choices[: index + 1])):
            column, first, second = clash
            error = fault(
                f"{second.label} would write the column {column}, as {first.label} does", "Rename one of them."
            )
            raise located(error, (index,), choice)
    return choices


#: The value of `indicators:`.
IndicatorChoices = Annotated[
    list[Annotated[_Forms, Discriminator(_form)]], Field(min_length=1), AfterValidator(_write_different_columns)
]
