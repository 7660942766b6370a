"""The process that runs baostock's client: `python -P child.py HOST PORT SECONDS`.

It reads requests from standard input, one JSON object per line (`{"call": "query_trade_dates", "arguments": {...}}`),
and writes one line per answer to standard output. End of file on standard input means that the caller has ended: this
process then ends at once, also within a call. Only the standard library and baostock are imported.

The client is used as it is, with three of its defects avoided:

* After the server has closed the connection its receive loop spins for ever. Its sockets raise instead.
* It prints to standard output. The text becomes part of the answer.
* `ResultData.get_data` fails on pandas 2 and later, and `next` asks for a second page of an answer that has none if the
  first has exactly 2,000 rows. Rows are read one by one, or at once where there is one page.
"""

import io
import json
import os
import queue
import signal
import socket
import sys
import threading
import types
from contextlib import redirect_stdout
from typing import Any

#: Calls whose answer is one page, whatever its length.
ONE_PAGE = frozenset({"query_daily_history_k_AStock", "query_daily_history_k_ETF", "query_daily_adjust_factor"})
#: Codes of answers that are written here, not by the server or the client.
FAILED, CUT = "failed", "cut"


class ClosingSocket(socket.socket):
    """A socket that raises when the server has closed the connection, and when it is silent for too long."""

    seconds = 60.0

    def connect(self, address: Any) -> None:
        """Connect within the time limit."""
        self.settimeout(self.seconds)
        super().connect(address)

    def recv(self, *arguments: int) -> bytes:
        """Receive data.

        Raises:
            ConnectionResetError: The server has closed the connection.
        """
        data = super().recv(*arguments)
        if not data:
            raise ConnectionResetError("the server closed the connection")
        return data


def prepare(host: str, port: int, seconds: float) -> types.ModuleType:
    """Import the client, and direct it to a server."""
    import baostock
    from baostock.common import contants
    from baostock.util import socketutil

    ClosingSocket.seconds = seconds
    sockets = types.SimpleNamespace(socket=ClosingSocket, AF_INET=socket.AF_INET, SOCK_STREAM=socket.SOCK_STREAM)
    vars(contants).update(BAOSTOCK_SERVER_IP=host, BAOSTOCK_SERVER_PORT=port)
    vars(socketutil).update(socket=sockets)
    return baostock


def answer(client: types.ModuleType, request: dict[str, Any]) -> dict[str, Any]:
    """Run one call of the client; an exception becomes an answer with the code `FAILED`."""
    printed = io.StringIO()
    try:
        with redirect_stdout(printed):
            result = getattr(client, request["call"])(**request["arguments"])
            rows = _rows(result, one_page=request["call"] in ONE_PAGE)
    except Exception as error:  # noqa: BLE001 - whatever the client raises must reach the caller by name
        return _message(FAILED, f"{type(error).__name__}: {error}", printed)
    if result is None:
        return _message(FAILED, "the client returned nothing", printed)
    if result.error_code == "0" and rows is None:
        return _message(CUT, "a further page of the answer did not arrive", printed)
    message = _message(result.error_code, result.error_msg, printed)
    return message | {"fields": result.fields, "rows": rows or []}


def _rows(result: Any, *, one_page: bool) -> list[list[str]] | None:
    """Return all rows of a result, further pages included; None if a page is missing."""
    if result is None or result.error_code != "0":
        return []
    if one_page:
        return result.data
    rows = []
    while result.next():
        rows.append(result.get_row_data())
    # A page that arrived, even an empty one, has replaced the one that was read to its end.
    page = len(result.data)
    return None if page and page == int(result.per_page_count) else rows


def _message(code: str, text: str, printed: io.StringIO) -> dict[str, Any]:
    return {"code": code, "message": text, "printed": " ".join(printed.getvalue().split()), "fields": [], "rows": []}


def _read_requests(requests: "queue.Queue[dict[str, Any]]") -> None:
    for line in sys.stdin:
        requests.put(json.loads(line))
    os._exit(0)


def main() -> None:
    """Answer requests until standard input ends."""
    host, port, seconds = sys.argv[1:]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the caller, whose end ends this process
    requests: queue.Queue[dict[str, Any]] = queue.Queue()
    threading.Thread(target=_read_requests, args=(requests,), daemon=True).start()
    client = prepare(host, int(port), float(seconds))
    while True:
        line = json.dumps(answer(client, requests.get()))
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
