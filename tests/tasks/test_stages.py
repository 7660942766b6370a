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


def test_the_rest_of_a_stage_takes_as_long_per_work_as_its_beginning():
    clock, texts = Clock(), list[str]()
    stages = Stages(lambda _done, _total, text: texts.append(text), {"read": 1, "write": 3}, clock=clock)
    for done in range(1, 5):
        clock.now = done * 60.0
        stages.of("write")(done, 4, "bars")
    assert texts == ["bars, about 3 min left", "bars, about 2 min left", "bars, about 60 s left", "bars"]


def test_later_stages_follow_the_pace_of_this_run():
    clock, texts = Clock(), list[str]()
    usual = {"bars": 40, "indicators": 50, "signals": 10}
    stages = Stages(lambda _done, _total, text: texts.append(text), usual, clock=clock)
    clock.now = 40.0  # half of the bars took twice their usual 20 s
    stages.of("bars")(1, 2, "bars")
    clock.now = 80.0
    stages.of("indicators")(0, 1, "indicators")
    clock.now = 90.0  # they turn out to be faster: 10 s for half of them
    stages.of("indicators")(1, 2, "indicators")
    assert texts == [
        "bars, about 3 min left",  # 40 s of bars, and 2 x 60 s
        "indicators, about 2 min left",  # 2 x 60 s
        "indicators, about 25 s left",  # 10 s, and the signals at the pace of 90 s for 65 s
    ]


def test_a_slow_download_says_nothing_about_the_stages_after_it():
    clock, texts = Clock(), list[str]()
    usual = {"reading": 5, "bars": 40}
    stages = Stages(lambda _done, _total, text: texts.append(text), usual, waits=("reading",), clock=clock)
    clock.now = 300.0
    stages.of("reading")(1, 2, "download")
    assert texts == ["download, about 6 min left"]  # 300 s of the download, and the usual 40 s


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
