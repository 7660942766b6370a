"""Which parameters repeat what failed: those of the last execution that did work, whatever came after it."""

import json
from collections.abc import Iterator
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest
from support.project import Folder

from mystocks_dagster.errors import InvalidParams, NothingFailed, UnknownName
from mystocks_dagster.history import Execution
from mystocks_dagster.market.clock import SHANGHAI
from mystocks_dagster.project.failed_items import params_of_failed
from mystocks_dagster.project.state import ProjectState
from mystocks_dagster.settings import Settings

TASKS = """
    task_packages: [mine]
    tasks:
      - {task_id: sync, task_type: data_sync, task_module: mine, task_function: sync}
    task_groups:
      - {group_id: all, tasks: [sync]}
"""
AT = datetime(2026, 11, 24, 16, 0, tzinfo=SHANGHAI)
RETRY = '{"symbols": ["000001.SZ"]}'


class Past:
    """A history of executions, the newest first."""

    def __init__(self, *executions: Execution) -> None:
        self._executions = executions

    def executions(self, name: str, *, limit: int) -> Iterator[Execution]:
        yield from self._executions[:limit]


def ran(status: str, step: str = "sync", **result: Any) -> Execution:
    return Execution(
        execution_id=f"run:{step}", run_id="run", task_id="sync", status=status, start_time=AT, result=result or None
    )


@pytest.fixture
def state(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> ProjectState:
    """A project whose instance knows one run, with its parameters."""
    folder.write("tasks.yaml", TASKS)
    folder.write("mine.py", "def sync(params):\n    return None\n")
    monkeypatch.chdir(folder.root)
    config = {name: {"config": {"data_source": "recorded", "token": "secret"}} for name in ("sync", "sync__asset")}
    run = SimpleNamespace(run_config={"ops": config}, tags={})
    instance: Any = SimpleNamespace(get_run_by_id=lambda _: run, run=run)
    return ProjectState(Settings.from_env(), instance)


def asked(state: ProjectState, *executions: Execution) -> dict[str, Any]:
    past: Any = Past(*executions)
    return params_of_failed(state, past, "sync")


@pytest.mark.parametrize("later", [[], ["skipped"], ["cancelled", "running", "pending"]])
def test_what_came_after_without_doing_work_does_not_count(state: ProjectState, later: list[str]) -> None:
    executions = [*map(ran, later), ran("partial_success", retry_params=RETRY, failed_items='["000001.SZ"]')]
    # The parameters that the history masks are those of the run itself.
    assert asked(state, *executions) == {"data_source": "recorded", "token": "secret", "symbols": ["000001.SZ"]}


def test_an_execution_that_failed_as_a_whole_is_repeated_as_it_was(state: ProjectState) -> None:
    assert asked(state, ran("failed"), ran("success")) == {"data_source": "recorded", "token": "secret"}


def test_a_later_success_leaves_nothing_to_repeat(state: ProjectState) -> None:
    with pytest.raises(NothingFailed, match=r"Nothing failed .* of sync \(success, 2026-11-24 16:00\)"):
        asked(state, ran("success"), ran("partial_success", retry_params=RETRY))


def test_a_task_that_does_not_say_how_to_repeat_is_named_with_what_failed(state: ProjectState) -> None:
    with pytest.raises(NothingFailed, match=r"600000.SH failed .*mystocks run sync"):
        asked(state, ran("partial_success", failed_items='["600000.SH"]'))


def test_of_thousands_of_stocks_that_failed_the_first_ones_are_named(state: ProjectState) -> None:
    failed = json.dumps([f"{number:06}.SZ" for number in range(5000)])
    with pytest.raises(NothingFailed, match=r"that 000000.SZ, 000001.SZ, 000002.SZ and 4997 more failed"):
        asked(state, ran("partial_success", failed_items=failed))


def test_a_backfill_that_failed_as_a_whole_is_repeated_by_its_days(state: ProjectState) -> None:
    run: Any = state.instance
    run.run.tags |= {
        "dagster/asset_partition_range_start": "2026-10-12",
        "dagster/asset_partition_range_end": "2026-10-13",
    }
    with pytest.raises(InvalidParams, match="mystocks backfill sync --from 2026-10-12 --to 2026-10-13 --again"):
        asked(state, ran("failed", "sync__asset"))


def test_a_group_and_an_unknown_task_are_refused(state: ProjectState) -> None:
    nothing: Any = Past()
    with pytest.raises(InvalidParams, match="all is a group"):
        params_of_failed(state, nothing, "all")
    with pytest.raises(UnknownName):
        params_of_failed(state, nothing, "synk")
