"""The queue waits while the starts of a minute are being asked for, and not for ever."""

import threading
import time

from mystocks_dagster.factory.queue_hold import QueueHold


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
