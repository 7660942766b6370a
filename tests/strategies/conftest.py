"""A project folder with a place for strategies of its own."""

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def write_strategies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Write a file of strategies beside the project's tasks.yaml, and return its path."""
    monkeypatch.setenv("MYSTOCKS_ROOT", str(tmp_path))
    monkeypatch.delenv("MYSTOCKS_TASKS", raising=False)

    def write(body: str, name: str = "own.py") -> Path:
        path = tmp_path / "strategies" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"import polars as pl\nfrom mystocks_dagster.strategies import Rules, strategy\n{body}")
        return path

    return write
