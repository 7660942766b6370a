"""The one job that a run needs is the job of all definitions: Dagster's snapshots of both are the same."""

import pytest
import yaml
from support.project import ROOT, Folder

from mystocks_dagster.only_job import only_job
from mystocks_dagster.project.project import Project
from mystocks_dagster.project.state import ProjectState
from mystocks_dagster.runs import launch
from mystocks_dagster.settings import Settings
from mystocks_dagster.taskfile.last_good import load_usable

NAMES = ["daily_data_sync", "calc_strategy_signals", "run_strategy_backtest", "daily_job", "monthly_cache_cleanup"]


@pytest.fixture
def settings(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> Settings:
    folder.write("tasks.yaml", (ROOT / "tasks.yaml").read_text(encoding="utf-8"))
    monkeypatch.chdir(folder.root)
    return Settings.from_env()


def test_a_run_of_the_one_job_is_the_run_of_all_definitions(settings: Settings) -> None:
    load_usable(settings)
    everything = launch.load(settings)
    with Project(settings).instance as instance:
        for name in NAMES:
            single = ProjectState(settings).repository_for(name)
            assert [job.name for job in single.definition.get_all_jobs()] == [name]
            runs = [
                instance.get_run_by_id(launch.create_run(instance, repository, name, {}, {}))
                for repository in (single, everything)
            ]
            assert runs[0] is not None
            assert runs[1] is not None
            for field in (
                "job_snapshot_id",
                "execution_plan_snapshot_id",
                "tags",
                "job_code_origin",
                "remote_job_origin",
            ):
                assert getattr(runs[0], field) == getattr(runs[1], field), (name, field)


def test_a_name_that_needs_everything_gets_everything(settings: Settings) -> None:
    load_usable(settings)
    assert launch.load(settings, "__ASSET_JOB").definition.has_job("daily_job")
    assert launch.load(settings, "cleanup_history").definition.has_job("cleanup_history")


def test_before_the_functions_are_known_to_be_right_all_is_read(settings: Settings) -> None:
    state = ProjectState(settings)
    written = yaml.safe_load((ROOT / "tasks.yaml").read_text(encoding="utf-8"))["tasks"]
    assert state.version_for("daily_job").functions.keys() == {task["task_id"] for task in written}
    assert state.repository_for("daily_job").definition.has_job("fetch_lhb_data")
    assert only_job() is None
