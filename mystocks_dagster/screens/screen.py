"""Run a screen over the whole market."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from mystocks_dagster.errors import InvalidParams, TableMissing
from mystocks_dagster.excerpts import abbreviate
from mystocks_dagster.lake.loads import incomplete_days
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.indicators import bars_of, stored_columns
from mystocks_dagster.market.periods import Period
from mystocks_dagster.screens.bars import ScreenBars, screen_bars
from mystocks_dagster.screens.condition import PASSES, Condition, read_condition

if TYPE_CHECKING:  # numba takes 0.5 s to import
    from mystocks_dagster.market.formulas.plan import Plan

#: Symbols that a message names; it counts the others.
_NAMED = 5


@dataclass(frozen=True, kw_only=True)
class ScreenResult:
    """The symbols that passed a screen on a day.

    Attributes:
        formula: The formula as written.
        day: The day.
        period: The period of the bars.
        rows: `symbol`, `name` (null if no stock list has it), `close` (CNY per share, raw) and the values, sorted by
            symbol; at most `limit` of them.
        passed: Number of symbols that passed.
        screened: Number of symbols with a bar on the day.
        without_values: Symbols for which a value of the formula does not exist, mostly as their history is short.
        doubtful: Symbol to the day of its unknown adjustment ratio; these were not screened.
        notes: What the reader must know, as sentences.
        reach: Bars before the day that the formula depends on; None: the whole history.
        bars: Number of daily bars that were read.
        seconds: Time that it took.
    """

    formula: str
    day: date
    period: Period
    rows: pl.DataFrame
    passed: int
    screened: int
    without_values: int
    doubtful: Mapping[str, date] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    reach: int | None = None
    bars: int = 0
    seconds: float = 0.0

    @property
    def values(self) -> tuple[str, ...]:
        """The labels of the values."""
        return tuple(name for name in self.rows.columns if name not in ("symbol", "name", "close"))

    def to_json(self) -> dict[str, Any]:
        """Return it as REST and `--json` show it."""
        return {
            "formula": self.formula,
            "day": self.day.isoformat(),
            "period": self.period,
            "passed": self.passed,
            "screened": self.screened,
            "without_values": self.without_values,
            "doubtful": {symbol: day.isoformat() for symbol, day in self.doubtful.items()},
            "notes": list(self.notes),
            "reach": self.reach,
            "bars": self.bars,
            "seconds": round(self.seconds, 3),
            "symbols": [
                {
                    "symbol": row.pop("symbol"),
                    "name": row.pop("name"),
                    "close": row.pop("close"),
                    "values": row,
                }
                for row in self.rows.iter_rows(named=True)
            ],
        }


def screen(
    lake: Lake,
    formula: str,
    *,
    day: date | None = None,
    period: Period = "daily",
    limit: int | None = None,
    parameters: Mapping[str, float] | None = None,
    name: str = "screen",
    most_series: int | None = None,
    seconds: float | None = None,
) -> ScreenResult:
    """Return the symbols that pass a formula on a day, with the values that made them pass.

    Args:
        lake: The lake.
        formula: A formula with one output, which is true where it is not 0.
        day: The day; None is the newest stored one. Nothing later is read.
        period: The period of the bars; the current week or month counts as it is on the day.
        limit: Most symbols in the result; None means all.
        parameters: Values of the formula's parameters.
        name: The formula's name, for messages.
        most_series: Most series that the formula may compute; None is no limit.
        seconds: Most time; None is no limit. A read that has begun is not interrupted.

    Raises:
        FormulaError: The formula is wrong, has several outputs, or looks ahead.
        TableMissing: There are no bars yet.
        InvalidParams: There are no bars on the day, the formula is too long, or it took longer than `seconds`.
    """
    begin = time.perf_counter()
    condition = read_condition(formula, name, parameters)
    chosen = _stored_day(lake, day)
    from mystocks_dagster.market.formulas.evaluation import evaluate
    from mystocks_dagster.screens.reach import bars_before_values, reach, unbounded

    computation = _plan(condition)
    series = len(computation.steps)
    if most_series is not None and series > most_series:
        raise InvalidParams(f"The formula computes {series:,} series; at most {most_series:,} are allowed.")
    needed = reach(computation)
    columns = list(dict.fromkeys(["close", *stored_columns(computation.bars)]))
    whole = unbounded(computation) if needed is None else ()
    check = _time_limit(begin, seconds, whole)

    def computed(bars: ScreenBars) -> dict[str, np.ndarray]:
        check()
        stored = bars_of(bars.rows, computation.bars) if bars.rows.height else None
        return evaluate(computation, stored, before_block=check) if stored is not None else {}

    bars = screen_bars(lake, chosen, columns, needed, period)
    results = computed(bars)
    table = _last_rows(bars, results, condition, chosen)
    begins = bars_before_values(computation)
    if needed is not None and (
        symbols := _with_gaps(bars, results, {name: begins[name] for name in condition.averaged})
    ):
        # Averages pass over bars without a value, so the bars that were read are too few for these symbols.
        more = screen_bars(lake, chosen, columns, None, period, symbols)
        again = _last_rows(more, computed(more), condition, chosen)
        table = pl.concat([table.filter(~pl.col("symbol").is_in(symbols)), again])
        bars = replace(bars, doubtful=bars.doubtful | more.doubtful, read=bars.read + more.read)
    passing = table.filter(pl.col(PASSES).fill_nan(0) != 0).drop(PASSES)
    values = list(condition.values)
    notes = _notes(lake, chosen, bars, whole)
    return ScreenResult(
        formula=formula,
        day=chosen,
        period=period,
        rows=_named(lake, passing.head(limit) if limit is not None else passing, values),
        passed=passing.height,
        screened=table.height,
        without_values=table.filter(pl.any_horizontal(pl.col(PASSES, *values).is_nan())).height,
        doubtful=bars.doubtful,
        notes=notes,
        reach=needed,
        bars=bars.read,
        seconds=time.perf_counter() - begin,
    )


def _time_limit(begin: float, seconds: float | None, unbounded: Sequence[str]) -> Callable[[], None]:
    """Return a function that raises an error once the time since `begin` is over."""

    def check() -> None:
        if seconds is not None and time.perf_counter() - begin > seconds:
            message = f"The screen took longer than {seconds:g} s and was stopped."
            if unbounded:
                message += (
                    f" It reads the whole history, on which {abbreviate(unbounded)} depends: give it a window, such "
                    "as HHV(H,250)."
                )
            message += " Without a limit of time: mystocks screen, or a task with screen_market."
            raise InvalidParams(message)

    return check


def _plan(condition: Condition) -> "Plan":
    from mystocks_dagster.market.formulas.plan import plan

    columns = [(PASSES, PASSES), *((output, label) for label, output in condition.values.items())]
    columns += [(output, output) for output in condition.averaged]
    return plan((condition.formula, (), tuple(columns)))


def _stored_day(lake: Lake, day: date | None) -> date:
    """Return the day of a screen, for which there must be bars.

    Raises:
        TableMissing, InvalidParams: As in `screen`.
    """
    if not lake.exists("daily_bars"):
        raise TableMissing(
            "There are no daily bars to screen. Load them with `mystocks bootstrap` or `mystocks run daily_data_sync`."
        )
    if day is not None and _days(lake, day, day):
        return day
    stored = lake.days("daily_bars") if day is not None else _days(lake, None, None)
    if day is None and stored:
        return stored[-1]
    if not stored:
        raise TableMissing("daily_bars has no rows. Load them with `mystocks run daily_data_sync`.")
    before = [other for other in stored if day is not None and other < day]
    near = f"The last stored day before it is {before[-1]}" if before else f"The first stored day is {stored[0]}"
    raise InvalidParams(f"There are no bars of {day}: it is not a trading day, or is not loaded. {near}.")


def _days(lake: Lake, start: date | None, end: date | None) -> list[date]:
    if start is None:
        from mystocks_dagster.market.clock import now

        recent = _days(lake, now().date() - timedelta(days=40), None) if start != date.min else []
        return recent or lake.days("daily_bars")
    days = lake.read("daily_bars", columns=["date"], start=start, end=end)["date"]
    return days.unique().sort().to_list()


def _with_gaps(bars: ScreenBars, results: Mapping[str, np.ndarray], begins: Mapping[str, int]) -> list[str]:
    """Return the symbols of which a series has no value on some bar after its begin.

    Args:
        bars: The bars.
        results: Outputs by name.
        begins: Name of each series to the number of bars before its first value.
    """
    if not results or not begins:
        return []
    counts, gaps = np.diff(bars.offsets), np.zeros(len(bars.offsets) - 1, dtype=bool)
    for name, before in begins.items():
        known = np.add.reduceat(~np.isnan(results[name]), bars.offsets[:-1], dtype=np.int64)
        gaps |= known < counts - before
    symbols = bars.rows["symbol"].rle().struct.field("value").cast(pl.String)
    return symbols.filter(pl.Series(gaps)).to_list()


def _last_rows(bars: ScreenBars, results: Mapping[str, np.ndarray], condition: Condition, day: date) -> pl.DataFrame:
    """Return the last bar of each symbol that has one on a day: `symbol`, `close`, `PASSES` and the values."""
    outputs = [PASSES, *condition.values]
    if not results:
        schema = {"symbol": pl.String, "close": pl.Float64, **dict.fromkeys(outputs, pl.Float64)}
        return pl.DataFrame(schema=schema)
    last = bars.offsets[1:] - 1
    rows = bars.rows.select("symbol", "date", "close")[last]
    rows = rows.with_columns(pl.Series(name, results[name][last], dtype=pl.Float64) for name in outputs)
    return rows.filter(pl.col("date") == day).drop("date").with_columns(pl.col("symbol").cast(pl.String))


def _named(lake: Lake, rows: pl.DataFrame, values: Sequence[str]) -> pl.DataFrame:
    """Add the names, and make values that do not exist null."""
    rows = rows.with_columns(pl.col(values).fill_nan(None)) if values else rows
    if lake.exists("stocks"):
        rows = rows.join(lake.read("stocks", columns=["symbol", "name"]), on="symbol", how="left")
    else:
        rows = rows.with_columns(name=pl.lit(None, pl.String))
    return rows.sort("symbol").select("symbol", "name", "close", *values)


def _notes(lake: Lake, day: date, bars: ScreenBars, unbounded: Sequence[str]) -> tuple[str, ...]:
    notes = []
    if day in incomplete_days(lake, "daily_bars"):
        notes.append(f"The bars of {day} are not complete: `mystocks data gaps daily_bars` shows what is missing.")
    if bars.doubtful:
        some = [f"{symbol} ({since})" for symbol, since in list(bars.doubtful.items())[:_NAMED]]
        more = f" and {len(bars.doubtful) - _NAMED:,} more" if len(bars.doubtful) > _NAMED else ""
        notes.append(
            f"{len(bars.doubtful):,} symbols were not screened, as their adjustment ratio of a day within the needed "
            f"bars is unknown: {', '.join(some)}{more}. `mystocks data actions` and `mystocks data gaps` show why."
        )
    if unbounded:
        notes.append(f"The whole history was read: all of it counts in {', '.join(unbounded)}.")
    return tuple(notes)
