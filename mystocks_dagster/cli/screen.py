"""screen: the symbols of the market that pass a 通达信 formula on a day."""

from datetime import date
from typing import Annotated, Any, cast

import typer

from mystocks_dagster.cli.check import Json
from mystocks_dagster.cli.completion import MANY
from mystocks_dagster.cli.days import day_option
from mystocks_dagster.cli.open_project import open_project
from mystocks_dagster.cli.printing import console, escape, print_json
from mystocks_dagster.cli.tables import print_table


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(screen)


def screen(
    formula: Annotated[str, typer.Argument(help="A formula with one output, which is true where it is not 0.")],
    day: Annotated[date | None, day_option(help="The trading day; omitted: the newest stored one.")] = None,
    period: Annotated[str, typer.Option(help="The bars: daily, weekly or monthly.")] = "daily",
    limit: Annotated[int | None, typer.Option("--limit", "-n", min=1, max=MANY, help="Most symbols to show.")] = None,
    json: Json = False,
) -> None:
    """List the symbols that pass a 通达信 formula on a day, with the values that made them pass.

    Prices are adjusted forward to that day; volume is in shares. docs/formulas.md has the language.

    Example: mystocks screen "CROSS(MA(C,5),MA(C,20)) AND V>2*MA(V,5)"
    """
    result = open_project().screening.run(formula, day=day, period=cast("Any", period), limit=limit)
    if json:
        print_json(result.to_json())
        return
    _print(result)


def _print(result: Any) -> None:
    rows = [list(map(_shown, row)) for row in result.rows.rows()]
    if rows:
        print_table(result.rows.columns, rows, data=True)
    more = f" (the table shows {len(rows):,})" if len(rows) < result.passed else ""
    without = f"; {result.without_values:,} of {result.screened:,} lack a value" if result.without_values else ""
    console.print(
        f"{result.day}: {result.passed:,} of {result.screened:,} symbols pass{more}{without}; "
        f"{result.bars:,} bars in {result.seconds:.2f} s"
    )
    for note in result.notes:
        console.print(f"[yellow]{escape(note)}[/]")


def _shown(value: Any) -> Any:
    """Return a number with the digits that a person reads."""
    if not isinstance(value, float):
        return value
    return float(round(value)) if abs(value) >= 1_000_000 else round(value, 4)
