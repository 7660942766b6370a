"""The seed's curl lines and Python examples as they are written, against the real server and a real daemon.

Host, file paths and import paths are ours.
"""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest
from support.api import Api, serve_api
from support.project import ROOT, make_folder, serve

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")

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
#: What the lines of docs/rest.md speak of.
MORE = """
    tasks:
      - task_id: sync_basic_stock_info
        task_type: manual
        task_module: app.tasks.maintenance
        task_function: cleanup_cache_data
        params: {cleanup_paths: [.dagster/cache]}
    task_groups:
      - group_id: daily_job
        tasks: [sync_basic_stock_info]
        schedule: {schedule_type: cron, cron_expression: "0 3 * * *"}
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


FAILED = "curl -sS http://localhost:8888/api/tasks/executions/ | jq '.[] | select(.status == \"failed\")'"


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
def test_failed_tasks_are_picked_out_with_jq(api: Api, started: str) -> None:
    assert api.shell(FAILED.replace("http://localhost:8888", api.address)) == ""


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
    body = {
        "task_id": "gone",
        "task_type": "manual",
        "task_module": "app.tasks.maintenance",
        "task_function": "cleanup_cache_data",
    }
    run(api, line + "'" + json.dumps(body) + "'")
    assert run(api, "curl -X DELETE http://localhost:8888/api/tasks/gone")["success"] is True
    assert api.call("GET", "/api/tasks/gone")[0] == 404


# The seed's Python examples, verbatim.

REGISTER_AND_RUN = """
from app.services.task_manager import task_manager
from app.models.task import TaskConfig, TaskType, TaskPriority

# 创建任务配置
task_config = TaskConfig(
    task_id="my_task",
    task_name="我的任务",
    task_type=TaskType.MANUAL,
    task_module="app.tasks.data_sync",
    task_function="sync_daily_stock_data",
    priority=TaskPriority.NORMAL,
    params={"data_source": "akshare"},
    timeout=600
)

# 注册任务
response = task_manager.register_task(task_config)

# 启动任务
await task_manager.start_task("my_task")
"""
REGISTER_FUNCTION = '''
from app.services.task_manager import task_manager

def my_custom_task(params):
    """自定义任务函数"""
    print(f"Executing with params: {params}")
    return {"status": "success"}

# 注册函数
task_manager.register_function("my_custom_task", my_custom_task)
'''
MY_TASKS = '''
# app/tasks/my_tasks.py

import logging
from typing import Dict, Any
from datetime import datetime

logger = logging.getLogger(__name__)

def my_data_process_task(params: Dict[str, Any]) -> Dict[str, Any]:
    """
    自定义数据处理任务

    Args:
        params: 任务参数

    Returns:
        执行结果字典
    """
    logger.info(f"Starting task with params: {params}")

    try:
        # 实现任务逻辑
        result = {
            'status': 'success',
            'processed_records': 1000,
            'execution_time': datetime.now().isoformat()
        }

        logger.info(f"Task completed: {result}")
        return result

    except Exception as e:
        logger.error(f"Task failed: {e}")
        return {
            'status': 'failed',
            'error': str(e)
        }
'''
CONFIG = """
- task_id: "my_data_process"
  task_name: "自定义数据处理"
  task_type: "manual"
  task_module: "app.tasks.my_tasks"
  task_function: "my_data_process_task"
  description: "处理自定义数据"
  priority: 500
  params:
    source: "database"
    batch_size: 1000
  timeout: 1800
  retry_count: 2
"""
REGISTER_AND_TEST = """
from app.services.task_manager import task_manager
from app.tasks.my_tasks import my_data_process_task

# 注册函数
task_manager.register_function("my_data_process_task", my_data_process_task)

# 导入配置
task_manager.import_config("config/tasks.yaml")

# 测试执行
await task_manager.start_task("my_data_process")
"""


def notebook(api: Api, *cells: str) -> str:
    """Run the seed's Python, with our import paths, as the cells of a notebook in the project's folder; what it
    printed."""
    names = []
    for number, source in enumerate(cells):
        source = source.replace("from app.services.task_manager import", "from mystocks_dagster import")
        source = source.replace("from app.models.task import", "from mystocks_dagster import")
        names.append(str(api.folder.write(f"cell_{number}.py", source)))
    command = [sys.executable, str(ROOT / "tests" / "support" / "notebook.py"), *names]
    done = subprocess.run(
        command,
        cwd=api.folder.root,
        env=api.folder.environment,
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def last(api: Api, task_id: str) -> dict:
    """Return the newest execution of a task when it has ended."""
    return api.ended(api.get(f"/api/tasks/executions/?task_id={task_id}&limit=1")[0]["execution_id"])


def test_a_task_is_registered_and_started_from_python(api: Api) -> None:
    notebook(api, REGISTER_AND_RUN, "assert response.success, response")
    assert api.get("/api/tasks/my_task")["task_name"] == "我的任务"
    assert last(api, "my_task")["status"] in ("success", "skipped")


def test_a_function_of_a_notebook_is_registered_and_its_run_is_in_the_same_history(api: Api) -> None:
    """It takes longer than the daemon needs to find a lost run; this one is not lost."""
    slower = REGISTER_FUNCTION.replace(
        "    print(", "    import time\n    time.sleep(params.get('seconds', 0))\n    print("
    )
    start = 'started = await task_manager.start_task("my_custom_task", {"seconds": 12})\nprint(started.execution_id)\n'
    told = notebook(api, REGISTER_FUNCTION, slower, start, "print(task_manager.wait(started.execution_id).status)")
    shown = last(api, "my_custom_task")
    assert (shown["execution_id"] in told, shown["status"]) == (True, "success")
    assert shown["duration"] > 11
    assert api.get("/api/tasks/statistics/?task_id=my_custom_task")["my_custom_task"]["success_count"] == 1


def test_the_run_of_a_program_that_was_killed_is_found_lost(api: Api) -> None:
    cell = REGISTER_FUNCTION.replace("    print(", "    import time\n    time.sleep(600)\n    print(")
    die = """
import os, signal, time
started = task_manager.start_task('my_custom_task')
while task_manager.get_execution(started.execution_id).status != 'running':
    time.sleep(0.1)
os.kill(os.getpid(), signal.SIGKILL)
"""
    with pytest.raises(AssertionError):
        notebook(api, cell, die)
    shown = last(api, "my_custom_task")
    assert shown["status"] == "failed"
    assert api.get("/api/tasks/health")["running_tasks"] == 0
    if shutil.which("jq"):
        newest, _ = json.JSONDecoder().raw_decode(api.shell(FAILED.replace("http://localhost:8888", api.address)))
        assert newest == shown


def test_a_module_of_ones_own_is_registered_imported_and_started(api: Api) -> None:
    """`app.tasks` is here a package beside the task file, which `task_packages` allows."""
    api.folder.write("app/__init__.py", "")
    api.folder.write("app/tasks/__init__.py", "")
    api.folder.write("app/tasks/my_tasks.py", MY_TASKS)
    api.folder.write("config/tasks.yaml", "task_packages: [app.tasks]\ntasks:" + CONFIG)
    notebook(api, REGISTER_AND_TEST)
    shown = last(api, "my_data_process")
    assert shown["status"] == "success"
    assert "1000" in json.dumps(shown["result"])


def test_the_examples_of_the_manual_run(api: Api) -> None:
    cells = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "python.md").read_text(encoding="utf-8"), re.S)
    assert len(cells) > 5
    told = notebook(api, *cells)
    assert "task_id: tidy_up" in told, "the difference"
    assert "success" in told
    assert "There is no task or group 'tidy_upp'" in told
    assert "'codes': 2" in told
    assert last(api, "count_codes")["status"] == "success"


def test_the_lines_of_the_rest_page_work(api: Api, started: str) -> None:
    block = re.search(r"```bash\n(.*?)```", (ROOT / "docs" / "rest.md").read_text(encoding="utf-8"), re.S)
    assert block
    api.ended(started)
    api.folder.write("more.yaml", MORE)
    api.folder.mystocks("import", "more.yaml")
    for line in block[1].strip().splitlines():
        line = (
            line.replace("http://127.0.0.1:8888", api.address)
            .replace("curl ", "curl -sS --fail-with-body ")
            .replace("$EXECUTION_ID", started)
        )
        told = api.shell(line)
        assert told
