"""Read the files of a dataset: CSV and Parquet below the project's folder, never outside it."""

import io
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from mystocks_dagster.datasets.placeholders import Value, fill
from mystocks_dagster.datasets.reader import Dataset
from mystocks_dagster.errors import SourceChanged, SourceUnavailable
from mystocks_dagster.plain_files import read_plain, real_path
from mystocks_dagster.sources.csv_text import NotCsv, check_lines, read_csv_text
from mystocks_dagster.sources.dataset_frames import ColumnError, convert


def read_files(
    dataset: Dataset, root: Path, values: Mapping[str, Value], left_out: list[str] | None = None
) -> pl.DataFrame:
    """Return the rows of all files that match the dataset's pattern.

    Args:
        dataset: A dataset of files.
        root: The project's folder; a file that lies outside it, also through a link, is refused.
        values: The values of placeholders in the pattern.
        left_out: Takes sentences about the rows that cannot be read.

    Raises:
        SourceUnavailable: There is no such file, or it cannot be read.
        SourceChanged: A file has other columns or values than the dataset; the message names it.
    """
    pattern = fill(dataset.spec.files.pattern if dataset.spec.files else "", values)
    paths = sorted(path for path in root.glob(pattern) if path.is_file())
    if not paths:
        raise SourceUnavailable(f"There is no file {pattern} in {root}. Add it, or correct files.pattern.")
    frames = []
    for path in paths:
        if not real_path(path).is_relative_to(real_path(root)):
            raise SourceChanged(f"{path} lies outside {root}; copy the file into the project.")
        of_file: list[str] = []
        frames.append(_rows(dataset, path, values, of_file))
        if left_out is not None:
            left_out += [f"{path.name}: {sentence}." for sentence in of_file]
    return pl.concat(frames)


def _rows(dataset: Dataset, path: Path, values: Mapping[str, Value], left_out: list[str]) -> pl.DataFrame:
    try:
        return convert(dataset, {series.name: series for series in _read(path)}, values, left_out=left_out)
    except ColumnError as error:
        message = f"{path}: {error}. Correct the file, or {dataset.file}."
        raise SourceChanged(message) from None


def _read(path: Path) -> pl.DataFrame:
    try:
        return _with_stripped_names(pl.read_parquet(path) if path.suffix == ".parquet" else _read_csv(path))
    except OSError as error:
        raise SourceUnavailable(f"{path} cannot be read: {error.strerror or error}.") from None
    except NotCsv as error:
        raise SourceChanged(f"{path} {error}.") from None
    except pl.exceptions.PolarsError as error:
        raise SourceChanged(f"{path} {_fault(path, error)}.") from None


def _fault(path: Path, error: pl.exceptions.PolarsError) -> str:
    """Return what is wrong with a file, in plainer words than Polars has."""
    if path.suffix == ".parquet":
        return "is not a complete Parquet file"
    if "more fields" in str(error):
        return "does not have equal columns in all lines: one has more than the first"
    return "has a line that cannot be read; perhaps a quotation mark is missing"


def _read_csv(path: Path) -> pl.DataFrame:
    text, separator = read_csv_text(read_plain(path))
    try:
        frame = pl.read_csv(text.encode(), infer_schema=False, separator=separator)
    except pl.exceptions.PolarsError:
        check_lines(path, io.StringIO(text, newline=""), separator)
        raise
    if frame[:, -1].null_count():  # empty, or not there: the lines are read again only then
        check_lines(path, io.StringIO(text, newline=""), separator)
    return frame


def _with_stripped_names(frame: pl.DataFrame) -> pl.DataFrame:
    """Return a frame whose names have no blanks around them."""
    names = [name.strip() for name in frame.columns]
    if twice := [name for name, number in Counter(names).items() if number > 1]:
        raise NotCsv(f"has more than one column {twice[0]}")
    return frame.rename(dict(zip(frame.columns, names, strict=True)))
