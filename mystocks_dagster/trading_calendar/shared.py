"""The copy of the record beside a lake on an object store, which other machines have in common with this one."""

import contextlib
import time

from mystocks_dagster.errors import MyStocksError
from mystocks_dagster.settings import Settings
from mystocks_dagster.trading_calendar import in_force, record
from mystocks_dagster.trading_calendar.record import Record

#: The store is asked at most once in so many seconds.
_PAUSE_SECONDS = 600
_FOLDER = "_calendar"


def fetch(settings: Settings) -> None:
    """Take the record beside the lake over where it is newer; nothing to do where the lake is a folder of this machine.

    What cannot be read is left: the calendar is then the one that this machine knows.
    """
    if "://" not in settings.lake or not _pause_over(settings):
        return
    import polars as pl

    with contextlib.suppress(MyStocksError, OSError, pl.exceptions.PolarsError):
        text = pl.scan_ndjson(_place(settings), schema={"record": pl.String}).collect()["record"][0]
        shared = Record.parse(text, _place(settings))
        if _newer(shared, _local(settings)):
            record.write(settings, shared)
            in_force.look_again()


def publish(settings: Settings) -> None:
    """Put the record beside a lake on an object store; what cannot be written is left to the next refresh."""
    if "://" not in settings.lake:
        return
    import polars as pl

    with contextlib.suppress(MyStocksError, OSError, pl.exceptions.PolarsError):
        pl.DataFrame({"record": [record.read(settings).text()]}).lazy().sink_ndjson(_place(settings), mkdir=True)


def _place(settings: Settings) -> str:
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


def _newer(one: Record, other: Record) -> bool:
    if one.fetched_at is None:
        return False
    return other.fetched_at is None or one.fetched_at > other.fetched_at
