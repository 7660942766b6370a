"""The percentage and the remaining time of a task with stages."""

from mystocks_dagster.tasks.stages import Stages, StageTimes


class Clock:
    """A clock that is set by the test."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_percentage_follows_the_shares_of_the_stages():
    reports: list[tuple[int, int, str]] = []
    stages = Stages(lambda *report: reports.append(report), {"read": 1, "write": 3}, clock=Clock())
    stages.of("read")(1, 2, "half read")
    stages.of("write")(0, 10, "begun")
    stages.of("write")(10, 10, "done")
    assert reports == [(12, 100, "half read"), (25, 100, "begun"), (100, 100, "done")]


def test_the_remaining_time_is_the_time_per_work_so_far():
    clock, texts = Clock(), list[str]()
    stages = Stages(lambda _done, _total, text: texts.append(text), {"read": 1, "write": 3}, clock=clock)
    for done in range(1, 5):
        clock.now = done * 60.0
        stages.of("write")(done, 4, "bars")
    # After the first minute 44 % are done, so the other 56 % take 77 s, and so on.
    assert texts == ["bars, about 75 s left", "bars, about 70 s left", "bars, about 40 s left", "bars"]


def test_no_remaining_time_before_the_speed_is_known():
    clock, texts = Clock(), list[str]()
    stages = Stages(lambda _done, _total, text: texts.append(text), {"read": 1}, clock=clock)
    clock.now = 4.0
    stages.of("read")(1, 2, "too early")
    clock.now = 60.0
    stages.of("read")(1, 2, "known")
    assert texts == ["too early", "known, about 60 s left"]


def test_a_stage_that_begins_again_does_not_go_back():
    done: list[int] = []
    stages = Stages(lambda percent, _total, _text: done.append(percent), {"read": 1, "write": 1}, clock=Clock())
    stages.of("read")(9, 10, "download")
    stages.of("read")(1, 10, "reading")
    assert done == [45, 45]


def test_a_total_of_zero_is_no_work():
    done: list[int] = []
    Stages(lambda percent, _total, _text: done.append(percent), {"read": 1}, clock=Clock()).of("read")(0, 0, "nothing")
    assert done == [0]


def test_the_seconds_of_a_stage_are_added_up_in_the_order_of_the_stages():
    seconds = iter([0.0, 2.0, 2.0, 5.0, 5.0, 6.004])
    times = StageTimes(clock=lambda: next(seconds))
    for stage in ("read", "write", "read"):
        with times.of(stage):
            pass
    assert times.seconds == {"read": 3.0, "write": 3.0}
