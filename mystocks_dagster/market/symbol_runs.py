"""Rows in runs of one symbol: its first and last day, its rank, and the place of each day, without hashing each row."""

import numpy as np
import polars as pl


def spans_of_symbols(bars: pl.DataFrame) -> pl.DataFrame:
    """Return `symbol`, and `first` and `last`, the days of its first and last bar.

    Rows of one symbol that follow each other are looked at together: grouping a market's rows takes ten times as long.
    """
    runs = bars["symbol"].rle().struct.unnest()
    if runs.is_empty():
        return bars.select("symbol", first="date", last="date")
    ends = runs["len"].cum_sum().to_numpy().astype(np.int64)
    starts, days = ends - runs["len"].to_numpy(), bars["date"].to_physical().to_numpy()
    spans = runs.select(
        symbol="value",
        first=pl.Series(np.minimum.reduceat(days, starts)).cast(pl.Date),
        last=pl.Series(np.maximum.reduceat(days, starts)).cast(pl.Date),
    )
    return spans.group_by("symbol", maintain_order=True).agg(pl.col("first").min(), pl.col("last").max())


def ranks(symbols: pl.Series) -> np.ndarray:
    """Return the rank of each symbol among all of them; runs of one symbol are looked up once."""
    runs = symbols.rle().struct.unnest()
    names = pl.Enum(runs["value"].unique().sort())
    ranks = runs["value"].cast(names).to_physical().to_numpy()
    ranks = ranks.astype(np.uint16) if len(names.categories) <= 2**16 else ranks
    return np.repeat(ranks, runs["len"].to_numpy())


def places(days: pl.Series, ascending: pl.Series) -> np.ndarray:
    """Return the place of each day among `ascending`, which has them all, by a table of all days."""
    every = ascending.to_physical().to_numpy()
    if not len(every):
        return np.empty(0, np.uint16)
    table = np.zeros(every[-1] - every[0] + 1, np.uint16)
    table[every - every[0]] = np.arange(len(every))
    return table[days.to_physical().to_numpy() - every[0]]
