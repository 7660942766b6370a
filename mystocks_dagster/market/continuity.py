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
from mystocks_dagster.market.rules import CHINEXT_REFORM
from mystocks_dagster.market.symbol_runs import places, ranks, spans_of_symbols
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
#: The largest share, and number, of traded symbols that a credible snapshot suspends from one day to the next.
MOST_SUSPENDED, FEW_SUSPENDED = 0.03, 20
#: The number of bars after which a symbol has a price limit: five days without a limit, and one more.
SETTLED = 6
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
    "prices, volume and amount are those of the day before, and prev_close is not that day's close",
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
RULES = (BEYOND_LIMIT, REPEATED, RATIO)
#: Tolerance for binary floating point.
_EPSILON = 1e-9


class Neighbours:
    """The bars of a frame, each joined with the symbol's previous bar.

    Attributes:
        rows: The frame's rows in its order, with the previous bar's close and date (`_close`, `_date`), whether that
            bar is of the previous session (`_adjacent`), and the inputs of the rules.
        loaded: All days of the frame and of the stored bars, ascending.
    """

    def __init__(self, frame: pl.DataFrame, stored: pl.DataFrame, previous: Mapping[date, date]) -> None:
        """Join each bar with the symbol's previous bar.

        Args:
            frame: Bars (`daily_bars`), in any order, each key once.
            stored: `CONTEXT` columns of stored bars of other days than the frame's: about three weeks before it, and
                between its days.
            previous: The previous session of each day of the frame.
        """
        self._both = pl.concat([frame.select(CONTEXT), stored.select(CONTEXT)])
        self._height = frame.height
        self.loaded = self._both["date"].unique().sort()
        self._place = pl.Series(places(self._both["date"], self.loaded))
        self._sorted = frame["symbol"].is_sorted()
        before, settled = self._before()
        self._index = pl.Series(before).replace(-1, None).cast(pl.UInt32)
        sessions = pl.Series([previous.get(day) for day in self.loaded], dtype=pl.Date)
        rows = self._both.head(self._height).with_columns(
            *(self._both[name].gather(self._index).alias(f"_{name}") for name in ("close", "date", "suspended")),
            _session=sessions.gather(self._place.head(self._height)),
            _settled=pl.Series(settled),
        )
        rows = rows.with_columns(_adjacent=(pl.col("_date") == pl.col("_session")).fill_null(value=False))
        self.rows = rows.with_columns(_beyond=_among(rows, _may_be_beyond(), _beyond()), _repeated=self._repeated(rows))

    def breaks(self) -> dict[Rule, pl.Series]:
        """Return, by broken rule, a mask of the rows that break it."""
        flags = self.rows.select(rule.breaks().fill_null(value=False).alias(rule.name) for rule in RULES)
        return {rule: flags[rule.name] for rule in RULES if flags[rule.name].any()}

    def wrong_days(self) -> dict[date, str]:
        """Return the days on which too many previous closes contradict the last stored closes, with the reason.

        After a short gap in the loaded days, previous closes need only be near the last stored closes.
        """
        differs = pl.when("_adjacent").then(_disagrees()).otherwise(_far()).fill_null(value=False)
        # After a longer gap nothing is compared: otherwise one wrong stored day would refuse all days after it.
        short_gap = pl.col("_session") - pl.col("_date") <= FEW_DAYS
        after_gap = ~pl.col("_session").is_in(self.loaded.to_list()) & short_gap
        compared = pl.col("_adjacent") | after_gap
        example = ("symbol", "prev_close", "_close", "_date", "_adjacent")
        # Most days have too few rows that differ, whatever their number of rows.
        disagreeing = self.rows.filter(_disagrees().fill_null(value=False))
        doubtful = disagreeing.filter(compared & differs)["date"].value_counts()
        doubtful = doubtful.filter(pl.col("count") > MOST_DISAGREEING * MANY)["date"]
        if doubtful.is_empty():
            return {}
        counts = (
            self.rows.filter(pl.col("date").is_in(doubtful.to_list()), compared)
            .filter(pl.col("prev_close").is_not_null(), pl.col("_close").is_not_null())
            .group_by("date")
            .agg(differs.sum().alias("differing"), pl.col(example).filter(differs).first(), rows=pl.len())
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
        same = (pl.col("prev_close") - pl.col("_close")).abs() <= _EPSILON
        changed = self.rows.filter(~same.fill_null(value=False))
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
        place = self._place.head(self._height)
        last = self._place.gather(self._index)
        gap = (place.cast(pl.Int64) - last.cast(pl.Int64) > 1).fill_null(value=False)
        rows = self.rows.select("symbol", "prev_close", "_close", place=last.cast(pl.Int64) + 1).filter(gap)
        how = pl.when(_disagrees()).then(pl.lit("moved")).otherwise(pl.lit(PAUSED))
        return rows.select("symbol", date=self.loaded.gather(rows["place"]), how=how)

    def ends(self) -> pl.DataFrame:
        """Return `symbol`, `date`, `how` (`ended`) of the symbols without a bar on the last loaded day.

        `date` is the first loaded day after the symbol's last bar.
        """
        ended = spans_of_symbols(self._both).filter(pl.col("last") < pl.lit(self.loaded.max(), pl.Date))
        after = self.loaded.search_sorted(ended["last"], side="right")
        return ended.select("symbol", date=self.loaded.gather(after), how=pl.lit("ended"))

    def _before(self) -> tuple[np.ndarray, np.ndarray]:
        """Return, for each row of the frame, the row of the symbol's previous bar, or -1, and whether it is settled.

        A row is settled if the symbol has at least `SETTLED` bars before it.
        """
        codes = ranks(self._both["symbol"])
        places = self._place.to_numpy()
        if self._sorted:
            # Few runs in order, which this stable sort only merges.
            order = np.argsort((codes.astype(np.uint32) << 16) | places, kind="stable")
        else:
            # A stable sort of small numbers is a radix sort, so days first, which are mostly sorted, and then symbols.
            by_day = np.argsort(places, kind="stable")
            order = by_day[np.argsort(codes[by_day], kind="stable")]
        sorted_codes = codes[order]
        before = np.full(len(order), -1)
        same = sorted_codes[1:] == sorted_codes[:-1]
        before[order[1:][same]] = order[:-1][same]
        settled = np.zeros(len(order), dtype=bool)
        settled[order[SETTLED:][sorted_codes[SETTLED:] == sorted_codes[:-SETTLED]]] = True
        return before[: self._height], settled[: self._height]

    def _repeated(self, rows: pl.DataFrame) -> pl.Series:
        """Return a mask of the rows that repeat the previous day's numbers although prev_close disagrees."""
        candidates = (pl.col("_adjacent") & (pl.col("volume") > 0) & _disagrees()).fill_null(value=False)
        at = rows.select(candidates.arg_true()).to_series()
        values = self._both.select(_SAME)
        bars, previous = values[at], values[self._index.gather(at)]
        flags = np.zeros(rows.height, dtype=bool)
        flags[at.to_numpy()] = np.logical_and.reduce([(bars[name] == previous[name]).to_numpy() for name in _SAME])
        return pl.Series(flags)


def _among(rows: pl.DataFrame, candidates: pl.Expr, test: pl.Expr) -> pl.Series:
    """Return a mask of the rows for which `test` holds; it is evaluated for the few `candidates` only."""
    at = rows.select(candidates.fill_null(value=False).arg_true()).to_series()
    flags = np.zeros(rows.height, dtype=bool)
    flags[at.to_numpy()] = rows[at].select(test.fill_null(value=False)).to_series().to_numpy()
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


def _may_be_beyond() -> pl.Expr:
    settled = (
        pl.col("_settled")
        & pl.col("_adjacent")
        & ~pl.col("_suspended")
        & ~pl.col("suspended")
        & (pl.col("date") >= LIMITS_FROM)
    )
    before = pl.coalesce("prev_close", "_close")
    return settled & ((pl.col("high") > 1.09 * before) | (pl.col("low") < 0.91 * before))


def _beyond() -> pl.Expr:
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
