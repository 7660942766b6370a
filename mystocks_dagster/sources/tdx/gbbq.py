"""Corporate actions out of 通达信's file `gbbq` (股本变迁), whose records are encrypted.

After a number of records, each has 29 bytes, of which the first 24 are three blocks of Blowfish: exchange, code, day,
category and four numbers. Category 1 (除权除息) has cash per ten shares, price of a right, bonus shares and rights per
ten; category 11 (扩缩股) has as third number the shares after per share before.
"""

import warnings
from functools import cache

import numpy as np
import polars as pl

from mystocks_dagster.errors import SourceChanged
from mystocks_dagster.market.symbols import board_expr, is_fund
from mystocks_dagster.market.tables.reference import CORPORATE_ACTIONS

_RECORD, _ENCRYPTED, _HEAD = 29, 24, 4
#: Positions of the subkeys and of the four tables in pytdx's list of keys.
_SUBKEYS, _TABLES = slice(0, 0x48), (0x48, 0x448, 0x848, 0xC48)
_TABLE_BYTES = 0x400
_FIELDS = np.dtype([("market", "u1"), ("code", "S7"), ("day", "<u4"), ("category", "u1"), ("numbers", "<f4", (4,))])
_EXCHANGES = {0: "SZ", 1: "SH", 2: "BJ"}
_DISTRIBUTION, _SPLIT = 1, 11


def actions(content: bytes, name: str = "gbbq") -> pl.DataFrame:
    """Return `corporate_actions` of A shares and funds, sorted by day and symbol.

    Args:
        content: The file.
        name: Its name, for messages.

    Raises:
        SourceChanged: The file is shorter than its number of records says, or a day is not a date.
    """
    records = decrypted(content, name)
    numbers = {f"number{at}": _shortest(records["numbers"][:, at]) for at in range(4)}
    rows = pl.DataFrame(
        {
            "market": records["market"],
            # A code that is no text is of no security that is known here.
            "code": [code.decode("ascii", "replace") for code in records["code"].tolist()],
            "day": records["day"],
            "category": records["category"],
            **numbers,
        }
    )
    rows = rows.filter(pl.col("category").is_in([_DISTRIBUTION, _SPLIT]))
    exchange = pl.col("market").cast(pl.Int64).replace_strict(_EXCHANGES, default=None)
    rows = rows.select(
        "day",
        "category",
        symbol=pl.col("code") + "." + exchange,
        ex_date=pl.col("day").cast(pl.String).str.to_date("%Y%m%d", strict=False),
        **{name: pl.col(name) for name in numbers},
    )
    rows = rows.filter(board_expr().is_not_null() | _is_fund())
    if wrong := rows.filter(pl.col("ex_date").is_null())["day"].to_list():
        raise SourceChanged(f"{name}: {wrong[0]} is not a date; its records have another form, or the keys are others.")
    return _by_day(rows)


def decrypted(content: bytes, name: str = "gbbq") -> np.ndarray:
    """Return the records as a structured array: market, code, day, category and four numbers.

    Raises:
        SourceChanged: The file is shorter than its number of records says.
    """
    count = int.from_bytes(content[:_HEAD], "little")
    if len(content) < _HEAD + count * _RECORD:
        raise SourceChanged(
            f"{name} has {len(content):,} bytes, but its {count:,} records need {_HEAD + count * _RECORD:,}; it is "
            "truncated. Load it again."
        )
    raw = np.frombuffer(content, np.uint8, count * _RECORD, _HEAD).reshape(count, _RECORD).copy()
    words = raw[:, :_ENCRYPTED].copy().view("<u4").reshape(-1, 2)
    subkeys, tables = _keys()
    left, right = words[:, 0] ^ subkeys[17], words[:, 1].copy()
    for at in range(16, 0, -1):
        left, right = right ^ (_mixed(left, tables) ^ subkeys[at]), left
    words[:, 0], words[:, 1] = right ^ subkeys[0], left
    raw[:, :_ENCRYPTED] = words.view(np.uint8).reshape(count, _ENCRYPTED)
    return raw.reshape(-1).view(_FIELDS)


def _mixed(word: np.ndarray, tables: np.ndarray) -> np.ndarray:
    """Return Blowfish's function of a word: three operations on one entry of each table."""
    return ((tables[0][word >> 24] + tables[1][word >> 16 & 0xFF]) ^ tables[2][word >> 8 & 0xFF]) + tables[3][
        word & 0xFF
    ]


@cache
def _keys() -> tuple[np.ndarray, np.ndarray]:
    """Return the 18 subkeys and the four tables, which the package pytdx publishes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        from pytdx.reader.gbbq_reader import GbbqReader

    keys = bytes.fromhex(GbbqReader.hexdump_keys)
    tables = [np.frombuffer(keys, "<u4", _TABLE_BYTES // 4, start) for start in _TABLES]
    return np.frombuffer(keys[_SUBKEYS], "<u4"), np.stack(tables)


def _shortest(numbers: np.ndarray) -> pl.Series:
    """Return float32 numbers as the shortest decimal ones that they stand for: 0.36 rather than 0.36000001."""
    return pl.Series(numbers.astype(np.float32)).cast(pl.String).cast(pl.Float64)


def _is_fund() -> pl.Expr:
    def flags(symbols: pl.Series) -> pl.Series:
        distinct = symbols.drop_nulls().unique()
        return symbols.is_in([symbol for symbol in distinct if is_fund(symbol)])

    return pl.col("symbol").map_batches(flags, return_dtype=pl.Boolean)


def _by_day(rows: pl.DataFrame) -> pl.DataFrame:
    """Return one row for a symbol and day: distributions are added up, splits are multiplied."""
    paid = pl.col("category") == _DISTRIBUTION
    offered = (pl.col("number3").filter(paid) / 10).sum()
    split = pl.col("number2").filter(pl.col("category") == _SPLIT)
    frame = rows.group_by("symbol", "ex_date").agg(
        cash=(pl.col("number0").filter(paid) / 10).sum().round(9),
        bonus=(pl.col("number2").filter(paid) / 10).sum().round(9),
        rights=offered.round(9),
        rights_price=pl.when(offered > 0).then(pl.col("number1").filter(paid).max()),
        split=pl.when(split.len() > 0).then(split.product()),
    )
    stated = pl.any_horizontal(pl.col("cash", "bonus", "rights") != 0) | pl.col("split").is_not_null()
    frame = frame.filter(stated).with_columns(source=pl.lit("tdx"))
    return CORPORATE_ACTIONS.typed(frame).sort("ex_date", "symbol")
