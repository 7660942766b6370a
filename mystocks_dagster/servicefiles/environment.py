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
    #: libpq, which connects to Postgres, and the cluster for grids of backtests.
    *("PG", "DASK_"),
)
#: Credentials of object stores, and what names such a store: the address of a lake, or a package for printed output.
_STORES = {
    "AWS_": re.compile(r"\bs3a?://|\bdagster_aws\b"),
    "AZURE_": re.compile(r"\b(?:az|azure|abfss?|adl)://|\bdagster_azure\b"),
    "GOOGLE_": re.compile(r"\bgs://|\bdagster_gcp\b"),
}
#: Search paths of programs and modules, proxies, those whose X-Forwarded-For is taken, certificates, language.
_NAMES = {
    *("PATH", "PYTHONPATH", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "LANG", "LC_ALL"),
    "FORWARDED_ALLOW_IPS",
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
}
#: Definitions written by hand, and components with lakes of their own.
_DEFINITIONS = Path(__file__).parent.parent / "defs"
#: `${NAME}` in tasks.yaml, `env: NAME` in dagster.yaml.
_NAMED = re.compile(r"(?:\$\{|\benv: *[\"']?)([A-Za-z_][A-Za-z0-9_]*)")


def needed(environment: Mapping[str, str], *files: Path) -> dict[str, str]:
    """Return the variables of `environment` that the project reads, including those that its files name.

    The credentials of a kind of object store are among them if the project has an address of such a store.

    A secret that was read from a file is represented by the variable with the name of that file.
    """
    texts = []
    for file in files:
        with suppress(OSError, UnicodeDecodeError):  # `mystocks check` reports it
            texts.append(read_plain_text(file))
    named = {name for text in texts for name in _NAMED.findall(text)}
    texts += [value for name, value in environment.items() if name.startswith("MYSTOCKS_") or name in named]
    stores = tuple(prefix for prefix, sign in _STORES.items() if any(map(sign.search, texts)))
    return {
        name: value
        for name, value in sorted(as_given(environment).items())
        if name not in _OWN and (name.startswith((*_PREFIXES, *stores)) or name.upper() in _NAMES or name in named)
    }


def of_project(settings: Settings) -> dict[str, str]:
    """Return the variables of this process that the project reads."""
    definitions = [file for file in _DEFINITIONS.rglob("*") if file.suffix in (".yaml", ".yml", ".py")]
    return needed(process_environment(), settings.task_file, settings.root / "dagster.yaml", *definitions)


def content(variables: Mapping[str, str]) -> str:
    """Return the file's content."""
    lines = [f'{name}="{re.sub(_SPECIAL, _ESCAPED, value)}"' for name, value in variables.items()]
    head = "# Written by `mystocks service install`, which replaces it each time. It may hold secrets."
    return "\n".join([head, *lines, ""])


_SPECIAL, _ESCAPED = r'([\\"$`])', r"\\\1"
