"""chart, search: the lake's securities in the terminal."""

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mystocks_dagster.cli.check import Json
from mystocks_dagster.cli.open_project import open_project
from mystocks_dagster.cli.printing import console, escape, print_json, translate
from mystocks_dagster.cli.tables import print_table
from mystocks_dagster.errors import InvalidParams, UnknownName
from mystocks_dagster.project.market_view.options import Adjustment, Period

if TYPE_CHECKING:
    from mystocks_dagster.cli.candles import Bar

_PERIODS = {"daily": "days", "weekly": "weeks", "monthly": "months"}
_ADJUSTMENTS = {"none": "raw", "qfq": "qfq (前复权)", "hfq": "hfq (后复权)"}
#: Rows of the candles, and the rows of the terminal that all else takes.
_LEAST_ROWS, _MOST_ROWS, _OTHER_ROWS = 6, 24, 9
_PIPE_WIDTH = 120


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(chart)
    app.command()(search)


def chart(
    security: Annotated[str, typer.Argument(help="Code, name or pinyin initials: 600519, 贵州茅台, gzmt.")],
    period: Annotated[Period, typer.Option(help="Length of a bar.")] = "daily",
    adjust: Annotated[
        Adjustment, typer.Option(help="none: raw prices; qfq keeps the newest day raw, hfq the first.")
    ] = "qfq",
    days: Annotated[
        int, typer.Option("--days", "-n", min=1, max=10_000, help="How many bars, up to the newest.")
    ] = 120,
    picture: Annotated[
        Path | None,
        typer.Option(
            "--picture",
            "--svg",
            "--png",
            help="Write the chart into this file, in place of drawing: a PNG if its name ends with .png, else an SVG.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Draw the candles of a stock, an index or a fund in the terminal: red rises, green falls, volume below.

    Example: mystocks chart 600000 --period weekly
    """
    view = open_project().market
    found = view.chart(_symbol(view, security), period=period, adjustment=adjust, indicators=())
    bars = _bars(found)[-days:]
    if not bars:
        raise UnknownName(f"The lake has no bars of {found.security.symbol}. Load them with: mystocks bootstrap")
    if json:
        rows = [vars(bar) | {"day": bar.day.isoformat()} for bar in bars]
        print_json(
            {"symbol": found.security.symbol, "name": found.security.name, "period": period, "adjustment": adjust}
            | {"bars": rows}
        )
        return
    if picture:
        _write(found, bars, picture)
        return
    _draw(found, bars)


def search(
    text: Annotated[str, typer.Argument(help="A code, a part of a name, or pinyin initials: 600519, 茅台, gzmt.")],
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="Most securities to list.")] = 20,
    json: Json = False,
) -> None:
    """Find stocks, indices and funds by code, name or pinyin initials, the best matches first.

    Example: mystocks search 600000
    """
    matches = open_project().market.search(text, limit)
    if json:
        print_json([vars(match) for match in matches])
    elif matches:
        print_table(("symbol", "name", "kind", "initials"), map(_match, matches))
    else:
        console.print(escape(_no_match(open_project().market, text)))


def _match(match: Any) -> tuple[Any, ...]:
    return tuple(translate(value) if name == "kind" else value for name, value in vars(match).items())


def _no_match(view: Any, text: str) -> str:
    if view.has_names():
        return f"Nothing matches {text!r}."
    return f"Nothing matches {text!r}. Names come from the stock list: mystocks run sync_basic_stock_info"


def _symbol(view: Any, text: str) -> str:
    """Return the symbol of a security by its symbol, else by the only or exact match of a name.

    Raises:
        UnknownName: Nothing matches, or several do.
    """
    from mystocks_dagster.market.symbols import normalise

    try:
        return normalise(text)
    except InvalidParams:
        matches = view.search(text, 10)
    exact = [match for match in matches if text.strip().lower() in (match.name.lower(), match.initials)]
    if len(exact) == 1 or len(matches) == 1:
        return (exact or matches)[0].symbol
    if not matches:
        raise UnknownName(_no_match(view, text))
    names = ", ".join(f"{match.symbol} {match.name}" for match in matches)
    raise UnknownName(f"{text!r} matches several securities; give the code of one: {names}.")


def _bars(found: Any) -> "list[Bar]":
    from mystocks_dagster.cli.candles import Bar

    columns = ("date", "open", "high", "low", "close", "volume")
    return [
        Bar(day=day, open=opened, high=high, low=low, close=close, volume=volume or 0)
        for day, opened, high, low, close, volume in found.bars.select(columns).drop_nulls(columns[:5]).iter_rows()
    ]


def _write(found: Any, bars: "list[Bar]", file: Path) -> None:
    """Write the picture of a chart.

    Raises:
        InvalidParams: The file cannot be written.
    """
    from mystocks_dagster.cli.candle_picture import png, svg

    text = svg(bars, f"{found.security.name} {found.security.symbol}  {found.period}, {_adjustment(found)}")
    content = png(text) if file.suffix.lower() == ".png" else text.encode()
    try:
        file.write_bytes(content)
    except OSError as error:
        raise InvalidParams(f"{file} cannot be written: {error.strerror}. Choose another file.") from None
    console.print(f"wrote {escape(str(file))}: {len(content) / 1e3:,.0f} kB")


def _adjustment(found: Any) -> str:
    return _ADJUSTMENTS[found.adjustment] if found.security.kind == "stock" else "raw"


def _draw(found: Any, bars: "list[Bar]") -> None:
    from mystocks_dagster.cli.candles import DOWN, FLAT, UP, draw, price, room

    size = shutil.get_terminal_size((_PIPE_WIDTH, 30))
    known = console.is_terminal or os.environ.get("COLUMNS", "").isdigit()
    width = size.columns if known else max(_PIPE_WIDTH, len(bars) + 20)
    fitting = bars[-room(width, max(bar.high for bar in bars)) :]
    last, before = bars[-1], bars[-2] if len(bars) > 1 else None
    title = f"[bold]{escape(found.security.name)}[/] {found.security.symbol}"
    how = f"{translate(found.period)} · {translate(_adjustment(found))}"
    change = ""
    if before:
        ratio = last.close / before.close - 1
        change = f" [{UP if ratio > 0 else DOWN if ratio < 0 else FLAT}]{ratio:+.2%}[/]"
    console.print(f"{title}  {last.day}  [bold]{price(last.close)}[/]{change}  [dim]{how}[/]")
    for line in draw(fitting, min(_MOST_ROWS, max(_LEAST_ROWS, size.lines - _OTHER_ROWS))):
        console.print(line)
    if len(fitting) < len(bars):
        longer = {"daily": "weekly", "weekly": "monthly"}.get(found.period)
        remedy = f"; longer bars: --period {longer}" if longer else ""
        console.print(
            f"[dim]{len(fitting)} of {len(bars)} {_PERIODS[found.period]} fit into {width} columns{remedy}[/]"
        )
