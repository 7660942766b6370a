"""An indicator in Python in tasks.yaml: checked at load, stored, carried on, and read by a strategy."""

import polars as pl
import pytest
from polars.testing import assert_series_equal
from pydantic import ValidationError

from mystocks_dagster.errors import InvalidParams
from mystocks_dagster.market.tables.reference import ADJUST_EVENTS
from mystocks_dagster.tasks import indicators
from mystocks_dagster.tasks.indicators import IndicatorParams, calculate_technical_indicators
from mystocks_dagster.tasks.run import tables_of
from mystocks_dagster.tasks.strategy import SignalParams, calculate_strategy_signals

FLOW = '''
import polars as pl
from mystocks_dagster.strategies import indicator

@indicator(reads=["close_hfq", "amount"], outputs=["line"], lookback="n")
def flow(n: int = 3) -> dict[str, pl.Expr]:
    """Mean price by amount."""
    price, amount = pl.col("close_hfq"), pl.col("amount")
    return {"line": (price * amount).rolling_sum(n) / amount.rolling_sum(n)}
'''
ABOVE = '''
import polars as pl
from mystocks_dagster.strategies import Rules, crosses_above, strategy

@strategy(reads=["close_hfq", "flow_line"], lookback=1)
def above() -> Rules:
    """Buy above the line."""
    close, line = pl.col("close_hfq"), pl.col("flow_line")
    return Rules(buy=crosses_above(close, line), sell=crosses_above(line, close), values=["flow_line"])
'''


@pytest.fixture
def project(tmp_path, monkeypatch, lake, random_walk, weekdays):
    """The project's own code, and bars of two stocks up to the 140th day; return all bars."""
    monkeypatch.setenv("MYSTOCKS_ROOT", str(tmp_path))
    for name, text in (("indicators/mine.py", FLOW), ("strategies/mine.py", ABOVE)):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(text)
    bars = random_walk("600519.SH", 1).vstack(random_walk("000001.SZ", 2, suspended=tuple(range(80, 90))))
    lake.replace_all("daily_bars", bars.filter(pl.col("date") < weekdays[140]))
    lake.replace_all("adjust_events", ADJUST_EVENTS.empty())
    return bars


def calculate(run, *entries, **options):
    return calculate_technical_indicators(IndicatorParams(indicators=list(entries), periods=["daily"], **options), run)


def test_its_columns_are_stored_and_carried_on_and_a_strategy_reads_them(computing, lake, project, weekdays):
    calculate(computing, "MA", {"name": "flow", "n": 5})
    lake.replace_days("daily_bars", project.filter(pl.col("date") >= weekdays[140]), weekdays[140:])
    carried = calculate(computing, "MA", {"name": "flow", "n": 5})
    stored = lake.read("indicators_daily").sort("symbol", "date")
    traded = project.filter(~pl.col("suspended")).sort("symbol", "date")
    value = (pl.col("close") * pl.col("amount")).rolling_sum(5) / pl.col("amount").rolling_sum(5)
    expected = traded.select(value.over("symbol")).to_series()
    assert_series_equal(stored["flow_line"], expected, check_names=False, rel_tol=1e-12)
    assert stored["ma5"].null_count() == 8
    assert list(carried.stages) == ["daily, new bars"]
    assert calculate_strategy_signals(SignalParams(strategies=["above"]), computing).status == "success"
    assert lake.read("signals")["detail"].str.starts_with("flow_line ").all()


def test_two_parameter_sets_stand_beside_each_other(computing, lake, project):
    calculate(computing, "flow", {"name": "flow", "n": 9, "label": "flow9"})
    stored = lake.read("indicators_daily")
    assert (stored["flow_line"].null_count(), stored["flow9_line"].null_count()) == (2 * 2, 2 * 8)


@pytest.mark.parametrize(
    ("entry", "place", "text"),
    [
        ("flwo", (), "'flwo' is no indicator"),
        ({"name": "flow", "m": 3}, ("m",), "the indicator flow has no parameter 'm'"),
        ({"name": "flow", "n": "x"}, ("n",), "valid integer"),
        ({"name": "flow", "label": "My"}, ("label",), "label cannot be"),
    ],
)
def test_a_fault_is_found_at_load(project, entry, place, text):
    with pytest.raises(ValidationError, match=text) as raised:
        IndicatorParams(indicators=["MA", entry])
    (detail,) = raised.value.errors()
    assert tuple(part for part in detail["loc"][2:] if not str(part).startswith("=")) == place


def test_the_code_version_changes_with_its_text_and_its_parameters(project, tmp_path):
    def version(**params):
        return tables_of(calculate_technical_indicators, {"indicators": [{"name": "flow", **params}]}).code_version

    versions = {version(), version(n=4)}
    (tmp_path / "indicators" / "mine.py").write_text(FLOW + "# another\n")
    assert len({*versions, version()}) == 3


FUTURE = '''
import polars as pl
from mystocks_dagster.strategies import indicator

@indicator(reads=["close_hfq"], outputs=["line"], lookback="n")
def future(n: int = 1) -> dict[str, pl.Expr]:
    """Tomorrow's mean."""
    return {"line": pl.col("close_hfq").shift(-1).rolling_mean(n)}

@indicator(reads=["close_hfq"], outputs=["share"], lookback=None)
def of_all(n: int = 1) -> dict[str, pl.Expr]:
    """The close by the mean of all days, also of later ones."""
    return {"share": pl.col("close_hfq") / pl.col("close_hfq").mean()}
'''


@pytest.mark.parametrize("name", ["future", "of_all"])
def test_one_that_knows_tomorrow_is_refused_before_anything_is_stored(computing, lake, project, tmp_path, name):
    (tmp_path / "indicators" / "ahead.py").write_text(FUTURE)
    with pytest.raises(InvalidParams) as raised:
        calculate(computing, {"name": name, "n": 3})
    told = str(raised.value)
    assert told.startswith(f"The indicator {name} ({tmp_path}/indicators/ahead.py:")
    assert "looks ahead: " in told
    assert told.endswith(f"Test it: mystocks strategies check {name} -p n=3")
    assert not lake.exists("indicators_daily")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ('pl.col("close_hfq") * (1 / 0)', "failed: ZeroDivisionError: division by zero"),
        ('pl.col("close_hqf")', "failed: ColumnNotFoundError"),
        ('pl.col("close_hfq").shift(-1)', "looks ahead: "),
    ],
)
def test_one_indicator_in_python_fails_and_i_have_the_columns_of_the_others(
    computing, lake, project, tmp_path, weekdays, value, reason
):
    calculate(computing, "MA", "flow")
    own = lake.read("indicators_daily").select("symbol", "date", "flow_line")
    faulty = FLOW.replace("(price * amount).rolling_sum(n) / amount.rolling_sum(n)", value)
    (tmp_path / "indicators" / "mine.py").write_text(faulty)
    lake.replace_days("daily_bars", project.filter(pl.col("date") >= weekdays[140]), weekdays[140:])
    with pytest.raises(InvalidParams) as raised:
        calculate(computing, "MA", "flow")
    told, stored = str(raised.value), lake.read("indicators_daily")
    assert told.startswith(f"The indicator flow ({tmp_path}/indicators/mine.py:6) {reason}")
    assert f". The other indicators are stored: 20 rows up to {weekdays[-1]}." in told
    assert stored.filter(date=weekdays[-1])["ma5"].null_count() == 0
    assert stored.filter(date=weekdays[-1])["flow_line"].null_count() == 2
    assert (
        stored.filter(pl.col("date") < weekdays[140])
        .select(own.columns)
        .sort("symbol", "date")
        .equals(own.sort("symbol", "date"))
    )
    (tmp_path / "indicators" / "mine.py").write_text(FLOW)
    calculate(computing, "MA", "flow")
    assert lake.read("indicators_daily").filter(date=weekdays[-1])["flow_line"].null_count() == 0


@pytest.mark.slow
def test_one_indicator_in_python_fails_on_some_bars_only_and_i_have_the_columns_of_the_others(
    computing, lake, project, tmp_path, monkeypatch
):
    monkeypatch.setattr(indicators, "refused", lambda *_: {})  # as where the sample has no such bars
    rare = FLOW.replace("def flow", "def rare").replace(
        "(price * amount).rolling_sum(n) / amount.rolling_sum(n)",
        'pl.when(price == price.max()).then(pl.lit("x")).otherwise(pl.lit("1")).cast(pl.Float64)',
    )
    (tmp_path / "indicators" / "rare.py").write_text(rare)
    with pytest.raises(InvalidParams) as raised:
        calculate(computing, "rare", "MA", "flow")
    stored, told = lake.read("indicators_daily"), str(raised.value)
    assert told.startswith(f"The indicator rare ({tmp_path}/indicators/rare.py:6) failed: ")
    assert "The other indicators are stored: " in told
    assert [stored[name].null_count() for name in ("ma5", "flow_line")] == [2 * 4, 2 * 2]
    assert "rare_line" not in stored.columns or stored["rare_line"].null_count() == stored.height
    assert calculate(computing, "MA", "flow").status == "skipped"


@pytest.mark.parametrize(
    ("n", "words"),
    [
        (0, "n cannot be 0: it is a number of bars"),
        (-3, "n cannot be -3: lookback 'n' is -3, which is below 0"),
    ],
)
def test_a_window_of_no_bars_is_refused_at_its_place(project, n, words):
    with pytest.raises(ValidationError) as caught:
        IndicatorParams(indicators=["MA", {"name": "flow", "n": n}])
    (error,) = caught.value.errors()
    assert [part for part in error["loc"] if not str(part).startswith("=")] == ["indicators", 1, "n"]
    assert error["msg"] == words


AVERAGE = '''
import polars as pl
from mystocks_dagster.strategies import indicator

@indicator(reads=["close_hfq"], outputs=["line"], lookback="{lookback}")
def average(n: int = 8) -> dict[str, pl.Expr]:
    """An average."""
    return {{"line": pl.col("close_hfq").{value}}}
'''


@pytest.mark.parametrize(
    ("value", "short", "long"),
    [
        ("ewm_mean(span=n, adjust=False)", "n", "13 * n"),
        ("rolling_mean(n + 2)", "3", "n + 1"),
        ("shift(n + 1)", "n", "n + 1"),
    ],
)
def test_my_lookback_is_too_short_and_i_am_told_before_new_days_differ_from_a_rebuild(
    computing, lake, project, tmp_path, weekdays, value, short, long
):
    path = tmp_path / "indicators" / "average.py"
    path.write_text(AVERAGE.format(lookback=short, value=value))
    average = {"name": "average", "n": 4}
    with pytest.raises(InvalidParams) as raised:
        calculate(computing, "MA", average)
    bars = 4 if short == "n" else 3
    told = str(raised.value)
    assert told.startswith(
        f"The indicator average ({path}:6) depends on more earlier bars than its lookback of {bars}: 000001.SZ "
    )
    assert "State a longer lookback, or none, then all bars are read. " in told
    assert "Test it: mystocks strategies check average -p n=4. The other indicators are stored: " in told

    path.write_text(AVERAGE.format(lookback=long, value=value))
    calculate(computing, "MA", average)
    lake.replace_days("daily_bars", project.filter(pl.col("date") >= weekdays[140]), weekdays[140:])
    calculate(computing, "MA", average)
    order = ("symbol", "date")
    carried = lake.read("indicators_daily").sort(order)["average_line"]
    calculate(computing, "MA", average, force=True)
    rebuilt = lake.read("indicators_daily").sort(order)["average_line"]
    assert_series_equal(carried, rebuilt, rel_tol=1e-9)
