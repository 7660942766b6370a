"""A week under faults: the clock leaps from start to start, and at random moments something breaks."""

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from support.chaos.faults import FAULTS, Harm
from support.chaos.plant import Plant
from support.chaos.week import Week
from support.project import wait_for

#: The longest leap of the clock: an interval that was missed more often than its limit is not made up for.
LONGEST_LEAP = timedelta(hours=30)
#: Faults of which the end of one would end the other, or which hide each other.
_ONE_AT_A_TIME = ({"fill_disk", "break_file", "edit_file"}, {"crash_database"}, {"slow_store"}, {"ban_upstream"})


@dataclass
class Storm:
    """The faults of a week.

    Attributes:
        count: How often each happened.
        rest: Seconds between two leaps of the clock, each of which costs a code server that had no heartbeat since.
        leaps: How often the clock leapt forward.
    """

    plant: Plant
    week: Week
    chance: random.Random
    say: Callable[[str], None]
    rest: float = 20
    count: Counter[str] = field(default_factory=Counter)
    leaps: int = 0
    _leapt: float = 0
    _met: int = 0
    _open: list[tuple[float, str, Harm]] = field(default_factory=list)

    def blow(self, seconds: float, pause: float, least: int = 0) -> None:
        """Let the week pass in so many seconds, with a fault after each pause of about that length.

        Args:
            seconds: How long it takes.
            pause: Mean seconds between two faults.
            least: So many faults happen, also where servers take so long to start that the seconds are over before.
        """
        starts = sorted({moment for times in self.week.due().values() for moment in times})
        wait_for(lambda: self.plant.up, 170, "the first start")
        begun = time.monotonic()
        while (passed := time.monotonic() - begun) < seconds or self.total < least:
            self._mend(time.monotonic())
            self._leap(starts, self.week.begin + (self.week.end - self.week.begin) * min(1, passed / seconds))
            # Servers that are never let up would hide what may go wrong once they are: a start meets one fault at most.
            starting = not self.plant.up
            if not starting or (self._met < self.plant.restarts and self.chance.random() < 0.1):
                self._met = self.plant.restarts if starting else self._met
                self._break()
            self.plant.measure()
            time.sleep(self.chance.uniform(0.3, 1.7) * pause)
        self.calm()
        while self.week.end - self.plant.world.now() > LONGEST_LEAP:
            wait_for(lambda: self.plant.up, 170, "the servers after the faults")
            self.plant.world.set_clock(self.plant.world.now() + LONGEST_LEAP)
            time.sleep(self.rest)
        self.plant.world.set_clock(max(self.week.end, self.plant.world.now()))

    def calm(self) -> None:
        """End all faults."""
        self._mend(float("inf"))

    @property
    def total(self) -> int:
        """How many faults there were; leaps of the clock are not counted."""
        return sum(self.count.values())

    def _leap(self, starts: list[datetime], target: datetime) -> None:
        """Set the clock forward if it is behind: to some seconds before a start, or past it as a machine that slept."""
        now, rested = self.plant.world.now(), time.monotonic() - self._leapt
        due = [start for start in starts if now < start <= min(target, now + LONGEST_LEAP)]
        if not due or not self.plant.up or rested < self.rest:
            return
        sleep = self.chance.random() < 0.3
        to = due[-1] + timedelta(seconds=self.chance.uniform(20, 900) if sleep else self.chance.uniform(-8, -2))
        if now < to < self.week.end:
            self.plant.world.set_clock(to)
            self._leapt = time.monotonic()
            self.leaps += 1
            self.say(f"{to:%a %H:%M:%S} leap by {to - now}")

    def _break(self) -> None:
        fault = self.chance.choices(list(FAULTS), list(FAULTS.values()))[0]
        name = fault.__name__
        if any(name in together and other in together for other in self._lasting() for together in _ONE_AT_A_TIME):
            return
        harm = fault(self.plant, self.chance)
        if harm is None:
            return
        self.count[name] += 1
        self._open.append((time.monotonic() + harm.seconds, name, harm))
        self.say(f"{self.plant.world.now():%a %H:%M:%S} {harm.what} for {harm.seconds:.1f} s")

    def _lasting(self) -> set[str]:
        return {name for _, name, _ in self._open}

    def _mend(self, until: float) -> None:
        for entry in [entry for entry in self._open if entry[0] <= until]:
            self._open.remove(entry)
            entry[2].mend()
