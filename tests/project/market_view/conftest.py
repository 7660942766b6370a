"""A lake of a few stocks over two days, whose numbers can be checked by hand."""

from pathlib import Path

import pytest
from support.small_market import small_lake

from mystocks_dagster.lake.store import Lake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return small_lake(tmp_path / "lake")
