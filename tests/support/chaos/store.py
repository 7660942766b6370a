"""The object store of a deployment: a real S3 server, behind a line that can be slow, or dead for a while."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer
from urllib.parse import urlsplit

import boto3
from support.object_store import object_store

BUCKET = "market"
LAKE = f"s3://{BUCKET}/lake"


class Store:
    """A line to an object store.

    Attributes:
        environment: The variables by which the lake's clients find it.
        seconds: How long each piece of an answer takes.
        dead: Whether every connection is closed at once.
    """

    def __init__(self, environment: dict[str, str]) -> None:
        """Open a line to the store that these variables name."""
        self.seconds, self.dead = 0.0, False
        self._there = urlsplit(environment["AWS_ENDPOINT_URL"])
        handler = type("Handler", (_Line,), {"store": self})
        self.server = ThreadingTCPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.environment = {**environment, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.server.server_address[1]}"}

    def connect(self) -> socket.socket:
        """Open a connection to the store itself."""
        return socket.create_connection((self._there.hostname, self._there.port))

    def tables(self) -> list[str]:
        """Return the tables of the lake, with their folder."""
        client = boto3.client("s3", endpoint_url=self._there.geturl(), region_name="us-east-1", **_ANYBODY)
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="lake/")
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        return sorted({key.removeprefix("lake/").split("/_delta_log/")[0] for key in keys if "/_delta_log/" in key})


_ANYBODY = {"aws_access_key_id": "somebody", "aws_secret_access_key": "secret"}


class _Line(BaseRequestHandler):
    store: Store

    def handle(self) -> None:
        if self.store.dead:
            return
        with self.store.connect() as there:
            back = threading.Thread(target=self._carry, args=(there, self.request, True), daemon=True)
            back.start()
            self._carry(self.request, there, False)
            back.join()

    def _carry(self, source: socket.socket, target: socket.socket, answers: bool) -> None:
        with suppress(OSError):
            while (data := source.recv(1 << 16)) and not self.store.dead:
                if answers:
                    time.sleep(self.store.seconds)
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextmanager
def store() -> Iterator[Store]:
    """Run a store with a bucket for a lake."""
    with object_store(BUCKET) as environment:
        line = Store(environment)
        threading.Thread(target=line.server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield line
        finally:
            line.server.shutdown()
            line.server.server_close()
