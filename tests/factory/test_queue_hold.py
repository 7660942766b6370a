"""The queue waits while the starts of a minute are being asked for, and not for ever."""

import logging
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest

from mystocks_dagster.dagster_internals import QueuedRunCoordinatorDaemon
from mystocks_dagster.factory.queue_hold import HOLD, QueueHold
from mystocks_dagster.factory.run_queue import QueueDaemon
from mystocks_dagster.factory.scheduler import UsualStarts
from mystocks_dagster.market.clock import now


def test_the_queue_waits_until_all_starts_are_asked_for() -> None:
    hold, order = QueueHold(60), []
    queue = threading.Thread(target=lambda: (hold.wait(), order.append("queue")))
    with hold:
        queue.start()
        queue.join(0.2)
        order.append("all asked for")
    queue.join(30)
    assert order == ["all asked for", "queue"]


def test_the_queue_does_not_wait_for_longer_than_the_limit() -> None:
    hold = QueueHold(0.2)
    with hold:
        hold.wait()
        began = time.monotonic()
        hold.wait()
        assert time.monotonic() - began < 0.2, "it has been held for too long already"


def test_the_queue_does_not_wait_when_nothing_is_due() -> None:
    began = time.monotonic()
    QueueHold(60).wait()
    assert time.monotonic() - began < 30


def test_a_minutes_starts_are_all_in_the_queue_before_the_queue_starts_the_first(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    context: Any = SimpleNamespace(instance=instance, create_request_context=lambda: None)
    order: list[str] = []
    monkeypatch.setattr(QueuedRunCoordinatorDaemon, "run_iteration", lambda *_: iter([order.append("queue looks")]))
    queue = threading.Thread(target=lambda: list(QueueDaemon(interval_seconds=1).run_iteration(context)))
    usual = UsualStarts(context, logging.getLogger())

    def ask(*_: object) -> Iterator[None]:
        queue.start()
        queue.join(0.2)
        order.append("all asked for")
        yield

    monkeypatch.setattr(usual, "_ask", ask)
    monkeypatch.setattr(usual, "_starts", SimpleNamespace(look=lambda *_: ["a start"]))
    list(usual.ask(now()))
    HOLD.wait()
    queue.join(30)
    assert order == ["all asked for", "queue looks"]
