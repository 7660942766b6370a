"""The calendar's end on a live daemon and web UI: what a source states is used by all of them without a restart."""

from collections.abc import Iterator
from datetime import date

import dagster as dg
import pytest
from standin.market import Market
from standin.server import StandIn
from support.daemon import instance_of, look_at_times, requested
from support.project import Folder, Server, make_folder, serve, wait_for
from support.year2027 import days_of_2027

from mystocks_dagster.market.calendar import published

TASKS = """
    tasks:
      - task_id: bars
        task_type: data_sync
        task_module: mystocks_dagster.tasks.data_sync
        task_function: sync_daily_stock_data
        max_instances: 99
        schedule: {schedule_type: cron, cron_expression: "30 16 * * *", trading_days_only: true}
"""
DATES = ("2026-12-20", "2026-12-31", "2027-01-01", "2027-01-04", "2027-02-05")
CALENDAR = """query { assetNodeOrError(assetKey: {path: ["trading_calendar"]}) { ... on AssetNode {
  metadataEntries { label ... on TextMetadataEntry { text } } } } }"""


@pytest.fixture(scope="module")
def upstream() -> Iterator[StandIn]:
    market = Market.small(date(2026, 12, 18))
    market.trading_days = [*published().sessions(published().first, published().last), *days_of_2027()]
    with StandIn(market) as standin:
        yield standin


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, upstream: StandIn) -> Iterator[Server]:
    folder = make_folder(tmp_path_factory.mktemp("calendar") / "project")
    folder.env |= {"MYSTOCKS_UPSTREAM": upstream.address, "MYSTOCKS_NOW": "2026-12-20T12:00:00+08:00"}
    folder.write("tasks.yaml", TASKS)
    with serve(folder) as server:
        yield server


def loaded_until(server: Server) -> str:
    entries = server.graphql(CALENDAR)["assetNodeOrError"]["metadataEntries"]
    return next(entry["text"] for entry in entries if entry["label"] == "mystocks/last")


def test_a_running_web_ui_and_daemon_follow_a_source_that_knows_the_next_year(server: Server) -> None:
    folder = server.folder
    assert loaded_until(server) == "2026-12-31"
    health = {check["name"]: check for check in folder.json("health", code=None)["checks"]}
    assert (health["calendar"]["ok"], health["calendar"]["warning"]) == (True, True), "amber eleven days before the end"
    assert "mystocks calendar --refresh" in health["calendar"]["remedy"]

    assert server.wait(server.launch("refresh_calendar")) == "SUCCESS"

    wait_for(lambda: loaded_until(server) == "2027-12-31", 90, "the web UI to follow the calendar")
    told = folder.json("calendar")
    assert (told["last"], told["level"], told["parts"][1]["name"]) == ("2027-12-31", "ok", "akshare")
    times = folder.json("next", "bars", "--count", "60")
    days = [one["time"][:10] for one in times]
    assert all(one["trading_day_certain"] for one in times)
    assert "2027-01-04" in days
    assert not {"2027-01-01", "2027-02-05", "2027-02-12"}.intersection(days)


def started(folder: Folder) -> dict[str, dict[str, str]]:
    """Let one daemon look at each of the dates, and return the tags of the starts that it asked for, by day."""
    folder.write("tasks.yaml", TASKS)
    look_at_times(folder, ["2026-12-19T12:00:00+08:00", *(f"{day}T16:30:05+08:00" for day in DATES)])
    with instance_of(folder) as instance:
        assert len(requested_refreshes(instance)) == len(DATES), "asked once a day"
        return {tags["dagster/mystocks_scheduled_at"][:10]: tags for tags in requested(instance, "bars")}


def requested_refreshes(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    return list(instance.get_runs(dg.RunsFilter(job_name="refresh_calendar")))


def test_beyond_the_end_trading_day_schedules_go_on_on_weekdays_with_a_warning(folder: Folder) -> None:
    runs = started(folder)
    # The days between are late and not missed: it is one daemon that looks.
    assert {"2026-12-31", "2027-01-04", "2027-02-05"} <= set(runs)
    assert "2027-01-01" not in runs, "New Year is a holiday in every year"
    assert all(date.fromisoformat(day).weekday() < 5 for day in runs)
    assert "mystocks calendar --refresh" in runs["2027-01-04"]["mystocks/calendar"]
    assert "mystocks/calendar" not in runs["2026-12-31"]


def test_in_a_year_of_the_users_file_trading_day_schedules_leave_its_holidays_out(folder: Folder) -> None:
    folder.write("trading_calendar.csv", "\n".join(map(str, days_of_2027())))
    runs = started(folder)
    assert {"2026-12-31", "2027-01-04"} <= set(runs)
    known = {*published().sessions(date(2026, 12, 1), published().last), *days_of_2027()}
    assert {date.fromisoformat(day) for day in runs} <= known
    assert not {"2027-01-01", "2027-02-05"} & set(runs)
    assert not any("mystocks/calendar" in tags for tags in runs.values())
