"""A real S3 server over HTTP, and the variables by which delta-rs, polars and DuckDB find it."""

import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from support.project import free_port, wait_for


@contextmanager
def object_store(bucket: str) -> Iterator[dict[str, str]]:
    """Run a server with one bucket, and yield the environment of its clients."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: _made(f"{address}/{bucket}"), 60, "the object store")
        yield {
            "AWS_ENDPOINT_URL": address,
            "AWS_ACCESS_KEY_ID": "somebody",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
            "AWS_ALLOW_HTTP": "true",
        }
    finally:
        process.kill()
        process.wait()


def _made(url: str) -> bool:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="PUT"), timeout=5):
            return True
    except OSError:
        return False
