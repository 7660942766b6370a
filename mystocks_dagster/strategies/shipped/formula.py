"""A strategy out of two formulas of 通达信."""

import polars as pl

from mystocks_dagster.strategies.formulas import Formula, formula_values
from mystocks_dagster.strategies.writing import strategy


@strategy(reads=["open_hfq", "high_hfq", "low_hfq", "close_hfq", "volume", "amount", "turnover"])
def formula(market: pl.DataFrame, buy: Formula, sell: Formula, score: Formula = "AMOUNT") -> pl.DataFrame:
    """Formula 通达信公式: buy where one formula is true, sell where another one is.

    Each is a text, or a file beside tasks.yaml: `buy: formulas/mine.txt`; its INPUT has the values of its parameters.
    The last output of a text is its condition, and those before it are the detail: `A:EMA(C,12); CROSS(A,EMA(C,26))`.
    The last output of `score` says which of several purchases of one day comes first. Prices are backward-adjusted,
    volume is in shares, suspended days are left out. A function that looks ahead, such as ZIG, is refused at load.
    It states no lookback, as a formula may depend on all bars: each new day computes the whole history again.
    """
    return pl.concat([_side(market, "buy", buy, score), _side(market, "sell", sell, None)], how="diagonal")


def _side(market: pl.DataFrame, side: str, text: str, score: str | None) -> pl.DataFrame:
    *explained, condition = formula_values(market, text).values()
    rows = market.select("symbol", "date", "close_hfq").with_columns(side=pl.lit(side))
    values = [series.alias(_free(series.name.lower())) for series in explained]
    if score is not None:
        values.append([*formula_values(market, score).values()][-1].alias("score"))
    return rows.with_columns(values).filter((condition != 0).fill_null(value=False))


def _free(name: str) -> str:
    """Return a name that no column of a signal has."""
    return f"{name}_" if name in ("symbol", "date", "side", "score", "weight", "entry", "close_hfq") else name
