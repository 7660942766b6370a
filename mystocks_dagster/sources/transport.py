"""One shim under every akshare call: timeout, request rate, retry, circuit breaker, rewriting, redirection.

akshare's functions call `requests` each in their own way, most without a timeout. All of them end in
`requests.adapters.HTTPAdapter.send`, so that is where manners are put in, while `installed` is entered.
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
from mystocks_dagster.sources.hosts import HostBook, rule_of
from mystocks_dagster.sources.upstream_responses import UpstreamFault, UpstreamRequest, UpstreamResponse, read_response

if TYPE_CHECKING:
    from requests import PreparedRequest, Response

#: Header that tells the stand-in which host was meant.
ORIGINAL_HOST = "X-Orig-Host"
_LISTS = "/api/qt/clist/get"
_LOCK = threading.RLock()


class EmptyResponse(Exception):
    """The host says that there are no rows: not an error, but akshare cannot read such an answer."""


@dataclass(frozen=True, kw_only=True)
class RetrySettings:
    """How patient the shim is.

    Attributes:
        timeout: Seconds to connect, and seconds without a byte.
        attempts: How often a broken request is tried in all.
        backoff: Seconds before the second attempt; doubled before each further one, give or take a half.
        gaps: Whether the pauses between requests are kept.
    """

    timeout: tuple[float, float] = (5, 30)
    attempts: int = 3
    backoff: float = 2.0
    gaps: bool = True

    @classmethod
    def to(cls, settings: Settings) -> "RetrySettings":
        """Return what is due to the real hosts, or to a stand-in, which needs no sparing."""
        return cls(backoff=0.05, gaps=False) if settings.upstream else cls()


@dataclass
class RecordingTransport:
    """What went over the wire while the shim was installed.

    Attributes:
        requests: Requests by host, repeated attempts included.
        requests_today: The day's requests of all processes, by host.
        answers: The answers, in order.
    """

    book: HostBook
    manners: RetrySettings
    upstream: str | None
    requests: Counter[str] = field(default_factory=Counter)
    requests_today: dict[str, int] = field(default_factory=dict)
    answers: list[UpstreamResponse] = field(default_factory=list)

    def send(self, original: "Callable[..., Response]", request: "PreparedRequest", **options: Any) -> "Response":
        """Send a request with manners and return the answer, read to its end.

        Raises:
            SourceUnavailable: The host cannot be reached, is broken or turned us away.
            SourceChanged: It answers in another form than before.
            EmptyAnswer: It says that there is nothing.
        """
        question = _aim(request, self.upstream)
        options["timeout"] = options.get("timeout") or self.manners.timeout
        if self.upstream:
            options["proxies"] = {}
        fault = UpstreamFault("broken", "was not asked")
        for attempt in range(1, self.manners.attempts + 1):
            found = self._ask(partial(original, request, **options), question)
            if not isinstance(found, UpstreamFault):
                return found
            fault = found
            if fault.meaning != "broken" or attempt == self.manners.attempts:
                break
            time.sleep(self.manners.backoff * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))
        raise self._error(question.host, fault)

    def _ask(self, send: "Callable[[], Response]", question: UpstreamRequest) -> "Response | UpstreamFault":
        """Send once, in the host's turn; note the answer, or that the host turned us away."""
        from requests import RequestException

        with self.book.turn(question.host) as turn:
            self.requests[question.host] += 1
            self.requests_today[question.host] = turn.requests_today
            try:
                response = send()
                found = read_response(question, response.status_code, response.content)
            except RequestException as error:
                found = _network_fault(question.host, error)
            else:
                if isinstance(found, UpstreamResponse):
                    self.answers.append(found)
                    return response
            if found.meaning == "banned":
                turn.ban(f"it {found.text}.")
            return found

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
                    f"{where} {fault.text}; it is left alone for {pause}. Use another source meanwhile."
                )
            case "broken":
                return SourceUnavailable(
                    f"{where} {fault.text} ({self.manners.attempts} attempts). Check the network, or try again later."
                )


@contextmanager
def installed(settings: Settings, manners: RetrySettings | None = None) -> Generator[RecordingTransport]:
    """Put the shim under `requests` and yield the wire; takes it away again at the end.

    One call at a time: other threads wait.
    """
    from requests.adapters import HTTPAdapter

    manners = manners or RetrySettings.to(settings)
    place = (urlsplit(settings.upstream).netloc.replace(":", "_"),) if settings.upstream else ()
    wire = RecordingTransport(
        HostBook(settings.dagster_home.joinpath("hosts", *place), gaps=manners.gaps), manners, settings.upstream
    )

    with _LOCK:
        original = HTTPAdapter.send

        def send(adapter: HTTPAdapter, request: "PreparedRequest", **options: Any) -> "Response":
            return wire.send(partial(original, adapter), request, **options)

        HTTPAdapter.send = send  # ty: ignore[invalid-assignment]
        try:
            yield wire
        finally:
            HTTPAdapter.send = original


def _aim(request: "PreparedRequest", upstream: str | None) -> UpstreamRequest:
    """Point the request to where it shall go; return what it asks."""
    url = str(request.url)
    question = UpstreamRequest.of(url)
    if question.path == _LISTS and question.host.endswith("push2.eastmoney.com"):
        # The same lists, some seconds late, from a host that throws fewer clients out.
        url = url.replace(question.host, "push2delay.eastmoney.com", 1)
        question = UpstreamRequest.of(url)
    if upstream:
        request.headers[ORIGINAL_HOST] = question.host
        parts = urlsplit(url)
        url = upstream.rstrip("/") + parts.path + (f"?{parts.query}" if parts.query else "")
    request.url = url
    return question


def _network_fault(host: str, error: Exception) -> UpstreamFault:
    if rule_of(host).drops_are_bans and _dropped(error):
        return UpstreamFault("banned", "closed the connection without an answer, as it does to addresses that it bans")
    from requests import Timeout

    what = "did not answer in time" if isinstance(error, Timeout) else "cannot be reached or broke off"
    return UpstreamFault("broken", f"{what} ({type(error).__name__})")


def _dropped(error: BaseException) -> bool:
    """Say whether the host took the connection and then closed it; requests hides that some layers down."""
    layers: list[object] = [error]
    while layers:
        layer = layers.pop()
        if isinstance(layer, RemoteDisconnected | ConnectionResetError | ConnectionAbortedError | SSLEOFError):
            return True
        if isinstance(layer, BaseException):
            layers.extend((*layer.args, getattr(layer, "reason", None)))
    return False
