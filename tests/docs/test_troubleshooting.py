"""The blocks of docs/troubleshooting.md are typed where there is that trouble, and help."""

import json
import re
import shutil
import subprocess
from datetime import timedelta

import pytest
from docs.conftest import write_archive
from support.blocks import DOCS, Reader, below
from support.commands import Commands, commands_in
from support.project import ROOT, Folder, make_folder

from mystocks_dagster.market.clock import now

#: Many commands, one after the other, on a machine that runs other tests.
_LONG = pytest.mark.timeout(400)
pytestmark = [pytest.mark.slow, _LONG]

PAGE = "troubleshooting.md"


def typed(heading: str) -> list[str]:
    """Return the lines that a section has to be typed."""
    return [line for block in below(PAGE, heading) if block.language == "console" for line in block.lines]


@pytest.mark.parametrize("remedy", [0, 1])
def test_each_remedy_for_an_unknown_ratio_brings_the_bar_that_explains_it(
    archived: Commands, monkeypatch: pytest.MonkeyPatch, remedy: int
) -> None:
    monkeypatch.setenv("MYSTOCKS_NOW", "2024-06-05T18:00:00+08:00")
    archived("run", "daily_data_sync")
    reader = Reader(archived)
    (listed,) = typed("The run is green and data are missing")
    (execution,) = json.loads(reader.type(listed))
    assert "nothing is computed for 600000.SH from 2024-06-03 on" in execution["result"]["message"]
    assert execution["result"]["failed_items"] == ["2024-05-31"]
    remedies = typed("Nothing is computed of a symbol from some day on")
    assert remedies[0] in execution["result"]["message"]
    (query,) = typed("Prices jump at an ex-dividend day")
    assert reader.type(query).split() == ["symbol", "date", "ratio", "600000.SH", "2024-06-03"]
    write_archive(archived.folder.root / "archive", whole=True)
    reader.type(remedies[remedy])
    archived("run", "daily_data_sync")
    assert reader.type(query).strip() == "(nothing)"


def test_the_commands_for_past_days_load_them_and_what_is_missing_later(
    archived: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MYSTOCKS_NOW", "2025-04-01T18:00:00+08:00")
    days = "SELECT count(DISTINCT date) AS days FROM daily_bars"
    reader = Reader(archived)
    planned, loaded, listed, plan, fill = typed("Past trading days are missing")
    assert "57" in reader.type(planned)
    assert not (archived.folder.root / "data").exists()
    reader.type(loaded)
    assert archived.json("data", "query", days) == [{"days": 57}]
    assert "2025-04-01" in reader.type(listed)
    assert "2025-04-01" in reader.type(plan)
    assert archived.json("data", "query", days) == [{"days": 57}]
    reader.type(fill)
    assert archived.json("data", "query", days) == [{"days": 58}]


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """A project with a simulated market, in which one run failed and the next one went well."""
    folder = make_folder(tmp_path_factory.mktemp("market") / "project")
    shutil.copy(ROOT / "tasks.yaml", folder.root)
    folder.env = {
        "MYSTOCKS_SOURCE": "simulated",
        "MYSTOCKS_SIMULATED": "symbols=12,start=2026-05-18",
        "MYSTOCKS_NOW": "2026-06-01T18:30:00+08:00",
    }
    folder.mystocks("edit", "daily_data_sync", "retry_count=0")
    folder.mystocks("run", "daily_data_sync", "-p", "data_source=recorded", code=1)
    folder.mystocks("run", "daily_data_sync")
    return folder


@pytest.fixture
def reader(market: Folder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Reader:
    for name, value in market.env.items():
        monkeypatch.setenv(name, value)
    return Reader(commands_in(market, monkeypatch, capsys))


def test_the_commands_that_say_where_to_look_name_the_trouble(reader: Reader) -> None:
    healthy, able, failed, log = typed("Where do I look")
    reader.codes = {healthy: 1, able: 1}
    assert re.search(r"failed +daemon .*\n *→ mystocks ui", reader.type(healthy))
    assert re.search(r"failed +daemon .*\n *→ mystocks ui", reader.type(able))
    assert re.search(r"daily_data_sync +failed", reader.type(failed))
    assert "success after" in reader.type(log)


def test_the_log_has_lines_like_the_one_on_the_page(reader: Reader) -> None:
    shown, _ = below(PAGE, "Read the logs")
    follow, some = typed("Read the logs")[1:]
    for line in (follow, some):
        told = re.sub(r"^2\d{3}-\S+\+08:00", "2026-06-01T16:00:03.120+08:00", reader.type(line), flags=re.MULTILINE)
        told = re.sub(r"run=[0-9a-f-]{36}", "run=5e0a6f1c-…", told)
        told = re.sub(r"11/11 bars up to 2026-06-01", "3/12 bars up to 2026-05-29", told)
        assert shown.text.strip() in told.splitlines()


def test_all_logs_are_followed_with_the_systems_own_command(market: Folder) -> None:
    command = typed("Read the logs")[0]
    process = subprocess.Popen(command, shell=True, cwd=market.root, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        assert "daily_data_sync attempt=1" in process.stdout.readline()
    finally:
        process.kill()
        process.wait()


def test_a_change_is_tried_without_any_effect_on_the_file_or_the_lake(reader: Reader) -> None:
    root = reader.cli.folder.root
    theirs = "{task_id: theirs, task_type: manual, task_module: mystocks_dagster.tasks.maintenance, task_function: "
    (root / "other_tasks.yaml").write_text(f"tasks: [{theirs}cleanup_cache_data}}]\n", encoding="utf-8")
    before = (root / "tasks.yaml").read_text(encoding="utf-8")
    stored = reader.cli.json("data", "tables")
    valid, edited, imported, following, tried = typed("Try a change before it counts")
    assert reader.type(valid).startswith("ok ")
    assert "+    timeout: 1800" in reader.type(edited)
    assert "theirs" in reader.type(imported)
    assert "2026-06-02 16:00" in reader.type(following)
    assert re.search(r"daily_data_sync +success", reader.type(tried))
    assert (root / "tasks.yaml").read_text(encoding="utf-8") == before
    assert reader.cli.json("data", "tables") == stored
    assert (root / "demo" / "lake" / "daily_bars").is_dir()


def test_a_schedule_that_was_switched_off_is_on_again_and_then_follows_the_file(reader: Reader) -> None:
    def state() -> str:
        return re.search(r"^daily_job .*$", reader.cli("list"), re.MULTILINE)[0]  # ty: ignore[not-subscriptable]

    switched_on, back = typed("A schedule is there and off")
    reader.cli("disable", "daily_job")
    assert "(off, file: on)" in state()
    reader.type(switched_on)
    assert "off" not in state()
    reader.cli("disable", "daily_job")
    reader.type(back)
    assert "off" not in state()


def test_a_stock_is_found_by_a_part_of_its_name(reader: Reader) -> None:
    (query,) = typed("A symbol is unknown or has another code")
    name = reader.cli.json("data", "query", "SELECT name FROM stocks ORDER BY symbol LIMIT 1")[0]["name"]
    reader.names = {"茅台": name[1:]}
    assert name in reader.type(query)


#: Serve, fill a lake, or have a name of the reader's: other tests of pages type these.
ELSEWHERE = re.compile(r"mystocks (ui|api|bootstrap|backfill|calendar --refresh|run daily_job|export FILE|logs <)")
#: End with 1 by right in this project, whose lake is healthy: no daemon runs, no service is installed, there are no
#: addresses, no archive, nothing to stop, and no row was set aside.
ENDS_WITH_1 = {
    "mystocks alerts test",
    "mystocks data head quarantine",
    "mystocks doctor",
    "mystocks health --json",
    "mystocks health",
    "mystocks run daily_data_sync -p data_source=recorded",
    "mystocks service status",
    "mystocks stop daily_data_sync",
}


@pytest.mark.timeout(600)  # sixty commands, of which five run a task
def test_every_command_in_the_text_of_the_page_works(reader: Reader) -> None:
    text = " ".join((DOCS / PAGE).read_text(encoding="utf-8").split())
    commands = {line for line in re.findall(r"`(mystocks [^`]+)`", text) if not ELSEWHERE.match(line)}
    assert commands > ENDS_WITH_1
    reader.codes = dict.fromkeys(ENDS_WITH_1, 1)
    for line in sorted(commands):
        assert reader.type(line), line


def test_the_clean_up_shows_what_would_go_and_removes_it(reader: Reader) -> None:
    reader.cli.monkeypatch.delenv("MYSTOCKS_NOW")
    reader.cli.monkeypatch.setenv("MYSTOCKS_NOW", (now() + timedelta(days=100)).isoformat())
    planned, cleaned, tables, caches = typed("Memory or disk grows")
    runs = len(reader.cli.json("history", "--limit", "100"))
    assert runs > 2
    assert f"Would remove {runs - 1} runs" in reader.type(planned), "the newest one stays"
    assert len(reader.cli.json("history", "--limit", "100")) == runs
    assert f"Removed {runs - 1} runs" in reader.type(cleaned)
    assert len(reader.cli.json("history", "--limit", "100")) == 1
    assert "daily_bars" in reader.type(tables)
    assert re.search(r"monthly_cache_cleanup +success", reader.type(caches))
