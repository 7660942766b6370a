"""data export: write a table as a file that other tools load."""

from datetime import date
from pathlib import Path
from typing import Annotated, Literal

import typer

from mystocks_dagster.cli.check import Json
from mystocks_dagster.cli.days import day_option
from mystocks_dagster.cli.printing import console, print_json, translate
from mystocks_dagster.settings import Settings


def register(data: typer.Typer) -> None:
    """Add the command under `data`."""
    data.command()(export)


def export(
    table: Annotated[str, typer.Argument(help="Name of a table.")],
    out: Annotated[Path, typer.Argument(help="The file to write; with qlib, the folder.")],
    form: Annotated[
        Literal["parquet", "csv", "xlsx", "qlib"] | None,
        typer.Option("--format", help="By default from OUT's name. qlib: the folder of its provider_uri."),
    ] = None,
    adjust: Annotated[
        Literal["hfq", "qfq"] | None,
        typer.Option(help="Adjust the prices of daily_bars, and add the factor: backward (hfq) or forward (qfq)."),
    ] = None,
    symbols: Annotated[str, typer.Option(help="Symbols to keep, separated by commas: 600519.SH,000001.SZ.")] = "",
    start: Annotated[date | None, day_option(help="First day.")] = None,
    end: Annotated[date | None, day_option(help="Last day.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file, or an earlier export for qlib.")] = False,
    json: Json = False,
) -> None:
    """Write a table as Parquet, CSV, Excel or in qlib's binary format; the file appears when it is complete.

    Example: mystocks data export daily_bars bars.parquet --adjust hfq --start 2024-01-01
    """
    from mystocks_dagster.lake.export import Export
    from mystocks_dagster.lake.export import export as write
    from mystocks_dagster.lake.store import Lake

    request = Export(
        table=table,
        adjust=adjust,
        symbols=tuple(name.strip() for name in symbols.split(",")) if symbols else None,
        start=start,
        end=end,
    )
    rows = write(Lake(Settings.from_env().lake), request, out, form, force=force)
    if json:
        print_json({"table": table, "rows": rows, "out": str(out)})
    else:
        console.print(translate(f"wrote {out}: {rows:,} rows"), markup=False)
