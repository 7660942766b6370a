"""One project on two machines that share nothing but a Postgres database and an S3 server."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from polars.testing import assert_frame_equal
from support.object_store import object_store
from support.postgres import use_postgres
from support.processes import stop_and_kill
from support.project import ROOT, Folder, Server, make_folder, serve, wait_for

from mystocks_dagster.lake.store import Lake

NOW = "2026-09-04T18:00:00+08:00"
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


@dataclass
class Machine:
    """A machine: a folder with code but no task file, and the process that takes runs."""

    folder: Folder
    process: subprocess.Popen[bytes]

    @property
    def name(self) -> str:
        return self.folder.root.parent.name

    def lose_power(self) -> None:
        """Kill all of its processes at once."""
        top = psutil.Process(self.process.pid)
        runs = [process for process in psutil.process_iter(["environ"]) if self._is_here(process)]
        stop_and_kill([top, *top.children(recursive=True), *runs])

    def _is_here(self, process: psutil.Process) -> bool:
        return (process.info["environ"] or {}).get("HOME") == self.folder.env["HOME"]


def project(root: Path, shared: dict[str, str]) -> Folder:
    """Return a folder on a disk of its own: project, home and temporary files."""
    folder = make_folder(root / "project")
    for name in ("home", "tmp"):
        (root / name).mkdir()
    folder.env = {**shared, "HOME": str(root / "home"), "TMPDIR": str(root / "tmp"), "MYSTOCKS_NOW": NOW}
    folder.env |= {"MYSTOCKS_SOURCE": "simulated", "MYSTOCKS_SIMULATED": "symbols=8,start=2026-09-01"}
    folder.write("gate.py", GATE)
    return folder


def tasks() -> str:
    shipped = (ROOT / "tasks.yaml").read_text(encoding="utf-8")
    before, _, _ = shipped.partition("\ntask_groups:\n")
    return "task_packages: [gate]\ndefaults: {auto_restart: true}\n" + before + TASKS


@contextmanager
def machine(root: Path, shared: dict[str, str], dagster_yaml: str) -> Iterator[Machine]:
    folder = project(root, shared)
    folder.write("dagster.yaml", dagster_yaml)
    log = (root / "worker.log").open("wb")
    command = [sys.executable, "-m", "mystocks_dagster.cli.main", "worker", "--runs", "1", "--name", root.name]
    process = subprocess.Popen(command, cwd=folder.root, env=folder.environment, stdout=log, stderr=log)
    here = Machine(folder, process)
    try:
        yield here
    finally:
        if process.poll() is None:
            here.lose_power()
        log.close()


def shared_yaml(text: str) -> str:
    """Return the dagster.yaml for several machines: what docs/machines.md says to change."""
    there = "  module: mystocks_dagster.factory.launcher\n  class: ProcessRunLauncher\n"
    assert there in text
    return text.replace(there, "  module: mystocks_dagster.factory.machines.launcher\n  class: MachineRunLauncher\n")


def tables(location: str) -> dict[str, Any]:
    """Return all rows of all tables of a lake, in one order."""
    lake = Lake(location)
    return {info.table: lake.query(f"SELECT * FROM {info.table} ORDER BY ALL") for info in lake.tables()}


@pytest.mark.timeout(1800)
def test_a_group_goes_on_on_the_other_machine_after_a_power_cut_and_the_tables_are_those_of_one_machine(
    tmp_path: Path, postgres: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = project(tmp_path / "alone", {})
    alone.write("tasks.yaml", tasks())
    (alone.root / "open").touch()
    with ExitStack() as stack:
        store = stack.enter_context(object_store("lake"))
        shared = {**store, "MYSTOCKS_LAKE": "s3://lake/market"}
        head = project(tmp_path / "head", shared)
        use_postgres(head, postgres, monkeypatch)
        shared["MYSTOCKS_POSTGRES_URL"] = head.env["MYSTOCKS_POSTGRES_URL"] = os.environ["MYSTOCKS_POSTGRES_URL"]
        text = shared_yaml((head.root / "dagster.yaml").read_text(encoding="utf-8"))
        head.write("dagster.yaml", text)
        head.write("tasks.yaml", tasks())
        server: Server = stack.enter_context(serve(head))
        first = stack.enter_context(machine(tmp_path / "first", shared, text))
        run_id = server.launch("evening")
        wait_for((first.folder.root / "reached").exists, 600, "the gate of the first machine")
        assert not (head.root / "reached").exists()
        second = stack.enter_context(machine(tmp_path / "second", shared, text))
        other = server.launch("flows")
        assert server.wait(other, 600) == "SUCCESS"
        first.lose_power()
        (second.folder.root / "open").touch()
        assert server.wait(run_id, 300) == "FAILURE"
        restarted = wait_for(lambda: restart_of(server, run_id), 120, "the restart of the lost run")
        assert server.wait(restarted, 600) == "SUCCESS"
        for name, value in store.items():
            monkeypatch.setenv(name, value)
        on_two = tables("s3://lake/market")
    alone.mystocks("run", "all", timeout=170)
    on_one = tables(str(alone.root / "data"))
    assert on_two.keys() == on_one.keys() >= {"daily_bars", "indicators_daily", "capital_flow_stock", "loaded_days"}
    for name, rows in on_one.items():
        assert_frame_equal(on_two[name], rows)


def restart_of(server: Server, run_id: str) -> str | None:
    query = "query($id: ID!) { runOrError(runId: $id) { ... on Run { tags { key value } } } }"
    tags = {tag["key"]: tag["value"] for tag in server.graphql(query, id=run_id)["runOrError"]["tags"]}
    return tags.get("dagster/auto_retry_run_id")
