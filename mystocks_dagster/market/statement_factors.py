"""Figures of twelve months and their growth, from the statements that were known on each day."""

from collections.abc import Sequence
from functools import reduce

import polars as pl


def known_figures(versions: pl.DataFrame, figures: Sequence[str]) -> pl.DataFrame:
    """Return what was known about each stock's newest report, from each day on which something became known.

    Statements of flows are cumulated from 1 January, so the figure of twelve months is: this report, plus the last
    annual report, less the report of the same period a year ago. All of them in their newest version known on the day.

    Args:
        versions: Published versions: `symbol`, `period` (last day of the report), `known` (first day on which the
            version was known) and the figures.
        figures: Columns of figures.

    Returns:
        One row per symbol and day on which something became known, sorted by `known`: `symbol`, `known`, `period` (of
        the newest report), each figure of that report under its name, its twelve months as `<figure>_ttm`, and its
        growth against twelve months earlier as `<figure>_growth` (a fraction of the absolute earlier value).
    """
    versions = versions.drop_nulls(["symbol", "period", "known"]).sort("known")
    newest = versions.select("symbol", "known", "period").unique().sort("known", "period")
    newest = newest.with_columns(period=pl.col("period").cum_max().over("symbol")).unique(
        ["symbol", "known"], keep="last", maintain_order=True
    )
    year = pl.col("period").dt.year()
    spans = {
        "": pl.col("period"),
        "_annual": pl.date(year - 1, 12, 31),
        "_last": pl.col("period").dt.offset_by("-1y"),
        "_annual_last": pl.date(year - 2, 12, 31),
        "_last_last": pl.col("period").dt.offset_by("-2y"),
    }
    frames = [_as_known(versions, newest.with_columns(at=at), figures, suffix) for suffix, at in spans.items()]
    joined = reduce(lambda left, right: left.hstack(right), frames, newest)
    return joined.with_columns(expression for name in figures for expression in _twelve_months(name)).with_columns(
        _growth(name) for name in figures
    ).select(
        "symbol", "known", "period", *(f"{name}{end}" for name in figures for end in ("", "_ttm", "_growth"))
    )  # fmt: skip


def _as_known(versions: pl.DataFrame, asked: pl.DataFrame, figures: Sequence[str], suffix: str) -> pl.DataFrame:
    """Return the figures of the period `at`, in the version known on the day `known`, in the order of `asked`."""
    joined = asked.join_asof(
        versions.select("symbol", "known", *figures, at="period"),
        on="known",
        by=["symbol", "at"],
        check_sortedness=False,
    )
    return joined.select(pl.col(name).alias(f"{name}{suffix}") for name in figures)


def _twelve_months(name: str) -> tuple[pl.Expr, pl.Expr]:
    is_annual = pl.col("period").dt.month() == 12
    now = pl.col(name) + pl.col(f"{name}_annual") - pl.col(f"{name}_last")
    before = pl.col(f"{name}_last") + pl.col(f"{name}_annual_last") - pl.col(f"{name}_last_last")
    return (
        pl.when(is_annual).then(name).otherwise(now).alias(f"{name}_ttm"),
        pl.when(is_annual).then(f"{name}_last").otherwise(before).alias(f"{name}_before"),
    )


def _growth(name: str) -> pl.Expr:
    before = pl.col(f"{name}_before")
    return pl.when(before != 0).then((pl.col(f"{name}_ttm") - before) / before.abs()).alias(f"{name}_growth")
