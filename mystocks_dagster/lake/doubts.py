"""Why ratios are unknown, since which day, and what makes them known."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from mystocks_dagster.lake.events import unknown_events
from mystocks_dagster.lake.evidence import silent_days_between
from mystocks_dagster.lake.last_bars import bars_with_last
from mystocks_dagster.lake.loads import complete_days, whole_days
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.adjacency import uncertain
from mystocks_dagster.market.calendar import TradingCalendar, shanghai

#: So many symbols are named; the rest are counted.
_NAMED = 5


@dataclass(frozen=True, kw_only=True)
class Doubt:
    """The first unknown ratio of a symbol.

    Attributes:
        symbol: The symbol.
        day: The day of the bar; hfq prices end the day before.
        missing: Days before it of which a bar may exist that is not stored, ascending; none when the bar states no
            previous close.
        loaded: The missing days are loaded completely, so that only the symbol's own bars are missing.
        uncertain: The published calendar does not know whether the missing days are trading days.
    """

    symbol: str
    day: date
    missing: tuple[date, ...] = ()
    loaded: bool = False
    uncertain: bool = False


def find_doubts(
    lake: Lake,
    *,
    symbols: Sequence[str] | None = None,
    end: date | None = None,
    calendar: TradingCalendar | None = None,
) -> list[Doubt]:
    """Return the first doubt of each symbol up to the day `end`, by symbol; nothing is read when there is none."""
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
    return [
        _doubt(
            symbol,
            day,
            silent[bisect_right(silent, last or day) : bisect_left(silent, day)] if stated else [],
            complete,
            unsure,
        )
        for symbol, day, stated, last in bars.sort("symbol")
        .select("symbol", "date", "prev_close", "last_date")
        .iter_rows()
    ]


def describe_doubts(found: Sequence[Doubt], opening: str = "") -> str:
    """Return the symbols and days of doubts, the reasons and the remedies, as sentences; nothing for no doubt.

    Args:
        found: The doubts.
        opening: Takes the place of the first sentence, which names symbols and days.
    """
    if not found:
        return ""
    kinds: dict[str, list[Doubt]] = {}
    for doubt in found:
        kinds.setdefault(_kind(doubt), []).append(doubt)
    return " ".join(
        [opening or f"Nothing is computed of {named(found)}.", *(_REMEDIES[kind](same) for kind, same in kinds.items())]
    )


def named(found: Sequence[Doubt]) -> str:
    """Return symbols and days of doubts; of many the first ones and the number of the others."""
    first = ", ".join(f"{doubt.symbol} from {doubt.day} on" for doubt in found[:_NAMED])
    return f"{first} and {len(found) - _NAMED:,} more symbols" if len(found) > _NAMED else first


def _doubt(symbol: str, day: date, missing: Sequence[date], complete: dict[date, int], unsure: set[date]) -> Doubt:
    return Doubt(
        symbol=symbol,
        day=day,
        missing=tuple(missing),
        loaded=bool(missing) and all(gone in complete for gone in missing),
        uncertain=bool(missing) and all(gone in unsure and gone not in complete for gone in missing),
    )


def _kind(doubt: Doubt) -> str:
    if not doubt.missing:
        return "unstated"
    return "uncertain" if doubt.uncertain else "lacking" if doubt.loaded else "absent"


def _unstated(found: list[Doubt]) -> str:
    return f"No previous close is stated then: load the day from a source that states it, {_command(found, found[0].day, found[0].day)}."


def _absent(found: list[Doubt]) -> str:
    gap, same = _first_gap(found)
    shown = f"{gap[0]}" if len(gap) == 1 else f"{gap[0]} to {gap[-1]}"
    return (
        f"The previous close is not the last stored close, and {shown} before it is not loaded: {_command(same, gap[0], gap[-1])}. "
        f"{_others(found, same)}A corporate action that explains the difference is enough."
    )


def _lacking(found: list[Doubt]) -> str:
    gap, same = _first_gap(found)
    return (
        "The previous close is not the last stored close, and the symbol's own bar before it is missing on a loaded day: "
        f"{_command(same, gap[0], gap[-1])}. {_others(found, same)}A corporate action that explains the difference is enough."
    )


def _first_gap(found: list[Doubt]) -> tuple[tuple[date, ...], list[Doubt]]:
    """Return the earliest missing days, and the doubts that lack exactly those."""
    gap = min(doubt.missing for doubt in found)
    return gap, [doubt for doubt in found if doubt.missing == gap]


def _others(found: list[Doubt], same: list[Doubt]) -> str:
    return f"{len(found) - len(same):,} symbols lack other days. " if len(found) > len(same) else ""


def _uncertain(found: list[Doubt]) -> str:
    return (
        f"The previous close is not the last stored close, and the exchange calendar, which ends on {shanghai().last}, does not say "
        f"whether {found[0].missing[0]} was a trading day. With a later calendar (`mystocks calendar --refresh`), or a corporate action "
        "that explains the difference, the next run of daily_data_sync derives it."
    )


_REMEDIES = {"unstated": _unstated, "absent": _absent, "lacking": _lacking, "uncertain": _uncertain}


def _command(found: list[Doubt], first: date, last: date) -> str:
    """Return the command that loads those days: of few symbols from any source, of the market from an archive."""
    symbols = ", ".join(f'"{doubt.symbol}"' for doubt in found)
    option = f"-p 'symbols=[{symbols}]'" if len(found) <= _NAMED else "-p data_source=recorded"
    # Days of which some symbols were loaded count as loaded for `backfill`, hence --again.
    return f"`mystocks backfill daily_data_sync --from {first} --to {last} --again {option}`"
