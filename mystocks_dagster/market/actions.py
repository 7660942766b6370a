"""Corporate actions of several sources as one statement for each symbol and ex-dividend day."""

import polars as pl

from mystocks_dagster.market.adjust import SAME, TERMS
from mystocks_dagster.market.tables.reference import CORPORATE_ACTIONS


def combined(actions: pl.DataFrame) -> pl.DataFrame:
    """Return one row of `corporate_actions` for each symbol and ex-dividend day, sorted by both.

    The column `source` names all sources of a row, and the added column `agreed` is false if two of them state a term
    differently. A term that only one source states is that source's. Where sources differ, the value is that of the
    first source in alphabetical order: a caller that must not choose looks at `agreed`.

    Args:
        actions: Rows of `corporate_actions`, one for each symbol, ex-dividend day and source.
    """
    if actions.select(pl.struct("symbol", "ex_date").n_unique()).item() == actions.height:
        return actions.with_columns(agreed=pl.lit(value=True)).sort("symbol", "ex_date")
    differs = pl.any_horizontal(
        (pl.col(name).max() - pl.col(name).min() > SAME[name]).fill_null(value=False) for name in TERMS
    )
    return (
        actions.sort("symbol", "ex_date", "source")
        .group_by("symbol", "ex_date", maintain_order=True)
        .agg(
            *(pl.col(name).drop_nulls().first() for name in (*TERMS, "record_date")),
            pl.col("known_since").min(),
            pl.col("source").str.join(", "),
            agreed=~differs,
        )
        .select(*CORPORATE_ACTIONS.dtypes, "agreed")
    )
