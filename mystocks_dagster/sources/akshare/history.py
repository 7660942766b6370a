"""A symbol's history from Sina: daily bars, and previous closes from the encoded price stream.

The stream has the exchange's previous close where it differs from the last close, which is on ex-dividend and split
days. The adjustment ratio follows from it. akshare decodes and then drops it. East Money's history does not have it:
its unadjusted change is relative to the last close.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from mystocks_dagster.market.tables.market import DAILY_BARS
from mystocks_dagster.sources.akshare.columns import SINA_DAILY
from mystocks_dagster.sources.akshare.frames import TOLERANCE, changed, refuse


@dataclass(frozen=True)
class PriceStream:
    """The trading days of a price stream, and its stated previous closes.

    Attributes:
        days: Days on which the symbol traded, ascending.
        stated: Previous close by day, on the first day and where it differs from the last close.
    """

    days: tuple[date, ...]
    stated: Mapping[date, float]

    @classmethod
    def of(cls, records: Iterable[Mapping[str, Any]]) -> "PriceStream":
        """Convert the decoder's records.

        Raises:
            SourceChanged: A record has no date.
        """
        days: dict[date, float | None] = {}
        for record in records:
            # A JavaScript date such as 2025-02-24T00:00:00.000Z; only the day counts.
            try:
                day = date.fromisoformat(str(record.get("date"))[:10])
            except ValueError:
                raise changed(SINA_DAILY.function, f"a decoded price record has no date: {dict(record)}") from None
            days[day] = _stated(record.get("prevclose"))
        return cls(tuple(sorted(days)), {day: close for day, close in days.items() if close is not None})

    @property
    def states_closes(self) -> bool:
        """Whether the stream has previous closes; Beijing's streams have none, not even the first."""
        return bool(self.days) and self.days[0] in self.stated


def _stated(close: object) -> float | None:
    """Return a previous close; 0 and empty values, as in Beijing's streams, are unknown."""
    try:
        price = float(close)  # ty: ignore[invalid-argument-type]
    except (TypeError, ValueError):
        return None
    return price if price > 0 else None


def history_bars(symbol: str, daily: pl.DataFrame, stream: PriceStream, sessions: Sequence[date]) -> pl.DataFrame:
    """Return `daily_bars` of one symbol; days without a trade between its first and last bar are suspended days.

    Args:
        symbol: The canonical symbol.
        daily: Frame of `SINA_DAILY`, unadjusted; volume in shares, turnover as a fraction.
        stream: The price stream of the same symbol.
        sessions: The trading days from the first to the last bar.

    Raises:
        SourceChanged: Prices, amounts and volumes contradict each other.
    """
    # akshare adds the dates of share changes, some of which are not trading days.
    traded = daily.filter(pl.col("date").is_in(list(stream.days)) & (pl.col("volume") > 0)).sort("date")
    _check(traded)
    stated = pl.DataFrame(
        {"date": list(stream.stated), "stated": list(stream.stated.values())}, {"date": pl.Date, "stated": pl.Float64}
    )
    days = pl.DataFrame({"date": sorted({*sessions, *traded["date"]})}, {"date": pl.Date})
    rows = days.join(traded, on="date", how="left").join(stated, on="date", how="left").sort("date")
    rows = rows.with_columns(suspended=pl.col("close").is_null(), last=pl.col("close").forward_fill().shift(1))
    still = {name: pl.col(name).fill_null(pl.col("last")) for name in ("open", "high", "low", "close")}
    rows = rows.with_columns(
        **still,
        symbol=pl.lit(symbol),
        prev_close=pl.coalesce("stated", "last") if stream.states_closes else pl.lit(None, pl.Float64),
        volume=pl.col("volume").fill_null(0).round().cast(pl.Int64),
        amount=pl.col("amount").fill_null(0.0),
        turnover=pl.col("turnover").fill_null(0.0) * 100,
        is_st=pl.lit(None, pl.Boolean),
        actions_known=pl.lit(None, pl.Boolean),
    )
    return rows.select(pl.col(name).cast(dtype) for name, dtype in DAILY_BARS.dtypes.items())


def _check(traded: pl.DataFrame) -> None:
    low, high = pl.col("low"), pl.col("high")
    empty = pl.any_horizontal(pl.col("open", "high", "low", "close", "volume", "amount").is_null())
    refuse(SINA_DAILY, traded, empty, "an empty value")
    not_positive = pl.any_horizontal(pl.col("open", "high", "low", "close") <= 0)
    refuse(SINA_DAILY, traded, not_positive, "a price that is not positive", TOLERANCE)
    disorder = (low > pl.min_horizontal("open", "close")) | (high < pl.max_horizontal("open", "close"))
    refuse(SINA_DAILY, traded, disorder, "open or close outside low to high", TOLERANCE)
    mean = pl.col("amount") / pl.col("volume")
    outside = ~mean.is_between(low * 0.99, high * 1.01)
    refuse(SINA_DAILY, traded, outside, "amount / volume outside low to high, so a unit has changed", TOLERANCE)
