"""Where a dagster.yaml puts its databases, the output of steps and runs, as far as they are read without Dagster."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mystocks_dagster.errors import InstanceError
from mystocks_dagster.shared import place

#: By this class of dagster.yaml the output of steps is a file on this machine.
_LOCAL_LOGS = ("dagster.core.storage.local_compute_log_manager", "LocalComputeLogManager")
#: Keys of dagster.yaml that put one of the databases elsewhere.
_SEPARATE = ("run_storage", "event_log_storage", "schedule_storage")
_EXAMPLE = "postgresql+psycopg2://user:password@host/database?options=-c%20timezone%3DUTC"


def check(config: Any) -> None:
    """Check what a dagster.yaml says of a Postgres database before anything connects to it.

    Args:
        config: The file's content; what is of another form, Dagster itself reports.

    Raises:
        InstanceError: A variable is not set, or the address is none. The message shows no part of the address, which
            may hold a password.
    """
    if not isinstance(config, Mapping):
        return
    for value in (config[key] for key in ("storage", *_SEPARATE) if key in config):
        for key, found in _entries("", value):
            _check(key, found)


def variables(config: Any) -> Iterator[str]:
    """Yield the environment variables that the storage of a dagster.yaml takes values from."""
    for _, value in _entries("", _storage(config)):
        if isinstance(value, Mapping):
            yield value["env"]


def runs_elsewhere(config: Any) -> bool:
    """Return whether a dagster.yaml names a launcher that hands runs to other machines, or to pods."""
    launcher = config.get("run_launcher") if isinstance(config, Mapping) else None
    return isinstance(launcher, Mapping) and str(launcher.get("module")).startswith("mystocks_dagster.factory.machines")


def _check(key: str, value: Any) -> None:
    name = value["env"] if isinstance(value, Mapping) else ""
    text, is_url = place.text(value), key == "postgres_url"
    if name and text is None and not is_url:
        raise InstanceError(f"{name} is not set; dagster.yaml takes {key} of its storage from it. Set the variable.")
    if name and text is None:
        raise InstanceError(
            f"{name} is not set; dagster.yaml takes the address of its database from it. Set it, for example: "
            f"`export {name}='{_EXAMPLE}'`."
        )
    if name and not text and is_url:
        raise InstanceError(
            f"{name} is empty; dagster.yaml takes the address of its database from it. Write it, for example: "
            f"`export {name}='{_EXAMPLE}'`."
        )
    if is_url and not place.is_address(text or ""):
        raise InstanceError(
            f"{name or 'postgres_url in dagster.yaml'} is not the address of a Postgres database. Write it like "
            f"{_EXAMPLE}; in a password, encode each character other than letters and digits, such as @ as %40."
        )


def _entries(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the values of a storage that may come from a variable, each with its key."""
    match value:
        case {"env": str(), **more} if not more:
            yield key, value
        case Mapping():
            for name, item in value.items():
                yield from _entries(name, item)
        case str() if key == "postgres_url":
            yield key, value


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
