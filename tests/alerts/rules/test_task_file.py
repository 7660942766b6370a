"""The task file and the calendar as Dagster shows them, and the message about a broken file."""

from datetime import datetime

import dagster as dg
import pytest
from alerts.conftest import Project
from support.receivers import Webhook

from mystocks_dagster.factory.build import build_definitions
from mystocks_dagster.factory.system import calendar_outcome, file_outcome
from mystocks_dagster.market.clock import SHANGHAI
from mystocks_dagster.tags import OWN_NAMES
from mystocks_dagster.taskfile.names import id_fault
from mystocks_dagster.trading_calendar.in_force import combine
from mystocks_dagster.trading_calendar.record import Record

BROKEN = "  - {task_id: lost, task_name: 丢失, task_type: manual, task_module: work, task_function: no_such_function}\n"


def add(project: Project, text: str) -> None:
    path = project.folder.root / "tasks.yaml"
    written = path.read_text(encoding="utf-8")
    path.write_text(written.replace("task_groups:", f"{text}task_groups:"), encoding="utf-8")


def sense(project: Project) -> None:
    """Let the system's sensor look, as the daemon does."""
    sensor = build_definitions(project.version).get_repository_def().get_sensor_def("system__sensor")
    sensor.evaluate_tick(dg.build_sensor_context(instance=project.instance))


def check(project: Project, asset: str, name: str) -> tuple[bool, str, str]:
    key = dg.AssetCheckKey(dg.AssetKey(asset), name)
    record = project.instance.event_log_storage.get_latest_asset_check_execution_by_key([key])[key]
    found = record.evaluation
    assert found is not None
    return found.passed, found.severity.value, found.description or ""


def events(project: Project) -> int:
    return len(project.instance.event_log_storage.get_asset_check_execution_history(
        dg.AssetCheckKey(dg.AssetKey("task_file"), "loads"), limit=100
    ))  # fmt: skip


def test_a_broken_version_is_told_once_and_the_mended_one_too(project: Project, hook: Webhook) -> None:
    project.use(hook.url)
    add(project, BROKEN)
    project.load()
    project.look()
    project.restart()
    project.look()
    assert hook.titles == ["❌ 任务文件有错误"]
    assert "未加载：lost" in hook.text
    assert "no_such_function" in hook.text
    add(project, BROKEN.replace("lost", "lost_too"))
    project.load()
    project.look()
    assert hook.titles == ["❌ 任务文件有错误"] * 2
    project.use(hook.url)
    assert hook.titles[2:] == ["✅ 任务文件已修复"]


def test_a_file_that_cannot_be_read_is_told_by_the_sensor_of_the_version_before(
    project: Project, hook: Webhook
) -> None:
    project.use(hook.url)
    project.folder.write("tasks.yaml", "tasks: [")
    project.look()
    project.look()
    assert hook.titles == ["❌ 任务文件有错误"]
    told = file_outcome(project.watch.state())
    assert not told.passed
    assert "tasks.yaml:2:1: this is not YAML" in told.description


def test_a_saved_file_that_is_not_loaded_yet_is_a_warning(project: Project, hook: Webhook) -> None:
    project.use(hook.url)
    assert file_outcome(project.watch.state()).passed
    add(project, BROKEN.replace("no_such_function", "sync"))
    told = file_outcome(project.watch.state())
    assert (told.passed, told.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "mystocks reload" in told.description
    project.load()
    assert file_outcome(project.watch.state()).passed


def test_the_check_lists_every_problem_with_its_place_and_is_written_only_when_it_changes(
    project: Project, hook: Webhook
) -> None:
    project.use(hook.url)
    sense(project)
    sense(project)
    assert events(project) == 1
    assert check(project, "task_file", "loads")[0]
    add(
        project,
        BROKEN + "  - {task_id: wrong, task_type: manual, task_module: work, task_function: sync, retry_count: -1}\n",
    )
    project.load()
    sense(project)
    passed, severity, told = check(project, "task_file", "loads")
    assert (passed, severity) == (False, "ERROR")
    lines = (project.folder.root / "tasks.yaml").read_text(encoding="utf-8").splitlines()
    for name in ("lost", "wrong"):
        line = next(number for number, text in enumerate(lines, 1) if f"task_id: {name}," in text)
        assert f"tasks.yaml:{line}:" in told
    assert events(project) == 2


def test_the_loaded_version_is_in_the_catalog(project: Project, hook: Webhook) -> None:
    project.use(hook.url)
    project.at("2026-11-24T10:00:00")
    sense(project)
    event = project.instance.get_latest_materialization_event(dg.AssetKey("task_file"))
    assert event is not None
    assert event.asset_materialization is not None
    shown = {name: value.value for name, value in event.asset_materialization.metadata.items()}
    assert shown["mystocks/version"] == project.version.hash
    assert shown["mystocks/loaded_at"] == datetime(2026, 11, 24, 10, tzinfo=SHANGHAI).timestamp()
    assert (shown["mystocks/tasks"], shown["mystocks/groups"], shown["mystocks/broken"]) == (7, 2, [])


@pytest.mark.parametrize(
    ("day", "verdict"),
    [
        ("2026-11-30", (True, "WARN")),
        ("2026-12-01", (False, "WARN")),
        ("2026-12-30", (False, "WARN")),
        ("2026-12-31", (False, "ERROR")),
    ],
)
def test_the_calendar_warns_from_thirty_days_before_its_end(day: str, verdict: tuple[bool, str]) -> None:
    # The exchanges have announced the days to 2026-12-31, 30 days after 2026-12-01; those of 2027 by 2026-12-24, at
    # the latest.
    told = calendar_outcome(combine(None, Record()), datetime.fromisoformat(f"{day}T09:00:00+08:00"))
    assert (told.passed, told.severity.value) == verdict
    if not told.passed:
        assert "mystocks calendar --refresh" in told.description


def test_a_check_can_be_run_by_hand_in_the_ui(project: Project, hook: Webhook) -> None:
    project.use(hook.url)
    repository = build_definitions(project.version).get_repository_def()
    job = repository.get_implicit_asset_job_names()[0]
    selection = {dg.AssetCheckKey(dg.AssetKey("trading_calendar"), "covers_next_30_days")}
    result = (
        repository.get_job(job)
        .get_subset(asset_selection=frozenset(), asset_check_selection=selection)
        .execute_in_process(instance=project.instance)
    )
    assert [one.check_name for one in result.get_asset_check_evaluations()] == ["covers_next_30_days"]


@pytest.mark.parametrize("name", sorted(OWN_NAMES))
def test_the_projects_own_names_are_refused_as_ids(name: str) -> None:
    assert id_fault(name) == f"{name} is created by the project itself"
    assert id_fault(name.replace("_", "-")) == f"{name} is created by the project itself"
