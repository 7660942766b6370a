"""Constructors of columns by type, and columns that several tables share."""

import polars as pl

from mystocks_dagster.market.table import MOMENT, Column


def text(name: str, unit: str, null: bool = False) -> Column:
    """Return a column of type `pl.String`."""
    return Column(name, pl.String, unit, null)


def day(name: str, unit: str, null: bool = False) -> Column:
    """Return a column of type `pl.Date`."""
    return Column(name, pl.Date, unit, null)


def number(name: str, unit: str, null: bool = False) -> Column:
    """Return a column of type `pl.Float64`."""
    return Column(name, pl.Float64, unit, null)


def count(name: str, unit: str, null: bool = False) -> Column:
    """Return a column of type `pl.Int64`."""
    return Column(name, pl.Int64, unit, null)


def flag(name: str, unit: str, null: bool = False) -> Column:
    """Return a column of type `pl.Boolean`."""
    return Column(name, pl.Boolean, unit, null)


def moment(name: str, unit: str, null: bool = False) -> Column:
    """Return a column of type `MOMENT`."""
    return Column(name, MOMENT, unit, null)


SYMBOL = text("symbol", "six digits and exchange: 600519.SH, 000001.SZ, 920001.BJ")
DATE = day("date", "trading day in Shanghai")
