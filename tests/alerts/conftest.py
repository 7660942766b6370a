"""Fixtures: a project with a real instance whose jobs run in this process, and real receivers."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import dagster as dg
import pytest
from support.postgres import use_postgres
from support.project import Folder
from support.receivers import Mailbox, Webhook, mailbox, webhook

from mystocks_dagster.alerts import ledger_store
from mystocks_dagster.alerts.engine import AlertEngine
from mystocks_dagster.alerts.rules.task_file import FileWatch
from mystocks_dagster.factory.build import build_definitions
from mystocks_dagster.instance import open_instance
from mystocks_dagster.settings import Settings
from mystocks_dagster.taskfile.reader import Version, load_task_file

TASKS = """
    task_packages: [work]
    defaults: {{task_type: manual, task_module: work, retry_delay: 0}}
    alerts:
      link: http://127.0.0.1:3000
      group_seconds: {group_seconds}
      urls: [{urls}]
      {more}
    tasks:
      - {{task_id: sync-bars, task_name: 每日行情, task_function: sync, retry_count: 1}}
      - {{task_id: other, task_name: 另一个, task_function: sync, owner: 数据组}}
      - {{task_id: partly, task_name: 部分, task_function: partly}}
      - {{task_id: server, task_name: 服务, task_type: supervisor, task_function: sync, auto_restart: true}}
      - {{task_id: first, task_name: 第一步, task_function: sync, stop_on_error: false}}
      - {{task_id: waiting, task_name: 第二步, task_function: waits}}
      - {{task_id: restarted, task_name: 可重启, task_function: sync, auto_restart: true}}
    task_groups:
      - {{group_id: long, group_name: 长任务组, tasks: [first, waiting]}}
      - {{group_id: evening, group_name: 收盘后, tasks: [sync-bars, other], execution_mode: sequential}}
"""
WORK = """
    import time
    from pathlib import Path

    def waits(params):
        while not Path("go").exists():
            time.sleep(0.1)

    def sync(params):
        mood = Path("mood")
        if mood.exists() and mood.read_text().strip() == "bad":
            return {"status": "failed", "error": "东方财富 closed the connection"}
        return {"status": "skipped" if mood.exists() and mood.read_text().strip() == "skipped" else "success"}

    def partly(params):
        again = {"symbols": ["600000"]}
        return {"status": "partial_success", "message": "2 of 3", "failed_items": ["600000.SH"], "retry_params": again}
"""


@dataclass
class Project:
    """A project whose clock, runs and looks the test decides."""

    folder: Folder
    monkeypatch: pytest.MonkeyPatch
    instance: dg.DagsterInstance = field(init=False)
    version: Version = field(init=False)

    @property
    def settings(self) -> Settings:
        return Settings.from_env()

    def use(self, *urls: str, more: str = "", group_seconds: int = 0) -> None:
        """Write the task file with these addresses, load it, and look for the first time."""
        quoted = ", ".join(f'"{url}"' for url in urls)
        self.folder.write("tasks.yaml", TASKS.format(urls=quoted, more=more, group_seconds=group_seconds))
        self.load()
        self.look()

    def load(self) -> None:
        """Load the task file as it is, as a new code server does."""
        self.version = load_task_file(self.folder.root / "tasks.yaml")
        self.engine, self.watch = AlertEngine.of(self.version), FileWatch(self.version)

    def look(self) -> None:
        """Look and send, as the sensor does."""
        assert self.engine.evaluate(self.instance, self.settings, self.watch.state()) is None

    def restart(self) -> None:
        """Start everything anew on the same storage."""
        self.instance = open_instance(self.settings)
        self.load()

    def mood(self, text: str) -> None:
        """Decide how `sync` ends: bad, good or skipped."""
        self.folder.write("mood", text)

    def job(self, job: str) -> dg.JobDefinition:
        """Return a job of the version that is loaded."""
        return build_definitions(self.version).resolve_job_def(job)

    def run(self, job: str, tags: dict[str, str] | None = None, **config: Any) -> str:
        """Run a job to its end in this process, and return the run's id."""
        return (
            self.job(job)
            .execute_in_process(instance=self.instance, raise_on_error=False, run_config=config, tags=tags)
            .run_id
        )

    def at(self, text: str) -> None:
        """Set the clock, in Shanghai's time."""
        self.monkeypatch.setenv("MYSTOCKS_NOW", f"{text}+08:00")

    @property
    def ledger(self) -> ledger_store.Ledger:
        return ledger_store.read(self.instance)


@pytest.fixture
def project(folder: Folder, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Project:
    """On SQLite, unless a test names postgres."""
    monkeypatch.chdir(folder.root)
    monkeypatch.setenv("MYSTOCKS_ROOT", str(folder.root))
    monkeypatch.setenv("DAGSTER_HOME", str(folder.root / ".dagster"))
    folder.write("work.py", WORK)
    if getattr(request, "param", "sqlite") == "postgres":
        use_postgres(folder, request.getfixturevalue("postgres"), monkeypatch)
    found = Project(folder, monkeypatch)
    found.instance = open_instance(found.settings)
    return found


@pytest.fixture
def hook() -> Iterator[Webhook]:
    with webhook() as found:
        yield found


@pytest.fixture
def mail() -> Iterator[Mailbox]:
    with mailbox() as found:
        yield found
