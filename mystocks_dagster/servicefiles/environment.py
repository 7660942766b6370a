"""The service's environment file: the variables that the project needs, readable by its user only."""

import re
from collections.abc import Mapping
from pathlib import Path

from mystocks_dagster.plain_files import read_plain_text

#: In the instance's folder. Systemd and a shell read it; both treat text in double quotes alike.
FILE = "service.env"
#: Set by `mystocks` itself for its child processes.
_OWN = {"MYSTOCKS_ROOT", "MYSTOCKS_ONLY_JOB", "DAGSTER_IS_DEV_CLI"}
_PREFIXES = ("MYSTOCKS_", "DAGSTER_")
#: Search paths of programs and modules, proxies, language.
_NAMES = {"PATH", "PYTHONPATH", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "LANG", "LC_ALL"}
_IN_TASK_FILE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)")


def needed(environment: Mapping[str, str], task_file: Path) -> dict[str, str]:
    """Return the variables of `environment` that the project reads, including those that the task file names."""
    try:
        named = set(_IN_TASK_FILE.findall(read_plain_text(task_file)))
    except (OSError, UnicodeDecodeError):  # `mystocks check` reports it
        named = set()
    return {
        name: value
        for name, value in sorted(environment.items())
        if name not in _OWN and (name.startswith(_PREFIXES) or name.upper() in _NAMES or name in named)
    }


def content(variables: Mapping[str, str]) -> str:
    """Return the file's content."""
    lines = [f'{name}="{re.sub(_SPECIAL, _ESCAPED, value)}"' for name, value in variables.items()]
    head = "# Written by `mystocks service install`, which replaces it each time. It may hold secrets."
    return "\n".join([head, *lines, ""])


_SPECIAL, _ESCAPED = r'([\\"$`])', r"\\\1"
