"""A reader that keeps a table open sees what others write to it."""

import shutil
from collections.abc import Callable
from datetime import date

import polars as pl

from mystocks_dagster.lake import delta
from mystocks_dagster.lake.store import Lake

DAY, NEXT = date(2024, 1, 2), date(2024, 1, 3)


def test_a_log_is_opened_again_only_after_a_commit(
    lake: Lake, make_bars: Callable[..., pl.DataFrame], monkeypatch
) -> None:
    opened = []
    real = delta.open_table
    monkeypatch.setattr(delta, "open_table", lambda *given: opened.append(given) or real(*given))
    writer = Lake(lake.location, lake.world)
    writer.replace_days("daily_bars", make_bars(DAY), [DAY])
    assert lake.days("daily_bars") == [DAY]
    opened.clear()
    assert lake.days("daily_bars") == [DAY]
    assert not opened
    writer.replace_days("daily_bars", make_bars(NEXT), [NEXT])
    assert lake.days("daily_bars") == [DAY, NEXT]


def test_a_table_that_was_deleted_and_made_again_is_the_new_one(
    lake: Lake, make_bars: Callable[..., pl.DataFrame]
) -> None:
    lake.replace_days("daily_bars", make_bars(DAY), [DAY])
    assert lake.days("daily_bars") == [DAY]
    shutil.rmtree(f"{lake.location}/daily_bars")
    assert not lake.exists("daily_bars")
    Lake(lake.location, "real").replace_days("daily_bars", make_bars(NEXT), [NEXT])
    assert lake.days("daily_bars") == [NEXT]
