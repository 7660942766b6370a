"""A dataset as a source: its rows by trading day, report period or symbol, from akshare or from files."""

from collections.abc import Mapping, Sequence
from datetime import date

import polars as pl

from mystocks_dagster.datasets.placeholders import Value
from mystocks_dagster.datasets.reader import Dataset
from mystocks_dagster.errors import NotOffered, SourceChanged, SourceUnavailable
from mystocks_dagster.market.clock import now
from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.akshare.dataset_calls import fetch_rows
from mystocks_dagster.sources.akshare.source import AkshareSource
from mystocks_dagster.sources.dataset_files import read_files

FILES = "files"


class DatasetSource:
    """The rows of one dataset; `sources.checked.CheckedSource` checks them against the rules of its table.

    Attributes:
        name: The value of `source` in `loaded_days` and `quarantine`.
        world: Always `real`: akshare and a user's files hold no invented market.
        left_out: Sentences about the rows of files that cannot be read, or be true yet, since the source was opened.
    """

    world = "real"

    def __init__(
        self, dataset: Dataset, settings: Settings, *, symbols: Sequence[str], each: Mapping[str, Sequence[str]]
    ) -> None:
        """Open the source without a request.

        Args:
            dataset: The dataset.
            settings: The project's settings.
            symbols: Symbols for calls by symbol.
            each: The values of the calls' own placeholders.
        """
        self.dataset, self._root = dataset, settings.root
        self.name = FILES if dataset.spec.files else AkshareSource.name
        self.offers = frozenset({dataset.table.name})
        self.has_history = not dataset.spec.is_present_only
        self._symbols, self._each = symbols, each
        self._akshare = AkshareSource(settings)
        self.left_out: list[str] = []

    @property
    def requests(self) -> dict[str, dict[str, int]]:
        """Number of requests by upstream host, as `AkshareSource.requests`."""
        return self._akshare.requests

    def bar_days(self) -> tuple[date, date]:
        """Return the latest closed session twice; beyond the calendar it is asked of the upstream.

        Raises:
            NotOffered: The rows come from files, which do not know the newest session.
        """
        if self.dataset.spec.files:
            raise NotOffered(f"The files of {self.dataset.name} state no sessions.")
        return self._akshare.bar_days()

    def trading_days(self) -> list[date]:
        """Raise `NotOffered`: a dataset states no trading days."""
        raise NotOffered(f"The dataset {self.dataset.name} states no trading days.")

    def rows(self, table: str, start: date, end: date) -> pl.DataFrame:
        """Return the rows from `start` to `end`, or those of the report period `end`.

        Raises:
            SourceUnavailable: The upstream failed, or has another day than the requested one.
            SourceChanged: The upstream's format has changed, or some rows are of other days than the requested ones.
        """
        values: dict[str, Value] = {"day": end, "start": start, "end": end, "period": end}
        if self.dataset.spec.asked_by == "symbol":
            frame = pl.concat([self._fetch({**values, "symbol": symbol}) for symbol in self._symbols])
        else:
            frame = self._fetch(values)
        return self._within(frame, start, end)

    def _fetch(self, values: Mapping[str, Value]) -> pl.DataFrame:
        if self.dataset.spec.files:
            return read_files(self.dataset, self._root, values, self.left_out)
        return fetch_rows(self._akshare, self.dataset, values, self._each)

    def _within(self, frame: pl.DataFrame, start: date, end: date) -> pl.DataFrame:
        """Return the rows of the requested days.

        An answer with all days is cut. Rows of another day in an answer to a request for certain days are a fault.
        """
        if not self.dataset.table.by_day:
            return frame
        inside = pl.col("date").is_between(start, end)
        others = frame.filter(~inside)
        if self.dataset.spec.files and (future := others.filter(pl.col("date") > now().date())).height:
            number, first = future.height, future["date"].min()
            self.left_out.append(f"Rows left out because their day is yet to come: {number:,}, first {first}.")
        if others.is_empty() or self.dataset.spec.asked_by in ("whole", "symbol"):
            return frame.filter(inside | pl.col("date").is_null())
        shown = others["date"][0]
        asked = f"{start}" if start == end else f"{start} to {end}"
        if others.height == frame.height:
            raise SourceUnavailable(
                f"{self.name} answered with rows of {shown} instead of {asked} for {self.dataset.name}: "
                "those may not be published yet. Try again later."
            )
        raise SourceChanged(
            f"{self.name}: {others.height:,} of {frame.height:,} rows of {self.dataset.name} are of another day than "
            f"{asked}, e.g. {shown}. Correct the arguments or the day column in {self.dataset.file}."
        )
