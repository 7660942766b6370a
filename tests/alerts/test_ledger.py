"""A ledger that an earlier version stored keeps its meaning."""

import json

from mystocks_dagster.alerts.ledger import Ledger


def test_a_ledger_of_an_earlier_version_sends_nothing_twice_and_still_knows_what_is_wrong() -> None:
    # As the version before stored it.
    stored = json.dumps(
        {
            "event": 41,
            "ended": ["run-1"],
            "awaited": {"run-2": "2026-11-24T16:00:00+08:00"},
            "told": {"task-1": "2026-11-24T16:00:00+08:00"},
            "open": {"task:sync": {"since": "2026-11-24T16:00:00+08:00", "note": ""}},
            "letters": [
                {
                    "key": "task-1",
                    "kind": "failure",
                    "title": "sync",
                    "body": "",
                    "time": "2026-11-24T16:00:00+08:00",
                    "to": {"hook": "waiting"},
                }
            ],
            "lines": {"hook": {"failures": 2}},
            "looked": "2026-11-24T16:01:00+08:00",
            "since": "2026-11-24T09:00:00+08:00",
            "judged": "2026-11-24T15:59:00+08:00",
            "expected": {"daily_bars:18:30": "2026-11-20T09:00:00+08:00"},
        }
    )
    ledger = Ledger.model_validate_json(stored)
    assert (ledger.last_event, ledger.handled_runs, list(ledger.awaiting_restart)) == (41, ["run-1"], ["run-2"])
    assert (list(ledger.recorded), list(ledger.incidents), ledger.channels["hook"].failures) == (
        ["task-1"],
        ["task:sync"],
        2,
    )
    assert [message.title for message in ledger.waiting("hook")] == ["sync"]
    times = (ledger.evaluated_at, ledger.evaluated_since, ledger.judged_until)
    assert [f"{time:%H:%M}" for time in times if time] == ["16:01", "09:00", "15:59"]
    assert list(ledger.expected_since) == ["daily_bars:18:30"]
    assert Ledger.model_validate_json(ledger.model_dump_json()) == ledger
