"""Progress of a task with several stages: one percentage, and the remaining time as far as it can be known."""

import time
from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import contextmanager

from mystocks_dagster.sources.protocol import Progress

#: Before this share of a stage, or so many seconds, the speed is not known well enough to state a remaining time.
_KNOWN_SHARE, _KNOWN_SECONDS = 0.03, 5.0


class Stages:
    """The stages of a task in their order, each with its usual seconds.

    The rest of the current stage takes as long per work as its beginning took. The stages after it take their usual
    seconds, times the pace of this run: its seconds so far in stages that only compute, by their usual ones.
    """

    def __init__(
        self,
        report: Progress,
        usual: Mapping[str, float],
        *,
        waits: Collection[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin the work.

        Args:
            report: Receives the percentage, 100, and the message with the remaining time.
            usual: Seconds by stage, as they were measured once; their ratios give the percentages.
            waits: Stages that wait for others, such as a download, and say nothing about the pace of this machine.
            clock: Returns seconds.
        """
        self._report, self._usual, self._waits, self._clock = report, dict(usual), frozenset(waits), clock
        self._done = 0.0
        self._stage, self._share = next(iter(usual)), 0.0
        self._began = self._last = clock()
        self._measured = self._expected = 0.0

    def of(self, stage: str) -> Progress:
        """Return the function that receives the progress of one stage."""
        return lambda done, total, message: self.reach(stage, done / total if total else 0.0, message)

    def reach(self, stage: str, share: float, message: str) -> None:
        """Report that `share` (0 to 1) of a stage is done; all stages before it are done too."""
        share = min(max(share, 0.0), 1.0)
        if stage != self._stage:
            # A stage whose first report is about work done began when the one before last reported.
            self._finish(stage, self._last if share else self._clock())
        self._share, self._last = share, self._clock()
        done = (sum(self._usual[name] for name in self._before(stage)) + self._usual[stage] * share) / self._total
        self._done = max(self._done, done)  # a stage may begin again, such as reading after a download
        self._report(int(100 * self._done), 100, f"{message}{self._remaining()}")

    @property
    def _total(self) -> float:
        return sum(self._usual.values())

    def _before(self, stage: str) -> list[str]:
        names = list(self._usual)
        return names[: names.index(stage)]

    def _finish(self, stage: str, end: float) -> None:
        """Count the seconds of the stage that ends, and begin another."""
        if self._stage not in self._waits and self._stage in self._before(stage):
            self._measured += end - self._began
            self._expected += self._usual[self._stage]
        self._stage, self._began = stage, end

    def _remaining(self) -> str:
        seconds, known = self._last - self._began, self._share >= _KNOWN_SHARE
        measured, expected = self._measured, self._expected
        if known and self._stage not in self._waits:
            measured, expected = measured + seconds, expected + self._usual[self._stage] * self._share
        pace = measured / expected if measured >= _KNOWN_SECONDS else 1.0
        if self._done >= 1 or (measured < _KNOWN_SECONDS and not (known and seconds >= _KNOWN_SECONDS)):
            return ""
        rest = seconds * (1 - self._share) / self._share if known else self._usual[self._stage] * pace
        later = self._total - sum(self._usual[name] for name in (*self._before(self._stage), self._stage))
        return _left(rest + later * pace)


class StageTimes:
    """How long each stage of a task took, for `TaskResult.stages`."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin without a stage; `clock` returns seconds."""
        self._clock = clock
        self._seconds: dict[str, float] = {}

    @contextmanager
    def of(self, stage: str) -> Generator[None]:
        """Add the time of a block to a stage."""
        began = self._clock()
        try:
            yield
        finally:
            self._seconds[stage] = self._seconds.get(stage, 0.0) + self._clock() - began

    @property
    def seconds(self) -> dict[str, float]:
        """The seconds by stage, in the order in which the stages began first."""
        return {stage: round(seconds, 2) for stage, seconds in self._seconds.items()}


def _left(seconds: float) -> str:
    """Return the remaining time as precise as an estimate can be: in steps of 5 s, in minutes, in hours."""
    if seconds < 90:
        return f", about {max(5, 5 * round(seconds / 5))} s left"
    return f", about {round(seconds / 60)} min left" if seconds < 5400 else f", about {seconds / 3600:.0f} h left"
