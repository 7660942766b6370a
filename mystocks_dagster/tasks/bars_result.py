"""What a load of bars has done, in words: days and symbols that are missing, incomplete or refused."""

from collections.abc import Sequence
from datetime import date
from itertools import pairwise

from mystocks_dagster.excerpts import abbreviate
from mystocks_dagster.lake.doubts import describe_doubts, find_doubts
from mystocks_dagster.lake.loads import complete_days
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.sources.chain import ChainedSource
from mystocks_dagster.sources.protocol import MarketSource
from mystocks_dagster.tags import ResultStatus, State
from mystocks_dagster.tasks.bars import LoadedBars
from mystocks_dagster.tasks.findings import describe_findings
from mystocks_dagster.tasks.requested_days import RequestedDays
from mystocks_dagster.tasks.run import TaskResult


def bars_result(
    loaded: LoadedBars,
    days: Sequence[date],
    symbols: Sequence[str] | None,
    source: MarketSource,
    lake: Lake,
    *,
    wanted: RequestedDays | None = None,
) -> TaskResult:
    """Return the result of loading: failed without any bar, partial success when days or symbols are missing."""
    lacking = sorted({*days} - loaded.rows.keys() - loaded.refused.keys())
    idle = [day for day in lacking if wanted and day in wanted.unsure]
    missing = [day for day in lacking if day not in idle]
    missing = missing if symbols is None else sorted(set(symbols) - loaded.symbols - loaded.set_aside_symbols)
    unknown = find_doubts(lake)
    notes = [
        "" if source.has_history or symbols is not None else _describe_missing_days(lake, max(days)),
        *getattr(source, "notes", ()),
        wanted.note if wanted else "",
    ]
    message = " ".join(filter(None, [*_sentences(loaded, source, missing, idle), describe_doubts(unknown), *notes]))
    absent = {f"{day}": names for day, names in loaded.absent.items()}
    failed = sorted(f"{item}" for item in {*missing, *loaded.failed(by_symbol=symbols is not None)})
    return TaskResult(
        status=_status(loaded, failed),
        message=message,
        error=None if loaded.rows or not failed else message,
        rows={
            "daily_bars": sum(loaded.rows.values()),
            "adjust_events": loaded.events,
            **{table: sum(rows.values()) for table, rows in loaded.companions.items()},
        },
        days={
            "daily_bars": tuple(sorted(loaded.rows)),
            **{table: tuple(sorted(rows)) for table, rows in loaded.companions.items()},
        },
        failed_items=tuple(failed),
        retry_params=_retry(failed, days, by_symbol=symbols is not None) if failed else {},
        metadata={
            "source": source.name,
            "world": source.world,
            "unknown_factors": len(unknown),
            "set_aside": len(loaded.faults),
            **({"symbols_without_bar": absent} if absent else {}),
        },
    )


def _sentences(loaded: LoadedBars, source: MarketSource, missing: Sequence[object], idle: Sequence[date]) -> list[str]:
    return [
        f"{len(loaded.rows):,} trading days, {sum(loaded.rows.values()):,} bars from {source.name}."
        if loaded.rows
        else "",
        f"{_none_of(source)} no bars for {abbreviate(missing)}." if missing else "",
        f"{abbreviate(idle)}: no bars; treated as a holiday, because the trading calendar ends on {shanghai().last}."
        if idle
        else "",
        f"Incomplete: {abbreviate(list(loaded.partial.values()), 5)}." if loaded.partial else "",
        *describe_findings(loaded.faults, loaded.refused),
        _describe_paused(loaded),
        *dict.fromkeys(loaded.notes),
    ]


def _none_of(source: MarketSource) -> str:
    return f"{source.name} {'have' if isinstance(source, ChainedSource) else 'has'}"


def _status(loaded: LoadedBars, failed: Sequence[str]) -> ResultStatus:
    if loaded.rows:
        return State.PARTIAL_SUCCESS if failed else State.SUCCESS
    if failed:
        return State.FAILED
    # Ratios that became known are work done, even when no bar was loaded.
    return State.SUCCESS if loaded.events else State.SKIPPED


def _describe_paused(loaded: LoadedBars) -> str:
    """Return a sentence about symbols that resumed at their last close after days without a bar."""
    if not loaded.paused:
        return ""
    first, symbols = min(loaded.paused), sorted({symbol for names in loaded.paused.values() for symbol in names})
    names = abbreviate(symbols, 20)
    return f"No bar from {first} on for {names}; treated as suspended, because trading resumed at the last close."


def _retry(failed: Sequence[str], days: Sequence[date], *, by_symbol: bool) -> dict[str, object]:
    if by_symbol:
        return {"symbols": list(failed), "start_date": f"{days[0]}", "end_date": f"{days[-1]}"}
    return {"start_date": failed[0], "end_date": failed[-1]}


def _describe_missing_days(lake: Lake, last: date) -> str:
    """Return a sentence about the missing days before `last`, which a source of snapshots can no longer provide."""
    complete = complete_days(lake, "daily_bars")
    calendar, first = shanghai(), min(complete, default=last)
    sessions = calendar.sessions(first, min(last, calendar.last)) if first <= calendar.last else []
    gaps = [day for day in sessions if day not in complete and day != last]
    if not gaps:
        return ""
    until = next((day for day, after in pairwise(gaps) if calendar.sessions(day, after) != [day, after]), gaps[-1])
    return (
        f"{len(gaps)} earlier days are missing, first {gaps[0]}; backfill them from an archive: "
        f"`mystocks backfill daily_data_sync --from {gaps[0]} --to {until} --again -p data_source=recorded`."
    )
