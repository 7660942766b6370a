"""Tables under the real daemon: a failure turns them red however the task ran, and two runs never write one at once."""

from collections.abc import Iterator
from typing import Any

import pytest
from support.project import ROOT, Server, make_folder, serve

TASKS = """
  - {task_id: owner, task_type: manual, task_module: writers, task_function: shares}
  - {task_id: second, task_type: manual, task_module: writers, task_function: shares}
  - {task_id: beside, task_type: manual, task_module: writers, task_function: signals}

task_groups:
  - {group_id: both, tasks: [beside, second], execution_mode: parallel}
"""
#: Who writes a table while somebody else does finds the mark of the other one, and fails.
WRITERS = """
    import time
    from pathlib import Path

    from mystocks_dagster.tasks.run import declares

    MARK = Path(__file__).parent / "shares.mark"

    def write(run):
        with MARK.open("x"):
            time.sleep(1)
        MARK.unlink()
        with (MARK.parent / "written.txt").open("a") as written:
            written.write(f"{run.run_id} {run.task_id}" + chr(10))

    @declares(writes=("shares",))
    def shares(params, run):
        write(run)

    @declares(writes=("own_signals",), also_writes=("shares",))
    def signals(params, run):
        write(run)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = make_folder(tmp_path_factory.mktemp("tables") / "project")
    shipped = (ROOT / "tasks.yaml").read_text(encoding="utf-8")
    folder.write("tasks.yaml", "task_packages: [writers]\n" + shipped.replace("\ntask_groups:\n", TASKS, 1))
    folder.write("writers.py", WRITERS)
    # No archive is there: what asks for market data fails.
    folder.env = {"MYSTOCKS_SOURCE": "recorded", "MYSTOCKS_RECORDED": str(folder.root / "nowhere")}
    with serve(folder) as server:
        yield server


def checks(server: Server, table: str) -> list[dict[str, Any]]:
    """Return the newest result of the check of a table's last run, as the catalog shows it."""
    told = server.graphql(
        f"""{{ assetNodes(assetKeys: [{{path: ["{table}"]}}]) {{ assetChecksOrError {{ ... on AssetChecks {{ checks
            {{ name
             executionForLatestMaterialization {{ status evaluation {{ description }} }} }} }} }} }} }}"""
    )
    found = told["assetNodes"][0]["assetChecksOrError"]["checks"]
    results = [check["executionForLatestMaterialization"] for check in found if check["name"] == "last_run"]
    return [result for result in results if result]


def test_a_failing_task_of_daily_job_turns_its_tables_red_and_keeps_the_others_as_they_were(server: Server) -> None:
    run_id = server.launch("daily_job")
    assert server.wait(run_id) == "FAILURE"
    for table in ("daily_bars", "adjust_events"):
        [check] = checks(server, table)
        assert check["status"] == "FAILED"
        assert "nowhere" in check["evaluation"]["description"]
    assert checks(server, "indicators_daily") == []


def test_a_table_is_never_written_by_two_runs_at_once_whichever_way_they_were_started(server: Server) -> None:
    started = {
        "Materialize": server.materialize("shares"),
        "its group": server.launch("both"),
        "its own job": server.launch("owner"),
    }
    assert {way: server.wait(run_id) for way, run_id in started.items()} == dict.fromkeys(started, "SUCCESS")
    written = [line.split() for line in (server.folder.root / "written.txt").read_text(encoding="utf-8").splitlines()]
    assert len(written) == len(started) + 1  # the group holds two writers
    assert {run_id for run_id, _ in written} == set(started.values())
