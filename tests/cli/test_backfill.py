"""Backfills that cannot be: refused with the reason, and nothing is started."""

import pytest
from support.commands import Commands
from support.project import ROOT


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["daily_data_sync", "--from", "2026-12-30", "--to", "2027-01-05"], "outside the exchange calendar"),
        (["daily_data_sync", "--from", "2026-11-23", "--to", "2026-11-25"], "2026-11-25 has no data yet"),
        (["daily_data_sync", "--from", "2026-10-03", "--to", "2026-10-04"], "There is no trading day"),
        (["daily_data_sync", "--from", "2026-10-13", "--to", "2026-10-12"], "There is no trading day"),
        (["run_strategy_backtest", "--from", "2026-10-12"], "has no table with daily partitions"),
        (["daily_job", "--from", "2026-10-12"], "is a group"),
        (["daily_data_sink", "--from", "2026-10-12"], "Did you mean daily_data_sync"),
    ],
)
def test_what_cannot_be_filled_is_refused_with_the_reason(
    cli: Commands, monkeypatch: pytest.MonkeyPatch, arguments: list[str], why: str
) -> None:
    cli.folder.write("tasks.yaml", (ROOT / "tasks.yaml").read_text(encoding="utf-8"))
    monkeypatch.setenv("MYSTOCKS_NOW", "2026-11-24T18:00:00+08:00")
    assert why in cli("backfill", *arguments, code=1).replace("\n", " ")
    assert not (cli.folder.root / "data").exists()


def test_of_two_tasks_on_one_dataset_the_one_that_owns_its_table_is_named(
    cli: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit_up = "task_module: mystocks_dagster.tasks.datasets, task_function: sync_dataset, params: {dataset: limit_up}"
    functions = {
        "first": limit_up,
        "second": limit_up,
        "daily": "task_module: mystocks_dagster.tasks.data_sync, task_function: sync_daily_stock_data",
        "fill": "task_module: mystocks_dagster.tasks.bootstrap, task_function: bootstrap_market",
    }
    entries = [f"  - {{task_id: {name}, task_type: manual, {each}}}\n" for name, each in functions.items()]
    cli.folder.write("tasks.yaml", "tasks:\n" + "".join(entries))
    monkeypatch.setenv("MYSTOCKS_NOW", "2026-11-24T18:00:00+08:00")
    for name, table, owner in (("second", "limit_up", "first"), ("fill", "daily_bars", "daily")):
        refused = " ".join(cli("backfill", name, "--from", "2026-11-23", code=1).split())
        assert f"{name} cannot be backfilled: {table} belongs to {owner}, " in refused
        assert f"mystocks backfill {owner}" in refused
    assert "1 trading days to load" in cli("backfill", "first", "--from", "2026-11-23", "--dry-run")


def test_a_day_is_there_from_the_hour_that_the_task_states(cli: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    task = "{task_id: sync, task_module: mystocks_dagster.tasks.data_sync, task_function: sync_daily_stock_data"
    cli.folder.write("tasks.yaml", f'tasks:\n  - {task}, task_type: manual, available_after: "18:00"}}\n')
    monkeypatch.setenv("MYSTOCKS_NOW", "2026-11-24T17:00:00+08:00")
    days = ["backfill", "sync", "--from", "2026-11-24", "--dry-run"]
    assert "2026-11-24 has no data yet: it is published at 2026-11-24 18:00" in cli(*days, code=1).replace("\n", " ")
    monkeypatch.setenv("MYSTOCKS_NOW", "2026-11-24T18:00:00+08:00")
    assert "1 trading days to load" in cli(*days)
