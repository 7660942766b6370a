"""Which outputs of a formula know later days."""

import pytest

from mystocks_dagster.market.formulas.foresight import outputs_ahead
from mystocks_dagster.market.formulas.parser import parse_formula


@pytest.mark.parametrize(
    ("text", "ahead"),
    [
        ("MA(C,5)", set()),
        ("REFX(C,1)", {"OUT1"}),
        ("A:MA(C,5); B:ZIG(3,5);", {"B"}),
        ("A:=ZIG(3,5); B:=A+1; C1:MA(C,5); D:B>0; A;", {"D", "OUT3"}),
        ("A:BACKSET(C>O,3); B:REF(A,1);", {"A", "B"}),
    ],
)
def test_an_output_looks_ahead_if_anything_does_on_which_it_depends(text, ahead):
    assert outputs_ahead(parse_formula(text, name="X")) == ahead
