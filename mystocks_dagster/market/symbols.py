"""Stock symbols: normalisation to the canonical form (`600519.SH`), and the exchange and board of a symbol."""

import re
from collections.abc import Iterable
from types import MappingProxyType
from typing import Literal, cast

import polars as pl

from mystocks_dagster.errors import InvalidParams

Exchange = Literal["SH", "SZ", "BJ"]
Board = Literal["main", "star", "chinext", "bse"]

#: Exchange names that vendors write before or after the code.
_EXCHANGES = MappingProxyType(
    {
        "SH": "SH",
        "SS": "SH",
        "XSHG": "SH",
        "SZ": "SZ",
        "XSHE": "SZ",
        "BJ": "BJ",
        "BSE": "BJ",
        "XBSE": "BJ",
        "XBEI": "BJ",
    }
)
#: First two digits of A-share codes by exchange. 689 are depositary receipts on the STAR market.
_BOARDS: MappingProxyType[tuple[Exchange, str], Board] = MappingProxyType(
    {
        ("SH", "60"): "main",
        ("SH", "68"): "star",
        ("SZ", "00"): "main",
        ("SZ", "30"): "chinext",
        **{("BJ", digits): "bse" for digits in ("43", "83", "87", "88", "92")},
    }
)
_B_SHARES: tuple[tuple[Exchange, str], ...] = (("SH", "90"), ("SZ", "20"))
#: Exchange-traded funds and listed open-end funds (50 and 16 are mostly the latter).
_FUNDS: tuple[tuple[Exchange, str], ...] = (
    *(("SH", digits) for digits in ("50", "51", "52", "53", "56", "58", "59")),
    *(("SZ", digits) for digits in ("15", "16")),
)
_EXCHANGE_OF = MappingProxyType({digits: exchange for exchange, digits in (*_BOARDS, *_B_SHARES, *_FUNDS)})

_EXCHANGE_NAME = "|".join(sorted(_EXCHANGES, key=len, reverse=True))
_SPELLINGS = re.compile(
    rf"^(?:(?P<before>{_EXCHANGE_NAME})\.?)?(?P<code>[0-9]{{6}})(?:\.(?P<after>{_EXCHANGE_NAME}))?$"
)


def normalise(text: str) -> str:
    """Return the canonical form of a code: `600519.SH` for 600519, sh600519, sh.600519, 600519.XSHG and the like.

    The exchange of a bare code follows from its first digits, as that of a share or fund. An index needs its exchange
    (`sh000001`).

    Raises:
        InvalidParams: `text` is not a code, or its exchange is unknown.
    """
    symbol = _canonical(text)
    if symbol is None:
        raise InvalidParams(f"{text!r} is not a stock code; write it like 600519.SH, sh600519 or 600519.")
    return symbol


def normalise_all(texts: Iterable[str]) -> list[str]:
    """Return the codes in canonical form without duplicates, in the order given.

    Raises:
        InvalidParams: One of `texts` is not a code.
    """
    return list(dict.fromkeys(normalise(text) for text in texts))


def normalise_expr(column: str | pl.Expr) -> pl.Expr:
    """Normalise a column of codes like `normalise`; a value that is not a code becomes null."""
    return _expr(column).cast(pl.String).map_batches(_normalised, return_dtype=pl.String)


def exchange_of(symbol: str) -> Exchange:
    """Return SH, SZ or BJ of a canonical symbol."""
    return cast(Exchange, symbol[-2:])


def board_of(symbol: str) -> Board | None:
    """Return the board of an A share, given as canonical symbol; None for B shares, funds, indices and bonds."""
    return _BOARDS.get((exchange_of(symbol), symbol[:2]))


def is_a_share(symbol: str) -> bool:
    """Return whether a canonical symbol is an A share."""
    return board_of(symbol) is not None


def is_b_share(symbol: str) -> bool:
    """Return whether a canonical symbol is a B share (900xxx.SH in USD, 200xxx.SZ in HKD)."""
    return (exchange_of(symbol), symbol[:2]) in _B_SHARES


def is_fund(symbol: str) -> bool:
    """Return whether a canonical symbol is an exchange-traded or listed open-end fund."""
    return (exchange_of(symbol), symbol[:2]) in _FUNDS


def exchange_expr(symbol: str | pl.Expr = "symbol") -> pl.Expr:
    """`exchange_of` for a column of symbols."""
    return _expr(symbol).str.slice(-2)


def board_expr(symbol: str | pl.Expr = "symbol") -> pl.Expr:
    """`board_of` for a column of symbols; null where it is None."""
    boards = {f"{digits}{exchange}": board for (exchange, digits), board in _BOARDS.items()}
    return (_expr(symbol).str.slice(0, 2) + _expr(symbol).str.slice(-2)).replace_strict(boards, default=None)


def _expr(column: str | pl.Expr) -> pl.Expr:
    return pl.col(column) if isinstance(column, str) else column


def _canonical(text: str) -> str | None:
    match = _SPELLINGS.match(text.strip().upper())
    if not match:
        return None
    exchanges = {_EXCHANGES[mark] for mark in (match["before"], match["after"]) if mark}
    exchanges = exchanges or {_EXCHANGE_OF.get(match["code"][:2])}
    exchange = exchanges.pop() if len(exchanges) == 1 else None
    return f"{match['code']}.{exchange}" if exchange else None


def _normalised(codes: pl.Series) -> pl.Series:
    # A column holds few distinct codes, each many times.
    distinct = codes.drop_nulls().unique()
    canonical = pl.Series([_canonical(code) for code in distinct], dtype=pl.String)
    return codes.replace_strict(distinct, canonical, default=None)
