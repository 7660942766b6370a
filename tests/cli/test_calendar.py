"""mystocks calendar: what is shown, and what ends with 1."""

import json
from collections.abc import Callable

import pytest
from standin.market import Market
from standin.server import StandIn
from support.commands import Commands
from support.project import ROOT
from support.year2027 import days_of_2027

from mystocks_dagster.market.calendar import published
from mystocks_dagster.trading_calendar.in_force import clear_cache


@pytest.fixture
def at(cli: Commands, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    clear_cache()
    return lambda moment: monkeypatch.setenv("MYSTOCKS_NOW", f"{moment}+08:00")


def test_the_remedy_that_health_and_doctor_name_mends_the_calendar(
    cli: Commands, at: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    at("2027-01-04T09:00:00")
    before = json.loads(cli("calendar", "--json", code=1))
    assert (before["level"], before["last"]) == ("error", "2026-12-31")
    assert "mystocks calendar --refresh" in before["remedy"]
    market = Market.small()
    market.trading_days = [*published().sessions(published().first, published().last), *days_of_2027()]
    with StandIn(market) as standin:
        monkeypatch.setenv("MYSTOCKS_UPSTREAM", standin.address)
        assert "The calendar now reaches to 2027-12-31" in cli("calendar", "--refresh", "--source", "akshare")
    after = cli.json("calendar")
    assert (after["level"], after["last"], after["asked"]["source"]) == ("ok", "2027-12-31", "akshare")


def test_a_source_that_cannot_be_asked_ends_with_1_and_says_why(cli: Commands, at: Callable[[str], None]) -> None:
    at("2026-12-20T09:00:00")
    assert "generates prices, not a calendar" in cli("calendar", "--refresh", "--source", "simulated", code=1)
    assert "There is no data source 'akshar'" in cli("calendar", "--refresh", "--source", "akshar", code=1)


def test_the_calendar_is_told_in_chinese(
    cli: Commands, at: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    at("2027-01-04T09:00:00")
    monkeypatch.setenv("MYSTOCKS_LANG", "zh")
    told = cli("calendar", code=1)
    assert "软件包自带（到 2026-12-31）" in told
    assert "错误：已知的交易日到 2026-12-31" in told
    assert "→ mystocks calendar --refresh；若没有数据源给出之后的交易日" in told


def test_a_wrong_file_is_named_with_its_line_and_mended_without_a_restart(
    cli: Commands, at: Callable[[str], None]
) -> None:
    at("2026-12-20T09:00:00")
    cli.folder.write("trading_calendar.csv", "2027-01-04\n2027-01-0x\n")
    clear_cache()
    assert "trading_calendar.csv:2: '2027-01-0x' is not a date" in cli("calendar", code=1)
    cli.folder.write("trading_calendar.csv", "\n".join(map(str, days_of_2027())))
    clear_cache()
    assert cli.json("calendar")["last"] == "2027-12-31"


def test_a_backfill_follows_the_calendar_in_force(cli: Commands, at: Callable[[str], None]) -> None:
    at("2027-01-08T18:00:00")
    cli.folder.write("tasks.yaml", (ROOT / "tasks.yaml").read_text(encoding="utf-8"))
    arguments = ("backfill", "daily_data_sync", "--from", "2026-12-30", "--to", "2027-01-08", "--dry-run")
    assert "mystocks calendar --refresh" in cli(*arguments, code=1)
    cli.folder.write("trading_calendar.csv", "\n".join(map(str, days_of_2027())))
    clear_cache()
    assert (told := cli.json(*arguments))["days"] == 7, told
    assert told["spans"] == [["2026-12-30", "2027-01-08"]]
