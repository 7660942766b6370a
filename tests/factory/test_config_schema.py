"""A task's parameters are the same in Dagster's form, in the page, in a launch, on Materialize and in the call."""

from typing import Any

import dagster as dg
import pytest
from support.project import Folder

from mystocks_dagster.api.pages.run_form import params_of
from mystocks_dagster.factory.build import build_definitions
from mystocks_dagster.factory.config_schema import config_fields
from mystocks_dagster.taskfile.reader import Version, load_task_file
from mystocks_dagster.tasks.indicators import calculate_technical_indicators
from mystocks_dagster.tasks.screening import screen_market

MODULE = """
    from __future__ import annotations

    import functools
    from typing import TYPE_CHECKING

    from pydantic import BaseModel

    if TYPE_CHECKING:
        from mystocks_dagster.tasks.run import TaskRun

    class Params(BaseModel):
        limit: int = 5
        word: str | None = None

    def params_only(params: Params):
        return {"got": [type(params).__name__, params.limit]}

    def params_first(params: Params, run: TaskRun):
        return {"got": [type(params).__name__, params.limit]}

    def run_first(run: TaskRun, params: Params):
        return {"got": [type(params).__name__, params.limit]}

    def by_name(*, run: TaskRun, params: Params):
        return {"got": [type(params).__name__, params.limit]}

    def logged(function):
        @functools.wraps(function)
        def call(*args, **kwargs):
            return function(*args, **kwargs)
        return call

    @logged
    def decorated(run: TaskRun, params: Params):
        return {"got": [type(params).__name__, params.limit]}

    def plain(run: TaskRun, params: dict):
        return {"got": ["dict", params["limit"]]}
"""
TYPED = ("params_only", "params_first", "run_first", "by_name", "decorated")


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> Version:
    """A file with a task of each signature; that of the plain dict names its parameter in the file."""
    folder = Folder(tmp_path_factory.mktemp("parameters"))
    folder.write("orders.py", MODULE)
    lines = [
        f"  - {{task_id: {name}_task, task_type: data_sync, task_module: orders, task_function: {name}}}\n"
        for name in TYPED
    ]
    plain = "task_id: plain_task, task_type: data_sync, task_module: orders, task_function: plain, params: {limit: 5}"
    path = folder.write("tasks.yaml", f"task_packages: [orders]\ntasks:\n{''.join(lines)}  - {{{plain}}}\n")
    return load_task_file(path)


@pytest.fixture(scope="module")
def definitions(version: Version) -> dg.Definitions:
    return build_definitions(version)


def fields(job: dg.JobDefinition, step: str) -> set[str]:
    return set(job.get_node_named(step).definition.config_schema.config_type.fields)  # ty: ignore[unresolved-attribute]


def got(result: dg.ExecuteInProcessResult) -> list[Any]:
    events = result.get_asset_materialization_events()
    return events[0].materialization.metadata["mystocks/result"].value["got"]  # ty: ignore[not-subscriptable]


@pytest.mark.parametrize("name", TYPED)
def test_both_forms_show_the_fields_of_the_model(version: Version, definitions: dg.Definitions, name: str) -> None:
    task = version.taskfile.by_id()[f"{name}_task"]
    assert [one.name for one in params_of(task, version.functions[task.task_id])] == ["limit", "word"]
    assert fields(definitions.resolve_job_def(f"{name}_task"), f"{name}_task") == {"limit", "word"}
    assert fields(definitions.resolve_implicit_global_asset_job_def(), f"{name}_task__asset") == {"limit", "word"}


@pytest.mark.parametrize(("name", "kind"), [*((name, "Params") for name in TYPED), ("plain", "dict")])
def test_a_parameter_of_a_launch_reaches_the_function(definitions: dg.Definitions, name: str, kind: str) -> None:
    config = {"ops": {f"{name}_task": {"config": {"limit": 7}}}}
    assert got(definitions.resolve_job_def(f"{name}_task").execute_in_process(run_config=config)) == [kind, 7]


@pytest.mark.parametrize(("name", "kind"), [*((name, "Params") for name in TYPED), ("plain", "dict")])
def test_a_parameter_of_materialize_reaches_the_function(definitions: dg.Definitions, name: str, kind: str) -> None:
    config = {"ops": {f"{name}_task__asset": {"config": {"limit": 7}}}}
    job = definitions.resolve_implicit_global_asset_job_def()
    assert got(job.execute_in_process(run_config=config, asset_selection=[dg.AssetKey(f"{name}_task")])) == [kind, 7]


def test_indicators_and_screens_with_parameters_of_their_own_are_a_default_and_a_choice() -> None:
    written = {"indicators": ["MA", {"name": "CCI", "n": 20}, {"name": "X", "formula": "MA(C,N)", "n": 5}]}
    screens = {"screens": [{"name": "X", "formula": "C>MA(C,N)", "n": 5, "period": "weekly"}]}
    for function, params in ((calculate_technical_indicators, written), (screen_market, screens)):

        @dg.op(config_schema=config_fields(function, params, frozenset()))
        def step(context: dg.OpExecutionContext) -> dict[str, object]:
            return context.op_config

        for config in ({}, params):
            given = step(dg.build_op_context(op_config=config))
            assert {name: given[name] for name in params} == params
