"""The checks of stored rows: what each finds in a table where exactly that is wrong, and that it finds nothing else."""

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path

import polars as pl
import pytest

from mystocks_dagster.lake import quarantine
from mystocks_dagster.lake.loads import record_days
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.lake.stored_checks import StoredCheck, stored_checks
from mystocks_dagster.market.clock import SHANGHAI
from mystocks_dagster.market.publication import Publication
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.market.tables.market import DAILY_BARS
from mystocks_dagster.market.value_rules import Fault

pytestmark = pytest.mark.slow

#: Three consecutive trading days, and the evening of the last.
DAYS = [date(2026, 11, 20), date(2026, 11, 23), date(2026, 11, 24)]
EVENING = datetime(2026, 11, 24, 18, 0, tzinfo=SHANGHAI)
SYMBOLS = [f"{600000 + number}.SH" for number in range(40)]


def bars(days: list[date] = DAYS, symbols: list[str] = SYMBOLS) -> pl.DataFrame:
    """Bars of one price: prev_close is always the last close."""
    prices = dict.fromkeys(("open", "high", "low", "close", "prev_close"), 10.0)
    bar = {**prices, "volume": 1000, "amount": 10_000.0, "is_st": False, "suspended": False}
    rows = [{"symbol": symbol, "date": day, **bar} for day in days for symbol in symbols]
    return pl.DataFrame(rows, schema=DAILY_BARS.dtypes)


def stocks(symbols: list[str] = SYMBOLS, **fields: object) -> pl.DataFrame:
    row = {"name": "某股", "exchange": "SH", "board": "main", "is_st": False, "list_date": date(2000, 1, 4),
           "delist_date": None, "updated_at": EVENING} | fields  # fmt: skip
    return pl.DataFrame([{"symbol": symbol, **row} for symbol in symbols], schema=TABLES["stocks"].dtypes)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"), "real")


@pytest.fixture
def store(lake: Lake) -> Callable[[pl.DataFrame], None]:
    """Store bars as a load would: the days are recorded, the stock list is there."""

    def put(frame: pl.DataFrame) -> None:
        counts = dict(frame.group_by("date").len().iter_rows())
        lake.replace_days("daily_bars", frame, list(counts))
        record_days(lake, "daily_bars", counts, source="test")
        lake.upsert("stocks", stocks())

    return put


def failures(lake: Lake, table: str = "daily_bars", moment: datetime = EVENING, **options) -> dict[str, StoredCheck]:
    checks = stored_checks(lake, TABLES[table], moment=moment, task="my_task", **options)
    return {check.name: check for check in checks if check.failing}


def test_a_whole_market_of_good_days_fails_nothing(lake: Lake, store) -> None:
    store(bars())
    assert failures(lake) == {}


def test_a_previous_close_that_no_event_explains_blocks_and_one_with_an_event_passes(lake: Lake, store) -> None:
    changed = (pl.col("symbol") == "600007.SH") & (pl.col("date") == DAYS[1])
    store(bars().with_columns(prev_close=pl.when(changed).then(9.5).otherwise(pl.col("prev_close"))))
    found = failures(lake)
    assert list(found) == ["prev_close_explained"]
    check = found["prev_close_explained"]
    assert (check.blocking, check.failing) == (True, 1)
    assert check.examples.row(0, named=True)["symbol"] == "600007.SH"
    assert "mystocks backfill my_task --from 2026-11-23 --to 2026-11-23 --again" in check.description
    lake.upsert("adjust_events", pl.DataFrame({"symbol": ["600007.SH"], "date": [DAYS[1]], "ratio": [0.95]}))
    assert failures(lake) == {}


def test_a_day_with_far_fewer_rows_and_the_symbols_that_it_lacks_are_named(lake: Lake, store) -> None:
    store(pl.concat([bars(DAYS[:2]), bars(DAYS[2:], SYMBOLS[:34])]))
    found = failures(lake)
    assert set(found) == {"row_count", "same_symbols", "listed_symbols"}
    assert found["row_count"].examples.rows(named=True) == [
        {"date": DAYS[2], "rows": 34, "day_before": DAYS[1], "rows_before": 40}
    ]
    assert found["same_symbols"].examples["symbol"].to_list() == SYMBOLS[34:]
    assert found["listed_symbols"].examples["symbol"].to_list() == SYMBOLS[34:]
    assert not any(check.blocking for check in found.values())


def test_a_few_rows_less_are_ordinary_and_each_lost_symbol_is_named(lake: Lake, store) -> None:
    store(pl.concat([bars(DAYS[:2]), bars(DAYS[2:], SYMBOLS[:39])]))
    assert {name: check.failing for name, check in failures(lake).items()} == {"same_symbols": 1}


def test_a_delisted_symbol_and_one_that_resumes_at_its_last_close_are_not_lost(lake: Lake, store) -> None:
    paused = (pl.col("symbol") == "600001.SH") & (pl.col("date") == DAYS[1])
    ended = (pl.col("symbol") == "600002.SH") & (pl.col("date") > DAYS[0])
    store(bars().filter(~paused & ~ended))
    lake.upsert("stocks", stocks(["600002.SH"], delist_date=DAYS[1]))
    assert failures(lake) == {}


def test_a_symbol_that_the_stock_list_does_not_have_is_named(lake: Lake, store) -> None:
    store(bars(symbols=[*SYMBOLS, "600999.SH"]))
    found = failures(lake)
    # Without an entry in the list nobody knows whether it is delisted.
    assert list(found) == ["listed_symbols"]
    assert found["listed_symbols"].examples.select("symbol", "fault").rows() == [
        ("600999.SH", "is not in the stock list")
    ]


def test_the_newest_day_is_expected_once_it_is_published(lake: Lake, store) -> None:
    store(bars(DAYS[:2]))
    before = datetime(2026, 11, 24, 15, 29, tzinfo=SHANGHAI)
    assert failures(lake, moment=before) == {}
    assert failures(lake, published={"daily_bars": Publication.parse("18:30")}) == {}
    found = failures(lake)
    assert set(found) == {"newest_day", "no_missing_days"}
    assert found["newest_day"].examples.rows() == [("daily_bars", DAYS[2], "missing")]


def test_a_backfill_of_an_old_day_does_not_make_the_newest_day_green(lake: Lake, store) -> None:
    store(bars(DAYS[:2]))
    assert "newest_day" in failures(lake)
    store(bars([date(2026, 11, 19)]))
    assert "newest_day" in failures(lake)
    store(bars(DAYS[2:]))
    assert "newest_day" not in failures(lake)


def test_a_weekday_beyond_the_calendar_may_be_a_holiday_and_is_not_called_missing(
    lake: Lake, store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MYSTOCKS_NOW", "2027-01-06T18:00:00+08:00")
    store(bars([date(2026, 12, 30), date(2026, 12, 31)]))
    assert failures(lake, moment=datetime(2027, 1, 6, 18, 0, tzinfo=SHANGHAI)) == {}


def test_a_hole_in_the_past_is_named_with_its_days(lake: Lake, store) -> None:
    store(bars([DAYS[0], DAYS[2]]))
    found = failures(lake)
    assert list(found) == ["no_missing_days"]
    assert found["no_missing_days"].examples["date"].to_list() == [DAYS[1]]
    assert "mystocks backfill --missing daily_bars" in found["no_missing_days"].description


def test_rows_in_the_quarantine_are_shown_with_rule_and_reason(lake: Lake, store) -> None:
    store(bars())
    fault = Fault("high_below_low", "high is below low", f"600000.SH {DAYS[2]}", DAYS[2], {"symbol": "600000.SH"})
    quarantine.replace_days(lake, "daily_bars", [fault], [DAYS[2]], "test")
    quarantine.replace_keys(lake, "stocks", [Fault("no_name", "the name is empty", "600000.SH", None, {})], [], "test")
    found = failures(lake)
    assert set(found) == {"rows_set_aside", "no_missing_days"}
    assert found["rows_set_aside"].examples.select("rule", "reason").rows() == [("high_below_low", "high is below low")]


def test_rows_that_another_program_wrote_twice_or_without_values_block(lake: Lake, store) -> None:
    from deltalake import write_deltalake

    store(bars())
    stored = pl.read_delta(f"{lake.location}/daily_bars").filter(pl.col("date") == DAYS[2])
    twice = stored.head(1)
    write_deltalake(f"{lake.location}/daily_bars", twice.to_arrow(), mode="append")
    found = failures(lake)
    assert "keys_unique" in found
    assert (found["keys_unique"].failing, found["keys_unique"].blocking) == (2, True)
    empty = stored.tail(1).with_columns(close=pl.lit(None, pl.Float64), symbol=pl.lit("600100.SH"))
    write_deltalake(f"{lake.location}/daily_bars", empty.to_arrow(), mode="append")
    assert failures(lake)["required_values"].examples["symbol"].to_list() == ["600100.SH"]


def test_a_balance_sheet_that_does_not_balance_is_named(lake: Lake) -> None:
    from deltalake import write_deltalake

    row = {"symbol": "600000.SH", "period": date(2026, 9, 30), "notice_date": date(2026, 10, 28),
           "total_assets": 100.0, "total_liabilities": 60.0, "total_equity": 40.0}  # fmt: skip
    table = TABLES["balance_sheets"]
    good = pl.DataFrame([row], schema=table.dtypes)
    lake.upsert("balance_sheets", good)
    assert failures(lake, "balance_sheets") == {}
    stored = pl.read_delta(f"{lake.location}/balance_sheets")
    bad = stored.with_columns(symbol=pl.lit("600001.SH"), total_equity=pl.lit(30.0))
    write_deltalake(f"{lake.location}/balance_sheets", bad.to_arrow(), mode="append")
    assert failures(lake, "balance_sheets")["statements_balance"].examples["symbol"].to_list() == ["600001.SH"]


def test_flows_that_do_not_add_up_are_named(lake: Lake) -> None:
    flow = {"date": DAYS[2], "symbol": "600000.SH", "name": "某股", "change_pct": 1.0, "main_net": 3e6,
            "super_large_net": 1e6, "large_net": 2e6, "medium_net": -1e6, "small_net": -2e6}  # fmt: skip
    parts = {"symbol": "600001.SH", "large_net": 1e6}
    total = {"symbol": "600002.SH", "small_net": -1e6}
    frame = pl.DataFrame([flow, flow | parts, flow | total], schema=TABLES["capital_flow_stock"].dtypes)
    lake.replace_days("capital_flow_stock", frame, [DAYS[2]])
    record_days(lake, "capital_flow_stock", {DAYS[2]: 3}, source="test")
    found = failures(lake, "capital_flow_stock")["flows_add_up"]
    assert found.examples["symbol"].sort().to_list() == ["600001.SH", "600002.SH"]


@pytest.mark.parametrize(("lost", "named"), [(3, 0), (4, 4)])
def test_stocks_that_traded_and_have_no_capital_flow_are_named(lake: Lake, lost: int, named: int) -> None:
    names = SYMBOLS[:6]
    lake.replace_days("daily_bars", bars(DAYS[2:], [*names, "920001.BJ"]), DAYS[2:])
    flows = dict.fromkeys(("main_net", "super_large_net", "large_net", "medium_net", "small_net"), 0.0)
    rows = [{"date": DAYS[2], "symbol": name, "name": "某股", "change_pct": 1.0, **flows} for name in names[lost:]]
    lake.replace_days("capital_flow_stock", pl.DataFrame(rows, TABLES["capital_flow_stock"].dtypes), DAYS[2:])
    record_days(lake, "capital_flow_stock", {DAYS[2]: len(rows)}, source="test")
    found = failures(lake, "capital_flow_stock").get("traded_without_flow")
    assert (found.examples["symbol"].to_list() if found else []) == names[:named]
