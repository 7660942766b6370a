"""What keeps the project from running on this machine: looked at one by one, each with its remedy."""

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from importlib.metadata import metadata
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from packaging.specifiers import SpecifierSet

from mystocks_dagster.errors import MyStocksError
from mystocks_dagster.history import dagster_storage
from mystocks_dagster.lake.migrate import plan
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.project import health
from mystocks_dagster.project.calendar_refresh import used_sources
from mystocks_dagster.project.health import Check, checked
from mystocks_dagster.project.state import ProjectState
from mystocks_dagster.runs import launch
from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.reach import reach

#: More than so many seconds between two clocks is no delay of a network drive.
_CLOCK_SECONDS = 5
_SOURCE_REMEDY = (
    "check the network and proxy, see docs/akshare.md; meanwhile choose another source with MYSTOCKS_SOURCE"
)


def examine(project: ProjectState) -> list[Check]:
    """Look at everything; what cannot be looked at is a check that is not ok."""
    settings = project.settings
    return [
        python(),
        time_zone(),
        checked("instance", lambda: instance(project), "mend the folder or the database that the message names"),
        checked("clock", lambda: clock(project)),
        checked("calendar", health.calendar),
        checked("task_file", lambda: health.task_file(project), "mystocks check"),
        checked("daemon", lambda: health.daemon(project)),
        *sources(project),
        checked("lake", lambda: lake(settings), "set MYSTOCKS_LAKE to a folder or URL that can be used"),
        checked("disk", lambda: health.disk(project), "mend the folder that the message names"),
        *permissions(settings),
    ]


def python() -> Check:
    """Say which Python runs, and whether this package is made for it."""
    number = ".".join(map(str, sys.version_info[:3]))
    wanted = metadata("mystocks-dagster")["Requires-Python"]
    detail = f"{number} at {sys.executable}"
    if number not in SpecifierSet(wanted):
        return Check(
            name="python",
            ok=False,
            detail=f"{detail}; wanted is {wanted}",
            remedy="make clean, then: make demo PYTHON=python3.12",
        )
    return Check(name="python", ok=True, detail=detail)


def time_zone() -> Check:
    """Say whether the data of time zones are there; the machine's own time zone does not matter."""
    try:
        zone = ZoneInfo("Asia/Shanghai")
    except ZoneInfoNotFoundError:
        return Check(
            name="time_zone", ok=False, detail="there are no data about Asia/Shanghai", remedy="pip install tzdata"
        )
    return Check(
        name="time_zone", ok=True, detail=f"{zone.key}; this machine's own, {'/'.join(time.tzname)}, does not matter"
    )


def instance(project: ProjectState) -> Check:
    """Say whether Dagster's storage opens and answers."""
    number = project.instance.get_runs_count()
    zone = dagster_storage.time_zone(project.instance)
    if zone not in ("UTC", "Etc/UTC", "GMT"):
        detail = f"the database writes times of {zone}, which Dagster reads as UTC: what ran today is not found"
        remedy = "add ?options=-c%20timezone%3DUTC to the address in MYSTOCKS_POSTGRES_URL"
        return Check(name="instance", ok=False, detail=detail, remedy=remedy)
    return Check(name="instance", ok=True, detail=f"{project.settings.dagster_home} opens, {number:,} runs")


def clock(project: ProjectState) -> Check:
    """Compare this process's clock with that of the disk and with the daemon's last heartbeat."""
    if project.settings.fixed_now:
        return Check(name="clock", ok=True, detail=f"stands at {project.settings.fixed_now} (MYSTOCKS_NOW)")
    with tempfile.NamedTemporaryFile(dir=project.settings.dagster_home) as file:
        apart = os.fstat(file.fileno()).st_mtime - time.time()
    age = launch.heartbeat_age(project.instance)
    remedy = "set the clock, best by a time service such as chrony or systemd-timesyncd"
    if abs(apart) > _CLOCK_SECONDS:
        return Check(
            name="clock", ok=False, detail=f"the disk's clock is {apart:+.0f} s off this machine's", remedy=remedy
        )
    if age is not None and age < -_CLOCK_SECONDS:
        return Check(
            name="clock", ok=False, detail=f"the daemon's last heartbeat lies {-age:.0f} s in the future", remedy=remedy
        )
    return Check(
        name="clock", ok=True, detail="agrees with the disk's" + (" and the daemon's" if age is not None else "")
    )


def lake(settings: Settings) -> Check:
    """Say whether the lake's tables are whole, and written as this version writes them."""
    tables = Lake(settings.lake).tables()
    trouble = [one.trouble for one in tables if one.trouble]
    if trouble:
        what, _, remedy = trouble[0].rpartition(": ")
        others = f" (and {len(trouble) - 1} more of its tables)" if trouble[1:] else ""
        return Check(name="lake", ok=False, detail=f"{what}{others}", remedy=remedy)
    behind = plan(Lake(settings.lake))
    if behind:
        detail = f"an older version wrote {settings.lake}: {behind[0].table} {behind[0].about}"
        return Check(name="lake", ok=False, detail=detail, remedy="mystocks data migrate")
    return Check(name="lake", ok=True, detail=f"{settings.lake}, {len(tables)} tables")


def sources(project: ProjectState) -> Iterator[Check]:
    """Yield a check for each source that the tasks use."""
    try:
        wanted = used_sources(project)
    except MyStocksError:
        return  # the task file's own check says why
    for name in wanted:
        yield checked(f"{name}", partial(_source, name, project.settings), _SOURCE_REMEDY)


def _source(name: str, settings: Settings) -> Check:
    return Check(name=name, ok=True, detail=reach(name, settings))


def permissions(settings: Settings) -> Iterator[Check]:
    """Yield a check for the task file, the instance and the lake: what must be written can be."""
    places = {"task_file_folder": settings.task_file.parent, "instance_folder": settings.dagster_home}
    if "://" not in settings.lake:
        places["lake_folder"] = Path(settings.lake)
    for name, folder in places.items():
        remedy = f"make {folder} readable and writable for this user, or choose another folder"
        yield checked(name, partial(_writable, name, folder), remedy)


def _writable(name: str, folder: Path) -> Check:
    exists = health.existing(folder)
    try:
        with tempfile.TemporaryFile(dir=exists):
            pass
    except OSError as error:
        remedy = f"make {exists} writable for this user, or choose another folder"
        return Check(name=name, ok=False, detail=f"{exists} cannot be written ({error.strerror})", remedy=remedy)
    return Check(name=name, ok=True, detail=f"{exists} can be written")
