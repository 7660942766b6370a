"""Specs: a task with its function and tables, from which its Dagster definitions are built."""

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

#: Task types that are assets even if their function declares no table.
ASSET_TYPES = frozenset({"data_sync", "indicator_calc", "market_fetch"})

#: Longest delay of a retry in the demo.
_DEMO_SECONDS = 3
#: Prefix of the pools of single tasks.
TASK_POOL = "task_"
#: Tables that all tasks write without a lock, since each changes only its own rows in one transaction.
_SHARED = frozenset({"loaded_days", "quarantine"})


@dataclass(frozen=True, kw_only=True)
class TaskSpec:
    """A task with all that its definitions need.

    Attributes:
        owned: Asset keys that it owns: tables, or its own id if it declares none. Empty for a plain op.
        reported: Tables that it writes and another task owns.
        reads: Asset keys that it reads, by declaration or through its dependencies.
        lock: The table whose name is the lock of all tables that it shares with other writers; None for a plain op.
        version: Hash of its task file.
        release: The file's own `version`.
        source: Path of the task file, for the link in the UI.
        line: The task's first line in it.
        file: The task file with its lake and source.
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
        """The task's name in Dagster, of its job and of its step in every job."""
        return self.task.dagster_name

    @property
    def by_day(self) -> bool:
        """Whether its tables are partitioned by trading day."""
        if not self.owned:
            return False
        from mystocks_dagster.market.tables import TABLES  # imports polars, which a plain task does not need

        return any(key in TABLES and TABLES[key].by_day for key in self.owned)

    @property
    def retries(self) -> int:
        """Attempts that may follow the first one; none for a supervisor, which its sensor restarts in a new run."""
        return self.task.retry_count if self.task.task_type != "supervisor" else 0

    @property
    def retry_delay(self) -> int:
        """Seconds between two attempts; short in the demo, whose source is local."""
        return min(self.task.retry_delay, _DEMO_SECONDS) if self.file.settings().demo else self.task.retry_delay

    @property
    def pool(self) -> str:
        """The concurrency pool of its steps; Dagster allows one pool for an op.

        Tasks that write a common table share a pool of one slot. Any other task has its own pool with `max_instances`
        slots. See docs/decisions/0006.
        """
        return "_".join(("table", *self.file.prefix, self.lock)) if self.lock else f"{TASK_POOL}{self.name}"


def build_specs(version: Version) -> dict[str, TaskSpec]:
    """Return the specs by task id, in the order of the file, of a version whose functions are resolved."""
    return specs_of_lake([LoadedFile(version=version)])


def specs_of_lake(files: Sequence[LoadedFile]) -> dict[str, TaskSpec]:
    """Return the specs by task id of the files of one lake, where each table has one owner and one lock."""
    writes = {task_id: tables for file in files for task_id, tables in file.version.writes.items()}
    also = {task_id: tables for file in files for task_id, tables in file.version.also_writes.items()}
    # The first file whose task declares a table owns it.
    owners = {table: owner for file in reversed(files) for table, owner in file.version.owners.items()}
    lock = locks((*writes[task_id], *also.get(task_id, ())) for task_id in writes)
    tasks = [(file, task) for file in files for task in file.version.taskfile.tasks]
    specs = {task.task_id: _spec(file, task, owners, lock) for file, task in tasks}
    reads = lineage(specs)
    return {task_id: replace(spec, reads=reads[task_id]) for task_id, spec in specs.items()}


def _spec(file: LoadedFile, task: Task, owners: Mapping[str, str], lock: Mapping[str, str]) -> TaskSpec:
    version = file.version
    function = version.functions[task.task_id]
    tables = tables_of(function, task.params)
    written = (*tables.writes, *tables.also_writes)
    owned = tuple(table for table in tables.writes if owners[table] == task.task_id)
    if not tables.writes and task.task_type in ASSET_TYPES:
        owned = (task.dagster_name,)
    return TaskSpec(
        task=task,
        function=function,
        tables=tables,
        owned=owned,
        reported=tuple(table for table in written if table not in owned),
        reads=(),
        lock=next((lock[table] for table in written if table in lock), next(iter(owned), None)),
        secret=task.secrets,
        version=version.hash,
        release=str(version.taskfile.version),
        source=version.source,
        line=version.lines[task.task_id][0],
        file=file,
    )


def locks(written: Iterable[Iterable[str]]) -> dict[str, str]:
    """Return the lock of each table, which is the name of one of the tables that share it.

    Dagster allows one pool for an op. So the tables that a task writes share a lock, also with the tables of any other
    task that writes one of them.
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
    """Return the upstream asset keys of each task id, without declared reads that would close a cycle.

    A function may read a table that is computed from its own output (yesterday's signals). Explicit dependencies have
    no cycles, so every cycle contains a declared read, which is left out.
    """
    owners = {key: spec.task.task_id for spec in specs.values() for key in spec.owned}
    fixed = {name: {up for up in spec.task.dependencies if up in specs} for name, spec in specs.items()}
    declared = {
        name: {owners[key] for key in spec.tables.reads if key in owners} - {name} for name, spec in specs.items()
    }
    while cycle := _cycle({name: fixed[name] | declared[name] for name in specs}):
        for upstream, downstream in pairwise(cycle):
            if upstream not in fixed[downstream]:
                declared[downstream].discard(upstream)
    upstream_keys = {}
    for name, spec in specs.items():
        keys = [key for up in spec.task.dependencies if up in specs for key in specs[up].owned]
        keys += [key for key in spec.tables.reads if key not in owners or owners[key] in declared[name]]
        upstream_keys[name] = tuple(dict.fromkeys(key for key in keys if key not in spec.owned))
    return upstream_keys


def _cycle(graph: Mapping[str, set[str]]) -> list[str]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []
