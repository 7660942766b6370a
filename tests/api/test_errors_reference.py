"""The page of errors has every error with a remedy, and is in step with the classes."""

import ast

import pytest
from support.project import ROOT

from mystocks_dagster.api import errors_reference
from mystocks_dagster.errors import MyStocksError


def test_the_page_is_in_step() -> None:
    assert errors_reference.PAGE.read_text(encoding="utf-8") == errors_reference.page(), (
        "run: python -m mystocks_dagster.api.errors_reference"
    )


def test_every_error_that_is_declared_is_found() -> None:
    names = {error.__name__ for error in errors_reference.kinds()}
    bases = names | {"MyStocksError"}
    declared = {
        node.name
        for file in (ROOT / "mystocks_dagster").rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
        and any(isinstance(base, ast.Name) and base.id in bases for base in node.bases)
    }
    assert {name for name in declared if not name.startswith("_")} == names


@pytest.mark.parametrize("error", errors_reference.kinds(), ids=lambda error: error.__name__)
def test_every_error_says_what_to_do(error: type[MyStocksError]) -> None:
    assert error.remedy.endswith(".")
    assert len(error.remedy) > 20
