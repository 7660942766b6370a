"""Options of commands that are a day."""

from datetime import date
from typing import Any

import typer

from mystocks_dagster.cli.printing import translate
from mystocks_dagster.days import check_year, parse_day
from mystocks_dagster.errors import InvalidParams


def day_option(*names: str, help: str) -> Any:
    """Return a typer option whose value is a `date`: written 2026-11-27, 20261127 or 2026/11/27."""
    return typer.Option(*names, parser=_day, metavar="DAY", help=help)


def _day(written: str) -> date:
    try:
        day = parse_day(written)
    except InvalidParams as error:
        raise typer.BadParameter(translate(str(error))) from None
    check_year(day)
    return day
