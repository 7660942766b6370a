"""The values that explain a screen, and how they are named."""

import pytest

from mystocks_dagster.market.formulas.parser import parse_formula
from mystocks_dagster.market.formulas.problems import FormulaError
from mystocks_dagster.screens.condition import PASSES, read_condition
from mystocks_dagster.screens.labels import label_of


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("CROSS(MA(C,5),MA(C,20)) AND V>2*MA(V,5)", ["MA(CLOSE,5)", "MA(CLOSE,20)", "VOL", "2*MA(VOL,5)"]),
        ("C>10", ["CLOSE"]),
        ("A:=EMA(C,12); B:=EMA(A,5); A>B", ["A", "B"]),
        ("UP:=C>O; STRONG:=V>MA(V,5); UP AND STRONG", ["UP", "CLOSE", "OPEN", "STRONG", "VOL", "MA(VOL,5)"]),
        ("NOT(C<O) OR COUNT(C>O,5)>=3", ["CLOSE", "OPEN", "COUNT(CLOSE>OPEN,5)"]),
        ("C>O AND C>REF(C,1)", ["CLOSE", "OPEN", "REF(CLOSE,1)"]),
        ("MA(C,1.5)>10/4", ["MA(CLOSE,1)"]),
        ("DATE>1260101 AND C>SAR(4,2,20)", ["DATE", "CLOSE", "SAR(4,2,20)"]),
        ("EVERY(C>O,3)", ["EVERY(CLOSE>OPEN,3)"]),
    ],
)
def test_the_sides_of_comparisons_and_the_named_lines_explain_a_result(text, values):
    condition = read_condition(text)
    assert list(condition.values) == values
    assert [line.name for line in condition.formula.outputs] == [
        PASSES,
        *condition.values.values(),
        *condition.averaged,
    ]


@pytest.mark.parametrize(
    "text",
    [
        "A-(B-C)", "A-B-C", "A/(B*C)", "A*B/C", "(A+B)*C", "A+B*C", "-(A+B)", "NOT (A>B AND B>C)", "A>B OR B>C AND C>A",
        "(A>B OR B>C) AND C>A", "MA(A,5)*0.5", "(A>B)=(B>C)",
    ],
)  # fmt: skip
def test_a_label_is_read_as_the_same_expression(text):
    prepare = "A:=OPEN; B:=HIGH; C1:=LOW;"
    tree = parse_formula(f"{prepare} {text}").outputs[0].expression
    assert parse_formula(f"{prepare} {label_of(tree)}").outputs[0].expression == tree


def test_a_second_output_and_a_function_that_looks_ahead_are_refused_with_their_place():
    with pytest.raises(FormulaError) as error:
        read_condition("A:C>O;\nB:REFX(C,1)>C;")
    places = [(problem.position.line, problem.position.column) for problem in error.value.problems]
    assert places == [(2, 1), (2, 3)]
