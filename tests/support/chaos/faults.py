"""What may befall a deployment: each fault does its harm at once, and returns what mends it later."""

import os
import random
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

import psutil
from support.chaos.plant import Plant

Mend = Callable[[], None]
Fault = Callable[[Plant, random.Random], "Harm | None"]


@dataclass(frozen=True)
class Harm:
    """One fault that has happened.

    Attributes:
        what: For the log.
        seconds: How long it lasts.
        mend: Ends it.
    """

    what: str
    seconds: float = 0
    mend: Mend = lambda: None


def kill_one(plant: Plant, chance: random.Random) -> Harm | None:
    """SIGKILL to one process of a role that is chosen first: else the many bodies would take most of them."""
    if (process := _any(plant, chance)) is None:
        return None
    role = plant.role(process)
    with suppress(psutil.Error):
        process.kill()
    return Harm(f"kill -9 {role} {process.pid}")


def kill_family(plant: Plant, chance: random.Random) -> Harm | None:
    """SIGKILL to one process and all that it started."""
    if (process := _any(plant, chance)) is None:
        return None
    role = plant.role(process)
    with suppress(psutil.Error):
        family = [process, *process.children(recursive=True)]
        for one in family:
            with suppress(psutil.Error):
                one.kill()
        return Harm(f"kill -9 {role} {process.pid} and {len(family) - 1} below it")
    return None


def cut_power(plant: Plant, chance: random.Random) -> Harm:
    """Kill the whole tree with everything at once."""
    plant.cut_power()
    return Harm("power cut", chance.uniform(0, 3), plant.restore_power)


def stop_for_a_while(plant: Plant, chance: random.Random) -> Harm | None:
    """SIGSTOP to one process, SIGCONT later."""
    if (process := _any(plant, chance)) is None:
        return None
    role = plant.role(process)

    def go_on() -> None:
        with suppress(psutil.Error, ProcessLookupError):
            os.kill(process.pid, signal.SIGCONT)

    with suppress(psutil.Error):
        process.suspend()
    return Harm(f"SIGSTOP {role} {process.pid}", chance.uniform(1, 12), go_on)


def fill_disk(plant: Plant, chance: random.Random) -> Harm:
    """Leave no room on the disk of the lake, of the instance, or of temporary files."""
    disk = chance.choice(plant.world.disks)
    plant.world.fill(disk, full=True)
    return Harm(f"disk of {disk.name} full", chance.uniform(2, 10), lambda: plant.world.fill(disk, full=False))


def set_clock_back(plant: Plant, chance: random.Random) -> Harm:
    """Set the clock back by seconds or minutes, as when a machine learns the right time."""
    back = timedelta(seconds=chance.choice([2, 30, 300, 900]))
    plant.world.set_clock(plant.world.now() - back)
    return Harm(f"clock set back by {back}")


def break_file(plant: Plant, chance: random.Random) -> Harm:
    """Save the task file with a mistake that makes it unreadable, as in the middle of an edit."""
    path = plant.folder.root / "tasks.yaml"
    good = path.read_text(encoding="utf-8")
    path.write_text(chance.choice([good + "\n  - {task_id: [oops\n", "", good[: len(good) // 2]]), encoding="utf-8")
    return Harm("task file broken", chance.uniform(2, 15), lambda: _write(plant, good))


def edit_file(plant: Plant, chance: random.Random) -> Harm:
    """Save the task file with another description, which changes nothing that is due."""
    path = plant.folder.root / "tasks.yaml"
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("description:")]
    _write(plant, "\n".join([*lines, f"description: edit {chance.randrange(10**6)}"]) + "\n")
    return Harm("task file edited")


def crash_database(plant: Plant, chance: random.Random) -> Harm | None:
    """Crash the database, and start it again soon, or after most of a minute."""
    if (database := plant.database) is None:
        return None
    database.crash()
    return Harm("database crashed", chance.choice([0, chance.uniform(0, 5), chance.uniform(10, 60)]), database.start)


def slow_store(plant: Plant, chance: random.Random) -> Harm | None:
    """Let each piece of an object store's answer take its time, or close every connection."""
    if (store := plant.store) is None:
        return None
    store.seconds, store.dead = chance.uniform(0.1, 1), chance.random() < 0.4

    def recover() -> None:
        store.seconds, store.dead = 0, False

    what = "gone" if store.dead else f"slow by {store.seconds:.1f} s"
    return Harm(f"object store {what}", chance.uniform(3, 40), recover)


def ban_upstream(plant: Plant, chance: random.Random) -> Harm | None:
    """Let the upstream ban us: for hours of this week, once a request has met it."""
    if (upstream := plant.upstream) is None:
        return None
    return Harm(f"upstream bans us ({upstream.ban(chance)})", chance.uniform(60, 240), upstream.forgive)


def _write(plant: Plant, text: str) -> None:
    (plant.folder.root / "tasks.yaml").write_text(text, encoding="utf-8")


def _any(plant: Plant, chance: random.Random) -> psutil.Process | None:
    """Return a process of a random role, or None when none is running."""
    by_role: dict[str, list[psutil.Process]] = {}
    for process in plant.processes():
        by_role.setdefault(plant.role(process), []).append(process)
    by_role.pop("ended", None)
    if not by_role:
        return None
    roles = sorted(by_role)
    return chance.choice(by_role[chance.choices(roles, [_OFTEN.get(role, 1) for role in roles])[0]])


#: How often a role is chosen, beside 1: a start of all servers takes longer than anything else, and hides other faults.
_OFTEN = {"ui": 0.1, "code server": 0.5, "code process": 0.5, "daemon": 2, "worker": 2, "body": 2}


#: Each fault with its weight among all.
FAULTS: dict[Fault, int] = {
    kill_one: 10,
    kill_family: 2,
    cut_power: 1,
    stop_for_a_while: 5,
    fill_disk: 3,
    set_clock_back: 2,
    break_file: 2,
    edit_file: 1,
    crash_database: 3,
    slow_store: 3,
    ban_upstream: 3,
}
