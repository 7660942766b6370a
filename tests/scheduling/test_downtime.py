"""What was missed, what is late, and what was not due because its switch was off: schedules under a clock of ours."""

from collections.abc import Callable
from datetime import datetime

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import InProcessCodeLocationOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    ScheduleInstigatorData,
    TickData,
    TickStatus,
)
from dagster._core.test_utils import freeze_time
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._utils.schedules import schedule_execution_time_iterator

from mystocks_dagster.factory.scheduled import ScheduledJob
from mystocks_dagster.factory.schedules import build_schedule
from mystocks_dagster.factory.sensors import build_once
from mystocks_dagster.market.clock import SHANGHAI
from mystocks_dagster.scheduling import downtime, switches
from mystocks_dagster.taskfile.model import Task

pytestmark = pytest.mark.slow

ORIGIN = RemoteRepositoryOrigin(
    InProcessCodeLocationOrigin(LoadableTargetOrigin(executable_path="python", module_name="none")), "__repository__"
)


def at(text: str) -> datetime:
    """Return a time of 24 November 2026, a Tuesday, or of another day of that month."""
    day, _, time = text.rpartition(" ")
    return datetime.fromisoformat(f"2026-11-{day or 24}T{time}").replace(tzinfo=SHANGHAI)


class Daemon:
    """A daemon of ours and the switch of one task, `job`; its scheduler counts as Dagster's does."""

    def __init__(self, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
        self.instance, self.monkeypatch = instance, monkeypatch
        self.cursor: str | None = None

    def file(self, began: str = "08:00:00", **schedule: object) -> None:
        """Load a task file, and begin."""
        fields = {"task_id": "job", "task_type": "cron", "task_module": "none", "task_function": "none"}
        self.task = Task.model_validate({**fields, "schedule": schedule})
        assert self.task.schedule
        self.form = downtime.form(self.task.schedule)
        self.timed = ScheduledJob(job="job", title="job", schedule=self.task.schedule)
        self.remote = switches._remote(self.task, ORIGIN)
        self.begin(began)
        if self.task.schedule.cron_expression:
            data = ScheduleInstigatorData(self.task.schedule.cron_expression, at(began).timestamp())
            self.instance.add_instigator_state(
                InstigatorState(
                    self.remote.get_remote_origin(), InstigatorType.SCHEDULE, InstigatorStatus.DECLARED_IN_CODE, data
                )
            )

    def begin(self, text: str) -> None:
        """Begin as a new daemon."""
        downtime.begin(self.instance, at(text))
        self.look(text)

    def look(self, *texts: str) -> None:
        """Look, as the system's sensor does."""
        for text in texts:
            on = switches.turned_on(switches.person_states(self.instance), {"job": True})
            downtime.record(self.instance, at(text), on, {"job": self.form})

    def look_each_minute(self, first: int, last: int, hour: int = 10) -> None:
        self.look(*(f"{hour}:{minute:02}:00" for minute in range(first, last + 1)))

    def cron(self, text: str) -> tuple[list[str], str]:
        """Evaluate the cron schedule at a time, as Dagster's scheduler does: requests by due time, and skip reasons."""
        state = self.instance.get_instigator_state(self.remote.get_remote_origin_id(), self.remote.selector_id)
        assert state
        ticks = self.instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1)
        data = state.instigator_data
        since = max(
            ticks[0].timestamp + 1 if ticks else 0, data.start_timestamp or 0, data.last_iteration_timestamp or 0
        )
        cron, until = self.timed.schedule.cron_expression or "", at(text)
        times = schedule_execution_time_iterator(until.timestamp(), cron, "Asia/Shanghai", ascending=False)
        moment = next(time for time in times if time <= until)
        if moment.timestamp() < since:
            return [], "nothing is due"
        self.monkeypatch.setenv("MYSTOCKS_NOW", until.isoformat())
        context = dg.build_schedule_context(instance=self.instance, scheduled_execution_time=moment)
        told = build_schedule(self.timed).evaluate_tick(context)
        self._tick(state, moment)
        return [
            one.tags["dagster/mystocks_scheduled_at"][8:16].replace("T", " ") for one in told.run_requests or ()
        ], told.skip_message or ""

    def _tick(self, state: InstigatorState, moment: datetime) -> None:
        self.instance.create_tick(
            TickData(
                instigator_origin_id=state.instigator_origin_id,
                instigator_name=state.instigator_name,
                instigator_type=state.instigator_type,
                selector_id=state.selector_id,
                status=TickStatus.SUCCESS,
                timestamp=moment.timestamp(),
                end_timestamp=moment.timestamp(),
                run_ids=[],
                run_keys=[],
            )
        )

    def once(self, text: str) -> tuple[int, str]:
        """Evaluate the sensor of the once schedule: runs asked for, and why not."""
        self.monkeypatch.setenv("MYSTOCKS_NOW", at(text).isoformat())
        told = build_once(self.timed).evaluate_tick(dg.build_sensor_context(instance=self.instance, cursor=self.cursor))
        self.cursor = told.cursor if told.cursor is not None else self.cursor
        return len(told.run_requests or ()), told.skip_message or ""

    def turn(self, text: str, on: bool | None) -> None:
        """Turn the switch as `mystocks enable`, `disable` and `reset` do."""
        with freeze_time(at(text)):
            switches.turn(self.instance, ORIGIN, "job", self.task, on)

    def turn_in_ui(self, text: str, on: bool | None) -> None:
        """Turn the switch as Dagster's UI does."""
        identity = (self.remote.get_remote_origin_id(), self.remote.selector_id)
        cron = self.timed.schedule.cron_expression is not None
        with freeze_time(at(text)):
            match on:
                case True:
                    (self.instance.start_schedule if cron else self.instance.start_sensor)(self.remote)
                case False:
                    (self.instance.stop_schedule if cron else self.instance.stop_sensor)(*identity, self.remote)
                case None:
                    (self.instance.reset_schedule if cron else self.instance.reset_sensor)(self.remote)


Turn = Callable[[Daemon, str, bool | None], None]
BY = pytest.mark.parametrize("turn", [Daemon.turn, Daemon.turn_in_ui], ids=["command", "UI"])
BACK = pytest.mark.parametrize("back", [True, None], ids=["on", "reset"])
MINUTELY = {"schedule_type": "cron", "cron_expression": "* * * * *"}
DAILY = {"schedule_type": "cron", "cron_expression": "0 16 * * *"}


@pytest.fixture
def daemon(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> Daemon:
    return Daemon(instance, monkeypatch)


@BY
@BACK
@pytest.mark.parametrize("misfire", ["latest", "all", "skip"])
def test_what_was_due_while_off_was_not_missed(daemon: Daemon, turn: Turn, back: bool | None, misfire: str) -> None:
    daemon.file("09:59:10", **MINUTELY, misfire=misfire)
    daemon.look_each_minute(0, 0)
    assert daemon.cron("10:00:01") == (["24 10:00"], "")
    turn(daemon, "10:00:30", False)
    daemon.look_each_minute(1, 15)
    turn(daemon, "10:15:30", back)
    daemon.look("10:15:32")
    assert daemon.cron("10:15:40")[0] == []
    daemon.look("10:16:00")
    assert daemon.cron("10:16:01") == (["24 10:16"], "")


@BY
@BACK
def test_a_daily_start_that_passed_while_off_is_not_run_when_it_is_on_again(
    daemon: Daemon, turn: Turn, back: bool | None
) -> None:
    daemon.file(**DAILY)
    turn(daemon, "15:00:00", False)
    daemon.look_each_minute(0, 59, hour=15)
    daemon.look_each_minute(0, 59, hour=16)
    turn(daemon, "16:59:30", back)
    # Whether or not the system's sensor has looked since.
    assert daemon.cron("16:59:31")[0] == []
    daemon.look("16:59:35")
    assert daemon.cron("17:00:01")[0] == []


@BY
@BACK
@pytest.mark.parametrize("due", ["16:00", "16:40"], ids=["the daemon was there", "it was down"])
def test_it_does_not_matter_whether_a_daemon_was_there_when_it_was_turned(
    daemon: Daemon, turn: Turn, back: bool | None, due: str
) -> None:
    minute, hour = due.split(":")[1], due.split(":")[0]
    daemon.file(schedule_type="cron", cron_expression=f"{minute} {hour} * * *", misfire="all")
    turn(daemon, "15:59:00", False)
    daemon.look_each_minute(0, 30, hour=16)
    turn(daemon, "16:45:00", back)
    daemon.begin("16:50:00")
    assert daemon.cron("16:50:03")[0] == []


@pytest.mark.parametrize("misfire", ["latest", "skip", "all"])
def test_a_slow_daemon_that_never_stopped_drops_nothing(daemon: Daemon, misfire: str) -> None:
    daemon.file("09:59:10", **MINUTELY, misfire=misfire, misfire_grace_time=1)
    daemon.look("09:59:30", "10:00:00")
    assert daemon.cron("10:00:01")[0] == ["24 10:00"]
    # A thousand schedules are evaluated one after the other: it comes to this one again after three minutes.
    daemon.look("10:01:30", "10:03:00")
    assert daemon.cron("10:03:10")[0] == ["24 10:01", "24 10:02", "24 10:03"]


@pytest.mark.parametrize(
    ("fields", "runs"),
    [
        ({}, ["24 10:05"]),
        ({"misfire": "skip"}, []),
        ({"misfire": "all"}, [f"24 10:0{minute}" for minute in range(1, 6)]),
        ({"misfire": "all", "misfire_grace_time": 120}, ["24 10:04", "24 10:05"]),
        ({"misfire_grace_time": 20}, []),
    ],
    ids=["latest", "skip", "all", "all within the grace time", "latest beyond the grace time"],
)
@pytest.mark.parametrize("killed", [True, False], ids=["it was killed", "its machine slept"])
def test_what_was_missed_is_made_up_for_as_misfire_says(
    daemon: Daemon, fields: dict[str, object], runs: list[str], killed: bool
) -> None:
    daemon.file("09:59:10", **MINUTELY, **fields)
    daemon.look("09:59:30", "10:00:01")
    assert daemon.cron("10:00:02")[0] == ["24 10:00"]
    (daemon.begin if killed else daemon.look)("10:05:30")
    asked, why = daemon.cron("10:05:31")
    assert asked == runs
    assert bool(why) == (not runs)
    assert ("misfire is skip" in why) == (fields.get("misfire") == "skip")
    assert ("misfire_grace_time (0:00:20)" in why) == (fields == {"misfire_grace_time": 20})
    assert daemon.cron("10:06:01")[0] == ["24 10:06"]


def test_a_short_restart_is_downtime_and_nothing_around_it(daemon: Daemon) -> None:
    daemon.file("09:59:10", **MINUTELY, misfire="skip")
    daemon.look("09:59:58")
    daemon.begin("10:00:05")
    assert daemon.cron("10:00:06")[0] == []
    daemon.look("10:01:00")
    daemon.begin("10:01:59")
    assert daemon.cron("10:02:50")[0] == ["24 10:02"]


def test_the_latest_start_is_the_one_of_the_last_trading_day(daemon: Daemon) -> None:
    daemon.file(**DAILY, trading_days_only=True)
    daemon.look("24 10:00:00")
    # Down from Tuesday on, it comes back on a Sunday evening.
    daemon.begin("29 19:00:00")
    assert daemon.cron("29 19:00:05") == (["27 16:00"], "")


def test_a_changed_expression_has_missed_nothing(daemon: Daemon) -> None:
    daemon.file(**DAILY, misfire="all")
    daemon.look("09:59:55", "10:00:00")
    daemon.timed = ScheduledJob(
        job="job", title="job", schedule=daemon.timed.schedule.model_copy(update={"cron_expression": "*/5 * * * *"})
    )
    daemon.form = downtime.form(daemon.timed.schedule)
    assert daemon.cron("10:30:01")[0] == ["24 10:30"]
    daemon.look("10:30:05")
    assert daemon.cron("10:35:01")[0] == ["24 10:35"]


def test_a_clock_that_was_set_back_is_no_downtime(daemon: Daemon) -> None:
    daemon.file("10:00:10", **MINUTELY, misfire="skip")
    daemon.look("10:30:00")
    daemon.look("10:00:20", "10:00:25")
    assert daemon.cron("10:01:01")[0] == ["24 10:01"]


ONCE = {"schedule_type": "once", "start_time": "2026-11-24T10:00:00"}


@BY
@BACK
def test_a_once_that_was_due_while_off_was_not_missed(daemon: Daemon, turn: Turn, back: bool | None) -> None:
    daemon.file(**ONCE)
    daemon.look("09:30:00")
    assert daemon.once("09:30:00")[0] == 0
    turn(daemon, "09:50:00", False)
    daemon.look(*(f"{hour}:{minute}:00" for hour, minute in [("09", 52), ("09", 54), ("09", 56), ("09", 58)]))
    daemon.look_each_minute(0, 9)
    turn(daemon, "10:10:00", back)
    runs, why = daemon.once("10:10:02")
    assert (runs, "switched off" in why) == (0, True)
    assert daemon.once("10:10:07")[0] == 0


def test_a_once_with_skip_that_a_slow_daemon_comes_to_late_runs(daemon: Daemon) -> None:
    daemon.file(**ONCE, misfire="skip")
    daemon.look("09:57:00", "09:59:00", "10:01:00")
    assert daemon.once("10:02:00") == (1, "")


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"misfire": "skip"}, "misfire is skip"),
        ({}, "more than 1:00:00"),
        ({"misfire_grace_time": 60}, "misfire_grace_time (0:01:00)"),
    ],
    ids=["skip", "the default", "a grace time"],
)
def test_a_missed_once_names_the_rule_that_the_file_sets(daemon: Daemon, fields: dict[str, object], why: str) -> None:
    daemon.file(**ONCE, **fields)
    daemon.look("09:30:00")
    daemon.begin("11:30:00")
    runs, told = daemon.once("11:30:02")
    assert (runs, why in told) == (0, True)
    assert ("misfire_grace_time" in told) == ("misfire_grace_time" in fields)
