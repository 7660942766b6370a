"""The past of a market out of a source that has no bulk interface of its own."""

import dataclasses
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.checked import CheckedSource
from mystocks_dagster.sources.history import history_of, history_tables
from mystocks_dagster.sources.registry import open_source

START, END = date(2024, 12, 20), date(2025, 1, 10)


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CheckedSource:
    """A small simulated market."""
    monkeypatch.setenv("MYSTOCKS_NOW", "2025-04-07T16:30:00+08:00")
    options = {"simulated": "symbols=12,start=2024-01-02"}
    return CheckedSource(
        open_source("simulated", dataclasses.replace(Settings.from_env(tmp_path), source_options=options))
    )


def read(source: CheckedSource, **options: object) -> pl.DataFrame:
    parts = source.history(["daily_bars"], START, END, actions=None, progress=lambda *_: None, **options)
    return pl.concat([frame for _, frame in parts])


def test_its_bars_are_those_that_it_returns_day_by_day(source: CheckedSource):
    frame = read(source)
    days = frame["date"].unique().sort().to_list()
    assert (days[0], days[-1], len(days)) == (START, END, 15)
    assert frame.equals(pl.concat(list(source.daily_bars(days))).sort("symbol", "date"))


def test_days_to_skip_are_not_requested(source: CheckedSource, monkeypatch: pytest.MonkeyPatch):
    requested: list[date] = []
    real = source._source.daily_bars
    monkeypatch.setattr(source._source, "daily_bars", lambda days, symbols=None: requested.extend(days) or real(days))
    skip = {"daily_bars": [date(2024, 12, 23), date(2025, 1, 2)]}
    assert read(source, skip=skip)["date"].n_unique() == 13
    assert not {*skip["daily_bars"]} & {*requested}


def test_a_source_of_the_present_has_no_past(tmp_path: Path):
    akshare = open_source("akshare", Settings.from_env(tmp_path))
    assert history_tables(akshare) == frozenset()


def test_progress_counts_trading_days(source: CheckedSource):
    steps: list[tuple[int, int, str]] = []
    list(
        history_of(source._source, ["daily_bars"], START, END, actions=None, progress=lambda *step: steps.append(step))
    )
    assert steps[-1] == (15, 15, "bars up to 2025-01-10")
