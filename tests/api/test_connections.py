"""Requests that are sent slowly, or whose head does not end, hold no connection of a real server."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from support.load import in_time

from mystocks_dagster.addresses import bind
from mystocks_dagster.api import connections, server

#: Seconds that a head may take here, and a body.
HEAD, BODY = 0.5, 1.0


async def echo(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"{len(await request.body())} bytes")


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, int]]:
    import uvicorn

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connections, "HEAD_SECONDS", HEAD)
        patch.setattr(connections, "BODY_SECONDS", BODY)
        app = Starlette(routes=[Route("/", echo, methods=["GET", "POST"])])
        served: list[uvicorn.Server] = []
        patch.setattr(server.uvicorn, "Server", lambda config: served.append(uvicorn_server(config)) or served[0])
        uvicorn_server = uvicorn.server.Server
        listener = bind("127.0.0.1", 0)
        listener.listen()
        thread = threading.Thread(target=server.run, args=(app, listener), daemon=True)
        thread.start()
        yield listener.getsockname()
        served[0].should_exit = True
        thread.join(20)


def answer(address: tuple[str, int], *pieces: bytes, pause: float = 0.0) -> tuple[bytes, float]:
    """Send pieces with pauses; return the bytes received until the connection closed, and the seconds."""
    with socket.create_connection(address, timeout=20) as connection:
        start = time.monotonic()
        connection.settimeout(0.01)
        received = b""
        for piece in pieces:
            try:
                connection.sendall(piece)
                received += connection.recv(65_536)
            except TimeoutError:
                time.sleep(pause)
            except ConnectionError:
                break
        connection.settimeout(20)
        try:
            while more := connection.recv(65_536):
                received += more
        except ConnectionError:
            pass
        return received, time.monotonic() - start


def test_a_request_in_good_time_is_answered(address: tuple[str, int]) -> None:
    received, _ = answer(
        address,
        b"POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n",
        b"content-length: 4\r\n\r\nab",
        b"cd",
        pause=0.05,
    )
    assert received.endswith(b"4 bytes")


def test_a_head_that_does_not_end_is_cut_off(address: tuple[str, int]) -> None:
    received, seconds = answer(address, b"GET / HTTP/1.1\r\nhost: a\r\n", *[b"x-a: b\r\n"] * 200, pause=0.1)
    assert received.startswith(b"HTTP/1.1 408 ")
    assert b"nosniff" in received
    assert seconds >= 0.9 * HEAD
    assert in_time(seconds, 10)


def test_a_body_that_does_not_end_is_cut_off(address: tuple[str, int]) -> None:
    received, seconds = answer(
        address, b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 500\r\n\r\n", *[b"x"] * 200, pause=0.1
    )
    assert received.startswith(b"HTTP/1.1 408 ")
    assert seconds >= 0.9 * BODY
    assert in_time(seconds, 10)


def test_a_silent_connection_is_closed_without_a_word(address: tuple[str, int]) -> None:
    received, seconds = answer(address)
    assert received == b""
    assert seconds >= 0.9 * HEAD
    assert in_time(seconds, 10)


def test_the_second_request_of_a_connection_has_the_same_limits(address: tuple[str, int]) -> None:
    slow = [b"GET / HTTP/1.1\r\nhost: a\r\n", *[b"x-a: b\r\n"] * 200]
    received, _ = answer(address, b"GET / HTTP/1.1\r\nhost: a\r\n\r\n", *slow, pause=0.1)
    assert received.startswith(b"HTTP/1.1 200 ")
    assert b"HTTP/1.1 408 " in received


def test_a_head_larger_than_64_kilobytes_is_refused(address: tuple[str, int]) -> None:
    received, _ = answer(address, b"GET / HTTP/1.1\r\nhost: a\r\nx-a: " + b"b" * 70_000)
    assert received.startswith(b"HTTP/1.1 431 ")


def test_what_is_not_http_is_answered_with_the_same_headers(address: tuple[str, int]) -> None:
    received, _ = answer(address, b"\x00\x01\x02\r\n\r\n")
    assert received.startswith(b"HTTP/1.1 400 ")
    assert b"x-content-type-options: nosniff" in received
    assert b"cache-control: no-store" in received
