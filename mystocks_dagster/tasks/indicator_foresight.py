"""Find indicators in Python that use later days or fail: each is first tested on a sample of the stored bars."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from mystocks_dagster.errors import InvalidParams
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.strategies.own_indicators import READS
from mystocks_dagster.tasks.indicator_bars import TradedBars
from mystocks_dagster.tasks.own_indicator_choice import OwnChoice

#: The sample: number of symbols, and calendar days. `mystocks strategies check` tests more.
_SYMBOLS, _DAYS = 5, 1000
_ADJUSTED = "_hfq"


def refused(lake: Lake, choices: Sequence[Any]) -> Mapping[int, InvalidParams]:
    """Return the indicators in Python that cannot be stored, by their places among the choices, each with its error.

    The code of one fails, or it has other values on a day when later days are known. The error names it, its file and
    line, and for later days an example.

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
            differences = indicator_shift_test(definition, choice.params, rows, lookback=False).differences
        except InvalidParams as error:
            found[place] = error
            continue
        if differences:
            found[place] = InvalidParams(
                f"The indicator {definition.name} ({definition.place}) looks ahead: {differences[0]} What is stored "
                f"must not depend on later days. Test it: mystocks strategies check {definition.name}"
            )
    return found
