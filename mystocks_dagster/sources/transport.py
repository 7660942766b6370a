"""A shim under every akshare call: timeout, request rate, retry, circuit breaker, redirection.

akshare's functions call `requests` in different ways, most of them without a timeout. All of them end in
`requests.adapters.HTTPAdapter.send`, which `installed` replaces while its context is entered.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.client import RemoteDisconnected
from ssl import SSLEOFError
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mystocks_dagster.errors import SourceChanged, SourceUnavailable
from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.host_notes import host_notes
from mystocks_dagster.sources.hosts import HostLimiter, rule_of
from mystocks_dagster.sources.upstream_responses import UpstreamFault, UpstreamRequest, UpstreamResponse, read_response

if TYPE_CHECKING:
    from requests import PreparedRequest, Response

#: Header with the original host of a request to the stand-in.
ORIGINAL_HOST = "X-Orig-Host"
_LISTS = "/api/qt/clist/get"
_LOCK = threading.RLock()


class EmptyResponse(Exception):
    """The host has no rows: not an error, but akshare cannot read such a response."""


@dataclass(frozen=True, kw_only=True)
class RetrySettings:
    """Timeouts and retries of the shim.

    Attributes:
        timeout: Connect timeout and read timeout in seconds.
        attempts: The maximum number of attempts of a broken request.
        backoff: Seconds before the second attempt, doubled before each further one, with a jitter of 50 %.
        gaps: Whether there are pauses between requests.
    """

    timeout: tuple[float, float] = (5, 30)
    attempts: int = 3
    backoff: float = 2.0
    gaps: bool = True

    @classmethod
    def from_settings(cls, settings: Settings) -> "RetrySettings":
        """Return the settings for the real hosts, or for a stand-in, which needs no rate limit."""
        return cls(backoff=0.05, gaps=False) if settings.upstream else cls()


@dataclass
class RecordingTransport:
    """Sends requests while the shim is installed, and records them.

    Attributes:
        requests: Number of requests by host, retries included.
        requests_today: Number of the day's requests of all processes by host.
        responses: The responses with data, in order.
        answered: The response by request. Many functions of akshare ask for a page to learn the number of pages, and
            then for the same page again; the second request is not sent.
    """

    limiter: HostLimiter
    retry: RetrySettings
    upstream: str | None
    requests: Counter[str] = field(default_factory=Counter)
    requests_today: dict[str, int] = field(default_factory=dict)
    responses: list[UpstreamResponse] = field(default_factory=list)
    answered: "dict[tuple[object, ...], Response]" = field(default_factory=dict)

    def send(self, original: "Callable[..., Response]", prepared: "PreparedRequest", **options: Any) -> "Response":
        """Send a request with rate limit and retries, and return the complete response.

        Raises:
            SourceUnavailable: The host cannot be reached, is broken or has banned us.
            SourceChanged: The format of its responses has changed.
            EmptyResponse: The host has no rows.
        """
        request = _redirect(prepared, self.upstream)
        key = (prepared.method, prepared.url, prepared.body)
        if key in self.answered:
            return self.answered[key]
        options["timeout"] = options.get("timeout") or self.retry.timeout
        if self.upstream:
            options["proxies"] = {}
        fault = UpstreamFault("broken", "got no request")
        for attempt in range(1, self.retry.attempts + 1):
            result = self._send_once(partial(original, prepared, **options), request)
            if not isinstance(result, UpstreamFault):
                self.answered[key] = result
                return result
            fault = result
            if fault.meaning != "broken" or attempt == self.retry.attempts:
                break
            time.sleep(self.retry.backoff * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))
        raise self._error(request.host, fault)

    def _send_once(self, send: "Callable[[], Response]", request: UpstreamRequest) -> "Response | UpstreamFault":
        """Send the request when the host's rate limit allows it; record the response or the ban."""
        from requests import RequestException

        with self.limiter.turn(request.host) as turn:
            self.requests[request.host] += 1
            self.requests_today[request.host] = turn.requests_today
            try:
                response = send()
                result = read_response(request, response.status_code, response.content)
            except RequestException as error:
                result = _network_fault(request.host, error)
            else:
                if isinstance(result, UpstreamResponse):
                    self.responses.append(result)
                    return response
            if result.meaning == "banned":
                turn.ban(f"it {result.text}.")
            return result

    def _error(self, host: str, fault: UpstreamFault) -> Exception:
        where = f"{host} (through {self.upstream})" if self.upstream else host
        match fault.meaning:
            case "empty":
                return EmptyResponse(f"{where} {fault.text}")
            case "changed":
                return SourceChanged(f"{where} {fault.text}. Upgrade akshare; if that does not help, report it.")
            case "banned":
                minutes = rule_of(host).ban / 60
                pause = f"{minutes / 60:g} hours" if minutes >= 60 else f"{minutes:g} minutes"
                return SourceUnavailable(
                    f"{where} {fault.text}. No requests are sent to it for {pause}. Use another source meanwhile."
                )
            case "broken":
                return SourceUnavailable(
                    f"{where} {fault.text} ({self.retry.attempts} attempts). Check the network, or try again later."
                )


@contextmanager
def installed(settings: Settings, retry: RetrySettings | None = None) -> Generator[RecordingTransport]:
    """Install the shim under `requests`, yield its transport, and remove it at the end.

    One call at a time: other threads wait.
    """
    from requests.adapters import HTTPAdapter

    retry = retry or RetrySettings.from_settings(settings)
    stand_in = urlsplit(settings.upstream).netloc.replace(":", "_") if settings.upstream else ""
    limiter = HostLimiter(host_notes(settings, stand_in), gaps=retry.gaps)
    transport = RecordingTransport(limiter, retry, settings.upstream)

    with _LOCK:
        original = HTTPAdapter.send

        def send(adapter: HTTPAdapter, request: "PreparedRequest", **options: Any) -> "Response":
            return transport.send(partial(original, adapter), request, **options)

        HTTPAdapter.send = send  # ty: ignore[invalid-assignment]
        try:
            yield transport
        finally:
            HTTPAdapter.send = original


def _redirect(prepared: "PreparedRequest", upstream: str | None) -> UpstreamRequest:
    """Change the request's URL to the delayed host, or to the stand-in; return the request to the upstream."""
    url = str(prepared.url)
    request = UpstreamRequest.of(url)
    if request.path == _LISTS and request.host.endswith("push2.eastmoney.com"):
        # The same lists, some seconds later, from a host that bans fewer clients.
        url = url.replace(request.host, "push2delay.eastmoney.com", 1)
        request = UpstreamRequest.of(url)
    if upstream:
        prepared.headers[ORIGINAL_HOST] = request.host
        parts = urlsplit(url)
        url = upstream.rstrip("/") + parts.path + (f"?{parts.query}" if parts.query else "")
    prepared.url = url
    return request


def _network_fault(host: str, error: Exception) -> UpstreamFault:
    if rule_of(host).drops_are_bans and _dropped(error):
        return UpstreamFault("banned", "closed the connection without a response, as it does to addresses that it bans")
    from requests import Timeout

    what = "did not answer in time" if isinstance(error, Timeout) else "cannot be reached or closed the connection"
    return UpstreamFault("broken", f"{what} ({type(error).__name__})")


def _dropped(error: BaseException) -> bool:
    """Return whether the host accepted the connection and then closed it; requests wraps that error several times."""
    layers: list[object] = [error]
    while layers:
        layer = layers.pop()
        if isinstance(layer, RemoteDisconnected | ConnectionResetError | ConnectionAbortedError | SSLEOFError):
            return True
        if isinstance(layer, BaseException):
            layers.extend((*layer.args, getattr(layer, "reason", None)))
    return False
