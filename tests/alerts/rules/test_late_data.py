"""Data that is not there by its time on a trading day, and its arrival."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import dagster as dg
from alerts.conftest import Project
from support.receivers import Webhook

from mystocks_dagster.alerts.context import AlertContext
from mystocks_dagster.alerts.rules import late_data
from mystocks_dagster.history import reading
from mystocks_dagster.market.calendar import TradingCalendar
from mystocks_dagster.market.clock import SHANGHAI, now
from mystocks_dagster.taskfile.alerts import Expectation

TABLE = 'expect: [{table: daily_bars, by: "18:30"}]'


def test_a_table_without_the_days_rows_is_told_at_its_time_and_its_arrival_too(project: Project, hook: Webhook) -> None:
    project.at("2026-11-24T18:29:00")
    project.use(hook.url, more=TABLE)
    project.instance.report_runless_asset_event(dg.AssetMaterialization("daily_bars", partition="2026-11-23"))
    project.look()
    assert hook.titles == []
    project.at("2026-11-24T18:30:05")
    project.look()
    project.look()
    assert len(hook.titles) == 1
    assert hook.titles[0].startswith("⏰ 数据未到：")
    assert "2026-11-24（交易日）18:30 之前" in hook.text
    project.instance.report_runless_asset_event(dg.AssetMaterialization("daily_bars", partition="2026-11-24"))
    project.at("2026-11-24T18:31:10")
    project.look()
    project.look()
    assert len(hook.titles) == 2
    assert hook.titles[1].startswith("✅ 数据已到：")


def test_rows_that_came_in_time_are_not_told_of(project: Project, hook: Webhook) -> None:
    project.at("2026-11-24T18:00:00")
    project.use(hook.url, more=TABLE)
    project.instance.report_runless_asset_event(dg.AssetMaterialization("daily_bars", partition="2026-11-24"))
    project.at("2026-11-24T19:00:00")
    project.look()
    assert hook.titles == []


def test_what_its_task_says_is_published_later_is_not_late_before_that(project: Project, hook: Webhook) -> None:
    project.at("2026-11-24T18:00:00")
    project.use(hook.url, more=TABLE)
    engine = project.engine
    later = replace(engine, version=replace(engine.version, writes={"sync-bars": ("daily_bars",)}))
    stated = [
        task.model_copy(update={"available_after": "19:00"}) if task.task_id == "sync-bars" else task
        for task in later.version.taskfile.tasks
    ]
    taskfile = later.version.taskfile.model_copy(update={"tasks": tuple(stated)})
    project.engine = replace(later, version=replace(later.version, taskfile=taskfile))
    project.at("2026-11-24T18:59:00")
    project.look()
    assert hook.titles == []
    project.at("2026-11-24T19:00:05")
    project.look()
    assert "2026-11-24（交易日）19:00 之前" in hook.text


def test_on_a_day_without_trading_nothing_is_expected(project: Project, hook: Webhook) -> None:
    # National Day 2026: closed 1 to 7 October.
    project.at("2026-10-01T18:00:00")
    project.use(hook.url, more=TABLE)
    project.at("2026-10-01T23:00:00")
    project.look()
    assert hook.titles == []


def test_a_task_that_has_not_ended_well_is_told_and_one_that_has_is_not(project: Project, hook: Webhook) -> None:
    # Runs happen in real time, so the question is put to the day of the run, whatever day that is.
    monday_to_sunday = TradingCalendar.from_days(
        [now().date() - timedelta(days=1), now().date(), now().date() + timedelta(days=1)]
    )
    project.monkeypatch.setattr(late_data, "shanghai", lambda: monday_to_sunday)
    project.use(hook.url)
    project.run("other")
    project.use(hook.url, more='expect: [{task: other, by: "00:00"}, {task: sync-bars, by: "00:00"}]')
    assert hook.titles == ["⏰ 数据未到：每日行情"]
    assert "补数：mystocks run sync-bars" in hook.text


def test_the_last_trading_day_is_asked_about_when_nobody_looked_between_its_time_and_midnight(
    project: Project, hook: Webhook
) -> None:
    # Friday; the next look is on Sunday.
    project.at("2026-11-20T17:00:00")
    project.use(hook.url, more=TABLE)
    project.at("2026-11-22T09:00:00")
    project.look()
    project.at("2026-11-23T09:00:00")
    project.look()
    assert len(hook.titles) == 1
    assert "2026-11-20（交易日）18:30 之前" in hook.text


def test_of_days_before_something_was_expected_nothing_is_told(project: Project, hook: Webhook) -> None:
    project.at("2026-11-22T09:00:00")
    project.use(hook.url, more=TABLE)
    project.look()
    assert hook.titles == []


def context_of(project: Project, **writers: str) -> AlertContext:
    return replace(project.engine.context(project.ledger, project.settings), owners=writers)


def test_a_skip_counts_only_when_the_day_is_in_the_table_that_the_task_keeps(project: Project, hook: Webhook) -> None:
    project.use(hook.url)
    project.mood("skipped")
    project.run("other")
    today, wanted = now().astimezone(SHANGHAI).date(), Expectation(task="other", by="00:00")
    # A task that keeps no table by day has nothing left to do when it says so.
    assert late_data._arrived(project.instance, context_of(project), wanted, today)
    context = context_of(project, longhubang="other")
    assert not late_data._arrived(project.instance, context, wanted, today)
    project.instance.report_runless_asset_event(dg.AssetMaterialization("longhubang", partition=today.isoformat()))
    assert late_data._arrived(project.instance, context, wanted, today)


def test_only_runs_that_may_hold_the_task_are_read(project: Project, hook: Webhook) -> None:
    project.use(hook.url)
    read: list[str] = []
    take = reading.read

    def noted(instance: dg.DagsterInstance, run_ids: list[str]) -> dict[str, Any]:
        read.extend(run_ids)
        return take(instance, run_ids)

    project.monkeypatch.setattr(reading, "read", noted)
    for _ in range(3):
        project.run("partly")
    wanted = Expectation(task="sync-bars", by="00:00")
    assert not late_data._arrived(project.instance, context_of(project), wanted, now().astimezone(SHANGHAI).date())
    assert read == []
    run_id = project.run("evening")
    assert late_data._arrived(project.instance, context_of(project), wanted, now().astimezone(SHANGHAI).date())
    assert read == [run_id]
