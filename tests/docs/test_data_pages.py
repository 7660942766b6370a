"""The blocks of the pages on the calendar, on filling the lake and on its tables do what their comments say."""

import json
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import pytest
import yaml
from docs.conftest import DAYS, write_archive
from standin.baostock import BaostockServer
from standin.market import Market
from standin.server import StandIn
from support.blocks import Reader, block
from support.commands import Commands
from support.project import ROOT
from support.tdx_archive import day_file, record, write_client, write_zip
from support.year2027 import days_of_2027

from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.calendar import published, shanghai
from mystocks_dagster.trading_calendar.in_force import clear_cache

#: Many commands, one after the other, on a machine that runs other tests.
_LONG = pytest.mark.timeout(400)
pytestmark = [pytest.mark.slow, _LONG]

#: In the exchanges' first weeks: ten years up to then are few requests.
EARLY = date(1991, 2, 19)


@pytest.fixture(scope="module")
def baostock() -> Iterator[BaostockServer]:
    with BaostockServer(Market.small(EARLY)) as server:
        yield server


@pytest.fixture
def shipped(cli: Commands, monkeypatch: pytest.MonkeyPatch) -> Commands:
    """A project with the shipped task file, on a fixed evening."""
    cli.folder.write("tasks.yaml", (ROOT / "tasks.yaml").read_text(encoding="utf-8"))
    monkeypatch.setenv("MYSTOCKS_NOW", "2026-11-24T18:00:00+08:00")
    return cli


def day_files() -> dict[str, bytes]:
    """Return files of 通达信 of two stocks over a week four years ago and over two months."""
    spans = ((date(2022, 11, 21), date(2022, 11, 25)), (date(2026, 10, 9), date(2026, 11, 24)))
    days = [int(f"{day:%Y%m%d}") for span in spans for day in shanghai().sessions(*span)]
    records = day_file(record(day, 1000 + n % 5) for n, day in enumerate(days))
    return {f"{name}.day": records for name in ("sh600000", "sz000001")}


def loaded_days(cli: Commands, *options: str) -> int:
    (row,) = cli.json(*options, "data", "query", "SELECT count(DISTINCT date) AS days FROM daily_bars")
    return row["days"]


#: Sessions of the 38 that the archive has: three years leave the week of 2022 out.
LOADED = {
    "mystocks bootstrap": 38,
    "mystocks bootstrap --years 3": 33,
    "mystocks bootstrap --from hsjday.zip": 38,
    "mystocks bootstrap --from ~/new_tdx/vipdoc": 38,
}


@pytest.mark.parametrize("line", LOADED)
def test_a_bootstrap_of_the_page_loads_the_files_of_tdx(
    shipped: Commands, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    root = shipped.folder.root
    monkeypatch.setenv("HOME", str(root))
    archive = write_zip(root / "hsjday.zip", day_files())
    write_client(root / "new_tdx", day_files())
    if "--from" not in line:
        monkeypatch.setenv("MYSTOCKS_TDX", str(archive))
    assert line in block("bootstrap.md", "console").lines
    Reader(shipped).type(line)
    assert loaded_days(shipped) == LOADED[line]


def test_a_bootstrap_of_the_page_loads_a_folder_of_ones_own(shipped: Commands) -> None:
    write_archive(shipped.folder.root / "my_archive", whole=True)
    Reader(shipped).type(next(line for line in block("bootstrap.md", "console").lines if "my_archive" in line))
    assert loaded_days(shipped) == len(DAYS)


def test_a_bootstrap_of_the_page_loads_from_a_source_by_its_name(
    shipped: Commands, monkeypatch: pytest.MonkeyPatch, baostock: BaostockServer
) -> None:
    monkeypatch.setenv("MYSTOCKS_NOW", f"{EARLY}T18:00:00+08:00")
    monkeypatch.setenv("MYSTOCKS_BAOSTOCK", baostock.address)
    Reader(shipped).type(next(line for line in block("bootstrap.md", "console").lines if "baostock" in line))
    assert loaded_days(shipped) == Market.small(EARLY).bars["date"].n_unique()


def test_a_bootstrap_of_the_page_loads_the_simulated_market(shipped: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYSTOCKS_SIMULATED", "symbols=3,start=2020-01-02")
    Reader(shipped).type(next(line for line in block("bootstrap.md", "console").lines if "--demo" in line))
    assert loaded_days(shipped, "--demo") == len(shanghai().sessions(date(2024, 11, 24), date(2026, 11, 24)))
    assert not (shipped.folder.root / "data").exists()


def test_every_line_on_filling_the_lake_is_one_of_these() -> None:
    others = {"my_archive", "baostock", "--demo"}
    lines = block("bootstrap.md", "console").lines
    assert [line for line in lines if not any(other in line for other in others)] == list(LOADED)
    assert len(lines) == len(LOADED) + len(others)


def test_the_calendar_is_shown_and_then_asked_for_again(shipped: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYSTOCKS_NOW", "2026-12-20T18:00:00+08:00")
    clear_cache()
    shown, refreshed = block("calendar.md", "console").lines
    market = Market.small()
    market.trading_days = [*published().sessions(published().first, published().last), *days_of_2027()]
    with StandIn(market) as standin:
        monkeypatch.setenv("MYSTOCKS_UPSTREAM", standin.address)
        reader = Reader(shipped)
        assert "2026-12-31" in reader.type(shown)
        assert "The calendar now reaches to 2027-12-31" in reader.type(refreshed)
    clear_cache()


def test_the_gaps_of_the_lake_are_listed_planned_filled_and_what_failed_is_repeated(
    archived: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MYSTOCKS_NOW", "2025-12-31T18:00:00+08:00")
    archived("run", "daily_data_sync", "-p", 'start_date="2025-12-22"')  # a part of it: a bar is missing
    whole, some, plan, fill, again = block("lake.md", "console").lines
    write_archive(archived.folder.root / "archive", whole=True)
    reader = Reader(archived)
    reader.type(again)
    explained = "SELECT count(*) AS bars FROM daily_bars WHERE symbol = '600000.SH'"
    assert archived.json("data", "query", explained) == [{"bars": 8}]
    monkeypatch.setenv("MYSTOCKS_NOW", "2026-01-08T18:00:00+08:00")
    for line in (whole, some, plan):
        assert "2026-01-05 to 2026-01-08" in reader.type(line)
    assert loaded_days(archived) == 8
    reader.type(fill)
    assert loaded_days(archived) == 12


def test_the_list_of_sources_goes_on_to_the_next_one_that_answers(
    cli: Commands, monkeypatch: pytest.MonkeyPatch, baostock: BaostockServer
) -> None:
    """There are no files of 通达信, and its server cannot be reached."""
    monkeypatch.setenv("MYSTOCKS_NOW", f"{EARLY}T18:00:00+08:00")
    monkeypatch.setenv("MYSTOCKS_BAOSTOCK", baostock.address)
    monkeypatch.setenv("MYSTOCKS_UPSTREAM", "http://127.0.0.1:1")
    params = yaml.safe_load(block("sources.md", "yaml").text)
    task = {"task_id": "sync", "task_type": "manual", "task_module": "mystocks_dagster.tasks.data_sync"}
    tasks = [{**task, "task_function": "sync_daily_stock_data", "retry_count": 0, **params}]
    cli.folder.write("tasks.yaml", yaml.safe_dump({"tasks": tasks}))
    cli("run", "sync")
    (execution,) = cli.json("history", "sync")
    assert re.search(r"tdx.*baostock", execution["result"]["message"]), json.dumps(execution)
    assert cli.json("data", "query", "SELECT DISTINCT source FROM daily_bars") == [{"source": "baostock"}]


def test_the_table_is_read_with_the_sql_of_other_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, archived: Commands
) -> None:
    """DuckDB's extension is downloaded, so a view of the same files has its name here."""
    monkeypatch.setenv("MYSTOCKS_NOW", "2024-06-05T18:00:00+08:00")
    write_archive(archived.folder.root / "archive", whole=True)
    archived("run", "daily_data_sync")
    monkeypatch.chdir(archived.folder.root)
    query = block("lake.md", "sql").text.partition("-- Spark")[0]
    files = "read_parquet(path || '/**/*.parquet', hive_partitioning = true)"
    duckdb.sql(f"CREATE MACRO delta_scan(path) AS TABLE SELECT * FROM {files}")
    assert duckdb.sql(query).pl().height == Lake("data").read("daily_bars").height == 24
