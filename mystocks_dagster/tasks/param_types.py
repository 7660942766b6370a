"""Types that the parameters of several tasks share."""

from datetime import date
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from mystocks_dagster.settings import source_names

if TYPE_CHECKING:
    _Source = str
else:  # one of the names, which no type checker can know
    _Source = Literal[source_names()]
#: A `data_source`; None means MYSTOCKS_SOURCE, else akshare.
SourceName = Annotated[_Source | None, Field(description="Where the data come from; empty means akshare.")]
#: A day, or an empty string for none.
Day = Annotated[date | None, BeforeValidator(lambda value: value or None)]


class TaskParams(BaseModel):
    """Frozen, and a misspelt name is an error rather than a silent no-op."""

    model_config = ConfigDict(frozen=True, extra="forbid")
