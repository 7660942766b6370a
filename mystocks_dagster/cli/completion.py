"""Arguments that name tasks, completed by the shell from the task file: without Dagster, so that the Tab key answers at once."""

from typing import Annotated, Any, Literal

import typer

from mystocks_dagster.settings import Settings


def task_ids(incomplete: str) -> list[tuple[str, str]]:
    """Return the ids of tasks that begin so, each with its name."""
    return _entries(incomplete, ("tasks",))


def all_ids(incomplete: str) -> list[tuple[str, str]]:
    """Return the ids of tasks and groups that begin so, each with its name."""
    return _entries(incomplete, ("tasks", "task_groups"))


def _entries(incomplete: str, sections: tuple[str, ...]) -> list[tuple[str, str]]:
    from mystocks_dagster.errors import MyStocksError
    from mystocks_dagster.taskfile.yaml.source import parse_text, read_text

    try:
        path = Settings.from_env().task_file
        data = parse_text(read_text(path), str(path)).data
    except (MyStocksError, OSError):
        data = _last_good()  # in the middle of a line is no place for a message
    found = [_named(one) for section in sections for one in _items(data, section)]
    return [(name, title) for name, title in found if name.startswith(incomplete)]


def _last_good() -> dict[str, Any]:
    """Return the entries of the file's last good version; nothing when there is none."""
    from mystocks_dagster.errors import MyStocksError
    from mystocks_dagster.taskfile.last_good import last_good_entries

    try:
        return last_good_entries(Settings.from_env())
    except MyStocksError:
        return {}


def _items(data: Any, section: str) -> list[dict[str, Any]]:
    """Return the entries of a section; a file that is being written may hold anything there."""
    entries = data.get(section) if isinstance(data, dict) else None
    return [one for one in entries if isinstance(one, dict)] if isinstance(entries, list) else []


def _named(entry: dict[str, Any]) -> tuple[str, str]:
    prefix = "task" if "task_id" in entry else "group"
    return str(entry.get(f"{prefix}_id", "")), str(entry.get(f"{prefix}_name", ""))


#: No more lines, rows or executions than this can be asked for.
MANY = 1_000_000_000
#: The types of tasks: the model has the same, and takes long to import.
TaskType = Literal["cron", "supervisor", "manual", "data_sync", "indicator_calc", "market_fetch"]
TaskOrGroup = Annotated[str, typer.Argument(help="Id of a task or group.", autocompletion=all_ids)]
