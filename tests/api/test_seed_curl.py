"""The curl lines of the seed, as a person types them, against the real server and a real daemon; host and file paths are ours."""

import json
import shutil
from collections.abc import Iterator

import pytest
from support.api import Api, serve_api
from support.project import make_folder, serve

TASKS = """
    tasks:
      - task_id: daily_data_sync
        task_name: 每日股票数据同步
        task_type: cron
        task_module: app.tasks.data_sync
        task_function: sync_daily_stock_data
        schedule: {schedule_type: cron, cron_expression: "0 16 * * 1-5", enabled: true}
        tags: [daily, important]
"""
REGISTER = """
curl -X POST http://localhost:8888/api/tasks/register \\
  -H "Content-Type: application/json" \\
  -d '{
    "task_id": "test_task",
    "task_name": "测试任务",
    "task_type": "manual",
    "task_module": "app.tasks.data_sync",
    "task_function": "sync_daily_stock_data",
    "priority": 500,
    "timeout": 300
  }'
"""
EXPORT = """
curl -X POST http://localhost:8888/api/tasks/export \\
  -H "Content-Type: application/json" \\
  -d '{"output_path": "/backup/tasks_$(date +%Y%m%d).json"}'
"""
EXECUTION = {
    "execution_id",
    "task_id",
    "status",
    "start_time",
    "end_time",
    "duration",
    "result",
    "error_message",
    "log_path",
    "retry_count",
}
STATISTICS = {
    "task_id",
    "task_name",
    "total_executions",
    "success_count",
    "failed_count",
    "avg_duration",
    "last_execution_time",
    "last_status",
    "success_rate",
}
RESPONSE = {"success", "message", "data", "task_id", "execution_id"}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    folder = make_folder(tmp_path_factory.mktemp("curl") / "project")
    folder.write("tasks.yaml", TASKS)
    folder.env |= {
        "MYSTOCKS_SOURCE": "simulated",
        "MYSTOCKS_SIMULATED": "symbols=5,start=2026-11-02",
        "MYSTOCKS_EXPORTS": str(folder.root / "backup"),
    }
    with serve(folder), serve_api(folder) as api:
        yield api


@pytest.fixture(scope="module")
def started(api: Api) -> str:
    """Register and start the seed's task; the id of its execution."""
    told = run(api, REGISTER)
    assert set(told) >= RESPONSE
    assert told["success"] is True
    assert told["task_id"] == "test_task"
    told = run(api, "curl -X POST http://localhost:8888/api/tasks/test_task/start")
    assert set(told) >= RESPONSE
    assert told["success"] is True
    return told["execution_id"]


def run(api: Api, line: str) -> dict:
    """Run a line of the seed against our host and folder; its answer."""
    line = line.strip().replace("curl ", "curl -sS --fail-with-body ").replace("http://localhost:8888", api.address)
    return json.loads(api.shell(line.replace('"/backup/', f'"{api.folder.root}/backup/')))


def test_the_registered_task_is_shown(api: Api, started: str) -> None:
    told = run(api, "curl http://localhost:8888/api/tasks/test_task")
    assert told["task_name"] == "测试任务"
    assert told["task_module"] == "app.tasks.data_sync"
    assert (told["priority"], told["timeout"], told["schedule"]) == (500, 300, None)


def test_the_history_has_the_execution_from_the_moment_it_was_started_to_its_end(api: Api, started: str) -> None:
    line = "curl http://localhost:8888/api/tasks/executions/?task_id=test_task"
    told = run(api, line)
    assert [one["execution_id"] for one in told] == [started]
    assert set(told[0]) >= EXECUTION
    assert api.ended(started)["status"] == "success"
    assert [one["status"] for one in run(api, line)] == ["success"]


def test_one_execution_is_shown(api: Api, started: str) -> None:
    told = run(api, f"curl http://localhost:8888/api/tasks/executions/{started}")
    assert told["task_id"] == "test_task"
    assert set(told) >= EXECUTION


def test_a_task_is_started_again_by_its_id(api: Api, started: str) -> None:
    api.ended(started)
    told = run(api, "curl -X POST http://localhost:8888/api/tasks/test_task/start")
    assert told["execution_id"] != started
    assert api.ended(told["execution_id"])["status"] in ("success", "skipped")


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
def test_failed_tasks_are_picked_out_with_jq(api: Api, started: str) -> None:
    line = "curl http://localhost:8888/api/tasks/executions/ | jq '.[] | select(.status == \"failed\")'"
    assert api.shell(line.replace("http://localhost:8888", api.address).replace("curl", "curl -sS")) == ""


def test_the_configuration_is_exported_under_the_date(api: Api) -> None:
    told = run(api, EXPORT)
    assert told["success"] is True
    today = api.shell("TZ=Asia/Shanghai date +%Y%m%d").strip()
    assert told["path"] == str(api.folder.root / "backup" / f"tasks_{today}.json")
    exported = json.loads((api.folder.root / "backup" / f"tasks_{today}.json").read_text(encoding="utf-8"))
    assert exported["tasks"][0]["task_id"] == "daily_data_sync"


def test_old_executions_are_cleaned_up(api: Api, started: str) -> None:
    told = run(api, 'curl -X DELETE "http://localhost:8888/api/tasks/executions/cleanup?days=7"')
    assert told["success"] is True
    assert told["count"] == 0, "nothing is seven days old"
    assert run(api, f"curl http://localhost:8888/api/tasks/executions/{started}")["execution_id"] == started


def test_the_health_is_told(api: Api) -> None:
    told = run(api, "curl http://localhost:8888/api/tasks/health")
    assert told["status"] in ("healthy", "degraded")
    assert all(isinstance(told[name], int) for name in ("total_tasks", "running_tasks", "total_executions"))
    daemon = next(check for check in told["checks"] if check["name"] == "daemon")
    assert daemon["ok"], daemon


def test_the_remaining_calls_have_the_paths_and_shapes_of_the_seed(api: Api, started: str) -> None:
    """The seed describes these without a curl line."""
    listed = run(api, "curl 'http://localhost:8888/api/tasks/?task_type=cron&tags=daily,none'")
    assert [one["task_id"] for one in listed] == ["daily_data_sync"]
    api.ended(started)
    told = run(api, "curl http://localhost:8888/api/tasks/statistics/?task_id=test_task")
    assert set(told) == {"test_task"}
    assert set(told["test_task"]) >= STATISTICS
    assert told["test_task"]["success_count"] >= 1
    assert told["test_task"]["success_rate"] == 100.0
    exported = run(api, EXPORT)["path"]
    line = "curl -X POST http://localhost:8888/api/tasks/import -H 'Content-Type: application/json' -d "
    told = run(api, line + "'" + json.dumps({"config_path": exported}) + "'")
    assert told["success"] is True
    assert "nothing to change" in told["message"]
    line = "curl -X POST http://localhost:8888/api/tasks/register -H 'Content-Type: application/json' -d "
    body = {"task_id": "gone", "task_type": "manual", "task_module": "app.tasks.maintenance", "task_function": "cleanup_cache_data"}
    run(api, line + "'" + json.dumps(body) + "'")
    assert run(api, "curl -X DELETE http://localhost:8888/api/tasks/gone")["success"] is True
    assert api.call("GET", "/api/tasks/gone")[0] == 404
