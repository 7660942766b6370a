"""A test that ends its process fails the whole run, by its name, and the run ends."""

import subprocess
import sys
from pathlib import Path

import pytest
from support.project import ROOT

pytestmark = pytest.mark.slow

CRASHES = "import os\n\ndef test_before(): pass\n\ndef test_crashes(): os.abort()\n\ndef test_after(): pass\n"


def test_a_test_that_crashes_is_named_and_the_others_do_not_wait_for_ever(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_crash.py").write_text(CRASHES, encoding="utf-8")
    for name in "abcdef":
        (tmp_path / "tests" / f"test_{name}.py").write_text("def test_passes(): pass\n", encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "tests"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False)
    assert ended.returncode == 1
    assert "crashed while running 'tests/test_crash.py::test_crashes'" in ended.stdout
