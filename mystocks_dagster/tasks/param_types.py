"""Parameter types that several tasks share."""

from datetime import date
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from mystocks_dagster.errors import InvalidParams
from mystocks_dagster.settings import source_names

if TYPE_CHECKING:
    _Source = str
else:  # the names are known only at run time
    _Source = Literal[source_names()]
#: A `data_source`; None means MYSTOCKS_SOURCE, else akshare.
SourceName = Annotated[_Source | None, Field(description="Data source; empty means akshare.")]
#: A day, or an empty string for none.
Day = Annotated[date | None, BeforeValidator(lambda value: value or None)]


def _normalised(symbols: list[str] | None) -> list[str] | None:
    from mystocks_dagster.market.symbols import normalise_all  # imports polars, which not every task needs

    try:
        return normalise_all(symbols) if symbols else None
    except InvalidParams as error:
        raise ValueError(str(error)) from None


#: Symbols in any common notation; an empty list means None.
Symbols = Annotated[list[str] | None, AfterValidator(_normalised)]


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
