"""Screens of the market as a task: which symbols pass a formula on a day, stored in the table `screens`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Annotated, Any

import polars as pl
from pydantic import AfterValidator, Field, ValidationError, model_validator

from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.periods import Period
from mystocks_dagster.market.tables.research import SCREEN_RUNS, SCREENS
from mystocks_dagster.screens.condition import read_condition
from mystocks_dagster.screens.screen import ScreenResult, screen
from mystocks_dagster.taskfile.schedule import fault
from mystocks_dagster.tasks.formula_choice import NamedFormula
from mystocks_dagster.tasks.located_faults import located
from mystocks_dagster.tasks.overtaken import unless_overtaken
from mystocks_dagster.tasks.param_types import Day, TaskParams
from mystocks_dagster.tasks.run import Tables, TaskResult, TaskRun, declares


class Screen(NamedFormula):
    """A screen: a name, and a formula with one output, which is true where it is not 0."""

    period: Period = Field(default="daily", description="The bars: daily, weekly or monthly.")

    @model_validator(mode="before")
    @classmethod
    def _has_no_day(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and "day" in data:
            error = fault("day is of all screens of the task", "Write it one level up, beside screens.")
            raise located(error, ("day",), data["day"])
        return data

    def check(self) -> None:
        """Check the formula; errors as in `NamedFormula.check`."""
        read_condition(self.text(), self.name, self.values)


def _differ(screens: list[Screen]) -> list[Screen]:
    names = [item.name for item in screens]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise located(fault(f"two screens are named {name}", "Rename one of them."), (index, "name"), name)
    return screens


class ScreenParams(TaskParams):
    """Parameters of `screen_market`."""

    screens: Annotated[list[Screen], AfterValidator(_differ)] = Field(
        min_length=1, description="Screens: {name: GOLDEN, formula: 'CROSS(MA(C,5),MA(C,20))'}, or with a file."
    )
    day: Day = Field(default=None, description="The trading day; empty: the newest stored one.")


_TABLES = Tables(
    writes=("screens", "screen_runs"),
    reads=("daily_bars", "adjust_events", "stocks"),
    formulas=("mystocks_dagster.market.kernels", "mystocks_dagster.market.formulas", "mystocks_dagster.screens"),
)


def _tables(params: Mapping[str, Any]) -> Tables:
    """Return the tables with the formulas of a task with these params."""
    try:
        screens = ScreenParams.model_validate(params).screens
    except ValidationError:  # the file's own check reports it
        return _TABLES
    return replace(_TABLES, definitions=tuple(f"{one.name} {one.period} {one.values} {one.text()}" for one in screens))


@declares(writes=_TABLES.writes, reads=_TABLES.reads, formulas=_TABLES.formulas, by_params=_tables)
def screen_market(params: ScreenParams, run: TaskRun) -> TaskResult:
    """Screen the whole market with each formula, and store the symbols that pass with the values of the formula.

    The result of the same screen on the same day is replaced; other screens and days stay. The table `screen_runs` says
    which screens ran on a day, so that one that nobody passed differs from one that did not run.

    Raises:
        TableMissing: There are no bars yet.
        InvalidParams: There are no bars on the day.
    """
    lake = run.lake()
    results: dict[str, ScreenResult] = {}
    for done, item in enumerate(params.screens):
        run.report_progress(done, len(params.screens), item.name)
        result = screen(lake, item.text(), day=params.day, period=item.period, parameters=item.values, name=item.name)
        results[item.name] = result
        run.logger.info("%s on %s: %d of %d symbols pass", item.name, result.day, result.passed, result.screened)
    day = next(iter(results.values())).day

    def store() -> None:
        content = _completed(lake, day, [_stored(name, result) for name, result in results.items()], [*results])
        lake.replace_days("screens", content, [day])

    unless_overtaken(lake, ("screens",), store, run.logger)
    lake.upsert("screen_runs", _runs(results))
    run.report_progress(len(results), len(results), "stored")
    return _result(results)


def _runs(results: Mapping[str, ScreenResult]) -> pl.DataFrame:
    """Return a row for each screen that ran."""
    rows = [
        {
            "screen": name,
            "date": result.day,
            "passed": result.passed,
            "screened": result.screened,
            "without_values": result.without_values,
            "doubtful": len(result.doubtful),
            "period": result.period,
            "formula": result.formula,
        }
        for name, result in results.items()
    ]
    return SCREEN_RUNS.typed(pl.DataFrame(rows))


def _stored(name: str, result: ScreenResult) -> pl.DataFrame:
    """Return the rows of a result as the table holds them."""
    values = [
        json.dumps({label: row[label] for label in result.values}, ensure_ascii=False)
        for row in result.rows.iter_rows(named=True)
    ]
    rows = result.rows.select(
        screen=pl.lit(name),
        date=pl.lit(result.day),
        symbol="symbol",
        name="name",
        close="close",
        values=pl.Series(values, dtype=pl.String),
        period=pl.lit(result.period),
        formula=pl.lit(result.formula),
    )
    return SCREENS.typed(rows)


def _completed(lake: Lake, day: date, fresh: Sequence[pl.DataFrame], names: Sequence[str]) -> pl.DataFrame:
    """Add the stored rows of the other screens of the day."""
    if not lake.exists("screens"):
        return pl.concat(fresh)
    others = lake.read("screens", start=day, end=day).filter(~pl.col("screen").is_in(names))
    return pl.concat([*fresh, others])


def _result(results: dict[str, ScreenResult]) -> TaskResult:
    counts = {name: result.passed for name, result in results.items()}
    some = next(iter(results.values()))
    notes = [
        f"{name} has a value of no symbol: most often the stored bars are fewer than its windows."
        for name, result in results.items()
        if 0 < result.screened == result.without_values
    ]
    notes += dict.fromkeys(note for result in results.values() for note in result.notes)
    passed = ", ".join(f"{name} {count:,}" for name, count in counts.items())
    doubtful = sorted({symbol for result in results.values() for symbol in result.doubtful})
    return TaskResult(
        status="partial_success" if doubtful else "success",
        message=" ".join([f"{some.day}, {some.screened:,} symbols: {passed} pass.", *notes]),
        rows={"screens": sum(counts.values()), "screen_runs": len(counts)},
        failed_items=tuple(doubtful),
        metadata={"passed": counts, "day": some.day.isoformat()},
    )
