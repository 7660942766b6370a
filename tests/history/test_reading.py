"""history, stats and cleanup as a person types them."""

from datetime import datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from history.conftest import Store
from support.commands import Commands, commands_in

from mystocks_dagster.api.app import create_app
from mystocks_dagster.errors import InvalidParams
from mystocks_dagster.history.times import parse_time
from mystocks_dagster.market.clock import SHANGHAI, now
from mystocks_dagster.settings import Settings


@pytest.fixture
def cli(store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Commands:
    return commands_in(store.folder, monkeypatch, capsys)


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
def test_the_commands_look_back_and_clean_up(store: Store, cli: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    store.run("night", load="success", report="failed")
    store.run("load", load="success")
    assert [one["status"] for one in cli.json("history", "--since", "1h", "--status", "failed")] == ["failed"]
    assert cli.json("history", "--until", "1h") == []
    assert cli.json("stats", "load", "--since", "7d")["load"]["total_executions"] == 2
    assert cli.json("stats", "load", "--until", "2020-01-01")["load"]["total_executions"] == 0
    assert "calc-it" in cli("stats", "--rebuild")
    assert "'soon' is not a time. Write 7d" in cli("stats", "--since", "soon", code=1)
    assert "Invalid value for '--days'" in cli("cleanup", "--days", "0", code=2)

    monkeypatch.setenv("MYSTOCKS_NOW", (now() + timedelta(days=40)).isoformat())
    assert "Would remove 1 runs with 2 executions" in cli("cleanup", "--days", "7", "--dry-run")
    told = cli.json("cleanup", "--days", "7")
    assert (told["runs"], told["executions"], told["count"], told["dry_run"]) == (1, 2, 2, False)
    assert cli.json("stats", "report")["report"]["failed_count"] == 1
    assert cli.json("history", "report") == [], "what was cleaned up is no more listed"
    assert "Removed 0 runs" in cli("cleanup", "--days", "7")


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
def test_the_page_of_a_group_shows_what_ran_in_it_with_the_logs(store: Store) -> None:
    alone, together = store.run("load", load="success"), store.run("night", load="success", calc_it="failed")
    with TestClient(create_app(Settings.from_env()), base_url="http://127.0.0.1:8888") as browser:
        page = browser.get("/tasks/night").text
        assert alone not in page
        for step in ("load", "calc_it"):
            address = f"/tasks/-/executions/{together}%3A{step}"
            assert address in page
            assert browser.get(address).status_code == 200
    assert "no such luck" in page


def test_times_are_read_as_people_write_them() -> None:
    assert parse_time("2025-04-07") == datetime(2025, 4, 7, tzinfo=SHANGHAI)
    assert parse_time("2025-04-07", end=True) == datetime(2025, 4, 8, tzinfo=SHANGHAI)
    assert parse_time("2025-04-07T16:00") == datetime(2025, 4, 7, 16, tzinfo=SHANGHAI)
    assert parse_time("2025-04-07T08:00:00Z") == datetime(2025, 4, 7, 16, tzinfo=SHANGHAI)
    assert now() - timedelta(days=14) - parse_time("2w") < timedelta(seconds=5)


@pytest.mark.parametrize("text", ["", "soon", "7", "7y", "2025-13-01", "99999999999d", "-3d", "2025-04-07T25:00"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(InvalidParams, match="Write 7d"):
        parse_time(text)
