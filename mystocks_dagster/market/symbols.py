"""Stock codes: one spelling (`600519.SH`), and what a code tells about its exchange and board."""

import re
from collections.abc import Iterable
from types import MappingProxyType
from typing import Literal, cast

import polars as pl

from mystocks_dagster.errors import InvalidParams

Exchange = Literal["SH", "SZ", "BJ"]
Board = Literal["main", "star", "chinext", "bse"]

#: Spellings of the exchanges that vendors put before or after the code.
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
#: First digits of the codes of A shares on each exchange. 689 are depositary receipts on the STAR market.
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

_MARK = "|".join(sorted(_EXCHANGES, key=len, reverse=True))
_SPELLINGS = re.compile(rf"^(?:(?P<before>{_MARK})\.?)?(?P<code>[0-9]{{6}})(?:\.(?P<after>{_MARK}))?$")


def normalise(text: str) -> str:
    """Return the one spelling of a code: `600519.SH` for 600519, sh600519, sh.600519, 600519.XSHG and the like.

    A bare code goes to the exchange whose shares or funds begin so; an index needs its exchange (`sh000001`).

    Raises:
        InvalidParams: It is no code, or the exchange cannot be told.
    """
    symbol = _spelt(text)
    if symbol is None:
        raise InvalidParams(f"{text!r} is not a stock code; write it like 600519.SH, sh600519 or 600519.")
    return symbol


def normalise_all(texts: Iterable[str]) -> list[str]:
    """Return the codes in their one spelling, each once, in the order given.

    Raises:
        InvalidParams: One of them is no code.
    """
    return list(dict.fromkeys(normalise(text) for text in texts))


def normalise_expr(column: str | pl.Expr) -> pl.Expr:
    """Spell a column of codes as `normalise` does; what is no code becomes null."""
    return _expr(column).cast(pl.String).map_batches(_normalised, return_dtype=pl.String)


def exchange_of(symbol: str) -> Exchange:
    """Return SH, SZ or BJ of a symbol in its one spelling."""
    return cast(Exchange, symbol[-2:])


def board_of(symbol: str) -> Board | None:
    """Return the board of an A share (symbol in its one spelling); None for B shares, funds, indices and bonds."""
    return _BOARDS.get((exchange_of(symbol), symbol[:2]))


def is_a_share(symbol: str) -> bool:
    """Say whether a symbol in its one spelling is an A share."""
    return board_of(symbol) is not None


def is_b_share(symbol: str) -> bool:
    """Say whether a symbol in its one spelling is a B share (900xxx.SH in USD, 200xxx.SZ in HKD)."""
    return (exchange_of(symbol), symbol[:2]) in _B_SHARES


def is_fund(symbol: str) -> bool:
    """Say whether a symbol in its one spelling is an exchange-traded or listed open-end fund."""
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


def _spelt(text: str) -> str | None:
    found = _SPELLINGS.match(text.strip().upper())
    if not found:
        return None
    marks = {_EXCHANGES[mark] for mark in (found["before"], found["after"]) if mark} or {
        _EXCHANGE_OF.get(found["code"][:2])
    }
    exchange = marks.pop() if len(marks) == 1 else None
    return f"{found['code']}.{exchange}" if exchange else None


def _normalised(codes: pl.Series) -> pl.Series:
    # A column holds few different codes, each many times.
    different = codes.drop_nulls().unique()
    return codes.replace_strict(
        different, pl.Series([_spelt(code) for code in different], dtype=pl.String), default=None
    )
