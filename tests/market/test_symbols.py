"""Spellings of stock codes, and what a code tells."""

import polars as pl
import pytest

from mystocks_dagster.errors import InvalidParams
from mystocks_dagster.market.symbols import (
    board_expr,
    board_of,
    exchange_expr,
    exchange_of,
    is_a_share,
    is_b_share,
    is_fund,
    normalise,
    normalise_all,
    normalise_expr,
)

SPELLINGS = {
    "600519": "600519.SH",
    "sh600519": "600519.SH",
    "sh.600519": "600519.SH",
    "SH600519": "600519.SH",
    "600519.SH": "600519.SH",
    "600519.sh": "600519.SH",
    " 600519.XSHG ": "600519.SH",
    "600519.SS": "600519.SH",
    "688981": "688981.SH",
    "689009": "689009.SH",
    "900901": "900901.SH",
    "000001": "000001.SZ",
    "sh000001": "000001.SH",
    "002594.XSHE": "002594.SZ",
    "300750": "300750.SZ",
    "301236": "301236.SZ",
    "200011": "200011.SZ",
    "430047": "430047.BJ",
    "832000": "832000.BJ",
    "873169": "873169.BJ",
    "920002": "920002.BJ",
    "bj920002": "920002.BJ",
    "510300": "510300.SH",
    "588000": "588000.SH",
    "159915": "159915.SZ",
    "161725": "161725.SZ",
}
NO_CODES = [
    "",
    "60051",
    "6005190",
    "600519.US",
    "sz600519.sh",
    "sh600519.sz",
    "ABC",
    "700001",
    "110059",
    "60051９",
    "600519 SH",
]


@pytest.mark.parametrize(("text", "symbol"), SPELLINGS.items())
def test_every_spelling_becomes_the_one(text: str, symbol: str):
    assert normalise(text) == symbol


@pytest.mark.parametrize("text", NO_CODES)
def test_what_is_no_code_is_refused_by_name(text: str):
    with pytest.raises(InvalidParams) as refusal:
        normalise(text)
    assert repr(text) in str(refusal.value)
    assert "600519.SH" in str(refusal.value)


def test_a_column_is_spelt_as_single_codes_are():
    texts = [*SPELLINGS, *NO_CODES, None, "600519"]

    frame = pl.DataFrame({"code": texts}).select(symbol=normalise_expr("code"))

    assert frame["symbol"].to_list() == [*SPELLINGS.values(), *[None] * len(NO_CODES), None, "600519.SH"]


def test_a_column_without_any_code_stays_empty():
    assert pl.DataFrame({"code": [None, None]}, schema={"code": pl.String}).select(normalise_expr("code"))[
        "code"
    ].to_list() == [None, None]
    assert pl.DataFrame(schema={"code": pl.String}).lazy().select(normalise_expr("code")).collect().height == 0


def test_a_list_keeps_its_order_and_loses_repetitions():
    assert normalise_all(["300750", "sh600519", "600519"]) == ["300750.SZ", "600519.SH"]


@pytest.mark.parametrize(
    ("symbol", "board"),
    [
        ("600000.SH", "main"),
        ("605499.SH", "main"),
        ("688981.SH", "star"),
        ("689009.SH", "star"),
        ("000001.SZ", "main"),
        ("003816.SZ", "main"),
        ("300750.SZ", "chinext"),
        ("301236.SZ", "chinext"),
        ("302132.SZ", "chinext"),
        ("430047.BJ", "bse"),
        ("832000.BJ", "bse"),
        ("873169.BJ", "bse"),
        ("920002.BJ", "bse"),
        ("900901.SH", None),
        ("200011.SZ", None),
        ("000001.SH", None),
        ("510300.SH", None),
        ("159915.SZ", None),
        ("399001.SZ", None),
    ],
)
def test_a_code_tells_its_board(symbol: str, board: str | None):
    assert board_of(symbol) == board
    assert is_a_share(symbol) is (board is not None)
    frame = pl.DataFrame({"symbol": [symbol]}).select(board=board_expr(), exchange=exchange_expr())
    assert frame.row(0) == (board, exchange_of(symbol))


def test_b_shares_and_funds_are_told_apart():
    assert is_b_share("900901.SH")
    assert is_b_share("200011.SZ")
    assert not is_b_share("920002.BJ")
    assert is_fund("510300.SH")
    assert is_fund("159915.SZ")
    assert not is_fund("000001.SZ")
