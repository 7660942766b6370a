"""Days and times of the command line, as they are written there and printed."""

from datetime import date, datetime
from typing import Any

import typer

from mystocks_dagster.cli.printing import translate
from mystocks_dagster.days import check_year, parse_day
from mystocks_dagster.errors import InvalidParams, UnknownName
from mystocks_dagster.market.clock import SHANGHAI


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


def moment(option: str, text: str, expected: str) -> datetime:
    """Return the time that an option is; without a time zone it is Shanghai's.

    Raises:
        UnknownName: The text is no time; the message says what is expected.
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise UnknownName(f"{option} is {text!r}; give {expected}.") from None
    return time if time.tzinfo else time.replace(tzinfo=SHANGHAI)


def time_text(moment: datetime | None) -> str:
    """Return a time for a table of the terminal; empty for None."""
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment else ""
