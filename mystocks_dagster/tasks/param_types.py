"""Types that the parameters of several tasks share."""

from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

#: A `data_source`; None means MYSTOCKS_SOURCE, else akshare.
SourceName = Annotated[
    Literal["akshare", "baostock", "recorded", "simulated"] | None,
    Field(description="Where the data come from; empty means akshare."),
]
#: A day, or an empty string for none.
Day = Annotated[date | None, BeforeValidator(lambda value: value or None)]


class TaskParams(BaseModel):
    """Frozen, and a misspelt name is an error rather than a silent no-op."""

    model_config = ConfigDict(frozen=True, extra="forbid")
