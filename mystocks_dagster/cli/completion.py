"""Shell completion of task and group ids from the task file, without importing Dagster, which would take seconds."""

from typing import Annotated, Any, Literal

import typer

from mystocks_dagster.settings import Settings


def task_ids(incomplete: str) -> list[tuple[str, str]]:
    """Return id and name of the tasks whose id starts with `incomplete`."""
    return _entries(incomplete, ("tasks",))


def all_ids(incomplete: str) -> list[tuple[str, str]]:
    """Return id and name of the tasks and groups whose id starts with `incomplete`."""
    return _entries(incomplete, ("tasks", "task_groups"))


def _entries(incomplete: str, sections: tuple[str, ...]) -> list[tuple[str, str]]:
    from mystocks_dagster.errors import MyStocksError
    from mystocks_dagster.taskfile.yaml.source import parse_text, read_text

    try:
        path = Settings.from_env().task_file
        data = parse_text(read_text(path), str(path)).data
    except (MyStocksError, OSError):
        data = _last_good()  # a message would break the line that is being typed
    names = [_id_and_name(entry) for section in sections for entry in _items(data, section)]
    return [(id_, name) for id_, name in names if id_.startswith(incomplete)]


def _last_good() -> dict[str, Any]:
    """Return the entries of the file's last good version, if there is one."""
    from mystocks_dagster.errors import MyStocksError
    from mystocks_dagster.taskfile.last_good import last_good_entries

    try:
        return last_good_entries(Settings.from_env())
    except MyStocksError:
        return {}


def _items(data: Any, section: str) -> list[dict[str, Any]]:
    """Return the entries of a section. An incomplete file may hold anything there."""
    entries = data.get(section) if isinstance(data, dict) else None
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _id_and_name(entry: dict[str, Any]) -> tuple[str, str]:
    prefix = "task" if "task_id" in entry else "group"
    return str(entry.get(f"{prefix}_id", "")), str(entry.get(f"{prefix}_name", ""))


#: Upper limit of a number of lines, rows or executions.
MANY = 1_000_000_000
#: The task types. The model declares the same, but importing it is slow.
TaskType = Literal["cron", "supervisor", "manual", "data_sync", "indicator_calc", "market_fetch"]
TaskOrGroup = Annotated[str, typer.Argument(help="Id of a task or group.", autocompletion=all_ids)]
