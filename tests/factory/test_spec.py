"""Tasks that write a common table wait for each other; all others do not."""

from collections.abc import Sequence

import pytest
from support.project import ROOT

from mystocks_dagster.factory.spec import build_specs, locks
from mystocks_dagster.taskfile.reader import load_task_file


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ([("a",), ("b",)], [{"a"}, {"b"}]),
        ([("a", "b"), ("b",)], [{"a", "b"}]),
        ([("a",), ("b",), ("c",), ("b", "a")], [{"a", "b"}, {"c"}]),
        ([("a", "b"), ("c", "d"), ("d", "e"), ("e", "a")], [{"a", "b", "c", "d", "e"}]),
        ([("a", "loaded_days"), ("b", "loaded_days")], [{"a"}, {"b"}]),
        ([(), ("loaded_days",)], []),
    ],
)
def test_tables_that_are_written_together_share_a_lock(
    written: Sequence[Sequence[str]], expected: list[set[str]]
) -> None:
    found: dict[str, set[str]] = {}
    for table, lock in locks(written).items():
        found.setdefault(lock, set()).add(table)
    assert sorted(found.values(), key=sorted) == sorted(expected, key=sorted)
    assert all(lock in tables for lock, tables in found.items())


def test_the_shipped_tasks_that_write_the_stock_list_never_run_at_once() -> None:
    specs = build_specs(load_task_file(ROOT / "tasks.yaml"))
    assert specs["daily_data_sync"].pool == specs["sync_basic_stock_info"].pool
    # The two tasks of the parallel group do not wait for each other.
    assert specs["fetch_lhb_data"].pool != specs["fetch_capital_flow"].pool
    # Both may learn adjustment ratios.
    assert specs["daily_data_sync"].pool == specs["calc_technical_indicators"].pool
    # A bootstrap writes what they write.
    assert specs["daily_data_sync"].pool == specs["bootstrap_market"].pool
    for task in ("sync_corporate_actions", "sync_index_bars", "sync_etf_bars"):
        assert specs[task].pool == specs["bootstrap_market"].pool
    together = {"sync_basic_stock_info", "calc_technical_indicators", "calc_strategy_signals", "bootstrap_market"}
    together |= {"sync_corporate_actions", "sync_index_bars", "sync_etf_bars"}
    others = [spec.pool for name, spec in specs.items() if name not in together]
    assert len(set(others)) == len(others)
