"""The tables as Markdown, for `docs/lake.md`: `python -m mystocks_dagster.lake.docs` prints them."""

import sys
from collections.abc import Iterator

from mystocks_dagster.market.schemas import MOMENT, TABLES, Table

_THEN = {"row": "the row is set aside", "value": "`{}` is unknown", "refuse": "the write is refused"}


def tables_markdown() -> str:
    """Return one section per table: grain, key, partitioning, and each column with its type and unit."""
    return "\n".join(line for table in TABLES.values() for line in _section(table))


def _section(table: Table) -> Iterator[str]:
    yield f"### {table.name} ({table.title})"
    yield ""
    days = ", written and replaced by whole trading days, partitioned by year on disk" if table.by_day else ""
    yield f"One row per {table.grain.removeprefix('one ')}. Key: {', '.join(f'`{name}`' for name in table.key)}{days}."
    yield ""
    yield "| column | type | unit or meaning | may be null |"
    yield "| --- | --- | --- | --- |"
    for column in table.columns:
        kind = "moment" if column.dtype == MOMENT else f"{column.dtype}".lower()
        yield f"| `{column.name}` | {kind} | {column.unit} | {'yes' if column.null else ''} |"
    yield ""
    yield from _rules(table)


def _rules(table: Table) -> Iterator[str]:
    if not table.rules:
        return
    yield "| rule | what breaks it | and then |"
    yield "| --- | --- | --- |"
    for rule in table.rules:
        yield f"| `{rule.name}` | {rule.reason} | {_THEN[rule.severity].format(rule.column)} |"
    yield ""


if __name__ == "__main__":
    sys.stdout.write(tables_markdown())
