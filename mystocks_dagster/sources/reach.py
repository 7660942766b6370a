"""Check whether a source can be reached, without requesting data."""

import importlib.util
import socket
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from mystocks_dagster.errors import SourceUnavailable
from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.hosts import HostLimiter
from mystocks_dagster.sources.registry import declarations, open_source

_SECONDS = 3.0


def reach(name: str, settings: Settings) -> str:
    """Return why a source is ready: its hosts accept connections, or its folder can be read.

    Raises:
        MyStocksError: The source is not ready; the message gives the reason.
    """
    open_source(name, settings)
    declaration = declarations()[name]
    if declaration.package and importlib.util.find_spec(declaration.package) is None:
        raise SourceUnavailable(f"the package {declaration.package} is not installed")
    return _connected(declaration.hosts, settings) if declaration.hosts else declaration.ready(settings)


def _connected(hosts: tuple[str, ...], settings: Settings) -> str:
    if settings.upstream:
        parts = urlsplit(settings.upstream)
        reasons = [_unreachable(parts.hostname or "", parts.port or 80)]
        target = f"the stand-in at {settings.upstream}"
    else:
        limiter = HostLimiter(settings.dagster_home / "hosts")
        with ThreadPoolExecutor(len(hosts)) as pool:
            reasons = [limiter.ban_notice(host) for host in hosts] + list(pool.map(_unreachable, hosts))
        target = ", ".join(hosts)
    if any(reasons):
        raise SourceUnavailable("; ".join(filter(None, reasons)))
    return f"{target} {'accepts' if settings.upstream or len(hosts) == 1 else 'accept'} connections"


def _unreachable(host: str, port: int = 443) -> str | None:
    try:
        socket.create_connection((host, port), _SECONDS).close()
    except OSError as error:
        return f"{host} cannot be reached ({error.strerror or error})"
    return None
