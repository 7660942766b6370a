"""The parameter `data_source`: one source or several, in the task file, the Launchpad and the form of a run."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import dagster as dg
import pytest
from pydantic import BaseModel, Field, ValidationError

from mystocks_dagster import tasks
from mystocks_dagster.api.pages.run_form import _choices
from mystocks_dagster.factory.config_schema import config_fields
from mystocks_dagster.source_choice import source_choices
from mystocks_dagster.taskfile.problems import TaskFileError
from mystocks_dagster.taskfile.reader import read_task_file
from mystocks_dagster.taskfile.signature import params_model
from mystocks_dagster.tasks.data_sync import DailySync, sync_daily_stock_data
from mystocks_dagster.tasks.param_types import FilePath, params_naming_files

FILE = """
tasks:
  - task_id: daily
    task_type: data_sync
    task_module: mystocks_dagster.tasks.data_sync
    task_function: sync_daily_stock_data
    params:
      data_source: {}
"""


def written(tmp_path: Path, value: str) -> Any:
    path = tmp_path / "tasks.yaml"
    path.write_text(FILE.format(value), encoding="utf-8")
    [task] = read_task_file(path).tasks
    return task.params["data_source"]


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("akshare", "akshare"),
        ("[recorded, akshare]", ["recorded", "akshare"]),
        ("auto", "auto"),
        ("recorded, akshare", ["recorded", "akshare"]),
    ],
)
def test_a_task_names_one_source_or_several(value: str, read: object, tmp_path: Path) -> None:
    written(tmp_path, value)
    assert DailySync.model_validate({"data_source": value if value[0] != "[" else read}).data_source == read


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("akshar", r"tasks\.yaml:8:20.*data_source cannot be 'akshar'.*akshare"),
        ("[recorded, akshar]", r"tasks\.yaml:8:31.*entry 2 of data_source cannot be 'akshar'.*akshare"),
        ("[akshare, simulated]", r"tasks\.yaml:8:20.*never mixed with real data"),
        ("[akshare, akshare]", r"tasks\.yaml:8:20.*akshare is named twice"),
        ("[auto, akshare]", r"tasks\.yaml:8:20.*auto stands for the order of each table"),
    ],
)
def test_a_wrong_choice_is_shown_with_its_place(value: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(TaskFileError, match=f"(?s){message}"):
        written(tmp_path, value)


def test_no_choice_is_the_default_source() -> None:
    assert [DailySync(data_source=value).data_source for value in (None, "", [])] == [None, None, None]  # ty: ignore[invalid-argument-type]
    with pytest.raises(ValidationError, match="akshare"):
        DailySync.model_validate({"data_source": {"akshare": 1}})


def test_the_launchpad_takes_a_name_or_a_list() -> None:
    field = config_fields(sync_daily_stock_data, {"data_source": ["recorded", "akshare"]}, frozenset())["data_source"]
    assert "else recorded, akshare" in field.description

    @dg.op(config_schema={"data_source": field})
    def load() -> None:
        """Take the config."""

    @dg.job
    def only() -> None:
        load()

    for value in ("akshare", ["recorded", "akshare"], None):
        config = {"ops": {"load": {"config": {"data_source": value}}}}
        assert dg.validate_run_config(only, config)["ops"]["load"]["config"]["data_source"] == value


def test_the_form_of_a_run_offers_the_names() -> None:
    assert _choices(DailySync.model_fields["data_source"].annotation) == source_choices()


@pytest.mark.parametrize("name", ["initial_capital", "slippage", "commission_rate"])
@pytest.mark.parametrize("value", ["nan", "NaN"])
def test_a_number_that_is_none_is_not_told_to_be_too_large(tmp_path: Path, name: str, value: str) -> None:
    file = FILE.replace(
        "data_sync\n    task_function: sync_daily_stock_data", "backtest\n    task_function: run_backtest"
    )
    path = tmp_path / "tasks.yaml"
    path.write_text(file.replace("data_source: {}", f"{name}: {value}"), encoding="utf-8")
    with pytest.raises(TaskFileError) as raised:
        read_task_file(path)
    (problem,) = raised.value.problems
    assert problem.message.startswith(f"{name} must be a number, found ")


#: Texts that are free, and name no file; and those that do, each with what stands before it.
PLAIN_TEXTS = {
    "run_backtest.strategy_id",
    "run_backtest.benchmark",
    "run_backtest.strategies",
    "run_backtest_grid.strategies",
    "run_backtest_grid.strategy_id",
    "run_backtest_grid.benchmark",
    "sync_dataset.dataset",  # a name among those that are there
    "check_strategy.indicators",
    "compare_sources.witnesses",
}
GUARDED = {
    "run_command.command": "check_functions",
    "run_command.folder": "check_functions",
    "cleanup_cache_data.cleanup_paths": "tasks.caches",
    "calculate_technical_indicators.indicators": "formula_files: only in formulas/",
    "screen_market.screens": "formula_files: only in formulas/",
    "calculate_strategy_signals.strategies": "formula_files: only in formulas/",
    "check_strategy.strategies": "formula_files: only in formulas/",
    "run_backtest_grid.grid": "formula_files: only in formulas/",
}


def shipped_functions() -> Iterator[tuple[str, type[BaseModel]]]:
    for module in pkgutil.iter_modules(tasks.__path__, f"{tasks.__name__}."):
        for name, function in vars(importlib.import_module(module.name)).items():
            own = inspect.isfunction(function) and function.__module__ == module.name
            if own and hasattr(function, "__tables__") and (model := params_model(function)):
                yield name, model


def has_text(kind: Any) -> bool:
    """Return whether a value of a type may be a text that its type does not limit to some."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return any(has_text(info.annotation) for info in kind.model_fields.values())
    return kind in (str, Any) or (get_origin(kind) is not Literal and any(map(has_text, get_args(kind))))


def test_every_parameter_of_a_shipped_task_that_may_name_a_file_says_so() -> None:
    functions = dict(shipped_functions())
    assert {"bootstrap_market", "sync_daily_stock_data", "run_command", "screen_market"} <= set(functions)
    naming = {f"{name}.{param}" for name, model in functions.items() for param in params_naming_files(model)}
    texts = {
        f"{name}.{param}"
        for name, model in functions.items()
        for param, info in model.model_fields.items()
        if has_text(info.annotation) and param != "symbols"
    }
    assert naming == {"bootstrap_market.folder"}
    assert texts - naming - set(GUARDED) == PLAIN_TEXTS, "give a parameter that names files the type FilePath"


def test_a_path_deep_in_a_type_names_files_too() -> None:
    class Inner(BaseModel):
        files: list[Path] | None = None

    class Outer(BaseModel):
        inner: dict[str, Inner] = {}
        several: list[FilePath] = []
        known: Annotated[FilePath | None, Field(description="x")] = None
        plain: str = ""

    assert params_naming_files(Outer) == ("inner", "several", "known")
