"""Where a dagster.yaml puts its databases and the output of steps, as far as they are read without Dagster."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mystocks_dagster.shared import place

#: By this class of dagster.yaml the output of steps is a file on this machine.
_LOCAL_LOGS = ("dagster.core.storage.local_compute_log_manager", "LocalComputeLogManager")
#: Keys of dagster.yaml that put one of the databases elsewhere.
_SEPARATE = ("run_storage", "event_log_storage", "schedule_storage")


def sqlite_folder(config: Any) -> Path | None:
    """Return the folder of the databases that a dagster.yaml with absolute paths names; None if it names others."""
    match _storage(config):
        case {"sqlite": {"base_dir": base, **more}, **others} if not more and not others:
            path = place.text(base)
            return Path(path) if path else None
    return None


def postgres_url(config: Any) -> str | None:
    """Return the URL of the Postgres database that a dagster.yaml names; None if it names another storage."""
    return None if _storage(config) is None else place.postgres_url(config)


def output_folder(config: Any) -> Path | None:
    """Return the folder of the output of steps; None where a dagster.yaml with absolute paths puts it elsewhere."""
    match config.get("compute_logs") if isinstance(config, Mapping) else None:
        case {"module": module, "class": name, "config": {"base_dir": base}} if (
            str(module).replace("._core.", ".core."),
            name,
        ) == _LOCAL_LOGS:
            path = place.text(base)
            return Path(path) if path else None
    return None


def _storage(config: Any) -> Any:
    separate = not isinstance(config, Mapping) or any(key in config for key in _SEPARATE)
    return None if separate else config.get("storage")
