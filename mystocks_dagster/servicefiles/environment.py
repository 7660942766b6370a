"""The service's environment file: the variables that the project needs, readable by its user only."""

import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from mystocks_dagster.plain_files import read_plain_text
from mystocks_dagster.secret_files import as_given
from mystocks_dagster.settings import Settings
from mystocks_dagster.settings import environment as process_environment

#: In the instance's folder. Systemd and a shell read it; both treat text in double quotes alike.
FILE = "service.env"
#: Set by `mystocks` itself for its child processes.
_OWN = {"MYSTOCKS_ROOT", "MYSTOCKS_ONLY_JOB", "DAGSTER_IS_DEV_CLI"}
_PREFIXES = (
    *("MYSTOCKS_", "DAGSTER_"),
    #: The credentials of object stores, with which delta-rs, polars and DuckDB read the lake.
    *("AWS_", "AZURE_", "GOOGLE_"),
    #: libpq, which connects to Postgres, and the cluster for grids of backtests.
    *("PG", "DASK_"),
)
#: Search paths of programs and modules, proxies, those whose X-Forwarded-For is taken, certificates, language.
_NAMES = {
    *("PATH", "PYTHONPATH", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "LANG", "LC_ALL"),
    "FORWARDED_ALLOW_IPS",
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
}
#: `${NAME}` in tasks.yaml, `env: NAME` in dagster.yaml.
_NAMED = re.compile(r"(?:\$\{|\benv: *[\"']?)([A-Za-z_][A-Za-z0-9_]*)")


def needed(environment: Mapping[str, str], *files: Path) -> dict[str, str]:
    """Return the variables of `environment` that the project reads, including those that its files name.

    A secret that was read from a file is represented by the variable with the name of that file.
    """
    named: set[str] = set()
    for file in files:
        with suppress(OSError, UnicodeDecodeError):  # `mystocks check` reports it
            named.update(_NAMED.findall(read_plain_text(file)))
    return {
        name: value
        for name, value in sorted(as_given(environment).items())
        if name not in _OWN and (name.startswith(_PREFIXES) or name.upper() in _NAMES or name in named)
    }


def of_project(settings: Settings) -> dict[str, str]:
    """Return the variables of this process that the project reads."""
    return needed(process_environment(), settings.task_file, settings.root / "dagster.yaml")


def content(variables: Mapping[str, str]) -> str:
    """Return the file's content."""
    lines = [f'{name}="{re.sub(_SPECIAL, _ESCAPED, value)}"' for name, value in variables.items()]
    head = "# Written by `mystocks service install`, which replaces it each time. It may hold secrets."
    return "\n".join([head, *lines, ""])


_SPECIAL, _ESCAPED = r'([\\"$`])', r"\\\1"
