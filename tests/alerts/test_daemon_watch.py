"""The daemon that is gone, and its return, told by another process."""

from datetime import datetime

from alerts.conftest import Project
from dagster._daemon.types import DaemonHeartbeat
from support.receivers import Webhook

from mystocks_dagster.alerts.daemon_watch import DaemonWatch
from mystocks_dagster.market.clock import SHANGHAI


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def beat(project: Project, text: str) -> None:
    """Let the daemon's heart beat at that time."""
    project.instance.add_daemon_heartbeat(DaemonHeartbeat(at(text).timestamp(), "SENSOR", "daemon", []))


def test_a_silent_daemon_is_told_once_and_so_is_its_return(project: Project, hook: Webhook) -> None:
    project.at("2026-11-24T10:00:00")
    project.use(hook.url)
    watch = DaemonWatch(project.settings)
    watch.check()
    assert hook.titles == []
    beat(project, "2026-11-24T10:00:00")
    project.at("2026-11-24T10:02:00")
    watch.check()
    assert hook.titles == []
    project.at("2026-11-24T10:03:00")
    watch.check()
    DaemonWatch(project.settings).check()
    assert hook.titles == ["🛑 调度守护进程已停止"]
    assert "最后心跳：2026-11-24 10:00:00（北京时间）" in hook.text
    project.at("2026-11-24T10:09:00")
    beat(project, "2026-11-24T10:08:59")
    watch.check()
    project.look()
    assert hook.titles == ["🛑 调度守护进程已停止", "✅ 调度守护进程已恢复"]


def test_a_daemon_that_was_stopped_yesterday_and_is_starting_is_not_told_of(project: Project, hook: Webhook) -> None:
    project.at("2026-11-24T10:00:00")
    project.use(hook.url)
    beat(project, "2026-11-23T18:00:00")
    watch = DaemonWatch(project.settings)
    project.at("2026-11-24T10:02:00")
    watch.check()
    assert hook.titles == []
    project.at("2026-11-24T10:03:00")
    watch.check()
    assert hook.titles == ["🛑 调度守护进程已停止"]


def test_servers_that_end_by_themselves_are_told_at_once(project: Project, hook: Webhook) -> None:
    project.use(hook.url)
    watch = DaemonWatch(project.settings)
    watch.check(stopped="Dagster 的进程意外退出（代码 -9）")
    watch.check(stopped="Dagster 的进程意外退出（代码 -9）")
    assert hook.titles == ["🛑 调度守护进程已停止"]
    assert "原因：Dagster 的进程意外退出（代码 -9）" in hook.text
