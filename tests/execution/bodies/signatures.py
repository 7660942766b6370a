"""Functions of every signature that is accepted, and some that are not."""

from __future__ import annotations  # noqa: TID251 - users' modules may have it

from datetime import date
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from mystocks_dagster.tasks.run import TaskResult, TaskRun

if TYPE_CHECKING:
    from nowhere import Unknown


class Params(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)
    symbols: tuple[str, ...] = Field(default=(), description="Symbols.")
    start_date: date | None = Field(default=None, description="First day.")
    api_token: int = Field(default=0, description="Secret.")


def model_and_run(params: Params, run: TaskRun) -> TaskResult:
    run.report_progress(1, 1, "one")
    run.logger.info("typed %s", params.start_date)
    return TaskResult(
        metadata={
            "symbols": params.symbols,
            "year": params.start_date.year if params.start_date else None,
            "task": run.task_id,
            "run": run.run_id,
            "attempt": run.attempt,
            "days": run.days,
            "source": run.source_override,
            "root": run.settings.root,
        }
    )


def only_model(params: Params) -> dict:
    return {"symbols": params.symbols}


def only_run(run):
    return {"task": run.task_id}


def dict_and_run(params, run):
    return {"both": [params["a"], run.task_id]}


def keyword_only(*, params, run):
    return {"both": [params["a"], run.task_id]}


def positional_only(params, /):
    return {"a": params["a"]}


def with_default(params, limit=5):
    return {"limit": limit}


def anything(*args, **kwargs):
    return {"args": len(args), "a": args[0]["a"]}


def name_for_the_type_checker(params: dict, other: Unknown = None):
    return {"a": params["a"]}


def three(params, run, database):
    return {}


def none():
    return {"ok": True}
