"""Checks of what the project needs on this machine, each with a remedy."""

import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from importlib.metadata import metadata
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from packaging.specifiers import SpecifierSet

from mystocks_dagster.errors import MyStocksError
from mystocks_dagster.history import dagster_storage
from mystocks_dagster.instance import prepare_home
from mystocks_dagster.project import health, server_checks
from mystocks_dagster.project.calendar_refresh import used_sources
from mystocks_dagster.project.check import Check, checked
from mystocks_dagster.project.state import ProjectState
from mystocks_dagster.runs import launch
from mystocks_dagster.settings import Settings
from mystocks_dagster.shared import locks
from mystocks_dagster.sources.reach import reach

#: Two clocks may differ by so many seconds, for example by the delay of a network drive.
_CLOCK_SECONDS = 5
_SET_CLOCK = "set the clock, best by a time service such as chrony or systemd-timesyncd"
_STORAGE_REMEDY = "repair the folder or the database named in the message"
_DATABASE_REMEDY = (
    "start the database's server, or correct its address: `storage` in dagster.yaml, or the variable that it names"
)
_SOURCE_REMEDY = (
    "check the network and proxy, see docs/akshare.md; meanwhile choose another source with MYSTOCKS_SOURCE"
)


def examine(project: ProjectState) -> list[Check]:
    """Run all checks; a check that raises an error has failed."""
    settings = project.settings
    found = [*database(settings)]
    answers = all(check.ok for check in found)
    checks = [python(), time_zone(), *found]
    if answers:
        checks.append(checked("instance", lambda: instance(project), _STORAGE_REMEDY))
        checks.append(checked("clock", lambda: clock(project), _STORAGE_REMEDY))
    checks.append(checked("calendar", health.calendar, "repair the file named in the message"))
    checks.append(checked("task_file", lambda: health.task_file(project), "mystocks check"))
    if answers:  # what is noted of the hosts of sources is in the database too
        checks.append(checked("daemon", lambda: server_checks.daemon(project), _STORAGE_REMEDY))
        checks += sources(project)
    return [
        *checks,
        checked("lake", lambda: health.lake(settings), health.LAKE_REMEDY),
        checked("disk", lambda: health.disk(project), "repair the folder named in the message"),
        *permissions(settings),
    ]


def python() -> Check:
    """Check that this package supports the Python version."""
    version = ".".join(map(str, sys.version_info[:3]))
    required = metadata("mystocks-dagster")["Requires-Python"]
    detail = f"{version}, run by {sys.executable}"
    if version not in SpecifierSet(required):
        remedy = "make clean, then: make demo PYTHON=python3.12"
        return Check(name="python", ok=False, detail=f"{detail}; required is {required}", remedy=remedy)
    return Check(name="python", ok=True, detail=detail)


def time_zone() -> Check:
    """Check that time zone data are installed; the machine's own time zone is irrelevant."""
    try:
        zone = ZoneInfo("Asia/Shanghai")
    except ZoneInfoNotFoundError:
        detail = "time zone data of Asia/Shanghai are missing"
        return Check(name="time_zone", ok=False, detail=detail, remedy="pip install tzdata")
    detail = f"{zone.key}; this machine's own, {'/'.join(time.tzname)}, is irrelevant"
    return Check(name="time_zone", ok=True, detail=detail)


def database(settings: Settings) -> Iterator[Check]:
    """Check within seconds that the Postgres database answers; there is no check where the disk keeps the storage."""
    with contextlib.suppress(MyStocksError):  # the check of the instance says why
        prepare_home(settings)
    if not (name := locks.where(settings.dagster_home)):
        return
    if away := health.database(settings):
        yield replace(away, detail=f"{name}: {away.detail}", remedy=_DATABASE_REMEDY)
    else:
        yield Check(name="database", ok=True, detail=f"the database {name} answers")


def instance(project: ProjectState) -> Check:
    """Check that Dagster's storage opens and answers."""
    count = project.instance.get_runs_count()
    zone = dagster_storage.time_zone(project.instance)
    if zone not in ("UTC", "Etc/UTC", "GMT"):
        detail = f"the database writes times in {zone}, which Dagster reads as UTC, so today's runs are not found"
        remedy = "add ?options=-c%20timezone%3DUTC to the address in MYSTOCKS_POSTGRES_URL"
        return Check(name="instance", ok=False, detail=detail, remedy=remedy)
    return Check(name="instance", ok=True, detail=f"{project.settings.dagster_home} opens, {count:,} runs")


def clock(project: ProjectState) -> Check:
    """Compare this process's clock with the disk's and with the daemon's last heartbeat."""
    if project.settings.fixed_now:
        return Check(name="clock", ok=True, detail=f"fixed at {project.settings.fixed_now} (MYSTOCKS_NOW)")
    with tempfile.NamedTemporaryFile(dir=project.settings.dagster_home) as file:
        difference = os.fstat(file.fileno()).st_mtime - time.time()
    age = launch.heartbeat_age(project.instance)
    if abs(difference) > _CLOCK_SECONDS:
        return Check(
            name="clock", ok=False, detail=f"differs from the disk's by {difference:+.0f} s", remedy=_SET_CLOCK
        )
    if age is not None and age < -_CLOCK_SECONDS:
        detail = f"the daemon's last heartbeat is {-age:.0f} s in the future"
        return Check(name="clock", ok=False, detail=detail, remedy=_SET_CLOCK)
    detail = "agrees with the disk's" + (" and the daemon's" if age is not None else "")
    return Check(name="clock", ok=True, detail=detail)


def sources(project: ProjectState) -> Iterator[Check]:
    """Yield a check for each source that the tasks use."""
    try:
        names = used_sources(project)
    except MyStocksError:
        return  # the check of the task file says why
    for name in names:
        yield checked(name, partial(_source, name, project.settings), _SOURCE_REMEDY)


def _source(name: str, settings: Settings) -> Check:
    return Check(name=name, ok=True, detail=reach(name, settings))


def permissions(settings: Settings) -> Iterator[Check]:
    """Yield a check for the folders of the task file, the instance and the lake: they are writable."""
    folders = {"task_file_folder": settings.task_file.parent, "instance_folder": settings.dagster_home}
    if "://" not in settings.lake:
        folders["lake_folder"] = Path(settings.lake)
    for name, folder in folders.items():
        remedy = f"make {folder} readable and writable for this user, or choose another folder"
        yield checked(name, partial(_writable, name, folder), remedy)


def _writable(name: str, folder: Path) -> Check:
    existing = health.existing(folder)
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        remedy = f"make {existing} writable for this user, or choose another folder"
        return Check(name=name, ok=False, detail=f"{existing} is not writable ({error.strerror})", remedy=remedy)
    return Check(name=name, ok=True, detail=f"{existing} is writable")
