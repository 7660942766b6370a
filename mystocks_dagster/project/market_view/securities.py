"""Securities by code, name or pinyin initials."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Literal

from mystocks_dagster.errors import UnknownName
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.lake.watermarks import versions
from mystocks_dagster.market.symbols import is_a_share, is_fund

Kind = Literal["stock", "index", "fund"]

#: The indices that an overview shows, in the order in which people here read them.
MAIN_INDICES = MappingProxyType(
    {
        "000001.SH": "上证指数",
        "399001.SZ": "深证成指",
        "399006.SZ": "创业板指",
        "000688.SH": "科创50",
        "000300.SH": "沪深300",
        "000905.SH": "中证500",
        "899050.BJ": "北证50",
    }
)
#: Tables with the daily bars of each kind.
BARS = MappingProxyType[Kind, str]({"stock": "daily_bars", "index": "index_bars", "fund": "etf_bars"})


@dataclass(frozen=True, kw_only=True)
class Security:
    """A stock, an index or a fund.

    Attributes:
        symbol: Canonical symbol, `600519.SH`.
        name: Short name; the symbol where no name is stored.
        kind: What it is.
        initials: First letters of the name's pinyin, in lower case.
    """

    symbol: str
    name: str
    kind: Kind
    initials: str


def find(lake: Lake, symbol: str) -> Security:
    """Return the security of a canonical symbol.

    Raises:
        UnknownName: The lake has neither its name nor bars of it.
    """
    for security in securities(lake):
        if security.symbol == symbol:
            return security
    kind: Kind = "stock" if is_a_share(symbol) else "fund" if is_fund(symbol) else "index"
    if lake.exists(BARS[kind]) and lake.scan(BARS[kind], symbols=[symbol]).head(1).collect().height:
        return Security(symbol=symbol, name=symbol, kind=kind, initials="")
    raise UnknownName(f"The lake has no bars of {symbol} and its stock list does not have it.")


def search(lake: Lake, text: str, limit: int = 20) -> list[Security]:
    """Return the securities that match a code, a part of a name, or pinyin initials; the best matches come first.

    Args:
        lake: The lake with the stock list.
        text: What a user typed: `600519`, `sh600519`, `茅台`, `gzmt`.
        limit: Most securities to return.
    """
    wanted = text.strip().lower().removeprefix("sh").removeprefix("sz").removeprefix("bj") or text.strip().lower()
    if not wanted:
        return []
    ranked = ((_rank(security, wanted), security) for security in securities(lake))
    matches = sorted(((rank, item.symbol, item) for rank, item in ranked if rank is not None), key=lambda row: row[:2])
    return [security for _, _, security in matches[:limit]]


def _rank(security: Security, text: str) -> int | None:
    symbol, name = security.symbol.lower(), security.name.lower()
    ranks = (
        symbol == text or symbol[:6] == text,
        text in (name, security.initials),
        symbol.startswith(text) or name.startswith(text),
        security.initials.startswith(text),
        text in name,
        len(text) > 1 and text in security.initials,
    )
    return next((rank for rank, matches in enumerate(ranks) if matches), None)


def securities(lake: Lake) -> Sequence[Security]:
    """Return the stocks, then the indices of which the overview knows the name, then the funds with stored quotes."""
    names = [name for name in ("stocks", "etf_quotes") if lake.exists(name)]
    return _securities(lake.location, versions(lake, names))


@lru_cache(maxsize=2)
def _securities(location: str, inputs: tuple[object, ...]) -> tuple[Security, ...]:
    """Return the securities of one version of the tables; initials of 5,500 names take a third of a second."""
    lake, tables = Lake(location), {version.table for version in inputs}  # ty: ignore[missing-attribute]
    stocks = lake.read("stocks", columns=["symbol", "name"]).rows() if "stocks" in tables else []
    funds: list[tuple[str, str]] = []
    if "etf_quotes" in tables:
        newest = lake.read("etf_quotes", columns=["symbol", "time", "name"]).sort("time").unique("symbol", keep="last")
        funds = newest.select("symbol", "name").sort("symbol").rows()
    named: list[tuple[Kind, list[tuple[str, str]]]] = [
        ("stock", sorted(stocks)),
        ("index", list(MAIN_INDICES.items())),
        ("fund", funds),
    ]
    return tuple(
        Security(symbol=symbol, name=name, kind=kind, initials=initials(name))
        for kind, rows in named
        for symbol, name in rows
    )


def initials(name: str) -> str:
    """Return the first letters of a name's pinyin.

    Examples:
        >>> initials("贵州茅台"), initials("平安银行"), initials("*ST 同洲"), initials("TCL科技")
        ('gzmt', 'payh', 'sttz', 'tclkj')
    """
    from pypinyin import Style, lazy_pinyin

    letters = lazy_pinyin(name, style=Style.FIRST_LETTER)
    return "".join(letter for part in letters for letter in part.lower() if letter.isascii() and letter.isalnum())
