"""Machines that share a database share the rate at which they ask a host."""

from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import psycopg2
import pytest
import yaml
from support.postgres import empty_database

from mystocks_dagster.errors import SourceUnavailable
from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.host_notes import host_notes
from mystocks_dagster.sources.hosts import HostLimiter


@pytest.fixture
def machines(tmp_path: Path, postgres: Any) -> list[Settings]:
    """Two machines over one database with Dagster's table of values."""
    url = empty_database(postgres, "host_notes")
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE kvs (key TEXT NOT NULL, value TEXT); CREATE UNIQUE INDEX one ON kvs (key)")
    connection.close()
    found = []
    for name in ("first", "second"):
        home = tmp_path / name
        home.mkdir()
        config = {"storage": {"postgres": {"postgres_url": url}}}
        (home / "dagster.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        found.append(replace(Settings.from_env(), dagster_home=home, upstream=None, source_options={}))
    return found


def test_requests_of_both_machines_are_counted_and_a_ban_stops_both(machines: list[Settings]) -> None:
    first, second = (HostLimiter(host_notes(settings), gaps=False) for settings in machines)
    with first.turn("www.szse.cn") as turn:
        assert turn.requests_today == 1
    with second.turn("www.szse.cn") as turn:
        assert turn.requests_today == 2
        turn.ban("it refused us.")
    assert first.sent_today("www.szse.cn") == 2
    with pytest.raises(SourceUnavailable, match=r"it refused us") as raised, first.turn("www.szse.cn"):
        pass
    # The remedy that the message has works.
    statement = str(raised.value).partition("run in the database: ")[2].rstrip(".")
    url = yaml.safe_load((machines[0].dagster_home / "dagster.yaml").read_text())["storage"]["postgres"]["postgres_url"]
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        assert cursor.rowcount == 1
    connection.close()
    with first.turn("www.szse.cn") as turn:
        assert turn.requests_today == 1


def test_a_host_gets_one_request_at_a_time_from_both_machines(machines: list[Settings]) -> None:
    first, second = (HostLimiter(host_notes(settings), gaps=False) for settings in machines)
    order: list[str] = []

    def ask() -> None:
        with second.turn("www.szse.cn"):
            order.append("second")

    with first.turn("www.szse.cn"):
        waiting = Thread(target=ask)
        waiting.start()
        waiting.join(0.5)
        assert waiting.is_alive()
        order.append("first")
    waiting.join(20)
    assert order == ["first", "second"]


def test_a_stand_in_is_counted_apart(machines: list[Settings]) -> None:
    real, stand_in = (HostLimiter(host_notes(machines[0], group), gaps=False) for group in ("", "127.0.0.1_80"))
    with real.turn("www.szse.cn"):
        pass
    assert (real.sent_today("www.szse.cn"), stand_in.sent_today("www.szse.cn")) == (1, 0)
