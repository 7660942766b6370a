"""docs/faults.md names for each fault the test that makes it happen."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "faults.md"


def _rows() -> list[list[str]]:
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in cells if row[0] not in ("fault", "---")]


def test_every_row_says_who_notices_what_happens_and_names_its_test() -> None:
    assert len(_rows()) > 30
    for row in _rows():
        assert len(row) == 4, row
        assert all(row), row
        assert re.fullmatch(r"`test_\w+`", row[3]), row


def test_every_named_test_exists() -> None:
    defined = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    missing = [row[3] for row in _rows() if row[3].strip("`") not in defined]
    assert not missing


def test_every_row_stands_in_a_table_with_a_head() -> None:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    begins = [at for at, line in enumerate(lines) if line.startswith("| ") and not lines[at - 1].startswith("| ")]
    assert begins
    for at in begins:
        assert lines[at + 1] == "| --- | --- | --- | --- |", f"line {at + 1} is below no head: {lines[at]}"
