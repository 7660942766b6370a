"""Parameter types that several tasks share."""

from datetime import date
from pathlib import PurePath
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, model_validator

from mystocks_dagster.days import day_or_none
from mystocks_dagster.errors import InvalidParams
from mystocks_dagster.source_choice import source_choices, split_sources
from mystocks_dagster.sources.preference import choice_fault

if TYPE_CHECKING:
    _Source = str
else:  # the names are known only at run time
    _Source = Literal[source_choices()]


def _read_sources(value: Any) -> Any:
    """Return a choice of sources as a name or a list of names; other values are refused by the type."""
    if isinstance(value, str):
        names = list(split_sources(value))
        return names if len(names) > 1 else (names[0] if names else None)
    return None if value == [] else value


def _check_sources(value: str | list[str]) -> str | list[str]:
    if isinstance(value, list) and (fault := choice_fault(value)):
        raise ValueError(str(fault))
    return value


def _form(value: Any) -> str:
    return "several" if isinstance(value, list | tuple) else "single"


#: A `data_source`: a name, or several in order of preference; None means MYSTOCKS_SOURCE, else akshare.
SourceName = Annotated[
    Annotated[
        Annotated[_Source, Tag("single")] | Annotated[list[_Source], Tag("several")],
        Discriminator(_form),
        AfterValidator(_check_sources),
    ]
    | None,
    BeforeValidator(_read_sources),
    Field(
        description="Data source, or several in order of preference: the next is asked for what the one before lacks. "
        "`auto` is the order of docs/sources.md. Empty means akshare."
    ),
]
#: A day, or an empty string for none.
Day = Annotated[date | None, BeforeValidator(day_or_none)]


def _normalised(symbols: list[str] | None) -> list[str] | None:
    from mystocks_dagster.market.symbols import normalise_all  # imports polars, which not every task needs

    try:
        return normalise_all(symbols) if symbols else None
    except InvalidParams as error:
        raise ValueError(str(error)) from None


#: Symbols in any common notation; an empty list means None.
Symbols = Annotated[list[str] | None, AfterValidator(_normalised)]


class NamesFiles:
    """Marks a parameter whose value names files or folders of the machine."""


#: A file or folder, relative to the project's root. Only trusted callers may give it: REST, the pages and assistants
#: may neither start a task with another value nor write one.
FilePath = Annotated[str, NamesFiles()]


def params_naming_files(model: type[BaseModel]) -> tuple[str, ...]:
    """Return the parameters of a model that name files: a `FilePath` or a `pathlib.Path` is anywhere in their type."""
    fields = model.model_fields.items()
    return tuple(name for name, info in fields if any(map(_is_file, (*info.metadata, info.annotation))))


def _is_file(kind: Any) -> bool:
    if isinstance(kind, NamesFiles):
        return True
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return bool(params_naming_files(kind))
    if isinstance(kind, type) and issubclass(kind, PurePath):
        return True
    return any(map(_is_file, (*get_args(kind), *getattr(kind, "__metadata__", ()))))


class TaskParams(BaseModel):
    """Base of task parameters: frozen, and an unknown name is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class WindowParams(TaskParams):
    """Base of task parameters with a `start_date` and an `end_date`."""

    if TYPE_CHECKING:  # subclasses declare them, each with its description
        start_date: Day
        end_date: Day

    @model_validator(mode="after")
    def _is_in_order(self) -> Self:
        if self.start_date and self.end_date and self.start_date > self.end_date:
            raise ValueError(f"start_date {self.start_date} is after end_date {self.end_date}")
        return self
