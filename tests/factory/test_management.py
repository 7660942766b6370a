"""The jobs that look after the project: their forms, and what they may touch."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from support.project import Folder

from mystocks_dagster.definitions import defs
from mystocks_dagster.instance import open_instance
from mystocks_dagster.settings import Settings
from mystocks_dagster.tags import OWN_NAMES

JOBS = ("cleanup_history", "import_tasks", "export_tasks", "delete_task")
FUNCTION = "task_module: mystocks_dagster.tasks.maintenance, task_function: cleanup_cache_data"
LAST = f"task_id: last, task_type: manual, {FUNCTION}"
TASKS = """
    tasks:
      # kept
      - {task_id: tidy, task_type: manual, task_module: mystocks_dagster.tasks.maintenance,
         task_function: cleanup_cache_data}
"""


@pytest.fixture
def run(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that runs a job of the project in this process; it returns the step's metadata or failure."""
    folder.write("tasks.yaml", TASKS)
    monkeypatch.chdir(folder.root)
    monkeypatch.setenv("MYSTOCKS_ROOT", str(folder.root))
    monkeypatch.setenv("DAGSTER_HOME", str(folder.root / ".dagster"))
    instance = open_instance(Settings.from_env())
    repository = defs().get_repository_def()

    def execute(job: str, **config: Any) -> Any:
        done = repository.get_job(job).execute_in_process(
            run_config={"ops": {job: {"config": config}}} if config else {}, instance=instance, raise_on_error=False
        )
        for event in done.all_node_events:
            if event.event_type == dg.DagsterEventType.STEP_OUTPUT:
                return {name: value.value for name, value in event.step_output_data.metadata.items()}
            if event.event_type == dg.DagsterEventType.STEP_FAILURE:
                return event.step_failure_data.user_failure_data.description
        raise AssertionError(done.all_events)

    return execute


@pytest.mark.parametrize("job", JOBS)
def test_every_field_of_the_form_is_described_in_both_languages_and_filled(run: Any, job: str) -> None:
    repository = defs().get_repository_def()
    fields = repository.get_job(job).graph.node_defs[0].config_field.config_type.fields
    assert fields
    for name, field in fields.items():
        assert field.default_provided, name
        assert any("一" <= letter <= "鿿" for letter in field.description), name
        assert any("a" <= letter <= "z" for letter in field.description), name


def test_what_the_project_makes_itself_has_a_reserved_name(run: Any) -> None:
    repository = defs().get_repository_def()
    jobs = {job.name for job in repository.get_all_jobs()} - {"__ASSET_JOB", "tidy"}
    assets = {key.to_user_string() for key in repository.asset_graph.get_all_asset_keys()}
    assert jobs == {*JOBS, "refresh_calendar"}
    # The asset of the alerts' channels is there when the file has addresses.
    assert (jobs | assets) ^ OWN_NAMES == {"alert_channels"}


def test_an_export_comes_back_through_an_import(run: Any, folder: Folder) -> None:
    text = (folder.root / "tasks.yaml").read_text(encoding="utf-8")
    assert run("export_tasks")["path"] == str(folder.root / "exports" / "tasks.yaml")
    assert (folder.root / "exports" / "tasks.yaml").read_text(encoding="utf-8") == text
    assert "nothing to change" in run("import_tasks")["message"]
    (folder.root / "exports" / "tasks.yaml").write_text(
        text.replace("task_id: tidy", "task_id: tidy_too"), encoding="utf-8"
    )
    assert "+" in run("import_tasks", dry_run=True)["diff"]
    assert (folder.root / "tasks.yaml").read_text(encoding="utf-8") == text
    run("import_tasks")
    ids = [
        task["task_id"] for task in yaml.safe_load((folder.root / "tasks.yaml").read_text(encoding="utf-8"))["tasks"]
    ]
    assert ids == ["tidy", "tidy_too"]
    assert "# kept" in (folder.root / "tasks.yaml").read_text(encoding="utf-8")


def test_a_task_is_deleted_unless_others_name_it(run: Any, folder: Folder) -> None:
    path = folder.root / "tasks.yaml"
    text = path.read_text(encoding="utf-8") + "task_groups:\n- {group_id: night, tasks: [tidy, last]}\n"
    path.write_text(text.replace("tasks:", "tasks:\n  - {" + LAST + "}", 1), encoding="utf-8")
    before = path.read_text(encoding="utf-8")
    assert "still used by night" in run("delete_task", task_id="tidy")
    assert "-" in run("delete_task", task_id="tidy", force=True, dry_run=True)["diff"]
    for wrong in ("tidyy", ""):
        assert "has no task" in run("delete_task", task_id=wrong)
    assert path.read_text(encoding="utf-8") == before
    assert "deleted" in run("delete_task", task_id="tidy", force=True)["message"]
    left = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert [task["task_id"] for task in left["tasks"]] == ["last"]
    assert left["task_groups"] == [{"group_id": "night", "tasks": ["last"]}]


def test_json_is_written_where_the_name_or_the_form_says_so(run: Any, folder: Folder) -> None:
    run("export_tasks", output_path="exports/a.json")
    run("export_tasks", output_path="exports/b.yaml", format="json")
    for name in ("a.json", "b.yaml"):
        assert (folder.root / "exports" / name).read_text(encoding="utf-8").startswith("{")


@pytest.mark.parametrize("path", ["../outside.yaml", "/no/such/folder/outside.yaml", "exports/../../tasks.yaml"])
def test_files_outside_the_folder_of_exports_are_neither_read_nor_written(run: Any, folder: Folder, path: str) -> None:
    assert "exports" in run("export_tasks", output_path=path)
    assert "exports" in run("import_tasks", config_path=path)
    assert not (folder.root / path).resolve().exists() or (folder.root / path).resolve() == folder.root / "tasks.yaml"


def test_a_name_is_one_of_the_folder_of_exports_and_never_the_task_file(run: Any, folder: Folder) -> None:
    before = (folder.root / "tasks.yaml").read_bytes()
    for name in ("tasks.yaml", "exports/tasks.yaml"):
        assert run("export_tasks", output_path=name)["path"] == str(folder.root / "exports" / "tasks.yaml")
    assert (folder.root / "tasks.yaml").read_bytes() == before


def test_what_is_wrong_fails_the_run_with_the_reason(run: Any, folder: Folder) -> None:
    assert "exports/none.yaml" in run("import_tasks", config_path="exports/none.yaml")
    assert ".json" in run("export_tasks", output_path="exports/tasks.txt")
    Path("exports").mkdir()
    Path("exports/tasks.yaml").write_text("tasks: [{task_id: a}]", encoding="utf-8")
    assert "tasks.yaml:1" in run("import_tasks")


def test_a_dry_clean_up_says_what_it_would_remove(run: Any) -> None:
    assert "would remove" in run("cleanup_history", dry_run=True)["message"]
    assert "days" in run("cleanup_history", days=0)


@pytest.mark.parametrize(
    ("job", "field"), [("import_tasks", "config_path"), ("export_tasks", "output_path"), ("delete_task", "task_id")]
)
def test_nobody_reads_an_environment_variable_through_a_jobs_form(
    run: Any, monkeypatch: pytest.MonkeyPatch, job: str, field: str
) -> None:
    monkeypatch.setenv("TUSHARE_TOKEN", "hunter2")
    with pytest.raises(dg.DagsterInvalidConfigError) as refused:
        run(job, **{field: {"env": "TUSHARE_TOKEN"}})
    assert "hunter2" not in str(refused.value)
