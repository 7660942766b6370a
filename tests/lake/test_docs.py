"""docs/lake.md says what is so."""

import re
from datetime import date
from pathlib import Path

import pytest

from mystocks_dagster.lake.docs import MARK, tables_markdown
from mystocks_dagster.lake.events import refresh_events
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.tables import BUILT_IN, TABLES

PAGE = Path(__file__).parents[2] / "docs" / "lake.md"


def test_the_tables_are_those_of_the_contract():
    listed = PAGE.read_text(encoding="utf-8").partition(f"{MARK}\n")[2]
    assert listed == tables_markdown(), "run `python -m mystocks_dagster.lake.docs`"
    assert re.findall(r"^### (\w+)", listed, re.MULTILINE) == list(BUILT_IN)


def test_every_python_block_runs_in_order(tmp_path, monkeypatch: pytest.MonkeyPatch, make_bars):
    monkeypatch.chdir(tmp_path)
    lake = Lake("data", "real")
    for day in (date(2024, 1, 2), date(2024, 1, 3)):
        lake.replace_days("daily_bars", make_bars(day), [day])
        refresh_events(lake, [day])
    for table in ("income_statements", "corporate_actions"):
        lake.replace_all(table, TABLES[table].empty())
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 8
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    assert names["bars"].rows() == [(date(2024, 1, 2), 10.0), (date(2024, 1, 3), 10.0)]
