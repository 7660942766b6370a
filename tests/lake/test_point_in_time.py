"""What was known on a day: no later row shows, in whatever order and however often the rows were loaded."""

from datetime import date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from mystocks_dagster.errors import UnknownName
from mystocks_dagster.lake.prices import adjusted_bars
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.clock import SHANGHAI
from mystocks_dagster.market.table import Table
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.market.tables.columns import SYMBOL, day, moment, text
from mystocks_dagster.market.tables.fundamentals import INCOME_STATEMENTS
from mystocks_dagster.market.tables.reference import ADJUST_EVENTS, CORPORATE_ACTIONS

pytestmark = pytest.mark.slow

HALF_YEAR = date(2024, 6, 30)
FIRST, SECOND = date(2024, 8, 20), date(2025, 3, 30)
BANK = "600000.SH"


def statement(known_since: date | None, revenue: float, notice: date | None = None, symbol: str = BANK) -> dict:
    notice = notice or known_since
    return {
        "symbol": symbol,
        "period": HALF_YEAR,
        "notice_date": notice,
        "known_since": known_since,
        "revenue": revenue,
    }


def income(*rows: dict) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=INCOME_STATEMENTS.dtypes)


def revenues(lake: Lake, as_of: date) -> list[float]:
    return lake.read("income_statements", as_of=as_of).sort("symbol")["revenue"].to_list()


@pytest.fixture
def restated(lake: Lake) -> Lake:
    lake.upsert("income_statements", income(statement(FIRST, 100.0), statement(SECOND, 90.0)))
    return lake


def test_a_restated_statement_is_found_in_the_version_of_each_day(restated):
    before = timedelta(days=1)
    assert [revenues(restated, at) for at in (FIRST - before, FIRST, SECOND - before, SECOND, date(2030, 1, 1))] == [
        [], [100.0], [100.0], [90.0], [90.0]
    ]  # fmt: skip
    assert restated.read("income_statements")["revenue"].sort().to_list() == [90.0, 100.0]


def test_sql_and_the_newest_rows_are_as_of_a_day_too(restated):
    sql = "SELECT symbol, revenue FROM income_statements"
    assert restated.query(sql, as_of=FIRST).rows() == [(BANK, 100.0)]
    assert restated.query(sql, as_of=SECOND).rows() == [(BANK, 90.0)]
    assert restated.query(f"{sql} ORDER BY revenue").height == 2
    assert restated.query("SELECT * FROM income_statements", as_of=FIRST).columns == list(
        INCOME_STATEMENTS.stored.dtypes
    )
    assert restated.head("income_statements", as_of=FIRST)["revenue"].to_list() == [100.0]


def test_a_selection_by_symbol_or_period_does_not_change_which_version_counts(restated):
    other = statement(date(2024, 9, 1), 7.0, symbol="600001.SH")
    restated.upsert("income_statements", income(other))
    chosen = restated.read("income_statements", symbols=[BANK], columns=["revenue"], as_of=SECOND)
    assert chosen.rows() == [(90.0,)]
    assert restated.read("income_statements", start=date(2024, 7, 1), as_of=SECOND).is_empty()
    assert restated.read("income_statements", end=HALF_YEAR, as_of=SECOND).height == 2


def test_a_statement_without_a_known_day_is_not_known_as_of_any_day(lake):
    lake.upsert("income_statements", income(statement(None, 100.0)))
    assert revenues(lake, date(2040, 1, 1)) == []
    assert lake.read("income_statements").height == 1


def test_a_distribution_is_known_from_its_announcement_or_else_from_its_ex_day(lake):
    ex = date(2024, 7, 10)
    rows = [
        {"symbol": symbol, "ex_date": ex, "cash": 1.0, "bonus": 0.0, "rights": 0.0, "known_since": since}
        for symbol, since in ((BANK, date(2024, 7, 1)), ("600001.SH", None))
    ]
    blank = pl.DataFrame(rows, schema=CORPORATE_ACTIONS.dtypes).with_columns(source=pl.lit("test"))
    lake.upsert("corporate_actions", blank)
    known = [
        lake.read("corporate_actions", as_of=at).sort("symbol")["symbol"].to_list()
        for at in (date(2024, 6, 30), date(2024, 7, 1), ex)
    ]
    assert known == [[], [BANK], [BANK, "600001.SH"]]


def test_bars_and_adjusted_prices_end_with_the_day(lake, make_bars):
    days = [date(2025, 1, 2), date(2025, 1, 3), date(2025, 1, 6)]
    for at in days:
        lake.replace_days("daily_bars", make_bars(at, [BANK]), [at])
    events = pl.DataFrame([(BANK, days[2], 0.5)], schema=ADJUST_EVENTS.dtypes, orient="row")
    lake.replace_all("adjust_events", events)
    assert lake.read("daily_bars", as_of=days[1])["date"].sort().to_list() == days[:2]
    assert lake.read("daily_bars", end=days[0], as_of=days[1])["date"].to_list() == days[:1]
    assert adjusted_bars(lake, "qfq")["close"].to_list() == [5.0, 5.0, 10.0]
    assert adjusted_bars(lake, "qfq", as_of=days[1])["close"].to_list() == [10.0, 10.0]


def test_a_table_that_does_not_say_since_when_it_is_known_is_refused_by_name(lake, make_bars):
    lake.replace_days("daily_bars", make_bars(date(2025, 1, 2)), [date(2025, 1, 2)])
    lake.replace_all("stocks", TABLES["stocks"].empty())
    with pytest.raises(UnknownName, match=r"stocks does not state since when its rows are known.*data universe"):
        lake.read("stocks", as_of=FIRST)
    with pytest.raises(UnknownName, match="stocks does not state"):
        lake.query("SELECT * FROM stocks", as_of=FIRST)
    assert lake.query("SELECT count(*) FROM daily_bars", as_of=FIRST).item() == 0


# ---- tables of other kinds: lists that are published as a whole, memberships with an end, and moments

MEMBERS = Table(
    name="members", title="", about="", about_zh="", domain="reference", grain="one",
    key=("index", "date", "symbol"), date_column="date", known_by=("date",), version_key=("index",),
    columns=(text("index", ""), day("date", ""), SYMBOL),
)  # fmt: skip
SPANS = Table(
    name="spans", title="", about="", about_zh="", domain="reference", grain="one", key=("symbol", "from_day"),
    known_by=("seen_at", "from_day"), ends=("to_day",),
    columns=(SYMBOL, day("from_day", ""), day("to_day", "", null=True), moment("seen_at", "", null=True)),
)  # fmt: skip


@pytest.fixture
def other_kinds(monkeypatch) -> None:
    changed = dict(TABLES) | {table.name: table for table in (MEMBERS, SPANS)}
    for module in ("market.tables", "lake.reading", "lake.sql", "lake.store"):
        monkeypatch.setattr(f"mystocks_dagster.{module}.TABLES", changed)


def test_of_lists_that_are_published_as_a_whole_the_newest_list_counts(lake, other_kinds):
    jan, jul = date(2024, 1, 2), date(2024, 7, 1)
    rows = [("300", jan, "A"), ("300", jan, "B"), ("300", jul, "B"), ("500", jan, "A")]
    lake.replace_all("members", pl.DataFrame(rows, schema=MEMBERS.dtypes, orient="row"))
    asked = {"as_of": date(2024, 8, 1)}
    assert lake.read("members", **asked).sort("index").rows() == [("300", jul, "B"), ("500", jan, "A")]
    assert lake.read("members", symbols=["A"], **asked).rows() == [("500", jan, "A")], "A has left the 300"
    assert lake.read("members", as_of=jan).height == 3
    assert lake.query("SELECT * FROM members ORDER BY index", **asked).rows() == [("300", jul, "B"), ("500", jan, "A")]


def test_the_end_of_a_membership_is_not_known_before_it_has_come(lake, other_kinds):
    noon = datetime(2024, 1, 5, 0, 30, tzinfo=SHANGHAI)  # the 4th in UTC
    rows = [("A", date(2024, 1, 2), date(2024, 3, 1), noon), ("B", date(2024, 1, 2), None, None)]
    lake.replace_all("spans", pl.DataFrame(rows, schema=SPANS.dtypes, orient="row"))
    for as_of, expected in [
        (date(2024, 1, 4), [("B", None)]),
        (date(2024, 1, 5), [("A", None), ("B", None)]),
        (date(2024, 3, 1), [("A", date(2024, 3, 1)), ("B", None)]),
    ]:
        assert lake.read("spans", columns=["symbol", "to_day"], as_of=as_of).sort("symbol").rows() == expected
        assert lake.query("SELECT symbol, to_day FROM spans ORDER BY symbol", as_of=as_of).rows() == expected


# ---- no later row leaks, whatever the history

DAYS = [date(2024, 7, 1) + timedelta(days=30 * n) for n in range(8)]
versions = st.builds(
    statement,
    st.one_of(st.none(), st.sampled_from(DAYS)),
    st.integers(1, 99).map(float),
    symbol=st.sampled_from([BANK, "600001.SH", "000001.SZ"]),
)


def oracle(rows: list[dict], as_of: date) -> dict[str, float]:
    """Return each symbol's newest revenue known by a day, computed row by row."""
    newest: dict[str, tuple[date, float]] = {}
    for row in rows:
        since = row["known_since"]
        if since is not None and since <= as_of and since >= newest.get(row["symbol"], (date.min, 0.0))[0]:
            newest[row["symbol"]] = (since, row["revenue"])
    return {symbol: revenue for symbol, (_, revenue) in newest.items()}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(versions, min_size=1, max_size=15), as_of=st.sampled_from(DAYS))
def test_no_later_row_leaks_into_a_random_history(tmp_path_factory, rows, as_of):
    whole, then = (Lake(str(tmp_path_factory.mktemp("lake")), "real") for _ in range(2))
    keyed = {(row["symbol"], row["known_since"]): row for row in rows}
    rows = list(keyed.values())
    whole.replace_all("income_statements", income(*rows))
    known = [row for row in rows if row["known_since"] is not None and row["known_since"] <= as_of]
    then.replace_all("income_statements", income(*known))
    found = whole.read("income_statements", as_of=as_of).sort("symbol")
    assert dict(found.select("symbol", "revenue").iter_rows()) == oracle(rows, as_of)
    assert_frame_equal(found, then.read("income_statements", as_of=as_of).sort("symbol"))
    sql = f"SELECT {', '.join(found.columns)} FROM income_statements ORDER BY symbol"
    assert whole.query(sql, as_of=as_of).rows() == found.rows()
