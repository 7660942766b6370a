"""Progress of a task with several stages: one percentage, and the remaining time as far as it can be known."""

import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager

from mystocks_dagster.sources.protocol import Progress

#: Before this share of the work, or so many seconds, the speed is not known well enough to state a remaining time.
_KNOWN_SHARE, _KNOWN_SECONDS = 0.03, 5.0


class Stages:
    """The stages of a task in their order, each with its share of the whole work."""

    def __init__(
        self, report: Progress, shares: Mapping[str, float], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin the work.

        Args:
            report: Receives the percentage, 100, and the message with the remaining time.
            shares: Estimated work by stage, in any unit.
            clock: Returns seconds.
        """
        self._report, self._shares, self._clock = report, dict(shares), clock
        self._began, self._done = clock(), 0.0

    def of(self, stage: str) -> Progress:
        """Return the function that receives the progress of one stage."""
        return lambda done, total, message: self.reach(stage, done / total if total else 0.0, message)

    def reach(self, stage: str, share: float, message: str) -> None:
        """Report that `share` (0 to 1) of a stage is done; all stages before it are done too."""
        names = list(self._shares)
        before = sum(self._shares[name] for name in names[: names.index(stage)])
        done = (before + self._shares[stage] * min(max(share, 0.0), 1.0)) / sum(self._shares.values())
        self._done = max(self._done, done)  # a stage may begin again, such as reading after a download
        self._report(int(100 * self._done), 100, f"{message}{self._remaining()}")

    def _remaining(self) -> str:
        seconds = self._clock() - self._began
        if self._done < _KNOWN_SHARE or seconds < _KNOWN_SECONDS or self._done >= 1:
            return ""
        return f", about {_duration(seconds * (1 - self._done) / self._done)} left"


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


def _duration(seconds: float) -> str:
    """Return a duration as precise as an estimate can be: `20 s`, `3 min`, `2 h`."""
    if seconds < 90:
        return f"{max(5, 5 * round(seconds / 5))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.0f} h"
