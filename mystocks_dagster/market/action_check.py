"""Compare the previous closes of bars with the corporate actions of the days since the bar before."""

import numpy as np
import polars as pl

from mystocks_dagster.market.actions import combined
from mystocks_dagster.market.adjust import HALF_A_FUNDS_TICK, HALF_A_TICK
from mystocks_dagster.market.ex_right import ex_right_prices
from mystocks_dagster.market.symbols import board_expr

#: Tolerance for binary floating point.
_EPSILON = 1e-9
_NONE = pl.DataFrame(
    schema={"symbol": pl.String, "date": pl.Date, "expected": pl.Float64, "agreed": pl.Boolean, "actions": pl.String}
)


def differences(bars: pl.DataFrame, actions: pl.DataFrame) -> pl.DataFrame:
    """Return the bars that contradict the corporate actions, or whose actions contradict each other.

    Args:
        bars: `symbol`, `date`, `prev_close`, `last_date`, `last_close` and `computed` of bars on days of which the
            corporate actions are known. A previous close that was `computed` from the actions is no evidence: only
            sources that differ are returned for such a bar.
        actions: Rows of `corporate_actions` of all sources.

    Returns:
        `symbol`, `date`, `kind`, `last_close`, `stated`, `expected` and `actions`, sorted by symbol and date.
    """
    bars = bars.filter(pl.all_horizontal(pl.col("prev_close", "last_close").is_not_null()))
    compared = bars.join(expected_closes(bars, actions), on=["symbol", "date"], how="left", maintain_order="left")
    half = pl.when(board_expr("symbol").is_null()).then(HALF_A_FUNDS_TICK).otherwise(HALF_A_TICK)
    moved = (pl.col("prev_close") - pl.col("last_close")).abs() > half + _EPSILON
    # The exchange rounds, and so does each vendor: only a difference above a whole tick is one.
    wrong = (pl.col("prev_close") - pl.col("expected")).abs() > 2 * half + _EPSILON
    kind = (
        pl.when("computed")
        .then(pl.when(~pl.col("agreed")).then(pl.lit("sources_differ")))
        .when(pl.col("expected").is_null() & moved)
        .then(pl.lit("event_without_action"))
        .when(wrong & ~moved)
        .then(pl.lit("action_without_event"))
        .when(wrong)
        .then(pl.lit("ratio_differs"))
        .when(~pl.col("agreed"))
        .then(pl.lit("sources_differ"))
    )
    return (
        compared.with_columns(kind=kind, stated="prev_close", actions=pl.col("actions").fill_null(""))
        .filter(pl.col("kind").is_not_null())
        .select("symbol", "date", "kind", "last_close", "stated", "expected", "actions")
        .sort("symbol", "date")
    )


def expected_closes(bars: pl.DataFrame, actions: pl.DataFrame) -> pl.DataFrame:
    """Return the previous closes that corporate actions give to those bars with actions since the bar before.

    Args:
        bars: `symbol`, `date`, `last_date` and `last_close`.
        actions: Rows of `corporate_actions` of all sources.

    Returns:
        `symbol`, `date`, `expected` (CNY, not rounded), `agreed` (whether the sources agree on the actions) and
        `actions` (what each source states, in words).
    """
    between = (pl.col("ex_date") > pl.col("last_date")) & (pl.col("ex_date") <= pl.col("date"))
    wanted = actions.join(bars.select("symbol").unique(), on="symbol", how="semi")
    stated = combined(wanted)
    due = stated.join(bars, on="symbol").filter(between).sort("symbol", "date", "ex_date")
    if due.is_empty():
        return _NONE
    texts = _texts(wanted)
    due = due.join(texts, on=["symbol", "ex_date"], how="left", maintain_order="left")
    groups = due.select(pl.struct("symbol", "date").rle_id()).to_series().to_numpy()
    price = due["last_close"].to_numpy().copy()
    place = np.arange(len(groups)) - np.searchsorted(groups, groups)
    for step in range(int(place.max()) + 1):
        now = place == step
        if step:
            price[now] = price[np.flatnonzero(now) - 1]
        price[now] = ex_right_prices(price[now], due.filter(pl.Series(now)))
    return (
        due.with_columns(expected=pl.Series(price))
        .group_by("symbol", "date", maintain_order=True)
        .agg(pl.col("expected").last(), pl.col("agreed").all(), pl.col("actions").str.join("; "))
    )


def _texts(actions: pl.DataFrame) -> pl.DataFrame:
    """Return `symbol`, `ex_date` and `actions`: what each source states, in words."""

    def term(name: str, text: str) -> pl.Expr:
        value = pl.col(name)
        return pl.when(value.fill_null(0.0) != 0).then(pl.format(text, value))

    parts = pl.concat_str(
        term("cash", "cash {}"),
        term("bonus", "bonus {}"),
        term("rights", "rights {}"),
        term("rights_price", "at {}"),
        term("split", "split {}"),
        separator=" ",
        ignore_nulls=True,
    )
    return (
        actions.sort("symbol", "ex_date", "source")
        .with_columns(actions=pl.format("{} {}: {}", "ex_date", "source", parts))
        .group_by("symbol", "ex_date", maintain_order=True)
        .agg(pl.col("actions").str.join("; "))
    )
