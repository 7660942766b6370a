"""What a task function receives and returns; nothing here knows Dagster."""

import hashlib
import inspect
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

from mystocks_dagster.settings import Settings
from mystocks_dagster.tags import ResultStatus, State

if TYPE_CHECKING:  # polars and deltalake cost 0.45 s: a task that touches no table starts without them
    from mystocks_dagster.lake.store import Lake
    from mystocks_dagster.sources.protocol import MarketSource

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, kw_only=True)
class TaskResult:
    """How a task ended.

    Attributes:
        status: `partial_success` succeeds with a visible warning; `skipped` stops nothing.
        message: One line for a person: what was done, or why it was skipped.
        rows: Table name to rows written.
        days: Table name to the trading days whose rows were written, for tables that are partitioned by day.
        error: Why it failed, when it failed.
        failed_items: Symbols or days that could not be done, for `partial_success`.
        retry_params: Parameters that re-run only the failed items.
        metadata: Anything else worth showing; JSON values only.
    """

    status: ResultStatus = State.SUCCESS
    message: str = ""
    rows: Mapping[str, int] = field(default_factory=dict)
    days: Mapping[str, tuple[date, ...]] = field(default_factory=dict)
    error: str | None = None
    failed_items: tuple[str, ...] = ()
    retry_params: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class TaskRun:
    """The hands of a running task: where to read, where to write, whom to tell.

    Attributes:
        days: The trading days that were asked for as partitions; empty when none was named.
        source_override: The source named for this run only (Launchpad, CLI); wins over everything.
    """

    task_id: str
    run_id: str
    attempt: int
    settings: Settings
    logger: logging.Logger
    report_progress: Callable[[int, int, str], None]
    days: tuple[date, ...] = ()
    source_override: str | None = None

    def source(self, named: str | None) -> "MarketSource":
        """Open the source.

        This run's override, then `MYSTOCKS_SOURCE`, then `named` (the task's params), then the default.

        Its rows are held against the rules of their tables before they are given, see `sources.checked`.
        """
        from mystocks_dagster.sources.checked import CheckedSource
        from mystocks_dagster.sources.registry import open_source

        return CheckedSource(open_source(self.source_override or self.settings.source or named, self.settings))

    def lake(self, world: str | None = None) -> "Lake":
        """Open the lake; `world` is the source's when the task writes what a source gave."""
        from mystocks_dagster.lake.store import Lake

        return Lake(self.settings.lake, world)


def declares(
    *,
    writes: tuple[str, ...] = (),
    also_writes: tuple[str, ...] = (),
    reads: tuple[str, ...] = (),
    snapshot: bool = False,
    formulas: tuple[ModuleType, ...] = (),
) -> Callable[[F], F]:
    """Declare the tables that a task function touches: this is what lineage is drawn from.

    Args:
        writes: Tables that it keeps; a task of this function may own them.
        also_writes: Tables that it writes beside their owner.
        reads: Tables that it reads.
        snapshot: It takes the market as it is now; the past cannot be caught up, so `misfire: all` is refused.
        formulas: Modules whose source decides what it computes: their hash is its tables' code version in Dagster.
    """

    def mark(function: F) -> F:
        vars(function)["__tables__"] = Tables(writes, also_writes, reads, snapshot, formulas)
        return function

    return mark


@dataclass(frozen=True)
class Tables:
    """The tables that a function declares."""

    writes: tuple[str, ...] = ()
    also_writes: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    snapshot: bool = False
    formulas: tuple[ModuleType, ...] = ()

    @property
    def code_version(self) -> str | None:
        """A hash of the formulas' source, the same on every machine; None when no formulas are declared."""
        sources = [inspect.getsource(module) for module in self.formulas]
        return hashlib.sha256("\0".join(sources).encode()).hexdigest()[:16] if sources else None


def tables_of(function: Callable[..., Any]) -> Tables:
    """Return what `function` declares; nothing when it declares nothing."""
    return getattr(function, "__tables__", Tables())
