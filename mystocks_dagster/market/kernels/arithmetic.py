"""Further functions of one row, computed by numpy. What is not a number or not finite is no value."""

from collections.abc import Callable
from typing import Any

import numpy as np

from mystocks_dagster.market.kernels.elementwise import numbers
from mystocks_dagster.market.kernels.primitive import Primitive

#: Decimals such as 0.29 are not exact in binary: 0.29 x 100 is 28.999..., which is meant to be 29.
_NEARLY = 1e-9
#: The first day of trading in Shanghai, 1990-12-19: as 通达信 writes it, and in days since 1970.
_FIRST_DATE, _FIRST_DAY = 901219.0, 7657
#: The last year that a date may have, and the days up to it.
_LAST_YEAR, _LAST_DAY = 2200.0, 76_000.0


def _finite(function: Callable[..., Any]) -> Callable[..., Any]:
    def run(*values: Any) -> Any:
        with np.errstate(all="ignore"):
            result = function(*(numbers(value) for value in values))
        return np.where(np.isfinite(result), result, np.nan)

    return run


def _whole(x: Any) -> Any:
    """Return x, or the integer that it misses by a rounding error only."""
    nearest = np.rint(x)
    return np.where(np.abs(x - nearest) <= _NEARLY * np.maximum(1.0, np.abs(x)), nearest, x)


def _rounded(x: Any, decimals: Any = 0.0) -> Any:
    """Round halves away from 0; 2.675 is a half although it is a little less in binary."""
    scale = 10.0 ** np.trunc(decimals)
    return np.copysign(np.floor(np.abs(x) * scale * (1.0 + 1e-12) + 0.5) / scale, x)


def _days(day: Any) -> np.ndarray:
    return np.asarray(day).astype(np.int64).astype("datetime64[D]")


def _year(day: Any) -> Any:
    return _days(day).astype("datetime64[Y]").astype(np.float64) + 1970.0


def _month(day: Any) -> Any:
    return _days(day).astype("datetime64[M]").astype(np.int64) % 12 + 1.0


def _day_of_month(day: Any) -> Any:
    days = _days(day)
    return (days - days.astype("datetime64[M]").astype("datetime64[D]")).astype(np.float64) + 1.0


def _weekday(day: Any) -> Any:
    # 1970-01-01 was a Thursday.
    return (np.asarray(day) + 4.0) % 7.0


def _date(day: Any) -> Any:
    return (_year(day) - 1900.0) * 10000.0 + _month(day) * 100.0 + _day_of_month(day)


def _date_to_day(date: Any) -> Any:
    written = np.trunc(_whole(date))
    year, month, day = written // 10000.0 + 1900.0, written // 100.0 % 100.0, written % 100.0
    known = (written >= _FIRST_DATE) & (month >= 1.0) & (month <= 12.0) & (day >= 1.0) & (year <= _LAST_YEAR)
    months = np.where(known, (year - 1970.0) * 12.0 + month - 1.0, 0.0).astype(np.int64).astype("datetime64[M]")
    days = months.astype("datetime64[D]") + np.where(known, day - 1.0, 0.0).astype(np.int64)
    known &= days.astype("datetime64[M]") == months  # no 31 February
    return np.where(known, days.astype(np.int64) - _FIRST_DAY, np.nan)


def _day_to_date(days: Any) -> Any:
    known = (days >= 0.0) & (days <= _LAST_DAY)
    return np.where(known, _date(np.where(known, np.trunc(_whole(days)), 0.0) + _FIRST_DAY), np.nan)


def _between(x: Any, y: Any, z: Any) -> Any:
    x, y, z = numbers(x), numbers(y), numbers(z)
    return (x >= np.minimum(y, z)) & (x <= np.maximum(y, z))


def _inside(x: Any, y: Any, z: Any) -> Any:
    return np.greater(x, y) & np.less(x, z)


_FUNCTIONS: tuple[tuple[str, str, Callable[..., Any]], ...] = (
    ("SQRT", "x", _finite(np.sqrt)),
    ("POW", "xx", _finite(np.power)),
    ("EXP", "x", _finite(np.exp)),
    ("LN", "x", _finite(np.log)),
    ("LOG", "x", _finite(np.log10)),
    ("SIN", "x", _finite(np.sin)),
    ("COS", "x", _finite(np.cos)),
    ("TAN", "x", _finite(np.tan)),
    ("ASIN", "x", _finite(np.arcsin)),
    ("ACOS", "x", _finite(np.arccos)),
    ("ATAN", "x", _finite(np.arctan)),
    ("MOD", "xx", _finite(np.fmod)),
    ("CEILING", "x", _finite(lambda x: np.ceil(_whole(x)))),
    ("FLOOR", "x", _finite(lambda x: np.floor(_whole(x)))),
    ("INTPART", "x", _finite(lambda x: np.trunc(_whole(x)))),
    ("FRACPART", "x", _finite(lambda x: x - np.trunc(_whole(x)))),
    ("ROUND", "x", _finite(_rounded)),
    ("ROUND2", "xn", _finite(_rounded)),
    ("SIGN", "x", _finite(np.sign)),
    ("ISVALID", "x", lambda x: ~np.isnan(numbers(x))),
    ("BETWEEN", "xxx", _between),
    ("RANGE", "xxx", _inside),
    ("YEAR", "x", _year),
    ("MONTH", "x", _month),
    ("DAY", "x", _day_of_month),
    ("WEEKDAY", "x", _weekday),
    ("DATE", "x", _date),
    ("DATETODAY", "x", _finite(_date_to_day)),
    ("DAYTODATE", "x", _finite(_day_to_date)),
)
PRIMITIVES = tuple(Primitive(name, kinds, run, elementwise=True) for name, kinds, run in _FUNCTIONS)
