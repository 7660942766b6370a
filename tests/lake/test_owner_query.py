"""A query of the owner: it ends when told to, and before the machine has no memory left."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from mystocks_dagster.errors import QueryRefused
from mystocks_dagster.lake import owner_query
from mystocks_dagster.lake.owner_query import free_memory, query_as_owner
from mystocks_dagster.lake.store import Lake

ENDLESS = "SELECT count(*) FROM range(10000000000) a, range(10000000000) b"
#: A process as a terminal starts it: Ctrl-C raises KeyboardInterrupt in it.
PROGRAM = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from mystocks_dagster.lake.owner_query import query_as_owner
from mystocks_dagster.lake.store import Lake
import duckdb
print("begins", flush=True)
query_as_owner(Lake(sys.argv[1]), sys.argv[2])
"""


FRESH = """
import sys
from mystocks_dagster.lake.owner_query import query_as_owner
from mystocks_dagster.lake.store import Lake
print(query_as_owner(Lake(sys.argv[1]), "SELECT count(*) AS n FROM daily_bars", memory=100_000_000).item())
"""
GREEDY = """
import sys
from mystocks_dagster.errors import QueryRefused
from mystocks_dagster.lake.owner_query import query_as_owner
from mystocks_dagster.lake.store import Lake
try:
    query_as_owner(Lake(sys.argv[1]), sys.argv[2], memory=300_000_000)
except QueryRefused as refused:
    print(refused)
print(query_as_owner(Lake(sys.argv[1]), "SELECT 1 AS one").to_dicts())
"""


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "data"))


def test_ctrl_c_stops_a_query_at_once(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "data"), ENDLESS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begins\n"
        used = Path(f"/proc/{process.pid}/stat")
        began = _ticks(used)
        while _ticks(used) < began + 100:  # a second of computing: the query runs
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == -signal.SIGINT


def _ticks(stat: Path) -> int:
    return int(stat.read_text(encoding="utf-8").rpartition(") ")[2].split()[11])


def test_a_query_that_takes_too_long_is_stopped_and_the_option_is_named(lake: Lake) -> None:
    with pytest.raises(QueryRefused, match=r"longer than 0.3 s.*--timeout SECONDS"):
        query_as_owner(lake, ENDLESS, seconds=0.3)


@pytest.mark.slow
@pytest.mark.parametrize("sql", ["SELECT repeat('x', 2000000000)", "SELECT list(i) FROM range(300000000) t(i)"])
def test_a_query_that_would_take_all_memory_is_stopped_before(tmp_path: Path, sql: str) -> None:
    # In a process of its own: in this one, all libraries and threads of other tests would be without memory too.
    command = [sys.executable, "-c", GREEDY, str(tmp_path / "data"), sql]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    refused, after = ended.stdout.splitlines()
    assert "more memory than 0.3 GB" in refused
    assert after == "[{'one': 1}]"


@pytest.mark.slow
def test_the_least_memory_that_can_be_asked_for_is_enough_to_count_rows(
    tmp_path: Path, make_bars: Callable[..., pl.DataFrame]
) -> None:
    lake = Lake(str(tmp_path / "data"), "real")
    lake.replace_days("daily_bars", make_bars(date(2025, 1, 2)), [date(2025, 1, 2)])
    # A process that has imported neither DuckDB nor the reader of tables, and has no memory of earlier queries.
    command = [sys.executable, "-c", FRESH, str(lake.location)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "3\n", "")


def test_a_large_answer_of_the_owner_is_whole(lake: Lake) -> None:
    answer = query_as_owner(lake, "SELECT i, repeat('x', 100) AS text FROM range(300000) t(i)", seconds=60)
    assert answer.height == 300_000


def test_what_is_free_is_less_than_the_machine_has() -> None:
    total = int(Path("/proc/meminfo").read_text(encoding="ascii").split()[1]) * 1024
    free = free_memory()
    assert free is not None
    assert 0 < free < total


def test_files_that_a_container_has_read_do_not_count_as_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owner_query, "_CONTAINER", tmp_path)
    (tmp_path / "memory.current").write_text("990000000\n", encoding="ascii")
    (tmp_path / "memory.stat").write_text("anon 90000000\ninactive_file 900000000\nactive_file 0\n", encoding="ascii")
    (tmp_path / "memory.max").write_text("max\n", encoding="ascii")
    assert free_memory() > 900_000_000 * 0.8
    (tmp_path / "memory.max").write_text("1000000000\n", encoding="ascii")
    assert free_memory() == round((1_000_000_000 - 90_000_000) * 0.8)
    (tmp_path / "memory.max").write_text("80000000\n", encoding="ascii")
    assert free_memory() == 100_000_000
