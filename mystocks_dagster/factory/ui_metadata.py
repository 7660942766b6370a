"""What a person reads of a task in Dagster's UI: descriptions, tags, metadata and the link to its lines."""

import hashlib
import re
import warnings
from typing import Any

import dagster as dg

from mystocks_dagster.dagster_internals import MAX_RETRIES_TAG
from mystocks_dagster.factory.spec import TaskSpec
from mystocks_dagster.tags import Metadata, Tag
from mystocks_dagster.taskfile.model import Group, Task

#: Dagster runs higher numbers first and starts at 0; tasks.yaml's scale is lower first and 500 is normal.
NORMAL_PRIORITY = 500

#: The task types in Chinese.
TYPES = {
    "cron": "定时任务",
    "supervisor": "进程管理任务",
    "manual": "手动任务",
    "data_sync": "数据同步任务",
    "indicator_calc": "指标计算任务",
    "market_fetch": "市场数据获取",
}
_MODES = {
    "sequential": "任务组，顺序执行 group, one after the other",
    "parallel": "任务组，并行执行 group, side by side",
}


def dagster_priority(priority: int) -> str:
    """Return Dagster's priority for one of tasks.yaml's (100 critical … 900 batch)."""
    return str(NORMAL_PRIORITY - priority)


def describe(spec: TaskSpec) -> str:
    """Return the task's name, description and settings, for the UI."""
    task = spec.task
    limits = [
        f"超时 timeout {task.timeout} s" if task.timeout else "不限时 no timeout",
        f"重试 retries {task.retry_count} × {task.retry_delay} s",
        f"优先级 priority {task.priority}",
    ]
    if task.tags:
        limits.append(f"标签 tags: {', '.join(task.tags)}")
    lines = [title(task), task.description, f"`{task.task_module}.{task.task_function}`", " · ".join(limits)]
    return "\n\n".join(line for line in lines if line)


def describe_group(group: Group) -> str:
    """Return the group's name, description and tasks, for the UI."""
    arrow = " → " if group.execution_mode == "sequential" else ", "
    off = (
        "" if group.enabled else "已停用 Disabled in the task file: it does not run unless it is forced or switched on."
    )
    lines = (title(group), group.description, arrow.join(f"`{name}`" for name in group.tasks), off)
    return "\n\n".join(line for line in lines if line)


def title(entry: Task | Group) -> str:
    """Return the name in bold, and what kind of task or group it is, in both languages."""
    if isinstance(entry, Group):
        return f"**{entry.group_name}** · {_MODES[entry.execution_mode]}"
    return f"**{entry.task_name}** · {TYPES[entry.task_type]} {entry.task_type}"


def tags_of(spec: TaskSpec) -> dict[str, str]:
    """Return the tags of the task's step."""
    return {
        Tag.TASK_ID: spec.task.task_id,
        Tag.TASK_TYPE: spec.task.task_type,
        Tag.PRIORITY: dagster_priority(spec.task.priority),
        Tag.MAX_INSTANCES: str(spec.task.max_instances),
    }


def run_tags(task: Task | Group, version: str, release: str) -> dict[str, str]:
    """Return the tags of every run of the task's or group's job: how runs are found, and in which order they start.

    Args:
        task: The task or group.
        version: Hash of the task file.
        release: The file's own `version`; empty when it has none.
    """
    file = {Tag.TASKFILE: version, **({Tag.VERSION: release} if release else {})}
    if isinstance(task, Group):
        off = {} if task.enabled else {Tag.DISABLED: "true"}
        return {Tag.GROUP_ID: task.group_id, **file, **off}
    labels = {_label_key(label): label for label in task.tags}
    return {
        Tag.TASK_ID: task.task_id,
        Tag.TASK_TYPE: task.task_type,
        **file,
        Tag.PRIORITY: dagster_priority(task.priority),
        # A supervisor's sensor starts it again itself, and not only once.
        **restart_tag(task.auto_restart and task.task_type != "supervisor"),
        **labels,
    }


def _label_key(label: str) -> str:
    """Return the run tag that holds a label.

    One and the same for all tasks, so that one filter in the UI finds their runs.
    """
    # A tag's key is plain ASCII in Dagster; its value may be anything.
    plain = re.fullmatch(r"[A-Za-z0-9_.-]{1,50}", label)
    return f"{Tag.LABEL}{label if plain else hashlib.sha256(label.encode()).hexdigest()[:8]}"


def restart_tag(again: bool) -> dict[str, str]:
    """Return the tag that says whether a lost run is started again, once; see run_retries in dagster.yaml."""
    return {MAX_RETRIES_TAG: "1" if again else "0"}


def job_metadata(spec: TaskSpec) -> dict[str, Any]:
    """Return the metadata of the task's job and assets: its names, and the link to its lines in tasks.yaml."""
    return {
        Metadata.TASK_ID: spec.task.task_id,
        Metadata.TASK_NAME: spec.task.task_name,
        Metadata.TASK_TYPE: spec.task.task_type,
        Metadata.TAGS: dg.MetadataValue.json(list(spec.task.tags)),
        Metadata.TASKFILE: spec.version,
        Metadata.SETTINGS: dg.MetadataValue.json(spec.task.masked()),
        "dagster/code_references": _reference(spec),
    }


def _reference(spec: TaskSpec) -> dg.CodeReferencesMetadataValue:
    with warnings.catch_warnings():
        # Code references are beta in Dagster 1.13, to which we are pinned.
        warnings.simplefilter("ignore", dg.BetaWarning)
        place = dg.LocalFileCodeReference(file_path=str(spec.source), line_number=spec.line, label=spec.task.task_id)
        return dg.CodeReferencesMetadataValue(code_references=[place])
