"""Find strategies and indicators in Python that use later days, or more bars than their lookback, and refuse them.

Each is tested on a sample of the stored rows.
"""

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import polars as pl

from mystocks_dagster.errors import InvalidParams
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.strategies.choices import Choice
from mystocks_dagster.strategies.columns import INDICATORS
from mystocks_dagster.strategies.definition import Definition
from mystocks_dagster.strategies.own_indicators import READS
from mystocks_dagster.tasks.indicator_bars import TradedBars
from mystocks_dagster.tasks.own_indicator_choice import OwnChoice
from mystocks_dagster.tasks.strategy_rows import check_columns, read_sample

if TYPE_CHECKING:
    from mystocks_dagster.strategies.shift import ShiftTest

#: The sample: calendar days, and number of symbols. A strategy of the market ranks them, so it needs more.
#: `mystocks strategies check` tests more.
_DAYS, _SYMBOLS, _SYMBOLS_OF_THE_MARKET = 1000, 5, 50
_ADJUSTED = "_hfq"


def refused(lake: Lake, choices: Sequence[Any]) -> Mapping[int, InvalidParams]:
    """Return the indicators in Python that cannot be stored, by their places among the choices, each with its error.

    The code of one fails, or it has other values on a day when later days are known, or the bars before its lookback.
    The error names it, its file and line, and an example.

    Args:
        lake: Where the daily bars are.
        choices: The entries of `indicators:`; only those in Python are tested.

    Raises:
        TableMissing: There are no bars yet.
    """
    own = {place: choice for place, choice in enumerate(choices) if isinstance(choice, OwnChoice)}
    if not own:
        return {}
    from mystocks_dagster.strategies.shift import indicator_shift_test

    newest = lake.head("daily_bars", _SYMBOLS)
    if newest.is_empty():
        return {}
    columns = {name: name.removesuffix(_ADJUSTED) for name in READS}
    bars = TradedBars(lake, [*columns.values()]).read(
        start=min(newest["date"].to_list()) - timedelta(_DAYS), symbols=newest["symbol"].to_list()
    )
    rows = bars.rename({stored: name for name, stored in columns.items() if stored != name})
    found = {}
    for place, choice in own.items():
        definition = choice.definition
        try:
            _check(definition, choice.params, indicator_shift_test(definition, choice.params, rows))
        except InvalidParams as error:
            found[place] = error
    return found


def strategy_tests(lake: Lake) -> Callable[[Choice], None]:
    """Return what tests a strategy before its signals are used: only the project's own ones, in Python, are tested.

    It raises `InvalidParams` for one that has other signals on a day when later days are known, or the bars before its
    lookback, and for a column that no strategy can read; `TableMissing` for one that is not stored.
    """
    from mystocks_dagster.strategies.shift import shift_test

    @cache
    def newest(number: int) -> pl.DataFrame:
        return lake.head(INDICATORS, number)

    def test(choice: Choice) -> None:
        if choice.definition.shipped:
            return
        check_columns(lake, [choice])
        symbols = newest(_SYMBOLS_OF_THE_MARKET if choice.definition.of_the_market else _SYMBOLS)
        if symbols.is_empty():
            return
        start = min(symbols["date"].to_list()) - timedelta(_DAYS)
        rows = read_sample(lake, choice.definition.reads, symbols=symbols["symbol"].to_list(), start=start)
        try:
            outcome = shift_test(choice, rows)
        except InvalidParams:  # it may fail on some symbols only for their small number; else the run says so
            return
        _check(choice.definition, choice.params, outcome)

    return test


def _check(definition: Definition, params: Mapping[str, Any], test: "ShiftTest") -> None:
    if not test.differences:
        return
    subject = f"The indicator {definition.name}" if definition.outputs else f"The strategy {definition.name}"
    difference = test.differences[0]
    arguments = _as_arguments(definition, params)
    if difference.cut == "future":
        raise InvalidParams(
            f"{subject} ({definition.place}) looks ahead: {difference} What is stored must not depend on later days. "
            f"Test it: mystocks strategies check {arguments}"
        )
    raise InvalidParams(
        f"{subject} ({definition.place}) depends on more earlier bars than its lookback of "
        f"{definition.bars_needed(params)}: {difference} A new day would differ from a rebuild. State a longer "
        f"lookback, or none, then all bars are read. Test it: mystocks strategies check {arguments}"
    )


def _as_arguments(definition: Definition, params: Mapping[str, Any]) -> str:
    """Return the name, and the options for the parameters that differ from their defaults."""
    fields = definition.model.model_fields
    given = {name: value for name, value in params.items() if value != fields[name].default}
    texts = {name: value if isinstance(value, str) else json.dumps(value, default=str) for name, value in given.items()}
    return shlex.join([definition.name, *(part for item in texts.items() for part in ("-p", "=".join(item)))])
