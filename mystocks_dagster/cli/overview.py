"""`mystocks` without a command: where the project stands, and what to do next."""

from collections import Counter
from typing import Any

from rich.cells import cell_len

from mystocks_dagster.cli.open_project import open_project
from mystocks_dagster.cli.printing import COLOURS, console, escape, language, listed, translate

#: Width of a line's name, with the space behind it.
_NAME = 9


def print_overview() -> None:
    """Print the project's tasks, data, last runs and web UI, then the commands that help now."""
    from mystocks_dagster.project.overview import overview

    project = open_project()
    state = overview(project)
    where = escape(str(project.settings.root))
    if state.exists:
        console.print(f"[bold]MyStocks[/]  {where}")
        for name, text in _lines(state):
            name = translate(name)
            console.print(f"  {name}{' ' * (_NAME - cell_len(name))}{translate(text)}")
    else:
        console.print(f"[bold]MyStocks[/]: there is no project in {where}.")
    console.print()
    steps = [(translate(command), about) for command, about in state.next_steps()]
    steps.append(("mystocks --help", "all commands"))
    width = max(len(command) for command, _ in steps)
    for command, about in steps:
        console.print(f"  [bold]{escape(command.ljust(width))}[/]  {escape(translate(about))}")


def _lines(state: Any) -> list[tuple[str, str]]:
    trouble = f"[red]{escape(translate(state.broken))}[/]" if state.broken else ""
    tasks = f"{state.tasks} tasks, {state.groups} groups"
    return [
        ("tasks", trouble or tasks),
        ("data", _data(state)),
        ("runs", _runs(state)),
        ("web UI", f"[green]{escape(state.address)}[/]" if state.address else "not running"),
    ]


def _data(state: Any) -> str:
    if state.unreadable:
        return f"[red]{escape(translate(state.unreadable))}[/]"
    if state.newest is None:
        return "[yellow]none yet[/]" + (", but the demo's: mystocks --demo data tables" if state.demo else "")
    if state.behind is None:
        return f"up to {state.newest}"
    late = f"[yellow]{state.behind} trading day(s) missing[/]" if state.behind else "[green]up to date[/]"
    return f"up to {state.newest}, {late}"


def _runs(state: Any) -> str:
    if state.unopened:
        return f"[red]{escape(translate(state.unopened))}[/]"
    counts = Counter(state.outcomes.values())
    if not counts:
        return "none yet"
    chinese = language() == "zh"
    said = {
        status: f"{translate(status)} {count}" if chinese else f"{count} {status}" for status, count in counts.items()
    }
    parts = (f"[{COLOURS.get(status, 'default')}]{said[status]}[/]" for status, _ in counts.most_common())
    return f"last of each task: {listed(parts)}"
