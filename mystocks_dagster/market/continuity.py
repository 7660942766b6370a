"""Rules that compare a symbol's bar with its bar of the previous session.

They detect rows that are valid by themselves and still wrong: yesterday's rows under today's date, the prices of
another symbol, prices multiplied by ten, moves beyond the price limit.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl

from mystocks_dagster.market.adjust import HALF_A_TICK
from mystocks_dagster.market.bars_before import ABSENT, BarsBefore
from mystocks_dagster.market.rules import CHINEXT_REFORM
from mystocks_dagster.market.symbol_runs import spans_of_symbols
from mystocks_dagster.market.symbols import board_expr
from mystocks_dagster.market.value_rules import Rule

#: The range of an ex-dividend ratio: 30 new shares for 10 give 0.25, and no event raises the price.
LEAST_RATIO, MOST_RATIO = 0.2, 1.0
#: The kind of a gap after which the symbol continues at its last close, as after a suspension.
PAUSED = "paused"
#: A day of at least `MANY` symbols is wrong if a larger share than this disagrees with the last closes; on the busiest
#: ex-dividend days it is 6 %.
MANY, MOST_DISAGREEING = 20, 0.3
#: Within the days of `CONTEXT` the market has never moved so far that most previous closes leave these bounds.
LEAST_NEAR, MOST_NEAR = 0.35, 2.5
#: The longest time between the missing session and the last stored one.
FEW_DAYS = timedelta(days=3)
#: The largest share, and number, of traded symbols that a credible snapshot suspends from one day to the next. Since
#: 2020 the exchanges have suspended about ten stocks on a day.
MOST_SUSPENDED, FEW_SUSPENDED = 0.01, 20
#: The first day whose price limits `rules.py` models.
LIMITS_FROM = date(2014, 1, 1)

#: Columns of the stored bars that later bars are compared with.
CONTEXT = ("symbol", "date", "open", "high", "low", "close", "prev_close", "volume", "amount", "suspended")
_SAME = ("open", "high", "low", "close", "volume", "amount")

BEYOND_LIMIT = Rule(
    "beyond_price_limit",
    "the price moved beyond the limit of its board, though the symbol traded the day before and is not newly listed",
    lambda: pl.col("_beyond"),
)
REPEATED = Rule(
    "rows_of_the_day_before",
    "prices, volume and amount are those of the day before",
    lambda: pl.col("_repeated"),
)
RATIO = Rule(
    "prev_close_out_of_bounds",
    f"prev_close is not {LEAST_RATIO} to {MOST_RATIO:.0f} times the last stored close, so no ex-dividend event "
    "explains it",
    lambda: (
        pl.col("_adjacent")
        & (
            (pl.col("prev_close") < LEAST_RATIO * pl.col("_close"))
            | (pl.col("prev_close") > MOST_RATIO * pl.col("_close"))
        )
        & _disagrees()
    ),
)
#: Tolerance for binary floating point.
_EPSILON = 1e-9


class Neighbours:
    """The bars of a frame, each joined with the symbol's previous bar.

    Attributes:
        rows: The frame's rows in its order, with the previous bar's close (`_close`), whether it was suspended
            (`_suspended`) and whether it is of the previous session (`_adjacent`), and the inputs of the rules.
        loaded: All days of the frame and of the stored bars, ascending.
    """

    def __init__(self, frame: pl.DataFrame, stored: pl.DataFrame, previous: Mapping[date, date]) -> None:
        """Join each bar with the symbol's previous bar.

        Args:
            frame: Bars (`daily_bars`), in any order, each key once; fastest when sorted by symbol and date.
            stored: `CONTEXT` columns of stored bars of other days than the frame's: about three weeks before it, and
                between its days.
            previous: The previous session of each day of the frame.
        """
        self._before = BarsBefore(frame.select(CONTEXT), stored.select(CONTEXT))
        self.loaded = self._before.loaded
        self._sessions = pl.Series([previous.get(day) for day in self.loaded], dtype=pl.Date)
        places = {day: place for place, day in enumerate(self.loaded)}
        self._place_of_session = np.array([places.get(day, ABSENT) for day in self._sessions], dtype=np.uint16)
        self._adjacent = self._place_of_session[self._before.place] == self._before.place_before
        self._adjacent &= self._before.place_before != ABSENT
        rows = frame.select(CONTEXT).with_columns(
            *(self._before.column(name).alias(f"_{name}") for name in ("close", "suspended")),
            _adjacent=pl.Series(self._adjacent),
        )
        self._stated, self._last = rows["prev_close"].to_numpy(), rows["_close"].to_numpy()
        self._difference = np.abs(self._stated - self._last)
        self.rows = rows.with_columns(_beyond=self._beyond(rows), _repeated=self._repeated(rows))

    def breaks(self) -> dict[Rule, pl.Series]:
        """Return, by broken rule, a mask of the rows that break it."""
        # Only where the previous close is not the last one can it be out of bounds.
        differing = np.flatnonzero(self._adjacent & (self._difference > HALF_A_TICK))
        masks = {
            BEYOND_LIMIT: self.rows["_beyond"],
            REPEATED: self.rows["_repeated"],
            RATIO: _flags(self.rows, differing, RATIO.breaks()),
        }
        return {rule: mask for rule, mask in masks.items() if mask.any()}

    def repeated_in_snapshot(self) -> dict[Rule, pl.Series]:
        """Return, by broken rule, a mask of the rows of a snapshot that repeat the previous day's numbers.

        A list that is being updated may have today's previous close beside them. Two days with one price and few shares
        may really be equal, so such a row counts only if its price moved.
        """
        unchanged = self.rows["close"].to_numpy() == self._last
        flags = self._same_as_before(self.rows, unchanged, pl.col("high") > pl.col("low") + HALF_A_TICK)
        return {REPEATED: flags | self.rows["_repeated"].fill_null(value=False)}

    def wrong_days(self) -> dict[date, str]:
        """Return the days on which too many previous closes contradict the last stored closes, with the reason.

        After a short gap in the loaded days, previous closes need only be near the last stored closes.
        """
        # Most rows agree: only the others are looked at, and of all rows those that are compared are counted.
        differing = self._rows_at(np.flatnonzero(self._difference > HALF_A_TICK))
        differing = differing.filter("_compared", pl.when("_adjacent").then(_disagrees()).otherwise(_far()))
        if differing.is_empty():
            return {}
        known = self._is_compared() & ~np.isnan(self._difference)
        compared = np.bincount(self._before.place[known], minlength=len(self.loaded))
        counts = (
            differing.group_by("date")
            .agg(pl.len().alias("differing"), pl.first("symbol", "prev_close", "_close", "_date", "_adjacent"))
            .join(pl.DataFrame({"date": self.loaded, "rows": compared}), on="date")
            .filter((pl.col("rows") >= MANY) & (pl.col("differing") > MOST_DISAGREEING * pl.col("rows")))
            .sort("date")
        )
        return {row["date"]: _disagreement(row) for row in counts.iter_rows(named=True)}

    def changes(self) -> pl.DataFrame:
        """Return the rows whose previous close is unknown, or not the close of the bar before.

        Returns:
            `symbol`, `date`, `prev_close`, `last_date` and `last_close`; the last two are null where neither the frame
            nor the stored bars have a bar of the symbol before.
        """
        changed = self._rows_at(np.flatnonzero(~(self._difference <= _EPSILON)))
        return changed.select("symbol", "date", "prev_close", last_date="_date", last_close="_close")

    def newly_suspended(self) -> dict[date, str]:
        """Return the days on which too many symbols stopped trading at once, with the reason for refusing them."""
        examples = pl.col("symbol").filter("suspended").head(5)
        counts = (
            self.rows.filter(pl.col("_adjacent") & ~pl.col("_suspended"))
            .group_by("date")
            .agg(rows=pl.len(), suspended=pl.col("suspended").sum(), symbols=examples)
            .filter(pl.col("suspended") > pl.max_horizontal(pl.lit(FEW_SUSPENDED), MOST_SUSPENDED * pl.col("rows")))
            .sort("date")
        )
        return {row["date"]: _mass_suspension(row) for row in counts.iter_rows(named=True)}

    def unconfirmed_suspensions(self) -> dict[date, str]:
        """Return the days on which too many symbols do not trade, and no bar of the session before confirms it."""
        counts = (
            self.rows.group_by("date")
            .agg(
                pl.col("_adjacent").any(),
                rows=pl.len(),
                suspended=pl.col("suspended").sum(),
                symbols=pl.col("symbol").filter("suspended").head(5),
            )
            .filter(~pl.col("_adjacent"))
            .filter(pl.col("suspended") > pl.max_horizontal(pl.lit(FEW_SUSPENDED), MOST_SUSPENDED * pl.col("rows")))
        )
        return {row["date"]: _unconfirmed(row) for row in counts.sort("date").iter_rows(named=True)}

    def gaps(self) -> pl.DataFrame:
        """Return `symbol`, `date`, `how` of the gaps: bars missing between two bars of a symbol.

        `date` is the first loaded day without a bar. `how` is `paused` if the symbol continues at its last close, as
        after a suspension for which the source has no rows, and `moved` if it continues at another price.
        """
        place, before = self._before.place, self._before.place_before
        at = np.flatnonzero((before != ABSENT) & (place > before + np.uint16(1)))
        how = pl.when(_disagrees()).then(pl.lit("moved")).otherwise(pl.lit(PAUSED))
        return self.rows[at].select("symbol", date=self.loaded.gather(before[at] + 1), how=how)

    def ends(self) -> pl.DataFrame:
        """Return `symbol`, `date`, `how` (`ended`) of the symbols without a bar on the last loaded day.

        `date` is the first loaded day after the symbol's last bar.
        """
        ended = spans_of_symbols(self._before.bars).filter(pl.col("last") < pl.lit(self.loaded.max(), pl.Date))
        after = self.loaded.search_sorted(ended["last"], side="right")
        return ended.select("symbol", date=self.loaded.gather(after), how=pl.lit("ended"))

    def _rows_at(self, at: np.ndarray) -> pl.DataFrame:
        """Return some of `rows`, with the day of the previous bar (`_date`), and whether the two are compared."""
        before = self._before.place_before[at]
        days = self.loaded.gather(np.where(before == ABSENT, 0, before)) if len(at) else self.loaded.clear()
        return self.rows[at].with_columns(
            _date=pl.when(pl.Series(before != ABSENT)).then(days), _compared=pl.Series(self._is_compared()[at])
        )

    def _is_compared(self) -> np.ndarray:
        """Return which rows' previous closes are compared: with the session before, or with a bar shortly before it.

        After a longer gap nothing is compared: otherwise one wrong stored day would refuse all days after it.
        """
        absent = self._sessions.is_not_null() & ~self._sessions.is_in(self.loaded.to_list())
        if not absent.any():
            return self._adjacent
        days = self.loaded.to_physical().to_numpy()
        earliest = self._sessions.to_physical().fill_null(0).to_numpy() - FEW_DAYS.days
        # The first place whose day is near enough to the session; after the last one where the session is stored.
        first = np.where(absent.to_numpy(), np.searchsorted(days, earliest), ABSENT)[self._before.place]
        before = self._before.place_before
        return self._adjacent | ((before != ABSENT) & (before >= first))

    def _beyond(self, rows: pl.DataFrame) -> pl.Series:
        """Return a mask of the rows whose price moved beyond the board's limit."""
        before = np.where(np.isnan(self._stated), self._last, self._stated)
        far = (rows["high"].to_numpy() > 1.09 * before) | (rows["low"].to_numpy() < 0.91 * before)
        at = np.flatnonzero(far & self._adjacent & self._before.settled)
        traded = ~pl.col("_suspended") & ~pl.col("suspended") & (pl.col("date") >= LIMITS_FROM)
        return _flags(rows, at, traded & _is_beyond())

    def _repeated(self, rows: pl.DataFrame) -> pl.Series:
        """Return a mask of the rows that repeat the previous day's numbers although prev_close disagrees."""
        return self._same_as_before(rows, self._difference > HALF_A_TICK, pl.lit(value=True))

    def _same_as_before(self, rows: pl.DataFrame, suspects: np.ndarray, test: pl.Expr) -> pl.Series:
        at = np.flatnonzero(self._adjacent & suspects)
        previous = self._before.bars.select(_SAME)[self._before.rows_before(at)]
        same = [pl.col(name) == previous[name] for name in _SAME]
        return _flags(rows, at, pl.all_horizontal(pl.col("volume") > 0, test, *same))


def _flags(rows: pl.DataFrame, at: np.ndarray, test: pl.Expr) -> pl.Series:
    """Return a mask of the rows `at` for which `test` holds; it is evaluated for these few rows only."""
    flags = np.zeros(rows.height, dtype=bool)
    flags[at] = rows[at].select(test.fill_null(value=False)).to_series().to_numpy()
    return pl.Series(flags)


def _disagrees() -> pl.Expr:
    return (pl.col("prev_close") - pl.col("_close")).abs() > HALF_A_TICK


def _far() -> pl.Expr:
    return ~(pl.col("prev_close") / pl.col("_close")).is_between(LEAST_NEAR, MOST_NEAR)


def _disagreement(row: Mapping[str, Any]) -> str:
    last = (
        "the stored closes of the day before" if row["_adjacent"] else f"near the last stored closes ({row['_date']})"
    )
    return (
        f"prev_close_disagrees: {row['differing']:,} of {row['rows']:,} previous closes are not {last}, so these are "
        f"rows of another day, e.g. {row['symbol']} prev_close={row['prev_close']}, stored {row['_close']}"
    )


def _mass_suspension(row: Mapping[str, Any]) -> str:
    return (
        f"too_many_suspended: {row['suspended']:,} of {row['rows']:,} symbols that traded the day before "
        f"show no price, e.g. {', '.join(row['symbols'])}"
    )


def _unconfirmed(row: Mapping[str, Any]) -> str:
    return (
        f"too_many_suspended: {row['suspended']:,} of {row['rows']:,} symbols show no price, and no bars of the "
        f"session before are stored that confirm it, e.g. {', '.join(row['symbols'])}"
    )


def _is_beyond() -> pl.Expr:
    """Return the expression that is true if high or low is more than a tick beyond the board's widest limit."""
    board, day = board_expr("symbol"), pl.col("date")
    percent = (
        pl.when(board == "bse").then(30)
        .when(board == "star").then(20)
        .when(board == "chinext").then(pl.when(day >= CHINEXT_REFORM).then(20).otherwise(10))
        .when(board == "main").then(10)
    )  # fmt: skip
    # An ex-dividend event never raises the previous close, so the last close is an upper bound of an unknown one.
    before = (pl.coalesce("prev_close", "_close") * 100).round().cast(pl.Int64)
    lowest = pl.when(pl.col("prev_close").is_not_null()).then((before * (100 - percent) + 50) // 100)
    highest = (before * (100 + percent) + 50) // 100
    return (pl.col("high") * 100 > highest + 2) | (pl.col("low") * 100 < lowest - 2)
