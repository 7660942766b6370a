"""What is computed for a formula, and what is not."""

import pytest

from mystocks_dagster.errors import UnknownName
from mystocks_dagster.market.formulas.plan import output_names, plan
from mystocks_dagster.market.formulas.syntax import Binary, Call, Formula, Name, Number, Parameter, Statement

CLOSE = Name("CLOSE")
MA = Call("MA", (CLOSE, Name("N")))
TREE = Formula(
    "T",
    (Parameter("N", 5),),
    (
        Statement("X", MA, hidden=True),
        Statement("A", Binary("-", CLOSE, MA)),
        Statement("B", Call("EMA", (Name("X"), Binary("+", Name("N"), Number(1))))),
        Statement(None, Name("OPEN")),
    ),
)


def planned(*columns, **parameters):
    return plan((TREE, tuple(parameters.items()), tuple((name, name.lower()) for name in columns)))


def test_an_expression_that_is_written_twice_is_computed_once():
    steps = planned("A", "B")
    assert sorted((step.primitive.name, step.numbers) for step in steps.steps) == [
        ("-", ()),
        ("EMA", (6,)),
        ("MA", (5,)),
    ]
    assert steps.bars == ("CLOSE",)


def test_only_what_an_output_needs_is_computed():
    assert [step.primitive.name for step in planned("A").steps] == ["MA", "-"]
    assert planned("OUT3").bars == ("OPEN",)
    assert output_names(TREE) == ("A", "B", "OUT3")


def test_another_window_is_another_version_of_what_depends_on_it():
    five, six, also_six = planned("A", "OUT3"), planned("A", "OUT3", N=6), planned("A", N=6)
    assert five.versions["a"] != six.versions["a"] == also_six.versions["a"]
    assert five.versions["out3"] == six.versions["out3"]
    assert six.needs["a"] == {*six.states}
    assert six.needs["out3"] == set()
    assert [*six.states.values()] == [6]


def test_an_expression_that_doubles_with_each_statement_is_planned_at_once():
    doubled = [Statement("A0", CLOSE, hidden=True)]
    doubled += [Statement(f"A{n}", Binary("+", Name(f"A{n - 1}"), Name(f"A{n - 1}"))) for n in range(1, 1000)]
    steps = plan((Formula("T", (), tuple(doubled)), (), (("A999", "a"),)))
    assert len(steps.steps) == 999


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (Call("MAA", (CLOSE, Number(5))), "no function MAA"),
        (Call("MA", (CLOSE,)), "their number is wrong"),
        (Call("WMA", (CLOSE, CLOSE)), "a window varies"),
    ],
)
def test_what_cannot_be_computed_is_named(expression, message):
    with pytest.raises(UnknownName, match=message):
        plan((Formula("T", (), (Statement("A", expression),)), (), (("A", "a"),)))


def test_an_output_that_does_not_exist_is_named():
    with pytest.raises(UnknownName, match=r"T has no output 'C'; it has A, B, OUT3\."):
        planned("C")
