"""Trading rules of the Chinese exchanges: price limits, lots and fees, with their effective dates.

Sources, by rule:
* Limits: trading rules of SSE, SZSE and BSE. Main board 10 % since 1996-12-16; ChiNext 20 % since 2020-08-24
  (10 % before); STAR 20 % since its start on 2019-07-22; BSE 30 % since its start on 2021-11-15.
* ST on the main board: 5 %, and 10 % like the rest of the board since 2026-07-06 (SSE and SZSE notices following the
  consultation of 2025-06-27). On the other boards ST never changed the limit.
* New listings: no limit on the first five days on STAR, on ChiNext since 2020-08-24 and on the main board since
  2023-04-10; on BSE on the first day. Before, +44 % and -36 % on the first day (since 2014).
* Fees: stamp duty on sales 0.1 %, 0.05 % since 2023-08-28 (Ministry of Finance); transfer fee 0.002 %, 0.001 % since
  2022-04-29 (ChinaClear). The broker's commission is a typical one and can be set.

Not modelled: the first day of the delisting period and of a resumed listing (no limit), and the rules before 2014.
"""

import math
from datetime import date
from typing import Any, Literal, NamedTuple

from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.market.symbols import Board

Side = Literal["buy", "sell"]

CHINEXT_REFORM = date(2020, 8, 24)
MAIN_REFORM = date(2023, 4, 10)
ST_REFORM = date(2026, 7, 6)
STAMP_DUTY_HALVED = date(2023, 8, 28)
TRANSFER_FEE_HALVED = date(2022, 4, 29)

COMMISSION_RATE = 0.00025
COMMISSION_MIN = 5.0


class PriceLimit(NamedTuple):
    """The daily price limit in percent of the previous close: +`up` and -`down`."""

    up: int
    down: int


#: The first day of a listing under the rules from 2014 to the reforms.
FIRST_DAY = PriceLimit(44, 36)


def usual_limit(board: Board, day: date, *, is_st: bool = False) -> PriceLimit:
    """Return the price limit of a stock that is not newly listed."""
    match board:
        case "bse":
            percent = 30
        case "star":
            percent = 20
        case "chinext":
            percent = 20 if day >= CHINEXT_REFORM else 10
        case "main":
            percent = 5 if is_st and day < ST_REFORM else 10
    return PriceLimit(percent, percent)


def days_without_limit(board: Board, list_date: date) -> int:
    """Return the number of trading days, from the first, on which a stock listed on `list_date` has no limit."""
    match board:
        case "bse":
            return 1
        case "star":
            return 5
        case "chinext":
            return 5 if list_date >= CHINEXT_REFORM else 0
        case "main":
            return 5 if list_date >= MAIN_REFORM else 0


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

    Stamp duty applies to sales only (before 2008-09-19 to purchases too, which is not modelled).
    """
    duty = (0.0005 if day >= STAMP_DUTY_HALVED else 0.001) if side == "sell" else 0.0
    transfer = 0.00001 if day >= TRANSFER_FEE_HALVED else 0.00002
    return Fees(_cents(max(amount * commission_rate, commission_min)), _cents(amount * duty), _cents(amount * transfer))


def _cents(amount: float) -> float:
    # The tiny addend prevents 1.005, which is stored as 1.00499…, from being rounded down.
    return math.floor(amount * 100 + 0.5 + 1e-9) / 100
