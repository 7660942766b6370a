"""Signals of strategies, the shipped and the project's own, from the daily indicators and bars."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date
from functools import cache, partial
from itertools import chain
from typing import Any

import polars as pl
from pydantic import Field, ValidationError

from mystocks_dagster.errors import TableMissing
from mystocks_dagster.lake.delta import translate_errors
from mystocks_dagster.lake.doubts import Doubt, describe_doubts, find_doubts
from mystocks_dagster.lake.identity import identity_inputs
from mystocks_dagster.lake.layout import row_order
from mystocks_dagster.lake.matching import with_columns_of
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.lake.watermarks import (
    BEGINNING,
    FirstChange,
    Version,
    first_change,
    stale_since,
    versions,
    watermarks,
    writers,
    wrote_last,
)
from mystocks_dagster.market import limit_columns, statement_factors
from mystocks_dagster.market.tables.research import SIGNALS
from mystocks_dagster.strategies import columns, conditions, evaluation, formulas, ranking
from mystocks_dagster.strategies.choices import Choice, Entries, choice_of
from mystocks_dagster.strategies.evaluation import signals_of
from mystocks_dagster.strategies.registry import DEFAULT
from mystocks_dagster.tags import State
from mystocks_dagster.tasks import signal_counts, strategy_rows, strategy_statements, strategy_stretches
from mystocks_dagster.tasks.changes import write_changes
from mystocks_dagster.tasks.foresight import strategy_tests
from mystocks_dagster.tasks.overtaken import unless_overtaken
from mystocks_dagster.tasks.param_types import TaskParams
from mystocks_dagster.tasks.run import Tables, TaskResult, TaskRun, declares, tables_of
from mystocks_dagster.tasks.short_history import describe_short_history
from mystocks_dagster.tasks.stages import StageTimes
from mystocks_dagster.tasks.strategy_failures import Failures, blamed_on
from mystocks_dagster.tasks.strategy_rows import Needs
from mystocks_dagster.tasks.strategy_stretches import Stretch, ahead, read_stretches

_COMPUTING = (columns, conditions, evaluation, formulas, ranking)
_READING = (strategy_rows, strategy_statements, strategy_stretches, limit_columns, statement_factors)
_ENGINE = (*_COMPUTING, *_READING)
#: Days. To read a few months once takes less time than to read some of their columns twice.
_QUARTER = 92
#: More days since 1970 than a date of a lake has.
_MOST_DAYS = 1_000_000


class SignalParams(TaskParams):
    """Parameters of `calculate_strategy_signals`."""

    strategies: Entries = Field(
        default=list(DEFAULT),
        min_length=1,
        description="Strategies to run: names, or {name: NAME, PARAMETER: VALUE}, see `mystocks strategies`. The "
        "stored signals of others do not change.",
    )
    force: bool = Field(default=False, description="Rewrite the table even when no signal has changed.")

    @property
    def choices(self) -> tuple[Choice, ...]:
        """The strategies with their parameters, each label once."""
        return tuple({choice.label: choice for choice in map(choice_of, self.strategies)}.values())


def _tables(params: Mapping[str, Any]) -> Tables:
    """Return the tables that a task with these params reads, and the version of its strategies."""
    try:
        choices = SignalParams.model_validate(params).choices
    except ValidationError:  # the file's own check reports it
        return Tables(writes=("signals",), reads=(columns.INDICATORS, "daily_bars"), formulas=_ENGINE)
    reads = (name for choice in choices for name in columns.tables_of(choice.definition.reads))
    definitions = tuple(map(str, choices))
    return Tables(writes=("signals",), reads=tuple(dict.fromkeys(reads)), formulas=_ENGINE, definitions=definitions)


@declares(writes=("signals",), reads=("indicators_daily", "daily_bars"), formulas=_ENGINE, by_params=_tables)
def calculate_strategy_signals(params: SignalParams, run: TaskRun) -> TaskResult:
    """Run the strategies on all new or changed days and store one row per symbol, day, strategy and side.

    A signal uses bars up to its own day and is known after that day's close. A symbol with an unknown adjustment ratio
    has indicators, and thus signals, up to the day before; it is listed in the result.

    Raises:
        TableMissing: A table or an indicator that a strategy needs is not there yet.
        InvalidParams: The code of a strategy failed, it looks ahead, or its lookback is too short. In each case the
            signals of the others are stored.
    """
    lake = run.lake()
    lake.open_together(*tables_of(calculate_strategy_signals).reads, "signals", "adjust_events")
    return unless_overtaken(lake, ("signals",), lambda: _calculate(lake, params, run), run.logger)


def _calculate(lake: Lake, params: SignalParams, run: TaskRun) -> TaskResult:
    engine = tables_of(calculate_strategy_signals).code_version
    changes = cache(partial(first_change, lake))
    pieces, failures, test = [], Failures(), strategy_tests(lake)
    for choice in params.choices:
        with failures.noted(), blamed_on(choice.label):
            piece = _piece(lake, choice, f"{engine}", changes, force=params.force)
            if piece.since:
                test(choice)
            pieces.append(piece)
    times, labels = StageTimes(), [choice.label for choice in params.choices]
    with ThreadPoolExecutor(1) as pool:
        doubts = pool.submit(find_doubts, lake)
        while True:  # once more without each strategy that fails
            stale = [piece for piece in pieces if piece.since and piece.choice.label not in failures]
            lost = signal_counts.Lost()
            with failures.noted():
                if stale:
                    rows, counts = _store(lake, stale, labels, times, lost, force=params.force)
                else:
                    rows, counts = 0, signal_counts.stored(lake, labels)
                break
        doubtful = doubts.result()
    computed = [piece.choice for piece in stale]
    result = _result(lake, params, run, rows, computed, counts, doubtful, f"{lost}")
    failures.raise_if_any(result.metadata["signals"])
    return replace(result, stages=times.seconds)


def _store(
    lake: Lake,
    stale: Sequence["_Piece"],
    labels: Sequence[str],
    times: StageTimes,
    lost: signal_counts.Lost,
    *,
    force: bool,
) -> tuple[int, Counter[str]]:
    """Compute and store what is stale.

    A whole table is written year by year, also one that an older version wrote in one file.

    Returns:
        The number of rows written, and that of the stored signals by strategy.
    """
    since = min(piece.since for piece in stale if piece.since)
    seen = {name: number for piece in stale for name, number in piece.watermarks.items()}
    computed = ahead(_computed(lake, stale, times, lost))
    exists = lake.exists("signals")
    if not exists or (since == BEGINNING and (force or not lake.schema_of("signals").by_month)):
        first = next(computed, SIGNALS.empty())  # an error comes before the table is created
        kept = [_kept(lake, stale, since)] if exists else []
        counts = Counter[str]()
        with lake.rewrite("signals") as rewrite:
            for signals in chain([first], computed, kept):
                with times.of("write"):
                    rewrite.add(signals)
                counts += signal_counts.counted(signals)
            return rewrite.commit({**seen, **signal_counts.notes(counts, rewrite.rows)}), counts
    with ThreadPoolExecutor(1) as pool:  # what is stored is looked up while new signals are computed
        earlier = pool.submit(signal_counts.earlier, lake, labels, since)
        staying = pool.submit(_kept, lake, stale, since)
        content = _sorted(pl.concat([SIGNALS.empty(), *computed, staying.result()]))
    with times.of("write"):
        counts, notes = earlier.result().and_from_then_on(content)
        marks = {**seen, **notes}
        return write_changes(lake, "signals", content, since=since, watermarks=marks, force=force), counts


@dataclass(frozen=True)
class _Piece:
    """A strategy, and the first day from which its signals may have changed; None means nowhere."""

    choice: Choice
    work: str
    inputs: tuple[Version, ...]
    since: date | None

    @property
    def watermarks(self) -> Mapping[str, int]:
        return watermarks([self.work], self.inputs) | writers({self.choice.label: self.work})

    @property
    def needs(self) -> Needs:
        return Needs(self.choice.definition.reads, self.since or BEGINNING, self.choice.bars_needed)


def _piece(lake: Lake, choice: Choice, engine: str, changes: FirstChange, *, force: bool) -> _Piece:
    tables = [name for name in columns.tables_of(choice.definition.reads) if name != "stocks" or lake.exists(name)]
    for table in tables:
        if table in columns.WRITERS and not lake.exists(table):
            message = f"{choice.label} reads the table {table}, which is not in the lake {lake.location} yet."
            raise TableMissing(f"{message} {columns.WRITERS[table]}")
    inputs = versions(lake, (*tables, *identity_inputs(lake)))
    work = f"{choice.label} {choice.version} {engine}"
    stored = lake.log("signals")
    from_beginning = force or (stored is not None and not wrote_last(stored, {choice.label: work}))
    since = BEGINNING if from_beginning else stale_since(lake, "signals", [work], inputs, changes)
    return _Piece(choice, work, inputs, since)


def _kept(lake: Lake, stale: Sequence[_Piece], since: date) -> pl.DataFrame:
    """Return the stored signals from the day `since` on that are not computed again."""
    kept = pl.lit(True)
    for piece in stale:
        kept &= ~((pl.col("strategy") == piece.choice.label) & (pl.col("date") >= piece.since))
    stored = lake.scan("signals", columns=list(SIGNALS.dtypes), start=since).filter(kept)
    with translate_errors(lake.location):
        return stored.collect()


def _computed(
    lake: Lake, stale: Sequence[_Piece], times: StageTimes, lost: signal_counts.Lost
) -> Iterator[pl.DataFrame]:
    """Yield the signals of each strategy from its first stale day on, and note those that have no bar."""
    for pieces in _read_together(stale):
        stretches = read_stretches(lake, [piece.choice for piece in pieces], _common(pieces))
        while True:
            with times.of("read"):
                stretch = next(stretches, None)
            if stretch is None:
                break
            frames = []
            for piece in pieces:
                with times.of(piece.choice.label), blamed_on(piece.choice.label):
                    since = max(piece.since or BEGINNING, stretch.since)
                    frames.append(signals_of(piece.choice, stretch.rows, since, trusting=True))
            with times.of("raw closes"):
                signals = _with_raw_close(pl.concat(frames, how="vertical_relaxed"), stretch, lost)
            with times.of("sort"):
                yield _sorted(signals)


def _read_together(stale: Sequence[_Piece]) -> list[list[_Piece]]:
    """Return strategies in groups that read the same days, or whose first days lie within a quarter."""
    groups: list[list[_Piece]] = []
    for piece in sorted(stale, key=lambda piece: piece.needs.days_before or 0):
        group = next((group for group in groups if _near(group[0].needs, piece.needs)), None)
        if group is None:
            groups.append([piece])
        else:
            group.append(piece)
    return groups


def _near(one: Needs, other: Needs) -> bool:
    if one.days_before is None or other.days_before is None:
        return (one.days_before, one.bars is None) == (other.days_before, other.bars is None)
    return one.since == other.since and abs(one.days_before - other.days_before) <= _QUARTER


def _common(pieces: Sequence[_Piece]) -> Needs:
    """Return what strategies that begin on the same day need together."""
    names = tuple(dict.fromkeys(name for piece in pieces for name in piece.needs.columns))
    bars = [piece.needs.bars for piece in pieces]
    longest = None if None in bars else max(number for number in bars if number is not None)
    return Needs(names, min(piece.needs.since for piece in pieces), longest)


def _with_raw_close(signals: pl.DataFrame, stretch: Stretch, lost: signal_counts.Lost) -> pl.DataFrame:
    """Add the raw close; signals without a bar are left out, and noted unless a later stretch has their day."""
    closed = with_columns_of(signals, stretch.bars)
    known = closed.drop_nulls("close")
    if known.height < closed.height:
        lost.add(closed.filter(pl.col("close").is_null(), pl.col("date") <= (stretch.until or date.max)))
    return known.with_columns(pl.col("symbol").cast(pl.String)).select(*SIGNALS.dtypes)


def _sorted(signals: pl.DataFrame) -> pl.DataFrame:
    """Return signals in the order of a data file. One number for each row sorts in a fifth of the time of its texts."""
    place = pl.lit(0, pl.Int64)
    for name in row_order(SIGNALS):
        values = signals[name]
        if values.dtype == pl.String:
            names = values.unique().sort()
            place = place * len(names) + pl.col(name).cast(pl.Enum(names)).to_physical()
        else:
            place = place * _MOST_DAYS + pl.col(name).to_physical()
    return signals.sort(place)


def _result(
    lake: Lake,
    params: SignalParams,
    run: TaskRun,
    rows: int,
    computed: Sequence[Choice],
    stored: Counter[str],
    doubtful: Sequence[Doubt],
    lost: str,
) -> TaskResult:
    counts = {choice.label: stored[choice.label] for choice in params.choices}
    run.logger.info("Signals stored: %s", ", ".join(f"{name} {count:,}" for name, count in counts.items()))
    total = f"{sum(counts.values()):,} signals of {len(counts)} strategies are stored"
    short = describe_short_history(lake, [choice for choice in computed if not counts[choice.label]])
    others = signal_counts.describe_others(lake, Counter(counts))
    idle = not rows and not params.force
    message = f"No signal has changed; {total}." if idle else f"{total}; {rows:,} rows were written."
    status = State.SKIPPED if idle and not short and not lost else State.SUCCESS
    return TaskResult(
        status=State.PARTIAL_SUCCESS if doubtful else status,
        message=" ".join(filter(None, [message, others, short, lost, describe_doubts(doubtful)])),
        rows={} if idle else {"signals": rows},
        failed_items=tuple(doubt.symbol for doubt in doubtful),
        metadata={"signals": counts, "new_day_reads": _reads_of_a_new_day(params.choices)},
    )


def _reads_of_a_new_day(choices: Sequence[Choice]) -> dict[str, str]:
    """Return what each strategy reads of each symbol for a new day, in words."""
    return {choice.label: _reach(choice.bars_needed) for choice in choices}


def _reach(earlier: int | None) -> str:
    if earlier is None:
        return "all bars: it states no lookback"
    return f"the last {earlier + 1} bars" if earlier else "the last bar"
