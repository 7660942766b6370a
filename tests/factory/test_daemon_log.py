"""The daemon's log in a terminal: what happened stands in it, a look that found nothing to do does not."""

import logging
from collections.abc import Iterator

import pytest

from mystocks_dagster.factory.daemon_log import LookFilter

SATURDAY = "Schedule tidy__schedule skipped: 2026-11-28 (Saturday) is not a trading day in Shanghai."
BUSY = "Schedule tidy__schedule skipped: tidy is already running: 3f2a (max_instances: 1)"


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    logger = logging.getLogger("a daemon that looks")
    looks = LookFilter()
    logger.addFilter(looks)
    yield logger
    logger.removeFilter(looks)


def shown(logger: logging.Logger, caplog: pytest.LogCaptureFixture, level: int = logging.INFO) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= level]


@pytest.mark.parametrize(
    "line",
    [
        "Checking for new runs for sensor: mystocks_system",
        "Sensor mystocks_intervals skipped: load: load is already running: 3f2a (max_instances: 1)\nreport: late",
        "No run requests returned for mystocks_system, skipping",
        "Evaluating schedule `tidy__schedule` at 2026-11-28 16:00:00 +0800",
        "Priority sorting and checking tag concurrency limits for queued runs.",
        "Collected 1 runs for monitoring",
        "Checking run 3f2a9c1d",
    ],
)
def test_a_look_that_found_nothing_is_shown_only_when_asked_for(
    line: str, logger: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    logger.info(line)
    assert shown(logger, caplog) == []
    assert shown(logger, caplog, logging.DEBUG) == [line]


@pytest.mark.parametrize(
    ("level", "line"),
    [
        (logging.INFO, "Completed launch of run 3f2a for mystocks_intervals"),
        (logging.INFO, "Completed scheduled launch of run 3f2a for tidy__schedule"),
        (logging.INFO, "Launched 2 runs."),
        (logging.INFO, "Instance is configured with the following daemons: ['SensorDaemon']"),
        (logging.WARNING, "tidy__schedule has no partition set, so not trying to catch up"),
        (logging.ERROR, "Sensor daemon caught an error for sensor mystocks_system"),
        (logging.ERROR, "Sensor mystocks_system skipped: an error in the words of a look"),
    ],
)
def test_what_happened_and_what_failed_is_shown(
    level: int, line: str, logger: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    logger.log(level, line)
    assert shown(logger, caplog) == [line]


def test_a_schedule_says_once_why_it_skips_its_starts(logger: logging.Logger, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    early = "Schedule report__schedule skipped: 2026-11-28 09:3{} is before start_time 2026-12-01T09:30:00+08:00."
    for line in (SATURDAY, early.format(0), SATURDAY, early.format(1), BUSY, BUSY, SATURDAY):
        logger.info(line)
    assert shown(logger, caplog) == [SATURDAY, early.format(0), BUSY, SATURDAY]
