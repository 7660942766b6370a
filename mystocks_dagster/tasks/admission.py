"""Check new bars against the stored sessions before them; decide which may be stored."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

import polars as pl

from mystocks_dagster.errors import NotOffered, SourceChanged, SourceError
from mystocks_dagster.lake.events import session_before
from mystocks_dagster.lake.identity import with_newest_codes
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.adjust import HALF_A_TICK
from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.market.continuity import CONTEXT, MANY, MOST_DISAGREEING, PAUSED, Neighbours
from mystocks_dagster.market.tables.market import DAILY_BARS
from mystocks_dagster.market.value_rules import CheckedFrame, Fault, Rule, apply_rules
from mystocks_dagster.sources.checked import take_findings
from mystocks_dagster.sources.protocol import MarketSource

#: Stored days before a frame that its rows are compared with: some fifteen sessions, across any holiday.
CONTEXT_DAYS = 25
#: A frame of at least so many days is refused as a whole when more than this share of them disagree with earlier days.
MANY_DAYS, MOST_WRONG = 10, 0.5
#: Without a stock list, a symbol counts as delisted when its bars ended more loaded days ago than this.
RECENT = 20


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
    """

    rows: pl.DataFrame
    faults: list[Fault] = field(default_factory=list)
    refused: dict[date, str] = field(default_factory=dict)
    absent: dict[date, list[str]] = field(default_factory=dict)
    paused: dict[date, list[str]] = field(default_factory=dict)


def admit(lake: Lake, source: MarketSource, frame: pl.DataFrame, *, newest: date, whole: bool) -> AdmissionResult:
    """Split a frame of bars into rows that may be stored, rows to set aside, and days to refuse.

    Args:
        lake: Holds the bars of earlier sessions.
        source: The source of the frame.
        frame: Bars that obey the rules of their table; the others are in the source's rejected rows.
        newest: The last requested day.
        whole: The frame has all symbols of its days.
    """
    rejected = take_findings(source, "daily_bars")
    faults, refused = list(rejected.faults), dict(rejected.refused)
    rejected_days = {
        fault.date
        for fault in faults
        if fault.date and not fault.stored and shanghai().is_probable_session(fault.date)[0]
    }
    if frame.is_empty():
        return AdmissionResult(frame, faults, refused | _days_without_rows(rejected_days, frame, refused, whole=whole))
    frame = with_newest_codes(lake, frame, whole=whole)
    days = frame["date"].unique().sort().to_list()
    frame, neighbours, wrong = _without_wrong_days(lake, frame) if whole else (frame, _neighbours(lake, frame), {})
    if whole and not source.has_history:
        wrong = neighbours.newly_suspended() | wrong
    checked = _checked(frame, neighbours.breaks(), whole=whole)
    faults += checked.faults
    refused |= {day: reason for day, reason in checked.refused.items() if day} | wrong
    rows = checked.rows.filter(~pl.col("date").is_in(list(wrong))) if wrong else checked.rows
    refused |= _days_without_rows({*days, *rejected_days}, rows, refused, whole=whole)
    admitted = AdmissionResult(rows, faults, refused)
    if whole:
        lacking = _lacking(neighbours, days, {fault.key for fault in faults}, newest)
        admitted.paused = _by_day(lacking.filter(pl.col("how") == PAUSED))
        lacking = lacking.filter(pl.col("how") != PAUSED, ~pl.col("date").is_in(list(refused)))
        admitted.absent = _by_day(_not_delisted(lake, source, lacking, neighbours.loaded)) if lacking.height else {}
    return admitted


def _neighbours(lake: Lake, frame: pl.DataFrame) -> Neighbours:
    days = frame["date"].unique().sort().to_list()
    return Neighbours(frame, _stored(lake, days), {day: session_before(day, shanghai()) for day in days})


def _without_wrong_days(lake: Lake, frame: pl.DataFrame) -> tuple[pl.DataFrame, Neighbours, dict[date, str]]:
    """Return the frame without the days to refuse, its neighbours, and the reason for each refused day.

    A day that disagrees with a refused day may be correct, so it is checked again without that day. When most days
    disagree, the whole source is wrong, and checking again would let every second day pass.
    """
    neighbours, wrong = _neighbours(lake, frame), dict[date, str]()
    while candidates := neighbours.wrong_days():
        days = frame["date"].n_unique()
        mostly_wrong = days >= MANY_DAYS and len(candidates) > MOST_WRONG * days
        after_wrong = {day for day in candidates if session_before(day, shanghai()) in candidates and not mostly_wrong}
        confirmed = {day: reason for day, reason in candidates.items() if day not in after_wrong}
        wrong |= confirmed
        frame = frame.filter(~pl.col("date").is_in(list(confirmed)))
        neighbours = _neighbours(lake, frame)
    return frame, neighbours, wrong


def _days_without_rows(
    days: Collection[date], rows: pl.DataFrame, refused: Collection[date], *, whole: bool
) -> dict[date, str]:
    """Return the days of which no row is left, each with the reason."""
    empty = set(days) - set(rows["date"].unique()) - set(refused)
    return dict.fromkeys(sorted(empty), "every row is set aside") if whole else {}


def _checked(frame: pl.DataFrame, breaks: Mapping[Rule, pl.Series], *, whole: bool) -> CheckedFrame:
    return apply_rules(DAILY_BARS, frame, {rule: pl.lit(flags) for rule, flags in breaks.items()}, whole=whole)


def _stored(lake: Lake, days: Sequence[date]) -> pl.DataFrame:
    """Return the stored bars of the sessions before the days and between them."""
    if not days or not lake.exists("daily_bars"):
        return DAILY_BARS.empty().select(CONTEXT)
    near = lake.scan("daily_bars", columns=CONTEXT, start=days[0] - timedelta(days=CONTEXT_DAYS), end=days[-1])
    return near.filter(~pl.col("date").is_in(list(days))).collect()


def _lacking(
    neighbours: Neighbours, days: Sequence[date], rejected_keys: Collection[str], newest: date
) -> pl.DataFrame:
    """Return `symbol`, `date` (first day without a bar) and `how` of bars missing on `days`; see `Neighbours`."""
    lacking = pl.concat([neighbours.gaps(), *([neighbours.ends()] if newest in days else [])])
    keys = pl.concat_str("symbol", pl.lit(" "), pl.col("date").cast(pl.String))
    return lacking.filter(pl.col("date").is_in(list(days)), ~keys.is_in(list(rejected_keys)))


def _by_day(lacking: pl.DataFrame) -> dict[date, list[str]]:
    return dict(lacking.group_by("date").agg(pl.col("symbol").unique().sort()).sort("date").iter_rows())


def _not_delisted(lake: Lake, source: MarketSource, lacking: pl.DataFrame, loaded: pl.Series) -> pl.DataFrame:
    """Leave out the symbols that are known to be delisted."""
    ended = pl.col("how") == "ended"
    listed = _listing(lake, source)
    if listed is None:
        return lacking.filter(~ended | (pl.col("date") >= loaded.tail(RECENT).min()))
    joined = lacking.join(listed, on="symbol", how="left")
    delisted = ended & (pl.col("listed").is_null() | (pl.col("delist_date") <= pl.col("date")).fill_null(value=False))
    return joined.filter(~delisted)


def _listing(lake: Lake, source: MarketSource) -> pl.DataFrame | None:
    """Return `symbol`, `delist_date` and `listed` of the source's or the stored stock list; None without either."""
    try:
        if "stocks" in source.offers:
            frame = source.stocks(include_delisted=source.has_history)
        else:
            frame = lake.read("stocks", columns=["symbol", "delist_date"]) if lake.exists("stocks") else None
    except (NotOffered, SourceError):
        return None
    if frame is None or frame.is_empty():
        return None
    return frame.select("symbol", "delist_date", listed=pl.lit(value=True))


def check_quotes(lake: Lake, frame: pl.DataFrame) -> None:
    """Raise an error for a stock snapshot whose previous closes differ from the stored closes of the last session.

    Raises:
        SourceChanged: Most of them differ, so the snapshot is of another day.
    """
    if frame.is_empty() or not lake.exists("daily_bars"):
        return
    before = session_before(frame["date"].max(), shanghai())  # ty: ignore[invalid-argument-type]
    closes = lake.read("daily_bars", columns=["symbol", "close"], start=before, end=before)
    both = frame.join(closes, on="symbol").filter(pl.col("prev_close").is_not_null())
    differing = both.filter((pl.col("prev_close") - pl.col("close")).abs() > HALF_A_TICK)
    if both.height >= MANY and differing.height > MOST_DISAGREEING * both.height:
        row = differing.row(0, named=True)
        raise SourceChanged(
            f"stock_quotes refused. prev_close_disagrees: {differing.height:,} of {both.height:,} previous closes "
            f"are not the stored closes of {before}, so the snapshot is of another day, e.g. {row['symbol']} "
            f"prev_close={row['prev_close']}, stored {row['close']}."
        )
