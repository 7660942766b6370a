"""The recorded archive of real bars through the real sync: 214 symbols, 2020-01-02 to 2025-04-07.

Expected values come from the archive's file itself, read with plain polars, and from a vendor's own adjusted series.
"""

import logging
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest

from mystocks_dagster.errors import LakeError, NotOffered
from mystocks_dagster.lake.prices import adjusted_bars, unknown_factors
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.protocol import MarketSource
from mystocks_dagster.tasks.data_sync import (
    BasicSync,
    DailySync,
    StatementSync,
    sync_basic_stock_info,
    sync_daily_stock_data,
    sync_financial_statements,
)
from mystocks_dagster.tasks.run import TaskResult, TaskRun

ARCHIVE = Path(__file__).parents[3] / "shared" / "data"
RAW = ARCHIVE / "baostock_raw_20200102_20250407.parquet"
QFQ = ARCHIVE / "baostock_qfq_asof20200824_from_2019.parquet"
#: The archive's notes say that the vendor's own adjusted series of these cannot be trusted.
DOUBTFUL = ("000568.SZ", "600875.SH", "001965.SZ")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not RAW.exists(), reason=f"no real archive at {ARCHIVE}"),
]


def read(path: Path) -> pl.DataFrame:
    """Read one of the archive's files: `symbol` (600000.SH), `date`, and the rest as it is."""
    code = pl.col("code")
    symbol = code.str.slice(3) + "." + code.str.slice(0, 2).str.to_uppercase()
    return pl.read_parquet(path).with_columns(symbol=symbol, date=pl.col("date").str.to_date()).sort("symbol", "date")


def true_events(raw: pl.DataFrame) -> pl.DataFrame:
    """Return the rows whose previous close is not the last close; the archive has no gaps, so no calendar is needed."""
    last = pl.col("close").shift().over("symbol")
    return (
        raw.filter(pl.col("preclose") != last.fill_null(pl.col("preclose")))
        .select("symbol", "date")
        .sort("symbol", "date")
    )


@dataclass(frozen=True, kw_only=True)
class Run(TaskRun):
    """A run whose source may be given instead of looked up."""

    given: MarketSource | None = None

    def source(self, named: str | None) -> MarketSource:
        return self.given or super().source(named)


def run_of(given: MarketSource | None = None) -> Run:
    return Run(
        task_id="daily_data_sync", run_id="run", attempt=1, settings=Settings.from_env(),
        logger=logging.getLogger("task"),
        report_progress=lambda *_: None, given=given,
    )  # fmt: skip


@pytest.fixture(scope="module")
def raw() -> pl.DataFrame:
    return read(RAW)


@pytest.fixture(autouse=True)
def archive_and_lake(loaded: tuple[Lake, TaskResult], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYSTOCKS_LAKE", loaded[0].location)
    monkeypatch.setenv("MYSTOCKS_RECORDED", str(ARCHIVE))


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Lake, TaskResult]]:
    """The lake after one sync of the whole archive."""
    location = tmp_path_factory.mktemp("real") / "lake"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MYSTOCKS_LAKE", str(location))
        patch.setenv("MYSTOCKS_RECORDED", str(ARCHIVE))
        yield Lake(str(location)), sync_daily_stock_data(DailySync(data_source="recorded"), run_of())


def test_every_row_of_the_archive_is_stored(loaded, raw):
    lake, result = loaded
    assert (result.status, result.rows["daily_bars"]) == ("success", 262_786)
    stored = lake.read("daily_bars").sort("symbol", "date")
    assert stored.height == 262_786
    assert stored["symbol"].n_unique() == 214
    counts = stored.group_by("symbol").agg(pl.len()).sort("symbol")
    assert counts.equals(raw.group_by("symbol").agg(pl.len()).sort("symbol"))
    for ours, theirs in (
        ("open", "open"),
        ("high", "high"),
        ("low", "low"),
        ("close", "close"),
        ("prev_close", "preclose"),
    ):
        assert stored[ours].equals(raw[theirs].alias(ours)), ours
    assert stored["volume"].equals(raw["volume"].fill_null(0).alias("volume"))


def test_suspended_days_are_stored_as_such(loaded, raw):
    lake, _ = loaded
    quiet = lake.scan("daily_bars").filter("suspended").sort("symbol", "date").collect()
    assert quiet.select("symbol", "date").equals(raw.filter(pl.col("tradestatus") == 0).select("symbol", "date"))
    assert quiet.height == 626
    assert (
        quiet.select(
            (pl.col("volume") == 0).all(), (pl.col("amount") == 0).all(), (pl.col("close") == pl.col("open")).all()
        ).row(0)
        == (True,) * 3
    )


def test_the_ex_dividend_days_are_those_of_the_exchange(loaded, raw):
    lake, _ = loaded
    events = lake.read("adjust_events").sort("symbol", "date")
    assert events.height == 1084
    assert events.select("symbol", "date").equals(true_events(raw))
    # 招商银行 closed at 34.68 and paid 1.972 CNY a share: 32.708, which the exchange rounds to 32.71.
    bank = events.filter(symbol="600036.SH", date=date(2024, 7, 11))["ratio"].item()
    assert bank == pytest.approx(32.71 / 34.68, rel=1e-12)


def test_adjusted_closes_are_the_vendors_own(loaded):
    lake, _ = loaded
    anchor = date(2020, 8, 24)
    ours = adjusted_bars(lake, "qfq", end=anchor, anchor=anchor, columns=["symbol", "date", "close"])
    vendor = read(QFQ).select("symbol", "date", vendor="close")
    both = ours.join(vendor, on=["symbol", "date"]).filter(~pl.col("symbol").is_in(DOUBTFUL))
    assert both["symbol"].n_unique() > 150
    assert both.height > 25_000
    assert both.select(((pl.col("close") / pl.col("vendor")) - 1).abs().max()).item() < 1e-6


def test_backward_adjusted_returns_are_the_vendors_percentages(loaded, raw):
    lake, _ = loaded
    ours = adjusted_bars(lake, "hfq", columns=["symbol", "date", "close"])
    change = 100 * (pl.col("close") / pl.col("close").shift().over("symbol") - 1)
    both = (
        ours.with_columns(change=change)
        .drop_nulls()
        .join(raw.select("symbol", "date", "pctChg"), on=["symbol", "date"])
    )
    assert both.height == 262_786 - 214
    assert both.select((pl.col("change") - pl.col("pctChg")).abs().max()).item() < 1e-4


def test_no_real_row_is_set_aside_and_no_real_day_refused(loaded):
    lake, result = loaded
    assert (result.metadata["set_aside"], lake.exists("quarantine")) == (0, False)


def test_a_second_sync_finds_everything_complete(loaded):
    assert sync_daily_stock_data(DailySync(data_source="recorded"), run_of()).status == "skipped"


def test_what_the_archive_does_not_hold_is_skipped_and_nothing_is_invented(loaded):
    lake, _ = loaded
    assert sync_basic_stock_info(BasicSync(data_source="recorded"), run_of()).status == "skipped"
    assert sync_financial_statements(StatementSync(data_source="recorded"), run_of()).status == "skipped"
    assert [info.table for info in lake.tables()] == ["adjust_events", "daily_bars", "loaded_days"]


# ---- three missing days

FIRST, LAST = date(2020, 6, 1), date(2021, 7, 30)


@dataclass
class Withholding:
    """The archive's bars of some symbols and months, without some days until they are let go; a quarter a frame."""

    bars: pl.DataFrame
    withheld: frozenset[date] = frozenset()
    name: str = "recorded"
    world: str = "real"
    has_history: bool = True
    offers: frozenset[str] = frozenset({"daily_bars"})

    def trading_days(self) -> list[date]:
        raise NotOffered("it states no trading days")

    def bar_days(self) -> tuple[date, date]:
        return FIRST, LAST

    def daily_bars(self, days: Sequence[date], symbols: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
        given = self.bars.filter(pl.col("date").is_in([day for day in days if day not in self.withheld]))
        quarters = given.with_columns(quarter=pl.col("date").dt.truncate("1q"))
        yield from quarters.partition_by("quarter", maintain_order=True, include_key=False)


@pytest.fixture(scope="module")
def part(loaded) -> pl.DataFrame:
    """Every third symbol over fourteen months, new listings among them."""
    lake, _ = loaded
    bars = lake.read("daily_bars", start=FIRST, end=LAST).sort("date", "symbol")
    return bars.filter(pl.col("symbol").is_in(sorted(bars["symbol"].unique())[::3]))


@pytest.fixture(scope="module")
def whole(part, raw) -> pl.DataFrame:
    """The true events of that part, from the archive's file."""
    inside = raw.filter(
        pl.col("date").is_between(FIRST, LAST), pl.col("symbol").is_in(part["symbol"].unique().to_list())
    )
    return true_events(inside)


def truly_different(stored: pl.DataFrame, days: set[date], missing: set[date]) -> pl.DataFrame:
    """Say row by row which bars differ from the last one of their symbol across one of the missing days."""
    rows = []
    for (symbol,), bars in stored.sort("date").group_by("symbol", maintain_order=True):
        for (before, close, _), (day, _, stated) in pairwise(bars.select("date", "close", "prev_close").iter_rows()):
            if any(before < lost < day for lost in missing & days) and abs(stated - close) > 0.0051:
                rows.append((symbol, day))
    return pl.DataFrame(rows, schema={"symbol": pl.String, "date": pl.Date}, orient="row").sort("symbol", "date")


def triples(days: list[date], ex_days: list[date]) -> list[tuple[date, ...]]:
    """Choose three days: at random, in a row, and around the busiest ex-dividend day; always the same ones."""
    dice = random.Random(20250407)
    chosen = [tuple(sorted(dice.sample(days[1:], 3))) for _ in range(2)]
    at = dice.randrange(1, len(days) - 3)
    busiest = max(set(ex_days), key=ex_days.count)
    around = days.index(busiest)
    return [
        *chosen,
        tuple(days[at : at + 3]),
        tuple(days[around - 1 : around + 2]),
        (days[around - 1], busiest, days[-1]),
    ]


@pytest.mark.parametrize(
    "case", range(5), ids=["random", "random again", "in a row", "around the busiest ex-day", "up to the newest day"]
)
def test_three_missing_days_filled_later_give_the_factors_of_the_whole_archive(
    part, whole, tmp_path, monkeypatch, case
):
    monkeypatch.setenv("MYSTOCKS_LAKE", str(tmp_path / "lake"))
    lake = Lake(str(tmp_path / "lake"))
    days = sorted(part["date"].unique())
    missing = triples(days, whole["date"].to_list())[case]
    source = Withholding(part, frozenset(missing))

    first = sync_daily_stock_data(DailySync(include_basic=False), run_of(source))
    assert (first.status, first.failed_items) == ("partial_success", tuple(f"{day}" for day in missing))
    # While a day is missing, exactly those bars are unknown whose previous close is not the last stored one.
    assert unknown_factors(lake).equals(
        truly_different(part.filter(~pl.col("date").is_in(list(missing))), set(days), set(missing))
    )
    known = lake.scan("adjust_events").filter(pl.col("ratio").is_not_null()).select("symbol", "date").collect()
    assert known.join(whole, on=["symbol", "date"], how="anti").is_empty()
    if not unknown_factors(lake).is_empty():
        with pytest.raises(LakeError, match="cannot be adjusted across"):
            adjusted_bars(lake)

    source.withheld = frozenset()
    filled = sync_daily_stock_data(DailySync(include_basic=False), run_of(source))
    assert (filled.status, filled.days["daily_bars"]) == ("success", missing)
    assert lake.read("adjust_events").sort("symbol", "date").select("symbol", "date").equals(whole)
    expected = part.sort("symbol", "date").with_columns(last=pl.col("close").shift().over("symbol"))
    step = (pl.col("last") / pl.col("prev_close")).fill_null(1.0).cum_prod().over("symbol")
    factors = adjusted_bars(lake, columns=["symbol", "date", "factor"])
    difference = factors.join(expected.select("symbol", "date", step=step), on=["symbol", "date"]).select(
        rows=pl.len(), worst=(pl.col("factor") / pl.col("step") - 1).abs().max()
    )
    assert difference["rows"].item() == part.height
    assert difference["worst"].item() < 1e-12


@pytest.mark.parametrize("seed", range(3))
def test_rows_lost_at_random_put_those_symbols_in_doubt_whose_price_moved_and_invent_no_event(
    part, whole, tmp_path, monkeypatch, seed
):
    monkeypatch.setenv("MYSTOCKS_LAKE", str(tmp_path / "lake"))
    lake = Lake(str(tmp_path / "lake"))
    dice = random.Random(seed)
    kept = part.filter(pl.Series([dice.random() > 0.002 for _ in range(part.height)]))
    sync_daily_stock_data(DailySync(include_basic=False), run_of(Withholding(kept, frozenset())))
    known = lake.scan("adjust_events").filter(pl.col("ratio").is_not_null()).select("symbol", "date").collect()
    assert known.join(whole, on=["symbol", "date"], how="anti").is_empty()
    lost = part.join(kept, on=["symbol", "date"], how="anti")
    beside = kept.sort("date").with_columns(
        last=pl.col("close").shift().over("symbol"), before=pl.col("date").shift().over("symbol")
    )
    behind = (
        lost.select("symbol", lost="date")
        .join(beside, on="symbol")
        .filter((pl.col("before") < pl.col("lost")) & (pl.col("date") > pl.col("lost")))
        .filter((pl.col("prev_close") - pl.col("last")).abs() > 0.0051)
        .select("symbol", "date")
        .unique()
        .sort("symbol", "date")
    )
    assert unknown_factors(lake).equals(behind)
