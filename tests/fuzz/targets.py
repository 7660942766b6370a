"""What is fed with made-up input, and which errors are allowed: those of this package, which say what is wrong."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from mystocks_dagster.datasets.reader import read_dataset
from mystocks_dagster.errors import MyStocksError
from mystocks_dagster.market.formulas.evaluation import Bars, evaluate
from mystocks_dagster.market.formulas.parser import parse_formula
from mystocks_dagster.market.formulas.plan import plan
from mystocks_dagster.market.tables import BUILT_IN
from mystocks_dagster.screens.condition import read_condition
from mystocks_dagster.sources.recorded.archive_files import recognise
from mystocks_dagster.sources.tdx.archive import Archive
from mystocks_dagster.sources.tdx.day_zip import day_bars
from mystocks_dagster.sources.tdx.gbbq import actions
from mystocks_dagster.sources.tdx.holidays import trading_days
from mystocks_dagster.strategies.reader import read_strategies
from mystocks_dagster.taskfile.edit.serialization import import_file
from mystocks_dagster.taskfile.edit.writer import edit_task
from mystocks_dagster.taskfile.problems import Problem, TaskFileError
from mystocks_dagster.taskfile.reader import load_task_file

_wave = 10 + np.sin(np.arange(80))
_OFFSETS = np.array([0, 40, 80], dtype=np.int64)


@dataclass(frozen=True)
class Target:
    """One reader.

    Attributes:
        name: The folder of its corpus.
        read: Reads one input, given a folder of its own; a `MyStocksError` is an answer, any other error a fault.
    """

    name: str
    read: Callable[[bytes, Path], object]

    def outcome(self, content: bytes) -> str:
        """Return what became of an input, in a form that is equal for inputs of the same kind.

        Raises:
            Exception: Any error that a user must not see.
        """
        with tempfile.TemporaryDirectory() as folder:
            try:
                self.read(content, Path(folder))
            except MyStocksError as error:
                text = "".join(letter for letter in str(error).replace(folder, "") if letter.isalpha() or letter == " ")
                return f"{type(error).__name__} {text[:60]}"
        return "read"


def raise_first(problems: Sequence[Problem]) -> None:
    """Raise the problems of a file that was read in part, so that their kinds are told from each other."""
    if problems:
        raise TaskFileError(problems, [])


def _task_file(content: bytes, folder: Path) -> None:
    path = folder / "tasks.yaml"
    path.write_bytes(content)
    raise_first(load_task_file(path, functions=False, environment={"A": "a"}).problems)


def _task_edit(content: bytes, folder: Path) -> None:
    path = folder / "tasks.yaml"
    path.write_bytes(content)
    edit_task(path, "sync", {"description": "changed", "params": {"days": 3}}, dry_run=True)


def _task_import(content: bytes, folder: Path) -> None:
    path, incoming = folder / "tasks.yaml", folder / "incoming.yaml"
    path.write_text("tasks:\n  - {task_id: own, task_type: manual, task_module: m, task_function: f}\n", "utf-8")
    incoming.write_bytes(content)
    import_file(path, incoming, dry_run=True)


def _dataset(content: bytes, folder: Path) -> None:
    path = folder / "trades.yaml"
    path.write_bytes(content)
    read_dataset(path, BUILT_IN, calls=False)


def _strategy(content: bytes, folder: Path) -> None:
    path = folder / "own.py"
    path.write_bytes(content)
    raise_first(read_strategies(path).problems)


def _formula(content: bytes, _folder: Path) -> None:
    formula = parse_formula(content.decode("utf-8", "replace"), "made up")
    chosen = plan((formula, (), ()))
    if len(chosen.steps) <= 60:
        evaluate(chosen, Bars(columns=dict.fromkeys(chosen.bars, _wave), offsets=_OFFSETS))


def _screen(content: bytes, _folder: Path) -> None:
    read_condition(content.decode("utf-8", "replace"))


def _archive(content: bytes, folder: Path) -> None:
    path = folder / "hsjday.zip"
    path.write_bytes(content)
    archive = Archive(path)
    tables, span = sorted(archive.tables), (date(2025, 4, 1), date(2025, 4, 30))
    list(archive.history(tables, *span, actions=None, progress=lambda *_: None))
    _ = archive.days, archive.notes
    for table in tables:
        archive.last_closes(table)


def _day_zip(content: bytes, folder: Path) -> None:
    path = folder / "20250407.zip"
    path.write_bytes(content)
    day_bars(path, date(2025, 4, 7))


def _gbbq(content: bytes, _folder: Path) -> None:
    actions(content)


def _holidays(content: bytes, _folder: Path) -> None:
    trading_days(content)


def _recorded(content: bytes, folder: Path) -> None:
    for name in ("daily_bars.csv", "600519.parquet" if content[:4] == b"PAR1" else "sh.600519.csv"):
        path = folder / name
        path.write_bytes(content)
        found = recognise(path, folder)
        if not isinstance(found, str):
            found.read(pl.lit(True))


TARGETS = [
    Target("task_files", _task_file),
    Target("task_edits", _task_edit),
    Target("task_imports", _task_import),
    Target("datasets", _dataset),
    Target("strategies", _strategy),
    Target("formulas", _formula),
    Target("screens", _screen),
    Target("tdx_archives", _archive),
    Target("tdx_days", _day_zip),
    Target("tdx_actions", _gbbq),
    Target("tdx_holidays", _holidays),
    Target("recorded", _recorded),
]
