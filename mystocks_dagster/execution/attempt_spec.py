"""The specification of one attempt of one task, as it is sent to the process that runs it."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from mystocks_dagster.errors import InvalidParams
from mystocks_dagster.execution.jsonable import NotJsonable, to_jsonable


@dataclass(frozen=True, kw_only=True)
class AttemptSpec:
    """Which function to run, and with which values.

    Attributes:
        task_id: The task's id, as in tasks.yaml.
        module: Dotted path of the module that holds the function.
        function: The function's name in that module.
        params: The task's parameters; values that JSON can hold, or dates and paths, which arrive as text.
        run_id: Dagster's run id, or any name that the caller gives.
        attempt: 1 for the first attempt.
        log_level: Lowest level of the function's log lines that are forwarded.
        timeout: Seconds after which the attempt is stopped; None for never.
        days: The trading days requested as partitions.
        source_override: The source, or several in order of preference, named for this run only.
        task_packages_path: Folders that are searched for modules after the caller's own `sys.path`.
        secret: Names of further parameters whose values must not be shown (see `masking`).
        lake: The lake of the task's file; None for the project's.
        source: The data source of the task's file; None for the project's, or what the task names.
        available_after: The task's field of that name; None if it has none.
    """

    task_id: str
    module: str
    function: str
    params: Mapping[str, Any] = field(default_factory=dict)
    run_id: str = ""
    attempt: int = 1
    log_level: str | int = "INFO"
    timeout: float | None = None
    days: tuple[date, ...] = ()
    source_override: str | Sequence[str] | None = None
    task_packages_path: tuple[str, ...] = ()
    secret: frozenset[str] = frozenset()
    lake: str | None = None
    source: str | None = None
    available_after: str | None = None

    def to_json(self) -> bytes:
        """Serialize this attempt and the current `sys.path`, for `child`.

        Raises:
            InvalidParams: A parameter holds something that cannot be sent to another process.
        """
        try:
            spec = to_jsonable(self, "")
        except NotJsonable as error:
            raise InvalidParams(
                f"{self.task_id}: {error.where} is a {error.kind}, which cannot be a parameter's value."
            ) from None
        path = [*map(str, sys.path), *self.task_packages_path]
        return json.dumps({"path": path, "spec": spec}).encode()

    @classmethod
    def from_json(cls, spec: Mapping[str, Any]) -> "AttemptSpec":
        """Return the attempt that `to_json` wrote under `spec`."""
        fields: dict[str, Any] = {
            **spec,
            "days": tuple(map(date.fromisoformat, spec["days"])),
            "task_packages_path": tuple(spec["task_packages_path"]),
            "secret": frozenset(spec["secret"]),
        }
        return cls(**fields)
