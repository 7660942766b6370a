"""What is to be calculated for one period: its calculations, their versions, and the state that fits them."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from mystocks_dagster.lake import indicator_state
from mystocks_dagster.lake.indicator_state import Stored
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.lake.watermarks import (
    NOBODY,
    Version,
    are_newest,
    seen_version,
    watermarks,
    writers,
    wrote_last,
)
from mystocks_dagster.market.indicators import Calculation, planned, stored_columns
from mystocks_dagster.market.periods import PERIODS, Period, period_start
from mystocks_dagster.market.table import Column, Table
from mystocks_dagster.market.tables import table as table_of
from mystocks_dagster.tasks.indicator_rows import Carried

if TYPE_CHECKING:  # it imports numba
    from mystocks_dagster.market.formulas.plan import Plan


#: Periods that are looked at and carried on at the same time.
THREADS = min(len(PERIODS), os.cpu_count() or 1)
#: The states of calculations by period and name.
States = dict[tuple[str, str], Stored]


@dataclass(frozen=True)
class Work:
    """Calculations of one period.

    Attributes:
        period: The period.
        calculations: The calculations.
        code: The version of the code that computes them.
    """

    period: Period
    calculations: tuple[Calculation, ...]
    code: str

    @property
    def table(self) -> str:
        """The table of the period."""
        return f"indicators_{self.period}"

    @cached_property
    def plan(self) -> "Plan":
        """The steps of all calculations together."""
        return planned(self.calculations)

    @cached_property
    def columns(self) -> list[str]:
        """The columns of `daily_bars` that the calculations read, besides symbol and date."""
        return list(dict.fromkeys(["close", *stored_columns(self.plan.bars)]))

    @cached_property
    def names(self) -> dict[str, Calculation]:
        """The calculations by the name of their version, which stands in watermarks and with the state."""
        return {f"{item.name} {_version(item)} {self.code}": item for item in self.calculations}

    @cached_property
    def writers(self) -> dict[str, str]:
        """What writes each column: the version of its expression and of the code."""
        return {column: f"{version} {self.code}" for column, version in self.plan.versions.items()}

    def fresh(self, lake: Lake, inputs: Sequence[Version]) -> set[str]:
        """Return the names of the calculations whose stored rows have seen these inputs."""
        computed = lake.log(self.table)
        if computed is None:
            return set()
        own = wrote_last(computed, self.writers)
        return {
            name
            for name, item in self.names.items()
            if own.issuperset(item.columns.values())
            and all(seen_version(computed, name, version) == version.number for version in inputs)
        }

    def without(self, names: Iterable[str]) -> "Work":
        """Return the work without some calculations."""
        gone = {*names}
        return replace(self, calculations=tuple(item for name, item in self.names.items() if name not in gone))

    def parts(self) -> list["Work"]:
        """Return what can be carried on from day to day, and what must be computed again each day."""
        carried = tuple(item for item in self.calculations if planned([item]).carried)
        again = tuple(item for item in self.calculations if item not in carried)
        return [replace(self, calculations=part) for part in (carried, again) if part]

    def until(self, last: date) -> date:
        """Return the first day of the running period; with daily bars, each of which is final, the day after `last`."""
        return last + timedelta(days=1) if self.period == "daily" else period_start(last, self.period)

    def marks(self, lake: Lake, inputs: Sequence[Version]) -> dict[str, int]:
        """Return the watermarks of the work, once it has written all rows."""
        computed = lake.log(self.table)
        named = computed is not None and are_newest(computed, self.writers)
        return watermarks([*self.names], inputs) | ({} if named else writers(self.writers))

    def marks_of_a_part(self, lake: Lake) -> dict[str, int]:
        """Return the watermarks of the work once it has written the rows of some symbols: others are of other work."""
        computed = lake.log(self.table)
        own = {*self.writers} if computed is None else wrote_last(computed, self.writers, unknown=False)
        mixed = self.writers.keys() - own
        return writers(dict.fromkeys(mixed, NOBODY)) if mixed else {}

    def stored_state(self, lake: Lake, stored: States, inputs: Sequence[Version]) -> tuple[Stored, Carried] | None:
        """Return the state of all calculations, if all have one from the same versions, and the rows have seen them.

        Args:
            lake: Where the rows are.
            stored: Stored states, also of other periods.
            inputs: The present versions of the tables that the states are computed from.
        """
        states = {name: stored[self.period, name] for name in self.names if (self.period, name) in stored}
        if not self.plan.carried or {*states} != {*self.names}:
            return None
        first = next(iter(states.values()))
        tables = [(version.table, version.id) for version in inputs]
        if [(version.table, version.id) for version in first.inputs] != tables or any(
            (state.inputs, state.until, state.symbols) != (first.inputs, first.until, first.symbols)
            for state in states.values()
        ):
            return None
        steps = {version: values for state in states.values() for version, values in state.steps.items()}
        if {version: values.shape[1] for version, values in steps.items()} != self.plan.states:
            return None
        if not self._have_rows_seen(lake, first.inputs):
            return None
        return first, Carried({symbol: place for place, symbol in enumerate(first.symbols)}, steps)

    def has_written(self, lake: Lake) -> bool:
        """Return whether the stored columns are earlier results of the same calculations."""
        computed = lake.log(self.table)
        return computed is not None and wrote_last(computed, self.writers, unknown=False) == {*self.writers}

    def _have_rows_seen(self, lake: Lake, inputs: Sequence[Version]) -> bool:
        """Return whether the stored rows are at least as new as a state; restored ones, and others' ones, are not."""
        computed = lake.log(self.table)
        if computed is None or wrote_last(computed, self.writers) != {*self.writers}:
            return False
        seen = ((seen_version(computed, name, version), version.number) for name in self.names for version in inputs)
        return all(number is not None and number >= needed for number, needed in seen)

    def states(self, carried: Carried, inputs: Sequence[Version], until: date) -> States:
        """Return the state of each calculation, to be stored."""
        symbols = tuple(carried.places)
        return {
            (self.period, name): Stored(tuple(inputs), until, symbols, _part(self.plan, item, carried))
            for name, item in self.names.items()
        }

    def declare(self, lake: Lake) -> Table:
        """Add the columns that the stored table lacks, and return its contract."""
        own = table_of(self.table).dtypes
        added = [
            Column(column, pl.Float64, about, null=True)
            for item in self.calculations
            for column, about in item.about.items()
            if column not in own
        ]
        if added:
            lake.add_columns(self.table, added)
        return lake.schema_of(self.table)


def joined(works: Sequence[Work]) -> list[Work]:
    """Return works, of which those of one period are one."""
    periods = dict.fromkeys(work.period for work in works)
    return [
        replace(some[0], calculations=tuple(item for work in some for item in work.calculations))
        for some in ([work for work in works if work.period == period] for period in periods)
    ]


def _version(calculation: Calculation) -> str:
    versions = planned([calculation]).versions
    return "-".join(f"{column}:{version[:8]}" for column, version in versions.items())


def _part(plan: "Plan", calculation: Calculation, carried: Carried) -> dict[str, np.ndarray]:
    needed = {version for column in calculation.columns.values() for version in plan.needs[column]}
    return {version: values for version, values in carried.steps.items() if version in needed}


def states_end(lake: Lake, works: Sequence[Work]) -> date | None:
    """Return the earliest day that no stored state of some pieces of work contains; None without a state."""
    return indicator_state.states_end(lake, *_wanted(works))


def read_states(lake: Lake, works: Sequence[Work]) -> States:
    """Return the stored states of several pieces of work, by one reading."""
    return indicator_state.read_states(lake, *_wanted(works))


def _wanted(works: Sequence[Work]) -> tuple[set[str], set[str]]:
    """Return the periods, and the names of the calculations."""
    return {work.period for work in works}, {name for work in works for name in work.names}


def store_states(lake: Lake, states: Iterable[States], before_commit: Callable[[], object] = lambda: None) -> None:
    """Store the states of several pieces of work in one commit; `before_commit` as in `Lake.replace_matching`."""
    indicator_state.write_states(lake, {key: state for some in states for key, state in some.items()}, before_commit)
