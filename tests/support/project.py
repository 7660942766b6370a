"""Projects in folders of their own, and the real servers over them, for the tests."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from dagster import DagsterInstance
from support.forked_commands import can_run, run_forked
from support.load import slowdown

ROOT = Path(__file__).parent.parent.parent
#: Found first by the processes that tests start.
QUICK = Path(__file__).parent / "quick"


@dataclass
class Folder:
    """A project in a folder of its own: the shipped dagster.yaml and workspace.yaml, and a task file to choose."""

    root: Path
    env: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """The environment of commands: nothing of ours but what the test set."""
        bare = {name: value for name, value in os.environ.items() if not name.startswith(("MYSTOCKS_", "DAGSTER_"))}
        return {**bare, "PYTHONPATH": os.pathsep.join((str(self.root), str(QUICK))), **self.env}

    def write(self, name: str, text: str) -> Path:
        """Write a file of the project."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    def mystocks(self, *arguments: str, code: int | None = 0, cwd: Path | None = None, timeout: float = 120) -> str:
        """Run the command and return what it printed; check the exit code unless `code` is None."""
        done = self._run(arguments, cwd or self.root, timeout)
        if code is not None:
            assert done.returncode == code, f"{arguments} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr
        return done.stdout + done.stderr

    def json(self, *arguments: str, code: int | None = 0) -> Any:
        """Run the command with --json and return what it printed."""
        done = self._run((*arguments, "--json"), self.root, 120)
        if code is not None:
            assert done.returncode == code, done.stdout + done.stderr
        return json.loads(done.stdout)

    def _run(self, arguments: tuple[str, ...], cwd: Path, timeout: float) -> subprocess.CompletedProcess[str]:
        """Run the command in a process of its own: a fork where that makes no difference, else a new interpreter."""
        env = self.environment
        if can_run(env, self.env, self.root):
            return run_forked(arguments, cwd, env, timeout)
        command = [sys.executable, "-m", "mystocks_dagster.cli.main", *arguments]
        return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=timeout, check=False)


def make_folder(root: Path) -> Folder:
    """Make a project folder, with Dagster's databases as Dagster makes them: empty, and made once for all tests of a
    process."""
    root.mkdir(parents=True)
    for name in ("dagster.yaml", "workspace.yaml"):
        shutil.copy(ROOT / name, root / name)
    shutil.copytree(empty_home(), root / ".dagster")
    return Folder(root)


@cache
def empty_home() -> Path:
    """Return a folder of an instance that was never used; making one takes Dagster most of a second."""
    holder = tempfile.TemporaryDirectory()
    _kept.append(holder)
    with DagsterInstance.local_temp(holder.name):
        return Path(holder.name)


_kept: list[tempfile.TemporaryDirectory[str]] = []


@dataclass
class Server:
    """A running web UI and daemon."""

    address: str
    folder: Folder
    process: subprocess.Popen[bytes]

    @property
    def dagster(self) -> str:
        """The address of Dagster's own UI."""
        return f"{self.address}/dagster"

    def graphql(self, query: str, **variables: Any) -> Any:
        """Ask the real webserver; fail on GraphQL errors."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        headers = {"content-type": "application/json"}
        if token := self.folder.env.get("MYSTOCKS_API_TOKEN"):
            headers["authorization"] = f"Bearer {token}"
        request = urllib.request.Request(f"{self.dagster}/graphql", body, headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            told = json.load(answer)
        assert not told.get("errors"), told["errors"]
        return told["data"]

    def launch(self, job: str, config: dict[str, Any] | None = None) -> str:
        """Launch a job over GraphQL and return the run's id."""
        return self._launch({"jobName": job}, runConfigData=config or {})

    def materialize(self, *tables: str, day: str | None = None) -> str:
        """Click on Materialize for some tables, and choose a day if one is given; return the run's id."""
        tags = [{"key": "dagster/partition", "value": day}] if day else []
        selected = {"jobName": "__ASSET_JOB", "assetSelection": [{"path": [table]} for table in tables]}
        return self._launch(selected, executionMetadata={"tags": tags})

    def _launch(self, selected: dict[str, Any], **parameters: Any) -> str:
        selector = {"repositoryLocationName": "mystocks", "repositoryName": "__repository__", **selected}
        told = self.graphql(
            """mutation($parameters: ExecutionParams!) {
              launchRun(executionParams: $parameters) { __typename ... on LaunchRunSuccess { run { runId } }
                   ... on PythonError { message } ... on InvalidSubsetError { message }
                   ... on RunConfigValidationInvalid { errors { message } } } }""",
            parameters={"selector": selector, **parameters},
        )["launchRun"]
        assert told["__typename"] == "LaunchRunSuccess", told
        return told["run"]["runId"]

    def status(self, run_id: str) -> str:
        """Return the run's status."""
        return self.graphql("query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }", id=run_id)[
            "runOrError"
        ]["status"]

    def wait(self, run_id: str, seconds: float = 90) -> str:
        """Wait for the run's end and return its status."""
        return wait_for(
            lambda: (status := self.status(run_id)) in ("SUCCESS", "FAILURE", "CANCELED") and status,
            seconds,
            f"end of run {run_id}",
        )


def wait_for(condition: Any, seconds: float, what: str) -> Any:
    """Return the first true value of `condition`, or fail; on a slow machine the seconds are longer."""
    start, limit, measured = time.monotonic(), seconds, False
    while not (found := condition()):
        if time.monotonic() - start > limit:
            assert not measured, f"waited {limit:.0f} s in vain for: {what}"
            limit, measured = seconds * slowdown(), True
        time.sleep(0.2)
    return found


@contextmanager
def serve(folder: Folder) -> Iterator[Server]:
    """Start `mystocks ui` on a free port, and stop it with all it started."""
    log = (folder.root / "ui.log").open("wb")
    command = [sys.executable, "-m", "mystocks_dagster.cli.main", "ui", "--port", str(free_port())]
    process = subprocess.Popen(command, cwd=folder.root, env=folder.environment, stdout=log, stderr=log)
    note = folder.root / ".dagster" / "ui.json"

    def up() -> str | None:
        assert process.poll() is None, (folder.root / "ui.log").read_text(encoding="utf-8")
        return json.loads(note.read_text(encoding="utf-8"))["address"] if note.exists() else None

    try:
        yield Server(wait_for(up, 170, "the web UI"), folder, process)
    finally:
        process.terminate()
        try:
            process.wait(40)
        except subprocess.TimeoutExpired:
            process.kill()
        log.close()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
