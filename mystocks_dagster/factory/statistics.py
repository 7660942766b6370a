"""The asset `task_statistics`: how often each task ran and how it went, as a table and as charts over time."""

import json
import time
from collections.abc import Iterable, Mapping
from typing import Any

import dagster as dg

from mystocks_dagster.history import Statistics, catch_up
from mystocks_dagster.history.rollup import Window
from mystocks_dagster.settings import Settings

STATISTICS = "task_statistics"
#: The group of what tells of the project itself.
SYSTEM = "system"
#: The daemon looks once a minute; a file of more tasks than this many seconds is told less often, since its table is long.
_GAP_SECONDS = 60
#: Charts are drawn of this many tasks, those that ran last: more of them nobody looks at.
_CHARTED = 24
_UNFINISHED = ("pending", "running")

#: Columns of the table: name, type, and what it says.
_COLUMNS = (
    ("任务", "string", "task id and name"),
    ("成功率%", "float", "success rate"),
    ("次数", "int", "executions, also skipped and cancelled ones"),
    ("失败", "int", "failed"),
    ("平均秒", "float", "mean duration in seconds"),
    ("p95秒", "float", "95th percentile of the duration in seconds"),
    ("最近", "string", "status and start of the last one"),
)


def build_statistics(names: Mapping[str, str], task_ids: Mapping[str, str]) -> dg.AssetsDefinition:
    """Return the asset; the Materialize button works it out anew, and its sensor does so by itself.

    Args:
        names: Task id to task name, of the tasks in the file.
        task_ids: Dagster name to task id.
    """

    @dg.asset(
        key=STATISTICS,
        group_name=SYSTEM,
        op_tags={"mystocks/system": "true"},
        description="**任务统计**：次数、成功率、耗时；表格在 Metadata 的 Table，曲线在 Plots。任务结束后自动更新（最多每分钟一次）。\n\n"
        "How often each task ran and how it went: see Metadata, Table and Plots. Refreshed by itself when executions end.",
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
        event = dg.AssetMaterialization(STATISTICS, metadata=statistics_metadata(found))
        return dg.SensorResult(asset_events=[event], cursor=json.dumps({"time": time.time(), "ended": ended}))

    return dg.SensorDefinition(
        name=f"{STATISTICS}__sensor",
        evaluation_fn=refresh,
        minimum_interval_seconds=_GAP_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="有任务结束时更新任务统计 · Refreshes task_statistics when executions have ended",
    )


def statistics_metadata(found: Mapping[str, Statistics]) -> dict[str, Any]:
    """Return the table of all tasks, and numbers under a name per task, which the UI plots over time."""
    ran = sorted((one for one in found.values() if one.last_execution_time), key=_last, reverse=True)
    good, bad = sum(one.success_count for one in ran), sum(one.failed_count for one in ran)
    # The UI sorts charts by name: all tasks first, then each task's two side by side.
    shown: dict[str, Any] = {"任务统计": _table(found.values()), "ALL 全部任务 · 执行次数": sum(one.total_executions for one in ran)}
    if good + bad:
        shown["ALL 全部任务 · 成功率 %"] = round(100 * good / (good + bad), 2)
    for one in ran[:_CHARTED]:
        if one.success_rate is not None:
            shown[f"{one.task_id} · 成功率 %"] = float(one.success_rate)
        if one.avg_duration is not None:
            shown[f"{one.task_id} · 耗时 s"] = float(one.avg_duration)
    return shown


def _table(found: Iterable[Statistics]) -> dg.MetadataValue:
    schema = dg.TableSchema([dg.TableColumn(name, kind, description=about) for name, kind, about in _COLUMNS])
    return dg.MetadataValue.table([_record(one) for one in found], schema)


def _record(one: Statistics) -> dg.TableRecord:
    last = f"{one.last_status} {one.last_execution_time:%m-%d %H:%M}" if one.last_execution_time else one.last_status
    counts = (one.success_rate, one.total_executions, one.failed_count, one.avg_duration, one.p95_duration)
    values = (f"{one.task_id} {one.task_name}", *counts, last)
    return dg.TableRecord({column[0]: value for column, value in zip(_COLUMNS, values, strict=True)})


def _read(instance: dg.DagsterInstance, names: Mapping[str, str], task_ids: Mapping[str, str]) -> dict[str, Statistics]:
    """Return the statistics of the file's tasks: what else ran is none of them."""
    with catch_up.opened(instance, Settings.from_env().dagster_home) as rollup:
        tallies = {task_ids.get(one.name, one.task): one for one in rollup.tallies(None, Window.of(None, None))}
    return {
        name: tallies[name].shown(name, title, tallies[name].last_status) if name in tallies else Statistics(task_id=name, task_name=title)
        for name, title in names.items()
    }


def _ended(found: Mapping[str, Statistics]) -> dict[str, list[Any]]:
    """Return what changes when an execution ends, and not already when one starts; empty when nothing ever ended."""
    counts = {task_id: [one.total_executions - (one.last_status in _UNFINISHED), one.failed_count] for task_id, one in found.items()}
    return {task_id: count for task_id, count in counts.items() if count[0]}


def _last(one: Statistics) -> float:
    return one.last_execution_time.timestamp() if one.last_execution_time else 0
