"""The shift test of strategies and indicators on stored days. It runs their code, so it has a process of its own."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field

from mystocks_dagster.errors import TableMissing
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.strategies.choices import Entries, choice_of, params_of
from mystocks_dagster.strategies.columns import INDICATORS
from mystocks_dagster.strategies.definition import Definition
from mystocks_dagster.strategies.own_indicators import column_of, find_indicator, own_indicators
from mystocks_dagster.strategies.shift import ShiftTest, indicator_shift_test, shift_test
from mystocks_dagster.tags import State
from mystocks_dagster.tasks.param_types import TaskParams
from mystocks_dagster.tasks.run import TaskResult, TaskRun, declares
from mystocks_dagster.tasks.strategy_rows import read_all


class CheckParams(TaskParams):
    """Parameters of `check_strategy`."""

    strategies: Entries = Field(default=[], description="The strategies, as in calculate_strategy_signals.")
    indicators: list[dict[str, Any]] = Field(
        default=[], description="Indicators in Python: {name: NAME, PARAMETER: VALUE}."
    )
    symbols: int = Field(default=200, ge=1, le=6000, description="Number of symbols, spread over the market.")
    years: int = Field(default=3, ge=1, le=40, description="Years up to the newest stored day.")


@declares(reads=("indicators_daily", "daily_bars"))
def check_strategy(params: CheckParams, run: TaskRun) -> TaskResult:
    """Test that no strategy sees a later day, nor a bar before the lookback that it states.

    Raises:
        TableMissing: There are no indicators, or a column of a strategy is missing.
        InvalidParams: The code of a strategy failed.
    """
    lake = run.lake()
    symbols = _symbols(lake, params.symbols)
    tests = {}
    for choice in map(choice_of, params.strategies):
        run.report_progress(len(tests), len(params.strategies), choice.label)
        rows = read_all(lake, [choice], choice.definition.reads, symbols=symbols, years=params.years)
        tests[choice.label] = shift_test(choice, rows)
    for definition, values in _indicators(params):
        rows = read_all(lake, [], definition.reads, symbols=symbols, years=params.years)
        tests[definition.name] = indicator_shift_test(definition, values, rows)
    failed = [name for name, test in tests.items() if test.differences]
    return TaskResult(
        status=State.FAILED if failed else State.SUCCESS,
        message="; ".join(f"{name}: {_text(test)}" for name, test in tests.items()),
        error=_error(tests) or None,
        failed_items=tuple(failed),
        metadata={name: _json(test) for name, test in tests.items()},
    )


def _indicators(params: CheckParams) -> Iterator[tuple[Definition, dict[str, Any]]]:
    """Yield the indicators to test, with their parameters, and those that a strategy reads, if they have defaults."""
    for entry in params.indicators:
        definition = find_indicator(entry["name"])
        yield definition, params_of(definition, {key: value for key, value in entry.items() if key != "name"})
    read = {name for choice in map(choice_of, params.strategies) for name in choice.definition.reads}
    for definition in own_indicators().values():
        has_defaults = not any(field.is_required() for field in definition.model.model_fields.values())
        if has_defaults and read & {column_of(definition, output) for output in definition.outputs}:
            yield definition, params_of(definition, {})


def _symbols(lake: Lake, number: int) -> list[str]:
    newest = lake.head(INDICATORS, 1)
    if newest.is_empty():
        raise TableMissing(f"The table {INDICATORS} is empty; run calc_technical_indicators.")
    names = lake.scan(INDICATORS, columns=["symbol"]).unique().sort("symbol").collect()["symbol"]
    return names.gather_every(max(1, len(names) // number)).head(number).to_list()


def _text(test: ShiftTest) -> str:
    if test.differences:
        return f"{test.differences[0]}"
    if not test.signals:
        return "it says nothing on these days, so nothing could be compared"
    return f"{test.signals} signals or values are the same at {test.cuts} cuts"


def _error(tests: Mapping[str, ShiftTest]) -> str:
    """Return what is wrong with which, and what to write where it is the lookback; empty if nothing is."""
    cuts = {name: {found.cut for found in test.differences} for name, test in tests.items()}
    ahead = [name for name, found in cuts.items() if "future" in found]
    short = [name for name, found in cuts.items() if found == {"past"}]
    texts = []
    if ahead:
        texts.append(f"{', '.join(ahead)} saw days that had not come")
    if short:
        texts.append(f"{', '.join(short)} saw bars beyond the lookback: state a longer one, or none")
    return "; ".join(texts)


def _json(test: ShiftTest) -> dict[str, object]:
    return {"signals": test.signals, "cuts": test.cuts, "differences": [str(item) for item in test.differences]}
