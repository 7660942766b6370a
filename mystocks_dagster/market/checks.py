"""Asset checks over stored rows: of every table, of tables that are loaded by day, and those that a table declares.

Each check returns the rows that fail it. It reads the newest `check_days` of its table, and other tables only as far as
it compares with them.
"""

from collections.abc import Mapping
from datetime import date
from itertools import pairwise
from typing import Any

import polars as pl

from mystocks_dagster.market.adjust import HALF_A_TICK, changed_closes
from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.market.table import Check, Rule, StoredRows, Table
from mystocks_dagster.market.witnesses import COMPARED, percent, percent_text

#: A day's number of rows may differ by this share from that of the day before, and by so many rows in any case.
COUNT_SHARE, COUNT_ROWS = 0.03, 3
#: So large a part of the listed stocks, and so many in any case, may lack a bar: some sources leave suspended ones out.
LISTED_SHARE, LISTED_ROWS = 0.01, 3

#: Remedies name the table, its task, and the first and last failing day.
_AGAIN = "Load the days again: mystocks backfill {task} --from {first} --to {last} --again."
_RESTORE = "Go back to an earlier version: mystocks data restore {table}. Or run its task again: mystocks run {task}."


def checks_of(table: Table) -> tuple[Check, ...]:
    """Return all checks of a table: those that follow from its declaration, and those that it declares itself."""
    by_day = (NEWEST_DAY, NO_MISSING_DAYS) if table.by_day and table.origin == "source" else ()
    of_source = (ROWS_SET_ASIDE,) if table.origin in ("source", "snapshot") else ()
    computed = (INPUTS_UNCHANGED,) if table.computed_from else ()
    compared = (WITNESSES_AGREE,) if table.name in COMPARED else ()
    return (KEYS_UNIQUE, REQUIRED_VALUES, *by_day, *computed, *of_source, *compared, *table.checks)


def rule_check(name: str, remedy: str, *rules: Rule) -> Check:
    """Return a check of its own for value rules of a table, which are applied before a write too."""

    def failing(stored: StoredRows) -> pl.DataFrame:
        return stored.rows.filter(pl.any_horizontal(rule.breaks().fill_null(value=False) for rule in rules))

    return Check(name, " or ".join(rule.reason for rule in rules), remedy, failing)


def _repeated_keys(stored: StoredRows) -> pl.DataFrame:
    key = list(stored.table.key)
    return stored.rows.filter(pl.struct(key).is_duplicated()).sort(key)


def _missing_values(stored: StoredRows) -> pl.DataFrame:
    required = [column.name for column in stored.table.columns if not column.null]
    return stored.rows.filter(pl.any_horizontal(pl.col(required).is_null()))


def _certain(frame: pl.DataFrame) -> pl.DataFrame:
    """Leave out the days beyond the calendar's end, which may be holidays."""
    return frame.filter(pl.col("date") <= shanghai().last)


def _newest_day(stored: StoredRows) -> pl.DataFrame:
    published = stored.coverage().filter(pl.col("status") != "not_published")
    return _certain(published.tail(1)).filter(pl.col("status") == "missing").select("table", "date", "status")


def _missing_days(stored: StoredRows) -> pl.DataFrame:
    days = stored.coverage().filter(pl.col("status") != "not_published")
    lacking = ("missing", "partial", "quarantined")
    return _certain(days.filter(pl.col("status").is_in(lacking))).select("table", "date", "status", "rows", "set_aside")


def _set_aside(stored: StoredRows) -> pl.DataFrame:
    return stored.other("quarantine").filter(pl.col("table") == stored.table.name).sort("set_aside_at", descending=True)


def _counts(stored: StoredRows) -> pl.DataFrame:
    """Return the days whose number of rows differs much from that of the session before, if that is stored."""
    day = stored.table.date_column or "date"
    counts = stored.rows.group_by(pl.col(day).alias("date")).agg(rows=pl.len().cast(pl.Int64)).sort("date")
    counts = counts.with_columns(day_before=pl.col("date").shift(), rows_before=pl.col("rows").shift())
    difference = (pl.col("rows") - pl.col("rows_before")).abs()
    allowed = pl.max_horizontal(pl.lit(COUNT_ROWS), COUNT_SHARE * pl.col("rows_before"))
    return _of_consecutive_sessions(counts.filter(difference > allowed))


def _of_consecutive_sessions(frame: pl.DataFrame) -> pl.DataFrame:
    """Keep the rows whose `day_before` is the trading day before their `date`."""
    calendar = shanghai()

    def consecutive(before: date, day: date) -> bool:
        inside = calendar.first <= before < day <= calendar.last
        return inside and len(calendar.sessions(before, day)) == 2

    pairs = frame.select("day_before", "date").iter_rows()
    return frame.filter(
        pl.Series([bool(before) and consecutive(before, day) for before, day in pairs], dtype=pl.Boolean)
    )


def _lost_symbols(stored: StoredRows) -> pl.DataFrame:
    """Return the symbols with a row on a day and none on the next stored one, which neither resume nor are delisted.

    A symbol that resumes at its last close was suspended.
    """
    days = stored.days
    if len(days) < 2:
        return stored.rows.clear().select("symbol", "date")
    following = dict(pairwise(days))
    nexts = pl.DataFrame({"date": list(following), "missing_on": list(following.values())})
    rows = stored.rows.select("symbol", "date", "close", "prev_close").sort("symbol", "date")
    rows = rows.with_columns(
        next_date=pl.col("date").shift(-1).over("symbol"), next_prev_close=pl.col("prev_close").shift(-1).over("symbol")
    )
    resumes = (pl.col("next_prev_close") - pl.col("close")).abs() <= HALF_A_TICK
    lost = rows.join(nexts, on="date").filter(
        pl.col("next_date").is_null() | ((pl.col("next_date") > pl.col("missing_on")) & ~resumes.fill_null(value=False))
    )
    stocks = stored.other("stocks", columns=["symbol", "delist_date"])
    if stocks.height:
        lost = lost.join(stocks, on="symbol").filter(
            (pl.col("delist_date") > pl.col("missing_on")).fill_null(value=True)
        )
    return lost.select("missing_on", "symbol", "date", "close").sort("missing_on", "symbol", descending=[True, False])


def _unlisted(stored: StoredRows) -> pl.DataFrame:
    """Compare the symbols of the newest whole day with the stock list of that day."""
    stocks = stored.other("stocks", columns=["symbol", "name", "list_date", "delist_date"])
    whole = stored.coverage().filter(pl.col("status") != "not_published", pl.col("rows") > 0)
    newest = whole["date"].max()
    if stocks.is_empty() or newest is None:
        return stocks.clear()
    symbols = stored.rows.filter(pl.col("date") == newest).select("symbol")
    listed = stocks.filter(pl.col("list_date") <= newest, (pl.col("delist_date") > newest).fill_null(value=True))
    absent = listed.join(symbols, on="symbol", how="anti").with_columns(fault=pl.lit("listed, and has no row"))
    if absent.height <= max(LISTED_ROWS, LISTED_SHARE * listed.height):
        absent = absent.clear()
    unknown = symbols.join(stocks, on="symbol", how="anti").with_columns(fault=pl.lit("is not in the stock list"))
    return pl.concat([unknown, absent], how="diagonal").with_columns(date=pl.lit(newest)).sort("symbol")


def _without_event(stored: StoredRows) -> pl.DataFrame:
    """Return the bars whose previous close is not the last stored close, and that have no adjustment event."""
    bars = stored.rows.select("symbol", "date", "prev_close", "close").sort("symbol", "date")
    bars = bars.with_columns(
        last_date=pl.col("date").shift().over("symbol"), last_close=pl.col("close").shift().over("symbol")
    )
    changed = changed_closes(bars)
    if changed.is_empty():
        return changed
    events = stored.other("adjust_events", columns=["symbol", "date"], start=stored.days[0])
    return changed.join(events, on=["symbol", "date"], how="anti").sort("date", "symbol", descending=[True, False])


def _newest_comparison(stored: StoredRows) -> pl.DataFrame:
    rows = stored.other("source_comparisons").filter(pl.col("table") == stored.table.name)
    return rows.filter(pl.col("date") == pl.col("date").max())


def _disagreements(stored: StoredRows) -> pl.DataFrame:
    """Return the differences of the newest compared day."""
    newest = _newest_comparison(stored)["date"].max()
    rows = stored.other("source_differences").filter(pl.col("table") == stored.table.name)
    return (rows.clear() if newest is None else rows.filter(pl.col("date") == newest)).sort("symbol", "column")


def _agreement(stored: StoredRows) -> str:
    rows = _newest_comparison(stored).to_dicts()
    if not rows:
        # A declared dataset is compared when it is loaded, as soon as its witness has rows.
        remedy = ": mystocks run compare_sources" if stored.table.name in COMPARED else ""
        return f"No other source was compared yet{remedy}."
    return " ".join(map(_agreement_of, rows))


def _agreement_of(row: Mapping[str, Any]) -> str:
    compared, note = row["agreeing"] + row["differing"], row["note"]
    if not compared and note:
        return f"{row['date']}: {note}"
    share, sources = (
        percent_text(percent(row["agreeing"], row["differing"])),
        f"{row['source_a']} and {row['source_b']}",
    )
    return f"{sources} agree in {share} of {compared:,} rows of {row['date']}. {note}".strip()


KEYS_UNIQUE = Check("keys_unique", "two rows have the same key", _RESTORE, _repeated_keys, blocking=True)
REQUIRED_VALUES = Check(
    "required_values", "a column that must not be null is null", _RESTORE, _missing_values, blocking=True
)
NEWEST_DAY = Check(
    "newest_day",
    "the newest published trading day is not loaded; loads of older days do not count",
    "Run the task: mystocks run {task}. If its source publishes later, write available_after.",
    _newest_day,
    of_days=True,
)
NO_MISSING_DAYS = Check(
    "no_missing_days",
    "a trading day since the first loaded one is missing, partial or quarantined",
    "List them: mystocks data gaps {table}. Load them: mystocks backfill --missing {table}.",
    _missing_days,
    of_days=True,
)
INPUTS_UNCHANGED = Check(
    "inputs_unchanged",
    "rows that the table was computed from have been added or changed since",
    "Compute it again: mystocks run {task}.",
    lambda stored: stored.outdated(),
    of_inputs=True,
)
ROWS_SET_ASIDE = Check(
    "rows_set_aside",
    "rows of the table are in the quarantine",
    "Correct them at the source, or choose another one, and load them again: mystocks run {task} --failed-only.",
    _set_aside,
)
ROW_COUNT = Check(
    "row_count",
    f"a day has over {COUNT_SHARE:.0%}, and over {COUNT_ROWS}, more or fewer rows than the trading day before",
    _AGAIN,
    _counts,
)
SAME_SYMBOLS = Check(
    "same_symbols",
    "a symbol has a row on the day before and none on a day, is not delisted, and does not resume at its last close",
    _AGAIN,
    _lost_symbols,
)
LISTED_SYMBOLS = Check(
    "listed_symbols",
    f"on the newest day a symbol is not in the stock list, or over {LISTED_SHARE:.0%} of the listed ones have no row",
    f"Refresh the stock list: mystocks run sync_basic_stock_info -p force=true. {_AGAIN}",
    _unlisted,
)
WITNESSES_AGREE = Check(
    "witnesses_agree",
    "two sources differ in a row of the newest compared day by more than rounding",
    "The stored rows are kept. See both values: mystocks data truth. Decide which source is right, then load the day "
    "from it: mystocks backfill {task} --from {first} --to {last} --again -p data_source=SOURCE.",
    _disagreements,
    summary=_agreement,
)
PREV_CLOSE = Check(
    "prev_close_explained",
    "a previous close is not the last stored close, and there is no adjustment event",
    _AGAIN,
    _without_event,
    blocking=True,
)
