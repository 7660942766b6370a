"""An indicator with its parameters: which columns it writes, and when two are the same."""

import pytest

from mystocks_dagster.market.catalogue.calculation import distinct, of_catalogue, of_formula, shared_column
from mystocks_dagster.market.formulas.problems import FormulaError


def columns(*calculations):
    return [column for calculation in calculations for column in calculation.columns.values()]


def test_the_defaults_have_short_columns_and_other_values_are_part_of_the_name():
    assert columns(*of_catalogue("MA", windows=(5, 250))) == ["ma5", "ma250"]
    assert columns(*of_catalogue("CCI", {"n": 20})) == ["cci20"]
    assert columns(*of_catalogue("MACD")) == ["macd_dif", "macd_dea", "macd"]
    assert columns(*of_catalogue("MACD", {"short": 10})) == ["macd_10_26_9_dif", "macd_10_26_9_dea", "macd_10_26_9"]
    assert columns(*of_catalogue("BOLL", {"p": 2.5}))[0] == "boll_20_2p5_mid"


def test_an_own_formula_writes_its_name_and_its_outputs():
    assert columns(of_formula("MYTREND", "A:=EMA(C,12); B:EMA(A,5); UP:CROSS(A,B);")) == ["mytrend_b", "mytrend_up"]
    assert columns(of_formula("Slow", "MA(C,30)")) == ["slow"]
    assert columns(of_formula("X", "MA(C,30); MA(C,60);")) == ["x_out1", "x_out2"]
    assert columns(of_formula("趋势", "快线:EMA(C,5);")) == ["趋势_快线"]


def test_a_parameter_of_an_own_formula_takes_the_place_of_its_default():
    text = "INPUT: N(12,1,100); MA(C,N);"
    assert of_formula("X", text).values == {"N": 12.0}
    assert of_formula("X", text, {"n": 20}).label == "X(20)"
    with pytest.raises(FormulaError, match="N"):
        of_formula("X", text, {"n": 200})


def test_equal_calculations_are_one_whatever_their_layout():
    first, again = of_formula("X", "B:EMA(C,5);"), of_formula("X", "{the same}\nB : ema(CLOSE, 5),COLORRED;")
    assert first.version == again.version
    assert distinct([first, again]) == (first,)
    assert len({of_formula("X", text).version for text in ("B:EMA(C,5);", "B:EMA(C,6);", "B:EMA(O,5);")}) == 3
    assert shared_column([first, again]) is None


def test_two_that_would_write_one_column_are_found():
    first, second = of_formula("A", "B:C;"), of_formula("A", "B:O;")
    assert shared_column([first, *of_catalogue("MA"), second]) == ("a_b", first, second)
