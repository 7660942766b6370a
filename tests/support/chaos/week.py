"""A week of trading as a plan: its tasks, and every start that is due in it, by croniter and the exchange."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import exchange_calendars
import yaml
from croniter import croniter
from support.chaos.world import SHANGHAI

#: Tasks that run by themselves and must run once for each start, whatever happens: their times, whether on trading days
#: only, and what they do.
CRONS = {
    "trading_hours": ("0 10,14,18 * * 1-5", True, "work_alone"),
    "round_the_clock": ("30 */6 * * *", False, "work_alone"),
}
#: Tasks that ask an upstream, while its lists show a closed session.
ASKING = {
    "billboard": ("45 */6 * * *", False, "ask_billboard"),
    "flows": ("50 1,17 * * *", False, "ask_flows"),
}
DAILY = "5 16 * * *"
INTERVAL = "by_interval"
INTERVAL_SECONDS = 6 * 3600
SUPERVISOR = "kept_alive"
ONCE = "once_on_day"
BARS = ["daily_data_sync", "calc_technical_indicators"]


@dataclass(frozen=True)
class Week:
    """Some days from one midnight to another.

    Attributes:
        begin: The first moment; nothing is due at it.
        days: How many days.
        asks: Whether tasks ask an upstream, too.
    """

    begin: datetime
    days: int
    asks: bool = False

    @classmethod
    def first(cls, days: int, *, asks: bool = False) -> "Week":
        """Return so many days from a Monday on whose Friday a holiday and a month begin: 1 May 2026."""
        return cls(datetime(2026, 4, 27, tzinfo=SHANGHAI), days, asks)

    @property
    def environment(self) -> dict[str, str]:
        """The variables that say where its rows come from."""
        options = f"symbols=20,start={self.begin.replace(day=1):%Y-%m-%d}"
        return {"MYSTOCKS_SOURCE": "simulated", "MYSTOCKS_SIMULATED": options}

    @property
    def crons(self) -> dict[str, tuple[str, bool, str]]:
        """The tasks by cron: their times, whether on trading days only, and what they do."""
        return CRONS | (ASKING if self.asks else {})

    @property
    def end(self) -> datetime:
        """The last moment; nothing is due at it."""
        return self.begin + timedelta(days=self.days)

    @property
    def sessions(self) -> list[datetime]:
        """The trading days of the exchange, at midnight."""
        found = exchange_calendars.get_calendar("XSHG").sessions_in_range(
            self.begin.date().isoformat(), (self.end - timedelta(days=1)).date().isoformat()
        )
        return [datetime(day.year, day.month, day.day, tzinfo=SHANGHAI) for day in found]

    def due(self) -> dict[str, list[datetime]]:
        """Return each job with the starts that are due."""
        crons = {**self.crons, "daily": (DAILY, True, "")}
        found = {job: list(self._times(cron, trading)) for job, (cron, trading, _) in crons.items()}
        step = timedelta(seconds=INTERVAL_SECONDS)
        found[INTERVAL] = [self.begin + step * number for number in range(1, (self.end - self.begin) // step)]
        return found | {f"{ONCE}_{number}": [moment] for number, moment in enumerate(self._once())}

    def _times(self, cron: str, trading: bool) -> Iterator[datetime]:
        trading_days, times = {day.date() for day in self.sessions}, croniter(cron, self.begin)
        while (moment := times.get_next(datetime)) < self.end:
            if not trading or moment.date() in trading_days:
                yield moment

    def _once(self) -> list[datetime]:
        return [self.begin + timedelta(days=number, hours=11, minutes=17) for number in range(self.days)]

    def tasks(self, source: str = "simulated") -> str:
        """Return the task file."""

        def cron(expression: str, trading: bool) -> dict[str, Any]:
            return {
                "schedule_type": "cron",
                "cron_expression": expression,
                "trading_days_only": trading,
                "misfire": "all",
            }

        long = {"misfire_grace_time": 30 * 86400}
        interval = {
            "schedule_type": "interval",
            "interval_seconds": INTERVAL_SECONDS,
            "start_time": self.begin.isoformat(),
            "misfire": "all",
        }
        once = [
            {"task_id": f"{ONCE}_{number}", "schedule": {"schedule_type": "once", "start_time": at.isoformat(), **long}}
            for number, at in enumerate(self._once())
        ]
        again = {"retry_count": 2, "retry_delay": 1}
        bars = {"task_type": "data_sync", "retry_count": 2, "retry_delay": 3}
        tasks: list[dict[str, Any]] = [
            *(
                {"task_id": name, "schedule": cron(times, trading), "task_function": function}
                for name, (times, trading, function) in self.crons.items()
            ),
            {"task_id": INTERVAL, "schedule": interval},
            *once,
            {"task_id": SUPERVISOR, "task_type": "supervisor", "task_function": "watch", "retry_count": 0},
            {
                **bars,
                "task_id": BARS[0],
                "task_module": "mystocks_dagster.tasks.data_sync",
                "task_function": "sync_daily_stock_data",
                "params": {"data_source": source},
            },
            {
                **bars,
                "task_id": BARS[1],
                "task_type": "indicator_calc",
                "task_module": "mystocks_dagster.tasks.indicators",
                "task_function": "calculate_technical_indicators",
            },
        ]
        for task in tasks:
            task.setdefault("auto_restart", True)
            if task["task_id"] == "billboard":
                task["params"] = {"since": f"{self.begin:%Y-%m-%d}"}
        file = {
            "version": "1.0",
            "task_packages": ["duty"],
            # Every start counts: none is left out because the one before still runs.
            "defaults": {"task_module": "duty", "task_function": "work", "task_type": "cron", "max_instances": 100}
            | again,
            "tasks": tasks,
            "task_groups": [{"group_id": "daily", "tasks": BARS, "schedule": cron(DAILY, True)}],
        }
        return yaml.safe_dump(file, sort_keys=False, allow_unicode=True)
