"""Convert checked frames of akshare's columns to the tables of the lake; pure functions without network."""

from collections.abc import Collection
from datetime import date, datetime
from itertools import product

import polars as pl

from mystocks_dagster.market.symbols import board_expr, exchange_expr, normalise_expr
from mystocks_dagster.market.table import MOMENT, Table
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.market.tables.flows import LONGHUBANG
from mystocks_dagster.market.tables.market import DAILY_BARS, ETF_QUOTES, STOCK_QUOTES
from mystocks_dagster.market.tables.reference import STOCKS
from mystocks_dagster.sources.akshare import columns
from mystocks_dagster.sources.akshare.call import Call
from mystocks_dagster.sources.akshare.frames import SHARES_PER_LOT, TOLERANCE, refuse
from mystocks_dagster.sources.protocol import FlowKind, StatementTable

#: Percent, above the widest price limit (30 % in Beijing).
_WIDEST = 31.0
_IS_ST = pl.col("name").str.to_uppercase().str.contains("ST", literal=True)


def daily_bars(spot: pl.DataFrame, day: date, listed: Collection[str]) -> pl.DataFrame:
    """Return `daily_bars` of a day from the whole-market snapshot after its close.

    Args:
        spot: Frame of `STOCK_SPOT`.
        day: The session of the snapshot.
        listed: Symbols listed on that day. A listed symbol without a price is suspended. The snapshot also has
            delisted symbols and symbols that are not listed yet, which are left out.

    Raises:
        SourceChanged: Prices, amounts and percentages contradict each other.
    """
    spot = _keep_last(_a_shares(columns.STOCK_SPOT, spot))
    traded = pl.col("price").is_not_null() & (pl.col("volume").fill_null(0) != 0)
    trading = spot.filter(traded)
    incomplete = pl.any_horizontal(pl.col("open", "high", "low", "amount").is_null())
    refuse(columns.STOCK_SPOT, trading, incomplete, "a price without open, high, low or amount")
    _check_prices(columns.STOCK_SPOT, trading)
    _check_previous(columns.STOCK_SPOT, trading)
    suspended = spot.filter(~traded & pl.col("symbol").is_in(list(listed)) & (pl.col("prev_close") > 0))
    suspended = suspended.with_columns(
        *(pl.col("prev_close").alias(name) for name in ("open", "high", "low", "close")),
        *(pl.lit(0.0).alias(name) for name in ("amount", "turnover")),
        volume=pl.lit(0, pl.Int64),
        suspended=pl.lit(value=True),
    )
    trading = trading.with_columns(close=pl.col("price"), suspended=pl.lit(value=False))
    bars = pl.concat([trading, suspended], how="diagonal").with_columns(date=pl.lit(day), is_st=_IS_ST)
    return _table(DAILY_BARS, bars.with_columns(actions_known=pl.lit(None))).sort("symbol")


def stock_quotes(spot: pl.DataFrame, day: date, moment: datetime) -> pl.DataFrame:
    """Return `stock_quotes`, without stocks that have no price (suspended, delisted, not listed yet)."""
    spot = _keep_last(_a_shares(columns.STOCK_SPOT, spot)).filter(pl.col("price").is_not_null())
    _check_prices(columns.STOCK_SPOT, spot)
    _check_previous(columns.STOCK_SPOT, spot)
    return _table(STOCK_QUOTES, spot.with_columns(date=pl.lit(day), time=pl.lit(moment).cast(MOMENT)))


def etf_quotes(spot: pl.DataFrame, moment: datetime) -> pl.DataFrame:
    """Return `etf_quotes` of the newest day in the frame, without funds that have no price or an older one."""
    spot = spot.with_columns(symbol=normalise_expr("code")).filter(
        pl.col("symbol").is_not_null() & pl.col("price").is_not_null() & (pl.col("date") == pl.col("date").max())
    )
    _check_prices(columns.ETF_SPOT, spot)
    premium = pl.when(pl.col("iopv") > 0).then((pl.col("price") / pl.col("iopv") - 1) * 100)
    return _table(ETF_QUOTES, spot.with_columns(time=pl.lit(moment).cast(MOMENT), premium_pct=premium))


def longhubang(rows: pl.DataFrame) -> pl.DataFrame:
    """Return `longhubang`: A shares only, one row per day, symbol and reason."""
    call = columns.LONGHUBANG
    rows = rows.with_columns(symbol=normalise_expr("code")).filter(board_expr("symbol").is_not_null())
    amounts = ("buy_amount", "sell_amount", "net_amount")
    empty = pl.any_horizontal(pl.col("date", "reason", *amounts).is_null())
    refuse(call, rows, empty, "an empty date, reason or amount")
    off = (pl.col("buy_amount") - pl.col("sell_amount") - pl.col("net_amount")).abs()
    refuse(call, rows, off > 1 + 1e-6 * pl.col("buy_amount").abs(), "net amount is not buy - sell", TOLERANCE)
    # Exact duplicates come from paging; of two versions of a row the later one is the correction.
    rows = rows.unique(subset=list(LONGHUBANG.key), keep="last", maintain_order=True)
    return _table(LONGHUBANG, rows).sort(LONGHUBANG.key)


def capital_flow(kind: FlowKind, rows: pl.DataFrame, day: date) -> pl.DataFrame:
    """Return `capital_flow_<kind>`, without stocks and boards that did not trade."""
    call = columns.STOCK_FLOW if kind == "stock" else columns.BOARD_FLOW
    rows = _keep_last(_a_shares(call, rows)) if kind == "stock" else _keep_last(rows.rename({"board": kind}), kind)
    rows = rows.filter(pl.col("main_net").is_not_null())
    size = pl.sum_horizontal(pl.col("super_large_net", "large_net", "medium_net", "small_net").abs())
    off = (pl.col("main_net") - pl.col("super_large_net") - pl.col("large_net")).abs()
    refuse(call, rows, (off > 1 + 1e-6 * size).fill_null(value=True), "main flow is not super large + large", TOLERANCE)
    if kind == "stock":  # boards do not add up to 0: some of their stocks lack a part
        total = (pl.col("main_net") + pl.col("medium_net") + pl.col("small_net")).abs()
        unbalanced = (total > 1 + 1e-3 * size).fill_null(value=True)
        refuse(call, rows, unbalanced, "main + medium + small flow is not 0", TOLERANCE)
        refuse(call, rows, pl.col("change_pct").abs() > _WIDEST, f"a change beyond {_WIDEST} %", TOLERANCE)
    return _table(TABLES[f"capital_flow_{kind}"], rows.with_columns(date=pl.lit(day)))


def statements(table: StatementTable, rows: pl.DataFrame, period: date) -> pl.DataFrame:
    """Return the rows of a statement table for a report period; the report does not include Beijing."""
    rows = _a_shares(columns.STATEMENTS[table], rows)
    if table == "balance_sheets":
        off = (pl.col("total_assets") - pl.col("total_liabilities") - pl.col("total_equity")).abs()
        unbalanced = off > 1 + 1e-4 * pl.col("total_assets").abs()
        refuse(columns.STATEMENTS[table], rows, unbalanced, "assets are not liabilities + equity", TOLERANCE)
    # A restated report is a row with a later notice; duplicates of one notice come from paging.
    versions = rows.unique(subset=["symbol", "notice_date"], keep="last", maintain_order=True)
    versions = versions.with_columns(period=pl.lit(period), known_since=pl.col("notice_date"))
    return _table(TABLES[table], versions).sort("symbol", "notice_date")


def corporate_actions(rows: pl.DataFrame) -> pl.DataFrame:
    """Return `corporate_actions` of the plans that have an ex-dividend day.

    The report states amounts per ten shares and no rights issues, so that `rights` is unknown.
    """
    call = columns.CORPORATE_ACTIONS
    refuse(call, rows, (pl.col("cash") < 0) | (pl.col("bonus") < 0), "a distribution below zero")
    plans = _a_shares(call, rows).filter(pl.col("ex_date").is_not_null())
    per_share = pl.col("cash", "bonus").fill_null(0).sum() / 10
    # An ordinary and a special dividend of the same day are two rows.
    actions = plans.group_by("symbol", "ex_date").agg(per_share, pl.col("known_since", "record_date").max())
    unknown = dict.fromkeys(("rights", "rights_price", "split"))
    actions = actions.with_columns(source=pl.lit("akshare"), **{name: pl.lit(None) for name in unknown})
    return _table(TABLES["corporate_actions"], actions).sort("ex_date", "symbol")


def quarter_ends(start: date, end: date) -> list[date]:
    """Return the last days of the quarters from `start` to `end`, ascending."""
    quarters = product(range(start.year, end.year + 1), ((3, 31), (6, 30), (9, 30), (12, 31)))
    days = (date(year, month, day) for year, (month, day) in quarters)
    return [day for day in days if start <= day <= end]


def marked(listed: pl.DataFrame) -> pl.Series:
    """Return a mask of Beijing's stocks whose quoted name is not their own today.

    Quotes mark a stock on its ex-dividend day (XD, XR, DR) and a new one (N, C), and shorten its name for that.
    """
    beijing = exchange_expr("symbol") == "BJ"
    mark = pl.col("name").str.contains(r"^(XD|XR|DR|[NC]\p{Han})")
    return listed.with_columns(symbol=normalise_expr("code")).select(beijing & mark).to_series().fill_null(value=False)


def stocks(listed: pl.DataFrame, delisted: pl.DataFrame | None, moment: datetime) -> pl.DataFrame:
    """Return `stocks` from the exchanges' lists; a code in both lists counts as listed."""
    frames = [listed] if delisted is None else [listed, delisted]
    rows = pl.concat(frames, how="diagonal").with_columns(symbol=normalise_expr("code"))
    rows = rows.filter(board_expr("symbol").is_not_null()).unique(subset="symbol", keep="first", maintain_order=True)
    delist_date = pl.col("delist_date") if "delist_date" in rows.columns else pl.lit(None, pl.Date)
    rows = rows.with_columns(
        delist_date=delist_date,
        exchange=exchange_expr(),
        board=board_expr(),
        is_st=_IS_ST,
        updated_at=pl.lit(moment).cast(MOMENT),
    )
    return _table(STOCKS, rows).sort("symbol")


def _a_shares(call: Call, frame: pl.DataFrame) -> pl.DataFrame:
    """Add `symbol` and remove rows that are not A shares."""
    kept = frame.with_columns(symbol=normalise_expr("code")).filter(board_expr("symbol").is_not_null())
    if frame.height:
        refuse(call, frame, pl.lit(kept.is_empty()), "no code of an A share")
    return kept


def _keep_last(frame: pl.DataFrame, key: str = "symbol") -> pl.DataFrame:
    """Remove duplicates that come from paging over a changing list; the later row is the newer one."""
    return frame.unique(subset=key, keep="last", maintain_order=True)


def _check_prices(call: Call, frame: pl.DataFrame) -> None:
    """Refuse a list with many impossible prices, or with other units of volume, amount or percentage than expected.

    Single impossible rows are set aside later, see `sources.checked`.
    """
    low, high, volume = (pl.col(name) for name in ("low", "high", "volume"))
    not_positive = pl.any_horizontal(pl.col("price", "open", "high", "low") <= 0)
    refuse(call, frame, not_positive, "a price that is not positive", TOLERANCE)
    disorder = (low > pl.min_horizontal("open", "price")) | (high < pl.max_horizontal("open", "price"))
    refuse(call, frame, disorder, "open or price outside low to high", TOLERANCE)
    least, most = low * (volume - SHARES_PER_LOT) * 0.998, high * (volume + SHARES_PER_LOT) * 1.002
    outside = ~pl.col("amount").is_between(least, most)
    refuse(call, frame, outside, "amount / volume outside low to high, so a unit has changed", TOLERANCE)
    refuse(call, frame, change_contradicts(), "change_pct is not price / prev_close - 1", TOLERANCE)
    refuse(call, frame, pl.col("change_pct").abs() > _WIDEST, f"a change beyond {_WIDEST} %", TOLERANCE)


def _check_previous(call: Call, frame: pl.DataFrame) -> None:
    """Refuse a list in which many stocks with a price have no previous close: their ratios would be unknown."""
    refuse(call, frame, pl.col("prev_close").is_null(), "a price without a previous close", TOLERANCE)


def change_contradicts() -> pl.Expr:
    """Return the expression that is true where the stated change is not that of price and previous close."""
    return ((pl.col("price") / pl.col("prev_close") - 1) * 100 - pl.col("change_pct")).abs() > 0.02


def _table(table: Table, frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select(pl.col(name).cast(dtype) for name, dtype in table.dtypes.items())
