"""Numbers that no exchange can have made: each rule of each table with a fault that breaks it, beside a row that is
sound."""

import math
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from mystocks_dagster.market.tables import BUILT_IN, TABLES
from mystocks_dagster.market.value_rules import broken_rule, check

SHANGHAI = ZoneInfo("Asia/Shanghai")
DAY, SATURDAY, HOLIDAY, TOMORROW = date(2024, 3, 5), date(2024, 3, 9), date(2024, 2, 12), date(2024, 3, 7)
MOMENT = datetime(2024, 3, 5, 10, 30, tzinfo=SHANGHAI)
NAN, INF = float("nan"), float("inf")

BAR = {
    "symbol": "600000.SH", "date": DAY, "open": 10.0, "high": 10.5, "low": 9.8, "close": 10.2, "prev_close": 10.0,
    "volume": 1_000_000, "amount": 10_150_000.0, "turnover": 1.5, "is_st": None, "suspended": False,
}  # fmt: skip
INDEX = {
    "symbol": "000001.SH", "date": DAY, "open": 3025.1, "high": 3047.8, "low": 3018.4, "close": 3039.3,
    "prev_close": 3027.0, "volume": 38_000_000_000, "amount": 4.4e11,
}  # fmt: skip
FUND_BAR = {
    "symbol": "510300.SH", "date": DAY, "open": 3.512, "high": 3.541, "low": 3.498, "close": 3.533, "prev_close": 3.51,
    "volume": 1_000_000, "amount": 3_520_000.0,
}  # fmt: skip
RESTING = {"open": 10.0, "high": 10.0, "low": 10.0, "close": 10.0, "volume": 0, "amount": 0.0, "suspended": True}
QUOTE = {
    "symbol": "600000.SH", "date": DAY, "time": MOMENT, "name": "某某", "price": 10.2, "open": 10.0, "high": 10.5,
    "low": 9.8,
    "prev_close": 10.0, "volume": 1_000_000, "amount": 10_150_000.0, "change_pct": 2.0, "turnover": 1.5,
}  # fmt: skip
FUND = {name: value for name, value in QUOTE.items() if name != "turnover"} | {
    "symbol": "510300.SH",
    "iopv": 10.19,
    "premium_pct": 0.1,
}
BOARD = {
    "date": DAY, "symbol": "600000.SH", "reason": "日涨幅偏离值达7%", "name": "某某", "close": 10.2, "change_pct": 10.0,
    "buy_amount": 5e7, "sell_amount": 1e7, "net_amount": 4e7, "total_amount": 1e9, "turnover": 5.0,
}  # fmt: skip
PARTS = {
    "change_pct": 2.0,
    "main_net": 3e6,
    "super_large_net": 1e6,
    "large_net": 2e6,
    "medium_net": -1e6,
    "small_net": -2e6,
}
FLOW = {"date": DAY, "symbol": "600000.SH", "name": "某某", **PARTS}
REPORT = {"symbol": "600000.SH", "period": date(2023, 12, 31), "notice_date": date(2024, 3, 1)}
BALANCE = {
    **REPORT,
    "total_assets": 1e9,
    "cash": 1e8,
    "receivables": 1e7,
    "inventory": 1e7,
    "total_liabilities": 6e8,
    "payables": 1e7,
    "total_equity": 4e8,
}
INCOME = {
    **REPORT,
    "revenue": 1e9,
    "operating_cost": 9e8,
    "operating_profit": 1e8,
    "total_profit": 1e8,
    "net_profit": 8e7,
}
CASH = {**REPORT, "operating": 1e8, "investing": -5e7, "financing": 1e7, "net_change": 6e7}
ACTION = {
    "symbol": "600000.SH", "ex_date": DAY, "cash": 0.5, "bonus": 0.4, "rights": 0.3, "rights_price": 8.8,
    "record_date": DAY - timedelta(days=1), "split": None,
    "known_since": None,
    "source": "exchange",
}  # fmt: skip
STOCK = {
    "symbol": "600000.SH", "name": "某某", "exchange": "SH", "board": "main", "is_st": False, "list_date": date(1999,
    11, 10),
    "delist_date": None, "updated_at": MOMENT,
}  # fmt: skip
GOOD: Mapping[str, dict] = {
    "daily_bars": BAR, "stock_quotes": QUOTE, "etf_quotes": FUND, "longhubang": BOARD, "capital_flow_stock": FLOW,
    "capital_flow_sector": {"date": DAY, "sector": "银行", **PARTS}, "capital_flow_concept": {"date": DAY,
    "concept": "白酒概念", **PARTS},
    "balance_sheets": BALANCE, "income_statements": INCOME, "cash_flows": CASH, "stocks": STOCK,
    "corporate_actions": ACTION, "index_bars": INDEX, "etf_bars": FUND_BAR,
    "adjust_factors": {"symbol": "600000.SH", "date": DAY, "forward": 0.98, "backward": 1.25},
    "daily_valuation": {"symbol": "600000.SH", "date": DAY, "pe_ttm": -8.5, "pb": 0.9, "ps_ttm": 1.1, "pcf_ttm": -2.0},
}  # fmt: skip

_DATED = [
    ("no_trading_day", {"date": SATURDAY}),
    ("no_trading_day", {"date": HOLIDAY}),
    ("no_trading_day", {"date": date(1989, 1, 4)}),
    ("future_date", {"date": TOMORROW}),
]
_SYMBOLS = [
    ("no_such_symbol", {"symbol": symbol})
    for symbol in ("600000.SZ", "300001.SH", "920001.SH", "60000.SH", "600000", "MOUTAI")
]
_PRICED = [
    ("high_below_low", {"high": 9.0}),
    ("price_outside_range", {"open": 11.0}),
    ("price_not_positive", {"open": 0.0}),
    ("price_not_positive", {"low": -9.8}),
    ("prev_close_not_positive", {"prev_close": -10.0}),
    ("negative_volume", {"volume": -500}),
    ("negative_amount", {"amount": -1.0}),
    ("mean_price_outside_range", {"volume": 10_000}),  # lots instead of shares
    ("mean_price_outside_range", {"amount": 10_150.0}),  # thousands of CNY
]
_FLOWS = [*_DATED, ("main_contradicts_parts", {"main_net": 4e6}), ("change_beyond_limit", {"change_pct": 45.0})]
_FLOWS += [(f"{name}_not_a_number", {name: NAN}) for name in PARTS]
_STATED = [
    *_SYMBOLS,
    ("no_quarter_end", {"period": date(2023, 12, 30)}),
    ("notice_before_period_end", {"notice_date": date(2023, 12, 31)}),
]
_STATED += [("future_date", {"notice_date": date(2024, 4, 30)})]

FAULTS: Mapping[str, list[tuple[str, dict]]] = {
    "daily_bars": [
        *_SYMBOLS, *_DATED, *_PRICED,
        *(("not_a_number", {name: wrong}) for name in ("open", "high", "low", "close", "amount") for wrong in (NAN,
            INF, -INF)),
        ("prev_close_not_a_number", {"prev_close": NAN}),
        ("turnover_not_a_number", {"turnover": INF}),
        ("price_outside_range", {"close": 9.7}),
        ("price_not_positive", {"open": -260.7, "high": -259.0, "low": -262.0, "close": -261.3}),
        ("amount_without_volume", {"volume": 0}),
        ("suspended_with_volume", {"suspended": True}),
        ("suspended_with_volume", RESTING | {"volume": 100}),
        ("suspended_with_range", RESTING | {"high": 10.1}),
        ("moved_without_trades", {**RESTING, "suspended": False, "prev_close": 10.1}),
        ("impossible_turnover", {"turnover": -0.1}),
        ("impossible_turnover", {"turnover": 900.0}),
    ],
    "index_bars": [
        *_SYMBOLS, *_DATED,
        *(("not_a_number", {name: NAN}) for name in ("open", "high", "low", "close")),
        *((f"{name}_not_a_number", {name: INF}) for name in ("prev_close", "amount")),
        ("price_not_positive", {"low": 0.0}), ("prev_close_not_positive", {"prev_close": -1.0}),
        ("high_below_low", {"high": 3000.0}), ("price_outside_range", {"close": 3050.0}),
        ("negative_volume", {"volume": -1}), ("negative_amount", {"amount": -1.0}),
    ],
    "etf_bars": [
        *_SYMBOLS, *_DATED,
        *(("not_a_number", {name: NAN}) for name in ("open", "high", "low", "close")),
        *((f"{name}_not_a_number", {name: INF}) for name in ("prev_close", "amount")),
        ("price_not_positive", {"low": 0.0}), ("prev_close_not_positive", {"prev_close": -1.0}),
        ("high_below_low", {"high": 3.497}), ("price_outside_range", {"close": 3.542}),
        ("negative_volume", {"volume": -1}), ("negative_amount", {"amount": -1.0}),
        # A fund's prices read with the scale of a stock are ten times too high.
        ("mean_price_outside_range", {"open": 35.12, "high": 35.41, "low": 34.98, "close": 35.33, "prev_close": 35.1}),
    ],
    "adjust_factors": [
        *_SYMBOLS, ("not_a_number", {"forward": NAN}), ("not_a_number", {"backward": INF}),
        ("factor_not_positive", {"forward": 0.0}), ("factor_not_positive", {"backward": -1.25}),
    ],
    "daily_valuation": [
        *_SYMBOLS, *_DATED,
        *((f"{name}_not_a_number", {name: NAN}) for name in ("pe_ttm", "pb", "ps_ttm", "pcf_ttm")),
    ],
    "stock_quotes": [
        *_SYMBOLS, *_DATED, *_PRICED,
        ("change_contradicts_price", {"change_pct": 3.0}),
        ("change_beyond_limit", {"prev_close": 7.0, "change_pct": 45.71}),
        ("impossible_turnover", {"turnover": 101.0}),
        *((f"{name}_not_a_number", {name: NAN})
          for name in ("price", "open", "high", "low", "prev_close", "amount", "change_pct", "turnover")),
    ],
    "etf_quotes": [
        *_DATED, *_PRICED, ("no_such_symbol", {"symbol": "51030"}),
        ("change_contradicts_price", {"change_pct": 3.0}),
        ("iopv_not_positive", {"iopv": 0.0}),
        *((f"{name}_not_a_number", {name: NAN})
          for name in ("price", "open", "high", "low", "prev_close", "amount", "change_pct", "iopv", "premium_pct")),
    ],
    "longhubang": [
        *_SYMBOLS, *_DATED,
        ("not_a_number", {"net_amount": NAN}),
        *((f"{name}_not_a_number", {name: NAN}) for name in ("close", "change_pct", "total_amount", "turnover")),
        ("price_not_positive", {"close": 0.0}),
        ("negative_amount", {"sell_amount": -1e7, "net_amount": 6e7}),
        ("net_contradicts_amounts", {"net_amount": 5e7}),
        ("no_reason", {"reason": " "}),
        ("impossible_turnover", {"turnover": -5.0}),
    ],
    "corporate_actions": [
        *_SYMBOLS,
        *(("not_a_number", {name: value}) for name in ("cash", "bonus", "rights") for value in (math.nan, math.inf)),
        ("rights_price_not_a_number", {"rights": 0.0, "rights_price": math.nan}),
        ("distribution_below_zero", {"cash": -0.5}),
        ("rights_without_price", {"rights_price": None}),
        ("split_not_positive", {"split": 0.0}),
        ("split_not_a_number", {"split": math.inf}),
        ("recorded_after_ex_date", {"record_date": DAY}),
    ],
    "capital_flow_stock": [*_SYMBOLS, *_FLOWS, ("flows_do_not_cancel", {"small_net": 9e6})],
    "capital_flow_sector": _FLOWS,
    "capital_flow_concept": _FLOWS,
    "balance_sheets": [
        *_STATED, ("negative_assets", {"total_assets": -1e9}), ("balance_does_not_balance", {"total_assets": 2e9}),
        *((f"{name}_not_a_number", {name: NAN}) for name in BALANCE if name not in REPORT),
    ],
    "income_statements": [*_STATED, *((f"{name}_not_a_number", {name: NAN}) for name in INCOME if name not in REPORT)],
    "cash_flows": [*_STATED, *((f"{name}_not_a_number", {name: INF}) for name in CASH if name not in REPORT)],
    "stocks": [
        *_SYMBOLS, ("no_name", {"name": ""}), ("exchange_contradicts_symbol", {"exchange": "SZ"}),
        ("delisted_before_listed", {"delist_date": date(1999, 11, 9)}), ("listed_before_exchanges",
        {"list_date": date(1970, 1, 1)}),
    ],
}  # fmt: skip
CASES = [(table, rule, fault) for table, faults in FAULTS.items() for rule, fault in faults]


@pytest.fixture(autouse=True)
def wednesday(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYSTOCKS_NOW", "2024-03-06T16:30:00+08:00")


def frame_of(table: str, *rows: dict) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=TABLES[table].dtypes, orient="row")


@pytest.mark.parametrize(
    ("table", "rule", "fault"), CASES, ids=[f"{table}-{rule}-{at}" for at, (table, rule, _) in enumerate(CASES)]
)
def test_a_row_that_cannot_be_is_set_aside_or_loses_the_value_and_its_neighbour_stays(
    table: str, rule: str, fault: dict
):
    sound = GOOD[table]
    checked = check(TABLES[table], frame_of(table, sound, sound | fault))
    severity, column = next((one.severity, one.column) for one in TABLES[table].rules if one.name == rule)
    assert rule in {found.rule for found in checked.faults}
    assert checked.refused == {}
    if severity == "value":
        wanted = frame_of(table, sound, sound | fault | {column: None})
        assert checked.rows.equals(wanted, null_equal=True)
        assert {found.stored for found in checked.faults} == {True}
    else:
        assert checked.rows.equals(frame_of(table, sound), null_equal=True)
        assert all(not found.stored for found in checked.faults if found.rule == rule)


def test_every_rule_of_every_built_in_source_table_has_a_fault_here():
    declared = {
        (table.name, rule.name)
        for table in BUILT_IN.values()
        for rule in table.rules
        if rule.severity in ("row", "value")
    }
    assert declared == {(table, rule) for table, rule, _ in CASES}


@pytest.mark.parametrize("table", list(GOOD))
def test_a_sound_row_breaks_no_rule(table: str):
    rows = frame_of(table, GOOD[table])
    assert check(TABLES[table], rows) == type(check(TABLES[table], rows))(rows)


@pytest.mark.parametrize(
    ("table", "row"),
    [
        ("daily_bars", RESTING | {"turnover": None}),
        ("daily_bars", RESTING | {"suspended": False}),  # open, and nobody traded
        ("daily_bars", {"prev_close": None, "turnover": None}),
        ("daily_bars", {"volume": 100, "amount": 1_020.0}),
        ("daily_bars", {"symbol": "920001.BJ"}),
        ("daily_bars", {"symbol": "000001.SH"}),  # an index
        ("stock_quotes", dict.fromkeys(("price", "open", "high", "low", "amount", "change_pct", "turnover", "volume"))),
        ("stock_quotes", {"name": "N某某", "prev_close": 4.0, "change_pct": 155.0}),
        ("stock_quotes", {"name": "C某某", "prev_close": 7.0, "change_pct": 45.71}),
        ("stock_quotes", {"name": "某某退", "prev_close": 7.0, "change_pct": 45.71}),
        ("capital_flow_stock", {"name": "N某某", "change_pct": 155.0}),
        ("longhubang", {"total_amount": None, "turnover": None, "close": None}),
        ("balance_sheets", {"total_equity": None}),
        ("balance_sheets", {"notice_date": None}),
        ("stocks", {"list_date": None}),
        ("stocks", {"list_date": date(2030, 1, 4)}),  # announced
    ],
)
def test_what_is_only_unusual_or_unknown_is_no_fault(table: str, row: dict):
    assert check(TABLES[table], frame_of(table, GOOD[table] | row)).faults == ()


def test_a_day_of_which_many_rows_are_wrong_is_refused_with_three_examples_and_the_others_stay():
    symbols = [f"{600000 + n}.SH" for n in range(100)]
    rows = [BAR | {"symbol": name, "date": day} for day in (DAY, date(2024, 3, 6)) for name in symbols]
    rows = [row | ({"high": 1.0} if row["date"] == DAY and row["symbol"] < "600006" else {}) for row in rows]
    checked = check(TABLES["daily_bars"], frame_of("daily_bars", *rows))
    assert checked.rows["date"].unique().to_list() == [date(2024, 3, 6)]
    assert checked.rows.height == 100
    assert list(checked.refused) == [DAY]
    assert "high_below_low: high is below low, in 6 of 100 rows, e.g. symbol=600000.SH" in str(checked.refused[DAY])
    assert len([fault for fault in checked.faults if fault.rule == "high_below_low"]) == 3


def test_five_wrong_rows_of_a_hundred_are_set_aside_one_by_one():
    rows = [BAR | {"symbol": f"{600000 + n}.SH"} | ({"high": 1.0} if n < 5 else {}) for n in range(100)]
    checked = check(TABLES["daily_bars"], frame_of("daily_bars", *rows))
    assert (checked.rows.height, dict(checked.refused)) == (95, {})


def test_the_row_is_kept_as_json_with_what_json_has_no_number_for():
    [fault] = check(
        TABLES["longhubang"], frame_of("longhubang", BOARD, BOARD | {"symbol": "000001.SZ", "net_amount": INF})
    ).faults[:1]
    assert (fault.rule, fault.key, fault.date) == ("not_a_number", "2024-03-05 000001.SZ 日涨幅偏离值达7%", DAY)
    assert '"net_amount": "inf"' in fault.as_json()
    assert '"date": "2024-03-05"' in fault.as_json()


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("adjust_events", "ratio", 0.0),
        ("adjust_events", "ratio", -0.5),
        ("indicators_daily", "close_hfq", -1.0),
        ("indicators_daily", "rsi6", 101.0),
        ("indicators_weekly", "kdj_k", -1.0),
        ("indicators_weekly", "boll_lower", 12.0),
    ],
)
def test_a_computed_value_that_cannot_be_refuses_the_write(table: str, column: str, value: float):
    known = {"symbol": "600000.SH", "date": DAY, "ratio": 0.9, "close_hfq": 10.0, "boll_upper": 11.0, "boll_lower": 9.0}
    row = {name: known.get(name) for name in TABLES[table].dtypes}
    assert broken_rule(TABLES[table], frame_of(table, row)) is None
    found = broken_rule(TABLES[table], frame_of(table, row, row | {column: value}))
    assert found is not None
    assert found[1][column].to_list() == [value]
