"""Descriptions, tags and metadata of tasks and groups for Dagster's UI."""

import hashlib
import re
import warnings
from typing import Any
from urllib.parse import urlencode

import dagster as dg

from mystocks_dagster.dagster_internals import MAX_RETRIES_TAG
from mystocks_dagster.factory.spec import TaskSpec
from mystocks_dagster.instance import DAGSTER_PATH
from mystocks_dagster.tags import Metadata, Tag
from mystocks_dagster.taskfile.group import Group
from mystocks_dagster.taskfile.model import Task

#: Dagster runs higher numbers first, and 0 is normal; tasks.yaml runs lower numbers first, and 500 is normal.
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
    "sequential": "任务组，顺序执行 group, sequential",
    "parallel": "任务组，并行执行 group, parallel",
}

_LONGEST_KEY = 40


def dagster_priority(priority: int) -> str:
    """Return Dagster's priority for one of tasks.yaml's (100 critical … 900 batch)."""
    return str(NORMAL_PRIORITY - priority)


def describe(spec: TaskSpec) -> str:
    """Return a task's description: its summary, type, function and settings."""
    return "\n\n".join((summary(spec.task), details(spec)))


def details(spec: TaskSpec) -> str:
    """Return a task's type, function, settings and owner."""
    task = spec.task
    limits = [
        f"超时 timeout {task.timeout} s" if task.timeout else "不限时 no timeout",
        f"重试 retries {task.retry_count} × {task.retry_delay} s",
        f"优先级 priority {task.priority}",
    ]
    if task.tags:
        limits.append(f"标签 tags: {', '.join(task.tags)}")
    if task.owner:
        limits.append(f"负责人 owner: {task.owner}")
    kind = f"{TYPES[task.task_type]} {task.task_type} · `{task.task_module}.{task.task_function}`"
    rest = task.description.strip().partition("\n")[2].strip()
    return "\n\n".join(line for line in (rest, kind, " · ".join(limits)) if line)


def describe_group(group: Group) -> str:
    """Return a group's description: its summary and tasks."""
    arrow = " → " if group.execution_mode == "sequential" else ", "
    disabled = "已停用 Disabled in the task file: it does not run unless it is forced or switched on."
    off = "" if group.enabled else disabled
    owner = f"负责人 owner: {group.owner}" if group.owner else ""
    rest = group.description.strip().partition("\n")[2].strip()
    tasks = f"{_MODES[group.execution_mode]}: {arrow.join(f'`{name}`' for name in group.tasks)}"
    return "\n\n".join(line for line in (summary(group), rest, tasks, owner, off) if line)


def summary(entry: Task | Group) -> str:
    """Return one line of plain text: the name, with the first line of the description or the type.

    Lists and graphs show the first line of a description without rendering Markdown.
    """
    first = entry.description.strip().partition("\n")[0].strip()
    if isinstance(entry, Group):
        return f"{entry.group_name}：{first or _MODES[entry.execution_mode]}"
    return f"{entry.task_name}：{first or f'{TYPES[entry.task_type]} {entry.task_type}'}"


def tags_of(spec: TaskSpec) -> dict[str, str]:
    """Return the tags of the task's step."""
    return {
        Tag.TASK_ID: spec.task.task_id,
        Tag.TASK_TYPE: spec.task.task_type,
        Tag.PRIORITY: dagster_priority(spec.task.priority),
        Tag.MAX_INSTANCES: str(spec.task.max_instances),
    }


def run_tags(entry: Task | Group, version: str, release: str) -> dict[str, str]:
    """Return the tags of a job and its runs, for filters and for the order of starts.

    The list of runs shows each tag in a line, except those with the prefix `dagster/`.

    Args:
        entry: The task or group.
        version: Hash of the task file.
        release: The file's own `version`; empty if it has none.
    """
    file = {Tag.TASKFILE: version, **({Tag.VERSION: release} if release else {})}
    if isinstance(entry, Group):
        off = {} if entry.enabled else {Tag.DISABLED: "true"}
        return {Tag.GROUP_ID: entry.group_id, **file, **off}
    supervisor = entry.task_type == "supervisor"
    return {
        Tag.TASK_ID: entry.task_id,
        Tag.RUN_TYPE: entry.task_type,
        # Clean-up, alerts and the sensor that stops supervisors use it, also in runs of earlier versions.
        **({Tag.TASK_TYPE: entry.task_type} if supervisor else {}),
        **file,
        Tag.PRIORITY: dagster_priority(entry.priority),
        # A supervisor is restarted by its own sensor, more than once.
        **restart_tag(entry.auto_restart and not supervisor),
        **_labels(entry),
    }


def _labels(task: Task) -> dict[str, str]:
    return {_label_key(label): label for label in task.tags}


def _label_key(label: str) -> str:
    """Return the run tag of a label, which is the same for all tasks, for a filter in the UI."""
    # A tag's key is plain ASCII in Dagster; its value may be any text.
    plain = re.fullmatch(r"[A-Za-z0-9_.-]{1,50}", label)
    return f"{Tag.LABEL}{label if plain else hashlib.sha256(label.encode()).hexdigest()[:8]}"


def restart_tag(restart: bool) -> dict[str, str]:
    """Return the tag that decides whether a lost run is restarted once; see run_retries in dagster.yaml."""
    return {MAX_RETRIES_TAG: "1" if restart else "0"}


def job_metadata(spec: TaskSpec) -> dict[str, Any]:
    """Return the metadata of the task's job and assets, with the link to its lines in tasks.yaml."""
    return {
        Metadata.TASK_ID: spec.task.task_id,
        Metadata.TASK_NAME: spec.task.task_name,
        Metadata.TASK_TYPE: spec.task.task_type,
        Metadata.TAGS: dg.MetadataValue.json(list(spec.task.tags)),
        **({Metadata.OWNER: spec.task.owner} if spec.task.owner else {}),
        Metadata.RUNS: dg.MetadataValue.url(runs_path(spec.task.task_id)),
        Metadata.TASKFILE: spec.version,
        Metadata.SETTINGS: dg.MetadataValue.json(spec.task.masked()),
        "dagster/code_references": _reference(spec),
    }


def group_metadata(group: Group) -> dict[str, Any]:
    """Return the metadata of a group's job."""
    owner = {Metadata.OWNER: group.owner} if group.owner else {}
    return {Metadata.GROUP_ID: group.group_id, Metadata.GROUP_NAME: group.group_name, **owner}


def ran_tag(task_id: str) -> dict[str, str]:
    """Return the hidden tag of all runs with the task, also in a group, as a dependency or by Materialize."""
    # A tag's key has at most 63 characters after its prefix.
    short = task_id if len(task_id) <= _LONGEST_KEY else hashlib.sha256(task_id.encode()).hexdigest()[:32]
    return {f"{Tag.RAN}{short}": "true"}


def runs_path(task_id: str) -> str:
    """Return the path, in Dagster's UI, of the list of runs in which the task ran."""
    ((key, value),) = ran_tag(task_id).items()
    return f"{DAGSTER_PATH}/runs?{urlencode({'q[0]': f'tag:{key}={value}'})}"


def _reference(spec: TaskSpec) -> dg.CodeReferencesMetadataValue:
    with warnings.catch_warnings():
        # Code references are beta in the pinned Dagster 1.13.
        warnings.simplefilter("ignore", dg.BetaWarning)
        reference = dg.LocalFileCodeReference(
            file_path=str(spec.source), line_number=spec.line, label=spec.task.task_id
        )
        return dg.CodeReferencesMetadataValue(code_references=[reference])
