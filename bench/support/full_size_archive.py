"""A generated 通达信 archive of full size: 5,500 stocks, 1,000 ETFs and 600 indices over 20 years."""

import zipfile
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.market.tables.reference import CORPORATE_ACTIONS

FIRST, LAST = date(2006, 1, 1), date(2025, 12, 31)
#: A `.day` record.
RECORD = np.dtype(
    [
        (name, "<f4" if name == "amount" else "<u4")
        for name in ["date", "open", "high", "low", "close", "amount", "volume", "reserved"]
    ]
)
_OVERFLOW = 0xC3640000


@dataclass(frozen=True)
class Kind:
    """A kind of members: file names without their number, how many, price units per CNY, and first listing day."""

    prefix: str
    count: int
    scale: int
    old: float
    actions: bool = False
    volume: float = 6.0


KINDS = (
    Kind("sh60{:04d}", 1700, 100, 0.4, actions=True),
    Kind("sh688{:03d}", 600, 100, 0.0, actions=True),
    Kind("sz00{:04d}", 1500, 100, 0.4, actions=True),
    Kind("sz30{:04d}", 1400, 100, 0.1, actions=True),
    Kind("bj920{:03d}", 300, 100, 0.0, actions=True),
    Kind("sh51{:04d}", 600, 1000, 0.0),
    Kind("sz159{:03d}", 400, 1000, 0.0),
    Kind("sh000{:03d}", 300, 100, 0.7, volume=9.8),
    Kind("sz399{:03d}", 300, 100, 0.7, volume=9.8),
)


def full_size_archive(folder: Path, share: float = 1.0) -> tuple[Path, Path]:
    """Return the paths of the zip and of its corporate actions (Parquet); they are made when they do not exist.

    Args:
        folder: Where they are kept.
        share: Part of the symbols to make.
    """
    path, actions = folder / f"hsjday-{share:g}.zip", folder / f"actions-{share:g}.parquet"
    if path.exists() and actions.exists():
        return path, actions
    folder.mkdir(parents=True, exist_ok=True)
    days = shanghai().sessions(FIRST, LAST)
    numbers = np.array([day.year * 10000 + day.month * 100 + day.day for day in days], dtype=np.uint32)
    generator = np.random.default_rng(7)
    events: list[tuple[str, date, float, float]] = []
    part = path.with_suffix(".part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for kind in KINDS:
            for number in range(1, max(2, int(kind.count * share) + 1)):
                name = kind.prefix.format(number)
                at, records, ex = _member(generator, numbers, kind)
                archive.writestr(f"{name}.day", records.tobytes())
                symbol = f"{name[2:]}.{name[:2].upper()}"
                events += [(symbol, days[at[index]], cash, bonus) for index, cash, bonus in ex]
    frame = pl.DataFrame(events, schema=["symbol", "ex_date", "cash", "bonus"], orient="row").with_columns(
        rights=pl.lit(0.0), rights_price=pl.lit(None, pl.Float64), known_since=pl.lit(None, pl.Date), source=pl.lit("x")
    )
    missing = [pl.lit(None, kind).alias(name) for name, kind in CORPORATE_ACTIONS.dtypes.items() if name not in frame]
    frame.with_columns(missing).select(list(CORPORATE_ACTIONS.dtypes)).write_parquet(actions)
    part.rename(path)
    return path, actions


def _member(
    generator: np.random.Generator, numbers: np.ndarray, kind: Kind
) -> tuple[np.ndarray, np.ndarray, list[tuple[int, float, float]]]:
    """Return the traded days, the records, and (index, cash, bonus) of the ex-dividend days of one symbol."""
    first = 0 if generator.random() < kind.old else int(generator.integers(0, len(numbers) - 60))
    at = np.arange(first, len(numbers))
    pause = int(generator.integers(10, max(11, len(at) - 30)))
    at = np.delete(at, slice(pause, pause + int(generator.integers(0, 15))))
    walk = np.log(generator.uniform(5, 50)) + np.cumsum(np.clip(generator.normal(0, 0.015, len(at)), -0.07, 0.07))
    price = np.exp(np.clip(walk, np.log(2), np.log(300))) * kind.scale
    events = []
    if kind.actions:
        for index in range(int(generator.integers(5, 245)), len(at), 244):
            before = round(price[index - 1])
            bonus = 0.3 if generator.random() < 0.1 else 0.0
            cash = max(1, round(before * generator.uniform(0.002, 0.03)))
            price[index:] *= round((before - cash) / (1 + bonus)) / before
            events.append((index, cash / kind.scale, bonus))
    close = np.maximum(np.round(price), 1)
    high = np.round(close * (1 + generator.random(len(at)) * 0.015))
    low = np.maximum(np.round(close * (1 - generator.random(len(at)) * 0.015)), 1)
    volume = np.round(10 ** generator.normal(kind.volume, 0.4, len(at)))
    records = np.zeros(len(at), RECORD)
    records["date"], records["close"], records["high"], records["low"] = numbers[at], close, high, low
    records["open"] = np.round(low + (high - low) * generator.random(len(at)))
    records["amount"] = volume * close / kind.scale
    over = volume >= 2**32
    records["volume"] = np.where(over, volume // 100, volume)
    records["reserved"] = np.where(over, _OVERFLOW + volume % 100, 65536)
    return at, records, events
