"""The asset `task_statistics`: how often each task ran and how it went, as a table and as charts over time."""

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg

from mystocks_dagster import history
from mystocks_dagster.history import Statistics

STATISTICS = "task_statistics"
#: The group of what tells of the project itself.
SYSTEM = "system"
#: The daemon looks once a minute; a file of more tasks than this many seconds is told less often, since its table is long.
_GAP_SECONDS = 60
#: Charts are drawn of this many tasks, those that ran last: more of them nobody looks at.
_CHARTED = 24
_UNFINISHED = ("pending", "running")

_COLUMNS = {
    "task": "任务编号 · task",
    "name": "名称 · name",
    "success_percent": "成功率 % · success rate",
    "total": "次数 · executions",
    "success": "成功 · succeeded",
    "failed": "失败 · failed",
    "mean_s": "平均耗时（秒）· mean duration",
    "p95_s": "95% 耗时（秒）· 95th percentile",
    "last_status": "最近状态 · last status",
    "last_start": "最近开始 · last start",
}


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
        description="**任务统计**：每个任务的执行次数、成功率、平均耗时和 95% 耗时（表格见最新一次更新，曲线见 Plots）。\n\n"
        "有任务结束时自动更新，最多每分钟一次，由 `task_statistics__sensor` 完成；也可以点 Materialize 立即更新。\n\n"
        "Executions, success rate and duration of every task: the table is in the latest materialization, the charts over time in Plots. "
        "Refreshed by itself when executions end. Beyond Dagster's UI: `mystocks stats`, and `/tasks` of `mystocks api`.",
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
    shown: dict[str, Any] = {"任务统计": _table(found.values()), "执行次数": sum(one.total_executions for one in ran)}
    if good + bad:
        shown["成功率 % · 全部任务"] = round(100 * good / (good + bad), 2)
    for one in ran[:_CHARTED]:
        if one.success_rate is not None:
            shown[f"成功率 % · {one.task_id}"] = float(one.success_rate)
        if one.avg_duration is not None:
            shown[f"平均耗时 s · {one.task_id}"] = float(one.avg_duration)
    return shown


def _table(found: Any) -> dg.MetadataValue:
    schema = dg.TableSchema([dg.TableColumn(name, _kind(name), description=about) for name, about in _COLUMNS.items()])
    return dg.MetadataValue.table([dg.TableRecord(dict(_row(one))) for one in found], schema)


def _row(one: Statistics) -> Iterator[tuple[str, str | int | float | bool | None]]:
    yield from {"task": one.task_id, "name": one.task_name, "success_percent": one.success_rate}.items()
    yield from {"total": one.total_executions, "success": one.success_count, "failed": one.failed_count}.items()
    yield from {"mean_s": one.avg_duration, "p95_s": one.p95_duration, "last_status": one.last_status}.items()
    yield "last_start", f"{one.last_execution_time:%Y-%m-%d %H:%M:%S}" if one.last_execution_time else None


def _kind(column: str) -> str:
    return {"total": "int", "success": "int", "failed": "int", "success_percent": "float", "mean_s": "float", "p95_s": "float"}.get(
        column, "string"
    )


def _read(instance: dg.DagsterInstance, names: Mapping[str, str], task_ids: Mapping[str, str]) -> dict[str, Statistics]:
    """Return the statistics of the file's tasks: what else ran is none of them."""
    found = history.statistics(history.executions(instance, task_ids), names)
    return {task_id: found[task_id] for task_id in names}


def _ended(found: Mapping[str, Statistics]) -> dict[str, list[Any]]:
    """Return what changes when an execution ends, and not already when one starts; empty when nothing ever ended."""
    counts = {task_id: [one.total_executions - (one.last_status in _UNFINISHED), one.failed_count] for task_id, one in found.items()}
    return {task_id: count for task_id, count in counts.items() if count[0]}


def _last(one: Statistics) -> float:
    return one.last_execution_time.timestamp() if one.last_execution_time else 0
