"""data truth: which datasets have witnesses, how far these agree, and which differences are open."""

from datetime import date
from typing import Annotated, Any

import typer
from rich.text import Text

from mystocks_dagster.cli.check import Json
from mystocks_dagster.cli.days import day_option
from mystocks_dagster.cli.printing import console, listed, print_json, translate
from mystocks_dagster.cli.tables import print_table
from mystocks_dagster.settings import Settings

#: Differences that are listed below the table.
_LISTED = 10


def register(data: typer.Typer) -> None:
    """Add the command under `data`."""
    data.command()(truth)


def truth(
    day: Annotated[date | None, day_option("--day", help="Trading day; else the newest compared one.")] = None,
    json: Json = False,
) -> None:
    """Show for each dataset its witnesses, the percentage of rows on which they agree, and the open differences.

    Example: mystocks data truth --day 2026-11-27
    """
    from mystocks_dagster.lake.comparisons import open_differences
    from mystocks_dagster.lake.store import Lake
    from mystocks_dagster.tasks.truth import truth as collect

    lake = Lake(Settings.from_env().lake)
    datasets = collect(lake, day)
    differences = open_differences(lake)
    if day:
        differences = differences.filter(date=day)
    if json:
        print_json({"datasets": [item.to_json() for item in datasets], "differences": differences.to_dicts()})
        return
    print_table(("dataset", "witnesses", "day", "compared", "rows", "agreement", "differences"), map(_row, datasets))
    for item in datasets:
        if item.note:
            console.print(f"{item.table}: {item.note}")
    if differences.height:
        listed = differences.head(_LISTED).select(
            "table", "symbol", "date", "column", "source_a", "value_a", "source_b", "value_b", "kind"
        )
        print_table(listed.columns, listed.iter_rows(), title="Open differences", data=True)
    if differences.height > _LISTED:
        console.print(f"{differences.height - _LISTED:,} more: mystocks data head source_differences -n 1000")
    if not any(item.day for item in datasets):
        console.print("Nothing was compared yet. Compare now:  [bold]mystocks run compare_sources[/]")


def _row(item: Any) -> tuple[Any, ...]:
    from mystocks_dagster.market.witnesses import percent_text

    compared = translate(f"{item.source} with {item.witness}") if item.witness else ""
    return (
        item.table,
        listed(map(translate, item.witnesses)) or translate("none"),
        item.day or "",
        compared,
        item.rows or "",
        Text(percent_text(item.agreement), "red" if item.differences else "green"),
        item.differences or "",
    )
