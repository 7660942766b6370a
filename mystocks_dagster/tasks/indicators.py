"""Technical indicators of the whole market, daily, weekly and monthly, on backward-adjusted prices."""

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import reduce
from typing import Any

import polars as pl
from pydantic import Field, ValidationError

from mystocks_dagster.errors import InvalidParams, LakeError
from mystocks_dagster.excerpts import with_remedy
from mystocks_dagster.lake.doubts import Doubt, describe_doubts, find_doubts
from mystocks_dagster.lake.events import derive_unknown
from mystocks_dagster.lake.identity import identity_inputs
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.lake.watermarks import Version, versions
from mystocks_dagster.market import adjust, indicators, periods
from mystocks_dagster.market.catalogue.calculation import LOOKS_AHEAD
from mystocks_dagster.market.indicators import INDICATORS
from mystocks_dagster.market.periods import PERIODS, Period
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.tasks.foresight import refused
from mystocks_dagster.tasks.indicator_bars import Extent, stored_extent
from mystocks_dagster.tasks.indicator_carry import carry, recompute
from mystocks_dagster.tasks.indicator_choices import IndicatorChoices
from mystocks_dagster.tasks.indicator_choices import calculations as chosen_calculations
from mystocks_dagster.tasks.indicator_rebuild import rebuild
from mystocks_dagster.tasks.indicator_whole import replace_changed
from mystocks_dagster.tasks.indicator_work import THREADS, Work, joined
from mystocks_dagster.tasks.overtaken import unless_overtaken
from mystocks_dagster.tasks.own_indicator_choice import OwnChoice
from mystocks_dagster.tasks.param_types import Symbols, TaskParams
from mystocks_dagster.tasks.run import Tables, TaskResult, TaskRun, declares, tables_of
from mystocks_dagster.tasks.stages import StageTimes


class IndicatorParams(TaskParams):
    """Parameters of `calculate_technical_indicators`."""

    indicators: IndicatorChoices = Field(
        default=list(INDICATORS),
        description="Indicators to calculate: names of docs/indicators.md, {name: MA, windows: [5, 250]}, or formulas "
        "of your own; the stored columns of the others do not change.",
    )
    periods: list[Period] = Field(
        default=list(PERIODS), min_length=1, description="Daily, weekly and monthly bars, or some of these."
    )
    symbols: Symbols = Field(default=None, description="Only these symbols, like 600519.SH; empty means all.")
    force: bool = Field(default=False, description="Rewrite the tables even when nothing has changed.")


#: What the progress of a period's indicators is called.
_STAGES = {"daily": "daily indicators", "weekly": "weekly indicators", "monthly": "monthly indicators"}
_TABLES = Tables(
    writes=("indicators_daily", "indicators_weekly", "indicators_monthly"),
    also_writes=("adjust_events", "indicator_state"),
    reads=("daily_bars", "adjust_events"),
    formulas=(adjust, indicators, periods, "mystocks_dagster.market.kernels", "mystocks_dagster.market.formulas"),
)


def _tables(params: Mapping[str, Any]) -> Tables:
    """Return the tables with what a task with these params calculates."""
    try:
        chosen = IndicatorParams.model_validate(params).indicators
    except ValidationError:  # the file's own check reports it
        return _TABLES
    calculations = chosen_calculations(chosen)
    columns = {name: about.startswith(LOOKS_AHEAD) for item in calculations for name, about in item.about.items()}
    return replace(_TABLES, definitions=tuple(f"{item.label} {item.version}" for item in calculations), columns=columns)


@declares(
    writes=_TABLES.writes,
    also_writes=_TABLES.also_writes,
    reads=_TABLES.reads,
    formulas=_TABLES.formulas,
    by_params=_tables,
)
def calculate_technical_indicators(params: IndicatorParams, run: TaskRun) -> TaskResult:
    """Calculate indicators and store them, for new bars from the stored state of the bars before.

    When neither bars nor events have changed since the last calculation, nothing is computed. Symbols whose past has
    changed are computed again from their first bar on. A symbol with an unknown adjustment ratio is calculated up to
    the day before and listed in the result, as is a symbol without bars. Ratios that have become known since are
    derived first.

    Raises:
        TableMissing: There are no bars yet.
        LakeError: None of the symbols has bars.
        InvalidParams: An indicator in Python looks ahead, its lookback is too short, or its code fails. The other
            indicators are stored.
    """
    lake, rows = run.lake(), Counter[str]()
    lake.open_together(*_TABLES.reads, *_TABLES.writes, *_TABLES.also_writes)
    unfit = refused(lake, params.indicators)
    fit = [choice for place, choice in enumerate(params.indicators) if place not in unfit]
    texts = [f"{error}" for error in unfit.values()]
    derive_unknown(lake)
    tables = tuple(f"indicators_{period}" for period in dict.fromkeys(params.periods))

    def calculate(choices: Sequence[Any]) -> TaskResult:
        chosen = params.model_copy(update={"indicators": [*choices]})
        return unless_overtaken(lake, tables, lambda: _calculate(lake, chosen, run, rows), run.logger)

    result = None
    try:
        result = calculate(fit) if fit else None
    except InvalidParams:  # code that fails on other bars than those of the sample: whose it is, is seen by itself
        own = [choice for choice in fit if isinstance(choice, OwnChoice)]
        others = [choice for choice in fit if choice not in own]
        for choices in filter(None, [others, *([choice] for choice in own)]):
            try:
                result = calculate(choices)
            except InvalidParams as error:
                texts.append(f"{error}")
    if result and texts:
        texts.append(f"The other indicators are stored: {result.message}")
    if texts or result is None:
        raise InvalidParams(reduce(with_remedy, texts))
    return result


def _calculate(lake: Lake, params: IndicatorParams, run: TaskRun, rows: Counter[str]) -> TaskResult:
    """Calculate what is stale, and add the written rows by table to `rows`."""
    inputs = versions(lake, ("daily_bars", "adjust_events", *identity_inputs(lake)))
    code = tables_of(calculate_technical_indicators).code_version or ""
    calculations = chosen_calculations(params.indicators)
    works = [part for period in dict.fromkeys(params.periods) for part in Work(period, calculations, code).parts()]
    extent, times = stored_extent(lake), StageTimes()
    without: list[str] = []
    with ThreadPoolExecutor(1) as pool:
        doubts = pool.submit(find_doubts, lake, symbols=params.symbols)
        if params.symbols:
            without = _without_traded_bars(lake, params.symbols)
            for work in works:
                rows[work.table] += recompute(lake, work, params.symbols)
        else:
            _calculate_all(lake, works, inputs, extent, params, run, times, rows)
        doubtful = doubts.result()
    if not any(rows.values()):
        nothing = "No row has changed." if doubtful else f"Already complete up to {extent.last}."
        return _result({}, doubtful, without, nothing)
    message = f"{sum(rows.values()):,} rows up to {extent.last}."
    result = _result(rows, doubtful, without, f"{message} {_without_values(lake, works, extent)}".strip())
    return replace(result, stages=times.seconds)


def _without_values(lake: Lake, works: Sequence[Work], extent: Extent) -> str:
    """Return a sentence about the added columns that no symbol has a value of on the newest day; empty if none."""
    empty: list[str] = []
    for work in works:
        added = [name for item in work.calculations for name in item.columns.values()]
        added = [name for name in added if name not in TABLES[work.table].dtypes]
        newest = lake.read(work.table, columns=added, start=extent.last) if added else pl.DataFrame()
        empty += [f"{name} ({work.period})" for name in newest.columns if newest[name].null_count() == newest.height]
    if not empty:
        return ""
    names = ", ".join(empty[:5]) + ("…" if len(empty) > 5 else "")
    return (
        f"No symbol has a value of {names} on the newest day: a window is longer than the stored history, an input is "
        "not stored, or the formula gives none on that day, as with DRAWNULL."
    )


def _calculate_all(
    lake: Lake,
    works: Sequence[Work],
    inputs: Sequence[Version],
    extent: Extent,
    params: IndicatorParams,
    run: TaskRun,
    times: StageTimes,
    rows: Counter[str],
) -> None:
    """Calculate what is stale: from the stored state where that is possible, else from the first bar on."""

    def without_fresh(work: Work) -> Work:
        return work if params.force else work.without(work.fresh(lake, inputs))

    with ThreadPoolExecutor(THREADS) as pool:
        stale = [work for work in pool.map(without_fresh, works) if work.calculations]
    # The years of all periods: it does not change when a period must be calculated from its first year on.
    years = max(1, len(extent.years))
    total = years * len(stale)
    rebuilds: list[Work] = []

    carried = iter([None] * len(stale)) if params.force else carry(lake, stale, inputs, extent, times)
    for place, work in enumerate(stale):
        run.report_progress(years * (place - len(rebuilds)), total, _STAGES[work.period])
        if (done := next(carried)) is None:
            rebuilds.append(work)
        else:
            rows[work.table] += done
    next(carried, None)  # the states are stored
    # What cannot be carried on is computed by itself: the others get a state, and are carried on from now on.
    groups = [joined(group) for group in (_carried(rebuilds, True), _carried(rebuilds, False)) if group]
    rest = years * len(rebuilds)
    for place, group in enumerate(groups):
        names = ", ".join(dict.fromkeys(item.name for work in group for item in work.calculations))
        run.logger.info("Calculating %s from the first of %d bars on", names, extent.rows)
        run.logger.info("The first calculation on a machine compiles the formulas, which takes about ten seconds")

        def report(done: int, pieces: int, before: int = place) -> None:
            share = rest * (before * pieces + done) // (pieces * len(groups))
            run.report_progress(total - rest + share, total, "indicators from the first bar on")

        with times.of("from the first bar on"):
            again = params.force or group[0].plan.carried
            written = {} if again else replace_changed(lake, group, inputs)
            if left := [work for work in group if work.table not in written]:
                written |= rebuild(lake, left, inputs, extent, report)
            for table, number in written.items():
                rows[table] = max(rows[table], number)  # new rows are among those that were carried on
    if stale:
        run.report_progress(total, total, "stored")


def _carried(works: Sequence[Work], whether: bool) -> list[Work]:
    return [work for work in works if work.plan.carried is whether]


def _without_traded_bars(lake: Lake, symbols: Sequence[str]) -> list[str]:
    """Return the symbols that have no bar on which they traded.

    Raises:
        LakeError: That is so of all.
    """
    bars = lake.scan("daily_bars", columns=["symbol", "suspended"], symbols=symbols)
    traded = bars.filter(~pl.col("suspended")).select(pl.col("symbol").unique()).collect()["symbol"].to_list()
    without = sorted({*symbols} - {*traded})
    if not traded:
        raise LakeError(f"No symbol can be calculated: {_without_bars(without)}")
    return without


def _result(rows: Mapping[str, int], doubtful: Sequence[Doubt], without: Sequence[str], message: str) -> TaskResult:
    failed = (*(doubt.symbol for doubt in doubtful), *without)
    if failed:
        text = " ".join(filter(None, [message, describe_doubts(doubtful), _without_bars(without)]))
        retry = {"symbols": list(failed)}
        return TaskResult(status="partial_success", message=text, rows=rows, failed_items=failed, retry_params=retry)
    return TaskResult(status="success" if rows else "skipped", message=message, rows=rows)


def _without_bars(symbols: Sequence[str]) -> str:
    if not symbols:
        return ""
    names = ", ".join(symbols[:5]) + ("…" if len(symbols) > 5 else "")
    return f"{len(symbols)} symbols have no bars ({names}); load them with daily_data_sync and run again."
