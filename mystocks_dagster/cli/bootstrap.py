"""bootstrap: fill the lake with the market's past."""

from typing import Annotated, Any

import typer

from mystocks_dagster.cli.check import Json
from mystocks_dagster.cli.open_project import open_project_to_run, ui_command
from mystocks_dagster.cli.printing import console, escape, print_json
from mystocks_dagster.cli.run import print_executions
from mystocks_dagster.errors import UnknownName
from mystocks_dagster.plain_files import real_path

#: The function of the task that is run.
_FUNCTION = "bootstrap_market"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(bootstrap)


def bootstrap(
    years: Annotated[int, typer.Option("--years", min=1, max=40, help="Years to load, up to the newest day.")] = 10,
    origin: Annotated[
        str | None,
        typer.Option(
            "--from", help="A data source, or a folder or zip of files; the quickest source that answers if omitted."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Load the market's past: calendar, stock list, corporate actions and bars, then indicators and signals.

    Days that the lake has are kept, so a load that was stopped or killed continues with the same command.

    Example: mystocks bootstrap --years 3
    """
    from mystocks_dagster.cli.follow import run_and_follow
    from mystocks_dagster.project.suggestions import run_command

    project = open_project_to_run()
    run_id = project.runs.create(task_of(project), {"years": years, **source_params(origin)})
    finished = run_and_follow(project, run_id, quiet=json)
    if json:
        print_json([execution.to_json() for execution in finished.executions])
    else:
        print_executions(finished.executions)
        if finished.succeeded:
            ui = ui_command(project.settings)
            console.print(f"\nNext:  mystocks data tables   {escape(run_command(project))}   {ui}")
    raise typer.Exit(0 if finished.succeeded else 1)


def task_of(project: Any) -> str:
    """Return the id of the task that fills the lake.

    Raises:
        UnknownName: The task file has no such task; the message says how to add it.
    """
    tasks = project.version.taskfile.tasks
    task_id = next((task.task_id for task in tasks if task.task_function == _FUNCTION), None)
    if task_id is None:
        raise UnknownName(
            f"{project.settings.task_file} has no task whose task_function is {_FUNCTION}. Add one: copy "
            "bootstrap_market from the tasks.yaml of this package."
        )
    return task_id


def source_params(origin: str | None) -> dict[str, str]:
    """Return the parameters for `--from`: the name of a source, else a folder or file, which has to exist.

    Raises:
        BadParameter: It is neither.
    """
    from pathlib import Path

    from mystocks_dagster.source_choice import source_names

    if origin is None:
        return {}
    path = Path(origin).expanduser()
    if origin in source_names() and not path.exists():
        return {"data_source": origin}
    if path.exists():
        return {"folder": str(real_path(path))}
    if origin in source_names():
        return {"data_source": origin}
    names = ", ".join(source_names())
    raise typer.BadParameter(
        f"{origin!r} is neither a data source ({names}) nor an existing folder or zip.", param_hint="--from"
    )
