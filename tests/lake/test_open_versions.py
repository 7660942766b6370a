"""A reader that keeps a table open sees what others write to it."""

import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import polars as pl
import pytest

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


def test_tables_that_are_opened_together_are_not_opened_again_and_a_missing_one_is_no_fault(
    lake: Lake, make_bars: Callable[..., pl.DataFrame], monkeypatch
) -> None:
    lake.replace_days("daily_bars", make_bars(DAY), [DAY])
    lake.open_together("daily_bars", "adjust_events")
    monkeypatch.setattr(delta, "open_table", lambda *given: pytest.fail(f"{given} is opened again"))
    assert lake.days("daily_bars") == [DAY]


def test_threads_that_ask_for_one_table_open_it_once(
    lake: Lake, make_bars: Callable[..., pl.DataFrame], monkeypatch
) -> None:
    lake.replace_days("daily_bars", make_bars(DAY), [DAY])
    opened, both_ask, real = [], threading.Barrier(2), delta.open_table

    def slowly(*given):
        opened.append(given)
        return real(*given)

    def ask(_: int) -> object:
        both_ask.wait()
        return reader.log("daily_bars")

    monkeypatch.setattr(delta, "open_table", slowly)
    reader = Lake(lake.location)
    with ThreadPoolExecutor(2) as pool:
        both = [*pool.map(ask, range(2))]
    assert both[0] is both[1]
    assert len(opened) == 1
