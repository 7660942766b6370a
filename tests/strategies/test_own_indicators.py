"""A project's indicators in Python: read without being run, computed with the engine of the formulas, carried on."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from mystocks_dagster.errors import InvalidParams
from mystocks_dagster.market.formulas.evaluation import Bars, empty_state, evaluate
from mystocks_dagster.market.formulas.plan import plan
from mystocks_dagster.strategies.own_indicators import as_formula, column_of, indicator_problems, own_indicators
from mystocks_dagster.strategies.shift import indicator_shift_test

FLOW = '''
import polars as pl
from mystocks_dagster.strategies import indicator

@indicator(reads=["close_hfq", "amount"], outputs=["line", "rise"], lookback="n")
def flow(n: int = 3) -> dict[str, pl.Expr]:
    """Mean price by amount."""
    price, amount = pl.col("close_hfq"), pl.col("amount")
    return {"line": (price * amount).rolling_sum(n) / amount.rolling_sum(n), "rise": price - price.shift(n)}
'''


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.setenv("MYSTOCKS_ROOT", str(tmp_path))

    def write(text: str):
        path = tmp_path / "indicators" / "own.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    return write


@pytest.fixture(scope="module")
def bars():
    """Three symbols with 40, 2 and 25 bars."""
    rng = np.random.default_rng(5)
    columns = {"CLOSE": 20 + rng.normal(0, 1, 67), "AMOUNT": rng.lognormal(5, 1, 67)}
    return Bars(np.array([0, 40, 42, 67]), columns)


def planned(**params):
    definition = own_indicators()["flow"]
    formula = as_formula(definition, {name: getattr(definition.model(**params), name) for name in definition.fields})
    return plan((formula, (), (("LINE", "flow_line"), ("RISE", "flow_rise"))))


def test_values_are_those_of_the_definition_symbol_by_symbol(write, bars):
    write(FLOW)
    results = evaluate(planned(n=4), bars)
    close, amount = bars.columns["CLOSE"], bars.columns["AMOUNT"]
    for first, last in ((0, 40), (40, 42), (42, 67)):
        for row in range(first, last):
            window = slice(row - 3, row + 1)
            if row - first < 3:
                assert np.isnan(results["flow_line"][row])
            else:
                expected = (close[window] * amount[window]).sum() / amount[window].sum()
                assert results["flow_line"][row] == pytest.approx(expected, rel=1e-12)
            expected = close[row] - close[row - 4] if row - first >= 4 else np.nan
            np.testing.assert_equal(results["flow_rise"][row], expected)


def test_new_bars_are_carried_on_from_the_state(write, bars):
    write(FLOW)
    steps = planned()
    assert steps.carried
    whole, state, pieces = evaluate(steps, bars), empty_state(steps, 3), []
    for part in ((0, 1), (1, 2), (2, 20), (20, 40)):
        rows = [
            np.arange(*np.clip(np.array(part) + first, first, last)) for first, last in ((0, 40), (40, 42), (42, 67))
        ]
        offsets = np.concatenate([[0], np.cumsum([len(one) for one in rows])])
        chosen = np.concatenate(rows)
        columns = {name: values[chosen] for name, values in bars.columns.items()}
        pieces.append((chosen, evaluate(steps, Bars(offsets, columns), state)))
    for name, values in whole.items():
        for chosen, results in pieces:
            np.testing.assert_allclose(results[name], values[chosen], rtol=1e-12)


def test_without_a_lookback_it_is_computed_anew(write):
    write(FLOW.replace(', lookback="n"', ""))
    assert not planned().carried


def test_another_text_or_value_is_another_version(write):
    write(FLOW)
    versions = {planned(n=3).versions["flow_line"], planned(n=4).versions["flow_line"]}
    write(FLOW.replace("rolling_sum(n) / amount", "rolling_sum(n) / 2 / amount"))
    assert len({*versions, planned(n=3).versions["flow_line"]}) == 3


def test_a_column_is_named_after_the_indicator_or_its_label(write):
    write(FLOW)
    assert column_of(own_indicators()["flow"], "line") == "flow_line"
    assert column_of(own_indicators()["flow"], "line", "flow_9") == "flow_9_line"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"amount"], outputs', '"ma5"], outputs', "flow: it reads 'ma5'; an indicator can read open_hfq, high_hfq"),
        ('outputs=["line", "rise"], ', "", "flow: @indicator needs reads=[...] and outputs=[...]"),
        ('["line", "rise"]', '["line", "line"]', "flow: two outputs have the column of 'line'"),
        ('["line", "rise"]', '["line", "Line"]', "flow: two outputs have the column of 'Line'"),
        (
            '["line", "rise"]',
            '["line", "a b"]',
            "flow: an output cannot be called 'a b'; it ends the name of a column: ",
        ),
        ('["line", "rise"]', '["line", ""]', "flow: an output cannot be called ''; it ends the name of a column: "),
        ('["line", "rise"]', '["line", "date"]', "flow: an output cannot be called 'date'; it ends the name of"),
        ("n: int = 3", "market: int = 3", "flow: lookback uses 'n', which is no parameter"),
    ],
)
def test_a_faulty_file_is_a_problem_with_its_line(write, old, new, message):
    path = write(FLOW.replace(old, new, 1))
    assert own_indicators() == {}
    (problem,) = indicator_problems()
    assert f"{problem}".startswith(str(path))
    assert problem.message.startswith(message)


def test_a_fault_of_its_code_is_told_with_its_place(write, bars):
    path = write(FLOW.replace('"rise": price', '"rises": price'))
    with pytest.raises(InvalidParams, match="must return a mapping with an expression for 'rise'") as raised:
        evaluate(planned(), bars)
    assert f"{path}:6" in str(raised.value)


@pytest.mark.parametrize("value", ["'close_hfq'", "None", "5", "[1]"])
def test_an_output_that_is_no_expression_is_named(write, bars, value):
    write(FLOW.replace('"rise": price', f'"rise": {value}, "x": price'))
    with pytest.raises(InvalidParams, match=r"in its mapping, 'rise' must be an expression, such as pl\.col"):
        evaluate(planned(), bars)


@pytest.fixture
def rows(bars):
    """The same bars as rows of a lake."""
    days = [date(2024, 1, 1) + timedelta(days=number) for number in range(40)]
    symbols = [(symbol, day) for symbol, length in (("a", 40), ("b", 2), ("c", 25)) for day in days[:length]]
    frame = pl.DataFrame(symbols, schema={"symbol": pl.Enum(["a", "b", "c"]), "date": pl.Date}, orient="row")
    return frame.with_columns(close_hfq=pl.Series(bars.columns["CLOSE"]), amount=pl.Series(bars.columns["AMOUNT"]))


def test_the_shift_test_finds_a_look_ahead_and_a_lookback_that_is_too_short(write, rows):
    write(FLOW)
    test = indicator_shift_test(own_indicators()["flow"], {"n": 3}, rows)
    assert test.differences == ()
    assert test.signals > 100
    write(FLOW.replace("price.shift(n)", "price.shift(-1)"))
    (first, *_) = indicator_shift_test(own_indicators()["flow"], {"n": 3}, rows).differences
    assert (first.cut, first.side, first.part) == ("future", "rise", None)
    write(FLOW.replace('lookback="n"', 'lookback="n - 1"'))
    assert {item.cut for item in indicator_shift_test(own_indicators()["flow"], {"n": 3}, rows).differences} == {"past"}


#: Expressions that fail only on rows, and what is said of them.
FAILING = {
    "pl.lit('x')": "its output 'rise' must be a number on each row, but is String",
    "pl.concat_list('close_hfq')": "its output 'rise' must be a number on each row, but is List(Float64)",
    "pl.struct('close_hfq')": "its output 'rise' must be a number on each row, but is Struct({'close_hfq': Float64})",
    "price.head(3)": "ShapeError: the length of the window expression did not match that of the group",
    "price.map_batches(lambda values: 1 / 0, pl.Float64)": "ZeroDivisionError: division by zero",
    "price.map_batches(lambda values: exit(3), pl.Float64)": "it called sys.exit(3) instead of returning",
    "exit(3)": "it called sys.exit(3) instead of returning",
}


@pytest.mark.parametrize("expression", FAILING)
def test_my_indicator_fails_on_its_rows_and_i_am_told_its_name_file_and_line(write, bars, rows, expression):
    path = write(
        FLOW.replace("price - price.shift(n)", expression).replace(
            "import polars", "from sys import exit\nimport polars"
        )
    )
    told = f"The indicator flow ({path}:7) failed: {FAILING[expression]}"
    with pytest.raises(InvalidParams) as raised:
        evaluate(planned(), bars)
    assert str(raised.value) == told
    with pytest.raises(InvalidParams) as raised:
        indicator_shift_test(own_indicators()["flow"], {"n": 3}, rows)
    assert str(raised.value) == told


def test_an_output_may_be_one_number_or_a_condition(write, bars):
    write(FLOW.replace("price - price.shift(n)", "pl.lit(2)"))
    assert set(evaluate(planned(), bars)["flow_rise"]) == {2.0}
    write(FLOW.replace("price - price.shift(n)", "price > 0"))
    assert set(evaluate(planned(), bars)["flow_rise"]) == {1.0}
