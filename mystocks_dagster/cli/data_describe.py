"""data describe: what the tables hold, and the meaning and unit of each column."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from mystocks_dagster.cli.check import Json
from mystocks_dagster.cli.printing import console, declared, escape, language, print_json, translate
from mystocks_dagster.cli.tables import print_table
from mystocks_dagster.texts.declarations import column_name


def register(data: typer.Typer) -> None:
    """Add the command under `data`."""
    data.command()(describe)


def describe(
    table: Annotated[str, typer.Argument(help="Name of a table; omitted: all tables.")] = "", json: Json = False
) -> None:
    """Show what a table holds: the meaning and unit of each column, and what a row stands for.

    Example: mystocks data describe daily_bars
    """
    from mystocks_dagster.market.tables import TABLES
    from mystocks_dagster.market.tables import table as find

    if table:
        _show(find(table), json=json)
    elif json:
        print_json([_to_json(item) for item in TABLES.values()])
    else:
        chinese = language() == "zh"
        rows = [(item.name, *((item.title,) if chinese else ()), _about(item)) for item in TABLES.values()]
        print_table(("table", *(("name",) if chinese else ()), "contents"), rows)


def _show(table: Any, *, json: bool) -> None:
    if json:
        print_json(_to_json(table))
        return
    chinese = language() == "zh"
    title = f"{table.title} ({table.name})" if chinese else table.name
    console.print(f"[bold]{escape(title)}[/]")
    console.print(_about(table), markup=False)
    names: Sequence[str] = [column_name(table.name, item.name, item.label, language()) for item in table.columns]
    rows = [
        (item.name, *((name,) if chinese else ()), declared(item.unit), "yes" if item.null else "")
        for item, name in zip(table.columns, names, strict=True)
    ]
    print_table(
        ("column", *(("name",) if chinese else ()), "meaning", "may be unknown"), rows, said=("may be unknown",)
    )
    if table.grain != f"one {' and '.join(table.key)}":
        console.print(f"One row: {escape(declared(table.grain))}")
    console.print(f"{translate('Key:')} {', '.join(table.key)}", markup=False)


def _about(table: Any) -> str:
    return table.about_zh or table.about if language() == "zh" else table.about


def _to_json(table: Any) -> dict[str, Any]:
    return {
        "table": table.name,
        "title": table.title,
        "about": table.about,
        "about_zh": table.about_zh,
        "grain": table.grain,
        "key": list(table.key),
        "columns": [
            {
                "column": item.name,
                "title": column_name(table.name, item.name, item.label, "zh"),
                "type": str(item.dtype),
                "unit": item.unit,
                "null": item.null,
            }
            for item in table.columns
        ],
    }
