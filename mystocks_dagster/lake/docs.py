"""The tables as Markdown at the end of `docs/lake.md`, where `python -m mystocks_dagster.lake.docs` writes them."""

from collections.abc import Iterator
from pathlib import Path

from mystocks_dagster.lake.stored_checks import CheckDeclaration, check_declarations
from mystocks_dagster.market.table import MOMENT, Table
from mystocks_dagster.market.tables import BUILT_IN

PAGE = Path(__file__).parent.parent.parent / "docs" / "lake.md"
#: The text after this line is generated.
MARK = "<!-- Generated from `market/tables/` by `python -m mystocks_dagster.lake.docs`; a test compares them. -->\n"

_CONSEQUENCES = {
    "row": "the row is set aside",
    "value": "`{}` is set to unknown",
    "refuse": "the write is refused",
    "check": "the row is stored, and the table's asset check warns",
}


def tables_markdown() -> str:
    """Return one section per table: content, grain, key, partitioning, columns with types and units, and rules."""
    return "\n".join(line for table in BUILT_IN.values() for line in _section(table))


def _section(table: Table) -> Iterator[str]:
    yield f"### {table.name} ({table.title})"
    yield ""
    yield f"{table.about} (group `{table.domain}`)."
    days = ", written and replaced by whole trading days" if table.by_day else ""
    days += ", partitioned by year on disk" if table.partitioned else ""
    yield f"One row per {table.grain.removeprefix('one ')}. Key: {', '.join(f'`{name}`' for name in table.key)}{days}."
    yield from _known(table)
    yield ""
    yield "| column | type | unit or meaning | may be null |"
    yield "| --- | --- | --- | --- |"
    for column in table.columns:
        kind = "moment" if column.dtype == MOMENT else f"{column.dtype}".lower()
        yield f"| `{column.name}` | {kind} | {column.unit} | {'yes' if column.null else ''} |"
    yield ""
    yield from _rules(table)
    yield f"Checks: {', '.join(_check(check) for check in check_declarations(table))}."
    yield ""


def _check(check: CheckDeclaration) -> str:
    return f"`{check.name}` (blocks)" if check.blocking else f"`{check.name}`"


def _known(table: Table) -> Iterator[str]:
    if not table.known_by:
        return
    days = ", or else ".join(f"`{name}`" for name in table.known_by)
    key = ", ".join(f"`{name}`" for name in table.version_key)
    versions = f"; as of a day, the newest rows of each {key}" if key else ""
    ends = "".join(f"; `{name}` is null until it has come" for name in table.ends)
    yield f"Known since {days}{versions}{ends}."


def _rules(table: Table) -> Iterator[str]:
    if not table.rules:
        return
    yield "| rule | a row breaks it when | consequence |"
    yield "| --- | --- | --- |"
    for rule in table.rules:
        yield f"| `{rule.name}` | {rule.reason} | {_CONSEQUENCES[rule.severity].format(rule.column)} |"
    yield ""


def main() -> None:
    """Write the tables into `docs/lake.md`."""
    text = PAGE.read_text(encoding="utf-8").partition(MARK)[0]
    PAGE.write_text(f"{text}{MARK}\n{tables_markdown()}", encoding="utf-8")


if __name__ == "__main__":
    main()
