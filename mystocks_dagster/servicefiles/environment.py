"""The environment of the service: the variables that the project needs now, in a file that only its user can read."""

import re
from collections.abc import Mapping
from pathlib import Path

#: In the instance's folder. Read by systemd and by a shell, which agree on what stands between double quotes.
FILE = "service.env"
#: Set by the program for its own children.
_OWN = {"MYSTOCKS_ROOT", "MYSTOCKS_ONLY_JOB", "DAGSTER_IS_DEV_CLI"}
_PREFIXES = ("MYSTOCKS_", "DAGSTER_")
#: Where programs and modules are found, the proxies to the outside world, the language.
_NAMES = {"PATH", "PYTHONPATH", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "LANG", "LC_ALL"}
_IN_TASK_FILE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)")


def needed(environment: Mapping[str, str], task_file: Path) -> dict[str, str]:
    """Return the variables of `environment` that the project reads, those that the task file names included."""
    try:
        named = set(_IN_TASK_FILE.findall(task_file.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError):  # `mystocks check` says so
        named = set()
    return {
        name: value
        for name, value in sorted(environment.items())
        if name not in _OWN and (name.startswith(_PREFIXES) or name.upper() in _NAMES or name in named)
    }


def content(variables: Mapping[str, str]) -> str:
    """Return the file."""
    lines = [f'{name}="{re.sub(_SPECIAL, _ESCAPED, value)}"' for name, value in variables.items()]
    return "\n".join(
        ["# Written by `mystocks service install`, which writes it again. It may hold secrets.", *lines, ""]
    )


_SPECIAL, _ESCAPED = r'([\\"$`])', r"\\\1"
