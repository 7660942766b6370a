"""A project restored elsewhere is the same project: every file, run, statistic and table of it."""

import hashlib
import json
import os
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from dagster._daemon.types import DaemonHeartbeat
from history.conftest import Store
from support.commands import Commands, commands_in
from support.object_store import object_store
from support.postgres import new_database
from support.project import Folder, make_folder
from support.small_market import small_lake

from mystocks_dagster.backup.manifest import read_manifest
from mystocks_dagster.cli.main import _explain, main
from mystocks_dagster.errors import BackupError
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.lake.table_files import TableFiles
from mystocks_dagster.runs.launch import QUEUE_DAEMON, daemon_alive

#: What is on the disk of a project beyond tasks.yaml.
OWN = {"datasets/mine.yaml": "table: mine\n", "formulas/up.txt": "C > O;\n", "notes/深沪.txt": "只读\n"}


@pytest.fixture
def cli(store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Commands:
    """Commands in a project with runs, a lake and files of its own."""
    small_lake(store.folder.root / "data")
    for name, text in OWN.items():
        store.folder.write(name, text)
    store.run("night", load="success", **{"calc-it": "failed"})
    store.run("report", report="skipped")
    return commands_in(store.folder, monkeypatch, capsys)


def go_to(cli: Commands) -> None:
    """Work in the folder of these commands again."""
    commands_in(cli.folder, cli.monkeypatch, cli.capsys)


def tables(root: Path) -> dict[str, pl.DataFrame]:
    return tables_of(str(root / "data"))


def tables_of(location: str) -> dict[str, pl.DataFrame]:
    lake = Lake(location)
    return {
        name: frame.sort(frame.columns)
        for name in ("daily_bars", "stocks", "loaded_days", "stock_names", "adjust_events")
        if lake.exists(name) and (frame := lake.read(name)) is not None
    }


def looks(store: Store) -> dict[str, Any]:
    return {"history": store.history(), "statistics": store.statistics()}


def database(store: Store) -> dict[str, list[Any]]:
    """Every row of every table of the storage, and the definitions of its indexes."""
    found: dict[str, list[Any]] = {}
    instance = store.instance
    connects = (
        instance.run_storage.connect,  # ty: ignore[unresolved-attribute]
        instance.schedule_storage.connect,  # ty: ignore[unresolved-attribute]
        instance.event_log_storage.index_connection,  # ty: ignore[unresolved-attribute]
    )
    for connect in connects:
        with connect() as connection:
            kind = connection.dialect.name
            named = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
            if kind == "postgresql":
                named = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
                rows = connection.exec_driver_sql("SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'")
                found["indexes"] = sorted(text for (text,) in rows)
            for (name,) in list(connection.exec_driver_sql(named)):
                rows = connection.exec_driver_sql(f'SELECT * FROM "{name}"')
                found[name] = sorted(repr([_plain(value) for value in row]) for row in rows)
    return found


def _plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value


@pytest.mark.slow
def test_restored_elsewhere_it_has_every_table_run_and_statistic(
    store: Store, cli: Commands, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    before = {"looks": looks(store), "rows": database(store), "tables": tables(store.folder.root)}
    backup = tmp_path / "backup"
    go_to(cli)
    made = cli.json("backup", str(backup))
    assert set(made["tables"]) >= {"daily_bars", "stocks"}
    store.instance.dispose()
    if made["storage"] == "postgres":
        new_database(request.getfixturevalue("postgres"), "restored", cli.monkeypatch)
    # Nothing of the first one can be what is found later.
    first = store.folder.root.rename(tmp_path / "gone")
    root = tmp_path / "elsewhere"
    root.mkdir()
    there = commands_in(Folder(root), cli.monkeypatch, cli.capsys)
    assert "every digest is right" in there("restore", str(backup), "--check")
    assert not any(root.iterdir())
    there("restore", str(backup))
    restored = Store(Folder(root))
    assert looks(restored) == before["looks"] | {"history": _moved(before["looks"]["history"], store.folder.root, root)}
    after = tables(root)
    assert {name: frame.equals(before["tables"][name]) for name, frame in after.items()} == dict.fromkeys(
        before["tables"], True
    )
    assert database(restored) == before["rows"]
    for name in ("tasks.yaml", "dagster.yaml", "quick.py", *OWN):
        assert (root / name).read_bytes() == (first / name).read_bytes()
        assert (root / name).stat().st_mode == (first / name).stat().st_mode
    # A new run gets a new id, and is counted beside the restored ones.
    restored.run("report", report="success")
    assert len(restored.history()) == len(before["looks"]["history"]) + 1


def _moved(history: list[dict[str, Any]], old: Path, new: Path) -> list[dict[str, Any]]:
    return json.loads(json.dumps(history, default=str).replace(str(old), str(new)))


@pytest.mark.slow
def test_a_copy_of_a_project_whose_daemon_ran_says_that_no_daemon_is_alive(
    store: Store, cli: Commands, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mystocks_dagster.backup import restoration

    store.instance.add_daemon_heartbeat(DaemonHeartbeat(time.time(), QUEUE_DAEMON, "its id", []))
    assert daemon_alive(store.instance)
    go_to(cli)
    made = cli.json("backup", str(tmp_path / "backup"))
    if made["storage"] == "postgres":
        new_database(request.getfixturevalue("postgres"), "copied", monkeypatch)
    root = tmp_path / "elsewhere"
    root.mkdir()
    there = commands_in(Folder(root), monkeypatch, cli.capsys)
    put = restoration._put

    def interrupted(source: Path, places: Any, files: list[Any]) -> None:
        if [file.path for file in files] == ["project/tasks.yaml"]:
            raise OSError(28, "No space left on device", "tasks.yaml")
        put(source, places, files)

    with monkeypatch.context() as patch:  # interrupted before its end, it goes on
        patch.setattr(restoration, "_put", interrupted)
        there("restore", str(tmp_path / "backup"), code=1)
    there("restore", str(tmp_path / "backup"))
    restored = Store(Folder(root))
    assert not daemon_alive(restored.instance)
    assert len(restored.history()) == len(store.history())


@pytest.fixture
def backup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """A backup of a small project whose lake is part of it."""
    folder = make_folder(tmp_path / "first")
    folder.write("tasks.yaml", "tasks: []\n")
    folder.write("datasets/mine.yaml", "table: mine\n")
    small_lake(folder.root / "data")
    with monkeypatch.context() as patch:
        commands_in(folder, patch, capsys)("backup", str(tmp_path / "backup"))
    return tmp_path / "backup"


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Commands:
    """Commands in an empty folder."""
    root = tmp_path / "second"
    root.mkdir()
    return commands_in(Folder(root), monkeypatch, capsys)


def one_of(backup: Path, pattern: str) -> Path:
    return sorted(backup.glob(pattern))[0]


@pytest.mark.parametrize("pattern", ["project/tasks.yaml", "lake/daily_bars/**/*.parquet", "instance/history/runs.db"])
def test_an_altered_file_of_a_backup_is_named_and_not_restored(backup: Path, empty: Commands, pattern: str) -> None:
    path = one_of(backup, pattern)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    for arguments in (["--check"], []):
        told = empty("restore", str(backup), *arguments, code=1)
        assert str(path) in told
        assert "digest differs" in told
    assert not (empty.folder.root / "tasks.yaml").exists()
    # Mended, the same command goes on.
    content[-1] ^= 1
    path.write_bytes(content)
    empty("restore", str(backup))
    assert tables(empty.folder.root)["daily_bars"].height == 6


def test_a_missing_file_of_a_backup_is_named(backup: Path, empty: Commands) -> None:
    path = one_of(backup, "lake/stocks/*.parquet")
    path.unlink()
    assert str(path) in empty("restore", str(backup), "--check", code=1)
    assert str(path) in empty("restore", str(backup), code=1)


def test_an_altered_list_of_the_files_is_refused(backup: Path, empty: Commands) -> None:
    path = backup / "backup.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"rows": 6', '"rows": 7'), encoding="utf-8")
    assert "its digest differs" in empty("restore", str(backup), code=1)


@pytest.mark.parametrize(
    ("there", "named"),
    [
        ("tasks.yaml", "tasks.yaml is there already"),
        ("datasets/mine.yaml", "mine.yaml is there already"),
        (".dagster/history.db", "not empty"),
        ("data/stocks/_delta_log/00000000000000000000.json", "has the table stocks"),
        ("data/notes.txt", "data is not empty"),
        ("notes.txt", "notes.txt is there already"),
        ("notes/deep/notes.txt", "notes.txt is there already"),
    ],
)
def test_nothing_that_is_there_is_overwritten(backup: Path, empty: Commands, there: str, named: str) -> None:
    path = empty.folder.write(there, "mine")
    assert named in empty("restore", str(backup), code=1)
    assert path.read_text(encoding="utf-8") == "mine"
    assert [found for found in empty.folder.root.rglob("*") if found.is_file()] == [path]


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Any]:
    """Let the disk be full after so many files, during a block."""
    from mystocks_dagster.backup import restoration

    @contextmanager
    def after(files: int) -> Iterator[None]:
        copied, calls = restoration.copied, []

        def full(*arguments: Any) -> tuple[int, str]:
            calls.append(1)
            if len(calls) > files:
                raise OSError(28, "No space left on device", "backup")
            return copied(*arguments)

        with monkeypatch.context() as patch:
            patch.setattr(restoration, "copied", full)
            yield

    return after


def test_an_interrupted_restore_goes_on_where_it_was(
    backup: Path, empty: Commands, full_disk: Callable[[int], Any]
) -> None:
    with full_disk(8):  # in the middle of the lake
        assert "full" in empty("restore", str(backup), code=1)
    assert not (empty.folder.root / "tasks.yaml").exists()
    empty("restore", str(backup))
    assert tables(empty.folder.root)["daily_bars"].height == 6
    assert (empty.folder.root / "tasks.yaml").exists()
    assert not (empty.folder.root / ".restoring.json").exists()


@pytest.mark.parametrize("files", [0, 1, 8])
@pytest.mark.parametrize("options", [[], ["--no-history"]])
def test_a_folder_with_half_a_restore_tells_me_the_command_to_repeat(
    backup: Path, empty: Commands, full_disk: Callable[[int], Any], tmp_path: Path, files: int, options: list[str]
) -> None:
    half = tmp_path / "a half"
    with full_disk(files):
        empty("restore", str(backup), str(half), *options, code=1)
    there = commands_in(Folder(half), empty.monkeypatch, empty.capsys)
    empty.monkeypatch.delenv("MYSTOCKS_ROOT")
    again = shlex.join(["mystocks", "restore", str(backup), str(half), *options])
    told = f"A restore into this folder is unfinished; repeat: {again}\n"
    for command in (
        ["check"],
        ["list"],
        ["data", "tables"],
        ["run", "all"],
        ["doctor"],
        ["backup", str(tmp_path / "other")],
        ["ui"],
        [],
    ):
        assert there(*command, code=1) == f"Error: {told}"
    there(*shlex.split(again)[1:])
    assert "unfinished" not in there("data", "tables")
    assert tables(half)["daily_bars"].height == 6


def test_half_a_restore_into_the_folder_itself_is_repeated_in_it(
    backup: Path, empty: Commands, full_disk: Callable[[int], Any]
) -> None:
    with full_disk(2):
        empty("restore", str(backup), code=1)
    assert empty("check", code=1).endswith(f"repeat: mystocks restore {backup}\n")
    (empty.folder.root / ".restoring.json").write_text("{", encoding="utf-8")
    assert "with the same backup" in empty("check", code=1)


def test_a_folder_without_a_backup_says_what_to_name(backup: Path, empty: Commands, tmp_path: Path) -> None:
    assert "holds no backup" in empty("restore", str(tmp_path / "nowhere"), code=1)
    (backup / "backup.json").rename(backup / "unfinished.json")
    assert "was begun and not finished" in empty("restore", str(backup), code=1)


def rewrite(backup: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Alter the list of a backup as somebody does who knows how its digest is made."""
    path = backup / "backup.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    form = content.pop("form")
    del content["digest"]
    change(content)
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    path.write_text(json.dumps({"form": form, "digest": digest, **content}), encoding="utf-8")


def evil(path: str, **fields: Any) -> Callable[[dict[str, Any]], Any]:
    """Add a file to the list, whose content is the word "evil"."""
    digest = hashlib.sha256(b"evil").hexdigest()
    return lambda content: content["files"].append({"path": path, "bytes": 4, "sha256": digest, "mode": 420, **fields})


def test_a_path_that_leads_out_of_the_places_is_refused_before_anything_is_read(
    backup: Path, empty: Commands, tmp_path: Path
) -> None:
    outside = tmp_path / "evil.txt"
    outside.write_text("evil", encoding="utf-8")
    before = (backup / "backup.json").read_bytes()
    ways = (
        "../../evil.txt",
        f"/{outside}",
        "./evil.txt",
        "",
        "..\\evil.txt",
        "C:\\evil.txt",
        "C:evil.txt",
        "a\0",
        "a/",
    )
    paths = [
        f"{first}/{rest}" for first in ("project", "tasks", "instance", "lake/stocks", "postgres") for rest in ways
    ]
    paths += [str(outside), "evil.txt", "../evil.txt", "lake/evil.txt", "other/evil.txt", "project\\evil.txt", ""]
    for path in [*paths, f"project/{'x' * 256}", "project" + "/x" * 1000]:
        rewrite(backup, evil(path))
        with pytest.raises(BackupError, match="made yourself"):
            read_manifest(backup)
        (backup / "backup.json").write_bytes(before)
    rewrite(backup, evil("project/../../evil.txt"))
    for arguments in (["--check"], []):
        assert "evil.txt" in empty("restore", str(backup), *arguments, code=1)
    assert not any(empty.folder.root.iterdir())


def test_a_link_in_the_backup_or_in_the_place_is_not_followed(backup: Path, empty: Commands, tmp_path: Path) -> None:
    secrets, root = tmp_path / "secrets", empty.folder.root
    secrets.mkdir()
    (secrets / "mine.yaml").write_text("table: mine\n", encoding="utf-8")
    for there, says in ((root, "is a link, and a restore writes through none"), (backup / "project", "it is a link")):
        if (there / "datasets").exists():
            shutil.rmtree(there / "datasets")
        (there / "datasets").symlink_to(secrets)
        assert says in empty("restore", str(backup), code=1)
        (root / "datasets").unlink(missing_ok=True)
    assert "it is a link" in empty("restore", str(backup), "--check", code=1)
    assert [path.name for path in secrets.iterdir()] == ["mine.yaml"]
    assert not (root / "tasks.yaml").exists()


def test_a_place_that_is_a_link_to_a_larger_disk_is_filled(backup: Path, empty: Commands, tmp_path: Path) -> None:
    (tmp_path / "big").mkdir()
    (empty.folder.root / "data").symlink_to(tmp_path / "big")
    empty("restore", str(backup), "--no-history")
    assert Lake(str(tmp_path / "big")).read("daily_bars").height == 6


def test_what_is_no_file_in_a_backup_is_not_waited_for(backup: Path, empty: Commands) -> None:
    path = backup / "project" / "tasks.yaml"
    path.unlink()
    os.mkfifo(path)
    assert "it is not a file" in empty("restore", str(backup), "--check", code=1)
    assert "it is not a file" in empty("restore", str(backup), code=1)


def test_the_list_of_a_backup_is_no_backup_and_the_folder_is_asked_for(backup: Path, empty: Commands) -> None:
    told = empty("restore", str(backup / "backup.json"), code=1)
    assert "backup.json is not a folder; name the folder that `mystocks backup` made." in told


#: Lists that nobody wrote as a backup's, though the digest is that of their content.
OTHER_SHAPES: list[Callable[[dict[str, Any]], Any]] = [
    lambda content: content.clear(),
    lambda content: content.pop("files"),
    lambda content: content.update(files={"path": "project/x"}),
    lambda content: content.update(files=[["project/x"]]),
    lambda content: content.update(tables=[{"table": "stocks"}]),
    lambda content: content.update(lake="yes"),
    lambda content: content.update(storage="oracle"),
    lambda content: content.update(history=[{"table": 'runs" FROM PROGRAM', "version": 0, "rows": 1}]),
    evil("project/x", bytes="4"),
    evil("project/x", mode=0o4755),
    evil("project/x", mode=-1),
    evil("project/x", mode=True),
    evil("project/x", sha256=None),
    evil("project/\ud800"),
]
TEXTS = [
    "[]",
    "null",
    "7",
    '"backup"',
    "{}",
    '{"form": "x", "digest": "x"}',
    '{"form": true}',
    "[" * 100_000,
    "\ufeff{",
]


def test_a_list_of_another_shape_is_refused(backup: Path, empty: Commands) -> None:
    path = backup / "backup.json"
    before = path.read_bytes()
    for change in OTHER_SHAPES:
        rewrite(backup, change)
        with pytest.raises(BackupError, match="another shape at"):
            read_manifest(backup)
        path.write_bytes(before)
    for text in TEXTS:
        path.write_text(text, encoding="utf-8")
        with pytest.raises(BackupError, match=r"another shape at|cannot be read"):
            read_manifest(backup)
    path.write_text("[]", encoding="utf-8")
    assert "another shape" in empty("restore", str(backup), code=1)


def test_a_backup_of_a_newer_version_is_refused_with_that_version(backup: Path, empty: Commands) -> None:
    content = json.loads((backup / "backup.json").read_text(encoding="utf-8"))
    (backup / "backup.json").write_text(json.dumps({**content, "form": 99, "package": "9.9"}), encoding="utf-8")
    assert "9.9" in empty("restore", str(backup), code=1)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The location of a bucket on a real S3 server."""
    with object_store("stocks") as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        yield "s3://stocks"


@pytest.mark.slow
def test_a_lake_goes_into_a_bucket_and_from_it_into_another_place(
    backup: Path, empty: Commands, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tables(tmp_path / "first")
    monkeypatch.setenv("MYSTOCKS_LAKE", f"{bucket}/one")
    assert "every digest is right" in empty("restore", str(backup))
    places = [f"{bucket}/one"]
    for number, place in enumerate((f"{bucket}/two", str(tmp_path / "folder"))):
        second, root = tmp_path / f"backup{number}", tmp_path / f"copy{number}"
        empty("backup", str(second))
        root.mkdir()
        with monkeypatch.context() as patch:
            patch.setenv("MYSTOCKS_LAKE", place)
            commands_in(Folder(root), patch, empty.capsys)("restore", str(second))
        places.append(place)
    for place in places:
        after = tables_of(place)
        assert {name for name, frame in before.items() if after[name].equals(frame)} == set(before)
    assert "has the table" in empty("restore", str(backup), code=1)


@pytest.mark.slow
def test_a_damaged_file_of_a_backup_leaves_nothing_in_a_bucket_and_the_restore_goes_on_when_it_is_mended(
    backup: Path, empty: Commands, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MYSTOCKS_LAKE", f"{bucket}/one")
    path = one_of(backup, "lake/daily_bars/**/*.parquet")
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    assert "digest differs" in empty("restore", str(backup), code=1)
    name = path.relative_to(backup / "lake").as_posix()
    assert not TableFiles(f"{bucket}/one").exists(name)
    path.write_bytes(content)
    empty("restore", str(backup))
    assert tables_of(f"{bucket}/one")["daily_bars"].height == 6


def test_an_unexpected_error_of_a_restore_is_the_one_that_is_shown(
    backup: Path, empty: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mystocks_dagster.backup import restoration

    def defect(*_: Any) -> None:
        raise TypeError("a defect")

    monkeypatch.setattr(restoration, "_lake", defect)
    monkeypatch.setattr(sys, "argv", ["mystocks", "restore", str(backup)])
    with pytest.raises(TypeError, match="a defect"):
        main()
    monkeypatch.setenv("MYSTOCKS_LOG_FILES", "none")  # nor does a wrong setting hide one
    assert _explain(TypeError("a defect")) is None


def test_the_lake_goes_where_the_environment_says(
    backup: Path, empty: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MYSTOCKS_LAKE", str(tmp_path / "big disk" / "lake"))
    empty("restore", str(backup))
    assert Lake(str(tmp_path / "big disk" / "lake")).read("daily_bars").height == 6
    assert not (empty.folder.root / "data").exists()


def test_all_goes_below_the_folder_that_is_named(
    backup: Path, empty: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MYSTOCKS_LAKE", str(tmp_path / "other"))
    empty("restore", str(backup), str(tmp_path / "third"))
    assert not any(empty.folder.root.iterdir())
    assert not (tmp_path / "other").exists()
    assert tables(tmp_path / "third")["stocks"].height == 5
    assert (tmp_path / "third" / ".dagster" / "history" / "runs.db").exists()


def _without_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MYSTOCKS_ROOT", "DAGSTER_HOME", "MYSTOCKS_TASKS", "MYSTOCKS_LAKE"):
        monkeypatch.delenv(name, raising=False)


def test_my_copy_would_have_worked_on_the_live_lake_and_the_restore_says_so(
    backup: Path, empty: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _without_folders(monkeypatch)
    monkeypatch.setenv("MYSTOCKS_LAKE", "s3://market/lake")
    told = empty("restore", str(backup), str(tmp_path / "copy"))
    assert f"MYSTOCKS_LAKE is set: commands in {tmp_path / 'copy'} would use s3://market/lake" in told
    assert told.rstrip().endswith("unset MYSTOCKS_LAKE")
    for name in ("MYSTOCKS_ROOT", "DAGSTER_HOME", "MYSTOCKS_TASKS"):
        monkeypatch.setenv(name, str(tmp_path / "live" / name))
    told = empty("restore", str(backup), str(tmp_path / "second copy"))
    for name in ("MYSTOCKS_ROOT", "DAGSTER_HOME", "MYSTOCKS_TASKS", "MYSTOCKS_LAKE"):
        assert f"unset {name}\n" in told
    named = empty.json("restore", str(backup), str(tmp_path / "third copy"))["overridden_by"]
    assert named["MYSTOCKS_LAKE"] == "s3://market/lake"


def test_a_copy_without_its_history_is_warned_of_the_live_database(
    backup: Path, empty: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _without_folders(monkeypatch)
    url = "postgresql+psycopg2://mystocks:secret@db/live"
    monkeypatch.setenv("MYSTOCKS_POSTGRES_URL", url)
    folder = make_folder(tmp_path / "team")
    folder.write("tasks.yaml", "tasks: []\n")
    for number, address in enumerate(("\n      env: MYSTOCKS_POSTGRES_URL", f" {url}")):
        folder.write("dagster.yaml", f"storage:\n  postgres:\n    postgres_url:{address}\n")
        monkeypatch.chdir(folder.root)
        made = tmp_path / f"made {number}"
        empty("backup", str(made), "--no-history")
        told = empty("restore", str(made), str(tmp_path / f"copy {number}"))
        assert "secret" not in told
        assert told.rstrip().endswith(("unset MYSTOCKS_POSTGRES_URL", "name an empty database")[number])


def test_a_restore_into_the_places_of_the_environment_warns_of_none(
    backup: Path, empty: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _without_folders(monkeypatch)
    monkeypatch.setenv("MYSTOCKS_LAKE", str(tmp_path / "big disk"))
    assert "unset" not in empty("restore", str(backup))
    monkeypatch.setenv("MYSTOCKS_LAKE", "data")
    assert "unset" not in empty("restore", str(backup), str(tmp_path / "copy"))


def test_parts_that_are_not_wanted_stay_away(backup: Path, empty: Commands) -> None:
    shutil.rmtree(backup / "lake")
    empty("restore", str(backup), "--no-lake", "--no-history")
    assert (empty.folder.root / "tasks.yaml").exists()
    assert not (empty.folder.root / "data").exists()
    assert not (empty.folder.root / ".dagster" / "history").exists()


@pytest.fixture
def of_the_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """A backup of a small project with the lake of its demo."""
    folder = make_folder(tmp_path / "first")
    folder.write("tasks.yaml", "tasks: []\n")
    small_lake(folder.root / "demo" / "lake")
    with monkeypatch.context() as patch:
        for variable in ("MYSTOCKS_LAKE", "MYSTOCKS_SOURCE"):
            patch.setenv(variable, "")  # so that what --demo sets is gone afterwards
        commands_in(folder, patch, capsys)("--demo", "backup", str(tmp_path / "backup"))
    return tmp_path / "backup"


@pytest.mark.parametrize("options", [[], ["--demo"]])
@pytest.mark.parametrize("named", [True, False])
def test_the_demo_comes_back_as_the_demo_and_not_as_the_real_lake(
    of_the_demo: Path, empty: Commands, tmp_path: Path, options: list[str], named: bool
) -> None:
    there = tmp_path / "third" if named else empty.folder.root
    empty(*options, "restore", str(of_the_demo), *([str(there)] if named else []))
    assert Lake(str(there / "demo" / "lake")).read("daily_bars").height == 6
    assert not (there / "data").exists()


def test_the_real_lake_is_not_restored_as_the_demo(backup: Path, empty: Commands) -> None:
    assert "without --demo" in empty("--demo", "restore", str(backup), code=1)
    assert not any(empty.folder.root.iterdir())


def test_a_backup_that_does_not_say_whose_lake_it_is_is_restored_as_before(backup: Path, empty: Commands) -> None:
    rewrite(backup, lambda content: content.pop("demo"))
    empty("restore", str(backup))
    assert Lake(str(empty.folder.root / "data")).read("daily_bars").height == 6


def test_a_new_place_may_have_a_virtual_environment_and_the_backup_in_it(
    backup: Path, empty: Commands, tmp_path: Path
) -> None:
    root = empty.folder.root
    shutil.copytree(backup, root / "from" / "backup")
    for name in (".venv/bin/python", "lost+found/x", "..restoring.json.abc.tmp"):
        empty.folder.write(name, "")
    (root / "data").mkdir()
    (root / "datasets").mkdir()
    empty("restore", "from/backup")
    assert tables(root)["daily_bars"].height == 6


def test_my_own_file_in_the_named_folder_stops_a_restore_that_is_new_and_not_one_that_goes_on(
    backup: Path, empty: Commands, full_disk: Callable[[int], Any], tmp_path: Path
) -> None:
    there = tmp_path / "third"
    there.mkdir()
    (there / "notes.txt").write_text("mine", encoding="utf-8")
    told = empty("restore", str(backup), str(there), code=1)
    assert f"{there / 'notes.txt'} is there already. Nothing was changed" in told
    assert [path.name for path in there.iterdir()] == ["notes.txt"]
    (there / "notes.txt").unlink()
    with full_disk(1):
        empty("restore", str(backup), str(there), code=1)
    (there / "notes.txt").write_text("mine", encoding="utf-8")
    empty("restore", str(backup), str(there))
    assert tables(there)["daily_bars"].height == 6
