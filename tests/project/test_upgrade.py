"""A project of an older version, brought along: its dagster.yaml, its history, its lake."""

import json
import re
import shlex
import shutil
import sqlite3
from pathlib import Path

import polars as pl
import pytest
from support.commands import Commands
from support.project import ROOT, empty_home
from support.small_market import small_lake

from mystocks_dagster.instance import open_instance
from mystocks_dagster.lake import formats
from mystocks_dagster.lake.formats import Migration
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.project import upgrade as module
from mystocks_dagster.project.instance_file import upgraded
from mystocks_dagster.settings import Settings
from mystocks_dagster.version_stamp import STAMP, installed

pytestmark = pytest.mark.slow

OLDER = Path(__file__).parent / "older"
SHIPPED = (ROOT / "dagster.yaml").read_text(encoding="utf-8")
SECTIONS = (ROOT / "mystocks_dagster/project/templates/older_dagster.yaml").read_text(encoding="utf-8")
#: Revision of Dagster's tables before the newest one.
OLD_REVISION = "f495c27d5019"


def cents(rows: pl.LazyFrame) -> pl.LazyFrame:
    return rows.with_columns(pl.col("close") * 100)


def closes(root: Path) -> list[float]:
    return Lake(str(root / "data")).read("daily_bars", symbols=["600519.SH"])["close"].sort().to_list()


@pytest.fixture
def older(cli: Commands, monkeypatch: pytest.MonkeyPatch) -> Commands:
    """A project with the first version's files, a history of an older Dagster and a lake of an older format."""
    root = cli.folder.root
    for name in ("tasks.yaml", "dagster.yaml"):
        shutil.copy(OLDER / name, root / name)
    shutil.rmtree(root / ".dagster")
    shutil.copytree(empty_home(), root / ".dagster")
    for database in (root / ".dagster").rglob("*.db"):
        with sqlite3.connect(database) as connection:
            if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone():
                connection.execute("UPDATE alembic_version SET version_num = ?", (OLD_REVISION,))
        connection.close()
    small_lake(root / "data")
    changes = (Migration(number=2, table="daily_bars", about="closes become cents", change=cents),)
    monkeypatch.setattr(formats, "MIGRATIONS", changes)
    return cli


def test_one_command_brings_files_history_and_lake_along_and_can_be_repeated(older: Commands) -> None:
    root = older.folder.root
    before = (root / "dagster.yaml").read_text(encoding="utf-8")
    planned = older.json("upgrade", "--dry-run")
    assert [step["part"] for step in planned["steps"]] == ["dagster.yaml", "history", "lake", "version"]
    assert (root / "dagster.yaml").read_text(encoding="utf-8") == before

    told = older("upgrade")
    assert "run_coordinator, run_monitoring, concurrency" in told
    assert "4 done" in told
    assert "bootstrap_market" in told  # shipped since, and not in the file
    assert (root / "dagster.yaml.bak").read_text(encoding="utf-8") == before
    with open_instance(Settings.from_env()) as instance:
        assert module._is_current(instance)
        assert type(instance.run_coordinator).__name__ == "LaneRunCoordinator"
    assert closes(root) == [1000.0, 1100.0]

    assert "nothing to do" in older("upgrade")
    assert closes(root) == [1000.0, 1100.0]


@pytest.mark.parametrize(
    ("page", "section"), [("how-to.md", "Upgrade"), ("zh/how-to.md", "升级"), ("own-project.md", "A newer version")]
)
def test_the_guide_brings_an_older_project_along_as_it_is_written(
    older: Commands, monkeypatch: pytest.MonkeyPatch, page: str, section: str
) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8").split(f"\n## {section}\n")[1].split("\n## ")[0]
    blocks = re.findall(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    typed = [line.removeprefix("$ ").removeprefix("mystocks ") for block in blocks for line in block.splitlines()]
    assert typed[-2:] == ["upgrade --dry-run", "upgrade"]
    for line in typed:
        older(*shlex.split(line))
    assert closes(older.folder.root) == [1000.0, 1100.0]
    assert "nothing to do" in older("upgrade")
    if (backup := older.folder.root.parent / "before-upgrade").exists():  # made before, so it holds the older lake
        older("restore", str(backup), str(older.folder.root.parent / "older"))
        monkeypatch.setattr(formats, "MIGRATIONS", ())  # as the version before reads it
        assert closes(older.folder.root.parent / "older") == [10.0, 11.0]


def test_the_plan_is_told_in_the_language_of_the_terminal(older: Commands) -> None:
    lines = older("--lang", "zh", "upgrade", "--dry-run").splitlines()
    assert [line for line in lines if re.search(r"\b[a-z]+ [a-z]+ [a-z]+", line)] == []
    assert any(line.startswith("版本  项目已记为版本") for line in lines)
    assert "4 项待处理" in lines


def test_what_a_newer_version_wrote_is_refused_with_both_versions(older: Commands) -> None:
    stamp = older.folder.root / ".dagster" / STAMP
    stamp.write_text("99.1\n")
    assert f"is of version 99.1, and {installed()} is installed" in older("upgrade", code=1)
    stamp.write_text("ninety\n")
    assert "'ninety', which is not a version" in older("upgrade", code=1)
    assert (older.folder.root / "dagster.yaml").read_text() == (OLDER / "dagster.yaml").read_text()


def test_a_lake_of_a_newer_version_is_refused_before_anything_changes(
    older: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    older("data", "migrate")
    monkeypatch.setattr(formats, "MIGRATIONS", ())
    assert "format 2, and this version of MyStocks supports formats up to 1" in older("upgrade", code=1)
    assert (older.folder.root / "dagster.yaml").read_text() == (OLDER / "dagster.yaml").read_text()


def test_an_upgrade_waits_until_the_servers_are_stopped(older: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ui_address", lambda home: "http://127.0.0.1:3000")
    assert "Stop them first" in older("upgrade", code=1)
    assert "4 to do" in older("upgrade", "--dry-run")


def test_a_broken_task_file_is_named_after_the_rest_is_done(older: Commands) -> None:
    older.folder.write(
        "tasks.yaml", "tasks:\n  - {task_id: a, task_type: manual, task_module: gone, task_function: f}\n"
    )
    told = older("upgrade", code=1)
    assert "4 done" in told
    assert "mystocks check" in told


def test_a_folder_without_a_project_is_told_how_to_make_one(cli: Commands) -> None:
    assert "mystocks init my-market" in cli("upgrade", code=1)


def test_schemas_of_a_new_project_become_those_of_this_version(older: Commands) -> None:
    path = older.folder.write("schemas/tasks.schema.json", "{}")
    older("upgrade")
    assert "task_id" in json.dumps(json.loads(path.read_text(encoding="utf-8")))


def test_what_a_person_changed_in_dagster_yaml_is_kept() -> None:
    mine = SHIPPED.replace("start_timeout_seconds: 90", "start_timeout_seconds: 300")
    assert upgraded(mine, SHIPPED, SECTIONS) == (mine, [])
    postgres = (OLDER / "dagster.yaml").read_text().replace("sqlite:\n    base_dir: .dagster", "postgres: {}", 1)
    text, changes = upgraded(postgres, SHIPPED, SECTIONS)
    assert "postgres: {}" in text
    assert [change.section for change in changes if not change.added] == [
        "run_coordinator", "run_monitoring", "concurrency",
    ]  # fmt: skip
    assert upgraded(text, SHIPPED, SECTIONS) == (text, [])


def test_the_shipped_file_needs_no_upgrade() -> None:
    assert upgraded(SHIPPED, SHIPPED, SECTIONS) == (SHIPPED, [])
