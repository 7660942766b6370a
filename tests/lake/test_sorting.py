"""Rows come sorted by symbol and date from files and memory of any order, with every value in its row."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from random import Random

import numpy as np
import polars as pl
import pytest

from mystocks_dagster.lake.sorting import sort_by_symbol, with_text_symbols

FIRST = date(2024, 1, 1)


def rows(symbols: int, days: int) -> pl.DataFrame:
    """Rows of which every column says its symbol and day, nulls among them, sorted by symbol and date."""
    frame = pl.DataFrame(
        [(f"{600000 + symbol}.SH", FIRST + timedelta(days=day)) for symbol in range(symbols) for day in range(days)],
        schema={"symbol": pl.String, "date": pl.Date},
        orient="row",
    )
    number = pl.int_range(pl.len())
    return frame.with_columns(
        close=number.cast(pl.Float64) + 0.25,
        prev_close=pl.when(number % 3 > 0).then(number.cast(pl.Float64)),
        volume=number * 100,
        suspended=number % 2 == 0,
        loaded_at=pl.lit(datetime(2024, 1, 1, tzinfo=UTC)) + pl.duration(seconds=number),
        source=number.cast(pl.String),
    )


@pytest.mark.parametrize("seed", range(12))
def test_rows_in_any_order_and_in_any_pieces_are_sorted(seed: int):
    random = Random(seed)
    expected = rows(random.randint(1, 6), random.randint(1, 30))
    order = list(range(expected.height))
    if seed % 3 == 0:
        random.shuffle(order)
    elif seed % 3 == 1:
        order.sort(key=lambda row: expected["date"][row])
    frame = expected[order]
    cuts = sorted({0, expected.height, *(random.randrange(expected.height + 1) for _ in range(seed))})
    pieces = [frame[start:end] for start, end in pairwise(cuts)]
    joined = pl.concat(pieces, rechunk=False)
    # Some columns in one piece, others in several, as polars leaves them after an expression.
    joined = joined.with_columns(pl.Series("close", joined["close"].to_list()))
    assert with_text_symbols(sort_by_symbol(joined)).equals(expected)


def test_no_rows_stay_no_rows():
    empty = rows(1, 1).clear()
    assert with_text_symbols(sort_by_symbol(empty)).equals(empty)


def test_prices_are_multiplied_by_the_factor_of_their_row_and_nulls_stay_null():
    expected = rows(2, 3)
    frame = expected[[5, 0, 3, 1, 4, 2]]
    result = sort_by_symbol(
        frame, factors=lambda symbols, days: np.arange(1.0, len(days) + 1), multiplied=["close", "prev_close"]
    )
    assert result["factor"].to_list() == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    assert result["close"].to_list() == [close * (n + 1) for n, close in enumerate(expected["close"])]
    assert result["prev_close"].to_list() == [None, 2.0, 6.0, None, 20.0, 30.0]
    assert result["volume"].to_list() == expected["volume"].to_list()
