"""The REST call about the lake's coverage."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from mystocks_dagster.api.request_models import Day, Manager
from mystocks_dagster.api.response_models import Coverage, documented

router = APIRouter(prefix="/api/data", tags=["data"])


@router.get("/gaps", responses=documented(Coverage))
def get_gaps(
    manager: Manager,
    table: Annotated[list[str] | None, Query(description="Only these tables; repeat it for several.")] = None,
    start: Annotated[Day, Query(alias="from", description="First day; else each table's first one.")] = None,
    end: Annotated[Day, Query(alias="to", description="Last day; else today.")] = None,
) -> Any:
    """Get the state of each trading day of each table: for a heat map one letter a day, and the gaps as a list."""
    return manager.data_gaps(table or (), start=start, end=end).to_json()
