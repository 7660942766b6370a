"""What a backfill may still send to a host: counted over all processes, none while we are banned."""

from dataclasses import replace
from pathlib import Path

import pytest

from mystocks_dagster.errors import InvalidParams
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.budgets import Budgets
from mystocks_dagster.sources.declaration import HostRule
from mystocks_dagster.sources.hosts import HostLimiter
from mystocks_dagster.sources.registry import declarations

BAOSTOCK = declarations()["baostock"].host_rules[0]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return replace(Settings.from_env(), dagster_home=tmp_path, upstream=None, source_options={})


def send(folder: Path, host: str, requests: int, *, banned: bool = False) -> None:
    for _ in range(requests):
        with HostLimiter(folder / "hosts", gaps=False).turn(host) as turn:
            if banned:
                turn.ban("it refused us.")


def rule_of(table: str) -> HostRule | None:
    return declarations()["akshare"].rule_of(table)


def test_what_was_sent_today_is_no_longer_left(settings: Settings, tmp_path: Path) -> None:
    send(tmp_path, BAOSTOCK.hosts[0], 3)
    assert Budgets(settings).left("baostock", BAOSTOCK) == (BAOSTOCK.daily or 0) - 3
    budget = Budgets(settings, allowed=4)
    assert budget.left("baostock", BAOSTOCK) == 1
    send(tmp_path, BAOSTOCK.hosts[0], 3)
    assert budget.left("baostock", BAOSTOCK) == 0
    assert "no more than 4 requests a day" in budget.spent("baostock", BAOSTOCK)
    assert "6 were sent today" in budget.spent("baostock", BAOSTOCK)


def test_nothing_is_left_while_the_host_bans_us(settings: Settings, tmp_path: Path) -> None:
    send(tmp_path, BAOSTOCK.hosts[0], 1, banned=True)
    assert Budgets(settings, allowed=9999).left("baostock", BAOSTOCK) == 0
    assert "it refused us." in Budgets(settings).spent("baostock", BAOSTOCK)


def test_a_stand_in_has_a_count_of_its_own(settings: Settings, tmp_path: Path) -> None:
    send(tmp_path, BAOSTOCK.hosts[0], 5)
    there = replace(settings, source_options={"baostock": "127.0.0.1:4711"})
    assert Budgets(there, allowed=5).left("baostock", BAOSTOCK) == 5


def test_a_backfill_stays_below_every_number_of_requests_after_which_users_were_banned_by_the_lists() -> None:
    lists = [rule for rule in declarations()["akshare"].host_rules if rule.drops_are_bans]
    assert {rule.hosts[0] for rule in lists} == {f"push2{end}.eastmoney.com" for end in ("", "delay", "ex")}
    for rule in lists:
        # Plans for these hosts: one request in 2 to 3 seconds, 60 to 120 a day.
        assert rule.daily is not None
        assert 60 <= rule.daily <= 120
        assert 2 <= rule.gap <= 3
    costs = [offer.requests for offer in declarations()["akshare"].offers_of("daily_bars") if offer.unit == "day"]
    assert costs
    assert max(costs) <= min(rule.daily or 0 for rule in lists), "a backfill must be able to load one day"


def test_each_table_is_counted_where_it_comes_from() -> None:
    names = {table: rule.name for table in ("daily_bars", "longhubang", "limit_up") if (rule := rule_of(table))}
    assert names == {
        "daily_bars": "eastmoney-push2delay",
        "longhubang": "eastmoney-datacenter",
        "limit_up": "eastmoney-push2ex",
    }
    assert rule_of("margin") is None  # the exchanges themselves, which have no rule


def test_every_named_table_exists() -> None:
    rules = [rule for source in declarations().values() for rule in source.host_rules]
    assert [table for rule in rules for table in rule.tables if table not in TABLES] == []


def test_a_negative_number_is_refused(settings: Settings) -> None:
    with pytest.raises(InvalidParams, match="0 or more"):
        Budgets(settings, allowed=-1)
