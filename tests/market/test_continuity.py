"""What a bar must have in common with the bar of the session before."""

from datetime import date

import polars as pl
import pytest

from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.market.continuity import CONTEXT, Neighbours
from mystocks_dagster.market.tables.market import DAILY_BARS

SESSIONS = shanghai().sessions(date(2024, 3, 1), date(2024, 3, 15))
LAST = SESSIONS[-1]


def bar(symbol: str, day: date, close: float, prev_close: float | None, **values: object) -> dict:
    row = {
        "symbol": symbol, "date": day, "open": close, "high": close, "low": close, "close": close,
        "prev_close": prev_close,
        "volume": 1000 + day.day, "amount": close * (1000 + day.day), "turnover": 1.0, "is_st": None,
        "suspended": False,
    }  # fmt: skip
    return row | values


def history(symbol: str, price: float = 10.0, days: list[date] | None = None) -> list[dict]:
    """A symbol at one price up to the day before the last."""
    return [bar(symbol, day, price, price) for day in (SESSIONS[:-1] if days is None else days)]


def beside(stored: list[dict], frame: list[dict]) -> Neighbours:
    made = [pl.DataFrame(rows, schema=DAILY_BARS.dtypes, orient="row") for rows in (frame, stored)]
    return Neighbours(
        made[0], made[1].select(CONTEXT), {day: shanghai().previous(day) for day in made[0]["date"].unique()}
    )


def broken(stored: list[dict], *frame: dict) -> dict[str, list[str]]:
    neighbours = beside(stored, list(frame))
    return {rule.name: neighbours.rows.filter(flags)["symbol"].to_list() for rule, flags in neighbours.breaks().items()}


@pytest.mark.parametrize(
    ("symbol", "highest", "beyond"),
    [
        ("600000.SH", 11.0, 11.03), ("000001.SZ", 11.0, 25.5), ("300001.SZ", 12.0, 12.03), ("688001.SH", 12.0, 12.03),
        ("920001.BJ", 13.0, 13.03),
    ],
)  # fmt: skip
def test_a_move_beyond_the_boards_limit_is_exposed_and_one_to_the_limit_is_not(
    symbol: str, highest: float, beyond: float
):
    stored = history(symbol) + history("600009.SH")
    neighbour = bar("600009.SH", LAST, 10.0, 10.0)
    assert broken(stored, bar(symbol, LAST, highest, 10.0), neighbour) == {}
    assert broken(stored, bar(symbol, LAST, beyond, 10.0), neighbour) == {"beyond_price_limit": [symbol]}
    assert broken(stored, bar(symbol, LAST, 2.0, 10.0, suspended=False), neighbour) == {"beyond_price_limit": [symbol]}


def test_new_listings_and_stocks_after_a_suspension_are_free():
    fresh = history("603999.SH", days=SESSIONS[-4:-1])
    assert broken(fresh, bar("603999.SH", LAST, 25.0, 10.0)) == {}
    back = history("600001.SH")
    back[-1] |= {"suspended": True, "volume": 0, "amount": 0.0}
    assert broken(back, bar("600001.SH", LAST, 25.0, 10.0)) == {}
    gone = history("600002.SH", days=SESSIONS[:-2])
    assert broken(gone, bar("600002.SH", LAST, 25.0, 10.0)) == {}


def test_an_ex_dividend_day_is_no_fault_and_its_limit_is_that_of_the_lower_close():
    stored = history("600000.SH")
    assert broken(stored, bar("600000.SH", LAST, 5.2, 5.0)) == {}
    assert broken(stored, bar("600000.SH", LAST, 2.6, 2.5)) == {}  # 30 new shares for 10
    assert broken(stored, bar("600000.SH", LAST, 6.0, 5.0)) == {"beyond_price_limit": ["600000.SH"]}


def test_without_a_previous_close_the_last_close_bounds_the_price_from_above():
    stored = history("600000.SH")
    assert broken(stored, bar("600000.SH", LAST, 5.0, None)) == {}
    assert broken(stored, bar("600000.SH", LAST, 100.0, None)) == {"beyond_price_limit": ["600000.SH"]}


def test_prices_times_ten_and_another_symbols_prices_are_exposed():
    stored = history("600000.SH") + history("600519.SH", 1500.0) + history("600009.SH")
    rows = [
        bar("600000.SH", LAST, 100.0, 100.0),
        bar("600519.SH", LAST, 10.0, 10.0),
        bar("600009.SH", LAST, 10.0, 10.0),
    ]
    assert broken(stored, *rows) == {"prev_close_out_of_bounds": ["600000.SH", "600519.SH"]}


def test_yesterdays_row_under_todays_date_is_exposed_by_its_own_previous_close():
    stored = history("600000.SH") + history("600009.SH")
    stored[len(SESSIONS) - 2] |= bar(
        "600000.SH", SESSIONS[-2], 9.8, 10.0
    )  # it fell, so its previous close is not its close
    stale = stored[len(SESSIONS) - 2] | {"date": LAST}
    assert broken(stored, stale, bar("600009.SH", LAST, 10.0, 10.0))["rows_of_the_day_before"] == ["600000.SH"]
    quiet = stored[-1] | {"date": LAST}  # nothing moved, and the numbers may repeat
    assert broken(stored, quiet) == {}


def test_a_market_whose_previous_closes_are_not_the_stored_ones_shows_another_day():
    names = [f"{600000 + n}.SH" for n in range(40)]
    stored = [row for name in names for row in history(name)]
    wrong = beside(
        stored, [bar(name, LAST, 9.9, 9.9 if at < 13 else 10.0) for at, name in enumerate(names)]
    ).wrong_days()
    assert list(wrong) == [LAST]
    assert "13 of 40 previous closes are not the stored closes" in wrong[LAST]
    assert "600000.SH prev_close=9.9, stored 10.0" in wrong[LAST]
    busiest = beside(stored, [bar(name, LAST, 9.9, 9.9 if at < 12 else 10.0) for at, name in enumerate(names)])
    assert busiest.wrong_days() == {}


def test_many_symbols_that_stop_trading_at_once_are_not_believed():
    names = [f"{600000 + n}.SH" for n in range(60)]
    stored = [row for name in names for row in history(name)]

    def day(resting: int) -> dict[date, str]:
        rows = [bar(name, LAST, 10.0, 10.0, suspended=at < resting) for at, name in enumerate(names)]
        return beside(stored, rows).newly_suspended()

    assert day(20) == {}
    assert "21 of 60 symbols that traded the day before show no price" in day(21)[LAST]


def test_gaps_are_named_with_the_first_day_and_whether_the_price_moved_meanwhile():
    paused = [row for row in history("600000.SH") if row["date"] != SESSIONS[-3]]
    moved = [row for row in history("600001.SH") if row["date"] not in SESSIONS[-4:-2]]
    moved[-1] |= {"prev_close": 9.5}
    ended = history("600002.SH", days=SESSIONS[:-2])
    found = beside([], [*paused, *moved, *ended, *history("600009.SH"), bar("600009.SH", LAST, 10.0, 10.0)])
    assert sorted(found.gaps().rows()) == [("600000.SH", SESSIONS[-3], "paused"), ("600001.SH", SESSIONS[-4], "moved")]
    assert sorted(found.ends().rows()) == [
        ("600000.SH", LAST, "ended"), ("600001.SH", LAST, "ended"), ("600002.SH", SESSIONS[-2], "ended"),
    ]  # fmt: skip
