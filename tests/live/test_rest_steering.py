"""Starting, stopping, following and editing over REST, against the real server, daemon and web UI."""

import html
import json
import os
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from support.api import Api, serve_api
from support.processes import is_running
from support.project import Server, make_folder, serve, wait_for

from mystocks_dagster.taskfile import atomic_files

TASKS = """
    task_packages: [steer]
    defaults: {task_module: steer}
    tasks:
      - {task_id: quick, task_type: manual, task_function: quick, params: {word: hello}}
      - {task_id: slow, task_type: manual, task_function: slow}
      - {task_id: twice, task_type: manual, task_function: slow, max_instances: 2}
      - {task_id: drip, task_type: manual, task_function: drip}
    task_groups:
      - {group_id: both, tasks: [quick, drip]}
"""
STEER = """
    import os
    import time
    from pathlib import Path

    from pydantic import BaseModel

    class Words(BaseModel, extra="forbid"):
        word: str = "hello"
        times: int = 1

    def quick(params: Words):
        return {"status": "success", "said": params.word * params.times}

    def slow(params):
        Path("slow.pid").write_text(str(os.getpid()))
        time.sleep(600)

    def drip(params):
        print("first line", flush=True)
        while not Path("go_on").exists():
            time.sleep(0.1)
        print("last line", flush=True)

    def later(params):
        return None
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = make_folder(tmp_path_factory.mktemp("steer") / "project")
    folder.write("tasks.yaml", TASKS)
    folder.write("steer.py", STEER)
    with serve(folder) as server:
        yield server


@pytest.fixture(scope="module")
def api(server: Server) -> Iterator[Api]:
    with serve_api(server.folder) as api:
        yield api


def working(api: Api, execution: str) -> int:
    """Wait until the slow body works; its process."""
    note = api.folder.root / "slow.pid"
    wait_for(
        lambda: api.get(f"/api/tasks/executions/{execution}")["status"] == "running" and note.exists(),
        90,
        "the slow body",
    )
    return int(note.read_text())


def test_a_start_gives_the_execution_at_once_with_the_params_of_this_run(api: Api) -> None:
    told = api.post("/api/tasks/quick/start", {"params": {"word": "ab", "times": 3}})
    shown = api.get(f"/api/tasks/executions/{told['execution_id']}")
    assert shown["status"] in ("pending", "running", "success")
    ended = api.ended(told["execution_id"])
    assert ended["status"] == "success"
    assert json.dumps(ended["result"]).count("ababab") == 1
    assert ended["params"]["times"] == 3


@pytest.mark.parametrize("params", [{"times": "many"}, {"wrod": "x"}, {"word": None}, {"word": ["x"]}])
def test_params_that_the_function_does_not_take_start_nothing(api: Api, params: dict[str, Any]) -> None:
    before = len(api.get("/api/tasks/executions/?task_id=quick"))
    status, told = api.call("POST", "/api/tasks/quick/start", {"params": params})
    assert status == 422, told
    assert next(iter(params)) in told["message"]
    assert len(api.get("/api/tasks/executions/?task_id=quick")) == before


def test_a_second_start_is_told_the_running_execution_and_stop_really_stops(api: Api) -> None:
    started = api.post("/api/tasks/slow/start")["execution_id"]
    status, told = api.call("POST", "/api/tasks/slow/start")
    assert (status, told["execution_id"], told["error"]) == (409, started, "AlreadyRunning"), told
    body = working(api, started)
    assert is_running(body)
    assert api.get("/api/tasks/health")["running_tasks"] >= 1
    told = api.post("/api/tasks/slow/stop")
    assert told["execution_id"] == started
    wait_for(lambda: not is_running(body), 60, "the end of the body's process")
    assert api.get(f"/api/tasks/executions/{started}")["status"] == "cancelled"
    assert api.call("POST", "/api/tasks/slow/stop")[0] == 409
    assert api.call("POST", f"/api/tasks/executions/{started}/stop")[0] == 409


def test_starts_at_the_same_moment_obey_max_instances(api: Api) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: api.call("POST", "/api/tasks/twice/start"), range(8)))
    assert sorted(status for status, _ in answers) == [200, 200, *[409] * 6]
    started = {told["execution_id"] for status, told in answers if status == 200}
    assert all(told["execution_id"] in started for status, told in answers if status == 409)
    api.post("/api/tasks/twice/stop")
    assert {api.get(f"/api/tasks/executions/{one}")["status"] for one in started} == {"cancelled"}


def test_a_log_is_followed_while_the_task_writes_it(api: Api) -> None:
    group = api.post("/api/groups/both/start")
    assert [one.partition(":")[2] for one in group["data"]["executions"]] == ["quick", "drip"]
    execution = group["data"]["executions"][1]
    seen: list[str] = []
    wait_for(lambda: "first line" in text(api, execution), 90, "the first line in the log")

    def follow() -> None:
        with urllib.request.urlopen(
            f"{api.address}/api/tasks/executions/{execution}/logs?follow=true", timeout=120
        ) as answer:
            seen.extend(line.decode() for line in answer)

    reader = threading.Thread(target=follow)
    reader.start()
    wait_for(lambda: any("first line" in line for line in seen) or reader.is_alive(), 30, "a follower")
    assert api.get("/api/tasks/quick")["task_id"] == "quick", "others are answered meanwhile"
    (api.folder.root / "go_on").touch()
    reader.join(90)
    assert not reader.is_alive(), "following ends with the execution"
    assert [word for word in ("first line", "last line") if any(word in line for line in seen)] == [
        "first line",
        "last line",
    ]
    assert "last line" in text(api, execution)


def text(api: Api, execution: str) -> str:
    with urllib.request.urlopen(f"{api.address}/api/tasks/executions/{execution}/logs", timeout=60) as answer:
        return answer.read().decode()


def test_followers_who_go_away_free_their_place(api: Api) -> None:
    (api.folder.root / "go_on").unlink(missing_ok=True)
    execution = api.post("/api/tasks/drip/start")["execution_id"]
    path = f"{api.address}/api/tasks/executions/{execution}/logs?follow=true"
    wait_for(lambda: "first line" in text(api, execution), 90, "the first line")
    for _ in range(40):  # more than may follow at once
        with urllib.request.urlopen(path, timeout=60) as answer:
            assert b"attempt=1" in answer.readline()
    assert api.get("/api/tasks/drip")["task_id"] == "drip"
    api.post("/api/tasks/drip/stop")


def knows(server: Server, job: str) -> bool:
    """Say whether Dagster's UI has the job."""
    query = """query($job: String!) { pipelineOrError(params: {
      repositoryLocationName: "mystocks", repositoryName: "__repository__", pipelineName: $job}) { __typename } }"""
    return server.graphql(query, job=job)["pipelineOrError"]["__typename"] == "Pipeline"


def web_ui(api: Api) -> dict[str, Any]:
    return next(check for check in api.get("/api/tasks/health")["checks"] if check["name"] == "web_ui")


def test_a_save_is_answered_while_the_web_ui_still_loads_it(api: Api, server: Server) -> None:
    body = {"task_id": "soon", "task_type": "manual", "task_module": "steer", "task_function": "later"}
    form = {"section": "tasks", **body, "task_id": "by_form"}
    with atomic_files.locked(api.folder.root / ".dagster" / "reload"):  # no reload gets on meanwhile
        assert api.post("/api/tasks/register", body)["data"]["reload"] == "under way"
        page = api.shell(
            f"curl -sL {api.address}/tasks/-/new -H 'origin: {api.address}' -H 'accept-language: en' "
            + " ".join(f"--data-urlencode '{name}={value}'" for name, value in form.items())
        )
        assert "Created. Dagster's UI is loading the new version." in html.unescape(page)
        assert {"soon", "by_form"} <= {task["task_id"] for task in api.get("/api/tasks/")}
        assert web_ui(api)["detail"].endswith("is loading the task file")
        assert not knows(server, "soon")
    wait_for(lambda: knows(server, "soon") and knows(server, "by_form"), 90, "the web UI's use of the new file")
    wait_for(lambda: web_ui(api)["detail"].endswith(server.address), 60, "the end of the reload")


def test_a_failed_reload_makes_the_project_degraded_until_one_succeeds(api: Api) -> None:
    note = {"pid": os.getpid(), "error": "The web UI did not answer: timed out"}
    seen = []

    def is_degraded() -> bool:
        # A reload of the saves before may still come, and would take the place of this one.
        (api.folder.root / ".dagster" / "reload.json").write_text(json.dumps(note), encoding="utf-8")
        seen.append(web_ui(api))
        return not seen[-1]["ok"]

    wait_for(is_degraded, 60, "the failed reload on the page of health")
    assert seen[-1]["remedy"] == "mystocks reload"
    assert "timed out" in seen[-1]["detail"]
    api.folder.mystocks("reload")
    assert web_ui(api)["ok"]


def test_a_registered_task_runs_at_once_and_the_web_ui_has_it(api: Api, server: Server) -> None:
    told = api.post(
        "/api/tasks/register",
        {"task_id": "later", "task_type": "manual", "task_module": "steer", "task_function": "later"},
    )
    assert told["data"]["reload"] == "under way"
    assert told["data"]["not_reloaded"] is None
    wait_for(lambda: knows(server, "later"), 90, "the web UI's use of the new file")
    assert server.wait(server.launch("later")) == "SUCCESS"
    assert api.ended(api.post("/api/tasks/later/start")["execution_id"])["status"] == "success"
    assert api.get("/api/tasks/statistics/?task_id=later")["later"]["success_count"] == 2


def test_editors_at_once_over_rest_and_the_command_line_lose_nothing(api: Api) -> None:
    """Six requests and two processes add a task each, and the requests all change the same one."""

    def by_rest(number: int) -> int:
        body = {"task_id": f"rest_{number}", "task_type": "manual", "task_module": "steer", "task_function": "later"}
        first, _ = api.call("POST", "/api/tasks/register", body)
        second, _ = api.call("PATCH", "/api/tasks/quick", {"params": {f"word_{number}": None, "word": f"by {number}"}})
        return max(first, second)

    def by_command(number: int) -> int:
        api.folder.write(f"add_{number}.yaml", f"{{task_id: cli_{number}, task_type: manual, task_function: later}}\n")
        api.folder.mystocks("add", f"add_{number}.yaml")
        return 200

    with ThreadPoolExecutor(8) as pool:
        jobs = [pool.submit(by_rest, number) for number in range(6)] + [
            pool.submit(by_command, number) for number in range(2)
        ]
        assert {job.result(timeout=170) for job in jobs} == {200}
    names = {one["task_id"] for one in api.get("/api/tasks/")}
    assert {f"rest_{number}" for number in range(6)} | {f"cli_{number}" for number in range(2)} <= names
    assert api.get("/api/tasks/health")["total_tasks"] == len(names)
    assert api.get("/api/tasks/quick")["params"]["word"].startswith("by ")


def test_a_body_of_100_mb_does_not_reach_the_memory(api: Api) -> None:
    def resident() -> int:
        pages = int(Path(f"/proc/{api.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    big = api.folder.root / "big.json"
    with big.open("wb") as file:
        file.truncate(100_000_000)
    before, peak, done = resident(), 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.is_set():
            peak = max(peak, resident())
            time.sleep(0.005)

    watcher = threading.Thread(target=watch)
    watcher.start()
    line = (
        f"curl -s -o /dev/null -w '%{{http_code}}' -X POST {api.address}/api/tasks/register -H 'content-type:"
        " application/json'"
    )
    declared = api.shell(f"{line} --data-binary @{big}")
    chunked = api.shell(f"{line} -H 'transfer-encoding: chunked' -H 'expect:' --data-binary @{big} || true")
    done.set()
    watcher.join()
    assert declared == "413"
    assert chunked in ("413", "000"), "the connection may be closed before the answer is read"
    assert peak - before < 30_000_000
    assert api.get("/api/tasks/quick")["task_id"] == "quick"
