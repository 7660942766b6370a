"""How a chart's bars may be asked for."""

from typing import Literal, get_args

Period = Literal["daily", "weekly", "monthly"]
#: `none` is raw, `qfq` keeps the newest day raw, `hfq` the first stored day.
Adjustment = Literal["none", "qfq", "hfq"]
PERIODS: tuple[Period, ...] = get_args(Period)
ADJUSTMENTS: tuple[Adjustment, ...] = get_args(Adjustment)
