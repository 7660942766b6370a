"""One id, everywhere the same: what Dagster's job, steps, tables and runs carry, and which ids cannot be."""

import dagster as dg
import pytest
from support.project import Folder

from mystocks_dagster.factory.build import build_definitions
from mystocks_dagster.taskfile.reader import load_task_file

#: As the contract lists them: what Dagster reserves, and the words of the REST paths.
RESERVED = ["config", "type", "in", "register", "executions", "statistics", "import", "export", "health"]
TASKS = """
    task_packages: [quick]
    defaults: {task_module: quick, task_function: work}
    tasks:
      - {task_id: load-it, task_name: 装载, task_type: data_sync}
      - {task_id: plain, task_type: manual, dependencies: [load-it]}
    task_groups:
      - {group_id: all-of-it, group_name: 全部, tasks: [load-it, plain]}
"""
KEY = "mystocks/task_id"


@pytest.fixture
def definitions(folder: Folder) -> dg.Definitions:
    folder.write("quick.py", "def work(params):\n    return None\n")
    return build_definitions(load_task_file(folder.write("tasks.yaml", TASKS)))


@pytest.mark.parametrize("name", RESERVED)
def test_a_name_that_means_something_else_already_is_refused(folder: Folder, name: str) -> None:
    entry = (
        f"{{task_id: {name}, task_type: manual, task_module: app.tasks.data_sync, task_function:"
        " sync_basic_stock_info}"
    )
    version = load_task_file(folder.write("tasks.yaml", f"tasks:\n  - {entry}\n"))
    assert version.taskfile.tasks == ()
    [problem] = version.problems
    assert problem.message.startswith(f"{name!r} cannot be an id: ")


def test_an_id_names_its_job_and_its_step_in_every_job_with_underscores(definitions: dg.Definitions) -> None:
    repository = definitions.get_repository_def()
    jobs = {job.name for job in repository.get_all_jobs()} - {"__ASSET_JOB"}
    assert jobs == {"load_it", "plain", "all_of_it"}
    for job in ("plain", "all_of_it"):
        steps = [node.name for node in repository.get_job(job).graph.nodes]
        assert sorted(steps) == ["load_it", "plain"]


def test_job_step_and_table_carry_the_id_as_it_is_written(definitions: dg.Definitions) -> None:
    job = definitions.resolve_job_def("load_it")
    assert (job.tags[KEY], job.metadata[KEY].value) == ("load-it", "load-it")
    assert [
        node.tags[KEY] for node in definitions.resolve_job_def("all_of_it").graph.nodes if node.name == "load_it"
    ] == ["load-it"]
    [spec] = [spec for spec in definitions.resolve_all_asset_specs() if spec.key == dg.AssetKey("load_it")]
    assert spec.metadata[KEY] == "load-it"


def test_names_in_any_language_are_shown(definitions: dg.Definitions) -> None:
    assert "装载" in (definitions.resolve_job_def("load_it").description or "")
    assert "全部" in (definitions.resolve_job_def("all_of_it").description or "")
