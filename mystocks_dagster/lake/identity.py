"""Changes of codes in a lake: record them, and prove them by prices as bars are loaded."""

from collections.abc import Mapping
from datetime import date
from functools import partial

import polars as pl
from deltalake import DeltaTable

from mystocks_dagster.errors import InvalidParams
from mystocks_dagster.lake import delta
from mystocks_dagster.lake.code_change_file import own_changes
from mystocks_dagster.lake.events import refresh_events, session_before
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.lake.stored_bars import StoredBars
from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.market.code_changes import CODE, CodeChanges, distinct_symbols, proven_changes, published_changes
from mystocks_dagster.market.days_of_rows import distinct_days
from mystocks_dagster.market.symbol_runs import spans_of_symbols
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.market.tables.reference import CODE_CHANGES

_COLUMNS = ("symbol", "date", "close", "prev_close", "high", "low")


def with_newest_codes(lake: Lake, bars: pl.DataFrame, *, whole: bool, stored: StoredBars | None = None) -> pl.DataFrame:
    """Return new bars under the newest codes, after recording the changes of codes that they prove.

    Args:
        lake: Holds the bars of earlier days.
        bars: Bars of a source, not stored yet.
        whole: They are all symbols of their days; only then a missing code has ended.
        stored: Answers questions about the stored bars; None asks the lake.
    """
    if (lake.world or lake.stored_world()) == "real":
        record_known(lake, bars, stored)
    if whole:
        record_changes(lake, prove(lake, bars, stored)[0], stored)
    changes = lake.code_changes()
    return changes.with_newest(bars, ["symbol", "date"]) if changes else bars


def record_known(lake: Lake, bars: pl.DataFrame, stored: StoredBars | None = None) -> None:
    """Record the changes that the project's file and this package know, as far as they concern some bars.

    The file wins over the package and over prices, and what a person stated by command wins over the file.

    Raises:
        TaskFileError: The project's file has problems.
    """
    own, recorded = own_changes(), lake.code_changes().rows
    kept = recorded.filter(pl.col("source") == "stated")["old_symbol"]
    new = own.join(recorded, on=list(CODE_CHANGES.dtypes), how="anti", nulls_equal=True)
    new = _concerning(new.filter(~pl.col("old_symbol").is_in(kept.to_list())), bars)
    if new.height:
        _store(lake, new, stored)
    published = published_changes().filter(~pl.col("old_symbol").is_in(own["old_symbol"].to_list()))
    record_changes(lake, _concerning(published, bars), stored)


def prove(lake: Lake, bars: pl.DataFrame, stored: StoredBars | None = None) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the changes of codes that bars prove together with the stored ones, and those that they only suggest.

    See `market.code_changes.proven_changes`. A code ends on its last bar, and its successor begins on the next trading
    day; neither has bars beyond, in the bars or in the lake.
    """
    new_days = distinct_days(bars["date"])
    stored = stored or StoredBars(lake)
    near = pl.concat([bars.select(_COLUMNS), stored.near(new_days).select(_COLUMNS)])
    days, calendar = distinct_days(near["date"]), shanghai()
    following = {session_before(day, calendar): day for day in days[1:] if day in {*new_days}}
    spans = spans_of_symbols(near)
    # Few codes begin or end within a year: only their bars are looked at, which needs no sorting of the market.
    first = spans.filter(pl.col("first").is_in(list(following.values()))).select("symbol", date="first")
    last = spans.filter(pl.col("last").is_in(list(following))).select("symbol", date="last")
    if first.is_empty() or last.is_empty():
        return CODE_CHANGES.empty(), CODE_CHANGES.empty().drop("source")
    few = near.filter(pl.col("symbol").is_in([*first["symbol"], *last["symbol"]]))
    started = few.join(first, on=["symbol", "date"], how="semi").drop("close")
    ended = few.join(last, on=["symbol", "date"], how="semi").select("symbol", "date", "close")
    ended = ended.with_columns(next=pl.col("date").replace_strict(following, return_dtype=pl.Date, default=None))
    changed = lake.code_changes().rows["old_symbol"]
    # Prices first: they leave few pairs, of which names are read and other bars are looked for.
    matches = proven_changes(_unnamed(ended.filter(~pl.col("symbol").is_in(changed.to_list()))), _unnamed(started))
    pairs = pl.concat(matches).unique(["old_symbol", "new_symbol"])
    pairs = _without_other_bars(lake, pairs, stored)
    if pairs.is_empty():
        return _as_changes(pairs), pairs
    old, new = (pairs[name].to_list() for name in ("old_symbol", "new_symbol"))
    proven, suggested = proven_changes(
        _named(lake, ended.filter(pl.col("symbol").is_in(old)), "next", before=True),
        _named(lake, started.filter(pl.col("symbol").is_in(new)), "date", before=False),
    )
    return _as_changes(proven), suggested


def record_changes(lake: Lake, changes: pl.DataFrame, stored: StoredBars | None = None) -> int:
    """Record changes of codes (`code_changes`) that are not recorded, and derive the adjustment events around them.

    What a person stated about a code is kept. A change that leads back to a code before is left out: prices that fit by
    chance would make two stocks one.

    Returns:
        The number of changes recorded.
    """
    known = lake.code_changes()
    following = _following(known)
    new = changes.filter(~pl.col("old_symbol").is_in(known.rows["old_symbol"].to_list()))
    kept = []
    for old, to in new.select("old_symbol", "new_symbol").iter_rows():
        kept.append(to is None or not _leads_back(following, old, to))
        if to and kept[-1]:
            following[old] = to
    new = new.filter(kept)
    if new.height:
        _store(lake, new, stored)
    return new.height


def state_change(lake: Lake, old: str, new: str | None, from_day: date) -> None:
    """Record what a person says about a code: since `from_day` it is `new`, or (None) it did not change.

    Raises:
        InvalidParams: The codes are equal, `from_day` is not a trading day, or the change would close a circle.
    """
    if old == new:
        raise InvalidParams(f"{old} and {new} are the same code; name the code before and the code after.")
    if not shanghai().is_probable_session(from_day)[0]:
        raise InvalidParams(f"{from_day} is not a trading day; give the first trading day of the new code.")
    if new is not None and _leads_back(_following(lake.code_changes()), old, new):
        raise InvalidParams(f"{new} is recorded as a code before {old}; a stock cannot return to a code it had.")
    row = [(old, new, from_day, "stated")]
    _store(lake, pl.DataFrame(row, schema=CODE_CHANGES.dtypes, orient="row"))


def _following(changes: CodeChanges) -> dict[str, str]:
    """Return the next code of each code that changed."""
    return dict(changes.changes.select("code", "next").iter_rows())


def _leads_back(following: Mapping[str, str], old: str, new: str) -> bool:
    """Return whether `new` or a code after it became `old`, so that a change from `old` to `new` closes a circle."""
    others = {code: after for code, after in following.items() if code != old}
    while new in others:
        new = others[new]
    return new == old


def identity_inputs(lake: Lake) -> tuple[str, ...]:
    """Return the tables that decide which rows belong to one stock, for `lake.watermarks`; empty without changes."""
    return (CODE_CHANGES.name,) if lake.exists(CODE_CHANGES.name) else ()


def _store(lake: Lake, changes: pl.DataFrame, stored: StoredBars | None = None) -> None:
    """Move the stored rows to the code of their day, record the changes, and derive the events around them.

    A run that is killed in between leaves each row once, and the change to be recorded again.
    """
    (stored or StoredBars(lake)).wait()
    replaced = pl.col("old_symbol").is_in(changes["old_symbol"].to_list())
    recorded = lake.code_changes().rows
    _move_rows(lake, CodeChanges(pl.concat([recorded.filter(~replaced), changes])))
    lake.upsert(CODE_CHANGES.name, changes)
    days = sorted({*changes["from_day"], *recorded.filter(replaced)["from_day"]})
    if lake.exists("daily_bars") and lake.exists("adjust_events"):
        refresh_events(lake, days)


def _move_rows(lake: Lake, changes: CodeChanges) -> None:
    """Store the rows of all tables under the code of their day; of rows under both codes that one stays."""
    symbols = [*changes.newest, *changes.newest.values()]
    for name, schema in TABLES.items():
        if "symbol" not in schema.key or not schema.date_column or not symbols or not lake.exists(name):
            continue
        rows = lake.read(name, columns=[*schema.dtypes, CODE], symbols=symbols)
        rows = rows.with_columns(symbol=CODE).drop(CODE)
        right = changes.codes_of_the_day(rows, schema.date_column)
        misplaced = rows.with_columns(right=right).filter(pl.col("right") != pl.col("symbol"))
        if misplaced.is_empty():
            continue
        moved = misplaced.with_columns(symbol="right").drop("right").unique(schema.key, maintain_order=True)
        lake.upsert(name, moved.join(rows, on=schema.key, how="anti", nulls_equal=True))
        for (code,), rows_of_code in misplaced.group_by("symbol"):
            days = ", ".join(f"DATE '{day}'" for day in rows_of_code[schema.date_column].unique().sort())
            where = f"symbol = '{code}' AND {schema.date_column} IN ({days})"
            delta.commit(f"{lake.location}/{name}", partial(_delete, where))


def _delete(where: str, opened: DeltaTable | None) -> None:
    if opened is not None:
        opened.delete(where)


def _without_other_bars(lake: Lake, pairs: pl.DataFrame, stored: StoredBars) -> pl.DataFrame:
    """Keep the pairs of which the old code has no stored bar from the day on, and the new one none before it."""
    if pairs.is_empty():
        return pairs
    stored.wait()
    if not lake.exists("daily_bars"):
        return pairs
    symbols = [*pairs["old_symbol"], *pairs["new_symbol"]]
    bars = lake.scan("daily_bars", columns=["symbol", "date"], symbols=symbols).group_by("symbol")
    spans = bars.agg(first=pl.col("date").min(), last=pl.col("date").max()).collect()
    both = pairs.join(spans, left_on="old_symbol", right_on="symbol", how="left").join(
        spans, left_on="new_symbol", right_on="symbol", how="left", suffix="_new"
    )
    over = (pl.col("last") >= pl.col("from_day")) | (pl.col("first_new") < pl.col("from_day"))
    return both.filter(~over.fill_null(value=False)).select(pairs.columns)


def _unnamed(spans: pl.DataFrame) -> pl.DataFrame:
    return spans.with_columns(name=pl.lit(None, pl.String))


def _named(lake: Lake, spans: pl.DataFrame, day: str, *, before: bool) -> pl.DataFrame:
    """Add the name that a stock list stated: the last one before the day, or the first one from it on."""
    if not lake.exists("stock_names"):
        return _unnamed(spans)
    names = lake.read("stock_names", columns=["symbol", "from_day", "name"], symbols=spans["symbol"].to_list())
    both = spans.join(names, on="symbol", how="left").sort("from_day")
    then = pl.col("from_day") < pl.col(day) if before else pl.col("from_day").is_not_null()
    chosen = both.filter(then).unique("symbol", keep="last" if before else "first", maintain_order=True)
    return spans.join(chosen.select("symbol", "name"), on="symbol", how="left")


def _concerning(changes: pl.DataFrame, bars: pl.DataFrame) -> pl.DataFrame:
    codes = [*changes["old_symbol"], *changes["new_symbol"]]
    return changes if distinct_symbols(bars).is_in(codes).any() else changes.clear()


def _as_changes(pairs: pl.DataFrame) -> pl.DataFrame:
    return pairs.with_columns(source=pl.lit("prices")).select(*CODE_CHANGES.dtypes)
