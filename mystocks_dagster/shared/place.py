"""Whether the machines of a project share a database, and where it is: dagster.yaml says so."""

import os
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

#: An address that SQLAlchemy and libpq read alike. A character with a meaning of its own, unencoded in a password,
#: would make another word of it a host or a port, which libpq's messages then show.
_ENCODED = r"%(?!00)[0-9A-Fa-f]{2}"
_HOST = r"(?:\[[0-9A-Fa-f:.%]+\]|[^@/?#\[\]%\s:,]*)(?::\d*)?"
_ADDRESS = re.compile(
    rf"postgresql(\+psycopg2)?://(([^@/%\s]|{_ENCODED})*@)?{_HOST}(/([^@/?%\s]|{_ENCODED})*)?(\?([^%\s]|{_ENCODED})*)?"
)
_COMMENT = re.compile(r"#[^\n]*")


def database_url(home: Path) -> str | None:
    """Return the address of the Postgres database that keeps Dagster's storage, as libpq takes it.

    None if the storage is on this machine, or in a form of dagster.yaml that only Dagster understands.

    Args:
        home: The instance's folder, which holds dagster.yaml.
    """
    path = home / "dagster.yaml"
    try:
        return postgres_url(_read(path, path.stat().st_mtime_ns))
    except (OSError, ValueError):
        return None  # Dagster reports the error


@lru_cache(maxsize=8)
def _read(path: Path, _changed: int) -> Any:
    content = path.read_text(encoding="utf-8")
    if "postgres" not in _COMMENT.sub("", content):
        return None
    # Most processes of a project on one machine need no YAML.
    import yaml

    try:
        # libyaml's loader is five times as fast, where it is installed.
        return yaml.load(content, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        raise ValueError(f"{path}: {error}") from error


def postgres_url(config: Any) -> str | None:
    """Return the address that the content of a dagster.yaml gives; None if its storage is not Postgres."""
    storage = config.get("storage") if isinstance(config, Mapping) else None
    match storage:
        case {"postgres": {"postgres_url": value}}:
            url = text(value)
            return libpq(url) if url and is_address(url) else None
        case {"postgres": {"postgres_db": Mapping() as parts}}:
            return _from_parts({name: _nested(value) for name, value in parts.items()})
    return None


def is_address(url: str) -> bool:
    """Return whether a text is the address of a Postgres database, by the driver that Dagster and the locks use."""
    return _ADDRESS.fullmatch(url) is not None


def text(value: Any) -> str | None:
    """Return a value of dagster.yaml: a text, or that of an environment variable."""
    match value:
        case str():
            return value
        case {"env": str(name), **more} if not more:
            return os.environ.get(name)
    return None


def libpq(url: str) -> str:
    """Return a URL of SQLAlchemy as libpq takes it."""
    return url.replace("postgresql+psycopg2://", "postgresql://", 1)


def _nested(value: Any) -> Any:
    is_text = isinstance(value, str) or (isinstance(value, Mapping) and "env" in value)
    return text(value) if is_text else value


def _from_parts(parts: Mapping[str, Any]) -> str | None:
    host, name = parts.get("hostname"), parts.get("db_name")
    if not host or not name:
        return None
    user, password = quote(parts.get("username") or "", safe=""), quote(parts.get("password") or "", safe="")
    options = urlencode(parts.get("params") or {}, quote_via=quote)
    login = f"{user}:{password}@" if password else f"{user}@" if user else ""
    return f"postgresql://{login}{host}:{parts.get('port') or 5432}/{quote(name)}{f'?{options}' if options else ''}"
