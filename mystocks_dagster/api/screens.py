"""The REST call that screens the market."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import AfterValidator, Field

from mystocks_dagster.api.request_models import Day, Manager, StrictModel, check_text
from mystocks_dagster.api.response_models import Screened, documented
from mystocks_dagster.project.screening import WAITING_SECONDS

router = APIRouter(prefix="/api/screens", tags=["data"])

#: Longest formula in characters; those of the forums have some thousand.
_LONGEST = 20_000


class ScreenBody(StrictModel):
    """A screen of the market."""

    formula: Annotated[str, AfterValidator(check_text)] = Field(
        max_length=_LONGEST,
        description="A 通达信 formula with one output, which is true where it is not 0.",
        examples=["CROSS(MA(C,5),MA(C,20)) AND V>2*MA(V,5)"],
    )
    day: Day = Field(default=None, description="The trading day; else the newest stored one.")
    period: Literal["daily", "weekly", "monthly"] = Field(default="daily", description="The bars.")
    limit: int = Field(default=500, ge=1, le=10_000, description="Most symbols in the response.")
    parameters: dict[str, float] = Field(default_factory=dict, max_length=50, description="Values by parameter.")


@router.post("/", include_in_schema=False)
@router.post("", responses=documented(Screened))
def screen(manager: Manager, body: ScreenBody) -> Any:
    """Get the symbols that pass a formula on a day, with the values that made them pass. Nothing is stored.

    After 20 seconds the screen is stopped, and the error says what it read.
    """
    result = manager.screen(
        body.formula,
        day=body.day,
        period=body.period,
        limit=body.limit,
        parameters=body.parameters,
        seconds=WAITING_SECONDS,
    )
    return result.to_json()
