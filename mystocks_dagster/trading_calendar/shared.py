"""The copy of the record beside a lake on an object store, shared with other machines."""

import contextlib
import time

from mystocks_dagster.errors import MyStocksError
from mystocks_dagster.settings import Settings
from mystocks_dagster.trading_calendar import in_force, record
from mystocks_dagster.trading_calendar.record import Record

#: Least time between two reads of the store, in seconds.
_PAUSE_SECONDS = 600
_FOLDER = "_calendar"


def fetch(settings: Settings) -> None:
    """Adopt the record beside the lake if it is newer; do nothing if the lake is a local folder.

    If the copy cannot be read, this machine's own record stays in use.
    """
    if "://" not in settings.lake or not _pause_over(settings):
        return
    import polars as pl

    with contextlib.suppress(MyStocksError, OSError, pl.exceptions.PolarsError):
        text = pl.scan_ndjson(_url(settings), schema={"record": pl.String}).collect()["record"][0]
        shared = Record.parse(text, _url(settings))
        if _newer(shared, _local(settings)):
            record.write(settings, shared)
            in_force.clear_cache()


def publish(settings: Settings) -> None:
    """Copy the record beside a lake on an object store; if that fails, the next refresh does it."""
    if "://" not in settings.lake:
        return
    import polars as pl

    with contextlib.suppress(MyStocksError, OSError, pl.exceptions.PolarsError):
        pl.DataFrame({"record": [record.read(settings).text()]}).lazy().sink_ndjson(_url(settings), mkdir=True)


def _url(settings: Settings) -> str:
    return f"{settings.lake.rstrip('/')}/{_FOLDER}/calendar.ndjson"


def _pause_over(settings: Settings) -> bool:
    mark = settings.dagster_home / "calendar.fetched"
    try:
        if time.time() - mark.stat().st_mtime < _PAUSE_SECONDS:
            return False
    except OSError:
        pass
    with contextlib.suppress(OSError):
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
    return True


def _local(settings: Settings) -> Record:
    try:
        return record.read(settings)
    except record.Damaged:
        return Record()


def _newer(record: Record, other: Record) -> bool:
    if record.fetched_at is None:
        return False
    return other.fetched_at is None or record.fetched_at > other.fetched_at
