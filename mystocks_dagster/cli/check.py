"""check, list, show: the content and the problems of tasks.yaml."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from mystocks_dagster.cli.completion import TaskOrGroup, TaskType
from mystocks_dagster.cli.open_project import open_task_file
from mystocks_dagster.cli.printing import console, escape, print_json, translate
from mystocks_dagster.cli.tables import print_table
from mystocks_dagster.settings import CODE_CHANGES, Settings, dataset_folder

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(check)
    app.command("list")(list_tasks)
    app.command()(show)


def check(json: Json = False) -> None:
    """Check tasks.yaml and the project's files beside it, and report every problem with file, line and remedy.

    These are the datasets in `datasets/`, the strategies in `strategies/` and the code changes in `code_changes.csv`.

    Example: mystocks check
    """
    from mystocks_dagster.datasets.registry import problems as dataset_problems
    from mystocks_dagster.project.strategy_columns import column_problems, table_warnings
    from mystocks_dagster.project.written_twice import written_twice
    from mystocks_dagster.strategies.own_indicators import indicator_problems
    from mystocks_dagster.strategies.registry import problems as strategy_problems
    from mystocks_dagster.taskfile.reader import check_task_file
    from mystocks_dagster.taskfile.warnings import warnings_about

    settings = Settings.from_env()
    path = settings.task_file
    foresight, uncomputed = column_problems(path)
    unwritten = [] if json else table_warnings(path, settings)
    own_code = [*strategy_problems(), *indicator_problems(), *foresight]
    problems = [*check_task_file(path), *dataset_problems(), *own_code, *_code_change_problems()]
    if json:
        print_json([problem.to_json() for problem in problems])
    elif problems:
        for problem in problems:
            console.print(translate(problem.render(_lines(Path(problem.file)))), markup=False)
        files = dict.fromkeys(problem.file for problem in problems)
        console.print(f"[red]{len(problems)} problem(s)[/] in {escape(', '.join(files))}")
    else:
        console.print(f"[green]{translate('ok')}[/] {escape(str(path))}")
    # Without the source line, which may contain a secret.
    for warning in () if json else [*warnings_about(path), *uncomputed, *unwritten, *written_twice(path)]:
        console.print(translate(str(warning)), style="yellow", markup=False)
    raise typer.Exit(1 if problems else 0)


def _code_change_problems() -> list[Any]:
    """Return the problems of the project's file of code changes; without one, nothing is imported for it."""
    if not dataset_folder().with_name(CODE_CHANGES).exists():
        return []
    from mystocks_dagster.lake.code_change_file import problems

    return problems()


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []


def list_tasks(
    task_type: Annotated[TaskType | None, typer.Option("--type", help="Only tasks of this type.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only tasks with this tag.")] = None,
    groups: Annotated[bool, typer.Option("--groups", help="Only groups, also in JSON.")] = False,
    json: Json = False,
) -> None:
    """List the tasks and groups of tasks.yaml; --json prints the tasks, or with --groups the groups.

    Example: mystocks list --type data_sync
    """
    from mystocks_dagster.project.schedules import switches_of

    settings = Settings.from_env()
    version = open_task_file(settings)
    taskfile = version.taskfile
    switches = switches_of(settings, taskfile)
    tasks = [
        task for task in taskfile.tasks if task_type in (None, task.task_type) and (tag is None or tag in task.tags)
    ]
    if json:
        names = [group.group_id for group in taskfile.task_groups] if groups else [task.task_id for task in tasks]
        entries = taskfile.by_id()
        print_json([_entry_json(name, entries[name], switches.get(name)) for name in names])
        return
    about = (str(taskfile.version), taskfile.description, f"({version.hash})")
    console.print(" ".join((settings.task_file.name, *filter(None, about))), style="dim", markup=False)
    if not groups:
        _print_tasks(tasks, switches)
    if groups or (task_type is None and tag is None and taskfile.task_groups):
        console.print()
        _print_groups(taskfile.task_groups, switches)
    if version.broken:
        console.print(f"\n[red]Not loaded:[/] {escape(', '.join(version.broken))}. See: mystocks check")


def _print_tasks(tasks: Sequence[Any], switches: Mapping[str, Any]) -> None:
    rows = [
        (
            task.task_id,
            task.task_name,
            task.task_type,
            _schedule(task, switches.get(task.task_id)),
            ", ".join(task.dependencies),
            task.priority,
        )
        for task in tasks
    ]
    print_table(("task", "name", "type", "schedule", "after", "priority"), rows, optional=("priority", "after", "type"))


def _print_groups(groups: Sequence[Any], switches: Mapping[str, Any]) -> None:
    rows = [
        (
            group.group_id,
            group.group_name,
            group.execution_mode,
            _schedule(group, switches.get(group.group_id)),
            ", ".join(group.tasks),
        )
        for group in groups
    ]
    print_table(("group", "name", "mode", "schedule", "tasks"), rows, optional=("mode", "schedule"))


def show(
    name: TaskOrGroup,
    resolved: Annotated[bool, typer.Option(help="With defaults and resolved variables; secrets are masked.")] = False,
    json: Json = False,
) -> None:
    """Show a task or group as it is in tasks.yaml, or as it will run.

    Example: mystocks show daily_data_sync --resolved
    """
    entry = open_task_file(Settings.from_env()).find(name)
    tree = entry.masked()
    if not resolved:
        tree = {key: value for key, value in tree.items() if key in entry.model_fields_set}
    if json:
        print_json(tree)
    else:
        import yaml

        console.print(yaml.safe_dump(tree, allow_unicode=True, sort_keys=False), markup=False, end="")


def _entry_json(name: str, entry: Any, switch: Any) -> dict[str, Any]:
    state = switch.to_json() if switch else None
    if not switch and entry.schedule:
        state = {"task_id": name, "on": entry.active, "file": entry.active, "decided": False}
    return {**entry.masked(), "switch": state}


def _schedule(entry: Any, switch: Any) -> str:
    schedule = entry.schedule
    if schedule is None:
        return ""
    text = schedule.cron_expression or (
        f"every {schedule.interval_seconds} s" if schedule.interval_seconds else f"once {schedule.start_time}"
    )
    state = str(switch) if switch else "on" if entry.active else "off"
    days = translate(", trading days") if schedule.trading_days_only else ""
    return translate(text) + days + ("" if state == "on" else translate(f" ({state})"))
