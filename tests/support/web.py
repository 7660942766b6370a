"""The web process alone over a project folder: no daemon, a code server of its own."""

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from support.project import Folder, free_port, wait_for

COMMAND = [sys.executable, "-m", "mystocks_dagster.web"]


@contextmanager
def web_process(folder: Folder) -> Iterator[str]:
    """Start it on a free port, yield its address, and stop it."""
    port = free_port()
    with (folder.root / "web.log").open("wb") as log:
        process = subprocess.Popen(
            [*COMMAND, "--port", str(port)], cwd=folder.root, env=folder.environment, stdout=log, stderr=log
        )
    address = f"http://127.0.0.1:{port}"

    def up() -> bool:
        assert process.poll() is None, (folder.root / "web.log").read_text(encoding="utf-8")
        try:
            with urllib.request.urlopen(f"{address}/ready", timeout=20) as answer:
                return json.load(answer)["ready"]
        except OSError:
            return False

    try:
        wait_for(up, 120, "the web process")
        yield address
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
    assert process.returncode == 0, (folder.root / "web.log").read_text(encoding="utf-8")
