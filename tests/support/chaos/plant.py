"""A deployment in a world of its own: `mystocks ui`, kept up as systemd keeps it, and all processes that it started."""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from support.chaos.database import Database, database
from support.chaos.store import LAKE, Store, store
from support.chaos.upstream import Upstream, upstream
from support.chaos.week import Week
from support.chaos.world import World
from support.processes import stop_and_kill
from support.project import Folder, free_port, make_folder

#: What tells the processes of a deployment from each other: words of their command lines, which are titles in forks.
ROLES = {
    "worker": ("from mystocks_dagster.factory.", "mystocks: run", "mystocks: fork server of the daemon"),
    "guard": ("process_guard.py",),
    "body": ("execution/child.py",),
    "daemon": ("dagster._daemon", "mystocks: daemon"),
    "web server": ("mystocks_dagster.web", "mystocks: web server"),
    "code server": ("code_server", "mystocks: code server", "mystocks: fork server of the code"),
    "code process": ("api grpc", "mystocks: code process"),
    "ui": ("cli.main ui",),
}
#: Seconds until systemd starts a service again, as in our service file.
RESTART_SECONDS = 1.0


@dataclass
class Sample:
    """The memory and descriptors of one server at one moment, by seconds of its life."""

    role: str
    pid: int
    age: float
    megabytes: float
    descriptors: int


@dataclass
class Plant:
    """The deployment.

    Attributes:
        folder: The project.
        world: Its clock and disks.
        database: Where its history is; None is SQLite.
        store: Where its lake is; None is a folder.
        upstream: What its tasks ask; None when they ask nothing.
        zones: Time zones from which each start of the servers takes one.
        restarts: How often `mystocks ui` was started.
    """

    folder: Folder
    world: World
    chance: random.Random
    zones: tuple[str, ...] = ("Asia/Shanghai",)
    database: Database | None = None
    store: Store | None = None
    upstream: Upstream | None = None
    restarts: int = 0
    samples: list[Sample] = field(default_factory=list)
    _power: threading.Event = field(default_factory=threading.Event)
    _over: threading.Event = field(default_factory=threading.Event)
    _ui: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Plant":
        self._power.set()
        self._keeper = threading.Thread(target=self._keep_up, daemon=True)
        self._keeper.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._power.set()
        self._keeper.join(60)
        stop_and_kill(self.processes())

    def _keep_up(self) -> None:
        """Start `mystocks ui` whenever it is not running and there is power, as a service manager does."""
        while not self._over.is_set():
            self._power.wait()
            if self._ui is None or self._ui.poll() is not None:
                if self._ui is not None:
                    self._over.wait(RESTART_SECONDS)
                if not self._over.is_set() and self._power.is_set():
                    self._start()
            self._over.wait(0.1)

    def _start(self) -> None:
        command = [sys.executable, "-m", "mystocks_dagster.cli.main", "ui", "--port", str(free_port())]
        env = self.folder.environment | {"TZ": self.chance.choice(self.zones)}
        with (self.folder.root / "ui.log").open("ab") as log:
            self._ui = subprocess.Popen(
                command, cwd=self.folder.root, env=env, stdout=log, stderr=log, start_new_session=True
            )
        self.restarts += 1

    def processes(self) -> list[psutil.Process]:
        """Return all processes that live in this world, also orphans, but no zombies."""
        return list(self._marked())

    def _marked(self) -> Iterator[psutil.Process]:
        mark = f"WORLD_FILE={self.world.environment['WORLD_FILE']}".encode()
        for process in psutil.process_iter():
            # Not psutil's parser of the environment, which is a hundred times slower.
            with suppress(OSError):
                if mark in Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0"):
                    yield process

    def role(self, process: psutil.Process) -> str:
        """Return what the process is; `other` for all that the functions of tasks start."""
        with suppress(psutil.Error):
            line = " ".join(process.cmdline())
            return next((role for role, words in ROLES.items() if any(word in line for word in words)), "other")
        return "ended"

    def cut_power(self) -> None:
        """Kill everything at once; nothing starts until `restore_power`."""
        self._power.clear()
        stop_and_kill(self.processes())

    def restore_power(self) -> None:
        """Let the service manager start the servers again."""
        self._power.set()

    def stop(self) -> None:
        """Stop the servers as an administrator does, and keep them down."""
        self._over.set()
        self._keeper.join(60)
        if self._ui is not None and self._ui.poll() is None:
            self._ui.terminate()
            self._ui.wait(120)

    @property
    def up(self) -> bool:
        """Whether the servers are ready."""
        note = self.folder.root / ".dagster" / "ui.json"
        with suppress(OSError, ValueError):
            alive = self._ui is not None and self._ui.poll() is None
            return (
                alive and self._ui is not None and json.loads(note.read_text(encoding="utf-8"))["pid"] == self._ui.pid
            )
        return False

    def measure(self) -> None:
        """Note the memory and descriptors of the servers."""
        for process in self.processes():
            if (role := self.role(process)) in ("daemon", "web server", "code process", "ui"):
                with suppress(psutil.Error):
                    age = time.time() - process.create_time()
                    megabytes = process.memory_info().rss / 1e6
                    self.samples.append(Sample(role, process.pid, age, megabytes, process.num_fds()))


@contextmanager
def plant(
    root: Path,
    week: Week,
    chance: random.Random,
    *,
    zones: tuple[str, ...],
    storage: str = "sqlite",
    lake: str = "folder",
) -> Iterator[Plant]:
    """Make the deployment of a week, at the week's first moment; at the end nothing of it is left running."""
    folder = make_folder(root)
    (root / "tmp").mkdir()
    (root / "notes").mkdir()
    shutil.copy(Path(__file__).with_name("duty.py"), root / "duty.py")
    folder.write("tasks.yaml", week.tasks())
    folder.mystocks("check")
    with ExitStack() as stack:
        # Not below the project: Postgres, which is another user, reads it.
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        home.chmod(0o755)
        world = World(home, [root / "data", root / ".dagster", root / "tmp", *([root / "asked"] if week.asks else [])])
        world.set_clock(week.begin)
        folder.env = {
            **world.environment,
            **week.environment,
            "TMPDIR": str(root / "tmp"),
        }
        history = stack.enter_context(database(folder, world)) if storage == "postgres" else None
        objects = stack.enter_context(store()) if lake == "s3" else None
        if objects:
            folder.env |= {**objects.environment, "MYSTOCKS_LAKE": LAKE}
        hosts = stack.enter_context(upstream(world.now)) if week.asks else None
        if hosts:
            folder.env["MYSTOCKS_UPSTREAM"] = hosts.server.address
        made = stack.enter_context(Plant(folder, world, chance, zones, history, objects, hosts))
        yield made
    assert os.getpid() not in {one.pid for one in made.processes()}
