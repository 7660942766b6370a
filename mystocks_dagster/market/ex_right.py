"""The previous close of bars whose source states none: the last close, less the corporate actions since then."""

import numpy as np
import polars as pl

from mystocks_dagster.market.adjust import TERMS

#: Added before rounding, so that binary noise does not turn a half step into the step below.
_NOISE = 1e-6
#: Steps of a price per CNY.
SHARES, FUNDS = 100, 1000


def ex_right_prices(close: np.ndarray, actions: pl.DataFrame) -> np.ndarray:
    """Return the unrounded ex-right price of each row: the vectorised form of `adjust.ex_right_price`.

    An unknown term counts as none.

    Args:
        close: Closes before the actions, in CNY.
        actions: Rows of `corporate_actions`, one for each close.
    """
    values = {name: actions[name].fill_null(1.0 if name == "split" else 0.0).to_numpy() for name in TERMS}
    offered = values["rights"]
    return (
        (close - values["cash"] + values["rights_price"] * offered) / (1 + values["bonus"] + offered) / values["split"]
    )


def rounded(prices: np.ndarray, scale: int) -> np.ndarray:
    """Return prices in CNY rounded to steps of 1 / `scale`, half a step upwards, as the exchanges round."""
    return np.floor(prices * scale + 0.5 + _NOISE) / scale


def previous_closes(
    closes: np.ndarray, rows: np.ndarray, actions: pl.DataFrame, scale: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows whose previous close the actions change, ascending, and these previous closes.

    Args:
        closes: The last close before the row of each action, in CNY.
        rows: The row of each action: the symbol's first bar from its ex-dividend day on.
        actions: Rows of `corporate_actions`, at most one for a symbol and ex-dividend day, in order of symbol and day,
            so that `rows` ascends.
        scale: Steps of a price per CNY.
    """
    if not len(rows):
        return rows, closes
    first = np.concatenate([[True], rows[1:] != rows[:-1]])
    # Several actions between two bars are applied one after the other: the first of each row, then the second.
    rank = np.arange(len(rows)) - np.maximum.accumulate(np.where(first, np.arange(len(rows)), 0))
    at = np.cumsum(first) - 1
    prices = closes[first].astype(np.float64)
    for step in range(int(rank.max()) + 1):
        now = rank == step
        prices[at[now]] = ex_right_prices(prices[at[now]], actions.filter(pl.Series(now)))
    return rows[first], rounded(prices, scale)


def with_previous_closes(
    bars: pl.DataFrame, actions: pl.DataFrame | None, *, scale: int = SHARES, last: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Return the bars with `prev_close` and `actions_known`.

    Args:
        bars: Bars sorted by symbol and date, each symbol's without a gap except days on which it did not trade.
        actions: The `corporate_actions` of all days of the bars, at most one row for a symbol and ex-dividend day (see
            `market.actions.combined`). None: they are not known, so that each previous close is the last close, and
            `actions_known` is false.
        scale: Steps of a price per CNY.
        last: `symbol`, `date` and `close` of a bar before the symbol's first of `bars`. Without one, the first bar has
            no previous close.
    """
    joined = bars.lazy().select("symbol", "date", "close").with_columns(_of=pl.int_range(pl.len()))
    if last is not None:
        before = last.lazy().select("symbol", "date", "close", _of=pl.lit(-1, dtype=pl.Int64))
        joined = pl.concat([before, joined]).sort("symbol", "date")
    every = joined.collect()
    symbol, close = every["symbol"], every["close"].to_numpy()
    previous = np.concatenate([[np.nan], close[:-1]]) if len(close) else close
    previous[(symbol != symbol.shift(1)).fill_null(value=True).to_numpy()] = np.nan
    if actions is not None and actions.height and every.height:
        rows, changed = _changed(every, close, actions, scale)
        previous[rows] = changed
    own = every["_of"].to_numpy() >= 0
    stated = pl.Series(previous[own], dtype=pl.Float64).fill_nan(None)
    return bars.with_columns(prev_close=stated, actions_known=pl.lit(actions is not None))


def _changed(
    every: pl.DataFrame, close: np.ndarray, actions: pl.DataFrame, scale: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows whose previous close the actions change, and these previous closes."""
    starts = (
        every.with_row_index("_row")
        .group_by("symbol", maintain_order=True)
        .agg(pl.col("_row").first().alias("_start"), pl.len().alias("_length"))
    )
    known = actions.join(starts, on="symbol").sort("_start", "ex_date")
    # One search for all actions: a symbol's place and the day make one rising number.
    days = every["date"].to_physical().to_numpy().astype(np.int64)
    places = np.repeat(starts["_start"].to_numpy().astype(np.int64), starts["_length"].to_numpy())
    wanted = (known["_start"].to_numpy().astype(np.int64) << 20) + known["ex_date"].to_physical().to_numpy()
    rows = np.searchsorted((places << 20) + days, wanted)
    start = known["_start"].to_numpy().astype(np.int64)
    between = (rows > start) & (rows < start + known["_length"].to_numpy())
    rows = rows[between]
    return previous_closes(close[rows - 1], rows, known.filter(pl.Series(between)), scale)
