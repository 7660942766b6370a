"""How a chart's bars may be asked for."""

from typing import Literal, get_args

#: As `market.periods.Period`, which needs polars.
Period = Literal["daily", "weekly", "monthly"]
#: `none` is raw, `qfq` keeps the newest day raw, `hfq` the first stored day.
Adjustment = Literal["none", "qfq", "hfq"]
PERIODS: tuple[Period, ...] = get_args(Period)
ADJUSTMENTS: tuple[Adjustment, ...] = get_args(Adjustment)
#: Indicators that a chart shows first.
USUAL = ("MA", "MACD")
