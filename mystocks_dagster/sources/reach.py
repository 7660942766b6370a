"""Whether a source can be reached from here, without asking it for data."""

import importlib.util
import socket
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from mystocks_dagster.errors import SourceUnavailable
from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.hosts import HostBook
from mystocks_dagster.sources.registry import declarations, open_source

_SECONDS = 3.0


def reach(name: str, settings: Settings) -> str:
    """Return why a source is ready: its hosts take connections, its folder can be read.

    Raises:
        MyStocksError: It is not ready; the message says why.
    """
    open_source(name, settings)
    declared = declarations()[name]
    if declared.package and importlib.util.find_spec(declared.package) is None:
        raise SourceUnavailable(f"the package {declared.package} is not installed")
    return _connected(declared.hosts, settings) if declared.hosts else declared.ready(settings)


def _connected(hosts: tuple[str, ...], settings: Settings) -> str:
    if settings.upstream:
        parts = urlsplit(settings.upstream)
        reasons = [_unreachable(parts.hostname or "", parts.port or 80)]
        about = f"the stand-in at {settings.upstream}"
    else:
        book = HostBook(settings.dagster_home / "hosts")
        with ThreadPoolExecutor(len(hosts)) as pool:
            reasons = [book.closed(host) for host in hosts] + list(pool.map(_unreachable, hosts))
        about = ", ".join(hosts)
    if any(reasons):
        raise SourceUnavailable("; ".join(filter(None, reasons)))
    return f"{about} {'takes' if settings.upstream else 'take'} connections"


def _unreachable(host: str, port: int = 443) -> str | None:
    try:
        socket.create_connection((host, port), _SECONDS).close()
    except OSError as error:
        return f"{host} cannot be reached ({error.strerror or error})"
    return None
