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
