"""Compile the kernels of all indicators once, so that the test processes find them compiled.

.venv/bin/python tests/support/warm_kernels.py
"""

from datetime import date, timedelta

import polars as pl

from mystocks_dagster.market.catalogue.registry import NAMES
from mystocks_dagster.market.indicators import indicator_table

DAYS = 30


def main() -> None:
    """Compute every indicator of a few bars."""
    days = [date(2026, 1, 5) + timedelta(days=number) for number in range(DAYS)]
    prices = {name: [10.0 + number % 7 for number in range(DAYS)] for name in ("open", "high", "low", "close")}
    amounts = {name: [1e6 + number for number in range(DAYS)] for name in ("volume", "amount", "turnover")}
    indicator_table(pl.DataFrame({"symbol": ["600519.SH"] * DAYS, "date": days, **prices, **amounts}), NAMES)


if __name__ == "__main__":
    main()
