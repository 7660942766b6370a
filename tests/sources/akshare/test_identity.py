"""Rows of other symbols: numbers that were published of some stocks on one day, as they are and exchanged."""

import polars as pl
import pytest

from mystocks_dagster.errors import SourceUnavailable
from mystocks_dagster.sources.akshare.identity import check_identity, check_values

#: A row of East Money's list as it was published (301132 on its limit): price, volume in shares, turnover in percent,
#: and value of the floating shares. The others are made by hand.
PUBLISHED = {"code": "301132", "name": "满坤科技", "price": 58.37, "volume": 16_591_900, "turnover": 17.51,
             "float_value": 5_530_017_111.0}  # fmt: skip


def market(stocks: int = 40) -> pl.DataFrame:
    """Return rows of stocks that each have another number of floating shares, the published one first."""
    rows = [PUBLISHED]
    for n in range(1, stocks):
        shares, price = 1_000_000 * (50 + 7 * n), 5.0 + n
        rows.append({"code": f"{n:06d}", "name": f"{chr(0x4E00 + 7 * n)}{chr(0x4E00 + 11 * n)}股份", "price": price,
                     "volume": shares // 50, "turnover": 2.0, "float_value": shares * price})  # fmt: skip
    return pl.DataFrame(rows)


def exchanges(spot: pl.DataFrame) -> pl.DataFrame:
    return spot.select("code", "name", float_shares=(pl.col("float_value") / pl.col("price")).round())


def exchanged(spot: pl.DataFrame, *names: str) -> pl.DataFrame:
    """Return the frame with the values of every second row moved to the next such row."""
    at = pl.Series(range(spot.height))
    turned = at.filter(at % 2 == 0).to_list()
    target = dict(zip(turned, turned[1:] + turned[:1], strict=True))
    order = [target.get(n, n) for n in range(spot.height)]
    return spot.with_columns(spot.select(names)[order].get_columns())


def test_published_rows_are_those_of_their_symbols() -> None:
    spot = market()
    check_identity(spot, exchanges(spot))


def test_marks_of_a_day_and_of_a_risk_are_no_other_name() -> None:
    spot = market()
    listed = exchanges(spot)
    for mark in ("XD", "DR", "N", "*ST", "ST"):
        check_identity(spot.with_columns(name=mark + pl.col("name").str.slice(0, 3)), listed)
    check_identity(spot, listed.with_columns(name="*ST" + pl.col("name")))


@pytest.mark.parametrize(
    ("names", "witness"),
    [
        (("price", "volume", "turnover"), "the value of the floating shares"),
        (("price", "volume", "turnover", "float_value"), "the exchange's number of floating shares"),
        (("name",), "the exchange's names"),
    ],
)
def test_exchanged_rows_contradict_a_witness_that_is_named(names: tuple[str, ...], witness: str) -> None:
    spot = market()
    with pytest.raises(SourceUnavailable, match=f"rows_of_other_symbols: .* contradict {witness}"):
        check_identity(exchanged(spot, *names), exchanges(spot))


def test_few_contradictions_and_unknown_values_prove_nothing() -> None:
    spot = market()
    listed = exchanges(spot)
    few = spot.with_columns(price=pl.when(pl.col("code") < "000005").then(3.0).otherwise("price"))
    check_identity(few, listed)
    check_values(spot.with_columns(float_value=pl.lit(None, pl.Float64)))
    check_identity(spot, listed.with_columns(float_shares=pl.lit(None, pl.Float64)))
    check_values(exchanged(market(10), "price"))  # too few rows to judge
