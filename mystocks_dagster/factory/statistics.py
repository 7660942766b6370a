"""The asset `task_statistics`: how often each task ran and how it went, a line for each and charts over time."""

import json
import time
from collections.abc import Mapping
from typing import Any

import dagster as dg

from mystocks_dagster.dagster_tables import InstanceTables
from mystocks_dagster.history import Statistics, catch_up
from mystocks_dagster.history.aggregates import TimeWindow
from mystocks_dagster.settings import Settings
from mystocks_dagster.tags import UNDER_WAY, OwnName, Tag, sensor_name

#: The group of what tells of the project itself.
SYSTEM = "system"
#: The daemon looks once a minute; a file of more tasks than this many seconds is told less often, since it has as many
#: lines.
_GAP_SECONDS = 60
#: Charts are drawn of this many tasks, those that ran last: more of them nobody looks at.
_CHARTED = 24


def build_statistics(names: Mapping[str, str], task_ids: Mapping[str, str]) -> dg.AssetsDefinition:
    """Return the asset; the Materialize button works it out anew, and its sensor does so by itself.

    Args:
        names: Task id to task name, of the tasks in the file.
        task_ids: Dagster name to task id.
    """

    @dg.asset(
        key=OwnName.TASK_STATISTICS,
        group_name=SYSTEM,
        op_tags={Tag.SYSTEM: "true"},
        description="任务统计：次数、成功率、耗时。How often each task ran and how it went.\n\n"
        "每个任务一行在 Metadata 的 Table，曲线在 Plots。任务结束后自动更新（最多每分钟一次）。\n\n"
        "See Metadata, Table and Plots. Refreshed by itself when executions end.",
    )
    def task_statistics(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        return dg.MaterializeResult(metadata=statistics_metadata(_read(context.instance, names, task_ids)))

    return task_statistics


def build_refresher(names: Mapping[str, str], task_ids: Mapping[str, str]) -> dg.SensorDefinition:
    """Return the sensor that refreshes the statistics when executions have ended, without a run of its own."""
    gap = max(_GAP_SECONDS, len(names))

    def refresh(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        seen: dict[str, Any] = json.loads(context.cursor) if context.cursor else {"time": 0, "ended": None}
        if (wait := seen["time"] + gap - time.time()) > 1:
            return dg.SensorResult(skip_reason=f"refreshed less than {gap} s ago; looks again in {wait:.0f} s")
        found = _read(context.instance, names, task_ids)
        ended = _ended(found)
        if ended in (seen["ended"], {}):
            return dg.SensorResult(skip_reason="no execution has ended since the last refresh")
        event = dg.AssetMaterialization(OwnName.TASK_STATISTICS, metadata=statistics_metadata(found))
        return dg.SensorResult(asset_events=[event], cursor=json.dumps({"time": time.time(), "ended": ended}))

    return dg.SensorDefinition(
        name=sensor_name(OwnName.TASK_STATISTICS),
        evaluation_fn=refresh,
        minimum_interval_seconds=_GAP_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="有任务结束时更新任务统计 · Refreshes task_statistics when executions have ended",
    )


def statistics_metadata(found: Mapping[str, Statistics]) -> dict[str, Any]:
    """Return a line for each task, and numbers under a name per task, which the UI plots over time.

    Lines, not Dagster's own table: that is cut off on all but the widest screens.
    """
    # One whose newest execution still waits has no last start, and has run nevertheless.
    ran = sorted((one for one in found.values() if one.total_executions), key=_last, reverse=True)
    good, bad = sum(one.success_count for one in ran), sum(one.failed_count for one in ran)
    shown: dict[str, Any] = {f"{one.task_id} {one.task_name}": _line(one) for one in found.values()}
    # The UI sorts charts by name: all tasks first, then each task's two side by side.
    shown["ALL 全部任务 · 执行次数"] = sum(one.total_executions for one in ran)
    if good + bad:
        shown["ALL 全部任务 · 成功率 %"] = round(100 * good / (good + bad), 2)
    for one in ran[:_CHARTED]:
        if one.success_rate is not None:
            shown[f"{one.task_id} · 成功率 %"] = float(one.success_rate)
        if one.avg_duration is not None:
            shown[f"{one.task_id} · 耗时 s"] = float(one.avg_duration)
    return shown


def _line(one: Statistics) -> str:
    """Return what a person wants to know of one task.

    Examples:
        >>> _line(Statistics(task_id="a", task_name="A"))
        '从未执行 never ran'
    """
    if not one.total_executions:
        return "从未执行 never ran"
    parts = [f"成功率 {one.success_rate:g} %"] if one.success_rate is not None else []
    parts.append(f"{one.total_executions} 次，失败 {one.failed_count}")
    if one.avg_duration is not None and one.p95_duration is not None:
        parts.append(f"平均 {one.avg_duration:.1f} s，95% {one.p95_duration:.1f} s")
    if one.last_execution_time:
        parts.append(f"最近 {one.last_execution_time:%m-%d %H:%M} {one.last_status}")
    return " · ".join(parts)


def _read(instance: dg.DagsterInstance, names: Mapping[str, str], task_ids: Mapping[str, str]) -> dict[str, Statistics]:
    """Return the statistics of the file's tasks: what else ran is none of them."""
    with catch_up.opened(InstanceTables(instance), Settings.from_env().dagster_home) as rollup:
        tallies = {task_ids.get(one.name, one.task): one for one in rollup.tallies(None, TimeWindow.of(None, None))}
    return {
        name: tallies[name].to_statistics(name, title, tallies[name].last_status)
        if name in tallies
        else Statistics(task_id=name, task_name=title)
        for name, title in names.items()
    }


def _ended(found: Mapping[str, Statistics]) -> dict[str, list[Any]]:
    """Return what changes when an execution ends, and not already when one starts; empty when nothing ever ended."""
    counts = {
        task_id: [one.total_executions - (one.last_status in UNDER_WAY), one.failed_count]
        for task_id, one in found.items()
    }
    return {task_id: count for task_id, count in counts.items() if count[0]}


def _last(one: Statistics) -> float:
    return one.last_execution_time.timestamp() if one.last_execution_time else 0
