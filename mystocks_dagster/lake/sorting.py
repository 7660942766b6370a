"""Read stored rows sorted by symbol and date, fast enough for a whole market's history."""

import os
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import polars as pl

from mystocks_dagster.lake.delta import translate_errors
from mystocks_dagster.market.array_columns import array_column

#: Types whose values a numpy array holds as they are.
_PLAIN = (pl.Float64, pl.Int64, pl.Int32, pl.Date)
_THREADS = min(4, os.cpu_count() or 1)

#: Takes the sorted symbols (an `Enum`) and days, and returns a number per row.
Factors = Callable[[pl.Series, pl.Series], np.ndarray]


def collect_sorted(
    stored: pl.LazyFrame,
    location: str,
    *,
    factors: Factors | None = None,
    multiplied: Collection[str] = (),
    as_text: bool = False,
) -> pl.DataFrame:
    """Collect rows sorted by `symbol` and `date`; symbols become an `Enum` with sorted categories.

    Sorting and grouping a market by the Enum's numbers takes a fifth of the time that strings take.

    Args:
        stored: A frame of `Lake.scan`, perhaps filtered, with `symbol` and `date`, both without nulls.
        location: The lake's location, for error messages.
        factors: Returns the column `factor`, which is added.
        multiplied: Columns that are multiplied by it. In place: another copy of a market takes as long as reading it.
        as_text: Whether symbols are strings in the result.

    Raises:
        LakeUnavailable: The lake cannot be read.
    """
    with translate_errors(location):
        frame = stored.collect()
    return sort_by_symbol(frame, factors=factors, multiplied=multiplied, as_text=as_text)


def sort_by_symbol(
    frame: pl.DataFrame, *, factors: Factors | None = None, multiplied: Collection[str] = (), as_text: bool = False
) -> pl.DataFrame:
    """Return the rows sorted by `symbol` (then an `Enum`) and `date`; arguments as in `collect_sorted`.

    Rows of one symbol that follow each other are moved together. A data file of the lake has the rows of a symbol and
    month in one place, so this takes a tenth of the time in which single rows are sorted.
    """
    frame = _aligned(frame)
    chunks = _chunks(frame)
    runs = pl.concat(chunk["symbol"].rle().struct.unnest() for chunk in chunks)
    names = pl.Enum(runs["value"].unique().sort())
    codes = runs["value"].cast(names).to_physical().to_numpy()
    lengths = runs["len"].to_numpy().astype(np.int64)
    starts = np.cumsum(lengths) - lengths
    order = np.lexsort((frame["date"].to_physical().gather(starts).to_numpy(), codes))
    targets = np.empty_like(starts)
    targets[order] = np.cumsum(lengths[order]) - lengths[order]
    symbols = pl.Series("symbol", np.repeat(codes[order], lengths[order])).cat.to(names)
    with ThreadPoolExecutor(1) as pool:
        # The texts take as long as all other columns, and the interpreter's lock is free meanwhile.
        texts = pool.submit(names.categories.gather, symbols.to_physical()) if as_text else None
        arrays, others = _moved(frame, chunks, targets - starts, lengths)
    if not _is_sorted(symbols, arrays["date"]):
        # Once more with rows in order, where every run is in one place.
        position = pl.col("symbol").cast(names).to_physical().cast(pl.Int64) * 2**32 + pl.col("date").to_physical()
        return sort_by_symbol(frame.sort(position), factors=factors, multiplied=multiplied, as_text=as_text)
    columns = {"symbol": texts.result().alias("symbol") if texts else symbols, **others}
    if factors is not None:
        factor = factors(symbols, pl.Series("date", arrays["date"]).cast(pl.Date))
        for name in multiplied:
            if name in arrays:
                np.multiply(arrays[name], factor, out=arrays[name])
            else:
                columns[name] = columns[name] * pl.Series(factor)
        arrays["factor"] = factor
    columns |= {name: array_column(name, array, frame.schema.get(name)) for name, array in arrays.items()}
    return pl.DataFrame([columns[name] for name in (*frame.columns, *(() if factors is None else ("factor",)))])


def with_text_symbols(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with its `Enum` of symbols as strings; a cast takes six times as long."""
    codes, names = frame["symbol"].to_physical(), frame.schema["symbol"]
    if not isinstance(names, pl.Enum):
        raise TypeError(f"The symbols have type {names} instead of Enum.")
    size = len(codes) // _THREADS + 1
    with ThreadPoolExecutor(_THREADS) as pool:
        texts = pool.map(lambda part: names.categories.gather(codes.slice(part * size, size)), range(_THREADS))
        return frame.with_columns(symbol=pl.concat(texts, rechunk=False))


def _aligned(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with columns whose parts in memory have the same lengths, which polars does not promise."""
    lengths = {tuple(len(chunk) for chunk in series.get_chunks()) for series in frame.iter_columns()}
    return frame if len(lengths) == 1 else frame.rechunk()


def _chunks(frame: pl.DataFrame) -> list[pl.DataFrame]:
    """Return the parts of a frame that lie together in memory: with them, no copy of the whole is necessary."""
    lengths = [len(chunk) for chunk in frame["symbol"].get_chunks()]
    offsets = np.cumsum(lengths) - lengths
    return [frame.slice(int(offset), length) for offset, length in zip(offsets, lengths, strict=True)]


def _moved(
    frame: pl.DataFrame, chunks: Sequence[pl.DataFrame], shifts: np.ndarray, lengths: np.ndarray
) -> tuple[dict[str, np.ndarray], dict[str, pl.Series]]:
    """Return the columns except `symbol` with each run of rows moved by its shift: as arrays where arrays hold them.

    Chunk by chunk, so that rows and their positions are in the processor's cache while they are moved.
    """
    plain = [name for name in frame.columns if frame[name].dtype in _PLAIN and not frame[name].null_count()]
    rest = [name for name in frame.columns if name not in plain and name != "symbol"]
    values = {name: [chunk.to_numpy() for chunk in frame[name].to_physical().get_chunks()] for name in plain}
    arrays = {name: np.empty(frame.height, values[name][0].dtype) for name in plain}
    sources = np.empty(frame.height if rest else 0, np.int64)
    ends = np.cumsum([chunk.height for chunk in chunks])
    run_ends = np.searchsorted(np.cumsum(lengths), ends) + 1

    def move(index: int) -> None:
        first_run = run_ends[index - 1] if index else 0
        start = int(ends[index]) - chunks[index].height
        runs = slice(first_run, run_ends[index])
        positions = np.repeat(shifts[runs], lengths[runs])
        positions += np.arange(start, ends[index])
        for name, array in arrays.items():
            array[positions] = values[name][index]
        if rest:
            sources[positions] = np.arange(start, ends[index])

    # In one thread: between these short calls, threads would wait for each other longer than they work.
    for index in range(len(chunks)):
        move(index)
    others = frame.select(rest)[sources] if rest else frame.select(rest)
    return arrays, {series.name: series for series in others.iter_columns()}


def _is_sorted(symbols: pl.Series, days: np.ndarray) -> bool:
    """Return whether days ascend within each symbol, which runs of rows in one file do not guarantee."""
    codes = symbols.to_physical().to_numpy()
    return bool(((days[1:] >= days[:-1]) | (codes[1:] != codes[:-1])).all())
