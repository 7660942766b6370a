"""One task as Dagster sees it: the task, its function, and the tables that the function touches."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path
from typing import Any

from mystocks_dagster.factory.loaded_file import LoadedFile
from mystocks_dagster.taskfile.model import Task
from mystocks_dagster.taskfile.reader import Version
from mystocks_dagster.tasks.run import Tables, tables_of

#: Task types that are assets whatever their function declares.
ASSET_TYPES = frozenset({"data_sync", "indicator_calc", "market_fetch"})

#: A retry of the demo waits no longer than that.
_DEMO_SECONDS = 3
#: Names of pools that belong to one task begin so.
TASK_POOL = "task_"
#: Book-keeping of all tasks, each of which touches its own rows in one transaction: no reason to wait for each other.
_SHARED = frozenset({"loaded_days", "quarantine"})


@dataclass(frozen=True, kw_only=True)
class TaskSpec:
    """What the translation needs to know of one task.

    Attributes:
        owned: Asset keys that this task keeps: tables, or its own id when it declares none. Empty for a plain op.
        reported: Tables that it writes although another task owns them.
        reads: Asset keys that it reads, by declaration or through its dependencies.
        lock: The table that stands for all that it and other writers share; None for a plain op.
        version: Hash of the task file that it came from.
        release: That file's own `version`, as people count it.
        source: The task file and the task's first line, for the link in the UI.
        file: The task file with the lake and source of its own.
    """

    task: Task
    function: Callable[..., Any]
    tables: Tables
    owned: tuple[str, ...]
    reported: tuple[str, ...]
    reads: tuple[str, ...]
    lock: str | None
    secret: frozenset[str]
    version: str
    release: str
    source: Path
    line: int
    file: LoadedFile

    @property
    def name(self) -> str:
        """The task's name in Dagster: its job, and its step in every job."""
        return self.task.dagster_name

    @property
    def by_day(self) -> bool:
        """Whether its tables are partitioned by trading day."""
        if not self.owned:
            return False
        from mystocks_dagster.market.tables import TABLES  # with polars, which a plain task does without

        return any(key in TABLES and TABLES[key].by_day for key in self.owned)

    @property
    def retries(self) -> int:
        """How many attempts may follow the first one; a supervisor is started again by its sensor, in another run."""
        return self.task.retry_count if self.task.task_type != "supervisor" else 0

    @property
    def retry_delay(self) -> int:
        """Seconds between two attempts; somebody watches the demo, whose market is on this machine."""
        return min(self.task.retry_delay, _DEMO_SECONDS) if self.file.settings().demo else self.task.retry_delay

    @property
    def pool(self) -> str:
        """The concurrency pool in which its steps wait for each other; Dagster allows one pool an op.

        Tasks that write a common table share a pool of one slot; any other has a pool of its own with as many slots as
        `max_instances`. See docs/decisions/0006.
        """
        return "_".join(("table", *self.file.prefix, self.lock)) if self.lock else f"{TASK_POOL}{self.name}"


def build_specs(version: Version) -> dict[str, TaskSpec]:
    """Return task id to spec, in the order of the file, for the tasks of a version whose functions are resolved."""
    return specs_of_lake([LoadedFile(version=version)])


def specs_of_lake(files: Sequence[LoadedFile]) -> dict[str, TaskSpec]:
    """Return task id to spec of the files of one lake: they share its tables, each with one owner and one lock."""
    writes = {task_id: tables for file in files for task_id, tables in file.version.writes.items()}
    also = {task_id: tables for file in files for task_id, tables in file.version.also_writes.items()}
    # The first file whose task declares a table owns it.
    keeper = {table: owner for file in reversed(files) for table, owner in file.version.owners.items()}
    lock = locks((*writes[task_id], *also.get(task_id, ())) for task_id in writes)
    specs = {}
    tasks = [(file, task) for file in files for task in file.version.taskfile.tasks]
    for origin, task in tasks:
        version = origin.version
        declared = tables_of(version.functions[task.task_id])
        owned = tuple(table for table in declared.writes if keeper[table] == task.task_id)
        if not owned and not declared.writes and task.task_type in ASSET_TYPES:
            owned = (task.dagster_name,)
        specs[task.task_id] = TaskSpec(
            task=task,
            function=version.functions[task.task_id],
            tables=declared,
            owned=owned,
            reported=tuple(table for table in (*declared.writes, *declared.also_writes) if table not in owned),
            reads=(),
            lock=next(
                (lock[table] for table in (*declared.writes, *declared.also_writes) if table in lock),
                next(iter(owned), None),
            ),
            secret=task.secrets,
            version=version.hash,
            release=str(version.taskfile.version),
            source=version.source,
            line=version.lines[task.task_id][0],
            file=origin,
        )
    reads = lineage(specs)
    return {task_id: replace(spec, reads=reads[task_id]) for task_id, spec in specs.items()}


def locks(written: Iterable[Iterable[str]]) -> dict[str, str]:
    """Return table to the one that stands for all with which it shares a lock.

    Dagster allows an op one pool only: tables that one task writes share a lock, and so do those of another task that
    writes one of them.
    """
    first: dict[str, str] = {}
    members: dict[str, list[str]] = {}
    for tables in written:
        heads = sorted(
            {first.get(table, table): None for table in tables if table not in _SHARED},
            key=lambda head: head not in members,
        )
        for head in heads:
            for table in members.pop(head, [head]):
                first[table] = heads[0]
                members.setdefault(heads[0], []).append(table)
    return first


def lineage(specs: Mapping[str, TaskSpec]) -> dict[str, tuple[str, ...]]:
    """Return task id to the asset keys upstream of it, with declared reads that would close a circle left out.

    A function may read a table that is computed from what it writes (yesterday's signals); explicit dependencies
    are free of circles, so in a circle it is always a declared read that gives way.
    """
    keeper = {key: spec.task.task_id for spec in specs.values() for key in spec.owned}
    fixed = {name: {up for up in spec.task.dependencies if up in specs} for name, spec in specs.items()}
    declared = {
        name: {keeper[key] for key in spec.tables.reads if key in keeper} - {name} for name, spec in specs.items()
    }
    while circle := _circle({name: fixed[name] | declared[name] for name in specs}):
        for upstream, downstream in pairwise(circle):
            if upstream not in fixed[downstream]:
                declared[downstream].discard(upstream)
    found = {}
    for name, spec in specs.items():
        keys = [key for up in spec.task.dependencies if up in specs for key in specs[up].owned]
        keys += [key for key in spec.tables.reads if key not in keeper or keeper[key] in declared[name]]
        found[name] = tuple(dict.fromkeys(key for key in keys if key not in spec.owned))
    return found


def _circle(graph: Mapping[str, set[str]]) -> list[str]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []
