"""Host names and addresses: which are loopback, and when a server may listen on others."""

import ipaddress
import socket
from dataclasses import dataclass

from mystocks_dagster.errors import SettingsError
from mystocks_dagster.settings import Settings
from mystocks_dagster.tags import LOCATION, schedule_name

#: The fewest characters of a token that other machines may try.
LEAST_CHARACTERS = 16


def host_name(host: str) -> str:
    """Return the name or address of a Host header, without its port.

    Examples:
        >>> [host_name(text) for text in ("localhost:8888", "[::1]:8888", "::1")]
        ['localhost', '::1', '::1']
    """
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host if host.count(":") > 1 else host.partition(":")[0]


def is_loopback(name: str) -> bool:
    """Return whether a host name or address is loopback, reachable from this machine only.

    Examples:
        >>> [is_loopback(name) for name in ("localhost", "127.0.0.1", "::1", "0.0.0.0", "localhost.example.com")]
        [True, True, True, False, False]
    """
    if name.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def url(host: str, port: int) -> str:
    """Return the URL of a server.

    Examples:
        >>> url("127.0.0.1", 3000), url("::1", 3000)
        ('http://127.0.0.1:3000', 'http://[::1]:3000')
    """
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def check_host(settings: Settings, host: str) -> None:
    """Refuse to listen on an address that other machines could use without a token, or with one that can be guessed.

    Raises:
        SettingsError: The host is not loopback, and there is no token, or a short one.
    """
    if is_loopback(host) or is_long_enough(settings.api_token):
        return
    if settings.api_token is None:
        raise SettingsError(
            f"{host} can be reached from other machines, which could then start and change tasks. "
            "Set MYSTOCKS_API_TOKEN to a long random text (such as `openssl rand -hex 32` prints), "
            "or listen on 127.0.0.1."
        )
    raise SettingsError(
        f"{host} can be reached from other machines, which could guess MYSTOCKS_API_TOKEN: it has fewer than "
        f"{LEAST_CHARACTERS} characters. Set it to a long random text (such as `openssl rand -hex 32` prints), or "
        "listen on 127.0.0.1."
    )


def is_long_enough(token: str | None) -> bool:
    """Return whether there is a token, and it has so many characters that a random one cannot be guessed."""
    return token is not None and len(token) >= LEAST_CHARACTERS


def bind(host: str, port: int) -> socket.socket:
    """Return a socket bound to the address; port 0 means any free port.

    Raises:
        SettingsError: The port is in use, or the host is not an address of this machine.
    """
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise SettingsError(
            f"Cannot listen on {host}:{port}: {error.strerror}. Choose another address with --host and --port."
        ) from None
    return listener


@dataclass(frozen=True, kw_only=True)
class DagsterLinks:
    """Addresses of pages in Dagster's UI; all None when no UI runs.

    Attributes:
        address: Address of the UI.
    """

    address: str | None

    def job(self, job: str, tab: str = "") -> str | None:
        """Return the page of a job; `tab` may be `/playground` or `/runs`."""
        return self._to(f"/locations/{LOCATION}/jobs/{job}{tab}")

    def run(self, run_id: str) -> str | None:
        """Return the page of a run."""
        return self._to(f"/runs/{run_id}")

    def asset(self, key: str) -> str | None:
        """Return the page of a table."""
        return self._to(f"/assets/{key}")

    def starter(self, job: str, *, cron: bool) -> str | None:
        """Return the page of a job's schedule (cron) or sensor."""
        return self._to(f"/locations/{LOCATION}/{'schedules' if cron else 'sensors'}/{schedule_name(job)}")

    def _to(self, path: str) -> str | None:
        return f"{self.address}{path}" if self.address else None
