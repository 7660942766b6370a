"""backtest list | compare | report | grids: the stored backtests."""

import json as json_module
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from mystocks_dagster.cli.check import Json
from mystocks_dagster.cli.open_project import open_project
from mystocks_dagster.cli.printing import console, print_json, translate
from mystocks_dagster.cli.tables import print_table
from mystocks_dagster.errors import InvalidParams, UnknownName

Ident = Annotated[str, typer.Argument(help="Id of a backtest, the beginning of it, or `latest`.")]

backtest = typer.Typer(no_args_is_help=True, help="The stored backtests: list, compare, and a report as one HTML file.")

#: The columns of the list.
_LIST = (
    "backtest_id", "strategy", "start_date", "end_date", "total_return", "annual_return", "max_drawdown", "sharpe",
    "benchmark_return", "trades", "run_at",
)  # fmt: skip
_GRIDS = (
    "grid_id", "phase", "start_date", "end_date", "strategy", "params", "total_return", "sharpe", "max_drawdown",
    "trades",
)  # fmt: skip
#: What a comparison shows apart: the id, and the parameters.
_APART = ("backtest_id", "params")


def register(app: typer.Typer) -> None:
    """Add the commands under `backtest`."""
    app.add_typer(backtest, name="backtest")


@backtest.command("list")
def list_backtests(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, help="How many, the newest first.")] = 20,
    json: Json = False,
) -> None:
    """List the stored backtests, the newest first.

    Example: mystocks backtest list
    """
    rows = open_project().backtests.all()[:limit]
    if json:
        print_json(rows)
        return
    if not rows:
        console.print(translate("No backtest is stored. Run one: mystocks run run_strategy_backtest"), markup=False)
        return
    print_table(_LIST, ([_short(row[name]) for name in _LIST] for row in rows), data=True)


@backtest.command()
def compare(
    idents: Annotated[list[str], typer.Argument(help="Ids of two or more backtests, or their beginnings.")],
    json: Json = False,
) -> None:
    """Compare stored backtests: their figures, and the parameters in which they differ.

    Example: mystocks backtest compare latest latest
    """
    if len(idents) < 2:
        raise InvalidParams("Give the ids of at least two backtests; `mystocks backtest list` has them.")
    view = open_project().backtests
    rows = [view.find(ident) for ident in idents]
    if json:
        print_json(rows)
        return
    params = [json_module.loads(row["params"]) if row["params"] else {} for row in rows]
    names = list(dict.fromkeys(name for values in params for name in values))
    differing = [name for name in names if len({repr(values.get(name)) for values in params}) > 1]
    table = [(name, *(_short(row[name]) for row in rows)) for name in rows[0] if name not in _APART]
    table += [(f"params: {name}", *(_short(values.get(name)) for values in params)) for name in differing]
    print_table(("figure", *(row["backtest_id"] for row in rows)), table)


@backtest.command()
def report(
    ident: Ident,
    out: Annotated[Path | None, typer.Option(help="The file to write; omitted: backtest-ID.html.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    json: Json = False,
) -> None:
    """Write the report of a backtest as one HTML file, which needs nothing beside it.

    Example: mystocks backtest report latest --out report.html
    """
    view = open_project().backtests
    name = view.find(ident)["backtest_id"]
    path = out or Path(f"backtest-{name}.html")
    if path.exists() and not force:
        raise UnknownName(f"{path} exists; replace it with --force, or give another --out.")
    text = view.report(name)
    _write(path, text)
    if json:
        print_json({"backtest_id": name, "out": str(path), "bytes": len(text.encode())})
    else:
        console.print(translate(f"wrote {path}: {len(text.encode()) / 1e3:,.0f} kB"), markup=False)


def _write(path: Path, text: str) -> None:
    """Write a file, which appears when it is complete.

    Raises:
        InvalidParams: The file cannot be written.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise InvalidParams(f"{path} cannot be written: {error.strerror}. Choose another file.") from None


@backtest.command()
def grids(json: Json = False) -> None:
    """List the best combination of each grid of backtests, and the tests of a walk-forward.

    Example: mystocks backtest grids
    """
    rows = open_project().backtests.grids()
    if json:
        print_json(rows)
    elif rows:
        print_table(_GRIDS, ([_short(row[name]) for name in _GRIDS] for row in rows), data=True)
    else:
        console.print(translate("No grid is stored; docs/backtests.md says how to run one."), markup=False)


def _short(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4)
    return f"{value:%Y-%m-%d %H:%M}" if hasattr(value, "hour") else value
