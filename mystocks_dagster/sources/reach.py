"""Whether a source can be reached from here, without asking it for data."""

import importlib.util
import socket
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from mystocks_dagster.errors import SourceUnavailable
from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.hosts import HostBook
from mystocks_dagster.sources.registry import open_source

#: The hosts that the akshare source cannot do without, see docs/akshare.md.
AKSHARE_HOSTS = ("push2delay.eastmoney.com", "datacenter-web.eastmoney.com", "finance.sina.com.cn")
_SECONDS = 3.0


def reach(name: str, settings: Settings) -> str:
    """Return what was found of a source that is ready: its hosts take connections, its folder can be read.

    Raises:
        MyStocksError: It is not ready; the message says why.
    """
    open_source(name, settings)
    match name:
        case "akshare":
            return _akshare(settings)
        case "recorded":
            return f"{settings.recorded} can be read"
    return "it needs no network"


def _akshare(settings: Settings) -> str:
    if importlib.util.find_spec("akshare") is None:
        raise SourceUnavailable("the package akshare is not installed")
    if settings.upstream:
        parts = urlsplit(settings.upstream)
        wrong = [_unreachable(parts.hostname or "", parts.port or 80)]
        about = f"the stand-in at {settings.upstream}"
    else:
        book = HostBook(settings.dagster_home / "hosts")
        with ThreadPoolExecutor(len(AKSHARE_HOSTS)) as pool:
            wrong = [book.closed(host) for host in AKSHARE_HOSTS] + list(pool.map(_unreachable, AKSHARE_HOSTS))
        about = ", ".join(AKSHARE_HOSTS)
    if told := [one for one in wrong if one]:
        raise SourceUnavailable("; ".join(told))
    return f"{about} {'takes' if settings.upstream else 'take'} connections"


def _unreachable(host: str, port: int = 443) -> str | None:
    try:
        socket.create_connection((host, port), _SECONDS).close()
    except OSError as error:
        return f"{host} cannot be reached ({error.strerror or error})"
    return None
