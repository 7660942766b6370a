"""Conditions that several strategies use, as expressions on the rows of one symbol in ascending order of date."""

import polars as pl


def crosses_above(fast: pl.Expr, slow: pl.Expr) -> pl.Expr:
    """True on the bar on which `fast` is above `slow` and was not so on the previous bar (通达信's CROSS)."""
    # Two means of a constant price differ in their last digits: that is not a crossing.
    above = fast - slow > 1e-9 * slow.abs()
    return above & ~above.shift(1)


def begins(condition: pl.Expr) -> pl.Expr:
    """True on the bar on which a condition is true and on the previous bar was false, not unknown."""
    return condition & ~condition.shift(1)


def bars_before(number: int) -> pl.Expr:
    """True on bars that have at least `number` bars of their symbol before them."""
    return pl.int_range(pl.len()) >= number
