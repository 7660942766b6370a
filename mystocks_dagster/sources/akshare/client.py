"""Calls of akshare's functions, with their requests.

Only this module imports akshare, and only inside functions: the import takes 1.3 s and 150 MB.
"""

import os
import warnings
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import polars as pl

from mystocks_dagster.errors import MyStocksError
from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.akshare import columns
from mystocks_dagster.sources.akshare.call import Call
from mystocks_dagster.sources.akshare.frames import changed, read_frame
from mystocks_dagster.sources.akshare.session import BEIJING, LISTS, SAMPLE, check_one_session, newest_day
from mystocks_dagster.sources.transport import EmptyResponse, RecordingTransport, installed
from mystocks_dagster.sources.upstream_responses import UpstreamResponse, sina_payload

if TYPE_CHECKING:
    import pandas as pd


class AkshareClient:
    """Calls akshare's functions under the shim, translates its errors, checks its frames and counts its requests."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.sent: Counter[str] = Counter()
        self.today: dict[str, int] = {}

    def frame(self, call: Call, **options: str) -> tuple[pl.DataFrame, list[UpstreamResponse]]:
        """Call a function; return its checked frame and the upstream's responses.

        Raises:
            EmptyResponse: The upstream has no rows.
            SourceUnavailable, SourceChanged: Raised by the shim and by `read_frame`.
        """
        result, responses = self.result(call.function, options)
        return read_frame(call, result, responses), responses

    def result(self, name: str, options: Mapping[str, Any]) -> tuple["pd.DataFrame", list[UpstreamResponse]]:
        """Call a function; return its result as it is, and the upstream's responses; raises as `frame` does."""
        function = getattr(_akshare(), name, None)
        if function is None:
            raise changed(name, "the function does not exist")
        if hasattr(function, "cache_clear"):
            function.cache_clear()
        with self._shim() as transport, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                result = function(**options)
            except (MyStocksError, EmptyResponse):
                raise
            except Exception as error:
                # The transport has accepted the response, so akshare does not know its format.
                text = " ".join(str(error).split())[:200]
                raise changed(name, f"it cannot read the response ({type(error).__name__}: {text})") from error
        return result, transport.responses

    def newest_day(self) -> date:
        """Return the session that East Money's lists show.

        Raises:
            SourceUnavailable: They show two sessions.
        """
        import requests

        with self._shim() as transport:
            requests.get(LISTS, params=SAMPLE)
        check_one_session(columns.STOCK_SPOT, transport.responses, "f2")
        return newest_day(columns.STOCK_SPOT, transport.responses)

    def beijing(self) -> pl.DataFrame:
        """Return code, name and day of listing of Beijing's stocks, from East Money's list.

        Raises:
            SourceUnavailable, SourceChanged: Raised by the shim and by `read_frame`.
        """
        import pandas as pd
        import requests

        with self._shim() as transport:
            rows: list[Mapping[str, Any]] = []
            while not transport.responses or len(rows) < (transport.responses[-1].total or 0):
                requests.get(LISTS, params={**BEIJING, "pn": f"{len(transport.responses) + 1}"})
                rows += transport.responses[-1].rows
        listed = [{**row, "f26": _day_text(row.get("f26"))} for row in rows]
        return read_frame(columns.BJ_LIST, pd.DataFrame(listed, columns=["f12", "f14", "f26"]), transport.responses)

    def decoded_prices(self, responses: Sequence[UpstreamResponse]) -> list[dict[str, Any]]:
        """Decode the price stream of `responses` with akshare's decoder."""
        import py_mini_racer

        stream = next(response for response in responses if "/hisdata_klc2/" in response.request.path)
        machine = py_mini_racer.MiniRacer()
        machine.eval(_akshare().stock.cons.hk_js_decode)
        return list(machine.call("d", sina_payload(stream.content)))

    @contextmanager
    def _shim(self) -> Generator[RecordingTransport]:
        with installed(self._settings) as transport, _without_pauses(bool(self._settings.upstream)):
            try:
                yield transport
            finally:
                self.sent.update(transport.requests)
                self.today.update(transport.requests_today)


def _day_text(value: object) -> object:
    """Return a day such as 20200727 as text; None where the list has none."""
    return str(value) if isinstance(value, int) and value else None


@contextmanager
def _without_pauses(stand_in: bool) -> Generator[None]:
    """Prevent akshare from sleeping between the pages of a stand-in."""
    if not stand_in:
        yield
        return
    paging = _akshare().utils.func
    original = paging.time
    paging.time = SimpleNamespace(sleep=lambda _: None)
    try:
        yield
    finally:
        paging.time = original


def _akshare() -> Any:
    os.environ.setdefault("TQDM_DISABLE", "1")  # its progress bars would appear as errors in the logs
    import akshare

    return akshare
