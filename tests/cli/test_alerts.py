"""`mystocks alerts`: the channels without their secrets, a test of them, and what was told."""

import pytest
from support.commands import Commands
from support.receivers import webhook

from mystocks_dagster.alerts import ledger_store
from mystocks_dagster.alerts.ledger import Ledger, OutboxMessage
from mystocks_dagster.market.clock import now

TASKS = """
    alerts:
      expect: [{{table: daily_bars, by: "18:30"}}]
      urls: [{urls}]
    tasks: []
"""
KEY = "693a91f6-7abc-4bc4"


def write(cli: Commands, *urls: str) -> None:
    cli.folder.write("tasks.yaml", TASKS.format(urls=", ".join(f'"{url}"' for url in urls)))


def test_test_sends_to_every_channel(cli: Commands) -> None:
    with webhook() as hook:
        write(cli, hook.url)
        assert "ok json://127.0.0.1" in cli("alerts", "test")
        assert hook.titles == ["🔔 MyStocks 测试消息"]


def test_test_ends_with_1_and_names_the_channels_that_failed(cli: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_KEY", KEY)
    with webhook() as hook:
        write(cli, hook.url, "json://127.0.0.1:1/${HOOK_KEY}")
        told = cli("alerts", "test", code=1)
        assert "failed json://127.0.0.1:1/${HOOK_KEY}: " in told
        assert f"ok {hook.url}" in told
        assert KEY not in told
        assert len(hook.messages) == 1


def test_list_shows_channels_and_what_they_are_told(cli: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WECOM_KEY", KEY)
    write(cli, "wecombot://${WECOM_KEY}")
    told = cli("alerts")
    assert "wecombot://${WECOM_KEY}" in told
    assert "Sent: failure, recovery, late, missed, daemon, broken_file; at most 30 messages per hour" in told
    assert "Expected on trading days by 18:30: daily_bars" in told
    assert KEY not in told
    found = cli.json("alerts", "list")
    assert [(one["channel"], one["state"]) for one in found["channels"]] == [
        ("wecombot://${WECOM_KEY}", "not used yet")
    ]
    assert KEY not in str(found)


def test_without_addresses_it_says_how_to_add_one(cli: Commands) -> None:
    write(cli)
    assert "wecombot://${WECOM_BOT_KEY}" in cli("alerts", "list")
    assert "wecombot://${WECOM_BOT_KEY}" in cli("alerts", "test", code=1)


def test_history_is_empty_before_anything_was_told(cli: Commands) -> None:
    write(cli, "json://127.0.0.1:1/")
    assert "No alert has been sent yet" in cli("alerts", "history")
    assert cli.json("alerts", "history") == []


def test_titles_with_brackets_are_printed_as_they_are(cli: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    title = "任务失败：报表 [/] [demo]"
    letter = OutboxMessage(key="a", kind="failure", title=title, body="", time=now(), to={"gone": "sent"})
    monkeypatch.setattr(ledger_store, "read", lambda instance: Ledger(messages=[letter]))
    write(cli, "json://127.0.0.1:1/")
    told = cli("alerts", "history")
    assert title in told
    assert "a former channel sent" in told
