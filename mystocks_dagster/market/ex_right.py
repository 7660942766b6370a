"""The previous close of bars whose source states none: the last close, less the corporate actions since then."""

import numpy as np
import polars as pl

_TERMS = ("cash", "bonus", "rights", "rights_price", "split")


def ex_right_prices(close: np.ndarray, actions: pl.DataFrame) -> np.ndarray:
    """Return the unrounded ex-right price of each row: the vectorised form of `adjust.ex_right_price`.

    (close - cash + rights price x rights) / (1 + bonus + rights) / split; an unknown term counts as none.

    Args:
        close: Closes before the actions, in CNY.
        actions: Rows of `corporate_actions`, one for each close.
    """
    known = {
        name: actions[name].fill_null(1.0 if name == "split" else 0.0).to_numpy() for name in _TERMS if name in actions
    }
    price = (close - known["cash"] + known["rights_price"] * known["rights"]) / (1 + known["bonus"] + known["rights"])
    return price / known.get("split", 1.0)


def previous_closes(
    closes: np.ndarray, rows: np.ndarray, actions: pl.DataFrame, scale: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows whose previous close the actions change, ascending, and these previous closes.

    Args:
        closes: The last close before the row of each action, in CNY.
        rows: The row of each action: the symbol's first bar from its ex-dividend day on.
        actions: Rows of `corporate_actions` in order of symbol and ex-dividend day, so that `rows` ascends.
        scale: Steps of a price per CNY; the exchange rounds to a step, half a step upwards.
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
    return rows[first], np.floor(prices * scale + 0.5 + 1e-6) / scale
