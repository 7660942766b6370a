"""Signals into the lake."""

import shutil
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake
from pydantic import ValidationError

from mystocks_dagster.errors import MyStocksError, TableMissing
from mystocks_dagster.market.tables.reference import ADJUST_EVENTS
from mystocks_dagster.tasks.indicators import IndicatorParams, calculate_technical_indicators
from mystocks_dagster.tasks.run import tables_of
from mystocks_dagster.tasks.strategy import SignalParams, calculate_strategy_signals


@pytest.fixture
def market(lake, random_walk):
    bars = random_walk("600519.SH", 1).vstack(random_walk("000001.SZ", 2))
    lake.replace_all("daily_bars", bars)
    lake.replace_all("adjust_events", ADJUST_EVENTS.empty())
    return bars


def indicate(run, **params):
    return calculate_technical_indicators(IndicatorParams(periods=["daily"], **params), run)


def signal(run, **params):
    return calculate_strategy_signals(SignalParams(**params), run)


def test_crossings_are_stored_with_the_raw_close_and_the_values(computing, lake, market):
    indicate(computing)
    result = signal(computing, strategies=["ma_crossover"])
    stored = lake.read("signals")
    assert (result.status, result.rows) == ("success", {"signals": stored.height})
    table = lake.read("indicators_daily").sort("symbol", "date")
    expected = []
    for rows in table.partition_by("symbol"):
        gaps = [round(fast - slow, 9) if slow is not None else None for fast, slow in rows.select("ma5", "ma20").rows()]
        for at in range(20, rows.height):
            if gaps[at] > 0 >= gaps[at - 1]:
                expected.append((rows["symbol"][at], rows["date"][at], "buy"))
            if gaps[at] < 0 <= gaps[at - 1]:
                expected.append((rows["symbol"][at], rows["date"][at], "sell"))
    assert stored.sort("symbol", "date").select("symbol", "date", "side").rows() == expected
    assert len(expected) > 4
    bars = market.select("symbol", "date", raw="close")
    joined = stored.join(bars, on=["symbol", "date"])
    assert joined.height == stored.height
    assert joined["close"].equals(joined["raw"].alias("close"))
    assert stored["detail"].str.contains(r"^ma5 [\d.]+ ma20 [\d.]+$").all()


def test_signals_of_an_older_version_in_one_file_are_exchanged_for_files_of_months(computing, lake, market):
    indicate(computing)
    signal(computing)
    stored = lake.read("signals").sort("symbol", "date", "strategy", "side")
    folder = Path(lake.location, "signals")
    shutil.rmtree(folder)
    old = stored.with_columns(strategy=pl.lit("rsi_reversion")).unique(["symbol", "date", "side"])
    write_deltalake(folder, old.to_arrow(compat_level=pl.CompatLevel.oldest()), name="real/signals")
    assert lake.read("signals").height == old.height
    assert signal(computing).rows == {"signals": stored.height + old.height}
    assert DeltaTable(folder).metadata().partition_columns == ["year"]
    computed = lake.read("signals").filter(pl.col("strategy") != "rsi_reversion")
    assert computed.sort("symbol", "date", "strategy", "side").equals(stored)
    assert lake.read("signals").filter(strategy="rsi_reversion").height == old.height


def test_a_market_without_a_signal_is_stored_as_such_and_not_computed_again(computing, lake, market):
    indicate(computing)
    never = {"name": "kdj_overbought", "oversold": 0, "overbought": 100}
    result = signal(computing, strategies=[never])
    assert (lake.read("signals").height, result.metadata["signals"]) == (0, {"kdj_overbought": 0})
    for file in Path(lake.location, "indicators_daily").rglob("*.parquet"):
        file.unlink()
    assert signal(computing, strategies=[never]).status == "skipped"


def test_the_same_indicators_again_are_skipped(computing, lake, market):
    indicate(computing)
    rows = signal(computing).rows["signals"]
    again = signal(computing)
    assert (again.status, dict(again.rows)) == ("skipped", {})
    assert signal(computing, force=True).rows == {"signals": rows}
    assert lake.read("signals").height == rows


def test_nothing_new_is_known_without_reading_an_indicator(computing, lake, market):
    indicate(computing)
    signal(computing)
    for table in ("indicators_daily", "daily_bars"):
        for file in Path(lake.location, table).rglob("*.parquet"):
            file.unlink()
    assert signal(computing).status == "skipped"


def test_new_days_add_their_signals_and_leave_the_others(computing, lake, market, weekdays):
    lake.replace_all("daily_bars", market.filter(pl.col("date") < weekdays[130]))
    indicate(computing)
    before = signal(computing).rows["signals"]
    lake.replace_days("daily_bars", market.filter(pl.col("date") >= weekdays[130]), weekdays[130:])
    indicate(computing)
    added = signal(computing).rows["signals"]
    stored = lake.read("signals").sort("symbol", "date", "strategy", "side")
    assert added == stored.filter(pl.col("date") >= weekdays[130]).height > 0
    assert signal(computing, force=True).rows == {"signals": before + added}
    assert lake.read("signals").sort("symbol", "date", "strategy", "side").equals(stored)


def test_the_signals_of_strategies_that_are_not_asked_stay(computing, lake, market):
    indicate(computing)
    counts = signal(computing).metadata["signals"]
    assert signal(computing, strategies=["kdj_overbought"]).status == "skipped"
    assert {name: lake.read("signals").filter(strategy=name).height for name in counts} == counts


def test_i_removed_a_strategy_and_the_run_says_that_its_signals_are_still_stored(computing, lake, market, weekdays):
    lake.replace_all("daily_bars", market.filter(pl.col("date") < weekdays[130]))
    indicate(computing)
    first = signal(computing, strategies=["ma_crossover", "kdj_overbought"])
    assert "other strategies" not in first.message
    others = f" {first.metadata['signals']['kdj_overbought']} more signals are those of other strategies; "
    assert others in signal(computing, strategies=["ma_crossover"]).message
    lake.replace_days("daily_bars", market.filter(pl.col("date") >= weekdays[130]), weekdays[130:])
    indicate(computing)
    later = signal(computing, strategies=["ma_crossover"])
    assert later.rows
    assert others in later.message
    assert others in signal(computing, strategies=["ma_crossover"], force=True).message


def test_a_run_says_which_strategy_computes_the_whole_history_each_day(computing, lake, market):
    indicate(computing)
    formula = {"name": "formula", "buy": "CROSS(C,MA(C,5))", "sell": "CROSS(MA(C,5),C)"}
    result = signal(computing, strategies=["ma_crossover", formula])
    assert result.metadata["new_day_reads"] == {
        "ma_crossover": "the last 2 bars",
        "formula": "all bars: it states no lookback",
    }


def test_signals_that_are_no_longer_true_go(computing, lake, market):
    indicate(computing)
    signal(computing)
    lake.replace_all("daily_bars", market.filter(symbol="600519.SH"))
    indicate(computing)
    signal(computing)
    assert lake.read("signals")["symbol"].unique().to_list() == ["600519.SH"]


def test_without_indicators_the_message_names_the_table(computing, market):
    with pytest.raises(TableMissing, match="indicators_daily"):
        signal(computing)


def test_an_indicator_that_was_never_calculated_is_named_with_the_remedy(computing, lake, market):
    indicate(computing, indicators=["MA"])
    with pytest.raises(
        TableMissing, match="has no values of macd_dif, which macd_divergence needs; run calc_technical_indicators"
    ):
        signal(computing, strategies=["macd_divergence"])
    assert not lake.exists("signals")


def test_a_history_that_is_too_short_is_no_failure_and_is_said(computing, lake, market, weekdays):
    lake.replace_all("daily_bars", market.filter(pl.col("date") < weekdays[2]))
    indicate(computing)
    result = signal(computing, strategies=["ma_crossover", "kdj_overbought", "momentum"])
    assert (result.status, lake.read("signals").height) == ("success", 0)
    assert "ma_crossover has no signals: fewer than 20 bars." in result.message  # MA20
    assert "kdj_overbought has no signals: fewer than 9 bars." in result.message  # 通达信's KDJ(9,3,3)
    assert "momentum has no signals: it looks at up to 116 bars, and the longest history has 2." in result.message
    lake.replace_all("daily_bars", market)
    indicate(computing)
    assert "fewer than" not in signal(computing).message


def test_an_own_window_that_is_longer_than_the_history_is_no_failure(computing, lake, market, tmp_path, monkeypatch):
    monkeypatch.setenv("MYSTOCKS_ROOT", str(tmp_path))
    own = tmp_path / "strategies" / "own.py"
    own.parent.mkdir()
    own.write_text(
        "import polars as pl\nfrom mystocks_dagster.strategies import Rules, strategy\n"
        '@strategy(reads=["ma5", "ma250"], lookback=1)\ndef own() -> Rules:\n    """Own."""\n'
        '    gap = pl.col("ma5") - pl.col("ma250")\n    return Rules(buy=gap > 0, sell=gap < 0)\n'
    )
    indicate(computing, indicators=[{"name": "MA", "windows": [5, 250]}])
    assert signal(computing, strategies=["own"]).rows == {}
    assert lake.read("signals").is_empty()


def test_an_unknown_strategy_is_refused():
    with pytest.raises(ValidationError):
        SignalParams(strategies=["turtle"])


def test_the_seeds_parameters_are_the_defaults():
    assert SignalParams() == SignalParams(strategies=["ma_crossover", "macd_divergence", "kdj_overbought"])
    assert tables_of(calculate_strategy_signals).reads == ("indicators_daily", "daily_bars")


MARKET = (
    "import polars as pl\nfrom datetime import date\nfrom mystocks_dagster.strategies import Rules, strategy\n"
    '@strategy(reads=["close_hfq"], lookback=0)\ndef own(market: pl.DataFrame) -> pl.DataFrame:\n    """Own."""\n'
)


@pytest.fixture
def write_own(tmp_path, monkeypatch):
    """Write a strategy `own` of the whole market, which returns `rows`."""
    monkeypatch.setenv("MYSTOCKS_ROOT", str(tmp_path))

    def write(rows):
        path = tmp_path / "strategies" / "own.py"
        path.parent.mkdir(exist_ok=True)
        frame = f"pl.DataFrame({rows!r}, schema=['symbol', 'date'], orient='row')"
        columns = "pl.col('date').str.to_date(), side=pl.lit('buy')"
        path.write_text(f"{MARKET}    return {frame}.with_columns({columns})\n")

    return write


@pytest.mark.parametrize(
    ("symbol", "day", "example"),
    [
        ("999999.XX", "2024-06-03", "999999.XX on 2024-06-03"),
        ("000001.SZ", "2024-06-08", "000001.SZ on 2024-06-08"),
        (None, "2024-06-03", "null on 2024-06-03"),
        ("000001.SZ", "2035-01-01", "000001.SZ on 2035-01-01"),
    ],
)
def test_my_strategy_names_stocks_or_days_without_a_bar_and_i_am_told(
    computing, lake, market, weekdays, write_own, symbol, day, example
):
    indicate(computing)
    write_own([(symbol, day)])
    result = signal(computing, strategies=["own", "ma_crossover"])
    assert "own: 1 signals are not stored, as there is no bar of their symbol and day, such as " in result.message
    assert f"such as {example}." in result.message
    assert "ma_crossover:" not in result.message
    assert result.status == "success"
    write_own([(symbol, day), *(("000001.SZ", f"{weekdays[at]}") for at in (3, 149))])
    result = signal(computing, strategies=["own"])
    assert result.metadata["signals"] == {"own": 2}
    assert (
        f"own: 1 signals are not stored, as there is no bar of their symbol and day, such as {example}."
        in result.message
    )


@pytest.fixture
def write_rules(tmp_path, monkeypatch):
    """Write a strategy `own` that buys on a condition, with a score."""
    monkeypatch.setenv("MYSTOCKS_ROOT", str(tmp_path))

    def write(buy="pl.col('close_hfq') > 0", score="pl.col('close_hfq')", reads="close_hfq"):
        path = tmp_path / "strategies" / "own.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(
            "import polars as pl\nfrom mystocks_dagster.strategies import Rules, strategy\n"
            f'@strategy(reads=["{reads}"], lookback=0)\ndef own() -> Rules:\n    """Own."""\n'
            f"    return Rules(buy={buy}, sell=pl.lit(False), score={score})\n"
        )
        return path

    return write


@pytest.mark.slow
@pytest.mark.parametrize(
    ("faulty", "reason", "stored_before"),
    [
        ({"buy": "pl.col('close_hfq') > 10 / 0"}, "failed: ZeroDivisionError: division by zero", True),
        ({"score": "pl.col('close_hfq') / 0"}, "its score of 000001.SZ on ", False),
        ({"buy": "5"}, "in Rules, buy must be an expression", False),
        ({"reads": "ma77"}, "the strategy own reads 'ma77', which is no column", True),
        ({"reads": "pe_ttm"}, "own reads the table daily_valuation, which is not in the lake", False),
    ],
)
def test_one_strategy_fails_and_i_have_the_signals_of_the_others(
    computing, lake, market, weekdays, write_rules, faulty, reason, stored_before
):
    others = ["ma_crossover", "kdj_overbought"]
    lake.replace_all("daily_bars", market.filter(pl.col("date") < weekdays[130]))
    indicate(computing)
    if stored_before:
        write_rules()
        signal(computing, strategies=["own", *others])
        own = lake.read("signals").filter(strategy="own").sort("symbol", "date")
    lake.replace_all("daily_bars", market)
    indicate(computing)
    path = write_rules(**faulty)
    with pytest.raises(MyStocksError) as failed:
        signal(computing, strategies=["own", *others])
    stored = lake.read("signals")
    counts = ", ".join(f"{name} ({stored.filter(strategy=name).height})" for name in others)
    assert reason in str(failed.value)
    assert reason.startswith("own reads") or f"{path}:4" in str(failed.value)
    assert str(failed.value).endswith(
        f". The signals of the other strategies are stored: {counts}. Those of own stay as they were."
    )
    assert stored["date"].max() >= weekdays[140]
    if stored_before:
        assert stored.filter(strategy="own").sort("symbol", "date").equals(own)
    assert signal(computing, strategies=others).status == "skipped"
    write_rules()
    assert signal(computing, strategies=["own", *others]).metadata["signals"]["own"] == market.height
    assert lake.read("signals").filter(pl.col("strategy") != "own").equals(stored.filter(pl.col("strategy") != "own"))


def test_all_of_my_strategies_fail_and_each_is_named(computing, lake, market, write_rules):
    indicate(computing, indicators=["MA"])
    path = write_rules(buy="5")
    with pytest.raises(MyStocksError) as failed:
        signal(computing, strategies=["own", "macd_divergence"])
    assert f"The strategy own ({path}:4) failed: in Rules, buy must be an expression" in str(failed.value)
    assert "has no values of macd_dif, which macd_divergence needs" in str(failed.value)
    assert "are stored" not in str(failed.value)
    assert not lake.exists("signals")


LOOK = """
import polars as pl
from mystocks_dagster.strategies import Rules, best_of_each_period, strategy

c = pl.col("close_hfq")

@strategy(reads=["close_hfq"], lookback=2)
def look() -> Rules:
    \"\"\"Know tomorrow.\"\"\"
    return Rules(buy=c.shift(-1) > c, sell=c.shift(-1) < c)

@strategy(reads=["close_hfq"], lookback=60)
def look_of_all(market: pl.DataFrame) -> pl.DataFrame:
    \"\"\"Rank by tomorrow.\"\"\"
    rows = market.with_columns(gain=(c.shift(-1) / c).over("symbol"))
    return best_of_each_period(rows, pl.col("gain"), top=1, every="day")
"""


@pytest.mark.parametrize(("name", "line"), [("look", 8), ("look_of_all", 13)])
@pytest.mark.parametrize("stored_before", [False, True])
def test_my_strategy_knows_tomorrow_and_is_refused_while_the_others_are_stored(
    computing, lake, market, tmp_path, monkeypatch, name, line, stored_before
):
    monkeypatch.setenv("MYSTOCKS_ROOT", str(tmp_path))
    (tmp_path / "strategies").mkdir()
    (tmp_path / "strategies" / "mine.py").write_text(LOOK)
    indicate(computing)
    if stored_before:
        signal(computing, strategies=["kdj_overbought"])
    with pytest.raises(MyStocksError) as failed:
        signal(computing, strategies=[name, "ma_crossover"])
    text, stored = str(failed.value), lake.read("signals")
    assert text.startswith(f"The strategy {name} ({tmp_path}/strategies/mine.py:{line}) looks ahead: ")
    assert " with all days, " in text
    assert f"What is stored must not depend on later days. Test it: mystocks strategies check {name}. The " in text
    number = stored.filter(strategy="ma_crossover").height
    assert f"The signals of the other strategies are stored: ma_crossover ({number}). Those of {name} stay" in text
    assert {*stored["strategy"]} == {"ma_crossover", *(["kdj_overbought"] if stored_before else [])}


SHORT = """
import polars as pl
from mystocks_dagster.strategies import Rules, strategy

@strategy(reads=["close_hfq"], lookback="days - less")
def short(days: int = 20, less: int = 0) -> Rules:
    \"\"\"Buy a new high.\"\"\"
    close = pl.col("close_hfq")
    return Rules(buy=close > close.shift(1).rolling_max(days), sell=close < close.shift(1).rolling_min(days))
"""


def test_my_strategys_lookback_is_too_short_and_i_am_told_which_to_write(
    computing, lake, market, tmp_path, monkeypatch
):
    monkeypatch.setenv("MYSTOCKS_ROOT", str(tmp_path))
    (tmp_path / "strategies").mkdir()
    (tmp_path / "strategies" / "mine.py").write_text(SHORT)
    indicate(computing)
    with pytest.raises(MyStocksError) as failed:
        signal(computing, strategies=[{"name": "short", "less": 5}, "ma_crossover"])
    text = str(failed.value)
    assert f"The strategy short ({tmp_path}/strategies/mine.py:6) depends on more earlier bars than its look" in text
    assert "its lookback of 15: " in text
    assert ": no signal with all days" in text or ": the signal with all days" in text
    assert "State a longer lookback, or none, then all bars are read. " in text
    assert "Test it: mystocks strategies check short -p less=5. The signals of the other strategies are stored" in text
    assert {*lake.read("signals")["strategy"]} == {"ma_crossover"}
    assert signal(computing, strategies=["short"]).metadata["signals"]["short"] > 5


@pytest.mark.parametrize("until", [90, 119, 130])
def test_a_sale_of_a_ranking_has_its_reason_and_a_new_day_the_same_as_a_rebuild(
    computing, lake, random_walk, weekdays, until
):
    pauses = {1: (), 2: (), 3: (120, 121)}
    bars = pl.concat([random_walk(f"00000{number}.SZ", number, suspended=days) for number, days in pauses.items()])
    lake.replace_all("adjust_events", ADJUST_EVENTS.empty())
    ranking = [{"name": "momentum", "days": 10, "skip": 0, "top": 1, "every": "week"}]
    lake.replace_all("daily_bars", bars.filter(pl.col("date") < weekdays[until]))
    indicate(computing)
    signal(computing, strategies=ranking)
    lake.replace_days("daily_bars", bars.filter(pl.col("date") >= weekdays[until]), weekdays[until:])
    indicate(computing)
    signal(computing, strategies=ranking)
    order = ("symbol", "date", "side")
    carried = lake.read("signals").sort(order)
    signal(computing, strategies=ranking, force=True)
    assert lake.read("signals").sort(order).equals(carried)
    sold = carried.filter(side="sell")["detail"]
    assert len(sold) > 5
    assert sold.str.contains(r"^rank [23] ranked [23]$|^not_ranked no_trade$").all()


def test_a_strategy_whose_table_nobody_wrote_names_the_function_that_does(computing, lake, alternating_market):
    calculate_technical_indicators(IndicatorParams(), computing)
    words = r"value_rank reads the table daily_valuation, which is not in the lake .* yet\. sync_daily"
    with pytest.raises(TableMissing, match=words):
        calculate_strategy_signals(SignalParams(strategies=["value_rank"]), computing)
