"""Bring a project that an older version made or used along: its files, its history, its lake."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mystocks_dagster.errors import InstanceError, NotNow, SettingsError
from mystocks_dagster.factory import database_lock
from mystocks_dagster.instance import open_instance, prepare_home, ui_address
from mystocks_dagster.project.instance_file import upgraded
from mystocks_dagster.project.new_project import schemas, template
from mystocks_dagster.settings import DEMO_LAKE, Settings
from mystocks_dagster.shared.place import database_url
from mystocks_dagster.shared.values import Values
from mystocks_dagster.tags import Storage
from mystocks_dagster.taskfile import atomic_files
from mystocks_dagster.taskfile.yaml.source import read_text
from mystocks_dagster.version_stamp import STAMP, installed, noted, refuse_newer, stamped

if TYPE_CHECKING:
    import dagster as dg


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thing that an upgrade does.

    Attributes:
        part: `dagster.yaml`, `history`, `lake`, `schemas` or `version`.
        about: What is done, in a sentence.
        run: Does it; a repetition after an interruption does no harm.
    """

    part: str
    about: str
    run: Callable[[], object] = field(repr=False)


def plan(settings: Settings) -> list[Step]:
    """Return what `upgrade` would do, in order; empty if the project is of this version.

    Raises:
        SettingsError: There is no project in this folder, or a newer version has brought it along.
        WrongFormat, TableDamaged: A newer version wrote a table of the lake, or one is damaged.
        InstanceError: Dagster's storage cannot be opened.
    """
    _check_version(settings)
    files = list(_instance_file(settings))
    steps = [*files, *_history(settings, readable=not files), *_lakes(settings), *_schemas(settings)]
    if steps or stamped(settings) != installed() or noted(settings) not in ("", installed()):
        about = f"the project is noted as of version {installed()}"
        steps.append(Step(part="version", about=about, run=lambda: _stamp(settings)))
    return steps


def upgrade(settings: Settings, on_step: Callable[[Step], None] = lambda step: None) -> list[Step]:
    """Bring the project along and return what was done; after an interruption the next call does what is left.

    Args:
        settings: The project's settings.
        on_step: Called with each step before it begins.

    Raises:
        SettingsError, WrongFormat, TableDamaged, InstanceError: As `plan`; nothing is changed then.
        NotNow: The web UI and the daemon are running, here or on another machine.
    """
    steps = plan(settings)
    if steps and (address := ui_address(settings.dagster_home)):
        raise NotNow(
            f"The web UI and the daemon are running at {address}. Stop them first, then repeat: mystocks upgrade"
        )
    if steps and (daemon := database_lock.holder(prepare_home(settings))):
        raise NotNow(
            f"A daemon runs on this project's database: {daemon}. Stop it first, then repeat: mystocks upgrade"
        )
    for step in steps:
        on_step(step)
        step.run()
    return steps


def missing_tasks(settings: Settings) -> list[str]:
    """Return the tasks that this version ships and the project's task file does not have."""
    import re

    ids = re.compile(r"task_id: *['\"]?([\w-]+)")
    mine = set(ids.findall(read_text(settings.task_file)))
    return [name for name in ids.findall(template("tasks.yaml")) if name not in mine]


def _check_version(settings: Settings) -> None:
    if not settings.task_file.exists():
        raise SettingsError(
            f"{settings.task_file} does not exist, so there is no project to bring along. Make one with: "
            "mystocks init my-market"
        )
    refuse_newer(settings)


def _stamp(settings: Settings) -> None:
    settings.dagster_home.mkdir(parents=True, exist_ok=True)
    atomic_files.replace(settings.dagster_home / STAMP, f"{installed()}\n".encode())
    if url := database_url(settings.dagster_home):
        Values(url).set(Storage.DAEMON_VERSION, installed())


def _instance_file(settings: Settings) -> Iterator[Step]:
    path = settings.root / "dagster.yaml"
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    new, changes = upgraded(text, template("dagster.yaml"), template("older_dagster.yaml"))
    if not changes:
        return
    added = ", ".join(change.section for change in changes if change.added)
    replaced = ", ".join(change.section for change in changes if not change.added)
    parts = (
        f"new sections: {added}" if added else "",
        f"as in this version: {replaced}" if replaced else "",
        "your file is kept as dagster.yaml.bak" if text else "",
    )

    def run() -> None:
        if text:
            atomic_files.replace(path.with_name("dagster.yaml.bak"), text.encode())
        atomic_files.replace(path, new.encode())

    yield Step(part="dagster.yaml", about="; ".join(filter(None, parts)), run=run)


def _history(settings: Settings, *, readable: bool) -> Iterator[Step]:
    """Yield the step for the tables of Dagster; where dagster.yaml changes first, it looks when it runs."""
    import dagster as dg

    if not (settings.dagster_home / "history").exists() and not _is_postgres(settings):
        return
    about = f"Dagster's tables become those of Dagster {dg.__version__}"
    if readable:
        with open_instance(settings) as instance:
            if _is_current(instance):
                return
    else:
        about = f"{about}, where they are older"
    yield Step(part="history", about=about, run=lambda: _migrate_history(settings))


def _is_postgres(settings: Settings) -> bool:
    path = settings.root / "dagster.yaml"
    return path.is_file() and any(line.startswith("  postgres:") for line in path.read_text("utf-8").splitlines())


def _migrate_history(settings: Settings) -> None:
    import dagster as dg

    with open_instance(settings) as instance:
        if _is_current(instance):
            return
        try:
            instance.upgrade()
        except Exception as error:  # alembic and the database raise errors of any class
            raise InstanceError(
                f"Dagster {dg.__version__} cannot bring the tables in {settings.dagster_home} along: {error}. If a "
                "newer Dagster wrote them, install that version."
            ) from error


def _is_current(instance: "dg.DagsterInstance") -> bool:
    """Return whether the tables of runs, events and ticks have the revision of the installed Dagster."""
    storages = (instance.run_storage, instance.event_log_storage, instance.schedule_storage)
    revisions = (storage.alembic_version() for storage in storages if storage is not None)
    return all(revision is None or revision[0] == revision[1] for revision in revisions)


def _lakes(settings: Settings) -> Iterator[Step]:
    from mystocks_dagster.lake import migrate
    from mystocks_dagster.lake.store import Lake

    demo = settings.root / DEMO_LAKE
    for location in dict.fromkeys([settings.lake, *([str(demo)] if demo.exists() else [])]):
        lake = Lake(location)
        if steps := migrate.plan(lake):
            tables = ", ".join(dict.fromkeys(step.table for step in steps))
            about = f"{location}: {len(steps)} step(s) for {tables}"
            yield Step(part="lake", about=about, run=lambda lake=lake: migrate.migrate(lake))


def _schemas(settings: Settings) -> Iterator[Step]:
    """Yield the step for the schemas that editors use, if the project has them."""
    texts = {settings.root / name: text for name, text in schemas().items()}
    old = [path for path, text in texts.items() if path.is_file() and path.read_text(encoding="utf-8") != text]
    if old:
        about = f"the fields of this version: {', '.join(path.name for path in old)}"
        yield Step(part="schemas", about=about, run=lambda: _write(texts, old))


def _write(texts: dict[Path, str], paths: list[Path]) -> None:
    for path in paths:
        atomic_files.replace(path, texts[path].encode())
