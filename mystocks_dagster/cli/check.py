"""check, list, show: what tasks.yaml says, without running anything."""

from typing import Annotated, Any

import typer

from mystocks_dagster.cli.completion import TaskOrGroup, TaskType
from mystocks_dagster.cli.open_project import open_task_file
from mystocks_dagster.cli.printing import console, escape, print_json, print_table
from mystocks_dagster.settings import Settings

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(check)
    app.command("list")(list_tasks)
    app.command()(show)


def check(json: Json = False) -> None:
    """Check tasks.yaml and report every problem in it with file, line and remedy.

    Example: mystocks check
    """
    from mystocks_dagster.taskfile.reader import check_task_file
    from mystocks_dagster.taskfile.warnings import warnings_about

    path = Settings.from_env().task_file
    problems = check_task_file(path)
    if json:
        print_json([problem.to_json() for problem in problems])
    elif problems:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
        for problem in problems:
            console.print(problem.render(lines), markup=False)
        console.print(f"[red]{len(problems)} problem(s)[/] in {escape(str(path))}")
    else:
        console.print(f"[green]ok[/] {escape(str(path))}")
    # Without its source line, which would show the secret to who looks over the shoulder.
    for warning in () if json else warnings_about(path):
        console.print(str(warning), style="yellow", markup=False)
    raise typer.Exit(1 if problems else 0)


def list_tasks(
    task_type: Annotated[TaskType | None, typer.Option("--type", help="Only tasks of this type.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only tasks with this tag.")] = None,
    groups: Annotated[bool, typer.Option("--groups", help="Only groups, also as JSON.")] = False,
    json: Json = False,
) -> None:
    """List the tasks of tasks.yaml, and its groups below them; --json prints the tasks, or with --groups the groups.

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
        entries = (
            {group.group_id: group for group in taskfile.task_groups}
            if groups
            else {task.task_id: task for task in tasks}
        )
        print_json(
            [
                {**entry.masked(), "switch": _switch_json(name, entry, switches.get(name))}
                for name, entry in entries.items()
            ]
        )
        return
    about = (str(taskfile.version), taskfile.description, f"({version.hash})")
    console.print(" ".join((settings.task_file.name, *(word for word in about if word))), style="dim", markup=False)
    rows = [
        (
            task.task_id,
            task.task_name,
            task.task_type,
            _when(task, switches.get(task.task_id)),
            ", ".join(task.dependencies),
            task.priority,
        )
        for task in tasks
    ]
    if not groups:
        print_table(("task", "name", "type", "schedule", "after", "priority"), rows)
    if groups or (task_type is None and tag is None and taskfile.task_groups):
        console.print()
        rows_of_groups = [
            (
                group.group_id,
                group.group_name,
                group.execution_mode,
                _when(group, switches.get(group.group_id)),
                ", ".join(group.tasks),
            )
            for group in taskfile.task_groups
        ]
        print_table(("group", "name", "mode", "schedule", "tasks"), rows_of_groups)
    if version.broken:
        console.print(f"\n[red]Not loaded:[/] {escape(', '.join(version.broken))}. See: mystocks check")


def show(
    name: TaskOrGroup,
    resolved: Annotated[
        bool, typer.Option(help="With defaults filled in and variables resolved; secrets are masked.")
    ] = False,
    json: Json = False,
) -> None:
    """Show one task or group: as tasks.yaml has it, or as it will run.

    Example: mystocks show daily_data_sync --resolved
    """
    found = open_task_file(Settings.from_env()).find(name)
    tree = found.masked()
    if not resolved:
        tree = {key: value for key, value in tree.items() if key in found.model_fields_set}
    if json:
        print_json(tree)
    else:
        import yaml

        console.print(yaml.safe_dump(tree, allow_unicode=True, sort_keys=False), markup=False, end="")


def _switch_json(name: str, entry: Any, switch: Any) -> dict[str, Any] | None:
    if switch:
        return switch.to_json()
    return {"task_id": name, "on": entry.active, "file": entry.active, "decided": False} if entry.schedule else None


def _when(thing: Any, switch: Any) -> str:
    schedule = thing.schedule
    if schedule is None:
        return ""
    text = schedule.cron_expression or (
        f"every {schedule.interval_seconds} s" if schedule.interval_seconds else f"once {schedule.start_time}"
    )
    state = str(switch) if switch else "on" if thing.active else "off"
    return text + (", trading days" if schedule.trading_days_only else "") + ("" if state == "on" else f" ({state})")
