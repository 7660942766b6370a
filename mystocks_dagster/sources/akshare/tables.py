"""From checked frames of akshare's columns to the tables of the lake: pure functions, no network."""

from collections.abc import Collection
from datetime import date, datetime

import polars as pl

from mystocks_dagster.market.symbols import board_expr, exchange_expr, normalise_expr
from mystocks_dagster.market.table import MOMENT, Table
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.market.tables.flows import LONGHUBANG
from mystocks_dagster.market.tables.market import DAILY_BARS, ETF_QUOTES, STOCK_QUOTES
from mystocks_dagster.market.tables.reference import STOCKS
from mystocks_dagster.sources.akshare import columns
from mystocks_dagster.sources.akshare.columns import Call
from mystocks_dagster.sources.akshare.frames import SHARES_PER_LOT, TOLERANCE, refuse
from mystocks_dagster.sources.protocol import FlowKind, StatementTable

#: Beyond the widest price limit (30 % in Beijing), in percent.
_WIDEST = 31.0
_IS_ST = pl.col("name").str.to_uppercase().str.contains("ST", literal=True)


def daily_bars(spot: pl.DataFrame, day: date, listed: Collection[str]) -> pl.DataFrame:
    """Return `daily_bars` of a day from the whole-market snapshot after its close.

    Args:
        spot: Frame of `STOCK_SPOT`.
        day: The session that it shows.
        listed: Symbols that are listed on that day. A symbol without a price is suspended when it is listed; the
            snapshot also holds delisted ones and ones that are not listed yet, and those are left out.

    Raises:
        SourceChanged: Prices, amounts and percentages contradict each other.
    """
    spot = _once(_a_shares(columns.STOCK_SPOT, spot))
    traded = pl.col("price").is_not_null() & (pl.col("volume").fill_null(0) > 0)
    trading = spot.filter(traded)
    incomplete = pl.any_horizontal(pl.col("open", "high", "low", "amount").is_null())
    refuse(columns.STOCK_SPOT, trading, incomplete, "a price without open, high, low or amount")
    _check_prices(columns.STOCK_SPOT, trading)
    resting = spot.filter(~traded & pl.col("symbol").is_in(list(listed)) & (pl.col("prev_close") > 0))
    still = pl.col("prev_close")
    return _table(
        DAILY_BARS,
        pl.concat(
            [
                trading.with_columns(close=pl.col("price"), suspended=pl.lit(value=False)),
                resting.with_columns(
                    *(still.alias(name) for name in ("open", "high", "low", "close")),
                    *(pl.lit(0.0).alias(name) for name in ("amount", "turnover")),
                    volume=pl.lit(0, pl.Int64),
                    suspended=pl.lit(value=True),
                ),
            ],
            how="diagonal",
        ).with_columns(date=pl.lit(day), is_st=_IS_ST),
    ).sort("symbol")


def stock_quotes(spot: pl.DataFrame, day: date, moment: datetime) -> pl.DataFrame:
    """Return `stock_quotes`; a stock without a price (suspended, delisted, not listed yet) has no quote."""
    spot = _once(_a_shares(columns.STOCK_SPOT, spot)).filter(pl.col("price").is_not_null())
    _check_prices(columns.STOCK_SPOT, spot)
    return _table(STOCK_QUOTES, spot.with_columns(date=pl.lit(day), time=pl.lit(moment).cast(MOMENT)))


def etf_quotes(spot: pl.DataFrame, moment: datetime) -> pl.DataFrame:
    """Return `etf_quotes` of the newest day in the frame; a fund without a price or with an older one has no quote."""
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
    refuse(
        call, rows, pl.any_horizontal(pl.col("date", "reason", *amounts).is_null()), "an empty date, reason or amount"
    )
    off = (pl.col("buy_amount") - pl.col("sell_amount") - pl.col("net_amount")).abs()
    refuse(call, rows, off > 1 + 1e-6 * pl.col("buy_amount").abs(), "net amount is not buy - sell", TOLERANCE)
    # An exact repetition comes from pages that moved; of two versions of one row the later one is the correction.
    return _table(LONGHUBANG, rows.unique(subset=list(LONGHUBANG.key), keep="last", maintain_order=True)).sort(
        LONGHUBANG.key
    )


def capital_flow(kind: FlowKind, rows: pl.DataFrame, day: date) -> pl.DataFrame:
    """Return `capital_flow_<kind>`; who did not trade has no row."""
    call = columns.STOCK_FLOW if kind == "stock" else columns.BOARD_FLOW
    rows = _once(_a_shares(call, rows)) if kind == "stock" else _once(rows.rename({"board": kind}), kind)
    rows = rows.filter(pl.col("main_net").is_not_null())
    size = pl.sum_horizontal(pl.col("super_large_net", "large_net", "medium_net", "small_net").abs())
    off = (pl.col("main_net") - pl.col("super_large_net") - pl.col("large_net")).abs()
    refuse(call, rows, (off > 1 + 1e-6 * size).fill_null(value=True), "main flow is not super large + large", TOLERANCE)
    if kind == "stock":  # boards are sums over stocks of which some lack a part, and do not add up to nothing
        rest = (pl.col("main_net") + pl.col("medium_net") + pl.col("small_net")).abs()
        refuse(
            call, rows, (rest > 1 + 1e-3 * size).fill_null(value=True), "main + medium + small flow is not 0", TOLERANCE
        )
        refuse(call, rows, pl.col("change_pct").abs() > _WIDEST, f"a change beyond {_WIDEST} %", TOLERANCE)
    return _table(TABLES[f"capital_flow_{kind}"], rows.with_columns(date=pl.lit(day)))


def statements(table: StatementTable, rows: pl.DataFrame, period: date) -> pl.DataFrame:
    """Return a statement table's rows of one report period; Beijing is not in this report."""
    rows = _a_shares(columns.STATEMENTS[table], rows)
    if table == "balance_sheets":
        off = (pl.col("total_assets") - pl.col("total_liabilities") - pl.col("total_equity")).abs()
        unbalanced = off > 1 + 1e-4 * pl.col("total_assets").abs()
        refuse(columns.STATEMENTS[table], rows, unbalanced, "assets are not liabilities + equity", TOLERANCE)
    newest = _once(rows.sort("notice_date", nulls_last=False))
    return _table(TABLES[table], newest.with_columns(period=pl.lit(period))).sort("symbol")


def corporate_actions(rows: pl.DataFrame) -> pl.DataFrame:
    """Return `corporate_actions` of the plans that have an ex-dividend day; the report counts by ten shares, and has no rights."""
    call = columns.CORPORATE_ACTIONS
    refuse(call, rows, (pl.col("cash") < 0) | (pl.col("bonus") < 0), "a distribution below zero")
    done = _a_shares(call, rows).filter(pl.col("ex_date").is_not_null())
    per_share = pl.col("cash", "bonus").fill_null(0).sum() / 10
    # An ordinary and a special dividend of one day are two rows.
    added = done.group_by("symbol", "ex_date").agg(per_share, pl.col("known_since").max())
    nothing = added.with_columns(rights=pl.lit(0.0), rights_price=pl.lit(None), source=pl.lit("akshare"))
    return _table(TABLES["corporate_actions"], nothing).sort("ex_date", "symbol")


def stocks(listed: pl.DataFrame, delisted: pl.DataFrame | None, moment: datetime) -> pl.DataFrame:
    """Return `stocks` from the exchanges' lists; a code that is listed again counts as listed."""
    frames = [listed] if delisted is None else [listed, delisted]
    rows = pl.concat(frames, how="diagonal").with_columns(symbol=normalise_expr("code"))
    rows = rows.filter(board_expr("symbol").is_not_null()).unique(subset="symbol", keep="first", maintain_order=True)
    gone = pl.col("delist_date") if "delist_date" in rows.columns else pl.lit(None, pl.Date).alias("delist_date")
    facts = rows.with_columns(
        gone, exchange=exchange_expr(), board=board_expr(), is_st=_IS_ST, updated_at=pl.lit(moment).cast(MOMENT)
    )
    return _table(STOCKS, facts).sort("symbol")


def _a_shares(call: Call, frame: pl.DataFrame) -> pl.DataFrame:
    """Add `symbol`, and leave out what is no A share."""
    kept = frame.with_columns(symbol=normalise_expr("code")).filter(board_expr("symbol").is_not_null())
    if frame.height:
        refuse(call, frame, pl.lit(kept.is_empty()), "no code of an A share")
    return kept


def _once(frame: pl.DataFrame, key: str = "symbol") -> pl.DataFrame:
    """Leave out what paging over a moving list gave twice; the later row is the newer one."""
    return frame.unique(subset=key, keep="last", maintain_order=True)


def _check_prices(call: Call, frame: pl.DataFrame) -> None:
    """Refuse a list of which many prices cannot be, or whose volumes, amounts and percentages have other units than ours.

    Single rows that cannot be are set aside at the border, see `sources.checked`.
    """
    price, low, high = pl.col("price"), pl.col("low"), pl.col("high")
    refuse(
        call,
        frame,
        pl.any_horizontal(pl.col("price", "open", "high", "low") <= 0),
        "a price that is not positive",
        TOLERANCE,
    )
    disorder = (low > pl.min_horizontal("open", "price")) | (high < pl.max_horizontal("open", "price"))
    refuse(call, frame, disorder, "open or price outside low to high", TOLERANCE)
    volume = pl.col("volume")
    least, most = low * (volume - SHARES_PER_LOT) * 0.998, high * (volume + SHARES_PER_LOT) * 1.002
    refuse(
        call,
        frame,
        ~pl.col("amount").is_between(least, most),
        "amount / volume outside low to high, so a unit is another",
        TOLERANCE,
    )
    moved = (price / pl.col("prev_close") - 1) * 100
    refuse(
        call,
        frame,
        (moved - pl.col("change_pct")).abs() > 0.02,
        "change is not price against previous close",
        TOLERANCE,
    )
    refuse(call, frame, pl.col("change_pct").abs() > _WIDEST, f"a change beyond {_WIDEST} %", TOLERANCE)


def _table(table: Table, frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select(pl.col(name).cast(dtype) for name, dtype in table.dtypes.items())
