"""Encoder of Sina's price streams and list of trading days: the inverse of the decoder that akshare ships."""

from collections.abc import Sequence
from datetime import date, timedelta

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_EPOCH = date(1990, 12, 19)
#: Widths of the values and their defaults, in units of three bits.
_WIDTHS = {"o": 6, "h": 6, "l": 6, "c": 6, "v": 16, "a": 18}
_DEFAULTS = {"o": 3, "h": 3, "l": 3, "c": 3, "v": 5, "a": 5}

#: One day: date, open, high, low, close, volume in shares, amount in yuan, and the previous close as stated.
Bar = tuple[date, float, float, float, float, int, float, float]


class _Bits:
    """Writes bits, lowest first, six to a letter."""

    def __init__(self) -> None:
        self.bits: list[int] = []

    def add(self, *bits: int) -> None:
        self.bits.extend(bits)

    def number(self, value: int, width: int, *, signed: bool = False) -> None:
        if signed:
            assert -(1 << (width - 1)) <= value < (1 << (width - 1))
            value &= (1 << width) - 1
        assert 0 <= value < (1 << width)
        self.bits.extend(value >> k & 1 for k in range(width))

    def step(self, change: int) -> None:
        self.add(int(change > 0), *[1] * (abs(change) - 1), 0)

    def text(self) -> str:
        padded = [*self.bits, *[0] * (-len(self.bits) % 6)]
        return "".join(_LETTERS[sum(padded[i + k] << k for k in range(6))] for i in range(0, len(padded), 6))


def klc2(bars: Sequence[Bar], *, states_closes: bool = True) -> str:
    """Encode bars in ascending order; a previous close that is not the last close is stated, as on ex-dividend days."""
    out = _Bits()
    out.number(3466, 12)
    out.number(63, 6)
    close = 0
    volume_before = amount_before = 0
    last: date | None = None
    for day, *prices, volume, amount, stated in bars:
        o, h, low, c = (round(price * 100) for price in prices)
        volume, amount, stated = round(volume), round(amount), round(stated * 100)
        if last is None:
            # Control: parameters follow; the amount is stored as it is; widths, date and previous close follow.
            out.add(1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1)
            for name, width in _WIDTHS.items():
                out.add(1)
                out.step(width - _DEFAULTS[name])
            out.add(1)
            out.number(1, 3)
            out.number((day - _EPOCH).days, 18, signed=True)
            if states_closes:
                out.add(1, 0)
                out.number(stated, 3 * _WIDTHS["o"], signed=True)
                close = stated
            else:
                out.add(0)
        else:
            skipped = sum((last + timedelta(n)).weekday() < 5 for n in range(1, (day - last).days + 1))
            states = states_closes and stated != close
            _step(out, day, skipped, stated - close if states else None)
            close = stated if states else close
        out.number(o - close, 3 * _WIDTHS["o"], signed=True)
        out.number(h - o, 3 * _WIDTHS["h"])
        out.number(o - low, 3 * _WIDTHS["l"])
        out.number(c - o, 3 * _WIDTHS["c"], signed=True)
        for value, name in ((volume - volume_before, "v"), (amount - amount_before, "a")):
            out.number(value & ((1 << 30) - 1), 30)
            out.number(value >> 30, 3 * _WIDTHS[name] - 30, signed=True)
        close, volume_before, amount_before, last = c, volume, amount, day
    out.add(1, 1, 0, 0, 0)
    return out.text()


def _step(out: _Bits, day: date, weekdays: int, stated: int | None) -> None:
    """Write how many weekdays the next bar lies ahead, and the change to the previous close that it states."""
    if weekdays == 1 and stated is None:
        out.add(0)
        return
    if stated is None:
        out.add(1, 0, 1, 1, 1)
        _ahead(out, day, weekdays)
        return
    out.add(1, 1, 0)
    if weekdays == 1:
        out.add(0)
    else:
        out.add(1, *[0] * 6, 1)
        _ahead(out, day, weekdays)
    out.add(1, 0)
    out.number(stated, 3 * _WIDTHS["o"], signed=True)


def _ahead(out: _Bits, day: date, weekdays: int) -> None:
    if 2 <= weekdays <= 7:
        out.number(weekdays, 3)
    elif weekdays < 64:
        out.number(0, 3)
        out.number(weekdays, 6)
    else:
        out.number(1, 3)
        out.number((day - _EPOCH).days, 18, signed=True)


def trading_days(days: Sequence[date]) -> str:
    """Encode a list of trading days, ascending; akshare adds 1992-05-04, which Sina's list lacks."""
    stated = [day for day in days if day != date(1992, 5, 4)]
    known = set(stated)
    out = _Bits()
    out.number(139, 12)
    out.number(63, 6)
    out.number((stated[0] - _EPOCH).days, 18)
    out.number((stated[-1] - _EPOCH).days, 18)
    runs = [0]
    span = (stated[0] + timedelta(n) for n in range((stated[-1] - stated[0]).days + 1))
    for day in span:
        if day.weekday() < 5 and day in known:
            runs[-1] += 1
        elif day.weekday() < 5:
            runs.append(0)
    for number, run in enumerate(runs):
        if number == 0:
            out.add(1)
            out.step(3)
        else:
            out.add(0)
        out.number(run, 9)
    return out.text()
