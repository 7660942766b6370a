"""Texts of the messages, in Chinese, each with the command to run next."""

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from mystocks_dagster.alerts.message import Message, clock, lines
from mystocks_dagster.taskfile.yaml.scalars import scalar

#: Longer reasons are cut; the run shows them in full.
_LONGEST_REASON = 800


def failed(
    key: str,
    task_id: str,
    name: str,
    *,
    time: datetime,
    reason: str | None,
    attempts: int,
    link: str | None,
    command: str | None,
    owner: str | None = None,
) -> Message:
    """Return the message about a task whose last attempt failed."""
    body = lines(
        任务=f"{name}（{task_id}）",
        负责人=owner,
        时间=clock(time),
        原因=_short(reason),
        尝试=f"{attempts} 次",
        详情=link,
        重新运行=command,
    )
    return Message(key=key, kind="failure", title=f"❌ 任务失败：{name}", body=body, time=time)


def partly_done(
    key: str,
    task_id: str,
    name: str,
    *,
    time: datetime,
    reason: str | None,
    failed_items: Sequence[str],
    link: str | None,
    command: str | None,
    owner: str | None = None,
) -> Message:
    """Return the message about a task with failed items.

    `command` runs only those again if the task supports it.
    """
    more = f" 等 {len(failed_items)} 项" if len(failed_items) > 10 else ""
    items = "、".join(map(str, failed_items[:10])) + more
    body = lines(
        任务=f"{name}（{task_id}）",
        负责人=owner,
        时间=clock(time),
        说明=_short(reason),
        未完成=items,
        详情=link,
        补跑未完成的部分=command,
    )
    return Message(key=key, kind="failure", title=f"⚠️ 任务部分完成：{name}", body=body, time=time)


def run_failed(
    key: str,
    job: str,
    name: str,
    *,
    time: datetime,
    reason: str | None,
    link: str | None,
    command: str | None,
    owner: str | None = None,
) -> Message:
    """Return the message about a run that failed before any of its tasks had started."""
    body = lines(
        运行=f"{name}（{job}）", 负责人=owner, 时间=clock(time), 原因=_short(reason), 详情=link, 重新运行=command
    )
    return Message(key=key, kind="failure", title=f"❌ 运行未能开始：{name}", body=body, time=time)


def crashing(
    key: str,
    task_id: str,
    name: str,
    *,
    time: datetime,
    reason: str | None,
    restarts: int,
    link: str | None,
    owner: str | None = None,
) -> Message:
    """Return the message about a supervisor that crashes repeatedly."""
    body = lines(
        任务=f"{name}（{task_id}）",
        负责人=owner,
        时间=clock(time),
        原因=_short(reason),
        重启=f"已连续重启 {restarts} 次，仍在按退避间隔重试",
        详情=link,
        停止=f"mystocks disable {task_id}",
    )
    return Message(key=key, kind="failure", title=f"❌ 常驻任务反复崩溃：{name}", body=body, time=time)


def recovered(
    key: str,
    task_id: str,
    name: str,
    *,
    time: datetime,
    since: datetime,
    link: str | None,
    owner: str | None = None,
) -> Message:
    """Return the message about a task that succeeded again."""
    body = lines(任务=f"{name}（{task_id}）", 负责人=owner, 时间=clock(time), 上次失败=clock(since), 详情=link)
    return Message(key=key, kind="recovery", title=f"✅ 任务恢复：{name}", body=body, time=time)


def late(
    key: str,
    name: str,
    day: date,
    by: str,
    *,
    time: datetime,
    command: str | None,
    link: str | None,
    owner: str | None = None,
) -> Message:
    """Return the message about data that did not arrive in time."""
    body = lines(
        应到=f"{name}：{day.isoformat()}（交易日）{by} 之前",
        负责人=owner,
        检查=clock(time),
        补数=command,
        详情=link,
        查看="mystocks history",
    )
    return Message(key=key, kind="late", title=f"⏰ 数据未到：{name}", body=body, time=time)


def arrived(key: str, name: str, day: date, *, time: datetime) -> Message:
    """Return the message about late data that has arrived."""
    return Message(
        key=key,
        kind="recovery",
        title=f"✅ 数据已到：{name}",
        body=lines(数据=f"{name}：{day.isoformat()}", 时间=clock(time)),
        time=time,
    )


def missed(
    key: str,
    job: str,
    name: str,
    *,
    dues: Sequence[datetime],
    reason: str,
    time: datetime,
    link: str | None,
    owner: str | None = None,
) -> Message:
    """Return the message about starts that did not happen."""
    due = clock(dues[0]) if len(dues) == 1 else f"{clock(dues[0])} 至 {clock(dues[-1])}，共 {len(dues)} 次"
    body = lines(
        任务=f"{name}（{job}）",
        负责人=owner,
        应启动=due,
        原因=_short(reason),
        详情=link,
        手动运行=f"mystocks run {job}",
        检查="mystocks next",
    )
    return Message(key=key, kind="missed", title=f"⏰ 定时未触发：{name}", body=body, time=time)


def daemon_stopped(key: str, *, time: datetime, seen: datetime | None, reason: str) -> Message:
    """Return the message about a stopped daemon."""
    body = lines(
        时间=clock(time),
        最后心跳=clock(seen) if seen else None,
        原因=reason,
        影响="定时任务不会启动，排队的运行不会开始",
        处理="在项目目录运行：mystocks ui",
    )
    return Message(key=key, kind="daemon", title="🛑 调度守护进程已停止", body=body, time=time)


def daemon_back(key: str, *, time: datetime, since: datetime) -> Message:
    """Return the message about a daemon that runs again."""
    return Message(
        key=key,
        kind="recovery",
        title="✅ 调度守护进程已恢复",
        body=lines(时间=clock(time), 停止于=clock(since)),
        time=time,
    )


def broken_file(
    key: str, file: str, version: str, *, problems: Sequence[str], broken: Sequence[str], time: datetime
) -> Message:
    """Return the message about a version of the task file with problems."""
    listed = [*problems[:10], *([f"…… 共 {len(problems)} 处"] if len(problems) > 10 else [])]
    more = f" 等 {len(broken)} 个" if len(broken) > 20 else ""
    stopped = "、".join(broken[:20]) + more if broken else None
    head = lines(文件=file, 版本=version, 时间=clock(time), 未加载=stopped, 检查="mystocks check")
    return Message(key=key, kind="broken_file", title="❌ 任务文件有错误", body="\n".join([head, *listed]), time=time)


def corrected_file(key: str, file: str, version: str, *, time: datetime) -> Message:
    """Return the message about a task file that is valid again."""
    return Message(
        key=key,
        kind="recovery",
        title="✅ 任务文件已修复",
        body=lines(文件=file, 版本=version, 时间=clock(time)),
        time=time,
    )


def test_message(time: datetime) -> Message:
    """Return the message of `mystocks alerts test`."""
    body = lines(时间=clock(time), 说明="收到本消息表示这个渠道可用（mystocks alerts test）")
    return Message(key="test", kind="failure", title="🔔 MyStocks 测试消息", body=body, time=time)


def command(task_id: str, params: Mapping[str, Any] | None = None, days: tuple[str, str] | None = None) -> str:
    """Return the command that runs a task with these parameters, for these days; the command reads values as YAML.

    Examples:
        >>> command("sync", {"start_date": "2026-11-23", "force": True})
        'mystocks run sync -p start_date=2026-11-23 -p force=true'
        >>> command("sync", {"symbols": ["600000"]}).split("-p ")[1] == shlex.quote('symbols=["600000"]')
        True
        >>> command("sync", days=("2026-11-23", "2026-11-24"))
        'mystocks backfill sync --from 2026-11-23 --to 2026-11-24'
    """
    options = (f"-p {shlex.quote(f'{name}={_value(value)}')}" for name, value in (params or {}).items())
    start = ["mystocks backfill", task_id, "--from", days[0], "--to", days[1]] if days else ["mystocks run", task_id]
    return " ".join([*start, *options])


def _value(value: Any) -> str:
    plain = isinstance(value, str) and (scalar(value) == value or re.fullmatch(r"\d{4}-\d\d-\d\d", value))
    return value if plain and re.fullmatch(r"[\w.-]+", value) else json.dumps(value, ensure_ascii=False)


def _short(reason: str | None) -> str | None:
    return reason if reason is None or len(reason) <= _LONGEST_REASON else f"{reason[:_LONGEST_REASON]}……"
