"""Check whether a source can be reached, without requesting data."""

import importlib.util
import socket
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from mystocks_dagster.errors import SourceUnavailable
from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.declaration import SourceDeclaration
from mystocks_dagster.sources.host_notes import host_notes
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
    if declaration.has_files(settings) or not declaration.hosts:
        return declaration.ready(settings)
    return _connected(declaration, settings)


def _connected(declaration: SourceDeclaration, settings: Settings) -> str:
    hosts, stand_in = declaration.hosts, declaration.redirected(settings)
    if stand_in:
        parts = urlsplit(stand_in if "//" in stand_in else f"//{stand_in}")
        reasons = [_unreachable(parts.hostname or "", parts.port or 80)]
        target = f"the stand-in at {stand_in}"
    else:
        limiter = HostLimiter(host_notes(settings))
        with ThreadPoolExecutor(len(hosts)) as pool:
            bans = [limiter.ban_notice(host.partition(":")[0]) for host in hosts]
            reasons = bans + list(pool.map(_unreachable_host, hosts))
        target = ", ".join(hosts)
    if any(reasons):
        raise SourceUnavailable("; ".join(filter(None, reasons)))
    return f"{target} {'accepts' if stand_in or len(hosts) == 1 else 'accept'} connections"


def _unreachable_host(host: str) -> str | None:
    """Return why a host of a declaration, with or without a port, cannot be reached; None when it can."""
    name, _, port = host.partition(":")
    return _unreachable(name, int(port or 443))


def _unreachable(host: str, port: int) -> str | None:
    try:
        socket.create_connection((host, port), _SECONDS).close()
    except OSError as error:
        return f"{host} cannot be reached ({error.strerror or error})"
    return None
