"""Check new bars against the stored sessions before them; decide which may be stored."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, time

import polars as pl

from mystocks_dagster.errors import NotOffered, SourceChanged, SourceError, SourceUnavailable
from mystocks_dagster.lake.events import session_before
from mystocks_dagster.lake.identity import with_newest_codes
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.lake.stored_bars import StoredBars
from mystocks_dagster.market.adjust import HALF_A_TICK
from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.market.continuity import (
    FEW_SUSPENDED,
    LEAST_RATIO,
    MANY,
    MOST_DISAGREEING,
    PAUSED,
    RATIO,
    REPEATED,
    Neighbours,
)
from mystocks_dagster.market.days_of_rows import distinct_days
from mystocks_dagster.market.tables.market import DAILY_BARS, STOCK_QUOTES
from mystocks_dagster.market.value_rules import CheckedFrame, Fault, Rule, apply_rules
from mystocks_dagster.sources.checked import take_findings
from mystocks_dagster.sources.protocol import MarketSource

#: A frame of at least so many days is refused as a whole when more than this share of them disagree with earlier days.
MANY_DAYS, MOST_WRONG = 10, 0.5
#: Without a stock list, a symbol counts as delisted when its bars ended more loaded days ago than this.
RECENT = 20
#: From this time on a stock that is not suspended has a price: the opening auction is over.
OPENING = time(9, 30)
#: The largest share of the stocks that traded in the last session and have no trade yet.
MOST_WITHOUT_PRICE = 0.03
_SAME_QUOTE = ("open", "high", "low", "close", "volume", "amount")
QUOTE_RATIO = Rule(
    RATIO.name,
    RATIO.reason,
    lambda: (
        (pl.col("prev_close") < LEAST_RATIO * pl.col("close")) | (pl.col("prev_close") > pl.col("close") + HALF_A_TICK)
    ),
)


@dataclass
class AdmissionResult:
    """Result of checking a frame of bars.

    Attributes:
        rows: Rows that may be stored.
        faults: Rows that are set aside, or of which a value becomes unknown.
        refused: Days that are not stored, each with the reason.
        absent: By day, symbols without a bar that had one the day before, are not known to be delisted, and do not
            resume at the same price.
        paused: By first day without a bar, symbols that later resume at their last close.
        changes: The rows whose previous close is unknown, or not the close of the bar before, see `Neighbours.changes`;
            None if they were not looked for.
        unseen: By day, other symbols of the stock list of which a snapshot has no row, not even a suspended one.
        notes: What was not looked at, and why, as sentences.
    """

    rows: pl.DataFrame
    faults: list[Fault] = field(default_factory=list)
    refused: dict[date, str] = field(default_factory=dict)
    absent: dict[date, list[str]] = field(default_factory=dict)
    paused: dict[date, list[str]] = field(default_factory=dict)
    changes: pl.DataFrame | None = None
    unseen: dict[date, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def admit(
    lake: Lake,
    source: MarketSource,
    frame: pl.DataFrame,
    *,
    newest: date,
    whole: bool,
    stored: StoredBars | None = None,
) -> AdmissionResult:
    """Split a frame of bars into rows that may be stored, rows to set aside, and days to refuse.

    Args:
        lake: Holds the bars of earlier sessions.
        source: The source of the frame.
        frame: Bars that obey the rules of their table; the others are in the source's rejected rows.
        newest: The last requested day.
        whole: The frame has all symbols of its days.
        stored: Answers questions about the stored bars; None asks the lake.
    """
    stored = stored or StoredBars(lake)
    rejected = take_findings(source, "daily_bars")
    faults, refused = list(rejected.faults), dict(rejected.refused)
    rejected_days = {
        fault.date
        for fault in faults
        if fault.date and not fault.stored and shanghai().is_probable_session(fault.date)[0]
    }
    if frame.is_empty():
        return AdmissionResult(frame, faults, refused | _days_without_rows(rejected_days, frame, refused, whole=whole))
    frame = with_newest_codes(lake, frame, whole=whole, stored=stored)
    days = distinct_days(frame["date"])
    frame, neighbours, wrong = _without_wrong_days(stored, frame) if whole else (frame, _neighbours(stored, frame), {})
    if whole and not source.has_history:
        wrong = neighbours.unconfirmed_suspensions() | neighbours.newly_suspended() | wrong
    repeated = {} if source.has_history else neighbours.repeated_in_snapshot()
    checked = _checked(frame, neighbours.breaks() | repeated, whole=whole)
    faults += checked.faults
    refused |= {day: reason for day, reason in checked.refused.items() if day} | wrong
    rows = checked.rows.filter(~pl.col("date").is_in(list(wrong))) if wrong else checked.rows
    refused |= _days_without_rows({*days, *rejected_days}, rows, refused, whole=whole)
    admitted = AdmissionResult(rows, faults, refused)
    if whole:
        kept = neighbours if rows.height == neighbours.rows.height else _neighbours(stored, rows)
        admitted.changes = kept.changes()
        lacking = _lacking(neighbours, days, {fault.key for fault in faults}, newest)
        if frame["actions_known"].is_not_null().all():
            # These previous closes were computed from the last bar of the source, which has no bar in between.
            lacking = lacking.with_columns(how=pl.col("how").replace("moved", PAUSED))
        admitted.paused = _by_day(lacking.filter(pl.col("how") == PAUSED))
        lacking = lacking.filter(pl.col("how") != PAUSED, ~pl.col("date").is_in(list(refused)))
        admitted.absent = (
            _by_day(_not_delisted(lake, source, lacking, neighbours.loaded, admitted.notes)) if lacking.height else {}
        )
        if not source.has_history and newest in days and newest not in refused:
            admitted.unseen = _unseen(source, frame, newest, admitted)
    return admitted


def _unseen(source: MarketSource, frame: pl.DataFrame, day: date, admitted: AdmissionResult) -> dict[date, list[str]]:
    """Return the symbols on the source's own stock list of which its snapshot of `day` has no row."""
    listed = _stated_list(source, admitted.notes, include_delisted=False)
    if listed is None:
        return {}
    begun = pl.col("list_date").is_null() | (pl.col("list_date") <= day)
    names = set(listed.filter(begun, pl.col("delist_date").is_null())["symbol"])
    names -= {*frame.filter(date=day)["symbol"], *admitted.absent.get(day, ())}
    names -= {str(fault.row["symbol"]) for fault in admitted.faults}
    return {day: sorted(names)} if names else {}


def _neighbours(stored: StoredBars, frame: pl.DataFrame) -> Neighbours:
    days = distinct_days(frame["date"])
    calendar = shanghai()
    return Neighbours(frame, stored.near(days), {day: session_before(day, calendar) for day in days})


def _without_wrong_days(stored: StoredBars, frame: pl.DataFrame) -> tuple[pl.DataFrame, Neighbours, dict[date, str]]:
    """Return the frame without the days to refuse, its neighbours, and the reason for each refused day.

    A day that disagrees with a refused day may be correct, so it is checked again without that day. When most days
    disagree, the whole source is wrong, and checking again would let every second day pass.
    """
    neighbours, wrong = _neighbours(stored, frame), dict[date, str]()
    while candidates := neighbours.wrong_days():
        days = frame["date"].n_unique()
        mostly_wrong = days >= MANY_DAYS and len(candidates) > MOST_WRONG * days
        after_wrong = {day for day in candidates if session_before(day, shanghai()) in candidates and not mostly_wrong}
        confirmed = {day: reason for day, reason in candidates.items() if day not in after_wrong}
        wrong |= confirmed
        frame = frame.filter(~pl.col("date").is_in(list(confirmed)))
        neighbours = _neighbours(stored, frame)
    return frame, neighbours, wrong


def _days_without_rows(
    days: Collection[date], rows: pl.DataFrame, refused: Collection[date], *, whole: bool
) -> dict[date, str]:
    """Return the days of which no row is left, each with the reason."""
    empty = set(days) - set(distinct_days(rows["date"])) - set(refused)
    return dict.fromkeys(sorted(empty), "every row is set aside") if whole else {}


def _checked(frame: pl.DataFrame, breaks: Mapping[Rule, pl.Series], *, whole: bool) -> CheckedFrame:
    return apply_rules(DAILY_BARS, frame, {rule: pl.lit(flags) for rule, flags in breaks.items()}, whole=whole)


def _lacking(
    neighbours: Neighbours, days: Sequence[date], rejected_keys: Collection[str], newest: date
) -> pl.DataFrame:
    """Return `symbol`, `date` (first day without a bar) and `how` of bars missing on `days`; see `Neighbours`."""
    lacking = pl.concat([neighbours.gaps(), *([neighbours.ends()] if newest in days else [])])
    keys = pl.concat_str("symbol", pl.lit(" "), pl.col("date").cast(pl.String))
    return lacking.filter(pl.col("date").is_in(list(days)), ~keys.is_in(list(rejected_keys)))


def _by_day(lacking: pl.DataFrame) -> dict[date, list[str]]:
    return dict(lacking.group_by("date").agg(pl.col("symbol").unique().sort()).sort("date").iter_rows())


def _stated_list(source: MarketSource, notes: list[str], *, include_delisted: bool) -> pl.DataFrame | None:
    """Return the source's own stock list; None if it has none. Add a sentence to `notes` if it cannot be read."""
    if "stocks" not in source.offers:
        return None
    try:
        return source.stocks(include_delisted=include_delisted)
    except NotOffered:
        return None
    except SourceError as error:
        notes.append(f"The bars were not compared with the stock list of {source.name}: {error}")
        return None


def _not_delisted(
    lake: Lake, source: MarketSource, lacking: pl.DataFrame, loaded: pl.Series, notes: list[str]
) -> pl.DataFrame:
    """Leave out the symbols that are known to be delisted."""
    ended = pl.col("how") == "ended"
    listed = _listing(lake, source, notes)
    if listed is None:
        return lacking.filter(~ended | (pl.col("date") >= loaded.tail(RECENT).min()))
    joined = lacking.join(listed, on="symbol", how="left")
    delisted = ended & (pl.col("listed").is_null() | (pl.col("delist_date") <= pl.col("date")).fill_null(value=False))
    return joined.filter(~delisted)


def _listing(lake: Lake, source: MarketSource, notes: list[str]) -> pl.DataFrame | None:
    """Return `symbol`, `delist_date` and `listed` of the source's or the stored stock list; None without either."""
    frame = _stated_list(source, notes, include_delisted=source.has_history)
    if frame is None and lake.exists("stocks"):
        frame = lake.read("stocks", columns=["symbol", "delist_date"])
    if frame is None or frame.is_empty():
        return None
    return frame.select("symbol", "delist_date", listed=pl.lit(value=True))


def check_quotes(lake: Lake, frame: pl.DataFrame) -> CheckedFrame:
    """Compare a stock snapshot with the stored bars of the last session; return the rows to store and the others.

    Raises:
        SourceChanged: Most previous closes differ from the stored closes, or so many are impossible that the snapshot
            is not that of these symbols, or of this day.
        SourceUnavailable: Too many stocks that traded in the last session have no price.
    """
    if frame.is_empty() or not lake.exists("daily_bars"):
        return CheckedFrame(frame)
    before = session_before(frame["date"].max(), shanghai())  # ty: ignore[invalid-argument-type]
    closes = lake.read("daily_bars", columns=["symbol", *_SAME_QUOTE, "suspended"], start=before, end=before)
    _check_prices_exist(closes, frame, before)
    last = frame.select("symbol", "prev_close").join(closes, on="symbol", how="left", maintain_order="left")
    both = last.filter(pl.col("prev_close").is_not_null(), pl.col("close").is_not_null())
    differing = both.filter((pl.col("prev_close") - pl.col("close")).abs() > HALF_A_TICK)
    if both.height >= MANY and differing.height > MOST_DISAGREEING * both.height:
        row = differing.row(0, named=True)
        raise SourceChanged(
            f"stock_quotes refused. prev_close_disagrees: {differing.height:,} of {both.height:,} previous closes "
            f"are not the stored closes of {before}, so the snapshot is of another day, e.g. {row['symbol']} "
            f"prev_close={row['prev_close']}, stored {row['close']}."
        )
    outside = last.select(QUOTE_RATIO.breaks().fill_null(value=False)).to_series()
    flags = {QUOTE_RATIO: outside, REPEATED: _repeats(frame, closes)}
    breaks = {rule: pl.lit(wrong) for rule, wrong in flags.items() if wrong.any()}
    checked = apply_rules(STOCK_QUOTES, frame, breaks)
    if checked.refused:
        raise SourceChanged(f"stock_quotes refused. {'; '.join(checked.refused.values())}.")
    return checked


def _repeats(frame: pl.DataFrame, stored: pl.DataFrame) -> pl.Series:
    """Return a mask of the quotes whose numbers are those of the last session's stored bars."""
    both = frame.rename({"price": "close"}).select("symbol", *_SAME_QUOTE)
    both = both.join(stored, on="symbol", how="left", maintain_order="left", suffix="_before")
    same = (pl.col(name) == pl.col(f"{name}_before") for name in _SAME_QUOTE)
    moved = (pl.col("volume") > 0) & (pl.col("high") > pl.col("low") + HALF_A_TICK)
    return both.select(pl.all_horizontal(moved, *same).fill_null(value=False)).to_series()


def _check_prices_exist(closes: pl.DataFrame, frame: pl.DataFrame, before: date) -> None:
    """Check that stocks which traded in the last session have a price now, once trading has begun.

    Raises:
        SourceUnavailable: Too many have none.
    """
    traded = closes.filter(~pl.col("suspended"))
    missing = traded.join(frame, on="symbol", how="anti")
    begun = frame["time"].max().time() >= OPENING  # ty: ignore[missing-attribute]
    if begun and missing.height > max(FEW_SUSPENDED, MOST_WITHOUT_PRICE * traded.height):
        raise SourceUnavailable(
            f"stock_quotes refused. too_many_without_price: {missing.height:,} of {traded.height:,} stocks that traded "
            f"on {before} have no price, e.g. {', '.join(missing['symbol'].head(5))}. Try again later."
        )
