"""A helper beside tasks.yaml belongs to the version of what imports it."""

from pathlib import Path

import pytest

from mystocks_dagster.strategies.imports import texts_of_imports
from mystocks_dagster.strategies.reader import read_strategies

OWN = '''
import polars as pl
{line}
from mystocks_dagster.strategies import strategy

@strategy(reads=["close_hfq"], lookback=5)
def above() -> dict[str, pl.Expr]:
    """The close is above its mean."""
    return {{"buy": pl.col("close_hfq") > pl.col("close_hfq").rolling_mean(helper.N)}}
'''


@pytest.mark.parametrize(
    ("line", "helper"),
    [
        ("import helper", "helper.py"),
        ("from helper import N", "helper.py"),
        ("import own.helper", "own/helper.py"),
        ("from own import helper", "own/helper.py"),
        ("from own import helper", "own/__init__.py"),
        ("import first", "helper.py"),
    ],
)
def test_a_changed_helper_is_another_version_and_other_files_are_not(tmp_path: Path, line: str, helper: str) -> None:
    path = tmp_path / "strategies" / "mine.py"
    for file, text in ((path, OWN.format(line=line)), (tmp_path / helper, "N = 5\n"), (tmp_path / "other.py", "")):
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    (tmp_path / "first.py").write_text("def f():\n    import helper\n", encoding="utf-8")
    (definition,) = read_strategies(path).definitions
    before = definition.version({})
    (tmp_path / "other.py").write_text("x = 1\n", encoding="utf-8")
    assert definition.version({}) == before
    (tmp_path / helper).write_text("N = 20\n", encoding="utf-8")
    assert definition.version({}) != before


def test_helpers_that_import_each_other_or_are_no_python_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("import two\nimport numpy\n", encoding="utf-8")
    (tmp_path / "two.py").write_text("import one\n(", encoding="utf-8")
    assert texts_of_imports("import one", tmp_path) == [b"import two\nimport numpy\n", b"import one\n("]
    assert texts_of_imports("(", tmp_path) == []
