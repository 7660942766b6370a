"""The table `quarantine`: rows that broke a rule, kept until the same row is loaded without a fault."""

from collections.abc import Collection, Sequence
from datetime import date

import polars as pl

from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.clock import now
from mystocks_dagster.market.tables.system import QUARANTINE
from mystocks_dagster.market.value_rules import Fault


def replace_days(lake: Lake, table: str, faults: Sequence[Fault], days: Collection[date], source: str) -> None:
    """Replace the quarantined rows of those days of a table by `faults`; call it after the days were loaded."""
    stored = _stored(lake, table).filter(pl.col("date").is_in(list(days)))
    touched = sorted({*stored["date"].drop_nulls(), *(fault.date for fault in faults if fault.date)})
    if touched:
        days_sql = ", ".join(f"DATE '{day}'" for day in touched)
        where = f"date >= DATE '{touched[0]}' AND date <= DATE '{touched[-1]}' AND date IN ({days_sql})"
        _replace(lake, table, faults, where, source)


def replace_keys(lake: Lake, table: str, faults: Sequence[Fault], keys: Collection[str], source: str) -> None:
    """Replace the quarantined rows with those keys by `faults`; call it after rows with those keys were checked."""
    stored = _stored(lake, table)
    touched = sorted({*(set(stored["key"]) & set(keys)), *(fault.key for fault in faults)})
    if touched:
        keys_sql = ", ".join("'" + key.replace("'", "''") + "'" for key in touched)
        _replace(lake, table, faults, f"key IN ({keys_sql})", source)


def keys_of(frame: pl.DataFrame, key: Sequence[str]) -> list[str]:
    """Return the keys of rows as the table `quarantine` stores them."""
    parts = [pl.col(name).cast(pl.String).fill_null("None") for name in key]
    return frame.select(pl.concat_str(parts, separator=" ")).to_series().to_list()


def has_quarantined_rows(lake: Lake, table: str) -> bool:
    """Return whether the quarantine holds rows of that table."""
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
