"""The upstream of a deployment: a stand-in for akshare's hosts, which bans for a while as East Money does."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import Any

import polars as pl
from standin.market import Market
from standin.server import StandIn
from standin.shapes import Answers

from mystocks_dagster.market.calendar import shanghai

#: What an address gets that is banned, with the start of the paths where it is seen: a connection that is closed, a
#: refusal, a page with a riddle, a list without rows.
BANS = {"drop": "/", "status": "/", "captcha": "/", "null": "/api/qt/clist"}
_CLOSE = time(15)


class Upstream:
    """The hosts that akshare asks.

    Attributes:
        now: The time by which the lists show the session that has closed last.
        refused: The number of requests that met a ban, by its kind.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        """Make the server; it answers while its context is entered."""
        self.now = now
        self.refused: Counter[str] = Counter()
        self.server = StandIn(Market.small())
        self.server.answers = self  # of the day, whichever that is

    def answer(self, *question: Any) -> bytes | None:
        """Answer as the hosts do at this time."""
        return _answers(shanghai().probable_latest_closed(self.now(), _CLOSE)[0]).answer(*question)

    def ban(self, chance: random.Random) -> str:
        """Refuse requests until `forgive`; return how."""
        kind = chance.choice(list(BANS))
        self.server.fault(kind, BANS[kind], value=403)
        return kind

    def forgive(self) -> None:
        """Answer again."""
        for fault in self.server.faults:
            self.refused[fault.kind] += -1 - fault.times
        self.server.faults.clear()


@cache
def _answers(day: date) -> Answers:
    """Return the answers on the evening of a session: with 龙虎榜 of three weeks."""
    market = Market.small(day)
    board = market.longhubang.filter(pl.col("date") == day)
    days = shanghai().sessions(day - timedelta(days=21), day)
    return Answers(replace(market, longhubang=pl.concat([board.with_columns(date=pl.lit(one)) for one in days])))


@contextmanager
def upstream(now: Callable[[], datetime]) -> Iterator[Upstream]:
    """Run the hosts."""
    made = Upstream(now)
    with made.server:
        yield made
