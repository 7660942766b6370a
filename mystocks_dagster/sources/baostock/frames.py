"""Convert baostock's answers, in which every value is text, to the tables of the lake; pure functions."""

from collections.abc import Mapping
from datetime import date, datetime
from types import MappingProxyType

import polars as pl

from mystocks_dagster.errors import SourceChanged
from mystocks_dagster.market.symbols import board_expr, exchange_expr, normalise_expr
from mystocks_dagster.market.table import MOMENT, Table
from mystocks_dagster.market.tables.fundamentals import DAILY_VALUATION
from mystocks_dagster.market.tables.market import DAILY_BARS, ETF_BARS
from mystocks_dagster.market.tables.reference import ADJUST_FACTORS, STOCKS
from mystocks_dagster.sources.baostock.session import Answer

_BARS = MappingProxyType(
    {
        "open": "open",
        "high": "high",
        "low": "low",
        "close": "close",
        "preclose": "prev_close",
        "volume": "volume",
        "amount": "amount",
        "turn": "turnover",
    }
)
_VALUATION = MappingProxyType({"peTTM": "pe_ttm", "pbMRQ": "pb", "psTTM": "ps_ttm", "pcfNcfTTM": "pcf_ttm"})
_FACTORS = MappingProxyType({"foreAdjustFactor": "forward", "backAdjustFactor": "backward"})
#: Types of `query_stock_basic`.
_STOCK = "1"
#: The fields of a request by symbol, which are those of the answers by day.
BAR_FIELDS = "date,code,open,high,low,close,preclose,volume,amount,adjustflag,turn,tradestatus,pctChg"
STOCK_FIELDS = f"{BAR_FIELDS},peTTM,pbMRQ,psTTM,pcfNcfTTM,isST"
INDEX_FIELDS = "date,code,open,high,low,close,preclose,volume,amount,pctChg"
#: Raw prices: the value of `adjustflag`.
RAW = "3"


def read_answer(call: str, answer: Answer, columns: tuple[str, ...]) -> pl.DataFrame:
    """Return the rows of an answer as text, empty values as null.

    Raises:
        SourceChanged: A column is missing, or a row has more or fewer values than there are columns.
    """
    missing = [column for column in columns if column not in answer.fields] if answer.rows else []
    if missing:
        raise changed(call, f"the answer has no {', '.join(missing)}; it has {', '.join(answer.fields)}")
    wrong = next((row for row in answer.rows if len(row) != len(answer.fields)), None)
    if wrong is not None:
        raise changed(call, f"a row has {len(wrong)} values in place of {len(answer.fields)}: {','.join(wrong)[:120]}")
    fields = answer.fields if answer.rows else columns
    frame = pl.DataFrame(answer.rows, schema=dict.fromkeys(fields, pl.String), orient="row")
    return frame.with_columns(pl.all().replace("", None))


def bars(call: str, answer: Answer, table: Table = DAILY_BARS) -> pl.DataFrame:
    """Return the bars of an answer of one day or one symbol: of A shares for `daily_bars`, else of every code.

    Raises:
        SourceChanged: The answer is not one of raw bars; the message names the row.
    """
    if not answer.rows:
        return table.empty()
    rows = _bars(call, answer, table)
    return _table(table, rows if table is not DAILY_BARS else rows.filter(board_expr().is_not_null()))


def funds(call: str, answer: Answer) -> pl.DataFrame:
    """Return the bars of funds that traded (`etf_bars`).

    Raises:
        SourceChanged: The answer is not one of raw bars; the message names the row.
    """
    rows = ETF_BARS.empty() if not answer.rows else _bars(call, answer, ETF_BARS)
    return _table(ETF_BARS, rows.filter(pl.col("volume") > 0))


def valuation(call: str, answer: Answer) -> pl.DataFrame:
    """Return the valuation ratios (`daily_valuation`) in an answer of bars, without stocks that have none.

    The server writes 0 where a ratio is not known: no price is 0 times the earnings.

    Raises:
        SourceChanged: A ratio is not a number; the message names the row.
    """
    rows = read_answer(call, answer, ("date", "code", *_VALUATION))
    ratios = [pl.when(pl.col(name) != 0).then(pl.col(name)).alias(name) for name in _VALUATION.values()]
    rows = _keyed(call, _numbers(call, rows, _VALUATION)).with_columns(ratios)
    known = pl.any_horizontal(pl.col(*_VALUATION.values()).is_not_null())
    return _table(DAILY_VALUATION, rows.filter(board_expr().is_not_null() & known))


def factors(call: str, answer: Answer) -> pl.DataFrame:
    """Return the adjustment factors (`adjust_factors`) of the A shares that went ex on a day.

    Raises:
        SourceChanged: A factor is not a number; the message names the row.
    """
    rows = read_answer(call, answer, ("code", "dividOperateDate", *_FACTORS)).rename({"dividOperateDate": "date"})
    rows = _keyed(call, _numbers(call, rows, _FACTORS))
    return _table(ADJUST_FACTORS, rows.filter(board_expr().is_not_null()))


def trading_days(call: str, answer: Answer) -> list[date]:
    """Return the trading days of an answer, ascending.

    Raises:
        SourceChanged: A day or a flag has another form.
    """
    rows = read_answer(call, answer, ("calendar_date", "is_trading_day"))
    _refuse(call, rows, ~pl.col("is_trading_day").is_in(["0", "1"]), "is_trading_day is not 0 or 1")
    rows = _dated(call, rows, "calendar_date").filter(is_trading_day="1")
    return rows["calendar_date"].sort().to_list()


def stocks(call: str, answer: Answer, moment: datetime, *, include_delisted: bool) -> pl.DataFrame:
    """Return the stock list (`stocks`): A shares of Shanghai and Shenzhen.

    Raises:
        SourceChanged: A day has another form.
    """
    rows = read_answer(call, answer, ("code", "code_name", "ipoDate", "outDate", "type")).filter(type=_STOCK)
    for column in ("ipoDate", "outDate"):
        rows = _dated(call, rows, column)
    name = pl.col("code_name").fill_null("").str.normalize("NFKC").str.replace_all(" ", "")
    rows = rows.with_columns(symbol=normalise_expr("code"), name=name).filter(board_expr().is_not_null())
    rows = rows.with_columns(
        exchange=exchange_expr(),
        board=board_expr(),
        is_st=pl.col("name").str.to_uppercase().str.contains("ST", literal=True),
        list_date=pl.col("ipoDate"),
        delist_date=pl.col("outDate"),
        updated_at=pl.lit(moment).cast(MOMENT),
    )
    return _table(STOCKS, rows if include_delisted else rows.filter(pl.col("delist_date").is_null()))


def changed(call: str, fault: str) -> SourceChanged:
    """Return the error for an answer of an unknown form."""
    return SourceChanged(f"baostock's {call}: {fault}. Upgrade baostock; if that does not help, report it.")


def _bars(call: str, answer: Answer, table: Table) -> pl.DataFrame:
    optional = [name for name in ("turn", "tradestatus", "isST", "adjustflag") if name in answer.fields]
    required = [name for name in _BARS if name != "turn"]
    rows = read_answer(call, answer, ("date", "code", *required))
    if "adjustflag" in optional:
        _refuse(call, rows, pl.col("adjustflag") != RAW, "the prices are adjusted (adjustflag is not 3)")
    names = {name: column for name, column in _BARS.items() if name != "turn" or "turn" in optional}
    rows = _keyed(call, _numbers(call, rows, names))
    suspended = pl.col("tradestatus") == "0" if "tradestatus" in optional else pl.lit(value=False)
    st = pl.col("isST").replace_strict({"1": True, "0": False}, default=None) if "isST" in optional else pl.lit(None)
    zero = [pl.when("suspended").then(pl.col(name).fill_null(0)).otherwise(name).alias(name) for name in _TRADED]
    rows = rows.with_columns(suspended=suspended.fill_null(value=False), is_st=st.cast(pl.Boolean)).with_columns(zero)
    if "turn" not in optional:
        rows = rows.with_columns(turnover=pl.lit(None, pl.Float64))
    required = [column.name for column in table.columns if not column.null]
    _refuse(call, rows, pl.any_horizontal(pl.col(required).is_null()), "a price, volume or amount is empty")
    return rows


_TRADED = ("volume", "amount")


def _keyed(call: str, rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows with `symbol` and `date` out of `code` and the text of `date`."""
    rows = _dated(call, rows, "date").with_columns(symbol=normalise_expr("code"))
    _refuse(call, rows, pl.col("symbol").is_null() | pl.col("date").is_null(), "a code or date is unknown")
    return rows


def _dated(call: str, rows: pl.DataFrame, column: str) -> pl.DataFrame:
    day = pl.col(column).str.to_date("%Y-%m-%d", strict=False)
    _refuse(call, rows, pl.col(column).is_not_null() & day.is_null(), f"{column} is not a day like 2024-03-01")
    return rows.with_columns(day)


def _numbers(call: str, rows: pl.DataFrame, names: Mapping[str, str]) -> pl.DataFrame:
    """Return the rows with the columns `names` as numbers under their new names."""
    for name in names:
        wrong = pl.col(name).is_not_null() & pl.col(name).cast(pl.Float64, strict=False).is_null()
        _refuse(call, rows, wrong, f"{name} is not a number")
    return rows.with_columns(pl.col(name).cast(pl.Float64).alias(column) for name, column in names.items())


def _refuse(call: str, rows: pl.DataFrame, bad: pl.Expr, fault: str) -> None:
    wrong = rows.filter(bad)
    if wrong.height:
        values = ", ".join(f"{name}={value}" for name, value in wrong.row(0, named=True).items() if value is not None)
        raise changed(call, f"{fault} in {wrong.height:,} of {rows.height:,} rows, e.g. {values[:200]}")


def _table(table: Table, rows: pl.DataFrame) -> pl.DataFrame:
    columns = [pl.col(column.name).cast(column.dtype) for column in table.columns if column.name in rows.columns]
    absent = [pl.lit(None, c.dtype).alias(c.name) for c in table.columns if c.name not in rows.columns]
    return rows.select(*columns, *absent).select(list(table.dtypes)).sort(table.key)
