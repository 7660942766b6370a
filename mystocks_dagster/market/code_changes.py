"""Changes of stock codes: the old and the new code are one stock, with one history under its newest code."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache, cached_property
from pathlib import Path

import polars as pl

from mystocks_dagster.market.adjust import HALF_A_TICK
from mystocks_dagster.market.symbols import board_expr, exchange_expr
from mystocks_dagster.market.table import Table
from mystocks_dagster.market.tables.reference import CODE_CHANGES

_PUBLISHED = Path(__file__).with_name("code_changes.csv")
#: The name of the column with the code of the day, which readers may ask for beside `symbol`.
CODE = "code"
#: A frame of so many pieces in memory is read as fast as one of a single piece.
_FEW_PIECES = 8
#: A settled stock does not move further than this in a day, in percent; a new listing usually does.
_WIDEST = 31.0


@dataclass(frozen=True)
class CodeChanges:
    """Known changes of codes.

    Attributes:
        rows: `code_changes`; rows without a `new_symbol` state that the code did not change.
    """

    rows: pl.DataFrame

    def __bool__(self) -> bool:
        return not self.changes.is_empty()

    @cached_property
    def changes(self) -> pl.DataFrame:
        """`code`, `next` and `from_day` of each change."""
        rows = self.rows.filter(pl.col("new_symbol").is_not_null())
        return rows.select(code="old_symbol", next="new_symbol", from_day="from_day").sort("from_day", "code")

    @cached_property
    def newest(self) -> dict[str, str]:
        """The newest code of each old code."""
        following = dict(self.changes.select("code", "next").iter_rows())
        return {code: _last(code, following) for code in following}

    @cached_property
    def _spans(self) -> pl.DataFrame:
        """`newest`, `since` and `code_then`: each code of a stock with a changed code, by its first day."""
        first = [(final, date.min, code) for code, final in self.newest.items() if code not in self._introduced]
        later = [(self.newest.get(new, new), day, new) for _, new, day in self.changes.iter_rows()]
        schema = {"newest": pl.String, "since": pl.Date, "code_then": pl.String}
        return pl.DataFrame(first + later, schema=schema, orient="row").sort("since")

    @property
    def _introduced(self) -> set[str]:
        return set(self.changes["next"])

    def all_codes(self, symbols: Sequence[str]) -> list[str]:
        """Return the symbols with all other codes of the same stocks."""
        wanted = {self.newest.get(symbol, symbol) for symbol in symbols}
        return sorted({*symbols, *wanted, *(code for code, newest in self.newest.items() if newest in wanted)})

    def to_newest(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """Rename `symbol` to `code`, the code of the day, and add the newest code as `symbol`."""
        names = {CODE: list(self.newest), "_newest": list(self.newest.values())}
        newest = pl.LazyFrame(names, schema={CODE: pl.String, "_newest": pl.String})
        joined = rows.rename({"symbol": CODE}).join(newest, on=CODE, how="left")
        return joined.with_columns(symbol=pl.coalesce("_newest", CODE)).drop("_newest")

    def with_newest(self, frame: pl.DataFrame, key: Sequence[str]) -> pl.DataFrame:
        """Return the frame with newest codes; of two rows that then share a key, that of the code of the day stays."""
        symbols = distinct_symbols(frame)
        if not symbols.is_in([*self.newest]).any():
            return frame

        def renamed(few: pl.DataFrame) -> pl.DataFrame:
            rows = self._by_code_of_the_day(few, "date").with_columns(pl.col("symbol").replace(self.newest))
            return rows.sort("_native").unique(key, keep="last", maintain_order=True).select(few.columns).sort(key)

        return _with_exchanged(frame, self._among(symbols), renamed)

    def by_code_of_the_day(self, schema: Table, frame: pl.DataFrame) -> pl.DataFrame:
        """Return the rows of a table as they are stored: each under the code that its stock had on the row's day.

        Sources give the past of a stock under its old code, under its new one, or under both; of two rows for one key
        that which came under the code of the day stays. Tables without days are stored as they come.
        """
        changed = self._among(distinct_symbols(frame))
        if not (day := schema.date_column) or not changed:
            return frame

        def renamed(few: pl.DataFrame) -> pl.DataFrame:
            rows = self._by_code_of_the_day(few, day)
            if "symbol" in schema.key and rows.select(pl.struct(schema.key).is_duplicated().any()).item():
                rows = rows.sort("_native", maintain_order=True).unique(schema.key, keep="last", maintain_order=True)
            return rows.select(few.columns).sort("symbol", day)

        return _with_exchanged(frame, changed, renamed)

    def _among(self, symbols: pl.Series) -> list[str]:
        """Return those of `symbols` whose stock changed its code, ascending."""
        return symbols.filter(symbols.is_in([*self.newest, *self.newest.values()])).sort().to_list()

    def codes_of_the_day(self, frame: pl.DataFrame, day: str) -> pl.Series:
        """Return, for each row, the code that its stock had on the day in the column `day`."""
        keyed = frame.select(pl.col("symbol").replace(self.newest).alias("newest"), day, code="symbol")
        keyed = keyed.with_row_index("row").sort(day)
        keyed = keyed.join_asof(self._spans, left_on=day, right_on="since", by="newest", check_sortedness=False)
        return keyed.sort("row").select(pl.coalesce("code_then", "code")).to_series()

    def _by_code_of_the_day(self, frame: pl.DataFrame, day: str) -> pl.DataFrame:
        """Return the frame with the codes of the day, and `_native`: whether a row came under that code."""
        code = self.codes_of_the_day(frame, day)
        return frame.with_columns(_native=code == frame["symbol"], symbol=code)


NO_CHANGES = CodeChanges(CODE_CHANGES.empty())


def distinct_symbols(frame: pl.DataFrame) -> pl.Series:
    """Return the symbols of a frame, each once; rows of one symbol that follow each other are looked at once."""
    return frame["symbol"].rle().struct.field("value").unique()


@cache
def published_changes() -> pl.DataFrame:
    """Return the changes that this package knows, as `code_changes`."""
    rows = pl.read_csv(_PUBLISHED, schema={"old_symbol": pl.String, "new_symbol": pl.String, "from_day": pl.Date})
    return rows.with_columns(source=pl.lit("published")).select(*CODE_CHANGES.dtypes)


def proven_changes(ended: pl.DataFrame, started: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the changes that prices prove, and those that they suggest while the names differ.

    The last close of a code that ends is the previous close of a code of the same exchange that starts on the next
    trading day. Of several candidates the equal name decides, and where names are unknown the equal last three digits.
    Without names the new code must also trade within a price limit, as a new listing does not.

    Args:
        ended: `symbol`, `close` and `name` (null if unknown) of the last bar; `next` is the trading day after it.
        started: `symbol`, `date`, `prev_close`, `high`, `low` and `name` of the first bar.

    Returns:
        Two frames of `old_symbol`, `new_symbol`, `from_day`.
    """
    pairs = ended.join(started, left_on="next", right_on="date", suffix="_new").filter(
        (pl.col("prev_close") - pl.col("close")).abs() < HALF_A_TICK,
        exchange_expr("symbol") == exchange_expr("symbol_new"),
        board_expr("symbol").is_not_null() & board_expr("symbol_new").is_not_null(),
    )
    same = (pl.col("name") == pl.col("name_new")).fill_null(value=False)
    digits = pl.col("symbol").str.slice(3, 3) == pl.col("symbol_new").str.slice(3, 3)
    limit = pl.col("prev_close") * _WIDEST / 100
    within = (pl.col("high") - pl.col("prev_close") <= limit) & (pl.col("prev_close") - pl.col("low") <= limit)
    unnamed = (pl.col("name").is_null() | pl.col("name_new").is_null()) & within
    ranked = pairs.with_columns(rank=pl.when(same).then(3).when(unnamed & digits).then(2).when(unnamed).then(1))
    best = ranked.drop_nulls("rank").filter(
        pl.col("rank") == pl.col("rank").max().over("symbol"), pl.col("rank") == pl.col("rank").max().over("symbol_new")
    )
    proven = best.filter(~pl.col("symbol").is_duplicated() & ~pl.col("symbol_new").is_duplicated())
    taken = pl.concat([proven["symbol"], proven["symbol_new"]])
    open_pairs = pairs.filter(within, ~pl.col("symbol").is_in(taken), ~pl.col("symbol_new").is_in(taken))
    return _as_changes(proven), _as_changes(open_pairs)


def _as_changes(pairs: pl.DataFrame) -> pl.DataFrame:
    return pairs.select(old_symbol="symbol", new_symbol="symbol_new", from_day="next").sort("old_symbol", "new_symbol")


def _with_exchanged(
    frame: pl.DataFrame, symbols: Sequence[str], renamed: Callable[[pl.DataFrame], pl.DataFrame]
) -> pl.DataFrame:
    """Return the frame with `renamed` of the rows of `symbols`, which are few, in their place.

    The other rows of a frame that is sorted by symbol are not copied: filtering and sorting a market takes as long as
    writing it.

    Args:
        frame: Rows with a `symbol`.
        symbols: Ascending.
        renamed: Returns the rows to put in their place, sorted by symbol; no other row has one of their symbols.
    """
    names = frame["symbol"]
    if not names.is_sorted():
        chosen = names.is_in(symbols)
        return pl.concat([frame.filter(~chosen), renamed(frame.filter(chosen))])
    bounds = [
        (int(names.search_sorted(symbol, "left")), int(names.search_sorted(symbol, "right"))) for symbol in symbols
    ]
    parts = renamed(pl.concat(frame[start:end] for start, end in bounds)).partition_by("symbol", maintain_order=True)
    # Where a part begins, or rows are left out: by place, and at one place by symbol.
    steps = [(int(names.search_sorted(part["symbol"][0])), part, 0) for part in parts]
    steps = sorted([*steps, *((start, frame.clear(), end - start) for start, end in bounds)], key=lambda step: step[0])
    pieces, at = [], 0
    for place, part, left_out in steps:
        pieces += [frame[at:place], part] if place > at else [part]
        at = max(at, place) + left_out
    pieces = [piece for piece in (*pieces, frame[at:]) if piece.height]
    return pl.concat(pieces, rechunk=len(pieces) > _FEW_PIECES) if pieces else frame.clear()


def _last(code: str, following: dict[str, str]) -> str:
    passed = {code}
    while (after := following.get(code)) and after not in passed:
        passed.add(after)
        code = after
    return code
