"""The real REST server over a project folder, and curl against it."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from support.project import Folder, wait_for

COMMAND = [sys.executable, "-m", "mystocks_dagster.cli.main", "api", "--port", "0"]


@dataclass
class Api:
    """A running `mystocks api`."""

    address: str
    folder: Folder
    process: subprocess.Popen[bytes]

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Return status and JSON of a call."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.address + path, data, {"content-type": "application/json", **headers}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=170) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def get(self, path: str) -> Any:
        """Return the JSON of a call that must succeed."""
        status, told = self.call("GET", path)
        assert status == 200, told
        return told

    def post(self, path: str, body: Any = None) -> Any:
        """Return the JSON of a call that must succeed."""
        status, told = self.call("POST", path, body)
        assert status == 200, told
        return told

    def ended(self, execution_id: str, seconds: float = 120) -> Any:
        """Wait until an execution has ended and return it."""

        def look() -> Any:
            told = self.get(f"/api/tasks/executions/{execution_id}")
            return told if told["status"] not in ("pending", "paused", "running") else None

        return wait_for(look, seconds, f"the end of {execution_id}")

    def shell(self, line: str) -> str:
        """Run a line as a person types it; return what it printed."""
        done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=180, check=False)
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@contextmanager
def serve_api(folder: Folder) -> Iterator[Api]:
    """Start `mystocks api` on a free port, and stop it."""
    log = (folder.root / "api.log").open("wb")
    process = subprocess.Popen(COMMAND, cwd=folder.root, env=folder.environment, stdout=log, stderr=log)
    note = folder.root / ".dagster" / "api.json"

    def up() -> str | None:
        assert process.poll() is None, (folder.root / "api.log").read_text(encoding="utf-8")
        if not note.exists():
            return None
        address = json.loads(note.read_text(encoding="utf-8"))["address"]
        try:
            urllib.request.urlopen(f"{address}/openapi.json", timeout=20).close()
        except urllib.error.HTTPError:  # it wants a token
            return address
        except OSError:
            return None
        return address

    try:
        yield Api(wait_for(up, 90, "the REST server"), folder, process)
    finally:
        os.kill(process.pid, signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
        log.close()
    assert (process.returncode, note.exists()) == (0, False), "what is told to stop ends well, and takes its note along"
