"""The table that a dataset file declares: its columns with their types, and its value rules."""

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

import polars as pl

from mystocks_dagster.datasets.expressions import Kind, translate
from mystocks_dagster.datasets.model import ColumnSpec, ColumnType, DatasetFile, RuleSpec
from mystocks_dagster.market.checks import WITNESSES_AGREE
from mystocks_dagster.market.publication import Publication
from mystocks_dagster.market.table import MOMENT, Column, Rule, Table
from mystocks_dagster.market.tables.rules import NOT_IN_THE_FUTURE, RECENT, TRADING_DAY

DTYPES: Mapping[ColumnType, pl.DataType | type[pl.DataType]] = MappingProxyType(
    {
        **dict.fromkeys(("symbol", "stock", "code", "name", "text"), pl.String),
        "number": pl.Float64,
        "count": pl.Int64,
        "day": pl.Date,
        "moment": MOMENT,
        "flag": pl.Boolean,
    }
)
_KINDS: Mapping[ColumnType, Kind] = MappingProxyType(
    {
        **dict.fromkeys(("symbol", "stock", "code", "name", "text"), "text"),
        **dict.fromkeys(("number", "count"), "number"),
        "day": "day",
        "moment": "moment",
        "flag": "flag",
    }
)
#: Units of columns whose type says enough.
UNITS: Mapping[ColumnType, str] = MappingProxyType(
    {
        "symbol": "six digits and exchange: 600519.SH, 510300.SH",
        "stock": "six digits and exchange: 600519.SH, 000001.SZ, 920001.BJ",
        "code": "six digits",
        "name": "name on that day",
        "day": "day in Shanghai",
        "moment": "moment in Shanghai",
    }
)
#: A Chinese heading, but not one of two parts: 股东户数-本次.
_CHINESE_LABEL = re.compile("[^-]*[\u4e00-\u9fff][^-]*")
#: The day column of every table by trading day.
DATE = "date"


def kinds_of(types: Mapping[str, ColumnType]) -> dict[str, Kind]:
    """Return the kinds of columns as value rules see them."""
    return {name: _KINDS[kind] for name, kind in types.items()}


def types_of(spec: DatasetFile, table: Table | None) -> dict[str, ColumnType]:
    """Return the type of each column, from the file or from an existing table."""
    return {name: column.type or _type_in(table, name) for name, column in spec.columns.items()}


def declared_table(name: str, spec: DatasetFile) -> Table:
    """Return the table of a checked file."""
    return Table(
        name=name,
        title=spec.title or name,
        about=(spec.about or "").rstrip("."),
        about_zh=(spec.about_zh or "").rstrip("。"),
        domain=spec.domain or "market",
        grain=f"one {' and '.join(spec.key)}",
        key=spec.key,
        columns=tuple(_column(name, column) for name, column in spec.columns.items()),
        origin="source",
        date_column=DATE if spec.by_day else spec.day,
        by_day=spec.by_day,
        rules=tuple(_rules(spec)),
        check_days=RECENT if spec.by_day else None,
        available_after=Publication.parse(spec.available_after),
        known_by=(spec.known_by,) if spec.known_by else (DATE,) if spec.by_day else (),
        version_key=spec.version_key,
        checks=(WITNESSES_AGREE,) if spec.witness else (),
    )


def _column(name: str, column: ColumnSpec) -> Column:
    kind = column.type or "text"
    unit = column.unit or ("trading day in Shanghai" if name == DATE else UNITS.get(kind, ""))
    label = next((source for source in column.source if _CHINESE_LABEL.fullmatch(source)), "")
    return Column(name, DTYPES[kind], unit, column.optional, label)


def _type_in(table: Table | None, name: str) -> ColumnType:
    dtype = table.dtypes.get(name) if table else None
    if name == "symbol":
        return "symbol"
    return next((kind for kind, own in DTYPES.items() if own == dtype and kind not in ("symbol", "stock")), "text")


def _rules(spec: DatasetFile) -> Iterator[Rule]:
    """Yield the rules of the file, after those that follow from the columns."""
    if spec.by_day:
        yield from (TRADING_DAY, NOT_IN_THE_FUTURE)
    for name, column in spec.columns.items():
        if not column.optional:
            yield Rule(f"{name}_missing", f"{name} is unknown", lambda name=name: pl.col(name).is_null())
    kinds = kinds_of(types_of(spec, None))
    for name, rule in spec.rules.items():
        yield _rule(name, rule, kinds)


def _rule(name: str, rule: RuleSpec, kinds: Mapping[str, Kind]) -> Rule:
    reason = rule.about or f"`{rule.holds.strip()}` does not hold"
    return Rule(name, reason, lambda: ~translate(rule.holds, kinds), rule.otherwise, rule.column)
