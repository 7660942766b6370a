"""docs/formulas.md against the functions, and its examples."""

import re

import pytest

from mystocks_dagster.market.formulas.docs import MARK, PAGE, reference
from mystocks_dagster.market.formulas.functions import FUNCTIONS
from mystocks_dagster.market.formulas.parser import parse_formula
from mystocks_dagster.market.formulas.problems import FormulaError


def test_the_page_has_the_functions_as_they_are():
    run = "write it again: .venv/bin/python -m mystocks_dagster.market.formulas.docs"
    assert PAGE.read_text(encoding="utf-8").partition(MARK)[2] == f"\n{reference()}", run


def test_every_function_is_on_the_page_in_both_languages():
    for function in FUNCTIONS.values():
        assert f"| `{function.signature}` | {function.zh} |" in reference()
        assert re.search(r"[\u4e00-\u9fff]", function.zh)
        assert function.en


def test_the_first_example_is_a_formula_and_the_mistake_is_reported_as_shown():
    example, _, mistake = re.findall(r"```(?:text|python)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[:3]
    assert [statement.name for statement in parse_formula(example).outputs] == ["MACD", "金叉"]
    with pytest.raises(FormulaError) as caught:
        parse_formula("快线:=MA(C,5);\n金叉:CROSSS(快线,C);", "MYTREND")
    assert f"{caught.value}\n" == mistake
