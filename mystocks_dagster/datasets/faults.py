"""The faults of a dataset file beyond the types of its fields: names, placeholders, rules and functions that exist."""

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath, PureWindowsPath

from mystocks_dagster.datasets import functions, placeholders
from mystocks_dagster.datasets.declared_table import DATE, DTYPES, UNITS, kinds_of, types_of
from mystocks_dagster.datasets.expressions import ExpressionError, translate
from mystocks_dagster.datasets.model import ColumnSpec, DatasetFile
from mystocks_dagster.excerpts import suggest
from mystocks_dagster.market.table import Table
from mystocks_dagster.tags import ENDINGS, OWN_NAMES
from mystocks_dagster.taskfile.names import DAGSTER_NAMES
from mystocks_dagster.taskfile.problems import Fault, Path

_REQUIRED = ("title", "about", "about_zh", "domain", "key")
_FILES = (".csv", ".parquet")


def dataset_faults(name: str, spec: DatasetFile, tables: Mapping[str, Table], *, calls: bool = True) -> Iterator[Fault]:
    """Yield the faults of a file whose fields have the right types.

    Args:
        name: The name of the dataset.
        spec: The file.
        tables: The tables that are declared in Python.
        calls: Whether to look up akshare's functions.
    """
    table = tables.get(spec.table or "")
    yield from _name_faults(name, spec, tables)
    yield from _existing_table_faults(spec, table) if spec.table else _table_faults(spec)
    for column, field in spec.columns.items():
        yield from _column_faults(column, field, spec, table)
    yield from _origin_faults(spec)
    if calls:
        yield from _call_faults(spec)
    yield from _rule_faults(spec, table, tables)


def _name_faults(name: str, spec: DatasetFile, tables: Mapping[str, Table]) -> Iterator[Fault]:
    if spec.table and spec.table not in tables:
        yield Fault(("table",), f"there is no table {spec.table!r}", suggest(spec.table, tables))
    elif not spec.table and name in tables:
        hint = f"Write `table: {name}` to fill that table, or give the file another name."
        yield Fault((), f"{name} is a table of the lake already", hint)
    elif not spec.table and (name in DAGSTER_NAMES or name in OWN_NAMES or name.endswith(tuple(ENDINGS))):
        yield Fault((), f"{name} cannot be the name of a table", "Give the file another name.")


def _table_faults(spec: DatasetFile) -> Iterator[Fault]:
    for field in _REQUIRED:
        if not getattr(spec, field):
            yield Fault((field,), f"{field} is missing", f"Add {field}, or `table: NAME` to fill an existing table.")
    for index, column in enumerate(spec.key):
        if column not in spec.columns:
            yield Fault(("key", index), f"there is no column {column!r}", suggest(column, spec.columns))
        elif column in spec.key[:index]:
            yield Fault(("key", index), f"{column} is in the key twice", "Name it once.")
        elif spec.columns[column].optional:
            yield Fault(
                ("columns", column, "optional"), f"{column} is part of the key, which is never unknown", "Remove it."
            )
    yield from _known_faults(spec)
    if spec.by_day:
        yield from _by_day_faults(spec)
    elif spec.day and (spec.day not in spec.columns or spec.columns[spec.day].type != "day"):
        days = [name for name, column in spec.columns.items() if column.type == "day"]
        yield Fault(("day",), f"{spec.day!r} is not a column of type day", suggest(spec.day, days))


def _known_faults(spec: DatasetFile) -> Iterator[Fault]:
    if spec.known_by and (spec.known_by not in spec.columns or spec.columns[spec.known_by].type != "day"):
        days = [name for name, column in spec.columns.items() if column.type == "day"]
        yield Fault(("known_by",), f"{spec.known_by!r} is not a column of type day", suggest(spec.known_by, days))
    for index, column in enumerate(spec.version_key):
        if column not in spec.columns:
            yield Fault(("version_key", index), f"there is no column {column!r}", suggest(column, spec.columns))
    if spec.version_key and not (spec.known_by or spec.by_day):
        message = "version_key needs known_by: without it, no version is the newest"
        yield Fault(("version_key",), message, "Add known_by.", at_key=True)


def _by_day_faults(spec: DatasetFile) -> Iterator[Fault]:
    if DATE not in spec.columns or spec.columns[DATE].type != "day":
        yield Fault(("columns",), "a table by trading day has a column date of type day", "Add `date: {type: day}`.")
    if DATE not in spec.key:
        yield Fault(("key",), "the key of a table by trading day contains date", "Add date.")
    if spec.day:
        yield Fault(("day",), "the day column of a table by trading day is date", "Remove day.", at_key=True)


def _existing_table_faults(spec: DatasetFile, table: Table | None) -> Iterator[Fault]:
    for field in (*_REQUIRED, "by_day", "day", "known_by", "version_key", "rules"):
        if getattr(spec, field):
            message = f"the table {spec.table} exists already, so {field} is not given here"
            yield Fault((field,), message, "Remove it.", at_key=True)
    for column in table.columns if table else ():
        if column.name not in spec.columns and not column.null:
            yield Fault(("columns",), f"the column {column.name} of {spec.table} is missing", f"Add {column.name}.")


def _column_faults(name: str, column: ColumnSpec, spec: DatasetFile, table: Table | None) -> Iterator[Fault]:
    at: Path = ("columns", name)
    if name in DAGSTER_NAMES:
        yield Fault(at, f"{name} is a reserved word and cannot be a column", "Use another name.", at_key=True)
    if bool(column.source) == (column.value is not None):
        what = "has both source and value" if column.source else "has neither source nor value"
        yield Fault(at, f"the column {name} {what}", "Write `source: COLUMN OF THE SOURCE`, or `value: '{day}'`.")
    for message, hint in placeholders.faults(column.value or "", _each(spec)):
        yield Fault((*at, "value"), message, hint)
    if column.scale != 1 and column.type not in ("number", "count"):
        yield Fault((*at, "scale"), "only a number or a count has a scale", "Remove it.", at_key=True)
    if column.default is not None and (column.optional or column.type not in ("number", "count")):
        yield Fault((*at, "default"), "only a number that is not optional has a default", "Remove it.", at_key=True)
    if spec.table:
        yield from _matching_faults(at, name, column, table)
    elif column.type is None:
        yield Fault((*at, "type"), "type is missing", "Add type, such as number or day.", at_key=True)
    elif not column.unit and column.type not in UNITS:
        yield Fault((*at, "unit"), "unit is missing", "Add the unit or meaning, such as CNY, shares or %.", at_key=True)


def _matching_faults(at: Path, name: str, column: ColumnSpec, table: Table | None) -> Iterator[Fault]:
    if table and name not in table.dtypes:
        yield Fault(at, f"{table.name} has no column {name!r}", suggest(name, table.dtypes), at_key=True)
    elif table and column.type and DTYPES[column.type] != table.dtypes[name]:
        yield Fault((*at, "type"), f"{table.name}.{name} is of type {table.dtypes[name]}, not {column.type}")


def _origin_faults(spec: DatasetFile) -> Iterator[Fault]:
    if bool(spec.call) == bool(spec.files):
        what = "both call and files" if spec.call else "neither call nor files"
        yield Fault(("call",), f"the dataset has {what}", "Write one of them.", at_key=True)
    if spec.files:
        path = spec.files.pattern
        if PurePosixPath(path).is_absolute() or PureWindowsPath(path).is_absolute() or ".." in path or "~" in path:
            yield Fault(("files", "pattern"), f"{path!r} is not below the project's folder", "Write incoming/*.csv.")
        elif not path.endswith(_FILES):
            yield Fault(("files", "pattern"), f"{path!r} names neither CSV nor Parquet files", "Write incoming/*.csv.")
        for message, hint in placeholders.faults(path, {}):
            yield Fault(("files", "pattern"), message, hint)
    if spec.window and spec.asked_by != "range":
        yield Fault(("window",), "a window needs {start} and {end} in the arguments", "Remove it.", at_key=True)


def _call_faults(spec: DatasetFile) -> Iterator[Fault]:
    for index, call in enumerate(spec.call or ()):
        at: Path = ("call", index)
        known = functions.public_functions()
        if call.function not in known:
            message = f"akshare has no public function {call.function!r}"
            hint = suggest(call.function, known) if known else "Install akshare."
            yield Fault((*at, "function"), message, hint if hint.startswith(("Did", "Install")) else "")
            continue
        allowed = functions.arguments(call.function)
        for argument, value in call.arguments.items():
            if allowed is not None and argument not in allowed:
                hint = suggest(argument, allowed) or "It takes no arguments."
                message = f"{call.function} takes no argument {argument!r}"
                yield Fault((*at, "arguments", argument), message, hint, at_key=True)
            for message, hint in placeholders.faults(str(value), call.each) if isinstance(value, str) else ():
                yield Fault((*at, "arguments", argument), message, hint)
        for column in call.lacks:
            if column not in spec.columns:
                yield Fault((*at, "lacks"), f"there is no column {column!r}", suggest(column, spec.columns))


def _rule_faults(spec: DatasetFile, table: Table | None, tables: Mapping[str, Table]) -> Iterator[Fault]:
    kinds = kinds_of(types_of(spec, table))
    for name, rule in spec.rules.items():
        at: Path = ("rules", name)
        try:
            translate(rule.holds, kinds)
        except ExpressionError as error:
            yield Fault((*at, "holds"), error.message, error.hint, span=error.span)
        if (rule.otherwise == "value") != (rule.column is not None):
            yield Fault(at, f"{name}: `otherwise: value` and `column` belong together", "Name the column.", at_key=True)
        elif rule.column and not getattr(spec.columns.get(rule.column), "optional", False):
            hint = suggest(rule.column, [column for column, field in spec.columns.items() if field.optional])
            yield Fault((*at, "column"), f"{rule.column!r} is not a column that may be unknown", hint)
    if spec.witness:
        yield from _witness_faults(spec, kinds, tables)


def _witness_faults(spec: DatasetFile, kinds: Mapping[str, str], tables: Mapping[str, Table]) -> Iterator[Fault]:
    if spec.witness:
        witness = tables.get(spec.witness.table)
        missing = [name for name in spec.witness.columns.values() if witness and name not in witness.dtypes]
        if missing and witness:
            message = f"{witness.name} has no column {missing[0]!r}"
            yield Fault(("witness", "columns"), message, suggest(missing[0], witness.dtypes))
        tables_of_key = [kinds, *([witness.dtypes] if witness else [])]
        for name in spec.witness.key:
            for columns in tables_of_key:
                if name not in columns:
                    yield Fault(("witness", "key"), f"{name!r} is not a column of both tables", suggest(name, columns))
        for column in spec.witness.columns:
            if kinds.get(column) != "number":
                hint = suggest(column, [name for name, kind in kinds.items() if kind == "number"])
                yield Fault(("witness", "columns", column), f"{column!r} is not a column of numbers", hint, at_key=True)


def _each(spec: DatasetFile) -> dict[str, object]:
    return {name: None for call in spec.call or () for name in call.each}
