"""worker: this machine takes runs of a project that several machines share, until Ctrl-C."""

from functools import partial
from typing import Annotated

import typer

from mystocks_dagster.cli.printing import console, translate
from mystocks_dagster.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(worker)


def worker(
    runs: Annotated[int, typer.Option(min=1, max=999, help="Runs that this machine executes at once.")] = 4,
    name: Annotated[str | None, typer.Option(help="What the machine is called; by default its host name.")] = None,
) -> None:
    """Execute runs on this machine too, for a project whose machines share Postgres and an object store.

    Runs that it has taken go on after its end. docs/machines.md says how machines are set up.

    Example: mystocks worker --runs 2
    """
    from mystocks_dagster.factory.machines.machine import serve

    say = partial(console.print, markup=False)
    raise typer.Exit(serve(Settings.from_env(), runs, name, lambda line: say(translate(line))))
