"""Task files as Dagster components: several in one code location, and what they share."""

import itertools
import sys
from datetime import date
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from mystocks_dagster import LakeResource, TaskFileComponent
from mystocks_dagster.errors import TableMissing
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.taskfile.problems import TaskFileError

_NUMBERS = itertools.count()
BARS = """
tasks:
  - task_id: {name}_bars
    task_type: manual
    task_module: mystocks_dagster.tasks.data_sync
    task_function: sync_daily_stock_data
"""


class Project:
    """A dg project in a folder of its own, loaded in this process."""

    def __init__(self, root: Path) -> None:
        self.root = root
        # A name that no other test's project has: Python keeps what it has imported.
        self.package = f"dg_project_{next(_NUMBERS)}"
        self.defs = root / self.package / "defs"
        self.defs.mkdir(parents=True)
        for folder in (self.defs, self.defs.parent):
            (folder / "__init__.py").touch()

    def add(self, name: str, tasks: str, attributes: str = "{}") -> Path:
        """Write a component; returns its task file."""
        folder = self.defs / name
        folder.mkdir()
        (folder / "defs.yaml").write_text(f"type: mystocks_dagster.TaskFileComponent\nattributes: {attributes}\n")
        (folder / "tasks.yaml").write_text(tasks)
        return folder / "tasks.yaml"

    def load(self) -> dg.Definitions:
        """Return the definitions of the code location."""
        sys.path.insert(0, str(self.root))
        try:
            module = __import__(f"{self.package}.defs", fromlist=["defs"])
        finally:
            sys.path.remove(str(self.root))
        return dg.ComponentTree.from_module(module, self.root).build_defs()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MYSTOCKS_ROOT", str(tmp_path))
    return Project(tmp_path)


def reason(error: BaseException | None) -> TaskFileError:
    """Return the error of ours below Dagster's."""
    while error is not None and not isinstance(error, TaskFileError):
        error = error.__cause__
    assert error is not None
    return error


def keys(definitions: dg.Definitions) -> set[str]:
    return {key.to_user_string() for key in definitions.resolve_all_asset_keys()}


def test_each_lake_has_its_own_daily_bars(project: Project) -> None:
    project.add("hongkong", BARS.format(name="hongkong"), "{lake: lakes/hongkong, source: simulated}")
    project.add("market", BARS.format(name="market"))
    definitions = project.load()
    assert {"daily_bars", "hongkong/daily_bars", "market/task_file", "hongkong/task_file"} <= keys(definitions)
    repository = definitions.get_repository_def()
    assert {"market_bars", "hongkong_bars"} <= {job.name for job in repository.get_all_jobs()}
    pools = {
        job: repository.get_job(f"{job}_bars").graph.node_named(f"{job}_bars").definition.pool
        for job in ("market", "hongkong")
    }
    assert pools["market"] != pools["hongkong"]
    assert pools["hongkong"].startswith("table_hongkong_")


def test_two_files_of_one_lake_share_its_tables_and_wait_for_each_other(project: Project) -> None:
    project.add("first", BARS.format(name="first"))
    project.add("second", BARS.format(name="second"))
    definitions = project.load()
    owner = definitions.resolve_asset_graph().get(dg.AssetKey("daily_bars"))
    assert owner.assets_def.op.name == "first_bars__asset"
    repository = definitions.get_repository_def()
    pools = {
        repository.get_job(f"{name}_bars").graph.node_named(f"{name}_bars").definition.pool
        for name in ("first", "second")
    }
    assert len(pools) == 1


def test_what_looks_at_all_tasks_is_there_once(project: Project) -> None:
    every = BARS + "    schedule: {{schedule_type: interval, interval_seconds: 60}}\n"
    every = every.replace("manual", "cron")
    project.add("one", every.format(name="one"))
    project.add("two", every.format(name="two"))
    repository = project.load().get_repository_def()
    sensors = {sensor.name: sensor for sensor in repository.sensor_defs}
    assert {target.job_name for target in sensors["intervals__sensor"].targets} == {"one_bars", "two_bars"}
    assert {"one_bars__schedule", "two_bars__schedule", "supervisors__sensor", "system__sensor"} <= sensors.keys()


def test_the_same_task_id_in_two_files_is_an_error_with_both_lines(project: Project) -> None:
    first = project.add("first", BARS.format(name="same"))
    second = project.add("second", "description: x\n" + BARS.format(name="same"))
    with pytest.raises(Exception, match=r"first|second") as caught:
        project.load()
    (problem,) = reason(caught.value).problems
    assert (problem.file, problem.line, problem.path) == (str(second), 4, "tasks[0].task_id")
    assert f"{first}:3" in problem.message
    assert "Rename" in problem.hint


def test_alerts_in_two_files_are_an_error_with_the_line(project: Project) -> None:
    alerts = "alerts: {channels: []}\n"
    first = project.add("first", BARS.format(name="first") + alerts)
    second = project.add("second", BARS.format(name="second") + alerts)
    with pytest.raises(Exception, match=r"first|second") as caught:
        project.load()
    problem = next(problem for problem in reason(caught.value).problems if "one `alerts`" in problem.message)
    assert (problem.file, problem.line) == (str(second), 7)
    assert str(first) in problem.message


def test_two_lakes_with_the_same_folder_name_are_refused(project: Project) -> None:
    project.add("first", BARS.format(name="first"), "{lake: a/data}")
    project.add("second", BARS.format(name="second"), "{lake: b/data}")
    with pytest.raises(Exception, match=r"first|second") as caught:
        project.load()
    (problem,) = reason(caught.value).problems
    assert str(project.root / "a" / "data") in problem.message
    assert str(project.root / "b" / "data") in problem.message


def test_one_broken_task_leaves_the_others_and_fails_a_validation(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = project.add(
        "market",
        BARS.format(name="market") + BARS.format(name="broken").replace("\ntasks:", "").replace("manual", "manul"),
    )
    assert "market_bars" in {job.name for job in project.load().get_repository_def().get_all_jobs()}
    monkeypatch.setenv("DAGSTER_IS_DEFS_VALIDATION_CLI", "1")
    with pytest.raises(Exception, match="market") as caught:
        project.load()
    assert (reason(caught.value).problems[0].file, reason(caught.value).problems[0].line) == (str(path), 9)


def test_an_unknown_source_is_refused_with_the_names_of_all(project: Project) -> None:
    project.add("market", BARS.format(name="market"), "{source: simulatd}")
    with pytest.raises(Exception, match="market") as caught:
        project.load()
    allowed = "akshare, baostock, dumps, recorded, simulated, tdx, auto"
    assert f"'simulatd' is not a data source; allowed: {allowed}" in str(caught.value.__cause__)


def test_a_task_writes_into_the_lake_that_its_component_names(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MYSTOCKS_SIMULATED", "symbols=5,start=2026-11-25")
    monkeypatch.setenv("MYSTOCKS_NOW", "2026-11-27T20:00:00+08:00")
    project.add("hongkong", BARS.format(name="hongkong"), "{lake: lakes/hongkong, source: simulated}")
    job = project.load().resolve_job_def("hongkong_bars")
    with dg.DagsterInstance.ephemeral() as instance:
        assert job.execute_in_process(instance=instance).success
        event = instance.get_latest_materialization_event(dg.AssetKey(["hongkong", "daily_bars"]))
    assert event is not None
    assert not (project.root / "data").exists()
    lake = LakeResource(location=str(project.root / "lakes" / "hongkong"))
    assert set(lake.read("daily_bars")["date"].cast(pl.String)) == {"2026-11-25", "2026-11-26", "2026-11-27"}


def test_hand_written_assets_get_the_lake_of_their_file(project: Project) -> None:
    project.add("hongkong", BARS.format(name="hongkong"), "{lake: lakes/hongkong}")
    project.add("market", BARS.format(name="market"))
    resources = project.load().resources or {}
    assert Path(resources["hongkong_lake"].lake.location) == project.root / "lakes" / "hongkong"
    assert Path(resources["lake"].lake.location) == project.root / "data"


def test_the_lake_resource_reads_scans_adjusts_and_answers_sql(tmp_path: Path) -> None:
    resource = LakeResource(location=str(tmp_path))
    with pytest.raises(TableMissing, match="There is no table daily_bars"):
        resource.read("daily_bars")
    day = date(2024, 1, 2)
    values = {"open": 9.0, "high": 11.0, "low": 8.0, "close": 10.0, "prev_close": 9.0, "volume": 100, "amount": 1000.0}
    row = {"symbol": "600519.SH", "date": day, **values, "turnover": 1.0, "is_st": False, "suspended": False}
    lake = Lake(str(tmp_path), "real")
    lake.replace_days("daily_bars", pl.DataFrame([row], schema=TABLES["daily_bars"].dtypes), [day])
    event = {"symbol": "000001.SZ", "date": day, "ratio": 1.1}
    lake.upsert("adjust_events", pl.DataFrame([event], schema=TABLES["adjust_events"].dtypes))
    assert resource.read("daily_bars", columns=["close"], symbols=["600519.SH"])["close"].to_list() == [10.0]
    assert resource.read("daily_bars", start=date(2024, 1, 3)).is_empty()
    assert resource.scan("daily_bars").select("volume").collect().item() == 100
    assert resource.adjusted_bars("qfq", columns=["date", "factor"]).rows() == [(day, 1.0)]
    assert resource.sql("SELECT high - low AS span FROM daily_bars")["span"].to_list() == [3.0]


def test_a_component_of_python_code_is_a_component_too() -> None:
    component = TaskFileComponent(tasks_file="other.yaml")
    assert (component.tasks_file, component.lake, component.source) == ("other.yaml", None, None)
