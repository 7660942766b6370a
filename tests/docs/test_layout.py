"""Each module has one answer to "where is its test": the file of its name, or a row in tests/README.md."""

import ast
import re
from pathlib import Path

import pytest
from support.project import ROOT

PACKAGE = ROOT / "mystocks_dagster"
TESTS = ROOT / "tests"
#: Folders whose files are named by what a user would say, and folders without tests.
WHOLE = {"browser", "contract", "daemon", "docs", "fuzz", "live", "standin", "support"}
#: Shorter modules need no answer.
LINES = 40


def module_of(test: Path, package: Path = PACKAGE) -> str:
    """Return the module or package that a test file is named after, as `lake/store`.

    Args:
        test: The test file, relative to the folder of the tests.
        package: The folder of the package.

    Raises:
        LookupError: There is none.
    """
    words = test.stem.removeprefix("test_").split("_")
    for count in range(len(words), 0, -1):
        name = test.parent / "_".join(words[:count])
        if (package / f"{name}.py").is_file() or (package / name / "__init__.py").is_file():
            return name.as_posix()
    raise LookupError(test)


def answers() -> dict[str, str]:
    """Return the table of tests/README.md: module, or folder with a slash at its end, to its test."""
    text = (TESTS / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w/]+)` \| `([\w/]+\.py)` \|$", text, re.MULTILINE)
    assert len(rows) == len(dict(rows)), f"a module stands twice: {sorted(name for name, _ in rows)}"
    return dict(rows)


def modules() -> list[str]:
    """Return the modules that need an answer."""
    files = [file for file in PACKAGE.rglob("*.py") if len(file.read_text(encoding="utf-8").splitlines()) >= LINES]
    return sorted(file.relative_to(PACKAGE).with_suffix("").as_posix() for file in files)


def mirrored() -> dict[Path, str]:
    """Return the test files that mirror a module, and the module of each."""
    files = [file.relative_to(TESTS) for file in TESTS.rglob("test_*.py")]
    return {file: module_of(file) for file in files if file.parts[0] not in WHOLE}


def test_a_test_file_is_named_after_a_module_and_further_ones_stand_beside_it() -> None:
    exact = {file for file, module in mirrored().items() if file.stem == f"test_{Path(module).name}"}
    for file, module in mirrored().items():
        first = file.with_name(f"test_{Path(module).name}.py")
        assert first in exact, f"tests/{file} is a further test of {module}.py: begin with tests/{first}"


def test_every_module_has_one_answer() -> None:
    own, table = set(mirrored().values()), answers()
    twice = sorted(own & table.keys())
    assert not twice, f"these have a test file of their own: take their rows out of tests/README.md: {twice}"
    rows = table.keys() | own
    none = [
        f"{module}.py"
        for module in modules()
        if module not in rows and not any(f"{folder.as_posix()}/" in table for folder in Path(module).parents)
    ]
    assert not none, f"write tests/.../test_<module>.py, or name the test of each in tests/README.md: {none}"


@pytest.mark.parametrize("name", sorted(answers()))
def test_a_row_of_the_table_is_about_a_module_and_a_test_that_exist(name: str) -> None:
    place = PACKAGE / name
    assert place.is_dir() if name.endswith("/") else place.with_suffix(".py").is_file()
    tree = ast.parse((TESTS / answers()[name]).read_text(encoding="utf-8"))
    assert any(isinstance(node, ast.FunctionDef) and node.name.startswith("test_") for node in ast.walk(tree))


def test_a_file_that_is_named_after_nothing_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "lake").mkdir()
    (tmp_path / "lake" / "store.py").touch()
    assert module_of(Path("lake/test_store_far_away.py"), tmp_path) == "lake/store"
    with pytest.raises(LookupError):
        module_of(Path("lake/test_behaviour.py"), tmp_path)
