"""The table `quarantine`: rows that broke a rule, kept to be looked at until the same row comes without a fault."""

from collections.abc import Collection, Sequence
from datetime import date

import polars as pl

from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.clock import now
from mystocks_dagster.market.tables.system import QUARANTINE
from mystocks_dagster.market.value_rules import Fault


def replace_days(lake: Lake, table: str, faults: Sequence[Fault], days: Collection[date], source: str) -> None:
    """Make `faults` all that is set aside of those days of a table; call it after the days were loaded."""
    stored = _stored(lake, table).filter(pl.col("date").is_in(list(days)))
    touched = sorted({*stored["date"].drop_nulls(), *(fault.date for fault in faults if fault.date)})
    if touched:
        listed = ", ".join(f"DATE '{day}'" for day in touched)
        _replace(
            lake,
            table,
            faults,
            f"date >= DATE '{touched[0]}' AND date <= DATE '{touched[-1]}' AND date IN ({listed})",
            source,
        )


def replace_keys(lake: Lake, table: str, faults: Sequence[Fault], keys: Collection[str], source: str) -> None:
    """Make `faults` all that is set aside of the rows of those keys, whose newest version was looked at just now."""
    stored = _stored(lake, table)
    touched = sorted({*(set(stored["key"]) & set(keys)), *(fault.key for fault in faults)})
    if touched:
        listed = ", ".join("'" + key.replace("'", "''") + "'" for key in touched)
        _replace(lake, table, faults, f"key IN ({listed})", source)


def keys_of(frame: pl.DataFrame, key: Sequence[str]) -> list[str]:
    """Return the keys of rows as the table `quarantine` writes them."""
    return (
        frame.select(pl.concat_str([pl.col(name).cast(pl.String) for name in key], separator=" ")).to_series().to_list()
    )


def has_quarantined_rows(lake: Lake, table: str) -> bool:
    """Say whether anything of that table is set aside."""
    return not _stored(lake, table).is_empty()


def _stored(lake: Lake, table: str) -> pl.DataFrame:
    if not lake.exists("quarantine"):
        return QUARANTINE.empty().select("key", "date")
    return lake.scan("quarantine").filter(pl.col("table") == table).select("key", "date").collect()


def _replace(lake: Lake, table: str, faults: Sequence[Fault], where: str, source: str) -> None:
    moment = now()
    rows = [
        {
            "table": table, "key": fault.key, "rule": fault.rule, "reason": fault.reason, "date": fault.date,
            "row": fault.as_json(), "source": source, "set_aside_at": moment,
        }
        for fault in faults
    ]  # fmt: skip
    frame = pl.DataFrame(rows, schema=QUARANTINE.dtypes, orient="row").unique(
        subset=QUARANTINE.key, keep="last", maintain_order=True
    )
    lake.replace_rows("quarantine", frame, f"\"table\" = '{table}' AND {where}")
