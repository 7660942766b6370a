"""Valid ids of tasks and groups, and their names in Dagster."""

import keyword
import re
from collections.abc import Iterable
from functools import cache

from mystocks_dagster.tags import ENDINGS, OWN_NAMES

#: Letters, digits, `_` and `-`, a letter first: valid in URLs, file names and (with `_` for `-`) Dagster.
ID_PATTERN = r"^[A-Za-z][A-Za-z0-9_-]*$"
LONGEST_ID = 100

_PYTHON_TYPES = ("bool", "dict", "float", "int", "str")
#: Names that Dagster refuses for jobs, ops and assets (1.13); a test compares them with the installed one.
DAGSTER_NAMES = frozenset(
    {
        "arg_dict",
        "conf",
        "config",
        "context",
        "input",
        "input_arg_dict",
        "meta",
        "output",
        "output_arg_dict",
        "type",
        *_PYTHON_TYPES,
        *keyword.kwlist,
    }
)
#: Path segments below /api/tasks/ that are calls, not tasks.
REST_NAMES = frozenset({"register", "executions", "statistics", "import", "export", "health"})


def dagster_name(task_id: str) -> str:
    """Return the id as Dagster shows it.

    Examples:
        >>> dagster_name("daily-sync")
        'daily_sync'
    """
    return task_id.replace("-", "_")


#: Ids that an earlier process with this version of the package has checked.
_valid: set[str] = set()


def mark_valid(ids: Iterable[str]) -> None:
    """Let `id_fault` accept ids without a check, since an earlier process has checked them."""
    _valid.update(ids)


@cache
def id_fault(task_id: str) -> str | None:
    """Return why `task_id` cannot be the id of a task or group; None when it can."""
    if task_id in _valid:
        return None
    # The tables take 0.5 s to import (polars): not needed for ids that are known to be valid.
    from mystocks_dagster.market.tables import TABLES

    name = dagster_name(task_id)
    if not re.match(ID_PATTERN, task_id) or task_id.endswith("\n"):
        return "an id is letters, digits, _ and -, and starts with a letter"
    if len(task_id) > LONGEST_ID:
        return f"an id has at most {LONGEST_ID} characters"
    if task_id in REST_NAMES:
        return f"/api/tasks/{task_id} is a call of the REST interface"
    if name in DAGSTER_NAMES:
        return "Dagster reserves this name"
    if name in OWN_NAMES:
        return f"{name} is created by the project itself"
    if name in TABLES:
        return f"{name} is a table of the lake; name what the task does, such as sync_{name}"
    for ending in ENDINGS:
        if name.endswith(ending):
            return f"names that end in {ending} are created by the project itself"
    return None
