"""Fifty run processes killed under the real daemon: each run is started again once, or told once."""

import json
import os
import signal
import time
from collections.abc import Iterator

import pytest
from support.daemon import instance_of, kill_workers
from support.project import Server, make_folder, serve
from support.receivers import Webhook, webhook

from mystocks_dagster.runs import launch
from mystocks_dagster.settings import Settings

RUNS, TASKS = 50, 10
#: A run's first process waits to be killed, the second ends when the test has seen it.
HELD = """
    import time
    from pathlib import Path

    HERE = Path(__file__).parent

    def hold(params, run):
        while not (HERE / f"{run.run_id}.again").exists():
            time.sleep(0.2)
"""


@pytest.fixture(scope="module")
def hook() -> Iterator[Webhook]:
    with webhook() as found:
        yield found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, hook: Webhook) -> Iterator[Server]:
    folder = make_folder(tmp_path_factory.mktemp("many") / "project")
    tasks = "".join(
        f"\n      - {{task_id: t{number}, task_type: manual, task_module: held, task_function: hold, auto_restart:"
        " true, max_instances: 5}"
        for number in range(TASKS)
    )
    folder.write(
        "tasks.yaml",
        f'\n    task_packages: [held]\n    alerts: {{urls: ["{hook.url}"], group_seconds: 0}}\n    tasks:{tasks}\n',
    )
    folder.write("held.py", HELD)
    text = (folder.root / "dagster.yaml").read_text(encoding="utf-8")
    for shipped, wide in (("limit: 4", "limit: 9"), ("limit: 3", "limit: 8")):
        assert shipped in text
        text = text.replace(shipped, wide)
    folder.write("dagster.yaml", text)
    with serve(folder) as server:
        yield server
    kill_workers(folder)


def all_runs(server: Server) -> dict[str, tuple[str, str | None, dict[str, str]]]:
    """Return run id to status, the run that it stands for, and tags."""
    told = server.graphql("{ runsOrError { ... on Runs { results { runId status parentRunId tags { key value } } } } }")
    return {
        run["runId"]: (run["status"], run["parentRunId"], {tag["key"]: tag["value"] for tag in run["tags"]})
        for run in told["runsOrError"]["results"]
    }


def kill(tags: dict[str, str], run_id: str) -> bool:
    """Kill the run's process, if it is noted."""
    noted = json.loads(tags.get("dagster/mystocks_worker", "{}"))
    if noted.get("run_id") != run_id:
        return False
    os.kill(noted["pid"], signal.SIGKILL)
    return True


def launch_all(server: Server) -> list[str]:
    """Put all runs in the queue at once, and return their ids."""
    with pytest.MonkeyPatch.context() as monkeypatch, instance_of(server.folder) as instance:
        monkeypatch.chdir(server.folder.root)
        monkeypatch.syspath_prepend(str(server.folder.root))
        monkeypatch.setenv("MYSTOCKS_ROOT", str(server.folder.root))
        repository = launch.load(Settings.from_env())
        runs = [launch.create_run(instance, repository, f"t{number % TASKS}", {}, {}) for number in range(RUNS)]
        for run_id in runs:
            launch.start(instance, run_id, queued=True)
    return runs


# On an idle machine it takes a minute and a half.
@pytest.mark.timeout(600)
def test_fifty_killed_workers_are_each_started_again_once_or_told_once(server: Server, hook: Webhook) -> None:
    first = launch_all(server)
    killed: set[str] = set()
    restarted: dict[str, list[str]] = {}
    deadline = time.monotonic() + 500
    while time.monotonic() < deadline and not (len(killed) == RUNS and len(restarted) + len(hook.titles) >= RUNS):
        runs = all_runs(server)
        for run_id in first:
            status, _, tags = runs[run_id]
            if run_id not in killed and status == "STARTED" and kill(tags, run_id):
                killed.add(run_id)
        restarted = {}
        for run_id, (_, parent, _) in runs.items():
            if parent:
                (server.folder.root / f"{run_id}.again").touch()
                restarted.setdefault(parent, []).append(run_id)
        time.sleep(1)
    assert len(killed) == RUNS
    assert {run_id: len(restarted.get(run_id, [])) for run_id in first} == dict.fromkeys(first, 1)
    assert hook.titles == []
