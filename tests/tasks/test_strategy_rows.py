"""The rows that strategies read: adjusted prices, limits, statements of the day, and the tail for a new day."""

from datetime import date

import polars as pl
import pytest

from mystocks_dagster.errors import InvalidParams, TableMissing
from mystocks_dagster.market.tables.fundamentals import BALANCE_SHEETS, DAILY_VALUATION, INCOME_STATEMENTS
from mystocks_dagster.market.tables.reference import ADJUST_EVENTS
from mystocks_dagster.strategies.choices import choice_of
from mystocks_dagster.tasks import strategy
from mystocks_dagster.tasks.indicators import IndicatorParams, calculate_technical_indicators
from mystocks_dagster.tasks.strategy import SignalParams, calculate_strategy_signals
from mystocks_dagster.tasks.strategy_rows import Needs, read_rows

BANK, DRINK = "000001.SZ", "600519.SH"
#: Strategies that together read every kind of column.
ALL = ["breakout", "limit_up", "momentum", "value_rank", "statement_rank", "ma_crossover", "rsi_reversion"]


@pytest.fixture
def market(computing, lake, random_walk, weekdays):
    """Two stocks, one of which pauses for 50 days and pays 1 CNY of dividend, with valuations and statements."""
    bars = random_walk(DRINK, 1).vstack(random_walk(BANK, 2, suspended=tuple(range(80, 130))))
    lake.replace_all("daily_bars", bars)
    event = {"symbol": DRINK, "date": weekdays[40], "ratio": 0.8}
    lake.replace_all(
        "adjust_events", ADJUST_EVENTS.complete(pl.DataFrame([event], schema_overrides=ADJUST_EVENTS.dtypes))
    )
    ratios = bars.select("symbol", "date", pe_ttm=pl.col("close"), pb=pl.lit(2.0))
    lake.replace_all("daily_valuation", DAILY_VALUATION.complete(ratios))
    years = [(date(2023, 12, 31), date(2025, 1, 10), 100.0), (date(2024, 12, 31), date(2025, 1, 11), 200.0)]
    reports = [(symbol, *year) for symbol in (BANK, DRINK) for year in years]
    for table, figure in ((INCOME_STATEMENTS, "net_profit"), (BALANCE_SHEETS, "total_equity")):
        names = ["symbol", "period", "known_since", figure]
        lake.replace_all(table.name, table.complete(pl.DataFrame(reports, schema=names, orient="row")))
    calculate_technical_indicators(IndicatorParams(periods=["daily"]), computing)
    return bars


def rows_for(lake, *names, since=date.min, bars=None):
    choices = [choice_of(name) for name in names]
    columns = tuple(dict.fromkeys(column for choice in choices for column in choice.definition.reads))
    return read_rows(lake, choices, Needs(columns, since, bars))


def test_adjusted_prices_go_with_the_adjusted_close(lake, market, weekdays):
    rows = rows_for(lake, "breakout").filter(symbol=DRINK)
    raw = market.filter(symbol=DRINK).sort("date")
    before, after = rows.row(39, named=True), rows.row(40, named=True)
    assert before["high_hfq"] == pytest.approx(raw["high"][39])
    assert after["high_hfq"] == pytest.approx(raw["high"][40] / 0.8)
    assert after["close_hfq"] / after["high_hfq"] == pytest.approx(raw["close"][40] / raw["high"][40])


def test_a_statement_counts_from_the_day_on_which_it_is_known(lake, market, weekdays):
    rows = rows_for(lake, "statement_rank").filter(symbol=DRINK)
    growth = dict(rows.select("date", "net_profit_growth").iter_rows())
    assert growth[date(2025, 1, 10)] is None
    assert growth[date(2025, 1, 13)] == pytest.approx(1.0)  # 200 after 100, known since Saturday, 11 January
    assert rows["roe_ttm"].drop_nulls().unique().to_list() == [1.0]


def test_limits_and_ratios_are_those_of_the_day(lake, market):
    rows = rows_for(lake, "limit_up", "value_rank").filter(symbol=DRINK).drop_nulls("limit_up")
    raw = market.filter(symbol=DRINK)
    joined = rows.join(raw.select("date", raw="close", before="prev_close"), on="date")
    assert joined["pe_ttm"].equals(joined["raw"].alias("pe_ttm"))
    assert ((joined["limit_up"] - joined["before"] * 1.1).abs() <= 0.005 + 1e-9).all()


def test_a_tail_has_enough_bars_of_a_stock_that_paused(lake, market, weekdays):
    rows = rows_for(lake, "ma_crossover", since=weekdays[149], bars=40)
    before = rows.filter(pl.col("date") < weekdays[149]).group_by("symbol").len()
    assert min(before["len"]) >= 40
    assert rows.height < 2 * 150 - 50


def test_new_days_give_the_signals_of_a_rebuild(computing, lake, market, weekdays):
    lake.replace_all("daily_bars", market.filter(pl.col("date") < weekdays[135]))
    calculate_technical_indicators(IndicatorParams(periods=["daily"]), computing)
    params = SignalParams(strategies=[{"name": "breakout", "days": 5, "times": 0.5}, *ALL[1:]])
    calculate_strategy_signals(params, computing)
    for first, last in ((135, 136), (136, 150)):
        lake.replace_days("daily_bars", market.filter(pl.col("date").is_in(weekdays[first:last])), weekdays[first:last])
        calculate_technical_indicators(IndicatorParams(periods=["daily"]), computing)
        calculate_strategy_signals(params, computing)
    key = ["symbol", "date", "strategy", "side"]
    grown = lake.read("signals").sort(key)
    calculate_strategy_signals(params.model_copy(update={"force": True}), computing)
    assert lake.read("signals").sort(key).equals(grown)
    assert grown["strategy"].n_unique() >= 5


def test_a_new_day_is_read_once_for_strategies_that_look_back_about_as_far(
    computing, lake, market, weekdays, monkeypatch
):
    lake.replace_all("daily_bars", market.filter(pl.col("date") < weekdays[135]))
    calculate_technical_indicators(IndicatorParams(periods=["daily"]), computing)
    near, far = ["ma_crossover", "macd_divergence", "rsi_reversion"], {"name": "breakout", "days": 120}
    calculate_strategy_signals(SignalParams(strategies=[*near, far]), computing)
    lake.replace_days("daily_bars", market.filter(date=weekdays[135]), weekdays[135:136])
    calculate_technical_indicators(IndicatorParams(periods=["daily"]), computing)
    read = []
    real = strategy.read_stretches
    monkeypatch.setattr(
        strategy,
        "read_stretches",
        lambda lake, choices, needs: read.append([choice.label for choice in choices]) or real(lake, choices, needs),
    )
    calculate_strategy_signals(SignalParams(strategies=[*near, far]), computing)
    assert [sorted(labels) for labels in read] == [sorted(near), ["breakout"]]


def test_changed_parameters_change_the_signals_of_their_strategy_only(computing, lake, market):
    calculate_strategy_signals(SignalParams(strategies=["ma_crossover", "rsi_reversion"]), computing)
    before = lake.read("signals").filter(strategy="ma_crossover")
    changed = SignalParams(strategies=["ma_crossover", {"name": "rsi_reversion", "oversold": 40}])
    assert calculate_strategy_signals(changed, computing).status == "success"
    after = lake.read("signals")
    assert after.filter(strategy="ma_crossover").sort("symbol", "date").equals(before.sort("symbol", "date"))
    assert after.filter(strategy="rsi_reversion", side="buy").height > 0
    assert calculate_strategy_signals(changed, computing).status == "skipped"


def test_a_strategy_that_is_changed_and_changed_back_has_its_own_signals_again(computing, lake, market):
    plain, other = ["rsi_reversion"], [{"name": "rsi_reversion", "oversold": 40}]
    calculate_strategy_signals(SignalParams(strategies=plain), computing)
    before = lake.read("signals").sort("symbol", "date", "side")
    calculate_strategy_signals(SignalParams(strategies=other), computing)
    assert lake.read("signals").height > before.height
    assert calculate_strategy_signals(SignalParams(strategies=plain), computing).status == "success"
    assert lake.read("signals").sort("symbol", "date", "side").equals(before)


def test_two_labels_of_one_strategy_stand_beside_each_other(computing, lake, market):
    entries = ["rsi_reversion", {"name": "rsi_reversion", "oversold": 40, "label": "rsi_reversion_40"}]
    result = calculate_strategy_signals(SignalParams(strategies=entries), computing)
    assert list(result.metadata["signals"]) == ["rsi_reversion", "rsi_reversion_40"]
    assert set(lake.read("signals")["strategy"]) == {"rsi_reversion", "rsi_reversion_40"}


def test_a_column_that_no_table_has_is_named_with_the_strategys_line(computing, lake, market, tmp_path, monkeypatch):
    monkeypatch.setenv("MYSTOCKS_ROOT", str(tmp_path))
    own = tmp_path / "strategies" / "own.py"
    own.parent.mkdir()
    own.write_text('@strategy(reads=["ma50"])\ndef own() -> Rules:\n    """Own."""\n')
    with pytest.raises(TableMissing, match=rf"{own}:2: the strategy own reads 'ma50'.*Did you mean 'ma5'"):
        calculate_strategy_signals(SignalParams(strategies=["own"]), computing)


def test_an_indicator_that_looks_ahead_is_marked_and_no_strategy_reads_it(
    computing, lake, market, tmp_path, monkeypatch
):
    peaks = {"name": "PEAKS", "formula": "Z:=ZIG(3,5); LINE:Z; FAST:EMA(C,5);"}
    params = IndicatorParams.model_validate({"indicators": ["MA", peaks], "periods": ["daily"]})
    calculate_technical_indicators(params, computing)
    about = {column.name: column.unit for column in lake.schema_of("indicators_daily").columns}
    assert about["peaks_line"].startswith("looks ahead")
    assert about["peaks_fast"].startswith("PEAKS:")
    monkeypatch.setenv("MYSTOCKS_ROOT", str(tmp_path))
    own = tmp_path / "strategies" / "own.py"
    own.parent.mkdir()
    for column, refused in (("peaks_line", True), ("peaks_fast", False)):
        own.write_text(
            f'@strategy(reads=["{column}"], lookback=1)\ndef own() -> Rules:\n    """Own."""\n'
            f'    return Rules(buy=pl.col("{column}") > 0, sell=pl.col("{column}") < 0)\n'
        )
        if refused:
            with pytest.raises(
                InvalidParams, match=r"own reads 'peaks_line', whose value on a day depends on later days"
            ):
                calculate_strategy_signals(SignalParams(strategies=["own"]), computing)
        else:
            own.write_text(
                "import polars as pl\nfrom mystocks_dagster.strategies.writing import Rules, strategy\n\n"
                + own.read_text()
            )
            assert calculate_strategy_signals(SignalParams(strategies=["own"]), computing).status == "success"
