"""How many bars a formula reaches back."""

import numpy as np
import pytest

from mystocks_dagster.market.formulas.evaluation import Bars, evaluate
from mystocks_dagster.market.formulas.parser import parse_formula
from mystocks_dagster.market.formulas.plan import plan
from mystocks_dagster.screens.reach import reach, settled, unbounded

pytestmark = pytest.mark.slow


def planned(text):
    return plan((parse_formula(text), (), (("OUT1", "x"),)))


@pytest.mark.parametrize(
    ("text", "bars"),
    [
        ("C>O", 0),
        ("MA(C,20)", 19),
        ("REF(C,5)", 5),
        ("MA(REF(C,5),20)", 24),
        ("CROSS(MA(C,5),MA(C,20))", 20),
        ("HHV(H,9)-LLV(L,30)", 29),
        ("EMA(C,12)", 180),
        ("SMA(C,3,1)", 74),
        ("COUNT(C>REF(C,1),10)", 10),
        ("5", 0),
        ("SUM(V,0)", None),
        ("HHV(H,0)", None),
        ("BARSLAST(C>O)", None),
        ("MA(C,20)+BARSCOUNT(C)", None),
    ],
)
def test_bars_before_the_day_on_which_it_depends(text, bars):
    assert reach(planned(text)) == bars


def test_after_the_settling_of_an_average_its_beginning_is_forgotten():
    for weight in (2 / 13, 2 / 251, 1 / 3):
        assert (1 - weight) ** settled(weight) <= 1e-13 < (1 - weight) ** (settled(weight) - 1)


@pytest.mark.parametrize(
    "text",
    [
        "EMA(EMA(EMA(C,12),12),12)",
        "SMA(MAX(C-REF(C,1),0),6,1)/SMA(ABS(C-REF(C,1)),6,1)*100",
        "EMA(C,12)-EMA(C,26)",
        "STD(C,20)+HHV(REF(H,3),9)",
        "SMA(SMA((C-LLV(L,9))/(HHV(H,9)-LLV(L,9))*100,3,1),3,1)",
    ],
)
def test_the_last_bars_alone_give_the_value_of_the_whole_history(text):
    rng = np.random.default_rng(3)
    close = 20 * np.exp(np.cumsum(rng.normal(0, 0.03, 3000)))
    columns = {"CLOSE": close, "HIGH": close * 1.02, "LOW": close * 0.97}
    computation = planned(text)
    tail = reach(computation) + 1
    whole, last = (
        evaluate(computation, Bars(np.array([0, rows]), {name: values[-rows:] for name, values in columns.items()}))
        for rows in (3000, tail)
    )
    assert last["x"][-1] == pytest.approx(whole["x"][-1], rel=1e-9)


def test_what_needs_the_whole_history_is_named():
    assert unbounded(planned("SUM(V,0)>MA(V,5)")) == ("SUM",)
