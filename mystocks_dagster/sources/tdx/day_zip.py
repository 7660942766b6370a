"""The bars of one day out of 通达信's daily zip (`g4day`): a pair of files `.cod` and `.md1` for each exchange."""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from mystocks_dagster.errors import SourceChanged
from mystocks_dagster.sources.tdx.members import classify
from mystocks_dagster.sources.zips import DamagedZip, opened_zip

_CODE_BYTES, _BLOCK_BYTES = 150, 512
_EXCHANGES = ("sh", "sz", "bj")
#: Earlier zips have no files of Beijing.
_BEIJING_FROM = date(2022, 5, 6)
#: Fields of a block; the volume is in shares.
_BLOCK = np.dtype(
    {
        "names": ["open", "high", "low", "close", "volume", "volume32", "amount"],
        "formats": ["<f8", "<f8", "<f8", "<f8", "<u8", "<u4", "<f8"],
        "offsets": [12, 20, 28, 36, 56, 56, 72],
        "itemsize": _BLOCK_BYTES,
    }
)
_CODE = np.dtype({"names": ["code", "block"], "formats": ["S6", "<u2"], "offsets": [0, 32], "itemsize": _CODE_BYTES})
#: The mean price may be from low / 2 to high x 2, as in the value rules.
_SLACK = 2.0


def day_bars(path: Path, day: date) -> dict[str, pl.DataFrame]:
    """Return, by table, the bars of the securities that traded: `symbol`, `date`, prices, `volume` and `amount`.

    Raises:
        SourceChanged: The zip is not complete, lacks an exchange, or has another form.
    """
    try:
        with opened_zip(path) as archive:
            contents = {
                name.lower().replace("\\", "/").rpartition("/")[2]: archive.read(name)
                for name in archive.namelist()
                if name.lower().endswith((".cod", ".md1"))
            }
    except DamagedZip as error:
        raise SourceChanged(f"{path} is not a complete zip ({error}).") from error
    frames = []
    for exchange in _EXCHANGES:
        names = [f"{exchange}{day:%y%m%d}.{suffix}" for suffix in ("cod", "md1")]
        if exchange == "bj" and day < _BEIJING_FROM and names[0] not in contents:
            continue
        if missing := [name for name in names if name not in contents]:
            raise SourceChanged(f"{path} has no {missing[0]}.")
        codes, blocks = (contents[name] for name in names)
        frames.append(_exchange(f"{path}: {names[1]}", exchange, day, codes, blocks))
    rows = pl.concat(frames).filter((pl.col("volume") > 0) | (pl.col("amount") > 0))
    tables = rows["table"].unique().to_list()
    return {table: rows.filter(table=table).drop("table").sort("symbol") for table in tables}


def _exchange(where: str, exchange: str, day: date, codes: bytes, blocks: bytes) -> pl.DataFrame:
    if len(codes) % _CODE_BYTES or len(blocks) % _BLOCK_BYTES:
        raise SourceChanged(
            f"{where}: the sizes of .cod and .md1, {len(codes):,} and {len(blocks):,} bytes, are not multiples of "
            f"{_CODE_BYTES} and {_BLOCK_BYTES}; the files are cut off, or have another form."
        )
    listed: Any = np.frombuffer(codes, _CODE)
    numbers = listed["block"].astype(np.int64)
    if len(numbers) and numbers.max() >= len(blocks) // _BLOCK_BYTES:
        raise SourceChanged(
            f"{where} has {len(blocks) // _BLOCK_BYTES:,} blocks, but its codes name block {numbers.max()}."
        )
    kinds = [classify(f"{exchange}{code.decode('ascii', 'replace')}.day") for code in listed["code"].tolist()]
    kept = [at for at, kind in enumerate(kinds) if isinstance(kind, tuple)]
    named = [kind for kind in kinds if isinstance(kind, tuple)]
    values = np.frombuffer(blocks, _BLOCK)[numbers[kept]]
    scale = np.array([kind[2] for kind in named], dtype=np.float64)
    prices = {name: np.round(values[name] * scale) / scale for name in ("open", "high", "low", "close")}
    return pl.DataFrame(
        {
            "table": pl.Series([kind[1] for kind in named], dtype=pl.String),
            "symbol": pl.Series([kind[0] for kind in named], dtype=pl.String),
            "date": pl.Series([day] * len(named), dtype=pl.Date),
            **prices,
            "volume": _volumes(values),
            "amount": values["amount"].astype(np.float64),
        }
    )


def _volumes(values: np.ndarray) -> np.ndarray:
    """Return the volumes: of eight bytes, or of four where the other four are not part of the number."""
    wide, narrow = values["volume"].astype(np.float64), values["volume32"].astype(np.float64)
    narrow_fits = (values["amount"] >= narrow * values["low"] / _SLACK) & (
        values["amount"] <= narrow * values["high"] * _SLACK
    )
    return np.where((wide == narrow) | narrow_fits | (wide > 1e15), narrow, wide).astype(np.int64)
