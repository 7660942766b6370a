"""The shift test of a strategy on stored days. It runs the strategy's code, so it is a task of its own process."""

from pydantic import Field

from mystocks_dagster.errors import TableMissing
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.strategies.choices import Entries, choice_of
from mystocks_dagster.strategies.columns import INDICATORS
from mystocks_dagster.strategies.shift import ShiftTest, shift_test
from mystocks_dagster.tags import State
from mystocks_dagster.tasks.param_types import TaskParams
from mystocks_dagster.tasks.run import TaskResult, TaskRun, declares
from mystocks_dagster.tasks.strategy_rows import read_all


class CheckParams(TaskParams):
    """Parameters of `check_strategy`."""

    strategies: Entries = Field(
        min_length=1, description="The strategies, as in calculate_strategy_signals; each is tested."
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
    for done, entry in enumerate(params.strategies):
        choice = choice_of(entry)
        run.report_progress(done, len(params.strategies), choice.label)
        tests[choice.label] = shift_test(choice, read_all(lake, choice, symbols=symbols, years=params.years))
    failed = [name for name, test in tests.items() if test.differences]
    return TaskResult(
        status=State.FAILED if failed else State.SUCCESS,
        message="; ".join(f"{name}: {_text(test)}" for name, test in tests.items()),
        error=f"{', '.join(failed)} saw days that had not come, or bars beyond the lookback" if failed else None,
        failed_items=tuple(failed),
        metadata={name: _json(test) for name, test in tests.items()},
    )


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
        return "it gives no signal on these days, so nothing could be compared"
    return f"{test.signals} signals are the same at {test.cuts} cuts"


def _json(test: ShiftTest) -> dict[str, object]:
    return {"signals": test.signals, "cuts": test.cuts, "differences": [str(item) for item in test.differences]}
