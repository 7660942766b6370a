"""The list of executions over all tasks, their pages, and what the table and the task's page count of them."""

import re
from collections.abc import Callable

import dagster as dg
import pytest
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run
from fastapi.testclient import TestClient

from mystocks_dagster.api.pages import paging
from mystocks_dagster.market.clock import now

pytestmark = pytest.mark.slow

SILENT = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
Run = Callable[..., str]


@pytest.fixture
def run(browser: TestClient) -> Run:
    """Run a job of Dagster whose one step ends as told; with `finish=False` it only waits."""
    instance = browser.app.state.manager.project.instance

    def run(task: str, outcome: str = "success", *, job: str = "", finish: bool = True) -> str:
        @dg.op(name=task)
        def body(context: dg.OpExecutionContext):
            reported = {
                "mystocks/task_id": task,
                "mystocks/status": outcome,
                "mystocks/result": dg.MetadataValue.json({"limit_ups": 12, "名单": ["600000.SH"]}),
            }
            if outcome == "failed":
                raise dg.Failure("上游没有回答", metadata=reported)
            yield dg.Output(None, metadata=reported)

        @dg.job(name=job or task, executor_def=dg.in_process_executor)
        def steps() -> None:
            body()

        stored = instance.create_run_for_job(steps, run_config=SILENT)
        if finish:
            execute_run(InMemoryJob(steps), stored, instance, raise_on_error=False)
        return stored.run_id

    return run


def row_of(page: str, name: str) -> str:
    row = re.search(rf'<tr id="{name}".*?</tr>', page, re.DOTALL)
    assert row
    return row[0]


def cards_of(page: str) -> dict[str, str]:
    """Return the figures of a task's page by their label."""
    return {label: number for number, label in re.findall(r"<p><b>(\d+)</b>(.*?)</p>", page)}


def test_executions_of_all_tasks_stand_in_one_list_that_can_be_narrowed(browser: TestClient, run: Run) -> None:
    good, bad = run("load"), run("report", "failed")
    everything = browser.get("/tasks/-/executions").text
    assert everything.index(bad[:8]) < everything.index(good[:8])
    assert "上游没有回答" in everything
    for query, expected in (
        ({"status": "failed"}, {bad}),
        ({"task": "load"}, {good}),
        ({"from": f"{now():%Y-%m-%d}", "to": f"{now():%Y-%m-%d}"}, {good, bad}),
        ({"to": "2020-01-01"}, set()),
    ):
        page = browser.get("/tasks/-/executions", params=query).text
        assert {run_id for run_id in (good, bad) if f">{run_id[:8]}" in page} == expected, query
    assert "没有符合条件的执行记录" in browser.get("/tasks/-/executions?status=skipped").text
    assert browser.get("/tasks/-/executions?status=lost").status_code == 422
    for query in ("from=yesterday", "from=0001-01-01", "to=9999-12-31", "from=2026-12-05&to=2026-11-01"):
        assert browser.get(f"/tasks/-/executions?{query}").status_code == 422


def test_a_long_list_has_pages(browser: TestClient, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [run("load") for _ in range(3)]
    monkeypatch.setattr(paging, "SIZE", 2)
    first = browser.get("/tasks/-/executions?task=load").text
    second = browser.get("/tasks/-/executions?task=load&page=2").text
    assert [run_id[:8] in first for run_id in runs] == [False, True, True]
    assert [run_id[:8] in second for run_id in runs] == [True, False, False]
    assert re.search(r'rel="next" href="\?task=load&amp;done=&amp;page=2"', first)
    assert 'rel="prev"' in second
    assert 'rel="next"' not in second
    table = browser.get("/tasks").text
    assert "第 1 页，共 2 页，3 项" in table


def test_an_execution_has_a_page_with_what_its_function_returned_and_its_error(browser: TestClient, run: Run) -> None:
    page = browser.get(f"/tasks/-/executions/{run('load')}:load").text
    assert "<code>limit_ups</code> 12" in page
    assert "600000.SH" in page
    assert "data-active" not in page
    failed = browser.get(f"/tasks/-/executions/{run('report', 'failed')}:report").text
    assert "上游没有回答" in failed
    assert browser.get("/tasks/-/executions/nothing:load").status_code == 404


def test_a_waiting_execution_refreshes_itself_and_can_be_stopped(browser: TestClient, run: Run) -> None:
    run_id = run("report", finish=False)
    page = browser.get(f"/tasks/-/executions/{run_id}:report").text
    assert "data-active" in page
    assert f'action="/tasks/-/executions/{run_id}%3Areport/stop"' in page
    for path in ("/tasks", "/tasks/report", "/tasks/-/executions"):
        assert "data-active" in browser.get(path).text, path
    answer = browser.post(f"/tasks/-/executions/{run_id}:report/stop", follow_redirects=False)
    assert answer.headers["location"].endswith("?done=stopped")
    assert "已取消" in browser.get(f"/tasks/-/executions/{run_id}:report").text


def test_the_figures_of_a_task_add_up(browser: TestClient, run: Run) -> None:
    for outcome in ("partial_success", "failed", "skipped"):
        run("report", outcome)
    run("report", finish=False)
    cards = {label: int(number) for label, number in cards_of(browser.get("/tasks/report").text).items()}
    assert cards == {"执行次数": 4, "成功": 1, "失败": 1, "跳过": 1, "取消": 0, "未结束": 1}
    week = row_of(browser.get("/tasks").text, "report")
    assert "近 7 天：成功 1 次，失败 1 次" in week
    assert f"{now():%Y-%m-%d}：成功 1 次，失败 1 次" in week


def test_failed_tasks_come_first_and_can_be_chosen(browser: TestClient, run: Run) -> None:
    ids = re.compile(r'<tr id="(\w+)"')
    assert ids.findall(browser.get("/tasks").text) == ["evening", "load", "report"]
    run("report", "failed")
    assert ids.findall(browser.get("/tasks").text) == ["report", "evening", "load"]
    assert ids.findall(browser.get("/tasks?state=failed").text) == ["report"]
    assert ids.findall(browser.get("/tasks?tag=daily").text) == ["load"]


def test_a_groups_graph_has_the_states_of_its_newest_run(browser: TestClient, run: Run) -> None:
    before = browser.get("/tasks/evening").text
    assert len(re.findall(r'<path d="M', before)) == 1  # report waits for load
    run("load", "failed", job="evening")
    page = browser.get("/tasks/evening").text
    assert re.search(r'<a href="/tasks/load" class="failed"><title>装载行情 load</title>', page)
    assert '<a href="/tasks/report" class="none">' in page


def test_the_next_five_starts_are_shown(browser: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYSTOCKS_NOW", "2026-11-24T12:00:00+08:00")
    starts = re.findall(r'<time datetime="(2026-1\d-\d\d)T16', browser.get("/tasks/load").text)
    assert starts == ["2026-11-24", "2026-11-25", "2026-11-26", "2026-11-27", "2026-11-30"]
