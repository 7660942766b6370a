"""Refuse indicators in Python that use later days: each is first tested on a sample of the stored bars."""

from collections.abc import Sequence
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


def refuse_foresight(lake: Lake, choices: Sequence[Any]) -> None:
    """Raise an error if an indicator in Python has other values on a day when later days are known.

    Args:
        lake: Where the daily bars are.
        choices: The entries of `indicators:`; only those in Python are tested.

    Raises:
        InvalidParams: A value depends on later days; the message names the indicator, its place, and an example.
        TableMissing: There are no bars yet.
    """
    own = [choice for choice in choices if isinstance(choice, OwnChoice)]
    if not own:
        return
    from mystocks_dagster.strategies.shift import indicator_shift_test

    newest = lake.head("daily_bars", _SYMBOLS)
    if newest.is_empty():
        return
    columns = {name: name.removesuffix(_ADJUSTED) for name in READS}
    bars = TradedBars(lake, [*columns.values()]).read(
        start=min(newest["date"].to_list()) - timedelta(_DAYS), symbols=newest["symbol"].to_list()
    )
    rows = bars.rename({stored: name for name, stored in columns.items() if stored != name})
    for choice in own:
        definition = choice.definition
        if found := indicator_shift_test(definition, choice.params, rows, lookback=False).differences:
            raise InvalidParams(
                f"The indicator {definition.name} ({definition.place}) looks ahead: {found[0]} What is stored must not "
                f"depend on later days. Test it: mystocks strategies check {definition.name}"
            )
