"""What a task function receives and returns, independent of Dagster."""

import hashlib
import importlib.util
import inspect
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

from mystocks_dagster.market.publication import Publication
from mystocks_dagster.settings import Settings
from mystocks_dagster.tags import ResultStatus, State

if TYPE_CHECKING:  # polars and deltalake cost 0.45 s: a task that touches no table starts without them
    from mystocks_dagster.lake.store import Lake
    from mystocks_dagster.sources.protocol import MarketSource

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, kw_only=True)
class TaskResult:
    """The result of a task.

    Attributes:
        status: `partial_success` counts as success with a visible warning; `skipped` does not stop dependent tasks.
        message: One line for users: what was done, or why it was skipped.
        rows: Table name to rows written.
        days: Table name to the trading days that were written, for tables partitioned by day.
        error: Why it failed; None when it did not fail.
        failed_items: Symbols or days that failed, for `partial_success`.
        retry_params: Parameters that run only the failed items again.
        metadata: Other values to show; JSON values only.
        stages: Seconds by stage of the work.
    """

    status: ResultStatus = State.SUCCESS
    message: str = ""
    rows: Mapping[str, int] = field(default_factory=dict)
    days: Mapping[str, tuple[date, ...]] = field(default_factory=dict)
    error: str | None = None
    failed_items: tuple[str, ...] = ()
    retry_params: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    stages: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class TaskRun:
    """Context of a running task: settings, logger, progress, data source and lake.

    Attributes:
        days: The trading days that were requested as partitions; empty without partitions.
        source_override: The sources of this run only (Launchpad, CLI); they take precedence over everything.
        available_after: The task's field of that name; None if it has none.
    """

    task_id: str
    run_id: str
    attempt: int
    settings: Settings
    logger: logging.Logger
    report_progress: Callable[[int, int, str], None]
    days: tuple[date, ...] = ()
    source_override: str | Sequence[str] | None = None
    available_after: str | None = None

    def publication(self, table: str) -> Publication:
        """Return when the rows of a trading day of a table are published: as the task says, or else the table."""
        from mystocks_dagster.market.tables import table as table_of

        return Publication.parse(self.available_after) if self.available_after else table_of(table).available_after

    def source(self, named: str | Sequence[str] | None) -> "MarketSource":
        """Open the data source, or several in order of preference; their rows are checked, see `sources.checked`.

        In order of precedence: this run's override, `MYSTOCKS_SOURCE`, `named` (a task parameter), the default.
        """
        from mystocks_dagster.sources.chain import open_sources

        return open_sources(self.source_override or self.settings.source or named, self.settings)

    def lake(self, world: str | None = None) -> "Lake":
        """Open the lake; pass the source's `world` when the task writes data of a source."""
        from mystocks_dagster.lake.store import Lake

        return Lake(self.settings.lake, world)


def declares(
    *,
    writes: tuple[str, ...] = (),
    also_writes: tuple[str, ...] = (),
    reads: tuple[str, ...] = (),
    snapshot: bool = False,
    formulas: tuple[ModuleType | str, ...] = (),
    by_params: "Callable[[Mapping[str, Any]], Tables] | None" = None,
) -> Callable[[F], F]:
    """Declare the tables that a task function reads and writes; Dagster's lineage is built from this.

    Args:
        writes: Tables that a task of this function may own.
        also_writes: Tables that another task owns and this function writes too.
        reads: Tables that it reads.
        snapshot: It fetches the current market; past runs cannot be made up for, so `misfire: all` is refused.
        formulas: Modules that compute the rows, or names of packages whose modules do, which are not imported for
            this: the hash of their source is the tables' code version in Dagster.
        by_params: Returns the tables of a task by its params, for a function whose tables depend on them; the other
            arguments are then not used.
    """

    def mark(function: F) -> F:
        vars(function)["__tables__"] = Tables(writes, also_writes, reads, snapshot, formulas, by_params)
        return function

    return mark


@dataclass(frozen=True)
class Tables:
    """The tables that a function declares.

    Attributes:
        definitions: What the task's params let it compute, such as strategies with their parameters, as text.
        columns: The columns of indicators that it calculates, and whether their values depend on later days.
    """

    writes: tuple[str, ...] = ()
    also_writes: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    snapshot: bool = False
    formulas: tuple[ModuleType | str, ...] = ()
    by_params: "Callable[[Mapping[str, Any]], Tables] | None" = None
    definitions: tuple[str, ...] = ()
    columns: Mapping[str, bool] = field(default_factory=dict, hash=False)

    @property
    def code_version(self) -> str | None:
        """A hash of the formulas' source and of the definitions, the same on every machine; None without formulas."""
        sources = [*(text for module in self.formulas for text in _sources(module)), *self.definitions]
        return hashlib.sha256("\0".join(sources).encode()).hexdigest()[:16] if sources else None


@cache
def _sources(module: ModuleType | str) -> list[str]:
    if isinstance(module, ModuleType):
        return [inspect.getsource(module)]
    spec = importlib.util.find_spec(module)
    folders = [Path(folder) for folder in (spec.submodule_search_locations or () if spec else ())]
    return [file.read_text("utf-8") for folder in folders for file in sorted(folder.rglob("*.py"))]


def tables_of(function: Callable[..., Any], params: Mapping[str, Any] | None = None) -> Tables:
    """Return the tables that `function` declares, for a task with these params; empty when it declares none."""
    tables: Tables = getattr(function, "__tables__", Tables())
    return tables.by_params(params) if tables.by_params and params is not None else tables
