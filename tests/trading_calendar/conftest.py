"""A project of its own for each test: its clock, its instance, its lake, and a stand-in that states what a test
wants."""

import logging
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest
from standin.market import Market
from standin.server import StandIn
from support.year2027 import days_of_2027

from mystocks_dagster.market.calendar import published
from mystocks_dagster.settings import Settings
from mystocks_dagster.tasks.run import TaskRun
from mystocks_dagster.trading_calendar.in_force import clear_cache

DATES = ("2026-12-20", "2026-12-31", "2027-01-01", "2027-01-04", "2027-02-05")


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Sets the clock, Shanghai time; the project is an empty folder."""
    monkeypatch.setenv("MYSTOCKS_ROOT", str(tmp_path))
    clear_cache()
    return lambda moment: monkeypatch.setenv("MYSTOCKS_NOW", f"{moment}+08:00")


@pytest.fixture
def year(at: Callable[[str], None], tmp_path: Path) -> Path:
    """The user's file, with the trading days of 2027."""
    path = tmp_path / "trading_calendar.csv"
    path.write_text("\n".join(map(str, days_of_2027())), encoding="utf-8")
    return path


@pytest.fixture
def run(at: Callable[[str], None]) -> Callable[..., TaskRun]:
    """Makes a task's run with the settings of this moment."""

    def make(**fields: object) -> TaskRun:
        silent: Callable[..., None] = lambda *_: None  # noqa: E731
        return TaskRun(
            task_id="task",
            run_id="run",
            attempt=1,
            settings=Settings.from_env(),
            logger=logging.getLogger("task"),
            report_progress=silent,
            **fields,  # ty: ignore[invalid-argument-type]
        )

    return make


@pytest.fixture
def standin(at: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """An upstream that shows the session of 2026-12-31 and states no day of 2027."""
    with StandIn(Market.small(date(2026, 12, 31))) as server:
        monkeypatch.setenv("MYSTOCKS_UPSTREAM", server.address)
        yield server


def to_2027() -> list[date]:
    """Return what a source states that knows 2027."""
    return [*published().sessions(published().first, published().last), *days_of_2027()]
