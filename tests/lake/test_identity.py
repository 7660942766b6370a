"""A stock keeps one history when its code changes: reading, writing, proof by prices, and what a person states."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mystocks_dagster.errors import InvalidParams
from mystocks_dagster.lake.identity import prove, record_changes, record_known, state_change, with_newest_codes
from mystocks_dagster.lake.prices import adjusted_bars
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.market.tables.market import DAILY_BARS
from mystocks_dagster.market.tables.reference import ADJUST_EVENTS, CODE_CHANGES, STOCK_NAMES

pytestmark = pytest.mark.slow

OLD, NEW, BANK = "301111.SZ", "302222.SZ", "600000.SH"
DAYS = [date(2025, 3, day) for day in (3, 4, 5, 6)]
CHANGE = DAYS[2]


def bar(symbol: str, day: date, close: float, prev: float) -> dict:
    return {
        "symbol": symbol, "date": day, "open": close, "high": close, "low": close, "close": close, "prev_close": prev,
        "volume": 100, "amount": 100 * close, "suspended": False,
    }  # fmt: skip


def bars(*rows: dict) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=DAILY_BARS.dtypes)


def history(old: str = OLD, new: str = NEW, closes: tuple[float, ...] = (10.0, 10.5, 10.4, 10.8)) -> list[dict]:
    """Make four days of one stock that changes its code before the third."""
    before = (closes[0], *closes)
    codes = (old, old, new, new)
    return [bar(*values) for values in zip(codes, DAYS, closes, before, strict=False)]


BANKS = [bar(BANK, day, 7.0, 7.0) for day in DAYS]


@pytest.fixture
def stored(lake: Lake) -> Lake:
    """A lake in which the bars are stored as they came, before the change is known."""
    lake.replace_days("daily_bars", bars(*history(), *BANKS), DAYS)
    lake.replace_all("adjust_events", ADJUST_EVENTS.empty())
    return lake


@pytest.fixture
def joined(stored: Lake) -> Lake:
    state_change(stored, OLD, NEW, CHANGE)
    return stored


# ---- reading


def test_old_and_new_code_are_one_history_with_the_code_of_the_day_beside_it(joined):
    columns = ["date", "symbol", "code", "close"]
    expected = [
        (DAYS[0], NEW, OLD, 10.0),
        (DAYS[1], NEW, OLD, 10.5),
        (DAYS[2], NEW, NEW, 10.4),
        (DAYS[3], NEW, NEW, 10.8),
    ]
    for code in (OLD, NEW):
        assert joined.read("daily_bars", symbols=[code], columns=columns).sort("date").rows() == expected
    assert joined.read("daily_bars").schema == pl.Schema(DAILY_BARS.dtypes)
    assert joined.read("daily_bars")["symbol"].unique().sort().to_list() == [NEW, BANK]
    assert joined.read("daily_bars", columns=["close"], symbols=[BANK]).height == 4
    assert joined.query(
        f"SELECT date, symbol, code, close FROM daily_bars WHERE symbol = '{NEW}' ORDER BY 1"
    ).rows() == (expected)
    assert adjusted_bars(joined, symbols=[OLD])["close"].to_list() == [10.0, 10.5, 10.4, 10.8]


def test_without_changes_the_code_is_the_symbol(stored):
    rows = stored.read("daily_bars", columns=["symbol", "code"])
    assert (rows["symbol"] == rows["code"]).all()


def test_as_of_a_day_before_the_change_the_stock_has_its_old_code(joined):
    assert joined.read("daily_bars", as_of=DAYS[1])["symbol"].unique().sort().to_list() == [OLD, BANK]
    assert joined.read("daily_bars", as_of=CHANGE, symbols=[OLD])["symbol"].unique().to_list() == [NEW]
    sql = "SELECT DISTINCT symbol FROM daily_bars ORDER BY 1"
    assert joined.query(sql, as_of=DAYS[1])["symbol"].to_list() == [OLD, BANK]


def test_the_stock_list_has_one_row_of_the_stock(joined):
    common = {"exchange": "SZ", "board": "chinext", "is_st": False, "updated_at": None}
    rows = [{"symbol": code, "name": name} | common for code, name in ((OLD, "旧"), (NEW, "新"))]
    moment = pl.lit("2025-03-06 16:00").str.to_datetime(time_unit="us", time_zone="Asia/Shanghai")
    joined.replace_all("stocks", pl.DataFrame(rows, schema=TABLES["stocks"].dtypes).with_columns(updated_at=moment))
    assert joined.read("stocks", columns=["symbol", "name"]).rows() == [(NEW, "新")]
    assert joined.query("SELECT symbol, name FROM stocks").rows() == [(NEW, "新")]


def test_a_code_that_changes_twice_leads_to_its_newest_code(joined):
    state_change(joined, NEW, "303333.SZ", DAYS[3])
    rows = joined.read("daily_bars", symbols=[OLD], columns=["symbol", "code", "date"]).sort("date")
    assert rows["symbol"].unique().to_list() == ["303333.SZ"]
    joined.upsert("daily_bars", bars(bar("303333.SZ", DAYS[3], 10.8, 10.4)))
    assert joined.read("daily_bars", symbols=[OLD]).height == 4
    with pytest.raises(InvalidParams, match="cannot return to a code it had"):
        state_change(joined, "303333.SZ", OLD, DAYS[3])


# ---- writing


def test_the_past_that_comes_under_the_new_code_replaces_that_of_the_old_one(joined):
    corrected = [row | {"symbol": NEW, "amount": 5.0 * row["close"]} for row in history()[:2]]
    joined.upsert("daily_bars", bars(*corrected))
    rows = joined.read("daily_bars", symbols=[NEW], columns=["date", "code", "amount"]).sort("date")
    assert rows["code"].to_list() == [OLD, OLD, NEW, NEW]
    assert rows["amount"].to_list() == [50.0, 52.5, 1040.0, 1080.0]


def test_of_a_past_that_comes_under_both_codes_that_of_the_code_of_the_day_stays(joined):
    copies = [row | {"symbol": NEW, "amount": 1.0} for row in history()[:2]]
    joined.replace_days("daily_bars", bars(*copies, *history(), *BANKS), DAYS)
    assert joined.read("daily_bars", symbols=[NEW]).height == 4
    assert 1.0 not in joined.read("daily_bars")["amount"]


def test_rows_that_were_stored_under_both_codes_are_one_row_once_the_change_is_known(stored):
    stored.upsert("daily_bars", bars(*[row | {"symbol": NEW, "amount": 1.0} for row in history()[:2]]))
    assert stored.read("daily_bars").height == 10
    state_change(stored, OLD, NEW, CHANGE)
    assert stored.read("daily_bars").height == 8
    assert 1.0 not in stored.read("daily_bars")["amount"]


# ---- proof by prices


def test_prices_prove_a_change_when_one_code_ends_at_the_close_at_which_another_begins(lake):
    renamed = with_newest_codes(lake, bars(*history(), *BANKS), whole=True)
    assert lake.read("code_changes").rows() == [(OLD, NEW, CHANGE, "prices")]
    assert renamed["symbol"].unique().sort().to_list() == [NEW, BANK]


def test_the_last_bar_may_be_stored_already(lake):
    lake.replace_days("daily_bars", bars(*history()[:2], *BANKS[:2]), DAYS[:2])
    proven, suggested = prove(lake, bars(history()[2], BANKS[2]))
    assert proven.select("old_symbol", "new_symbol", "from_day").rows() == [(OLD, NEW, CHANGE)]
    assert suggested.is_empty()


def without(rows: list[dict], **changed: float) -> list[dict]:
    return [rows[0], rows[1], rows[2] | changed, rows[3]]


NOT_A_CHANGE = {
    "another previous close": without(history(), prev_close=10.6),
    "a first day without a price limit": without(history(), high=21.0),
    "another exchange": history(new="605555.SH"),
    "a day in between": [history()[0], *history()[2:]],
    "the old code goes on": [*history(), bar(OLD, DAYS[3], 10.0, 10.0)],
    "the new code was there before": [*history(), bar(NEW, DAYS[0], 10.0, 10.0)],
    "two codes that end at that close": [*history(), *[row | {"symbol": "301112.SZ"} for row in history()[:2]]],
}


@pytest.mark.parametrize("why", NOT_A_CHANGE)
def test_less_proves_nothing(lake, why):
    proven, _ = prove(lake, bars(*NOT_A_CHANGE[why], *BANKS))
    assert proven.is_empty()


def test_of_two_codes_that_end_at_one_close_name_or_last_digits_decide(lake):
    twins = [*history("830799.BJ", "920799.BJ"), *history("430047.BJ", "920047.BJ")]
    proven, _ = prove(lake, bars(*twins, *BANKS))
    assert proven.select("old_symbol", "new_symbol").sort("old_symbol").rows() == [
        ("430047.BJ", "920047.BJ"), ("830799.BJ", "920799.BJ")
    ]  # fmt: skip
    names = {"830799.BJ": "甲", "920799.BJ": "乙", "430047.BJ": "乙", "920047.BJ": "甲"}
    rows = [(code, DAYS[1] if code[0] != "9" else CHANGE, None, name, False) for code, name in names.items()]
    lake.replace_all("stock_names", pl.DataFrame(rows, schema=STOCK_NAMES.dtypes, orient="row"))
    proven, _ = prove(lake, bars(*twins, *BANKS))
    assert proven.select("old_symbol", "new_symbol").sort("old_symbol").rows() == [
        ("430047.BJ", "920799.BJ"), ("830799.BJ", "920047.BJ")
    ]  # fmt: skip


def test_names_that_differ_leave_it_to_a_person(lake):
    rows = [(OLD, DAYS[1], None, "甲", False), (NEW, CHANGE, None, "乙", False)]
    lake.replace_all("stock_names", pl.DataFrame(rows, schema=STOCK_NAMES.dtypes, orient="row"))
    proven, suggested = prove(lake, bars(*history(), *BANKS))
    assert proven.is_empty()
    assert suggested.rows() == [(OLD, NEW, CHANGE)]


def test_a_person_who_says_that_it_is_no_change_is_believed_against_prices(stored):
    state_change(stored, OLD, None, CHANGE)
    assert prove(stored, bars(*history(), *BANKS))[0].is_empty()
    published = pl.DataFrame([(OLD, NEW, CHANGE, "published")], schema=CODE_CHANGES.dtypes, orient="row")
    assert record_changes(stored, published) == 0
    assert stored.read("daily_bars")["symbol"].unique().sort().to_list() == [OLD, NEW, BANK]


def test_prices_that_fit_by_chance_do_not_lead_a_stock_back_to_the_code_it_had(joined):
    before = joined.read("daily_bars").sort("symbol", "date")
    back = [
        (NEW, OLD, DAYS[3], "prices"),
        (BANK, "300999.SZ", DAYS[3], "prices"),
        ("300999.SZ", BANK, DAYS[3], "prices"),
    ]
    assert record_changes(joined, pl.DataFrame(back, schema=CODE_CHANGES.dtypes, orient="row")) == 1
    assert joined.code_changes().newest == {OLD: NEW, BANK: "300999.SZ"}
    assert joined.read("daily_bars", symbols=[NEW]).equals(before.filter(pl.col("symbol") == NEW))


def test_the_published_change_of_300114_is_known(lake):
    days = [date(2025, 2, 14), date(2025, 2, 17)]
    lake.replace_days("daily_bars", bars(bar("300114.SZ", days[0], 59.86, 59.0)), days[:1])
    fresh = bars(bar("302132.SZ", days[1], 60.0, 61.0))
    assert_frame_equal(with_newest_codes(lake, fresh, whole=True), fresh)
    assert lake.read("daily_bars")["symbol"].to_list() == ["302132.SZ"]


@pytest.mark.parametrize(
    ("new", "day", "message"), [(OLD, CHANGE, "same code"), (NEW, date(2025, 3, 8), "not a trading day")]
)
def test_a_statement_that_cannot_be_true_is_refused(stored, new, day, message):
    with pytest.raises(InvalidParams, match=message):
        state_change(stored, OLD, new, day)
    assert not stored.exists("code_changes")


def test_the_file_of_the_project_wins_over_prices_and_loses_to_a_person(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MYSTOCKS_ROOT", str(tmp_path))
    (tmp_path / "dagster.yaml").touch()
    file = tmp_path / "code_changes.csv"
    file.write_text(f"old_symbol,new_symbol,from_day\n{OLD},{NEW},{CHANGE}\n")
    record_changes(lake, pl.DataFrame([(OLD, None, CHANGE, "prices")], schema=CODE_CHANGES.dtypes, orient="row"))
    record_known(lake, bars(*history()))
    assert lake.code_changes().rows.rows() == [(OLD, NEW, CHANGE, "file")]
    state_change(lake, OLD, None, CHANGE)
    record_known(lake, bars(*history()))
    assert lake.code_changes().rows.rows() == [(OLD, None, CHANGE, "stated")]


def test_a_denied_change_of_the_package_is_not_recorded(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MYSTOCKS_ROOT", str(tmp_path))
    (tmp_path / "dagster.yaml").touch()
    (tmp_path / "code_changes.csv").write_text("old_symbol,new_symbol,from_day\n300114.SZ,,2025-02-17\n")
    record_known(lake, bars(bar("300114.SZ", DAYS[0], 60.0, 60.0)))
    assert lake.code_changes().rows.rows() == [("300114.SZ", None, date(2025, 2, 17), "file")]
