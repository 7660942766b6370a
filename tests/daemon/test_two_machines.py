"""One project on two machines that share nothing but a Postgres database and an S3 server."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from polars.testing import assert_frame_equal
from support.machines import machine, project, share
from support.object_store import object_store
from support.project import ROOT, Folder, Server, serve, wait_for

from mystocks_dagster.lake.store import Lake

LAKE = "s3://lake/market"
MARKET = {
    "MYSTOCKS_NOW": "2026-09-04T18:00:00+08:00",
    "MYSTOCKS_SOURCE": "simulated",
    "MYSTOCKS_SIMULATED": "symbols=8,start=2026-09-01",
}
TASKS = """
  - {task_id: gate, task_type: manual, task_module: gate, task_function: wait}

task_groups:
  - {group_id: evening, tasks: [daily_data_sync, gate, calc_technical_indicators]}
  - {group_id: flows, tasks: [fetch_capital_flow]}
  - {group_id: all, tasks: [daily_data_sync, gate, calc_technical_indicators, fetch_capital_flow]}
"""
#: Waits in the middle of the group, on each machine until its own folder has the file that opens it.
GATE = """
    import time
    from pathlib import Path

    HERE = Path(__file__).parent

    def wait(params, run):
        (HERE / "reached").write_text(run.run_id)
        print(f"the gate of {HERE.name}", flush=True)
        while not (HERE / "open").exists():
            time.sleep(0.1)
"""


#: Found first by all programs of a machine: its clock is a minute ahead.
AHEAD = """
    import time

    _time = time.time
    time.time = lambda: _time() + 60
"""


def tasks() -> str:
    shipped = (ROOT / "tasks.yaml").read_text(encoding="utf-8")
    before, _, _ = shipped.partition("\ntask_groups:\n")
    return "task_packages: [gate]\ndefaults: {auto_restart: true}\n" + before + TASKS


def market(root: Path, shared: dict[str, str]) -> Folder:
    """Return a project with a simulated market on a disk of its own."""
    folder = project(root, {**shared, **MARKET})
    folder.write("gate.py", GATE)
    folder.write("tasks.yaml", tasks())
    return folder


def tables(location: str) -> dict[str, Any]:
    """Return all rows of all tables of a lake, in one order, without the ids of the Delta tables that were read."""
    lake = Lake(location)
    rows = {info.table: lake.query(f"SELECT * FROM {info.table} ORDER BY ALL") for info in lake.tables()}
    return {name: frame.drop("inputs", strict=False) for name, frame in rows.items()}


@pytest.mark.timeout(2400)
def test_a_group_goes_on_on_the_other_machine_after_a_power_cut_and_the_tables_are_those_of_one_machine(
    tmp_path: Path, postgres: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as stack:
        store = stack.enter_context(object_store("lake"))
        head = market(tmp_path / "head", {**store, "MYSTOCKS_LAKE": LAKE})
        shared = {**store, "MYSTOCKS_LAKE": LAKE, **MARKET, **share(head, postgres, monkeypatch)}
        server: Server = stack.enter_context(serve(head))
        first = stack.enter_context(machine(tmp_path / "first", head, shared, "gate.py"))
        run_id = server.launch("evening")
        wait_for((first.folder.root / "reached").exists, 120, "the gate of the first machine")
        assert not (head.root / "reached").exists()
        second = stack.enter_context(machine(tmp_path / "second", head, shared, "gate.py", early=AHEAD))
        other = server.launch("flows")
        assert server.wait(other, 120) == "SUCCESS"
        first.lose_power()
        (second.folder.root / "open").touch()
        assert server.wait(run_id, 90) == "FAILURE"
        restarted = wait_for(lambda: restart_of(server, run_id), 60, "the restart of the lost run")
        assert server.wait(restarted, 120) == "SUCCESS"
        assert "the clock of second is 60 s ahead" in " ".join(second.output.split())
        statistics = head.json("stats")
        for name, value in store.items():
            monkeypatch.setenv(name, value)
        on_two = tables(LAKE)
    assert {name: statistics[name]["total_executions"] for name in ("daily_data_sync", "fetch_capital_flow")} == {
        "daily_data_sync": 1,
        "fetch_capital_flow": 1,
    }
    alone = market(tmp_path / "alone", {})
    (alone.root / "open").touch()
    alone.mystocks("run", "all", timeout=170)
    on_one = tables(str(alone.root / "data"))
    assert on_two.keys() == on_one.keys() >= {"daily_bars", "indicators_daily", "capital_flow_stock", "loaded_days"}
    for name, rows in on_one.items():
        assert_frame_equal(on_two[name], rows)


def restart_of(server: Server, run_id: str) -> str | None:
    query = "query($id: ID!) { runOrError(runId: $id) { ... on Run { tags { key value } } } }"
    tags = {tag["key"]: tag["value"] for tag in server.graphql(query, id=run_id)["runOrError"]["tags"]}
    return tags.get("dagster/auto_retry_run_id")
