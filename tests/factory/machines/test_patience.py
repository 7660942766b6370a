"""A machine that takes runs, while its database is away."""

import signal
import time
from pathlib import Path

import pytest
from support.chaos.database import Database
from support.machines import machine, project, share, takes_runs
from support.postgres import postgres_server
from support.project import wait_for

from mystocks_dagster.factory.machines import patience

pytestmark = pytest.mark.slow

TASKS = """
    task_packages: [where]
    defaults: {task_type: manual, task_module: where}
    tasks:
      - {task_id: tell, task_function: tell}
"""
WHERE = """
    def tell(params):
        return None
"""


def test_a_machine_waits_for_the_end_of_an_outage_and_says_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = project(tmp_path / "head", {})
    head.write("tasks.yaml", TASKS)
    head.write("where.py", WHERE)
    with postgres_server() as server:
        shared = share(head, server, monkeypatch)
        head.mystocks("list")
        database = Database(server, {})
        with machine(tmp_path / "first", head, shared, "where.py") as first:
            takes_runs(first)
            head.mystocks("run", "tell")
            database.crash()
            time.sleep(patience._TRY_SECONDS * 3)
            assert first.process.poll() is None, first.output
            database.start()
            wait_for(lambda: "answers again" in first.output, 30, "the end of the outage")
            head.mystocks("run", "tell")
            said = first.output
            assert said.count("does not answer") == said.count("answers again") == 1
            assert "Traceback" not in said
            assert "error connecting" not in said

            database.crash()
            wait_for(lambda: first.output.count("does not answer") == 2, 30, "the next outage")
            first.process.send_signal(signal.SIGINT)
            assert first.process.wait(30) == 0, first.output
            assert "Traceback" not in first.output
