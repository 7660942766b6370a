"""Formulas of 通达信 as a strategy: the same signals as the strategy in Python, and faults in tasks.yaml."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from mystocks_dagster.strategies.choices import choice_of
from mystocks_dagster.strategies.evaluation import signals_of
from mystocks_dagster.strategies.formulas import formula_values
from mystocks_dagster.tasks.strategy import SignalParams

DAY = [date(2024, 1, 1) + timedelta(days=i) for i in range(120)]


@pytest.fixture(scope="module")
def market():
    """Two random walks; the second has 40 bars."""
    frames = []
    for symbol, length in (("000001.SZ", 120), ("600519.SH", 40)):
        close = 20 * np.exp(np.cumsum(np.random.default_rng(length).normal(0, 0.03, length)))
        frame = pl.DataFrame({"symbol": symbol, "date": DAY[:length], "close_hfq": close})
        prices = dict.fromkeys(("open_hfq", "high_hfq", "low_hfq"), close)
        frames.append(frame.with_columns(**prices, volume=1000, amount=close * 1000, turnover=None))
    return pl.concat(frames).with_columns(pl.col("symbol").cast(pl.Enum(["000001.SZ", "600519.SH"])))


def entry(**params):
    return {"name": "formula", "buy": "C>1", "sell": "C<1", **params}


def test_a_crossing_as_a_formula_is_the_crossing_of_the_shipped_strategy(market):
    means = {f"ma{n}": pl.col("close_hfq").rolling_mean(n).over("symbol") for n in (5, 20)}
    shipped = signals_of(choice_of("ma_crossover"), market.with_columns(**means))
    texts = {"buy": "MA5:MA(C,5); CROSS(MA5,MA(C,20))", "sell": "CROSS(MA(C,20),MA(C,5));"}
    signals = signals_of(choice_of(entry(**texts)), market)
    key = ["symbol", "date", "side"]
    assert signals.select(key).equals(shipped.select(key))
    assert signals.height > 3
    bought = signals.filter(side="buy")
    assert bought["detail"].str.contains(r"^close_hfq [\d.]+ ma5 [\d.]+ score [\d.]+$").all()


def test_outputs_have_their_names_and_unknown_values_are_null(market):
    values = formula_values(market, "A:REF(C,1); 涨:=C>A; YEAR")
    assert list(values) == ["A", "OUT2"]
    assert values["A"].null_count() == 2
    assert values["OUT2"].unique().to_list() == [2024.0]


@pytest.fixture
def formulas(tmp_path, monkeypatch):
    monkeypatch.setenv("MYSTOCKS_ROOT", str(tmp_path))
    (tmp_path / "formulas").mkdir()
    return tmp_path / "formulas"


def test_my_formula_file_is_a_strategy(formulas, market):
    text = "INPUT: N(5,2,60);\n快线:=MA(C,N);\n金叉:CROSS(快线,MA(C,20));\n"
    (formulas / "gb.txt").write_bytes(text.encode("gb18030"))
    choice = choice_of(entry(buy="formulas/gb.txt"))
    assert choice.params["buy"] == text
    expected = signals_of(choice_of(entry(buy=text)), market)
    assert signals_of(choice, market).equals(expected)
    (formulas / "gb.txt").write_text(text.replace("5", "6"), encoding="utf-8")
    assert choice_of(entry(buy="formulas/gb.txt")).version != choice.version


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("formulas/wrong.txt", r"formulas/wrong\.txt:2:3: there is no function CROS"),
        ("formulas/ahead.txt", r"formulas/ahead\.txt:1:3: ZIG looks ahead"),
        ("formulas/wrog.txt", r"formulas/wrog\.txt cannot be read: .*Did you mean 'formulas/wrong\.txt'"),
        ("wrong.txt", r"'wrong\.txt' is not a \.txt file in formulas/ beside tasks\.yaml"),
        ("formulas/../../secret.txt", "is not a .txt file in formulas/"),
    ],
)
def test_a_formula_file_that_is_wrong_or_elsewhere_is_refused_at_load(formulas, file, message):
    (formulas / "wrong.txt").write_text("A:=C;\nB:CROS(A,C);", encoding="utf-8")
    (formulas / "ahead.txt").write_text("A:ZIG(3,5)>C;", encoding="utf-8")
    with pytest.raises(ValidationError, match=message):
        SignalParams(strategies=[entry(buy=file)])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("CROSS(MA(C,5),MA(C,20)", "line 1, column"),
        ("ZIG(3,5)>C", "ZIG looks ahead: its value on a day depends on later days"),
        ("C>CROS(C,5)", "CROSS"),
    ],
)
def test_a_wrong_formula_is_refused_at_load(text, message):
    with pytest.raises(ValidationError, match="formula") as raised:
        SignalParams(strategies=[entry(buy=text)])
    (detail,) = raised.value.errors()
    assert detail["loc"][-1] == "buy"
    assert message in f"{detail['ctx']['text']} {detail['ctx']['hint']}"


def test_two_formulas_stand_beside_each_other_by_their_labels():
    choices = SignalParams(strategies=[entry(label="formula_a"), entry(buy="C>2", label="formula_b")]).choices
    assert [choice.label for choice in choices] == ["formula_a", "formula_b"]
    assert choices[0].version != choices[1].version
