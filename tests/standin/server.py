"""A local server that stands in for every upstream of akshare, with faults to switch on.

As a process: `python tests/standin/server.py --port 0 --day 2025-04-07` prints its address and serves until it is
stopped; `MYSTOCKS_UPSTREAM=<address>` sends every akshare call there. `--simulated seed=7,symbols=40` serves the
simulated market of that day in place of the small one. A POST of `{"kind": …, "path": …}` to `/_fault` adds a
fault, a DELETE removes all, a GET of `/_asked` lists the questions so far.
"""

import argparse
import json
import sys
import threading
import time
from dataclasses import asdict, dataclass
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from standin.market import Market
from standin.shapes import Answers

KINDS = (
    "drop",
    "status",
    "captcha",
    "blank",
    "null",
    "empty",
    "refused",
    "extra_key",
    "moved_key",
    "text_value",
    "short_page",
    "lost_rows",
    "cut",
    "broken_off",
    "slow",
)


@dataclass
class Fault:
    """Something wrong with the answers at a path.

    Attributes:
        kind: One of `KINDS`.
        path: The start of the paths that it befalls.
        times: How often; a negative number is for ever.
        page: Befalls this page of a list only.
        value: The status, the seconds, the number of rows, or the key.
    """

    kind: str
    path: str = "/"
    times: int = -1
    page: int | None = None
    value: Any = None

    def befalls(self, path: str, query: dict[str, str]) -> bool:
        """Say whether it befalls this question, and count it."""
        page = int(query.get("pn") or query.get("pageNumber") or 1)
        if self.times == 0 or not path.startswith(self.path) or (self.page is not None and page != self.page):
            return False
        self.times -= 1
        return True


class StandIn:
    """The server: `address` to reach it, `asked` with (host, path, query) of each question, `faults` to fill."""

    def __init__(self, market: Market, port: int = 0) -> None:
        self.answers = Answers(market)
        self.faults: list[Fault] = []
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        handler = type("Handler", (_Handler,), {"standin": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", port), handler)
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    @property
    def market(self) -> Market:
        return self.answers.market

    def fault(self, kind: str, path: str = "/", *, times: int = -1, page: int | None = None, value: Any = None) -> None:
        """Switch a fault on."""
        assert kind in KINDS, kind
        self.faults.append(Fault(kind, path, times, page, value))

    def hosts(self) -> list[str]:
        """Return the hosts that were meant, in the order of the questions."""
        return [host for host, _, _ in self.asked]

    def reset(self, market: Market | None = None) -> None:
        """Forget faults and questions, and serve another market."""
        self.faults.clear()
        self.asked.clear()
        if market is not None:
            self.answers = Answers(market)

    def serve(self) -> None:
        self._server.serve_forever(poll_interval=0.05)

    def __enter__(self) -> "StandIn":
        threading.Thread(target=self.serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    standin: StandIn
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/_asked":
            return self._send(json.dumps(self.standin.asked).encode())
        return self._answer({})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        if self.path == "/_fault":
            self.standin.fault(**json.loads(body))
            return self._send(json.dumps([asdict(fault) for fault in self.standin.faults]).encode())
        return self._answer(dict(parse_qsl(body, keep_blank_values=True)))

    def do_DELETE(self) -> None:
        self.standin.reset()
        self._send(b"{}")

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def _answer(self, body: dict[str, str]) -> None:
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        host = self.headers.get("X-Orig-Host") or ""
        self.standin.asked.append((host, parts.path, query))
        fault = next((fault for fault in self.standin.faults if fault.befalls(parts.path, query)), None)
        if fault and fault.kind == "slow":
            time.sleep(fault.value)
        if fault and fault.kind == "drop":
            self.close_connection = True
            return
        content = self.standin.answers.answer(host, parts.path, query, body)
        if fault:
            status, content = _spoil(fault, content or b"")
        else:
            status = 404 if content is None else 200
        self._send(content or b"", status, missing=1000 if fault and fault.kind == "broken_off" else 0)

    def _send(self, content: bytes, status: int = 200, missing: int = 0) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content) + missing))
        self.end_headers()
        self.wfile.write(content)
        self.close_connection = self.close_connection or missing > 0


def _spoil(fault: Fault, content: bytes) -> tuple[int, bytes]:
    """Return the status and the body of a spoilt answer."""
    plain = {
        "captcha": b"<!DOCTYPE html><html><title>captcha</title></html>",
        "blank": b"",
        "null": b'{"rc":102,"rt":6,"svr":1,"lt":1,"full":1,"dlmkts":"","data":null}',
        "empty": '{"version":null,"result":null,"success":false,"message":"返回数据为空","code":9201}'.encode(),
        "refused": (
            '{"version":null,"result":null,"success":false,"message":"报表配置不存在,RPT_X","code":9501}'.encode()
        ),
        "cut": content[: len(content) // 2],
    }
    if fault.kind in plain:
        return 200, plain[fault.kind]
    if fault.kind == "status":
        return fault.value, b"<html>error</html>"
    if fault.kind in ("extra_key", "moved_key", "text_value", "short_page", "lost_rows"):
        return 200, _spoil_rows(fault, content)
    return 200, content


def _spoil_rows(fault: Fault, content: bytes) -> bytes:
    body = json.loads(content)
    holder, name = (body["data"], "diff") if "data" in body else (body["result"], "data")
    rows = holder[name]
    if fault.kind in ("moved_key", "text_value") and fault.value not in rows[0]:
        return content
    if fault.kind == "short_page":
        holder[name] = rows[: len(rows) // 2]
    elif fault.kind == "lost_rows":  # the stated total stays
        holder[name] = rows[fault.value :]
    elif fault.kind == "extra_key":
        holder[name] = [{**row, "f999": 1} for row in rows]
    elif fault.kind == "text_value":
        rows[0][fault.value] = "n/a"
    else:  # the key moves to the front, the number of keys stays
        holder[name] = [{fault.value: row[fault.value], **row} for row in rows]
    return json.dumps(body).encode()


def main() -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--day", type=date.fromisoformat, default=date(2025, 4, 7))
    parser.add_argument("--simulated", default=None, help="options of the simulated market, such as seed=7,symbols=40")
    options = parser.parse_args()
    server = StandIn(_market(options), options.port)
    print(server.address, flush=True)
    server.serve()


def _market(options: argparse.Namespace) -> Market:
    if options.simulated is None:
        return Market.small(options.day)
    import os

    from mystocks_dagster.settings import Settings
    from mystocks_dagster.sources.registry import open_source

    os.environ["MYSTOCKS_NOW"] = f"{options.day}T16:00:00+08:00"
    os.environ["MYSTOCKS_SIMULATED"] = options.simulated
    return Market.of(open_source("simulated", Settings.from_env()), options.day)


if __name__ == "__main__":
    main()
