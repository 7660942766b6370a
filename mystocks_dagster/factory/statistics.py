"""The asset `task_statistics`: a line with counts and durations for each task, and charts over time."""

import json
import time
from collections.abc import Mapping
from typing import Any

import dagster as dg

from mystocks_dagster.dagster_tables import InstanceTables
from mystocks_dagster.factory.project_sensor import project_sensor
from mystocks_dagster.history import Statistics, catch_up
from mystocks_dagster.history.aggregates import TimeWindow
from mystocks_dagster.settings import Settings
from mystocks_dagster.tags import UNDER_WAY, OwnName, Tag

#: Asset group of the project itself.
SYSTEM = "system"
#: Seconds between two refreshes; a file with more tasks than this is refreshed once in as many seconds as it has tasks.
_GAP_SECONDS = 60
#: Charts show this many tasks, those that ran last.
_CHARTED = 24


def build_statistics(names: Mapping[str, str], task_ids: Mapping[str, str]) -> dg.AssetsDefinition:
    """Return the asset, which the Materialize button and a sensor refresh.

    Args:
        names: Task names by task id.
        task_ids: Task ids by Dagster name.
    """

    @dg.asset(
        key=OwnName.TASK_STATISTICS,
        group_name=SYSTEM,
        op_tags={Tag.SYSTEM: "true"},
        description="任务统计：次数、成功率、耗时。Counts, success rate and durations of each task.\n\n"
        "每个任务一行在 Metadata 的 Table，曲线在 Plots。任务结束后自动更新（最多每分钟一次）。\n\n"
        "See Metadata, Table and Plots. Refreshed automatically when executions end.",
    )
    def task_statistics(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        return dg.MaterializeResult(metadata=statistics_metadata(_read(context.instance, names, task_ids)))

    return task_statistics


def build_refresher(names: Mapping[str, str], task_ids: Mapping[str, str]) -> dg.SensorDefinition:
    """Return the sensor that refreshes the statistics when executions have ended, without a run."""
    gap = max(_GAP_SECONDS, len(names))

    def refresh(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        cursor: dict[str, Any] = json.loads(context.cursor) if context.cursor else {"time": 0, "ended": None}
        if (wait := cursor["time"] + gap - time.time()) > 1:
            return dg.SensorResult(skip_reason=f"refreshed less than {gap} s ago; next check in {wait:.0f} s")
        statistics = _read(context.instance, names, task_ids)
        ended = _ended(statistics)
        if ended in (cursor["ended"], {}):
            return dg.SensorResult(skip_reason="no execution has ended since the last refresh")
        event = dg.AssetMaterialization(OwnName.TASK_STATISTICS, metadata=statistics_metadata(statistics))
        return dg.SensorResult(asset_events=[event], cursor=json.dumps({"time": time.time(), "ended": ended}))

    description = "有任务结束时更新任务统计 · Refreshes task_statistics when executions have ended"
    return project_sensor(OwnName.TASK_STATISTICS, refresh, description, _GAP_SECONDS)


def statistics_metadata(statistics: Mapping[str, Statistics]) -> dict[str, Any]:
    """Return a line for each task, and numbers for each task, which the UI plots over time.

    Lines and not Dagster's table, which most screens cut off.
    """
    # A task whose newest execution waits has no last start, although it has run.
    ran = sorted((task for task in statistics.values() if task.total_executions), key=_last, reverse=True)
    good, bad = sum(task.success_count for task in ran), sum(task.failed_count for task in ran)
    metadata: dict[str, Any] = {f"{task.task_id} {task.task_name}": _line(task) for task in statistics.values()}
    # The UI sorts charts by name: all tasks first, then the two charts of each task.
    metadata["ALL 全部任务 · 执行次数"] = sum(task.total_executions for task in ran)
    if good + bad:
        metadata["ALL 全部任务 · 成功率 %"] = round(100 * good / (good + bad), 2)
    for task in ran[:_CHARTED]:
        if task.success_rate is not None:
            metadata[f"{task.task_id} · 成功率 %"] = float(task.success_rate)
        if task.avg_duration is not None:
            metadata[f"{task.task_id} · 耗时 s"] = float(task.avg_duration)
    return metadata


def _line(task: Statistics) -> str:
    """Return the statistics of a task in one line.

    Examples:
        >>> _line(Statistics(task_id="a", task_name="A"))
        '从未执行 never ran'
    """
    if not task.total_executions:
        return "从未执行 never ran"
    parts = [f"成功率 {task.success_rate:g} %"] if task.success_rate is not None else []
    parts.append(f"{task.total_executions} 次，失败 {task.failed_count}")
    if task.avg_duration is not None and task.p95_duration is not None:
        parts.append(f"平均 {task.avg_duration:.1f} s，95% {task.p95_duration:.1f} s")
    if task.last_execution_time:
        parts.append(f"最近 {task.last_execution_time:%m-%d %H:%M} {task.last_status}")
    return " · ".join(parts)


def _read(instance: dg.DagsterInstance, names: Mapping[str, str], task_ids: Mapping[str, str]) -> dict[str, Statistics]:
    """Return the statistics of the file's tasks by task id."""
    with catch_up.opened(InstanceTables(instance), Settings.from_env().dagster_home) as rollup:
        rows = rollup.tallies(None, TimeWindow.of(None, None))
    tallies = {task_ids.get(tally.name, tally.task): tally for tally in rows}
    return {
        name: tallies[name].to_statistics(name, title, tallies[name].last_status)
        if name in tallies
        else Statistics(task_id=name, task_name=title)
        for name, title in names.items()
    }


def _ended(statistics: Mapping[str, Statistics]) -> dict[str, list[Any]]:
    """Return the counts of ended executions by task id, without tasks of which none has ended."""
    counts = {
        task_id: [task.total_executions - (task.last_status in UNDER_WAY), task.failed_count]
        for task_id, task in statistics.items()
    }
    return {task_id: count for task_id, count in counts.items() if count[0]}


def _last(task: Statistics) -> float:
    return task.last_execution_time.timestamp() if task.last_execution_time else 0
