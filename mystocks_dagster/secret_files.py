"""Secrets in files: `MYSTOCKS_API_TOKEN_FILE=/run/secrets/token` sets `MYSTOCKS_API_TOKEN` to what the file holds.

Containers and systemd hand out secrets in this way. A value in a file is in no list of a machine's variables.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from mystocks_dagster.errors import SettingsError

_PREFIX, _SUFFIX = "MYSTOCKS_", "_FILE"
#: A secret is one line; a longer file is another one by mistake.
_MOST_BYTES = 64_000


class _Source(NamedTuple):
    """Where the value of a variable is from."""

    name: str
    path: str
    value: str


#: Variable to its source, of all that this process has read.
_read: dict[str, _Source] = {}


def read_secret_files() -> None:
    """Set each variable whose file is named, for this process and those that it starts; without one, do nothing.

    Raises:
        SettingsError: A file cannot be read, holds no single line of text, or the variable is set too.
    """
    for name in [name for name in os.environ if name.startswith(_PREFIX) and name.endswith(_SUFFIX)]:
        variable, path = name.removesuffix(_SUFFIX), os.environ[name]
        if not path or len(variable) <= len(_PREFIX):
            continue
        if os.environ.get(variable):
            raise SettingsError(f"{variable} and {name} are both set; leave one of them out.")
        file = Path(path).expanduser().absolute()
        os.environ[variable] = value = _secret(name, file)
        _read[variable] = _Source(name, str(file), value)
        # Processes that are started from here have the value, and need not be able to read the file.
        del os.environ[name]


def as_given(environment: Mapping[str, str]) -> dict[str, str]:
    """Return variables as they were before `read_secret_files`: the names of files for what was read from them."""
    given = dict(environment)
    for variable, source in _read.items():
        if given.get(variable) == source.value:
            del given[variable]
            given[source.name] = source.path
    return given


def _secret(name: str, path: Path) -> str:
    """Return the line that the file holds, without the line break at its end."""
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_BYTES + 1).decode().rstrip("\r\n")
    except OSError as error:
        raise SettingsError(f"{name}: {path} cannot be read ({error.strerror}).") from None
    except UnicodeError:
        raise SettingsError(f"{name}: {path} is no text in UTF-8.") from None
    if not text or len(text) > _MOST_BYTES or not text.isprintable():
        raise SettingsError(f"{name}: {path} must hold the secret in one line, and nothing else.")
    return text
