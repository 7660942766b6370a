"""The sources that can fill the past of a table, as its task may use them."""

from dataclasses import replace
from datetime import date
from math import prod
from typing import TYPE_CHECKING

from mystocks_dagster.project.state import ProjectState
from mystocks_dagster.taskfile.model import Task

if TYPE_CHECKING:  # polars takes 0.4 s to import
    from mystocks_dagster.datasets.reader import Dataset
    from mystocks_dagster.lake.store import Lake
    from mystocks_dagster.sources.past import PastOffer, PastOffers

#: The source of a dataset that reads the user's files, which is no `data_source`.
FILES = "files"
#: The source of every other dataset.
_AKSHARE = "akshare"


def offers_of(table: str, task_id: str, state: ProjectState, lake: "Lake", source: str | None = None) -> "PastOffers":
    """Return what the sources have of a table's past, the preferred ones first.

    Args:
        table: Name of the table.
        task_id: The task that owns it.
        state: The project.
        lake: The project's lake.
        source: The only source to use; None means those that the task names, then the others in order of preference.
    """
    from mystocks_dagster.market.clock import now
    from mystocks_dagster.market.tables import TABLES
    from mystocks_dagster.sources.past import past_offers

    settings = state.settings
    newest = state.version.published.get(table, TABLES[table].available_after).newest(now())
    only = source or settings.source
    named = [only] if only else _named(state, task_id)
    offers = past_offers(table, named, newest, settings, lake.stored_world())
    if not only:
        offers = offers.joined(past_offers(table, [], newest, settings, lake.stored_world()))
    dataset = _dataset(state, task_id)
    if dataset is None or (lake.stored_world() or "real") != "real":
        return offers
    own = _of_dataset(dataset, newest, lake)
    return offers if only not in (None, own.source) and own.source != FILES else offers.instead(own)


def _named(state: ProjectState, task_id: str) -> list[str]:
    task = state.taskfile.by_id()[task_id]
    named = task.params.get("data_source") if isinstance(task, Task) else None
    names = named if isinstance(named, list | tuple) else [named]
    return [str(name) for name in names if name]


def _dataset(state: ProjectState, task_id: str) -> "Dataset | None":
    """Return the dataset that a task syncs; None if it syncs none."""
    task = state.taskfile.by_id()[task_id]
    name = task.params.get("dataset") if isinstance(task, Task) and task.task_function == "sync_dataset" else None
    if name is None:
        return None
    from mystocks_dagster.datasets import registry

    return registry.find(str(name))


def _of_dataset(dataset: "Dataset", newest: date, lake: "Lake") -> "PastOffer":
    """Return the days that a dataset's own source has, with the number of its calls for each."""
    from mystocks_dagster.sources.past import PastOffer

    spec = dataset.spec
    if spec.files:
        return PastOffer(source=FILES)
    calls = sum(prod(_count(values, lake) for values in call.each.values()) for call in spec.call or ())
    offer = PastOffer(source=_AKSHARE, requests=calls)
    if spec.is_present_only:
        return replace(offer, only=frozenset({newest}))
    return replace(offer, first=_back(newest, spec.reach) if spec.reach else None, flat=spec.asked_by == "whole")


def _back(newest: date, count: int) -> date:
    """Return the first of the `count` trading days that end with `newest`."""
    from mystocks_dagster.market.calendar import shanghai

    calendar = shanghai()
    for _ in range(count - 1):
        newest = calendar.previous(newest)
    return newest


def _count(values: tuple[str, ...], lake: "Lake") -> int:
    """Return the number of values of a call's placeholder: as listed, or the newest ones of a stored column."""
    if len(values) != 1 or "." not in values[0]:
        return len(values)
    table, _, column = values[0].partition(".")
    if not lake.exists(table) or not (days := lake.days(table)):
        return 1
    return max(1, lake.read(table, columns=[column], start=days[-1])[column].n_unique())
