"""Trading rules of the Chinese exchanges as data: price limits, lots and fees, each with the day from which it holds.

Sources, by rule:
* Limits: trading rules of SSE, SZSE and BSE. Main board 10 % since 1996-12-16; ChiNext 20 % since 2020-08-24
  (10 % before); STAR 20 % since its start on 2019-07-22; BSE 30 % since its start on 2021-11-15.
* ST on the main board: 5 % since 1998-04-22, and 10 % like the rest of the board since 2026-07-06 (SSE and SZSE notices
  following the consultation of 2025-06-27). On the other boards ST never changed the limit.
* New listings: no limit on the first five days on STAR, on ChiNext since 2020-08-24 and on the main board since
  2023-04-10; on BSE on the first day. Before, +44 % and -36 % on the first day since 2014-01-01 (SSE and SZSE notices
  of 2013-12-13), and no limit on it before that.
* Fees: stamp duty (Ministry of Finance) 0.2 % of both sides, 0.1 % since 2005-01-24, 0.3 % since 2007-05-30, 0.1 %
  since 2008-04-24, of sales only since 2008-09-19, 0.05 % since 2023-08-28; transfer fee (ChinaClear) 0.002 %, 0.001 %
  since 2022-04-29. The broker's commission is a typical one and can be set.

Not modelled: the first day of the delisting period and of a resumed listing, which have no limit; the time before
1996-12-16, which had none; transfer fees before 2015-08-01, which were a part of the par value in Shanghai.
"""

import math
from datetime import date
from typing import Any, Literal, NamedTuple

from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.market.symbols import Board

Side = Literal["buy", "sell"]

COMMISSION_RATE = 0.00025
COMMISSION_MIN = 5.0

CHINEXT_REFORM = date(2020, 8, 24)
MAIN_REFORM = date(2023, 4, 10)
#: Listings from this day on have a limit on their first day.
FIRST_DAY_LIMITED = date(2014, 1, 1)


class UsualLimit(NamedTuple):
    """The usual daily limit of a board from a day on, in percent, and that of its ST stocks."""

    board: Board
    since: date
    percent: int
    st_percent: int


#: By board in order of their days; the first of a board also holds before its day.
USUAL_LIMITS = (
    UsualLimit("main", date(1996, 12, 16), 10, 10),
    UsualLimit("main", date(1998, 4, 22), 10, 5),
    UsualLimit("main", date(2026, 7, 6), 10, 10),
    UsualLimit("chinext", date(2009, 10, 30), 10, 10),
    UsualLimit("chinext", CHINEXT_REFORM, 20, 20),
    UsualLimit("star", date(2019, 7, 22), 20, 20),
    UsualLimit("bse", date(2021, 11, 15), 30, 30),
)


class FreeDays(NamedTuple):
    """The number of trading days without limit, from the first, of stocks that are listed from a day on."""

    board: Board
    listed_since: date
    days: int


#: By board in order of their days.
FREE_DAYS = (
    FreeDays("main", date.min, 1),
    FreeDays("main", FIRST_DAY_LIMITED, 0),
    FreeDays("main", MAIN_REFORM, 5),
    FreeDays("chinext", date.min, 1),
    FreeDays("chinext", FIRST_DAY_LIMITED, 0),
    FreeDays("chinext", CHINEXT_REFORM, 5),
    FreeDays("star", date.min, 5),
    FreeDays("bse", date.min, 1),
)


class Duty(NamedTuple):
    """The stamp duty from a day on, as fractions of the amount bought and sold."""

    since: date
    bought: float
    sold: float


STAMP_DUTY = (
    Duty(date.min, 0.002, 0.002),
    Duty(date(2005, 1, 24), 0.001, 0.001),
    Duty(date(2007, 5, 30), 0.003, 0.003),
    Duty(date(2008, 4, 24), 0.001, 0.001),
    Duty(date(2008, 9, 19), 0.0, 0.001),
    Duty(date(2023, 8, 28), 0.0, 0.0005),
)


class TransferFee(NamedTuple):
    """The transfer fee from a day on, as a fraction of the amount."""

    since: date
    rate: float


TRANSFER_FEE = (TransferFee(date.min, 0.00002), TransferFee(date(2022, 4, 29), 0.00001))


class PriceLimit(NamedTuple):
    """The daily price limit in percent of the previous close: +`up` and -`down`."""

    up: int
    down: int


#: The first day of a listing under the rules from 2014 to the reforms.
FIRST_DAY = PriceLimit(44, 36)


def usual_limit(board: Board, day: date, *, is_st: bool = False) -> PriceLimit:
    """Return the price limit of a stock that is not newly listed."""
    own = [rule for rule in USUAL_LIMITS if rule.board == board]
    rule = ([rule for rule in own if rule.since <= day] or own[:1])[-1]
    percent = rule.st_percent if is_st else rule.percent
    return PriceLimit(percent, percent)


def days_without_limit(board: Board, list_date: date) -> int:
    """Return the number of trading days, from the first, on which a stock listed on `list_date` has no limit."""
    return [rule.days for rule in FREE_DAYS if rule.board == board and rule.listed_since <= list_date][-1]


def price_limit(board: Board, day: date, *, is_st: bool = False, list_date: date | None = None) -> PriceLimit | None:
    """Return the price limit of a stock on a trading day, or None if there is none.

    `is_st` is whether it has an ST name that day. `list_date` is its first trading day, None if that was long ago or
    is unknown.

    Raises:
        OutsideCalendar: `day` is within three weeks of the listing and outside the exchange calendar.
    """
    if list_date is not None and 0 <= (day - list_date).days <= 21:
        age = len(shanghai().sessions(list_date, day)) - 1
        free = days_without_limit(board, list_date)
        if age < free:
            return None
        if age == 0:
            return FIRST_DAY
    return usual_limit(board, day, is_st=is_st)


def limit_cents(prev_close: Any, up: Any, down: Any) -> tuple[Any, Any]:
    """Return (lowest, highest) price in cents for a previous close in cents and limits in percent.

    As at the exchanges, half a cent is rounded up, and a limit is at least one cent from the previous close. Accepts
    ints and numpy integer arrays.
    """
    highest = (prev_close * (100 + up) + 50) // 100
    lowest = (prev_close * (100 - down) + 50) // 100
    return lowest - (lowest == prev_close), highest + (highest == prev_close)


def in_cents(price: float) -> int:
    """Return a price in whole cents, the tick of shares; rounding corrects the error of a 32-bit float."""
    return round(price * 100)


def limit_prices(prev_close: float, limit: PriceLimit) -> tuple[float, float]:
    """Return (lowest, highest) price in CNY for a previous close in CNY."""
    lowest, highest = limit_cents(in_cents(prev_close), limit.up, limit.down)
    return lowest / 100, highest / 100


def at_limit(side: Side, price: float, prev_close: float, limit: PriceLimit) -> bool:
    """Return whether an order cannot be filled: a buy at the upper limit or above, a sell at the lower limit or below.

    Prices are in CNY and compared in whole cents.
    """
    lowest, highest = limit_cents(in_cents(prev_close), limit.up, limit.down)
    return in_cents(price) >= highest if side == "buy" else in_cents(price) <= lowest


def buyable(board: Board, shares: float) -> int:
    """Return the largest valid buy order of at most `shares`; 0 if there is none.

    Multiples of 100 on the main board and ChiNext; any number from 200 on STAR and from 100 on BSE.
    """
    whole = int(shares)
    match board:
        case "star":
            return whole if whole >= 200 else 0
        case "bse":
            return whole if whole >= 100 else 0
        case _:
            return whole // 100 * 100


def sellable(board: Board, shares: float, held: int) -> int:
    """Return the largest valid sell order of at most `shares` out of `held`.

    A remainder below a lot can only be sold in one order, so an order for all shares held is always valid.
    """
    whole = int(shares)
    return held if whole >= held else buyable(board, whole)


class Fees(NamedTuple):
    """The fees of an order, in CNY."""

    commission: float
    stamp_duty: float
    transfer: float

    @property
    def total(self) -> float:
        """The sum of the fees."""
        return round(sum(self), 2)


def fees(
    side: Side,
    amount: float,
    day: date,
    *,
    commission_rate: float = COMMISSION_RATE,
    commission_min: float = COMMISSION_MIN,
) -> Fees:
    """Return the fees of one filled order of `amount` CNY on `day`, each rounded to 0.01.

    Returns:
        Commission, stamp duty and transfer fee.
    """
    duty = [rule for rule in STAMP_DUTY if rule.since <= day][-1]
    transfer = [rule.rate for rule in TRANSFER_FEE if rule.since <= day][-1]
    stamp = duty.bought if side == "buy" else duty.sold
    return Fees(
        _cents(max(amount * commission_rate, commission_min)), _cents(amount * stamp), _cents(amount * transfer)
    )


def _cents(amount: float) -> float:
    # The tiny addend prevents 1.005, which is stored as 1.00499…, from being rounded down.
    return math.floor(amount * 100 + 0.5 + 1e-9) / 100
