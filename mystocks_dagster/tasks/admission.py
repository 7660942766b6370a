"""Before bars are stored: hold them against what the lake holds of the sessions before."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

import polars as pl

from mystocks_dagster.errors import NotOffered, SourceChanged, SourceError
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.adjust import HALF_A_TICK
from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.market.continuity import CONTEXT, MANY, MOST_DISAGREEING, PAUSED, Neighbours
from mystocks_dagster.market.tables.market import DAILY_BARS
from mystocks_dagster.market.value_rules import CheckedFrame, Fault, Rule, apply_rules
from mystocks_dagster.sources.checked import take_findings
from mystocks_dagster.sources.protocol import MarketSource

#: Stored days before a frame that its rows are held against: some fifteen sessions, over every holiday.
CONTEXT_DAYS = 25
#: From so many days on, a frame of which more than this share disagrees with the days before them is refused as it is.
MANY_DAYS, MOST_WRONG = 10, 0.5
#: Where no stock list says who is delisted, a symbol that ended more loaded days ago than this is taken for it.
RECENT = 20


@dataclass
class Admitted:
    """What a frame of bars comes to.

    Attributes:
        rows: What may be stored.
        faults: What is set aside.
        refused: Days that are not stored, and why.
        absent: Days on which symbols have no bar that had one the day before, are not known to be delisted, and do not
            come back at the same price.
        paused: Symbols that lack a bar between two of theirs and come back at their last close, by the first day.
    """

    rows: pl.DataFrame
    faults: list[Fault] = field(default_factory=list)
    refused: dict[date, str] = field(default_factory=dict)
    absent: dict[date, list[str]] = field(default_factory=dict)
    paused: dict[date, list[str]] = field(default_factory=dict)


def admit(lake: Lake, source: MarketSource, frame: pl.DataFrame, *, newest: date, whole: bool) -> Admitted:
    """Part a frame of bars into what may be stored and what may not.

    Args:
        lake: Where the bars of the sessions before are.
        source: Where the frame comes from.
        frame: Bars that obey the rules of their table; what did not is in the source's findings.
        newest: The last day that was asked for.
        whole: The frame holds all symbols of its days.
    """
    found = take_findings(source, "daily_bars")
    faults, refused = list(found.faults), dict(found.refused)
    apart = {
        fault.date
        for fault in faults
        if fault.date and not fault.stored and shanghai().is_probable_session(fault.date)[0]
    }
    if frame.is_empty():
        return Admitted(frame, faults, refused | _emptied(apart, frame, refused, whole=whole))
    days = frame["date"].unique().sort().to_list()
    frame, neighbours, wrong = _without_wrong_days(lake, frame) if whole else (frame, _neighbours(lake, frame), {})
    if whole and not source.has_history:
        wrong = neighbours.newly_suspended() | wrong
    checked = _checked(frame, neighbours.breaks(), whole=whole)
    faults += checked.faults
    refused |= {day: reason for day, reason in checked.refused.items() if day} | wrong
    rows = checked.rows.filter(~pl.col("date").is_in(list(wrong))) if wrong else checked.rows
    refused |= _emptied({*days, *apart}, rows, refused, whole=whole)
    admitted = Admitted(rows, faults, refused)
    if whole:
        lacking = _lacking(neighbours, days, {fault.key for fault in faults}, newest)
        admitted.paused = _by_day(lacking.filter(pl.col("how") == PAUSED))
        lacking = lacking.filter(pl.col("how") != PAUSED, ~pl.col("date").is_in(list(refused)))
        admitted.absent = _by_day(_not_delisted(lake, source, lacking, neighbours.loaded)) if lacking.height else {}
    return admitted


def _neighbours(lake: Lake, frame: pl.DataFrame) -> Neighbours:
    days = frame["date"].unique().sort().to_list()
    return Neighbours(frame, _stored(lake, days), {day: _session_before(day) for day in days})


def _without_wrong_days(lake: Lake, frame: pl.DataFrame) -> tuple[pl.DataFrame, Neighbours, dict[date, str]]:
    """Return the frame without the days that are not believed, its neighbours, and why those days are not believed.

    A day that disagrees with a refused day may be sound: it is judged once more without that day. Where most days
    disagree,
    the whole source is wrong, and judging them once more would only let every second day pass.
    """
    neighbours, wrong = _neighbours(lake, frame), dict[date, str]()
    while found := neighbours.wrong_days():
        days = frame["date"].n_unique()
        many = days >= MANY_DAYS and len(found) > MOST_WRONG * days
        first = found if many else {day: why for day, why in found.items() if _session_before(day) not in found}
        wrong |= first
        frame = frame.filter(~pl.col("date").is_in(list(first)))
        neighbours = _neighbours(lake, frame)
    return frame, neighbours, wrong


def _emptied(days: Collection[date], rows: pl.DataFrame, refused: Collection[date], *, whole: bool) -> dict[date, str]:
    """Return the days of which no row is left, and say so."""
    return (
        dict.fromkeys(sorted(set(days) - set(rows["date"].unique()) - set(refused)), "every row is set aside")
        if whole
        else {}
    )


def _checked(frame: pl.DataFrame, breaks: Mapping[Rule, pl.Series], *, whole: bool) -> CheckedFrame:
    return apply_rules(DAILY_BARS, frame, {rule: pl.lit(flags) for rule, flags in breaks.items()}, whole=whole)


def _stored(lake: Lake, days: Sequence[date]) -> pl.DataFrame:
    """Return the bars of the sessions before the days, and between them."""
    if not days or not lake.exists("daily_bars"):
        return DAILY_BARS.empty().select(CONTEXT)
    near = lake.scan("daily_bars", columns=CONTEXT, start=days[0] - timedelta(days=CONTEXT_DAYS), end=days[-1])
    return near.filter(~pl.col("date").is_in(list(days))).collect()


def _session_before(day: date) -> date:
    """Return the session before; beyond the published calendar every weekday is taken for one."""
    day -= timedelta(days=1)
    while not shanghai().is_probable_session(day)[0]:
        day -= timedelta(days=1)
    return day


def _lacking(neighbours: Neighbours, days: Sequence[date], apart: Collection[str], newest: date) -> pl.DataFrame:
    """Return `symbol`, `date` (the first day without a bar) and `how` of what lacks on `days`, see `Neighbours`."""
    lacking = pl.concat([neighbours.gaps(), *([neighbours.ends()] if newest in days else [])])
    keys = pl.concat_str("symbol", pl.lit(" "), pl.col("date").cast(pl.String))
    return lacking.filter(pl.col("date").is_in(list(days)), ~keys.is_in(list(apart)))


def _by_day(lacking: pl.DataFrame) -> dict[date, list[str]]:
    return dict(lacking.group_by("date").agg(pl.col("symbol").unique().sort()).sort("date").iter_rows())


def _not_delisted(lake: Lake, source: MarketSource, lacking: pl.DataFrame, loaded: pl.Series) -> pl.DataFrame:
    """Leave out the symbols that ended because they were delisted, as far as that is known."""
    ended = pl.col("how") == "ended"
    listed = _listing(lake, source)
    if listed is None:
        return lacking.filter(~ended | (pl.col("date") >= loaded.tail(RECENT).min()))
    still = lacking.join(listed, on="symbol", how="left")
    gone = ended & (pl.col("listed").is_null() | (pl.col("delist_date") <= pl.col("date")).fill_null(value=False))
    return still.filter(~gone)


def _listing(lake: Lake, source: MarketSource) -> pl.DataFrame | None:
    """Return `symbol`, `delist_date` and `listed` of the source's stock list, or of the stored one.

    None when there is none.
    """
    try:
        if "stocks" in source.offers:
            frame = source.stocks(include_delisted=source.has_history)
        else:
            frame = lake.read("stocks", columns=["symbol", "delist_date"]) if lake.exists("stocks") else None
    except (NotOffered, SourceError):
        return None
    return (
        None if frame is None or frame.is_empty() else frame.select("symbol", "delist_date", listed=pl.lit(value=True))
    )


def check_quotes(lake: Lake, frame: pl.DataFrame) -> None:
    """Refuse a snapshot of stocks whose previous closes are not the stored closes of the session before.

    Raises:
        SourceChanged: Most of them differ: it shows another day.
    """
    if frame.is_empty() or not lake.exists("daily_bars"):
        return
    before = _session_before(frame["date"].max())  # ty: ignore[invalid-argument-type]
    closes = lake.read("daily_bars", columns=["symbol", "close"], start=before, end=before)
    both = frame.join(closes, on="symbol").filter(pl.col("prev_close").is_not_null())
    differing = both.filter((pl.col("prev_close") - pl.col("close")).abs() > HALF_A_TICK)
    if both.height >= MANY and differing.height > MOST_DISAGREEING * both.height:
        row = differing.row(0, named=True)
        raise SourceChanged(
            f"stock_quotes refused. prev_close_disagrees: {differing.height:,} of {both.height:,} "
            "previous closes are not the stored "
            f"closes of {before}, so this is another day, e.g. {row['symbol']} "
            f"prev_close={row['prev_close']}, stored {row['close']}."
        )
