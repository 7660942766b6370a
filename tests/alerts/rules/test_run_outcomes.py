"""What is told of runs, delivered to a real webhook and a real mail server."""

import re
from datetime import timedelta

import dagster as dg
import pytest
from alerts.conftest import Project
from support.receivers import Mailbox, Webhook

from mystocks_dagster import history
from mystocks_dagster.market.clock import SHANGHAI, now

#: Cursors and the ledger are in Dagster's storage.
ON_BOTH = pytest.mark.parametrize("project", ["sqlite", "postgres"], indirect=True)


def test_a_failed_task_is_told_once_after_its_last_attempt_with_what_a_person_needs(
    project: Project, hook: Webhook
) -> None:
    project.use(hook.url)
    project.mood("bad")
    run_id = project.run("sync_bars")
    project.look()
    assert hook.titles == ["❌ 任务失败：每日行情"]
    told = hook.messages[0]["message"].splitlines()
    assert told[0] == "任务：每日行情（sync-bars）"
    assert re.fullmatch(r"时间：20\d\d-\d\d-\d\d \d\d:\d\d:\d\d（北京时间）", told[1])
    assert told[2] == "原因：sync-bars: 东方财富 closed the connection"
    assert told[3] == "尝试：2 次"
    assert told[4] == f"详情：http://127.0.0.1:3000/dagster/runs/{run_id}"
    assert told[5] == "重新运行：mystocks run sync-bars"


def test_a_message_names_who_answers_for_the_task(project: Project, hook: Webhook) -> None:
    project.use(hook.url)
    project.mood("bad")
    project.run("other")
    project.look()
    assert hook.messages[0]["message"].splitlines()[:2] == ["任务：另一个（other）", "负责人：数据组"]


@ON_BOTH
def test_nothing_is_told_twice_also_not_after_a_restart(project: Project, hook: Webhook) -> None:
    project.use(hook.url)
    project.mood("bad")
    project.run("sync_bars")
    project.look()
    project.look()
    project.restart()
    project.look()
    project.look()
    assert len(hook.messages) == 1


def test_what_failed_before_alerts_were_asked_for_is_no_news(project: Project, hook: Webhook) -> None:
    project.folder.write("tasks.yaml", "tasks: []")
    project.mood("bad")
    project.use(hook.url)
    project.instance.daemon_cursor_storage.set_cursor_values({"mystocks/alerts": "{}"})  # type: ignore[union-attr]
    project.run("other")
    project.look()
    assert hook.messages == []
    project.run("other")
    project.look()
    assert len(hook.messages) == 1


@ON_BOTH
def test_a_task_that_is_well_again_is_told_once(project: Project, hook: Webhook) -> None:
    project.use(hook.url)
    project.mood("bad")
    project.run("other")
    project.look()
    project.mood("good")
    for _ in range(2):
        project.run("other")
        project.look()
    assert hook.titles == ["❌ 任务失败：另一个", "✅ 任务恢复：另一个"]


def test_a_partial_success_comes_with_the_command_for_what_failed(project: Project, hook: Webhook) -> None:
    project.use(hook.url)
    project.run("partly")
    project.look()
    assert hook.titles == ["⚠️ 任务部分完成：部分"]
    assert "未完成：600000.SH" in hook.text
    command = """mystocks run partly -p 'symbols=["600000"]'"""
    assert f"补跑未完成的部分：{command}" in hook.text


def test_a_burst_is_one_message(project: Project, hook: Webhook) -> None:
    project.use(hook.url)
    project.mood("bad")
    for _ in range(3):
        project.run("other")
    project.look()
    assert hook.titles == ["MyStocks：3 条消息（❌ 任务失败：另一个 等）"]
    assert hook.text.count("重新运行：mystocks run other") == 3


def test_a_burst_waits_for_group_seconds_and_is_one_message(project: Project, hook: Webhook) -> None:
    project.use(hook.url, group_seconds=15)
    project.mood("bad")
    # The messages bear the real time at which the runs failed; the first one's counts.
    for _ in range(2):
        project.run("other")
    project.look()
    first = project.ledger.messages[0].time
    project.at(f"{(first + timedelta(seconds=14)).astimezone(SHANGHAI):%Y-%m-%dT%H:%M:%S}")
    project.run("other")
    project.look()
    assert hook.messages == []
    project.at(f"{(first + timedelta(seconds=16)).astimezone(SHANGHAI):%Y-%m-%dT%H:%M:%S}")
    project.look()
    project.look()
    assert hook.titles == ["MyStocks：3 条消息（❌ 任务失败：另一个 等）"]


def test_a_group_tells_of_the_task_that_failed(project: Project, hook: Webhook) -> None:
    project.use(hook.url)
    project.mood("bad")
    project.run("evening")
    project.look()
    assert hook.titles == ["❌ 任务失败：每日行情"]


def test_parameters_of_the_run_are_in_the_command_but_no_secret_ones(project: Project, hook: Webhook) -> None:
    project.use(hook.url)
    project.mood("bad")
    config = {
        "day": "2026-11-24",
        "api_token": "s3cr3t-token",
        "login": {"user": "me", "password": "s3cr3t"},
        "wide": True,
    }
    run_id = project.run("other", ops={"other": {"config": config}})
    project.look()
    assert len(hook.messages) == 1
    assert "重新运行：mystocks run other -p day=2026-11-24 -p wide=true\n" in hook.text + "\n"
    shown = history.of_run(project.instance, run_id, {})[0].params
    assert shown == {"day": "2026-11-24", "api_token": "***", "login": {"user": "me", "password": "***"}, "wide": True}


def test_only_the_kinds_that_are_wanted_are_told(project: Project, hook: Webhook) -> None:
    project.use(hook.url, more="on: [recovery]")
    project.mood("bad")
    project.run("other")
    project.look()
    project.mood("good")
    project.run("other")
    project.look()
    assert hook.titles == ["✅ 任务恢复：另一个"]


def test_what_ended_days_ago_while_alerts_were_off_is_no_news(project: Project, hook: Webhook) -> None:
    project.use(hook.url)
    project.mood("bad")
    project.run("other")
    project.at(f"{now() + timedelta(days=2):%Y-%m-%dT%H:%M:%S}")
    project.look()
    assert hook.titles == []


def test_a_mail_has_the_chinese_text(project: Project, mail: Mailbox) -> None:
    project.use(mail.url)
    project.mood("bad")
    project.run("other")
    project.look()
    assert [one["Subject"] for one in mail.mails] == ["❌ 任务失败：另一个"]
    assert "原因：other: 东方财富 closed the connection" in mail.bodies()[0]


def test_beyond_the_hours_limit_messages_wait_and_are_joined(project: Project, hook: Webhook) -> None:
    project.use(hook.url, more="rate_limit: 1")
    project.mood("bad")
    for _ in range(3):
        project.run("other")
        project.look()
    assert len(hook.messages) == 1
    first = project.ledger.channels[project.engine.channels[0].id].sent[0]
    project.at(f"{(first + timedelta(hours=1, seconds=1)).astimezone(SHANGHAI):%Y-%m-%dT%H:%M:%S}")
    project.look()
    assert hook.titles[1] == "MyStocks：2 条消息（❌ 任务失败：另一个 等）"


@pytest.mark.parametrize(
    ("tags", "days"),
    [
        ({"dagster/partition": "2026-11-23"}, ("2026-11-23", "2026-11-23")),
        (
            {"dagster/asset_partition_range_start": "2026-11-20", "dagster/asset_partition_range_end": "2026-11-24"},
            ("2026-11-20", "2026-11-24"),
        ),
    ],
)
def test_of_a_run_for_some_days_the_command_loads_these(
    project: Project, hook: Webhook, tags: dict[str, str], days: tuple[str, str]
) -> None:
    project.use(hook.url)
    project.mood("bad")
    project.run("other", tags=tags, ops={"other": {"config": {"wide": True}}})
    project.look()
    assert hook.text.endswith(f"重新运行：mystocks backfill other --from {days[0]} --to {days[1]} -p wide=true")


def test_of_the_projects_own_jobs_there_is_no_command(project: Project, hook: Webhook) -> None:
    project.use(hook.url)

    @dg.op(name="import_tasks")
    def fails() -> None:
        raise dg.Failure("there is no such file")

    own = dg.GraphDefinition(name="import_tasks", node_defs=[fails]).to_job()
    own.execute_in_process(instance=project.instance, raise_on_error=False)
    project.look()
    assert hook.titles == ["❌ 任务失败：import_tasks"]
    assert "重新运行" not in hook.text
