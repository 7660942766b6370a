"""An archive with a missing bar, and a project whose source it is."""

import csv
import shutil
from datetime import date
from pathlib import Path

import pytest
from support.commands import Commands
from support.project import ROOT

from mystocks_dagster.market.calendar import shanghai

#: 600000.SH rose on these days, whose bars are missing at first.
GAPS = (date(2024, 5, 31), date(2025, 12, 26))
SPANS = (
    (date(2024, 5, 27), date(2024, 6, 5)),
    (date(2025, 1, 2), date(2025, 4, 1)),
    (date(2025, 12, 22), date(2026, 1, 8)),
)
DAYS = [day for span in SPANS for day in shanghai().sessions(*span)]
COLUMNS = [
    "symbol",
    "date",
    "open",
    "high",
    "low",
    "close",
    "prev_close",
    "volume",
    "amount",
    "turnover",
    "is_st",
    "suspended",
]


def write_archive(folder: Path, *, whole: bool) -> None:
    """Write bars of three stocks; one rises by half a yuan on days whose bars only the whole archive has."""
    rows = []
    for symbol in ("600000.SH", "600519.SH", "000001.SZ"):
        before = 10.0
        for day in DAYS:
            rises = symbol == "600000.SH" and day in GAPS
            close = before + 0.5 if rises else before
            if whole or not rises:
                prices = (before, close, before, close, before)
                rows.append((symbol, day, *prices, 1_000_000, close * 1_000_000, 0.1, "false", "false"))
            before = close
    folder.mkdir(exist_ok=True)
    with (folder / "daily_bars.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *rows])


@pytest.fixture
def archived(cli: Commands, monkeypatch: pytest.MonkeyPatch) -> Commands:
    """A project whose source is an archive."""
    shutil.copy(ROOT / "tasks.yaml", cli.folder.root)
    write_archive(cli.folder.root / "archive", whole=False)
    monkeypatch.setenv("MYSTOCKS_RECORDED", "archive")
    monkeypatch.setenv("MYSTOCKS_SOURCE", "recorded")
    return cli
