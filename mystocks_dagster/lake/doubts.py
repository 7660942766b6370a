"""Doubts: which adjustment ratios are unknown, since which day, why, and how to resolve them."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from mystocks_dagster.lake.events import unknown_events
from mystocks_dagster.lake.evidence import silent_days_between
from mystocks_dagster.lake.last_bars import bars_with_last
from mystocks_dagster.lake.loads import complete_days, whole_days
from mystocks_dagster.lake.reading import TableReader
from mystocks_dagster.market.adjacency import uncertain
from mystocks_dagster.market.calendar import TradingCalendar, shanghai

#: Number of symbols that a message names; it counts the others.
_NAMED = 5
_BAR_COLUMNS = ("symbol", "date", "prev_close", "last_date")


@dataclass(frozen=True, kw_only=True)
class Doubt:
    """The first unknown ratio of a symbol.

    Attributes:
        symbol: The symbol.
        day: The day of the bar; hfq prices end the day before.
        missing: Days before it on which a bar may exist that is not stored, ascending; empty when the bar has no
            previous close.
        loaded: The missing days are completely loaded, so that only this symbol's bars are missing.
        uncertain: The published calendar does not say whether the missing days are trading days.
    """

    symbol: str
    day: date
    missing: tuple[date, ...] = ()
    loaded: bool = False
    uncertain: bool = False


def find_doubts(
    lake: TableReader,
    *,
    symbols: Sequence[str] | None = None,
    end: date | None = None,
    calendar: TradingCalendar | None = None,
) -> list[Doubt]:
    """Return the first doubt of each symbol up to the day `end`, sorted by symbol."""
    unknown = unknown_events(lake, symbols=symbols).unique("symbol", keep="first", maintain_order=True)
    if end is not None:
        unknown = unknown.filter(pl.col("date") <= end)
    if unknown.is_empty():
        return []
    calendar = calendar or shanghai()
    bars = bars_with_last(lake, unknown["date"].unique().sort().to_list(), unknown["symbol"].to_list())
    bars = bars.join(unknown, on=["symbol", "date"], how="semi")
    complete = complete_days(lake, "daily_bars")
    silent = silent_days_between(lake, bars.drop_nulls(), whole_days(lake, "daily_bars"), calendar)
    unsure = set(uncertain(silent, calendar))
    result = []
    for symbol, day, prev_close, last in bars.sort("symbol").select(_BAR_COLUMNS).iter_rows():
        missing = silent[bisect_right(silent, last or day) : bisect_left(silent, day)] if prev_close else []
        result.append(_doubt(symbol, day, missing, complete, unsure))
    return result


def describe_doubts(doubts: Sequence[Doubt], opening: str = "") -> str:
    """Return sentences with the symbols and days of doubts, the reasons and the remedies; empty without doubts.

    Args:
        doubts: The doubts.
        opening: Replaces the first sentence, which names symbols and days.
    """
    if not doubts:
        return ""
    kinds: dict[str, list[Doubt]] = {}
    for doubt in doubts:
        kinds.setdefault(_kind(doubt), []).append(doubt)
    first = opening or f"The adjustment ratio is unknown, so nothing is computed for {_symbols_and_days(doubts)}."
    return " ".join([first, *(_REMEDIES[kind](same) for kind, same in kinds.items())])


def _symbols_and_days(doubts: Sequence[Doubt]) -> str:
    """Return the symbols and days of the first doubts, and the number of the others."""
    others = len(doubts) - _NAMED
    symbols = ", ".join(f"{doubt.symbol} from {doubt.day} on" for doubt in doubts[:_NAMED])
    return f"{symbols} and {others:,} more symbols" if others > 0 else symbols


def _doubt(symbol: str, day: date, missing: Sequence[date], complete: dict[date, int], unsure: set[date]) -> Doubt:
    return Doubt(
        symbol=symbol,
        day=day,
        missing=tuple(missing),
        loaded=bool(missing) and all(missing_day in complete for missing_day in missing),
        uncertain=bool(missing)
        and all(missing_day in unsure and missing_day not in complete for missing_day in missing),
    )


def _kind(doubt: Doubt) -> str:
    if not doubt.missing:
        return "unstated"
    if doubt.uncertain:
        return "uncertain"
    return "lacking" if doubt.loaded else "absent"


def _unstated(doubts: list[Doubt]) -> str:
    command = _command(doubts, doubts[0].day, doubts[0].day)
    return f"The bar of that day has no previous close. Load the day from a source that provides it: {command}."


def _absent(doubts: list[Doubt]) -> str:
    gap, same = _first_gap(doubts)
    days = f"{gap[0]}" if len(gap) == 1 else f"{gap[0]} to {gap[-1]}"
    reason = f"The previous close differs from the last stored close, and {days} before it is not loaded."
    return f"{reason} {_load_or_action(doubts, same, gap)}"


def _lacking(doubts: list[Doubt]) -> str:
    gap, same = _first_gap(doubts)
    reason = "The previous close differs from the last stored close, and the symbol's own bar before it is missing"
    return f"{reason} on a loaded day. {_load_or_action(doubts, same, gap)}"


def _load_or_action(doubts: list[Doubt], same: list[Doubt], gap: tuple[date, ...]) -> str:
    others = len(doubts) - len(same)
    more = f"{others:,} more symbols need other days. " if others else ""
    command = _command(same, gap[0], gap[-1])
    return f"Load it: {command}. {more}A corporate action that explains the difference also resolves it."


def _first_gap(doubts: list[Doubt]) -> tuple[tuple[date, ...], list[Doubt]]:
    """Return the earliest missing days, and the doubts that miss exactly those."""
    gap = min(doubt.missing for doubt in doubts)
    return gap, [doubt for doubt in doubts if doubt.missing == gap]


def _uncertain(doubts: list[Doubt]) -> str:
    return (
        "The previous close differs from the last stored close, and the trading calendar, which ends on "
        f"{shanghai().last}, does not say whether {doubts[0].missing[0]} was a trading day. The next run of "
        "daily_data_sync resolves it after the calendar was extended (`mystocks calendar --refresh`), or when a "
        "corporate action explains the difference."
    )


_REMEDIES = {"unstated": _unstated, "absent": _absent, "lacking": _lacking, "uncertain": _uncertain}


def _command(doubts: list[Doubt], first: date, last: date) -> str:
    """Return the command that loads those days: for few symbols from any source, for the market from an archive."""
    symbols = ", ".join(f'"{doubt.symbol}"' for doubt in doubts)
    option = f"-p 'symbols=[{symbols}]'" if len(doubts) <= _NAMED else "-p data_source=recorded"
    # Days of which some symbols were loaded count as loaded for `backfill`, hence --again.
    return f"`mystocks backfill daily_data_sync --from {first} --to {last} --again {option}`"
