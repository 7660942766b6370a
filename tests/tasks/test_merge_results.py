"""The result of a task's parts: what several of them say is read once."""

from mystocks_dagster.tags import State
from mystocks_dagster.tasks.merge_results import merge_results
from mystocks_dagster.tasks.run import TaskResult


def test_a_doubt_that_bars_indicators_and_signals_meet_is_said_once() -> None:
    doubt = "The adjustment ratio is unknown, so nothing is computed for 000002.SZ from 2019-08-13 on. Load v1.2 first."
    merged = merge_results(
        [
            TaskResult(status=State.SUCCESS, message=f"229,916 bars from tdx. {doubt}"),
            TaskResult(status=State.SUCCESS, message=f"192342 rows up to 2025-12-31. {doubt}"),
            TaskResult(status=State.SUCCESS, message=""),
            TaskResult(status=State.SUCCESS, message=f"24082 signals of 3 strategies are stored. {doubt}"),
        ]
    )
    assert merged.message == (
        f"229,916 bars from tdx. {doubt} 192342 rows up to 2025-12-31. 24082 signals of 3 strategies are stored."
    )
