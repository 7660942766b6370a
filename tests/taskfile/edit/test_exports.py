"""Where an export may be written, and what it never replaces."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from support.project import Folder

from mystocks_dagster.errors import InvalidParams
from mystocks_dagster.manager.tasks import TaskManager
from mystocks_dagster.settings import Settings
from mystocks_dagster.taskfile.edit import writer
from mystocks_dagster.taskfile.edit.exports import confined, export

TASKS = "tasks:\n- {task_id: a, task_type: manual, task_module: maintenance, task_function: cleanup_cache_data}\n"


@pytest.fixture
def settings(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> Settings:
    folder.write("tasks.yaml", TASKS.replace("maintenance", "mystocks_dagster.tasks.maintenance", 1))
    monkeypatch.setenv("MYSTOCKS_ROOT", str(folder.root))
    monkeypatch.setenv("DAGSTER_HOME", str(folder.root / ".dagster"))
    monkeypatch.chdir(folder.root)
    return Settings.from_env()


def text(settings: Settings) -> str:
    return settings.task_file.read_text(encoding="utf-8")


def test_a_former_export_is_replaced_and_one_that_was_changed_is_not(settings: Settings) -> None:
    target = settings.root / "out" / "copy.yaml"
    export(settings, target)
    settings.task_file.write_text(text(settings) + "# more\n", encoding="utf-8")
    assert export(settings, target).read_text(encoding="utf-8") == text(settings)
    target.write_text("mine", encoding="utf-8")
    with pytest.raises(InvalidParams, match=r"not a former export, or was changed since.*--force"):
        export(settings, target)
    assert target.read_text(encoding="utf-8") == "mine"
    export(settings, target, force=True)
    assert target.read_text(encoding="utf-8") == text(settings)


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize(
    "kind",
    ["folder", "link", "dangling link", "pipe", "device", "task file", "task file by another name", "instance", "lake"],
)
def test_what_an_export_never_replaces(kind: str, force: bool, settings: Settings) -> None:
    root, target = settings.root, settings.root / "there.yaml"
    match kind:
        case "folder":
            target.mkdir()
        case "link":
            target.symlink_to(settings.task_file)
        case "dangling link":
            target.symlink_to(root / "nothing")
        case "pipe":
            os.mkfifo(target)
        case "device":
            target = Path("/dev/null")
        case "task file":
            target = root / "x" / ".." / "tasks.yaml"
            (root / "x").mkdir()
        case "task file by another name":
            os.link(settings.task_file, target)
        case "instance":
            target = settings.dagster_home / "dagster.yaml"
            target.write_text("a", encoding="utf-8")
        case "lake":
            target = root / "data" / "daily_bars" / "part.parquet"
            target.parent.mkdir(parents=True)
            target.write_bytes(b"rows")
    before = target.lstat()
    with pytest.raises(
        InvalidParams, match=r"is (a folder|a link|a device|a pipe|the task file itself)|belongs to the (instance|lake)"
    ):
        export(settings, target, force=force)
    after = target.lstat()
    assert (after.st_ino, after.st_mode, after.st_size) == (before.st_ino, before.st_mode, before.st_size)
    assert Path("/dev/null").is_char_device()
    assert not list(root.glob(".*.tmp"))


def test_one_rule_for_commands_rest_python_and_the_job(settings: Settings, folder: Folder) -> None:
    (settings.root / "exports").mkdir()
    (settings.root / "exports" / "mine.yaml").write_text("mine", encoding="utf-8")
    told = folder.mystocks("export", "exports/mine.yaml", code=1)
    assert "not a former export" in told
    assert "is a device" in folder.mystocks("export", "/dev/null", code=1)
    with pytest.raises(InvalidParams, match="not a former export"):
        TaskManager(settings).export_config(settings.root / "exports" / "mine.yaml")
    assert (settings.root / "exports" / "mine.yaml").read_text(encoding="utf-8") == "mine"
    assert "wrote" in folder.mystocks("export", "exports/mine.yaml", "--force")


@pytest.mark.parametrize("named", ["a.yaml", "exports/a.yaml", "x/../a.yaml"])
def test_a_name_means_the_same_to_rest_and_to_the_job(named: str, settings: Settings) -> None:
    assert confined(settings, named) == settings.exports / "a.yaml"


@pytest.mark.parametrize("named", ["../a.yaml", "/etc/a.yaml", "a.txt", "", ".", "a\0.yaml", "x" * 300 + ".yaml"])
def test_a_remote_caller_leaves_the_export_folder_in_no_way(named: str, settings: Settings) -> None:
    with pytest.raises(InvalidParams):
        confined(settings, named)
    (settings.root / "exports").symlink_to(settings.root)
    with pytest.raises(Exception, match="contains the project"):
        confined(replace(settings, exports=settings.root), "a.yaml")


EDIT = """
import os, signal
from pathlib import Path
from mystocks_dagster.taskfile.edit import writer
whole = os.fsync
def killed(descriptor):
    whole(descriptor)
    os.kill(os.getpid(), signal.SIGKILL)
os.fsync = killed
writer.edit_task(Path("tasks.yaml"), "a", {"timeout": 5})
"""


def test_what_a_killed_edit_left_goes_at_the_next_edit(settings: Settings) -> None:
    killed = subprocess.run([sys.executable, "-c", EDIT], cwd=settings.root, check=False)
    assert killed.returncode == -signal.SIGKILL
    (left,) = settings.root.glob(".tasks.yaml*.tmp")
    assert "task_id: a" in left.read_text(encoding="utf-8")
    own = settings.root / ".tasks.yaml.notes.tmp"
    own.write_text("not ours", encoding="utf-8")
    writer.edit_task(settings.task_file, "a", {"timeout": 6}, dry_run=True)
    assert left.exists(), "a dry run changes nothing"
    writer.edit_task(settings.task_file, "a", {"timeout": 6})
    assert not left.exists()
    assert own.exists()
