"""A Dask cluster on this machine: a scheduler and workers, each a process with a folder of its own."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from support.project import wait_for


@dataclass
class Engine:
    """A running scheduler and its workers."""

    root: Path
    address: str = ""
    scheduler: subprocess.Popen[bytes] | None = None
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, module: str, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a process of Dask in its own folder."""
        folder = self.root / name
        folder.mkdir()
        with (folder / "log").open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", module, "--host", "127.0.0.1", "--no-dashboard", *arguments],
                cwd=folder,
                env={**os.environ, "PYTHONPATH": ""},
                stdout=log,
                stderr=log,
            )

    def worker(self, name: str) -> None:
        """Start a worker, which is one process, so that killing it is losing its machine."""
        self.workers.append(
            self.start("distributed.cli.dask_worker", name, self.address, "--no-nanny", "--nthreads", "1")
        )


@contextmanager
def engine(root: Path, *names: str) -> Iterator[Engine]:
    """Run a scheduler and a worker of each name."""
    here = Engine(root)
    here.scheduler = scheduler = here.start("distributed.cli.dask_scheduler", "scheduler", "--port", "0")

    def listens() -> str | None:
        told = (root / "scheduler" / "log").read_text(encoding="utf-8")
        found = re.search(r"tcp://127\.0\.0\.1:\d+", told)
        assert scheduler.poll() is None, told
        return found[0] if found else None

    try:
        here.address = wait_for(listens, 90, "the scheduler")
        for name in names:
            here.worker(name)
        yield here
    finally:
        for process in (*here.workers, scheduler):
            process.kill()
            process.wait()
