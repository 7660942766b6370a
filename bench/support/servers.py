"""Servers to measure, each in a new folder: `mystocks ui`, and `dagster dev` with the defaults of Dagster."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parent.parent.parent
#: Seconds until a server counts as one that does not start.
_PATIENCE = 300.0


@dataclass(frozen=True)
class Server:
    """A server that answers.

    Attributes:
        address: Its address.
        graphql_path: The path of Dagster's GraphQL.
        process: The process that was started.
        seconds: Time from its start to the first page.
        folder: The project's folder.
    """

    address: str
    graphql_path: str
    process: psutil.Process
    seconds: float
    folder: Path

    def post(self, path: str, content: Any) -> Any:
        """Send JSON and return the JSON of the answer."""
        request = urllib.request.Request(
            f"{self.address}{path}", json.dumps(content).encode(), {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def graphql(self, query: str, **variables: Any) -> Any:
        """Ask Dagster and return its data."""
        answer = self.post(self.graphql_path, {"query": query, "variables": variables})
        assert not answer.get("errors"), answer
        return answer["data"]

    def launch(self, location: str, job: str) -> str:
        """Launch a job over GraphQL and return the id of its run."""
        selector = {"repositoryLocationName": location, "repositoryName": "__repository__", "jobName": job}
        launched = self.graphql(_LAUNCH, params={"selector": selector})["launchRun"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        return launched["run"]["runId"]

    def processes(self) -> list[psutil.Process]:
        """Return the started process and all below it."""
        return [self.process, *self.process.children(recursive=True)]


_LAUNCH = """mutation($params: ExecutionParams!) { launchRun(executionParams: $params) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""


@contextmanager
def mystocks_ui(folder: Path, files: Mapping[str, str]) -> Iterator[Server]:
    """Run `mystocks ui` in a new folder with these files, of which one is tasks.yaml."""
    _write(folder, files)
    for name in ("dagster.yaml", "workspace.yaml"):
        shutil.copy(ROOT / name, folder / name)
    port = free_port()
    command = [sys.executable, "-m", "mystocks_dagster.cli.main", "ui", "--port", str(port)]
    with _running(command, folder, f"http://127.0.0.1:{port}", "/ready", "/dagster/graphql") as server:
        yield server


@contextmanager
def dagster_dev(folder: Path, files: Mapping[str, str]) -> Iterator[Server]:
    """Run `dagster dev` in a new folder with these files, of which one is plain.py, and without any setting."""
    _write(folder, {**files, "home/dagster.yaml": "telemetry:\n  enabled: false\n"})
    port = free_port()
    dagster = Path(sys.executable).with_name("dagster")
    command = [str(dagster), "dev", "-m", "plain", "-h", "127.0.0.1", "-p", str(port)]
    with _running(command, folder, f"http://127.0.0.1:{port}", "/server_info", "/graphql") as server:
        yield server


def _write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


@contextmanager
def _running(command: list[str], folder: Path, address: str, page: str, graphql_path: str) -> Iterator[Server]:
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("MYSTOCKS_", "DAGSTER_"))}
    environment = {**bare, "PYTHONPATH": str(folder)}
    if graphql_path == "/graphql":
        environment["DAGSTER_HOME"] = str(folder / "home")
    started = time.perf_counter()
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True)
        try:
            while not _answers(f"{address}{page}"):
                text = (folder / "server.log").read_text(encoding="utf-8")
                assert process.poll() is None, text
                assert time.perf_counter() - started < _PATIENCE, text
                time.sleep(0.02)
            seconds = time.perf_counter() - started
            yield Server(address, graphql_path, psutil.Process(process.pid), seconds, folder)
        finally:
            below = psutil.Process(process.pid).children(recursive=True)
            process.send_signal(signal.SIGINT)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
            for child in psutil.wait_procs(below, 10)[1]:
                child.kill()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
