"""What a symbol's bar must have in common with its bar of the session before: rules that need yesterday's rows.

They expose rows that are sound in themselves and yet wrong: yesterday's rows under today's date, the prices of
another symbol, prices times ten, moves beyond the limit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import polars as pl

from mystocks_dagster.market.adjust import HALF_A_TICK
from mystocks_dagster.market.rules import CHINEXT_REFORM
from mystocks_dagster.market.symbols import board_expr
from mystocks_dagster.market.value_rules import Rule

#: An ex-dividend event leaves at least this of the last close (30 new shares for 10 leave 0.25), and never more than
#: all of it.
LEAST_RATIO, MOST_RATIO = 0.2, 1.0
#: From so many symbols on, a day on which more than this share disagrees with the last closes is another day: on the
#: busiest ex-dividend days it is 6 %.
MANY, MOST_DISAGREEING = 20, 0.3
#: So many of the traded symbols may be suspended from one day to the next before a snapshot is not believed.
MOST_SUSPENDED, FEW_SUSPENDED = 0.03, 20
#: Bars that a symbol must have had before its price is taken for limited: five free days, and one more.
SETTLED = 6
#: The limits are those of `rules.py` from here on; what was before is not modelled there.
LIMITS_FROM = date(2014, 1, 1)

CONTEXT = ("symbol", "date", "open", "high", "low", "close", "prev_close", "volume", "amount", "suspended")

BEYOND_LIMIT = Rule(
    "beyond_price_limit",
    "the price moved beyond the limit of its board, though the symbol traded the day before and is not newly listed",
    lambda: pl.col("_settled") & pl.col("_before_traded") & (pl.col("date") >= LIMITS_FROM) & ~pl.col("suspended") & _beyond(),
)
REPEATED = Rule(
    "rows_of_the_day_before",
    "prices, volume and amount are those of the day before, and prev_close is not that day's close",
    lambda: (
        pl.col("_adjacent")
        & (pl.col("volume") > 0)
        & pl.all_horizontal(pl.col(name) == pl.col(f"_{name}") for name in ("open", "high", "low", "close", "volume", "amount"))
        & _disagrees()
    ),
)
RATIO = Rule(
    "prev_close_out_of_bounds",
    f"prev_close is not {LEAST_RATIO} to {MOST_RATIO:.0f} times the last stored close, so no ex-dividend day explains it",
    lambda: (
        pl.col("_adjacent")
        & (
            (pl.col("prev_close") < LEAST_RATIO * pl.col("_close") - HALF_A_TICK)
            | (pl.col("prev_close") > MOST_RATIO * pl.col("_close") + HALF_A_TICK)
        )
    ),
)
RULES = (BEYOND_LIMIT, REPEATED, RATIO)


@dataclass(frozen=True)
class Neighbours:
    """The bars of a frame, each beside the symbol's bar before it (columns with `_`); see `beside`."""

    rows: pl.DataFrame

    def breaks(self) -> dict[Rule, pl.Series]:
        """Return, for each rule that is broken anywhere, which rows break it."""
        found = self.rows.select(rule.breaks().fill_null(value=False).alias(rule.name) for rule in RULES)
        return {rule: found[rule.name] for rule in RULES if found[rule.name].any()}

    def wrong_days(self) -> dict[date, str]:
        """Return the days on which most previous closes are not the last stored closes, and why they are not believed."""
        counts = (
            self.rows.filter(pl.col("_adjacent") & pl.col("prev_close").is_not_null())
            .group_by("date")
            .agg(rows=pl.len(), differing=_disagrees().sum(), symbol=pl.col("symbol").filter(_disagrees()).first(),
                 prev_close=pl.col("prev_close").filter(_disagrees()).first(), close=pl.col("_close").filter(_disagrees()).first())
            .filter((pl.col("rows") >= MANY) & (pl.col("differing") > MOST_DISAGREEING * pl.col("rows")))
            .sort("date")
        )  # fmt: skip
        return {
            row["date"]: f"prev_close_disagrees: {row['differing']:,} of {row['rows']:,} previous closes are not the stored closes of "
            f"the day before, so these are rows of another day, e.g. {row['symbol']} prev_close={row['prev_close']}, stored {row['close']}"
            for row in counts.iter_rows(named=True)
        }

    def newly_suspended(self) -> dict[date, str]:
        """Return the days on which so many symbols stopped trading at once that a list is not believed."""
        counts = (
            self.rows.filter(pl.col("_adjacent") & ~pl.col("_suspended"))
            .group_by("date")
            .agg(rows=pl.len(), suspended=pl.col("suspended").sum(), symbols=pl.col("symbol").filter("suspended").head(5))
            .filter(pl.col("suspended") > pl.max_horizontal(pl.lit(FEW_SUSPENDED), MOST_SUSPENDED * pl.col("rows")))
            .sort("date")
        )
        return {
            row["date"]: f"too_many_suspended: {row['suspended']:,} of {row['rows']:,} symbols that traded the day before show no price, "
            f"e.g. {', '.join(row['symbols'])}"
            for row in counts.iter_rows(named=True)
        }


def beside(frame: pl.DataFrame, stored: pl.DataFrame, previous: Mapping[date, date]) -> Neighbours:
    """Put each bar beside the symbol's bar before it, of the frame itself or of what is stored.

    Args:
        frame: Bars (`daily_bars`), in any order, each key once.
        stored: `CONTEXT` of stored bars of other days than the frame's: some three weeks before it, and between its days.
        previous: The session before each day of the frame.

    Returns:
        The rows in the order of `frame`.
    """
    bars = frame.select(*CONTEXT, at=pl.int_range(pl.len(), dtype=pl.Int64))
    known = stored.select(*CONTEXT, at=pl.lit(None, pl.Int64))
    sessions = pl.DataFrame({"date": list(previous), "_session": list(previous.values())}, schema={"date": pl.Date, "_session": pl.Date})
    both = pl.concat([known, bars]).sort("symbol", "date")
    same = pl.col("symbol") == pl.col("symbol").shift()
    rows = (
        both.with_columns(
            *(pl.when(same).then(pl.col(name).shift()).alias(f"_{name}") for name in (*CONTEXT[1:6], "volume", "amount", "suspended")),
            _settled=pl.col("symbol") == pl.col("symbol").shift(SETTLED),
        )
        .filter(pl.col("at").is_not_null())
        .join(sessions, on="date", how="left")
        .with_columns(
            _adjacent=(pl.col("_date") == pl.col("_session")).fill_null(value=False), _settled=pl.col("_settled").fill_null(value=False)
        )
        .with_columns(_before_traded=pl.col("_adjacent") & ~pl.col("_suspended").fill_null(value=True))
        .sort("at")
    )
    return Neighbours(rows)


def _disagrees() -> pl.Expr:
    return (pl.col("prev_close") - pl.col("_close")).abs() > HALF_A_TICK


def _beyond() -> pl.Expr:
    """Whether high or low lies more than a tick beyond the widest limit that the board can have had on that day."""
    board, day = board_expr("symbol"), pl.col("date")
    percent = (
        pl.when(board == "bse").then(30)
        .when(board == "star").then(20)
        .when(board == "chinext").then(pl.when(day >= CHINEXT_REFORM).then(20).otherwise(10))
        .when(board == "main").then(10)
    )  # fmt: skip
    # An ex-dividend day lowers the previous close and never raises it: without it, the last close is an upper bound.
    before = (pl.coalesce("prev_close", "_close") * 100).round().cast(pl.Int64)
    lowest = pl.when(pl.col("prev_close").is_not_null()).then((before * (100 - percent) + 50) // 100)
    highest = (before * (100 + percent) + 50) // 100
    return (pl.col("high") * 100 > highest + 2) | (pl.col("low") * 100 < lowest - 2)
