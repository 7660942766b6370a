"""The inputs of a run's parameters go by their types."""

from datetime import date
from typing import Literal

import pytest
from pydantic import BaseModel, Field

from mystocks_dagster.api.pages.run_form import Param, changed, params_of
from mystocks_dagster.taskfile.model import Task


class Params(BaseModel):
    day: date | None = None
    count: int = Field(default=3, ge=1, le=10)
    share: float = 0.5
    mode: Literal["fast", "slow"] = "fast"
    note: str = "x"


def compute(params: Params) -> None:
    """Do nothing."""


def fields(**params: object) -> dict[str, Param]:
    entry = {"task_id": "a", "task_name": "a", "task_type": "manual", "task_module": "m", "task_function": "f"}
    task = Task.model_validate({**entry, "params": params})
    return {param.name: param for param in params_of(task, compute)}


def test_dates_numbers_and_choices_have_inputs_of_their_own() -> None:
    found = fields(day="2026-11-27")
    assert {name: param.kind for name, param in found.items()} == {
        "day": "date",
        "count": "number",
        "share": "number",
        "mode": "text",
        "note": "text",
    }
    assert found["day"].text == "2026-11-27"
    assert found["count"].limits == {"step": "1", "min": "1", "max": "10"}
    assert found["share"].limits == {"step": "any"}
    assert set(found["mode"].choices) >= {"fast", "slow"}


@pytest.mark.parametrize(("name", "value"), [("day", "${DAY}"), ("count", "many")])
def test_a_value_that_such_an_input_cannot_show_stays_text(name: str, value: str) -> None:
    assert fields(**{name: value})[name].kind == "text"


def test_a_day_that_was_cleared_means_none() -> None:
    params = list(fields(day="2026-11-27").values())
    typed = {param.name: param.text for param in params}
    assert changed(params, typed) == {}
    assert changed(params, typed | {"day": "", "count": "5"}) == {"day": None, "count": 5}
