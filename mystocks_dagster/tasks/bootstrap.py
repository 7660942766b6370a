"""Fill a lake with the market's past: calendar, stock list, corporate actions, bars, indicators and signals."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field

from mystocks_dagster.errors import InvalidParams, NotOffered, SourceError, TaskFailed
from mystocks_dagster.lake.action_check import check_actions, known_action_days
from mystocks_dagster.lake.loads import forget_missing
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.sources.checked import CheckedSource
from mystocks_dagster.sources.preference import preferred, ready
from mystocks_dagster.sources.quickest import ChosenSource, from_files, has_own_files, quickest
from mystocks_dagster.sources.registry import open_source
from mystocks_dagster.tags import State
from mystocks_dagster.tasks.bulk_load import load_history
from mystocks_dagster.tasks.corporate_actions import describe_differences, sync_actions
from mystocks_dagster.tasks.indicators import IndicatorParams, calculate_technical_indicators
from mystocks_dagster.tasks.merge_results import merge_results
from mystocks_dagster.tasks.param_types import FilePath, SourceName, TaskParams
from mystocks_dagster.tasks.requested_days import latest_closed
from mystocks_dagster.tasks.run import TaskResult, TaskRun, declares
from mystocks_dagster.tasks.stages import Stages
from mystocks_dagster.tasks.stock_list import refresh_stock_list
from mystocks_dagster.tasks.strategy import SignalParams, calculate_strategy_signals
from mystocks_dagster.trading_calendar.refresh import refresh_when_due

#: The stages and their seconds for ten years of the whole market out of an archive, on two cores that others share.
_SECONDS = {"lists": 1, "reading": 6, "bars": 40, "indicators": 46, "signals": 25}
_MEASURED_YEARS = 10


class BootstrapParams(TaskParams):
    """Parameters of `bootstrap_market`."""

    years: int = Field(default=10, ge=1, le=40, description="Years to load, up to the latest closed trading day.")
    data_source: Annotated[SourceName, BeforeValidator(lambda value: value or None)] = Field(
        default=None, description="Data source; empty means the quickest one with the market's past that answers."
    )
    folder: FilePath = Field(
        default="",
        description="A folder or zip to load from instead: a 通达信 archive, its client's vipdoc, or your own archive "
        "of Parquet and CSV files.",
    )
    indicators: bool = Field(default=True, description="Calculate indicators and signals afterwards.")


@declares(
    also_writes=(
        *("index_bars", "etf_bars", "daily_bars", "adjust_events", "stocks", "stock_names", "code_changes"),
        *("corporate_actions", "action_differences"),
        *("indicators_daily", "indicators_weekly", "indicators_monthly", "indicator_state", "signals"),
        *("loaded_days", "quarantine"),
    ),
)
def bootstrap_market(params: BootstrapParams, run: TaskRun) -> TaskResult:
    """Load what the lake lacks of the market's past, by calendar year, then calculate indicators and signals.

    Complete days of the lake are kept. A run that was stopped or killed at any point is continued by the next one.

    Raises:
        InvalidParams: The source has no past of the whole market, or the folder is no archive.
        SourceError: The source failed; the years before are stored.
        LakeError: The lake cannot be written.
    """
    chosen = choose(params, run)
    source = CheckedSource(open_source(chosen.name, chosen.settings))
    lake = run.lake(source.world)
    lake.check_world()
    forget_missing(lake)
    skipped = () if params.indicators else ("indicators", "signals")
    usual = {name: value * params.years / _MEASURED_YEARS for name, value in _SECONDS.items() if name not in skipped}
    stages = Stages(run.report_progress, usual, waits=("lists", "reading"))
    stages.reach("lists", 0, f"lists from {chosen.name}")
    refreshed = refresh_when_due(source, chosen.settings)
    start, end = span(source, params.years)
    run.logger.info("Loading the market from %s to %s out of %s.", start, end, chosen.name)
    if chosen.note:
        run.logger.info(chosen.note)
    parts = [
        _stock_list(source, lake, chosen, run),
        _optional("corporate actions", lambda: _actions(source, lake, start, end), run),
    ]
    parts += load_history(source, lake, start, end, reading=stages.of("reading"), writing=stages.of("bars"))
    compared = check_actions(lake, known_action_days(lake))
    if params.indicators and lake.exists("daily_bars"):
        parts += _calculate(run, stages)
    stages.reach(list(usual)[-1], 1, "stored")
    result = merge_results(parts)
    calendar = refreshed.message if refreshed and refreshed.changed else ""
    return replace(
        result,
        message=" ".join(
            filter(None, [chosen.note, result.message, describe_differences(compared.open).strip(), calendar])
        ),
        rows={**result.rows, **compared.rows},
        metadata={**result.metadata, "source": chosen.name, "not_chosen": dict(chosen.others)},
    )


def choose(params: BootstrapParams, run: TaskRun) -> ChosenSource:
    """Return the source of the parameters, of this run or of the settings, else the quickest one that answers.

    Raises:
        InvalidParams: The folder is no archive.
        SourceUnavailable: No source with the market's past answers.
    """
    if params.folder:
        return from_files(run.settings.root / Path(params.folder).expanduser(), run.settings)
    named = run.source_override or run.settings.source or params.data_source
    if named:
        return ChosenSource(str(named), run.settings)
    return quickest(run.settings)


def span(source: CheckedSource, years: int) -> tuple[date, date]:
    """Return the first and the last day to load: `years` up to the latest closed day that the source has.

    Raises:
        InvalidParams: The source has no past of the whole market.
    """
    if not source.history_tables:
        raise InvalidParams(
            f"{source.name} has only the market's present. Name a source with its past, or a folder: --from tdx."
        )
    first, newest = source.bar_days()
    last = min(newest, latest_closed(source))
    day = 28 if (last.month, last.day) == (2, 29) else last.day
    return max(first, date(last.year - years, last.month, day)), last


def _optional(what: str, work: Callable[[], TaskResult], run: TaskRun) -> TaskResult:
    """Return the result of a part without which the bars are loaded too."""
    try:
        return work()
    except NotOffered as error:
        return TaskResult(status=State.SKIPPED, message=str(error))
    except SourceError as error:
        run.logger.warning("%s: %s", what, error)
        return TaskResult(status=State.PARTIAL_SUCCESS, message=f"Without {what}: {error}", failed_items=(what,))


def _stock_list(source: CheckedSource, lake: Lake, chosen: ChosenSource, run: TaskRun) -> TaskResult:
    """Load the stock list from the source, or from the first other one that has it, except for a user's files."""
    settings, names = chosen.settings, [chosen.name]
    if source.world == "real" and not has_own_files(chosen.name, settings):
        names += [name for name in preferred("stocks", ready(settings)) if name not in names]
    reasons = []
    for name in names:
        giver = source if name == chosen.name else CheckedSource(open_source(name, settings))
        if "stocks" not in giver.offers:
            continue
        try:
            return refresh_stock_list(giver, lake, latest_closed(source), force=False)
        except (SourceError, TaskFailed) as error:
            run.logger.warning("No stock list from %s: %s", name, error)
            reasons.append(f"{name}: {error}")
    if not reasons:
        message = f"{chosen.name} has no stock list; load it with `mystocks run sync_basic_stock_info`."
        return TaskResult(status=State.SKIPPED, message=message)
    message = f"Without the stock list ({' '.join(reasons)})."
    return TaskResult(status=State.PARTIAL_SUCCESS, message=message, failed_items=("stocks",))


def _actions(source: CheckedSource, lake: Lake, start: date, end: date) -> TaskResult:
    return sync_actions(source, lake, latest_closed(source), start=start, end=end, force=False)


def _calculate(run: TaskRun, stages: Stages) -> list[TaskResult]:
    parts = []
    stages.reach("indicators", 0, "calculating indicators")
    parts.append(calculate_technical_indicators(IndicatorParams(), _within(run, stages, "indicators")))
    stages.reach("signals", 0, "calculating signals")
    parts.append(calculate_strategy_signals(SignalParams(), _within(run, stages, "signals")))
    return parts


def _within(run: TaskRun, stages: Stages, stage: str) -> TaskRun:
    return replace(run, report_progress=stages.of(stage))
